"""The search for boxes and hints, in ordinary arithmetic: deterministic, not counted, and untrusted."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.automatic.merged_search import MergedSearch
from compact_proofs.automatic.prices import Prices
from compact_proofs.automatic.reading import read
from compact_proofs.automatic.relaxed_search import relaxed_search
from compact_proofs.automatic.rivals import AverageReadout
from compact_proofs.automatic.roots import roots
from compact_proofs.program import Program
from compact_proofs.tasks.finite.task import FiniteTask


def search(model: Program, task: FiniteTask, hard: int, families: int, kept: int, cuts: int, worth: float) -> dict[str, Tensor]:
    """Find an explanation for `compact_proofs.automatic.strategy.Automatic`."""
    with _disable_current_modes(), torch.no_grad():
        program = copy.deepcopy(model).double()
        network = read(program, task.d_vocab, task.n_ctx - 1)
        boxes, prices = roots(task), Prices.of(program, task, worth)
        if AverageReadout.applies(network):
            return MergedSearch(network, boxes, hard, families, prices).explanation()
        return relaxed_search(network, boxes, kept, cuts, prices)
