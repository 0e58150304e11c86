"""Hints to the checker of fractions, as text that Coq reads."""

from __future__ import annotations

from collections.abc import Sequence

from compact_proofs.formal.fractions.box_hints import Group
from compact_proofs.formal.fractions.fraction_structure import Fractions, Head
from compact_proofs.formal.goal.boxes import Interval
from compact_proofs.formal.hints_text import list_in_lines
from compact_proofs.formal.network.language import Scalar
from compact_proofs.formal.network.source import scalar_source


def hints_source(fractions: Fractions, groups: Sequence[Group]) -> str:
    """Write the hints: the text of Hints.v."""
    heads = "\n".join(f"Definition head_{i} : head := {_head(h)}.\n" for i, h in enumerate(fractions.heads))
    boxes = "\n".join(f"Definition group_{i} : group := {_group(g)}.\n" for i, g in enumerate(groups))
    return f"""(** Hints to the checker. Nothing here needs to be trusted: bad hints prove less, never what is false. *)

From Coq Require Import List ZArith Uint63.
From CompactProofs Require Import Network Boxes Fractions FractionCount.
Import ListNotations.
Open Scope list_scope.
Open Scope nat_scope.

(** The logit of output Axis 0, by the numbers of the tensors in Tables.v: of each head the weights, and what is written, at all
    positions, and what is written beside heads. *)
{heads}
Definition fractions : fractions := {{|
  direct := {_scalar(fractions.direct)};
  heads := [{"; ".join(f"head_{i}" for i in range(len(fractions.heads)))}]
|}}.

(** For each label sizes of pieces, and last tokens with their boxes: of each token before, the first value and their number. *)
Local Open Scope uint63_scope.
{boxes}
Definition groups : list group := [{"; ".join(f"group_{i}" for i in range(len(groups)))}].
"""


def _head(h: Head) -> str:
    return f"""{{|
  attention := {list_in_lines(map(_scalar, h.attention))};
  written := {list_in_lines(map(_scalar, h.written))}
|}}"""


def _group(g: Group) -> str:
    queries = list_in_lines(f"({q}, {_boxes(boxes)})" for q, boxes in g.queries.items())
    return f"group_from {g.label} [{'; '.join(map(str, g.pieces))}] {queries}"


def _boxes(boxes: Sequence[tuple[Interval, ...]]) -> str:
    return "[" + "; ".join("[" + "; ".join(f"{a}; {n}" for a, n in box) + "]" for box in boxes) + "]"


def _scalar(e: Scalar) -> str:
    return scalar_source(e, [str(i) for i in range(1 + max(e.reads(), default=0))])
