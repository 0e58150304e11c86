"""The task: the last token occurred before; name the token that followed it some places later.

The last token q came before, at place i; name the token `lag` places later. A network of lag + 1 layers can copy from the place
before in all layers but the last, so that place k ends up with the token of place k - lag, and look for q among the copies. With
one copying layer this is induction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import numbered
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.model_task import ModelTask


@dataclass(frozen=True)
class LaggedInduction(ModelTask):
    """Sequences x_0 ... x_{n-1}: x_0 ... x_{n-2} differ, x_{n-1} = x_i for one i <= n - 2 - lag; the label is x_{i + lag}.

    Attributes
    ----------
    d_vocab, n_ctx
        D and n.
    lag
        How far the answer is behind the query's first occurrence, at least 1: the number of copying layers.
    """

    d_vocab: int
    n_ctx: int
    lag: int
    name: ClassVar[str] = "lagged-induction"
    reads: ClassVar[type[nn.Module]] = AttentionStack

    def __post_init__(self) -> None:
        if self.lag < 1 or self.n_ctx < self.lag + 2 or self.d_vocab < self.n_ctx - 1:
            raise BadInput(
                f"lagged induction needs lag >= 1, n_ctx >= lag + 2 and d_vocab >= n_ctx - 1, not lag = {self.lag}, "
                f"n_ctx = {self.n_ctx}, d_vocab = {self.d_vocab}"
            )

    @classmethod
    def built_for(cls, model: AttentionStack) -> LaggedInduction:
        """The task of a model of lag + 1 layers."""
        return cls(model.d_vocab, model.n_ctx, len(model.blocks) - 1)

    @property
    def places(self) -> int:
        """Number of places where the query may come first."""
        return self.n_ctx - 1 - self.lag

    @property
    def size(self) -> int:
        return self.places * math.perm(self.d_vocab, self.n_ctx - 1)

    def parameters(self) -> dict[str, int]:
        return {"d_vocab": self.d_vocab, "n_ctx": self.n_ctx, "lag": self.lag}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Sequences by i, then lexicographic: int64 [k, n_ctx]."""
        bases = [self.places, *(self.d_vocab - j for j in range(self.n_ctx - 1))]
        return Induction.from_digits(numbered(start, stop, bases))

    def first_places(self, inputs: Tensor) -> Tensor:
        """The place i of the query's first occurrence, int64 [k]."""
        return (inputs[:, :-1] == inputs[:, -1:]).to(torch.int64).argmax(-1)

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs.gather(1, self.first_places(inputs)[:, None] + self.lag).squeeze(1)
