"""Integers in the sound reading: a call on them gives what it gives on real numbers, or it raises.

PyTorch's integers wrap around without a word: in arithmetic, on conversion to a narrower type, and where a Python number or a 0-d
tensor takes the type of another operand. So every call whose result is made of integers is one of these:

* *in range by its nature*: it moves, selects, compares or counts, on operands of one type (`_MOVES`, `_IN_RANGE`);
* *in range by the sizes of its operands*, where a bound of the result is simple (`_REACH`);
* *compared* with the same operation on float64 copies. This is the rule for all operations, whether anybody thought of them or not:
  where there is no such operation on real numbers, or it gives something else, the call raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compact_proofs.enclosure.kinds import NOT_NUMBERS, numbers
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.once import words
from compact_proofs.enclosure.rounding import UNIT_ROUNDOFF
from compact_proofs.errors import IntegerOverflow, NoSoundRule

_ASSIGNING = words(
    "where masked_fill constant_pad_nd fill copy index_fill scatter index_put index_copy masked_scatter put as_strided"
)

_IN_RANGE = words(
    """
    lt le gt ge eq ne equal isin all any logical_and logical_or logical_not logical_xor is_nonzero count_nonzero
    bitwise_not bitwise_and bitwise_or bitwise_xor bitwise_right_shift __rshift__ __and__ __or__ __xor__
    sort argsort topk max min argmax argmin aminmax cummax cummin median kthvalue mode clamp clamp_min clamp_max
    searchsorted bucketize nonzero nonzero_static bincount _unique _unique2 unique_dim unique_consecutive
    _local_scalar_dense repeat_interleave
    """
)
"""Operations whose result is one of the operands' entries or bits, a truth value, a place, or a number of entries."""

_DIVIDING = words("floor_divide remainder fmod div")
"""In range for a positive divisor (only the least integer over -1 is not)."""

_REACH: dict[str, Callable[[list[int], int, int], int]] = {
    **dict.fromkeys(words("add sub rsub"), lambda sizes, n, terms: (sizes[0] + sizes[1]) * math.prod(max(s, 1) for s in sizes[2:])),
    "mul": lambda sizes, n, terms: sizes[0] * sizes[1],
    **dict.fromkeys(words("neg abs"), lambda sizes, n, terms: sizes[0]),
    **dict.fromkeys(words("sum cumsum"), lambda sizes, n, terms: sizes[0] * n),
    **dict.fromkeys(words("mm bmm mv dot"), lambda sizes, n, terms: sizes[0] * sizes[1] * terms),
}
"""A bound of the result's size, from the largest sizes of the operands in order, the most entries that one of them has, and the
length of the first one's last axis."""


def on_integers(func: Any, name: str, moves: frozenset[str], args: Any, kwargs: Any) -> Any:
    """Make a call on integers and truth values; `name` is the operation's, `moves` are those that only move entries.

    Raises
    ------
    IntegerOverflow
        Where the result is not what the operation on real numbers gives: it wrapped around, or an operand did.
    NoSoundRule
        Where there is no such operation on real numbers.
    """
    in_place = func._schema.is_mutable
    stem = name[:-1] if in_place and name.endswith("_") and not name.endswith("__") else name
    if _known_in_range(func, stem, moves, args, kwargs):
        return func(*args, **kwargs)
    if in_place:
        on_reals = _on_reals(func, stem, args, kwargs)
        sizes = _sizes(func, args, kwargs)
        result = func(*args, **kwargs)
    else:
        result = func(*args, **kwargs)
        if not any(isinstance(r, Tensor) and not r.is_floating_point() for r in leaves(result)):
            return result  # a division, say: the caller makes it on real numbers
        on_reals, sizes = _on_reals(func, stem, args, kwargs), _sizes(func, args, kwargs)
    terms = 1 if torch.Tag.pointwise in func.tags else max((numel for _, numel in sizes), default=1)
    error = math.prod(max(size, 1) for size, _ in sizes) * terms * terms * UNIT_ROUNDOFF
    for wrapped, exact in zip(leaves(result), leaves(on_reals), strict=True):
        if isinstance(wrapped, Tensor) and not _agree(wrapped, exact, error):
            raise IntegerOverflow(
                f"aten.{name} of integers leaves the range of {wrapped.dtype}, or an operand does not fit into it, "
                "so the result would be wrong; convert to torch.int64 first"
            )
    return result


def _known_in_range(func: Any, stem: str, moves: frozenset[str], args: Any, kwargs: Any) -> bool:
    """Tell whether the result cannot leave its range, without computing it."""
    operands = numbers(func, args, kwargs)
    types = {x.dtype for x in operands if isinstance(x, Tensor)}
    given = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
    if stem == "_to_copy":
        return all(_holds(given.get("dtype") or dtype, dtype) for dtype in types)
    if len(types) > 1:
        types.discard(torch.bool)  # 0 and 1 are values of every type
    if len(types) > 1 or any(argument.is_out for argument in func._schema.arguments):
        return False
    if not all(_fits(x, dtype) for x in operands if not isinstance(x, Tensor) for dtype in types):
        return False
    if func in (torch.ops.aten.view.dtype, torch.ops.aten.view_copy.dtype):
        return False  # the bits of one type, read as another
    if stem in _ASSIGNING:
        return not given.get("accumulate") and "reduce" not in given
    if any(isinstance(x, float) for x in operands):
        return False  # torch may have to round the integers to meet it
    if stem in moves or stem in _IN_RANGE:
        return True
    if stem in _DIVIDING:
        divisor = operands[1]
        return bool((divisor > 0).all()) if isinstance(divisor, Tensor) else divisor > 0
    if stem not in _REACH or not types:
        return False
    (dtype,) = {torch.int64} if stem in ("sum", "cumsum") else types
    dtype = given.get("dtype") or dtype
    if dtype.is_floating_point:
        return True  # no integers come of it
    if dtype != torch.bool and not torch.iinfo(dtype).min:
        return False  # a difference may be negative
    first = operands[0]
    width = first.shape[-1] if isinstance(first, Tensor) and first.dim() else 1
    sizes = _sizes(func, args, kwargs)
    reach = _REACH[stem]([size for size, _ in sizes], max(numel for _, numel in sizes), width)
    return reach <= torch.iinfo(torch.int64 if dtype == torch.bool else dtype).max


def _holds(wide: torch.dtype, narrow: torch.dtype) -> bool:
    """Every value of one type is one of the other."""
    if torch.bool in (wide, narrow) or wide.is_floating_point or narrow.is_floating_point:
        return True
    a, b = torch.iinfo(wide), torch.iinfo(narrow)
    return a.min <= b.min and b.max <= a.max


def _fits(value: float, dtype: torch.dtype) -> bool:
    """A Python number is a value of the type (truncated, as torch does it where the result is made of integers)."""
    if dtype == torch.bool or not math.isfinite(value):
        return True
    return torch.iinfo(dtype).min <= math.trunc(value) <= torch.iinfo(dtype).max


def _sizes(func: Any, args: Any, kwargs: Any) -> list[tuple[int, int]]:
    """The largest absolute value and the number of entries of each operand."""
    return [_size(x) for x in numbers(func, args, kwargs)]


def _size(x: Any) -> tuple[int, int]:
    if not isinstance(x, Tensor):
        return math.ceil(abs(x)) if math.isfinite(x) else 2**64, 1
    if x.dtype == torch.bool or not x.numel():
        return 1, x.numel()
    if x.dtype == torch.uint64:
        return 2**64, x.numel()
    low, high = torch.aminmax(x)
    return max(-int(low), int(high)), x.numel()


def _on_reals(func: Any, stem: str, args: Any, kwargs: Any) -> Any:
    """The same operation, out of place, on float64 copies of its operands; indices and masks stay what they are."""

    def real(leaf: Any) -> Any:
        return leaf.to(torch.float64) if isinstance(leaf, Tensor) else leaf

    copies = [
        a if argument.name in NOT_NUMBERS else map_leaves(real, a)
        for argument, a in zip(func._schema.arguments, args, strict=False)
    ]
    outputs = {argument.name for argument in func._schema.arguments if argument.is_out}
    options = {k: v if k in NOT_NUMBERS else map_leaves(real, v) for k, v in kwargs.items() if k != "dtype" and k not in outputs}
    try:
        return getattr(torch.ops.aten, stem)(*copies, **options)
    except (AttributeError, RuntimeError, NotImplementedError) as problem:
        raise NoSoundRule(
            f"{func} of integers may leave their range, and no operation on real numbers says what it should give; use one that "
            "has one, such as a product with a power of two for a shift"
        ) from problem


def _agree(wrapped: Tensor, exact: Tensor, error: float) -> bool:
    """Tell whether a result of integers is what real arithmetic gives, whose float64 result is off by less than `error`.

    Where it wrapped around, the result is off by a multiple of 2^bits. With an error below 2^(bits - 2), float64 shows that: up to
    2^53 it must give the same integer; beyond, up to 2^64, the same within a relative 2^-12, which is at most 2^52.
    """
    if wrapped.dtype == torch.bool:
        return torch.equal(wrapped, exact != 0)
    if error > 2.0 ** (torch.iinfo(wrapped.dtype).bits - 2):
        return False
    given, exact = wrapped.to(torch.float64), exact.to(torch.float64)
    if torch.equal(given, exact):
        return True
    size = exact.abs()
    off = (given - exact).abs()
    return bool(((size <= 2.0**64) & (off <= torch.where(size > 2.0**53, size * 2.0**-12, 0.0))).all())
