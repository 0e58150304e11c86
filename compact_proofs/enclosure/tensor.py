"""`Enclosure`: a tensor of real numbers, each known only to lie between two binary64 numbers.

An Enclosure is a wrapper subclass of `torch.Tensor`: ordinary PyTorch code, modules included, runs on it, and every aten
operation it makes is looked up in one table of rules (`compact_proofs.enclosure.rules`). An operation without a rule raises
`NoSoundRule`. The invariant kept by every rule: **if every input lies in its enclosure, so does every output**, for the
operation read as a function of real numbers.

-inf and +inf are values too (a masked attention score): an enclosure [a, inf] contains +inf. Where an operation is undefined
(inf - inf, 0 * inf, 1 / 0, log(-1), a softmax of nothing but -inf, NaN in the data) its result is unbounded on both sides, so what
is proved holds whatever number is put in its place.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor

from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.rounding import NEAR_OVERFLOW
from compact_proofs.enclosure.unknown import note_unknown
from compact_proofs.errors import BadInput, NoSoundRule, NotProvable

LARGEST_EXACT_INTEGER = 2**53


class Enclosure(torch.Tensor):
    """A tensor with a lower and an upper bound for every entry.

    Two kinds, told apart by ``dtype``: float64 (``lo <= x <= hi`` for the real number x) and bool (a truth value that is provably
    true where ``lo``, possibly true where ``hi``). Bounds are never NaN; an unknown side is infinite. In-place arithmetic works
    only on an Enclosure that shares no memory with another; it replaces the bounds and never writes into their memory. The bounds
    may be the memory of the tensor that was enclosed, so leave that tensor as it is.

    Parameters
    ----------
    lo, hi : Tensor
        Plain tensors of one shape, float (any width, widened exactly to float64) or bool, with ``lo <= hi`` everywhere.

    Raises
    ------
    BadInput
        If shapes or kinds differ, a bound is an Enclosure itself or NaN, or some ``lo > hi``.
    """

    _lo: Tensor
    _hi: Tensor
    _nonnegative: bool | None
    _views: list[ReferenceType[Enclosure]] | None  # what shares its memory as PyTorch sees it, itself included
    _unknown: bool = False  # an undefined result may have reached it (`unknown`)

    @staticmethod
    def __new__(cls, lo: Tensor, hi: Tensor) -> Enclosure:
        if isinstance(lo, Enclosure) or isinstance(hi, Enclosure):
            raise BadInput("bounds are plain tensors, not Enclosures")
        if lo.shape != hi.shape or (lo.dtype == torch.bool) != (hi.dtype == torch.bool):
            raise BadInput(f"bounds of unlike shape or kind: {lo.dtype} {tuple(lo.shape)}, {hi.dtype} {tuple(hi.shape)}")
        if lo.dtype != torch.bool:
            lo, hi = exact_float64(lo), exact_float64(hi)
        if not bool((lo <= hi).all()):
            raise BadInput("a lower bound is NaN or above its upper bound")
        return _marked(cls._wrap(lo, hi), ((lo == -math.inf) & (hi == math.inf)).any())

    @classmethod
    def _wrap(cls, lo: Tensor, hi: Tensor, nonnegative: bool | None = None) -> Enclosure:
        """Wrap bounds that satisfy the invariant already (the rules' constructor); no checks."""
        self = torch.Tensor._make_wrapper_subclass(
            cls, lo.size(), strides=lo.stride(), dtype=lo.dtype, device=lo.device, requires_grad=False
        )
        self._lo, self._hi, self._nonnegative, self._views = lo, hi, nonnegative, None
        return self

    @classmethod
    def _rounded(cls, lo: Tensor, hi: Tensor, *, summed: bool = False, undefined: Callable[[], Tensor] | None = None) -> Enclosure:
        """Wrap freshly computed bounds: a NaN (from inf - inf, 0 * inf, ...) bounds nothing and becomes infinite.

        Parameters
        ----------
        summed
            The bounds come from a sum of terms of both signs. Where one is beyond `NEAR_OVERFLOW`, a partial sum may have
            overflowed, and later terms of the other sign may have brought the real sum back, unseen: both sides are unbounded.
        undefined
            Says where the operation is undefined for some operands in their enclosures. Asked only if some bound is infinite
            or NaN, which must be so wherever it says yes.
        """
        if lo.numel() == 0:
            return cls._wrap(lo, hi)
        smallest, largest = float(lo.amin()), float(hi.amax())
        if not (smallest > -math.inf or largest < math.inf):
            note_unknown()
        if summed and not (smallest > -NEAR_OVERFLOW and largest < NEAR_OVERFLOW):
            unknown = ~((lo > -NEAR_OVERFLOW) & (hi < NEAR_OVERFLOW))
            note_unknown()
            return cls._wrap(lo.masked_fill(unknown, -math.inf), hi.masked_fill(unknown, math.inf))
        if undefined is not None and not (math.isfinite(smallest) and math.isfinite(largest)):
            unknown = undefined() | lo.isnan() | hi.isnan()
            return cls._wrap(lo.masked_fill(unknown, -math.inf), hi.masked_fill(unknown, math.inf))
        if math.isnan(smallest):
            lo = lo.nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
        if math.isnan(largest):
            hi = hi.nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)
        return cls._wrap(lo, hi, smallest >= 0)

    @property
    def lo(self) -> Tensor:
        """Lower bounds, a plain tensor (float64, or bool: provably true)."""
        return self._lo

    @property
    def hi(self) -> Tensor:
        """Upper bounds, a plain tensor (float64, or bool: possibly true)."""
        return self._hi

    @property
    def width(self) -> Tensor:
        """``hi - lo`` (rounded to nearest: for looking at, not for proofs)."""
        return self._hi - self._lo

    @property
    def mid(self) -> Tensor:
        """A float64 number inside each enclosure (an estimate of the value, not a bound)."""
        return self._lo if self.is_point else self._lo * 0.5 + self._hi * 0.5

    @property
    def is_point(self) -> bool:
        """True if lower and upper bounds are one tensor: every value is known exactly."""
        return self._lo is self._hi

    @property
    def nonnegative(self) -> bool:
        """True if every lower bound is >= 0 (computed once)."""
        if self._nonnegative is None:
            self._nonnegative = self.numel() > 0 and float(self._lo.amin()) >= 0
        return self._nonnegative

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        numbers = torch._C.TensorBase.tolist
        if self.numel() <= 8:
            return f"Enclosure(lo={numbers(self._lo)}, hi={numbers(self._hi)})"
        return f"Enclosure(shape={tuple(self.shape)}, dtype={self.dtype}, widest={float(self.width.max()):.3g})"

    def __bool__(self) -> bool:
        if self.numel() == 1 and self.dtype == torch.bool and bool(self._lo) == bool(self._hi):
            return bool(self._lo)
        raise NotProvable("the truth of an Enclosure is not decided by its bounds; ask provably(condition) instead")

    def _no_number(self, *_: Any, **__: Any) -> Any:
        raise NotProvable("an Enclosure is not a number; read its bounds .lo and .hi, or ask provably(condition)")

    __float__ = __int__ = __index__ = __complex__ = _no_number
    item = tolist = numpy = __array__ = _no_number

    def _no_memory(self, *_: Any, **__: Any) -> Any:
        raise NoSoundRule("an Enclosure has no memory of its own to share, write, exchange or point into; use .lo and .hi")

    share_memory_ = is_shared = pin_memory = resize_ = resize_as_ = set_ = _no_memory
    storage = untyped_storage = data_ptr = new = __dlpack__ = __dlpack_device__ = _no_memory
    apply_ = map_ = map2_ = _no_memory

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise NoSoundRule("an Enclosure is not stored; store its bounds .lo and .hi")

    @property
    def data(self) -> Tensor:
        """The same numbers, as a view."""
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        self._no_memory()

    def __format__(self, spec: str) -> str:
        if spec:
            self._no_number()
        return repr(self)

    def __deepcopy__(self, memo: Any) -> Enclosure:
        return self._same()

    def __copy__(self) -> Enclosure:
        return self._shared()

    def _maybe_shared(self, result: Any) -> Any:
        """What was made of this by a conversion that PyTorch leaves out where types or strides fit already (not always ours)."""
        if result is self:
            return self._shared()
        if isinstance(result, Enclosure) and result.dtype == self.dtype:
            result._join_views(self)
        return result

    def _shared(self) -> Enclosure:
        """The same numbers, sharing memory as PyTorch sees it."""
        same = self._same()
        same._join_views(self)
        return same

    def _join_views(self, source: Enclosure) -> None:
        """Note that this is a view of `source`."""
        if source._views is None:
            source._views = [ref(source)]
        elif len(source._views) > 64:
            source._views[:] = [r for r in source._views if r() is not None]
        self._views = source._views
        self._views.append(ref(self))

    @property
    def _alone(self) -> bool:
        """True if no other Enclosure shares its memory as PyTorch sees it."""
        return self._views is None or all(r() is None or r() is self for r in self._views)

    def _same(self) -> Enclosure:
        """Another Enclosure of the same numbers, which in-place arithmetic on this one leaves alone."""
        return _marked(Enclosure._wrap(self._lo, self._hi, self._nonnegative), self._unknown)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        from compact_proofs.enclosure.rules import apply_rule

        return apply_rule(func, args, kwargs or {})


def _conversion(name: str) -> Callable[..., Any]:
    """``Tensor.name`` for Enclosures: what it gives may be the tensor itself for PyTorch, so in-place work on either is refused."""

    @functools.wraps(getattr(torch.Tensor, name))
    def convert(self: Enclosure, *args: Any, **kwargs: Any) -> Any:
        result = getattr(torch.Tensor, name)(self, *args, **kwargs)
        return result if kwargs.get("copy") else self._maybe_shared(result)

    return convert


for _name in ("to", "type", "type_as", "double", "float", "half", "bfloat16", "cpu", "cuda", "contiguous"):
    setattr(Enclosure, _name, _conversion(_name))


class Undetermined(torch.Tensor):
    """The indices of a sort, top-k or maximum of Enclosures: their order is not known, so any use of them is an error."""

    @staticmethod
    def __new__(cls, shape: Sequence[int], device: torch.device) -> Undetermined:
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.int64, device=device)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Undetermined(shape={tuple(self.shape)})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        if func.is_view and isinstance(args[0], Undetermined):  # moved to another shape, they are as unknown as before
            shapes = func(torch.empty(args[0].shape, dtype=torch.int64, device="meta"), *args[1:], **(kwargs or {}))
            return map_leaves(lambda out: Undetermined(out.shape, args[0].device), shapes)
        raise NoSoundRule(
            f"{func} uses indices that come from ordering Enclosures. Bounds do not determine an order: use the values only, "
            "or take the order from the explanation and check it with provably(...)"
        )


def exact_float64(t: Tensor) -> Tensor:
    """Convert a plain real tensor to float64 without rounding.

    Raises
    ------
    BadInput
        For complex, quantized and sparse tensors, and for integers beyond 2^53, which float64 does not hold exactly.
    """
    if t.is_complex() or t.is_quantized or t.layout != torch.strided:
        raise BadInput(f"only dense real tensors have enclosures, not {t.dtype} of layout {t.layout}")
    if t.dtype in (torch.int64, torch.uint64) and t.numel():
        signed = t if t.dtype == torch.int64 else t.view(torch.int64)
        lowest = -LARGEST_EXACT_INTEGER if t.dtype == torch.int64 else 0
        if int(signed.max()) > LARGEST_EXACT_INTEGER or int(signed.min()) < lowest:
            raise BadInput("an integer tensor beyond 2^53 meets real arithmetic; float64 does not hold it exactly")
    return t.detach().to(torch.float64)


def exact_number(value: Any) -> float:
    """Return a Python number as a float, which must hold it exactly.

    Raises
    ------
    BadInput
        For what is not a bool, int or float, and for integers that are not binary64 numbers.
    """
    if not isinstance(value, (bool, int, float)):
        raise BadInput(f"a tensor or a Python number is needed here, not {type(value).__name__}")
    if isinstance(value, int) and (abs(value) >= 2**1023 or int(float(value)) != value):
        raise BadInput(f"the integer {value} meets real arithmetic; float64 does not hold it exactly")
    return float(value)


def enclose(value: Any, *, like: Tensor | None = None) -> Enclosure:
    """Return the Enclosure of an exactly known value.

    Parameters
    ----------
    value
        An Enclosure (returned as it is), a plain tensor of floats, integers or booleans, or a Python number. A Python float
        stands for exactly the binary64 number that it is; NaN for an unknown number.
    like
        A tensor whose device a Python number is put on.

    Raises
    ------
    BadInput
        For anything else, and for integers that float64 does not hold exactly.
    """
    if isinstance(value, Enclosure):
        return value
    if not isinstance(value, Tensor):
        value = torch.tensor(exact_number(value), dtype=torch.float64, device=None if like is None else like.device)
    if value.dtype == torch.bool:
        return Enclosure._wrap(value, value)
    exact = exact_float64(value)
    if exact.numel() and value.is_floating_point() and bool(exact.amin().isnan()):
        unknown = exact.isnan()
        return _marked(Enclosure._wrap(exact.masked_fill(unknown, -math.inf), exact.masked_fill(unknown, math.inf)), True)
    return Enclosure._wrap(exact, exact)


def _marked(x: Enclosure, unknown: Any) -> Enclosure:
    """The same Enclosure, marked if it may hold undefined numbers."""
    if unknown:
        note_unknown()
        x._unknown = True
    return x


def real(value: Any, *, like: Tensor | None = None) -> Enclosure:
    """`enclose` for arithmetic: truth values become the numbers 0 and 1."""
    x = enclose(value, like=like)
    if x.dtype != torch.bool:
        return x
    lo = x.lo.to(torch.float64)
    return Enclosure._wrap(lo, lo if x.is_point else x.hi.to(torch.float64), True)


def provably(condition: Any) -> Any:
    """Return, as a plain bool tensor, where a condition is proven.

    ``provably(x < y)`` is true where the upper bound of x is below the lower bound of y. Its negation proves nothing. On a
    plain bool tensor (the float reading) it is the identity.

    Raises
    ------
    TypeError
        If `condition` is not a truth value.
    """
    if isinstance(condition, bool):
        return condition
    if not isinstance(condition, Tensor) or condition.dtype != torch.bool:
        raise TypeError(f"provably() takes a condition such as x < y, not {type(condition).__name__}")
    return condition.lo if isinstance(condition, Enclosure) else condition


def possibly(condition: Any) -> Any:
    """Return, as a plain bool tensor, where a condition is not disproven: what is false here is false of the real numbers.

    It proves nothing where it is true. On a plain bool tensor (the float reading) it is the identity.
    """
    return condition.hi if isinstance(condition, Enclosure) else condition


def lower(x: Tensor) -> Tensor:
    """Lower bounds of an Enclosure as a plain tensor; a plain tensor is its own lower bound."""
    return x.lo if isinstance(x, Enclosure) else x


def upper(x: Tensor) -> Tensor:
    """Upper bounds of an Enclosure as a plain tensor; a plain tensor is its own upper bound."""
    return x.hi if isinstance(x, Enclosure) else x


def both_bounds(func: Callable[..., Any], args: Any, kwargs: Any, *, integers: bool = False) -> tuple[Any, Any]:
    """Call `func` on the lower bounds and on the upper bounds (once, if all real arguments are known exactly).

    Plain floating-point tensors are enclosed; with `integers`, so are integer tensors (which otherwise are indices).
    """

    def known(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        real = isinstance(leaf, Enclosure) or leaf.is_floating_point() or (integers and leaf.dtype != torch.bool)
        return enclose(leaf) if real else leaf

    given = map_leaves(known, (args, kwargs))
    lo_args, lo_kwargs = map_leaves(lambda x: x._lo if isinstance(x, Enclosure) else x, given)
    lo = func(*lo_args, **lo_kwargs)
    if all(x.is_point for x in leaves(given) if isinstance(x, Enclosure)):
        return lo, lo
    hi_args, hi_kwargs = map_leaves(lambda x: x._hi if isinstance(x, Enclosure) else x, given)
    return lo, func(*hi_args, **hi_kwargs)
