"""A theorem that is written into a folder, and its check by Coq."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from compact_proofs.errors import CertificateRejected
from compact_proofs.files.atomic import made, write_atomically
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


@runtime_checkable
class Measured(Protocol):
    """A statement whose checker's operations are counted, beside those of running the network on every input."""

    @property
    def length(self) -> int: ...

    @property
    def brute_force_length(self) -> int: ...


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
    made(folder)
    for name, text in {**statement.parts, "Accuracy.v": statement.accuracy(numerator)}.items():
        write_atomically(folder / name, text.encode())
    return Formalization(folder, statement, numerator)


def check_theorem(theorem: Formalization, *, fresh: bool = False) -> Checked:
    """Let Coq count what the checker proves, and check the theorem with that count.

    The strategy's count and Coq's are of the same set of inputs, but for those at whose edge the two round differently.
    Where they differ, Accuracy.v is written again with Coq's. The theorem is then stated once more, in Assumptions.v, where
    only Coq's and the development's names are open, so that nothing in the folder can change what the words mean.

    The files in the folder must be those that the statement gives, letter by letter. Coq reads none of them: it gets their texts in
    a folder of its own, so that compiled files, links and folders beside them have no say.

    Parameters
    ----------
    theorem
        As written by `write_theorem`.
    fresh
        Compile the development anew, whatever is kept in the cache.

    Raises
    ------
    BadInput
        If Coq or its libraries are missing.
    CertificateRejected
        If a file is missing or was changed, Coq does not accept the files, or the theorem rests on something that it should not.
    """
    coq = Coq.find()
    statement, numerator, folder = theorem.statement, theorem.numerator, theorem.folder
    _compare(statement, folder)
    seconds: dict[str, float] = {}
    development = (coq.build(fresh=fresh), ROOT)
    with tempfile.TemporaryDirectory(prefix="theorem-") as place:

        def compiled(name: str, text: str) -> Output:
            (Path(place) / name).write_bytes(text.encode())
            output = coq.compile(Path(place) / name, development, (Path(place), NAME))
            seconds[name] = seconds.get(name, 0.0) + output.seconds
            return output

        def accepted(name: str, text: str) -> str:
            output = compiled(name, text)
            if not output.accepted:
                raise CertificateRejected(f"{folder / name}: Coq does not accept it: {output.text.strip()[:1000]}")
            return output.text

        def written(name: str, text: str) -> str:
            write_atomically(folder / name, text.encode())
            return text

        for name in track([*statement.parts, "Accuracy.v", "Assumptions.v"], "Coq checks the theorem"):
            if name == "Accuracy.v":
                if statement.counts_first or not compiled(name, statement.accuracy(numerator)).accepted:
                    numerator = _count(accepted("Count.v", written("Count.v", statement.count())), folder / "Count.v")
                    accepted(name, written(name, statement.accuracy(numerator)))
            elif name == "Assumptions.v":
                printed = accepted(name, written(name, assumptions_source(statement, numerator)))
            else:
                accepted(name, statement.parts[name])
    found = read_assumptions(printed)
    if found.objections:
        listed = "; ".join(found.objections)
        raise CertificateRejected(f"{folder / 'Accuracy.v'}: the theorem rests on what it must not: {listed}")
    return Checked(numerator, statement.words(numerator), found.words, seconds, coq.version)


def assumptions_source(statement: Statement, numerator: int) -> str:
    """Write a file that states the theorem where no name of the folder is open, and asks what it rests on.

    It is stated before files are read that it does not name: nothing in them can change how it is read.
    """
    words = statement.words(numerator)
    files = [name.removesuffix(".v") for name in statement.parts]
    named = [name for name in files if f"{NAME}.{name}." in words]
    others = [name for name in files if name not in named]
    return f"""(** What the theorem says, and what it rests on. Of the names here, only those that begin with {NAME} are from this
    folder: nothing in it can change what the others mean. *)

From Coq Require Import Reals List.
From CompactProofs Require Import {" ".join(statement.open)}.
From {NAME} Require {" ".join(named)}.
Import ListNotations.
Open Scope R_scope.

Definition claim : Prop :=
  {words}.

From {NAME} Require {" ".join([*others, "Accuracy"])}.

Theorem statement : claim.
Proof. exact {NAME}.Accuracy.accuracy_bound. Qed.

Print Typing Flags.
Print Assumptions statement.
"""


def _compare(statement: Statement, folder: Path) -> None:
    """Refuse files that are not what the statement gives: what is checked is what is in the folder."""
    for name in [*statement.parts, "Accuracy.v"]:
        try:
            text = (folder / name).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            raise CertificateRejected(f"{folder / name} is missing, or no text; write it again by the same command") from None
        expected = statement.parts.get(name)
        if expected is None:  # Accuracy.v, with any number
            number = re.search(r">= (\d+) /", text)
            expected = statement.accuracy(int(number[1])) if number else ""
        if text != expected:
            raise CertificateRejected(f"{folder / name} is not what this network and these options give; it was changed")


def _count(printed: str, file: Path) -> int:
    found = re.search(r"proven\s*=\s*\(?(-?\d+)", printed)
    if not found:
        raise CertificateRejected(f"{file}: Coq printed no count: {printed.strip()[:1000]}")
    return int(found[1])
