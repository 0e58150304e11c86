"""What a program computes of all vectors near given ones: every value lies within the bounds."""

import pytest
import torch
from torch import nn

from compact_proofs.automatic.listing.around import Around, Symbol, entrywise, normed

L, K = 20, 7


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def within(radius, count, seed):
    """Vectors [count, L, K] of lengths up to each radius: half of them as long as may be."""
    x = random(count, len(radius), K, seed=seed)
    x = x / x.norm(dim=-1, keepdim=True) * radius[:, None]
    x[::2] *= torch.rand(x[::2].shape[:2], generator=torch.Generator().manual_seed(seed))[..., None]
    return x


def check(found, values, closest=0.0):
    """All values [count, L, E] are within what `found` says; some come nearer to its bounds than a share `closest`."""
    away, most = (values - found.centre).abs(), found.spans().expand(values.shape)
    assert (away <= most + 1e-12).all()
    assert ((values - found.centre).norm(dim=-1) <= found.distance() + 1e-12).all()
    assert float((away / most.clamp(min=1e-30)).max()) > closest


FUNCTIONS = {
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "tanh": torch.tanh,
    "silu": nn.functional.silu,
    "sigmoid": torch.sigmoid,
}


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_entries_of_linear_maps(name, slopes):
    centre, W, V = random(L, K), random(K, 5, seed=1), random(5, 4, seed=2)
    radius = torch.logspace(-2, 0.7, L, dtype=torch.float64)
    x = Around.ball(centre, radius)
    hidden = entrywise(name, x.times(W), slopes)
    moved = centre + within(radius, 4000, 3)
    values = FUNCTIONS[name](moved @ W)
    check(hidden, values, 0.5)
    check(hidden.times(V).plus(Around(x.centre[:, :4], tuple((s, E[:, :4]) for s, E in x.parts))), values @ V + moved[..., :4], 0.2)
    few = torch.tensor([3, 1, 7])
    assert torch.equal(hidden.of(few).times(V).spans(), hidden.times(V).spans()[few])
    check(hidden.ahead(2), values[..., 2:3] - values, 0.2)


@pytest.mark.parametrize("radius", [0.01, 1.0, 30.0])
def test_layer_norms(radius):
    centre, w, b = random(L, K), random(K, seed=1), random(K, seed=2)
    found = normed(Around.ball(centre, torch.full((L,), radius, dtype=torch.float64)), w, b, 1e-5)
    moved = centre + within(torch.full((L,), radius, dtype=torch.float64), 4000, 3)
    check(found, nn.functional.layer_norm(moved, (K,), w, b), 0.2 if radius < 1 else 0.0)


def test_a_second_function_of_what_slopes_made():
    centre, W, V = random(L, K), random(K, 5, seed=1), random(5, 4, seed=2)
    radius = torch.logspace(-2, 0.3, L, dtype=torch.float64)
    hidden = normed(entrywise("relu", Around.ball(centre, radius).times(W), True), None, None, 0.1)
    found = entrywise("gelu", hidden.times(V), True)
    moved = centre + within(radius, 2000, 3)
    values = nn.functional.layer_norm(torch.relu(moved @ W), (5,), eps=0.1)
    check(found, nn.functional.gelu(values @ V))


def test_a_box_is_as_wide_as_it_says():
    box = Around(torch.zeros(1, 2, dtype=torch.float64), ((Symbol(torch.tensor([[1.0, 2.0]]).double()), torch.eye(2).double()),))
    both = torch.tensor([[1.0], [-1.0]]).double()
    assert box.times(both).spans().tolist() == [[3.0]]
    assert float(box.distance()) >= 5**0.5
