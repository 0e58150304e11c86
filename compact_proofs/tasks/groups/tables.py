"""What the search found in a model, and where its proofs lose margin: tables and pictures. Informative, not claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.algebra.irreps import isotypic_shares
from compact_proofs.bounds.ranges import spread
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.weights import in_double
from compact_proofs.tables import Heatmap, Table
from compact_proofs.tasks.groups.circuits import Circuit, check_circuits
from compact_proofs.tasks.groups.errors import sums_of
from compact_proofs.tasks.groups.fitting import Weights
from compact_proofs.tasks.groups.gsets import GSets
from compact_proofs.tasks.groups.margins import MarginBounds, both_sides
from compact_proofs.tasks.groups.search import FAINT
from compact_proofs.tasks.groups.task import Groups

PICTURED = 2
"""Circuits that are drawn."""
WORDS = {
    "all": "all pairs of points",
    "left": "the pairs of each left point: the network does without right symmetry on x",
    "right": "the pairs of each right point: the network does without left symmetry on y",
}


@dataclass(frozen=True)
class Found:
    """The circuits that `GSets` explains a model by, strongest first.

    Attributes
    ----------
    weights
        The model's.
    circuits, tables
        With T_bc of the pairs that have readings.
    compared
        The network beside them; None without circuits.
    """

    weights: Weights
    circuits: tuple[Circuit, ...]
    tables: tuple[Tensor, ...]
    compared: MarginBounds | None

    @classmethod
    def of(cls, model: PairMLP) -> Found:
        """Search."""
        task, double, w = Groups.of(model), in_double(model).requires_grad_(False), Weights.of(model)
        with torch.no_grad():
            explanation, inputs = GSets().explain(model, task), both_sides(double)
            checked = check_circuits(explanation, task.group)
            if checked is None:
                return cls(w, (), (), None)
            circuits = sorted(checked.circuits, key=lambda c: -float(w.strength[torch.unique(c.neurons)].sum()))
            tables = tuple(sums_of(c, checked.alike, inputs, double.U, exact=False)[1] for c in circuits)
            return cls(w, tuple(circuits), tables, MarginBounds.of(double, task, explanation, inputs))


def tables(model: PairMLP) -> Sequence[Table]:
    """The circuits, and where the linear-cost proof loses margin."""
    found = Found.of(model)
    return [_circuits(found), *([] if found.compared is None else [_losses(found.compared)])]


def heatmaps(model: PairMLP) -> Sequence[Heatmap]:
    """Of the strongest circuits: gamma, how many neurons each pair of points has, and the mean of their tables."""
    found = Found.of(model)
    pictures = []
    for i, (circuit, tables) in enumerate(list(zip(found.circuits, found.tables, strict=True))[:PICTURED]):
        mean = tables.sum(0) / max(1, len(tables))
        neurons = torch.zeros_like(circuit.gamma).index_put((circuit.b, circuit.c), circuit.share, accumulate=True)
        points = ("left point b", "right point c")
        seen = ("p = x^-1 b", "q = y c")
        pictures += [
            Heatmap(f"circuit-{i}-gamma", circuit.gamma.numpy(), points, "gamma(b, c): one number for each orbit of the group"),
            Heatmap(
                f"circuit-{i}-neurons",
                neurons.numpy(),
                points,
                "how many neurons see each pair of points, with shares of those that are read in several ways; 0: missing",
                signed=False,
            ),
            Heatmap(f"circuit-{i}-table", mean.numpy(), seen, "the mean table: what a pair of points adds, given what it sees"),
        ]
    if found.compared is not None:
        caption = "smallest gap less the linear-cost bound of all errors; a pair above 0 is proven right"
        pictures.append(Heatmap("slack", found.compared.slack().table().numpy(), ("x", "y"), caption))
    return pictures


def circuits_text(model: PairMLP) -> str:
    """The circuits in one line: points, neurons, pairs without a reading."""
    found = Found.of(model)
    parts = []
    for c in found.circuits:
        P, Q = c.gamma.shape
        missing = P * Q - len(c.pairs)
        parts.append(f"{P} x {Q}: {len(torch.unique(c.neurons))} neurons" + (f", {missing} pairs missing" if missing else ""))
    alike = found.compared.circuits.alike if found.compared is not None else "all"
    return "; ".join(parts) + ("" if alike == "all" else f"; alike for each {alike} point only")


def _circuits(found: Found) -> Table:
    w = found.weights
    strength = w.strength
    rows: list[tuple[str, tuple[float | None, ...]]] = []
    for i, (c, tables) in enumerate(zip(found.circuits, found.tables, strict=True)):
        neurons = torch.unique(c.neurons)
        irreps = isotypic_shares(w.group, w.left[:, c.neurons[:1]])
        main = " + ".join(f"{name} ({share:.0%})" for name, share in irreps if share > 0.02)
        P, Q = c.gamma.shape
        total = tables.sum(0)
        alike = (tables * total).sum((1, 2)) / (tables.flatten(1).norm(dim=1) * total.norm()).clamp_min(1e-30)
        U = c.share[:, None] * w.output[c.neurons]
        misfit = (U - c.scale[:, None] * c.output[c.b, c.c]).norm() / U.norm()
        part = strength[neurons].sum() / strength.sum()
        numbers = (P, Q, len(neurons), len(c.neurons), P * Q - len(c.pairs), float(alike.mean()), float(misfit), float(part))
        rows.append((f"circuit {i}: {main}", numbers))
    inside = torch.unique(torch.cat([c.neurons for c in found.circuits])) if rows else torch.zeros(0, dtype=torch.int64)
    left_over = int((strength > FAINT * strength.max()).sum()) - len(inside)
    rows.append(("in no circuit", (None, None, left_over, *[None] * 4, 1 - float(strength[inside].sum() / strength.sum()))))
    alike_for = "" if found.compared is None else f" Here they are compared over {WORDS[found.compared.circuits.alike]}."
    return Table(
        "circuits",
        "Circuits found in the weights",
        "A circuit is two sets of points on which the group acts; its neurons see x and y as points, and write gamma. A neuron may "
        "be read in several ways, if the points have symmetries. Pairs without a reading are missing. What a pair of points adds, "
        "given what it sees, is its table: alike 1 if the tables of all pairs are proportional, less if neurons see a "
        f"representation along different directions.{alike_for} Misfit: what gamma leaves of the output weights. Dead neurons are "
        "not counted.",
        (
            "circuit (irreps)",
            "left points",
            "right points",
            "neurons",
            "readings",
            "missing pairs",
            "alike",
            "misfit",
            "share of strength",
        ),
        tuple(rows),
    )


def _losses(compared: MarginBounds) -> Table:
    """Where the linear-cost proof loses margin."""
    gap, sums = compared.gaps.smallest().table(), compared.sums
    known = spread(sums.moved)

    def row(label: str, values: Tensor) -> tuple[str, tuple[float | None, ...]]:
        return label, (float(values.mean()), float(values.max()))

    rows = (
        ("smallest gap of the circuits (mean, smallest)", (float(gap.mean()), float(gap.min()))),
        row("known sums, of x", known[0]),
        row("known sums, of y", known[1]),
        row("known sums, of neither", spread(sums.constant)),
        row("rest of output weights", sums.apart),
        row("neurons' inputs, of x", sums.error[0]),
        row("neurons' inputs, of y", sums.error[1]),
        row("unexplained neurons, of x", compared.unexplained[0]),
        row("unexplained neurons, of y", compared.unexplained[1]),
    )
    caption = (
        "A pair is proven right in linear cost if the gap exceeds the sum of the losses below it. Pair by pair, known sums are "
        "taken for each output, not at their worst."
    )
    return Table("losses", "Where the linear-cost proof loses margin", caption, ("", "mean", "largest"), rows)
