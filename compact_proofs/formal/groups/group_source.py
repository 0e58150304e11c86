"""Hints to the compact checker of groups, as text that Coq reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compact_proofs.formal.groups.hints import CircuitHints, GroupHints, Reading


def hints_source(hints: GroupHints) -> str:
    """Write the hints: the text of Hints.v."""
    circuits = "\n".join(f"Definition circuit_{i} : circuit := {_circuit(c)}.\n" for i, c in enumerate(hints.circuits))
    return f"""(** Hints to the checker. Nothing here needs to be trusted: bad hints prove less, never what is false. *)

From Coq Require Import List Uint63 Sint63.
From CompactProofs Require Import GroupChecker.
Import ListNotations.
Open Scope list_scope.
Open Scope nat_scope.

(** Numbers are integers over 2 ^ bits. *)
Definition bits := {hints.bits}.
Definition z := map Sint63.to_Z.

(** A share of a neuron; how it sees its points; its outputs there. *)
Definition read i share mean slope left right rows columns : reading := {{|
  neuron := i; share := Sint63.to_Z share; mean := Sint63.to_Z mean; slope := Sint63.to_Z slope;
  seen_left := z left; seen_right := z right; rows := z rows; columns := z columns
|}}.

(** The neutral element, and the inverse of every element. *)
Definition neutral := {hints.neutral}.
Definition inverse : list nat := {_list(hints.inverse)}.

{circuits}
Definition circuits : list circuit := [{"; ".join(f"circuit_{i}" for i in range(len(hints.circuits)))}].
"""


def _circuit(c: CircuitHints) -> str:
    P, Q = c.points
    cells = _lines(_nested(_nested(map(_reading, cell)) for cell in row) for row in c.cells)
    return f"""{{|
  left_points := {P};
  right_points := {Q};
  left_image := {_lines(map(_list, c.left_image))};
  right_image := {_lines(map(_list, c.right_image))};
  gamma := {_lines(map(_numbers, c.gamma))};
  table := {_lines(map(_numbers, c.table))};
  cells := {cells}
|}}"""


def _reading(r: Reading) -> str:
    one = " ".join(f"({x})%sint63" for x in (r.share, r.mean, r.slope))
    return f"read {r.neuron} {one} {' '.join(_machine(x) for x in (r.seen_left, r.seen_right, r.rows, r.columns))}"


def _machine(numbers: Sequence[int]) -> str:
    return f"[{'; '.join(f'({x})' if x < 0 else str(x) for x in numbers)}]%sint63"


def _numbers(numbers: Sequence[int]) -> str:
    return f"z {_machine(numbers)}"


def _list(numbers: Sequence[int]) -> str:
    return f"[{'; '.join(map(str, numbers))}]"


def _nested(items: Iterable[str]) -> str:
    return f"[{'; '.join(items)}]"


def _lines(items: Iterable[str]) -> str:
    return "[\n    " + ";\n    ".join(items) + "]"
