"""From a live model of TransformerLens, whose outputs are compared with those of the module that is made of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import sequences
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.models.copying import independent_copy
from compact_proofs.models.hooked.state import from_hooked_state, transformer_from_hooked_state
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.transformer import Transformer
from compact_proofs.models.weights import filled

DRAWN = 2**10
"""Inputs on which the outputs are compared: all, if they are no more."""

TOLERANCE = 1e-5
"""Largest difference of two logits in float64, as a share of the largest logit; a scale may have been rounded to float32."""


def from_transformer_lens(model: Any) -> Architecture:
    """Copy a live HookedTransformer or TransformerBridge; the logits at its last position are the copy's.

    Hooks that were added are refused. Whatever else the configuration does not tell (a method that was replaced, a weight that is
    read from elsewhere) is looked for by comparing outputs on `DRAWN` inputs, in float64: a guard, and no proof.

    Parameters
    ----------
    model : HookedTransformer or TransformerBridge
        It is not changed.

    Raises
    ------
    BadInput
        If its configuration, its weights or its outputs are not those of an architecture that ships.
    """
    cfg = getattr(model, "cfg", None)
    if not isinstance(model, nn.Module) or cfg is None:
        raise BadInput(f"{type(model).__name__} has no cfg: it is no HookedTransformer and no TransformerBridge")
    source = f"the {type(model).__name__}"
    if getattr(model, "tokenizer", None) is not None:
        raise BadInput(f"{source}: it has a tokenizer, with which it may mask tokens; make it without one")
    if _was_hooked(model):
        raise BadInput(f"{source}: hooks were added to it; take them out (reset_hooks), or prove the live model as a module")
    copied = from_hooked_state(model.state_dict(), cfg, source)
    _compare(model, copied, source)
    return copied


def _was_hooked(model: nn.Module) -> bool:
    """Whether hooks were added: by TransformerLens's means or, to a HookedTransformer, which has none of its own, by any."""
    own = type(model).__name__ == "HookedTransformer"
    return any(getattr(p, "fwd_hooks", ()) or (own and (p._forward_hooks or p._forward_pre_hooks)) for p in model.modules())


def transformer_from_live(model: Any, n_ctx: int) -> Transformer:
    """As `from_transformer_lens`, but always a `Transformer`, and one that reads `n_ctx` tokens, which may be fewer."""
    source = f"the {type(model).__name__}"
    longer = transformer_from_hooked_state(model.state_dict(), model.cfg, source)
    if n_ctx > longer.config.n_ctx:
        raise BadInput(f"{source}: it reads at most {longer.config.n_ctx} tokens, and the task has {n_ctx}")
    weights = longer.state_dict()
    weights["W_pos"] = weights["W_pos"][:n_ctx]
    copied = filled(Transformer(replace(longer.config, n_ctx=n_ctx), weights["W_E"].dtype), weights)
    _compare(model, copied, source)
    return copied


def _compare(model: nn.Module, copied: Architecture, source: str) -> None:
    """Raise `BadInput` if the copy has other logits on drawn inputs than the live model at its last position."""
    inputs, tokens = _drawn(copied)
    device = next(model.parameters()).device
    with torch.no_grad():
        try:
            twin = independent_copy(model).double().eval()
            for part in twin.modules():  # some norms convert to the dtype that their configuration names
                if hasattr(getattr(part, "cfg", None), "dtype"):
                    part.cfg.dtype = torch.float64
            theirs = twin(tokens.to(device))[:, -1].cpu()
        except Exception as error:  # of whatever hooks and methods a model has
            raise BadInput(f"{source}: it could not be run in float64 ({type(error).__name__}: {error})") from error
        ours = copy.deepcopy(copied).double()(inputs)
    difference = (theirs - ours).abs().max().item()
    if not difference <= TOLERANCE * ours.abs().max().item():
        raise BadInput(
            f"{source}: its logits differ by {difference:.3g} from those that its configuration and weights define; remove hooks "
            "and changes that are in neither, or prove the live model as a module"
        )


def _drawn(model: Architecture) -> tuple[Tensor, Tensor]:
    """Inputs of a module that was made here, and the tokens that the live model reads for them."""
    generator = torch.Generator().manual_seed(0)
    if isinstance(model, OneLayerMLP):
        inputs = _some(model.p, 2, generator)
        equals = torch.full((len(inputs), model.config.n_ctx - 2), model.p)
        return inputs, torch.cat([inputs, equals], 1)
    assert isinstance(model, (AttentionOnlyTransformer, AttentionStack, Transformer))
    sizes = model.config if isinstance(model, Transformer) else model
    inputs = _some(sizes.d_vocab, sizes.n_ctx, generator)
    return inputs, inputs


def _some(v: int, n: int, generator: torch.Generator) -> Tensor:
    """Sequences of n tokens below v: all, if they are at most `DRAWN`, or so many drawn ones."""
    return sequences(0, v**n, v, n) if v**n <= DRAWN else torch.randint(v, (DRAWN, n), generator=generator)
