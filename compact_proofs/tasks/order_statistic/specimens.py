"""Small models on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig

KINDS = ("random", "good", "noisy", "tied", "degenerate")


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
    """
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


def _pair() -> dict[str, Tensor]:
    """Of two numbers, name the second largest: the state is the positive and negative part of x_1, then of x_2 - x_1."""
    one = [[-1.0, 1.0], [1.0, -1.0]]
    return {
        "W_in": torch.tensor([1.0, -1.0], dtype=torch.float64),
        "W_h": torch.tensor(one, dtype=torch.float64),
        "W_U": -torch.tensor(one, dtype=torch.float64),
    }
