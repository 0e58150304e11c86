"""``compact-proofs sweep``: what it prints and which exit codes it gives."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from schemas import Strict

from compact_proofs.sweep import COLUMNS, Plan
from compact_proofs.sweep import run as sweep

TRAINED = ("--seeds", "0", "--n-ctx", 3, "--d-vocab", 6, "--d-model", 8, "--steps", 30, "--evaluation-samples", 64)


class Failure(Strict):
    unit: str
    error: str


class Summary(Strict):
    done: int
    skipped: int
    failed: int
    seconds: float
    failures: list[Failure]


class Running(Strict):
    pid: int
    host: str
    started_at: str


class Status(Strict):
    models: dict[str, int]
    proofs: dict[str, int]
    running: Running | None
    failures: list[Failure]


def test_run_status_export(run: Any, tmp_path: Path, tiny_file: Path) -> None:
    """Train and prove, with a broken model file among the models; then fix it."""
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nonsense")
    arguments = ("sweep", "run", "s.sqlite", *TRAINED, "-s", "cubic", "-s", "additive window=2 groups=2 direct=separate")
    models = ("--model", tiny_file, "--model", broken)
    result = run(*arguments, *models, code=1)
    assert result.stdout.startswith("6 done, 3 failed, 0 skipped (done before), in ")
    assert "failed: broken.safetensors: " in result.stdout
    summary = Summary.model_validate_json(run(*arguments, *models, "--json", code=1).stdout)
    assert (summary.done, summary.failed, summary.skipped) == (0, 3, 6)
    assert "0 done, 0 failed, 3 skipped" in run(*arguments).stdout

    found = Status.model_validate_json(run("sweep", "status", "s.sqlite", "--json").stdout)
    assert found.models == {"done": 2, "failed": 1, "waiting": 0, "running": 0}
    assert found.proofs == {"done": 4, "failed": 2, "waiting": 0, "running": 0}
    assert [f.unit for f in found.failures] == ["broken.safetensors"]
    lines = run("sweep", "status", "s.sqlite").stdout.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["units", "done", "running", "waiting", "failed"],
        ["models", "2", "0", "0", "1"],
        ["proofs", "4", "0", "0", "2"],
    ]

    assert run("sweep", "export", "s.sqlite", "-o", "r.csv").stdout == "4 rows written to r.csv\n"
    with (tmp_path / "r.csv").open(newline="") as file:
        assert list(csv.DictReader(file).fieldnames or ()) == list(COLUMNS)
    columns = ("--columns", "seed, options.window")
    document = json.loads(run("sweep", "export", "s.sqlite", "-o", "r.csv", "--force", *columns, "--json").stdout)
    assert document == {"rows": 4, "output": "r.csv"}
    assert (tmp_path / "r.csv").read_text().splitlines()[0] == "seed,options.window"


def test_options_and_plan_files_make_the_same_plan(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan | None] = []

    def no_work(store: Path, plan: Plan | None, **options: Any) -> Any:
        plans.append(plan)
        assert options == {"workers": 2, "dask": "tcp://x:1", "retry_failed": True, "keep_certificates": None}
        return sweep(store, Plan(()))

    monkeypatch.setattr("compact_proofs.sweep.run", no_work)
    (tmp_path / "plan.toml").write_text(
        '[[part]]\nseeds = "0-2"\nrecipe = {n_ctx = [4, 5], learning_rate = 0.01}\n'
        'strategies = [{name = "additive", window = 4, direct = "separate"}, {name = "linear", share = 0.5}]\n'
    )
    shared = ("--workers", 2, "--dask", "tcp://x:1", "--retry-failed")
    given = ("--seeds", "0-2", "--n-ctx", "4,5", "--learning-rate", "1e-2")
    run("sweep", "run", "s", *given, "-s", "additive window=4 direct=separate", "-s", "linear share=0.5", *shared)
    run("sweep", "run", "s", "--plan", "plan.toml", *shared)
    run("sweep", "run", "s", *shared)
    assert plans[0] == plans[1] is not None
    assert plans[2] is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--seeds", "0"), "no --strategy is given"),
        (("-s", "cubic"), "no models are given"),
        (("--n-ctx", "4", "-s", "cubic"), "--n-ctx is for training: give the --seeds too"),
        (("--seeds", "x", "-s", "cubic"), "seeds 'x'"),
        (("--seeds", "0", "-s", "magic"), "no strategy 'magic'"),
        (("--seeds", "0", "-s", "additive window"), "not of the form key=value"),
        (("--seeds", "0", "-s", "additive 'window"), "not of the form 'NAME option=value ...'"),
        (("--seeds", "0", "-s", ""), "not of the form 'NAME option=value ...'"),
        (("--seeds", "0", "-s", "cubic", "--task", "chess"), "there is no task 'chess'"),
        (("--seeds", "0", "--n-ctx", "many", "-s", "cubic"), "n_ctx = 'many'"),
        (("--model", "missing.npz", "-s", "cubic"), "missing.npz: the model cannot be read"),
        (("--plan", "p.toml", "--seeds", "0"), "--plan says what is to be done"),
        (("--plan", "p.toml"), "p.toml: the plan cannot be read"),
        ((), "there is no such store to continue"),
    ],
)
def test_wrong_use(run: Any, tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    result = run("sweep", "run", "s.sqlite", *arguments, code=2)
    assert reason in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_what_is_no_store(run: Any, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("something else " * 100)
    for command in (("run", "text", "--seeds", "0", "-s", "cubic"), ("status", "text"), ("export", "text", "-o", "r.csv")):
        assert "text: not an SQLite file" in run("sweep", *command, code=2).stderr
    assert "is the file that is read" in run("sweep", "export", "text", "-o", "text", code=2).stderr


def test_help_teaches(run: Any, plain: Callable[[str], str]) -> None:
    for command, words in {
        (): ["run", "status", "export"],
        ("run",): [
            "STORE",
            "--seeds",
            "--n-ctx",
            "K, the length of a sequence",
            "--dask",
            "--workers",
            "the same command continues",
        ],
        ("status",): ["STORE", "--json"],
        ("export",): ["--columns", "pyarrow"],
    }.items():
        text = plain(run("sweep", *command, "--help").stdout)
        for word in (*words, "Example", "compact-proofs sweep"):
            assert word in text
