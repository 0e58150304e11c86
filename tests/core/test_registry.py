"""Tasks of other packages: found by their entry points, proved, checked and reported like those that ship."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compact_proofs.core import registry
from compact_proofs.core.exhaustive import Exhaustive
from compact_proofs.errors import BadInput, PackageSkipped
from compact_proofs.tasks import KITS
from compact_proofs.tasks.kit import ProofKit

PACKAGE = Path(__file__).parents[2] / "examples" / "package"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed in a folder of its own from a copy of its sources."""
    folder = tmp_path_factory.mktemp("installed")
    sources = shutil.copytree(PACKAGE, tmp_path_factory.mktemp("sources") / "package")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", folder)
    subprocess.run([sys.executable, "-m", "pip", "install", *options, sources], check=True)
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", "from compact_proofs.cli import main; main()", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_task_of_another_package_is_proved_checked_and_reported(elsewhere: Path, tmp_path: Path) -> None:
    listed = json.loads(run(elsewhere, tmp_path, "strategies", "--json"))["strategies"]
    assert [s["name"] for s in listed if s["task"] == "larger"] == ["records", "exhaustive"]
    assert {s["task"] for s in listed} == {"larger", *KITS}
    proof = json.loads(run(elsewhere, tmp_path, "prove", "larger-of-two", "-o", "proof.cert", "--json"))
    assert proof["strategy"] == "records"
    assert 0 < proof["bound"] < 1
    run(elsewhere, tmp_path, "check", "proof.cert", "larger-of-two")
    run(elsewhere, tmp_path, "frontier", "larger-of-two", "-o", "report", "--effort", "0", "--polish", "0")
    assert "By rising number: " in (tmp_path / "report" / "index.html").read_text()


def test_its_own_test_of_soundness_passes(elsewhere: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(elsewhere), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "test_larger_of_two.py")]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "." * 20 in done.stdout


def test_what_the_documentation_shows_is_in_the_example() -> None:
    code = "\n".join(file.read_text() for file in PACKAGE.iterdir() if file.is_file())
    shown = re.findall(r"```(?:toml|python)\n(.*?)```", (PACKAGE.parents[1] / "docs" / "extending.md").read_text(), re.DOTALL)
    assert len(shown) == 4
    assert all(block in code for block in shown)


def test_the_example_is_short() -> None:
    assert sum(len(file.read_text().splitlines()) for file in PACKAGE.iterdir() if file.is_file()) <= 120


def test_two_tasks_of_one_name_are_refused() -> None:
    kit = KITS["max-of-k"]
    registry.register(kit)  # the same again
    other = type("Kit", (), {"name": kit.name, "strategies": ()})()
    with pytest.raises(BadInput, match="two packages register a task 'max-of-k'"):
        registry.register(other)


@pytest.mark.parametrize(
    ("value", "message"),
    [("no_such_module:KIT", "cannot be loaded.*ModuleNotFoundError"), ("json:dumps", "must name a .*ProofKit, not a function")],
)
def test_an_entry_point_that_is_no_task_is_named(value: str, message: str) -> None:
    point = registry.EntryPoint("mine", value, registry.GROUP)
    with pytest.raises(BadInput, match=f"the entry point 'mine' of an unknown package {message}"):
        registry._loaded(point)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry with what ships, whose changes are taken back."""
    registry.kits()
    monkeypatch.setattr(registry, "_KITS", registry._KITS.new_child())
    monkeypatch.setattr(registry, "_SKIPPED", {})


def test_packages_whose_tasks_have_one_name_are_skipped(nothing_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    own, again = (ProofKit(name=name, strategies=(), default=lambda model: Exhaustive()) for name in ("mine", "max-of-k"))
    monkeypatch.setattr(registry, "_loaded", lambda point: {"a": own, "b": own, "c": own, "d": again}[point.name])
    points = [registry.EntryPoint(name, "module:KIT", registry.GROUP) for name in "abcd"]
    with pytest.warns(PackageSkipped) as warned:
        registry._register_installed(points)
    mine, shipped = (str(w.message) for w in warned)
    assert "have one task, 'mine'" in mine
    assert "'d' of an unknown package: there is another task 'max-of-k' already" in shipped
    assert registry.kit_of("max-of-k") is KITS["max-of-k"]
    assert "mine" not in registry.kits()
    with pytest.raises(BadInput, match=r"'a' of .* 'b' of .* 'c' of .* have one task, 'mine'"):
        registry.kit_of("mine")


def test_a_package_that_cannot_be_loaded_stops_only_its_own_task(elsewhere: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(elsewhere, tmp_path / "broken")
    (broken / "larger_of_two.py").write_text("import no_such_module")

    def tried(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(broken), os.environ.get("PYTHONPATH", "")])}
        command = [sys.executable, "-c", "from compact_proofs.cli import main; main()", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    proved = tried("prove", "max-of-4-seed-123", "--json")
    assert proved.returncode == 0
    assert json.loads(proved.stdout)["task"] == "max-of-k"
    (line,) = (line for line in proved.stderr.splitlines() if "arning" in line)
    assert re.fullmatch(r"Warning: the entry point 'larger' of larger-of-two cannot be loaded.*no_such_module.*uninstall.*", line)
    asked = tried("prove", "larger-of-two")
    assert asked.returncode == 2
    assert "Error: larger-of-two is neither a file nor a model of the zoo" in asked.stderr
    assert "; the entry point 'larger' of larger-of-two cannot be loaded" in asked.stderr
