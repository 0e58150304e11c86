"""The texts of Goal.v, Goal.lean, Enclosures.v and Closed.v."""

from __future__ import annotations

from collections.abc import Sequence

from compact_proofs.formal.goal.boxes import Box, Kind
from compact_proofs.formal.goal.enclosing import OVER, Fact
from compact_proofs.formal.goal.goal_text import coq_goals, lean_goals
from compact_proofs.formal.goal.lead import Lead
from compact_proofs.formal.network.language import Scalar
from compact_proofs.formal.network.source import Formula, comment, scalar_source
from compact_proofs.formal.theorem import NAME

Facts = Sequence[Sequence[Fact]]
"""For each kind of boxes."""


def goal_source(lead: Lead, kinds: Facts, title: str) -> str:
    """Write the goal in Coq."""
    return f"""(** What is left to prove about {comment(title)}: a goal about real numbers.

{_meaning(lead, "    ")}

    The enclosures of these are proved in Enclosures.v. Prove [goal] in Closed.v, by whatever means. *)

From Coq Require Import Reals.
Open Scope R_scope.

{coq_goals(lead.names, kinds, lead.body)}
"""


def lean_source(lead: Lead, kinds: Facts, title: str) -> str:
    """Write the goal in Lean 4."""
    return f"""/-
What is left to prove about {comment(title)}: the goal of Goal.v, for a prover that speaks Lean.
Coq accepts a proof of Goal.v only; nothing here is checked.

{_meaning(lead, "")}
-/
import Mathlib

{lean_goals(lead.names, kinds, lead.body)}"""


CLOSED = f"""(** A proof of the goal in Goal.v, by whatever means: put it in place of [Abort]. *)

From Coq Require Import Reals Lra Psatz.
From Interval Require Import Tactic.
From {NAME} Require Import Goal.
Open Scope R_scope.

Theorem closed : goal.
Proof.
Abort.
"""


def enclosures_source(lead: Lead, boxes: Sequence[Kind], kinds: Facts, arithmetic: str) -> str:
    """Write what the atoms and the boxes are, and that the enclosures hold on them."""
    atoms = ";\n  ".join(_scalar(atom) for atom in lead.atoms)
    listed = []
    for i, (kind, facts) in enumerate(zip(boxes, kinds, strict=True)):
        listed += [
            f"Definition boxes_{i} : list (nat * box) := [\n  " + ";\n  ".join(map(_box, kind)) + "].",
            "",
            f"Definition facts_{i} : list fact := [\n  " + ";\n  ".join(map(_fact, facts)) + "].",
            "",
        ]
    named = "; ".join(f"{{| boxes := boxes_{i}; facts := facts_{i} |}}" for i in range(len(boxes)))
    return f"""(** The enclosures with which the goal is proved, as a lemma that the evaluator proves. *)

From Coq Require Import ZArith List.
From CompactProofs Require Import Network Boxes Goals.
From {NAME} Require Program Tables.
Import ListNotations.
Open Scope nat_scope.

(** The quantities, by the numbers of the tensors in Tables.v; Axis 0 is the right output, Axis 1 another one.

{_meaning(lead, "    ")} *)
Definition atoms : list scalar := [
  {atoms}].

(** What the goal says is positive. *)
Definition lead : scalar := {_scalar(lead.body)}.

(** Boxes with their labels, each token by its first value and the number of its values; and what is enclosed on them. *)
{chr(10).join(listed)}
Definition kinds : list kind := [{named}].

Lemma enclosures : forall k, In k kinds ->
  encloses {NAME}.Program.model (removelast {NAME}.Tables.fast) k.
Proof.
  exact (enclosures_{arithmetic} {NAME}.Program.model _ kinds ltac:(vm_cast_no_check (eq_refl true))).
Qed.
"""


def _meaning(lead: Lead, indent: str) -> str:
    """What each variable of the goal stands for."""
    network = lead.distributed.network
    names = [w.name for w in network.weights] + [f"T{i}" for i in range(len(network.definitions))]
    formula = Formula(names)
    formula.letters = "mx" + formula.letters.translate({ord("m"): None, ord("x"): None})
    lines = [
        "t is an input, m its right output and x another one.",
        *(f"{name} = {formula.of(atom, 2)}" for name, atom in zip(lead.names, lead.atoms, strict=True)),
        "where",
    ]
    used, todo = set[int](), [x for atom in lead.atoms for x in atom.reads()]
    while todo:
        x = todo.pop()
        if x >= len(network.weights) and x not in used:
            used.add(x)
            todo += network.definitions[x - len(network.weights)].body.reads()
    plain = Formula(names)
    for x in sorted(used):
        d = network.definitions[x - len(network.weights)]
        places = ", ".join(plain.letters[: len(d.shape)])
        lines.append(f"{names[x]}{f'[{places}]' if places else ''} = {plain.of(d.body, len(d.shape))}")
    return "\n".join(indent + comment_line(line) for line in lines)


def comment_line(text: str) -> str:
    """Text that cannot end a comment: a product with a bracket is set apart."""
    return text.replace("(*", "( *").replace("*)", "* )").replace("-/", "- /")


def _scalar(e: Scalar) -> str:
    return scalar_source(e, [str(i) for i in range(1 + max(e.reads(), default=0))])


def _box(box: Box) -> str:
    return f"({box.label}, [{'; '.join(f'({a}, {n})' for a, n in box.intervals)}])"


def _fact(fact: Fact) -> str:
    tokens = "; ".join(map(str, fact.tokens))
    return (
        f"{{| tokens := [{tokens}];\n     value := {_scalar(fact.value)};\n     form := {_scalar(fact.form)};\n"
        f"     low := ({fact.low})%Z; high := ({fact.high})%Z; over := {OVER}%positive |}}"
    )
