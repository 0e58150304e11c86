"""Sets of tokens that boxes share are read once, and say the same."""

import pytest
import torch

from compact_proofs.automatic.bounds.token_sets import TokenSets
from compact_proofs.length import count


@pytest.mark.parametrize("v", [2, 7, 90])
def test_extremes_are_those_of_every_box(v):
    generator = torch.Generator().manual_seed(v)
    few = torch.rand(4, v, generator=generator) < torch.tensor([0.03, 0.2, 0.5, 1.0])[:, None]
    few[:, 0] |= ~few.any(1)
    masks = few[torch.randint(0, 4, (9, 3), generator=generator)]
    job = torch.randint(0, 2, (9,), generator=generator).sort().values
    tables = torch.randn(2, 5, 2, 3, v, generator=generator, dtype=torch.float64)
    sets = TokenSets.find(masks, job)
    allowed = masks[:, None, None]
    least = torch.where(allowed, tables[job], torch.inf).amin(-1).movedim(-1, 1)
    most = torch.where(allowed, tables[job], -torch.inf).amax(-1).movedim(-1, 1)
    assert torch.equal(sets.extremes(tables, torch.inf), least)
    assert torch.equal(sets.extremes(tables, -torch.inf), most)


def test_boxes_with_equal_sets_cost_as_much_as_one():
    tables = torch.randn(1, 3, 2, 8, dtype=torch.float64)
    lengths = []
    for boxes in (1, 20):
        sets = TokenSets.find(torch.ones(boxes, 2, 8, dtype=torch.bool), torch.zeros(boxes, dtype=torch.int64))
        with count() as counter:
            sets.extremes(tables, torch.inf)
        lengths.append(counter.length.total)
    assert lengths[0] == lengths[1]


def test_no_boxes_have_no_extremes():
    sets = TokenSets.find(torch.zeros(0, 2, 8, dtype=torch.bool), torch.zeros(0, dtype=torch.int64))
    assert sets.extremes(torch.zeros(0, 3, 2, 8, dtype=torch.float64), torch.inf).sum(1).shape == (0, 3)
