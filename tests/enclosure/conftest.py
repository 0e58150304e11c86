"""What the tests of enclosures share."""

from __future__ import annotations

import pytest
from oracle import interval

from compact_proofs.enclosure import Enclosure


@pytest.fixture
def x() -> Enclosure:
    return interval((1.0, 1.5), (2.0, 4.0), (3.0, 5.0))
