"""The task Max-of-K: name the largest of K tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import lexicographic, sequences
from compact_proofs.inputs.task import Task
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.sequences.labels import Maximum
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.model_task import ModelStrategy, ModelTask


@dataclass(frozen=True)
class MaxOfK(ModelTask):
    """Sequences t in {0 .. d_vocab - 1}^n_ctx, uniform; the label is max_i t_i.

    Attributes
    ----------
    d_vocab
        v, the number of tokens.
    n_ctx
        K, the length of a sequence.
    """

    d_vocab: int
    n_ctx: int
    name: ClassVar[str] = "max-of-k"
    reads: ClassVar[type[nn.Module]] = AttentionOnlyTransformer

    def __post_init__(self) -> None:
        if self.d_vocab < 2 or self.n_ctx < 2:
            raise BadInput(f"Max-of-K needs d_vocab >= 2 and n_ctx >= 2, not {self.d_vocab} and {self.n_ctx}")

    @classmethod
    def built_for(cls, model: AttentionOnlyTransformer) -> MaxOfK:
        return cls(model.d_vocab, model.n_ctx)

    @property
    def size(self) -> int:
        """v^K."""
        return self.d_vocab**self.n_ctx

    def as_finite(self) -> FiniteTask:
        """With the label function `Maximum`."""
        return FiniteTask(self.n_ctx, self.d_vocab, Maximum())

    def parameters(self) -> dict[str, int]:
        return {"d_vocab": self.d_vocab, "n_ctx": self.n_ctx}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Sequences number `start` to `stop` - 1 in lexicographic order, int64 [n, n_ctx] (for v^K < 2^63)."""
        return sequences(start, stop, self.d_vocab, self.n_ctx)

    def numbers(self, inputs: Tensor) -> Tensor:
        """The sequences as numbers in base v: about 2 K operations each."""
        return lexicographic(inputs, self.d_vocab)

    def draw(self, n: int, draws: Draws) -> Tensor:
        """Every token by itself."""
        return draws.below(torch.full((n, self.n_ctx), self.d_vocab))

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs.max(-1).values


class MaxOfKStrategy(ModelStrategy[AttentionOnlyTransformer]):
    """A strategy that reads the weights of an `AttentionOnlyTransformer`."""

    task: ClassVar[type[ModelTask]] = MaxOfK

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int | None:
        """3 v^2 + 2 K v unless a strategy says otherwise: every entry of the five path matrices."""
        v, K = model.d_vocab, model.n_ctx
        return 3 * v * v + 2 * K * v
