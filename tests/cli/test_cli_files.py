"""Where results go: one rule for what exists already, nothing made before there is something to write, devices stay devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compact_proofs.strategy import Strategy
from compact_proofs.tasks.max_of_k import Additive

TINY = ("--n-ctx", 2, "--d-vocab", 5, "--d-model", 4, "--steps", 20, "--evaluation-samples", 100)
QUICK = ("--search-seconds", 0.1, "--polish", 0)
WRITERS: dict[str, tuple[object, ...]] = {
    "prove": ("prove", "TINY", "-s", "cubic", "-o", "result"),
    "sample": ("sample", "TINY", "-s", "nothing", "-n", 5, "-o", "result"),
    "dictionary": ("dictionary", "mod-59-mlp-seed-0-tuned", "-k", "tokens", "-O", "rank=31", "-L", 24, "-o", "result"),
    "train": ("train", "max-of-k", "-o", "result.safetensors", *TINY),
    "frontier": ("frontier", "TINY", *QUICK, "-o", "result"),
    "formalize": ("formalize", "TINY", "-o", "result"),
    "sweep": ("sweep", "export", "sweep.sqlite", "-o", "result.csv"),
}


@pytest.mark.parametrize("command", WRITERS)
def test_what_exists_is_replaced_only_by_force(run: Any, tiny_file: Path, command: str) -> None:
    arguments = [str(tiny_file) if a == "TINY" else a for a in WRITERS[command]]
    if command == "sweep":
        run("sweep", "run", "sweep.sqlite", "--model", tiny_file, "-s", "cubic")
    run(*arguments)
    (made,) = [path for path in Path().iterdir() if path.name in ("result", "result.safetensors", "result.csv")]
    old = made if made.is_file() else next(iter(sorted(made.iterdir())))
    old.write_bytes(b"precious")
    result = run(*arguments, code=2)
    assert "--force to replace" in result.stderr
    assert result.stdout == ""
    assert old.read_bytes() == b"precious"
    run(*arguments, "--force")
    assert old.read_bytes() != b"precious"


def test_a_saved_dictionary_is_replaced_only_by_force(run: Any) -> None:
    arguments = ("dictionary", "mod-59-mlp-seed-0-tuned", "-k", "pca", "-O", "rank=31", "-L", 24, "--save", "sae")
    run(*arguments)
    assert "sae is not empty" in run(*arguments, code=2).stderr
    run(*arguments, "--force")


def test_a_device_is_written_to(run: Any, tiny_file: Path) -> None:
    for command in ("prove", "sample"):
        arguments = [str(tiny_file) if a == "TINY" else "/dev/null" if a == "result" else a for a in WRITERS[command]]
        run(*arguments)
        assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("command", ["prove", "frontier", "formalize", "sample"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError("none left")])
def test_work_that_ends_early_leaves_nothing_behind(
    run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException
) -> None:
    def fail(*_: object) -> int:
        raise error

    for kind in (Additive, *Additive.__mro__[1:-1], *Strategy.__subclasses__()):
        if "verify" in vars(kind):
            monkeypatch.setattr(kind, "verify", fail)
    inputs = [str(tiny_file) if a == "TINY" else "sub/result" if a == "result" else a for a in WRITERS[command]]
    run(*inputs, code=130 if isinstance(error, KeyboardInterrupt) else 3)
    assert list(Path().iterdir()) == []


def test_leftovers_are_removed_and_said(run: Any, tiny_file: Path) -> None:
    Path(".0123.compact-proofs.tmp").write_bytes(b"half")
    result = run("prove", tiny_file, "-s", "cubic", "-o", "proof.cert")
    assert "what was left behind by a program that was killed: 1 unfinished file(s)" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["proof.cert"]
