"""Small models on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.laws import Uniform
from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig
from compact_proofs.tasks.order_statistic.by_pairs import by_pairs

KINDS = ("random", "good", "noisy", "tied", "degenerate")
SPECIAL = ("whole", "biased", "uniform", "biased and uniform", "compared")
"""Kinds of every fourth five seeds."""


def specimen(seed: int) -> Specimen:
    """Make a small float64 network (2 to 4 numbers, width 2 to 6) of a kind and a scale that depend on the seed.

    random
        Gaussian weights of scale 0.3 ... 3.
    good
        The difference of two numbers, which names the larger one, with little noise.
    noisy
        The same with as much noise as structure.
    tied
        Two outputs whose logits are equal as real numbers.
    degenerate
        Zero or huge or identical weights.
    whole
        Small whole numbers.
    compared
        The network that compares all pairs (`compact_proofs.tasks.order_statistic.by_pairs`), with one weight changed or none.
    biased, uniform
        The difference of two numbers with noise and biases; with uniformly distributed numbers; both.
    """
    if seed // 5 % 4 == 3:
        return _special(SPECIAL[seed % 5], seed)
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, gaussian = dice(generator)
    kind = KINDS[seed % len(KINDS)]
    tied: tuple[int, ...] = ()
    if kind in ("good", "noisy"):
        weights = {name: w + (0.02, 0.5)[kind == "noisy"] * gaussian(*w.shape) for name, w in _pair().items()}
        n, d, above = 2, 2, integer(0, 1)
        weights["W_U"] = weights["W_U"] if above else -weights["W_U"]
    else:
        n, d = integer(2, 4), integer(2, 6)
        above = integer(0, n - 1)
        shapes = {"W_h": (d, d), "W_in": (d,), "W_U": (d, n)}
        weights = gaussian_weights(shapes, 10 ** uniform(-0.5, 0.5), generator, degenerate=kind == "degenerate", huge=1e150)
        if kind == "tied":
            tied = (n - 1, 0)
            weights["W_U"][:, n - 1] = weights["W_U"][:, 0]
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=n, d_model=d, d_out=n), torch.float64)
    model.load_state_dict(weights)
    model.above = above
    return Specimen(model.requires_grad_(False), tied, decided_by_rounding=kind in ("tied", "degenerate"))


def _special(kind: str, seed: int) -> Specimen:
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, gaussian = dice(generator)
    if kind == "compared":
        model = by_pairs(integer(2, 3)).double()
        changed = [model.W_in, model.W_h, model.W_U][integer(0, 2)].detach().flatten()
        changed[integer(0, len(changed) - 1)] += integer(-1, 1)
        return Specimen(model, decided_by_rounding=True)
    if kind == "whole":
        n, d = integer(2, 3), integer(2, 5)
        shapes = {"W_in": (d,), "W_h": (d, d), "W_U": (d, n)}
        weights = {name: (2 * gaussian(*shape)).round() for name, shape in shapes.items()}
    else:
        n, d = 2, 2
        weights = {name: w + 0.1 * gaussian(*w.shape) for name, w in _pair().items()}
    biased = "biased" in kind
    if biased:
        weights |= {name: 0.3 * gaussian(2) for name in ("b_in", "b_h", "b_U")}
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=n, d_model=d, d_out=n, bias=biased), torch.float64)
    model.load_state_dict(weights)
    model.above = 1
    if "uniform" in kind:
        low = uniform(-2, 0.5)
        model.of_each = Uniform(low, low + uniform(0.5, 2))
    return Specimen(model.requires_grad_(False), decided_by_rounding=kind == "whole")


def _pair() -> dict[str, Tensor]:
    """Of two numbers, name the second largest: the state is the positive and negative part of x_1, then of x_2 - x_1."""
    one = [[-1.0, 1.0], [1.0, -1.0]]
    return {
        "W_in": torch.tensor([1.0, -1.0], dtype=torch.float64),
        "W_h": torch.tensor(one, dtype=torch.float64),
        "W_U": -torch.tensor(one, dtype=torch.float64),
    }
