"""Theorems about any network: a module on a task whose inputs Coq can run through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from compact_proofs.core.claim import Task
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, SLOWDOWN
from compact_proofs.formal.network.evaluation import compare
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.lowering import network_of
from compact_proofs.formal.network.source import program_source, task_source, weights_source
from compact_proofs.formal.network.tasks import TaskInCoq, task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.program import program_of

MOST = 10**10
"""Multiply-adds beyond which no theorem is written: Coq makes about ten million in a second."""

NUMBER, PRODUCT, OTHER, EXPONENTIAL = 1e-4, 1e-7, 2e-6, 5e-5
"""Seconds for a weight to be read, and, on the processor's numbers, for an operation of each kind."""


@dataclass(frozen=True)
class NetworkStatement:
    """The accuracy of a network on a task, proved by running it on every input: a `theorem.Statement`."""

    network: Network
    task: TaskInCoq
    size: int
    title: str
    arithmetic: Arithmetic

    open = ("Network", "Tasks")
    counts_first = False

    @cached_property
    def parts(self) -> dict[str, str]:
        task = {"Task.v": task_source(self.task)} if self.task.data else {}
        weights, program = weights_source(self.network, self.title), program_source(self.network, self.title)
        return {"Weights.v": weights, **task, "Program.v": program}

    def words(self, numerator: int) -> str:
        model = f"{NAME}.Program.model"
        accuracy = f"accuracy {model} {self.task.domain} {self.task.label}"
        return f"shaped {model} = true /\\\n  {accuracy} >= {numerator} / {self.size}"

    def accuracy(self, numerator: int) -> str:
        return f"""(** The accuracy of the network in Program.v, as a theorem about real numbers.

    What it says is defined in Network.v and Tasks.v of the development; read these files. *)

{self._head}
Theorem accuracy_bound :
  {self.words(numerator)}.
Proof.
  exact (network_{self.arithmetic} {self._arguments}
           {numerator}%Z {self.size}%Z ltac:(vm_cast_no_check (eq_refl true))).
Qed.
"""

    def count(self) -> str:
        numbers = {"hardware": "machine"}.get(str(self.arithmetic), str(self.arithmetic))
        return f"""(** What the evaluator counts; no part of the theorem. *)

{self._head}
Definition proven := Eval vm_compute in count_right {numbers} {self._arguments}.
Print proven.
"""

    def seconds(self) -> float:
        work = self.network.work() * self.size
        operations = work.products * PRODUCT + work.others * OTHER + work.exponentials * EXPONENTIAL
        weights = NUMBER * sum(w.value.numel() for w in self.network.weights)
        return weights + 1 + SLOWDOWN[self.arithmetic] * operations + ASSUMING

    @property
    def _arguments(self) -> str:
        values = "; ".join(map(str, self.task.values))
        return f"{NAME}.Program.model [{values}]%nat {self.network.constants} {self.task.domain} {self.task.label}"

    @property
    def _head(self) -> str:
        files = " ".join(name.removesuffix(".v") for name in self.parts)
        return f"""From Coq Require Import Reals List.
From CompactProofs Require Import Evaluator Machine NetworkTheorems Network Tasks.
From {NAME} Require {files}.
Import ListNotations.
Open Scope R_scope.
"""


def network_for(module: nn.Module, task: Task, *, title: str, most: float = math.inf) -> Network:
    """Write a module's program in the language of networks, and compare the two on inputs of the task.

    Raises
    ------
    BadInput
        As `network_of`; if running it on every input takes more than `most` multiply-adds; or if the two differ.
    """
    program = program_of(module, task)
    network = network_of(program)
    each = network.work().multiply_adds
    if each * task.size > most:
        seconds = each * task.size * PRODUCT
        time = f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
        raise BadInput(
            f"{title}: running it on all {task.size} inputs takes Coq {each * task.size:.1e} multiply-adds, some {time}; "
            f"at most {most:.0e} are let through"
        )
    numbers = {0, task.size // 2, task.size - 1} if each < 10**5 else {task.size // 2}
    compare(network, program, torch.cat([task.inputs(i, i + 1) for i in sorted(numbers)]))
    return network


def statement_of(
    module: nn.Module, task: Task, *, title: str = "a network", arithmetic: Arithmetic = Arithmetic.hardware
) -> NetworkStatement:
    """State the accuracy of a module on a task, as a theorem that Coq can check.

    Raises
    ------
    BadInput
        If the module has no program, its program or the task cannot be written in Coq, or the check would take more than `MOST`
        multiply-adds.
    """
    network = network_for(module, task, title=title, most=MOST)
    return NetworkStatement(network, task_in_coq(task), task.size, title, arithmetic)
