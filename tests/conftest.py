"""A tiny trained model, on which every strategy, brute force too, takes well under a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.tasks import LoadedModel, load_model
from compact_proofs.tasks.max_of_k import Additive
from compact_proofs.tasks.max_of_k.training import TrainingConfig, train


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
