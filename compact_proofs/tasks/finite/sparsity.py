"""Training for short lists of inputs: products leave out hidden neurons that a ReLU made zero, so that others should be few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from compact_proofs.errors import BadInput
from compact_proofs.models.networks import Network
from compact_proofs.models.transformer import Transformer

SEQUENCES = 256
"""Drawn at each call."""
SMALLEST = 1e-9
"""Added to the mean of a layer's neurons, which may all be zero."""


class _Hidden(TorchFunctionMode):
    """Keeps the results of every ReLU, one for each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.relu:
            self.found.append(result)
        return result


def hidden(network: Network, tokens: Tensor) -> list[Tensor]:
    """The hidden neurons of each layer [N, n, d_mlp] on sequences int64 [N, n].

    Raises
    ------
    BadInput
        If the network has no layer of ReLUs.
    """
    if not (isinstance(network, Transformer) and network.config.d_mlp and network.config.act == "relu"):
        raise BadInput("sparsity needs a transformer with hidden ReLU neurons (d_mlp, act = relu)")
    with _Hidden() as kept:
        network(tokens)
    return kept.found


def activity(network: Network, sequences: Callable[[int], Tensor]) -> Tensor:
    """How far hidden neurons are from 0, differentiably: the mean of log(1 + h / mean h) in a layer, summed over layers.

    A layer's scale does not matter, as its mean is taken as given; the logarithm draws small ones to 0 more than large ones.

    Parameters
    ----------
    sequences
        Draws so many, int64 [N, n].
    """
    layers = hidden(network, sequences(SEQUENCES))
    return torch.stack([torch.log1p(h / (h.detach().mean() + SMALLEST)).mean() for h in layers]).sum()


def active(network: Network, tokens: Tensor) -> float:
    """The share of hidden neurons that are not 0 on sequences int64 [N, n]."""
    with torch.no_grad():
        layers = hidden(network, tokens)
    return sum(float((h > 0).double().mean()) for h in layers) / len(layers)
