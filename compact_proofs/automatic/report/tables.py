"""For ``explain``: what an automatic proof does with the inputs, the boxes where it loses and proves most, and pictures of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from compact_proofs.automatic.boxes.words import box_in_words
from compact_proofs.automatic.report.account import DONE, Account
from compact_proofs.automatic.report.section import account_of, pictures, summary
from compact_proofs.automatic.strategy import finite, usual
from compact_proofs.core.prove import prove
from compact_proofs.inputs.task import Task
from compact_proofs.report.drawing import settings, to_png
from compact_proofs.tables import Picture, Table

ROWS = 12
"""Boxes in each table."""
DPI = 110
"""Of the pictures."""
NUMBERS = ("inputs", "proven", "lost")


def boxes_account(model: nn.Module, task: Task) -> tuple[list[Table], Callable[[], list[Picture]]]:
    """Prove once, by the `usual` options: tables of what became of the boxes, and what draws pictures of them.

    The costs are those of the proof.
    """
    certificate = prove(model, task, usual(task))
    account = account_of(model, finite(task), certificate)
    done = Table(
        "done",
        "What is done with the inputs",
        summary(account, certificate),
        ("boxes that are", "boxes", *NUMBERS),
        tuple(_done(account, kind) for kind in DONE if kind in account.leaves.kind),
    )
    places = (
        ("worst", "Where most is lost", "The boxes of the inputs that the proof does not reach.", account.worst(ROWS)),
        (
            "largest",
            "Where bounds prove most",
            "One argument proves these boxes, or most of them.",
            account.largest(ROWS),
        ),
    )
    boxes = [_boxes(account, name, title, caption, leaves) for name, title, caption, leaves in places if leaves]

    def draw() -> list[Picture]:
        with settings():
            drawn = pictures(account, finite(task), certificate)
            return [Picture(f"boxes-{name}", caption, to_png(figure, DPI)) for name, caption, figure in drawn]

    return [done, *boxes], draw


def _done(account: Account, kind: int) -> tuple[str, tuple[float, ...]]:
    leaves = (account.leaves.kind == kind).nonzero()[:, 0].tolist()
    return DONE[kind], (len(leaves), *(sum(of[i] for i in leaves) for of in (account.sizes, account.proven, account.lost)))


def _boxes(account: Account, name: str, title: str, caption: str, leaves: Sequence[int]) -> Table:
    masks = account.leaves.boxes.masks
    rows = [(box_in_words(masks[i]), (account.label(i), account.sizes[i], account.proven[i], account.lost[i])) for i in leaves]
    headings = ("sequences where", "label", *NUMBERS)
    if any(label is None for _, (label, *_) in rows):
        caption += " No label: it differs within the box."
    return Table(name, title, caption, headings, tuple(rows))
