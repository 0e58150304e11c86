"""Untrusted search for the gaps, and for the typical attention that `MeanAndDifference` splits off."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.tasks.max_of_k.subcubic.attention import Attention
from compact_proofs.tasks.max_of_k.subcubic.cases import Knowledge, all_cases, number_of_gaps

TOLERANCE = 1e-9
"""A bound must be so far below 0 that the sound reading will still find it negative."""

MOST_ATTEMPTS, FEWEST_ATTEMPTS = 24, 4
"""Typical attentions that are tried, for small and for large models."""

EFFORT = 10**7
"""Cases times attempts, about: seconds."""


def find_gaps(known: Knowledge, attention: Attention) -> dict[str, Tensor]:
    """Find the least gap of every case, and the typical attention that proves the most sequences, for each (c, m) apart.

    The typical attentions 1 - (i / n)^2 are tried: close to each other near 1, where trained models are.
    """
    v, K = known.of_max.shape
    search = _Search(known, attention)
    if not attention.typical:
        search.attempt(0.0)
        return {"gap": search.gaps()}
    n = max(FEWEST_ATTEMPTS, min(MOST_ATTEMPTS, EFFORT // len(search.group)))
    for i in range(n):
        search.attempt(1 - (i / n) ** 2)
    return {"gap": search.gaps(), "attention": search.typical.reshape(K, v)}


class _Search:
    """The best typical attention of every (c, m) so far, and the choices of every case under it."""

    def __init__(self, known: Knowledge, attention: Attention) -> None:
        self.known, self.attention = known, attention
        self.v, self.K = known.of_max.shape
        self.cases = all_cases(self.v, self.K)
        self.group = self.cases.c * self.v + self.cases.m
        self.score = torch.full((self.K * self.v,), -1.0, dtype=torch.float64)
        self.typical = torch.zeros_like(self.score)
        self.tokens = torch.zeros_like(self.group)
        self.proven = torch.zeros_like(self.group, dtype=torch.bool)

    def attempt(self, typical: float) -> None:
        """Keep a typical attention where it proves more sequences than the best so far."""
        tokens, proven = self.most_choices(typical)
        proven_sequences = proven * tokens.double() ** self.cases.c
        score = torch.zeros_like(self.score).index_add(0, self.group, proven_sequences)
        better = score > self.score
        self.score = torch.where(better, score, self.score)
        self.typical = self.typical.masked_fill(better, typical)
        self.tokens = torch.where(better[self.group], tokens, self.tokens)
        self.proven = torch.where(better[self.group], proven, self.proven)

    def most_choices(self, typical: float) -> tuple[Tensor, Tensor]:
        """For every case the most choices of other tokens that its bound allows, and whether it is proven.

        By bisection, for all cases at once: for a fixed typical attention the bound grows with the choices.
        """
        explanation = {"attention": torch.full((self.K, self.v), typical, dtype=torch.float64)}

        def proves(tokens: Tensor) -> Tensor:
            return self.known.bounds(tokens, self.attention, explanation) < -TOLERANCE

        least = torch.zeros_like(self.cases.m)
        most = torch.where(self.cases.c > 0, self.cases.m, 0)
        for _ in range(self.v.bit_length()):
            middle = (least + most + 1) // 2
            proven = proves(middle)
            least, most = torch.where(proven, middle, least), torch.where(proven, most, (middle - 1).clamp(min=0))
            most = torch.maximum(least, most)
        return least, proves(least)

    def gaps(self) -> Tensor:
        """The gaps that give the best choices; d_vocab where nothing is proven."""
        found = torch.where(self.proven & (self.tokens > 0), self.cases.m - self.tokens + 1, self.v)
        return found[len(found) - number_of_gaps(self.v, self.K) :]
