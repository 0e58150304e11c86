"""Small symmetric networks, and explanations that lie."""

import pytest
import torch

from compact_proofs.algebra.group import group_named
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.specimens import specimen


@pytest.fixture
def good():
    """A model of S3 that is right everywhere, by circuits with a little noise."""
    return next(s for s in map(specimen, range(1, 200, 5)) if torch.equal(s.model.table, group_named("S3").table))


@pytest.fixture
def symmetric():
    """Make a network without noise for a group, right everywhere: one neuron for each pair of elements, maybe fewer."""

    def make(name, keep=None, noise=0.0, seed=0):
        group, generator = group_named(name), torch.Generator().manual_seed(seed)
        n = group.order
        b, c = torch.arange(n).repeat_interleave(n), torch.arange(n).repeat(n)
        point = torch.zeros(n, dtype=torch.float64)
        point[group.identity] = 1.0
        weights = {
            "E_l": point[group.table[group.inverse][:, b]] - 1.0,
            "E_r": point[group.table[:, c]],
            "U": 2.0 * (group.table[group.inverse[b][:, None], group.table[:, c].T] == group.identity).double(),
            "bias": torch.zeros(n, dtype=torch.float64),
        }
        kept = torch.arange(n * n) if keep is None else keep
        weights = {k: w if k == "bias" else (w[kept] if k == "U" else w[:, kept]) for k, w in weights.items()}
        weights = {k: w + noise * torch.randn(w.shape, generator=generator, dtype=torch.float64) for k, w in weights.items()}
        model = PairMLP(group.table, len(kept), dtype=torch.float64)
        model.load_state_dict({**weights, "table": group.table})
        return model.requires_grad_(False)

    return make
