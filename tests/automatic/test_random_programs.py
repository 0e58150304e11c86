"""Modules of random operations: they are read as what they compute, and proofs about them agree with brute force."""

import pytest
import torch
from random_programs import N, RandomModule, V

import compact_proofs as cp
from compact_proofs.automatic.reading.evaluate import evaluate
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.reading.refusals import NotRead
from compact_proofs.program import trace

INPUTS = torch.cartesian_prod(*[torch.arange(V)] * N)


def modules(seeds):
    """The modules that compute numbers, with their logits [27, outputs]."""
    for seed in seeds:
        module = RandomModule(seed).eval()
        with torch.no_grad():
            logits = module(INPUTS)
        if bool(logits.isfinite().all()) and logits.abs().max() < 1e8:
            yield module, logits


def mostly_right(logits, seed):
    """A task on which a network with these logits is wrong here and there."""
    generator = torch.Generator().manual_seed(seed)
    other = torch.randint(0, logits.shape[1], (len(INPUTS),), generator=generator)
    labels = torch.where(torch.rand(len(INPUTS), generator=generator) < 0.3, other, logits.argmax(-1)).reshape([V] * N)
    return cp.FiniteTask(N, V, lambda x: labels[x[:, 0], x[:, 1], x[:, 2]])


def try_reading(seeds):
    """How many modules are read, each as the function that it is."""
    tried = 0
    for module, logits in modules(seeds):
        try:
            network = read(trace(module, INPUTS[0]), V, N - 1)
        except NotRead:
            continue
        found, _ = evaluate(network, INPUTS)
        scale = float(logits.abs().max()) + 1
        torch.testing.assert_close(found, logits, rtol=1e-7, atol=1e-7 * scale)
        tried += 1
    return tried


def try_proving(seeds):
    """How many modules are proven: exactly by a list, and by boxes alone never more than is true."""
    tried = 0
    for seed, (module, logits) in enumerate(modules(seeds)):
        task = mostly_right(logits, seed)
        truth = cp.brute_force(module, task).bound
        assert cp.prove(module, task, cp.Shared()).bound == truth
        assert cp.prove(module, task).bound == truth
        try:
            assert cp.prove(module, task, cp.Automatic(most=0)).bound <= truth
        except NotRead:
            continue
        tried += 1
    return tried


def test_random_modules_are_read_as_what_they_are():
    with torch.no_grad():
        assert try_reading(range(100, 106)) > 2


def test_proofs_about_random_modules():
    assert try_proving(range(200, 203)) > 0


@pytest.mark.slow
def test_many_random_modules():
    with torch.no_grad():
        assert try_reading(range(1000, 1300)) > 150
    assert try_proving(range(2000, 2150)) > 50
