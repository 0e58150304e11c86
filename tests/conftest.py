"""A tiny trained model, on which every strategy, brute force too, takes well under a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.tasks import LoadedModel, load_model
from compact_proofs.tasks.max_of_k import Additive
from compact_proofs.tasks.max_of_k.training import TrainingConfig, train


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes test (``pytest -n 2``), one takes a whole file, and one all that needs Coq.

    So what the tests of a file share, and Coq's development, are made once.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "Coq" if "formal" in Path(file).parts else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Max-of-3 on 8 tokens."""
    file = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    train(TrainingConfig(n_ctx=3, d_vocab=8, d_model=8, steps=500, evaluation_samples=2**12)).save(file)
    return file


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> LoadedModel:
    return load_model(tiny_file)


@pytest.fixture(scope="session")
def tiny_certificate(tiny: LoadedModel) -> Certificate:
    """Proven by the additive strategy, whose explanation is a tensor."""
    certificate = prove(tiny.model, tiny.task, Additive(window=3, groups=3))
    assert certificate.claim.numerator > 100
    return certificate


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Callable[[], Any]:
    """Start a Dask scheduler on the loopback interface with two worker processes, which see the environment of that moment."""
    distributed = pytest.importorskip("distributed")

    def start() -> Any:
        return distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(tmp_path),
            silence_logs=50,
        )

    return start
