"""The task: the last token occurred before; name the token that followed its earlier occurrence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import LARGEST_NUMBER, digits, numbered
from compact_proofs.inputs.task import Task
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.model_task import ModelStrategy, ModelTask


@dataclass(frozen=True)
class Induction(ModelTask):
    """Sequences x_0 ... x_{n-1} over D tokens, uniform, where x_0 ... x_{n-2} differ and x_{n-1} = x_i for one i <= n - 3.

    The label is x_{i+1}. Throughout the folder q = x_i = x_{n-1} is the query, i its earlier place, c = i + 1 the place of the
    answer a = x_c, f = n - 1 the last place; the *case* (q, i, a) holds (D - 2)! / (D - n + 1)! inputs.

    Attributes
    ----------
    d_vocab
        D, the number of tokens.
    n_ctx
        n, the length of a sequence.
    """

    d_vocab: int
    n_ctx: int
    name: ClassVar[str] = "induction"
    reads: ClassVar[type[nn.Module]] = AttentionStack

    def __post_init__(self) -> None:
        if self.n_ctx < 3 or self.d_vocab < self.n_ctx - 1:
            raise BadInput(
                f"induction needs n_ctx >= 3 and d_vocab >= n_ctx - 1 (the first n_ctx - 1 tokens differ), "
                f"not n_ctx = {self.n_ctx}, d_vocab = {self.d_vocab}"
            )

    @classmethod
    def built_for(cls, model: AttentionStack) -> Induction:
        return cls(model.d_vocab, model.n_ctx)

    @property
    def size(self) -> int:
        """(n - 2) D! / (D - n + 1)!."""
        return (self.n_ctx - 2) * math.perm(self.d_vocab, self.n_ctx - 1)

    @property
    def case_size(self) -> int:
        """(D - 2)! / (D - n + 1)!, the number of inputs of each case (q, i, a)."""
        return math.perm(self.d_vocab - 2, self.n_ctx - 3)

    def parameters(self) -> dict[str, int]:
        return {"d_vocab": self.d_vocab, "n_ctx": self.n_ctx}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Sequences number `start` to `stop` - 1, int64 [k, n_ctx]: by i, then lexicographic."""
        return self.from_digits(numbered(start, stop, self.bases))

    def numbered(self, number: Tensor) -> Tensor:
        """Inputs by their numbers, int64 [k] -> [k, n_ctx]."""
        return self.from_digits(digits(number, self.bases))

    @property
    def bases(self) -> list[int]:
        """How many values i has, and how many tokens are left for each of the first n_ctx - 1."""
        return [self.n_ctx - 2, *(self.d_vocab - j for j in range(self.n_ctx - 1))]

    @staticmethod
    def from_digits(digits: Tensor) -> Tensor:
        """Sequences [k, n_ctx] from i and the digits of their distinct tokens (`arrange`), int64 [k, n_ctx]."""
        distinct = Induction.arrange(digits[:, 1:])
        return torch.cat([distinct, distinct.gather(1, digits[:, :1])], 1)

    def draw(self, n: int, draws: Draws) -> Tensor:
        """By number; where numbers leave int64, every digit by itself, which is as uniform."""
        if self.size <= LARGEST_NUMBER:
            return super().draw(n, draws)
        last_first = torch.tensor([*self.bases[1:], self.bases[0]])
        return self.from_digits(draws.below(last_first.expand(n, -1)).roll(1, -1))

    def numbers(self, inputs: Tensor) -> Tensor:
        """Numbers of inputs, the inverse of `numbered`."""
        number = self.places(inputs)
        for j, digit in enumerate(self.digits(inputs).T):
            number = number * (self.d_vocab - j) + digit
        return number

    @staticmethod
    def digits(inputs: Tensor) -> Tensor:
        """The digits of the first n_ctx - 1 tokens of inputs, the inverse of `arrange`: int64 [k, n_ctx - 1]."""
        return torch.stack([inputs[:, j] - (inputs[:, :j] < inputs[:, j : j + 1]).sum(1) for j in range(inputs.shape[1] - 1)], 1)

    @staticmethod
    def arrange(digits: Tensor) -> Tensor:
        """Turn digits (the j-th in 0 ... D - 1 - j) into distinct tokens: each names one of those not yet used. int64 [k, m]."""
        tokens: list[Tensor] = []
        for digit in digits.unbind(-1):
            for used in torch.stack(tokens, -1).sort(-1).values.unbind(-1) if tokens else ():
                digit = digit + (digit >= used).to(torch.int64)
            tokens.append(digit)
        return torch.stack(tokens, -1)

    def places(self, inputs: Tensor) -> Tensor:
        """The earlier place i of the last token, int64 [k]."""
        return (inputs[:, :-1] == inputs[:, -1:]).to(torch.int64).argmax(-1)

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs.gather(1, self.places(inputs)[:, None] + 1).squeeze(1)


class InductionStrategy(ModelStrategy[AttentionStack]):
    """A strategy that reads the weights of an `AttentionStack` of two layers."""

    task: ClassVar[type[ModelTask]] = Induction

    def applies_to(self, model: AttentionStack, task: Task) -> None:
        super().applies_to(model, task)
        if len(model.blocks) != 2:
            raise BadInput(f"{self.name}: the model has {len(model.blocks)} layers; this proof is for two")
