"""The search for boxes and hints, in ordinary arithmetic: deterministic, not counted, and untrusted."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.automatic.boxes import MIXED, Boxes
from compact_proofs.automatic.merged_search import MergedSearch
from compact_proofs.automatic.prices import Prices
from compact_proofs.automatic.reading import read
from compact_proofs.automatic.relaxed_search import relaxed_search
from compact_proofs.automatic.rivals import AverageReadout
from compact_proofs.automatic.roots import by_last_token, roots, valid_labels
from compact_proofs.certified import LARGEST_MIXED
from compact_proofs.program import Program
from compact_proofs.tasks.finite.task import FiniteTask

FEW_OUTPUTS, MANY_BOXES = 4, 32
"""Outputs, at most, and boxes of one label for each last token, at least, for which boxes of mixed label are tried."""


def search(model: Program, task: FiniteTask, hard: int, families: int, kept: int, cuts: int, worth: float) -> dict[str, Tensor]:
    """Find an explanation for `compact_proofs.automatic.strategy.Automatic`."""
    with _disable_current_modes(), torch.no_grad():
        program = copy.deepcopy(model).double()
        network = read(program, task.d_vocab, task.n_ctx - 1)
        boxes, prices = roots(task), Prices.of(program, task, worth)
        if AverageReadout.applies(network):
            return MergedSearch(network, boxes, hard, families, prices).explanation()
        explanation, value = relaxed_search(network, boxes, kept, cuts, prices)
        if not can_be_mixed(task, boxes, network.logits.shape[0]):
            return explanation
        mixed, more = relaxed_search(network, by_last_token(task), kept, cuts, prices, lambda x: valid_labels(task, x))
        return mixed if more > value else explanation


def can_be_mixed(task: FiniteTask, boxes: Boxes, outputs: int) -> bool:
    """Is it worth trying boxes of mixed label? Where there are few outputs, and boxes of one label are many or none."""
    small = task.space <= task.d_vocab * LARGEST_MIXED and outputs <= FEW_OUTPUTS
    return small and (len(boxes) > MANY_BOXES * task.d_vocab or bool((boxes.labels == MIXED).all()))
