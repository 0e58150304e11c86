"""The search divides boxes, also where only a second cut gains, and takes back what gains nothing."""

from __future__ import annotations

import pytest
import torch

import compact_proofs as cp
from compact_proofs.automatic.boxes.tree import LIST, PROVE
from compact_proofs.automatic.search import relaxed as relaxed_search
from compact_proofs.automatic.search.judging import Group
from compact_proofs.automatic.search.nodes import Node
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.tasks import load_model

LAST = 11


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
    assert lengths[1] < lengths[0] / 2
