"""A report's data from certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from compact_proofs.core.claim import Claim, distribution
from compact_proofs.core.frontier import Frontier
from compact_proofs.errors import BadInput
from compact_proofs.report.data import LinearBaseline, ReportData
from compact_proofs.report.read import read_proofs
from compact_proofs.tables import Heatmap


def _about(claim: Claim) -> tuple[Any, ...]:
    return claim.task, dict(claim.parameters), claim.score, claim.score_options


def data_of(
    frontier: Frontier,
    name: str,
    accuracy: float | None = None,
    baseline: tuple[float, float] | None = None,
    statements: Sequence[Mapping[str, Any]] = (),
    heatmaps: Sequence[Heatmap] = (),
    files: Sequence[str] = (),
    program: str = "",
    commands: Sequence[tuple[str, str]] = (),
) -> ReportData:
    """What a report shows about the certificates of one model.

    Parameters
    ----------
    frontier
        At least one certificate, all of one model.
    name
        The report's title.
    accuracy
        The true accuracy, where it is known.
    baseline
        The end of the linear baseline, from `compact_proofs.linear_baseline`.
    statements
        Statements with confidence about the same model, in the ``--json`` format.
    heatmaps
        Pictures of the model.
    files
        For each certificate the name of its file beside the report, or nothing.
    program, commands
        As in `ReportData`.

    Raises
    ------
    BadInput
        If there is no certificate, or they are not of one model.
    """
    if not frontier.certificates:
        raise BadInput("a report needs at least one certificate; this frontier has none")
    claim = frontier.certificates[0].claim
    if any(c.claim.function.differs_from(claim.function) for c in frontier.certificates):
        raise BadInput("a report is about one function, but these certificates are about several; split them by model")
    if any(_about(c.claim) != _about(claim) for c in frontier.certificates):
        raise BadInput("a report is about one task and one score, but these certificates are about several; split them by these")
    proofs = read_proofs([*frontier.to_json(accuracy), *statements])
    names = chain(files, repeat(""))
    return ReportData(
        model_name=name,
        claim_words=f"For {distribution(claim.task, claim.parameters)}, and M {claim.function.describe()}: with logits l = M(x), "
        "the mean of the score below is at least the bound b.",
        claim_formula=f"E over x of {claim.formula()} ≥ b",
        proofs=tuple(replace(proof, certificate=name) for proof, name in zip(proofs, names, strict=False)),
        baseline=None if baseline is None else LinearBaseline(*baseline),
        heatmaps=tuple(heatmaps),
        certificates=tuple(frontier.certificates),
        program=program,
        commands=tuple(commands),
    )
