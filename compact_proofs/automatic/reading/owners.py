"""Which positions each entry of a result depends on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.reading.narrow import ENTRYWISE
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.table import words
from compact_proofs.length import unseen


@contextmanager
def structure() -> Iterator[None]:
    """Work on shapes, on numbers of boxes, jobs and rows, and on which position an entry depends on: addresses, which are not
    counted.

    No real number may be read inside.
    """
    with unseen("which boxes, rows and positions are meant: integers and truth values"), torch.no_grad():
        yield


STRUCTURAL = words(
    "reshape view _unsafe_view permute transpose t expand unsqueeze squeeze slice select clone alias detach cat stack"
)
"""Operations that only move entries: results are entries of their arguments."""

MIXING = words("mm bmm addmm mv dot sum mean _softmax _safe_softmax native_layer_norm amax amin cumsum var")
"""Operations in which an entry depends on some entries of each argument; found by `dependencies` with NaN, which every sum, product
and maximum that takes part in a result passes on."""


def dependencies(name: str, target: Any, args: Any, kwargs: Any, given: dict[int, Tensor], n: int, shape: torch.Size) -> Tensor:
    """Return bool [n, *shape]: may an entry of the result depend on each position?

    Parameters
    ----------
    name, target
        The aten operation.
    args, kwargs
        Its arguments, a tensor of any numbers of the right shape for each tensor.
    given
        By ``id`` of a tensor among them: bool [n, *its shape], which positions its entries depend on; absent for constants.
    shape
        The result's.

    Notes
    -----
    Entrywise operations depend on what their arguments depend on at the same place, rows looked up in a constant on their index.
    Operations of `STRUCTURAL` are applied to the dependencies themselves. For those of `MIXING`, the entries that depend on
    position i are set to NaN and all others to 1: sums, products with any number, and maxima pass NaN on, so an entry without NaN
    is computed without them. Every other operation is taken to depend on everything.
    """
    tensors = [x for x in leaves((args, kwargs)) if isinstance(x, Tensor)]
    with structure():
        found = torch.zeros(n, *shape, dtype=torch.bool)
        for i in range(n):
            marks = [given[id(t)][i] if id(t) in given else torch.zeros(t.shape, dtype=torch.bool) for t in tensors]
            if not any(bool(m.any()) for m in marks):
                continue
            if name in ENTRYWISE:
                for m in marks:
                    found[i] |= m.expand(shape)
            elif name in STRUCTURAL or name in MIXING:
                values = [torch.ones(m.shape, dtype=torch.float64).masked_fill(m, torch.nan) for m in marks]
                result = _call(target, args, kwargs, values)
                found[i] = (result[0] if isinstance(result, tuple) else result).isnan()
            elif (name == "embedding" or _rows_of(name, args)) and not bool(marks[0].any()):
                indices = marks[1]
                found[i] = indices.reshape(*indices.shape, *[1] * (len(shape) - indices.dim())).expand(shape)
            else:
                found[i] = True
    return found


def _rows_of(name: str, args: Any) -> bool:
    """``W[tokens]``: one index tensor, for the first axis."""
    return name == "index" and len(args[1]) == 1 and isinstance(args[1][0], Tensor)


def _call(target: Any, args: Any, kwargs: Any, values: list[Tensor]) -> Any:
    rest = iter(values)
    a, k = map_leaves(lambda x: next(rest) if isinstance(x, Tensor) else x, (args, kwargs))
    return target(*a, **k)
