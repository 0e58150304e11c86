"""The leak of layer 1 against direct evaluation."""

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.enclosure import sound, upper
from compact_proofs.tasks.induction.lemmas import leak

seeds = st.integers(0, 10**6)


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seeds, st.sampled_from([0.1, 1.0, 5.0, 100.0]))
@settings(max_examples=8, deadline=None)
def test_leak_bounds_the_attention_to_other_places(seed, scale):
    D, n = 3, 4
    S = normal(seed, D + n, D + n) * scale
    with sound():
        lam = upper(leak(S, D))
    place = torch.arange(n)
    for tokens in itertools.product(range(D), repeat=n):
        t = torch.tensor(tokens)
        score = S[t][:, t] + S[t][:, D:] + S[D:][:, t] + S[D:, D:]
        pattern = torch.softmax(score.masked_fill(place[:, None] < place, -torch.inf), 1)
        for k in range(1, n):
            assert 1 - pattern[k, k - 1] <= lam[k - 1, t[k], t[k - 1]] + 1e-12


def test_leak_is_exact_without_other_freedom():
    """Place 1 sees itself and place 0 only, so lam is 1 - its attention."""
    S = normal(1, 5, 5)
    expected = 1 - torch.sigmoid((S[0, 1] + S[0, 3] + S[4, 1] + S[4, 3]) - (S[0, 0] + S[0, 4] + S[4, 0] + S[4, 4]))
    torch.testing.assert_close(leak(S, 3)[0, 0, 1], expected)
