"""The strategy against exhaustive evaluation: perfect, noisy and random models, some of them with ties."""

import pytest
from larger_of_two import Larger, Records, Scores

import compact_proofs as cp


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.3, 1e6])
@pytest.mark.parametrize("seed", range(5))
def test_no_more_is_claimed_than_is_true(noise, seed):
    """On 9 numbers."""
    assert cp.violations(Records(), cp.Specimen(Scores(9, noise, seed)), Larger(9)) == []
