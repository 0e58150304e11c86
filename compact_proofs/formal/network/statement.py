"""Theorems about any network: a module on a task whose inputs Coq can run through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, SLOWDOWN
from compact_proofs.formal.network.distribute import Distributed, distribute
from compact_proofs.formal.network.evaluation import compare
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.lowering import network_of
from compact_proofs.formal.network.source import program_source, tables_source, task_source, weights_source
from compact_proofs.formal.network.tasks import TaskInCoq, task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.program import Program, program_of

MOST = 10**10
"""Multiply-adds beyond which no theorem is written: Coq makes about seven million in a second."""

NUMBER, PRODUCT, OTHER, EXPONENTIAL = 1e-4, 1.5e-7, 1e-6, 5e-5
"""Seconds for a weight to be read, and, on the processor's numbers, for an operation of each kind."""


@dataclass(frozen=True)
class NetworkStatement:
    """The accuracy of a network on a task, proved by running it on every input: a `theorem.Statement`.

    With tables in place of products that many inputs share, where that is faster (`distribute`).
    """

    network: Network
    distributed: Distributed | None
    task: TaskInCoq
    size: int
    title: str
    arithmetic: Arithmetic

    open = ("Network", "Tasks", "Labels")
    counts_first = False

    @cached_property
    def parts(self) -> dict[str, str]:
        task = {"Task.v": task_source(self.task)} if self.task.data else {}
        weights, program = weights_source(self.network, self.title), program_source(self.network, self.title)
        tables = {"Tables.v": tables_source(self.distributed, self.network)} if self.distributed else {}
        return {"Weights.v": weights, **task, "Program.v": program, **tables}

    def words(self, numerator: int) -> str:
        model = f"{NAME}.Program.model"
        accuracy = f"accuracy {model} {self.task.domain} {self.task.label}"
        return f"shaped {model} = true /\\\n  {accuracy} >= {numerator} / {self.size}"

    def accuracy(self, numerator: int) -> str:
        theorem, tables = ("distributed", f" {NAME}.Tables.fast {NAME}.Tables.kept") if self.distributed else ("network", "")
        return f"""(** The accuracy of the network in Program.v, as a theorem about real numbers.

    What it says is defined in Network.v, Tasks.v and Labels.v of the development; read these files. *)

{self._head}
Theorem accuracy_bound :
  {self.words(numerator)}.
Proof.
  exact ({theorem}_{self.arithmetic} {NAME}.Program.model{tables} {self._arguments}
           {numerator}%Z {self.size}%Z ltac:(vm_cast_no_check (eq_refl true))).
Qed.
"""

    def count(self) -> str:
        numbers = {"hardware": "machine"}.get(str(self.arithmetic), str(self.arithmetic))
        model = f"{NAME}.Program.model"
        run = f"(with_program {model} {NAME}.Tables.fast)" if self.distributed else model
        return f"""(** What the evaluator counts; no part of the theorem. *)

{self._head}
Definition proven := Eval vm_compute in count_right {numbers} {run} {self._arguments}.
Print proven.
"""

    def seconds(self) -> float:
        weights = NUMBER * sum(w.value.numel() for w in self.network.weights)
        running = self.distributed.network if self.distributed else self.network
        return weights + 1 + SLOWDOWN[self.arithmetic] * seconds_of(running, self.size) + ASSUMING

    @property
    def _arguments(self) -> str:
        values = "; ".join(map(str, self.task.values))
        running = self.distributed.network if self.distributed else self.network
        return f"[{values}]%nat {running.constants} {self.task.domain} {self.task.label}"

    @property
    def _head(self) -> str:
        files = " ".join(name.removesuffix(".v") for name in self.parts)
        return f"""From Coq Require Import Reals List.
From CompactProofs Require Import Evaluator Machine NetworkTheorems Distribute DistributeSound
  Network Tasks Labels.
From {NAME} Require {files}.
Import ListNotations.
Open Scope R_scope.
"""


def seconds_of(network: Network, inputs: int) -> float:
    """About how long Coq runs a network on that many inputs, on the processor's numbers."""
    work = network.work(once=True) + network.work() * inputs
    return work.products * PRODUCT + work.others * OTHER + work.exponentials * EXPONENTIAL


def network_for(module: nn.Module, task: Task) -> Network:
    """Write a module's program in the language of networks, and compare the two on inputs of the task.

    Raises
    ------
    BadInput
        As `network_of`; or if the two differ.
    """
    program = program_of(module, task)
    network = network_of(program)
    _compare_on_some(network, program, task)
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
    program = program_of(module, task)
    network = network_of(program)
    distributed = distribute(network, task.size, lambda n: seconds_of(n, task.size))
    _refuse_long(distributed.network if distributed else network, task.size, title)
    _compare_on_some(network, program, task)
    return NetworkStatement(network, distributed, task_in_coq(task), task.size, title, arithmetic)


def _refuse_long(network: Network, inputs: int, title: str) -> None:
    total = network.work().multiply_adds * inputs
    if total > MOST:
        seconds = total * PRODUCT
        time = f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
        raise BadInput(
            f"{title}: running it on all {inputs} inputs takes Coq {total:.1e} multiply-adds, some {time}; "
            f"at most {MOST:.0e} are let through"
        )


def _compare_on_some(network: Network, program: Program, task: Task) -> None:
    numbers = {0, task.size // 2, task.size - 1} if network.work().multiply_adds < 10**5 else {task.size // 2}
    compare(network, program, torch.cat([task.inputs(i, i + 1) for i in sorted(numbers)]))
