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
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.models.transformer import Transformer

ARCHITECTURES: Mapping[str, type[Architecture]] = {
    kind.architecture: kind
    for kind in (AttentionOnlyTransformer, AttentionStack, OneLayerMLP, PairMLP, Transformer, Recurrent, ScalarRecurrent)
}
"""The classes that ship, by the names that files and claims call them."""


def architecture_of(model: nn.Module) -> tuple[str, dict[str, Any]] | None:
    """Name a model's architecture and its configuration, or None for any other module.

    A subclass is another module, since its forward may be another one, and so is a network with hooks, replaced methods or parts of
    another class.
    """
    if isinstance(model, Architecture) and type(model) in ARCHITECTURES.values() and _is_as_made(model):
        return model.architecture, model.configuration()
    return None


def _is_as_made(model: Architecture) -> bool:
    """Whether nothing was put into a network that its configuration does not tell: hooks, methods, parts of other classes."""
    fresh = vars(nn.Module())
    return all(_own_part(part) and _without_additions(part, fresh) for part in model.modules())


def _own_part(part: nn.Module) -> bool:
    return type(part) in (nn.ModuleList, nn.ModuleDict) or type(part).__module__.startswith("compact_proofs.models.")


def _without_additions(part: nn.Module, fresh: Mapping[str, Any]) -> bool:
    """Whether a module's attributes are data, and those that every module has (hooks) as in a new one."""
    held = {"_parameters", "_buffers", "_modules", "training", "_non_persistent_buffers_set"}
    own = {name: value for name, value in vars(part).items() if name not in held}
    return all(value == fresh[name] if name in fresh else not callable(value) for name, value in own.items())
