"""Lower bounds as people read them."""

from __future__ import annotations

import math
from fractions import Fraction


def decimal(bound: Fraction, digits: int = 7) -> str:
    """Write a lower bound in decimals, rounded down, so that nothing untrue is said; "..." says that more follow."""
    scaled = bound * 10**digits
    cut = math.floor(scaled)
    whole, rest = divmod(abs(cut), 10**digits)
    return f"{'-' if cut < 0 else ''}{whole}.{rest:0{digits}d}{'' if cut == scaled else '...'}"
