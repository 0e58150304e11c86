"""The penalty that training for provability minimises: what bounds say, with gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import compact_proofs as cp
from compact_proofs.automatic.search.penalty import BoundPenalty
from compact_proofs.models.networks import empty_network
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.sequences.labels import Maximum

TASK = cp.FiniteTask(3, 5, Maximum())
SHAPES = [
    {"n_heads": 1, "d_head": 8},
    {"n_heads": 2, "d_head": 4, "norm": "layer", "biases": True},
    {"n_heads": 2, "d_head": 4, "d_mlp": 12, "act": "gelu"},
    {"n_heads": 1, "d_head": 8, "norm": "rms", "d_mlp": 12, "act": "relu"},
]


def network(seed: int, **shape: object) -> nn.Module:
    model = empty_network(TransformerConfig(d_vocab=5, n_ctx=3, d_out=5, d_model=8, n_layers=1, **shape), torch.float64)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.5, generator=generator)
    return model.requires_grad_(True)


def penalty(model: nn.Module) -> torch.Tensor:
    return BoundPenalty(model, TASK, 6, torch.Generator().manual_seed(0))()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_a_small_step_down_its_gradient_lowers_it(shape: dict[str, object], seed: int) -> None:
    model = network(seed, **shape)
    before = penalty(model)
    assert float(before.detach()) > 0  # a random network is proven right nowhere
    before.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert all(bool(g.isfinite().all()) for g in gradients.values())
    steepness = torch.stack([g.square().sum() for g in gradients.values()]).sum().sqrt()
    assert steepness > 0
    after = []
    for size in (1e-3, 1e-4, 1e-5):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for name, p in moved.named_parameters():
                if name in gradients:
                    p -= size * gradients[name] / steepness
        after.append(float(penalty(moved).detach()))
    assert min(after) < float(before.detach())


def test_it_is_nothing_where_everything_is_proven() -> None:
    class Right(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return -self.scale * (torch.arange(5) - x[:, -1:]).abs()

    last = cp.FiniteTask(2, 5, lambda x: x[:, -1])
    assert cp.prove(Right(), last, cp.Automatic()).bound == 1
    assert float(BoundPenalty(Right(), last, 5, torch.Generator().manual_seed(0))().detach()) == 0


def test_a_network_of_one_output_is_refused() -> None:
    one = cp.FiniteTask(3, 5, lambda x: torch.zeros(len(x), dtype=torch.int64))
    with pytest.raises(cp.BadInput, match="at least two outputs"):
        BoundPenalty(nn.Sequential(nn.Embedding(5, 1), nn.Flatten(), nn.Linear(3, 1)), one, 6, torch.Generator())
