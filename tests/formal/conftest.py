"""Coq for the tests of formal theorems: skipped where it is not installed, unless COMPACT_PROOFS_REQUIRE_COQ=1."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compact_proofs.errors import BadInput
from compact_proofs.formal.coq import ROOT, Coq, Output
from compact_proofs.formal.theorem import NAME


def remembering(compile_file: Callable[..., Output], kept: Path) -> Callable[..., Output]:
    """`Coq.compile` that runs coqc on a theorem's file once for each text, and for what Coq may load beside it: tests share it."""
    outputs: dict[str, Output] = {}

    def compiled(coq: Coq, file: Path, *paths: tuple[Path, str]) -> Output:
        if len(paths) < 2:  # a file of the development
            return compile_file(coq, file, *paths)
        beside = sorted(f for f in file.parent.iterdir() if f.suffix in (".vo", ".vio") and f.stem != file.stem)
        parts = [repr(paths[:-1]).encode(), file.name.encode(), file.read_bytes()]
        parts += [part for f in beside for part in (f.name.encode(), f.read_bytes())]
        key, result = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest(), file.with_suffix(".vo")
        if key not in outputs:
            outputs[key] = compile_file(coq, file, *paths)
            if outputs[key].accepted:
                shutil.copyfile(result, kept / key)
        elif outputs[key].accepted:
            shutil.copyfile(kept / key, result)
        return outputs[key]

    return compiled


@pytest.fixture(scope="session")
def coq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coq]:
    """Coq, with the development compiled into a folder of this session."""
    try:
        found = Coq.find()
    except BadInput as e:
        if os.environ.get("COMPACT_PROOFS_REQUIRE_COQ") == "1":
            raise
        pytest.skip(str(e))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(Coq, "compile", remembering(Coq.compile, tmp_path_factory.mktemp("compiled")))
        found.build()
        yield found


@pytest.fixture(scope="session")
def compiled(coq: Coq) -> Callable[[Path], Output]:
    """Run coqc on a file of a theorem's folder."""
    return lambda file: coq.compile(file, (coq.build(), ROOT), (file.parent, NAME))
