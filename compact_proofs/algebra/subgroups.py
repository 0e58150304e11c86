"""Subgroups of a finite group, up to conjugacy."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.algebra.group import Group
from compact_proofs.errors import BadInput

MOST = 20_000
"""Subgroups that are looked through at most."""


@dataclass(frozen=True)
class SubgroupClass:
    """A subgroup and its conjugates.

    Attributes
    ----------
    elements : tuple of int
        The elements of one of them, ascending.
    conjugates : int
        How many there are, itself included.
    """

    elements: tuple[int, ...]
    conjugates: int

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @property
    def normal(self) -> bool:
        """Whether it is its only conjugate."""
        return self.conjugates == 1


@functools.lru_cache(maxsize=32)
def subgroup_classes(group: Group) -> tuple[SubgroupClass, ...]:
    """All subgroups up to conjugacy, from the trivial one to the whole group, by order.

    Every subgroup is reached from the trivial one by adding elements of prime-power order one after another. From each class one
    subgroup is enough, since conjugation takes what is above it to what is above its conjugates.

    Raises
    ------
    BadInput
        If there are more than `MOST` subgroups.
    """
    steps = _prime_power_elements(group)
    classes: dict[frozenset[int], SubgroupClass] = {}
    seen: set[frozenset[int]] = set()
    waiting = [frozenset([group.identity])]
    while waiting:
        subgroup = waiting.pop()
        if subgroup in seen:
            continue
        conjugates = _conjugates(group, subgroup)
        seen |= conjugates
        if len(seen) > MOST:
            raise BadInput(f"{group} has more than {MOST} subgroups")
        classes[subgroup] = SubgroupClass(tuple(sorted(subgroup)), len(conjugates))
        for x in steps:
            if x not in subgroup:
                waiting.append(frozenset(group.closure((*_few(group, subgroup), x)).nonzero().flatten().tolist()))
    return tuple(sorted(classes.values(), key=lambda c: (c.order, c.elements)))


def cosets_right(group: Group, elements: Tensor) -> Tensor:
    """int64 [n]: the smallest element of H x, for every x."""
    return group.table[elements].amin(0)


def _prime_power_elements(group: Group) -> list[int]:
    """One generator of each cyclic subgroup of prime-power order."""
    found: dict[tuple[int, ...], int] = {}
    for x, order in enumerate(group.orders.tolist()):
        p = next((p for p in range(2, order + 1) if order % p == 0), 0)
        while p and order % p == 0:
            order //= p
        if p and order == 1:
            found.setdefault(tuple(group.closure((x,)).nonzero().flatten().tolist()), x)
    return list(found.values())


def _few(group: Group, subgroup: frozenset[int]) -> tuple[int, ...]:
    """Few elements that generate a subgroup."""
    few: tuple[int, ...] = ()
    reached = group.closure(few)
    for x in sorted(subgroup, key=lambda x: -int(group.orders[x])):
        if not reached[x]:
            few = (*few, x)
            reached = group.closure(few)
    return few


def _conjugates(group: Group, subgroup: frozenset[int]) -> set[frozenset[int]]:
    elements = torch.tensor(sorted(subgroup))
    moved = group.table[group.table[:, elements], group.inverse[:, None]]  # [g, h]: g h g^-1
    return {frozenset(row) for row in moved.tolist()}
