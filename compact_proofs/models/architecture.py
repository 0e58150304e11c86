"""Architectures have names: with a configuration and weights, a name says which function it is that a proof is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput


class Architecture(nn.Module, ABC):
    """A module whose function is decided by its class, `configuration` and weights, and by nothing else.

    Those that ship are made by ``Class(config, dtype=torch.float32, device=None)`` from the dataclass of their sizes. Their
    parameters are zero until they are trained or loaded; the device ``"meta"`` makes a model that has shapes and no numbers.

    Attributes
    ----------
    architecture : str
        The name of the class in files and claims.
    """

    architecture: ClassVar[str]

    config: Any

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every parameter and buffer that a network of this configuration has, by name."""
        return self.config.shapes

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """What this network's function depends on besides its weights, as plain JSON values: sizes, activation, attention."""


class Embedded(Architecture):
    """A network that reads a sequence of tokens, each embedded with its position.

    Attributes
    ----------
    W_E : Parameter [d_vocab, d_model]
        Embedding of tokens.
    W_pos : Parameter [n_ctx, d_model]
        Embedding of positions.
    """

    W_E: Tensor
    W_pos: Tensor

    @property
    def d_vocab(self) -> int:
        """The number of tokens."""
        return self.W_E.shape[0]

    @property
    def n_ctx(self) -> int:
        """The length of a sequence."""
        return self.W_pos.shape[0]

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def embedded(self, tokens: Tensor) -> Tensor:
        """[..., n_ctx, d_model] for tokens int [..., n_ctx] below d_vocab; `BadInput` for sequences of another length."""
        check_sequences(tokens, self.n_ctx)
        return self.W_E[tokens] + self.W_pos


def zero_parameters(
    module: nn.Module, shapes: Mapping[str, tuple[int, ...]], dtype: torch.dtype, device: torch.device | str | None
) -> None:
    """Register a parameter of zeros for each name and shape; a name with dots belongs to a submodule that is there."""
    for name, shape in shapes.items():
        owner, _, own = name.rpartition(".")
        module.get_submodule(owner).register_parameter(own, nn.Parameter(torch.zeros(shape, dtype=dtype, device=device)))


def check_sequences(tokens: Tensor, n_ctx: int) -> None:
    """Raise `BadInput` unless tokens [..., n_ctx] are sequences of that length."""
    if tokens.ndim == 0 or tokens.shape[-1] != n_ctx:
        raise BadInput(f"tokens of shape {list(tokens.shape)}: this model reads sequences of {n_ctx} tokens")


def square_root(n: int, device: torch.device) -> Tensor:
    """sqrt(n), a float64 tensor of shape [].

    A model's scale is the real square root, not its nearest float. It is computed by a tensor call each time, so that the sound
    reading sees the call and encloses its result.
    """
    return torch.sqrt(torch.tensor(float(n), dtype=torch.float64, device=device))
