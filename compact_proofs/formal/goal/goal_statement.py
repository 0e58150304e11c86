"""The theorem that a network is right on boxes of inputs, up to a goal about real numbers; its folder, and its check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import nn

from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files.atomic import write_atomically
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import ASSUMING, SLOWDOWN
from compact_proofs.formal.goal.boxes import Kind, check_kinds
from compact_proofs.formal.goal.closing import BY_MACHINE, closing
from compact_proofs.formal.goal.enclosing import Fact, constants, facts_of
from compact_proofs.formal.goal.goal_source import CLOSED, enclosures_source, goal_source, lean_source
from compact_proofs.formal.goal.grammar import refused
from compact_proofs.formal.goal.lead import Lead, lead_of
from compact_proofs.formal.network.distribute import depends
from compact_proofs.formal.network.program_statement import CHECKED, MODEL, TABLES, ProgramStatement
from compact_proofs.formal.network.source import tables_source
from compact_proofs.formal.network.statement import OTHER, network_for
from compact_proofs.formal.network.tasks import task_in_coq
from compact_proofs.formal.theorem import NAME, Checked, Formalization, check_theorem, write_theorem
from compact_proofs.inputs.task import Task

ENCLOSURES = f"{NAME}.Enclosures"
PROOF, LEAN = "Closed.v", "Goal.lean"
"""The file with the proof of the goal, which is whoever's that proves it, and the goal for provers that speak Lean."""


@dataclass(frozen=True)
class GoalStatement(ProgramStatement):
    """The accuracy of a network, proved by its being right on boxes of inputs.

    Attributes
    ----------
    lead, kinds, facts
        What is left to prove: that the lead is positive on each kind of boxes, if the facts hold.
    closed
        The text of the proof of that.
    """

    lead: Lead
    kinds: tuple[Kind, ...]
    facts: tuple[tuple[Fact, ...], ...]
    closed: str

    counts_first = False
    imports = ("Boxes", "Goals")

    @property
    def is_open(self) -> bool:
        """Is the goal left to be proved?"""
        return self.closed == CLOSED

    @property
    def numerator(self) -> int:
        """How many inputs the boxes hold."""
        return sum(box.size for kind in self.kinds for box in kind)

    def hints(self) -> dict[str, str]:
        return {
            "Tables.v": tables_source(self.lead.distributed, self.network),
            "Goal.v": goal_source(self.lead, self.facts, self.title),
            "Enclosures.v": enclosures_source(self.lead, self.kinds, self.facts, str(self.arithmetic)),
            PROOF: self.closed,
        }

    @cached_property
    def lean(self) -> str:
        """The goal in Lean."""
        return lean_source(self.lead, self.facts, self.title)

    def lemmas(self) -> str:
        variables = " ".join(f"(v {k}%nat)" for k in range(len(self.lead.names)))
        cases = "\n".join(f"  - intros v. exact (Closed_{i} {variables})." for i in range(len(self.kinds)))
        names = [f"Closed_{i}" for i in range(len(self.kinds))]
        pattern = "".join("[<-|" for _ in names) + "[]" + "]" * len(names)
        last = names.pop()
        opened = "".join(f"[{name} " for name in names) + last + "]" * len(names)
        return f"""(** The goals of Goal.v are those which the theorem takes. *)
Lemma goals : forall k, In k {ENCLOSURES}.kinds -> goal {ENCLOSURES}.lead (facts k).
Proof.
  pose proof ({NAME}.Closed.closed : {NAME}.Goal.goal) as Closed. destruct Closed as {opened}.
  intros k {pattern}.
{cases}
Qed.

"""

    def proof(self, numerator: int) -> str:
        label, values = self.task.label, f"[{'; '.join(map(str, self.task.values))}]%nat"
        same, sound = f"(same_label {label})", f"(same_label_sound {label})"
        if label == "maximum":
            same, sound = "same_maximum", "same_maximum_sound"
        return f"""accuracy_of_goals {MODEL} {TABLES} {self.lead.most} {self.lead.written}
           {ENCLOSURES}.atoms {ENCLOSURES}.lead {ENCLOSURES}.kinds {same}
           {values} {label} {numerator}%Z {self.size}%Z {sound}
           {CHECKED} {ENCLOSURES}.enclosures goals"""

    def counting(self) -> str:
        return f"sizes (map snd (flat_map boxes {ENCLOSURES}.kinds))"

    def seconds(self) -> float:
        once = self.lead.distributed.network.work(once=True)
        entries = 0
        for kind, facts in zip(self.kinds, self.facts, strict=True):
            for fact in facts:
                others = self.network.outputs if depends(1, fact.value) else 1
                for box in kind:
                    held = 1
                    for p in fact.tokens:
                        held *= box.intervals[p][1]
                    entries += held * others
        return self.reading + 1 + SLOWDOWN[self.arithmetic] * OTHER * (once.multiply_adds + 8 * entries) + ASSUMING


def goal_of(
    module: nn.Module,
    task: Task,
    kinds: Sequence[Kind] | Callable[[Lead], Sequence[Kind]],
    folder: Path,
    *,
    title: str = "a network",
    arithmetic: Arithmetic = Arithmetic.hardware,
) -> GoalStatement:
    """State that a network is right on boxes of inputs, up to a goal about real numbers.

    Parameters
    ----------
    module, task
        A network of one layer of attention, or the like, that reads tokens; the inputs are all rows of tokens.
    kinds
        Boxes of inputs, or what finds them for the lead of a logit; those of one kind share a goal.
    folder
        If there is a proof of the goal in it (Closed.v) that was written by hand, that is the statement's; otherwise it is the
        machine's (`closing`), if that finds one, or an open one.
    title
        Names the network in a comment.
    arithmetic
        What Coq evaluates enclosures with.

    Raises
    ------
    BadInput
        If the network has no program or a large one, the inputs are not all rows of tokens, or boxes do not fit.
    """
    network, in_coq = network_for(module, task), task_in_coq(task)
    if not in_coq.domain.startswith("(inputs ") or len(set(in_coq.values)) != 1:
        raise BadInput(f"{task.describe()}: a goal needs a task whose inputs are all rows of tokens, of the same values each")
    lead = lead_of(network, in_coq.values[0])
    found = kinds(lead) if callable(kinds) else kinds
    check_kinds(found, in_coq.values)
    env = constants(lead.distributed.network)
    facts = tuple(facts_of(lead, kind, env) for kind in found)
    closed = _proof_by_hand(folder) or closing(lead, facts) or CLOSED
    return GoalStatement(network, in_coq, task.size, title, arithmetic, lead, tuple(found), facts, closed)


def _proof_by_hand(folder: Path) -> str | None:
    """The proof in a folder, unless it is the machine's or open."""
    try:
        text = (folder / PROOF).read_text()
    except FileNotFoundError:
        return None
    return None if text == CLOSED or text.startswith(BY_MACHINE) else text


def write_goal(statement: GoalStatement, folder: Path) -> Formalization:
    """Write the theorem's files into a folder, with an open proof of the goal unless there is one in it already."""
    theorem = write_theorem(statement, statement.numerator, folder)
    write_atomically(folder / LEAN, statement.lean.encode())
    return theorem


def check_goal(statement: GoalStatement, folder: Path, *, fresh: bool = False) -> Checked:
    """Let Coq check a theorem whose goal is proved in its folder.

    Every file but the proof must be what is written for the network: a goal that was changed proves nothing (`check_theorem`). The
    proof may be anyone's, so it is read by a grammar first (`grammar.refused`); what it assumes, Coq lists.

    Raises
    ------
    CertificateRejected
        If the proof has a command that is not let through, or as `check_theorem`.
    """
    if sentence := refused(statement.closed):
        raise CertificateRejected(
            f"{folder / PROOF}: {sentence!r} is not let through; a proof states, defines and proves, sets no option, and assumes, "
            "loads and writes nothing"
        )
    return check_theorem(Formalization(folder, statement, statement.numerator), fresh=fresh)
