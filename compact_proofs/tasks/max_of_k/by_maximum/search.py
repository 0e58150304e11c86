"""Hints: the hardest rivals of each maximum, and its groups of queries. Float arithmetic, untrusted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from compact_proofs.bounds.ranges import largest_by_group
from compact_proofs.searches import cluster_rows
from compact_proofs.tasks.max_of_k.additive.grid import count_classes, on_grid
from compact_proofs.tasks.max_of_k.by_maximum.pairs import PairTable
from compact_proofs.tasks.max_of_k.by_maximum.paths import Written
from compact_proofs.tasks.max_of_k.by_maximum.rows import SomeRows

NEAREST = 3
"""Rows that a row may be merged with, of those of its maximum: the most alike."""
MOST = 64
"""Rows of one maximum that are merged; of more queries, those that are alike begin together."""
BATCH = 2**14
"""Rows that are counted at once."""
EACH = 40_000
"""What trying a row takes, as a number of operations of the same time."""


def hardest_rivals(w: Written, least: int, G: int, n: int) -> Tensor:
    """For each maximum, n outputs without which the bound of all others together is lowest, int64 [maxima, n].

    One after another: of those that are largest for some token of the window, the one without which the ratios add up to least.
    """
    v = w.EUPU.shape[1]
    m = torch.arange(least, v)
    token = (m[:, None] - w.start - torch.arange(G + 1)).clamp(min=0)
    high, low = w.EUPU.amax(0) + w.PVOU.amax(0), w.EUPU.amin(0) + w.PVOU.amin(0)
    base = w.EVOU[token, m[:, None]] + low[m][:, None]
    harm = (w.EVOU + high)[token] - base[:, :, None]  # [maxima, G + 1, v]
    harm[torch.arange(len(m)), :, m] = -torch.inf
    harm = harm.nan_to_num(nan=0.0, neginf=-torch.inf)
    found = []
    for _ in range(n):
        worst = harm.argmax(2)  # [maxima, G + 1]
        without = harm[:, None].expand(-1, G + 1, -1, -1).clone()
        without.scatter_(3, worst[:, :, None, None].expand(-1, -1, G + 1, 1), -torch.inf)
        top = without.amax(3)  # [maxima, candidate, G + 1]
        ratios = top[:, :, 1:].clamp(min=0).sum(2) / (-top[:, :, 0]).clamp(min=1e-3)
        chosen = worst.gather(1, ratios.argmin(1, keepdim=True))
        found.append(chosen)
        harm.scatter_(2, chosen[:, :, None].expand(-1, G + 1, 1), -torch.inf)
    return torch.cat(found, 1)


@dataclass
class _Merging:
    """Rows of one maximum while they are merged.

    Attributes
    ----------
    numbers, members, proven
        Of all rows so far: [rows, ...], bool [rows, v], and what each proves.
    alive
        The rows that were not merged into others.
    queries
        How many queries there are: m + 1.
    merged
        What the rows that two of them would make prove.
    totals, groups
        For each number of rows that there were: what they proved together, and the row of each query.
    """

    numbers: Tensor
    members: Tensor
    proven: list[float]
    alive: list[int]
    queries: int
    merged: dict[tuple[int, int], float] = field(default_factory=dict)
    totals: dict[int, float] = field(default_factory=dict)
    groups: dict[int, Tensor] = field(default_factory=dict)

    def note(self) -> None:
        """Remember the rows that there are."""
        n = len(self.alive)
        self.totals[n] = sum(self.proven[row] for row in self.alive)
        self.groups[n] = self.members[self.alive].to(torch.int64).argmax(0)[: self.queries]


def operations(v: int, least: int) -> int:
    """What `grouping` takes, about: every row is tried with those most alike, and so is every row that two of them become."""
    return EACH * 2 * NEAREST * sum(min(m + 1, MOST) for m in range(least, v))


def grouping(table: PairTable, K: int, steps: int, reach: int, rows: int) -> tuple[Tensor, Tensor]:
    """Merge the queries of every maximum, the pair of rows first that loses least, and give `rows` rows to the maxima.

    How many rows of each maximum prove most together is found by dynamic programming over the maxima.

    Returns
    -------
    further, group_of
        As `RowsByMaximum.of` reads them.
    """

    def count(m: Tensor, numbers: Tensor, members: Tensor) -> list[float]:
        proven: list[float] = []
        for some, largest in zip(_batches(m, members), numbers.split(BATCH), strict=True):
            tuples, queries = count_classes(on_grid(table.symbols(largest, some), steps, reach), some, K, np.float64)
            proven += (tuples * queries).sum(1).tolist()
        return proven

    maxima = list(range(table.least, table.d_vocab))
    states = _unmerged(table, count)
    asked = [_alike(s, s.alive) for s in states]
    while any(asked):
        pairs = [(i, a, b) for i, some in enumerate(asked) for a, b in some]
        m = torch.tensor([maxima[i] for i, _, _ in pairs])
        numbers = torch.stack([torch.maximum(states[i].numbers[a], states[i].numbers[b]) for i, a, b in pairs])
        members = torch.stack([states[i].members[a] | states[i].members[b] for i, a, b in pairs])
        for (i, a, b), proven in zip(pairs, count(m, numbers, members), strict=True):
            states[i].merged[a, b] = proven
        asked = [_alike(s, _merge(s)) for s in states]
    totals = [[s.totals[n] for n in range(1, len(s.totals) + 1)] for s in states]
    share = _shares(totals, min(rows, sum(len(t) for t in totals)))
    further = [m for m, n in zip(maxima, share, strict=True) for _ in range(n - 1)]
    further += [maxima[-1]] * (rows - len(maxima) - len(further))  # rows without queries
    return torch.tensor(further, dtype=torch.int64), torch.cat([s.groups[n] for s, n in zip(states, share, strict=True)])


def _batches(m: Tensor, members: Tensor) -> list[SomeRows]:
    return [SomeRows(some, theirs) for some, theirs in zip(m.split(BATCH), members.split(BATCH), strict=True)]


def _unmerged(table: PairTable, count: Callable[[Tensor, Tensor, Tensor], list[float]]) -> list[_Merging]:
    """Every query in a row of its own, or the `MOST` clusters of them that are most alike."""
    states, sizes = [], range(table.least + 1, table.d_vocab + 1)
    for numbers, queries in zip(table.numbers.split(list(sizes)), sizes, strict=True):
        group = torch.arange(queries)
        if queries > MOST:
            group = cluster_rows(numbers, MOST, rounds=5).unique(return_inverse=True)[1]
        n = int(group.max()) + 1
        members = torch.zeros(n, table.d_vocab, dtype=torch.bool)
        members[group, torch.arange(queries)] = True
        states.append(_Merging(largest_by_group(numbers, group, n), members, [], list(range(n)), queries))
    m = torch.cat([torch.full((len(s.alive),), s.queries - 1) for s in states])
    proven = iter(count(m, torch.cat([s.numbers for s in states]), torch.cat([s.members for s in states])))
    for s in states:
        s.proven = list(itertools.islice(proven, len(s.alive)))
        s.note()
    return states


def _alike(s: _Merging, rows: list[int]) -> list[tuple[int, int]]:
    """Pairs of some rows with those most alike: what the merged row's numbers exceed those of its queries by, added up."""
    if len(s.alive) < 2:
        return []
    numbers, size = s.numbers[s.alive], s.members[s.alive].sum(1)
    found = set()
    for a in rows:
        excess = numbers - s.numbers[a]
        distance = size * (-excess).clamp(min=0).sum(1) + s.members[a].sum() * excess.clamp(min=0).sum(1)
        nearest = distance.nan_to_num(nan=torch.inf).argsort(stable=True)[: NEAREST + 1].tolist()
        others = [s.alive[j] for j in nearest if s.alive[j] != a][:NEAREST]
        found |= {(min(a, b), max(a, b)) for b in others}
    return sorted(found - set(s.merged))


def _merge(s: _Merging) -> list[int]:
    """Merge the two rows that lose least by it; the number of the new row, or none where one is left."""
    if len(s.alive) < 2:
        return []
    a, b = min(s.merged, key=lambda pair: (s.proven[pair[0]] + s.proven[pair[1]] - s.merged[pair], pair))
    new = len(s.numbers)
    s.numbers = torch.cat([s.numbers, torch.maximum(s.numbers[a], s.numbers[b])[None]])
    s.members = torch.cat([s.members, (s.members[a] | s.members[b])[None]])
    s.proven.append(s.merged[a, b])
    s.merged = {pair: found for pair, found in s.merged.items() if not {a, b} & set(pair)}
    s.alive = [row for row in s.alive if row not in (a, b)] + [new]
    s.note()
    return [new]


def _shares(totals: list[list[float]], rows: int) -> list[int]:
    """How many rows each maximum gets, `rows` together, at least one each, so that what is proven adds up to most."""
    best, choices = np.zeros(1), []
    for total in totals:
        n = len(best) + len(total) - 1
        table = np.full((len(total), min(n, rows + 1)), -np.inf)
        for k, proven in enumerate(total):
            upto = max(min(len(best), table.shape[1] - k), 0)
            table[k, k : k + upto] = best[:upto] + proven
        choices.append(table.argmax(0))
        best = table.max(0)
    share, left = [], rows - len(totals)
    for choice in reversed(choices):
        k = int(choice[left])
        share.append(k + 1)
        left -= k
    return share[::-1]
