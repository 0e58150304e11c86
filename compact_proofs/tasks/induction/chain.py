"""Costs that add up along the free places of a case, and counting the inputs whose sum stays below 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.enclosure import provably, upper
from compact_proofs.length import address_table, charge_integers, stage
from compact_proofs.results import result_class
from compact_proofs.tasks.induction.cases import all_different


@result_class
@dataclass(frozen=True)
class Chain:
    """For each case, a cost that is a sum over its free places in order, >= 0; the input is right where it is below 1.

    Attributes
    ----------
    start : [g, j] (or [g, 1] without free places)
        Cost of the first free place's token, all constants included.
    links : [g, j, j'] each
        Cost of the tokens of two consecutive free places.
    """

    start: Tensor
    links: list[Tensor]

    def __getitem__(self, cases: Tensor | slice) -> Chain:
        return Chain(self.start[cases], [link[cases] for link in self.links])

    def of(self, bounds: Callable[[Tensor], Tensor]) -> Chain:
        """The same with other numbers for all costs, such as their upper bounds."""
        return Chain(bounds(self.start), [bounds(link) for link in self.links])

    def worst(self) -> Tensor:
        """Largest cost of each case, over tokens of which consecutive ones differ: [g]. 2 operations for each entry of a link."""
        worst = self.start
        for link in self.links:
            different = all_different(link.shape[2] + 2, 2, device=link.device)
            worst = torch.where(different, worst[:, :, None] + link, -torch.inf).amax(1)
        return worst.amax(1)

    def always(self) -> Tensor:
        """bool [g]: the cost is provably below 1 for all tokens."""
        return provably(self.worst() < 1)

    def total(self, case: Tensor, tokens: Tensor) -> Tensor:
        """Return the cost of some inputs: cases int64 [k] and tokens int64 [k, places] as numbers of free tokens. [k]."""
        cost = self.start[case, tokens[:, 0]] if tokens.shape[1] else self.start[case, 0]
        for place, link in enumerate(self.links):
            cost = cost + link[case, tokens[:, place], tokens[:, place + 1]]
        return cost

    def count(self, enumerated: int, steps: int) -> list[int]:
        """Count, for each case, inputs whose cost is provably below 1: all, or at least as many as the grid tells."""
        return self._enumerate() if len(self.links) < enumerated else self._on_grid(steps)

    def _enumerate(self) -> list[int]:
        """All choices of different tokens. 2 operations for each."""
        cost = self.start
        for link in self.links:
            cost = cost[..., None] + link.reshape(len(link), *[1] * (cost.dim() - 2), *link.shape[1:])
        good = provably(cost < 1)
        if self.links:
            good = good & all_different(cost.shape[1] + 2, good.dim() - 1, device=good.device)
        found: list[int] = good.flatten(1).sum(1).tolist()
        return found

    def _on_grid(self, steps: int) -> list[int]:
        """All inputs less those whose rounded-up cost reaches 1, where only consecutive tokens are known to differ.

        With costs rounded up to whole steps, dynamic programming over the places counts the token choices below a cost of 1, among
        all whose neighbours differ, J (J - 1)^(places - 1) with J = D - 2. The other choices are at least as many as the inputs of
        a cost of 1 or more, so the inputs less the other choices are proven. 5 integer operations for each entry of a link and
        step.

        The sound reading raises `OverflowError` where J^places leaves int64.
        """
        J, places = self.start.shape[1], len(self.links) + 1
        here = torch.arange(steps, device=self.start.device)
        good = (self._steps(self.start, steps)[..., None] == here).to(torch.int64)  # [g, j, steps so far]
        for link in self.links:
            before = here - self._steps(link, steps)[..., None]  # [g, u, v, steps]
            possible = (before >= 0) & all_different(J + 2, 2, device=link.device)[..., None]
            moved = good[:, :, None].expand(-1, -1, J, -1).gather(3, before.clamp(min=0))
            good = torch.where(possible, moved, 0).sum(1)
        below = good.flatten(1).sum(1).tolist()
        size, choices = math.perm(J, places), J * (J - 1) ** (places - 1)
        charge_integers(2 * len(below))
        return [max(0, size - (choices - n)) for n in below]

    @staticmethod
    def _steps(cost: Tensor, steps: int) -> Tensor:
        """Round a cost up to whole steps, at most `steps`: int64."""
        return torch.searchsorted(_integers(steps, device=cost.device), upper(cost * steps).contiguous())


@address_table
def _integers(n: int) -> Tensor:
    """0.0, 1.0, ..., n - 1.0."""
    return torch.arange(n, dtype=torch.float64)


def chain_of(costs: dict[int, Tensor], free: list[int], J: int) -> Chain:
    """Put the costs of all keys on the chain of free places.

    Parameters
    ----------
    costs
        For each key k: [g, u, v] by the free tokens of places k - 1 and k; an axis has one entry where the place is not free (or
        there is none), and [g, 1, 1] for the last key.
    free
        The free places, ascending.
    J
        Number of free tokens.
    """
    last = max(costs)
    constant = costs[last][:, 0]
    single: dict[int, Tensor] = {}
    double: dict[int, Tensor] = {}
    with stage("counting"):
        for k, cost in costs.items():
            if k == last:
                continue
            touched = [place for place in (k - 1, k) if place in free]
            if len(touched) == 2:
                double[k] = cost
            elif touched:
                flat = cost.flatten(1)
                single[touched[0]] = single[touched[0]] + flat if touched[0] in single else flat
            else:
                constant = constant + cost[:, 0]
        start = constant.expand(-1, J) if free else constant
        if free and free[0] in single:
            start = constant + single[free[0]]
        links = []
        for place in free[1:]:
            link = double.get(place)
            if place in single:
                alone = single[place][:, None].expand(-1, J, J)
                link = alone if link is None else link + alone
            links.append(torch.zeros(len(start), J, J, dtype=torch.float64, device=start.device) if link is None else link)
    return Chain(start, links)
