"""The goal as text, in Coq and in Lean: real numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compact_proofs.errors import BadInput
from compact_proofs.formal.goal.enclosing import OVER, Fact, variable
from compact_proofs.formal.network.language import Scalar


@dataclass(frozen=True)
class Dialect:
    """How functions of one number are written; %s is the number, in brackets."""

    exp: str
    relu: str
    sqrt: str
    pi: str


COQ = Dialect("exp %s", "Rmax 0 %s", "sqrt %s", "PI")
LEAN = Dialect("Real.exp %s", "max 0 %s", "Real.sqrt %s", "Real.pi")


def coq_goals(names: Sequence[str], kinds: Sequence[Sequence[Fact]], body: Scalar) -> str:
    """Definitions of ``goal_0``, ``goal_1``, ..., one for each kind, and of ``goal``, which is all of them."""
    lines = []
    for i, facts in enumerate(kinds):
        given = [f"  {_between(fact, names, COQ)} ->" for fact in facts]
        lines += [f"Definition goal_{i} : Prop := forall {' '.join(names)} : R,", *given, f"  0 < {write(body, names, COQ)}.", ""]
    whole = " /\\ ".join(f"goal_{i}" for i in range(len(kinds)))
    return "\n".join([*lines, f"Definition goal : Prop := {whole}."])


def lean_goals(names: Sequence[str], kinds: Sequence[Sequence[Fact]], body: Scalar) -> str:
    """The same as theorems in Lean 4 with Mathlib, of which the proofs are missing."""
    lines = []
    for i, facts in enumerate(kinds):
        given = [f"    (h{k} : {_between(fact, names, LEAN, both=True)})" for k, fact in enumerate(facts)]
        lines += [f"theorem goal_{i} ({' '.join(names)} : ℝ)", *given, f"    : 0 < {write(body, names, LEAN)} := by", "  sorry", ""]
    return "\n".join(lines)


def _between(fact: Fact, names: Sequence[str], dialect: Dialect, *, both: bool = False) -> str:
    form = write(fact.form, names, dialect)
    if both:
        return f"({fact.low} / {OVER} : ℝ) < {form} ∧ {form} < ({fact.high} / {OVER} : ℝ)"
    return f"{fact.low} / {OVER} < {form} < {fact.high} / {OVER}"


def write(e: Scalar, names: Sequence[str], dialect: Dialect, inside: int = 0) -> str:
    """An expression in variables, in brackets where it is weaker than what it stands `inside`.

    0: nothing; 1: the left of a sum or difference; 2: its right, or the left of a product or quotient; 3: the right of one;
    4: a function.

    Raises
    ------
    BadInput
        For an error function, which the goal's provers have no name for.
    """
    strength, text = _write(e, names, dialect)
    return f"({text})" if strength < inside else text


def _write(e: Scalar, names: Sequence[str], dialect: Dialect) -> tuple[int, str]:
    match e.head:
        case "Read":
            return 4, names[variable(e)]
        case "Number":
            return 0, f"{e.args[0]} / {e.args[1]}"
        case "Pi":
            return 4, dialect.pi
        case "Exp" | "Relu" | "Sqrt":
            (inner,) = e.parts()
            return 3, getattr(dialect, e.head.lower()) % write(inner, names, dialect, 4)
        case "Erf":
            raise BadInput("the lead of one logit over another has an error function in it (GELU); goals have none")
    a, b = e.parts()
    sign, strength = {"Plus": ("+", 1), "Minus": ("-", 1), "Times": ("*", 2), "Over": ("/", 2)}[e.head]
    left, right = write(a, names, dialect, strength), write(b, names, dialect, strength + 1)
    return strength, f"{left} {sign} {right}"
