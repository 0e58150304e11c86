"""The installed Coq: what is missing, building the development, running ``coqc``."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from compact_proofs.errors import BadInput
from compact_proofs.progress import counted

PACKAGES = {
    "Interval": "libcoq-interval",
    "Flocq": "libcoq-flocq",
    "Coquelicot": "libcoq-coquelicot",
    "Bignums": "libcoq-bignums",
}
"""Coq libraries that the development needs, and the Debian packages that hold them."""

INSTALL = f"apt-get install --no-install-recommends coq {' '.join(PACKAGES.values())}"
ROOT = "CompactProofs"
"""The development's name inside Coq."""
TESTED = "8.16"
MOST_AT_ONCE = 4
"""Files that are compiled at once, each in up to a gigabyte of memory."""


@dataclass(frozen=True)
class Output:
    """What a run of coqc printed, whether it accepted the file, and the processor time that it took."""

    accepted: bool
    text: str
    seconds: float


@dataclass(frozen=True)
class Coq:
    """An installed Coq with its version (``coqc --print-version``)."""

    program: str
    version: str

    @classmethod
    def find(cls) -> Coq:
        """Find coqc and its libraries.

        Raises
        ------
        BadInput
            Naming what is missing and how it is installed.
        """
        program = shutil.which("coqc")
        if program is None:
            raise BadInput(f"Coq is not installed (there is no coqc on the PATH); on Debian 12: {INSTALL}")
        version = _query(program, "--print-version")
        libraries = Path(_query(program, "-where")) / "user-contrib"
        missing = [name for name in PACKAGES if not (libraries / name).is_dir()]
        if missing:
            packages = " ".join(PACKAGES[name] for name in missing)
            raise BadInput(
                f"{program}: Coq has no {', '.join(missing)} in {libraries}; "
                f"on Debian 12: apt-get install --no-install-recommends {packages}"
            )
        return cls(program, version)

    def compile(self, file: Path, *paths: tuple[Path, str]) -> Output:
        """Run coqc on a file in its folder, with folders bound to names inside Coq."""
        bound = [argument for folder, name in paths for argument in ("-Q", str(folder.resolve()), name)]
        before = os.times()
        run = subprocess.run([self.program, "-q", *bound, file.name], cwd=file.parent, capture_output=True, text=True, check=False)
        after = os.times()
        seconds = after.children_user - before.children_user + after.children_system - before.children_system
        return Output(run.returncode == 0, run.stdout + run.stderr, seconds)

    def place(self) -> Path:
        """Where the compiled development is kept: in the user's cache, under a hash of its sources and of Coq's version."""
        digest = hashlib.sha256(self.version.encode())
        for file in sources():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "compact-proofs"
        return cache / f"coq-{digest.hexdigest()[:16]}"

    def build(self, *, fresh: bool = False) -> Path:
        """Compile the development, unless it was before; return the folder of the result (`place`).

        With `fresh` it is compiled anyway, and what was kept is replaced: files in a cache may have been changed.

        Raises
        ------
        BadInput
            If this Coq does not accept it.
        """
        built = self.place()
        if built.is_dir() and not fresh:
            return built
        files, cache = sources(), built.parent
        try:
            cache.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix="building-", dir=cache))
        except OSError as e:
            raise BadInput(f"{cache}: the compiled development cannot be kept there ({e.strerror}); set XDG_CACHE_HOME") from None
        try:
            for file in files:
                shutil.copy(file, work)
            with counted(len(files), "compiling the formal development") as advance:
                for done, file in enumerate(self._compile_all(files, work), start=1):
                    advance(done, file.name)
            if fresh:
                shutil.rmtree(built, ignore_errors=True)
            try:
                work.rename(built)
            except OSError:  # another process was quicker
                if not built.is_dir():
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return built

    def _compile_all(self, files: list[Path], work: Path) -> Iterator[Path]:
        """Compile files in `work`, each after all that it requires, as many at once as there are cores, up to `MOST_AT_ONCE`."""
        order = TopologicalSorter(requirements(files))
        order.prepare()
        with ThreadPoolExecutor(min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
            running: dict[Future[Output], Path] = {}
            while order.is_active():
                for file in order.get_ready():
                    running[pool.submit(self.compile, work / file.name, (work, ROOT))] = file
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    file, output = running.pop(done), done.result()
                    if not output.accepted:
                        pool.shutdown(cancel_futures=True)
                        raise BadInput(
                            f"Coq {self.version} does not accept {file.name} of the formal development, which is made for "
                            f"Coq {TESTED} with coq-interval 4.6: {output.text.strip()[:600]}"
                        )
                    order.done(file)
                    yield file


def requirements(files: list[Path]) -> dict[Path, set[Path]]:
    """Which of some files of the development each requires."""
    named = {file.stem: file for file in files}
    found = {}
    for file in files:
        lines = re.findall(rf"From {ROOT} Require(?:\s+Import|\s+Export)?\s+([\w\s]+)\.", file.read_text())
        found[file] = {named[name] for line in lines for name in line.split()}
    return found


def theories() -> Path:
    """Return the folder of the development: within the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    places = (package / "theories", package.parent.parent / "formal")
    for place in places:
        if (place / "_CoqProject").is_file():
            return place
    raise BadInput(f"the formal development is not where it should be, {places[0]}; install compact-proofs again")


def sources() -> list[Path]:
    """List the files of the development, in the order in which they are compiled."""
    folder = theories()
    return [folder / line for line in (folder / "_CoqProject").read_text().split("\n") if line.endswith(".v")]


def _query(program: str, option: str) -> str:
    try:
        return subprocess.run([program, option], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as e:
        raise BadInput(f"{program} {option} does not work ({e}); install Coq again: {INSTALL}") from None
