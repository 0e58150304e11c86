"""The program as a process: pipes that are closed, terminals with few characters, Ctrl-C at any time, a notebook's environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forging import forge

from compact_proofs.core.certificate import Certificate

PROGRAM = [sys.executable, "-c", "from compact_proofs.cli import main; main()"]


def start(*arguments: object, stdout: Any = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=os.environ | environment)


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("arguments", [("--help",), ("strategies",), ("strategies", "--json")])
def test_a_closed_pipe_is_no_error(arguments: tuple[str, ...]) -> None:
    done = start(*arguments, stdout=closed_pipe())
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_pipe_changes_no_verdict(tiny_file: Path, tiny_certificate: Certificate, tmp_path: Path) -> None:
    """Accepted is 0, rejected is 1, wrong use is 2, whether anybody reads or not."""
    good = tiny_certificate.save(tmp_path / "good.cert")
    bad = forge(tiny_certificate, tmp_path / "bad.cert", lambda d, t: d["claim"].update(numerator="512"))
    for certificate, code in ((good, 0), (bad, 1), (tmp_path / "none.cert", 2)):
        assert start("check", certificate, tiny_file, "--json", stdout=closed_pipe()).returncode == code


def test_names_that_a_terminal_does_not_have(tiny_file: Path, tmp_path: Path) -> None:
    """The result is there, and what is shown are characters that the terminal has, and that are seen."""
    output = tmp_path / "prüf\u202eung\udcff.cert"
    for encoding, extra in (("ascii", ()), ("utf-8", ("--json",))):
        arguments = ("prove", tiny_file, "-s", "cubic", "-o", output, "--force", *extra)
        done = start(*arguments, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
        assert Certificate.load(output).strategy == "cubic"
        assert b"Traceback" not in done.stderr
        assert not {"\u202e", "\udcff"} & set(done.stderr.decode(encoding))


def test_the_environment_of_a_notebook() -> None:
    """A backend for pictures that is not there is no reason to fail: pictures go into files."""
    environment = os.environ | {"MPLBACKEND": "module://not.there"}
    done = subprocess.run([sys.executable, "-c", "import compact_proofs.tasks"], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    drawing = """
from compact_proofs.cli import main
import sys
sys.argv[1:] = ["--version"]
try:
    main()
except SystemExit:
    pass
import compact_proofs.report
"""
    done = subprocess.run([sys.executable, "-c", drawing], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("module", ["typer", "rich", "torch"])
def test_an_interruption_while_modules_are_loaded(tmp_path: Path, module: str) -> None:
    """Ctrl-C at a moment when the program is not there yet: the module stands for whatever takes its time."""
    (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt\n")
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = start("zoo", PYTHONPATH=path)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize("argument", ["--help", "--version", "prove --help", "frontier --help", "check --help"])
def test_help_needs_no_torch(tmp_path: Path, argument: str) -> None:
    """Which takes a second or two to be loaded."""
    (tmp_path / "torch.py").write_text("raise ImportError('torch is not needed')\n")
    done = start(*argument.split(), PYTHONPATH=f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_certificate_that_asks_for_more_memory(tiny_file: Path, tiny_certificate: Certificate, tmp_path: Path) -> None:
    def ask(document: dict[str, Any], tensors: Any) -> None:
        document["strategy"]["options"].update(counting="grid", reach=2**20)
        document["length"] = {"other": {"add": 10**29}}

    asking = forge(tiny_certificate, tmp_path / "asking.cert", ask)
    done = start("check", asking, tiny_file, "--max-memory", 1, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert not found["accepted"]
    assert "it takes more than 1 GiB of memory" in found["reason"]
