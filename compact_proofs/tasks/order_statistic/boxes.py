"""Scaled boxes on which an order statistic's place is known, and linear bounds of a recurrent network on boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product

import torch
from torch import Tensor

from compact_proofs.enclosure import lower, upper
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.scaled_boxes.box import Boxes, Linear
from compact_proofs.scaled_boxes.scale import LARGEST, SMALLEST

FARTHEST = 2.0**16
"""Numbers that are larger than so many times the answer's size are left out."""


def number_of_label_boxes(n: int, above: int) -> int:
    """How many there are: n C(n-1, above) (2^(n-1-above) + 2^above)."""
    return n * math.comb(n - 1, above) * (2 ** (n - 1 - above) + 2**above)


def label_boxes(n: int, above: int) -> Boxes:
    """Return disjoint scaled boxes, on each of which one place holds the number that `above` others exceed.

    Notes
    -----
    Choose the place j of the answer, the set A of the `above` places with larger numbers, and the sign s of x_j. In the coordinates
    y = x / |x_j| the region is y_i > s for i in A, and y_k < s for the others. It is cut where a y_t is 0, and y_t is at most
    `FARTHEST` in size. So nearly all of the space is in some box, and no input in two.
    """
    low, high, places = [], [], []
    for j in range(n):
        for larger in combinations([i for i in range(n) if i != j], above):
            for s in (1.0, -1.0):
                sides = [[(s, s)] if t == j else _cut(s, FARTHEST) if t in larger else _cut(-FARTHEST, s) for t in range(n)]
                for ends in product(*sides):
                    low.append([a for a, _ in ends])
                    high.append([b for _, b in ends])
                    places.append(j)

    def with_scale(ends: list[list[float]], scale: float) -> Tensor:
        return torch.tensor([[*row, scale] for row in ends], dtype=torch.float64)

    return Boxes(with_scale(low, SMALLEST), with_scale(high, LARGEST), torch.tensor(places))


def _cut(low: float, high: float) -> list[tuple[float, float]]:
    return [(low, 0.0), (0.0, high)] if low < 0 < high else [(low, high)]


@dataclass(frozen=True)
class Backwards:
    """A network's weights in the form by which linear functions of a state are followed back to the inputs.

    Attributes
    ----------
    step : real [d, d + 2]
        Of the coefficients of what enters the neurons, to those of the state before, of the input, and of 1.
    neurons : real [2 d, d + 2]
        For each neuron, what enters it as a function of these, and the negative of that.
    margins : real [n, n - 1, d + 2]
        For each label, its logit minus each other as functions of the last state (the input's coefficient is 0).
    """

    step: Tensor
    neurons: Tensor
    margins: Tensor

    @classmethod
    def of(cls, model: ScalarRecurrent) -> Backwards:
        """Of a network. Cost: a few operations for each weight."""
        W_in, W_h, W_U = model.W_in.double(), model.W_h.double(), model.W_U.double()
        if model.config.bias:
            b, b_U = model.b_in.double() + model.b_h.double(), model.b_U.double()
        else:
            b, b_U = torch.zeros_like(W_in), torch.zeros_like(W_U[0])
        outputs = W_U.shape[1]
        label = torch.arange(outputs, device=W_U.device)
        others = (label[:, None] + label[1:]) % outputs
        margins = (W_U[:, :, None] - W_U[:, others]).permute(1, 2, 0)
        of_one = b_U[:, None] - b_U[others]
        step = torch.cat([W_h.T, W_in[:, None], b[:, None]], 1)
        columns = torch.stack([torch.zeros_like(of_one), of_one], -1)
        return cls(step, torch.cat([step, -step]), torch.cat([margins, columns], -1))


@dataclass(frozen=True)
class Run:
    """Linear bounds of a network on B boxes.

    Attributes
    ----------
    margins : Linear
        Lower bounds of the label's logit minus each other logit, of x / r.
    entering : list of Linear
        For each step, lower bounds of what enters the neurons, and of its negative.
    low, high : list of exactly known [B, d]
        For each step, between which numbers that lies.
    losses : list of exactly known [B, n - 1, d]
        For each step, how much at most the margins' bounds lose because a neuron is not linear on the box.
    """

    margins: Linear
    entering: list[Linear]
    low: list[Tensor]
    high: list[Tensor]
    losses: list[Tensor]


def run(network: Backwards, boxes: Boxes) -> Run:
    """Bound a network on boxes, whose place is the right output.

    Notes
    -----
    *Theorem.* For x in the box, with r = |x_j| and y = x / r, each margin at x is at least r times its linear bound at (y, r).

    With biases b / r the network has at y the r-th part of what it has at x with biases b, in each neuron and logit, because
    relu(r z) = r relu(z). So what is added in each step is a multiple of 1 / r.

    *Proof.* A function A.h of a state h >= 0 is at least a.h, for a the lower bounds of A. If what enters the neurons, z, lies
    between l and u, then relu(z) >= p z for p = 0 and for p = 1, and relu(z) <= q z + b for any q and b = max(relu(l) - q l,
    relu(u) - q u), as relu(z) - q z is convex. So a.h is at least the sum of a (p z) where a >= 0 and a (q z + b) elsewhere, which
    is linear in the state before, y_t and 1 / r, and so on back to the first step, whose state before is 0. l and u come from the
    same bounds for each neuron and its negative. A slope is known but for rounding, and the end is taken that is the worse one for
    the sign of y_t on the box.

    *Cost.* In step t, for each of 2 d neurons and signs, t products with d^2 weights; as much for each margin: about 2 n^2 d^3.
    """
    n, d = boxes.n, network.step.shape[0]
    sides: list[tuple[Tensor, Tensor, Tensor]] = []
    lows, highs, entering = [], [], []
    for t in range(n):
        of_neurons = _back(network, network.neurons.expand(len(boxes), -1, -1), sides, boxes, t)[0]
        ends = of_neurons.least(boxes)
        low, high = ends[:, :d], -ends[:, d:]
        width = torch.where(high > low, high - low, 1.0)
        q = lower(torch.where(low >= 0, 1.0, torch.where(high <= 0, 0.0, (high / width).clamp(0, 1))))
        b = upper(torch.maximum(low.clamp(min=0) - q * low, high.clamp(min=0) - q * high))
        p = torch.where(high > -low, 1.0, 0.0)
        sides.append((p, q, b))
        lows.append(low)
        highs.append(high)
        entering.append(of_neurons)
    A = network.margins[boxes.place.to(boxes.low.device)]
    margins, coefficients = _back(network, A, sides, boxes, n)
    losses = [
        torch.where(a > 0, a * torch.where(p > 0, (-low).clamp(min=0), high.clamp(min=0))[:, None], -a * b[:, None])
        for a, (p, _, b), low, high in zip(coefficients, sides, lows, highs, strict=True)
    ]
    return Run(margins, entering, lows, highs, losses)


def _back(
    network: Backwards, functions: Tensor, sides: list[tuple[Tensor, Tensor, Tensor]], boxes: Boxes, t: int
) -> tuple[Linear, list[Tensor]]:
    """Lower bounds of functions [B, m, d + 2] of a state, y_t and 1 / r; and the a of each step.

    The state is that after the steps of which `sides` are known; t = n is for functions of no further input.
    """
    n, d = boxes.n, network.step.shape[0]
    A, scale = functions[..., :d], functions[..., d + 1]
    constant = torch.zeros_like(scale)
    found = [functions[..., d]] if t < n else []
    coefficients = []
    for p, q, b in reversed(sides):
        a = lower(A)
        coefficients.append(a)
        positive, negative = a.clamp(min=0), a.clamp(max=0)
        constant = constant + (negative @ b[..., None])[..., 0]
        back = (positive * p[:, None] + negative * q[:, None]) @ network.step
        A, scale = back[..., :d], scale + back[..., d + 1]
        found.append(back[..., d])
    slopes = torch.stack([*reversed(found), *[torch.zeros_like(found[0])] * (n - len(found))], -1)
    own = (torch.arange(n) == boxes.place[:, None]).to(boxes.low.device)[:, None]
    slopes = torch.where(boxes.negative()[:, None], upper(slopes), lower(slopes))
    y = torch.where(own, boxes.low[:, None, :-1], 0.0)
    constant = lower(constant + (slopes * y).sum(-1))
    return Linear(constant, torch.where(own, 0.0, slopes), lower(scale)), coefficients[::-1]
