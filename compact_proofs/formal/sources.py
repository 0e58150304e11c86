"""Theorems about one-layer transformers: the texts of ``Weights.v``, ``Hints.v`` and ``Accuracy.v``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, NUMBER, Checker, checker_for
from compact_proofs.formal.theorem import NAME, Formalization, write_theorem
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.files import weights_sha256
from compact_proofs.strategy import Strategy

LARGEST_MACHINE_INTEGER = 2**62 - 1


@dataclass(frozen=True)
class TransformerStatement:
    """The accuracy of a one-layer transformer on Max-of-K, proved by a strategy's checker: a `theorem.Statement`."""

    model: AttentionOnlyTransformer
    title: str
    checker: Checker
    arithmetic: Arithmetic

    open = ("Statement",)
    counts_first = True

    @cached_property
    def parts(self) -> dict[str, str]:
        return {"Weights.v": weights_source(self.model, self.title), "Hints.v": hints_source(self.checker)}

    def words(self, numerator: int) -> str:
        return statement_words(self.model, numerator, f"{NAME}.Weights.")

    def accuracy(self, numerator: int) -> str:
        return theorem_source(self.model, self.checker, self.arithmetic, numerator)

    def count(self) -> str:
        return count_source(self.checker, self.arithmetic)

    def seconds(self) -> float:
        weights = NUMBER * sum(p.numel() for p in self.model.parameters())
        return weights + 2 * (1 + self.checker.seconds(self.arithmetic)) + ASSUMING


def formalize(
    model: AttentionOnlyTransformer,
    strategy: Strategy,
    explanation: Mapping[str, Tensor],
    numerator: int,
    folder: Path,
    *,
    title: str = "a model",
    arithmetic: Arithmetic = Arithmetic.hardware,
) -> Formalization:
    """Write the theorem that at least `numerator` of all inputs are answered rightly.

    Parameters
    ----------
    model, strategy, explanation
        As for `compact_proofs.prove`; the strategy must have a verified checker.
    numerator
        What the strategy proved.
    folder
        An existing folder; files of the same names are replaced.
    title
        Names the model in a comment.
    arithmetic
        What the checker computes with.

    Raises
    ------
    BadInput
        If there is no verified checker, or the files cannot be written.
    """
    checker = checker_for(strategy, model, explanation)
    return write_theorem(TransformerStatement(model, title, checker, arithmetic), numerator, folder)


def fraction_bits(model: AttentionOnlyTransformer) -> int:
    """Return the least b such that 2^b times every weight is an integer.

    Raises
    ------
    BadInput
        If a weight is not finite.
    """
    for name, p in model.named_parameters():
        if not bool(p.isfinite().all()):
            raise BadInput(f"{name} holds a weight that is not finite; a theorem needs a model whose weights are numbers")
    numbers = {x for p in model.parameters() for x in p.detach().double().flatten().tolist()}
    return max(Fraction(x).denominator.bit_length() - 1 for x in numbers)


def weights_source(model: AttentionOnlyTransformer, title: str) -> str:
    """Write the weights, each exactly, as an integer over a power of two that they share.

    Coq reads machine integers much faster than its own, so these are read, and turned into Coq's own before the definition is made:
    `params` has no machine integers in it. Where a machine integer does not suffice, weights are pairs (m, e) that stand for m 2^e.
    """
    bits, config = fraction_bits(model), model.config
    matrices = {name: _integers(getattr(model, name), bits) for name in config.shapes}
    small = all(abs(x) <= LARGEST_MACHINE_INTEGER for W in matrices.values() for row in W for x in row)
    write = _whole if small else _shifted
    read = "Sint63.to_Z" if small else "fun '(m, e) => Z.shiftl (Sint63.to_Z m) (Sint63.to_Z e)"
    head = [
        f"(** The weights of {comment(title)}, SHA-256 {weights_sha256(model)}:",
        f"    integers{'' if small else ' (m, e), which is m 2^e'}, of which each stands for itself over 2 ^ {bits}. *)",
        "",
        "From Coq Require Import ZArith List Sint63.",
        "From CompactProofs Require Import Statement.",
        "Import ListNotations.",
        "Open Scope sint63_scope.",
        "",
        f"Notation matrix := (map (map ({read}))) (only parsing).",
        "",
        "Definition params : transformer := Eval vm_compute in {|",
    ]
    sizes = [f"  {name} := {size};" for name, size in vars(config).items()] + [f"  fraction_bits := {bits};"]
    body = ";\n".join(f"  {name} := matrix {_matrix(W, write)}" for name, W in matrices.items())
    return "\n".join([*head, *sizes, body, "|}.", ""])


def hints_source(checker: Checker) -> str:
    """Write the hints: untrusted, any others would do, or only prove less."""
    return f"""(** Hints to the checker. Nothing here needs to be trusted: bad hints prove less, never what is false. *)

From Coq Require Import List ZArith.
From CompactProofs Require Import Additive.
Import ListNotations.
Open Scope nat_scope.

{checker.hints}"""


def theorem_source(model: AttentionOnlyTransformer, checker: Checker, kind: Arithmetic, numerator: int) -> str:
    """Write the theorem that at least `numerator` of all inputs are answered rightly, and its proof."""
    v, K = model.d_vocab, model.n_ctx
    call = " ".join([f"{checker.name}_{kind}", "params", *checker.arguments, f"{numerator}%Z"])
    return f"""(** The accuracy of the model in Weights.v on Max-of-{K} over {v} tokens, as a theorem about real numbers.

    What [shaped], [accuracy] and [max_of_k] mean is defined in Statement.v of the development; read that file. *)

From Coq Require Import Reals.
From CompactProofs Require Import Theorems.
From {NAME} Require Import Weights Hints.
From CompactProofs Require Import Statement.
Open Scope R_scope.

Theorem accuracy_bound :
  {statement_words(model, numerator, "")}.
Proof. exact ({call} ltac:(vm_cast_no_check (eq_refl true))). Qed.
"""


def statement_words(model: AttentionOnlyTransformer, numerator: int, place: str) -> str:
    """Write the statement, with the weights' name after `place`."""
    params = f"{place}params"
    return f"shaped {params} = true /\\ accuracy {params} max_of_k >= {numerator} / {model.d_vocab} ^ {model.n_ctx}"


def count_source(checker: Checker, kind: Arithmetic) -> str:
    """Write a file that prints how many right answers the checker proves."""
    call = " ".join([f"count_{checker.name}", str(kind), "params", *checker.arguments])
    return f"""(** What the checker counts, for comparison; no part of the theorem. *)

From Coq Require Import ZArith.
From CompactProofs Require Import Instances Theorems.
From {NAME} Require Import Weights Hints.
Open Scope Z_scope.

Definition proven := Eval vm_compute in {call}.
Print proven.
"""


def _integers(W: Tensor, bits: int) -> list[list[int]]:
    return [[int(Fraction(x) * 2**bits) for x in row] for row in W.detach().double().tolist()]


def _matrix(W: list[list[int]], write: Callable[[int], str]) -> str:
    rows = ("[" + "; ".join(map(write, row)) + "]" for row in W)
    return "[\n    " + ";\n    ".join(rows) + "]"


def _whole(x: int) -> str:
    return f"({x})" if x < 0 else str(x)


def _shifted(x: int) -> str:
    shift = (x & -x).bit_length() - 1 if x else 0
    return f"({x >> shift}, {shift})"


def comment(text: str) -> str:
    """Return text from a file's name, fit for a comment: nothing that could end it."""
    return "".join(c if c.isalnum() or c in " -_.," else "_" for c in text)[:80]
