"""The cost table: what each tensor operation adds to a proof's length.

Conventions
-----------
* Every real addition, subtraction, multiplication, division, comparison, exponential, logarithm, square root or other elementary
  function counts 1, whatever its reading costs the machine.
* A product of an [a, b] by a [b, c] matrix counts 2abc; ``addmm`` adds its sum.
* A sum, maximum or product over n terms counts n - 1 (none for n = 0); a running one along n entries likewise n - 1.
* Sorting n numbers counts n ceil(log2 n) comparisons; bisection among n counts ceil(log2(n + 1)).
* The same operations on integers and truth values count under ``integer``: exact counting work, shown apart and included in the
  total.
* Moving data (views, indexing, concatenation, ``where``, copies, constants) is free, and so are index tables made from sizes alone
  (`compact_proofs.length.addresses`); reading a number of the explanation counts one
  integer operation (charged where a proof is run).

A cost depends on shapes and dtypes only, never on values: float, sound and meta readings cost the same by construction, and
anything not in the table is an error, never silently free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from compact_proofs.enclosure.once import words

Cost = Callable[[tuple[Any, ...], Any], dict[str, int]]
"""From the operation's arguments (all of its schema, in order) and its result to operations by category."""

CATEGORIES = ("add", "mul", "div", "matmul", "exp", "compare", "integer")

FREE = words(
    """
    view _unsafe_view reshape t transpose permute numpy_T expand squeeze unsqueeze slice select index index_select
    gather take cat stack unbind split split_with_sizes unsafe_split unsafe_split_with_sizes repeat clone detach
    alias flip roll diagonal diag_embed tril triu constant_pad_nd unfold as_strided embedding masked_select
    masked_fill where lift_fresh lift copy_ _to_copy empty empty_like empty_strided zeros zeros_like ones ones_like
    full full_like new_zeros new_ones new_full new_empty new_empty_strided arange scalar_tensor eye linspace
    tril_indices triu_indices _local_scalar_dense is_pinned
    """
)


def numel(x: Any) -> int:
    """Number of entries of a tensor; 1 for a Python number."""
    return x.numel() if isinstance(x, Tensor) else 1


def _each(**per_entry: int) -> Cost:
    """So many operations of each category for every entry of the result."""
    return lambda args, out: {category: n * numel(_first(out)) for category, n in per_entry.items()}


def _first(out: Any) -> Any:
    return out[0] if isinstance(out, (tuple, list)) else out


def _reduction(category: str) -> Cost:
    return lambda args, out: {category: max(numel(args[0]) - numel(_first(out)), 0)}


def _extreme(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    if len(args) > 1 and isinstance(args[1], Tensor):
        return {"compare": numel(out)}
    return _reduction("compare")(args, out)


def _clamp(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    return {"compare": numel(out) * sum(bound is not None for bound in args[1:3])}


def _running(category: str) -> Cost:
    def cost(args: tuple[Any, ...], out: Any) -> dict[str, int]:
        x, dim = args[0], args[1]
        return {category: numel(x) - numel(x) // max(x.shape[dim], 1) if x.dim() else 0}

    return cost


def _mean(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    return _reduction("add")(args, out) | {"div": numel(out)}


def _matmul(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    return {"matmul": 2 * numel(args[0]) * (args[1].shape[-1] if args[1].dim() > 1 else 1)}


def _addmm(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    return _matmul(args[1:], out) | {"add": numel(out)}


def _sort(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    x, dim = args[0], args[-2]  # the last is `descending` or `keepdim`, in every overload
    n = x.shape[dim] if x.dim() else 1
    return {"compare": numel(x) * math.ceil(math.log2(max(n, 1)))}


def _topk(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    return {"compare": numel(args[0]) * math.ceil(math.log2(args[1] + 1))}


def _searchsorted(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    return {"compare": numel(args[1]) * math.ceil(math.log2(args[0].shape[-1] + 1))}


def _softmax(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Maximum, subtraction, exponential, sum, division."""
    n, rows = numel(out), _rows(out, args[1])
    return {"compare": n - rows, "add": 2 * n - rows, "exp": n, "div": n}


def _rows(x: Tensor, dim: int) -> int:
    return numel(x) // max(x.shape[dim], 1) if x.dim() else 1


def _log_softmax(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Maximum, two subtractions, exponential, sum, logarithm."""
    n, rows = numel(out), _rows(out, args[1])
    return {"compare": n - rows, "add": 3 * n - rows, "exp": n + rows}


def _logsumexp(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Maximum, subtraction, exponential, sum, logarithm, the maximum added."""
    n, rows = numel(args[0]), numel(out)
    return {"compare": n - rows, "add": 2 * n, "exp": n + rows}


def _layer_norm(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Mean, centring, variance, eps and square root, scaling, weight and bias."""
    n, rows = numel(out[0]), numel(out[1])
    return {"add": 4 * n - rows, "mul": 3 * n, "div": 3 * rows, "exp": rows}


def _var(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Mean, centring, squares, their mean."""
    n, rows = numel(args[0]), numel(out)
    return {"add": max(3 * n - 2 * rows, 0), "mul": n, "div": 2 * rows}


def _norm(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Squares, sum and root; absolute values and their sum for order 1, or maximum for order infinity."""
    n, terms = numel(args[0]), max(numel(args[0]) - numel(out), 0)
    if args[1] == 1:
        return {"compare": n, "add": terms}
    return {"compare": n + terms} if args[1] == math.inf else {"mul": n, "add": terms, "exp": numel(out)}


def _pow(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    exponent = args[1]
    if isinstance(exponent, Tensor) or float(exponent) != int(exponent):
        return {"exp": numel(out)}
    squarings, products = abs(int(exponent)).bit_length() - 1, abs(int(exponent)).bit_count() - 1
    return {"mul": max(squarings + products, 0) * numel(out), "div": numel(out) if exponent < 0 else 0}


COSTS: dict[str, Cost] = {
    **dict.fromkeys(words("add sub rsub neg"), _each(add=1)),
    **dict.fromkeys(words("mul square"), _each(mul=1)),
    **dict.fromkeys(words("div reciprocal floor_divide"), _each(div=1)),
    "addcmul": _each(add=1, mul=1),
    "addcdiv": _each(add=1, div=1),
    **dict.fromkeys(
        words("exp expm1 log log1p sqrt tanh erf sin cos"),
        _each(exp=1),
    ),
    "rsqrt": _each(exp=1, div=1),
    "sigmoid": _each(exp=1, add=1, div=1),
    "silu": _each(exp=1, add=1, div=1, mul=1),
    "gelu": _each(exp=1, add=1, mul=3),
    "leaky_relu": _each(compare=1, mul=1),
    "pow": _pow,
    **dict.fromkeys(
        words("abs relu maximum minimum clamp_min clamp_max sign floor ceil round trunc lt le gt ge eq ne"),
        _each(compare=1),
    ),
    **dict.fromkeys(words("isnan isfinite isinf fmod remainder"), _each(compare=1)),
    "hardtanh": _each(compare=2),
    "clamp": _clamp,
    **dict.fromkeys(words("bitwise_and bitwise_or bitwise_not bitwise_xor logical_and logical_or"), _each(integer=1)),
    "logical_not": _each(integer=1),
    **dict.fromkeys(words("all any"), _reduction("integer")),
    "sum": _reduction("add"),
    "prod": _reduction("mul"),
    "mean": _mean,
    **dict.fromkeys(words("amax amin argmax argmin"), _reduction("compare")),
    **dict.fromkeys(words("max min"), _extreme),
    **dict.fromkeys(words("cumsum logcumsumexp"), _running("add")),
    **dict.fromkeys(words("cummax cummin"), _running("compare")),
    **dict.fromkeys(words("mm bmm mv dot"), _matmul),
    **dict.fromkeys(words("addmm baddbmm addmv"), _addmm),
    **dict.fromkeys(words("sort argsort"), _sort),
    "topk": _topk,
    "kthvalue": _sort,
    "searchsorted": _searchsorted,
    **dict.fromkeys(words("_softmax _safe_softmax"), _softmax),
    "_log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "native_layer_norm": _layer_norm,
    "var": _var,
    "std": lambda args, out: _var(args, out) | {"exp": numel(out)},
    "linalg_vector_norm": _norm,
    "scatter_reduce": lambda args, out: {"compare": numel(args[3])},
    "scatter_add": lambda args, out: {"add": numel(args[3])},
    "index_add": lambda args, out: {"add": numel(args[3])},
    "index_put": lambda args, out: {"add": numel(args[2])},
    **dict.fromkeys(words("bincount nonzero"), lambda args, out: {"integer": numel(args[0])}),
}
"""Operations by aten name."""
