"""A section of the report: which boxes an automatic proof divides the inputs into, and what it loses in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import nn

from compact_proofs.automatic.boxes.roots import divided_by
from compact_proofs.automatic.boxes.tree import decode
from compact_proofs.automatic.boxes.words import box_in_words, cut_in_words
from compact_proofs.automatic.report.account import Account
from compact_proofs.automatic.report.branches import Branch, layout
from compact_proofs.automatic.strategy import Automatic, finite
from compact_proofs.core.certificate import Certificate
from compact_proofs.enclosure import sound
from compact_proofs.inputs.task import Task
from compact_proofs.program import program_of
from compact_proofs.report.data import ReportData
from compact_proofs.report.drawing import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    VERMILLION,
    inline_svg,
    new_axes,
    new_figure,
    settings,
    settle,
    to_png,
)
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import bound_text, clipped, count
from compact_proofs.sequences.task import FiniteTask

ROWS = 10
"""Boxes in each table."""
MOST_LEAVES = 40
"""Leaves of a tree that is drawn, at most."""


@dataclass(frozen=True)
class BoxesSection:
    """The boxes of the automatic proof with the highest bound."""

    model: nn.Module
    task: Task

    def __call__(self, data: ReportData) -> Block | None:
        """Prove once more, and draw; nothing where there is no automatic proof that proves anything."""
        mine = [c for c in data.certificates if c.strategy == Automatic.name and c.bound > 0]
        if not mine:
            return None
        certificate = max(mine, key=lambda c: (c.bound, -c.length.total))
        task = finite(self.task)
        account = account_of(self.model, task, certificate)
        cards, files = [], {}
        with settings():
            for name, caption, figure in pictures(account, task, certificate):
                files[f"boxes-{name}.png"] = to_png(figure)
                cards.append({"caption": caption, "picture": inline_svg(figure, f"boxes-{name}", caption)})
        tables = [
            {"title": title, "rows": [_row(account, leaf) for leaf in leaves]}
            for title, leaves in (("Where most is lost", account.worst(ROWS)), ("Where bounds prove most", account.largest(ROWS)))
            if leaves
        ]
        body = render("boxes.html", caption=summary(account, certificate), cards=cards, tables=tables, files=files)
        return Block("boxes", "The boxes of the proof", body, files)


def account_of(model: nn.Module, task: FiniteTask, certificate: Certificate) -> Account:
    """What an automatic proof makes of each of its boxes."""
    strategy = Automatic.from_options(certificate.options)
    assert isinstance(strategy, Automatic)
    with sound():
        found = strategy.verify(program_of(model, task), task, certificate.explanation)
    return Account.of(task, certificate.explanation, found)


def summary(account: Account, certificate: Certificate) -> str:
    """What the proof does, in a few sentences."""
    proven, bounded = sum(account.proven), sum(account.bounded)
    lossy, boxes = sum(lost > 0 for lost in account.lost), len(account.leaves.boxes)
    return (
        f"The proof with the bound {bound_text(certificate.bound)} divides the inputs into "
        f"{boxes:,} {'box' if boxes == 1 else 'boxes'}. Bounds prove {count(bounded)} inputs: on a box, the label's logit minus "
        "every other is bounded from below by a sum of one function for each position, and the inputs where all sums are "
        f"positive are counted. {count(proven - bounded)} inputs are evaluated one by one. "
        f"Something is lost in {count(lossy)} of the boxes."
    )


def _row(account: Account, leaf: int) -> dict[str, str]:
    label = account.label(leaf)
    return {
        "words": box_in_words(account.leaves.boxes.masks[leaf]),
        "label": "mixed" if label is None else str(label),
        "done": account.done(leaf),
        "size": count(account.sizes[leaf]),
        "proven": count(account.proven[leaf]),
        "lost": count(account.lost[leaf]),
    }


def pictures(account: Account, task: FiniteTask, certificate: Certificate) -> list[tuple[str, str, Figure]]:
    """What is lost for each label and last token, if anything is, and one split tree: (name, caption, figure) of each."""
    found = []
    if (labels := account.leaves.boxes.labels).max() >= 0 and any(account.lost):
        caption = "Share of the inputs of each label and last token that is lost; blank where there is none"
        found.append(("lost", caption, _lost(account, int(labels.max()) + 1)))
    tree = _tree(account, task, certificate)
    return [*found, tree] if tree is not None else found


def _lost(account: Account, outputs: int) -> Figure:
    lost, size = (t.numpy() for t in account.by_label_and_last_token(outputs))
    share = np.divide(lost, size, out=np.full_like(lost, np.nan), where=size > 0)
    figure = new_figure(4.6, 4.0)
    (axes,) = new_axes(figure)
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=max(float(np.nanmax(share)), 1e-9), aspect="auto", interpolation="none")
    axes.grid(visible=False)
    axes.set_ylabel("label")
    axes.set_xlabel("last token")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.05)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelcolor=INK, labelsize=8)
    return settle(figure)


def _tree(account: Account, task: FiniteTask, certificate: Certificate) -> tuple[str, str, Figure] | None:
    """The split tree, of those that can be drawn, in which most is lost; of equals the one with most leaves."""
    of_root: dict[int, list[int]] = {}
    for leaf, root in enumerate(account.leaves.root.tolist()):
        of_root.setdefault(root, []).append(leaf)
    drawable = {root: leaves for root, leaves in of_root.items() if 2 <= len(leaves) <= MOST_LEAVES}
    if not drawable:
        return None
    lost = account.lost
    root, leaves = max(drawable.items(), key=lambda item: (sum(lost[i] for i in item[1]), len(item[1]), -item[0]))
    boxes = divided_by(certificate.explanation, task)
    trees = decode(len(boxes), certificate.explanation["tree"], task.n_ctx, task.d_vocab)
    branch = layout(trees[root], boxes.masks[root])
    assert branch is not None
    figure = new_figure(9.2, 1.0 + 0.3 * len(leaves))
    (axes,) = new_axes(figure)
    _draw(axes, branch, account, leaves, task.n_ctx)
    caption = f"One split tree: {box_in_words(boxes.masks[root])}. Blue: every input is proven; red: some are lost"
    return "tree", caption, settle(figure)


def _draw(axes: Axes, branch: Branch, account: Account, leaves: list[int], n: int) -> None:
    deepest = 0
    waiting = [branch]
    while waiting:
        node = waiting.pop()
        deepest = max(deepest, node.depth)
        for part in node.parts:
            axes.plot([node.depth, node.depth, part.depth], [node.height, part.height, part.height], color=FAINT, linewidth=1.2)
            waiting.append(part)
        if node.cut is not None:
            words = cut_in_words(*node.cut, n)
            axes.annotate(
                clipped(words, 36), (node.depth, node.height), (3, 0), textcoords="offset points", color=MUTED, fontsize=6.5
            )
            continue
        leaf = leaves[node.leaf]
        whole = account.lost[leaf] == 0
        axes.plot([node.depth], [node.height], "o", markersize=4, color=BLUE if whole else VERMILLION)
        told = f"{count(account.proven[leaf])} of {count(account.sizes[leaf])}, {account.done(leaf)}"
        axes.annotate(told, (node.depth, node.height), (6, -3), textcoords="offset points", fontsize=6.5)
    axes.set_xlim(-0.2, deepest + 2.5)
    axes.set_ylim(len(leaves) - 0.4, -0.6)
    axes.axis("off")
