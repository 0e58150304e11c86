"""Theorems about any network: a module on a task whose inputs Coq can run through."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, SLOWDOWN
from compact_proofs.formal.network.distribute import Distributed, distribute
from compact_proofs.formal.network.evaluation import compare
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.lowering import network_of
from compact_proofs.formal.network.program_statement import CHECKED, MODEL, TABLES, ProgramStatement
from compact_proofs.formal.network.source import tables_source
from compact_proofs.formal.network.tasks import task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.program import Program, program_of

MOST = 10**10
"""Multiply-adds beyond which no theorem is written: Coq makes 7 to 40 million in a second."""

PRODUCT, ROW, OTHER, EXPONENTIAL = 1.5e-7, 2.5e-8, 1e-6, 5e-5
"""Seconds for an operation of each kind, on the processor's numbers; a row times a matrix is its own kind."""


@dataclass(frozen=True)
class NetworkStatement(ProgramStatement):
    """The accuracy of a network on a task, proved by running it on every input.

    With tables in place of products that many inputs share, where that is faster (`distribute`).
    """

    distributed: Distributed | None

    counts_first = False
    imports = ("RowEvaluator", "Machine", "NetworkTheorems", "Distribute", "DistributeSound")

    def hints(self) -> dict[str, str]:
        return {"Tables.v": tables_source(self.distributed, self.network)} if self.distributed else {}

    def proof(self, numerator: int) -> str:
        theorem, tables = ("distributed", f" {TABLES}") if self.distributed else ("network", "")
        return f"""{theorem}_{self.arithmetic} {MODEL}{tables} {self._arguments}
           {numerator}%Z {self.size}%Z {CHECKED}"""

    def counting(self) -> str:
        running = f"(with_program {MODEL} {NAME}.Tables.fast)" if self.distributed else MODEL
        return f"count_right {self.numbers} {running} {self._arguments}"

    def seconds(self) -> float:
        return self.reading + 1 + SLOWDOWN[self.arithmetic] * seconds_of(self._running, self.size) + ASSUMING

    @property
    def _running(self) -> Network:
        return self.distributed.network if self.distributed else self.network

    @property
    def _arguments(self) -> str:
        values = "; ".join(map(str, self.task.values))
        return f"[{values}]%nat {self._running.constants} {self.task.domain} {self.task.label}"


def seconds_of(network: Network, inputs: int) -> float:
    """About how long Coq runs a network on that many inputs, on the processor's numbers."""
    work, rows = network.work(once=True) + network.work() * inputs, network.row_products() * inputs
    return rows * ROW + (work.products - rows) * PRODUCT + work.others * OTHER + work.exponentials * EXPONENTIAL


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
    return NetworkStatement(network, task_in_coq(task), task.size, title, arithmetic, distributed)


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
