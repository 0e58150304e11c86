"""Transformers of any depth, with heads, norms, an MLP and biases to choose, written as ordinary PyTorch.

TransformerLens names and order of operations: pre-norm, learned positions, untied unembedding. Every position is computed; the
last one's logits come out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from compact_proofs.models.architecture import Architecture, check_sequences, square_root, zero_parameters
from compact_proofs.options import Natural, Options, Positive

Activation = Literal["relu", "gelu", "gelu_tanh", "silu", "tanh"]
"""What a hidden neuron computes; "gelu" is z Phi(z), "gelu_tanh" its approximation by tanh ("gelu_new")."""

Norm = Literal["none", "layer", "rms"]
"""What a branch does before it reads the residual stream: nothing; LayerNorm; division by the root mean square."""


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Options):
    """Everything that decides which function a `Transformer` of given weights is.

    Parameters
    ----------
    d_vocab : int
        v, the number of tokens.
    n_ctx : int
        n, the length of a sequence.
    d_out : int
        Number of outputs.
    d_model, d_head, n_heads, n_layers : int
        Widths of the residual stream and of a head; heads of a layer; layers.
    d_mlp : int
        Hidden neurons of each layer's MLP; 0 for none.
    act : Activation
        Of the hidden neurons.
    gated : bool
        Whether each hidden neuron is multiplied by a linear function of the MLP's input (``act(x W_gate) * (x W_in + b_in)``).
    norm : Norm
        Before attention, before the MLP and before the unembedding.
    eps : float
        Added to the variance, or to the mean square, inside a norm's square root.
    biases : bool
        Whether attention, MLP and unembedding have biases (LayerNorm always has).
    causal : bool
        Whether a position attends to itself and earlier ones only, or to all.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    d_vocab: Positive
    n_ctx: Positive
    d_out: Positive
    d_model: Positive
    d_head: Positive
    n_heads: Positive = 1
    n_layers: Positive = 1
    d_mlp: Natural = 0
    act: Activation = "relu"
    gated: bool = False
    norm: Norm = "none"
    eps: Annotated[float, Field(ge=0, lt=1)] = 1e-5
    biases: bool = False
    causal: bool = False

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by its name in the state dict, in the order of the computation."""
        d, H, h, m = self.d_model, self.n_heads, self.d_head, self.d_mlp
        norm = {"none": (), "rms": ("w",), "layer": ("w", "b")}[self.norm]
        shapes: dict[str, tuple[int, ...]] = {"W_E": (self.d_vocab, d), "W_pos": (self.n_ctx, d)}
        for i in range(self.n_layers):
            block: dict[str, tuple[int, ...]] = {f"ln1_{part}": (d,) for part in norm}
            block |= {"W_Q": (H, d, h), "W_K": (H, d, h), "W_V": (H, d, h), "W_O": (H, h, d)}
            if self.biases:
                block |= {"b_Q": (H, h), "b_K": (H, h), "b_V": (H, h), "b_O": (d,)}
            if m:
                block |= {f"ln2_{part}": (d,) for part in norm}
                block |= {"W_gate": (d, m)} if self.gated else {}
                block |= {"W_in": (d, m), "W_out": (m, d)}
                block |= {"b_in": (m,), "b_out": (d,)} if self.biases else {}
            shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
        shapes |= {f"ln_final_{part}": (d,) for part in norm}
        return shapes | {"W_U": (d, self.d_out)} | ({"b_U": (self.d_out,)} if self.biases else {})


class Block(nn.Module):
    """The parameters of one layer, by their names in `TransformerConfig.shapes`."""


class Transformer(Architecture):
    """A pre-norm transformer that reads n tokens and answers at the last position.

    With r = W_E[t] + W_pos, N the norm, and for each layer, in order:

        score_h,ji = (N(r)_j W_Q[h] + b_Q[h]) . (N(r)_i W_K[h] + b_K[h]) / sqrt(d_head)        (causal: -inf for i > j)
        r += sum_h softmax(score_h) (N(r) W_V[h] + b_V[h]) W_O[h] + b_O
        r += act(N(r) W_in + b_in) W_out + b_out                                               (gated: * (N(r) W_in + b_in))

        logits = N(r_last) W_U + b_U

    Every norm has weights of its own, which are one, not zero, until they are trained or loaded.

    Attributes
    ----------
    answers : dict or None
        Name and parameters of the label function that the network was trained on, if known. No part of the function.
    """

    architecture = "transformer"
    answers: dict[str, Any] | None = None
    W_E: Tensor
    W_pos: Tensor
    W_U: Tensor
    b_U: Tensor

    def __init__(
        self, config: TransformerConfig, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block() for _ in range(config.n_layers))
        zero_parameters(self, config.shapes, dtype, device)
        for name, parameter in self.named_parameters():
            if name.rpartition(".")[2] in ("ln1_w", "ln2_w", "ln_final_w"):
                nn.init.ones_(parameter)

    def configuration(self) -> dict[str, Any]:
        """The configuration as plain JSON values: with the weights, all that the function depends on."""
        return asdict(self.config)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits [..., d_out] at the last position, from tokens int [..., n_ctx] below d_vocab."""
        check_sequences(tokens, self.config.n_ctx)
        residual = self.W_E[tokens] + self.W_pos  # [..., n, d]
        for block in self.blocks:
            residual = residual + self._attention(block, self._norm(block, "ln1", residual))
            if self.config.d_mlp:
                residual = residual + self._mlp(block, self._norm(block, "ln2", residual))
        logits = self._norm(self, "ln_final", residual[..., -1, :]) @ self.W_U
        return logits + self.b_U if self.config.biases else logits

    def _norm(self, owner: Any, name: str, x: Tensor) -> Tensor:
        c = self.config
        if c.norm == "none":
            return x
        weight = getattr(owner, f"{name}_w")
        if c.norm == "layer":
            return F.layer_norm(x, (c.d_model,), weight, getattr(owner, f"{name}_b"), c.eps)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + c.eps) * weight

    def _attention(self, block: Any, x: Tensor) -> Tensor:
        """What the heads of a layer write, of the normed residual stream [..., n, d]."""
        c = self.config
        each = x.unsqueeze(-3)  # [..., 1, n, d]: read by every head
        q, k, v = each @ block.W_Q, each @ block.W_K, each @ block.W_V  # [..., H, n, h]
        if c.biases:
            q, k, v = q + block.b_Q[:, None], k + block.b_K[:, None], v + block.b_V[:, None]
        scale = square_root(c.d_head, x.device)
        scores = q @ k.transpose(-1, -2) / scale  # [..., H, n, n]
        if c.causal:
            seen = torch.ones(c.n_ctx, c.n_ctx, dtype=torch.bool, device=x.device).tril()
            scores = torch.where(seen, scores, -torch.inf)
        written = (torch.softmax(scores, -1) @ v @ block.W_O).sum(-3)
        return written + block.b_O if c.biases else written

    def _mlp(self, block: Any, x: Tensor) -> Tensor:
        """What a layer's MLP writes, of the normed residual stream [..., n, d]."""
        c = self.config
        hidden = x @ block.W_in
        if c.biases:
            hidden = hidden + block.b_in
        hidden = activation(c.act, x @ block.W_gate) * hidden if c.gated else activation(c.act, hidden)
        out = hidden @ block.W_out
        return out + block.b_out if c.biases else out


def activation(name: Activation, z: Tensor) -> Tensor:
    """Apply an activation function by its name."""
    if name == "gelu_tanh":
        return F.gelu(z, approximate="tanh")
    functions = {"relu": torch.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}
    return functions[name](z)
