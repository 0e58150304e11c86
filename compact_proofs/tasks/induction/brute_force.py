"""Brute force on induction through tables, with what prefixes share computed once; and the linear baseline."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.indices import others
from compact_proofs.core.enumeration import Enumeration, Evaluation
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.induction.paths import Vectors, vectors
from compact_proofs.tasks.induction.task import Induction, InductionStrategy
from compact_proofs.tasks.shares import InputShare

ROWS = 2**13
"""Sequences of different tokens evaluated at once, about."""


@dataclass(frozen=True)
class BruteForce(Enumeration[AttentionStack], InductionStrategy):
    """Evaluate every input.

    The first n - 1 tokens differ, and n - 2 inputs (one for each place of the last token) begin with them. Row k of layer 1 depends
    on the first k + 1 tokens only, so the key and the logits that place k offers are computed once for each prefix; only the last
    row belongs to one input. Scores, values and logits of single tokens at places are looked up (`Vectors`).

    Cost: about 2 n (3 h + 3 D) for each input, and for each prefix of k + 1 tokens 2 (k + 1) (h + D).
    """

    name: ClassVar[str] = "brute-force"
    summary: ClassVar[str] = "every input, through tables that prefixes share: exact, D^(n - 1)"

    def evaluation(self, model: AttentionStack, task: Task) -> Evaluation[int]:
        """Blocks of inputs that begin with the same tokens, and in each the places of the last token, one after another."""
        t, order = vectors(model), self._order(model)
        D, n = t.sizes

        def right(block: int) -> Generator[Tensor, None, None]:
            levels = _prefixes(D, n, order.fixed, block * order.stride % order.blocks)
            keys, logits = _offers(t, levels)
            for i in range(n - 2):
                yield _last_row_right(t, levels[-1].tokens, i, keys, logits)

        inputs = (n - 2) * math.perm(D - order.fixed, n - 1 - order.fixed)
        return Evaluation(right, range(order.needed), lambda block: inputs, "blocks of inputs")

    def places(self, model: AttentionStack, task: Task, inputs: Tensor) -> Tensor:
        assert isinstance(task, Induction)
        D, n, order = model.d_vocab, model.n_ctx, self._order(model)
        size, back = math.perm(D - order.fixed, n - 1 - order.fixed), pow(order.stride, -1, order.blocks)
        found = []
        for i, digits in zip(task.places(inputs).tolist(), task.digits(inputs).tolist(), strict=True):
            block = back * _number(digits[: order.fixed], D) % order.blocks
            rest = _number(digits[order.fixed :], D - order.fixed)
            found.append((block * (n - 2) + i) * size + rest if block < order.needed else -1)
        return torch.tensor(found, dtype=torch.int64)

    def _order(self, model: AttentionStack) -> Order:
        """Whole blocks until the asked share of all sequences of different tokens is reached."""
        D, n = model.d_vocab, model.n_ctx
        fixed = next(k for k in range(n) if math.perm(D - k, n - 1 - k) <= ROWS)
        blocks = math.perm(D, fixed)
        needed = min(blocks, -(-self.part(math.perm(D, n - 1)) // math.perm(D - fixed, n - 1 - fixed)))
        stride = next(s for s in range(int(0.618 * blocks) + 1, 2 * blocks + 2) if math.gcd(s, blocks) == 1)
        return Order(fixed, blocks, needed, stride)

    def unexplained_dimension(self, model: AttentionStack, task: Task) -> int | None:
        return task.size * model.d_vocab


@dataclass(frozen=True)
class LinearBaseline(InputShare[AttentionStack], BruteForce):
    """Brute force on the inputs that begin with a share of all sequences of different tokens."""


class Order(NamedTuple):
    """Which blocks of inputs are evaluated, and when: number ``j stride mod blocks`` as the j-th, so that they are scattered.

    Attributes
    ----------
    fixed
        Tokens with which all inputs of a block begin.
    blocks, needed
        How many blocks there are, and are evaluated.
    stride
        As above; without a common divisor with `blocks`.
    """

    fixed: int
    blocks: int
    needed: int
    stride: int


def _number(digits: list[int], D: int) -> int:
    """The number of a sequence of different tokens out of D by its digits, the j-th of which is below D - j; of any size."""
    number = 0
    for j, digit in enumerate(digits):
        number = number * (D - j) + digit
    return number


@dataclass(frozen=True)
class Prefixes:
    """The prefixes of one length in a block.

    Attributes
    ----------
    tokens : int64 [p, length]
    ancestors : tuple of int64 [p]
        The number of each prefix's own prefix of length 1, 2, ..., length, among those of the block.
    """

    tokens: Tensor
    ancestors: tuple[Tensor, ...]


def _prefixes(D: int, n: int, fixed: int, block: int) -> list[Prefixes]:
    """The prefixes of every length of a block, that is of the sequences that begin with the same `fixed` tokens.

    Addresses, made from numbers alone: free.
    """
    with unseen("addresses, made from numbers alone"):
        digits = []
        for j in reversed(range(fixed)):
            digits.append(block % (D - j))
            block //= D - j
        head = digits[::-1]
        levels = []
        for length in range(1, n):
            choices = [range(D - j) if j >= fixed else range(head[j], head[j] + 1) for j in range(length)]
            grid = torch.cartesian_prod(*(torch.tensor(list(c)) for c in choices)).reshape(-1, length)
            sizes = [len(c) for c in choices]
            number = torch.arange(len(grid))
            ancestors = tuple(number // math.prod(sizes[k:]) for k in range(1, length + 1))
            levels.append(Prefixes(Induction.arrange(grid), ancestors))
        return levels


def _offers(t: Vectors, levels: list[Prefixes]) -> tuple[Tensor, Tensor]:
    """What places 0 ... n - 2 offer to the last row, for each sequence: keys [s, n - 1, h] and logits [s, n - 1, D]."""
    keys, logits = [], []
    with stage("prefixes"):
        for k, level in enumerate(levels):
            key, logit = _row(t, k, level.tokens)
            keys.append(key[levels[-1].ancestors[k]])
            logits.append(logit[levels[-1].ancestors[k]])
    return torch.stack(keys, 1), torch.stack(logits, 1)


def _row(t: Vectors, k: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Key [p, h] and logits [p, D] that place k offers after tokens [p, k + 1]."""
    place, own = torch.arange(k + 1), tokens[:, k]
    mean = _mean(t.score[k, own[:, None], place, tokens], torch.cat([t.o_key, t.oW], 2)[place, tokens])
    copied_key, copied_logits = mean.split([t.o_key.shape[2], t.oW.shape[2]], 1)
    return t.x_key[k, own] + copied_key, t.xW[k, own] + copied_logits


def _mean(score: Tensor, values: Tensor) -> Tensor:
    """Means of values [p, m, w] under the attention of scores [p, m]."""
    weight = torch.exp(score - score.amax(1, keepdim=True))
    return (weight[:, None] @ values).squeeze(1) / weight.sum(1, keepdim=True)


def _last_row_right(t: Vectors, tokens: Tensor, i: int | Tensor, keys: Tensor, logits: Tensor) -> Tensor:
    """bool [s]: with the token of place i (one, or one for each) at the end, the token after it wins provably."""
    n, h, D = tokens.shape[1] + 1, t.o_key.shape[2], t.oW.shape[2]
    every = torch.arange(len(tokens))
    q, a = tokens[every, i], tokens[every, i + 1]
    with stage("last row"):
        whole_row = torch.cat([tokens, q[:, None]], 1)
        score = t.score[n - 1, q[:, None], torch.arange(n), whole_row]
        values = torch.cat([t.o_query, t.o_key, t.oW, t.oU], 2)[torch.arange(n), whole_row]
        query, key, logit, base = _mean(score, values).split([h, h, D, D], 1)
        query, key = query + t.query[q], key + t.x_key[n - 1, q]
        logit, base = logit + t.xW[n - 1, q], base + t.xU[q]
    with stage("scores"):
        score = (torch.cat([keys, key[:, None]], 1) @ query[..., None]).squeeze(2)
        attention = torch.exp(score - score.amax(1, keepdim=True))
    with stage("logits"):
        total = (attention[:, None] @ torch.cat([logits, logit[:, None]], 1)).squeeze(1) + attention.sum(1, keepdim=True) * base
        return provably(total[every, a] > total[every[:, None], others(D)[a]].amax(1))


def is_right(t: Vectors, inputs: Tensor) -> Tensor:
    """bool [k]: is each input proven right by the arithmetic of `BruteForce`? (Every prefix by itself.)"""
    _, n = t.sizes
    result = []
    for part in inputs.split(ROWS):
        offers = [_row(t, k, part[:, : k + 1]) for k in range(n - 1)]
        keys, logits = (torch.stack(x, 1) for x in zip(*offers, strict=True))
        place = (part[:, :-1] == part[:, -1:]).to(torch.int64).argmax(1)
        result.append(_last_row_right(t, part[:, :-1], place, keys, logits))
    return torch.cat(result) if result else torch.zeros(0, dtype=torch.bool)
