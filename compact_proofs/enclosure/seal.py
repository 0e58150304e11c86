"""Guards of a proof: while one runs or is counted, no real number may be taken out of torch unnoticed.

The sound reading and the counter see tensor calls of their own thread. What would go past them is refused here: Python lists, numpy
arrays and pointers made from real tensors, a tensor's data exchanged behind its back, and tensor calls in threads that the proof
starts. Integers may be read: a proof may count with them in Python, and says so with ``charge_integers``.

The methods below are replaced on `torch.Tensor` while some thread is inside, and look at nothing but whether their own thread is.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from compact_proofs.errors import NoSoundRule

READING = (
    *("tolist", "numpy", "__array__", "__dlpack__", "apply_", "map_", "map2_"),
    *("data_ptr", "storage", "__reduce_ex__"),
)
"""Methods that hand a tensor's numbers to Python, numpy or C."""

_thread = threading.local()
_lock = threading.Lock()
_active = 0
_originals: dict[str, Any] = {}
_inherited: dict[str, bool] = {}


class sealed(ContextDecorator):
    """Refuse what the readings cannot see, in this thread, while inside (see the module); may be entered again inside.

    Raises
    ------
    NoSoundRule
        From the method that was called.
    """

    def __enter__(self) -> sealed:
        global _active
        _thread.depth = _depth() + 1
        with _lock:
            if not _active:
                _replace()
            _active += 1
        return self

    def __exit__(self, *exc: Any) -> None:
        global _active
        _thread.depth -= 1
        with _lock:
            _active -= 1
            if not _active:
                _restore()


@contextmanager
def unsealed() -> Iterator[None]:
    """Be outside for a while, in this thread (``compact_proofs.length.unseen``)."""
    depth, _thread.depth = _depth(), 0
    try:
        yield
    finally:
        _thread.depth = depth


def _depth() -> int:
    return getattr(_thread, "depth", 0)


def _replace() -> None:
    for name in READING:
        _inherited[name] = name not in vars(Tensor)  # from torch._C.TensorBase
        _originals[name] = getattr(Tensor, name)
        setattr(Tensor, name, _refusing(name, _originals[name]))
    _originals["__repr__"] = Tensor.__repr__
    Tensor.__repr__ = _shown  # type: ignore[assignment,method-assign]
    _originals["data"] = Tensor.data
    inherited: Any = Tensor.data
    setattr(Tensor, "data", property(inherited.__get__, _set_data))  # noqa: B010 (a descriptor)
    _originals["start"] = threading.Thread.start
    threading.Thread.start = _start  # type: ignore[method-assign]


def _restore() -> None:
    for name in READING:
        if _inherited[name]:
            delattr(Tensor, name)
        else:
            setattr(Tensor, name, _originals[name])
    del Tensor.data  # inherited too
    Tensor.__repr__ = _originals["__repr__"]  # type: ignore[method-assign]
    threading.Thread.start = _originals["start"]  # type: ignore[method-assign]


def _refusing(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if _depth() and (self.is_floating_point() or self.is_complex()):
            raise NoSoundRule(
                f"Tensor.{name} takes real numbers out of torch, where a proof is neither sound nor counted; use tensor calls"
            )
        return original(self, *args, **kwargs)

    return method


def _shown(self: Tensor, **kwargs: Any) -> str:
    """A tensor may be printed, and is in messages of errors."""
    with unsealed():
        return _originals["__repr__"](self, **kwargs)


def _set_data(self: Tensor, value: Tensor) -> None:
    if _depth():
        raise NoSoundRule("Tensor.data exchanges a tensor behind the proof's back; use a new tensor, or torch.func.functional_call")
    _originals["data"].__set__(self, value)


def _start(self: threading.Thread) -> None:
    if _depth():
        run = self.run

        def without_tensors() -> None:
            with _NoTensors():
                run()

        self.run = without_tensors  # type: ignore[method-assign]
    _originals["start"](self)


class _NoTensors(TorchDispatchMode):
    """Refuse every tensor call."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NoSoundRule(f"{func} is called in a thread that a proof started, where it is neither sound nor counted")
