"""Trained networks, perturbed: what was found about one network proves nothing false of its neighbours."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

import compact_proofs as cp
from compact_proofs.certified import Certified
from compact_proofs.enclosure import sound
from compact_proofs.program import program_of
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.tasks import load_model

V, N = 64, 4
BOXES, DRAWN = 24, 200


def boxes(seed: int) -> Boxes:
    """Boxes of Max-of-4: the maximum m first, the last token q below it, what is at most m between; no two of one (m, q)."""
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.tril_indices(V, V, -1).T
    chosen = pairs[torch.randperm(len(pairs), generator=generator)[:BOXES]]
    token, (m, q) = torch.arange(V), chosen.T[:, :, None]
    return Boxes(torch.stack([token == m, token <= m, token <= m, token == q], 1), chosen[:, 0])


def inputs_in(found: Boxes, generator: torch.Generator) -> Tensor:
    """Some inputs of every box."""
    drawn = [
        torch.stack([t[torch.randint(len(t), (DRAWN,), generator=generator)] for t in found.tokens(b)], 1) for b in range(BOXES)
    ]
    return torch.cat(drawn)


@pytest.mark.parametrize("name", ["finite-max-2-heads", "finite-max-2-heads-norm", "finite-max-relu", "finite-max-gelu"])
def test_bounds_found_on_a_network_hold_on_its_neighbours(name: str) -> None:
    model = load_model(name).model
    given = boxes(0)
    task = cp.FiniteTask(N, V, lambda x: x.amax(1), boxes=given)
    strategy = cp.Automatic(worth=2000)
    explanation = strategy.explain(program_of(model, task), task)
    generator = torch.Generator().manual_seed(1)
    inputs = inputs_in(given, generator)
    proven = []
    for noise in (0.0, 0.02, 0.1, 0.5):
        near = copy.deepcopy(model).double()
        with torch.no_grad():
            for parameter in near.parameters():
                parameter += noise * parameter.std().nan_to_num() * torch.randn(parameter.shape, generator=generator)
        with sound():
            found = strategy.verify(program_of(near, task), task, explanation)
            assert isinstance(found, Certified)
        inside = found.member(inputs)
        with torch.no_grad():
            right = near(inputs).argmax(1) == inputs.amax(1)
        assert bool(right[inside].all()), f"noise {noise}"
        proven.append(int(inside.sum()))
    assert proven[0] > 0.9 * len(inputs)
    assert proven[-1] < proven[0]  # so much noise is seen
