"""The program as a whole: help, version, exit codes, errors, the listing commands, options given as text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from typing import Any

import pytest
import schemas

from compact_proofs import zoo
from compact_proofs.cli import options as module
from compact_proofs.cli.options import field_docs, parse_fraction, parse_options
from compact_proofs.errors import BadInput, NoSoundRule
from compact_proofs.tasks import KITS
from compact_proofs.tasks.max_of_k import Additive
from compact_proofs.tasks.max_of_k.training import TrainingConfig

OPTIONS = {
    (): ["--debug", "--version", "COMPACT_PROOFS_DEBUG", "zoo", "strategies", "train", "prove", "check", "frontier"],
    ("zoo",): ["--json"],
    ("strategies",): ["--json"],
    ("train",): ["max-of-k"],
    ("train", "max-of-k"): [
        *("--output", "-o", "--force", "--n-ctx", "--d-vocab", "--d-model", "--seed", "--steps", "--batch-size"),
        *("--learning-rate", "--betas", "--weight-decay", "--evaluation-samples", "K, the length of a sequence"),
    ],
    ("prove",): ["MODEL", "--strategy", "-s", "--option", "-O", "--output", "-o", "--reading", "--at-least", "--json"],
    ("check",): ["CERTIFICATE", "MODEL", "--json", "Exit code 1"],
    ("frontier",): [
        *("MODEL", "--output", "-o", "--save-certificates", "--no-save-certificates", "--json"),
        *("--with-brute-force", "--without-brute-force", "linear baseline"),
    ],
}


@pytest.mark.parametrize("command", OPTIONS, ids=" ".join)
def test_help_teaches(run: Any, plain: Callable[[str], str], command: tuple[str, ...]) -> None:
    text = plain(run(*command, "--help").stdout)
    for word in OPTIONS[command]:
        assert word in text
    assert "compact-proofs " in text
    assert "Example" in text or not command


def test_no_command_shows_the_help(run: Any) -> None:
    assert "A first proof" in run(code=2).stdout


def test_help_says_the_exit_codes(run: Any, plain: Callable[[str], str]) -> None:
    text = plain(run("-h").stdout)
    assert "1: the claim failed or a certificate was rejected. 2: wrong use or bad input." in text


def test_version(run: Any) -> None:
    assert run("--version").stdout == f"compact-proofs {version('compact-proofs')}\n"


def test_the_help_loads_no_more_than_it_needs() -> None:
    """And the installed entry point works in a process of its own, with nothing but the help on standard output."""
    program = """
import sys
from compact_proofs.cli import main
sys.argv = ["compact-proofs", "--help"]
try:
    main()
except SystemExit as e:
    assert not e.code
print("matplotlib" in sys.modules, "compact_proofs.train" in sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage: compact-proofs" in done.stdout
    assert done.stderr.split() == ["False", "False"]


@pytest.mark.parametrize("arguments", [("bogus",), ("prove",), ("prove", "x", "--bogus"), ("train", "bogus"), ("check", "x")])
def test_wrong_use(run: Any, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, code=2)
    assert result.stdout == ""
    assert "Usage" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (BadInput("the file f is bad"), 2, "Error: the file f is bad"),
        (NoSoundRule("no rule for aten.fft"), 2, "Error: no rule for aten.fft"),
        (OSError(28, "No space left on device", "f"), 2, "Error: [Errno 28] No space left on device: 'f'"),
        (KeyboardInterrupt(), 130, ""),
        (ZeroDivisionError("oops"), 3, "a fault in compact-proofs; please report it with the lines above: oops"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_errors(run: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, shown: str, debug: bool) -> None:
    def fail() -> list[str]:
        raise error

    monkeypatch.setattr(zoo, "names", fail)
    result = run(*(["--debug"] if debug else []), "zoo", code=code)
    assert result.stdout == ""
    assert shown in result.stderr
    assert ("Traceback" in result.stderr) == (code == 3 or (debug and code == 2))


def test_zoo(run: Any) -> None:
    listed = schemas.Zoo.model_validate_json(run("zoo", "--json").stdout).models
    assert [m.name for m in listed] == zoo.names()
    for m in listed:
        known = m.true_accuracy if m.sampled_accuracy is None else m.sampled_accuracy  # a compiled network was never sampled
        assert known is not None
        assert known > (0.6 if m.task == "order-statistic" else 0.9)
        assert len(m.sha256) == 64
    text = run("zoo").stdout
    for m in listed:
        (line,) = (line for line in text.splitlines() if line.split()[:1] == [m.name])
        assert m.sha256[:8] in line
        assert all(f"{name}={size}" in line for name, size in m.sizes.items() if name != "law")


def test_strategies(run: Any) -> None:
    listed = schemas.Strategies.model_validate_json(run("strategies", "--json").stdout).strategies
    assert [(s.task, s.name) for s in listed] == [(k.name, s.name) for k in KITS.values() for s in k.strategies]
    text = run("strategies").stdout
    for s in listed:
        assert f"{s.name} (version {s.version})" in text
        assert s.summary in text
        for option in s.options:
            assert option.doc
            assert option.doc in text
    (window,) = (o for s in listed for o in s.options if (s.name, o.name) == ("additive", "window"))
    assert (window.type, window.default) == ("int >= 1", Additive().window)


def test_options_from_text() -> None:
    given = ["a=1", "b=-2.5", "c=True", "d=false", "e=text=more", "f-g=1e-3", " h = 7 "]
    expected = {"a": 1, "b": -2.5, "c": True, "d": False, "e": "text=more", "f_g": 1e-3, "h": 7}
    assert parse_options(given) == expected
    assert [type(v) for v in parse_options(given).values()] == [type(v) for v in expected.values()]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["a"], "not of the form key=value"),
        (["=1"], "not of the form"),
        (["a="], "not of the form"),
        (["a=1", "a=1"], "twice"),
    ],
)
def test_bad_options(given: list[str], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        parse_options(given)


def test_bounds_from_text_are_exact() -> None:
    assert parse_fraction("0.1", "--at-least") == Fraction(1, 10)
    assert parse_fraction(".99", "--at-least") == parse_fraction("99/100", "--at-least") == Fraction(99, 100)
    assert parse_fraction("1", "--at-least") == 1


@pytest.mark.parametrize("text", ["", "x", "-0.5", "nan", "1e5", "1e999999999", "1/0", "1.5", "99", "0.5%", "1/2/3"])
def test_bad_bounds(text: str) -> None:
    with pytest.raises(BadInput, match="--at-least"):
        parse_fraction(text, "--at-least")


def test_field_docs_of_both_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    assert field_docs(Additive)["window"] == "Tokens just below the maximum that get a ratio of their own."
    docs = field_docs(TrainingConfig)
    assert docs["n_ctx"] == "K, the length of a sequence."
    assert docs["steps"] == "Number of batches."
    assert docs["seed"].endswith("the same seed on the same machine gives the same bits.")

    @dataclass
    class Bare:
        size: int = 1

    assert field_docs(Bare) == {}

    def no_source(kind: type) -> str:
        raise OSError

    monkeypatch.setattr(module.inspect, "getsource", no_source)
    assert field_docs(Additive) == {}
