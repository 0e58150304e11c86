"""From additive lower bounds on boxes to the set of sequences at which they are positive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from compact_proofs.certified.base import Certified, Nothing, disjoint
from compact_proofs.certified.integers import MOST_POSITIONS, exponents, integers_below, lower_bounds
from compact_proofs.certified.sets import BoxSet, belongs
from compact_proofs.certified.sums import (
    SumBox,
    by_halves,
    coarser,
    direct_cost,
    directly,
    grid_cost,
    halves_cost,
    on_grid,
    table_of,
)
from compact_proofs.errors import BadInput
from compact_proofs.length import charge_integers, stage

MOST_AGAIN = 2**26
"""Operations that counting a box again may take, at most."""
STEPS = 512
"""Grid points of a row that is counted on a grid."""
LARGEST_MIXED = 2**24
"""Sequences of a box each of which is looked at, at most."""


def positive(
    constant: Tensor,
    tables: Tensor,
    masks: Tensor,
    rows: Tensor | None = None,
    *,
    steps: int = STEPS,
    exact: bool = False,
    worth: float = 0.0,
) -> Certified:
    """Return the sequences of disjoint boxes at which every row of their box is proven positive.

    A row is ``constant[b, r] + sum_i tables[b, r, i, x_i]``, as real numbers.

    Parameters
    ----------
    constant : real [B, R]
        Under the sound reading, Enclosures or exactly known.
    tables : real [B, R, n, v]
        Entries at tokens that the box does not allow are not read.
    masks : bool [B, n, v]
        The boxes; no two share an input.
    rows : bool [B, R], optional
        Which rows exist; the others say nothing. A box without rows belongs to the set as a whole.
    steps
        Grid points where rows are counted on a grid: more lose fewer sequences, and cost more.
    exact
        Count several rows of a box only directly, so that the set is `exact`.
    worth
        How many operations may be spent to count one more sequence: several rows are counted directly after all where the union
        bound may have lost enough.

    Returns
    -------
    Certified
        `Nothing` on meta tensors.

    Notes
    -----
    *Proof.* Lower bounds are rounded down to integers on a scale of their row (`integers_below`), so a positive sum of these
    integers proves the row. Rows whose least value on the box is positive drop out, and a box without rows left belongs to the set;
    a row whose largest value is not positive takes the box out. The other boxes are counted in the cheapest of the ways in `sums`,
    chosen by widths and numbers of rows.

    *Cost.* In the stage "worst case" 4 operations for each entry that is read (scaling, rounding, least, largest); then "counting".
    """
    if constant.is_meta:
        return Nothing()
    allowed = masks.cpu()
    exist = torch.ones(constant.shape, dtype=torch.bool) if rows is None else rows.cpu()
    with stage("worst case"):
        boxes = [_open_rows(box) for box in _read(constant, tables, allowed, exist)]
    whole = [b for b, box in enumerate(boxes) if box is not None and not box.rows]
    hard = {b: box for b, box in enumerate(boxes) if box is not None and box.rows}
    parts: list[Certified] = [BoxSet(allowed[whole])] if whole else []
    with stage("counting"):
        if hard:
            parts.append(_counted(allowed[list(hard)], list(hard.values()), steps, exact, worth))
        found = disjoint(parts)
        _ = found.size
    return found


def positive_tables(constant: Tensor, tables: Tensor, masks: Tensor, rows: Tensor) -> list[InBox]:
    """For each box, its sequences at which every row is proven positive: as `positive`, with a table that also says which are not.

    Raises
    ------
    BadInput
        If a box holds more than 2^24 sequences, since each is looked at.

    Notes
    -----
    *Cost.* The worst case as for `positive`; then about 3 operations for each row left and each sequence.
    """
    allowed = masks.cpu()
    with stage("worst case"):
        boxes = _read(constant, tables, allowed, rows.cpu())
        hard = [_open_rows(box) for box in boxes]
    found = []
    with stage("counting"):
        for mask, box, rest in zip(allowed, boxes, hard, strict=True):
            _small(box)
            shape = [len(t) for t in box.tokens]
            good = np.zeros(shape, dtype=bool) if rest is None else table_of(rest)
            found.append(InBox(mask, tuple(box.tokens), good))
    return found


def mixed_tables(
    constant: Tensor,
    tables: Tensor,
    masks: Tensor,
    row_labels: Tensor,
    labels: Callable[[Tensor], Tensor],
) -> list[InBox]:
    """For each box, the sequences at which every row *of their own label* is proven positive, with a table of those that are not.

    Parameters
    ----------
    constant, tables, masks
        As for `positive`.
    row_labels : int64 [B, R]
        The label that a row is about; -1 for rows that do not exist. For each label that is named in a box, the box must have a row
        for every rival: sequences of labels that are not named are not counted.
    labels
        From sequences int64 [N, n] to their labels, negative for those outside the task. Run, and counted, on every sequence of the
        boxes.

    Raises
    ------
    BadInput
        If a box holds more than 2^24 sequences, since each is looked at.

    Notes
    -----
    *Proof.* As for `positive`, for each label by itself: a sequence of label y is counted if y is named and all rows of y are
    positive there. Rows that are positive on the whole box drop out, and labels with a row that is positive nowhere.

    *Cost.* The worst case as for `positive`; the labels; 2 operations to compare each with each label named; about 3 operations for
    each row left and each sequence.
    """
    allowed, about = masks.cpu(), row_labels.cpu().numpy()
    parts: list[InBox] = []
    with stage("worst case"):
        boxes = _read(constant, tables, allowed, row_labels.cpu() >= 0)
    for mask, box, named in zip(allowed, boxes, about, strict=True):
        _small(box)
        of_row = named[named >= 0]
        if not box.size:
            parts.append(InBox(mask, tuple(box.tokens), np.zeros([len(t) for t in box.tokens], dtype=bool)))
            continue
        with stage("labels"):
            own = labels(_sequences(box)).cpu().numpy().reshape([len(t) for t in box.tokens])
        good = np.zeros(own.shape, dtype=bool)
        for y in np.unique(of_row):
            with stage("worst case"):
                rest = _open_rows(box.some(np.flatnonzero(of_row == y)))
            with stage("counting"):
                charge_integers(2 * own.size)
                if rest is not None:
                    good |= (own == y) & table_of(rest)
        parts.append(InBox(mask, tuple(box.tokens), good))
    return parts


def positive_mixed(
    constant: Tensor,
    tables: Tensor,
    masks: Tensor,
    row_labels: Tensor,
    labels: Callable[[Tensor], Tensor],
) -> Certified:
    """Return the sequences of disjoint boxes at which every row *of their own label* is proven positive: see `mixed_tables`."""
    if constant.is_meta:
        return Nothing()
    parts = mixed_tables(constant, tables, masks, row_labels, labels)
    with stage("counting"):
        found = disjoint(parts)
        _ = found.size
    return found


def _small(box: SumBox) -> None:
    if box.size > LARGEST_MIXED:
        raise BadInput(f"a box with {box.size} sequences is too large to look at each (at most 2^24); cut it")


def _read(constant: Tensor, tables: Tensor, masks: Tensor, exist: Tensor) -> list[SumBox]:
    """The rows of each box that exist, as integers: 2 operations for each number that is read."""
    allowed, some = masks.numpy(), exist.numpy()
    _, n, v = allowed.shape
    if n > MOST_POSITIONS:
        raise BadInput(f"sums over {n} positions are too long to be counted; {MOST_POSITIONS} are possible")
    c, T = lower_bounds(constant), np.where(allowed[:, None], lower_bounds(tables), 0.0)
    exponent = exponents(np.concatenate([c[:, :, None], T.reshape(*c.shape, n * v)], 2))
    c, T = integers_below(c, exponent), integers_below(T, exponent[:, :, None, None])
    boxes = []
    for b, mask in enumerate(allowed):
        tokens = [np.flatnonzero(position) for position in mask]
        boxes.append(SumBox(tokens, c[b, some[b]], [T[b, some[b], i][:, t] for i, t in enumerate(tokens)]))
        charge_integers(2 * boxes[-1].numbers)
    return boxes


def _open_rows(box: SumBox) -> SumBox | None:
    """Without the rows that hold on the whole box; None if the box is empty or some row holds nowhere. 2 operations a number."""
    if not box.size:
        return None
    charge_integers(2 * box.numbers)
    least = box.constant + sum(t.min(1) for t in box.tables)
    most = box.constant + sum(t.max(1) for t in box.tables)
    return box.some(np.flatnonzero(least <= 0)) if (most > 0).all() else None


def _counted(masks: Tensor, boxes: list[SumBox], steps: int, exact: bool, worth: float = 0.0) -> SumBoxes:
    """Count each box in the way that costs least; and again directly, where that may gain enough.

    Of what R rows lose together by the union bound, one row alone loses at least a share of 1 / R; no more than the rest can be
    gained.
    """
    kept, counts, exactly = [], [], True
    for box in boxes:
        ways = {directly: direct_cost(box)}
        if not exact or box.rows == 1:
            ways |= {by_halves: halves_cost(box), on_grid: grid_cost(box, steps)}
        way = min(ways, key=lambda w: ways[w])
        found = coarser(box, steps) if way is on_grid else box
        number = way(found)
        price = direct_cost(box)
        if way is not directly and price <= MOST_AGAIN and (box.size - number) * (1 - 1 / box.rows) * worth > price:
            way, found, number = directly, box, directly(box)
        kept.append(found.packed())
        counts.append(number)
        exactly &= way is directly or box.rows == 1
    return SumBoxes(masks, tuple(kept), tuple(counts), exactly)


def _sequences(box: SumBox) -> Tensor:
    """All sequences of a box, int64 [size, n], in lexicographic order."""
    return torch.from_numpy(np.stack(np.meshgrid(*box.tokens, indexing="ij"), -1).reshape(box.size, -1).astype(np.int64))


@dataclass(frozen=True)
class SumBoxes(Certified):
    """The sequences of disjoint boxes at which the rows of their box hold.

    Attributes
    ----------
    masks : bool [B, n, v]
        The boxes.
    boxes : tuple of SumBox
        Their rows.
    counts : tuple of int
        How many sequences of each hold, or a lower bound of it.
    exactly
        Whether all counts are exact.
    """

    masks: Tensor
    boxes: tuple[SumBox, ...]
    counts: tuple[int, ...]
    exactly: bool

    @property
    def size(self) -> int:
        return sum(self.counts)

    @property
    def exact(self) -> bool:
        return self.exactly

    def member(self, inputs: Tensor) -> Tensor:
        found = torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)
        for box, inside in zip(self.boxes, belongs(self.masks, inputs).T, strict=True):
            at = inside.nonzero()[:, 0]
            if len(at):
                found[at] = torch.from_numpy(box.holds(inputs[at].cpu().numpy()))
        return found


@dataclass(frozen=True)
class InBox(Certified):
    """The sequences of one box at which a table of its own says yes.

    Attributes
    ----------
    mask : bool [n, v]
        The box.
    tokens : tuple of int array
        The tokens of each position, ascending.
    table : bool [k_1, ..., k_n]
        One entry for each sequence of the box; counting those that are true takes an operation each.
    """

    mask: Tensor
    tokens: tuple[np.ndarray, ...]
    table: np.ndarray

    @cached_property
    def size(self) -> int:
        charge_integers(self.table.size)
        return int(self.table.sum())

    @property
    def others(self) -> Tensor:
        """The sequences of the box at which the table says no: int64 [N, n], in lexicographic order."""
        at = np.nonzero(~self.table)
        return torch.from_numpy(np.stack([t[i] for t, i in zip(self.tokens, at, strict=True)], 1).astype(np.int64))

    def member(self, inputs: Tensor) -> Tensor:
        inside = belongs(self.mask[None], inputs)[:, 0]
        if not self.table.size:
            return inside
        rows = inputs.cpu().numpy()
        at = tuple(np.minimum(np.searchsorted(t, rows[:, i]), len(t) - 1) for i, t in enumerate(self.tokens))
        return inside & torch.from_numpy(self.table[at])
