"""The sound reading: a context in which every floating-point tensor call is evaluated on Enclosures."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack
from torch.utils._pytree import tree_iter, tree_map

from compact_proofs.enclosure.rules import CREATION, EXACT, apply_rule, base_name
from compact_proofs.enclosure.tensor import Enclosure, enclose

_COMPARISONS = frozenset("lt le gt ge eq ne sort topk argsort argmax argmin max min cummax cummin searchsorted clamp where masked_fill".split())
"""On plain operands these round nothing: they stay plain."""


class plain_kernels(ExitStack):
    """Route attention through ordinary matrix products and softmax, not through fused kernels that have no rules."""

    def __enter__(self) -> plain_kernels:
        super().__enter__()
        enabled = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self.callback(torch.backends.mha.set_fastpath_enabled, enabled)
        self.enter_context(sdpa_kernel(SDPBackend.MATH))
        return self


class sound(TorchDispatchMode):
    """Evaluate what runs inside soundly: ``with sound(): logits = model(tokens)``.

    Plain floating-point tensors (weights, buffers, explanations) stand for exactly the numbers they hold. Every call that could
    round is made on Enclosures of them, so no float arithmetic escapes: its result is an Enclosure, or the call raises
    `NoSoundRule`. Calls on integers and booleans, and calls that only move or compare exactly known numbers, stay plain. Autograd
    is off inside.

    What a Python number or a ``torch.tensor(...)`` literal holds is a constant of the model as stored: arithmetic done by Python
    itself (``math.sqrt(d)``) is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self._context = ExitStack()

    def __enter__(self) -> sound:
        from compact_proofs.length.counter import Counter

        if any(isinstance(mode, Counter) for mode in _get_current_dispatch_mode_stack()):
            raise RuntimeError("enter sound() before count(): the other way round the enclosures' own arithmetic is counted")
        self._context = ExitStack()
        self._context.enter_context(torch.no_grad())
        self._context.enter_context(plain_kernels())
        super().__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        super().__exit__(*exc)
        self._context.close()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, Tensor)]
        if any(isinstance(t, Enclosure) for t in tensors):
            return apply_rule(func, args, kwargs)
        name = base_name(func)
        has_floats = any(t.is_floating_point() for t in tensors)
        if not tensors or name in EXACT or name in CREATION or (name in _COMPARISONS and has_floats):
            return func(*args, **kwargs)
        if has_floats:
            return apply_rule(func, args, kwargs)
        result = func(*args, **kwargs)
        if any(isinstance(t, Tensor) and t.is_floating_point() for t in tree_iter(result)) and name != "_to_copy":
            return apply_rule(func, *tree_map(_promote, (args, kwargs)))  # such as integers divided: rounded, so redone
        return result


def _promote(leaf: Any) -> Any:
    return enclose(leaf) if isinstance(leaf, Tensor) and leaf.dtype != torch.bool else leaf
