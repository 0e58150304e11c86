"""What the last layer's keys score for each part of the query that layer 1 copied: query composition, by Lemma R."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.length import address_table, stage
from compact_proofs.tasks.induction.hints import Hints
from compact_proofs.tasks.induction.mean import Mean
from compact_proofs.tasks.induction.paths import Tables


@dataclass(frozen=True)
class Composition:
    """Bounds of a key's score for the query part o(m, s), over everything that layer 1 may have copied into the key.

    Key k holds token v, and place k - 1 token u. Its score is ``OX[m, s; k, v] + sum_beta A_k(beta) OO[m, s; beta]``, of which the
    sum is a mean over the row (k, v) of layer 1. Lemma R bounds it: known are the row's own token v and u before it; the tokens of
    earlier places are free, but for u and v, since the tokens before the last are distinct. The hints are those of the explanation,
    so that the bound is nearly the least (or largest) mean over these tokens.

    Attributes
    ----------
    t
        Every path as a table.
    hints
        Of the ratios, for both bounds.
    """

    t: Tables
    hints: Hints

    @cached_property
    def keys(self) -> list[Tensor]:
        """For each key k < f, an upper bound: [m, s, u, v] (u has one entry for k = 0). Cost: 3 for each free token."""
        return [self.t.OX[:, :, k, None] - self._at_least(k, -self.t.OO, "composed_keys") for k in range(self.t.sizes[1] - 1)]

    def answer(self, i: int) -> Tensor:
        """A lower bound for key i + 1 that holds a, after q at i: [q, a, m, s]. Cost: 3 for each free token."""
        c = i + 1
        return (self.t.OX[:, :, c, None] + self._at_least(c, self.t.OO, "composed_answers")).permute(2, 3, 0, 1)

    def _at_least(self, k: int, F: Tensor, hinted: str) -> Tensor:
        """Lower bound of the mean under the row (k, v) of F[m, s, place, token]: [m, s, u, v]."""
        D, _ = self.t.sizes
        with stage("composition"):
            if k == 0:
                return F[:, :, 0, None]  # the row attends to nothing else
            every = torch.arange(D, device=F.device)
            weight = self.t.weight[k]  # [v, place, token]
            own, before = weight[every, k, every], weight[:, k - 1].mT  # [v], [u, v]
            known = [(own, F[:, :, k, None]), (before, F[:, :, k - 1, :, None])]
            free = [(weight[:, place], F[:, :, place, None, None]) for place in range(k - 1)]
            extremes = [(w.amin(1), w.amax(1)) for w, _ in free]
            low, high = (sum((pair[end] for pair in extremes), own + before) for end in (0, 1))
            mean = Mean(known, free, low, high, elsewhere(D, device=F.device))
            index = (slice(None), slice(None), k - 1)
            return self.hints.sum_of_two(hinted, index, (*F.shape[:2], D, D), mean.at_least)


@address_table
def elsewhere(D: int) -> Tensor:
    """bool [u, v, t]: is t neither u nor v?"""
    t = torch.arange(D)
    return (t != t[:, None, None]) & (t != t[:, None])
