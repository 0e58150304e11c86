"""Untrusted search for the gaps, and for the typical attention that `MeanAndDifference` splits off."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.tasks.max_of_k.subcubic.attention import Attention
from compact_proofs.tasks.max_of_k.subcubic.cases import Knowledge, all_cases, choices, number_of_gaps

TOLERANCE = 1e-9
"""A bound must be so far below 0 that the sound reading will still find it negative."""

REFINEMENTS = 3
"""How often the typical attention is taken anew from the cases that it proves."""


def find_gaps(known: Knowledge, attention: Attention) -> dict[str, Tensor]:
    """Find the least gap of every case, and the typical attention that proves the most sequences.

    For a fixed typical attention the bound of a case grows with the number of choices, so the most choices are found by
    bisection, for all cases at once. Typical attentions are tried for each (m, c) apart: the mean over queries at several gaps,
    then the mean over the queries that the best so far proves.
    """
    v, K = known.of_max.shape
    t = all_cases(v, K)
    group = t.c * v + t.m
    if "attention" not in _names(attention, K, v):
        tokens, _ = _most_choices(known, attention, {})
        return {"gap": _gaps(tokens, v, K)}
    best_score = torch.full((K * v,), -1.0, dtype=torch.float64)
    best_split = torch.zeros(K * v, dtype=torch.float64)
    best_tokens = torch.zeros(len(t.m), dtype=torch.int64)
    best_proven = torch.ones(len(t.m), dtype=torch.bool)

    def attempt(split: Tensor) -> None:
        tokens, proven = _most_choices(known, attention, {"attention": split.reshape(K, v)})
        value = proven * tokens.double() ** t.c
        score = torch.zeros_like(best_score).index_add(0, group, value)
        better = score > best_score
        best_score.copy_(torch.where(better, score, best_score))
        best_split.copy_(torch.where(better, split, best_split))
        best_tokens.copy_(torch.where(better[group], tokens, best_tokens))
        best_proven.copy_(torch.where(better[group], proven, best_proven))

    gap = 1
    while gap <= v:
        tokens = choices(torch.full((number_of_gaps(v, K),), gap), v, K)
        attempt(_mean(known, tokens, torch.ones(len(t.m), dtype=torch.bool), group, K * v))
        gap += max(1, gap // 3)
    for _ in range(REFINEMENTS):
        attempt(_mean(known, best_tokens, best_proven, group, K * v))
    return {"gap": _gaps(best_tokens, v, K), "attention": best_split.reshape(K, v)}
