"""What ``compact-proofs formalize`` says of a theorem."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from compact_proofs.cli.output import options_text, say, write_json
from compact_proofs.decimals import decimal
from compact_proofs.formal.arithmetic import Arithmetic

if TYPE_CHECKING:
    from compact_proofs.core.certificate import Certificate
    from compact_proofs.formal.theorem import Checked, Formalization


def duration(seconds: float) -> str:
    """Seconds in words, in the unit that suits them."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _document(theorem: Formalization, proven: Certificate, arithmetic: Arithmetic) -> dict[str, Any]:
    said = proven.to_json()
    return {name: said[name] for name in ("task", "parameters", "function", "statement")} | {
        "folder": str(theorem.folder),
        "model_sha256": proven.claim.function.weights_sha256,
        "strategy": proven.strategy,
        "options": proven.options,
        "arithmetic": str(arithmetic),
        "claimed": str(proven.claim.numerator),
        "denominator": str(proven.claim.denominator),
        "expected_seconds": theorem.seconds(),
    }


def show_written(theorem: Formalization, proven: Certificate, arithmetic: Arithmetic, as_json: bool) -> None:
    """Say what a theorem claims that Coq has not seen yet."""
    claim = proven.claim
    if as_json:
        write_json(_document(theorem, proven, arithmetic) | {"checked": None})
        return
    say(f"Not checked yet. Claim: {theorem.statement.words(claim.numerator)}   (= {decimal(claim.bound)}).")
    say("Let Coq check it: the same command with --check --force.")


def show_checked(theorem: Formalization, proven: Certificate, checked: Checked, arithmetic: Arithmetic, as_json: bool) -> None:
    """Say what Coq accepted, by how much it differs from the certificate, and what it rests on."""
    claim = proven.claim
    difference = checked.numerator - claim.numerator
    if as_json:
        found = {
            "numerator": str(checked.numerator),
            "difference": str(difference),
            "statement": checked.statement,
            "assumptions": checked.assumptions,
            "seconds": checked.seconds,
            "coq": checked.coq,
        }
        write_json(_document(theorem, proven, arithmetic) | {"checked": found})
        return
    say(f"Theorem, accepted by Coq {checked.coq.split()[0]}.", style="bold green")
    say(f"{checked.statement}   (= {decimal(Fraction(checked.numerator, claim.denominator))})")
    say(f"Proved by {f'{proven.strategy} {options_text(proven.options)}'.strip()}, computed in {arithmetic} arithmetic.")
    same = (
        f"{claim.numerator} inputs, Coq {difference:+d} (it rounds, and may bound, in its own way)"
        if difference
        else "the same number of inputs"
    )
    say(f"The certificate in Python proves {same}.")
    s = checked.seconds
    times = {"Weights.v": "weights read", "Count.v": "counted", "Accuracy.v": "theorem checked"}
    say("Seconds of the processor: " + ", ".join(f"{words} in {s[name]:.1f}" for name, words in times.items() if name in s) + ".")
    say("It rests on: " + ("nothing but Coq's logic." if not checked.assumptions else "; ".join(checked.assumptions) + "."))
    say("What it says is defined in " + " and ".join(f"formal/{name}.v" for name in theorem.statement.open) + ".")
