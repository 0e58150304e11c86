"""The search for circuits in weights: free and untrusted; what it finds is checked by `circuits` and bounded by `errors`, `gaps`.

If a neuron sees x as the point x^-1 b, and y as y c, then l is constant on the sets of x that take b to one point, and r likewise;
and if it writes gamma(b, z c), a neuron at (g b, h c) writes the same at g^-1 z h. So

1. find the stabilisers of the neurons: the translates l(g^-1 x) that are about l(x), and r(y g) that are about r(y);
2. take as points the cosets of the strongest neuron's stabilisers, and as its circuit all neurons that see points of these and
   write about a translate of what it writes, or its negative; then go on with the strongest neuron left;
3. fit gamma and scales to their output weights (`fitting`); where pairs of points are missing, read neurons in every way that the
   symmetries of the points allow;
4. keep the circuits that make the certificate's slack larger than treating their neurons as unexplained;
5. do so with tables compared over all pairs of points, for each left point, and for each right point, until an explanation proves
   everything; else take the best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compact_proofs.algebra.group import Group
from compact_proofs.tasks.groups.circuits import ALIKE, POINTS_PER_ELEMENT, READINGS, Alike, check_circuits
from compact_proofs.tasks.groups.errors import sums_of
from compact_proofs.tasks.groups.fitting import Fit, Weights, fit, read_in_every_way

FAINT = 1e-3
"""Neurons weaker than this share of the strongest are left alone."""
STABLE = (0.98, 0.95, 0.9, 0.8, 0.6)
"""Correlations from which a translate is taken to be the neuron itself, strict first."""
BLUR = 0.05
"""A neuron sees points if its variance within them is at most this share of all (or not much more than the least share)."""
WRITES = 0.7
"""Correlation of what a neuron writes with a translate, from which it is taken for one."""
EVEN = 0.3
"""Tables are evened out if their component along the mean is at least this share of it."""
GAIN = 0.02
"""A less simple explanation must score more by this share of what is enough."""
OPERATIONS = 12 * 10**9
"""What finding circuits may take, and again what choosing among them may: what is not reached stays unexplained, or stays in, or
untried. It is some 30 seconds of one core, 50 times what the zoo's networks need."""
EACH = 5 * 10**6
"""What a score costs beside its operations: some hundred calls, whose time is that of so many operations."""


@dataclass(frozen=True)
class Found:
    """Circuits, and which of their tables are alike."""

    fits: list[Fit]
    alike: Alike


def translates(values: Tensor, index: Tensor) -> Tensor:
    """Correlations [n, k] of values[index[g]] of neuron i with itself, for every g and i.

    Parameters
    ----------
    values : [n, k]
        A function on the group for each neuron; its mean is taken off.
    index : int [n, n]
        The element at which the g-th translate takes the value that it has at x.
    """
    centred = values - values.mean(0)
    unit = centred / centred.norm(dim=0).clamp_min(1e-30)
    return (unit[index] * unit).sum(1)


def find_fits(w: Weights) -> list[Fit]:
    """Steps 1 to 3: circuits that explain the neurons that are not faint, strongest first."""
    group, strength = w.group, w.strength
    alive = (strength > FAINT * strength.max()).nonzero().flatten()
    alive = alive[strength[alive].argsort(descending=True)]
    left = translates(w.left[:, alive], group.table[group.inverse])  # l(g^-1 x)
    right = translates(w.right[:, alive], group.table.T)  # r(y g)
    fits, free = [], torch.ones(len(alive), dtype=torch.bool)
    points = spent = 0
    for i in range(len(alive)):
        if not free[i]:
            continue
        acts = [_cosets(group, _stabiliser(group, side[:, i])) for side in (left, right)]
        points += max(map(len, acts))
        mine = free.nonzero().flatten()
        spent += 2 * (len(mine) + 1) * len(acts[0]) * len(acts[1]) * group.order  # comparing outputs with translates in `_members`
        if points > POINTS_PER_ELEMENT * group.order or spent > OPERATIONS:
            break
        mine = torch.cat([torch.tensor([i]), mine[mine != i]])
        circuit = _members(w, acts, alive[mine])
        free[mine[torch.isin(alive[mine], circuit.neurons)]] = False
        fits.append(circuit)
    return fits


def _members(w: Weights, acts: list[Tensor], neurons: Tensor) -> Fit:
    """The circuit of the first of some neurons: step 2. `acts` are g p for the cosets of its stabilisers; it is at points 0."""
    table, inverse = w.group.table, w.group.inverse
    images = acts[0][:, inverse], acts[1]
    U = w.output[neurons]
    unit = U / U.norm(dim=1, keepdim=True).clamp_min(1e-30)
    # What a neuron at (g b_0, h c_0) writes, if the first writes U_0 at (b_0, c_0): U_0(g^-1 z h), averaged over stabilisers.
    kept = [(act[0] == 0).nonzero().flatten() for act in acts]
    average = U[0][table[table[kept[0]][:, :, None], kept[1]]].mean((0, 2))
    g, h = (torch.tensor([int((act[0] == p).nonzero()[0]) for p in range(len(act))]) for act in acts)
    written = average[table[table[inverse[g]][:, :, None], h]].transpose(1, 2)  # [P, Q, z]
    written = written.flatten(0, 1) / written.norm(dim=2).flatten()[:, None].clamp_min(1e-30)
    agree = unit @ written.T  # [k, P Q]
    sees = [_sees(side[:, neurons].T, image) for side, image in zip((w.left, w.right), images, strict=True)]
    allowed = (sees[0][:, :, None] & sees[1][:, None]).flatten(1)
    best, place = agree.abs().masked_fill(~allowed, -1.0).max(1)
    best[0], place[0] = 1.0, 0
    mine, sign = best > WRITES, agree.gather(1, place[:, None]).squeeze(1).sign()
    b, c = place // len(h), place % len(h)
    return fit(w, images, neurons[mine], b[mine], c[mine], torch.ones(int(mine.sum()), dtype=U.dtype), sign[mine])


def _sees(values: Tensor, image: Tensor) -> Tensor:
    """bool [k, points]: are functions about constant where the image of a point is one point, and not less so than of other points?

    Parameters
    ----------
    values : [k, n]
    image : int [points, n]
    """
    centred = values - values.mean(1, keepdim=True)
    whole = centred.square().sum(1).clamp_min(1e-30)
    within = []
    for row in image:
        means = torch.zeros(len(values), len(image), dtype=values.dtype).index_add(1, row, centred)
        sizes = torch.bincount(row, minlength=len(image)).clamp_min(1)
        within.append(1 - (means.square() / sizes).sum(1) / whole)
    blur = torch.stack(within, 1)
    return (blur < max(BLUR, 1.5 * float(blur[0, 0]))) & (blur < 1.5 * blur.amin(1, keepdim=True) + 1e-3)


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


def describe(w: Weights, found: Found) -> dict[str, Tensor]:
    """The explanation that holds these circuits (`circuits.circuit_specs`)."""
    n = w.group.order
    lists: dict[str, list[Tensor]] = {
        "left": [torch.zeros(0, n + 1, dtype=torch.int64)],
        "right": [torch.zeros(0, n + 1, dtype=torch.int64)],
        "gamma": [torch.zeros(0, dtype=torch.float64)],
        "readings": [torch.zeros(0, 3, dtype=torch.int64)],
        "reading_values": [torch.zeros(0, 2, dtype=torch.float64)],
    }
    P = Q = 0
    for i, f in enumerate(found.fits):
        for name, image, first in (("left", f.left_image, P), ("right", f.right_image, Q)):
            lists[name].append(torch.cat([torch.full((len(image), 1), i), image + first], 1))
        lists["gamma"].append(f.gamma[0])
        lists["readings"].append(torch.stack([f.neurons, f.b + P, f.c + Q], 1))
        lists["reading_values"].append(torch.stack([f.scale, f.share], 1))
        P, Q = P + len(f.left_image), Q + len(f.right_image)
    joined = {name: torch.cat(parts) for name, parts in lists.items()}
    return joined | {"alike": torch.tensor([ALIKE.index(found.alike)]), "shifts": balanced_shifts(w)}


def variants(w: Weights) -> Iterator[Found]:
    """Step 5: what to choose from, the simplest first."""
    fits = [read_in_every_way(w, f, READINGS) if f.missing else f for f in find_fits(w)]
    for alike in ALIKE:
        yield evened(w, Found(fits, alike))


def evened(w: Weights, found: Found) -> Found:
    """Scale readings so that tables that are to be alike have the same component along their mean.

    What is taken from or given to a scale is left in the rest of the neurons' output weights, where it counts less.
    """
    circuits = check_circuits(describe(w, found), w.group)
    if circuits is None:
        return found
    fits = []
    for f, circuit in zip(found.fits, circuits.circuits, strict=True):
        _, tables = sums_of(circuit, found.alike, torch.stack([w.left, w.right]), w.output, exact=False)
        classes = circuit.alike_pairs(found.alike)
        padded = torch.cat([tables, torch.zeros_like(tables[:1])])[classes]  # [classes, ..., P, Q]
        there = (classes < len(tables)).sum(1)
        mean = padded.sum(1) / there.clamp_min(1)[:, None, None]
        along = (padded * mean[:, None]).sum((2, 3)) / mean.square().sum((1, 2))[:, None].clamp_min(1e-300)
        of_pair = torch.ones(len(tables) + 1, dtype=tables.dtype).index_put((classes,), along)
        of_reading = of_pair[circuit.place[circuit.b, circuit.c]]
        fits.append(replace(f, scale=f.scale / torch.where(of_reading > EVEN, of_reading, 1.0)))
    return Found(fits, found.alike)


def choose(w: Weights, score: Callable[[Found], Tensor | None], enough: float) -> Found:
    """Steps 4 and 5: what reaches `enough` first, or that whose score is the highest, by `GAIN` at least; None scores least."""
    best, highest = Found([], "all"), float("-inf")
    priced = _Priced(score, w)
    for found in variants(w):
        kept, reached = _without_the_useless(found, priced)
        if reached > highest + GAIN * enough or not best.fits:
            best, highest = kept, reached
        if highest >= enough or priced.left <= 0:
            break
    return best


class _Priced:
    """A score that knows what is left of the operations that all its calls may take.

    A score is taken to cost O(n^2) operations for each neuron and for each point of a circuit, as the proof does.
    """

    def __init__(self, score: Callable[[Found], Tensor | None], w: Weights) -> None:
        self.score, self.left = score, OPERATIONS
        self.pairs, self.neurons = w.group.order**2, w.output.shape[0]

    def __call__(self, found: Found) -> float:
        points = sum(len(f.left_image) + len(f.right_image) for f in found.fits)
        self.left -= EACH + self.pairs * (self.neurons + points)
        value = self.score(found)
        return float("-inf") if value is None else float(value)


def _without_the_useless(found: Found, score: _Priced) -> tuple[Found, float]:
    """Leave out, one after another, the circuits without which the score is at least as high, the weakest first."""
    kept, highest = found, score(found)
    for f in reversed(found.fits):
        fewer = Found([g for g in kept.fits if g is not f], found.alike)
        if score.left <= 0 or not fewer.fits:
            break
        if (reached := score(fewer)) >= highest:
            kept, highest = fewer, reached
    return kept, highest
