"""`check_task`: does a task satisfy what every theorem assumes: a finite set of inputs, each counted once, with one label each?"""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import LARGEST, LARGEST_NUMBER
from compact_proofs.inputs.task import Task

AFFORDABLE = 2**18
"""Tasks of at most so many inputs are looked at whole; of larger ones, samples."""
BATCH = 2**12
SAMPLED = 64
"""Inputs that are looked at one by one."""


def check_task(task: Task, outputs: int | None = None) -> bool:
    """Check that a task is well made.

    A bound is a number of proven inputs over the number of all inputs, so inputs that come twice, labels that change from call to
    call, or labels that depend on the other inputs of a batch would make it meaningless. Of a task with at most 2^18 inputs every
    input is looked at: that they differ, and that their labels are integers from 0 to `outputs` - 1, the same when asked again and
    the same alone as in a batch (this for a sample). Of a larger task the same is asked of its first, its last and some random
    inputs. What ``draw`` gives must be inputs of the task, where ``numbers`` finds them.

    Parameters
    ----------
    task
        Any task.
    outputs
        The number of outputs of the model, if known.

    Returns
    -------
    bool
        True if every input was looked at, so that the inputs are known to differ; False if only samples were.

    Notes
    -----
    Of a task with a law, labels of examples are looked at, and that these are real vectors of the law's dimension.

    Raises
    ------
    BadInput
        Saying what is wrong.
    """
    if task.law is not None:
        _check_examples(task, outputs)
        return False
    size = task.size
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise BadInput(f"the task {task.name}: its size must be a positive int, not {size!r}")
    whole = size <= AFFORDABLE
    seen: set[bytes] = set()
    shape: torch.Size | None = None
    for start, stop in _ranges(size, whole):
        inputs = _inputs(task, start, stop)
        if shape is not None and inputs.shape[1:] != shape:
            raise BadInput(f"the task {task.name}: its inputs have different shapes, {list(shape)} and {list(inputs.shape[1:])}")
        shape = inputs.shape[1:]
        check_labels(task, inputs, outputs)
        rows = {row.tobytes() for row in inputs.reshape(len(inputs), -1).cpu().contiguous().numpy()}
        if len(rows) < len(inputs) or (whole and not seen.isdisjoint(rows)):
            raise BadInput(f"the task {task.name}: an input among {start} ... {stop - 1} comes twice, and would be counted twice")
        seen |= rows if whole else set()
        again = _inputs(task, start, stop)
        if not torch.equal(inputs, again):
            raise BadInput(f"the task {task.name}: inputs {start} ... {stop - 1} are others when asked again")
        _check_alone(task, inputs, start)
    if size <= LARGEST_NUMBER or type(task).draw is not Task.draw:
        drawn = task.draw(SAMPLED, Draws(b"check_task"))
        check_labels(task, drawn, outputs)
        if size <= LARGEST_NUMBER and (size <= LARGEST or type(task).numbers is not Task.numbers):
            _check_numbers(task, drawn)
    return whole


def _check_numbers(task: Task, drawn: Tensor) -> None:
    """What was drawn is where its numbers say."""
    for x, number in zip(drawn, task.numbers(drawn).tolist(), strict=True):
        if not (0 <= number < task.size and torch.equal(_inputs(task, number, number + 1)[0], x)):
            raise BadInput(
                f"the task {task.name}: draw gave {x.tolist()}, which is not the input number {number} that numbers says it is; do "
                "draw and numbers belong to these inputs?"
            )


def _check_examples(task: Task, outputs: int | None) -> None:
    """Look at examples of a task with a law."""
    assert task.law is not None
    inputs = _inputs(task, 0, SAMPLED)
    if inputs.shape != (SAMPLED, task.law.n) or inputs.dtype != torch.float64 or not bool(inputs.isfinite().all()):
        raise BadInput(
            f"the task {task.name}: inputs(0, {SAMPLED}) must be finite float64 vectors of {task.law.n} numbers, as its "
            f"law has, and are {inputs.dtype} {list(inputs.shape)}"
        )
    check_labels(task, inputs, outputs)
    _check_alone(task, inputs, 0)


def _ranges(size: int, whole: bool) -> list[tuple[int, int]]:
    """Which inputs are looked at: all, or the first, some in between and the last."""
    if whole:
        return [(start, min(start + BATCH, size)) for start in range(0, size, BATCH)]
    last = min(size, LARGEST_NUMBER) - BATCH
    draws = Draws(b"check_task ranges")
    return [(start, start + BATCH) for start in (0, *(draws.integer(last) for _ in range(3)), last)]


def _inputs(task: Task, start: int, stop: int) -> Tensor:
    inputs = task.inputs(start, stop)
    if not isinstance(inputs, Tensor) or inputs.dim() < 1 or len(inputs) != stop - start:
        got = list(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise BadInput(f"the task {task.name}: inputs({start}, {stop}) must be a tensor of {stop - start} inputs, not {got}")
    return inputs


def check_labels(task: Task, inputs: Tensor, outputs: int | None) -> None:
    """Check that some inputs have labels, int64 [n], which are places of an output, and the same when asked again.

    Raises
    ------
    BadInput
        Saying what is wrong.
    """
    labels = task.labels(inputs)
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.shape != (len(inputs),):
        got = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise BadInput(f"the task {task.name}: the labels of {len(inputs)} inputs must be int64 [{len(inputs)}], not {got}")
    if not len(labels):
        return
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or (outputs is not None and most >= outputs):
        allowed = "at least 0" if outputs is None else f"0 ... {outputs - 1}, the model's outputs"
        raise BadInput(f"the task {task.name}: labels must be {allowed}, and are {least} ... {most}")
    if not torch.equal(labels, task.labels(inputs)):
        raise BadInput(f"the task {task.name}: labels are others when asked again")


def _check_alone(task: Task, inputs: Tensor, start: int) -> None:
    """A sample of inputs, and their labels, are the same by themselves as in a batch."""
    labels = task.labels(inputs)
    for i in range(0, len(inputs), max(1, len(inputs) // 4)):
        one = _inputs(task, start + i, start + i + 1)
        if not torch.equal(one[0], inputs[i]):
            raise BadInput(f"the task {task.name}: input {start + i} is another by itself than in a batch")
        if int(task.labels(one)[0]) != int(labels[i]):
            raise BadInput(f"the task {task.name}: the label of input {start + i} depends on the other inputs of a batch")
