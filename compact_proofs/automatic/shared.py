"""Brute force on sequences of tokens with shared tables: the exact accuracy of any network, for a part of brute force."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from compact_proofs.automatic.listing.choice import Choice
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.certified import Certified, Listed, Nothing
from compact_proofs.certified.lists import are_among, words_of
from compact_proofs.core.enumeration import Enumeration, Evaluation, batches
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import charge_integers, foresee, list_stage, stage, unseen
from compact_proofs.program import program_of
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.shards import each

BATCH = 2**14
"""Inputs looked at together; those that begin alike stand side by side."""


@dataclass(frozen=True)
class Shared(Enumeration[nn.Module]):
    """Evaluate every input of the task; what inputs have in common is computed once (`compact_proofs.automatic.listing`).

    The cheapest proof known that needs no understanding of the network: what a clever proof's length is to be compared with.
    Cost: for transformers between a fiftieth (attention only, one layer or two) and a fifth (two layers with LayerNorm and MLPs) of
    brute force, for recurrent networks a twentieth.
    """

    zeros: bool = False
    """Leave out of products what a ReLU made zero: shorter, and shapes tell only what the length is at most."""

    name: ClassVar[str] = "shared"
    version: ClassVar[int] = 3
    summary: ClassVar[str] = "any network over tokens, every input, with everything shared that tables can share"
    reads_program: ClassVar[bool] = True

    def applies_to(self, model: nn.Module, task: Task) -> None:
        tokens_of(task)

    def evaluation(self, model: nn.Module, task: Task) -> Evaluation[int]:
        listing = Listing(program_of(model, task), tokens_of(task), self.zeros)

        def inputs_from(start: int) -> Tensor:
            with unseen("a task's inputs, made from their numbers"):
                return task.inputs(start, min(start + BATCH, task.size))

        def right(start: int) -> Generator[Tensor, None, None]:
            inputs = inputs_from(start)
            with stage("labels"):
                labels = task.labels(inputs)
            yield listing.right(inputs, labels.to(listing.device))

        parts = batches(task.size, BATCH)
        foresee(task.size)  # an operation an input at least
        list_stage("labels")
        listing.know(map(inputs_from, parts))
        return Evaluation(right, parts, lambda start: min(BATCH, task.size - start), "inputs, in batches")


def tokens_of(task: Task) -> int:
    """v, the number of tokens of a task on sequences of tokens.

    Raises
    ------
    BadInput
        If its inputs are no sequences of tokens 0 ... v - 1 of one length, as far as it says.
    """
    v = getattr(task, "d_vocab", None)
    example = task.inputs(0, 1)
    if not isinstance(v, int) or example.dtype != torch.int64 or example.dim() != 2:
        raise BadInput(f"the task {task.name} is not one on sequences of tokens (d_vocab); write it as a FiniteTask")
    return v


def listed(choice: Choice, task: FiniteTask, inputs: Tensor) -> Certified:
    """The valid inputs among some (int64 [N, n]) that are proven right one by one, each counted once.

    They are evaluated in lexicographic order, since inputs that begin alike share what depends on how they begin. Cost, besides the
    labels and the listing's `right`: to sort, 2 n + log2 N integer operations an input, which is numbered in base v, or 2 n and one
    for each sequence that there is, where that is less; n log2 N where such numbers have more than 62 bits.
    """
    rows, n = inputs.numpy(), inputs.shape[1]
    steps = (len(inputs) - 1).bit_length()
    with stage("list"):
        if task.d_vocab**n < 2**62:  # a sort, or marks in a list of all sequences
            charge_integers(len(inputs) * 2 * n + min(len(inputs) * steps, task.d_vocab**n))
            order = np.argsort(rows @ task.d_vocab ** np.arange(n - 1, -1, -1), kind="stable")
        else:
            charge_integers(inputs.numel() * steps)
            order = np.lexsort(rows.T[::-1])
    ordered = torch.from_numpy(rows[order])
    listing = choice.of(ordered)

    def right(x: Tensor) -> Tensor:
        with stage("labels"):
            labels, valid = task.labels(x), task.valid(x)
        return x[valid & listing.right(x, labels)]

    listing.know(ordered.split(BATCH))
    found = list(each(right, ordered.split(BATCH), "inputs, in batches", _among))
    return Listed(torch.cat(found)) if found else Nothing()


def _among(x: Tensor, found: Tensor) -> bool:
    """Are sequences [M, n] among others [N, n]?"""
    if not isinstance(found, Tensor) or found.dtype != x.dtype or found.shape[1:] != x.shape[1:]:
        return False
    return len(found) <= len(x) and bool(are_among(found, words_of(x)).all())


def inputs_of(boxes: Boxes, most: int) -> Tensor:
    """The first inputs of boxes, int64 [N, n], at most so many: one box after the other, each in lexicographic order."""
    sizes = boxes.sizes
    foresee(min(sum(sizes), most))  # an operation an input at least
    whole = [b for b, total in enumerate(itertools.accumulate(sizes)) if total <= most]
    room = most - sum(sizes[: len(whole)])
    found = boxes.inputs_of(whole)
    return torch.cat([found, boxes.first_inputs(len(whole), room)]) if len(whole) < len(boxes) and room else found
