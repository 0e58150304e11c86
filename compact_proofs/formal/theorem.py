"""A theorem from a model and a strategy, and its check by Coq."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from compact_proofs.atomic import write_atomically
from compact_proofs.errors import CertificateRejected
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.assumptions import read_assumptions
from compact_proofs.formal.checkers import ASSUMING, NUMBER, Checker, checker_for
from compact_proofs.formal.coq import ROOT, Coq
from compact_proofs.formal.sources import ASSUMPTIONS, NAME, count_source, hints_source, theorem_source, weights_source
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.progress import track
from compact_proofs.strategy import Strategy


@dataclass(frozen=True)
class Formalization:
    """A theorem that is written but not checked.

    Attributes
    ----------
    folder
        Of Weights.v, Hints.v and Accuracy.v.
    model, checker, arithmetic
        What it is about, how it is checked, and with which numbers.
    numerator
        Inputs that it claims to be right.
    """

    folder: Path
    model: AttentionOnlyTransformer
    checker: Checker
    arithmetic: Arithmetic
    numerator: int

    def seconds(self) -> float:
        """About how long `check_theorem` takes: reading the weights, counting, checking the theorem, listing its assumptions."""
        weights = NUMBER * sum(p.numel() for p in self.model.parameters())
        return weights + 2 * (1 + self.checker.seconds(self.arithmetic)) + ASSUMING


@dataclass(frozen=True)
class Checked:
    """A theorem that Coq accepted.

    Attributes
    ----------
    numerator
        Inputs that are proven right: Coq's own count.
    statement
        As Coq prints it.
    assumptions
        In words.
    seconds
        Processor time by file.
    coq
        Version.
    """

    numerator: int
    statement: str
    assumptions: list[str]
    seconds: dict[str, float]
    coq: str


def formalize(
    model: AttentionOnlyTransformer,
    strategy: Strategy,
    explanation: Mapping[str, Tensor],
    numerator: int,
    folder: Path,
    *,
    title: str = "a model",
    arithmetic: Arithmetic = Arithmetic.hardware,
) -> Formalization:
    """Write the theorem that at least `numerator` of all inputs are answered rightly.

    Parameters
    ----------
    model, strategy, explanation
        As for `compact_proofs.prove`; the strategy must have a verified checker.
    numerator
        What the strategy proved.
    folder
        An existing folder; files of the same names are replaced.
    title
        Names the model in a comment.
    arithmetic
        What the checker computes with.

    Raises
    ------
    BadInput
        If there is no verified checker, or the files cannot be written.
    """
    checker = checker_for(strategy, model, explanation)
    files = {
        "Weights.v": weights_source(model, title),
        "Hints.v": hints_source(checker),
        "Accuracy.v": theorem_source(model, checker, arithmetic, numerator),
    }
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return Formalization(folder, model, checker, arithmetic, numerator)


def check_theorem(theorem: Formalization) -> Checked:
    """Let Coq count what the checker proves, and check the theorem with that count.

    The strategy's count and Coq's are of the same set of inputs, but for those at whose edge the two round differently.
    Where they differ, Accuracy.v is written again with Coq's.

    Raises
    ------
    BadInput
        If Coq or its libraries are missing.
    CertificateRejected
        If Coq does not accept the files, or the theorem rests on an axiom that it should not.
    """
    coq, seconds = Coq.find(), {}
    paths = ((coq.build(), ROOT), (theorem.folder, NAME))
    numerator, printed = theorem.numerator, ""
    write_atomically(theorem.folder / "Count.v", count_source(theorem.checker, theorem.arithmetic).encode())
    write_atomically(theorem.folder / "Assumptions.v", ASSUMPTIONS.encode())
    for name in track(("Weights.v", "Hints.v", "Count.v", "Accuracy.v", "Assumptions.v"), "Coq checks the theorem"):
        output = coq.compile(theorem.folder / name, *paths)
        seconds[name] = output.seconds
        if not output.accepted:
            raise CertificateRejected(f"{theorem.folder / name}: Coq does not accept it: {output.text.strip()[:1000]}")
        printed = output.text
        if name == "Count.v":
            numerator = _count(printed, theorem.folder / name)
            if numerator != theorem.numerator:
                text = theorem_source(theorem.model, theorem.checker, theorem.arithmetic, numerator)
                write_atomically(theorem.folder / "Accuracy.v", text.encode())
    words, others = read_assumptions(printed)
    if others:
        raise CertificateRejected(f"{theorem.folder / 'Accuracy.v'}: the theorem assumes {', '.join(others)}, which it must not")
    return Checked(numerator, _statement(printed), words, seconds, coq.version)


def _count(printed: str, file: Path) -> int:
    found = re.search(r"proven\s*=\s*\(?(-?\d+)", printed)
    if not found:
        raise CertificateRejected(f"{file}: Coq printed no count: {printed.strip()[:1000]}")
    return int(found[1])


def _statement(printed: str) -> str:
    text = re.split(r"Axioms:|Closed under", printed)[0]
    return " ".join(text.split()).removeprefix("params_accuracy : ")
