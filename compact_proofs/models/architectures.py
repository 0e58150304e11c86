"""The architectures that ship, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as torch_modules

from compact_proofs.models.architecture import Architecture
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionHead, AttentionStack
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.recurrent import Recurrent
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.models.state import tensors_by_name
from compact_proofs.models.transformer import Block, Transformer

ARCHITECTURES: Mapping[str, type[Architecture]] = {
    kind.architecture: kind
    for kind in (AttentionOnlyTransformer, AttentionStack, OneLayerMLP, PairMLP, Transformer, Recurrent, ScalarRecurrent)
}
"""The classes that ship, by the names that files and claims call them."""


_AS_WRITTEN = {kind: dict(vars(kind)) for kind in (*ARCHITECTURES.values(), AttentionHead, Block)}
"""What the classes of the networks that ship, and of their parts, define."""


def architecture_of(model: nn.Module) -> tuple[str, dict[str, Any]] | None:
    """Name a model's architecture and its configuration, or None for any other module.

    A subclass is another module, since its forward may be another one, and so is a network with hooks (of its own, or of all
    modules), with replaced methods, parts of another class, or tensors that are not its parameters.
    """
    if isinstance(model, Architecture) and type(model) in ARCHITECTURES.values() and _is_as_made(model):
        return model.architecture, model.configuration()
    return None


def _is_as_made(model: Architecture) -> bool:
    """Whether nothing was put into a network that its configuration and its weights do not tell."""
    if torch_modules._global_forward_hooks or torch_modules._global_forward_pre_hooks:
        return False
    fresh = vars(nn.Module())
    return all(_own_part(part) and _without_additions(part, fresh) for part in model.modules()) and _own_tensors(model)


def _own_part(part: nn.Module) -> bool:
    """Whether a part is of a class that ships, whose methods nobody replaced."""
    kind = type(part)
    return kind in (nn.ModuleList, nn.ModuleDict) or (kind in _AS_WRITTEN and dict(vars(kind)) == _AS_WRITTEN[kind])


def _without_additions(part: nn.Module, fresh: Mapping[str, Any]) -> bool:
    """Whether a module's attributes are data, and those that every module has (hooks) as in a new one."""
    held = {"_parameters", "_buffers", "_modules", "training", "_non_persistent_buffers_set"}
    own = {name: value for name, value in vars(part).items() if name not in held}
    return all(value == fresh[name] if name in fresh else not callable(value) for name, value in own.items())


def _own_tensors(model: Architecture) -> bool:
    """Whether a network holds the tensors of its configuration and no others, and all of them as parameters and buffers."""
    registered = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers(remove_duplicate=False))}
    shapes = {name: tuple(t.shape) for name, t in registered.items()}
    plain = all(type(t) in (Tensor, nn.Parameter) for t in registered.values())
    return plain and shapes == dict(model.shapes) and tensors_by_name(model).keys() == registered.keys()
