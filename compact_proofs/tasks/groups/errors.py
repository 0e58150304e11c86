"""How far a network is from its circuits: what can be computed exactly for (x, z) and for (y, z), and bounds of the rest.

Take one circuit. A reading says that h_i = ReLU(l_i(x) + r_i(y)) depends on the points p = x^-1 b and q = y c alone. So let a_i(p)
be about l_i, and a'_i(q) about r_i, for any x and y that see these points (any numbers will do). With d(x) = l_i(x) - a_i(p) and
d'(y) on the right, h_i - ReLU(a_i(p) + a'_i(q)) = g (d + d') for some g in [0, 1], since ReLU is monotone and 1-Lipschitz. Split,
as in an analysis of variance,

    ReLU(a_i(p) + a'_i(q)) = mean_i + row_i(p) + column_i(q) + w_i(p, q),          share U_i(z) = s gamma(b, z c) + R_i(z).

So what the readings write is, with the tables T_bc(p, q) = sum over the readings of (b, c) of s w_i(p, q),

      sum_i share U_i(z) (mean_i + row_i(p) + column_i(q))        known for z, for x and z, and for y and z
    + sum_bc gamma(b, z c) T_bc(x^-1 b, y c)                      for `circuit_gaps`
    + sum_i R_i(z) w_i(p, q)                                      by Cauchy and Schwarz
    + sum_i share U_i(z) g_i (d_i(x) + d'_i(y))                   half of it known, see `sums_of`.

Where tables are compared for each left point alone, T has s column_i too, and what is known for y and z is of R_i column_i: without
that side's symmetry, columns do not cancel over a circuit. Likewise s row_i for right points.

Bounds here are of differences between two outputs z and z'. What matters of a vector w over outputs is then its *spread*,
max_z w_z - min_z w_z, since |w_z - w_z'| is at most that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.norms import distances, norm
from compact_proofs.bounds.ranges import spread
from compact_proofs.bounds.relu import error_of_outputs
from compact_proofs.enclosure import lower
from compact_proofs.length import stage
from compact_proofs.tasks.groups.circuits import Alike, Circuit
from compact_proofs.tasks.groups.separable import Separable


@dataclass(frozen=True)
class Sums:
    """What some neurons write to the logits beside their circuits: a part that is known exactly, and bounds of the rest.

    On the input (x, y), these neurons add to the logit of an output z the sum

        moved[0, x, z] + moved[1, y, z] + constant[z] + e(z) + e'(z),

    where e and e' are not known, but their differences between any two outputs z and z' are bounded:

        |e(z) - e(z')| <= error[0, x] + error[1, y],       |e'(z) - e'(z')| <= apart[z, z'].

    Only differences matter, because a prediction compares logits.

    Attributes
    ----------
    moved : [2, n, n]
        The known part that depends on x and z, and the one that depends on y and z.
    constant : [n]
        The known part that depends on z alone.
    error : [2, n]
        Bounds that depend on the input.
    apart : [n, n] or []
        Bounds that depend on the two outputs; a single number bounds all of them.
    """

    moved: Tensor
    constant: Tensor
    error: Tensor
    apart: Tensor

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.moved + other.moved, self.constant + other.constant, self.error + other.error, self.apart + other.apart)

    def separable(self) -> Separable:
        """A bound of how much more these may write to some z' than to z = xy, for all z'."""
        with stage("known sums"):
            if self.apart.dim():
                largest = (self.constant[:, None] - self.constant + self.apart).amax()
            else:
                largest = spread(self.constant) + self.apart
            return Separable(self.error + spread(self.moved), largest)


def sums_of(circuit: Circuit, alike: Alike, inputs: Tensor, output: Tensor, exact: bool) -> tuple[Sums, Tensor]:
    """The sums of one circuit's readings, and the tables T_bc of the pairs that have readings, [pairs, P, Q].

    *Half is known* (if `exact`). With g = 1/2 + (g - 1/2), half of ``sum_i share U_i (d_i + d'_i)`` is computed for every x and z,
    and the rest differs between outputs by at most ``1/2 sum_i spread(share U_i) (|d_i| + |d'_i|)``; else by twice that.

    *Cauchy and Schwarz.* With the table v = sum_i s w_i, any numbers t_i, and K_bc = sum of t_i R_i over the readings of (b, c),

        sum_i R_i w_i = sum_bc K_bc v(x^-1 b, y c) + sum_i R_i (w_i - t_i v).

    Rows and columns of v sum to 0, so means of K over b and over c may be taken off. As x and y permute the points, the first sum
    differs between z and z' by at most ||K_z - K_z'|| ||v||, the second by at most ||R_z - R_z'|| times the root of the sum over p
    and q of the largest, over pairs (b, c), sum of (w_i - t_i v)^2 at (p, q) over their readings. Distances are computed for every
    z and z' if `exact`, else bounded by norms.

    Parameters
    ----------
    alike
        Which pairs of points have tables that are compared.
    inputs : [2, n, m]
        l and r.
    output : [m, n]
        U.

    Cost: about 2 n k (P + Q) + n^2 (P + Q) for k readings, and `exact` 6 n^2 k more.
    """
    sides = inputs[:, :, circuit.neurons].mT  # [2, k, n]
    with stage("output weights"):
        U = circuit.share[:, None] * output[circuit.neurons]
        rest = U - circuit.scale[:, None] * circuit.output[circuit.b, circuit.c]
    with stage("input error"):
        seen = ((circuit.left_image, circuit.left_classes, circuit.b), (circuit.right_image, circuit.right_classes, circuit.c))
        (a_left, d_left), (a_right, d_right) = (_own(side, *points) for side, points in zip(sides, seen, strict=True))
        d = torch.stack([d_left, d_right]).mT  # [2, n, k]
        error = error_of_outputs(d.abs(), spread(U))
    with stage("tables"):
        h = torch.relu(a_left[:, :, None] + a_right[:, None])
        mean, rows, columns = h.mean((1, 2)), h.mean(2), h.mean(1)
        rows, columns = rows - mean[:, None], columns - mean[:, None]
        w = h - (rows + mean[:, None])[:, :, None] - columns[:, None]
        compared = w + columns[:, None] if alike == "left" else w + rows[:, :, None] if alike == "right" else w
        tables = _sum_by(circuit.of_pair, circuit.scale[:, None, None] * compared)
        v = (circuit.scale[:, None, None] * w).sum(0)
        t = lower((w * v).sum((1, 2)) / v.square().sum())
        t = torch.where(t.isfinite(), t, 0.0)
        other = _sum_by(circuit.of_pair, (w - t[:, None, None] * v).square())
        reach = torch.sqrt(other.amax(0).sum()) if len(other) else t.new_zeros(())
    with stage("known sums"):
        by_point = (
            (rest if alike == "right" else U, circuit.of_left, rows, circuit.left_image),
            (rest if alike == "left" else U, circuit.of_right, columns, circuit.right_image),
        )
        moved = torch.stack([_moved(*points) for points in by_point])
        constant = mean @ U
        K, size = _centred(circuit, _sum_by(circuit.of_pair, t[:, None] * rest)), norm(v)
        if not exact:
            return Sums(moved, constant, error, 2 * (norm(K, 0) * size + norm(rest, 0) * reach).amax()), tables
        apart = distances(K) * size + distances(rest) * reach
        return Sums(moved + d @ U / 2, constant, error / 2, apart), tables


def _centred(circuit: Circuit, K: Tensor) -> Tensor:
    """K [pairs, n] for all pairs of points, less the means over b and over c, [P Q, n]; or as it is, if few pairs have readings."""
    P, Q = circuit.gamma.shape
    if 2 * len(K) < P * Q:
        return K
    whole = torch.cat([K, K.new_zeros((1, K.shape[1]))])[circuit.place]
    over_b = whole - whole.mean(0)
    return (over_b - over_b.mean(1, keepdim=True)).flatten(0, 1)


def _own(side: Tensor, image: Tensor, classes: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
    """a [k, points] and d [k, n] of one side: means over the elements that see each point, and what is left.

    Parameters
    ----------
    side : [k, n]
    image, classes
        See `Circuit`.
    base : int [k]
        The readings' points.
    """
    a = lower(side.gather(1, classes[base].flatten(1)).unflatten(1, classes.shape[1:]).mean(2))
    return a, side - a.gather(1, image[base])


def _sum_by(rows: Tensor, values: Tensor) -> Tensor:
    """Sums of values [k, ...] over rows of places, which are filled up with k."""
    return torch.cat([values, values.new_zeros((1, *values.shape[1:]))])[rows].sum(1)


def _moved(U: Tensor, of_point: Tensor, values: Tensor, image: Tensor) -> Tensor:
    """sum_i U_i(z) values_i(image of b_i by x) for every x and z: [n, n].

    For each point b the sums D_b(p, z) over its readings; then for each x the sum of D_b(x^-1 b, z) over points.
    """
    padded = torch.cat([values, values.new_zeros((1, values.shape[1]))])[of_point]  # [points, ..., points]
    D = padded.mT @ torch.cat([U, U.new_zeros((1, U.shape[1]))])[of_point]  # [b, p, z]
    return D[torch.arange(len(image), device=image.device)[:, None], image].sum(0)
