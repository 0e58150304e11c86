"""The one way to compute what neither the sound reading nor the counter sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.enclosure.seal import unsealed


@contextmanager
def unseen(why: str) -> Iterator[None]:
    """Compute outside of every reading and uncounted: ``with unseen("the task's inputs, made from numbers alone"):``.

    Allowed are the data of the statement (a task's inputs and labels), addresses made from sizes, and exact checks of integers
    whose operations are charged by number (``charge_integers``). Real arithmetic in here is neither enclosed nor counted, so a
    proof must not rest on it. A test lists every use in this package, with its reason.

    Parameters
    ----------
    why
        The reason, for that list.

    Raises
    ------
    ValueError
        If no reason is given.
    """
    if not why:
        raise ValueError("unseen() wants a reason: say why neither the reading nor the counter need see this")
    with _disable_current_modes(), unsealed():
        yield
