"""The top of the page: which model, what is claimed, what a certificate says and what it does not."""

from __future__ import annotations

from compact_proofs.report.data import ReportData
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import accuracy_text, bound_text, plural, short_count

_GOOD = 0.99


def header_section(data: ReportData) -> Block:
    """State the claim and its best proofs."""
    sound = sum(proof.sound for proof in data.proofs)
    counted = plural(sound, "proof")
    statements = sum(proof.reading == "confidence" for proof in data.proofs)
    if statements:
        counted += f", {plural(statements, 'statement')} with confidence"
    if sound + statements < len(data.proofs):
        counted += f", {plural(len(data.proofs) - sound - statements, 'estimate')}"
    body = render("header.html", data=data, tiles=_tiles(data), counted=counted, statements=statements)
    return Block("claim", "Claim", body)


def _tiles(data: ReportData) -> list[tuple[str, str, str]]:
    """Name, value and remark of the headline figures."""
    proofs = [proof for proof in data.by_length if proof.sound]
    accuracy = data.true_accuracy
    tiles = [
        ("True accuracy", "unknown", "nobody counted it exhaustively")
        if accuracy is None
        else ("True accuracy", accuracy_text(accuracy), "by exhaustive evaluation")
    ]
    if proofs:
        best = max(proofs, key=lambda proof: proof.bound)
        tiles.append(("Best proven bound", bound_text(best.bound), f"{best.strategy}, {short_count(best.length)} operations"))
    if accuracy:
        good = next((proof for proof in proofs if float(proof.bound) >= _GOOD * accuracy), None)
        name = f"Shortest proof of {_GOOD:.0%} of it"
        tiles.append(
            (name, "none", "no proof reaches it")
            if good is None
            else (name, short_count(good.length), f"operations, {good.strategy}")
        )
    return tiles
