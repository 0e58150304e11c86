"""The architectures that ship, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from compact_proofs.models.architecture import Architecture
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.recurrent import Recurrent
from compact_proofs.models.transformer import Transformer

ARCHITECTURES: Mapping[str, type[Architecture]] = {
    kind.architecture: kind for kind in (AttentionOnlyTransformer, AttentionStack, OneLayerMLP, PairMLP, Transformer, Recurrent)
}
"""The classes that ship, by the names that files and claims call them."""


def architecture_of(model: nn.Module) -> tuple[str, dict[str, Any]] | None:
    """Name a model's architecture and its configuration, or None for any other module.

    A subclass is another module: its forward may be another one.
    """
    if isinstance(model, Architecture) and type(model) in ARCHITECTURES.values():
        return model.architecture, model.configuration()
    return None
