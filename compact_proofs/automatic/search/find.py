"""The search for boxes and hints, in ordinary arithmetic: deterministic, not counted, and untrusted."""

from __future__ import annotations

import copy
from typing import TypeAlias

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.projection import Leaves
from compact_proofs.automatic.bounds.rivals import AverageReadout
from compact_proofs.automatic.boxes.roots import by_last_token, roots, valid_labels
from compact_proofs.automatic.boxes.tree import LIST, encode
from compact_proofs.automatic.effort import uncounted
from compact_proofs.automatic.proof import LARGEST, entries_of_box
from compact_proofs.automatic.reading.blocks import Network
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.reading.refusals import NotRead
from compact_proofs.automatic.search.merged import MergedSearch
from compact_proofs.automatic.search.nodes import Node
from compact_proofs.automatic.search.prices import Prices
from compact_proofs.automatic.search.relaxed import relaxed_search
from compact_proofs.certified import LARGEST_MIXED
from compact_proofs.program import Program
from compact_proofs.sequences.boxes import MIXED, Boxes
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.shards import tried

Found: TypeAlias = tuple[dict[str, Tensor], float]
"""An explanation, and what it is worth."""

FEW_OUTPUTS, MANY_BOXES = 4, 32
"""Outputs, at most, and boxes of one label for each last token, at least, for which boxes of mixed label are tried."""


def search(
    model: Program, task: FiniteTask, hard: int, families: int, kept: int, cuts: int, worth: float, most: int
) -> dict[str, Tensor]:
    """Find an explanation for `compact_proofs.automatic.strategy.Automatic`.

    Where bounds cost more than all inputs are worth, as those of deep networks on few inputs do, none are tried.
    """
    with uncounted(), torch.no_grad():
        program = copy.deepcopy(model).double()
        boxes = roots(task)
        try:
            network = read(program, task.d_vocab, task.n_ctx - 1)
        except NotRead:
            prices = Prices.of(program, task, worth, most)
            if prices.each == float("inf"):
                raise
            return listed_only(boxes, prices)
        prices = Prices.of(program, task, worth, most)
        if AverageReadout.applies(network):
            return MergedSearch(network, boxes, hard, families, prices).explanation()
        if least_cost(network) * number_of_jobs(boxes) > task.size * min(prices.worth, prices.each):
            return listed_only(boxes, prices)

        def found(mixed: bool) -> Found:
            if mixed:
                return relaxed_search(network, by_last_token(task), kept, cuts, prices, lambda x: valid_labels(task, x))
            return relaxed_search(network, boxes, kept, cuts, prices)

        if not can_be_mixed(task, boxes, network.logits.shape[0]):
            return found(False)[0]
        kinds = [False, True]
        apart = tried(found, kinds, "kinds of boxes", at_once=True) if few(network, boxes) else map(found, kinds)
        (explanation, value), (mixed, more) = apart
        return mixed if more > value else explanation


def few(network: Network, boxes: Boxes) -> bool:
    """Are boxes so few that all are bounded in one batch, so that a search for them has no parts?"""
    return int(boxes.masks[:, network.context].sum()) * entries_of_box(network, Leaves(network).heads) <= LARGEST


def listed_only(boxes: Boxes, prices: Prices) -> dict[str, Tensor]:
    """An explanation that bounds nothing: every input is evaluated by itself."""
    leaves = [Node(boxes.masks[b], int(boxes.labels[b]), kind=LIST) for b in range(len(boxes))]
    prices.settle(leaves, max((leaf.label for leaf in leaves), default=0) + 1)
    none = torch.zeros(0, dtype=torch.int64)
    tree = encode([leaf.kind for leaf in leaves], boxes.d_vocab)
    return {"roots": none, "tree": tree, "group": none, "choices": none, "numbers": torch.zeros(0, dtype=torch.float64)}


def least_cost(network: Network) -> int:
    """What bounds of one job cost at least: each symbol's form is pulled back through all symbols before it."""
    cost = before = 0
    for block in network.blocks:
        cost, before = cost + block.size * before, before + block.size
    return cost


def number_of_jobs(boxes: Boxes) -> int:
    """How many pairs of a last token and a label the boxes have."""
    return len(torch.stack([boxes.masks[:, -1].to(torch.int64).argmax(1), boxes.labels], 1).unique(dim=0))


def can_be_mixed(task: FiniteTask, boxes: Boxes, outputs: int) -> bool:
    """Is it worth trying boxes of mixed label? Where there are few outputs, and boxes of one label are many or none."""
    small = task.space <= task.d_vocab * LARGEST_MIXED and outputs <= FEW_OUTPUTS
    return small and (len(boxes) > MANY_BOXES * task.d_vocab or bool((boxes.labels == MIXED).all()))
