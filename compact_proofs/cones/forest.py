"""Trees of cuts that grow from given cones, read and verified in groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.cones.cone import Cones, cut
from compact_proofs.cones.tree import Stack, decode
from compact_proofs.enclosure import lower, upper
from compact_proofs.errors import BadInput
from compact_proofs.length import stage, unseen
from compact_proofs.results import result_class

DENOMINATOR = 10**12
"""Bounds are rounded down to a multiple of 1 / DENOMINATOR."""


@result_class
@dataclass(frozen=True)
class Trees:
    """Trees of cuts from R cones, which are read together (`compact_proofs.cones.tree`).

    Attributes
    ----------
    codes : int64 [N]
        What is said of their nodes, in the order in which they are read.
    right : bool [N]
        Which nodes lie in a cone that was checked and found right.
    scales : exactly known [C]
        For each cut, in the order in which they were made, the s of `compact_proofs.cones.cone.cut`.
    measure
        A lower bound of the measure of the union of the cones that were found right.
    """

    codes: Tensor
    right: Tensor
    scales: Tensor
    measure: Fraction


def verify_trees(
    roots: Cones,
    labels: Tensor,
    codes: Tensor,
    right: Callable[[Tensor, Tensor], Tensor],
    share: Callable[[Cones], Tensor],
) -> Trees:
    """Cut R disjoint cones as codes int64 [N] say, and add up the measures of the parts that are right.

    Parameters
    ----------
    roots, labels
        The cones, and what is right on each, int64 [R].
    codes
        Any numbers from 0 to `compact_proofs.cones.tree.largest_code`.
    right
        Of rays [B, n, n] of cones and labels [B], whether what is to be proven is true on all of each open cone: bool [B].
    share
        Lower bounds [B] of the measures of cones.

    Notes
    -----
    *Proof.* A cut partitions a cone up to a plane, so the cones at which branches end are disjoint if the roots are. What is right
    on a cone is right on every part of it. So the lower bounds of the measures of those ends whose branch was found right add up to
    a bound of the measure of their union.

    *Cost.* For each cut about 10 n operations; what `right` costs for each check, and `share` for each end of a branch that was
    checked.
    """
    none = torch.zeros(len(labels), dtype=torch.bool)
    wrong = none.to(roots.rays.device)
    stack = Stack(roots.rays, roots.volume, labels, none, wrong)
    measure, rights, scales, read = Fraction(0), [wrong[:0]], [lower(roots.volume[:0])], 0
    while stack and read < len(codes):
        columns = stack.pop()
        count = min(len(columns[2]), len(codes) - read)
        rays, volume, label, inside, found = (column[:count] for column in columns)
        cones = Cones(rays, volume)
        node = decode(codes[read : read + count], inside, roots.n)
        read += count
        inside, found = inside.clone(), found.clone()
        if len(node.checked):
            with stage("network on rays"):
                found[node.checked] = right(rays[node.checked], label[node.checked])
            inside[node.checked] = True
        rights.append(found)
        if len(node.ended):
            with stage("measure"):
                shares = share(cones[node.ended])
                measure += lower_sum(torch.where(found[node.ended], shares, 0.0))
        if len(node.divided):
            with stage("cuts"):
                *halves, s = cut(cones[node.divided], node.first, node.second, node.part)
                scales.append(s)
                stack.push(
                    torch.cat([half.rays for half in halves]),
                    torch.cat([half.volume for half in halves]),
                    *(column[node.divided].repeat(2) for column in (label, inside, found)),
                )
    return Trees(codes[:read], torch.cat(rights), torch.cat(scales), measure)


def slices(sizes: Sequence[int], whole: int) -> list[slice]:
    """Consecutive ranges of the given sizes, from 0 on; what lies beyond `whole` is cut off, and what is left belongs to none."""
    found, at = [], 0
    for size in sizes:
        end = min(at + size, whole)
        found.append(slice(at, end))
        at = end
    return found


def rounded_down(measure: Fraction) -> Fraction:
    """A multiple of 1 / `DENOMINATOR` that is at most the measure, and not below 0."""
    return Fraction(max(math.floor(measure * DENOMINATOR), 0), DENOMINATOR)


def lower_sum(numbers: Tensor) -> Fraction:
    """A lower bound of a sum of numbers >= 0, exactly; 0 on meta tensors."""
    total = numbers.sum()
    if total.is_meta:
        return Fraction(0)
    with unseen("a lower bound, as a fraction"):
        return Fraction(max(float(lower(total)), 0.0))


def upper_number(number: Tensor) -> Fraction:
    """An upper bound of a number, exactly; 0 on meta tensors.

    Raises
    ------
    BadInput
        If there is none, because numbers overflowed.
    """
    if number.is_meta:
        return Fraction(0)
    with unseen("an upper bound, as a fraction"):
        found = float(upper(number))
        if not math.isfinite(found):
            raise BadInput("the measure of what is left out has no bound: numbers overflowed")
        return Fraction(found)
