"""``make bench``: parts that exist, that are made once from the same sources, and results that say what made them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import writing


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The parts that were run, of which "search" fails; nothing is run."""
    ran: list[str] = []

    def run(part: str) -> bool:
        ran.append(part)
        return part != "search"

    monkeypatch.setattr(bench, "run", run)
    monkeypatch.setattr(bench, "DONE", tmp_path / "bench.json")
    return ran


def test_every_part_is_a_module_that_writes_its_results() -> None:
    for part in bench.PARTS:
        text = (Path(bench.__file__).parent / f"{part}.py").read_text()
        assert "write_results(" in text
        assert f'"{part}"' in text


def test_parts_are_made_once_from_the_same_sources(
    parts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([]) == 1
    assert tuple(parts) == bench.PARTS
    assert "failed: search" in capsys.readouterr().out
    parts.clear()
    assert bench.main([]) == 1
    assert parts == ["search"]
    parts.clear()
    assert bench.main(["finite", "--again"]) == 0
    assert parts == ["finite"]
    parts.clear()
    monkeypatch.setattr(bench, "sources", lambda: "others")
    assert bench.main(["finite"]) == 0
    assert parts == ["finite"]


def test_a_part_that_is_not_there_is_named(parts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["finite", "flags"]) == 2
    assert "no part flags" in capsys.readouterr().err
    assert parts == []


def test_results_say_what_made_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(writing, "RESULTS", tmp_path)
    writing.write_results("finite", "# Title\n\ntext\n")
    *_, last = (tmp_path / "finite.md").read_text().splitlines()
    assert last.startswith("*`make bench-finite`, compact-proofs ")
    assert "torch 2." in last
    assert "(commit " in last or "(no checkout)" in last
