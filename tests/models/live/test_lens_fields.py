"""Every field of TransformerLens's configurations at values that are not its default: the same logits, or a refusal by name.

Run by `make test-lens`, with version 3 (HookedTransformer and TransformerBridge) and with version 4 (TransformerBridge).
"""

from __future__ import annotations

import copy
import inspect
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch

pytest.importorskip("transformer_lens")

from lens import BASES, COMMON, KINDS, fill, live_model

from compact_proofs.errors import BadInput
from compact_proofs.models.hooked import from_hooked_state, from_transformer_lens
from compact_proofs.models.hooked.fields import FOLLOWED, HARMLESS, MUST_BE, SIZES, class_defaults
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.transformer import Transformer

warnings.simplefilter("ignore")
pytestmark = pytest.mark.filterwarnings("ignore")


VALUES: dict[str, tuple[Any, ...]] = {
    "normalization_type": ("LN", "LNPre", "RMS", "RMSPre"),
    "positional_embedding_type": ("rotary", "shortformer", "alibi", "relative_positional_bias"),
    "act_fn": ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "silu", "swish", "solu", "solu_ln", "xielu", "relu2", "GELU"),
    "attention_dir": ("bidirectional",),
    "init_mode": ("xavier_uniform", "kaiming_normal"),
    "attn_scale": (1.5, 3.0, 2.0001, 0.0, -2.0),
    "attn_scores_soft_cap": (0.5, 30.0, 0.0),
    "output_logits_soft_cap": (0.5, 30.0),
    "clip_qkv": (0.1,),
    "n_key_value_heads": (1,),
    "original_architecture": ("OlmoForCausalLM", "Olmo2ForCausalLM", "Olmo3ForCausalLM", "OlmoeForCausalLM", "GPT2LMHeadModel"),
    "architecture": ("GPT2LMHeadModel", "Olmo2ForCausalLM"),
    "dtype": (torch.float64, torch.float16, torch.bfloat16),
    "attn_types": (["local"] * 2, ["global"] * 2),
    "window_size": (1, 2),
    "tokenizer_name": ("gpt2",),
    "default_padding_side": ("left", "right"),
    "device": ("cpu:0",),
    "rotary_dim": (2,),
    "rotary_base_local": (100,),
    "train_seq_length": (1,),
    "quantization_method": ("bitsandbytes",),
    "model_name": ("another",),
    "checkpoint_label_type": ("step",),
    "attn_implementation": ("sdpa",),
    "per_layer_head_dim": ([4, 4],),
    "per_layer_num_key_value_heads": ([1, 1],),
}
"""For fields whose other values cannot be told from the default."""


def other_values(name: str, default: Any) -> tuple[Any, ...]:
    if name in VALUES:
        return VALUES[name]
    if isinstance(default, bool):
        return (not default,)
    if isinstance(default, (int, float)):
        return (default + 1, default + 3, 2 * default + 7)
    if default is None:
        return (1, 2, True)
    raise AssertionError(f"{name} = {default!r}: give values to test it with")


def fields_of(kind: str) -> list[str]:
    cfg = KINDS[kind][0](**COMMON | BASES["attention-only"])
    return sorted({*vars(cfg), *class_defaults(type(cfg))} - {"self"})


def cases() -> Iterator[Any]:
    for kind in KINDS:
        for base in BASES:
            for name in fields_of(kind):
                yield pytest.param(kind, base, name, id=f"{kind}-{base}-{name}")


def last_logits(live: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    twin = copy.deepcopy(live).double()
    for part in twin.modules():  # some norms convert to the dtype that their configuration names
        if hasattr(getattr(part, "cfg", None), "dtype"):
            part.cfg.dtype = torch.float64
    with torch.no_grad():
        return twin(tokens)[:, -1]


def tokens_and_inputs(copied: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    if isinstance(copied, OneLayerMLP):
        pairs = torch.randint(copied.p, (40, 2), generator=generator)
        return torch.cat([pairs, torch.full((40, copied.config.n_ctx - 2), copied.p)], 1), pairs
    sizes = copied.config if isinstance(copied, Transformer) else copied
    tokens = torch.randint(sizes.d_vocab, (40, sizes.n_ctx), generator=generator)
    return tokens, tokens


def assert_same(live: torch.nn.Module, copied: torch.nn.Module) -> None:
    tokens, inputs = tokens_and_inputs(copied)
    theirs = last_logits(live, tokens)
    ours = copy.deepcopy(copied).double()(inputs).detach()
    rounds = isinstance(copied, Transformer) and copied.config.norm == "rms"  # a bridge computes root mean squares in float32
    close = 1e-5 if rounds else 1e-9
    torch.testing.assert_close(theirs, ours, rtol=close, atol=close)


def live_with(kind: str, base: str, name: str, value: Any) -> torch.nn.Module:
    """A live model whose field has this value: made so if TransformerLens lets it, else changed afterwards."""
    configuration, model = KINDS[kind]
    given = {**COMMON, **BASES[base], name: value}
    try:
        cfg = (
            configuration(**given) if name in inspect.signature(configuration(**COMMON | BASES[base]).__init__).parameters else None
        )
        live = model(cfg) if cfg is not None else None
        if live is not None and value == getattr(live.cfg, name):
            fill(live)
            live(torch.zeros(1, 3, dtype=torch.int64))
            return live
    except Exception:  # TransformerLens refuses the value, or its model cannot be run: the field is set on a model that can
        pass
    live = model(configuration(**COMMON | BASES[base]))
    fill(live)
    vars(live.cfg)[name] = value
    return live


@pytest.mark.parametrize(("kind", "base", "name"), cases())
def test_every_field(kind, base, name):
    cfg = KINDS[kind][0](**COMMON | BASES[base])
    default = getattr(cfg, name, class_defaults(type(cfg)).get(name))
    for value in other_values(name, default):
        live = live_with(kind, base, name, value)
        try:
            copied = from_transformer_lens(live)
        except BadInput as error:
            refusal = str(error)
        else:
            assert_same(live, copied)
            continue
        decides_shapes = name in (*SIZES, "attn_only", "normalization_type")  # whose refusal may be that of a weight
        set_later = name in FOLLOWED and "its logits differ" in refusal  # on a model that does not follow its configuration
        assert decides_shapes or set_later or f"cfg.{name} " in refusal, f"{name} = {value!r}: {refusal}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_known(kind):
    """A field of a new version is refused unless it has its default, and belongs into a table."""
    cfg = KINDS[kind][0](**COMMON | BASES["attention-only"])
    known = {*HARMLESS, *MUST_BE, *SIZES, *FOLLOWED}
    assert {*vars(cfg)} <= known
    cfg.telepathy = True
    with pytest.raises(BadInput, match=r"cfg\.telepathy is not known"):
        from_hooked_state({}, cfg, "here")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", BASES)
def test_plain_models(kind, base):
    """A live model, its state dict with its configuration, and the same through JSON: one module each time."""
    live = live_model(kind, base)
    copied = from_transformer_lens(live)
    assert copied.architecture == base
    assert_same(live, copied)
    assert next(live.parameters()).dtype == torch.float32  # the live model is as it was
    through_json = json.loads(json.dumps(vars(live.cfg), default=str))
    for given in (live.cfg, vars(live.cfg), through_json):
        again = from_hooked_state(live.state_dict(), given, "here")
        assert again.configuration() == copied.configuration()
        assert all(torch.equal(a, b) for a, b in zip(again.parameters(), copied.parameters(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", ["attention-only", "one-layer-mlp"])
def test_what_no_field_tells(kind, base):
    """Hooks and tokenizers are refused; biases, which no field tells either, are read."""
    hooked = live_model(kind, base)
    hooked.add_hook("blocks.0.hook_resid_post", lambda value, hook: 0.9 * value)
    with pytest.raises(BadInput, match="hooks were added to it"):
        from_transformer_lens(hooked)
    biased = live_model(kind, base)
    with torch.no_grad():
        next(p for n, p in biased.named_parameters() if n.endswith(("attn.b_V", "attn.v.bias", "v._original_component.bias"))).add_(
            1
        )
    copied = from_transformer_lens(biased)
    assert copied.architecture == "transformer"
    assert_same(biased, copied)
    texts = live_model(kind, base)
    texts.tokenizer = object()
    with pytest.raises(BadInput, match="it has a tokenizer"):
        from_transformer_lens(texts)


@pytest.mark.parametrize("base", BASES)
def test_compatibility_mode_is_followed(base):
    """It centres the unembedding of a bridge: the copy has the weights that are then read."""
    live = live_model("TransformerBridge", base)
    live.enable_compatibility_mode()
    assert_same(live, from_transformer_lens(live))
