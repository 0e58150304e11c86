"""Tables about a Max-of-K model: where bounds are lost, how much structure its matrices have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from compact_proofs.core.prove import prove
from compact_proofs.estimates import estimate
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.tables import Table
from compact_proofs.tasks.max_of_k.additive import Additive
from compact_proofs.tasks.max_of_k.estimates import estimators
from compact_proofs.tasks.max_of_k.paths import paths
from compact_proofs.tasks.max_of_k.subcubic.table import quadrature_estimate, residual_table
from compact_proofs.tasks.max_of_k.task import MaxOfK

FEW_GROUPS = 4


def tables(model: AttentionOnlyTransformer) -> Sequence[Table]:
    """All tables of one model."""
    return [residuals(model), losses(model), spectra(model), guesses(model)]


def residuals(model: AttentionOnlyTransformer) -> Table:
    """Each way to bound the row differences of what the leading directions leave of EQKE: its value and its cost."""
    rows = residual_table(model)
    guess, flops = quadrature_estimate(model)
    return Table(
        "residuals",
        "Compounding errors from lack of structure",
        "Upper bounds of the largest row difference of the unexplained remainder of the QK circuit: the cheaper, the looser. The "
        "last row is a guess of a typical row difference, which bounds nothing.",
        ("way to bound", "value", "FLOPs"),
        (
            *((f"{r.name}, {r.complexity}", (r.value, float(r.flops))) for r in rows),
            ("ESTIMATE, no bound: noise added in quadrature, O(v d)", (guess, float(flops))),
        ),
    )


def losses(model: AttentionOnlyTransformer) -> Table:
    """What each relaxation of the additive certificate costs, alone and after those before it.

    The tightest certificate gives every query its own ratios for every token (n_ctx <= 4; for longer sequences it counts on a fine
    grid). Each step gives something up and shortens the proof.
    """
    task, v = MaxOfK.of(model), model.d_vocab
    exact = model.n_ctx <= 4
    tight = Additive(v if exact else 8, v, "joint", "positions" if exact else "grid", 64, 96)
    relaxations: list[tuple[str, dict[str, object]]] = [
        ("one ratio for all tokens more than 5 below the maximum", {"window": 5}),
        (f"queries share their bounds, in {FEW_GROUPS} groups", {"groups": FEW_GROUPS}),
        ("the direct path by row ranges", {"direct": "separate"}),
        ("weights counted on a coarse grid", {"counting": "grid", "steps": 16, "reach": 24}),
        ("one group of queries", {"groups": 1}),
        ("the direct path by Cauchy-Schwarz", {"direct": "norms"}),
        ("the values by rank 8 and norms", {"values": "lowrank", "direct": "norms", "rank": min(8, model.d_model)}),
    ]  # fmt: skip
    first = prove(model, task, tight)
    rows: list[tuple[str, tuple[float | None, ...]]] = [
        ("the tightest", (float(first.bound), None, None, float(first.length.total)))
    ]
    current, bound = tight, first.bound
    for name, change in relaxations:
        alone = prove(model, task, replace(tight, **change))  # type: ignore[arg-type]
        current = replace(current, **change)  # type: ignore[arg-type]
        after = prove(model, task, current)
        rows.append(
            (name, (float(after.bound), float(bound - after.bound), float(first.bound - alone.bound), float(after.length.total)))
        )
        bound = after.bound
    return Table(
        "losses",
        "Where the bound is lost, step by step",
        "The additive certificate from its tightest form to its cheapest: each step gives something up.",
        ("given up", "bound", "lost here", "lost by this alone", "length"),
        tuple(rows),
    )


def spectra(model: AttentionOnlyTransformer) -> Table:
    """Leading singular values of the circuits, and the noise of the direct path against the margin."""
    with torch.no_grad():
        p = paths(in_double(model))
        matrices = {"EQKE": p.EQKE, "EQKE, rows centred": p.EQKE - p.EQKE.mean(1, keepdim=True), "EVOU": p.EVOU}
        matrices["EUPU"] = p.EUPU
        rows = [(name, _leading(matrix)) for name, matrix in matrices.items()]
    return Table(
        "spectra",
        "How much structure the circuits have",
        "A circuit that one direction explains has a large first ratio; the rest is what cheap proofs must bound as noise.",
        ("circuit", "sigma_1", "sigma_2", "sigma_3", "sigma_1 / sigma_2", "share of the squared norm in the first"),
        tuple(rows),
    )


def guesses(model: AttentionOnlyTransformer) -> Table:
    """Estimates of the accuracy, each with its cost."""
    found = [estimate(model, MaxOfK.of(model), e) for e in estimators(model)]
    return Table(
        "estimates",
        "Estimates, which prove nothing",
        "What a few operations guess of the accuracy, presuming that what they do not look at is independent noise. No bounds.",
        ("estimator", "estimate", "operations"),
        tuple((str(e), (f.value, float(f.cost.total))) for e, f in zip(estimators(model), found, strict=True)),
    )


def measures(model: AttentionOnlyTransformer) -> dict[str, float]:
    """How faithful "the larger token gets more attention" is: sigma_1 / sigma_2 of EQKE (Gross et al. 2024)."""
    with torch.no_grad():
        s = torch.linalg.svdvals(paths(in_double(model)).EQKE)
    return {"faithfulness": float(s[0] / s[1])} if len(s) > 1 and s[1] > 0 else {}


def _leading(matrix: Tensor) -> tuple[float | None, ...]:
    s = torch.linalg.svdvals(matrix)
    s = torch.cat([s, torch.zeros(3, dtype=s.dtype)])
    ratio = float(s[0] / s[1]) if s[1] > 0 else None
    share = float(s[0].square() / s.square().sum()) if s[0] > 0 else None
    return float(s[0]), float(s[1]), float(s[2]), ratio, share
