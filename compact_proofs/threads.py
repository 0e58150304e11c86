"""One thread for searches, so that what they find does not depend on how many a machine has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch's kernels on one thread, inside a block or a function that this decorates.

    Sums that several threads share are rounded in another order. A search compares such sums, so that two numbers that are nearly
    equal may change their order, and another explanation may be found, which proves another bound. Proofs are not affected in what
    they mean: every order is enclosed.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
