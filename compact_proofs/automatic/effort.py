"""What a search costs. It is free for a proof, which pays for what was found only; an estimate that searches pays for all of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from compact_proofs.enclosure.leaves import leaves
from compact_proofs.length.costs import COSTS, FREE
from compact_proofs.length.counter import positional
from compact_proofs.shards import nothing_shared

_effort: ContextVar[Effort | None] = ContextVar("effort", default=None)


class Effort(TorchDispatchMode):
    """Adds up the operations of searches: by the cost table, where it knows a tensor call, and else by convention.

    A decomposition of an m x n matrix into singular or eigenvectors is 21 m n min(m, n) operations (Golub and Van Loan, Matrix
    Computations, for m = n); any other call, such as to draw numbers or to sort out NaN, one for each entry of its results. What
    Python does, such as to keep a list of boxes, is not counted.

    Attributes
    ----------
    operations
        So far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        if name not in COSTS and name not in FREE and name.endswith("_") and not name.startswith("_"):
            name = name[:-1]
        if name in FREE:
            return out
        if name in COSTS:
            self.operations += sum(COSTS[name](positional(func, args, kwargs), out).values())
        elif name in ("_linalg_svd", "_linalg_eigh"):
            m, n = args[0].shape[-2:]
            self.operations += 21 * math.prod(args[0].shape) * min(m, n)
        else:
            self.operations += sum(t.numel() for t in leaves(out) if isinstance(t, Tensor))
        return out


@contextmanager
def uncounted() -> Iterator[None]:
    """What is done inside takes no part in a proof: no counter, and no reading, sees it; only `effort` does."""
    counting = _effort.get()
    with _disable_current_modes():
        if counting is None:
            yield
        else:
            with counting:
                yield


@contextmanager
def effort() -> Iterator[Effort]:
    """Count what is done as `uncounted` inside, all of it by this process."""
    counting = Effort()
    token = _effort.set(counting)
    try:
        with nothing_shared():
            yield counting
    finally:
        _effort.reset(token)
