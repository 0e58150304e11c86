"""Evaluating listed inputs with shared tables: the program's function, for less."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import RandomModule
from torch import nn

from compact_proofs import zoo
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.listing.zeros import without_zeros
from compact_proofs.enclosure import enclose, sound
from compact_proofs.length import count
from compact_proofs.models.networks import empty_network
from compact_proofs.models.recurrent import RecurrentConfig
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.program import trace
from compact_proofs.tasks.finite.files import read_network

V, N = 3, 3


def randomised(module, seed=0, scale=0.7):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * scale
    return module.eval()


def everything(n, v):
    return torch.cartesian_prod(*[torch.arange(v)] * n).reshape(-1, n)


def assert_same_function(module, n, v, inputs=None):
    """The listing's float reading is the module, and its enclosures hold that and are narrow: where the network itself spreads
    rounding errors far, not a thousand times wider than those of the module's own operations.
    """
    inputs = everything(n, v) if inputs is None else inputs
    program = trace(module, inputs[0])
    with torch.no_grad():
        plain = module(inputs)
        again = Listing(program, v).logits(inputs)
    scale = float(plain.abs().max()) + 1
    assert torch.allclose(again, plain, rtol=1e-9, atol=1e-9 * scale)
    with sound():
        bounds, own = enclose(Listing(program, v).logits(inputs)), enclose(program(inputs))
    assert (bounds.lo <= plain + 1e-9 * scale).all()
    assert (bounds.hi >= plain - 1e-9 * scale).all()
    assert bounds.width.max() < max(1e-6 * scale, 1000 * float(own.width.max()))


transformers = st.builds(
    TransformerConfig,
    d_vocab=st.just(V),
    n_ctx=st.just(N),
    d_out=st.integers(2, 3),
    d_model=st.just(4),
    d_head=st.integers(1, 2),
    n_heads=st.integers(1, 2),
    n_layers=st.integers(1, 2),
    d_mlp=st.sampled_from([0, 5]),
    act=st.sampled_from(["relu", "gelu", "silu", "tanh"]),
    gated=st.booleans(),
    norm=st.sampled_from(["none", "layer", "rms"]),
    biases=st.booleans(),
    causal=st.booleans(),
)


@given(transformers, st.integers(0, 1000))
@settings(max_examples=6, deadline=None)
def test_transformers(config, seed):
    assert_same_function(randomised(empty_network(config, torch.float64), seed), N, V)


@pytest.mark.parametrize("cell", ["relu", "tanh", "gru"])
def test_recurrent_networks(cell):
    config = RecurrentConfig(d_vocab=V, n_ctx=4, d_out=3, d_model=5, cell=cell)
    assert_same_function(randomised(empty_network(config, torch.float64)), 4, V)


def test_scores_of_very_different_size_do_not_underflow():
    config = TransformerConfig(d_vocab=V, n_ctx=N, d_out=2, d_model=4, d_head=2)
    model = randomised(empty_network(config, torch.float64))
    model.blocks[0].W_Q.data *= 1e4  # some sequences have scores that are all thousands below the largest of any
    assert_same_function(model, N, V)


class Flat(nn.Module):
    """An MLP on the embeddings side by side: a linear map of tables of every position."""

    def __init__(self):
        super().__init__()
        self.embed, self.first, self.second = nn.Embedding(V, 4), nn.Linear(4 * N, 6), nn.Linear(6, 3)

    def forward(self, tokens):
        return self.second(torch.relu(self.first(self.embed(tokens).flatten(1))))


class Pooled(nn.Module):
    """The mean of embeddings, minus the first one, times a function of the last one."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(V, 4), nn.Linear(4, 3)

    def forward(self, tokens):
        e = self.embed(tokens)
        pooled = e.mean(1) - 0.5 * e[:, 0]
        return self.out(pooled * torch.sigmoid(e[:, -1])) - 2 * e[:, 1, :3]


class Bilinear(nn.Module):
    """Scores that are used without a softmax, and a softmax over the outputs."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(V, 4), nn.Linear(N, 3)

    def forward(self, tokens):
        e = self.embed(tokens)
        return torch.softmax(self.out((e @ e[:, -1:].transpose(1, 2)).squeeze(2)), 1)


class Ignoring(nn.Module):
    """Logits that depend on one token only, and an output that depends on none."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V, 2)

    def forward(self, tokens):
        e = self.embed(tokens[:, 1])
        return torch.cat([e, torch.zeros_like(e[:, :1])], 1)


@pytest.mark.parametrize("kind", [Flat, Pooled, Bilinear, Ignoring])
def test_other_modules(kind):
    torch.manual_seed(0)
    assert_same_function(randomised(kind().double()), N, V)


def try_random_modules(seeds):
    tried = 0
    for seed in seeds:
        module = RandomModule(seed).eval()
        with torch.no_grad():
            logits = module(everything(N, V))
        if bool(logits.isfinite().all()) and logits.abs().max() < 1e8:
            assert_same_function(module, N, V)
            tried += 1
    return tried


def test_modules_of_random_operations():
    assert try_random_modules(range(6)) > 3


@pytest.mark.slow
def test_many_modules_of_random_operations():
    assert try_random_modules(range(100, 300)) > 150


@pytest.mark.parametrize("name", ["finite-max-2-heads", "finite-max-2-layers", "finite-first-is-last", "finite-max-rnn"])
def test_listing_costs_less_than_brute_force_and_says_the_same(name):
    model, task = read_network(zoo.path(name))
    inputs = torch.randint(0, task.d_vocab, (100, task.n_ctx), generator=torch.Generator().manual_seed(0))
    program = trace(model, inputs[0])
    with sound(), count() as brute:
        logits = enclose(program(inputs))
    labels = task.labels(inputs)
    with sound():
        listing = Listing(program, task.d_vocab)
        with count() as listed:
            right = listing.right(inputs, labels)
    assert listed.length.total < 0.4 * brute.length.total
    assert set(listed.length.by_stage) == {"list"}
    assert right.tolist() == (logits.mid.argmax(1) == labels).tolist()


def test_inputs_that_begin_alike_share_the_states_of_a_recurrent_network():
    model, task = read_network(zoo.path("finite-max-rnn"))
    inputs = task.inputs(0, 1024)
    with torch.no_grad():
        listing = Listing(trace(model.double(), inputs[0]), task.d_vocab)
        with count() as alike:
            listing.logits(inputs)
        with count() as apart:
            listing.logits(inputs.flip(1))  # which end alike
    assert 3 * alike.length.total < apart.length.total


def test_nothing_is_right_where_labels_are_wrong():
    model, task = read_network(zoo.path("finite-first-is-last"))
    inputs = task.inputs(0, 300)
    with sound():
        listing = Listing(trace(model, inputs[0]), task.d_vocab)
        assert listing.right(inputs, task.labels(inputs)).all()
        assert not listing.right(inputs, 1 - task.labels(inputs)).any()
        assert listing.right(inputs[:0], task.labels(inputs[:0])).shape == (0,)


def test_products_without_zeros_are_products_and_cost_what_is_not_zero():
    rows = torch.randn(200, 37, generator=torch.Generator().manual_seed(0), dtype=torch.float64).relu()
    rows[:20] = 0
    W = torch.randn(37, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with count() as counter:
        plain = without_zeros(rows, W)
    assert torch.allclose(plain, rows @ W, rtol=1e-12, atol=1e-12)
    assert counter.length.by_category["matmul"] == 2 * 5 * int((rows > 0).sum())
    with sound():
        spread = enclose(rows) * (enclose(1.0) / 3)
        bounds = enclose(without_zeros(spread, W))
    exact = [
        [sum(Fraction(float(a)) * Fraction(float(w)) for a, w in zip(row, column, strict=True)) / 3 for column in W.T]
        for row in rows[15:40]
    ]
    for lo, hi, values in zip(bounds.lo[15:40].tolist(), bounds.hi[15:40].tolist(), exact, strict=True):
        assert all(a <= value <= b for a, value, b in zip(lo, values, hi, strict=True))
    assert bounds.width.max() < 1e-12


@pytest.mark.parametrize("name", ["finite-max-2-layers-norm-relu", "finite-max-rnn"])
def test_leaving_out_zeros_saves_operations_and_changes_no_bound(name):
    model, task = read_network(zoo.path(name))
    inputs = torch.randint(0, task.d_vocab, (500, task.n_ctx), generator=torch.Generator().manual_seed(0))
    program = trace(model, inputs[0])
    found = []
    with sound():
        for zeros in (False, True):
            listing = Listing(program, task.d_vocab, zeros)
            assert listing.may_have_zeros
            with count() as counter:
                logits = enclose(listing.logits(inputs))
            found.append((logits, counter.length.total))
    (all_, much), (some, less) = found
    assert less < 0.95 * much
    assert (torch.maximum(all_.lo, some.lo) <= torch.minimum(all_.hi, some.hi)).all()
    assert some.width.max() < 2 * float(all_.width.max())


def test_an_infinite_weight_is_not_left_out_beside_a_zero():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.weight = nn.Embedding(V, 4), nn.Parameter(torch.full((4, 2), torch.inf))

        def forward(self, tokens):
            return torch.relu(self.embed(tokens).sum(1)) @ self.weight

    module = randomised(Masked())
    module.weight.data.fill_(torch.inf)
    inputs = everything(N, V)
    with sound():
        bounds = enclose(Listing(trace(module, inputs[0]), V, zeros=True).logits(inputs))
    assert (bounds.lo == -torch.inf).all() or (bounds.hi == torch.inf).all()
