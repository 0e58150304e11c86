"""`count()`: measure the length of whatever tensor computation runs inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from compact_proofs.enclosure.leaves import leaves
from compact_proofs.enclosure.reading import plain_kernels
from compact_proofs.enclosure.seal import sealed
from compact_proofs.errors import CompactProofsError
from compact_proofs.length.costs import CATEGORIES, COSTS, FREE
from compact_proofs.results import result_class

_stage: ContextVar[str] = ContextVar("stage", default="other")
_counters: ContextVar[tuple[Counter, ...]] = ContextVar("counters", default=())


_OF_BITS = (torch.ops.aten.view.dtype, torch.ops.aten.view_copy.dtype)


class TooLong(CompactProofsError):
    """A counted run took more operations than it was allowed."""


class NoCost(CompactProofsError, NotImplementedError):
    """A counted run made a tensor call that the cost table does not know."""


@result_class
@dataclass(frozen=True)
class ProofLength:
    """Operations of a verifier, by category and by stage.

    Attributes
    ----------
    by_stage
        For each stage named by `stage()`, operations by category (`compact_proofs.length.costs.CATEGORIES`).
    """

    by_stage: dict[str, dict[str, int]]

    @property
    def by_category(self) -> dict[str, int]:
        """Operations by category, over all stages."""
        return {c: n for c in CATEGORIES if (n := sum(ops.get(c, 0) for ops in self.by_stage.values()))}

    @property
    def int_ops(self) -> int:
        """Exact integer operations: counting, logic, reading the explanation."""
        return self.by_category.get("integer", 0)

    @property
    def flops(self) -> int:
        """Real operations."""
        return self.total - self.int_ops

    @property
    def total(self) -> int:
        """The proof's length: FLOPs and integer operations."""
        return sum(self.by_category.values())

    def to_json(self) -> dict[str, Any]:
        """The object shown by ``--json`` and stored in certificates."""
        return {
            "flops": self.flops,
            "int_ops": self.int_ops,
            "total": self.total,
            "by_category": self.by_category,
            "by_stage": {name: sum(ops.values()) for name, ops in self.by_stage.items()},
        }


class Counter(TorchDispatchMode):
    """A dispatch mode that adds up the cost of every aten operation; see `count`."""

    inside_sound: ClassVar[bool] = True
    """`sound` refuses to be entered inside of such a mode."""

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self._limit, self._total = limit, 0
        self._by_stage: dict[str, dict[str, int]] = {}
        self._context = ExitStack()

    def __enter__(self) -> Counter:
        self._context = ExitStack()
        self._context.enter_context(plain_kernels())
        self._context.enter_context(sealed())
        self._token = _counters.set((*_counters.get(), self))
        super().__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        super().__exit__(*exc)
        _counters.reset(self._token)
        self._context.close()

    @property
    def length(self) -> ProofLength:
        """What has been counted so far."""
        return ProofLength({name: dict(ops) for name, ops in self._by_stage.items()})

    @property
    def left(self) -> int | None:
        """How many operations may still be made; None without a limit."""
        return None if self._limit is None else max(0, self._limit - self._total)

    def charge(self, operations: dict[str, int]) -> None:
        """Add operations by category to the current stage."""
        stage_ = self._by_stage.setdefault(_stage.get(), {})
        for category, n in operations.items():
            if n < 0:
                raise ValueError(f"a cost cannot be negative: {n} in category {category}")
            if n:
                stage_[category] = stage_.get(category, 0) + n
            self._total += n
        if self._limit is not None and self._total > self._limit:
            self.stop()

    def stop(self) -> NoReturn:
        """Say that the limit does not suffice.

        Raises
        ------
        TooLong
            Always.
        """
        raise TooLong(f"the computation takes more than {self._limit:,} operations")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        if name not in COSTS and name not in FREE and name.endswith("_"):
            name = name[:-1]  # in place: the same work
        if name in FREE:
            if name == "_local_scalar_dense" and args[0].is_floating_point():
                raise NoCost(f"{func} makes a real number one of Python's, whose arithmetic is not counted; use tensor calls")
            if func in _OF_BITS and args[0].is_floating_point():
                raise NoCost(f"{func} reads the bits of real numbers, which may then be read as integers; use tensor calls")
            return out
        cost = COSTS.get(name)
        if cost is None:
            raise NoCost(
                f"{func} has no entry in the cost table (compact_proofs/length/costs.py), so its length is unknown; "
                "docs/operations.md lists the operations that have one"
            )
        operations = cost(positional(func, args, kwargs), out)
        if not any(isinstance(t, Tensor) and t.is_floating_point() for t in leaves((args, kwargs, out))):
            operations = {"integer": sum(operations.values())}
        self.charge(operations)
        return out


def positional(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """All arguments in the schema's order, defaults included, so that a cost need not care how they were passed."""
    return (*args, *(kwargs.get(a.name, a.default_value) for a in func._schema.arguments[len(args) :]))


def count(limit: int | None = None) -> Counter:
    """Count operations: ``with count() as counter: verify(...)`` and then ``counter.length``.

    With a `limit`, `TooLong` is raised as soon as more operations than that were made.
    """
    return Counter(limit)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name what is being computed; its operations are shown apart in `ProofLength.by_stage`."""
    token = _stage.set(name)
    try:
        yield
    finally:
        _stage.reset(token)


def charge_integers(n: int) -> None:
    """Charge n exact integer operations done outside tensors (big-integer counting, reading an explanation)."""
    for counter in _counters.get():
        if n:
            counter.charge({"integer": n})


def charge_length(length: ProofLength) -> None:
    """Charge what was counted elsewhere, stage by stage: for parts of a proof that another process carried out."""
    for counter in _counters.get():
        for name, operations in length.by_stage.items():
            with stage(name):
                counter.charge(operations)


def list_stage(name: str) -> None:
    """Give a stage its place in `ProofLength.by_stage` now, where its operations may be counted after those of later stages."""
    for counter in _counters.get():
        with stage(name):
            counter.charge({})


def current_stage() -> str:
    """The name of the stage that operations are counted in now."""
    return _stage.get()


def foresee(n: int) -> None:
    """Stop now if a limit does not leave n more operations, of which it is known that they will be made.

    Raises
    ------
    TooLong
        If there is such a limit.
    """
    counter = tightest()
    if counter is not None and counter.left is not None and counter.left < n:
        counter.stop()


def tightest() -> Counter | None:
    """Of the counters that count now, the one whose limit is reached first; None if none has a limit."""
    limited = [counter for counter in _counters.get() if counter.left is not None]
    return min(limited, key=lambda counter: counter.left or 0, default=None)
