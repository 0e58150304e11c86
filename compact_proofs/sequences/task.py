"""`FiniteTask`: sequences of tokens with a label function, shipped or your own; `OverTokens`: tasks that can be given as one."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeAlias, TypeGuard, runtime_checkable

import torch
from torch import Tensor

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import LARGEST_NUMBER, lexicographic, sequences
from compact_proofs.inputs.task import Task
from compact_proofs.length import charge_integers
from compact_proofs.sequences.automaton import Automaton, Language
from compact_proofs.sequences.boxes import MIXED, Boxes
from compact_proofs.sequences.labels import LabelFunction, RegularLanguage

Labelling: TypeAlias = Callable[[Tensor], Tensor]
"""A function from sequences int64 [N, n] to one number each; it must treat every sequence by itself."""

LARGEST_LISTED = 2**24
"""Spaces of at most so many sequences are listed where no automaton is known."""
LONGEST_TEXT = 64
"""Parameters of a label function that are longer, such as an automaton, are named by their hash."""
BATCH = 2**18
"""Sequences listed at once."""
SAMPLED = 2**12
"""Sequences, spread over all, whose values name a function beside its source text."""
COMPARED = 64
"""Inputs on which a task and what it gives as a `FiniteTask` are compared."""


@runtime_checkable
class OverTokens(Protocol):
    """A task that can be given as a `FiniteTask`, which is what proofs of any network over tokens ask for."""

    def as_finite(self) -> FiniteTask:
        """The same inputs, in the same order, with the same labels. Trusted, but for `finite_form`: it is part of the statement."""


def finite_form(task: Task) -> FiniteTask | None:
    """A task as one over sequences of tokens; None if it is not given as one.

    A subclass that has inputs or labels of its own, and the ``as_finite`` of the class above it, is not: that speaks of the other
    class's.
    """
    if not isinstance(task, OverTokens) or vars(task).keys() & {"inputs", "labels", "as_finite"}:
        return None
    kinds = type(task).__mro__
    above = next(i for i, kind in enumerate(kinds) if "as_finite" in vars(kind))
    changed = any(name in vars(kind) for kind in kinds[:above] for name in ("size", "inputs", "labels"))
    return None if changed else task.as_finite()


def check_finite_form(task: Task, form: FiniteTask) -> None:
    """Compare a task with what it gives as a `FiniteTask`: their sizes, and `COMPARED` inputs with their labels.

    Raises
    ------
    BadInput
        If they differ.
    """
    if form is task:
        return
    same = task.size == form.size
    if same:
        ours, theirs = task.examples(COMPARED), form.examples(COMPARED)
        same = torch.equal(ours, theirs) and torch.equal(task.labels(ours), form.labels(theirs))
    if not same:
        raise BadInput(
            f"{task.name}: its as_finite() gives a task with other inputs or labels ({form.describe()}); give it those of this one"
        )


class FiniteTask(Task):
    """Sequences of n tokens below v, uniform, each with a label.

        FiniteTask(4, 64, lambda x: x.amax(1))                        # your own label function
        FiniteTask(4, 64, Maximum())                                  # one that ships (`labels.LABELS`)
        FiniteTask(8, 5, dfa=Automaton(step, start, labels))          # the label of an automaton's last state

    What a task is made of cannot be exchanged later, nor by a subclass: it is named by what it was given.

    Parameters
    ----------
    n_ctx, d_vocab
        n and v.
    label
        A function from int64 [N, n] to the right outputs int64 [N]. None if `dfa` gives them.
    valid
        Which sequences the task is about: a function to bool [N] or an `Automaton` (a label other than 0); all unless given. A
        function needs v^n <= 2^24, so that they can be counted; of an automaton any number is.
    boxes
        Boxes of sequences to be proven as a whole, found by hand: disjoint, and each of one label or `MIXED`. Proofs check that.
    dfa
        An `Automaton`, or (step, start, labels).

    Raises
    ------
    BadInput
        If the parts do not fit each other, or no sequence is valid.
    """

    name: ClassVar[str] = "finite"

    def __init_subclass__(cls) -> None:
        own = sorted(vars(cls).keys() & {"size", "inputs", "labels", "valid", "sequences", "numbers", "draw", "parameters"})
        if own:
            raise TypeError(
                f"{cls.__name__} has {', '.join(own)} of its own, and a FiniteTask is named by the functions that it is "
                "given: give it another label function, or make a compact_proofs.Task"
            )

    def __init__(
        self,
        n_ctx: int,
        d_vocab: int,
        label: Labelling | None = None,
        valid: Labelling | Automaton | None = None,
        boxes: Boxes | None = None,
        dfa: Automaton | tuple[Any, int, Any] | None = None,
    ) -> None:
        if n_ctx < 1 or d_vocab < 1:
            raise BadInput(f"a task needs n_ctx >= 1 and d_vocab >= 1, not {n_ctx} and {d_vocab}")
        if (label is None) == (dfa is None):
            raise BadInput("a finite task takes either a label function or an automaton (dfa), and not both")
        if dfa is not None:
            a = dfa if isinstance(dfa, Automaton) else Automaton.of(*dfa)
            label = RegularLanguage(a.step, a.start, a.labels)
        assert label is not None
        if isinstance(label, LabelFunction):
            label.check(n_ctx, d_vocab)
        if isinstance(valid, Automaton) and valid.d_vocab != d_vocab:
            raise BadInput(f"the automaton of valid sequences reads {valid.d_vocab} tokens, and the task has {d_vocab}")
        if boxes is not None and (boxes.n_ctx, boxes.d_vocab) != (n_ctx, d_vocab):
            raise BadInput(f"the boxes are of {boxes.n_ctx} tokens below {boxes.d_vocab}, not of {n_ctx} below {d_vocab}")
        if boxes is not None and len(boxes) and int(boxes.labels.min()) < MIXED:
            raise BadInput(f"labels of boxes are at least 0, or {MIXED} for mixed ones, and one is {int(boxes.labels.min())}")
        self.n_ctx, self.d_vocab, self.label, self.boxes = n_ctx, d_vocab, label, boxes
        self._valid = valid
        if valid is not None and not isinstance(valid, Automaton) and self.space > LARGEST_LISTED:
            raise BadInput(
                f"{self.space} sequences are too many to ask which are valid (at most 2^24); give `valid` as an Automaton, "
                "which counts them"
            )
        if self.size == 0:
            raise BadInput("no sequence is valid, so that there is nothing to prove")
        self._made = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "_made" in vars(self):
            raise AttributeError(f"a FiniteTask stays what it was made of; make another one with another {name}")
        super().__setattr__(name, value)

    def as_finite(self) -> FiniteTask:
        """This task."""
        return self

    @property
    def space(self) -> int:
        """v^n, the number of sequences, valid or not."""
        return self.d_vocab**self.n_ctx

    @property
    def listable(self) -> bool:
        """Are there few enough sequences to list them all?"""
        return self.space <= LARGEST_LISTED

    @cached_property
    def size(self) -> int:
        """Number of valid sequences, exactly."""
        if self._valid is None:
            return self.space
        return len(self._listed) if self._language is None else self._language.size

    @cached_property
    def automaton(self) -> Automaton | None:
        """An automaton that computes the label, if one is known: of a function that ships, or given as ``dfa``."""
        return self.label.automaton(self.n_ctx, self.d_vocab) if _ships(self.label) else None

    @property
    def valid_automaton(self) -> Automaton | None:
        """The automaton of the valid sequences, if they are given by one."""
        return self._valid if isinstance(self._valid, Automaton) else None

    @property
    def all_valid(self) -> bool:
        """Is every sequence valid?"""
        return self._valid is None

    def sequences(self, start: int, stop: int) -> Tensor:
        """Sequences number `start` to `stop` - 1 < 2^62 of all v^n in lexicographic order, valid or not: int64 [N, n]."""
        return sequences(start, stop, self.d_vocab, self.n_ctx)

    def inputs(self, start: int, stop: int) -> Tensor:
        """Valid sequences number `start` to `stop` - 1 in lexicographic order, int64 [N, n]."""
        stop = min(stop, self.size)
        if self._language is not None:
            return self._language.numbered(range(start, stop))
        if self._valid is None:
            return self.sequences(start, stop)
        return self._listed[start:stop]

    def numbers(self, inputs: Tensor) -> Tensor:
        """Among the valid sequences, int64 [N]; -1 for others.

        Cost: 2 operations a token. Where valid sequences are given by an automaton, numbers above 2^62 are replaced by 2^62; where
        they are given by a function, they are listed, and looking them up is not counted.
        """
        if self._valid is None:
            return lexicographic(inputs, self.d_vocab)
        if self._language is None:
            return super().numbers(inputs)
        held = self.valid(inputs)
        charge_integers(2 * inputs.numel())
        found = torch.full((len(inputs),), -1)
        own = [min(number, LARGEST_NUMBER) for number in self._language.numbers(inputs[held].cpu())]
        found[held.cpu()] = torch.tensor(own, dtype=torch.int64)
        return found.to(inputs.device)

    def draw(self, n: int, draws: Draws) -> Tensor:
        """Every token by itself, if all sequences are valid; else by number."""
        if self._valid is None:
            return draws.below(torch.full((n, self.n_ctx), self.d_vocab))
        return super().draw(n, draws)

    def valid(self, inputs: Tensor) -> Tensor:
        """Which sequences [N, n] belong to the task: bool [N]."""
        if self._valid is None:
            return torch.ones(len(inputs), dtype=torch.bool, device=inputs.device)
        return self._valid(inputs) != 0

    def labels(self, inputs: Tensor) -> Tensor:
        """Labels int64 [N]; truth values and integers of other types are converted.

        Raises
        ------
        BadInput
            If the label function gives anything but one integer for each sequence.
        """
        labels = self.label(inputs)
        if not isinstance(labels, Tensor) or labels.shape != inputs.shape[:1] or labels.is_floating_point() or labels.is_complex():
            got = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
            raise BadInput(f"the label function must give integers [{len(inputs)}] for {list(inputs.shape)} tokens, not {got}")
        return labels.to(torch.int64)

    def parameters(self) -> dict[str, Any]:
        """What tells this task from others: sizes, and the label function and the valid sequences by what identifies them.

        A label function that ships is named, with its parameters. Your own is named by what it computes: the hash of its labels of
        all sequences; where these are too many, the hash of its source text and of its labels of `SAMPLED` sequences, and then the
        name says that *you* declared it.

        Raises
        ------
        BadInput
            If a function of your own can neither be tabulated nor read as source text.
        """
        return dict(self._named)

    @cached_property
    def _named(self) -> dict[str, Any]:
        named: dict[str, Any] = {"n_ctx": self.n_ctx, "d_vocab": self.d_vocab}
        named |= self._identity("label", self.label)
        if self._valid is not None:
            named |= self._identity("valid", self._valid)
        return named

    def describe(self) -> str:
        what = self.label.summary if isinstance(self.label, LabelFunction) else "a label function of its own"
        return f"sequences of {self.n_ctx} tokens below {self.d_vocab}, uniform over {self.size}; the label: {what}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FiniteTask) and self.parameters() == other.parameters()

    def __hash__(self) -> int:
        return hash((self.n_ctx, self.d_vocab))

    def __repr__(self) -> str:
        return f"FiniteTask({', '.join(f'{k}={v}' for k, v in self.parameters().items())})"

    @cached_property
    def _language(self) -> Language | None:
        return Language(self._valid, self.n_ctx) if isinstance(self._valid, Automaton) else None

    @cached_property
    def _listed(self) -> Tensor:
        """The valid sequences, where a function says which they are."""
        parts = (self.sequences(start, start + BATCH) for start in range(0, self.space, BATCH))
        return torch.cat([x[self.valid(x)] for x in parts])

    def _identity(self, role: str, function: Any) -> dict[str, Any]:
        """What names the label function or the valid sequences in a certificate."""
        if _ships(function):
            written = {f"{role}.{k}": x if isinstance(x, int) else str(x) for k, x in function.parameters().items()}
            if all(isinstance(x, int) or len(x) <= LONGEST_TEXT for x in written.values()):
                return {role: function.name, **written}
            return {role: function.name, f"{role}_sha256": hashlib.sha256(repr(sorted(written.items())).encode()).hexdigest()}
        if isinstance(function, Automaton):
            return {role: "automaton", f"{role}_sha256": function.sha256()}
        if self.listable:
            every = (self.sequences(start, start + BATCH) for start in range(0, self.space, BATCH))
            return {role: "function, by its values", f"{role}_sha256": _values_sha256(role, function, every, b"")}
        try:
            source = inspect.getsource(type(function) if isinstance(function, LabelFunction) else function)
        except (OSError, TypeError):
            raise BadInput(
                f"the {role} function {function!r} cannot be named in a certificate: {self.space} sequences are too many to list "
                "its values, and it has no source text; define it in a file, or use a label function that ships or an Automaton"
            ) from None
        some = Draws(b"a function of sequences").below(torch.full((SAMPLED, self.n_ctx), self.d_vocab))
        hashed = _values_sha256(role, function, [some], source.encode())
        return {role: "declared by the user, by its source text", f"{role}_sha256": hashed}


def _ships(function: Any) -> TypeGuard[LabelFunction]:
    """Whether a function is a label function of this package, which its name and its parameters tell from all others."""
    return isinstance(function, LabelFunction) and type(function).__module__.startswith(LabelFunction.__module__.rpartition(".")[0])


def _values_sha256(role: str, function: Labelling, inputs: Iterable[Tensor], source: bytes) -> str:
    """SHA-256 of a text and of a function's values on sequences, as int64, little-endian; 0 and 1 for which are valid."""
    digest = hashlib.sha256(source)
    for x in inputs:
        found: Any = function(x)
        if not isinstance(found, Tensor) or found.shape != x.shape[:1] or (role == "label" and found.is_floating_point()):
            got = f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise BadInput(f"the {role} function must give one integer for each of {len(x)} sequences, not {got}")
        values = (found != 0 if role == "valid" else found).to(torch.int64)
        digest.update(values.numpy().astype("<i8").tobytes())
    return digest.hexdigest()
