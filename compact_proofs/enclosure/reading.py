"""The sound reading: a context in which every floating-point tensor call is evaluated on Enclosures."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from compact_proofs.enclosure.integers import on_integers
from compact_proofs.enclosure.kinds import kind_by_torch, numbers
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.once import words
from compact_proofs.enclosure.rounding import check_machine
from compact_proofs.enclosure.rules import CREATION, EXACT, apply_rule, base_name, create
from compact_proofs.enclosure.seal import sealed
from compact_proofs.enclosure.table import check_kinds, refuse_bits
from compact_proofs.enclosure.tensor import Enclosure, enclose, exact_float64, exact_number

_COMPARISONS = words("lt le gt ge eq ne searchsorted")
_SELECTIONS = words("sort topk argsort argmax argmin max min cummax cummin clamp clamp_min clamp_max where masked_fill sign")
"""Beside `_COMPARISONS`, calls that return numbers they were given or compare them, so that they round nothing.

They stay on plain tensors if all operands have one type, wide enough to hold every stored number, and no NaN."""

_MIXING = _COMPARISONS | _SELECTIONS | words("cat stack maximum minimum hardtanh constant_pad_nd")
"""Calls to which type promotion applies: PyTorch converts operands of different types to a common type, which may round."""

_EXACT_ON_PLAIN = (EXACT - words("slice_scatter select_scatter diagonal_scatter")) | _MIXING | words("as_strided isnan")

_RANDOM = words("rand randn randint randperm")
"""Random data made from sizes alone. It is exactly known once it is made, like any other stored numbers."""


class plain_kernels(ExitStack):
    """Route attention and recurrent cells through ordinary operations, not through fused kernels that have no rules."""

    def __enter__(self) -> plain_kernels:
        super().__enter__()
        enabled = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self.callback(setattr, torch.backends.mkldnn, "enabled", torch.backends.mkldnn.enabled)
        setattr(torch.backends.mkldnn, "enabled", False)  # noqa: B010 (a descriptor)
        self.callback(torch.backends.mha.set_fastpath_enabled, enabled)
        self.enter_context(sdpa_kernel(SDPBackend.MATH))
        return self


class sound(TorchDispatchMode):
    """Evaluate what runs inside soundly: ``with sound(): logits = model(tokens)``.

    Plain floating-point tensors (weights, buffers, explanations) stand for exactly the numbers they hold. Every call that could
    round is made on Enclosures of them, so no float arithmetic escapes: its result is an Enclosure, or the call raises
    `NoSoundRule`. Calls on integers and booleans, and calls that only move or compare exactly known numbers, stay plain (widened to
    float64 where types meet). Autograd is off inside; to enter it again inside changes nothing.

    What a Python number or a ``torch.tensor(...)`` literal holds is a constant of the model as stored: arithmetic done by Python
    (``math.sqrt(d)``), and the scale 1/sqrt(d) that attention takes from a size, are not seen. Real numbers cannot be taken out of
    torch (`seal`). Integers that would wrap around raise `IntegerOverflow` (`integers`).

    Raises
    ------
    RuntimeError
        On entering inside ``count()``; on entering or leaving, where float64 arithmetic is not what the bounds assume
        (`rounding.check_machine`).
    """

    def __init__(self) -> None:
        super().__init__()
        self._entered: list[ExitStack | None] = []  # None: inside another sound()

    def __enter__(self) -> sound:
        modes = _get_current_dispatch_mode_stack()
        if any(isinstance(mode, sound) for mode in modes):
            self._entered.append(None)
            return self
        if any(getattr(mode, "inside_sound", False) for mode in modes):
            raise RuntimeError("enter sound() before count(): the other way round the enclosures' own arithmetic is counted")
        check_machine()
        with ExitStack() as context:
            context.enter_context(torch.no_grad())
            context.enter_context(plain_kernels())
            context.enter_context(sealed())
            super().__enter__()
            self._entered.append(context.pop_all())
        return self

    def __exit__(self, *exc: Any) -> None:
        context = self._entered.pop()
        if context is not None:
            super().__exit__(*exc)
            context.close()
            if exc[0] is None:
                check_machine()  # what was computed inside holds only if nobody changed it there

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = base_name(func)
        given = list(leaves((args, kwargs)))
        if any(isinstance(leaf, Enclosure) for leaf in given):
            return apply_rule(func, args, kwargs)
        if name in CREATION and not func._schema.is_mutable:
            return create(func, args, kwargs)
        if name in _RANDOM:
            return func(*args, **kwargs)
        if any(_inexact(leaf) for leaf in given):
            if any(_inexact(leaf) for leaf in given if isinstance(leaf, Tensor)) or not _gives_integers(func, args, kwargs):
                return self._on_floats(func, name, args, kwargs)
        elif name == "_to_copy" and kwargs.get("dtype") is not None and kwargs["dtype"].is_floating_point:
            return apply_rule(func, args, kwargs)
        result = on_integers(func, name, EXACT, args, kwargs)
        if any(_inexact(t) for t in leaves(result)):
            return apply_rule(func, *map_leaves(_promote, (args, kwargs)))  # such as integers divided: rounded, so redone
        return result

    def _on_floats(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """A call on plain tensors, some of them real: itself, if it is exact, otherwise by its rule."""
        if func._schema.is_mutable or name not in _EXACT_ON_PLAIN:
            return apply_rule(func, args, kwargs)
        refuse_bits(func)
        if name not in _MIXING:
            return func(*args, **kwargs)
        check_kinds(func, name, args, kwargs)
        args = map_leaves(_widen, args)
        if name != "searchsorted":  # whose sorter is an index
            kwargs = map_leaves(_widen, kwargs)
        if name in _COMPARISONS | _SELECTIONS and any(_has_nan(leaf) for leaf in leaves((args, kwargs))):
            return apply_rule(func, args, kwargs)
        return func(*args, **kwargs)


def _gives_integers(func: Any, args: Any, kwargs: Any) -> bool:
    """Tell whether integers that meet Python floats stay integers, as in ``masked_fill(mask, 0.5)``, which fills with 0.

    (Truth values are such integers if they were truth values; else they are answers to a comparison.)
    """
    dtype = kind_by_torch(func, args, kwargs)
    if dtype == torch.bool:
        return all(x.dtype == torch.bool for x in numbers(func, args, kwargs) if isinstance(x, Tensor))
    return dtype is not None and not dtype.is_floating_point and not dtype.is_complex


def _inexact(leaf: Any) -> bool:
    """A real (or complex) number, or a tensor of them: integers that meet it are converted, which can round."""
    if isinstance(leaf, Tensor):
        return leaf.is_floating_point() or leaf.is_complex()
    return isinstance(leaf, (float, complex))


def _promote(leaf: Any) -> Any:
    return enclose(leaf) if isinstance(leaf, Tensor) and leaf.dtype != torch.bool else leaf


def _widen(leaf: Any) -> Any:
    """Real and integer tensors as float64, exactly; Python integers as they are, if float64 holds them."""
    if isinstance(leaf, Tensor):
        return leaf if leaf.dtype in (torch.bool, torch.float64) else exact_float64(leaf)
    if isinstance(leaf, int):
        exact_number(leaf)
    return leaf


def _has_nan(leaf: Any) -> bool:
    if isinstance(leaf, float):
        return math.isnan(leaf)
    return isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.numel() > 0 and math.isnan(float(leaf.amin()))
