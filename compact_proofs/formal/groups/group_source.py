"""Hints to the compact checker of groups, as text that Coq reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compact_proofs.formal.groups.hints import CircuitHints, GroupHints, Reading
from compact_proofs.formal.hints_text import hints_header, list_in_lines, machine_integers


def hints_source(hints: GroupHints) -> str:
    """Write the hints: the text of Hints.v."""
    circuits = "\n".join(f"Definition circuit_{i} : circuit := {_circuit(c)}.\n" for i, c in enumerate(hints.circuits))
    return f"""{hints_header("GroupChecker", hints.bits)}
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
    cells = list_in_lines(_nested(_nested(map(_reading, cell)) for cell in row) for row in c.cells)
    return f"""{{|
  left_points := {P};
  right_points := {Q};
  left_image := {list_in_lines(map(_list, c.left_image))};
  right_image := {list_in_lines(map(_list, c.right_image))};
  gamma := {list_in_lines(map(_numbers, c.gamma))};
  table := {list_in_lines(map(_numbers, c.table))};
  cells := {cells}
|}}"""


def _reading(r: Reading) -> str:
    one = " ".join(f"({x})%sint63" for x in (r.share, r.mean, r.slope))
    return f"read {r.neuron} {one} {' '.join(machine_integers(x) for x in (r.seen_left, r.seen_right, r.rows, r.columns))}"


def _numbers(numbers: Sequence[int]) -> str:
    return f"z {machine_integers(numbers)}"


def _list(numbers: Sequence[int]) -> str:
    return f"[{'; '.join(map(str, numbers))}]"


def _nested(items: Iterable[str]) -> str:
    return f"[{'; '.join(items)}]"
