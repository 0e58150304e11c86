"""Theorems about one-layer transformers on Max-of-K, proved by a compact checker.

The statement is about the program that is traced from the module, as for any network. The checkers' argument is about the
transformer of ``formal/Statement.v``; ``formal/Bridge.v`` proves that this program computes it, and Coq compares the two, letter by
letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, Checker, checker_for
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.program_statement import NUMBER
from compact_proofs.formal.network.source import program_source, weights_source
from compact_proofs.formal.network.statement import network_for
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k import MaxOfK


@dataclass(frozen=True)
class TransformerStatement:
    """The accuracy of a one-layer transformer on Max-of-K, proved by a strategy's checker: a `theorem.Statement`."""

    model: AttentionOnlyTransformer
    network: Network
    title: str
    checker: Checker
    arithmetic: Arithmetic

    open = ("Network", "Tasks")
    counts_first = True

    @cached_property
    def parts(self) -> dict[str, str]:
        weights = weights_source(self.network, self.title, reduced=self.arithmetic is Arithmetic.pure)
        return {"Weights.v": weights, "Program.v": program_source(self.network, self.title), "Hints.v": self._hints()}

    def words(self, numerator: int) -> str:
        model, v, K = f"{NAME}.Program.model", self.model.d_vocab, self.model.n_ctx
        return f"shaped {model} = true /\\\n  accuracy {model} (inputs {self._values}) maximum >= {numerator} / {v} ^ {K}"

    def accuracy(self, numerator: int) -> str:
        return f"""(** The accuracy of the model in Program.v on Max-of-{self.model.n_ctx}, as a theorem about real numbers.

    What it says is defined in Network.v and Tasks.v of the development; read these files. *)

{self._head("Theorems Bridge Network Tasks")}
(** The program is that of the transformer which the checker takes. *)
Lemma program_of_params : {NAME}.Program.model = exported {NAME}.Hints.params.
Proof. vm_cast_no_check (eq_refl {NAME}.Program.model). Qed.

Theorem accuracy_bound :
  {self.words(numerator)}.
Proof.
  exact (accuracy_of_program {NAME}.Program.model {NAME}.Hints.params {self._values} _
           program_of_params eq_refl
           ({self.checker.name}_{self.arithmetic} {self._arguments} {numerator}%Z
              ltac:(vm_cast_no_check (eq_refl true)))).
Qed.
"""

    def count(self) -> str:
        return f"""(** What the checker counts, for comparison; no part of the theorem. *)

{self._head("Processor Instances Theorems")}
Definition proven := Eval vm_compute in count_{self.checker.name} {self.arithmetic} {self._arguments}.
Print proven.
"""

    def seconds(self) -> float:
        weights = NUMBER * sum(p.numel() for p in self.model.parameters())
        return weights + 2 * (1 + self.checker.seconds(self.arithmetic)) + ASSUMING

    def _hints(self) -> str:
        sizes = f"{self.model.d_vocab} {self.model.n_ctx} {self.model.d_model} {self.model.d_head}"
        return f"""(** Hints to the checker. Nothing here needs to be trusted: bad hints prove less, never what is false. *)

From Coq Require Import List ZArith.
From CompactProofs Require Import Additive Bridge.
From CompactProofs Require Statement.
From {NAME} Require Program.
Import ListNotations.
Open Scope nat_scope.

(** The weights as the checker takes them. *)
Definition params : Statement.transformer := transformer_of {sizes} Program.model.

{self.checker.hints}"""

    def _head(self, modules: str) -> str:
        return f"""From Coq Require Import Reals ZArith List.
From CompactProofs Require Import {modules}.
From {NAME} Require Weights Program Hints.
Import ListNotations.
Open Scope R_scope.
"""

    @property
    def _values(self) -> str:
        return f"[{'; '.join([str(self.model.d_vocab)] * self.model.n_ctx)}]%nat"

    @property
    def _arguments(self) -> str:
        return " ".join(f"{NAME}.Hints.{name}" for name in ("params", *self.checker.arguments))


def fits_statement(model: AttentionOnlyTransformer) -> bool:
    """Is the model's program the one that ``formal/Bridge.v`` knows? Axes of one place are left out of programs."""
    return min(model.d_vocab, model.n_ctx, model.d_model, model.d_head) > 1


def transformer_statement(
    model: nn.Module, task: Task, strategy: Strategy, explanation: Mapping[str, Tensor], title: str, arithmetic: Arithmetic
) -> TransformerStatement:
    """State the accuracy of a one-layer transformer on Max-of-K, proved by the verified checker of a strategy.

    Raises
    ------
    BadInput
        If the strategy has none, or a size is 1.
    """
    if not isinstance(task, MaxOfK) or not isinstance(model, AttentionOnlyTransformer):
        raise BadInput(f"{strategy.name} on {task.name} has none")
    checker = checker_for(strategy, model, explanation)
    if not fits_statement(model):
        raise BadInput("it takes transformers whose sizes are all above 1")
    return TransformerStatement(model, network_for(model, task), title, checker, arithmetic)
