"""Networks that are trained as a read-out: they are what was trained, name the maximum, and have very short proofs."""

import pytest
import torch

import compact_proofs as cp
from compact_proofs.errors import BadInput
from compact_proofs.models.weights import in_double
from compact_proofs.tasks.max_of_k import Additive, MaxOfK
from compact_proofs.tasks.max_of_k.readout_training import ReadOut, ReadOutConfig, train_readout
from compact_proofs.train import make_generator

SHORT = Additive(3, 1, "norms", "grid", 8, 8, values="readout", attention="rank1", rank=1)


@pytest.fixture(scope="module")
def trained():
    return train_readout(ReadOutConfig(n_ctx=3, d_vocab=16, steps=600, evaluation_samples=2**12))


def test_the_transformer_computes_what_was_trained():
    config = ReadOutConfig(n_ctx=3, d_vocab=9, d_model=6)
    numbers = ReadOut(9, make_generator(0, "init"))
    task = MaxOfK(d_vocab=9, n_ctx=3)
    inputs = task.inputs(0, task.size)
    written = in_double(numbers).transformer(config)
    torch.testing.assert_close(written(inputs), in_double(numbers)(inputs), rtol=1e-12, atol=1e-12)
    assert [tuple(p.shape) for p in written.parameters()] == list(config.sizes.shapes.values())


def test_random_numbers_name_few_maxima():
    """So that what is asked of the trained network is not built in."""
    numbers = in_double(ReadOut(64, make_generator(0, "init")))
    model = numbers.transformer(ReadOutConfig(d_vocab=64))
    inputs = torch.randint(0, 64, (2000, 4), generator=torch.Generator().manual_seed(0))
    assert (model(inputs).argmax(1) == inputs.amax(1)).double().mean() < 0.5


def test_it_learns_and_is_proven(trained):
    task = MaxOfK.of(trained.model)
    exact = cp.brute_force(trained.model, task)
    found = cp.prove(trained.model, task, SHORT)
    assert 0.95 < found.bound <= exact.bound
    assert found.length.total < exact.length.total / 50
    assert trained.final.accuracy == pytest.approx(float(exact.bound), abs=0.02)


def test_the_same_seed_gives_the_same_network(trained):
    config = ReadOutConfig(n_ctx=3, d_vocab=16, steps=20, evaluation_samples=16)
    first, second = (train_readout(config).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert trained.metadata()["config"]["adversarial"] == 0.5


def test_sizes_that_do_not_fit():
    with pytest.raises(BadInput, match="d_model >= 4"):
        ReadOutConfig(d_model=3)
