"""Synthetic proofs of made-up models: sizes and bounds like those of the Max-of-K strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_proofs import mark_frontier, proof

from compact_proofs.report import Heatmap, LinearBaseline, ReportData, read_proofs, write_report


@pytest.fixture(scope="session")
def proofs() -> list[dict[str, Any]]:
    """Eleven proofs at K=4, v=64: one vacuous, one exact, two estimates."""
    whole = 64**4
    return mark_frontier(
        [
            proof("brute-force", 16775866, whole, 880_000_000_000, explanation_size=0, seconds=58.2),
            proof("cubic", 15869641, whole, 35_100_000, explanation_size=0, seconds=1.63),
            proof("subcubic", 10871635, whole, 2_530_000, options={"qk": "mean+diff", "eu": "max_diff"}),
            proof("subcubic", 0, whole, 2_210_000, options={"qk": "recursive", "eu": "global"}, seconds=None),
            proof("additive", 16766000, whole, 4_400_000, options={"groups": 64}),
            proof("additive", 16752000, whole, 2_600_000, options={"groups": 8}),
            proof("additive", 16735273, whole, 1_850_000, options={"groups": 2}, unexplained_dimension=None),
            proof("additive", 16542334, whole, 1_600_000, options={"groups": 1, "tail": "merged"}),
            proof("low-rank", 15267266, whole, 1_250_000, options={"rank": 6}),
            proof("low-rank", 16700000, whole, 1_100_000, options={"rank": 4}, reading="float"),
            proof("additive", 16769900, whole, 3_300_000, options={"groups": 64}, reading="float"),
        ]
    )


@pytest.fixture(scope="session")
def heatmaps() -> tuple[Heatmap, ...]:
    """Matrices with the look of a trained Max-of-4 model's, and one that is much larger."""
    noise, v = np.random.default_rng(0), 64
    rank, ramp = np.arange(v), np.linspace(-1, 1, v)
    eqke = np.outer(1 + 0.1 * ramp, 40 * ramp) + noise.normal(0, 0.6, (v, v))
    evou = 9 * np.exp(-((rank[:, None] - rank) ** 2) / 6) - 2 + noise.normal(0, 0.4, (v, v))
    return (
        Heatmap("EQKE", eqke, ("query token", "key token"), "Attention grows with the key: one direction, size."),
        Heatmap("EVOU", evou, ("key token", "output token"), "A copying diagonal, with noise around it."),
        Heatmap("EUPU", noise.normal(0, 1, (v, v)), ("query token", "output token"), "The direct path: noise."),
        Heatmap("EQKP", noise.normal(0, 0.2, (v, 4)), ("query token", "position"), "Small against EQKE's gaps."),
        Heatmap("PVOU", noise.normal(0, 0.3, (4, v)), ("position", "output token"), "The positions' output."),
        Heatmap("|EQKE residual|", np.abs(noise.normal(0, 1, (700, 700))), ("query", "key"), "Sizes.", signed=False),
    )


@pytest.fixture(scope="session")
def make(heatmaps: tuple[Heatmap, ...]) -> Callable[..., ReportData]:
    """Make a report's data from proofs in the --json format."""

    def data(proofs: Iterable[dict[str, Any]], **changes: Any) -> ReportData:
        fields: dict[str, Any] = {
            "model_name": "max-of-4, seed 123",
            "claim_words": "Over all 16,777,216 sequences of 4 tokens out of 64, each as likely as the others, "
            "the model's largest logit is that of the largest token at least this often.",
            "claim_formula": "E over x in {0, …, 63}⁴ of [ argmax M(x) = max x ]  ≥  b",
            "baseline": LinearBaseline(880e9, 0.9999195337295532),
            "heatmaps": heatmaps,
        }
        return ReportData(proofs=read_proofs(proofs), **(fields | changes))

    return data


@pytest.fixture(scope="session")
def long_fractions() -> list[dict[str, Any]]:
    """Proofs at K=20, v=64, whose fractions have 37-digit integers."""
    whole = 64**20
    return mark_frontier(
        [
            proof("cubic", int(Fraction(908, 1000) * whole), whole, 194_000_000),
            proof("additive", whole - whole // 1019, whole, 9_310_007, options={"groups": 16}),
            proof("additive", whole - whole // 300, whole, 1_840_331, options={"groups": 2}),
            proof("list", whole - 123_456_789_012_345, whole, 41_000_000),
            proof("exact", whole, whole, 8 * 10**40),
        ]
    )


@pytest.fixture(scope="session")
def page(make, proofs, tmp_path_factory) -> Path:
    """The page of the eleven proofs, in a folder that was not there."""
    return write_report(make(proofs), tmp_path_factory.mktemp("report") / "new" / "folder")
