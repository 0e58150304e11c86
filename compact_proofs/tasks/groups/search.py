"""The search for circuits in weights: free and untrusted; what it finds is checked by `circuits` and bounded by `errors`.

If l_b(x) = alpha(x^-1 b), then l_gb(x) = l_b(g^-1 x): the neurons of a circuit are left translates of each other on the left side,
and likewise right translates on the right side, r_gc(y) = r_c(y g). So

1. correlate every neuron with every translate of every other, on both sides;
2. group neurons that are translates, or negatives of translates, of the strongest neuron left, on both sides;
3. take as points the cosets of its stabiliser, and give each neuron its pair of points;
4. fit factors, shifts, alpha and beta to the neurons in turn, and gamma to their output weights (`fitting`);
5. keep the circuits that make the certificate's slack larger than treating their neurons as unexplained;
6. do so with strict and with loose correlations, and with weights of the points of no side, of the left, and of the right, until an
   explanation proves everything; else take the best.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from compact_proofs.tasks.groups.circuits import POINTS_PER_ELEMENT
from compact_proofs.tasks.groups.fitting import Fit, Weights, fit, with_gamma
from compact_proofs.tasks.groups.group import Group

FAINT = 1e-3
"""Neurons weaker than this share of the strongest are left alone."""
ALIKE = (0.99, 0.95, 0.9, 0.8)
"""Correlations from which neurons are taken to be translates, strict first."""
STABLE = (0.98, 0.95, 0.9, 0.8, 0.6)
"""Correlations from which a translate is taken to be the neuron itself, strict first."""
GAIN = 0.02
"""A less simple explanation must score more by this share of what is enough."""
SECONDS = 30.0
"""Time limit of fitting, and of choosing: what is not reached by then stays unexplained, or stays in, or untried."""


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


def find_fits(w: Weights, thresholds: Sequence[float] = ALIKE) -> list[Fit]:
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
        near = ((free & (alike[i] > t)).nonzero().flatten() for t in thresholds)
        members = next((found for found in near if len(found) > 1), torch.tensor([i]))
        members = torch.cat([torch.tensor([i]), members[members != i]])
        free[members] = False
        acts = [_cosets(group, _stabiliser(group, side[:, i, i])) for side in (left, right)]
        points += max(map(len, acts))
        if points > POINTS_PER_ELEMENT * group.order:
            break
        # The strongest neuron's points are number 0; a neuron that is the translate by g of it has the points g 0.
        b, c = (act[0, (sign[i, members] * side[:, i, members]).argmax(0)] for act, side in zip(acts, (left, right), strict=True))
        opposite = [_opposite(act, side[:, i, i]) for act, side in zip(acts, (left, right), strict=True)]
        fits.append(fit(w, acts[0][:, group.inverse], acts[1], alive[members], b, c, sign[i, members], opposite))
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
        "left_weights": [torch.zeros(0, 2, dtype=torch.float64)],
        "right_weights": [torch.zeros(0, 2, dtype=torch.float64)],
        "readings": [torch.zeros(0, 3, dtype=torch.int64)],
        "reading_values": [torch.zeros(0, 2, dtype=torch.float64)],
    }
    P = Q = 0
    for i, f in enumerate(fits):
        for name, image, first in (("left", f.left_image, P), ("right", f.right_image, Q)):
            lists[name].append(torch.cat([torch.full((len(image), 1), i), image + first], 1))
        lists["left_values"].append(f.alpha)
        lists["right_values"].append(torch.stack([f.beta, f.gamma[0]], 1))
        if f.weights is not None:
            lists[f"{f.weighted}_weights"].append(f.weights)
        lists["readings"].append(torch.stack([f.neurons, f.b + P, f.c + Q], 1))
        lists["reading_values"].append(torch.stack([f.factor, f.share], 1))
        shifts[f.neurons] = f.shift
        P, Q = P + len(f.left_image), Q + len(f.right_image)
    return {name: torch.cat(parts) for name, parts in lists.items()} | {"shifts": shifts}


def variants(w: Weights) -> Iterator[list[Fit]]:
    """Step 6: lists of circuits to choose from, the simplest first."""
    strict, loose = find_fits(w), find_fits(w, ALIKE[-1:])
    for fits in (strict, loose) if len(loose) < len(strict) else (strict,):
        yield fits
        yield [with_gamma(w, f, "left") for f in fits]
        yield [with_gamma(w, f, "right") for f in fits]


def choose(w: Weights, score: Callable[[list[Fit]], float], enough: float) -> list[Fit]:
    """Steps 5 and 6: the circuits that reach `enough` first, or those whose score is the highest found, by `GAIN` at least."""
    end = time.monotonic() + SECONDS
    best: list[Fit] = []
    highest = float("-inf")
    for fits in variants(w):
        found, reached = _without_the_useless(fits, score, end)
        if reached > highest + GAIN * enough or not best:
            best, highest = found, reached
        if highest >= enough or time.monotonic() > end:
            break
    return best


def _without_the_useless(fits: list[Fit], score: Callable[[list[Fit]], float], end: float) -> tuple[list[Fit], float]:
    """Leave out, one after another, the circuits without which the score is at least as high, the weakest first."""
    kept = list(fits)
    highest = score(kept)
    for f in reversed(fits):
        fewer = [g for g in kept if g is not f]
        if time.monotonic() > end or not fewer:
            break
        if (reached := score(fewer)) >= highest:
            kept, highest = fewer, reached
    return kept, highest


def row_space(w: Weights, fits: list[Fit]) -> Tensor:
    """An orthonormal basis [q, n] of the functions of z that the ideal neurons write, less their means."""
    rows = [f.gamma[:, f.right_image].flatten(0, 1) for f in fits]
    if not rows:
        return torch.zeros(0, w.group.order, dtype=torch.float64)
    written = torch.cat(rows)
    _, size, basis = torch.linalg.svd(written - written.mean(1, keepdim=True), full_matrices=False)
    return basis[size > 1e-9 * size[0]]
