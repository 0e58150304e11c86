"""What is shipped: metadata, the two packages with the zoo, and (slowly) the wheel in an environment of its own."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import compact_proofs as cp
from compact_proofs import zoo

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPANION = tomllib.loads((ROOT / "packages" / "zoo" / "pyproject.toml").read_text())
REPOSITORY = PROJECT["project"]["urls"]["Repository"]
MB = 10**6


def files_of_zoo() -> dict[str, int]:
    return {str(f.relative_to(ROOT)): f.stat().st_size for f in zoo.FOLDER.rglob("*") if f.suffix in (".safetensors", ".json")}


def left_out(name: str) -> bool:
    patterns = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]
    return any(fnmatch.fnmatch(f"/{name}", pattern) or f"/{name}".startswith(f"{pattern}/") for pattern in patterns)


def test_the_zoo_in_the_wheel_is_small_and_the_other_package_has_the_rest() -> None:
    sizes = files_of_zoo()
    assert sum(size for name, size in sizes.items() if not left_out(name)) < 3 * MB
    included = COMPANION["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    sources = {str((ROOT / "packages" / "zoo" / source).resolve().relative_to(ROOT)) for source in included}
    there = {name for name in sizes if name in sources or str(Path(name).parent) in sources}
    assert there == {name for name in sizes if left_out(name)}
    assert all(source.endswith(target.removeprefix("compact_proofs_zoo/")) for source, target in included.items())


def test_models_of_the_other_package_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "compact_proofs_zoo" / "max-of-k"
    folder.mkdir(parents=True)
    (tmp_path / "compact_proofs_zoo" / "__init__.py").touch()
    (folder / "max-of-3-seed-7.safetensors").write_bytes(zoo.path("max-of-4-seed-50").read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    assert zoo.names("max-of-k")[0] == "max-of-3-seed-7"
    assert cp.load("max-of-3-seed-7").task.name == "max-of-k"
    with pytest.raises(cp.BadInput, match="the zoo has no model 'max-of-3-seed-8'"):
        zoo.path("max-of-3-seed-8")


def test_links_of_the_readme_work_outside_of_the_repository() -> None:
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = (ROOT / "README.md").read_text()
    for substitution in hook["substitutions"]:
        text = re.sub(substitution["pattern"], substitution["replacement"], text)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert f"{REPOSITORY}/blob/main/docs/soundness.md" in links
    assert f"https://raw.githubusercontent.com/{REPOSITORY.partition('github.com/')[2]}/main/docs/frontier.png" in links


def test_the_address_of_the_repository_is_that_of_the_package() -> None:
    """pyproject.toml says it; these are the files that repeat it, since nobody can read it from there for them."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout, so that nobody says which files belong to it")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    repeating = set()
    for name in tracked:
        if name.endswith((".md", ".toml", ".yml", ".cff", ".py", ".ipynb", ".html", ".css")) and name != "CHANGELOG.md":
            text = (ROOT / name).read_text()
            found = set(re.findall(r"https://(?:github|raw\.githubusercontent)\.com/([\w.-]+/compact-proofs)\b", text))
            assert found <= {REPOSITORY.partition("github.com/")[2]}, name
            repeating |= {name} if found else set()
    assert repeating == {"pyproject.toml", "CITATION.cff", "packages/zoo/README.md"}


def test_versions_agree() -> None:
    assert f"\nversion: {cp.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert COMPANION["project"]["version"] == cp.__version__


def test_supported_versions_of_torch_are_those_that_are_tried() -> None:
    (pin,) = (d for d in PROJECT["project"]["dependencies"] if d.startswith("torch"))
    least, below = re.fullmatch(r"torch>=2\.(\d+),<2\.(\d+)", pin).groups()  # type: ignore[union-attr]
    tried = re.search(r"^TORCH \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert tried
    assert tried[1].split() == [f"2.{minor}" for minor in range(int(least), int(below))]
    assert len(tried[1].split()) >= 3


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of both packages and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT / "packages" / "zoo"], check=True)
    return folder


@pytest.mark.slow
def test_the_wheel_has_what_it_needs(built: Path) -> None:
    wheel = zipfile.ZipFile(next(built.glob("compact_proofs-*.whl")))
    names = wheel.namelist()
    for needed in ("compact_proofs/py.typed", "compact_proofs/__init__.pyi", "compact_proofs/formal/theories/Network.v"):
        assert needed in names
    assert not any(name.startswith(("tests/", "docs/", "benchmarks/")) for name in names)
    assert sum(info.file_size for info in wheel.infolist() if "/zoo/" in info.filename) < 3 * MB
    (metadata,) = (wheel.read(name).decode() for name in names if name.endswith("/METADATA"))
    for line in (f"Version: {cp.__version__}", "Project-URL: Repository, " + REPOSITORY, "License-Expression: MIT"):
        assert line in metadata
    (other,) = built.glob("compact_proofs_zoo-*.whl")
    assert "compact_proofs_zoo/modular-addition/mod-59-attn-seed-0.safetensors" in zipfile.ZipFile(other).namelist()


@pytest.mark.slow
def test_the_sdist_is_complete(built: Path) -> None:
    with tarfile.open(next(built.glob("compact_proofs-*.tar.gz"))) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert {name for name in tracked if name and not name.startswith(".")} <= there


@pytest.mark.slow
def test_a_reader_of_the_first_tutorial_can_follow_it(built: Path, tmp_path: Path) -> None:
    """In an environment that has nothing but the wheel and what it asks for."""
    from pages import blocks

    venv.create(tmp_path / "env", with_pip=True)
    bin = tmp_path / "env" / "bin"
    wheel = next(built.glob("compact_proofs-*.whl"))
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([bin / "pip", "install", "--quiet", "torch==2.13.0", wheel], check=True, env=alone)
    page = ROOT / "docs" / "tutorials" / "first-proof.md"
    code = "\n".join(block.text for block in blocks(page) if block.language == "python")
    shown = subprocess.run([bin / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=alone).stdout
    assert "16769109/16777216" in shown
    commands = [line for block in blocks(page) if block.language == "bash" for line in block.text.splitlines()]
    for line in (line for line in commands if line.startswith("compact-proofs")):
        subprocess.run([bin / line.split()[0], *line.split()[1:]], cwd=tmp_path, check=True, env=alone)
    missing = subprocess.run(
        [bin / "compact-proofs", "prove", "mod-59-attn-seed-0"], capture_output=True, text=True, check=False, env=alone
    )
    assert missing.returncode == 2
    assert "compact-proofs[zoo]" in missing.stderr.replace("\n", "")
