"""Averages of tables in listed inputs, and norms, products and averages of them: the same function for less."""

import copy
from itertools import combinations
from unittest import mock

import pytest
import torch

from compact_proofs.automatic.listing import averages as listed_averages
from compact_proofs.automatic.listing import norms as listed_norms
from compact_proofs.automatic.listing import products as listed_products
from compact_proofs.automatic.listing import program as listing
from compact_proofs.automatic.listing import steps as listed_steps
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.enclosure import enclose, sound
from compact_proofs.length import count
from compact_proofs.models.networks import empty_network
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.program import trace

V, N = 4, 5
KINDS = {
    "attention": {},
    "causal": {"causal": True},
    "norm": {"norm": "layer", "d_mlp": 4},
    "gelu": {"norm": "layer", "d_mlp": 4, "act": "gelu", "causal": True},
}


def network(kind, seed=0):
    sizes = {"d_vocab": V, "n_ctx": N, "d_out": 3, "d_model": 8, "d_head": 8, "n_heads": 2, "n_layers": 2, "biases": True}
    model = empty_network(TransformerConfig(**(sizes | KINDS[kind])), torch.float64)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.7
    return model.eval()


def every_input():
    return torch.cartesian_prod(*[torch.arange(V)] * N)


def error_and_cost(kind, seed=0):
    """The largest difference between a listing and the module, and operations of reading all inputs."""
    model, inputs = network(kind, seed), every_input()
    with torch.no_grad():
        plain = model(inputs)
        made = Listing(trace(model, inputs[0]), V)
        with count() as counter:
            found = made.logits(inputs)
    return float((found - plain).abs().max() / (1 + plain.abs().max())), counter.length.total


@pytest.mark.parametrize("kind", KINDS)
def test_two_layers(kind):
    error, _ = error_and_cost(kind)
    assert error < 1e-10


@pytest.mark.parametrize("kind", ["attention", "norm"])
def test_two_layers_are_enclosed(kind):
    model, inputs = network(kind, 1), every_input()[::7]
    with torch.no_grad():
        plain = model(inputs)
    program = trace(model, inputs[0])
    with sound():
        bounds, own = enclose(Listing(program, V).logits(inputs)), enclose(program(inputs))
    assert bool(((bounds.lo <= plain + 1e-9) & (plain - 1e-9 <= bounds.hi)).all())
    assert bounds.width.max() < 1000 * own.width.max()


RULES = [
    ("attention", listing, "product"),
    ("attention", listing, "averages"),
    ("norm", listing, "normalised"),
    ("norm", listing, "contracted"),
]


@pytest.mark.parametrize(("kind", "module", "rule"), RULES)
def test_each_rule_changes_the_length_only(kind, module, rule):
    _, cost = error_and_cost(kind)
    with mock.patch.object(module, rule, return_value=None):
        error, without = error_and_cost(kind)
    assert error < 1e-10
    assert without != cost


def test_what_is_not_kept_is_computed_again():
    _, cost = error_and_cost("attention")
    with mock.patch.object(listed_steps, "KEPT", 0):
        error, without = error_and_cost("attention")
    assert error < 1e-10
    assert without > cost


def test_what_is_kept_serves_later_calls():
    model, inputs = network("attention"), every_input()
    with torch.no_grad():
        plain, made = model(inputs), Listing(trace(model, inputs[0]), V)
        order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
        for part in order.split(50):
            assert torch.allclose(made.logits(inputs[part]), plain[part], rtol=1e-10, atol=1e-10)


FAULTS = [
    (listed_products, "combinations", lambda others, k: list(combinations(others, k))[:-1]),
    (listed_averages, "folded", lambda x, v, largest: type(x)(x.tables[:0], x.weighted)),
    (listed_norms, "folded", lambda x, v, largest: type(x)(x.tables[:0], x.weighted)),
]


@pytest.mark.parametrize(("module", "name", "wrong"), FAULTS)
def test_faults_are_noticed(module, name, wrong):
    kind = "norm" if module is listed_norms else "attention"
    with mock.patch.object(module, name, wrong):
        error, _ = error_and_cost(kind)
    assert error > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_the_price_of_an_input_is_known_from_shapes(kind):
    inputs = every_input()
    labels = inputs[:, 0] % 3
    program = trace(network(kind).float(), inputs[0])
    with sound():
        made = Listing(program, V)
        with count() as counter:
            made.right(inputs, labels)
    priced = Listing(copy.deepcopy(program).to("meta"), V).price(inputs)
    assert counter.length.total == priced * len(inputs) > 0
