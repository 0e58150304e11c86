"""Boxes to start a proof from: trusted, because they come from the task alone or are checked against it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from compact_proofs.automatic.boxes.diagram import NOT_VALID, boxes, from_automaton, from_labels
from compact_proofs.core.strategy import Explanation
from compact_proofs.errors import BadInput
from compact_proofs.length import charge_integers, stage
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.boxes import MIXED, Boxes
from compact_proofs.sequences.task import FiniteTask

Kind = Literal["auto", "label", "mixed"]
"""Boxes of constant label, or one box of mixed label for each last token; "auto": the first where they can be had."""


def roots(task: FiniteTask, kind: Kind = "auto") -> Boxes:
    """Return disjoint boxes that a proof about `task` may divide.

    Boxes given by hand (``FiniteTask(boxes=...)``) are checked. Otherwise boxes of constant label come from the decision diagram of
    an automaton, if the label function has one, or of the labels of all sequences, if these are fewer than its steps or, without
    one, at most 2^24; they hold valid
    sequences only. Boxes of mixed label may hold others; whoever counts leaves them out.

    Raises
    ------
    BadInput
        If there are no boxes of constant label, and they were asked for, or those given by hand are wrong.

    Notes
    -----
    Counted, in the stage "boxes": no label is free that brute force pays for.
    """
    with stage("boxes"):
        if task.boxes is not None and kind != "mixed":
            check_boxes(task, task.boxes)
            return task.boxes
        if kind == "mixed":
            return by_last_token(task)
        automaton = _with_validity(task)
        if automaton is not None and not (task.listable and task.space < task.n_ctx * task.d_vocab * automaton[0].numel()):
            step, labels = automaton
            return boxes(from_automaton(step, 0, labels, task.n_ctx))
        if task.listable:
            return boxes(from_labels(lambda x: valid_labels(task, x), task.n_ctx, task.d_vocab))
        if kind == "auto":
            return by_last_token(task)
        raise BadInput(
            f"{task.space} sequences are too many to find boxes of constant label (at most 2^24), and the label function has no "
            "automaton; give dfa= or boxes=, or use boxes of mixed label"
        )


def divided_by(explanation: Explanation, task: FiniteTask) -> Boxes:
    """The roots that an explanation says it divides: boxes of mixed label if its list ``roots`` holds a 1, else the usual ones."""
    return roots(task, "mixed" if bool((explanation["roots"] == 1).any()) else "auto")


def by_last_token(task: FiniteTask) -> Boxes:
    """One box of mixed label for each last token: together all sequences."""
    masks = torch.ones(task.d_vocab, task.n_ctx, task.d_vocab, dtype=torch.bool)
    masks[:, -1] = torch.eye(task.d_vocab, dtype=torch.bool)
    return Boxes(masks, torch.full((task.d_vocab,), MIXED))


def valid_labels(task: FiniteTask, inputs: Tensor) -> Tensor:
    """Labels, `NOT_VALID` outside the task."""
    labels = task.labels(inputs)
    return labels if task.all_valid else torch.where(task.valid(inputs), labels, NOT_VALID)


def _with_validity(task: FiniteTask) -> tuple[Tensor, Tensor] | None:
    """Steps and labels of an automaton for `_labels` that starts in state 0, or None."""
    automaton, valid = task.automaton, task.valid_automaton
    if automaton is None or not (task.all_valid or valid is not None):
        return None
    if valid is None:
        return _from_zero(automaton, automaton.label_table)
    pairs = {(a, b): a if b else max(automaton.labels) + 1 for a in set(automaton.labels) for b in set(valid.labels)}
    both = automaton.product(valid, pairs)
    labels = both.label_table
    return _from_zero(both, torch.where(labels > max(automaton.labels), NOT_VALID, labels))


def _from_zero(automaton: Automaton, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Number the states so that the first is the start."""
    order = torch.arange(len(automaton.step))
    order[0], order[automaton.start] = automaton.start, 0  # an exchange, its own inverse
    return order[automaton.table[order]], labels[order]


def check_boxes(task: FiniteTask, given: Boxes) -> None:
    """Check boxes that were found by hand: disjoint, of valid sequences, each of the label that it names.

    Raises
    ------
    BadInput
        Naming the first box that is wrong.

    Notes
    -----
    A box of label y is right if every sequence in it is valid and has label y. With an automaton that is decided by the *set* of
    states that its sequences may end in, n |Q| v integer operations a box; otherwise by labelling its sequences one by one. Boxes
    of mixed label need no such check. Disjointness: see `overlap`.
    """
    shared = overlap(given.masks)
    if shared is not None:
        raise BadInput(f"the boxes {shared[0]} and {shared[1]} share inputs, which would count twice")
    constant = (given.labels != MIXED).nonzero()[:, 0]
    automaton = _with_validity(task)
    for b in constant.tolist():
        label = int(given.labels[b])
        if automaton is not None:
            right = _ends(*automaton, given.masks[b]) <= {label}
        else:
            if given.sizes[b] > 2**24:
                raise BadInput(f"box {b} is too large to label its inputs one by one; call it MIXED, or give the task as dfa=")
            right = bool((valid_labels(task, given.inputs(b)) == label).all())
        if not right:
            raise BadInput(f"box {b} is said to have label {label}, and holds an input with another, or one that is not valid")


def _ends(step: Tensor, labels: Tensor, mask: Tensor) -> set[int]:
    """Labels of the states in which an automaton that starts in 0 may end on a box, bool [n, v]."""
    may = torch.zeros(len(step), dtype=torch.bool)
    may[0] = True
    for allowed in mask:
        charge_integers(step.numel())
        after = torch.zeros_like(may)
        after[step[may][:, allowed].reshape(-1)] = True
        may = after
    return set(labels[may].tolist())


def overlap(masks: Tensor) -> tuple[int, int] | None:
    """Return two boxes that share an input, bool [B, n, v], or None.

    Position by position, boxes are divided by the tokens that they allow; tokens that the same boxes allow are followed once. Two
    boxes share an input exactly if they are still together after the last position. Cost: v integer operations for every box that
    is still with others, at every step.
    """
    sets = masks.cpu().numpy()
    waiting = [(0, np.flatnonzero(np.all(np.any(sets, axis=2), axis=1)))]
    while waiting:
        position, together = waiting.pop()
        if len(together) < 2:
            continue
        if position == sets.shape[1]:
            return int(together[0]), int(together[1])
        columns = sets[together, position]
        charge_integers(columns.size)
        for column in {column.tobytes(): column for column in columns.T}.values():
            waiting.append((position + 1, together[column]))
    return None
