"""What the documentation says beside its code is true, and its links lead somewhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pages import PAGES, ROOT, run_page

from benchmarks.__main__ import PARTS
from compact_proofs.core.prove import prove
from compact_proofs.sequences.labels import LABELS
from compact_proofs.tasks import load_model


def printed(page: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """What the Python of a page prints; its commands are not run."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("pages.run_command", lambda arguments: None)
    return run_page(page)


def test_the_code_of_the_readme_prints_the_numbers_beside_it(tmp_path, monkeypatch):
    shown = printed(ROOT / "README.md", monkeypatch, tmp_path)
    for number in ("28,671", "3864/4096", "1,556,464", "4000/4096"):
        assert number in shown


def test_the_code_about_automatic_proofs_prints_the_numbers_beside_it(tmp_path, monkeypatch):
    page = ROOT / "docs" / "automatic.md"
    shown = printed(page, monkeypatch, tmp_path)
    assert "2097152/2097152" in shown
    assert int(shown.split()[0].replace(",", "")) < 5e7  # the module itself takes 1.9e10
    assert "2,097,152 sequences" in page.read_text()


def test_the_code_about_finite_tasks_prints_the_numbers_beside_it(tmp_path, monkeypatch):
    page = ROOT / "docs" / "finite-tasks.md"
    shown = printed(page, monkeypatch, tmp_path)
    for number in ("484,281", "948,641"):
        assert number in shown
        assert page.read_text().count(number) == 1
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    made = {"changelog.md", "cli.md"}  # by the hooks of the site
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if Path(link).name in made:
            continue
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
        for target in re.findall(r"(?:`|^ *)make ([a-z_-]+)(?:`|$)", file.read_text(), re.MULTILINE)
    }
    assert len(named) > 10
    known = {*TARGETS, *(f"bench-{part}" for part in PARTS)}
    assert [use for use in sorted(named) if use[1] not in known] == []
