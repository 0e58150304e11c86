"""Strategies with a checker that is verified in Coq: how the checker is called, its hints, and about how long it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k import Additive, BruteForce, Prefix

SLOWDOWN = {Arithmetic.hardware: 1.0, Arithmetic.software: 28.0, Arithmetic.pure: 110.0}
"""How many times longer an operation takes than on the processor's numbers."""

ASSUMING = 5.0
"""Seconds for the assumptions of a theorem to be listed."""

ARITHMETIC, EXPONENTIAL, INTEGER = 2.5e-7, 5e-5, 8e-8
"""Seconds, on the processor's numbers, for an operation of each kind."""

EVALUATED = 4096
"""Sequences that the additive checker evaluates, at most, for each choice of kinds of tokens that its bounds do not prove."""


@dataclass(frozen=True)
class Checker:
    """A verified checker with its hints.

    Attributes
    ----------
    name
        Of the theorem in ``formal/Theorems.v``, without the arithmetic.
    arguments
        Names of its hints, in order.
    hints
        Their definitions in Coq.
    arithmetic, exponentials, integers
        About how many operations it makes.
    """

    name: str
    arguments: tuple[str, ...]
    hints: str
    arithmetic: float
    exponentials: float
    integers: float

    def seconds(self, kind: Arithmetic) -> float:
        """About how long the check takes."""
        return SLOWDOWN[kind] * (self.arithmetic * ARITHMETIC + self.exponentials * EXPONENTIAL) + self.integers * INTEGER


def checker_for(strategy: Strategy, model: AttentionOnlyTransformer, explanation: Mapping[str, Tensor]) -> Checker:
    """Return the verified checker of a strategy.

    Raises
    ------
    BadInput
        If it has none.
    """
    if isinstance(strategy, BruteForce):
        return _exhaustive(model)
    if isinstance(strategy, Prefix):
        return _prefix(model, explanation)
    if type(strategy) is Additive and strategy.counting == "positions":
        return _positions(strategy, model)
    if type(strategy) is Additive:
        return _additive(strategy, model, explanation)
    raise BadInput(f"{strategy.name}: no checker is verified for this strategy; there are for additive, prefix and brute-force")


def formal_default(model: AttentionOnlyTransformer) -> Strategy:
    """Return the strategy that is formalized unless told: a bound near the true accuracy, checked within seconds."""
    if model.n_ctx <= 4:
        return Additive(window=4)
    return Additive(window=6, groups=8, direct="joint", counting="grid", steps=32, reach=48)


def _path_operations(model: AttentionOnlyTransformer) -> float:
    v, K, d, h = model.d_vocab, model.n_ctx, model.d_model, model.d_head
    return 2 * (4 * v * d * h + 2 * v * v * h + v * v * d + 2 * K * h * (d + v))


def _positions(strategy: Additive, model: AttentionOnlyTransformer) -> Checker:
    """Each query has bounds of its own, whatever its group and the direct path's bounds in Python: the window alone is a hint.

    Sequences that the bounds leave out are evaluated, `EVALUATED` at most for each choice of kinds of tokens.
    """
    _check_options(strategy, {"values": "exact"})
    v, K, n = model.d_vocab, model.n_ctx, min(strategy.window, model.d_vocab)
    hints = (
        "(** The option of the strategy; the others are for counting on a grid. *)\n"
        f"Definition hints : options := {{| window := {n}; steps := 1; reach := 0 |}}.\n\n"
        "(** Sequences that are evaluated, at most, for each choice of kinds of tokens. *)\n"
        f"Definition most : Z := {EVALUATED}.\n"
    )
    choices = sum((n + 2) ** k for k in range(1, K))
    operations = _path_operations(model) + v * v * (3 * v / 2 + K + 3 * n) + v * v / 2 * (4 * n * v + 2 * choices)
    return Checker("positions", ("hints", "most"), hints, operations, v * (v + 2 * K), v * v / 2 * choices)


def _additive(strategy: Additive, model: AttentionOnlyTransformer, explanation: Mapping[str, Tensor]) -> Checker:
    _check_options(strategy, {"counting": "grid", "direct": "joint", "values": "exact", "attention": "exact"})
    group_of = explanation["group_of"].tolist()
    v, K, G, n = model.d_vocab, model.n_ctx, min(strategy.window, model.d_vocab), len(set(group_of))
    rows = n * v * (n + 2) / (2 * n + 2)  # pairs of a group and a maximum, roughly
    search = math.log2(strategy.reach + 1) + 2
    hints = (
        "(** The options of the strategy. *)\n"
        f"Definition hints : options := {{| window := {G}; steps := {strategy.steps}%positive; reach := {strategy.reach} |}}.\n\n"
        "(** The group of each query. *)\n"
        f"Definition group_of : list nat := {_list(group_of)}.\n"
    )
    operations = _path_operations(model) + v * v * (3 * v / 2 + K + 3 * G) + rows * (4 * G * v + (K - 1) * (G + 1) * search)
    integers = rows * (K - 2) * (2 * strategy.reach + 1) * (G + 2)
    return Checker("additive", ("hints", "group_of"), hints, operations, rows * (G + 1) + n * K, integers)


def _check_options(strategy: Additive, wanted: Mapping[str, str]) -> None:
    for option, value in wanted.items():
        if getattr(strategy, option) != value:
            raise BadInput(
                f"additive with {option}={getattr(strategy, option)}: the verified checker is for "
                f"{', '.join(f'{k}={x}' for k, x in wanted.items())}; prove again with these options"
            )


def _exhaustive(model: AttentionOnlyTransformer) -> Checker:
    v, K = model.d_vocab, model.n_ctx
    operations = _path_operations(model) + 5 * K * v**3 + 2.2 * v ** (K + 1)
    return Checker("exhaustive", (), "", operations, v * v + K * v, float(v**K))


def _prefix(model: AttentionOnlyTransformer, explanation: Mapping[str, Tensor]) -> Checker:
    v, K, bound = model.d_vocab, model.n_ctx, explanation["bound"].tolist()
    rows = ";\n  ".join(_list(row) for row in bound)
    hints = (
        "(** For each query and maximum: 1 + the bound of other tokens, or 0. *)\n"
        f"Definition hints : list (list nat) := [\n  {rows}].\n"
    )
    leads = sum((K - 1) * a + K * K for row in bound for a in row if a)
    operations = _path_operations(model) + 3 * K * v**3 + 0.5 * v * leads
    return Checker("prefix", ("hints",), hints, operations, K * v * v, v * v)


def _list(numbers: list[int]) -> str:
    lines = ["; ".join(map(str, numbers[i : i + 32])) for i in range(0, len(numbers), 32)]
    return "[" + ";\n  ".join(lines) + "]"
