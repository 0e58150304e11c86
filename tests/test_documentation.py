"""What the documentation shows works: its code runs, its links lead somewhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from compact_proofs.core.prove import prove
from compact_proofs.tasks import load_model
from compact_proofs.tasks.finite.labels import LABELS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_code_of_the_readme_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGES[0].read_text(), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    shown = capsys.readouterr().out
    for number in ("28,671", "3864/4096", "1,556,464", "4000/4096"):
        assert number in shown


def test_the_code_about_automatic_proofs_runs(capsys):
    page = (ROOT / "docs" / "automatic.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "automatic.md", "exec"), {"__name__": "automatic"})
    shown = capsys.readouterr().out
    assert "2097152/2097152" in shown
    assert int(shown.split()[0].replace(",", "")) < 5e7  # the module itself takes 1.9e10
    assert "2,097,152 sequences" in page


def test_the_code_about_finite_tasks_runs(capsys):
    page = (ROOT / "docs" / "finite-tasks.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "finite-tasks.md", "exec"), {"__name__": "finite_tasks"})
    shown = capsys.readouterr().out
    for number in ("484,281", "948,641"):
        assert number in shown
        assert page.count(number) == 1
    assert shown.count("7776/7776") == 2


def test_the_label_functions_in_the_documentation_are_those_that_ship():
    page = (ROOT / "docs" / "finite-tasks.md").read_text()
    table = page.partition("## Label functions that ship")[2].partition("## Boxes")[0]
    first_column = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(r"`([a-z-]+)`", first_column)) == sorted(LABELS)


def test_the_claim_of_the_readme_is_proven():
    loaded = load_model("max-of-4-seed-123")
    claim = prove(loaded.model, loaded.task, loaded.kit.default(loaded.model)).claim
    quoted = " ".join(PAGES[0].read_text().replace("\n> ", " ").split())
    assert claim.statement() in quoted


def test_the_program_that_is_shown_is_printed(capsys):
    page = (ROOT / "docs" / "programs.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "programs.md", "exec"), {"__name__": "programs"})
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert links
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_picture_is_small():
    assert (ROOT / "docs" / "frontier.png").stat().st_size < 200_000


MAKEFILE = ROOT / "Makefile"
TARGETS = re.findall(r"^([\w.-]+)[ \t]*::?(?![=:])", MAKEFILE.read_text(), re.MULTILINE)


def test_make_warns_of_nothing():
    """It warns of a target with two recipes, of which it ignores one."""
    make = shutil.which("make")
    assert make
    command = [make, "--dry-run", "--warn-undefined-variables", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | {"MAKEFLAGS": ""})
    assert done.stderr == ""


def test_each_target_stands_once_and_is_phony():
    (phony,) = re.findall(r"^\.PHONY:(.*)$", MAKEFILE.read_text(), re.MULTILINE)
    targets = [name for name in TARGETS if name != ".PHONY"]
    assert sorted(targets) == sorted(set(targets))
    assert set(targets) == set(phony.split())
    assert len(targets) > 10


def test_targets_that_are_named_exist():
    named = {
        (file.name, target)
        for file in (*PAGES, *(ROOT / "benchmarks").rglob("*.md"), *(ROOT / "benchmarks").glob("*.py"), *(ROOT / ".ci").iterdir())
        for target in re.findall(r"(?:`|^ *)make ([a-z-]+)(?:`|$)", file.read_text(), re.MULTILINE)
    }
    assert len(named) > 10
    assert [use for use in sorted(named) if use[1] not in TARGETS] == []
