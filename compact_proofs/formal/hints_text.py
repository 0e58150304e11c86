"""Hints to compact checkers, as text that Coq reads: what the files of all of them have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def hints_header(checker: str, bits: int) -> str:
    """The beginning of Hints.v, for a checker by the name of its file; its numbers are integers over 2^bits."""
    return f"""(** Hints to the checker. Nothing here needs to be trusted: bad hints prove less, never what is false. *)

From Coq Require Import List Uint63 Sint63.
From CompactProofs Require Import {checker}.
Import ListNotations.
Open Scope list_scope.
Open Scope nat_scope.

(** Numbers are integers over 2 ^ bits. *)
Definition bits := {bits}.
Definition z := map Sint63.to_Z.
"""


def machine_integers(numbers: Sequence[int]) -> str:
    """A list of machine integers."""
    return f"[{'; '.join(f'({x})' if x < 0 else str(x) for x in numbers)}]%sint63"


def list_in_lines(items: Iterable[str]) -> str:
    """A list with a line for each item."""
    return "[\n    " + ";\n    ".join(items) + "]"
