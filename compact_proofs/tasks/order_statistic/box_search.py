"""Finding a tree of splits, in ordinary float64: nothing here is trusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.cones.tree import Stack
from compact_proofs.laws import Independent
from compact_proofs.length import unseen
from compact_proofs.scaled_boxes.box import FINEST, Boxes, Linear, split
from compact_proofs.scaled_boxes.forest import Precision, right_masses
from compact_proofs.scaled_boxes.scale import IN_OCTAVE, NODES, SMALLEST, cell_masses, distribution, scales
from compact_proofs.scaled_boxes.tree import DROP, STRIDES, Node, encode_check, encode_split
from compact_proofs.tasks.order_statistic.boxes import Backwards, Run, run
from compact_proofs.tasks.order_statistic.search import Busy

TOGETHER = 2**17
"""Trees that have fewer nodes together are read together."""
DEEPEST = 200
"""Splits from a root down to a box that is still split."""
COARSE = IN_OCTAVE // 2
"""Every so many scales are looked at to find those that matter."""
DEVIATIONS = 9
"""Scales are measured over so many standard deviations of the scale's logarithm."""
POINTS = 16
"""Points of a box at which the network is run, to guess how much is to be won."""
NOISE = 1e-11
"""A margin is taken to be positive on a box if its bound is larger than this."""


@dataclass(frozen=True)
class Looked:
    """What is found of B boxes.

    Attributes
    ----------
    mass, proven : float64 [B]
        Lower bounds of the probability of each, and of the part of it that is right.
    right : float64 [B]
        The share of some points of it at which the network is right.
    code : int64 [B]
        The code of its node if it is not split.
    divisible : bool [B]
        Can it be split there?
    coordinate, part : int64 [B]
        Where to split it.
    """

    mass: Tensor
    proven: Tensor
    right: Tensor
    code: Tensor
    divisible: Tensor
    coordinate: Tensor
    part: Tensor


@dataclass(frozen=True)
class BoxSearch:
    """How trees of splits are found: a box is split while more than `gain` of its probability is right and not yet proven.

    It is split at the median of the coordinate to which the neurons that are not linear on it owe most of what they cost the worst
    margin's bound.

    Where a tree of all inputs would be too large, it grows in those parts only that are easy. Bounds of a large box say nothing of
    that; those of its *middle* do: the points whose coordinates are close to their medians, of about as much probability as a box
    that is to be proven. A box is split only if these bounds are positive at the median.

    Attributes
    ----------
    network, law
        Of whose margins, and of what is measured.
    gain
        See above.
    precision
        Of probabilities.
    middle
        The probability of a middle; 0: boxes are split whatever their middles are.
    least
        A box of which no more is proven is left out.
    """

    network: Backwards
    law: Independent
    gain: float
    precision: Precision
    middle: float = 0.0
    least: float = 0.0

    def forest(self, roots: Boxes, most: int, groups: int) -> tuple[Tensor, Tensor]:
        """Find trees of at most about `most` nodes together: codes, and how many of them each group of boxes takes."""
        try:
            codes = self.trees(roots, min(most, TOGETHER), stop=most > TOGETHER)
        except Busy:
            parts = torch.arange(len(roots)).tensor_split(min(groups, len(roots)))
            found, left = [], most
            for i, part in enumerate(parts):
                found.append(self.trees(roots[part], max(left // (len(parts) - i), 1)))
                left -= len(found[-1])
            return torch.cat(found), torch.tensor([len(part) for part in found])
        return codes, torch.tensor([len(codes)])

    def trees(self, roots: Boxes, most: int, *, stop: bool = False) -> Tensor:
        """Return the codes of trees from all boxes, int64 [N].

        Raises
        ------
        Busy
            If there are more nodes than `most`, and `stop` says so; otherwise boxes are not split any more.
        """
        stack, codes, read = Stack(roots.low, roots.high, roots.place, torch.zeros(len(roots), dtype=torch.int64)), [], 0
        while stack:
            *ends, depth = stack.pop()
            boxes = Boxes(*ends)
            read += len(boxes)
            if read >= most and stop:
                raise Busy
            found = self.look(boxes)
            to_win = found.mass * (found.right * POINTS + 0.3) / (POINTS + 0.6) - found.proven
            worth = (to_win > self.gain) & found.divisible & (depth < DEEPEST) & torch.tensor(read < most)
            at = worth.nonzero()[:, 0]
            if self.middle:
                at = at[self._easy(boxes[at], found.mass[at])]
            coordinate, part = found.coordinate[at], found.part[at]
            codes.append(found.code.index_put((at,), encode_split(coordinate, part, boxes.n)))
            if len(at):
                halves = split(boxes[at], coordinate, part)
                columns = (torch.cat([getattr(half, name) for half in halves]) for name in ("low", "high", "place"))
                stack.push(*columns, depth[at].repeat(2) + 1)
        return torch.cat(codes)

    def look(self, boxes: Boxes) -> Looked:
        """Bound the network on boxes, and choose where to split each."""
        first, stride, middle = self._scales(boxes)
        found = run(self.network, boxes)
        mask = ~(found.margins.least(boxes) > NOISE)
        everything = torch.arange(len(boxes))
        nodes = scales(first, stride, boxes, self.precision.groups * self.precision.cells)
        zero = torch.zeros_like(first)
        node = Node(everything, everything[:0], first, stride, mask, zero, zero)
        proven = _or(right_masses(self.law, boxes, found.margins, node, self.precision), 0.0)
        coordinate = self._coordinate(boxes, found)
        column = coordinate[:, None]
        low, high = boxes.low.gather(1, column)[:, 0], boxes.high.gather(1, column)[:, 0]
        half = torch.full((len(boxes), 1, boxes.n), 0.5, dtype=torch.float64)
        median = torch.cat([self._quantiles(boxes, middle, half)[:, 0], middle[:, None]], 1)
        ratio = (median.gather(1, column)[:, 0] - low) / (high - low)
        part = (FINEST * _or(ratio, 0.5).clamp(0, 1)).round().to(torch.int64)
        return Looked(
            mass=cell_masses(self.law, boxes, nodes).sum(1),
            proven=proven,
            right=self._right(boxes, self._points(boxes, middle), middle).double().mean(1),
            code=torch.where(proven > self.least, encode_check(first, stride, mask), DROP),
            divisible=high > low,
            coordinate=coordinate,
            part=torch.where((part > 0) & (part < FINEST), part, FINEST // 2),
        )

    def _easy(self, boxes: Boxes, mass: Tensor) -> Tensor:
        """Are the bounds of all margins positive at the median of the middle of boxes with these probabilities? bool [B]."""
        share = (self.middle / mass.clamp(min=1e-300)).clamp(max=1) ** (1 / (boxes.n - 1))
        _, _, r = self._scales(boxes)
        u = torch.stack([(1 - share) / 2, torch.full_like(share, 0.5), (1 + share) / 2], 1)
        low, median, high = self._quantiles(boxes, r, u[:, :, None].expand(-1, -1, boxes.n)).unbind(1)
        low, high = torch.cat([low, boxes.low[:, -1:]], 1), torch.cat([high, boxes.high[:, -1:]], 1)
        margins = run(self.network, Boxes(low, high, boxes.place)).margins
        at_median = margins.constant + (margins.slopes * median[:, None]).sum(-1) + margins.scale / r[:, None]
        return (at_median > 0).all(1)

    def _scales(self, boxes: Boxes) -> tuple[Tensor, Tensor, Tensor]:
        """Which scales are measured: the first, the stride, and the mean of the logarithm's scale, as a scale."""
        first = torch.zeros(len(boxes), dtype=torch.int64)
        nodes = scales(first, first + COARSE, boxes, NODES // COARSE)
        mass = cell_masses(self.law, boxes, nodes)
        share = mass / mass.sum(1, keepdim=True).clamp(min=1e-300)
        place = IN_OCTAVE * (nodes / SMALLEST).log2()
        middle, width = (place[:, 1:] + place[:, :-1]) / 2, place[:, 1:] - place[:, :-1]
        mean = (share * middle).sum(1)
        deviation = (share * ((middle - mean[:, None]).square() + width.square() / 12)).sum(1).sqrt()
        cells = self.precision.groups * self.precision.cells
        stride = (DEVIATIONS * deviation / cells).ceil().clamp(1, STRIDES - 1).to(torch.int64)
        first = (mean - stride * cells * 0.55).round().clamp(0, NODES - 1).to(torch.int64)
        middle = SMALLEST * torch.exp2(mean / IN_OCTAVE)
        return first, stride, torch.minimum(torch.maximum(middle, boxes.low[:, -1]), boxes.high[:, -1])

    def _quantiles(self, boxes: Boxes, r: Tensor, u: Tensor) -> Tensor:
        """Points y [B, P, n] of boxes, given the scale, from numbers u [B, P, n] between 0 and 1."""
        r, low, high = r[:, None, None], boxes.low[:, None, :-1], boxes.high[:, None, :-1]
        start, end = distribution(self.law, r * low), distribution(self.law, r * high)
        p = start + u * (end - start)
        with unseen("quantiles, to look at some points"):
            x = torch.stack([one.quantile(p[..., t]) for t, one in enumerate(self.law.coordinates)], -1)
            y = torch.where(x.isfinite(), x / r, (low + high) / 2)
        return torch.minimum(torch.maximum(y, low), high)

    def _points(self, boxes: Boxes, r: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(len(boxes))
        with unseen("random numbers, to look at some points"):
            u = torch.rand((len(boxes), POINTS, boxes.n), generator=generator, dtype=torch.float64)
        return self._quantiles(boxes, r, u)

    def _right(self, boxes: Boxes, y: Tensor, r: Tensor) -> Tensor:
        """At which points [B, P, n], given the scale, the network is right: bool [B, P]."""
        d = len(self.network.step)
        W_h, W_in, b = self.network.step[:, :d].T, self.network.step[:, d], self.network.step[:, d + 1] / r[:, None, None]
        state = y.new_zeros((*y.shape[:2], d))
        for t in range(boxes.n):
            state = torch.relu(state @ W_h + y[..., t, None] * W_in + b)
        margins = self.network.margins[boxes.place]
        return (state @ margins[..., :d].mT + margins[:, None, :, d + 1] / r[:, None, None] > 0).all(2)

    def _coordinate(self, boxes: Boxes, found: Run) -> Tensor:
        """Where to split: int64 [B]."""
        n, d = boxes.n, len(self.network.step)
        worst = found.margins.least(boxes).argmin(1)
        reach = torch.cat([(boxes.high - boxes.low)[:, :-1], 1 / boxes.low[:, -1:] - 1 / boxes.high[:, -1:]], 1)

        def spread(functions: Linear) -> Tensor:
            return torch.cat([functions.slopes, functions.scale[..., None]], -1).abs() * reach[:, None]

        score = torch.zeros((len(boxes), n + 1), dtype=torch.float64)
        for functions, losses in zip(found.entering, found.losses, strict=True):
            each = spread(functions)[:, :d] + spread(functions)[:, d:]  # [B, d, n + 1]
            loss = losses.gather(1, worst[:, None, None].expand(-1, 1, d))[:, 0]
            score = score + (loss[:, :, None] * each / each.sum(2, keepdim=True).clamp(min=1e-300)).sum(1)
        by_slope = spread(found.margins).gather(1, worst[:, None, None].expand(-1, 1, n + 1))[:, 0]
        score = torch.where((score.amax(1) > 0)[:, None], score, by_slope)
        return torch.where(torch.arange(n + 1) == boxes.place[:, None], -1.0, _or(score, 0.0)).argmax(1)


def _or(numbers: Tensor, other: float) -> Tensor:
    """Numbers, and another where they are NaN."""
    return torch.where(numbers == numbers, numbers, other)
