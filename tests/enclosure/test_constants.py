"""Real constants: enclosed in the sound reading, nearest numbers otherwise."""

import math
from fractions import Fraction

from compact_proofs.enclosure import Enclosure, pi, sound
from compact_proofs.enclosure.approximation import PI_RATIONAL


def test_pi_is_enclosed_by_the_neighbours_of_its_nearest_number():
    assert float(pi()) == math.pi
    with sound():
        enclosed = pi()
    assert isinstance(enclosed, Enclosure)
    lo, hi = float(enclosed.lo), float(enclosed.hi)
    assert Fraction(lo) < PI_RATIONAL < Fraction(hi)
    assert (lo, hi) == (math.nextafter(math.pi, 0.0), math.nextafter(math.pi, 4.0))
