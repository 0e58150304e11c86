"""Lists with landmarks: what is near one is right, and what is proven is what the network's logits prove."""

from unittest import mock

import pytest
import torch
from torch import nn

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.automatic.listing import choice, landmarks
from compact_proofs.automatic.listing.choice import Choice
from compact_proofs.automatic.listing.landmarks import Landmarks, Near, sample_of
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.listing.waist import Waist
from compact_proofs.enclosure import sound
from compact_proofs.length import count
from compact_proofs.program import trace
from compact_proofs.tasks.finite.files import read_network
from tests.automatic.specimens import N, V, network
from tests.automatic.test_last_norm import network as of_size
from tests.automatic.test_random_programs import modules, mostly_right

KINDS = ["heads", "relu", "gelu", "norm", "two layers"]


def everything(v, n):
    return torch.cartesian_prod(*[torch.arange(v)] * n).reshape(-1, n)


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_they_prove_what_logits_prove(kind, slopes):
    inputs = everything(V, N)
    module = network(kind, 3, 0.5)
    program = trace(module, inputs[0])
    with torch.no_grad():
        labels = module(inputs).argmax(1)
    labels[::7] = (labels[::7] + 1) % V
    with sound():
        near, all_ = Near(program, V, Waist.of(program)), Listing(program, V, zeros=True)
        share = near.learn(inputs[::2], 10**9 if slopes else 1)
        near.know([inputs])
        right = all_.right(inputs, labels)
        assert torch.equal(near.right(inputs, labels), right)
    assert 0 <= share <= 1
    assert right.any()


@pytest.mark.parametrize("options", [{"act": "gelu"}, {"act": "relu", "n_layers": 2}, {"norm": "none"}, {"d_mlp": 0}], ids=str)
def test_on_the_whole_ball_the_label_has_the_largest_logit(options):
    """Points at the radius, in random directions and towards the margins' descent: the tail's largest logit is the label."""
    inputs = everything(3, 3)
    for seed, number in [(0, 1), (1, 10**9)]:
        program = trace(of_size(seed, d_out=4, **options), inputs[0])
        waist = Waist.of(program)
        near = Near(program, 3, waist)
        near.learn(inputs.repeat(2, 1), number)
        marks, generator = near.landmarks, torch.Generator().manual_seed(seed)
        found = 0
        for label, last in (marks.place < len(marks.centre) - 1).nonzero().tolist():
            at = marks.place[label, last]
            if marks.squared[at] <= 0:
                continue
            way = torch.randn(400, waist.size, generator=generator, dtype=torch.float64)
            start = (marks.centre[at] + 1e-3 * way).requires_grad_()
            logits = waist.logits(start.reshape(-1, *waist.shape), near.constants)
            others = logits.masked_fill(torch.arange(4) == label, -torch.inf).amax(1)
            (slope,) = torch.autograd.grad((logits[:, label] - others).sum(), start)
            for direction in (way, -slope, -slope + 0.3 * way * slope.norm() / way.norm()):
                step = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-12) * marks.squared[at].sqrt()
                with torch.no_grad():
                    end = waist.logits((marks.centre[at] + step).reshape(-1, *waist.shape), near.constants)
                assert (end.argmax(1) == label).all()
            found += 1
        assert found


def test_a_radius_is_not_far_from_the_largest():
    """Of a linear tail the radius is known: the least margin over the distance between columns."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.map = nn.Embedding(4, 3), nn.Linear(3, 2)

        def forward(self, tokens):
            return self.map(torch.tanh(self.embed(tokens).sum(1)))

    torch.manual_seed(0)
    module, inputs = Linear().double(), everything(4, 2)
    program = trace(module, inputs[0])
    waist = Waist.of(program)
    near = Near(program, 4, waist)
    near.learn(inputs, 1)
    place = near.landmarks.place
    assert waist.size == 3
    for label, last in (place < len(near.landmarks.centre) - 1).nonzero().tolist():
        radius, centre = near.landmarks.squared[place[label, last]].clamp(min=0).sqrt(), near.landmarks.centre[place[label, last]]
        with torch.no_grad():
            w = module.map.weight[label] - module.map.weight[1 - label]
            margin = w @ torch.tanh(centre) + module.map.bias[label] - module.map.bias[1 - label]
            most = margin / w.norm()
        assert radius >= 0.5 * min(float(most), float(centre.norm()) / 2)  # tanh has slopes of at most 1


def test_no_landmark_is_near_other_labels_or_tokens():
    marks = Landmarks(torch.zeros(2, 3).double(), torch.tensor([1.0, -1.0]).double(), torch.tensor([[0, 1], [1, 1]]))
    vectors = torch.zeros(6, 1, 3).double()
    vectors[1, 0, 0] = 1.1
    labels, last = torch.tensor([0, 0, 0, 1, -1, 2]), torch.tensor([0, 0, 1, 0, 0, 0])
    assert marks.near(vectors, labels, last).tolist() == [True, False, False, False, False, False]


def test_a_list_that_is_long_enough_has_landmarks_and_costs_less():
    model, task = read_network(zoo.path("finite-max-gelu"))
    inputs = task.inputs(task.size // 2, task.size // 2 + 2**13)
    inputs[:, -1] %= 4
    program = trace(model, inputs[0])
    with mock.patch.object(landmarks, "FEWEST", 64), mock.patch.object(landmarks, "SHARE", 4), sound():
        listings = Choice(program, task.d_vocab).of(inputs), Choice(program, task.d_vocab).of(inputs[:100])
        assert isinstance(listings[0], Near)
        assert isinstance(listings[1], Listing)
        lengths = []
        for listing in listings:
            listing.know([inputs])
            with count() as counter:
                assert listing.right(inputs, task.labels(inputs)).all()
            lengths.append(counter.length.total)
    assert lengths[0] < 0.6 * lengths[1]


def test_samples_have_every_last_token():
    numbers = sample_of(2**16, 8, 16)
    assert len(set(numbers)) == len(numbers) == 1024
    assert {k % 16 for k in numbers} == set(range(16))
    assert sample_of(1000, 8, 16) == []


def test_programs_without_a_narrow_place_have_no_waist():
    assert Waist.of(trace(network("moved", 0, 0.5), everything(V, N)[0])) is None


def try_modules(seeds, slopes):
    """How many random modules are listed with landmarks, which no price forbids, and proven as brute force proves them."""
    tried = 0
    without = mock.patch.object(choice, "least_share", return_value=0.0)
    few = mock.patch.multiple(landmarks, FEWEST=1, SHARE=1, MANY=0 if slopes else 2**62)
    with without, few, mock.patch.object(Landmarks, "near", autospec=True, side_effect=Landmarks.near) as asked:
        for seed, (module, logits) in enumerate(modules(seeds)):
            task = mostly_right(logits, seed)
            found = cp.prove(module, task, cp.Automatic(cuts=0, worth=10**9)).bound
            assert found == cp.brute_force(module, task).bound
            tried += asked.called
            asked.reset_mock()
    return tried


@pytest.mark.parametrize("slopes", [False, True])
def test_random_modules_are_proven_with_landmarks(slopes):
    assert try_modules(range(400, 404), slopes) > 0


@pytest.mark.slow
@pytest.mark.parametrize("slopes", [False, True])
def test_many_random_modules_are_proven_with_landmarks(slopes):
    assert try_modules(range(4000, 4080), slopes) > 3
