"""The table of sound rules, and `apply_rule`, which looks an aten operation up in it.

Three groups. *Exact* operations move, select or compare-and-keep values (views, indexing, maxima): each is monotone in every entry
and rounds nothing, so it acts on the lower and on the upper bounds alike. *Creation* makes constants. All others have a rule of
their own in `RULES`. What is in no group raises `NoSoundRule`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C._dynamo.eval_frame import get_eval_frame_callback
from torch.utils._mode_utils import no_dispatch

from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.tensor import Enclosure, both_bounds, enclose, exact_number
from compact_proofs.errors import NoSoundRule

aten = torch.ops.aten
Rule = Callable[..., Any]


def words(text: str) -> frozenset[str]:
    """The words of a text: names of operations."""
    return frozenset(text.split())


CHOOSING = words("index index_select gather take masked_select embedding")
"""Exact operations that choose entries of their first argument by the others, which must therefore be known."""

EXACT = CHOOSING | words(
    """
    view _unsafe_view reshape t transpose permute numpy_T expand squeeze unsqueeze slice select cat stack unbind
    split split_with_sizes unsafe_split unsafe_split_with_sizes repeat clone detach alias flip roll diagonal
    diag_embed tril triu unfold lift_fresh lift relu maximum minimum amax amin floor ceil trunc sign
    """
)
"""Operations that are exact and monotone in every real entry."""

CREATION = words(
    """
    empty empty_like empty_strided zeros zeros_like ones ones_like full full_like new_zeros new_ones new_full
    new_empty new_empty_strided arange scalar_tensor eye tril_indices triu_indices
    """
)
"""Operations whose result does not depend on the real values of their arguments: constants."""

ON_BOOLS = words("bitwise_and bitwise_or logical_and logical_or all any")
"""Operations on truth values that are monotone: provably from provably, possibly from possibly."""

RULES: dict[str, Rule] = {}
"""Every other rule, by the operation's name."""

REFUSED: dict[str, str] = {
    **dict.fromkeys(
        words("argmax argmin argsort"),
        "bounds do not determine an order. Take the position from the explanation and check it, for example "
        "provably(x[i] >= x).all()",
    ),
    **dict.fromkeys(
        words("copy_ fill_ zero_ index_put index_put_ masked_scatter masked_scatter_ scatter scatter_ index_copy index_fill"),
        "assigning into a part of a tensor is not followed by the bounds. Build the result with torch.cat, torch.stack or "
        "torch.where instead",
    ),
    **dict.fromkeys(
        words("_local_scalar_dense is_nonzero equal nonzero"),
        "a real number known by its bounds is not a Python value. Ask provably(condition), or read .lo and .hi",
    ),
    "searchsorted": "it has no definite answer. compact_proofs.count_below counts what is proven",
}
"""Operations that have no sound rule, with what to do instead."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function into `RULES` under the names of aten operations (all overloads)."""

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
        If the operation is not in the table, writes into a given tensor (``out=``), or is made by compiled code; the message
        names it.
    """
    name = base_name(func)
    if get_eval_frame_callback() is not None:
        raise NoSoundRule(f"{func} is called under torch.compile, which would compile the rounding away; use the module as written")
    if name in REFUSED:
        raise NoSoundRule(f"{func} has no sound rule: {REFUSED[name]}.")
    if func._schema.is_mutable:
        if name.endswith("_") and not name.startswith("_") and name[:-1] in RULES.keys() | EXACT | ON_BOOLS:
            return _in_place(func, name[:-1], args, kwargs)
    elif name in RULES:
        return RULES[name](*args, **kwargs)
    elif name in EXACT:
        return _exact(func, args, kwargs)
    elif name in CREATION:
        return create(func, map_leaves(_shell, args), kwargs)
    elif name in ON_BOOLS and all(leaf.dtype == torch.bool for leaf in leaves((args, kwargs)) if isinstance(leaf, Tensor)):
        return wrap_pair(*both_bounds(func, args, kwargs))
    raise NoSoundRule(
        f"{func} has no sound rule, so nothing can be proved through it. Use an operation that has one "
        "(compact_proofs.enclosure.table lists them), or add a rule with its proof."
    )


def _shell(leaf: Any) -> Any:
    """A plain stand-in with an Enclosure's shape, dtype and device (its values are not read)."""
    return leaf.lo if isinstance(leaf, Enclosure) else leaf


def create(func: Any, args: Any, kwargs: dict[str, Any]) -> Tensor:
    """Make a constant (an operation of `CREATION`): reals as an Enclosure of exactly the given numbers, others plain.

    Raises
    ------
    NoSoundRule
        For floats that would be rounded (``arange`` with a step that is no integer) or undefined (``empty``).
    """
    name = base_name(func)
    out = func(*args, **kwargs)
    if not out.is_floating_point():
        return out
    if "empty" in name and out.numel():
        raise NoSoundRule(f"{func} gives real numbers without a value; use torch.zeros")
    given = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
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
    if func is aten.view.dtype:
        raise NoSoundRule(f"{func} reads the bits of a number that is known by its bounds")
    call = Tensor.reshape if name in ("view", "_unsafe_view") else func  # the bounds may differ in layout
    result = wrap_pair(*both_bounds(call, args, kwargs, integers=name not in CHOOSING))
    if func.is_view or name == "_unsafe_view":
        for out in leaves(result):
            for leaf in given:
                out._join_views(leaf)
    return result


def wrap_pair(lo: Any, hi: Any) -> Any:
    """Zip two results of the same shape of output into Enclosures."""
    return map_leaves(Enclosure._wrap, lo, hi)


def _in_place(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    """``x.op_(...)`` by the rule of ``op``, for an Enclosure without living views (a view would not see the change)."""
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
