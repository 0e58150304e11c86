"""Small live models of whichever version of TransformerLens is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch


def _hooked_configuration(**fields: Any) -> Any:
    from transformer_lens.config import HookedTransformerConfig

    return HookedTransformerConfig(**fields)


def _hooked_model(cfg: Any) -> torch.nn.Module:
    from transformer_lens import HookedTransformer

    return HookedTransformer(cfg)


def _bridge_configuration(**fields: Any) -> Any:
    from transformer_lens.config import TransformerBridgeConfig

    return TransformerBridgeConfig(**fields)


def _bridge_model(cfg: Any) -> torch.nn.Module:
    import transformer_lens.model_bridge.sources.native  # noqa: F401  (which gives the bridge boot_native)
    from transformer_lens.model_bridge import TransformerBridge

    return TransformerBridge.boot_native(cfg)


KINDS: dict[str, tuple[Callable[..., Any], Callable[[Any], torch.nn.Module]]] = {
    "TransformerBridge": (_bridge_configuration, _bridge_model)
}
"""How a configuration and a model of each class are made."""
if int(version("transformer-lens").split(".")[0]) < 4:
    KINDS["HookedTransformer"] = (_hooked_configuration, _hooked_model)

COMMON = {"d_head": 4, "d_vocab": 6, "normalization_type": None, "device": "cpu", "seed": 0}
BASES: dict[str, dict[str, Any]] = {
    "attention-only": {"d_model": 6, "n_layers": 1, "n_ctx": 3, "n_heads": 1, "attn_only": True},
    "attention-stack": {"d_model": 6, "n_layers": 2, "n_ctx": 3, "n_heads": 1, "attn_only": True},
    "one-layer-mlp": {"d_model": 6, "n_layers": 1, "n_ctx": 3, "n_heads": 2, "d_vocab_out": 5, "d_mlp": 7, "act_fn": "relu"},
    "transformer": {
        "d_model": 6,
        "n_layers": 2,
        "n_ctx": 3,
        "n_heads": 2,
        "d_mlp": 7,
        "act_fn": "gelu",
        "normalization_type": "LN",
    },
}
"""Fields of models of each architecture that ships."""


def fill(model: torch.nn.Module, biases: bool = False) -> None:
    """Weights of size 1, so that whatever a field does shows in the logits; biases outside of MLPs are zero unless asked for."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            bias = name.endswith(("b_Q", "b_K", "b_V", "b_O", "b_U")) or (name.endswith("bias") and "mlp" not in name)
            drawn = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(drawn if biases or not bias else torch.zeros_like(parameter))


def live_model(kind: str, base: str, biases: bool = False, **fields: Any) -> Any:
    """A live model with some fields of its own."""
    configuration, model = KINDS[kind]
    live = model(configuration(**COMMON | BASES[base] | fields))
    fill(live, biases)
    return live
