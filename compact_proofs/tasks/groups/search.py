"""The search for circuits in weights: free and untrusted; what it finds is checked by `circuits` and bounded by `errors`.

If l_b(x) = alpha(x^-1 b), then l_gb(x) = l_b(g^-1 x): the neurons of a circuit are left translates of each other on the left side,
and likewise right translates on the right side, r_gc(y) = r_c(y g). So

1. correlate every neuron with every translate of every other, on both sides;
2. group neurons that are translates, or negatives of translates, of the strongest neuron left, on both sides;
3. take as points the cosets of its stabiliser, and give each neuron its pair of points;
4. fit factors, shifts, alpha and beta to the neurons in turn, and gamma to their output weights;
5. keep the circuits that make the certificate's slack larger than treating their neurons as unexplained.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.circuits import POINTS_PER_ELEMENT
from compact_proofs.tasks.groups.group import Group, group_of

FAINT = 1e-3
"""Neurons weaker than this share of the strongest are left alone."""
ALIKE = (0.99, 0.95, 0.9, 0.8)
"""Correlations from which neurons are taken to be translates, strict first."""
STABLE = (0.98, 0.95, 0.9, 0.8, 0.6)
"""Correlations from which a translate is taken to be the neuron itself, strict first."""
ROUNDS = 20
"""Rounds of the alternating fit."""
SECONDS = 30.0
"""Time limit of fitting, and of choosing: what is not reached by then stays unexplained, or stays in."""


@dataclass
class Fit:
    """One circuit, with sets of points G / H and G / K and the readings of neurons as its ideal ones.

    Attributes
    ----------
    left_image, right_image : int [points, n]
        x^-1 b and y c.
    neurons, b, c : int [k]
        Numbers of the neurons, and their points; a neuron is there twice if it is read as two ideal neurons.
    factor, share : [k]
        See `circuits.circuit_specs`.
    shift : [k]
        Of the neurons.
    alpha, beta
        Of the points.
    gamma : [left points, right points]
        Invariant under the group.
    """

    left_image: Tensor
    right_image: Tensor
    neurons: Tensor
    b: Tensor
    c: Tensor
    factor: Tensor
    share: Tensor
    shift: Tensor
    alpha: Tensor
    beta: Tensor
    gamma: Tensor


@dataclass(frozen=True)
class Weights:
    """Float64 copies of what a search reads: l, r [n, m], U [m, n] with each row's mean taken off, and the group."""

    left: Tensor
    right: Tensor
    output: Tensor
    group: Group

    @classmethod
    def of(cls, model: PairMLP) -> Weights:
        """Fold and copy."""
        double = copy.deepcopy(model).double().cpu()
        with torch.no_grad():
            U = double.U
            return cls(double.left(), double.right(), U - U.mean(1, keepdim=True), group_of(double.table))

    @property
    def strength(self) -> Tensor:
        """[m]: how much a neuron moves its inputs, times how much it moves the logits."""
        moved = torch.sqrt(self.left.var(0, correction=0) + self.right.var(0, correction=0))
        return moved * self.output.norm(dim=1)


def translates(values: Tensor, index: Tensor) -> Tensor:
    """Correlations [n, k, k] of values[index[g]] of neuron i with neuron j, for every g, i and j.

    Parameters
    ----------
    values : [n, k]
        A function on the group for each neuron; its mean is taken off.
    index : int [n, n]
        The element at which the g-th translate takes the value that it has at x.
    """
    centred = values - values.mean(0)
    unit = centred / centred.norm(dim=0).clamp_min(1e-30)
    return torch.einsum("gxi,xj->gij", unit[index], unit)


def find_fits(w: Weights) -> list[Fit]:
    """Steps 1 to 4: circuits that explain the neurons that are not faint, strongest first."""
    group, strength = w.group, w.strength
    alive = (strength > FAINT * strength.max()).nonzero().flatten()
    alive = alive[strength[alive].argsort(descending=True)]
    left = translates(w.left[:, alive], group.table[group.inverse])  # l(g^-1 x)
    right = translates(w.right[:, alive], group.table.T)  # r(y g)
    # A neuron is alike if it is a translate, or the negative of a translate, on both sides.
    signed = [torch.minimum((sign * left).amax(0), (sign * right).amax(0)) for sign in (1, -1)]
    sign = torch.where(signed[0] >= signed[1], 1, -1)
    alike = torch.maximum(*signed)
    fits, free = [], torch.ones(len(alive), dtype=torch.bool)
    points, end = 0, time.monotonic() + SECONDS
    for i in range(len(alive)):
        if not free[i]:
            continue
        if time.monotonic() > end:
            break
        members = next(found for t in ALIKE if len(found := (free & (alike[i] > t)).nonzero().flatten()) > 1 or t == ALIKE[-1])
        members = torch.cat([torch.tensor([i]), members[members != i]])
        free[members] = False
        acts = [_cosets(group, _stabiliser(group, side[:, i, i])) for side in (left, right)]
        points += max(map(len, acts))
        if points > POINTS_PER_ELEMENT * group.order:
            break
        # The strongest neuron's points are number 0; a neuron that is the translate by g of it has the points g 0.
        b, c = (act[0, (sign[i, members] * side[:, i, members]).argmax(0)] for act, side in zip(acts, (left, right), strict=True))
        opposite = [_opposite(act, side[:, i, i]) for act, side in zip(acts, (left, right), strict=True)]
        fits.append(_fit(w, acts[0][:, group.inverse], acts[1], alive[members], b, c, sign[i, members], opposite))
    return fits


def _opposite(act: Tensor, correlation: Tensor) -> Tensor | None:
    """int [points]: a map of the points that commutes with the group and takes a function to about its negative, or None."""
    g = int(correlation.argmin())
    if correlation[g] > -STABLE[2]:
        return None
    image = torch.zeros(len(act), dtype=torch.int64)
    image[act[0]] = act[act[0, g]]  # g' 0 to g' g 0
    return image if torch.equal(image[act], act[image]) and torch.equal(image[image], torch.arange(len(act))) else None


def _stabiliser(group: Group, correlation: Tensor) -> Tensor:
    """bool [n]: the largest subgroup whose elements leave a function about as it is; strict thresholds first."""
    for threshold in STABLE:
        kept = correlation > threshold
        kept[group.identity] = True
        inside = kept.nonzero().flatten()
        if bool(kept[group.table[inside[:, None], inside]].all()) and len(inside) > 1:
            return kept
    return group.closure(())


def _cosets(group: Group, subgroup: Tensor) -> Tensor:
    """int [|G / H|, n]: the number of the coset g p, for every left coset p of H and every g; H itself is number 0."""
    number = torch.full((group.order,), -1)
    representatives: list[int] = []
    inside = subgroup.nonzero().flatten()
    for g in [group.identity, *range(group.order)]:
        if number[g] < 0:
            number[group.table[g, inside]] = len(representatives)
            representatives.append(g)
    return number[group.table[:, representatives]].T.contiguous()


def _fit(
    w: Weights,
    left_image: Tensor,
    right_image: Tensor,
    neurons: Tensor,
    b: Tensor,
    c: Tensor,
    sign: Tensor,
    opposite: list[Tensor | None],
) -> Fit:
    """Least squares in turn for factors and shifts, and for alpha and beta; weighted by the squared norm of the output weights.

    If both sides have an opposite (alpha(-b) = -alpha(b), beta(-c) = -beta(c)), a neuron at (b, c) with the factor t is as well one
    at (-b, -c) with the factor -t, and half of it is read as each.
    """
    left, right, U = w.left[:, neurons].T, w.right[:, neurons].T, w.output[neurons]  # [k, n]
    at_left, at_right = left_image[b], right_image[c]  # [k, n]
    weight = U.square().sum(1, keepdim=True)
    size = left.var(1, keepdim=True) + right.var(1, keepdim=True)
    factor, shift = sign[:, None] * torch.sqrt(size / size[:1]), torch.zeros(len(neurons), 1, dtype=left.dtype)
    minus_b, minus_c = opposite
    for _ in range(ROUNDS):
        alpha = _mean_by(at_left, left - shift, factor, weight, len(left_image))
        beta = _mean_by(at_right, right + shift, factor, weight, len(right_image))
        if minus_b is not None and minus_c is not None:
            alpha, beta = (alpha - alpha[minus_b]) / 2, (beta - beta[minus_c]) / 2
        A, B = alpha[at_left], beta[at_right]
        factor = ((left - shift) * A + (right + shift) * B).sum(1, keepdim=True) / (A.square() + B.square()).sum(1, keepdim=True)
        shift = ((left - factor * A) - (right - factor * B)).mean(1, keepdim=True) / 2
    share = torch.ones_like(factor)
    if minus_b is not None and minus_c is not None:
        neurons, shift, U = (torch.cat([t, t]) for t in (neurons, shift, U))
        b, c = torch.cat([b, minus_b[b]]), torch.cat([c, minus_c[c]])
        factor, share = torch.cat([factor, -factor]), torch.cat([share, share]) / 2
    gamma = _gamma(w.group, left_image, right_image, b, c, share * factor.abs() * U)
    factor, share, shift = (t.flatten() for t in (factor, share, shift))
    return Fit(left_image, right_image, neurons, b, c, factor, share, shift, alpha, beta, gamma)


def _mean_by(place: Tensor, values: Tensor, factor: Tensor, weight: Tensor, points: int) -> Tensor:
    """The numbers a_p for which factor_i a_p is nearest to values_ix, where place_ix = p."""
    zero = torch.zeros(points, dtype=values.dtype)
    above = zero.index_add(0, place.flatten(), (weight * factor * values).flatten())
    below = zero.index_add(0, place.flatten(), (weight * factor.square()).expand_as(values).flatten())
    return above / below.clamp_min(1e-300)


def _gamma(group: Group, left_image: Tensor, right_image: Tensor, b: Tensor, c: Tensor, written: Tensor) -> Tensor:
    """Means over orbits of what the neurons of each pair of points write together: the nearest invariant gamma.

    Parameters
    ----------
    written : [k, n]
        What neuron i writes for each z, which gamma(b_i, z c_i) is to be near to.
    """
    P, Q = len(left_image), len(right_image)
    both = left_image[:, None, group.inverse] * Q + right_image  # [P, Q, n]: number of (g b, g c)
    _, orbit = both.amin(-1).flatten().unique(return_inverse=True)
    orbit = orbit.reshape(P, Q)
    total = torch.zeros(P, Q, group.order, dtype=written.dtype).index_put((b, c), written, accumulate=True)
    target = orbit[torch.arange(P)[:, None, None], right_image]  # [P, Q, n]: the orbit of (b, z c)
    means = torch.zeros(int(orbit.max()) + 1, dtype=written.dtype).index_add(0, target.flatten(), total.flatten())
    return (means / torch.bincount(target.flatten()))[orbit]


def balanced_shifts(w: Weights) -> Tensor:
    """Shifts [m] that make the largest of l_i - s_i and of r_i + s_i equal."""
    return (w.left.amax(0) - w.right.amax(0)) / 2


def describe(w: Weights, fits: list[Fit]) -> dict[str, Tensor]:
    """The explanation that holds these circuits (`circuits.circuit_specs`)."""
    n = w.group.order
    shifts = balanced_shifts(w)
    lists: dict[str, list[Tensor]] = {
        "left": [torch.zeros(0, n + 1, dtype=torch.int64)],
        "left_values": [torch.zeros(0, dtype=torch.float64)],
        "right": [torch.zeros(0, n + 1, dtype=torch.int64)],
        "right_values": [torch.zeros(0, 2, dtype=torch.float64)],
        "readings": [torch.zeros(0, 3, dtype=torch.int64)],
        "reading_values": [torch.zeros(0, 2, dtype=torch.float64)],
    }
    P = Q = 0
    for i, f in enumerate(fits):
        for name, image, first in (("left", f.left_image, P), ("right", f.right_image, Q)):
            lists[name].append(torch.cat([torch.full((len(image), 1), i), image + first], 1))
        lists["left_values"].append(f.alpha)
        lists["right_values"].append(torch.stack([f.beta, f.gamma[0]], 1))
        lists["readings"].append(torch.stack([f.neurons, f.b + P, f.c + Q], 1))
        lists["reading_values"].append(torch.stack([f.factor, f.share], 1))
        shifts[f.neurons] = f.shift
        P, Q = P + len(f.left_image), Q + len(f.right_image)
    return {name: torch.cat(parts) for name, parts in lists.items()} | {"shifts": shifts}


def choose(w: Weights, fits: list[Fit], score: Callable[[dict[str, Tensor]], float]) -> list[Fit]:
    """Step 5: leave out, one after another, the circuits without which the score is higher, the weakest first."""
    kept = list(fits)
    best, end = score(describe(w, kept)), time.monotonic() + SECONDS
    for f in reversed(fits):
        if time.monotonic() > end:
            break
        fewer = [g for g in kept if g is not f]
        without = score(describe(w, fewer)) if fewer else float("-inf")
        if without >= best:
            kept, best = fewer, without
    return kept


def row_space(w: Weights, fits: list[Fit]) -> Tensor:
    """An orthonormal basis [q, n] of the functions of z that the ideal neurons write: z -> gamma(b, z c), less their means."""
    rows = [f.gamma[:, f.right_image].flatten(0, 1) for f in fits]
    if not rows:
        return torch.zeros(0, w.group.order, dtype=torch.float64)
    written = torch.cat(rows)
    _, size, basis = torch.linalg.svd(written - written.mean(1, keepdim=True), full_matrices=False)
    return basis[size > 1e-9 * size[0]]
