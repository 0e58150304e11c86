"""Compare a module's `component` with the module itself on drawn inputs: a test of modules that users bring."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import unseen
from compact_proofs.models.component import Component, HasComponent
from compact_proofs.program import program_of

SAMPLES = 64
"""Inputs on which the two are compared."""


def check_component(model: nn.Module, task: Task) -> None:
    """Compare a module's component with its program on inputs spread over the task, both enclosed.

    A proof by a dictionary is about the component; its claim names the module's program. That the two are one function is the word
    of whoever wrote ``component``: part of the statement, like the task. The comparison finds mistakes, and proves nothing.

    Raises
    ------
    BadInput
        If some logits differ provably.
    """
    assert isinstance(model, HasComponent)
    program = program_of(model, task)
    with unseen("a comparison that finds mistakes, and proves nothing"):
        inputs = task.inputs(0, task.size)
        chosen = torch.linspace(0, task.size - 1, min(SAMPLES, task.size)).long()
        with sound():
            by_component, by_program = component_logits(model.component(inputs), chosen), program(inputs[chosen])
        apart = (lower(by_component) > upper(by_program)) | (upper(by_component) < lower(by_program))
        if bool(apart.any()):
            wrong = inputs[chosen[int(apart.any(1).nonzero()[0])]].tolist()
            raise BadInput(
                f"{type(model).__name__}: its component(inputs) does not compute what the module computes, on the input {wrong}; "
                "the two must be one function"
            )


def component_logits(c: Component, rows: Tensor) -> Tensor:
    """The logits [k, C] that a component gives for some of its inputs, by its formula."""
    x = sum((table[place[rows]] for table, place in zip(c.tables, c.places, strict=True)), torch.zeros(()))
    hidden = x if c.W is None else x @ c.W
    logits = torch.relu(hidden if c.b is None else hidden + c.b) @ c.G
    logits = logits if c.U is None else logits + x @ c.U
    return logits if c.c is None else logits + c.c
