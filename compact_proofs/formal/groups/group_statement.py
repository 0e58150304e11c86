"""Theorems about networks on groups, proved from circuits by the compact checker of ``formal/GroupChecker.v``.

The statement is that of a theorem which Coq proves by running the network on every pair (`network.statement`): it is about the
program that is traced from the module. ``formal/GroupTheorems.v`` proves that this program computes what the checker argues about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ARITHMETIC, ASSUMING, SLOWDOWN
from compact_proofs.formal.groups.group_source import hints_source
from compact_proofs.formal.groups.hints import GroupHints, group_hints
from compact_proofs.formal.groups.length import brute_force_length, compact_length
from compact_proofs.formal.network.program_statement import CHECKED, MODEL, ProgramStatement
from compact_proofs.formal.network.statement import network_for
from compact_proofs.formal.network.tasks import task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.task import Groups


@dataclass(frozen=True)
class GroupStatement(ProgramStatement):
    """The accuracy of a network on a group, proved from its circuits."""

    model: PairMLP
    found: GroupHints

    open = ("Network", "Tasks")
    imports = ("Processor", "Instances", "GroupTheorems")

    def hints(self) -> dict[str, str]:
        return {"Hints.v": hints_source(self.found)}

    def lemmas(self) -> str:
        return f"""(** The program is the one that the checker's argument is about. *)
Lemma program_is : {MODEL} = pair_mlp {self.model.order} {self.model.width} {MODEL}.
Proof. vm_cast_no_check (eq_refl {MODEL}). Qed.

"""

    def proof(self, numerator: int) -> str:
        return f"""groups_{self.arithmetic} {self._arguments}
           {numerator}%Z {self.size}%Z program_is {CHECKED}"""

    def counting(self) -> str:
        return f"count_groups {self.arithmetic} {self._arguments}"

    @property
    def length(self) -> int:
        """How many operations the checker makes (`compact_length`)."""
        return compact_length(self.model.order, self.model.width, self.found)

    @property
    def brute_force_length(self) -> int:
        """How many it takes to run the network on every pair."""
        return brute_force_length(self.model.order, self.model.width)

    def seconds(self) -> float:
        return self.reading + 2 * (1 + SLOWDOWN[self.arithmetic] * ARITHMETIC * 3 * self.length) + ASSUMING

    @property
    def _arguments(self) -> str:
        sizes = f"{MODEL} {self.model.order} {self.model.width} {NAME}.Task.table"
        return " ".join([sizes, *(f"{NAME}.Hints.{name}" for name in ("bits", "neutral", "inverse", "circuits"))])


def group_statement(
    model: nn.Module, task: Task, strategy: Strategy, explanation: Mapping[str, Tensor], title: str, arithmetic: Arithmetic
) -> GroupStatement:
    """State the accuracy of a network on a group, proved from the circuits of an explanation of ``g-sets-linear``.

    The strategy's options do not matter: the checker bounds in its own way.

    Raises
    ------
    BadInput
        If there is no compact checker for it.
    """
    if not isinstance(task, Groups) or not isinstance(model, PairMLP):
        raise BadInput(f"{strategy.name} on {task.name} has none")
    if model.d_embed is not None:
        raise BadInput("it takes folded networks, and this one's embeddings are products (PairMLP.folded makes a folded one)")
    if min(model.order, model.width) < 2:
        raise BadInput("it takes groups of two elements or more, and networks of two neurons or more")
    hints = group_hints(model, task, explanation)
    network, terms = network_for(model, task), task_in_coq(task)
    return GroupStatement(network, terms, task.size, title, arithmetic, model, hints)
