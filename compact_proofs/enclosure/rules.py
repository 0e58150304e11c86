"""The table of sound rules: one entry per aten operation, looked up by `apply_rule`.

Three groups. *Exact* operations move, select or compare-and-keep values (views, indexing, maxima, sorting): each is monotone in
every entry and rounds nothing, so it acts on the lower and on the upper bounds alike. *Comparisons* answer with a bool Enclosure.
*Arithmetic* calls `arithmetic` and `functions`. What is not in the table raises `NoSoundRule`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_iter, tree_map, tree_unflatten

from compact_proofs.enclosure import arithmetic as ia
from compact_proofs.enclosure import functions as fn
from compact_proofs.enclosure.tensor import Enclosure, Undetermined, both_bounds, enclose, exact_float64
from compact_proofs.errors import NoSoundRule

aten = torch.ops.aten
Rule = Callable[..., Any]

EXACT = frozenset(
    """
    view _unsafe_view reshape t transpose permute numpy_T expand squeeze unsqueeze slice select index index_select gather take
    cat stack unbind split split_with_sizes repeat clone detach alias flip roll diagonal diag_embed tril triu constant_pad_nd
    unfold as_strided embedding masked_select lift_fresh lift
    relu hardtanh maximum minimum amax amin floor ceil round trunc sign
    """.split()
)
"""Operations that are exact and monotone in every real entry."""

CHOOSING = frozenset("index index_select gather take masked_select embedding".split())
"""Exact operations that choose entries of their first argument by the others, which must therefore be known."""

CREATION = frozenset(
    """
    empty empty_like empty_strided zeros zeros_like ones ones_like full full_like new_zeros new_ones new_full new_empty
    new_empty_strided arange scalar_tensor eye linspace tril_indices triu_indices
    """.split()
)
"""Operations whose result does not depend on the real values of their arguments: constants, exact as created."""

ON_BOOLS = frozenset("bitwise_and bitwise_or logical_and logical_or all any".split())
"""Operations on truth values that are monotone: provably from provably, possibly from possibly."""

RULES: dict[str, Rule] = {}
"""Every other rule, by the operation's name."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function into `RULES` under the names of aten operations (all overloads)."""

    def enter(f: Rule) -> Rule:
        for name in names:
            RULES[name] = f
        return f

    return enter


def base_name(func: Any) -> str:
    """``aten.add.Tensor`` -> ``add``."""
    return func._schema.name.split("::")[1]


def apply_rule(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Evaluate one aten operation soundly; floats among the arguments that are not Enclosures count as exactly known.

    Raises
    ------
    NoSoundRule
        If the operation is not in the table; the message names it.
    """
    name = base_name(func) if func.namespace == "aten" else str(func)
    rule_ = RULES.get(name)
    if rule_ is not None:
        return rule_(*args, **kwargs)
    if name in ON_BOOLS and _kind(args) == torch.bool:
        return _wrap_pair(*both_bounds(func, args, kwargs))
    if name in EXACT:
        return _exact(func, args, kwargs)
    if name in CREATION:
        return func(*tree_map(_shell, args), **kwargs)
    if name.endswith("_") and not name.startswith("_") and name[:-1] in RULES.keys() | EXACT:
        return _in_place(func, name[:-1], args, kwargs)
    raise NoSoundRule(
        f"{func} has no sound rule, so nothing can be proved through it. Use an operation that has one "
        "(compact_proofs.enclosure.rules lists them), or add a rule with its proof."
    )


def _kind(args: Any) -> torch.dtype | None:
    for leaf in tree_iter(args):
        if isinstance(leaf, Enclosure):
            return leaf.dtype
    return None


def _shell(leaf: Any) -> Any:
    """A plain stand-in with an Enclosure's shape, dtype and device (its values are not read)."""
    return leaf.lo if isinstance(leaf, Enclosure) else leaf


def _exact(func: Any, args: Any, kwargs: Any) -> Any:
    leaves = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, Enclosure)]
    if base_name(func) in CHOOSING and any(isinstance(leaf, Enclosure) for leaf in tree_iter((args[1:], kwargs))):
        raise NoSoundRule(f"{func} chooses by an uncertain index or mask; use torch.where, or provably(condition)")
    result = _wrap_pair(*both_bounds(func, args, kwargs))
    for out in tree_iter(result):
        if isinstance(out, Enclosure):
            for leaf in leaves:
                if out.lo.untyped_storage().data_ptr() == leaf.lo.untyped_storage().data_ptr():
                    out._aliased = leaf._aliased = True
    return result


def _wrap_pair(lo: Any, hi: Any) -> Any:
    """Zip two results of the same shape of output into Enclosures."""
    lo_leaves, spec = tree_flatten(lo)
    if lo is hi:
        return tree_unflatten([Enclosure._wrap(x, x) for x in lo_leaves], spec)
    return tree_unflatten([Enclosure._wrap(x, y) for x, y in zip(lo_leaves, tree_flatten(hi)[0], strict=True)], spec)


def _in_place(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    """``x.op_(...)`` by the rule of ``op``, for an Enclosure of which no view exists (a view would not see the change)."""
    target = args[0]
    if not isinstance(target, Enclosure) or target._aliased:
        raise NoSoundRule(
            f"{func} writes into a plain tensor or into one that shares memory with another; in the sound reading build the "
            "result with torch.cat, torch.stack or torch.where instead"
        )
    overload = getattr(getattr(aten, name), func._overloadname)
    result = apply_rule(overload, args, kwargs)
    if result.shape != target.shape:
        raise NoSoundRule(f"{func} would change the shape of its target")
    target._lo, target._hi, target._nonnegative = result.lo, result.hi, None
    return target


def _elementwise(f: Callable[[Enclosure], Enclosure]) -> Rule:
    return lambda x: f(enclose(x))


def _pair(a: Any, b: Any) -> tuple[Enclosure, Enclosure]:
    like = a if isinstance(a, Tensor) else b
    return enclose(a, like=like), enclose(b, like=like)


# ----------------------------------------------------------------------------------------------------------- arithmetic


@rule("add")
def _add(a: Any, b: Any, *, alpha: float = 1) -> Enclosure:
    x, y = _pair(a, b)
    return ia.add(x, y if alpha == 1 else ia.mul(y, enclose(alpha, like=y.lo)))


@rule("sub")
def _sub(a: Any, b: Any, *, alpha: float = 1) -> Enclosure:
    x, y = _pair(a, b)
    return ia.sub(x, y if alpha == 1 else ia.mul(y, enclose(alpha, like=y.lo)))


@rule("rsub")
def _rsub(a: Any, b: Any, alpha: float = 1) -> Enclosure:
    return _sub(b, a, alpha=alpha)


@rule("mul")
def _mul(a: Any, b: Any) -> Enclosure:
    return ia.mul(*_pair(a, b))


@rule("div")
def _div(a: Any, b: Any, *, rounding_mode: str | None = None) -> Enclosure:
    quotient = ia.div(*_pair(a, b))
    if rounding_mode is None:
        return quotient
    return torch.floor(quotient) if rounding_mode == "floor" else torch.trunc(quotient)  # type: ignore[return-value]


@rule("reciprocal")
def _reciprocal(a: Any) -> Enclosure:
    return _div(1.0, a)


@rule("addcmul")
def _addcmul(x: Any, a: Any, b: Any, *, value: float = 1) -> Enclosure:
    return _add(x, _mul(a, b), alpha=value)


@rule("addcdiv")
def _addcdiv(x: Any, a: Any, b: Any, *, value: float = 1) -> Enclosure:
    return _add(x, _div(a, b), alpha=value)


@rule("pow")
def _pow(a: Any, exponent: Any) -> Enclosure:
    if isinstance(exponent, Tensor):
        raise NoSoundRule("aten.pow with a tensor exponent has no sound rule; only integer exponents and 0.5 have")
    if float(exponent) == 0.5:
        return fn.sqrt(enclose(a))
    if float(exponent) != int(exponent):
        raise NoSoundRule(f"aten.pow with exponent {exponent} has no sound rule; only integer exponents and 0.5 have")
    return ia.square(enclose(a)) if int(exponent) == 2 else ia.power(enclose(a), int(exponent))


RULES |= {
    "neg": _elementwise(ia.neg),
    "abs": _elementwise(ia.absolute),
    "square": _elementwise(ia.square),
    "sqrt": _elementwise(fn.sqrt),
    "rsqrt": lambda x: _reciprocal(fn.sqrt(enclose(x))),
    "exp": _elementwise(fn.exp),
    "expm1": _elementwise(fn.expm1),
    "log": _elementwise(fn.log),
    "log1p": _elementwise(fn.log1p),
    "tanh": _elementwise(fn.tanh),
    "sigmoid": _elementwise(fn.sigmoid),
    "erf": _elementwise(fn.erf),
    "sin": _elementwise(fn.sin),
    "cos": _elementwise(fn.cos),
    "silu": lambda x: ia.mul(enclose(x), fn.sigmoid(enclose(x))),
    "gelu": lambda x, *, approximate="none": fn.gelu(enclose(x), approximate),
    "_softmax": lambda x, dim, half_to_float: fn.softmax(enclose(x), dim),
    "_safe_softmax": lambda x, dim, dtype=None: fn.softmax(enclose(x), dim),
    "_log_softmax": lambda x, dim, half_to_float: fn.log_softmax(enclose(x), dim),
    "logsumexp": lambda x, dim, keepdim=False: fn.logsumexp(enclose(x), dim, keepdim),
    "native_layer_norm": lambda x, shape, weight, bias, eps: fn.layer_norm(enclose(x), shape, weight, bias, eps),
}

# ------------------------------------------------------------------------------------------------- sums, matrix products


@rule("sum")
def _sum(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    x = _real(x, "sum")
    return ia.total(x, [dim] if isinstance(dim, int) else dim, keepdim)


@rule("mean")
def _mean(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    return ia.mean(_real(x, "mean"), [dim] if isinstance(dim, int) else dim, keepdim)


@rule("prod")
def _prod(x: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    x = _real(x, "prod")
    return ia.product(x.reshape(-1), 0) if dim is None else ia.product(x, dim, keepdim)


@rule("cumsum")
def _cumsum(x: Any, dim: int, *, dtype: Any = None) -> Enclosure:
    return ia.cumsum(_real(x, "cumsum"), dim)


def _real(x: Any, name: str) -> Enclosure:
    if x.dtype == torch.bool:
        raise NoSoundRule(f"aten.{name} of an uncertain condition has no sound rule; count what is proven: provably(condition).sum()")
    return enclose(x)


@rule("mm", "bmm", "mv", "dot")
def _matmul(a: Any, b: Any) -> Enclosure:
    multiply = {(1, 1): torch.dot, (2, 1): torch.mv, (2, 2): torch.mm, (3, 3): torch.bmm}[a.dim(), b.dim()]
    return ia.inner(multiply, enclose(a), enclose(b))


@rule("addmm", "baddbmm", "addmv")
def _addmm(c: Any, a: Any, b: Any, *, beta: float = 1, alpha: float = 1) -> Enclosure:
    ab = _matmul(a, b)
    return _add(c if beta == 1 else _mul(c, beta), ab if alpha == 1 else _mul(ab, alpha))


@rule("var")
def _var(x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Enclosure:
    x = enclose(x)
    dims = list(range(x.dim())) if dim is None else list(dim)
    squares = ia.square(ia.sub(x, ia.mean(x, dims, True)))
    n = math.prod(x.shape[d] for d in dims) - (1 if correction is None else correction)
    return ia.div(ia.total(squares, dims, keepdim), enclose(float(n), like=x.lo))


@rule("std")
def _std(x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Enclosure:
    return fn.sqrt(_var(x, dim, correction=correction, keepdim=keepdim))


@rule("linalg_vector_norm")
def _norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    x = enclose(x)
    dims = [dim] if isinstance(dim, int) else dim
    if ord == 2:
        return fn.sqrt(ia.total(ia.square(x), dims, keepdim))
    if ord == 1:
        return ia.total(ia.absolute(x), dims, keepdim)
    if ord == math.inf:
        return ia.absolute(x).amax(dims if dims is not None else list(range(x.dim())), keepdim)  # type: ignore[return-value]
    raise NoSoundRule(f"a vector norm of order {ord} has no sound rule; orders 1, 2 and inf have")


# ------------------------------------------------------------------------------------------------ order and comparisons


def _extreme(full: Callable[..., Any], along: Callable[..., Any], pairwise: Callable[..., Any]) -> Rule:
    def apply(x: Any, other: Any = None, keepdim: bool = False, *, dim: Any = None) -> Any:
        if isinstance(other, Tensor):
            return pairwise(x, other)
        dim = other if dim is None else dim
        x = enclose(x)
        if dim is None:
            return _wrap_pair(*both_bounds(full, (x,), {}))
        values = _wrap_pair(*both_bounds(along, (x, dim, keepdim), {}))
        return values, Undetermined(values.shape, values.device)

    return apply


RULES["max"] = _extreme(torch.max, torch.amax, torch.maximum)
RULES["min"] = _extreme(torch.min, torch.amin, torch.minimum)


def _ordered(func: Callable[..., Any]) -> Rule:
    """Sorted values, top-k values, running extremes: the i-th smallest of n reals is monotone in each of them."""

    def apply(x: Any, *args: Any, **kwargs: Any) -> Any:
        lo, hi = both_bounds(lambda *a, **k: func(*a, **k)[0], (enclose(x), *args), kwargs)
        values = _wrap_pair(lo, hi)
        return values, Undetermined(values.shape, values.device)

    return apply


RULES |= {
    "sort": _ordered(torch.sort),
    "topk": _ordered(torch.topk),
    "cummax": _ordered(torch.cummax),
    "cummin": _ordered(torch.cummin),
    "kthvalue": _ordered(torch.kthvalue),
}


@rule("argmax", "argmin", "argsort")
def _no_order(*_: Any, **__: Any) -> Any:
    raise NoSoundRule(
        "argmax, argmin and argsort have no sound rule: bounds do not determine an order. Take the position from the "
        "explanation and check it, for example provably(x[i] >= x).all()"
    )


@rule("clamp", "clamp_min", "clamp_max")
def _clamp(x: Any, min: Any = None, max: Any = None) -> Enclosure:
    result = enclose(x)
    if min is not None:
        result = _wrap_pair(*both_bounds(torch.maximum, (result, enclose(min, like=result.lo)), {}))
    if max is not None:
        result = _wrap_pair(*both_bounds(torch.minimum, (result, enclose(max, like=result.lo)), {}))
    return result


RULES["clamp_max"] = lambda x, max: _clamp(x, max=max)


def _comparison(surely: Callable[[Enclosure, Enclosure], Tensor], never: Callable[[Enclosure, Enclosure], Tensor]) -> Rule:
    def apply(a: Any, b: Any) -> Enclosure:
        x, y = _pair(a, b)
        return Enclosure._wrap(surely(x, y), ~never(x, y))

    return apply


RULES |= {
    "lt": _comparison(lambda x, y: x.hi < y.lo, lambda x, y: x.lo >= y.hi),
    "le": _comparison(lambda x, y: x.hi <= y.lo, lambda x, y: x.lo > y.hi),
    "gt": _comparison(lambda x, y: x.lo > y.hi, lambda x, y: x.hi <= y.lo),
    "ge": _comparison(lambda x, y: x.lo >= y.hi, lambda x, y: x.hi < y.lo),
    "eq": _comparison(
        lambda x, y: (x.lo == x.hi) & (y.lo == y.hi) & (x.lo == y.lo), lambda x, y: (x.hi < y.lo) | (x.lo > y.hi)
    ),
    "ne": _comparison(
        lambda x, y: (x.hi < y.lo) | (x.lo > y.hi), lambda x, y: (x.lo == x.hi) & (y.lo == y.hi) & (x.lo == y.lo)
    ),
}


@rule("bitwise_not", "logical_not")
def _not(condition: Any) -> Any:
    if condition.dtype != torch.bool:
        raise NoSoundRule("bitwise_not of real numbers has no meaning")
    return Enclosure._wrap(~condition.hi, ~condition.lo)


@rule("where")
def _where(condition: Any, a: Any, b: Any) -> Enclosure:
    """An undecided condition gives the hull of both values."""
    x, y = _pair(a, b)
    c = enclose(condition)
    lo = torch.where(c.lo, x.lo, y.lo)
    if c.is_point and x.is_point and y.is_point:
        return Enclosure._wrap(lo, lo)
    hi = torch.where(c.lo, x.hi, y.hi)
    if not c.is_point:
        undecided = c.hi & ~c.lo
        lo = torch.where(undecided, torch.minimum(x.lo, y.lo), lo)
        hi = torch.where(undecided, torch.maximum(x.hi, y.hi), hi)
    return Enclosure._wrap(lo, hi)


@rule("masked_fill")
def _masked_fill(x: Any, mask: Any, value: Any) -> Enclosure:
    return _where(mask, value, x)


@rule("scatter_reduce")
def _scatter_reduce(x: Any, dim: int, index: Tensor, src: Any, reduce: str, *, include_self: bool = True) -> Enclosure:
    """Segment-wise maximum or minimum (monotone and exact); sums scattered this way have no rule."""
    if reduce not in ("amax", "amin"):
        raise NoSoundRule(f"scatter_reduce with reduce={reduce!r} has no sound rule; 'amax' and 'amin' have")
    return _wrap_pair(
        *both_bounds(torch.scatter_reduce, (enclose(x), dim, index, enclose(src), reduce), {"include_self": include_self})
    )


# -------------------------------------------------------------------------------------------------------- conversion


@rule("_to_copy")
def _to_copy(x: Any, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Any:
    """Between float types the real number stays what it is (an Enclosure is always float64); to integers there is no rule."""
    if dtype is not None and not dtype.is_floating_point and dtype != x.dtype:
        raise NoSoundRule(f"converting real numbers to {dtype} has no sound rule")
    if not isinstance(x, Enclosure):
        return exact_float64(x).to(device=device or x.device)
    return _wrap_pair(*both_bounds(lambda t: t.to(device=device or t.device), (x,), {}))


@rule("copy_")
def _copy_(target: Any, source: Any, *_: Any) -> Any:
    raise NoSoundRule(
        "assigning into a slice of a tensor has no sound rule; build the result with torch.cat, torch.stack or torch.where"
    )


@rule("_local_scalar_dense", "is_nonzero", "equal", "nonzero")
def _to_python(x: Any, *_: Any) -> Any:
    raise NoSoundRule("turning an Enclosure into a Python value has no sound rule; ask provably(condition), or read .lo and .hi")


@rule("searchsorted")
def _searchsorted(*_: Any, **__: Any) -> Any:
    raise NoSoundRule("searchsorted of Enclosures has no definite answer; compact_proofs.count_below counts what is proven")
