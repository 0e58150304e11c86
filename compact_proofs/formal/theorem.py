"""A theorem that is written into a folder, and its check by Coq."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files.atomic import write_atomically
from compact_proofs.formal.assumptions import read_assumptions
from compact_proofs.formal.coq import ROOT, Coq, Output
from compact_proofs.progress import track

NAME = "Formalized"
"""The name inside Coq of a theorem's folder."""


class Statement(Protocol):
    """A theorem of the form "at least N of all inputs are answered rightly", for every N.

    Attributes
    ----------
    parts
        The files on which the theorem and its proof build, in the order in which they are compiled: names and texts.
    open
        Names of the development's trusted files, that say what the statement means.
    counts_first
        Whether Coq counts before it checks, as its count may be the larger one; otherwise it counts if it rejects the theorem.
    """

    @property
    def parts(self) -> dict[str, str]: ...

    @property
    def open(self) -> tuple[str, ...]: ...

    @property
    def counts_first(self) -> bool: ...

    def words(self, numerator: int) -> str:
        """The statement in Coq, with names of the folder's files in front of what they define."""
        ...

    def accuracy(self, numerator: int) -> str:
        """The text of Accuracy.v: the theorem ``accuracy_bound`` and its proof."""
        ...

    def count(self) -> str:
        """The text of Count.v, which prints how many right answers the checker counts."""
        ...

    def seconds(self) -> float:
        """About how long the check takes."""
        ...


@dataclass(frozen=True)
class Formalization:
    """A theorem that is written but not checked.

    Attributes
    ----------
    folder
        Of its files.
    statement
        What it says, and its proof.
    numerator
        Inputs that it claims to be right.
    """

    folder: Path
    statement: Statement
    numerator: int

    def seconds(self) -> float:
        """About how long `check_theorem` takes."""
        return self.statement.seconds()

    def check(self, *, fresh: bool = False) -> Checked:
        """Let Coq check the theorem (`check_theorem`)."""
        return check_theorem(self, fresh=fresh)


@dataclass(frozen=True)
class Checked:
    """A theorem that Coq accepted.

    Attributes
    ----------
    numerator
        Inputs that are proven right: Coq's own count.
    statement
        In Coq.
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


def write_theorem(statement: Statement, numerator: int, folder: Path) -> Formalization:
    """Write a theorem's files into a folder, which is made if it is not there; files of the same names are replaced.

    Raises
    ------
    BadInput
        If that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: the folder cannot be made ({error.strerror})") from error
    for name, text in {**statement.parts, "Accuracy.v": statement.accuracy(numerator)}.items():
        write_atomically(folder / name, text.encode())
    return Formalization(folder, statement, numerator)


def check_theorem(theorem: Formalization, *, fresh: bool = False) -> Checked:
    """Let Coq count what the checker proves, and check the theorem with that count.

    The strategy's count and Coq's are of the same set of inputs, but for those at whose edge the two round differently.
    Where they differ, Accuracy.v is written again with Coq's. The theorem is then stated once more, in Assumptions.v, where
    only Coq's and the development's names are open, so that nothing in the folder can change what the words mean.

    Parameters
    ----------
    theorem
        As written by `write_theorem`.
    fresh
        Compile the development anew, whatever is kept in the cache.

    Raises
    ------
    BadInput
        If Coq or its libraries are missing, or the folder holds compiled files that are not of this theorem.
    CertificateRejected
        If Coq does not accept the files, or the theorem rests on something that it should not.
    """
    coq = Coq.find()
    seconds: dict[str, float] = {}
    paths = ((coq.build(fresh=fresh), ROOT), (theorem.folder, NAME))
    statement, numerator = theorem.statement, theorem.numerator
    _check_alone(theorem.folder, [*statement.parts, "Count.v", "Accuracy.v", "Assumptions.v"])

    def compiled(name: str, text: str | None = None) -> Output:
        if text is not None:
            write_atomically(theorem.folder / name, text.encode())
        output = coq.compile(theorem.folder / name, *paths)
        seconds[name] = seconds.get(name, 0.0) + output.seconds
        return output

    def accepted(name: str, text: str | None = None) -> str:
        output = compiled(name, text)
        if not output.accepted:
            raise CertificateRejected(f"{theorem.folder / name}: Coq does not accept it: {output.text.strip()[:1000]}")
        return output.text

    for name in track([*statement.parts, "Accuracy.v", "Assumptions.v"], "Coq checks the theorem"):
        if name == "Accuracy.v":
            if statement.counts_first or not compiled(name).accepted:
                numerator = _count(accepted("Count.v", statement.count()), theorem.folder / "Count.v")
                accepted(name, statement.accuracy(numerator) if numerator != theorem.numerator else None)
        elif name == "Assumptions.v":
            printed = accepted(name, assumptions_source(statement, numerator))
        else:
            accepted(name)
    found = read_assumptions(printed)
    if found.objections:
        listed = "; ".join(found.objections)
        raise CertificateRejected(f"{theorem.folder / 'Accuracy.v'}: the theorem rests on what it must not: {listed}")
    return Checked(numerator, theorem.statement.words(numerator), found.words, seconds, coq.version)


def assumptions_source(statement: Statement, numerator: int) -> str:
    """Write a file that states the theorem where no name of the folder is open, and asks what it rests on."""
    files = " ".join(name.removesuffix(".v") for name in statement.parts)
    return f"""(** What the theorem says, and what it rests on. Of the names here, only those that begin with {NAME} are from this
    folder: nothing in it can change what the others mean. *)

From Coq Require Import Reals List.
From CompactProofs Require Import {" ".join(statement.open)}.
From {NAME} Require {files} Accuracy.
Import ListNotations.
Open Scope R_scope.

Theorem statement :
  {statement.words(numerator)}.
Proof. exact {NAME}.Accuracy.accuracy_bound. Qed.

Print Typing Flags.
Print Assumptions statement.
"""


def _check_alone(folder: Path, files: list[str]) -> None:
    """Refuse compiled files that could lend their names to an axiom."""
    known = {folder / f"{name}o" for name in files}
    others = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.vo") if file not in known)
    if others:
        raise BadInput(f"{folder}: it holds compiled files that are not of the theorem ({', '.join(others)[:200]}); remove them")


def _count(printed: str, file: Path) -> int:
    found = re.search(r"proven\s*=\s*\(?(-?\d+)", printed)
    if not found:
        raise CertificateRejected(f"{file}: Coq printed no count: {printed.strip()[:1000]}")
    return int(found[1])
