"""Attention-only transformers of several layers with one head each, written as ordinary PyTorch.

TransformerLens names and order of operations; causal, no LayerNorm, no MLP, no biases, learned positions, untied unembedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.models.architecture import Embedded, square_root, zero_parameters
from compact_proofs.options import Options, Positive


@dataclass(frozen=True)
class AttentionStackConfig(Options):
    """The sizes of an `AttentionStack`.

    Parameters
    ----------
    d_vocab : int
        D, the number of tokens, of the input and of the output alike.
    n_ctx : int
        n, the length of a sequence.
    d_model : int
        d, the width of the residual stream.
    d_head : int
        h, the width of each head.
    n_layers : int
        The number of layers.

    Raises
    ------
    BadInput
        If a size is not at least 1.
    """

    d_vocab: Positive
    n_ctx: Positive
    d_model: Positive
    d_head: Positive
    n_layers: Positive = 2

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by its name in the state dict, in the order of the computation."""
        D, n, d, h = self.d_vocab, self.n_ctx, self.d_model, self.d_head
        head = {"W_Q": (d, h), "W_K": (d, h), "W_V": (d, h), "W_O": (h, d)}
        layers = {f"blocks.{i}.{name}": shape for i in range(self.n_layers) for name, shape in head.items()}
        return {"W_E": (D, d), "W_pos": (n, d), **layers, "W_U": (d, D)}


class AttentionHead(nn.Module):
    """One attention head: ``softmax((r W_Q)(r W_K)^T / sqrt(d_head)) r W_V W_O``.

    Attributes
    ----------
    W_Q, W_K, W_V : Parameter [d_model, d_head]
        Query, key and value.
    W_O : Parameter [d_head, d_model]
        Output.
    """

    W_Q: Tensor
    W_K: Tensor
    W_V: Tensor
    W_O: Tensor

    def __init__(self, d_model: int, d_head: int, dtype: torch.dtype, device: torch.device | str | None) -> None:
        super().__init__()
        shapes = dict.fromkeys(("W_Q", "W_K", "W_V"), (d_model, d_head)) | {"W_O": (d_head, d_model)}
        zero_parameters(self, shapes, dtype, device)

    def attn_scale(self) -> Tensor:
        """sqrt(d_head)."""
        return square_root(self.W_Q.shape[1], self.W_Q.device)

    def forward(self, residual: Tensor, mask: Tensor) -> Tensor:
        """Return what the head writes.

        Parameters
        ----------
        residual : [..., n, d_model]
        mask : bool [rows, n]
            Which keys each of the last `rows` positions sees.

        Returns
        -------
        Tensor [..., rows, d_model]
        """
        queries = residual[..., -len(mask) :, :] @ self.W_Q
        scores = queries @ (residual @ self.W_K).transpose(-1, -2) / self.attn_scale()
        pattern = torch.softmax(torch.where(mask, scores, -torch.inf), dim=-1)
        return pattern @ (residual @ self.W_V) @ self.W_O


class AttentionStack(Embedded):
    """Layers of one causal attention head each; only the last position's logits are computed.

    With r_0 = W_E[t] + W_pos and r_l = r_{l-1} + head_l(r_{l-1}):

        logits = r_L[last] W_U

    Attributes
    ----------
    W_E, W_pos
        As in `Embedded`.
    blocks : ModuleList of AttentionHead
        The layers.
    W_U : Parameter [d_model, d_vocab]
        Unembedding.
    """

    architecture: ClassVar[str] = "attention-stack"

    W_U: Tensor

    def __init__(
        self,
        config: AttentionStackConfig,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        shapes = config.shapes
        zero_parameters(self, {name: shapes[name] for name in ("W_E", "W_pos")}, dtype, device)
        self.blocks = nn.ModuleList(AttentionHead(config.d_model, config.d_head, dtype, device) for _ in range(config.n_layers))
        zero_parameters(self, {"W_U": shapes["W_U"]}, dtype, device)

    @property
    def config(self) -> AttentionStackConfig:
        """The five sizes."""
        d_model, d_head = self.head(0).W_Q.shape
        return AttentionStackConfig(self.d_vocab, self.n_ctx, d_model, d_head, len(self.blocks))

    def head(self, layer: int) -> AttentionHead:
        """The head of a layer (from 0)."""
        head = self.blocks[layer]
        assert isinstance(head, AttentionHead)
        return head

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits [..., d_vocab] at the last position, from tokens int [..., n_ctx] below d_vocab."""
        residual = self.embedded(tokens)  # [..., n_ctx, d_model]
        causal = torch.ones(self.n_ctx, self.n_ctx, dtype=torch.bool, device=tokens.device).tril()
        *first, last = range(len(self.blocks))
        for layer in first:
            residual = residual + self.blocks[layer](residual, causal)
        final = residual[..., -1:, :] + self.blocks[last](residual, causal[-1:])  # nothing else reaches the last logits
        return (final @ self.W_U).squeeze(-2)
