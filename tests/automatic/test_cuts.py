"""The search divides boxes, also where only a second cut gains, and takes back what gains nothing."""

from __future__ import annotations

import pytest
import torch

import compact_proofs as cp
from compact_proofs.automatic.boxes.tree import LIST, PROVE
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.search import relaxed as relaxed_search
from compact_proofs.automatic.search.judging import Group
from compact_proofs.automatic.search.nodes import Node
from compact_proofs.automatic.search.prices import Prices
from compact_proofs.program import trace
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.tasks import load_model
from tests.automatic.specimens import N, V, network

LAST = 11


class Bounds:
    """In place of `Judge`: each group costs the same, and a share of its inputs is certified, a larger one of a single box."""

    def __init__(self, whole: float, apart: float, cost: float = 1.0) -> None:
        self.network = read(trace(network("relu", 0, 0.5).double(), torch.zeros(N, dtype=torch.int64)), V, N - 1)
        self.prices, self.whole, self.apart, self.cost, self.bounded = Prices(1.0, float("inf"), 0.0), whole, apart, cost, 0

    def judge(self, groups: list[Group]) -> None:
        for group in groups:
            self.bounded += len(group.leaves)
            group.cost, group.size = self.cost, float(sum(leaf.size for leaf in group.leaves))
            group.value = group.size * (self.whole if len(group.leaves) > 1 else self.apart) - group.cost
            group.kinds, group.shares = [PROVE] * len(group.leaves), [1.0] * len(group.leaves)


def large_group() -> Group:
    """All sequences that end in token 0, and are told apart by the others: more boxes than are divided in several ways."""
    boxes = torch.zeros(V**2, N, V, dtype=torch.bool)
    for b in range(V**2):
        boxes[b, 0, b // V] = boxes[b, 1, b % V] = boxes[b, 2, 0] = True
    return Group([Node(box, 0) for box in boxes for _ in range(2)])


def divided(group: Group, position: int, values: tuple[float, float]) -> Group:
    """Cut the one leaf of a group into token 0 and the others, whose bounds are worth `values`."""
    [leaf] = group.leaves
    tokens = torch.zeros(leaf.box.shape[1], dtype=torch.bool)
    tokens[0] = True
    group.parts = [
        Group([part], value, kinds=[PROVE], shares=[1.0]) for part, value in zip(leaf.divide(position, tokens), values, strict=True)
    ]
    return group


@pytest.mark.parametrize(("inner", "kept"), [((9.0, 9.0), 3), ((2.0, 2.0), 1), ((4.0, 2.0), 3)])
def test_cuts_are_kept_if_what_they_lead_to_gains(inner: tuple[float, float], kept: int) -> None:
    leaf = Node(torch.ones(2, 3, dtype=torch.bool), 0, kind=LIST)
    whole = divided(Group([leaf], 8.0, kinds=[LIST], shares=[0.0]), 0, (3.0, 3.0))  # by itself the first cut loses 2
    divided(whole.parts[1], 1, inner)
    assert sum(inner) + 3.0 > 8.0 or kept == 1
    assert len(relaxed_search._best(whole)) == kept
    assert len(list(leaf.leaves())) == kept


@pytest.mark.slow
def test_a_second_cut_may_gain_where_the_first_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the sequences that end in 11, hardly any box is proven that is cut once."""
    model = load_model("finite-first-is-last").model
    masks = torch.ones(2, 5, 16, dtype=torch.bool)
    masks[:, -1] = torch.arange(16) == LAST
    masks[0, 0] = torch.arange(16) == LAST
    masks[1, 0] = ~masks[0, 0]
    task = cp.FiniteTask(5, 16, lambda x: (x[:, 0] == x[:, -1]).long(), boxes=Boxes(masks, torch.tensor([1, 0])))
    lengths = []
    for tries in (0, 2):
        monkeypatch.setattr(relaxed_search, "TRIES", tries)
        certificate = cp.prove(model, task, cp.Automatic())
        assert certificate.claim.numerator > 0.99 * 16**4
        lengths.append(certificate.length.total)
    assert lengths[1] < 0.6 * lengths[0]


@pytest.mark.parametrize(("apart", "divided_into"), [(0.51, 1), (50.0, 2 * V**2)])
def test_a_large_group_is_taken_apart_only_if_a_few_boxes_say_that_it_pays(apart: float, divided_into: int) -> None:
    bounds, group = Bounds(0.5, apart), large_group()
    bounds.judge([group])
    assert len(group.leaves) > relaxed_search.MANY
    bounds.bounded, cuts = 0, relaxed_search._Cuts(bounds)  # type: ignore[arg-type]
    assert len(cuts.round([group])) == divided_into
    assert (bounds.bounded <= relaxed_search.PROBED) == (divided_into == 1)
    assert cuts.over == (divided_into == 1)


@pytest.mark.parametrize(("cost", "over"), [(0.1, False), (4.0, True)])
def test_a_search_ends_when_it_gains_less_than_it_takes(cost: float, over: bool) -> None:
    bounds = Bounds(0.5, 0.6, cost)
    box = torch.ones(N, V, dtype=torch.bool)
    box[-1] = torch.arange(V) == 0
    group = Group([Node(box, 0), Node(box, 0)])
    bounds.judge([group])
    cuts = relaxed_search._Cuts(bounds)  # type: ignore[arg-type]
    assert len(cuts.round([group])) == 2
    assert cuts.over == over


def test_favourite_ways_are_those_that_made_most_of_the_gain() -> None:
    assert relaxed_search._favourites({"a": 8.0, "b": 1.0, "c": 1.0}, 10.0) == ("a",)
    assert relaxed_search._favourites({"a": 4.0, "b": 5.0, "c": 1.0}, 10.0) == ("b", "a")
    assert relaxed_search._favourites({"a": 3.0, "b": 3.0, "c": 3.0, "d": 3.0}, 12.0) == ("a", "b", "c")
