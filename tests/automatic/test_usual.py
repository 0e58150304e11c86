"""The default proof of a network: where inputs are few, it is not cut short for thrift."""

import torch

import compact_proofs as cp
from compact_proofs.automatic.strategy import Automatic, usual
from compact_proofs.models.transformer import Transformer, TransformerConfig


def test_few_inputs_are_worth_more():
    few, many = (cp.FiniteTask(n, 10, lambda x: x[:, 0]) for n in (2, 9))
    assert usual(few).worth * 100 <= 2**34
    assert usual(few).worth > Automatic.worth
    assert usual(many) == Automatic()


def test_a_deep_network_on_few_inputs_is_proven_exactly():
    config = TransformerConfig(
        d_vocab=3, n_ctx=3, d_out=3, d_model=32, d_head=16, n_heads=2, n_layers=2, d_mlp=64, act="gelu", norm="layer", biases=True
    )
    network = Transformer(config, torch.float64)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.4
    labels = network(torch.cartesian_prod(*[torch.arange(3)] * 3)).argmax(-1).reshape(3, 3, 3)
    task = cp.FiniteTask(3, 3, lambda x: labels[x[:, 0], x[:, 1], x[:, 2]])
    assert cp.prove(network, task, Automatic()).bound == 0  # an input costs more than one is worth elsewhere
    assert cp.prove(network, task).bound == 1
