"""What names a model's function: the architecture, its configuration, and the weights."""

import json

import pytest
import torch

from compact_proofs import zoo
from compact_proofs.models.architectures import ARCHITECTURES, architecture_of
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig
from compact_proofs.models.pair_mlp import PairMLP

MODELS = [
    (AttentionOnlyTransformer(AttentionOnlyConfig(7, 3, 6, 4)), {"d_vocab": 7, "n_ctx": 3, "d_model": 6, "d_head": 4}),
    (
        AttentionStack(AttentionStackConfig(7, 3, 6, 4, 3)),
        {"d_vocab": 7, "n_ctx": 3, "d_model": 6, "d_head": 4, "n_layers": 3},
    ),
    (
        OneLayerMLP(OneLayerMLPConfig(5, 5, 6, 7, "none")),
        {"d_vocab": 5, "d_out": 5, "d_model": 6, "d_mlp": 7, "attention": "none", "biases": True, "activation": "relu"},
    ),
    (
        OneLayerMLP(OneLayerMLPConfig(6, 5, 6, 7, "learned", 2, 3, False)),
        {
            "d_vocab": 6,
            "d_out": 5,
            "d_model": 6,
            "d_mlp": 7,
            "attention": "learned",
            "n_heads": 2,
            "d_head": 3,
            "biases": False,
            "activation": "relu",
        },
    ),
    (PairMLP(torch.tensor([[0, 1], [1, 0]]), 3), {"order": 2, "width": 3, "d_embed": None, "activation": "relu"}),
    (PairMLP(torch.tensor([[0, 1], [1, 0]]), 3, 5), {"order": 2, "width": 3, "d_embed": 5, "activation": "relu"}),
]


@pytest.mark.parametrize(("model", "expected"), MODELS)
def test_configurations_are_plain_and_complete(model, expected):
    name, configuration = architecture_of(model)
    assert ARCHITECTURES[name] is type(model)
    assert json.loads(json.dumps(configuration)) == configuration == expected
    assert architecture_of(model.double()) == (name, configuration)


@pytest.mark.parametrize("name", [next(iter(zoo.names(task))) for task in ("max-of-k", "induction", "modular-addition", "groups")])
def test_models_of_the_zoo_have_names(name):
    assert architecture_of(zoo.load(name)) is not None


def test_other_modules_have_none():
    class Other(AttentionOnlyTransformer):
        def forward(self, tokens):
            return -super().forward(tokens)

    assert architecture_of(Other(AttentionOnlyConfig(7, 3, 6, 4))) is None
    assert architecture_of(torch.nn.Linear(2, 2)) is None
