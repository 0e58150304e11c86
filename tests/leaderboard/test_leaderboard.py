"""Certificates of several entrants, checked and ranked; what does not hold is not ranked."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import compact_proofs as cp
from compact_proofs.cli.app import app
from compact_proofs.core.registry import strategies_for
from compact_proofs.leaderboard import rank, read_entries
from compact_proofs.tasks.max_of_k import Cubic, LargeMaxima

MODEL = "max-of-4-seed-123"
OWN = """
from compact_proofs.tasks.max_of_k import Cubic


class Mine(Cubic):
    name = "mine"
    summary = "a verifier of my own"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three entrants: two strategies that ship, one of one's own, and a file that is no certificate."""
    root = tmp_path_factory.mktemp("entries")
    loaded = cp.load(MODEL)
    for name in ("ada", "bob", "eve"):
        (root / name).mkdir()
    cubic = cp.prove(loaded.model, loaded.task, Cubic())
    cubic.save(root / "ada" / "cubic.cert")
    cp.prove(loaded.model, loaded.task, LargeMaxima()).save(root / "ada" / "short.cert")
    cubic.save(root / "bob" / "cubic.cert")
    (root / "bob" / "noise.cert").write_bytes(b"noise")
    (root / "eve" / "strategies.py").write_text(OWN)
    names: dict[str, type[cp.Strategy]] = {}
    exec(OWN, names)  # type: ignore[arg-type]
    cp.prove(loaded.model, loaded.task, names["Mine"]()).save(root / "eve" / "mine.cert")
    return root


def test_entrants_are_ranked_by_what_is_checked(folder):
    entries = read_entries(folder)
    assert {e.file.name: bool(e.reason) for e in entries} == {
        "cubic.cert": False,
        "short.cert": False,
        "noise.cert": True,
        "mine.cert": True,
    }
    first, second = rank(entries)
    assert (first.entrant, second.entrant) == ("ada", "bob")
    assert first.q > second.q > 0
    assert first.lengths[0.9] <= second.lengths[0.9]
    assert second.lengths[1.0] is None
    assert first.bounds[10**6] > 0 == second.bounds[10**6]


SHIPPED = Path(__file__).parents[2] / "leaderboard"


@pytest.mark.parametrize("file", sorted(SHIPPED.rglob("*.cert")), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_shipped_entries_are_of_the_strategies_as_they_are(file):
    """`make leaderboard` checks them whole. Where a strategy has changed, `make entries` makes them again."""
    certificate = cp.Certificate.load(file)
    kind = strategies_for(cp.load(file.parent.name).task)[certificate.strategy]
    assert (certificate.strategy_version, certificate.options) == (kind.version, kind.from_options(certificate.options).options())


def test_code_runs_only_for_entrants_who_are_trusted(folder):
    assert any(e.entrant == "eve" and "not trusted" in e.reason for e in read_entries(folder))
    places = rank(read_entries(folder, trusted=["eve"]))
    (eve,) = (p for p in places if p.entrant == "eve")
    assert eve.own_code
    with pytest.raises(cp.BadInput, match="no code to trust"):
        read_entries(folder, trusted=["ada"])


def test_the_command_writes_page_and_tables(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["leaderboard", str(folder), "-o", "page"])
    assert result.exit_code == 1  # noise.cert and mine.cert
    assert "noise.cert" in result.stderr
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Not accepted" in page
    assert page.index(">ada<") < page.index(">bob<")
    rows = list(csv.DictReader((tmp_path / "page" / "leaderboard.csv").open()))
    assert [row["entrant"] for row in rows] == ["ada", "bob"]
    assert json.loads((tmp_path / "page" / "leaderboard.json").read_text())["places"][0]["model"] == MODEL


def test_a_folder_without_certificates_is_an_error(tmp_path):
    with pytest.raises(cp.BadInput, match=r"ENTRANT/\*\.cert"):
        read_entries(tmp_path)
