"""Tables and matrices about a network for modular addition: its frequencies, what they leave unexplained, margins by a - b."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.tables import Heatmap, Table
from compact_proofs.tasks.modular_addition.factors import explain_layer
from compact_proofs.tasks.modular_addition.kinks import margin_bounds, wave_rest
from compact_proofs.tasks.modular_addition.layer import Layer, bound_layer, clusters
from compact_proofs.tasks.modular_addition.neuron_order import padded
from compact_proofs.tasks.modular_addition.projection import used_frequencies
from compact_proofs.tasks.modular_addition.response import Cluster, kink_range, quadrature_range
from compact_proofs.tasks.modular_addition.search import folded_in_float64, spectrum
from compact_proofs.tasks.modular_addition.tuning import all_logits
from compact_proofs.tasks.modular_addition.waves import pair_class, waves

SHOWN = 8
"""Classes of a - b in the table of margins: those with the smallest ones."""


class Analysis(NamedTuple):
    """The kink proof's parts in plain float64 arithmetic: to look at, not to believe."""

    hints: dict[str, Tensor]
    layer: Layer
    clusters: Cluster
    e_E: Tensor
    e_U: Tensor
    bounds: Tensor  # margins by |a - b|
    margins: Tensor  # the true ones, [p, p]


@torch.no_grad()
def analyse(model: OneLayerMLP) -> Analysis:
    """Explain a model by its own used frequencies, and compute what the kink proof makes of it."""
    exact = in_double(model)
    hints = explain_layer(exact, len(used_frequencies(exact)))
    table = waves(hints["frequencies"], model.p)
    e_E, e_U = wave_rest(exact.W_E[: model.p], table, hints["embedding"]), wave_rest(exact.W_U.T, table, hints["unembedding"])
    layer, neurons = bound_layer(exact, hints, e_E, e_U, kink_range)
    found = clusters(neurons, hints, padded(hints["cluster"], len(hints["frequencies"])))
    bounds = 2 * margin_bounds(layer, table).amin(1)
    return Analysis(hints, layer, found, e_E, e_U, bounds, true_margins(exact))


def true_margins(model: OneLayerMLP) -> Tensor:
    """The margin of every pair, [p, p]."""
    logits, labels = all_logits(model)
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1, keepdim=True)
    return (own - others).reshape(model.p, model.p)


def tables(model: OneLayerMLP) -> Sequence[Table]:
    """All tables of one model; none if its attention is learned, which the explanations here do not cover."""
    if model.config.attention == "learned":
        return []
    found = analyse(model)
    return [frequencies(found), unexplained(model, found), margins(found)]


def frequencies(found: Analysis) -> Table:
    """What each frequency's neurons answer, by their kinks and as an integral."""
    integral = quadrature_range(found.clusters)
    rows = []
    by_size = found.layer.u.argsort(descending=True).tolist()
    for place, j in enumerate(by_size, start=1):
        u, v = float(found.layer.u[j]), float(found.layer.v[j])
        size = float(integral.u[j] + integral.v[j])
        neurons = float((found.hints["cluster"] == j).sum())
        error = float(integral.v[j]) / size if size > 0 else None
        k = float(found.hints["frequencies"][j])
        rows.append((f"number {place}", (k, neurons, u, v, v / u if u > 0 else None, float(found.layer.side[j]), size, error)))
    return Table(
        "frequencies",
        "What each frequency answers",
        "Least real part u and largest imaginary part v of the answer over all angles, from the kinks; the errors beside it; the "
        "integral of the published account, and its bound of the error relative to that (above 1: vacuous).",
        ("frequency", "k", "neurons", "u", "v", "v / u", "side errors", "integral", "error / integral"),
        tuple(rows),
    )


def unexplained(model: OneLayerMLP, found: Analysis) -> Table:
    """What the frequencies leave of the weights."""
    folded = folded_in_float64(model)
    k = found.hints["frequencies"][found.hints["cluster"]]
    power = spectrum(folded).abs().square()
    power[0] /= 2
    own = power.gather(0, k[None]).squeeze(0)
    variance = power.sum(0)
    share = torch.where(variance > 0, 1 - own / variance, 0.0)
    rest = found.layer
    rows: list[tuple[str, tuple[float | None, ...]]] = [
        ("largest rest of a row of W_E", (float(found.e_E),)),
        ("largest rest of a column of W_U", (float(found.e_U),)),
        ("mean share of a neuron's input outside its frequency", (float(share.mean()),)),
        ("largest such share", (float(share.max()),)),
        ("neurons with more than half outside", (float((share > 0.5).sum()),)),
        ("tokens treated differently: |L - R| / |L + R|", (float((folded.L - folded.R).norm() / (folded.L + folded.R).norm()),)),
        ("errors of the kink proof along its frequencies, sum", (float(rest.side.sum()),)),
        ("other errors of the kink proof", (float(rest.error),)),
    ]
    return Table(
        "unexplained",
        "What the explanation leaves unexplained",
        "The kink proof needs all of these small, which projection brings about; the cluster proof follows the largest exactly.",
        ("what", "size"),
        tuple(rows),
    )


def margins(found: Analysis) -> Table:
    """Proven and true smallest margins of the worst classes of a - b."""
    p = len(found.margins)
    d, _ = pair_class(p)
    least = torch.full((p // 2 + 1,), torch.inf, dtype=torch.float64).scatter_reduce(0, d, found.margins.flatten(), "amin")
    worst = found.bounds.argsort()[:SHOWN]
    rows = [
        (f"worst {n}" if n > 1 else "worst", (float(i), float(found.bounds[i]), float(least[i])))
        for n, i in enumerate(worst.tolist(), start=1)
    ]
    return Table(
        "margins",
        "Margins by a - b",
        "The classes whose margins the kink proof bounds worst (a class is proven where its bound is positive).",
        ("class", "|a - b|", "bound of the kink proof", "true smallest margin"),
        tuple(rows),
    )


@torch.no_grad()
def heatmaps(model: OneLayerMLP) -> Sequence[Heatmap]:
    """Spectrum of the neurons, mean logits by a - b and c - a - b, and all margins."""
    exact = in_double(model)
    p, found = model.p, []
    if model.config.attention != "learned":
        size = spectrum(folded_in_float64(model)).abs()[1:]
        order = size.argmax(0).sort(stable=True).indices
        found.append(
            Heatmap(
                "neurons",
                size[:, order].numpy(),
                ("frequency - 1", "neuron"),
                "what neurons read, sorted by frequency",
                signed=False,
            )
        )
    logits, labels = all_logits(exact)
    n = torch.arange(p * p)
    a, b = n // p, n % p
    turned = logits.gather(1, (labels[:, None] + torch.arange(p)) % p)
    turned = turned - turned.mean(1, keepdim=True)
    mean = torch.zeros(p, p, dtype=torch.float64).index_add(0, (a - b) % p, turned) / p
    found.append(
        Heatmap(
            "logits", mean.numpy(), ("a - b", "c - a - b"), "mean logits: the answer weakens where |cos(pi k (a - b) / p)| is small"
        )
    )
    found.append(Heatmap("margins", true_margins(exact).numpy(), ("a", "b"), "margin of every pair"))
    return found
