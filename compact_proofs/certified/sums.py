"""Sequences of a box at which sums of integers are positive, and three ways to count them.

A *row* of a box is a number c and, for each position i and token t, a number T_i[t]: it holds at a sequence x if

    c + T_1[x_1] + ... + T_n[x_n] > 0.                                                                              (1)

A box with rows stands for its sequences at which all rows hold. All numbers are integers, so (1) is decided exactly, and every way
of counting counts the same set:

* `directly`: the sums of all sequences at once, by broadcasting. For any number of rows.
* `by_halves`: positions in two halves; the sums of one are sorted, and those of the other looked up. One row.
* `on_grid`: with top = c + sum_i max T_i and deficits d_i[t] = max T_i - T_i[t] >= 0, (1) says that the sum of deficits is below
  top. How many sequences have each sum 0, 1, ..., top - 1 is counted position by position. One row, any number of positions; the
  numbers must be small, so that they are first made coarser (`coarser`), which loses sequences and adds none.

Of several rows the last two count the sequences that each *loses*, and take their sum off the box, which counts what two rows lose
twice; then the size is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from compact_proofs.certified.integers import NEVER
from compact_proofs.length import charge_integers
from compact_proofs.results import result_class

INT64_SAFE = 2**62
CHUNK = 2**22
"""Sums made at once."""


@result_class
@dataclass(frozen=True)
class SumBox:
    """The sequences of one box at which all rows hold.

    Attributes
    ----------
    tokens : list of int array
        The allowed tokens at each position.
    constant : int64 [R]
        c of each row.
    tables : list of int64 [R, k_i]
        T_i of each row, at the allowed tokens of position i.
    """

    tokens: list[np.ndarray]
    constant: np.ndarray
    tables: list[np.ndarray]

    @property
    def rows(self) -> int:
        """R."""
        return len(self.constant)

    @property
    def size(self) -> int:
        """Number of sequences of the box, whether the rows hold or not."""
        return math.prod(len(t) for t in self.tokens)

    @property
    def numbers(self) -> int:
        """Numbers in the rows."""
        return self.rows * (1 + sum(len(t) for t in self.tokens))

    def some(self, rows: np.ndarray) -> SumBox:
        """The same box with some of its rows, by their numbers."""
        return SumBox(self.tokens, self.constant[rows], [t[rows] for t in self.tables])

    def packed(self) -> SumBox:
        """The same numbers in as few bytes as hold them: of boxes that are kept there may be many thousands."""
        largest = max((int(np.abs(t).max(initial=0)) for t in self.tables), default=0)
        kind = next(kind for kind in (np.int16, np.int32, np.int64) if largest <= np.iinfo(kind).max)
        return SumBox(self.tokens, self.constant, [t.astype(kind) for t in self.tables])

    def holds(self, inputs: np.ndarray) -> np.ndarray:
        """Do all rows hold at sequences [N, n] of the box? bool [N]."""
        total = np.repeat(self.constant[:, None], len(inputs), 1)
        for i, tokens in enumerate(self.tokens):
            total = total + self.tables[i][:, np.searchsorted(tokens, inputs[:, i])]
        return np.all(total > 0, axis=0)

    def folded(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Constants, with the positions that allow one token added in, and the tables of the free positions, widest first."""
        constant, free = self.constant, []
        for table in self.tables:
            if table.shape[1] == 1:
                constant = constant + table[:, 0]
            else:
                free.append(table)
        charge_integers(self.rows * (len(self.tables) - len(free)))
        return constant, sorted(free, key=lambda t: -t.shape[1])


def directly(box: SumBox) -> int:
    """Count the sequences at which all rows hold. Cost: about 3 operations a row and sequence (addition, comparison, "and")."""
    return int(table_of(box).sum())


def table_of(box: SumBox) -> np.ndarray:
    """At which sequences all rows hold: bool [k_1, ..., k_n]. Cost as `directly`."""
    shape = [len(t) for t in box.tokens]
    good = np.ones(shape, dtype=bool)
    n = len(shape)
    for r in range(box.rows):
        total = np.full([1] * n, box.constant[r])
        for i in sorted(range(n), key=lambda i: shape[i]):
            total = total + box.tables[i][r].reshape([-1 if j == i else 1 for j in range(n)])
            charge_integers(total.size)
        good &= total > 0
    charge_integers((2 * box.rows + 1) * box.size)
    return good


def direct_cost(box: SumBox) -> int:
    """About what `directly` costs."""
    return (3 * box.rows + 1) * box.size


def _halves(free: list[int]) -> tuple[list[int], list[int]]:
    """Divide widths, widest first, in two with products as equal as they get by giving each to the smaller."""
    left: list[int] = []
    right: list[int] = []
    for i, width in enumerate(free):
        smaller = left if math.prod(free[j] for j in left) <= math.prod(free[j] for j in right) else right
        smaller.append(i)
        assert width > 0
    return left, right


def _sums(tables: list[np.ndarray]) -> np.ndarray:
    """All sums of one number from each table [k_i]: [product of k_i]."""
    total = np.zeros(1, dtype=np.int64)
    for table in tables:
        total = (total[:, None] + table).reshape(-1)
        charge_integers(total.size)
    return total


def by_halves(box: SumBox) -> int:
    """Count a lower bound of the sequences at which all rows hold (exactly, of one row).

    With a the sums of one half of the positions and b, sorted, those of the other: c + a_j + b_k > 0 exactly if b_k > -c - a_j, and
    bisection counts these k. Cost: for each row, |a| + |b| additions, |b| log |b| comparisons to sort and |a| (log |b| + 1) to look
    up.
    """
    constant, free = box.folded()
    left, right = _halves([t.shape[1] for t in free])
    size, lost = math.prod(t.shape[1] for t in free), 0
    for r in range(box.rows):
        a = constant[r] + _sums([free[i][r] for i in left])
        b = np.sort(_sums([free[i][r] for i in right]))
        charge_integers(2 * len(a) + len(b) * _log(len(b)) + len(a) * _log(len(b) + 1))
        lost += int(np.searchsorted(b, -a, side="right").sum(dtype=np.int64))  # b <= -a: not positive
    return max(size - lost, 0)


def halves_cost(box: SumBox) -> int:
    """About what `by_halves` costs."""
    widths = sorted((len(t) for t in box.tokens if len(t) > 1), reverse=True)
    left, right = _halves(widths)
    a, b = math.prod(widths[i] for i in left), math.prod(widths[i] for i in right)
    return box.rows * (3 * a + b + b * _log(b) + a * _log(b + 1))


def _log(n: int) -> int:
    return math.ceil(math.log2(max(n, 1)))


def coarser(box: SumBox, steps: int) -> SumBox:
    """Return a box whose rows hold at no more sequences, with top = c + sum_i max T_i at most `steps` in each row.

    With top and the deficits d_i[t] as in the module's docstring and m = ceil(top / steps): if the sum of ceil(d_i / m) is below
    ceil(top / m), it is below top / m, since it is an integer; so the sum of d_i is below top. Where top <= 0 no sequence is
    positive, and the row becomes one that never holds. Cost: two operations a number.
    """
    most = [t.max(1) for t in box.tables]
    top = box.constant + sum(most)
    m = np.maximum(-(-top // steps), 1)
    charge_integers(2 * (box.rows + sum(t.size for t in box.tables)))
    tables = [-(-(peak[:, None] - t) // m[:, None]) for t, peak in zip(box.tables, most, strict=True)]  # deficits, rounded up
    tables = [-np.minimum(t, np.maximum(-(-top // m), 0)[:, None]) for t in tables]  # a larger deficit says no more
    return SumBox(box.tokens, np.where(top > 0, -(-top // m), NEVER), tables)


def on_grid(box: SumBox) -> int:
    """Count a lower bound of the sequences at which all rows hold (exactly, of one row).

    For rows whose largest term at every position is 0, as `coarser` makes them, so that c is what the sum of deficits must stay
    below. N[s], the number of ways to have the sum s of deficits at the positions so far, starts as 1 at s = 0; m tokens with the
    same deficit d at the next position add m N[s] to the new N[s + d]. At the last position only the number of sums below c - d is
    looked up.

    Cost: for each row and position, k operations to gather equal deficits, and at most 2 c for each deficit below c.
    """
    constant, free = box.folded()
    lost = 0
    for r in range(box.rows):
        top, deficits = int(constant[r]), [-t[r] for t in free]
        lost += box.size - (_below(top, deficits) if top > 0 else 0)
    return max(box.size - lost, 0)


def _below(top: int, deficits: list[np.ndarray]) -> int:
    """In how many choices of one deficit (>= 0) from each table the sum is below `top`: 64 bits while they suffice, else any."""
    kind = np.int64 if math.prod(len(d) for d in deficits) < INT64_SAFE else object
    ways = np.zeros(top, dtype=kind)
    ways[0] = 1
    for table in deficits[:-1]:
        values, times = np.unique(table[table < top], return_counts=True)
        added = np.zeros_like(ways)
        for d, m in zip(values.tolist(), times.tolist(), strict=True):
            added[d:] += m * ways[: top - d]
        charge_integers(len(table) + 2 * top * len(values))
        ways = added
    if not deficits:
        return 1
    below = np.concatenate([np.zeros(1, dtype=kind), np.cumsum(ways, dtype=kind)])
    charge_integers(top + 2 * len(deficits[-1]))
    return int(below[np.clip(top - deficits[-1], 0, None)].sum())


def grid_cost(box: SumBox, steps: int) -> int:
    """About what `on_grid` costs, at most."""
    return box.rows * 2 * steps * sum(min(len(t), steps) for t in box.tokens if len(t) > 1)
