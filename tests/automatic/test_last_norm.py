"""Margins of networks that end with a layer norm, without the norm: what is proven right is the same, for less."""

import pytest
import torch
from torch import nn

from compact_proofs import zoo
from compact_proofs.automatic.listing.last_norm import Ending, Numerators, TwoSteps, left_by, quickest
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.enclosure import sound
from compact_proofs.length import count
from compact_proofs.models.networks import empty_network
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.program import trace
from compact_proofs.tasks.finite.files import read_network

V, N = 3, 3


def everything():
    return torch.cartesian_prod(*[torch.arange(V)] * N).reshape(-1, N)


def network(seed, scale=0.7, **options):
    config = {"d_model": 8, "d_head": 4, "d_mlp": 6, "norm": "layer", "biases": True, "d_out": 2} | options
    module = empty_network(TransformerConfig(d_vocab=V, n_ctx=N, **config))
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * scale
    return module.eval()


SHAPES = [{"d_out": 3, "act": "gelu"}, {"causal": True, "n_layers": 2}, {"biases": False, "gated": True}]


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_two_steps_prove_what_logits_prove(options):
    inputs, proven = everything(), [0, 0]
    for seed in range(2):
        module = network(seed, **options)
        program = trace(module, inputs[0])
        labels = torch.randint(0, program.output.shape[0], (len(inputs),), generator=torch.Generator().manual_seed(seed))
        with sound():
            found, all_ = quickest(program, V), Listing(program, V, zeros=True)
            assert isinstance(found, TwoSteps)
            found.know([inputs])
            right = all_.right(inputs, labels)
            first = found.first.right(inputs, labels)
            assert not (first & ~right).any()
            assert torch.equal(found.right(inputs, labels), right)
            assert left_by(program, V, inputs, labels) == pytest.approx(1 - int(first.sum()) / len(first))
        proven = [proven[0] + int(first.sum()), proven[1] + int(right.sum())]
    assert 0 < proven[0] < proven[1]


def test_a_shift_against_the_label_is_as_large_as_sigma_says():
    """With a bias for the other output that takes the label's margin from some inputs: none of these is proven right."""
    inputs, labels = everything(), torch.zeros(V**N, dtype=torch.int64)
    module = network(1)
    with torch.no_grad():
        logits = module(inputs)
    ahead = (logits[:, 0] - logits[:, 1]).clamp(min=0)
    missed = 0
    for share in (0.6, 0.9):
        module.b_U.data[1] += (shift := float(ahead[ahead > 0].quantile(share)))
        program = trace(module, inputs[0])
        with sound():
            first = Numerators(program, V, Ending.of(program), zeros=True).right(inputs, labels)
        module.b_U.data[1] -= shift
        assert not (first & (ahead < shift - 1e-9)).any()
        missed += int(((ahead > shift + 1e-9) & ~first).sum())
    assert missed  # sigma is not known exactly


def test_it_costs_less():
    model, task = read_network(zoo.path("finite-first-is-last"))
    inputs = task.inputs(task.size // 2, task.size // 2 + 2048)
    program = trace(model, inputs[0])
    with sound():
        listings = quickest(program, task.d_vocab), Listing(program, task.d_vocab, zeros=True)
        lengths = []
        for listing in listings:
            with count() as counter:
                assert listing.right(inputs, task.labels(inputs)).all()
            lengths.append(counter.length.total)
    assert lengths[0] < 0.4 * lengths[1]


@pytest.mark.parametrize("options", [{"norm": "none"}, {"norm": "rms"}, {"d_mlp": 0}, {"d_out": 40}], ids=str)
def test_other_endings_are_listed_as_they_are(options):
    program = trace(network(0, **options), everything()[0])
    assert Ending.of(program) is None
    assert isinstance(quickest(program, V), Listing)


def test_a_norm_over_several_rows_is_no_ending():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.norm, self.map = nn.Embedding(V, 4), nn.LayerNorm(4), nn.Linear(4, 2)

        def forward(self, tokens):
            return self.map(self.norm(torch.relu(self.embed(tokens)))).sum(1)

    assert Ending.of(trace(Pooled().double().eval(), everything()[0])) is None


def test_linear_layers_have_their_matrices_transposed():
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.hidden, self.out = nn.Embedding(V, 8), nn.Linear(8 * N, 6), nn.Linear(6, 16)
            self.norm, self.map = nn.LayerNorm(16), nn.Linear(16, 2)

        def forward(self, tokens):
            return self.map(self.norm(self.out(torch.relu(self.hidden(self.embed(tokens).flatten(1))))))

    torch.manual_seed(0)
    module, inputs = Layers().double().eval(), everything()
    program, labels = trace(module, inputs[0]), module(inputs).argmax(1)
    with sound():
        found = quickest(program, V)
        assert isinstance(found, TwoSteps)
        assert found.right(inputs, labels).all()
        assert not found.right(inputs, 1 - labels).any()


def test_rows_that_are_joined_are_no_row_times_a_matrix():
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.hidden = nn.Embedding(V, 6), nn.Linear(6, 4, bias=False)
            self.norm, self.map = nn.LayerNorm(4 * N), nn.Linear(4 * N, 2)

        def forward(self, tokens):
            return self.map(self.norm(self.hidden(torch.relu(self.embed(tokens))).flatten(1)))

    torch.manual_seed(0)
    module, inputs = Joined().double().eval(), everything()
    program, labels = trace(module, inputs[0]), module(inputs).argmax(1)
    with sound():
        assert quickest(program, V).right(inputs, labels).all()
