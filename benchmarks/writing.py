"""Files of results, each with what it was made by: the package's version and commit, the processor, torch."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]


def write_results(name: str, text: str, command: str | None = None) -> None:
    """Write ``results/NAME.md``, with a last line that says what made it: ``make bench-NAME``, or another command."""
    RESULTS.joinpath(f"{name}.md").write_text(f"{text.rstrip()}\n\n*{made_by(command or f'make bench-{name}')}*\n")


def made_by(command: str) -> str:
    """The command, the version and commit of the package, the processor, and torch's version."""
    return (
        f"`{command}`, compact-proofs {version('compact-proofs')} ({commit()}), {processor()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}."
    )


def commit() -> str:
    """The commit of the checkout, and whether files differ from it; "no checkout" elsewhere."""
    try:
        known = subprocess.run(
            ["git", "describe", "--always", "--dirty=, changed", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "no checkout"
    return f"commit {known.stdout.strip()}"


def processor() -> str:
    """The processor's model, as far as the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
