"""Rules for operations on sliding windows: convolution and pooling.

A window is made by padding, slicing and views, which are exact. What is computed in it is a sum, a maximum or a matrix product,
each by its own rule, so no kernel's way to convolve (Winograd, Fourier transforms) is trusted, and there is nothing new to prove.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from compact_proofs.enclosure import arithmetic as ia
from compact_proofs.enclosure.table import rule, wrap_pair
from compact_proofs.enclosure.tensor import Enclosure, Undetermined, both_bounds, enclose, real


def by_axis(values: Any, n: int, default: Any = None) -> list[int]:
    """One number for each of n axes, as torch's arguments give them: a number, a list of one or of n, or nothing."""
    if isinstance(values, int):
        return [values] * n
    values = list(values) if values else list(default)
    return values * n if len(values) == 1 else values


def padded(x: Enclosure, sides: Sequence[tuple[int, int]], value: float) -> Enclosure:
    """Put `value` before and after along the last axes (or cut off, where a number is negative)."""
    amounts = [amount for side in reversed(sides) for amount in side]
    if not any(amounts):
        return x
    return wrap_pair(*both_bounds(lambda t: torch.constant_pad_nd(t, amounts, value), (x,), {}))


def windows(x: Enclosure, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Enclosure:
    """Views of every window: [..., *places, *kernel] from [..., *sizes]."""
    n = len(kernel)
    first = x.dim() - n
    for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True), start=first):
        x = x.unfold(axis, 1 + d * (k - 1), s)[..., ::d]  # type: ignore[assignment]
    return x


# ---------------------------------------------------------------------------------------------------------------- convolution


@rule("convolution")
def _convolution(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Enclosure:
    """sum over channels and places in the window of x weight, plus bias, as a product of matrices (of any dimension, in groups).

    A transposed convolution is the convolution of x, with stride - 1 zeros between its entries and d (k - 1) - padding around them,
    with the reversed kernel.
    """
    x, weight = real(x), real(weight)
    n = weight.dim() - 2
    single = x.dim() == n + 1
    if single:
        x = x.unsqueeze(0)
    kernel = list(weight.shape[2:])
    stride, padding, dilation = by_axis(stride, n, [1]), by_axis(padding, n, [0]), by_axis(dilation, n, [1])
    sides = [(p, p) for p in padding]
    if transposed:
        extra = by_axis(output_padding, n, [0])
        full = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        sides = [(f - p, f - p + e) for f, p, e in zip(full, padding, extra, strict=True)]
        x, stride = _spread(x, stride), [1] * n
        weight = _reversed(weight, groups)
    seen = windows(padded(x, sides, 0.0), kernel, stride, dilation)  # [N, C, *places, *kernel]
    N, C, places = x.shape[0], x.shape[1], list(seen.shape[2 : 2 + n])
    rows = seen.reshape(N, groups, C // groups, math.prod(places), math.prod(kernel))
    rows = rows.permute(1, 0, 3, 2, 4).reshape(groups, N * math.prod(places), C // groups * math.prod(kernel))
    columns = weight.reshape(groups, weight.shape[0] // groups, -1).mT
    out = ia.inner(torch.bmm, rows, columns)  # type: ignore[arg-type]
    out = out.reshape(groups, N, math.prod(places), -1).permute(1, 0, 3, 2).reshape(N, -1, *places)  # type: ignore[assignment]
    if bias is not None:
        out = ia.add(out, real(bias).reshape(-1, *[1] * n))  # type: ignore[arg-type]
    return out[0] if single else out  # type: ignore[return-value]


def _spread(x: Enclosure, stride: Sequence[int]) -> Enclosure:
    """Put s - 1 zeros between neighbours along each of the last axes."""
    for axis, s in enumerate(stride, start=x.dim() - len(stride)):
        if s > 1:
            y = padded(x.unsqueeze(axis + 1).movedim(axis + 1, -1), [(0, s - 1)], 0.0)  # type: ignore[arg-type]
            y = y.movedim(-1, axis + 1).flatten(axis, axis + 1)  # type: ignore[assignment]
            x = y.narrow(axis, 0, max(y.shape[axis] - (s - 1), 0))  # type: ignore[assignment]
    return x


def _reversed(weight: Enclosure, groups: int) -> Enclosure:
    """The kernel of the convolution that a transposed one is: [out, in / groups, *kernel] from [in, out / groups, *kernel]."""
    n, kernel = weight.dim() - 2, weight.shape[2:]
    weight = weight.flip(list(range(2, n + 2))).reshape(groups, weight.shape[0] // groups, weight.shape[1], *kernel)  # type: ignore
    return weight.transpose(1, 2).flatten(0, 1)  # type: ignore[return-value]


# -------------------------------------------------------------------------------------------------------------------- pooling


def _rounded_up(size: int, k: int, s: int, p: int, d: int, ceil: bool) -> int:
    """How many places torch's pooling has along an axis."""
    span = size + 2 * p - d * (k - 1) - 1
    places = (-(-span // s) if ceil else span // s) + 1
    return places - 1 if ceil and (places - 1) * s >= size + p else places  # a window must start inside


def _pool(
    x: Enclosure, kernel: list[int], stride: list[int], padding: list[int], dilation: list[int], ceil: bool, value: float
) -> Enclosure:
    """All windows of a pooling, [..., *places, *kernel], the padding filled with `value`."""
    n = len(kernel)
    sides = []
    for size, k, s, p, d in zip(x.shape[-n:], kernel, stride, padding, dilation, strict=True):
        places = _rounded_up(size, k, s, p, d, ceil)
        sides.append((p, (places - 1) * s + d * (k - 1) + 1 - size - p))
    return windows(padded(x, sides, value), kernel, stride, dilation)


def _max_pool(n: int) -> Callable[..., Any]:
    def apply(
        x: Any, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
    ) -> tuple[Enclosure, Undetermined]:
        x = real(x)
        size = by_axis(kernel, n)
        seen = _pool(x, size, by_axis(stride, n, size), by_axis(padding, n), by_axis(dilation, n), ceil_mode, -math.inf)
        out: Any = seen.amax(list(range(-n, 0)))
        return out, Undetermined(out.shape, out.device)

    apply.__doc__ = f"The largest entry of every window over {n} axes; its place is not known."
    return apply


def _avg_pool(n: int) -> Callable[..., Any]:
    def apply(
        x: Any,
        kernel: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Enclosure:
        x = real(x)
        size = by_axis(kernel, n)
        steps, pads = by_axis(stride, n, size), by_axis(padding, n)
        seen = _pool(x, size, steps, pads, [1] * n, ceil_mode, 0.0)
        out = ia.total(seen, list(range(-n, 0)))
        if divisor_override is not None:
            return ia.div(out, enclose(divisor_override, like=x.lo))
        terms = torch.ones((), dtype=torch.float64)
        for axis in range(n):
            counts = _terms(x.shape[axis - n], size[axis], steps[axis], pads[axis], out.shape[axis - n], count_include_pad)
            terms = terms[..., None] * counts
        return ia.div(out, enclose(terms.to(x.device)))

    apply.__doc__ = f"The sum of every window over {n} axes, divided by the number of its entries (with padding, or without)."
    return apply


def _terms(size: int, k: int, s: int, p: int, places: int, with_padding: bool) -> Tensor:
    """How many entries every window along an axis is said to have: up to the far end of the padding, or of the input only."""
    starts = [i * s - p for i in range(places)]
    ends = [min(start + k, size + p) for start in starts]
    if not with_padding:
        starts, ends = [max(start, 0) for start in starts], [min(end, size) for end in ends]
    return torch.tensor([end - start for start, end in zip(starts, ends, strict=True)], dtype=torch.float64)


for _n in (2, 3):
    rule(f"max_pool{_n}d_with_indices")(_max_pool(_n))
    rule(f"avg_pool{_n}d")(_avg_pool(_n))
rule("avg_pool1d")(_avg_pool(1))


def _adaptive(n: int, f: Callable[[Enclosure, list[int]], Any]) -> Callable[[Any, Sequence[int]], Enclosure]:
    """Divide the last n axes into the given numbers of windows, from floor(i size / places) to ceil((i + 1) size / places)."""

    def apply(x: Any, places: Sequence[int]) -> Enclosure:
        x = real(x)
        dims = list(range(-n, 0))

        def along(part: Enclosure, axis: int) -> Any:
            if axis == 0:
                return f(part, dims)
            size, count = x.shape[-axis], places[-axis]
            cuts = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
            return torch.stack([along(part.narrow(-axis, a, b - a), axis - 1) for a, b in cuts], -axis)  # type: ignore[arg-type]

        return along(x, n)

    return apply


def _adaptive_mean(n: int) -> Callable[..., Any]:
    apply = _adaptive(n, lambda part, dims: ia.mean(part, dims))
    apply.__doc__ = f"The mean of every one of the windows into which the last {n} axes are divided."
    return apply


def _adaptive_max(n: int) -> Callable[..., Any]:
    largest = _adaptive(n, lambda part, dims: part.amax(dims))

    def apply(x: Any, places: Sequence[int]) -> tuple[Enclosure, Undetermined]:
        out = largest(x, places)
        return out, Undetermined(out.shape, out.device)

    apply.__doc__ = (
        f"The largest entry of every one of the windows into which the last {n} axes are divided; its place is not known."
    )
    return apply


for _n in (2, 3):
    rule(f"_adaptive_avg_pool{_n}d")(_adaptive_mean(_n))
    rule(f"adaptive_max_pool{_n}d")(_adaptive_max(_n))
