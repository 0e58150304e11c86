"""Recurrent networks that read a sequence token by token and answer after the last, written as ordinary PyTorch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from compact_proofs.models.architecture import Architecture, check_sequences, zero_parameters
from compact_proofs.options import Options, Positive

Cell = Literal["relu", "tanh", "gru"]
"""How a state follows from the one before: an Elman cell with ReLU or tanh, or a gated recurrent unit."""


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig(Options):
    """Everything that decides which function a `Recurrent` network of given weights is.

    Parameters
    ----------
    d_vocab, n_ctx, d_out, d_model : int
        Tokens; length of a sequence; outputs; width of embeddings and of the state.
    cell : Cell
        See `Cell`.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    d_vocab: Positive
    n_ctx: Positive
    d_out: Positive
    d_model: Positive
    cell: Cell = "relu"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by name, in the order of the computation."""
        d, gates = self.d_model, 3 if self.cell == "gru" else 1
        shapes: dict[str, tuple[int, ...]] = {"W_E": (self.d_vocab, d), "W_x": (d, gates * d), "W_h": (d, gates * d)}
        shapes |= {"b_x": (gates * d,), "b_h": (gates * d,)} if self.cell == "gru" else {"b_h": (d,)}
        return shapes | {"W_U": (d, self.d_out), "b_U": (self.d_out,)}


class Recurrent(Architecture):
    """A network with a state h, zero at the start, that a cell updates for each token t.

    With x = W_E[t]:

        relu, tanh    h <- act(h W_h + b_h + x W_x)
        gru           r, z = sigmoid of the first two thirds of (x W_x + b_x) + (h W_h + b_h)
                      c    = tanh of the last thirds, (x W_x + b_x) + r * (h W_h + b_h)
                      h   <- (1 - z) * c + z * h                                                  (as torch.nn.GRUCell)

        logits = h W_U + b_U

    `answers` is as for `Transformer`.
    """

    architecture = "recurrent"
    answers: dict[str, Any] | None = None
    W_E: Tensor
    W_x: Tensor
    W_h: Tensor
    b_x: Tensor
    b_h: Tensor
    W_U: Tensor
    b_U: Tensor

    def __init__(
        self, config: RecurrentConfig, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        self.config = config
        zero_parameters(self, config.shapes, dtype, device)

    def configuration(self) -> dict[str, Any]:
        """The configuration as plain JSON values: with the weights, all that the function depends on."""
        return asdict(self.config)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits [..., d_out] after the last token, from tokens int [..., n_ctx] below d_vocab."""
        check_sequences(tokens, self.config.n_ctx)
        read = self.W_E[tokens] @ self.W_x  # [..., n, gates * d]
        state = torch.zeros_like(read[..., 0, : self.config.d_model])
        step = self._gru if self.config.cell == "gru" else self._elman
        for i in range(self.config.n_ctx):
            state = step(read[..., i, :], state)
        return state @ self.W_U + self.b_U

    def _elman(self, read: Tensor, state: Tensor) -> Tensor:
        z = state @ self.W_h + self.b_h + read
        return torch.relu(z) if self.config.cell == "relu" else torch.tanh(z)

    def _gru(self, read: Tensor, state: Tensor) -> Tensor:
        read_r, read_z, read_c = (read + self.b_x).chunk(3, -1)
        kept_r, kept_z, kept_c = (state @ self.W_h + self.b_h).chunk(3, -1)
        r, z = torch.sigmoid(read_r + kept_r), torch.sigmoid(read_z + kept_z)
        new = torch.tanh(read_c + r * kept_c)
        return (1 - z) * new + z * state
