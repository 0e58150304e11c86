"""Kinds of numbers: which arguments of an aten operation are numbers, and of which kind torch's own result is.

A tensor holds real numbers, integers or truth values. Most operations on operands of different kinds promote them; some keep the
kind of their first argument, and turn a real number into an integer on the way (``masked_fill``, ``constant_pad_nd``,
``index_put``, and whatever else assigns). Which does what is asked of torch itself, on meta tensors, so that no list can forget
one.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.once import words
from compact_proofs.errors import NoSoundRule

NOT_NUMBERS = words("index indices offsets sorter mask condition pos dim")
"""Arguments, by their names in torch's schemas, that say where and not how much."""


@functools.cache
def _roles(func: Any) -> tuple[tuple[str, bool, bool], ...]:
    """For every argument of an operation: its name, whether it may be an operand, and whether it may be one as a Python number."""
    return tuple(
        (a.name, a.name not in NOT_NUMBERS and not a.is_out, "number" in str(a.type) or "Tensor" in str(a.type))
        for a in func._schema.arguments
    )


@functools.cache
def operands_of(func: Any) -> int:
    """How many arguments of an operation are operands (a list of tensors counts as two)."""
    return sum(
        2 if "List" in str(a.type) else 1
        for a, role in zip(func._schema.arguments, _roles(func), strict=True)
        if role[1:] == (True, True)
    )


def numbers(func: Any, args: Any, kwargs: Any) -> list[Any]:
    """List the operands of a call: tensors and Python numbers, but no indices, masks, sizes and outputs."""
    roles = _roles(func)
    given = [*zip(roles, args, strict=False), *((role, kwargs[role[0]]) for role in roles[len(args) :] if role[0] in kwargs)]
    return [
        leaf
        for (_, operand, scalar), value in given
        if operand
        for leaf in leaves(value)
        if isinstance(leaf, Tensor) or (scalar and isinstance(leaf, (bool, int, float)))
    ]


def is_real(leaf: Any) -> bool:
    """Tell whether an operand is a tensor of real numbers, or a Python number that is no integer."""
    if isinstance(leaf, Tensor):
        return leaf.is_floating_point()
    return isinstance(leaf, float) and not (math.isfinite(leaf) and leaf == int(leaf))


def is_whole(leaf: Any) -> bool:
    """Tell whether an operand is a tensor of integers or of truth values."""
    return isinstance(leaf, Tensor) and not leaf.is_floating_point() and not leaf.is_complex()


def kind_by_torch(func: Any, args: Any, kwargs: Any) -> torch.dtype | None:
    """Return the dtype of the (first) tensor that torch itself gives for these arguments, from meta tensors; None if it gives none.

    Raises
    ------
    NoSoundRule
        If torch cannot tell from shapes alone.
    """

    def on_meta(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return torch.empty(leaf.shape, dtype=leaf.dtype, device="meta")
        return torch.device("meta") if isinstance(leaf, torch.device) else leaf

    with _disable_current_modes():
        try:
            result = func(*map_leaves(on_meta, args), **map_leaves(on_meta, kwargs))
        except (RuntimeError, NotImplementedError) as problem:
            raise NoSoundRule(f"{func} mixes integers and real numbers, and torch does not say which of them it gives") from problem
    return next((leaf.dtype for leaf in leaves(result) if isinstance(leaf, Tensor)), None)
