"""What a finished tree of splits would prove, and how large it would be: guessed from random descents, without growing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.draws import Draws
from compact_proofs.estimates import Estimator
from compact_proofs.inputs.task import Task
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.scaled_boxes.box import Boxes, split, threshold
from compact_proofs.scaled_boxes.scale import check_law
from compact_proofs.tables import Table
from compact_proofs.tasks.order_statistic.box_search import DEEPEST, BoxSearch
from compact_proofs.tasks.order_statistic.box_tree import BoxTree
from compact_proofs.tasks.order_statistic.boxes import Backwards, label_boxes
from compact_proofs.tasks.order_statistic.task import OrderStatistic


@dataclass(frozen=True)
class Finished:
    """A tree that is split down to boxes of some probability.

    Attributes
    ----------
    bound : []
        The mean, over random inputs, of the share of the box at which the input's branch ends that is proven.
    leaves : []
        The mean of 1 / the probability of that box, which is on average the number of boxes at which branches end.
    """

    bound: Tensor
    leaves: Tensor


def descend(model: ScalarRecurrent, task: OrderStatistic, inputs: Tensor, sizes: Sequence[float]) -> list[Finished]:
    """Follow inputs [N, n] down the tree; for each of some decreasing probabilities, what a tree down to such boxes would prove.

    A branch ends where its box is less probable, where all but a ten-thousandth of it is proven, or where the network is wrong at
    all points that are tried. Inputs in no label box count as not proven.
    """
    strategy = BoxTree()
    with torch.no_grad():
        network = Backwards.of(model)
    search = BoxSearch(network, check_law(strategy.name, task.law), strategy.gain, strategy.precision)
    boxes, held = _label_box_of(task, inputs)
    x, N = inputs[held], len(inputs)
    share, leaves = torch.zeros((len(sizes), N), dtype=torch.float64), torch.zeros((len(sizes), N), dtype=torch.float64)
    going, ended = held.clone(), torch.zeros(N, dtype=torch.int64)
    for depth in range(DEEPEST + 1):
        if not len(going):
            break
        found = search.look(boxes)
        part = (found.proven / found.mass.clamp(min=1e-300)).clamp(max=1)
        closed = (part > 1 - 1e-4) | (found.right == 0) | ~found.divisible | (found.mass <= 0) | torch.tensor(depth == DEEPEST)
        for k, size in enumerate(sizes):
            ends = ((found.mass <= size) | closed) & (ended[going] <= k)
            at = going[ends]
            share[k, at], leaves[k, at] = part[ends], 1 / found.mass[ends].clamp(min=1e-300)
            ended[at] = k + 1
        on = (ended[going] < len(sizes)).nonzero()[:, 0]
        going, x, boxes, coordinate, cut = going[on], x[on], boxes[on], found.coordinate[on], found.part[on]
        column = coordinate[:, None]
        at = threshold(boxes.low.gather(1, column)[:, 0], boxes.high.gather(1, column)[:, 0], cut)
        r = x.gather(1, boxes.place[:, None]).abs()
        below = torch.cat([x / r, r], 1).gather(1, column)[:, 0] < at
        one, other = split(boxes, coordinate, cut)
        boxes = Boxes(
            torch.where(below[:, None], one.low, other.low), torch.where(below[:, None], one.high, other.high), boxes.place
        )
    return [Finished(share[k].mean(), leaves[k].mean()) for k in range(len(sizes))]


def _label_box_of(task: OrderStatistic, inputs: Tensor) -> tuple[Boxes, Tensor]:
    """For each input that lies in a label box that box, and the numbers of these inputs."""
    roots, labels = label_boxes(task.n, task.above), task.labels(inputs)
    r = inputs.gather(1, labels[:, None]).abs()
    y = torch.cat([inputs / r, r], 1)
    root = torch.full((len(inputs),), -1)
    for i in range(len(inputs)):
        own = (roots.place == labels[i]).nonzero()[:, 0]
        inside = ((roots.low[own] <= y[i]) & (y[i] <= roots.high[own])).all(1).nonzero()[:, 0]
        root[i] = own[inside[0]] if len(inside) else -1
    held = (root >= 0).nonzero()[:, 0]
    return roots[root[held]], held


@dataclass(frozen=True)
class FinishedBoxes(Estimator[ScalarRecurrent]):
    """What `BoxTree` would prove if its tree were grown to boxes of the probability `smallest`."""

    smallest: float = 1e-6
    samples: int = 200
    seed: int = 0

    name: ClassVar[str] = "finished-boxes"
    summary: ClassVar[str] = "random inputs, followed down the tree of splits"

    def value(self, model: ScalarRecurrent, task: Task) -> Tensor:
        assert isinstance(task, OrderStatistic)
        inputs = task.draw(self.samples, Draws(f"finished boxes {self.seed}".encode()))
        return descend(model, task, inputs, [self.smallest])[0].bound


def affordable(model: ScalarRecurrent) -> int:
    """How many descents take a minute or so: from 20 to 200."""
    return min(max(10**9 // BoxTree().box_operations(model.config.n_ctx, model.config.d_model), 20), 200)


def box_table(model: ScalarRecurrent, samples: int | None = None) -> Table:
    """A table of finished trees of splits by the probability of their smallest boxes, from `affordable` samples unless given."""
    task, sizes = OrderStatistic.of(model), [10.0**-i for i in range(1, 11)]
    samples = affordable(model) if samples is None else samples
    inputs = task.draw(samples, Draws(b"box study"))
    found = descend(model, task, inputs, sizes)
    n, d = task.n, model.config.d_model
    each = BoxTree().box_operations(n, d)
    rows = []
    for size, finished in zip(sizes, found, strict=True):
        leaves = float(finished.leaves)
        rows.append((f"{size:g}", (float(finished.bound), leaves, leaves * each)))
    return Table(
        name="finished-boxes",
        title="Finished trees of boxes (estimates)",
        caption=(
            f"Guessed from {samples} random descents, without growing the trees: nothing here is proven. Few boxes for a high "
            "bound mean that the network is nearly linear on large sets of inputs. Boxes are over-estimated, since their "
            "probabilities are bounded from below."
        ),
        headings=("smallest box", "bound", "boxes", "operations"),
        rows=tuple(rows),
    )
