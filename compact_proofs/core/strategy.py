"""`Strategy`: how a bound is proved. ``explain`` is free and untrusted, ``verify`` is trusted and counted."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from compact_proofs.certified import Proven, whole
from compact_proofs.core.claim import ACCURACY, Score
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.options import Options

__all__ = ["Explanation", "Model", "Spec", "Strategy", "explanation_size", "finite", "whole"]

Model = TypeVar("Model", bound=nn.Module)
"""The modules that a strategy understands."""

Explanation: TypeAlias = Mapping[str, Tensor]
"""Untrusted data that guides a proof (groupings, directions, orderings), by name."""


@dataclass(frozen=True)
class Spec:
    """What one tensor of an explanation must look like; `Strategy.accept` checks it before anything is verified.

    Attributes
    ----------
    shape
        Its shape.
    limits
        For integers, the inclusive range of its entries; None for float64 tensors, whose entries must be finite.
    fewer
        The first axis may be shorter than `shape` says (a list of any length up to that).
    """

    shape: tuple[int, ...]
    limits: tuple[int, int] | None = None
    fewer: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """int64 or float64."""
        return torch.float64 if self.limits is None else torch.int64

    def problem(self, t: Tensor) -> str | None:
        """Say what is wrong with a tensor, or None."""
        if t.dtype != self.dtype:
            return f"has dtype {t.dtype}, not {self.dtype}"
        expected = (min(len(t), self.shape[0]), *self.shape[1:]) if self.fewer and t.dim() else self.shape
        if tuple(t.shape) != expected:
            return f"has shape {tuple(t.shape)}, not {'at most ' if self.fewer else ''}{self.shape}"
        if t.numel() == 0:
            return None
        if self.limits is None:
            return None if bool(t.isfinite().all()) else "has entries that are not finite"
        lo, hi = self.limits
        return None if lo <= int(t.min()) and int(t.max()) <= hi else f"has entries outside {lo} ... {hi}"


@dataclass(frozen=True)
class Strategy(Options, ABC, Generic[Model]):
    """A way to prove a bound. Subclasses are frozen dataclasses whose fields are the options.

    The contract that the soundness harness tests for every registered strategy: **for every model and every explanation that
    `accept` lets through, the set that `verify` returns in the sound reading holds only inputs that the real-valued model answers
    correctly**, and its size is what `compact_proofs.certified.Certified` promises.
    """

    version: ClassVar[int] = 1
    """Raised whenever `verify` changes what it computes; a certificate of another version is not checked."""
    summary: ClassVar[str]
    """One line for ``compact-proofs strategies``."""
    reads_program: ClassVar[bool] = False
    """True if the strategy is for any module: all its methods then get the module's `Program` in place of the module."""

    def explain(self, model: Model, task: Task) -> dict[str, Tensor]:
        """Find an explanation: free, untrusted, any means. The default strategy needs none."""
        return {}

    def search_operations(self, model: Model, task: Task, length: int) -> int:
        """Operations that `explain` takes, about, where they are many beside the proof's `length`: searches with a budget ask."""
        return 0

    def specs(self, model: Model, task: Task) -> dict[str, Spec]:
        """What the explanation for `model` must look like."""
        return {}

    @property
    def score(self) -> Score:
        """What the bound is about: accuracy, unless a strategy bounds another score."""
        return ACCURACY

    @abstractmethod
    def verify(self, model: Model, task: Task, explanation: Explanation) -> Proven:
        """Return the set of inputs that are proven right (`compact_proofs.certified`): PyTorch, under any of the four readings.

        A strategy whose score has more values than 0 and 1 counts no inputs; it returns a lower bound of the score's sum, `Total`.
        Branches only on `provably(...)`. On meta tensors, where only the length is of interest, the set counts as empty.
        """

    def unexplained_dimension(self, model: Model, task: Task) -> int | None:
        """Dimension of what the proof treats by brute force or worst case (Gross et al. 2024, appendix A.2)."""
        return None

    def applies_to(self, model: Model, task: Task) -> None:
        """Check that this strategy proves something about `model` on `task`; the default is for any module and task.

        Raises
        ------
        BadInput
            Saying why not.
        """

    def accept(self, model: Model, task: Task, explanation: Explanation) -> None:
        """Check that the strategy applies and that an explanation has the form that `specs` asks for.

        Raises
        ------
        BadInput
            Naming the tensor and what is wrong with it.
        """
        self.applies_to(model, task)
        specs = self.specs(model, task)
        if set(specs) != set(explanation):
            raise BadInput(
                f"the explanation of {self} must hold {', '.join(sorted(specs)) or 'nothing'}, "
                f"not {', '.join(sorted(explanation)) or 'nothing'}"
            )
        for name, spec in specs.items():
            problem = spec.problem(explanation[name])
            if problem:
                raise BadInput(f"the explanation's tensor {name!r} {problem}")

    def blank(self, model: Model, task: Task) -> dict[str, Tensor]:
        """Return an explanation of the right form without content, for costs on meta tensors.

        Real tensors are on the meta device. Integers, which may decide shapes (the size of a group), are evenly spread; lists are
        empty.
        """
        return {
            name: torch.empty(s.shape, dtype=s.dtype, device="meta")
            if s.limits is None
            else _spread((0, *s.shape[1:]) if s.fewer else s.shape, *s.limits)
            for name, s in self.specs(model, task).items()
        }


def _spread(shape: tuple[int, ...], lo: int, hi: int) -> Tensor:
    return lo + (torch.arange(math.prod(shape)) % (hi - lo + 1)).reshape(shape)


def explanation_size(explanation: Explanation) -> int:
    """Numbers in an explanation; reading each costs one integer operation."""
    return sum(math.prod(t.shape) for t in explanation.values())


def finite(t: Tensor) -> Tensor:
    """Replace what overflowed, or would when squared: explanations must be finite, and matrices to be decomposed."""
    largest = torch.finfo(t.dtype).max ** 0.5 / 1e4
    return t.nan_to_num(nan=0.0, posinf=largest, neginf=-largest).clamp(-largest, largest)
