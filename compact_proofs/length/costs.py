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
* Moving data (views, indexing, concatenation, ``where``, assignment, copies, constants) is free, and so are index tables made from
  sizes alone (`compact_proofs.length.addresses`). What is logic in disguise is not: ``where`` and ``masked_fill`` with truth
  values, one of them a single one, count 1 an entry, and choosing by a mask counts the mask's entries, since the result's length
  is the number of true ones.
* Reading a number of the explanation counts one integer operation (charged where a proof is run).

A cost depends on shapes and dtypes only, never on values: float, sound and meta readings cost the same by construction, and
anything not in the table is an error, never silently free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compact_proofs.enclosure.leaves import leaves
from compact_proofs.enclosure.once import Once, words
from compact_proofs.enclosure.table import VIEWS
from compact_proofs.enclosure.windows import by_axis

Cost = Callable[[tuple[Any, ...], Any], dict[str, int]]
"""From the operation's arguments (all of its schema, in order) and its result to operations by category."""

CATEGORIES = ("add", "mul", "div", "matmul", "exp", "compare", "integer")

FREE = (
    VIEWS
    | {f"{name}_copy" for name in VIEWS}
    | words(
        """
        _unsafe_view reshape numpy_T gather index_select take cat stack unsafe_split unsafe_split_with_sizes repeat clone flip roll
        diag_embed tril triu constant_pad_nd as_strided embedding lift_fresh lift_fresh_copy lift copy copy_ _to_copy
        empty empty_like empty_strided empty_permuted zeros zeros_like zero ones ones_like full full_like fill
        new_zeros new_ones new_full new_empty new_empty_strided arange scalar_tensor eye linspace tril_indices triu_indices
        _local_scalar_dense is_pinned
        slice_scatter select_scatter diagonal_scatter scatter index_copy index_fill masked_scatter
        im2col pixel_shuffle pixel_unshuffle channel_shuffle upsample_nearest1d upsample_nearest2d
        reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
        """
    )
)
"""Operations that move data or make constants."""


def numel(x: Any) -> int:
    """Number of entries of a tensor; 1 for a Python number."""
    return x.numel() if isinstance(x, Tensor) else 1


def _each(**per_entry: int) -> Cost:
    """So many operations of each category for every entry of the result."""

    def cost(args: tuple[Any, ...], out: Any) -> dict[str, int]:
        return {category: n * numel(_first(out)) for category, n in per_entry.items()}

    cost.__doc__ = "For each entry " + ", ".join(f"{n} {category}" for category, n in per_entry.items()) + "."
    return cost


def _first(out: Any) -> Any:
    return out[0] if isinstance(out, (tuple, list)) else out


def _reduction(category: str) -> Cost:
    def cost(args: tuple[Any, ...], out: Any) -> dict[str, int]:
        return {category: max(numel(args[0]) - numel(_first(out)), 0)}

    cost.__doc__ = f"n - 1 {category} for each result over n entries."
    return cost


def _extreme(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """n - 1 comparisons for each result over n entries; of two tensors, one for each entry."""
    if len(args) > 1 and isinstance(args[1], Tensor):
        return {"compare": numel(out)}
    return _reduction("compare")(args, out)


def _clamp(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """One comparison for each entry and bound."""
    return {"compare": numel(out) * sum(bound is not None for bound in args[1:3])}


def _running(category: str) -> Cost:
    def cost(args: tuple[Any, ...], out: Any) -> dict[str, int]:
        x, dim = args[0], args[1]
        return {category: numel(x) - numel(x) // max(x.shape[dim], 1) if x.dim() else 0}

    cost.__doc__ = f"n - 1 {category} along n entries."
    return cost


def _mean(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """n - 1 additions and a division for each mean of n entries."""
    return _reduction("add")(args, out) | {"div": numel(out)}


def _matmul(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """2abc for an [a, b] by a [b, c] matrix."""
    return {"matmul": 2 * numel(args[0]) * (args[1].shape[-1] if args[1].dim() > 1 else 1)}


def _addmm(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """The matrix product, and an addition for each entry."""
    return _matmul(args[1:], out) | {"add": numel(out)}


def _sort(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """n ceil(log2 n) comparisons for n entries."""
    x, dim = args[0], args[-2]  # the last is `descending` or `keepdim`, in every overload
    n = x.shape[dim] if x.dim() else 1
    return {"compare": numel(x) * math.ceil(math.log2(max(n, 1)))}


def _topk(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """n ceil(log2(k + 1)) comparisons for the k largest of n entries."""
    return {"compare": numel(args[0]) * math.ceil(math.log2(args[1] + 1))}


def _searchsorted(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """ceil(log2(n + 1)) comparisons for each place among n entries."""
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
    n, rows = numel(args[0]), numel(_first(out))
    return {"add": max(3 * n - 2 * rows, 0), "mul": n, "div": 2 * rows}


def _norm(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Squares, sum and root; absolute values and their sum for order 1, or maximum for order infinity."""
    n, terms = numel(args[0]), max(numel(args[0]) - numel(out), 0)
    if args[1] == 1:
        return {"compare": n, "add": terms}
    return {"compare": n + terms} if args[1] == math.inf else {"mul": n, "add": terms, "exp": numel(out)}


def _pow(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Squarings and products for integer exponents (a division for negative ones); otherwise one elementary function."""
    exponent = args[1]
    if isinstance(exponent, Tensor) or not math.isfinite(exponent) or exponent != int(exponent):
        return {"exp": numel(out)}
    squarings, products = abs(int(exponent)).bit_length() - 1, abs(int(exponent)).bit_count() - 1
    return {"mul": max(squarings + products, 0) * numel(out), "div": numel(out) if exponent < 0 else 0}


def _remainder(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """For each entry 1 for integers; a division, its rounding, a product and a difference for real numbers."""
    if out.is_floating_point():
        return dict.fromkeys(("div", "compare", "mul", "add"), numel(out))
    return {"integer": numel(out)}


def _std(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """The variance and a root."""
    return _var(args, out) | {"exp": numel(out)}


def _batch_norm(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """In eval mode: centring, eps, root and reciprocal for each channel, scaling, weight and bias; else as layer norm."""
    n, channels, weight, bias = numel(out[0]), args[0].shape[1], args[1], args[2]
    if len(args) > 7 and args[5]:
        return {"add": 4 * n - channels, "mul": 3 * n, "div": 3 * channels, "exp": channels}
    terms, factors = n if bias is not None else 0, n if weight is not None else 0
    return {"add": n + channels + terms, "mul": n + factors, "div": channels, "exp": channels}


def _convolution(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """2 for each entry of the result (of the input, if transposed), channel of its group and place in the kernel; the bias."""
    x, weight, bias, transposed = args[0], args[1], args[2], args[6]
    products = numel(x if transposed else out) * numel(weight) // max(weight.shape[0], 1)
    return {"matmul": 2 * products, "add": numel(out) if bias is not None else 0}


def _in_windows(axes: int, category: str, **per_result: int) -> Cost:
    def cost(args: tuple[Any, ...], out: Any) -> dict[str, int]:
        result, size = _first(out), math.prod(by_axis(args[1], axes))
        return {category: numel(result) * (size - 1)} | {name: k * numel(result) for name, k in per_result.items()}

    cost.__doc__ = (
        f"k - 1 {category} for each window of k entries" + "".join(f", and {k} {name}" for name, k in per_result.items()) + "."
    )
    return cost


def _in_adaptive_windows(category: str, **per_result: int) -> Cost:
    def cost(args: tuple[Any, ...], out: Any) -> dict[str, int]:
        x, result, places = args[0], _first(out), args[1]
        seen = numel(x) // max(math.prod(x.shape[-len(places) :]), 1)
        for size, count in zip(x.shape[-len(places) :], places, strict=True):
            seen *= sum(-(-(i + 1) * size // count) - i * size // count for i in range(count))
        return {category: seen - numel(result)} | {name: k * numel(result) for name, k in per_result.items()}

    cost.__doc__ = (
        f"k - 1 {category} for each window of k entries" + "".join(f", and {k} {name}" for name, k in per_result.items()) + "."
    )
    return cost


def _embedding_bag(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """An addition (a comparison, for maxima) for each number read; a product with each weight; a division for each mean."""
    weight, indices, mode, weights = args[0], args[1], args[4], args[6]
    read = numel(indices) * weight.shape[1]
    return {
        "compare" if mode == 2 else "add": read,
        "mul": read if weights is not None else 0,
        "div": numel(out[0]) if mode == 1 else 0,
    }


def _where(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Free; between truth values of which one is a single one, it is an AND or an OR: 1 for each entry."""
    return _logic(args[1:], out)


def _masked_fill(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Free; on truth values it is an AND or an OR: 1 for each entry."""
    return _logic(args[2:], out)


def _logic(values: tuple[Any, ...], out: Any) -> dict[str, int]:
    return {"integer": numel(out)} if out.dtype == torch.bool and any(numel(v) == 1 for v in values) else {}


def _by_mask(args: tuple[Any, ...], out: Any) -> dict[str, int]:
    """Free; by a mask, 1 for each of its entries, since the length of the result is the number of true ones."""
    return {"integer": sum(numel(m) for m in leaves(args[1]) if isinstance(m, Tensor) and m.dtype == torch.bool)}


def _each_of(place: int, category: str) -> Cost:
    def cost(args: tuple[Any, ...], out: Any) -> dict[str, int]:
        return {category: numel(args[place])}

    cost.__doc__ = f"1 {category} for each entry of argument {place + 1}."
    return cost


COSTS: Once[Cost] = Once("cost")
"""Operations by aten name."""


def _cost(names: str, cost: Cost) -> None:
    for name in words(names):
        COSTS[name] = cost


_cost("add sub rsub neg", _each(add=1))
_cost("mul square", _each(mul=1))
_cost("div reciprocal floor_divide", _each(div=1))
_cost("addcmul", _each(add=1, mul=1))
_cost("addcdiv", _each(add=1, div=1))
_cost("lerp", _each(add=2, mul=1))
_cost("exp exp2 expm1 log log2 log10 log1p sqrt tanh erf sin cos tan", _each(exp=1))
_cost("rsqrt", _each(exp=1, div=1))
_cost("logaddexp", _each(compare=1, add=3, exp=3))
_cost("pow", _pow)
_cost("abs relu maximum minimum clamp_min clamp_max sign floor ceil round trunc lt le gt ge eq ne", _each(compare=1))
_cost("isnan isfinite isinf", _each(compare=1))
_cost("fmod remainder", _remainder)
_cost("frac", _each(compare=1, add=1))
_cost("clamp", _clamp)

_cost("sigmoid", _each(exp=1, add=1, div=1))
_cost("silu glu", _each(exp=1, add=1, div=1, mul=1))
_cost("gelu", _each(exp=1, add=1, mul=3))
_cost("mish", _each(exp=3, mul=1))
_cost("softplus", _each(compare=1, mul=1, exp=2, div=1))
_cost("log_sigmoid_forward", _each(compare=2, exp=2, add=1))
_cost("leaky_relu _prelu_kernel", _each(compare=1, mul=1))
_cost("elu", _each(compare=1, mul=3, exp=1))
_cost("celu", _each(compare=1, mul=1, div=1, exp=1))
_cost("threshold", _each(compare=1))
_cost("hardtanh hardshrink", _each(compare=2))
_cost("softshrink", _each(compare=2, add=1))
_cost("hardsigmoid", _each(add=1, compare=2, div=1))
_cost("hardswish", _each(add=1, compare=2, mul=1, div=1))

_cost("bitwise_and bitwise_or bitwise_not bitwise_xor logical_and logical_or logical_not", _each(integer=1))
_cost("all any", _reduction("integer"))
_cost("where", _where)
_cost("masked_fill", _masked_fill)
_cost("index masked_select", _by_mask)
_cost("bincount nonzero", _each_of(0, "integer"))

_cost("sum", _reduction("add"))
_cost("prod", _reduction("mul"))
_cost("mean", _mean)
_cost("amax amin argmax argmin", _reduction("compare"))
_cost("max min", _extreme)
_cost("cumsum logcumsumexp", _running("add"))
_cost("cumprod", _running("mul"))
_cost("cummax cummin", _running("compare"))
_cost("mm bmm mv dot", _matmul)
_cost("addmm baddbmm addmv", _addmm)
_cost("sort argsort kthvalue", _sort)
_cost("topk", _topk)
_cost("searchsorted", _searchsorted)
_cost("_softmax _safe_softmax", _softmax)
_cost("_log_softmax", _log_softmax)
_cost("logsumexp", _logsumexp)
_cost("var var_mean", _var)
_cost("std", _std)
_cost("linalg_vector_norm", _norm)
_cost("native_layer_norm native_group_norm", _layer_norm)
_cost("native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training", _batch_norm)
_cost("convolution", _convolution)
for _n in (1, 2, 3):
    _cost(f"avg_pool{_n}d", _in_windows(_n, "add", div=1))
    if _n > 1:
        _cost(f"max_pool{_n}d_with_indices", _in_windows(_n, "compare"))
_cost("adaptive_max_pool2d adaptive_max_pool3d", _in_adaptive_windows("compare"))
_cost("_adaptive_avg_pool2d _adaptive_avg_pool3d", _in_adaptive_windows("add", div=1))
_cost("_embedding_bag _embedding_bag_forward_only", _embedding_bag)
_cost("scatter_reduce", _each_of(3, "compare"))
_cost("scatter_add index_add", _each_of(3, "add"))
_cost("index_put", _each_of(2, "add"))
