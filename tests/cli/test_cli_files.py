"""Where results go: one rule for what exists already, nothing made before there is something to write, devices stay devices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from compact_proofs.confidence import Nothing

TINY = ("--n-ctx", 2, "--d-vocab", 5, "--d-model", 4, "--steps", 20, "--evaluation-samples", 100)
QUICK = ("--effort", 0, "--polish", 0)
WRITERS: dict[str, tuple[object, ...]] = {
    "prove": ("prove", "TINY", "-s", "cubic", "-o", "result"),
    "sample": ("sample", "TINY", "-s", "nothing", "-n", 5, "-o", "result"),
    "dictionary": ("dictionary", "mod-59-mlp-seed-0-tuned", "-k", "tokens", "-O", "rank=31", "-L", 24, "-o", "result"),
    "train": ("train", "max-of-k", "-o", "result.safetensors", *TINY),
    "frontier": ("frontier", "TINY", *QUICK, "-o", "result"),
    "formalize": ("formalize", "TINY", "-o", "result"),
    "sweep": ("sweep", "export", "sweep.sqlite", "-o", "result.csv"),
}


FOLDERS = {"frontier": "index.html", "formalize": "Weights.v"}


@pytest.mark.parametrize("command", WRITERS)
def test_what_exists_is_replaced_only_by_force(run: Any, tiny_file: Path, command: str) -> None:
    arguments = [str(tiny_file) if a == "TINY" else a for a in WRITERS[command]]
    if command == "sweep":
        run("sweep", "run", "sweep.sqlite", "--model", tiny_file, "-s", "cubic")
    (output,) = (Path(str(a)) for a in arguments if str(a).startswith("result"))
    old = output / FOLDERS[command] if command in FOLDERS else output
    old.parent.mkdir(exist_ok=True)
    old.write_bytes(b"precious")
    result = run(*arguments, code=2)
    assert "--force to replace" in result.stderr
    assert result.stdout == ""
    assert old.read_bytes() == b"precious"
    if command != "frontier":  # which takes a while, and writes as the others do
        run(*arguments, "--force")
        assert old.read_bytes() != b"precious"


def test_a_saved_dictionary_is_replaced_only_by_force(run: Any) -> None:
    Path("sae").mkdir()
    Path("sae/cfg.json").write_text("{}")
    arguments = ("dictionary", "mod-59-mlp-seed-0-tuned", "-k", "pca", "-O", "rank=31", "-L", 24, "--save", "sae")
    assert "sae is not empty; choose another folder, or --force" in run(*arguments, code=2).stderr
    assert Path("sae/cfg.json").read_text() == "{}"


def test_a_device_is_written_to(run: Any, tiny_file: Path) -> None:
    for command in ("prove", "sample"):
        arguments = [str(tiny_file) if a == "TINY" else "/dev/null" if a == "result" else a for a in WRITERS[command]]
        run(*arguments)
        assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("command", ["prove", "frontier", "formalize", "sample"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("oops")])
def test_work_that_ends_early_leaves_nothing_behind(
    run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException
) -> None:
    def fail(*_: object) -> Any:
        raise error

    monkeypatch.setattr(sys.modules["compact_proofs.core.prove"], "run", fail)
    monkeypatch.setattr(Nothing, "verify", fail)
    inputs = [str(tiny_file) if a == "TINY" else "sub/result" if a == "result" else a for a in WRITERS[command]]
    run(*inputs, code=130 if isinstance(error, KeyboardInterrupt) else 3)
    if command == "frontier" and isinstance(error, KeyboardInterrupt):  # which can go on
        assert [file.name for file in Path().rglob("*") if file.is_file()] == ["unfinished.sqlite"]
        return
    assert list(Path().iterdir()) == []


def test_leftovers_are_removed_and_said(run: Any, tiny_file: Path) -> None:
    Path(".0123.compact-proofs.tmp").write_bytes(b"half")
    result = run("prove", tiny_file, "-s", "cubic", "-o", "proof.cert")
    assert "what was left behind by a program that was killed: 1 unfinished file(s)" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["proof.cert"]
