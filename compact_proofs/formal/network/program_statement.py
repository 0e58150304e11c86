"""What theorems about a network's program share, however they are proved: files, words, and the layout of proof and count."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.source import program_source, task_source, weights_source
from compact_proofs.formal.network.tasks import TaskInCoq
from compact_proofs.formal.theorem import NAME

MODEL = f"{NAME}.Program.model"
"""The program in a theorem's folder."""
TABLES = f"{NAME}.Tables.fast {NAME}.Tables.kept"
"""A program with tables in the folder, and which of its tensors are the first program's."""
CHECKED = "ltac:(vm_cast_no_check (eq_refl true))"
"""The proof that a check, which Coq computes, is true."""
NUMBER = 1e-4
"""Seconds for a weight to be read."""


@dataclass(frozen=True)
class ProgramStatement(ABC):
    """The accuracy of a network's program on a task: a `theorem.Statement` whose proof a subclass gives.

    Attributes
    ----------
    network
        The program in the language of ``formal/Network.v``.
    task
        Inputs and labels as terms.
    size
        The number of inputs.
    title
        Names the network in comments.
    arithmetic
        What the checker computes with.
    imports
        Files of the development that the proof and the count load, beside those that say what the statement means.
    """

    network: Network
    task: TaskInCoq
    size: int
    title: str
    arithmetic: Arithmetic

    open: ClassVar[tuple[str, ...]] = ("Network", "Tasks", "Labels")
    counts_first: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]]

    @abstractmethod
    def hints(self) -> dict[str, str]:
        """The files of the folder that only the proof needs."""

    @abstractmethod
    def proof(self, numerator: int) -> str:
        """A term that proves the theorem; where it takes a check by computation, `CHECKED` stands."""

    def lemmas(self) -> str:
        """Lemmas in front of the theorem, each with an empty line behind it."""
        return ""

    @abstractmethod
    def counting(self) -> str:
        """A term that is the number of inputs that the checker counts."""

    @abstractmethod
    def seconds(self) -> float:
        """About how long the check takes."""

    @cached_property
    def parts(self) -> dict[str, str]:
        task = {"Task.v": task_source(self.task)} if self.task.data else {}
        weights, program = weights_source(self.network, self.title), program_source(self.network, self.title)
        return {"Weights.v": weights, **task, "Program.v": program, **self.hints()}

    def words(self, numerator: int) -> str:
        accuracy = f"accuracy {MODEL} {self.task.domain} {self.task.label}"
        return f"shaped {MODEL} = true /\\\n  {accuracy} >= {numerator} / {self.size}"

    def accuracy(self, numerator: int) -> str:
        *others, last = (f"{name}.v" for name in self.open)
        meant = f"{', '.join(others)} and {last}"
        return f"""(** The accuracy of the network in Program.v, as a theorem about real numbers.

    What it says is defined in {meant} of the development; read these files. *)

{self._head}
{self.lemmas()}Theorem accuracy_bound :
  {self.words(numerator)}.
Proof.
  exact ({self.proof(numerator)}).
Qed.
"""

    def count(self) -> str:
        return f"""(** What the checker counts, for comparison; no part of the theorem. *)

{self._head}
Definition proven := Eval vm_compute in
  {self.counting()}.
Print proven.
"""

    @property
    def numbers(self) -> str:
        """The evaluator's name of the arithmetic."""
        return {"hardware": "machine"}.get(str(self.arithmetic), str(self.arithmetic))

    @property
    def reading(self) -> float:
        """Seconds for the weights to be read."""
        return NUMBER * sum(weight.value.numel() for weight in self.network.weights)

    @property
    def _head(self) -> str:
        files = " ".join(name.removesuffix(".v") for name in self.parts)
        return f"""From Coq Require Import Reals ZArith List.
From CompactProofs Require Import {" ".join(self.imports)}
  {" ".join(self.open)}.
From {NAME} Require {files}.
Import ListNotations.
Open Scope R_scope.
"""
