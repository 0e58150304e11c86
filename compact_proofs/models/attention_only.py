"""The one-layer, one-head, attention-only transformer, written as ordinary PyTorch.

TransformerLens names and order of operations; no LayerNorm, no MLP, no biases, learned positions, untied unembedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.models.architecture import Embedded, square_root, zero_parameters
from compact_proofs.options import Options, Positive


@dataclass(frozen=True)
class AttentionOnlyConfig(Options):
    """The sizes of an `AttentionOnlyTransformer`.

    Parameters
    ----------
    d_vocab : int
        v, the number of tokens, of the input and of the output alike.
    n_ctx : int
        K, the length of a sequence.
    d_model : int
        d, the width of the residual stream.
    d_head : int
        h, the width of the head.

    Raises
    ------
    BadInput
        If a size is not at least 1.
    """

    d_vocab: Positive
    n_ctx: Positive
    d_model: Positive
    d_head: Positive

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by name, in the order of the computation."""
        v, K, d, h = self.d_vocab, self.n_ctx, self.d_model, self.d_head
        return {
            "W_E": (v, d),
            "W_pos": (K, d),
            "W_Q": (d, h),
            "W_K": (d, h),
            "W_V": (d, h),
            "W_O": (h, d),
            "W_U": (d, v),
        }


class AttentionOnlyTransformer(Embedded):
    """One attention head between an embedding and an unembedding; only the last position's logits are computed.

    With q = t_K the last token and x_i = W_E[t_i] + W_pos[i]:

        score_i = (x_K W_Q) . (x_i W_K) / sqrt(d_head)        a = softmax(score)
        logits  = (x_K + (sum_i a_i x_i W_V) W_O) W_U

    Attributes
    ----------
    W_E, W_pos
        As in `Embedded`.
    W_Q, W_K, W_V : Parameter [d_model, d_head]
        Query, key and value.
    W_O : Parameter [d_head, d_model]
        Output of the head.
    W_U : Parameter [d_model, d_vocab]
        Unembedding.
    """

    architecture: ClassVar[str] = "attention-only"

    W_Q: Tensor
    W_K: Tensor
    W_V: Tensor
    W_O: Tensor
    W_U: Tensor

    def __init__(
        self,
        config: AttentionOnlyConfig,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        zero_parameters(self, config.shapes, dtype, device)

    @property
    def d_model(self) -> int:
        """d, the width of the residual stream."""
        return self.W_E.shape[1]

    @property
    def d_head(self) -> int:
        """h, the width of the head."""
        return self.W_Q.shape[1]

    @property
    def config(self) -> AttentionOnlyConfig:
        """The four sizes."""
        return AttentionOnlyConfig(self.d_vocab, self.n_ctx, self.d_model, self.d_head)

    def attn_scale(self) -> Tensor:
        """sqrt(d_head)."""
        return square_root(self.d_head, self.W_Q.device)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits [..., d_vocab] at the last position, from tokens int [..., n_ctx] below d_vocab."""
        residual = self.embedded(tokens)  # [..., n_ctx, d_model]
        last = residual[..., -1, :]  # [..., d_model]
        query = last @ self.W_Q  # [..., d_head]
        keys = residual @ self.W_K  # [..., n_ctx, d_head]
        values = residual @ self.W_V  # [..., n_ctx, d_head]
        scores = (keys @ query.unsqueeze(-1)).squeeze(-1) / self.attn_scale()  # [..., n_ctx]
        pattern = torch.softmax(scores, dim=-1)  # [..., n_ctx]
        mixed = (pattern.unsqueeze(-2) @ values).squeeze(-2)  # [..., d_head]
        return (last + mixed @ self.W_O) @ self.W_U
