"""Hints to the checker of directions, as text that Coq reads."""

from __future__ import annotations

from compact_proofs.formal.directions.hints import Cluster, DirectionHints
from compact_proofs.formal.hints_text import hints_header, list_in_lines, machine_integers


def hints_source(hints: DirectionHints) -> str:
    """Write the hints: the text of Hints.v."""
    clusters = "\n".join(f"Definition cluster_{i} : cluster := {_cluster(c)}.\n" for i, c in enumerate(hints.clusters))
    return f"""{hints_header("DirectionsChecker", hints.bits)}
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
    neurons = list_in_lines(f"one {v.index} {v.factor}%sint63 {machine_integers(v.coordinates)}" for v in c.neurons)
    return f"""{{|
  neurons := {neurons};
  directions := {list_in_lines(f"z {machine_integers(d)}" for d in c.directions)}
|}}"""
