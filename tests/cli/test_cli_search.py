"""``compact-proofs search``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def test_search_and_go_on(run: Any, tiny_file: Path) -> None:
    found = json.loads(run("search", tiny_file, "-n", 3, "-a", "a.jsonl", "--json").stdout)
    assert set(found) == {"models", "q", "shortest", "longest", "tried", "frontier", "failure"}
    assert len(found["tried"]) == 3
    assert 0 < found["shortest"] < found["longest"]
    more = run("search", tiny_file, "-n", 4, "-a", "a.jsonl")
    assert "a.jsonl has 3 proposals already" in more.stderr
    assert "after 4 proposals" in more.stdout
    assert len(Path("a.jsonl").read_text().splitlines()) == 5


def test_a_program_proposes(run: Any, tiny_file: Path) -> None:
    Path("llm.py").write_text("""import sys
print('[]' if 'bound 0' in sys.stdin.read() else '[{"strategy": "additive", "options": {"window": 2, "counting": "grid"}}]')
""")
    command = ("--proposer", "command", "--command", f"{sys.executable} llm.py", "--json")
    found = json.loads(run("search", tiny_file, *command).stdout)
    assert [(t["proposal"]["strategy"], t["result"]["status"]) for t in found["tried"]] == [("additive", "proved")]


def test_a_program_that_fails(run: Any, tiny_file: Path) -> None:
    """What it proposed before is shown, and the failure is an error."""
    result = run("search", tiny_file, "--proposer", "command", "--command", "false", "--json", code=2)
    assert json.loads(result.stdout)["tried"] == []
    assert "the proposer failed, so that the search ended early: of 3 answers in a row none could be read" in result.stderr
    assert "the program false gave no answer (exit code 1)" in result.stderr
    Path("llm.py").write_text("""import pathlib, sys
if pathlib.Path('called').exists():
    sys.exit('out of credit')
pathlib.Path('called').touch()
print('[{"strategy": "cubic"}]')
""")
    result = run("search", tiny_file, "--proposer", "command", "--command", f"{sys.executable} llm.py", code=2)
    assert "Q = " in result.stdout
    assert "out of credit" in result.stderr


def test_wrong_use(run: Any, tiny_file: Path) -> None:
    assert "belong together" in run("search", tiny_file, "--proposer", "command", code=2).stderr
    Path("other.jsonl").write_text("{}\n")
    assert "an archive of another search" in run("search", tiny_file, "-a", "other.jsonl", code=2).stderr
