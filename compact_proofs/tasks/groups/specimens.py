"""Small models on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.algebra.group import Group, group_named
from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.models.pair_mlp import PairMLP

KINDS = ("random", "good", "noisy", "tied", "degenerate")
GROUPS = ("C2", "C3", "C2xC2", "C5", "S3", "D4", "A4", "C7")


def specimen(seed: int) -> Specimen:
    """Make a small float64 model (a group of order 2-12) of a kind and a scale that depend on the seed.

    random
        Gaussian weights of scale 0.1 ... 3, folded or not.
    good
        Symmetric circuits on the group's own points, and little noise.
    noisy
        The same with as much noise as structure, dead neurons, repeated and missing ones.
    tied
        Two outputs whose logits are equal as real numbers; or a network without noise, whose ideal margin is exact or 0.
    degenerate
        Zero or huge or identical weights.
    """
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, gaussian = dice(generator)
    kind = KINDS[seed % len(KINDS)]
    group = group_named(GROUPS[(seed // len(KINDS)) % len(GROUPS)])
    n = group.order
    tied: tuple[int, ...] = ()
    if kind in ("random", "degenerate"):
        scale, m = 10 ** uniform(-1, 0.5), integer(1, 8)
        d = integer(1, 5) if seed % 2 else None
        model = PairMLP(group.table, m, d, dtype=torch.float64)
        shapes = {name: p.shape for name, p in model.named_parameters()}
        weights = gaussian_weights(shapes, scale, generator, degenerate=kind == "degenerate", huge=1e150)
    else:
        weights = _symmetric(group, integer(0, 2), generator)
        noise = {"good": 0.01, "noisy": 0.3, "tied": 0.0}[kind] * uniform(0.2, 1)
        if kind == "noisy":
            weights = _disturbed(weights, integer(0, n), generator)
        weights = {name: w + noise * gaussian(*w.shape) for name, w in weights.items()}
        if kind == "tied" and n > 1 and integer(0, 1):
            first, second = n - 1, integer(0, n - 2)
            tied = (first, second)
            weights["U"][:, first] = weights["U"][:, second]
            weights["bias"][first] = weights["bias"][second]
        model = PairMLP(group.table, len(weights["U"]), dtype=torch.float64)
    model.load_state_dict({**weights, "table": group.table})
    return Specimen(model.requires_grad_(False), tied, decided_by_rounding=kind in ("tied", "degenerate"))


def _symmetric(group: Group, shape: int, generator: torch.Generator) -> dict[str, Tensor]:
    """One neuron for each pair (b, c) of elements: ReLU(alpha(x^-1 b) + beta(y c)), written to z with gamma(b, z c).

    It fires most where x^-1 b = p and y c = q for the peaks p and q of alpha and beta, that is b = x p and c = y^-1 q; then
    b^-1 z c = p^-1 x^-1 z y^-1 q, which is p^-1 q for z = xy, so gamma(b, c) = 2 for b^-1 c = p^-1 q, and 0 elsewhere.
    """
    n, table, inverse = group.order, group.table, group.inverse
    b = torch.arange(n).repeat_interleave(n)
    c = torch.arange(n).repeat(n)
    at = [torch.randn(n, generator=generator, dtype=torch.float64) * 0.1 for _ in range(2)]
    peak = [int(torch.randint(0, n, (), generator=generator)) for _ in range(2)]
    at[0][peak[0]] += 1
    at[1][peak[1]] += 1
    left = at[0][table[inverse][:, b]] - (0.7, 1.0, 1.5)[shape]  # [x, neuron]: alpha(x^-1 b)
    right = at[1][table[:, c]]  # [y, neuron]: beta(y c)
    wanted = table[int(inverse[peak[0]]), peak[1]]
    relative = table[inverse[b][:, None], table[:, c].T]  # [neuron, z]: b^-1 z c
    return {
        "E_l": left,
        "E_r": right,
        "U": 2.0 * (relative == wanted).to(torch.float64),
        "bias": torch.zeros(n, dtype=torch.float64),
    }


def _disturbed(weights: dict[str, Tensor], lost: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Lose neurons, kill one, split one in two of unequal scale, and put them out of order."""
    m = len(weights["U"])
    kept = torch.randperm(m, generator=generator)[lost // 2 :]
    left, right, U = weights["E_l"][:, kept], weights["E_r"][:, kept], weights["U"][kept]
    U[-1] = 0.0
    left, right = torch.cat([left, 3 * left[:, :1]], 1), torch.cat([right, 3 * right[:, :1]], 1)
    U = torch.cat([U, U[:1] / 6])
    U[0] /= 2
    return weights | {"E_l": left, "E_r": right, "U": U}
