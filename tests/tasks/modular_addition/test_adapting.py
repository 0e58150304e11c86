"""The default proof takes as many clusters and directions as a network needs."""

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.tasks.modular_addition import KIT, Directions, ModularAddition
from compact_proofs.tasks.modular_addition.projection import used_frequencies
from compact_proofs.tasks.modular_addition.search import folded_in_float64, nearest_frequency


def with_more_directions(strength):
    """A network of the zoo whose clusters write two directions more each, at random, as networks with unlike phases do."""
    model = zoo.load("mod-59-attn-seed-0")
    cluster = nearest_frequency(folded_in_float64(model), used_frequencies(model))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for k in cluster.unique().tolist():
            mine = cluster == k
            W = model.W_out[mine]
            more = torch.randn(len(W), 2, generator=generator) @ torch.randn(2, W.shape[1], generator=generator)
            model.W_out[mine] = W + strength * W.norm() / more.norm() * more
    return model


def test_a_network_that_writes_more_directions_is_followed_in_more():
    model = with_more_directions(3.0)
    task, default = ModularAddition.of(model), KIT.default(model)
    assert isinstance(default, Directions)
    assert default.q > 2
    usual, proof = (cp.prove(model, task, strategy) for strategy in (Directions(5, 2), default))
    assert usual.bound == proof.bound > 0.99
    assert proof.length.total < 0.7 * usual.length.total


@pytest.mark.parametrize(("name", "span"), [("mod-59-attn-seed-0", 20), ("mod-59-mlp-seed-1", 0)])
def test_the_networks_of_the_zoo_need_two(name, span):
    assert KIT.default(zoo.load(name)) == Directions(5, 2, rank=12, label="bounded", span=span)
