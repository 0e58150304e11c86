"""Theorems about networks on groups, proved from circuits by the compact checker of ``formal/GroupChecker.v``.

The statement is that of a theorem which Coq proves by running the network on every pair (`network.statement`): it is about the
program that is traced from the module. ``formal/GroupTheorems.v`` proves that this program computes what the checker argues about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ARITHMETIC, ASSUMING, SLOWDOWN
from compact_proofs.formal.groups.group_source import hints_source
from compact_proofs.formal.groups.hints import GroupHints, group_hints
from compact_proofs.formal.groups.length import brute_force_length, compact_length
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.source import program_source, task_source, weights_source
from compact_proofs.formal.network.statement import NUMBER, network_for
from compact_proofs.formal.network.tasks import task_in_coq
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.task import Groups


@dataclass(frozen=True)
class GroupStatement:
    """The accuracy of a network on a group, proved from its circuits: a `theorem.Statement`."""

    model: PairMLP
    task: Groups
    network: Network
    hints: GroupHints
    title: str
    arithmetic: Arithmetic

    open = ("Network", "Tasks")
    counts_first = True

    @cached_property
    def parts(self) -> dict[str, str]:
        return {
            "Weights.v": weights_source(self.network, self.title),
            "Task.v": task_source(task_in_coq(self.task)),
            "Program.v": program_source(self.network, self.title),
            "Hints.v": hints_source(self.hints),
        }

    def words(self, numerator: int) -> str:
        model, n = f"{NAME}.Program.model", self.model.order
        accuracy = f"accuracy {model} (inputs [{n}; {n}]%nat) (composition {NAME}.Task.table)"
        return f"shaped {model} = true /\\\n  {accuracy} >= {numerator} / {n * n}"

    def accuracy(self, numerator: int) -> str:
        n, m = self.model.order, self.model.width
        return f"""(** The accuracy of the network in Program.v on a group, as a theorem about real numbers.

    What it says is defined in Network.v and Tasks.v of the development; read these files. *)

{self._head("GroupTheorems Network Tasks")}
(** The program is the one that the checker's argument is about. *)
Lemma program_is : {NAME}.Program.model = pair_mlp {n} {m} {NAME}.Program.model.
Proof. vm_cast_no_check (eq_refl {NAME}.Program.model). Qed.

Theorem accuracy_bound :
  {self.words(numerator)}.
Proof.
  exact (groups_{self.arithmetic} {self._arguments}
           {numerator}%Z {n * n}%Z program_is ltac:(vm_cast_no_check (eq_refl true))).
Qed.
"""

    def count(self) -> str:
        return f"""(** What the checker counts, for comparison; no part of the theorem. *)

{self._head("Instances GroupTheorems")}
Definition proven := Eval vm_compute in count_groups {self.arithmetic} {self._arguments}.
Print proven.
"""

    @property
    def length(self) -> int:
        """How many operations the checker makes (`compact_length`)."""
        return compact_length(self.model.order, self.model.width, self.hints)

    @property
    def brute_force_length(self) -> int:
        """How many it takes to run the network on every pair."""
        return brute_force_length(self.model.order, self.model.width)

    def seconds(self) -> float:
        numbers = sum(p.numel() for p in self.model.parameters())
        return NUMBER * numbers + 2 * (1 + SLOWDOWN[self.arithmetic] * ARITHMETIC * 3 * self.length) + ASSUMING

    def _head(self, modules: str) -> str:
        return f"""From Coq Require Import Reals ZArith List.
From CompactProofs Require Import {modules}.
From {NAME} Require Weights Task Program Hints.
Import ListNotations.
Open Scope R_scope.
"""

    @property
    def _arguments(self) -> str:
        sizes = f"{NAME}.Program.model {self.model.order} {self.model.width} {NAME}.Task.table"
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
    return GroupStatement(model, task, network_for(model, task), hints, title, arithmetic)
