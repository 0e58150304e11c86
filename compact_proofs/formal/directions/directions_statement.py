"""Theorems about networks with one hidden layer on two tokens, proved by the checker of ``formal/DirectionsChecker.v``.

The statement is that of a theorem which Coq proves by running the network on every pair: it is about the program that is traced
from the module. Coq checks that a program with tables computes the same (``formal/Distribute.v``), finds the hidden layer in it
(``formal/OneLayer.v``), and follows what its neurons write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from compact_proofs.formal.network.one_layer import one_layer
from compact_proofs.formal.network.program_statement import CHECKED, MODEL, TABLES, ProgramStatement
from compact_proofs.formal.network.source import tables_source
from compact_proofs.formal.network.statement import network_for
from compact_proofs.formal.network.tasks import task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.models.weights import in_double

OPERATION = 2.5e-7
"""Seconds for an operation, on the processor's numbers."""


@dataclass(frozen=True)
class DirectionsStatement(ProgramStatement):
    """The accuracy of a network on pairs of tokens, proved from directions of its neurons' outputs."""

    distributed: Distributed
    found: DirectionHints

    imports = ("Distribute", "Machine", "NetworkTheorems", "DirectionsTheorems")

    def hints(self) -> dict[str, str]:
        return {"Tables.v": tables_source(self.distributed, self.network), "Hints.v": hints_source(self.found)}

    def proof(self, numerator: int) -> str:
        return f"""directions_{self.arithmetic} {MODEL} {TABLES} {self._arguments}
           {numerator}%Z {self.size}%Z {CHECKED}"""

    def counting(self) -> str:
        return f"count_directions {self.numbers} (with_program {MODEL} {NAME}.Tables.fast) {self._arguments}"

    @property
    def length(self) -> int:
        """How many operations the checker makes (`compact_length`)."""
        return compact_length(self.distributed.network, self.task.values, self.found)

    @property
    def brute_force_length(self) -> int:
        """How many it takes to run the network on every pair."""
        return brute_force_length(self.distributed.network, self.task.values, self.found.width)

    def seconds(self) -> float:
        return self.reading + 2 * (1 + SLOWDOWN[self.arithmetic] * OPERATION * self.length) + ASSUMING

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
    return DirectionsStatement(network, terms, task.size, title, arithmetic, found[0], hints)
