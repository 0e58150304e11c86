"""What a reading of a program cannot hold."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.automatic.reading.values import Form
from compact_proofs.enclosure.leaves import map_leaves
from compact_proofs.errors import BadInput


class NotRead(BadInput):
    """A program has an operation that a reading by tokens, or one that shares tables, has no place for."""


def takes_reals(target: Any, args: Any, kwargs: Any) -> bool:
    """Whether an operation is defined where each form in its arguments is a tensor of real numbers: by shapes and types alone."""

    def shell(x: Any) -> Any:
        if not isinstance(x, (Form, Tensor)):
            return x
        dtype = torch.float64 if isinstance(x, Form) or x.is_floating_point() else x.dtype
        return torch.empty(x.shape, dtype=dtype, device="meta")

    try:
        with _disable_current_modes(), torch.no_grad():
            meta_args, meta_kwargs = map_leaves(shell, (args, kwargs))
            target(*meta_args, **meta_kwargs)
    except (RuntimeError, IndexError, TypeError):
        return False
    return True
