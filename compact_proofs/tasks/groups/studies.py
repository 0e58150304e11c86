"""What the search found in a model, and how each explanation of it fares: tables and pictures. Informative, not claims."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.report.data import Heatmap
from compact_proofs.study import Study
from compact_proofs.tasks.groups.compared import Compared, both_sides, in_double
from compact_proofs.tasks.groups.fitting import Fit, Weights
from compact_proofs.tasks.groups.gsets import GSetsLinear
from compact_proofs.tasks.groups.irreps import isotypic_shares
from compact_proofs.tasks.groups.search import FAINT, find_fits
from compact_proofs.tasks.groups.task import Groups


def studies(model: PairMLP) -> Sequence[Study]:
    """The circuits, and where the linear-cost proof loses margin."""
    w = Weights.of(model)
    with torch.no_grad():
        fits = find_fits(w)
        return [_circuits(w, fits), *_losses(model)]


def heatmaps(model: PairMLP) -> Sequence[Heatmap]:
    """Of the two strongest circuits: what their neurons write together, and gamma; and the slack of the linear-cost proof."""
    w, task, verifier = Weights.of(model), Groups.of(model), GSetsLinear()
    with torch.no_grad():
        margins = verifier.slack(in_double(model), task, verifier.explain(model, task))
        slack = None if margins is None else margins.table()
        fits = sorted(find_fits(w), key=lambda f: -float(w.strength[f.neurons].sum()))[:2]
        found = []
        for i, f in enumerate(fits):
            axes = ("left point b", "right point c")
            caption = "how much of gamma the neurons of each pair of points write; 1 everywhere if the circuit is whole"
            found.append(Heatmap(f"circuit-{i}-neurons", _pair_matrix(w, f).numpy(), axes, caption))
            found.append(Heatmap(f"circuit-{i}-gamma", f.gamma.numpy(), axes, "gamma(b, c), one number for each orbit"))
        if slack is not None:
            caption = "ideal margin less the linear-cost bound of all errors; a pair above 0 is proven right"
            found.append(Heatmap("slack", slack.numpy(), ("x", "y"), caption))
        return found


def circuits_text(model: PairMLP) -> str:
    """The circuits in one line: points, neurons, pairs without a reading."""
    w = Weights.of(model)
    with torch.no_grad():
        fits = find_fits(w)
    parts = []
    for f in fits:
        P, Q = f.gamma.shape
        missing = P * Q - len(torch.unique(f.b * Q + f.c))
        parts.append(f"{P} x {Q}: {len(torch.unique(f.neurons))} neurons" + (f", {missing} pairs missing" if missing else ""))
    return "; ".join(parts)


def _pair_matrix(w: Weights, f: Fit) -> Tensor:
    """[left points, right points]: the component along gamma of what the readings of (b, c) write, in units of gamma."""
    written = torch.zeros(*f.gamma.shape, w.group.order, dtype=torch.float64)
    written = written.index_put((f.b, f.c), (f.share * f.factor.abs())[:, None] * w.output[f.neurons], accumulate=True)
    ideal = f.gamma[:, f.right_image]
    ideal = ideal - ideal.mean(-1, keepdim=True)
    return (written * ideal).sum(-1) / ideal.square().sum(-1).clamp_min(1e-30)


def _circuits(w: Weights, fits: list[Fit]) -> Study:
    strength = w.strength
    rows: list[tuple[str, tuple[float | None, ...]]] = []
    for i, f in enumerate(fits):
        neurons = torch.unique(f.neurons)
        irreps = isotypic_shares(w.group, w.left[:, f.neurons[:1]])
        main = " + ".join(f"{name} ({share:.0%})" for name, share in irreps if share > 0.02)
        P, Q = f.gamma.shape
        missing = P * Q - len(torch.unique(f.b * Q + f.c))
        ideal = f.shift[:, None] + f.factor[:, None] * f.alpha[f.left_image[f.b]]
        real = w.left[:, f.neurons].T
        misfit = (real - ideal).norm() / (real - real.mean(1, keepdim=True)).norm()
        share = strength[neurons].sum() / strength.sum()
        rows.append((f"circuit {i}: {main}", (P, Q, len(neurons), int((f.factor < 0).sum()), missing, float(misfit), float(share))))
    found = torch.unique(torch.cat([f.neurons for f in fits])) if fits else torch.zeros(0, dtype=torch.int64)
    left_over = int((strength > FAINT * strength.max()).sum()) - len(found)
    unexplained = 1 - float(strength[found].sum() / strength.sum())
    rows.append(("in no circuit", (None, None, left_over, None, None, None, unexplained)))
    return Study(
        "circuits",
        "Circuits found in the weights",
        "A circuit is two sets of points on which the group acts, and an ideal neuron for each pair of points. A reading takes a "
        "neuron, or half of it, for an ideal one; a negative one fires where the other does not. Pairs without a reading are "
        "missing. The misfit is that of the neurons' left inputs, as a share of their size. Dead neurons are not counted.",
        (
            "circuit (irreps)",
            "left points",
            "right points",
            "neurons",
            "negative readings",
            "missing pairs",
            "misfit",
            "share of strength",
        ),
        tuple(rows),
    )


def _losses(model: PairMLP) -> list[Study]:
    """Where the linear-cost proof loses margin."""
    task, double, verifier = Groups.of(model), in_double(model), GSetsLinear()
    with torch.no_grad():
        found = Compared.of(double, task, verifier.explain(model, task))
        if found is None:
            return []
        error, (left, right) = found.sums().separate(), found.unexplained()
        of_x, of_y = error.sides
        margin = found.margin.table()
    rows = (
        ("ideal margin (mean and smallest)", (float(margin.mean()), float(margin.min()))),
        ("neurons' inputs and sums over circuits, of x", (float(of_x.mean()), float(of_x.max()))),
        ("neurons' inputs and sums over circuits, of y", (float(of_y.mean()), float(of_y.max()))),
        ("outputs of circuits and bias", (float(error.constant), float(error.constant))),
        ("unexplained neurons, of x", (float(left.mean()), float(left.max()))),
        ("unexplained neurons, of y", (float(right.mean()), float(right.max()))),
    )
    caption = "A pair is proven right if the ideal margin exceeds the sum of the losses below it."
    return [Study("losses", "Where the linear-cost proof loses margin", caption, ("", "mean", "largest"), rows)]
