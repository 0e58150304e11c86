"""Brute force on Max-of-K through the path matrices, and the linear baseline: brute force on a share of the inputs."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.indices import away_from, others
from compact_proofs.core.claim import Task
from compact_proofs.core.strategy import Explanation, whole
from compact_proofs.enclosure import provably
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.progress import track
from compact_proofs.tasks.max_of_k.paths import attention_weights, paths
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy
from compact_proofs.tasks.shares import InputShare

ROWS = 8192
"""Sequences evaluated at once."""


@dataclass(frozen=True)
class BruteForce(MaxOfKStrategy):
    """Evaluate every sequence.

    Multiplied by the softmax's denominator, the logit difference of a sequence is additive over positions:
    ``Z (l_x - l_m) = sum_i F_i[t_i, x] - F_i[t_i, m]`` with ``F_i[t, x] = w[q, t] r[q, i] (EVOU[t, x] + PVOU[i, x] + EUPU[q, x])``,
    since sum_i w_i = Z > 0. So m wins if and only if every x != m has a negative sum. The sums over the last positions are shared
    outer sums; each sequence costs about 2 (v - 1) operations.
    """

    name: ClassVar[str] = "brute-force"
    summary: ClassVar[str] = "every sequence, through the path matrices: exact, v^(K+1)"

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> int:
        return count_correct(model, model.d_vocab**model.n_ctx)

    def member(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        return is_correct(model, inputs)

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int | None:
        return model.d_vocab ** (model.n_ctx + 1)


@dataclass(frozen=True)
class LinearBaseline(InputShare[AttentionOnlyTransformer], BruteForce):
    """Brute force on about a share of all sequences."""

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> int:
        return count_correct(model, self.part(task.size))


def count_correct(model: AttentionOnlyTransformer, budget: int) -> int:
    """Count correct sequences among the first `budget` or so (whole blocks) of an order over (q, maximum m, the others)."""
    p = paths(model)
    w, r = attention_weights(p.EQKE, p.EQKP)
    v, K = model.d_vocab, model.n_ctx
    evaluated, correct = 0, 0
    for q, m, quota in track(_visits(v, K, budget), "sequences by (query, maximum)"):
        if evaluated >= budget:
            break
        with stage("differences"):
            value = p.EVOU[: m + 1] + (p.PVOU + p.EUPU[q])[:, None]  # [K, m + 1, v]
            F = (w[q, : m + 1] * r[q, :, None])[:, :, None] * value
            D = F[:, :, others(v)[m]] - F[:, :, m : m + 1]  # [K, m + 1, v - 1]
        enough = min(budget, evaluated + quota)
        for start, allowed in _blocks(q, m, K):
            if evaluated >= enough:
                break
            with stage("sequences"):
                sums = D[-1, q][None]
                for i, t in enumerate(start):
                    sums = sums + D[i, t]
                for i, tokens in enumerate(allowed, start=len(start)):
                    sums = (sums[:, None] + D[i, tokens][None]).reshape(-1, v - 1)
                correct += whole(provably(sums.amax(-1) < 0).sum())
            evaluated += sums.shape[0]
    return correct


def _visits(v: int, K: int, budget: int) -> list[tuple[int, int, int]]:
    """All (q, m), scattered over the task, each with how many of its sequences to evaluate at most.

    A budget for a small share is spread over at least 64 pairs, so that it meets large and small maxima alike.
    """
    pairs = list(itertools.combinations_with_replacement(range(v), 2))
    stride = next(n for n in range(int(0.618 * len(pairs)) + 1, 2 * len(pairs) + 2) if math.gcd(n, len(pairs)) == 1)
    scattered = [pairs[i * stride % len(pairs)] for i in range(len(pairs))]
    quota = -(-budget // 64)
    sizes = [(m + 1) ** (K - 1) - (m ** (K - 1) if q < m else 0) for q, m in pairs]
    if sum(min(quota, n) for n in sizes) < budget:
        quota = budget
    return [(q, m, quota) for q, m in scattered]


def is_correct(model: AttentionOnlyTransformer, inputs: Tensor) -> Tensor:
    """Return bool [n]: is each sequence proven right by the arithmetic of `count_correct`?"""
    p = paths(model)
    w, r = attention_weights(p.EQKE, p.EQKP)
    q, m = inputs[:, -1], inputs.max(-1).values
    terms = []
    for i in (-1, *range(model.n_ctx - 1)):
        t = inputs[:, i]
        F = (w[q, t] * r[q, i])[:, None] * (p.EVOU[t] + (p.PVOU[i] + p.EUPU[q]))
        terms.append(away_from(F, torch.arange(len(inputs)), m))
    return provably(functools.reduce(torch.add, terms).amax(-1) < 0)


def _blocks(q: int, m: int, K: int) -> Iterator[tuple[tuple[int, ...], list[slice]]]:
    """Split the sequences with query q and maximum m into blocks: fixed first tokens, then ranges of tokens.

    If q < m, the maximum stands first at some position i < K - 1: tokens before it are below m, those after at most m. Every
    sequence with maximum m is in exactly one block.
    """
    below, exactly, upto = slice(0, m), slice(m, m + 1), slice(0, m + 1)
    split = [[below] * i + [exactly] + [upto] * (K - 2 - i) for i in range(K - 1)]
    patterns = [[upto] * (K - 1)] if q == m else split
    for pattern in patterns:
        lengths = [s.stop - s.start for s in pattern]
        fixed = 0
        while math.prod(lengths[fixed:]) > ROWS:
            fixed += 1
        if 0 in lengths:
            continue
        for start in itertools.product(*(range(s.start, s.stop) for s in pattern[:fixed])):
            yield start, pattern[fixed:]
