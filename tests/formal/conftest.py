"""Coq for the tests of formal theorems: skipped where it is not installed, unless COMPACT_PROOFS_REQUIRE_COQ=1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from compact_proofs.errors import BadInput
from compact_proofs.formal.coq import ROOT, Coq, Output
from compact_proofs.formal.sources import NAME


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
        found.build()
        yield found


@pytest.fixture
def compiled(coq: Coq):
    """Run coqc on a file of a theorem's folder."""

    def run(file: Path) -> Output:
        return coq.compile(file, (coq.build(), ROOT), (file.parent, NAME))

    return run
