"""Accept a live model of TransformerLens wherever a module is expected."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.models.hooked.live import from_transformer_lens, transformer_from_live
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.transformer import Transformer

_LIVE = ("HookedTransformer", "TransformerBridge")


class LastLogits(nn.Module):
    """A network with logits at every position, read at the last one.

    Parameters
    ----------
    network : nn.Module
        From tokens [n, n_ctx] to logits [n, n_ctx, d_vocab].
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits [n, d_vocab] at the last position of the tokens [n, n_ctx]."""
        return self.network(tokens)[:, -1]


def is_live(model: Any) -> bool:
    """Whether a model is a HookedTransformer or a TransformerBridge of TransformerLens, or of a class derived from one."""
    kinds = (kind for kind in type(model).__mro__ if kind.__module__.partition(".")[0] == "transformer_lens")
    return any(kind.__name__ in _LIVE for kind in kinds)


def as_network(model: nn.Module, inputs: Tensor) -> nn.Module:
    """Return the module whose function a theorem is to be about.

    A live model of TransformerLens is copied into the architecture of ours that computes the same on rows of that width, if there
    is one; any other is read at its last position (`LastLogits`), and proved as the module that it is. Every other module is
    returned as it stands.

    Parameters
    ----------
    model : nn.Module
        It is not changed.
    inputs : Tensor
        Some inputs of its task, int64 [n, width].
    """
    if not is_live(model):
        return model
    width = inputs.shape[1]
    try:
        copied = from_transformer_lens(model)
        return copied if _width(copied) == width else transformer_from_live(model, width)
    except BadInput:  # it is of no architecture of ours, or was changed: then what it computes is its program
        return LastLogits(model)


def _width(model: Architecture) -> int:
    """How many tokens a model that was copied reads; an MLP on pairs adds the tokens that stand behind them itself."""
    if isinstance(model, OneLayerMLP):
        return 2
    assert isinstance(model, (AttentionOnlyTransformer, AttentionStack, Transformer))
    return model.config.n_ctx if isinstance(model, Transformer) else model.n_ctx
