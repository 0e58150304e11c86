"""Rules for arithmetic: each calls `arithmetic` or `functions`, where the proofs are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compact_proofs.enclosure import arithmetic as ia
from compact_proofs.enclosure import functions as fn
from compact_proofs.enclosure.table import RULES, Rule, rule
from compact_proofs.enclosure.tensor import Enclosure, enclose, exact_number, real
from compact_proofs.errors import NoSoundRule


def told(what: str | None, f: Rule) -> Rule:
    """Say of a rule what it encloses (docs/operations.md shows it)."""
    f.__doc__ = what
    return f


def _elementwise(f: Callable[[Enclosure], Enclosure]) -> Rule:
    return told(f.__doc__, lambda x: f(real(x)))


def pair(a: Any, b: Any) -> tuple[Enclosure, Enclosure]:
    """Two operands as Enclosures of real numbers on one device (a single number may come from another)."""
    like = a if isinstance(a, Tensor) else b
    x, y = real(a, like=like), real(b, like=like)
    if x.device != y.device and 0 in (x.dim(), y.dim()):
        return (x, y.to(x.device)) if y.dim() == 0 else (x.to(y.device), y)  # type: ignore[return-value]
    return x, y


def _not_both_bools(a: Any, b: Any, name: str) -> None:
    if all(x.dtype == torch.bool if isinstance(x, Tensor) else isinstance(x, bool) for x in (a, b)):
        raise NoSoundRule(f"aten.{name} of two truth values has no sound rule; use & and |")


def _check_dtype(dtype: torch.dtype | None, name: str) -> None:
    """Refuse a ``dtype=`` that would not keep real numbers as they are."""
    if dtype is not None and not dtype.is_floating_point:
        raise NoSoundRule(f"aten.{name} with dtype={dtype} has no sound rule: real numbers do not become {dtype}")


@rule("add")
def _add(a: Any, b: Any, alpha: float = 1) -> Enclosure:
    """a + alpha b."""
    _not_both_bools(a, b, "add")
    x, y = pair(a, b)
    return ia.add(x, y if alpha == 1 else ia.mul(y, enclose(alpha, like=y.lo)))


@rule("sub")
def _sub(a: Any, b: Any, alpha: float = 1) -> Enclosure:
    """a - alpha b."""
    _not_both_bools(a, b, "sub")
    x, y = pair(a, b)
    return ia.sub(x, y if alpha == 1 else ia.mul(y, enclose(alpha, like=y.lo)))


@rule("rsub")
def _rsub(a: Any, b: Any, alpha: float = 1) -> Enclosure:
    """b - alpha a."""
    return _sub(b, a, alpha=alpha)


@rule("mul")
def _mul(a: Any, b: Any) -> Enclosure:
    """a b; a square where both are one tensor."""
    _not_both_bools(a, b, "mul")
    if a is b:
        return ia.square(real(a))
    return ia.mul(*pair(a, b))


@rule("div")
def _div(a: Any, b: Any, *, rounding_mode: str | None = None) -> Enclosure:
    """a / b, rounded to an integer if asked; undefined where b may be 0."""
    quotient = ia.div(*pair(a, b))
    if rounding_mode is None:
        return quotient
    return torch.floor(quotient) if rounding_mode == "floor" else torch.trunc(quotient)  # type: ignore[return-value]


@rule("reciprocal")
def _reciprocal(a: Any) -> Enclosure:
    """1 / a."""
    return _div(1.0, a)


@rule("addcmul")
def _addcmul(x: Any, a: Any, b: Any, *, value: float = 1) -> Enclosure:
    """x + value a b."""
    return _add(x, _mul(a, b), alpha=value)


@rule("addcdiv")
def _addcdiv(x: Any, a: Any, b: Any, *, value: float = 1) -> Enclosure:
    """x + value a / b."""
    return _add(x, _div(a, b), alpha=value)


@rule("pow")
def _pow(a: Any, exponent: Any) -> Enclosure:
    """a**exponent: by multiplication for integers, by roots for 1/2 and -1/2, and else as e^(exponent log a), for a >= 0.

    Undefined for a < 0, at 0 unless the exponent is positive (then 0: an infinite logarithm is right, as e^(-inf) = 0), and where
    one may be infinite. For integers and 1/2 as the rules of products and roots say. A 0-d tensor of exponents that is known
    exactly counts as the number that it holds.
    """
    if isinstance(exponent, Tensor) and not exponent.dim() and (not isinstance(exponent, Enclosure) or exponent.is_point):
        exponent = float(enclose(exponent).lo)
    if isinstance(exponent, (int, float)):
        if exponent in (0.5, -0.5):
            root = fn.sqrt(real(a))
            return root if exponent > 0 else _reciprocal(root)
        if math.isfinite(exponent) and exponent == int(exponent):
            return ia.square(real(a)) if exponent == 2 else ia.power(real(a), int(exponent))
    x, e = pair(a, exponent)
    result = fn.exp(ia.mul(e, fn.log(x)))
    undefined = (x.lo < 0) | ((x.lo == 0) & (e.lo <= 0)) | _infinite_ends(x, e)
    return Enclosure._rounded(result.lo.masked_fill(undefined, -math.inf), result.hi.masked_fill(undefined, math.inf))


def _infinite_ends(x: Enclosure, e: Enclosure) -> Tensor:
    """Where a base or an exponent may be infinite: such powers are left undefined."""
    return x.lo.isinf() | x.hi.isinf() | e.lo.isinf() | e.hi.isinf()


def _softmax(x: Any, dim: int, dtype: Any = None) -> Enclosure:
    """Softmax along an axis; undefined where all entries may be -inf."""
    return fn.softmax(real(x), dim)


RULES |= {
    "neg": _elementwise(ia.neg),
    "abs": _elementwise(ia.absolute),
    "square": _elementwise(ia.square),
    "sqrt": _elementwise(fn.sqrt),
    "rsqrt": told("1 / sqrt x.", lambda x: _reciprocal(fn.sqrt(real(x)))),
    "exp": _elementwise(fn.exp),
    "expm1": _elementwise(fn.expm1),
    "log": _elementwise(fn.log),
    "log1p": _elementwise(fn.log1p),
    "tanh": _elementwise(fn.tanh),
    "sigmoid": _elementwise(fn.sigmoid),
    "erf": _elementwise(fn.erf),
    "sin": _elementwise(fn.sin),
    "cos": _elementwise(fn.cos),
    "silu": told("x sigmoid x.", lambda x: ia.mul(real(x), fn.sigmoid(real(x)))),
    "gelu": told(fn.gelu.__doc__, lambda x, *, approximate="none": fn.gelu(real(x), approximate)),
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "_log_softmax": told(fn.log_softmax.__doc__, lambda x, dim, half_to_float: fn.log_softmax(real(x), dim)),
    "logsumexp": told(fn.logsumexp.__doc__, lambda x, dim, keepdim=False: fn.logsumexp(real(x), dim, keepdim)),
    "native_layer_norm": told(
        fn.layer_norm.__doc__, lambda x, shape, weight, bias, eps: fn.layer_norm(real(x), shape, weight, bias, eps)
    ),
}

# ------------------------------------------------------------------------------------------------- sums, matrix products


@rule("sum")
def _sum(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The sum over axes: off by at most gamma(n) times the sum of absolute values."""
    return ia.total(_terms(x, "sum", dtype), _axes(dim), keepdim)


@rule("mean")
def _mean(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The sum over axes, divided by the number of terms."""
    return ia.mean(_terms(x, "mean", dtype), _axes(dim), keepdim)


@rule("prod")
def _prod(x: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The product over an axis, one factor after the other."""
    x = _terms(x, "prod", dtype)
    return ia.product(x.reshape(-1), 0) if dim is None else ia.product(x, dim, keepdim)


@rule("cumprod")
def _cumprod(x: Any, dim: int, *, dtype: Any = None) -> Enclosure:
    """Products of the first entries along an axis, one factor after the other."""
    x = _terms(x, "cumprod", dtype)
    if not x.dim() or not x.shape[dim]:
        return x._same()
    results = [x.select(dim, 0)]
    for i in range(1, x.shape[dim]):
        results.append(ia.mul(results[-1], x.select(dim, i)))
    return torch.stack(results, dim)  # type: ignore[return-value]


@rule("cumsum")
def _cumsum(x: Any, dim: int, *, dtype: Any = None) -> Enclosure:
    """Sums of the first entries along an axis, each with the error bound of a sum."""
    return ia.cumsum(_terms(x, "cumsum", dtype), dim)


def _axes(dim: Any) -> Any:
    return [dim] if isinstance(dim, int) else dim


def _terms(x: Any, name: str, dtype: torch.dtype | None) -> Enclosure:
    _check_dtype(dtype, name)
    if x.dtype == torch.bool and isinstance(x, Enclosure) and not x.is_point:
        raise NoSoundRule(
            f"aten.{name} of an uncertain condition has no sound rule; count what is proven: provably(condition).sum()"
        )
    return real(x)


@rule("mm", "bmm", "mv", "dot")
def _matmul(a: Any, b: Any) -> Enclosure:
    """The product of matrices (vectors, batches): off by at most n u times the product of absolute values, in any order."""
    multiply = {(1, 1): torch.dot, (2, 1): torch.mv, (2, 2): torch.mm, (3, 3): torch.bmm}[a.dim(), b.dim()]
    return ia.inner(multiply, real(a), real(b))


@rule("addmm", "baddbmm", "addmv")
def _addmm(c: Any, a: Any, b: Any, *, beta: float = 1, alpha: float = 1) -> Enclosure:
    """beta c + alpha a b."""
    ab = _matmul(a, b)
    return _add(c if beta == 1 else _mul(c, beta), ab if alpha == 1 else _mul(ab, alpha))


@rule("var")
def _var(x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Enclosure:
    """Sum of (x - mean)^2 over max(n - correction, 0), which is undefined for 0."""
    x = real(x)
    dims = ia.reduced(x, _axes(dim))
    squares = ia.square(ia.sub(x, ia.mean(x, dims, True)))
    n, taken = math.prod(x.shape[d] for d in dims), 1 if correction is None else correction
    degrees = ia.sub(enclose(n, like=x.lo), enclose(taken, like=x.lo)) if n > taken else enclose(0.0, like=x.lo)
    return ia.div(ia.total(squares, dims, keepdim), degrees)


@rule("std")
def _std(x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Enclosure:
    """The root of the variance."""
    return fn.sqrt(_var(x, dim, correction=correction, keepdim=keepdim))


@rule("var_mean")
def _var_mean(x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> tuple[Enclosure, Enclosure]:
    """The variance, as ``var`` gives it, and the mean."""
    return _var(x, dim, correction=correction, keepdim=keepdim), _mean(x, dim, keepdim)


@rule("linalg_vector_norm")
def _norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """A vector's norm of order 1, 2 or inf."""
    _check_dtype(dtype, "linalg_vector_norm")
    size, order = ia.absolute(real(x)), exact_number(ord)
    dims = ia.reduced(size, _axes(dim))
    if order == 2:
        return fn.sqrt(ia.total(ia.square(size), dims, keepdim))
    if order == 1:
        return ia.total(size, dims, keepdim)
    if order == math.inf:
        return size.amax(dims, keepdim)  # type: ignore[return-value]
    raise NoSoundRule(f"a vector norm of order {ord} has no sound rule; orders 1, 2 and inf have")
