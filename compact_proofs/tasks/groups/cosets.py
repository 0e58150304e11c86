"""Cosets: neurons see only the cosets of x and of y, and each is bounded on its own (or with those that see the same)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.ranges import spread
from compact_proofs.bounds.relu import error_of_outputs, separate_neurons
from compact_proofs.certified import Certified, Truth
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import charge_integers, stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.fitting import Weights
from compact_proofs.tasks.groups.margins import both_sides, shifted
from compact_proofs.tasks.groups.search import balanced_shifts, find_fits
from compact_proofs.tasks.groups.task import Groups, GroupStrategy


@dataclass(frozen=True)
class Cosets(GroupStrategy):
    """Add up, over blocks of neurons, the least that each block adds to a margin, given what it sees of x and y.

    The explanation gives each block two maps p and q of the elements to representatives (of right cosets Hx, of left cosets yK; any
    maps will do), and its neurons are read as h^_i(x, y) = ReLU(l_i(p(x)) + r_i(q(y))). For a product w = xy, a block sees one of
    the pairs (p(x), q(x^-1 w)), so

        f^(w | x, y) - f^(z | x, y) >= b_w - b_z + sum over blocks of min over these pairs of sum_i h^_i (U_iw - U_iz) =: A_wz.

    ReLU is 1-Lipschitz, so the network is away from that by at most left[x] + right[y] with
    ``left[x] = sum_i spread(U_i) |l_i(x) - l_i(p(x))|``, likewise right, and the neurons of no block on top (`separate_neurons`).
    Pairs with left[x] + right[y] < min_{z != xy} A_{xy, z} are right.

    As published, each neuron is a block of its own. What its neighbours do on the same cosets is lost then, so `joint` makes one
    block of neurons that see x and y modulo the same proper normal subgroup.

    Cost: O(n) for each pair of representatives that a product can be seen as: n^2 |G/H| |G/K| for a neuron at most.
    """

    joint: bool = True
    """One block for neurons that see the same quotient of the group, not one for each neuron."""

    name: ClassVar[str] = "cosets"
    summary: ClassVar[str] = "neurons as functions of cosets, each block at its worst"

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        w = Weights.of(model)
        n, m = w.left.shape
        block = torch.full((m,), -1)
        left: list[Tensor] = []
        right: list[Tensor] = []
        for f in find_fits(w):
            seen = [torch.unique(image, dim=1).shape[1] for image in (f.left_image, f.right_image)]
            if self.joint and max(seen) < n:
                block[f.neurons] = len(left)
                left.append(_first_alike(f.left_image))
                right.append(_first_alike(f.right_image))
                continue
            readings = zip(f.neurons.tolist(), f.b.tolist(), f.c.tolist(), strict=True)
            for i, b, c in {reading[0]: reading for reading in readings}.values():
                block[i] = len(left)
                left.append(_first_alike(f.left_image[b : b + 1]))
                right.append(_first_alike(f.right_image[c : c + 1]))
        maps = [torch.stack(rows) if rows else torch.zeros(0, n, dtype=torch.int64) for rows in (left, right)]
        return {"block": block, "left": maps[0], "right": maps[1], "shifts": balanced_shifts(w)}

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        n, m = model.order, model.width
        maps = Spec((m, n), (0, n - 1), fewer=True)
        return {"block": Spec((m,), (-1, m - 1)), "left": maps, "right": maps, "shifts": Spec((m,))}

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Groups)
        left, right, margin = self._bounds(model, task, explanation)
        with stage("counting"):
            return Truth(provably(left[:, None] + right < margin[task.group.table.to(left.device)])).counted()

    def _bounds(self, model: PairMLP, task: Task, explanation: Explanation) -> tuple[Tensor, Tensor, Tensor]:
        """left [n], right [n], and min_{z != w} A_wz [n]."""
        assert isinstance(task, Groups)
        n = model.order
        with stage("group"):
            charge_integers(task.group.checks)
        sides = shifted(both_sides(model), explanation)
        with stage("weights"):
            weight = spread(model.U)
            gain = model.bias[:, None] - model.bias
        blocks, others = _blocks(explanation)
        with stage("other neurons"):
            away = separate_neurons(sides[:, :, others], weight[others])
        for neurons, p, q in blocks:
            with stage("distance from cosets"):
                of_x, of_y = sides[0][:, neurons], sides[1][:, neurons]
                moved = torch.stack([of_x - of_x[p], of_y - of_y[q]])
                away = away + error_of_outputs(moved.abs(), weight[neurons])
            with stage("worst cosets"):
                gain = gain + _least_gain(of_x, of_y, model.U[neurons], p, q, task)
        with stage("worst cosets"):
            itself = torch.eye(n, dtype=torch.bool, device=gain.device)
            return away[0], away[1], gain.masked_fill(itself, torch.inf).amin(1)


def _first_alike(image: Tensor) -> Tensor:
    """int [n]: the first element that moves points as each element does."""
    same = (image[:, :, None] == image[:, None]).all(0)
    return same.to(torch.int64).argmax(1)


def _blocks(explanation: Explanation) -> tuple[list[tuple[list[int], Tensor, Tensor]], list[int]]:
    """The neurons, p and q of every block that has neurons and both maps; and the neurons of none."""
    left, right = explanation["left"], explanation["right"]
    members: dict[int, list[int]] = {}
    others: list[int] = []
    charge_integers(len(explanation["block"]))
    for i, block in enumerate(explanation["block"].tolist()):
        if 0 <= block < min(len(left), len(right)):
            members.setdefault(block, []).append(i)
        else:
            others.append(i)
    return [(neurons, left[block], right[block]) for block, neurons in members.items()], others


def _least_gain(of_x: Tensor, of_y: Tensor, U: Tensor, p: Tensor, q: Tensor, task: Groups) -> Tensor:
    """min over the pairs (p(x), q(x^-1 w)) of sum_i h^_i (U_iw - U_iz): [n, n] over (w, z), for one block.

    Parameters
    ----------
    of_x, of_y : [n, k]
        l and r of the block's neurons.
    U : [k, n]
    p, q : int [n]
    """
    n, table, inverse = len(p), task.group.table, task.group.inverse
    charge_integers(2 * n)
    rows, columns = (torch.tensor(sorted(set(map_.tolist()))) for map_ in (p, q))
    row, column = torch.searchsorted(rows, p.cpu()), torch.searchsorted(columns, q.cpu())
    number = row * len(columns) + column[table[inverse].T]  # [w, x]
    seen = torch.zeros(n, len(rows) * len(columns), dtype=torch.bool)
    seen = seen.index_put((torch.arange(n)[:, None], number), torch.ones_like(number, dtype=torch.bool))
    w, pair = (t.to(U.device) for t in seen.nonzero().T)
    hidden = torch.relu(of_x[rows][:, None] + of_y[columns]).flatten(0, 1)  # [pairs, k]
    written = (hidden @ U)[pair]
    difference = written.gather(1, w[:, None]) - written
    start = torch.full((n, n), torch.inf, dtype=torch.float64, device=U.device)
    return start.scatter_reduce(0, w[:, None].expand_as(difference), difference, "amin")
