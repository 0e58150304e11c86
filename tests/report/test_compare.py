"""Several reports on one page, and the files that it is made from."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_proofs import mark_frontier, proof

from compact_proofs.errors import BadInput
from compact_proofs.report import ReportData, read_proofs, write_report
from compact_proofs.report.compare import best, read_reports, shortest, write_comparison
from compact_proofs.report.saved import read_saved


def report(folder: Path, proofs: list[dict[str, Any]], title: str) -> Path:
    write_report(ReportData(title, "For x uniform, l = M(x):", "mean ≥ b", read_proofs(mark_frontier(proofs))), folder)
    return folder


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    one = [proof("additive", 90, 100, 1_000, options={"groups": 2}), proof("cubic", 95, 100, 9_000), proof("worse", 10, 100, 9_999)]
    other = [proof("additive", 99, 100, 50_000, model_sha256="ab" * 32, true_accuracy=None)]
    return [report(tmp_path / "one", one, "model"), report(tmp_path / "other", other, "other <b>model</b>")]


def test_what_a_report_shows_is_there_as_data(two: list[Path], page: Path) -> None:
    saved = read_saved(two[0])
    assert saved == read_saved(two[0] / "index.html") == read_saved(two[0] / "proofs.json")
    assert (saved.title, saved.claim) == ("model", "For x uniform, l = M(x): mean ≥ b")
    assert [(p.strategy, p.length, str(p.bound)) for p in saved.proofs] == [
        ("additive", 1_000, "9/10"),
        ("cubic", 9_000, "19/20"),
        ("worse", 9_999, "1/10"),
    ]
    rows = list(csv.DictReader((two[0] / "proofs.csv").open()))
    assert [(row["strategy"], row["options"], row["length"]) for row in rows] == [
        ("additive", "groups=2", "1000"),
        ("cubic", "", "9000"),
        ("worse", "", "9999"),
    ]
    everything = read_saved(page.parent)  # with estimates
    assert {p.reading for p in everything.proofs} == {"sound", "float"}


def test_reports_of_several_models_are_compared(two: list[Path], tmp_path: Path) -> None:
    found = read_reports(two)
    assert [name for name, _ in found] == ["model", "other <b>model</b>"]
    assert [p.strategy for p in best(found[0][1])] == ["additive", "cubic"]
    assert [getattr(shortest(found[0][1], share), "length", None) for share in (0.5, 0.94, 0.99)] == [1_000, 9_000, None]
    assert getattr(shortest(found[1][1], 0.99), "length", None) == 50_000  # of 1, since nobody knows the accuracy
    page = write_comparison(found, tmp_path / "page").read_text()
    assert "other &lt;b&gt;model&lt;/b&gt;" in page
    assert "other <b>" not in page
    assert "https:" not in page
    assert "http:" not in page.replace("http://www.w3.org", "")
    rows = json.loads((tmp_path / "page" / "comparison.json").read_text())
    assert [(row["report"], row["numerator"], row["length"]) for row in rows] == [
        ("model", "90", 1_000),
        ("model", "95", 9_000),
        ("other <b>model</b>", "99", 50_000),
    ]
    assert {path.suffix for path in (tmp_path / "page").iterdir()} == {".html", ".png", ".svg", ".csv", ".json"}


def test_runs_of_one_model_are_told_apart(two: list[Path], tmp_path: Path) -> None:
    again = report(tmp_path / "again", [proof("additive", 0, 100, 2_000)], "model")
    assert [name for name, _ in read_reports([two[0], again])] == [f"model ({two[0]})", f"model ({again})"]
    write_comparison(read_reports([again]), tmp_path / "nothing proven")
    with pytest.raises(BadInput, match="given twice"):
        read_reports([two[0], two[0]])
    with pytest.raises(BadInput, match="from 1 to 20"):
        read_reports([])


def test_what_is_no_report_is_refused(two: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no .*proofs\.json"):
        read_saved(tmp_path)
    path = two[0] / "proofs.json"
    whole = path.read_text()
    for text, why in (
        (whole[:100], "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("{}", "it is no"),
        (whole.replace("report 1", "report 9"), "it is no"),
        (whole.replace('"numerator": "90"', '"numerator": "91"'), "not its fraction"),
        (whole.replace('"numerator": "90"', '"numerator": "900"'), "not a bound"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=why):
            read_saved(two[0])
