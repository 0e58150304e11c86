"""Theorems about networks on groups, proved from circuits by the compact checker of ``formal/GroupChecker.v``.

The statement is that of a theorem which Coq proves by running the network on every pair (`network.statement`): it is about the
program that is traced from the module. ``formal/GroupTheorems.v`` proves that this program computes what the checker argues about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

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
from compact_proofs.formal.theorem import NAME, Formalization, write_theorem
from compact_proofs.inputs.task import Task
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.gsets import GSetsLinear
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


def without_checker(model: nn.Module, task: Task, strategy: Strategy, explanation: Mapping[str, Tensor]) -> str | None:
    """Why there is no compact checker for an explanation of a model on a task by a strategy; None if there is one."""
    if not isinstance(task, Groups) or not isinstance(model, PairMLP) or not isinstance(strategy, GSetsLinear):
        return f"{strategy.name} on {task.name} has none"
    if model.d_embed is not None:
        return "it takes folded networks, and this one's embeddings are products (PairMLP.folded makes a folded one)"
    if min(model.order, model.width) < 2:
        return "it takes groups of two elements or more, and networks of two neurons or more"
    try:
        group_hints(model, task, explanation)
    except BadInput as reason:
        return str(reason)
    return None


def formalize_group(
    model: nn.Module,
    task: Task,
    strategy: Strategy,
    explanation: Mapping[str, Tensor],
    numerator: int,
    folder: Path,
    *,
    title: str = "a network",
    arithmetic: Arithmetic = Arithmetic.hardware,
) -> Formalization:
    """Write the theorem that at least `numerator` of all pairs are answered rightly, proved from circuits.

    Parameters
    ----------
    model, task, strategy, explanation
        As for `compact_proofs.prove`; the strategy is ``g-sets-linear``, with any option: the checker bounds in its own way.
    numerator
        What the strategy proved; the check writes Coq's own count in its place.
    folder, title, arithmetic
        As for `compact_proofs.formal.sources.formalize`.

    Raises
    ------
    BadInput
        If there is no compact checker (`without_checker`), or the files cannot be written.
    """
    reason = without_checker(model, task, strategy, explanation)
    if reason is not None:
        raise BadInput(f"{title} has no compact checker: {reason}; by cp.formalize, Coq runs the network on every pair")
    assert isinstance(model, PairMLP)
    assert isinstance(task, Groups)
    hints = group_hints(model, task, explanation)
    statement = GroupStatement(model, task, network_for(model, task), hints, title, arithmetic)
    return write_theorem(statement, numerator, folder)
