"""Theorems about networks with one layer of attention, proved by the checker of ``formal/FractionChecker.v``.

The statement is that of a theorem which Coq proves by running the network on every input: it is about the program that is traced
from the module. Coq checks that a program with tables computes the same (``formal/Distribute.v``), that the lead of one of its
logits over another is a sum of fractions (``formal/Fractions.v``), and bounds that on boxes of inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from compact_proofs.automatic.boxes.roots import divided_by
from compact_proofs.automatic.boxes.tree import LIST, PROVE, REST, expand
from compact_proofs.automatic.strategy import Automatic, finite
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, SLOWDOWN
from compact_proofs.formal.fractions.box_hints import Group, boxes_in, groups_of
from compact_proofs.formal.fractions.fraction_source import hints_source
from compact_proofs.formal.fractions.fraction_structure import Fractions, fractions_of
from compact_proofs.formal.goal.boxes import Box
from compact_proofs.formal.goal.lead import Lead, lead_of
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.program_statement import CHECKED, MODEL, TABLES, ProgramStatement
from compact_proofs.formal.network.source import tables_source
from compact_proofs.formal.network.statement import EXPONENTIAL, OTHER, network_for, seconds_of
from compact_proofs.formal.network.tasks import TaskInCoq, task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task

ROUNDS, MORE = (1, 2), 4
"""Steps of Dinkelbach's method for pieces, in a first and a second bound, and for single tokens."""
LEAVES = 4096
"""Inputs that are evaluated one by one where bounds fail for all of them together, at most at once."""

ENTRY = 2e-6
"""Seconds for a piece of a box at a position, of a head and another output, on the processor's numbers."""


@dataclass(frozen=True)
class FractionStatement(ProgramStatement):
    """The accuracy of a network with one layer of attention, proved from boxes of inputs."""

    lead: Lead
    fractions: Fractions
    groups: tuple[Group, ...]

    imports = ("Boxes", "Distribute", "Machine", "NetworkTheorems", "FractionCount", "FractionTheorems")

    def hints(self) -> dict[str, str]:
        return {
            "Tables.v": tables_source(self.lead.distributed, self.network),
            "Hints.v": hints_source(self.fractions, self.groups),
        }

    def proof(self, numerator: int) -> str:
        same, sound = self._of_one_label
        return f"""fractions_{self.arithmetic} {MODEL} {TABLES} {self._arguments}
           {same} {self.task.label} {numerator}%Z {self.size}%Z {sound} {CHECKED}"""

    def counting(self) -> str:
        same, _ = self._of_one_label
        return f"count_fractions {self.numbers} {MODEL} {TABLES} {self._arguments} {same}"

    def seconds(self) -> float:
        n, v, heads = len(self.task.values), self.task.values[0], len(self.fractions.heads)
        tables = seconds_of(self.lead.distributed.network, 0) + v * v * n * heads * EXPONENTIAL
        written = 4 * self.network.outputs * v * (n * heads + 1) * OTHER
        entries = sum(g.entries(n) for g in self.groups) * heads * (self.network.outputs - 1)
        once = 1 + SLOWDOWN[self.arithmetic] * (tables + written + entries * ENTRY)
        return self.reading + 2 * once + ASSUMING

    @property
    def _of_one_label(self) -> tuple[str, str]:
        """Whether a box has one label, as a function in Coq, and the lemma that what it accepts has."""
        if self.task.label == "maximum":
            return "same_maximum", "same_maximum_sound"
        return f"(same_label {self.task.label})", f"(same_label_sound {self.task.label})"

    @property
    def _arguments(self) -> str:
        n, v = len(self.task.values), self.task.values[0]
        rounds = f"[{'; '.join(map(str, ROUNDS))}]%nat"
        hints = f"{NAME}.Hints.fractions {rounds} {MORE} {LEAVES} {NAME}.Hints.groups"
        return f"{self.lead.most} {self.lead.written} {n} {v} {hints}"


def fraction_statement(
    model: nn.Module, task: Task, strategy: Strategy, explanation: Mapping[str, Tensor], title: str, arithmetic: Arithmetic
) -> FractionStatement:
    """State the accuracy of a network with one layer of attention, proved from the boxes of an explanation of ``automatic``.

    Raises
    ------
    BadInput
        If there is no compact checker for it.
    """
    assert isinstance(strategy, Automatic)
    known = finite(task)
    leaves = expand(divided_by(explanation, known), explanation["tree"])
    return statement_on(model, task, boxes_in(leaves.of_kind(PROVE, REST, LIST)), title, arithmetic)


def statement_on(
    model: nn.Module, task: Task, boxes: Sequence[Box], title: str = "a network", arithmetic: Arithmetic = Arithmetic.hardware
) -> FractionStatement:
    """State the accuracy of a network with one layer of attention, proved on these boxes of inputs; the last token has one value.

    Raises
    ------
    BadInput
        If the network is another one, or its task is not about all rows of tokens.
    """
    if not boxes:
        raise BadInput("the explanation has no boxes of one label")
    network, terms, lead, fractions = parts_of(model, task)
    return FractionStatement(network, terms, task.size, title, arithmetic, lead, fractions, groups_of(boxes))


def parts_of(model: nn.Module, task: Task) -> tuple[Network, TaskInCoq, Lead, Fractions]:
    """Write a network and its task in Coq, and the lead of one logit over another as a sum of fractions.

    Raises
    ------
    BadInput
        If that cannot be done.
    """
    network, terms = network_for(model, task), task_in_coq(task)
    if not terms.domain.startswith("(inputs ") or len(set(terms.values)) != 1:
        raise BadInput("the checker of boxes takes tasks whose inputs are all rows of tokens, of the same values each")
    lead = lead_of(network, terms.values[0])
    return network, terms, lead, fractions_of(lead, len(terms.values))
