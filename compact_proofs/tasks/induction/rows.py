"""Bounds that all cases share: rows of layer 1 and harms of keys, over pairs of a token and a place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.bounds.mean import moved_mean, ratio_at_least, ratio_at_most
from compact_proofs.bounds.ranges import spread
from compact_proofs.length import stage
from compact_proofs.tasks.induction.paths import Tables


@dataclass(frozen=True)
class Rows:
    """Bounds over rows of layer 1, from the tables alone (no case's answer is known, except where said)."""

    t: Tables

    @cached_property
    def composition(self) -> Tensor:
        """Bound how much query composition changes the difference of two keys' scores: [].

        For each query part o(m, s) and any two keys, OX differs by at most its range over all keys, and a mean of OO by at most its
        range; the last row is a mean over query parts.
        """
        with stage("composition"):
            return sum((spread(t, (2, 3)) for t in (self.t.OX, self.t.OO)), torch.zeros((), dtype=torch.float64)).amax()

    @cached_property
    def spreads(self) -> dict[str, Tensor]:
        """The largest difference of two logits in a row of oU ("direct") and of oU + oW ("last_harm"): [] each."""
        with stage("harms"):
            both = {"direct": self.t.oU, "last_harm": self.t.oU + self.t.oW}
            return {name: spread(t).amax() for name, t in both.items()}

    def answer(self, i: int) -> Tensor:
        """Bound from below the score of key i + 1 holding a, after q at i, for the query x(f, q): [q, a].

        Lemma R at the hint TO(q; i, q), exact as far as the place before gets all attention.
        """
        t, c = self.t, i + 1
        D, _ = t.sizes
        every = torch.arange(D, device=t.TX.device)
        with stage("rows"):
            hint = t.TO[every, i, every][:, None]  # [q, 1]
            weight = t.weight[c, :, :c]  # [a, m, t]
            own, before = t.weight[c, every, c, every], weight[:, i].mT  # [a], [q, a]
            sigma = own * (t.TO[:, c] - hint)
            low = high = own + before
            if i:
                earlier = weight[:, :i]
                terms = earlier * (t.TO[:, None, :i] - hint[..., None, None])  # [q, a, m, t]
                known = torch.eye(D, dtype=torch.bool, device=hint.device)
                taken = known[:, None, None] | known[None, :, None]
                sigma = sigma + torch.where(taken, torch.inf, terms).amin(3).sum(2)
                low, high = low + earlier.amin(2).sum(1), high + earlier.amax(2).sum(1)
            return t.TX[:, c] + ratio_at_least(hint, sigma, low, high)

    @cached_property
    def _excess(self) -> dict[int, Tensor]:
        """For k >= 2: the most that place m < k - 1 adds to sigma of key k's row: [q, u, v, m]."""
        t = self.t
        D, n = t.sizes
        query = torch.eye(D, dtype=torch.bool, device=t.TX.device)[:, None, None]  # t = q is at i
        found = {}
        with stage("rows"):
            for k in range(2, n - 1):
                hint = t.TO[:, k - 1, :, None, None]  # [q, u, 1, 1]
                places = [
                    torch.where(query, -torch.inf, t.weight[k, :, m] * (t.TO[:, None, None, m] - hint)).amax(3)
                    for m in range(k - 1)
                ]
                found[k] = torch.stack(places, 3)
        return found

    def other(self, i: int, k: int) -> Tensor:
        """Bound from above the score of key k != i + 1, k < f, holding v, after u at k - 1, for the query x(f, q): [q, u, v].

        Lemma R at the hint TO(q; k-1, u). What holds q is known to be place i; the other tokens are free.
        """
        t = self.t
        D, _ = t.sizes
        every = torch.arange(D, device=t.TX.device)
        with stage("rows"):
            if k == 0:
                return (t.TX[:, 0] + t.TO[:, 0])[:, None]
            hint = t.TO[:, k - 1, :, None]  # [q, u, 1]
            own, before = t.weight[k, every, k, every], t.weight[k, :, k - 1].mT  # [v], [u, v]
            sigma = own * (t.TO[:, k, None] - hint)
            low = high = own + before
            earlier = [m for m in range(k - 1) if m != i]
            if earlier:
                sigma = sigma + self._excess[k][..., earlier].sum(3)
                weight = t.weight[k][:, earlier]
                low, high = low + weight.amin(2).sum(1), high + weight.amax(2).sum(1)
            if i < k - 1:
                known = t.weight[k, :, i].mT[:, None]  # [q, 1, v]
                sigma = sigma + known * (t.TO[every, i, every][:, None, None] - hint)
                low, high = low + known, high + known
            return t.TX[:, k, None] + ratio_at_most(hint, sigma, low, high)

    @cached_property
    def _written(self) -> Tensor:
        """The most that a row up to place k writes for b against a through both heads: max oW[m, t, b] - oW[m, t, a], [a, b, k]."""
        oW = self.t.oW.permute(2, 0, 1)  # [b, m, t]
        return torch.cummax((oW[None] - oW[:, None]).amax(3), 2).values

    def harm(self, k: int, after_answer: bool) -> Tensor:
        """Bound from above what key k < f holding v writes for b against a: [a, v, b].

        Of what it copied, Lemma L with the worst token at k - 1, or a itself there.
        """
        t = self.t
        D, _ = t.sizes
        every = torch.arange(D, device=t.TX.device)
        with stage("harms"):
            own = t.xW[k, None] - t.xW[k].mT[:, :, None]  # [a, v, b]
            if k == 0:
                return own + (t.oW[0, None] - t.oW[0].mT[:, :, None])
            copied = t.oW[k - 1]  # [u, b]
            if after_answer:
                before, lam = (
                    copied[:, None] - copied[every, every][:, None, None],
                    t.lam[k - 1].mT[:, :, None],
                )  # [a, 1, b], [a, v, 1]
            else:
                before = (copied[None] - copied.mT[:, :, None]).amax(1, keepdim=True)
                lam = t.lam[k - 1].amax(1)[None, :, None]
            return own + moved_mean(before, lam, self._written[:, None, :, k])

    def gain(self, i: int) -> Tensor:
        """Bound from below what key i + 1 holding a, after q at i, writes for a against b: [q, a, b]."""
        t, c = self.t, i + 1
        D, _ = t.sizes
        every = torch.arange(D, device=t.TX.device)
        with stage("harms"):
            own = t.xW[c, every, every][:, None] - t.xW[c]  # [a, b]
            copied = t.oW[i][:, :, None] - t.oW[i][:, None]  # [q, a, b]
            return own + moved_mean(copied, t.lam[i].mT[:, :, None], -self._written[:, :, c])
