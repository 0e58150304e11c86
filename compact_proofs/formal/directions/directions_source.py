"""Hints to the checker of directions, as text that Coq reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compact_proofs.formal.directions.hints import Cluster, DirectionHints


def hints_source(hints: DirectionHints) -> str:
    """Write the hints: the text of Hints.v."""
    clusters = "\n".join(f"Definition cluster_{i} : cluster := {_cluster(c)}.\n" for i, c in enumerate(hints.clusters))
    return f"""(** Hints to the checker. Nothing here needs to be trusted: bad hints prove less, never what is false. *)

From Coq Require Import List Uint63 Sint63.
From CompactProofs Require Import DirectionsChecker.
Import ListNotations.
Open Scope list_scope.
Open Scope nat_scope.

(** Numbers are integers over 2 ^ bits. *)
Definition bits := {hints.bits}.
Definition z := map Sint63.to_Z.

(** A neuron, what it is multiplied by, and its coordinates. *)
Definition one i factor numbers : neuron := {{|
  index := i; factor := Sint63.to_Z factor; coordinates := z numbers
|}}.

{clusters}
Definition clusters : list cluster := [{"; ".join(f"cluster_{i}" for i in range(len(hints.clusters)))}].

(** Are pairs that the bounds do not prove evaluated? *)
Definition evaluated := {str(hints.rest).lower()}.
"""


def _cluster(c: Cluster) -> str:
    neurons = _lines(f"one {v.index} {v.factor}%sint63 {_machine(v.coordinates)}" for v in c.neurons)
    return f"""{{|
  neurons := {neurons};
  directions := {_lines(f"z {_machine(d)}" for d in c.directions)}
|}}"""


def _machine(numbers: Sequence[int]) -> str:
    return f"[{'; '.join(f'({x})' if x < 0 else str(x) for x in numbers)}]%sint63"


def _lines(items: Iterable[str]) -> str:
    return "[\n    " + ";\n    ".join(items) + "]"
