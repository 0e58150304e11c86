"""Scaled boxes: their probabilities, and those of what is not positive on them, are bounded from the right side, and closely."""

import pytest
import torch

from compact_proofs.enclosure import sound
from compact_proofs.laws import Independent, Normal, Uniform, standard_normal
from compact_proofs.scaled_boxes.box import FINEST, Boxes, Linear, split
from compact_proofs.scaled_boxes.scale import LARGEST, SMALLEST, cell_masses, density, distribution, scales
from compact_proofs.scaled_boxes.shortfall import shortfall
from compact_proofs.scaled_boxes.tree import CHECK, LARGEST_CODE, SPLIT, decode, encode_check, encode_split

LAWS = [
    standard_normal(3),
    Independent((Normal(0, 0.5), Normal(0, 2.0), Normal())),
    Independent((Uniform(-1, 2),) * 3),
    Independent((Normal(0, 3.0), Uniform(0.5, 2), Uniform(-2, 1))),
]


def some_boxes(count, seed):
    """Boxes of three coordinates, with the first as the place."""
    generator = torch.Generator().manual_seed(seed)
    ends = (2 * torch.rand((count, 3, 2), generator=generator, dtype=torch.float64)).sort(-1).values
    ends[::3, :, 0] = 0
    sign = torch.where(torch.rand((count, 3, 1), generator=generator) < 0.5, -1.0, 1.0).double()
    ends = (sign * ends).sort(-1).values
    ends[:, 0] = sign[:, 0]
    scale = torch.tensor([[SMALLEST, LARGEST]], dtype=torch.float64).expand(count, 2).clone()
    scale[1::4] = torch.tensor([0.5, 1.5], dtype=torch.float64)
    return Boxes(*torch.cat([ends, scale[:, None]], 1).unbind(2), torch.zeros(count, dtype=torch.int64))


def integral(law, boxes, low, high, points=4001):
    """The probability of boxes with a scale between two numbers [B], by a fine sum."""
    z = torch.linspace(0, 1, points, dtype=torch.float64)
    r = (low.log()[:, None] + z * (high / low).log()[:, None]).exp()[..., None]
    y_low, y_high = boxes.low[:, None, :-1], boxes.high[:, None, :-1]
    factors = distribution(law, r * y_high) - distribution(law, r * y_low)
    G = factors[..., 1:].prod(-1) * density(law, r * y_low)[..., 0] * r[..., 0]
    return torch.trapezoid(G, r[..., 0].log(), dim=1)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.words)
def test_probabilities_of_boxes_are_bounded_from_below_and_closely(law):
    boxes = some_boxes(20, 0)
    first, stride = torch.full((20,), 700), torch.full((20,), 8)
    with sound():
        nodes = scales(first, stride, boxes, 150)
        masses = cell_masses(law, boxes, nodes)
    exact = torch.stack([integral(law, boxes, nodes[:, i], nodes[:, i + 1], 401) for i in range(0, 150, 15)], 1)
    found = masses[:, ::15]
    assert torch.equal(found, found.clamp(min=0))
    assert bool((found <= exact * (1 + 1e-6) + 1e-12).all())
    whole = integral(law, boxes, nodes[:, 0].clamp(min=1e-3), nodes[:, -1])
    smooth = all(isinstance(one, Normal) for one in law.coordinates)
    assert bool((masses.sum(1) >= (0.998 if smooth else 0.85) * whole - 1e-6).all())
    assert float(whole.max()) > 0.02


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.words)
def test_shortfalls_are_bounded_from_above_and_closely(law):
    boxes, generator = some_boxes(30, 1), torch.Generator().manual_seed(2)
    slopes = torch.randn((30, 1, 3), generator=generator, dtype=torch.float64)
    slopes[:, :, 0] = 0
    slopes[::5, :, 1] = 0
    constant = torch.randn((30, 1), generator=generator, dtype=torch.float64) / 2
    scale = torch.randn((30, 1), generator=generator, dtype=torch.float64) / 4
    functions = Linear(constant, slopes, scale)
    ends = torch.tensor([0.5, 0.55, 0.6], dtype=torch.float64).expand(30, 3)
    with sound():
        found = shortfall(law, boxes, functions, ends, 64)
    assert bool(((found >= 0) & (found <= 1)).all())
    u = torch.rand((30, 4000, 3), generator=generator, dtype=torch.float64)
    close = []
    for group, r in ((0, 0.5), (0, 0.55), (1, 0.57), (1, 0.6)):
        low, high = boxes.low[:, None, :-1], boxes.high[:, None, :-1]
        start, end = distribution(law, r * low), distribution(law, r * high)
        p = start + u * (end - start)
        y = torch.stack([one.quantile(p[..., t]) for t, one in enumerate(law.coordinates)], -1) / r
        y[..., 0] = boxes.low[:, None, 0]
        possible = (end - start)[:, 0, 1:].prod(-1) > 0
        values = constant + (slopes * y.nan_to_num()).sum(-1) + scale / r
        share = (values <= 0).double().mean(1)
        assert bool((found[:, group] >= share - 0.04)[possible].all())
        close.append((found[:, group] - share)[possible])
    assert float(torch.cat(close).mean()) < 0.1
    assert 0.2 < float(found.mean()) < 0.8


def test_a_split_divides_a_box_and_its_probability():
    law, boxes = standard_normal(3), some_boxes(20, 3)
    for coordinate in (1, 2, 3):
        part = torch.randint(1, FINEST, (20,), generator=torch.Generator().manual_seed(coordinate))
        below, above = split(boxes, torch.full((20,), coordinate), part)
        low, high = torch.full((20,), 2.0**-6).double(), torch.full((20,), 2.0**3).double()

        def of(box, low=low, high=high):
            low, high = torch.maximum(low, box.low[:, -1]), torch.minimum(high, box.high[:, -1])
            return integral(law, box, low, torch.maximum(low, high))

        assert torch.allclose(of(below) + of(above), of(boxes), atol=1e-6)
        assert torch.equal(below.high[:, coordinate], above.low[:, coordinate])


def test_codes_are_read_as_they_are_written():
    first, stride = torch.tensor([0, 2000]), torch.tensor([1, 63])
    mask = torch.tensor([[True, False, True], [False, True, True]])
    codes = torch.cat([encode_check(first, stride, mask), encode_split(torch.tensor([4]), torch.tensor([FINEST]), 4)])
    node = decode(codes, torch.tensor([0, 1, 2]), 4, 3)
    assert torch.equal(node.first, first)
    assert torch.equal(node.stride, stride)
    assert torch.equal(node.mask, mask)
    assert (node.checked.tolist(), node.divided.tolist()) == ([0, 1], [2])
    assert (node.coordinate.tolist(), node.part.tolist()) == ([4], [FINEST])
    assert int(codes.max()) <= LARGEST_CODE


def test_a_box_is_not_split_at_its_place():
    """Both halves would be the box."""
    codes = encode_split(torch.arange(4), torch.full((4,), 7), 3)
    assert decode(codes, torch.full((4,), 2), 3, 2).divided.tolist() == [0, 1, 3]
    assert bool((codes % 3 == SPLIT).all())
    assert CHECK != SPLIT


def test_linear_functions_are_not_less_than_their_least_value():
    boxes = some_boxes(50, 5)[torch.arange(1, 50, 4)]  # their scales are between 0.5 and 1.5
    generator = torch.Generator().manual_seed(1)
    functions = Linear(*(torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((13, 2), (13, 2, 3), (13, 2))))
    with sound():
        least = functions.least(boxes)
    at = boxes.low[:, None] + (boxes.high - boxes.low)[:, None] * torch.rand((13, 200, 4), generator=generator, dtype=torch.float64)
    values = functions.constant[:, None] + at[..., :-1] @ functions.slopes.mT + functions.scale[:, None] / at[..., -1:]
    assert bool((values >= least[:, None]).all())
    assert float((values.amin(1) - least).mean()) < 1
