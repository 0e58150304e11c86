"""A simplicial cone divided into many, as an explanation says: that they are disjoint is checked, whatever it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from compact_proofs.cones.cone import Cones
from compact_proofs.cones.measure import share_constant
from compact_proofs.enclosure import lower, provably
from compact_proofs.length import charge_integers, unseen

UNIT = 2.0**-50
"""Coefficients of points are whole multiples of this."""
LARGEST = 2**52
"""The largest multiple."""
WIDEST = 8
"""Dimensions at most: determinants are sums over subsets of the coordinates."""


@dataclass(frozen=True)
class Triangulation:
    """Cones within one.

    Attributes
    ----------
    cones : S cones
        Their rays, and the absolute values of their determinants; 0 for a cone that does not count.
    excess : real []
        The measures of those that count, or of any of these, add up to no more than the measure of their union and this number.
    """

    cones: Cones
    excess: Tensor


def triangulate(root: Cones, inward: Tensor, points: Tensor, simplices: Tensor) -> Triangulation:
    """Divide one cone of R^n into those whose rays an explanation lists.

    Parameters
    ----------
    root
        One cone.
    inward : exactly known [n]
        A vector whose product with each of its rays is positive.
    points : int64 [V, n]
        Coefficients in its rays, in multiples of `UNIT`, from 0 to `LARGEST`.
    simplices : int64 [S, n]
        Which points are the rays of each cone, in an order that makes its determinant positive.

    Returns
    -------
    Triangulation
        Without any cone if the facets do not cancel, as the proof below asks.

    Notes
    -----
    *Theorem.* For any such numbers, take some of the cones that count, or parts of them: their measures add up to at most the
    measure of their union plus `excess`.

    *Proof.* Scale all points into the simplex D of coefficients with the sum 1. Each listed simplex T is then an oriented simplex
    in D. Let m(x) be the sum of the signs of the determinants of those T that hold x in their interior. That is the winding number
    about x of the chain of all boundaries, so it is constant on a connected set that the chain does not meet. `is_closed` checks
    that, for each facet (n - 1 points) not all of whose points have the same coefficient 0, the orientations add up to 0. So the
    chain lies in the boundary of D, and m is one number almost everywhere in D. The signed volumes of the simplices, relative to
    D's, are their determinants divided by the products of their points' sums, and add up to m, which is a whole number. So m <= 1
    if that sum is below 2, which is checked.

    The cones that count are those whose determinants are proven positive. Let p(x) of them hold x, and q(x) of the others. Then
    m <= 1 says p <= 1 + q. Of what is taken, p' <= p hold x, and the measure of the union is the integral of min(p', 1) >= p' - q.
    The integral of q is the sum of the measures of the others, at most `excess`: a cone with the rays V has the measure
    c (n-1)! |det V| times the integral of |x|^-n over the simplex between the rays (`compact_proofs.cones.measure`), whose
    measure is 1 / (n-1)!, and |x| >= g.x / |g| for g = `inward`, where g.x is at least the sum of x's coefficients times the
    least product of g with a ray of the root.

    *Cost.* n 2^n operations a cone for its determinant, 2 n^3 for its rays, about 4 n for the sums, and what `is_closed` costs.
    """
    n, device = root.n, root.rays.device
    if not is_closed(points, simplices):
        simplices = simplices[:0]
    P = (points[simplices].double() * UNIT).to(device)
    if not len(simplices):
        return Triangulation(Cones(P, P.new_zeros(0)), P.new_zeros(()))
    det, sums = determinants(P), P.sum(-1)
    once = provably((det / sums.prod(-1)).sum() < 2)
    counts = provably(det > 0) & once
    cones = Cones(P @ root.rays[0], torch.where(counts, det, 0.0) * root.volume)
    distance = (root.rays[0] @ inward).amin() / inward.square().sum().sqrt() * sums.amin(-1)
    others = det.abs() * root.volume / (distance**n * share_constant(n, device))
    return Triangulation(cones, torch.where(counts | ~once, 0.0, others).sum())


def determinants(matrices: Tensor) -> Tensor:
    """The determinants of real matrices [..., n, n], by minors of their first rows: n 2^n operations each."""
    n = matrices.shape[-1]
    minors = torch.ones_like(matrices[..., 0, :1])
    subsets: list[tuple[int, ...]] = [()]
    for row in range(n):
        place = {subset: i for i, subset in enumerate(subsets)}
        subsets = list(combinations(range(n), row + 1))
        below = torch.tensor([[place[s[:i] + s[i + 1 :]] for i in range(row + 1)] for s in subsets])
        signs = torch.tensor([(-1.0) ** (row + i) for i in range(row + 1)], dtype=torch.float64, device=matrices.device)
        entries = matrices[..., row, :][..., torch.tensor(subsets)]
        minors = (entries * minors[..., below] * signs).sum(-1)
    return minors[..., 0]


def is_closed(points: Tensor, simplices: Tensor) -> bool:
    """Do the facets of oriented simplices cancel, but for those on the boundary?

    Each simplex is a row of numbers of points, and each point a row of coefficients >= 0, not all 0. A facet lies on the boundary
    if one coefficient is 0 at all its points. The orientation of the facet without the k-th point is (-1)^k, times that of
    the order of the simplex's points. Says no also where a number is of no point, or a simplex has a point twice.

    *Cost.* Charged by number: to compare F = S n facets in sorted order, F (n + ceil(log2 F)) (n - 1) integers, and as many
    coefficients to look at.
    """
    V, (S, n) = len(points), simplices.shape
    F = S * n
    charge_integers(F * (n + max(F - 1, 1).bit_length()) * (n - 1) + F * n * (n - 1) + V * n)
    with unseen("an exact check of integers, charged by number"):
        zero, rows = (points == 0).numpy(), simplices.numpy()
        if S == 0 or bool(zero.all(1).any()) or int(rows.max()) >= V:
            return False
        order = rows.argsort(axis=1)
        rows = np.take_along_axis(rows, order, axis=1)
        if bool((rows[:, 1:] == rows[:, :-1]).any()):
            return False
        inversions = sum((order[:, :i] > order[:, i : i + 1]).sum(1) for i in range(1, n))
        facets = np.concatenate([np.delete(rows, k, axis=1) for k in range(n)])
        signs = np.concatenate([(-1) ** ((inversions + k) % 2) for k in range(n)])
        inner = ~zero[facets].all(1).any(1)
        return not _totals(facets[inner], signs[inner], V).any()


def _totals(rows: np.ndarray, numbers: np.ndarray, most: int) -> np.ndarray:
    """The sums of whole numbers that belong to equal rows of whole numbers from 0 to most - 1."""
    keys = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        if len(keys) and int(keys.max()) >= 2**62 // most:
            keys = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        keys = keys * most + column
    _, places = np.unique(keys, return_inverse=True)
    return np.bincount(places, weights=numbers)  # of sums below 2^53, exactly


@dataclass(frozen=True)
class Triangulated:
    """The cones of `triangulate` whose determinants are proven positive, as roots of trees (`compact_proofs.cones.region.Roots`).

    Attributes
    ----------
    inverse : exactly known [n, n]
        Of the one cone: ``inverse @ x`` are the coefficients of x in its rays, all multiplied by the same positive number.
    points : int64 [V, n]
    simplices : int64 [S, n]
        As in `triangulate`.
    """

    inverse: Tensor
    points: Tensor
    simplices: Tensor

    @property
    def n(self) -> int:
        return self.inverse.shape[-1]

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def _rows(self) -> Tensor:
        """The simplices, if `triangulate` takes them."""
        return self.simplices if is_closed(self.points, self.simplices) else self.simplices[:0]

    def coefficients(self, inputs: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """By Cramer's rule, in one cone that seems to hold an input."""
        at = provably(inputs @ self.inverse.T > 0).all(1).nonzero()[:, 0]
        inside = inputs[at] @ self.inverse.T
        if not len(at) or not len(self):
            return
        with unseen("a guess of the cone that holds an input, which is verified"):
            inverses = torch.linalg.inv_ex(self.points[self._rows].double()).inverse
            inverses = inverses.where(inverses.isfinite().flatten(1).all(1)[:, None, None], -1.0)  # of a flat one
            least = [torch.nn.functional.normalize(x @ inverses, dim=1).amin(1) for x in lower(inside)]
            root = torch.stack([found.argmax() for found in least])
        P, place = self.points[self._rows[root]].double() * UNIT, torch.arange(self.n)
        replaced = torch.where((place[:, None] == place)[None, :, :, None], inside[:, None, None, :], P[:, None])
        found = determinants(replaced)  # [K, n]: with x in place of the k-th ray
        known = (provably(determinants(P) > 0) & provably(found > 0).all(1)).nonzero()[:, 0]
        yield at[known], root[known], found[known]
