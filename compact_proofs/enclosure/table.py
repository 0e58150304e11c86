"""The table of sound rules, and `apply_rule`, which looks an aten operation up in it.

Three groups. *Exact* operations move, select or compare-and-keep values (views, indexing, maxima): each is monotone in every entry
and rounds nothing, so it acts on the lower and on the upper bounds alike. *Creation* makes constants. All others have a rule of
their own in `RULES`. What is in no group raises `NoSoundRule`. No operation has two rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C._dynamo.eval_frame import get_eval_frame_callback
from torch.utils._mode_utils import no_dispatch

from compact_proofs.enclosure.kinds import is_real, is_whole, kind_by_torch, numbers, operands_of
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.once import Once, words
from compact_proofs.enclosure.tensor import Enclosure, both_bounds, enclose, exact_number
from compact_proofs.enclosure.unknown import spread_unknown, unknowns
from compact_proofs.errors import IntegerOverflow, NoSoundRule

aten = torch.ops.aten
Rule = Callable[..., Any]

CHOOSING = words("index index_select gather take masked_select embedding")
"""Exact operations that choose entries of their first argument by the others, which must therefore be known."""

VIEWS = words(
    """
    view t transpose permute expand squeeze unsqueeze slice select unbind split split_with_sizes detach alias diagonal unfold
    """
)
"""Views. Each has a counterpart ``..._copy``, which programs without in-place operations use."""

EXACT = (
    CHOOSING
    | VIEWS
    | {f"{name}_copy" for name in VIEWS}
    | words(
        """
        _unsafe_view reshape numpy_T cat stack unsafe_split unsafe_split_with_sizes repeat clone flip roll
        diag_embed tril triu lift_fresh lift_fresh_copy lift relu maximum minimum amax amin floor ceil trunc sign
        im2col pixel_shuffle pixel_unshuffle channel_shuffle upsample_nearest1d upsample_nearest2d
        reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
        slice_scatter select_scatter diagonal_scatter
        """
    )
)
"""Operations that are exact and monotone in every real entry."""

CREATION = words(
    """
    empty empty_like empty_strided empty_permuted zeros zeros_like zero ones ones_like full full_like new_zeros new_ones new_full
    new_empty new_empty_strided arange scalar_tensor eye tril_indices triu_indices
    """
)
"""Operations whose result does not depend on the real values of their arguments: constants."""

_OVERWRITING = words("copy fill")
"""Operations whose first argument gives the result its shape only."""

ON_BOOLS = words("bitwise_and bitwise_or logical_and logical_or all any")
"""Operations on truth values that are monotone: provably from provably, possibly from possibly."""

RULES: Once[Rule] = Once("sound rule")
"""Every other rule, by the operation's name."""

REFUSED: dict[str, str] = {
    **dict.fromkeys(
        words("argmax argmin argsort"),
        "bounds do not determine an order. Take the position from the explanation and check it, for example "
        "provably(x[i] >= x).all()",
    ),
    **dict.fromkeys(
        words("copy_ fill_ zero_ index_put_ masked_scatter_ scatter_ index_copy_ index_fill_ _index_put_impl_ put_"),
        "assigning into a part of a tensor in place is not followed by the bounds. Build the result with torch.cat, torch.stack or "
        "torch.where instead, or assign out of place (index_put, scatter, slice_scatter)",
    ),
    **dict.fromkeys(
        words("_local_scalar_dense is_nonzero equal nonzero"),
        "a real number known by its bounds is not a Python value. Ask provably(condition), or read .lo and .hi",
    ),
    "searchsorted": "it has no definite answer. compact_proofs.count_below counts what is proven",
}
"""Operations that have no sound rule, with what to do instead."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function into `RULES` under the names of aten operations (all overloads); a second rule for one is an error."""

    def enter(f: Rule) -> Rule:
        for name in names:
            RULES[name] = f
        return f

    return enter


def base_name(func: Any) -> str:
    """``aten.add.Tensor`` -> ``add``; an operation of another namespace keeps its full name."""
    return func._schema.name.removeprefix("aten::")


def apply_rule(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Evaluate one aten operation soundly; floats among the arguments that are not Enclosures count as exactly known.

    Raises
    ------
    NoSoundRule
        If the operation is not in the table, writes into a given tensor (``out=``), turns real numbers into integers, or is made by
        compiled code; the message names it.
    """
    name, before = base_name(func), unknowns()
    result = _by_table(func, name, args, kwargs)
    if (before or unknowns()) and name not in CREATION:
        spread_unknown(before, (args[1:] if name in _OVERWRITING else args, kwargs), result)
    return result


def _by_table(func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    if get_eval_frame_callback() is not None:
        raise NoSoundRule(f"{func} is called under torch.compile, which would compile the rounding away; use the module as written")
    if name in REFUSED:
        raise NoSoundRule(f"{func} has no sound rule: {REFUSED[name]}.")
    if func._schema.is_mutable:
        if name.endswith("_") and not name.startswith("_") and name[:-1] in RULES.keys() | EXACT | ON_BOOLS:
            return _in_place(func, name[:-1], args, kwargs)
    elif name in CREATION:
        return create(func, map_leaves(_shell, args), kwargs)
    elif name in RULES or name in EXACT:
        check_kinds(func, name, args, kwargs)
        return RULES[name](*args, **kwargs) if name in RULES else _exact(func, args, kwargs)
    elif name in ON_BOOLS and all(leaf.dtype == torch.bool for leaf in leaves((args, kwargs)) if isinstance(leaf, Tensor)):
        return wrap_pair(*both_bounds(func, args, kwargs))
    if func._can_decompose():  # into others; torch does so by itself, but not inside a rule
        return func.decompose(*args, **kwargs)
    raise NoSoundRule(
        f"{func} has no sound rule, so nothing can be proved through it. Use an operation that has one (docs/operations.md "
        "lists them), or add a rule with its proof."
    )


_PROMOTING = words("add sub rsub mul div lt le gt ge eq ne where cat stack maximum minimum mm bmm mv dot clamp sum mean exp")
"""Operations that give real numbers, or truth values, wherever a real number takes part: they need no question. (Others may be.)"""


_QUESTIONS = words("isnan isin searchsorted bucketize")
"""Operations whose answer is a truth value or a place."""


def check_kinds(func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> None:
    """Raise where torch gives integers and a real number takes part, so that it would be rounded: ``index_put`` into integers."""
    if name in _PROMOTING or operands_of(func) < 2:
        return
    operands = numbers(func, args, kwargs)
    if any(is_whole(x) for x in operands) and any(is_real(x) for x in operands):
        dtype = kind_by_torch(func, args, kwargs)
        if dtype is not None and not dtype.is_floating_point and name not in _QUESTIONS:
            raise NoSoundRule(f"{func} would turn real numbers into {dtype}, so nothing can be proved through it")


def _shell(leaf: Any) -> Any:
    """A plain stand-in with an Enclosure's shape, dtype and device (its values are not read)."""
    return leaf.lo if isinstance(leaf, Enclosure) else leaf


def create(func: Any, args: Any, kwargs: dict[str, Any]) -> Tensor:
    """Make a constant (an operation of `CREATION`): reals as an Enclosure of exactly the given numbers, others plain.

    What ``empty`` gives is not known: every real number may be meant.

    Raises
    ------
    NoSoundRule
        For floats that would be rounded (``arange`` with a step that is no integer).
    IntegerOverflow
        For integers that would wrap around (``arange`` of a narrow type, -1 in a type without signs).
    """
    name = base_name(func)
    out = func(*args, **kwargs)
    given = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
    if not out.is_floating_point():
        filled = given.get("fill_value", given.get("s"))
        if name == "arange" and out.dtype != torch.int64:
            wide = func(*args, **(kwargs | {"dtype": torch.int64}))
            if not torch.equal(out.to(torch.int64), wide):
                raise IntegerOverflow(f"aten.arange leaves the range of {out.dtype}")
        checked = out.dtype != torch.bool and out.numel() and not out.is_meta
        if filled is not None and checked and int(out.flatten()[0]) != math.trunc(filled):
            raise IntegerOverflow(f"aten.{name}: {filled} leaves the range of {out.dtype}")
        return out
    if "empty" in name and out.numel():
        return enclose(torch.full_like(out, math.nan, dtype=torch.float64))
    if name == "arange":
        ends = [given[k] for k in ("start", "end", "step") if k in given]
        if any(exact_number(x) != int(x) for x in ends):
            raise NoSoundRule(f"{func} rounds its entries; use integers, and divide them")
        return enclose(func(*args, **(kwargs | {"dtype": torch.float64})))
    value = given.get("fill_value", given.get("s"))
    return enclose(out if value is None else out.to(torch.float64).fill_(exact_number(value)))


def _exact(func: Any, args: Any, kwargs: Any) -> Any:
    name = base_name(func)
    given = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, Enclosure)]
    if name in CHOOSING and any(isinstance(leaf, Enclosure) for leaf in leaves((args[1:], kwargs))):
        raise NoSoundRule(f"{func} chooses by an uncertain index or mask; use torch.where, or provably(condition)")
    refuse_bits(func)
    call = Tensor.reshape if name in ("view", "_unsafe_view", "view_copy") else func  # the bounds may differ in layout
    result = wrap_pair(*both_bounds(call, args, kwargs, integers=name not in CHOOSING))
    contiguous = name == "clone" and kwargs.get("memory_format") not in (None, torch.preserve_format)
    if func.is_view or name == "_unsafe_view" or contiguous:  # what reshape and contiguous make: for PyTorch perhaps a view
        for out in leaves(result):
            for leaf in given:
                out._join_views(leaf)
    return result


def refuse_bits(func: Any) -> None:
    """Raise for a view of real numbers as another type: their bits are no function of real numbers."""
    if func in (aten.view.dtype, aten.view_copy.dtype):
        raise NoSoundRule(f"{func} reads the bits of real numbers as those of another type")


def wrap_pair(lo: Any, hi: Any) -> Any:
    """Zip two results of the same shape of output into Enclosures."""
    return map_leaves(Enclosure._wrap, lo, hi)


def _in_place(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    """``x.op_(...)`` by the rule of ``op``, for an Enclosure without living views (a view would not see the change).

    What PyTorch may make as a view or as a copy, depending on types and strides, counts as a view: nobody can rely on either.
    """
    target = args[0]
    if not isinstance(target, Enclosure) or not target._alone:
        raise NoSoundRule(
            f"{func} writes into a plain tensor or into one that shares memory with another; in the sound reading build the "
            "result with torch.cat, torch.stack or torch.where instead"
        )
    result = getattr(aten, name)(*args, **kwargs)
    if torch.Tag.inplace_view in func.tags:  # such as squeeze_: the target gets the new shape
        with no_dispatch():
            func(*args, **kwargs)
    if result.shape != target.shape or result.dtype != target.dtype:
        raise NoSoundRule(f"{func} would change the shape or kind of its target")
    target._lo, target._hi, target._nonnegative = result.lo, result.hi, None
    return target
