"""Networks that cannot be read are listed where that pays, and refused by name otherwise."""

from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs.automatic.boxes.tree import LIST
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.reading.refusals import NotRead
from compact_proofs.automatic.search import find
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.errors import NoSoundRule
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.program import program_of
from tests.automatic.specimens import V, largest


class Chosen(torch.nn.Module):
    """Sums of embeddings, changed in a way that tables cannot follow."""

    def __init__(self, way):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.E = torch.nn.Parameter(torch.randn(V, V, generator=generator, dtype=torch.float64))
        self.way = way

    def forward(self, tokens):
        h = self.E[tokens].sum(1)
        if self.way == "compared":
            return torch.where(h > 0.3, h, 0.1 * h)
        if self.way == "by tokens":
            first = (tokens == tokens[:, :1])[:, 1:]  # of two positions each
            return torch.where(first, torch.tanh(h[:, : V - 3]), h[:, 3:]).repeat(1, 3)[:, :V]
        if self.way == "by a token":
            return torch.where((tokens == 1)[:, :1], torch.tanh(h) * h, h)
        if self.way == "largest":
            return self.E[h.argmax(-1)] + h
        values, places = h.topk(2, -1)
        return h.scatter(-1, places, 2 * values)


def test_what_has_no_bounds_is_listed_or_refused():
    task, model = largest("attention"), Chosen("compared")
    certificate = cp.prove(model, task, Automatic())
    assert certificate.bound == cp.brute_force(model, task).bound
    with pytest.raises(NotRead, match="gt makes whole numbers or truth values"):
        cp.prove(model, task, Automatic(worth=1))


@pytest.mark.parametrize("way", ["by tokens", "by a token"])
def test_choices_by_tokens_are_listed_or_refused(way):
    task, model = largest("attention"), Chosen(way)
    assert cp.prove(model, task, Automatic()).bound == cp.brute_force(model, task).bound
    with pytest.raises(NotRead, match="truth values of several positions"):
        cp.prove(model, task, Automatic(worth=1))
    with pytest.raises(NotRead, match="truth values of several positions"), cp.sound():
        read(program_of(model, task), task.d_vocab, task.n_ctx - 1)


@pytest.mark.parametrize(("way", "said"), [("largest", "argmax"), ("places", "indices that come from ordering")])
def test_what_nothing_can_evaluate_is_refused_by_name(way, said):
    with pytest.raises(NoSoundRule, match=said):
        cp.prove(Chosen(way), largest("attention"), Automatic())


def test_infinite_scores_are_listed():
    """Scores whose spread has no bound: nothing is known of their shares, and nothing is claimed of them."""

    class Attends(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.E = torch.nn.Parameter(torch.eye(V, dtype=torch.float64))
            self.S = torch.nn.Parameter(torch.zeros(V, V, dtype=torch.float64))
            with torch.no_grad():
                self.S[1, 2] = torch.inf

        def forward(self, tokens):
            scores = self.S[tokens[:, -1:], tokens]
            return (scores.softmax(1)[:, None] @ self.E[tokens])[:, 0]

    task, model = largest("attention"), Attends()
    own = {"roots": torch.tensor([0]), "tree": torch.tensor([[LIST, 0]] * 99), "group": torch.zeros(0, dtype=torch.int64)}
    told = {**own, "choices": torch.zeros(0, dtype=torch.int64), "numbers": torch.zeros(0, dtype=torch.float64)}
    assert cp.prove(model, task, Automatic(), explanation=told).bound <= cp.brute_force(model, task).bound


def test_bounds_that_cost_more_than_all_inputs_are_worth_are_not_tried():
    config = TransformerConfig(d_vocab=3, n_ctx=3, d_out=3, d_model=4, d_head=4, n_layers=2, d_mlp=8)
    task = cp.FiniteTask(3, 3, lambda x: x.amax(1))
    network = Transformer(config, dtype=torch.float64)
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    program = program_of(network, task)
    asked = {"hard": 1, "families": 1, "kept": 1, "cuts": 1, "most": 0}
    with mock.patch.object(find, "relaxed_search", side_effect=RuntimeError("tried")):
        assert find.search(program, task, worth=1.0, **asked)["group"].numel() == 0
        with pytest.raises(RuntimeError, match="tried"):
            find.search(program, task, worth=1e9, **asked)
