"""Brute force on Max-of-K through the path matrices, and the linear baseline: brute force on a share of the inputs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.indices import others
from compact_proofs.core.enumeration import Enumeration, Evaluation
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.paths import attention_weights, paths
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy
from compact_proofs.tasks.shares import InputShare

ROWS = 8192
"""Sequences evaluated at once."""


@dataclass(frozen=True)
class BruteForce(Enumeration[AttentionOnlyTransformer], MaxOfKStrategy):
    """Evaluate every sequence.

    Multiplied by the softmax's denominator, the logit difference of a sequence is additive over positions:
    ``Z (l_x - l_m) = sum_i F_i[t_i, x] - F_i[t_i, m]`` with ``F_i[t, x] = w[q, t] r[q, i] (EVOU[t, x] + PVOU[i, x] + EUPU[q, x])``,
    since sum_i w_i = Z > 0. So m wins if and only if every x != m has a negative sum. The sums over the last positions are shared
    outer sums; each sequence costs about 2 (v - 1) operations.
    """

    name: ClassVar[str] = "brute-force"
    summary: ClassVar[str] = "every sequence, through the path matrices: exact, v^(K+1)"

    def evaluation(self, model: AttentionOnlyTransformer, task: Task) -> Evaluation[tuple[int, int, int]]:
        """A part is a query, a maximum, and how many of their blocks are evaluated."""
        p = paths(model)
        w, r = attention_weights(p.EQKE, p.EQKP)
        v, K = model.d_vocab, model.n_ctx

        def right(part: tuple[int, int, int]) -> Generator[Tensor, None, None]:
            q, m, number = part
            with stage("differences"):
                value = p.EVOU[: m + 1] + (p.PVOU + p.EUPU[q])[:, None]  # [K, m + 1, v]
                F = (w[q, : m + 1] * r[q, :, None])[:, :, None] * value
                D = F[:, :, others(v)[m]] - F[:, :, m : m + 1]  # [K, m + 1, v - 1]
            for block in _first_blocks(q, m, K, number):
                with stage("sequences"):
                    sums = D[-1, q][None]
                    for i, t in enumerate(block.start):
                        sums = sums + D[i, t]
                    for i, tokens in enumerate(block.free, start=len(block.start)):
                        sums = (sums[:, None] + D[i, tokens][None]).reshape(-1, v - 1)
                    yield provably(sums.amax(-1) < 0)

        def inputs(part: tuple[int, int, int]) -> int:
            q, m, number = part
            return sum(block.size for block in _first_blocks(q, m, K, number))

        return Evaluation(right, _evaluated(v, K, self.part(task.size)), inputs, "sequences by (query, maximum)")

    def places(self, model: AttentionOnlyTransformer, task: Task, inputs: Tensor) -> Tensor:
        """By the block that a sequence is in, and its place there; -1 if that block is not evaluated."""
        K, at = model.n_ctx, 0
        first: dict[tuple[int, int, int, tuple[int, ...]], tuple[int, Block]] = {}
        for q, m, blocks in _evaluated(model.d_vocab, K, self.part(task.size)):
            for block in _first_blocks(q, m, K, blocks):
                first[q, m, block.number, block.start] = at, block
                at += block.size
        found = []
        for *rest, q in inputs.tolist():
            m = max(*rest, q)
            number = rest.index(m) if q < m else 0
            fixed = len(_patterns(q, m, K)[number][0])
            known = first.get((q, m, number, tuple(rest[:fixed])))
            found.append(-1 if known is None else known[0] + known[1].place(rest[fixed:]))
        return torch.tensor(found, dtype=torch.int64)

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int | None:
        return model.d_vocab ** (model.n_ctx + 1)


@dataclass(frozen=True)
class LinearBaseline(InputShare[AttentionOnlyTransformer], BruteForce):
    """Brute force on about a share of all sequences."""


class Block(NamedTuple):
    """Sequences with one query q and one maximum m that are evaluated together: fixed first tokens, then ranges of tokens.

    If q < m, the maximum stands first at some position i < K - 1: tokens before it are below m, those after at most m. Every
    sequence with maximum m is in exactly one block.

    Attributes
    ----------
    number
        i; 0 if q = m.
    start
        The fixed tokens.
    free
        The ranges of those between them and the query.
    """

    number: int
    start: tuple[int, ...]
    free: tuple[slice, ...]

    @property
    def size(self) -> int:
        """Number of sequences."""
        return _product(self.free)

    def place(self, tokens: list[int]) -> int:
        """Where the sequence with these tokens in the ranges stands in the block's lexicographic order."""
        place = 0
        for t, s in zip(tokens, self.free, strict=True):
            place = place * (s.stop - s.start) + t - s.start
        return place


def _evaluated(v: int, K: int, budget: int) -> list[tuple[int, int, int]]:
    """Which blocks are evaluated, until `budget` sequences were: (q, m, how many of its blocks), in the order of evaluation."""
    found, evaluated = [], 0
    for q, m, quota in _visits(v, K, budget):
        if evaluated >= budget:
            break
        enough, blocks = min(budget, evaluated + quota), 0
        for fixed, free in _patterns(q, m, K):
            size = _product(free)
            taken = min(_product(fixed), -(-(enough - evaluated) // size)) if size else 0
            blocks, evaluated = blocks + taken, evaluated + taken * size
        found.append((q, m, blocks))
    return found


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


def _patterns(q: int, m: int, K: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """The ranges of the K - 1 tokens before the query, by where the maximum stands first: those that are fixed, and the rest."""
    below, exactly, upto = slice(0, m), slice(m, m + 1), slice(0, m + 1)
    split = [(*[below] * i, exactly, *[upto] * (K - 2 - i)) for i in range(K - 1)]
    found = []
    for pattern in [(upto,) * (K - 1)] if q == m else split:
        fixed = 0
        while _product(pattern[fixed:]) > ROWS:
            fixed += 1
        found.append((pattern[:fixed], pattern[fixed:]))
    return found


def _first_blocks(q: int, m: int, K: int, number: int) -> Iterator[Block]:
    """So many of them; there may be more than a machine number holds."""
    return (block for _, block in zip(range(number), _blocks(q, m, K), strict=False))


def _blocks(q: int, m: int, K: int) -> Iterator[Block]:
    """All sequences with query q and maximum m."""
    for number, (fixed, free) in enumerate(_patterns(q, m, K)):
        if _product(free):
            for start in itertools.product(*(range(s.start, s.stop) for s in fixed)):
                yield Block(number, start, free)


def _product(ranges: Iterable[slice]) -> int:
    """How many tuples have one token of each range."""
    return math.prod(s.stop - s.start for s in ranges)
