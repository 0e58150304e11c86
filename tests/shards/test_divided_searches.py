"""Searches carried out in parts, by worker processes: always the same explanation, in plain numbers, and nothing is counted."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from shard_work import wait_until

import compact_proofs as cp
from compact_proofs.automatic.effort import effort, uncounted
from compact_proofs.core.prove import find_explanation
from compact_proofs.enclosure import sound
from compact_proofs.length import count
from compact_proofs.models.networks import empty_network
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.shards import call, crew, tried

NETWORKS = {"averages": {"d_vocab": 20, "n_ctx": 2}, "norms": {"d_vocab": 5, "n_ctx": 3, "norm": "layer", "d_mlp": 6}}


@pytest.fixture(scope="module")
def workers() -> Iterator[None]:
    """Two processes, which get every part."""
    with pytest.MonkeyPatch.context() as patch, cp.sharing(2):
        patch.setattr(call, "ALONE", 0)
        found = crew._crew.get()
        assert found is not None
        assert found.workers is not None
        pool = found.workers
        wait_until(lambda: pool.ready)
        yield


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the parts of each shard that is handed out."""
    found: list[int] = []
    submit = crew.Crew.submit

    def listening(self: crew.Crew, shard: call.Shard, shared: object) -> None:
        found.extend(range(shard.start, shard.stop))
        submit(self, shard, shared)

    monkeypatch.setattr(crew.Crew, "submit", listening)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_an_explanation_is_the_same(name: str, workers: None, sent: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compact_proofs.automatic.proof.LARGEST", 2000)  # few boxes in a batch
    network = empty_network(TransformerConfig(**{"d_out": 5, "d_model": 8, "d_head": 4, "n_heads": 2} | NETWORKS[name]))
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    config = network.config
    task = cp.FiniteTask(config.n_ctx, config.d_vocab, lambda x: x[:, -1] % 5)
    shared = find_explanation(network, task, cp.Automatic(cuts=1))
    assert len(sent) > 1
    with crew.nothing_shared():
        alone = find_explanation(network, task, cp.Automatic(cuts=1))
    assert shared.keys() == alone.keys()
    assert all(torch.equal(shared[part], alone[part]) for part in alone)


def test_parts_are_tried_in_plain_numbers(workers: None, sent: list[int]) -> None:
    def process_and_kind(part: float) -> tuple[int, str, bool]:
        x = torch.tensor([part]) + 1
        return os.getpid(), type(x).__name__, torch.is_grad_enabled()

    with count() as counter:
        processes, kinds, grads = zip(*tried(process_and_kind, [0.5] * 8, "parts"), strict=True)
    assert sent == list(range(8))
    assert os.getpid() not in processes
    assert set(kinds) == {"Tensor"}
    assert not any(grads)
    assert counter.length.total == 0


def test_nothing_is_handed_out_without_workers(sent: list[int]) -> None:
    with crew.nothing_shared():
        assert list(tried(lambda part: part + 1, [1, 2], "parts")) == [2, 3]
    assert not sent


def test_what_is_paid_for_is_done_here(workers: None, sent: list[int]) -> None:
    with effort() as search, uncounted():
        list(tried(torch.sin, [torch.ones(3)] * 4, "parts"))
    assert not sent
    assert search.operations > 0


def test_a_proof_after_a_search_is_sound(workers: None) -> None:
    """A worker reads parts of a proof and of a search by turns."""
    task = cp.FiniteTask(2, 6, lambda x: x[:, 0])
    network = torch.nn.Sequential(torch.nn.Embedding(6, 6), torch.nn.Flatten(), torch.nn.Linear(12, 6)).double()
    assert len(list(tried(torch.sin, [torch.ones(1)] * 4, "parts"))) == 4
    shared = cp.brute_force(network, task, batch_size=4)
    with crew.nothing_shared():
        assert cp.brute_force(network, task, batch_size=4).length == shared.length
    with sound():
        assert isinstance(torch.ones(1) + 0.1, cp.Enclosure)
