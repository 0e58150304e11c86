"""Theorems about networks with one hidden layer on two tokens, proved by the checker of ``formal/DirectionsChecker.v``.

The statement is that of a theorem which Coq proves by running the network on every pair: it is about the program that is traced
from the module. Coq checks that a program with tables computes the same (``formal/Distribute.v``), finds the hidden layer in it
(``formal/OneLayer.v``), and follows what its neurons write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from compact_proofs.core.strategy import Strategy
from compact_proofs.directions import Directions
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, SLOWDOWN
from compact_proofs.formal.directions.directions_length import brute_force_length, compact_length
from compact_proofs.formal.directions.directions_source import hints_source
from compact_proofs.formal.directions.hints import DirectionHints, direction_hints
from compact_proofs.formal.network.distribute import Distributed
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.one_layer import one_layer
from compact_proofs.formal.network.source import program_source, tables_source, task_source, weights_source
from compact_proofs.formal.network.statement import NUMBER, network_for
from compact_proofs.formal.network.tasks import TaskInCoq, task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.models.weights import in_double

OPERATION = 2.5e-7
"""Seconds for an operation, on the processor's numbers."""


@dataclass(frozen=True)
class DirectionsStatement:
    """The accuracy of a network on pairs of tokens, proved from directions of its neurons' outputs: a `theorem.Statement`."""

    network: Network
    distributed: Distributed
    task: TaskInCoq
    hints: DirectionHints
    title: str
    arithmetic: Arithmetic

    open = ("Network", "Tasks", "Labels")
    counts_first = True

    @cached_property
    def parts(self) -> dict[str, str]:
        task = {"Task.v": task_source(self.task)} if self.task.data else {}
        return {
            "Weights.v": weights_source(self.network, self.title),
            **task,
            "Program.v": program_source(self.network, self.title),
            "Tables.v": tables_source(self.distributed, self.network),
            "Hints.v": hints_source(self.hints),
        }

    def words(self, numerator: int) -> str:
        model, (p, q) = f"{NAME}.Program.model", self.task.values
        accuracy = f"accuracy {model} (inputs [{p}; {q}]%nat) {self.task.label}"
        return f"shaped {model} = true /\\\n  {accuracy} >= {numerator} / {p * q}"

    def accuracy(self, numerator: int) -> str:
        p, q = self.task.values
        tables = f"{NAME}.Program.model {NAME}.Tables.fast {NAME}.Tables.kept"
        return f"""(** The accuracy of the network in Program.v, as a theorem about real numbers.

    What it says is defined in Network.v, Tasks.v and Labels.v of the development; read these files. *)

{self._head}
Theorem accuracy_bound :
  {self.words(numerator)}.
Proof.
  exact (directions_{self.arithmetic} {tables} {self._arguments}
           {numerator}%Z {p * q}%Z ltac:(vm_cast_no_check (eq_refl true))).
Qed.
"""

    def count(self) -> str:
        numbers = {"hardware": "machine"}.get(str(self.arithmetic), str(self.arithmetic))
        return f"""(** What the checker counts, for comparison; no part of the theorem. *)

{self._head}
Definition proven := Eval vm_compute in
  count_directions {numbers} (with_program {NAME}.Program.model {NAME}.Tables.fast) {self._arguments}.
Print proven.
"""

    @property
    def length(self) -> int:
        """How many operations the checker makes (`compact_length`)."""
        return compact_length(self.distributed.network, self.task.values, self.hints)

    @property
    def brute_force_length(self) -> int:
        """How many it takes to run the network on every pair."""
        return brute_force_length(self.distributed.network, self.task.values, self.hints.width)

    def seconds(self) -> float:
        weights = NUMBER * sum(w.value.numel() for w in self.network.weights)
        return weights + 2 * (1 + SLOWDOWN[self.arithmetic] * OPERATION * self.length) + ASSUMING

    @property
    def _head(self) -> str:
        files = " ".join(name.removesuffix(".v") for name in self.parts)
        return f"""From Coq Require Import Reals ZArith List.
From CompactProofs Require Import Distribute Machine NetworkTheorems DirectionsTheorems
  Network Tasks Labels.
From {NAME} Require {files}.
Import ListNotations.
Open Scope R_scope.
"""

    @property
    def _arguments(self) -> str:
        p, q = self.task.values
        hints = " ".join(f"{NAME}.Hints.{name}" for name in ("bits", "clusters", "evaluated"))
        return f"{p} {q} {self.distributed.network.constants} {hints} {self.task.label}"


def directions_statement(
    model: nn.Module, task: Task, strategy: Strategy, explanation: Mapping[str, Tensor], title: str, arithmetic: Arithmetic
) -> DirectionsStatement:
    """State the accuracy of a network on pairs, proved from an explanation of ``directions``.

    Raises
    ------
    BadInput
        If there is no compact checker for it.
    """
    assert isinstance(strategy, Directions)
    network, terms = network_for(model, task), task_in_coq(task)
    found = one_layer(network)
    if found is None:
        raise BadInput("it takes networks whose neurons, in one hidden layer of ReLUs, each read a sum over two tokens")
    if terms.domain != f"(inputs [{'; '.join(map(str, terms.values))}]%nat)":
        raise BadInput("it takes tasks on all pairs")
    with torch.no_grad():
        hints = direction_hints(strategy.network(in_double(model)), explanation, strategy.rest)
    return DirectionsStatement(network, found[0], terms, hints, title, arithmetic)
