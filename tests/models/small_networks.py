"""Small networks of every architecture with random weights, and what TransformerLens calls the same."""

import copy

import torch
from torch import nn

from compact_proofs.models.architecture import Architecture
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig
from compact_proofs.models.pair_mlp import PairMLP

TABLE = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]])


def filled(model: Architecture) -> Architecture:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model.requires_grad_(False)


def attention_only() -> AttentionOnlyTransformer:
    return filled(AttentionOnlyTransformer(AttentionOnlyConfig(7, 3, 6, 4)))


def attention_stack(layers: int = 2) -> AttentionStack:
    return filled(AttentionStack(AttentionStackConfig(7, 4, 6, 3, layers)))


def one_layer_mlp(attention: str = "learned", equals: bool = False, heads: int = 2, biases: bool = True) -> OneLayerMLP:
    return filled(OneLayerMLP(OneLayerMLPConfig(5 + equals, 5, 6, 7, attention, heads, 3, biases)))


def pair_mlp(d_embed: int | None = None) -> PairMLP:
    return filled(PairMLP(TABLE, 4, d_embed))


NETWORKS = {
    "attention-only": attention_only,
    "attention-stack": attention_stack,
    "one-layer-mlp": one_layer_mlp,
    "pair-mlp": pair_mlp,
}


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def in_lens(model: Architecture, bridge: bool = False) -> tuple[dict[str, torch.Tensor], dict]:
    """The state dict and the telling fields of the configuration of the same network in TransformerLens, 3 or (bridge) 4."""
    own = state_of(model)
    layers = len(model.blocks) if isinstance(model, AttentionStack) else 1
    heads = model.config.n_heads if isinstance(model, OneLayerMLP) else 1
    weights = {}
    for name, tensor in own.items():
        last = name.split(".")[-1]
        outside = {"W_E": "embed.W_E", "W_pos": "pos_embed.W_pos", "W_U": "unembed.W_U"}
        layer = name.split(".")[1] if "." in name else "0"
        part = "mlp" if last in ("W_in", "b_in", "W_out", "b_out") else "attn"
        in_head = last in ("W_Q", "W_K", "W_V", "W_O") and tensor.ndim == 2
        weights[outside.get(name, f"blocks.{layer}.{part}.{last}")] = tensor[None] if in_head else tensor
    (d_vocab, d_model), (n_ctx, _), d_out = own["W_E"].shape, own["W_pos"].shape, own["W_U"].shape[1]
    d_head = weights["blocks.0.attn.W_V"].shape[2]
    for i in range(layers):
        weights |= {f"blocks.{i}.attn.b_{x}": torch.zeros(heads, d_head) for x in "QKV"}
        weights |= {f"blocks.{i}.attn.b_O": torch.zeros(d_model), f"blocks.{i}.attn.mask": torch.ones(0, 0, dtype=torch.bool)}
        weights[f"blocks.{i}.attn.IGNORE"] = torch.tensor(-torch.inf)
    weights["unembed.b_U"] = torch.zeros(d_out)
    configuration = {
        "n_layers": layers,
        "n_heads": heads,
        "d_model": d_model,
        "d_head": d_head,
        "n_ctx": n_ctx,
        "d_vocab": d_vocab,
        "d_vocab_out": d_out,
        "normalization_type": None,
        "attn_only": not isinstance(model, OneLayerMLP),
        "attn_scale": d_head**0.5,
    }
    if isinstance(model, OneLayerMLP):
        configuration |= {"act_fn": "relu", "d_mlp": model.config.d_mlp}
    return (_as_bridge(weights) if bridge else weights), configuration


def _as_bridge(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names and layouts of torch's layers: [out, in], heads side by side."""
    found = {}
    for name, w in weights.items():
        where, _, last = name.rpartition(".")
        if last in ("mask", "IGNORE"):
            continue
        kind, part = ("weight" if last.startswith("W") else "bias"), last[2:].lower()
        if part in ("q", "k", "v"):
            found[f"{where}.{part}.{kind}"] = w.transpose(1, 2).flatten(0, 1) if w.ndim == 3 else w.flatten()
        elif part == "o":
            found[f"{where}.o.{kind}"] = w.flatten(0, 1).T if w.ndim == 3 else w
        elif part in ("in", "out"):
            found[f"{where}.{part}.{kind}"] = w.T if w.ndim == 2 else w
        else:
            found[f"{where}.{kind}"] = w.T if last == "W_U" else w
    return found


class Live(nn.Module):
    """A live model as the loader sees one: a configuration, a state dict, and logits at every position."""

    def __init__(self, model: Architecture, **changes):
        super().__init__()
        state, configuration = in_lens(model)
        self.inside = copy.deepcopy(model)
        self.state = state
        self.cfg = Cfg()
        vars(self.cfg).update(configuration | changes)

    def state_dict(self):
        return self.state

    def forward(self, tokens):
        inputs = tokens[:, :2] if isinstance(self.inside, OneLayerMLP) else tokens
        return self.inside(inputs)[:, None]


class Cfg:
    """A configuration's class, whose later field has a default."""

    def __init__(self, later: int = 3):
        self.later = later
