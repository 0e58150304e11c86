"""The section with the table of all proofs, with exact fractions; a click on a heading sorts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compact_proofs.report.data import Proof, ReportData, common_options
from compact_proofs.report.saved import as_csv, as_json
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import bound_text, count, options_text, ratio_text

_SHORT = 14  # digits of a denominator that fit on one line with the numerator


@dataclass(frozen=True)
class _Cell:
    """What a cell shows, what it is sorted by (empty: last), and its hover text."""

    text: str
    key: str
    title: str = ""


@dataclass(frozen=True)
class _Row:
    proof: Proof
    number: int
    options: str
    cells: tuple[_Cell, ...]

    @property
    def long(self) -> bool:
        """Whether the fraction is shown on several lines."""
        return len(str(self.proof.denominator)) > _SHORT

    @property
    def rank(self) -> int:
        """0 on the frontier, 1 dominated, 2 with confidence, 3 an estimate."""
        if not self.proof.sound:
            return 2 if self.proof.reading == "confidence" else 3
        return 0 if self.proof.on_frontier else 1

    @property
    def standing(self) -> str:
        return ("on the frontier", "dominated", "with confidence, not proven", "an estimate")[self.rank]

    @property
    def mark(self) -> str:
        return "●○□◇"[self.rank]


_NUMERIC = (
    ("Bound", "rounded down; the fraction is exact"),
    ("Bound / true", "bound over the true accuracy"),
    ("Length", "FLOPs and integer operations together"),
    ("FLOPs", "floating-point operations of the verifier"),
    ("Integer ops", "exact integer operations, reading the explanation included"),
    ("Explanation", "numbers read from the explanation"),
    ("Unexplained dim.", "unexplained dimension: how much the proof treats as a black box"),
    ("Seconds", "time that the verifier took"),
)


def proofs_section(data: ReportData) -> Block:
    """List the proofs from short to long."""
    ranks = {bound: str(rank) for rank, bound in enumerate(sorted({proof.bound for proof in data.proofs}))}
    common = common_options(data.proofs)
    rows = [
        _Row(proof, number, _own_options(proof, common), _cells(proof, ranks[proof.bound]))
        for number, proof in enumerate(data.by_length, start=1)
    ]
    shared = [(strategy, options_text(options)) for strategy, options in common.items()]
    faults = [row for row in rows if row.proof.contradicts]
    files = {"proofs.csv": as_csv(data), "proofs.json": as_json(data)}
    body = render(
        "proofs.html", rows=rows, headings=_NUMERIC, faults=faults, common=shared, commands=data.commands, files=list(files)
    )
    return Block("proofs", "Proofs", body, files)


def _own_options(proof: Proof, common: Mapping[str, Mapping[str, str]]) -> str:
    """The options that a row shows: all that are not said once for all proofs by its strategy."""
    shared = common.get(proof.strategy, {})
    return options_text({key: value for key, value in proof.options.items() if key not in shared})


def _cells(proof: Proof, bound_rank: str) -> tuple[_Cell, ...]:
    """Fill the numeric columns; bounds sort by their exact rank, as floats cannot tell those near 1 apart."""
    ratio = proof.ratio
    return (
        _Cell(bound_text(proof.bound), bound_rank),
        _Cell(ratio_text(ratio), "" if ratio is None else repr(ratio)),
        _count(proof.length),
        _count(proof.flops),
        _count(proof.int_ops),
        _count(proof.explanation_size),
        _count(proof.unexplained_dimension),
        _Cell("–", "") if proof.seconds is None else _Cell(f"{proof.seconds:.3g}", repr(proof.seconds)),
    )


def _count(number: int | None) -> _Cell:
    return _Cell("–", "") if number is None else _Cell(count(number), str(number), f"{number:,}")
