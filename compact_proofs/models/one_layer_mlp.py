"""One-layer networks with a ReLU MLP that read two tokens: the models of modular addition, written as ordinary PyTorch.

TransformerLens names and order of operations; no LayerNorm.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture, square_root, zero_parameters
from compact_proofs.models.component import Component, checked_places
from compact_proofs.options import Options, Positive

Attention = Literal["none", "uniform", "learned"]
"""How the two tokens meet: summed embeddings without a skip path, the same weight for every position, or a softmax."""


@dataclass(frozen=True)
class OneLayerMLPConfig(Options):
    """The sizes of a `OneLayerMLP`.

    Parameters
    ----------
    d_vocab : int
        Tokens that are embedded: p, or p + 1 with an "=" sign after the two tokens.
    d_out : int
        p, the number of outputs; the tokens to add are 0 .. p - 1.
    d_model, d_mlp : int
        d and m, the widths of the residual stream and of the MLP.
    attention : "none", "uniform" or "learned"
        See `Attention`.
    n_heads, d_head : int
        Of the attention; they mean nothing without it.
    biases : bool
        Whether the MLP has biases.

    Raises
    ------
    BadInput
        If a size is not at least 1, or the vocabulary does not fit the outputs.
    """

    d_vocab: Positive
    d_out: Positive
    d_model: Positive
    d_mlp: Positive
    attention: Attention = "uniform"
    n_heads: Positive = 1
    d_head: Positive = 1
    biases: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_vocab - self.d_out not in ((0,) if self.attention == "none" else (0, 1)):
            raise BadInput(
                f"{self.d_vocab} tokens and {self.d_out} outputs: a network for a + b mod p embeds its p tokens"
                + ("" if self.attention == "none" else ", or p + 1 with an '=' sign")
            )

    @property
    def n_ctx(self) -> int:
        """Length of the sequence: a, b, and "=" if it has a token."""
        return 2 + self.d_vocab - self.d_out

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by name, in the order of the computation."""
        d, m, heads, h = self.d_model, self.d_mlp, self.n_heads, self.d_head
        shapes: dict[str, tuple[int, ...]] = {"W_E": (self.d_vocab, d)}
        if self.attention != "none":
            shapes["W_pos"] = (self.n_ctx, d)
        if self.attention == "learned":
            shapes |= {"W_Q": (heads, d, h), "W_K": (heads, d, h)}
        if self.attention != "none":
            shapes |= {"W_V": (heads, d, h), "W_O": (heads, h, d)}
        shapes["W_in"] = (d, m)
        if self.biases:
            shapes["b_in"] = (m,)
        shapes["W_out"] = (m, d)
        if self.biases:
            shapes["b_out"] = (d,)
        return shapes | {"W_U": (d, self.d_out)}


class OneLayerMLP(Architecture):
    """An MLP on the sum of two embeddings, or on the residual stream of a transformer layer at its last position.

    Without attention:

        logits = (relu((W_E[a] + W_E[b]) W_in + b_in) W_out + b_out) W_U

    With it, x_i = W_E[t_i] + W_pos[i] for the tokens (a, b) or (a, b, "="), and x_n the last of them:

        z      = x_n + sum_h (sum_i pattern_h,i x_i W_V[h]) W_O[h]          pattern = 1/n, or softmax of the scores
        logits = (z + relu(z W_in + b_in) W_out + b_out) W_U

    where score_h,i = (x_n W_Q[h]) . (x_i W_K[h]) / sqrt(d_head).
    """

    architecture: ClassVar[str] = "one-layer-mlp"

    W_E: Tensor
    W_pos: Tensor
    W_Q: Tensor
    W_K: Tensor
    W_V: Tensor
    W_O: Tensor
    W_in: Tensor
    b_in: Tensor
    W_out: Tensor
    b_out: Tensor
    W_U: Tensor

    def __init__(
        self,
        config: OneLayerMLPConfig,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        zero_parameters(self, config.shapes, dtype, device)

    @property
    def p(self) -> int:
        """The modulus: number of outputs, and of tokens to add."""
        return self.config.d_out

    def configuration(self) -> dict[str, Any]:
        sizes = asdict(self.config)
        if self.config.attention == "none":
            del sizes["n_heads"], sizes["d_head"]
        return {**sizes, "activation": "relu"}

    @property
    def values(self) -> Tensor:
        """W_V of all heads side by side, [d_model, n_heads * d_head]."""
        return self.W_V.permute(1, 0, 2).reshape(self.config.d_model, -1)

    @property
    def outputs(self) -> Tensor:
        """W_O of all heads one below the other, [n_heads * d_head, d_model]."""
        return self.W_O.reshape(-1, self.config.d_model)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        tokens : int Tensor [..., 2]
            Pairs a, b, each from 0 to p - 1.

        Returns
        -------
        Tensor [..., p]
            In the dtype of the parameters.

        Raises
        ------
        BadInput
            If the inputs are not pairs.
        """
        if tokens.ndim == 0 or tokens.shape[-1] != 2:
            raise BadInput(f"tokens of shape {list(tokens.shape)}: this model reads pairs of tokens")
        if self.config.attention == "none":
            return self._mlp(self.W_E[tokens[..., 0]] + self.W_E[tokens[..., 1]]) @ self.W_U
        middle = self._middle(tokens)
        return (middle + self._mlp(middle)) @ self.W_U

    def component(self, inputs: Tensor) -> Component:
        """The MLP on pairs of tokens [N, 2].

        Where attention is uniform or there is none, the activations are sums over the two tokens, two tables of p rows. With e_i
        the embedding and its position, M = W_V W_O (all heads) and the pattern 1/n, they are ``e_0[a] M / n + (e_1[b] M / n +
        e_1[b])`` for n = 2; with an "=" sign the last term is a constant, ``x M / n + x``. Where attention is learned, they are one
        table of N rows. Cost: that of the activations, and 2 m d p for G.
        """
        c, G = self.config, self.W_out @ self.W_U
        places = checked_places(inputs, (self.p, self.p))
        W_U = None if c.attention == "none" else self.W_U
        constant = self.b_out @ self.W_U if c.biases else None
        bias = self.b_in if c.biases else None
        if c.attention == "learned":
            everywhere = torch.arange(len(inputs), device=inputs.device)
            return Component((self._middle(inputs),), (everywhere,), self.W_in, bias, G, W_U, constant)
        first = second = self.W_E[: self.p]
        if c.attention == "uniform":
            first = self.W_E[: self.p] @ self.values @ self.outputs / c.n_ctx
            second = first + self.constant_part()
            if c.n_ctx == 2:
                second = second + self.W_E
        return Component((first, second), places, self.W_in, bias, G, W_U, constant)

    def constant_part(self) -> Tensor:
        """What uniform attention, positions and an "=" sign put into the residual stream, whatever a and b are: [1, d_model]."""
        if self.config.n_ctx == 2:
            read, last = self.W_pos.sum(0), self.W_pos[-1]
        else:
            last = self.W_pos[-1] + self.W_E[-1]
            read = self.W_pos[:2].sum(0) + last
        return ((read @ self.values) @ self.outputs / self.config.n_ctx + last)[None]

    def _middle(self, tokens: Tensor) -> Tensor:
        """The residual stream at the last position, after attention: [..., d_model]."""
        if self.config.n_ctx == 3:
            tokens = torch.cat([tokens, torch.full_like(tokens[..., :1], self.p)], -1)
        residual = self.W_E[tokens] + self.W_pos  # [..., n_ctx, d_model]
        return residual[..., -1, :] + self._mixed(residual) @ self.outputs

    def _mixed(self, residual: Tensor) -> Tensor:
        """The heads' weighted means of the values, side by side: [..., n_heads * d_head]."""
        values = residual @ self.values  # [..., n_ctx, n_heads * d_head]
        if self.config.attention == "uniform":
            return values.mean(-2)
        last = residual[..., -1:, None, :].transpose(-3, -2)  # [..., 1, 1, d_model]
        queries = last @ self.W_Q  # [..., n_heads, 1, d_head]
        keys = residual.unsqueeze(-3) @ self.W_K  # [..., n_heads, n_ctx, d_head]
        scale = square_root(self.config.d_head, self.W_Q.device)
        pattern = torch.softmax((keys @ queries.transpose(-2, -1)).squeeze(-1) / scale, -1)  # [..., n_heads, n_ctx]
        by_head = values.unflatten(-1, (self.config.n_heads, self.config.d_head))  # [..., n_ctx, n_heads, d_head]
        return (pattern.transpose(-2, -1).unsqueeze(-1) * by_head).sum(-3).flatten(-2)

    def _mlp(self, x: Tensor) -> Tensor:
        hidden = x @ self.W_in
        if self.config.biases:
            hidden = hidden + self.b_in
        out = torch.relu(hidden) @ self.W_out
        return out + self.b_out if self.config.biases else out
