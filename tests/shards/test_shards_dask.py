"""A proof by the workers of a real Dask scheduler on the loopback interface, some of which are killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shard_work import TASK, Deadly, Network

import compact_proofs as cp
from compact_proofs.shards import call

pytest.importorskip("distributed")


def test_a_proof_on_a_cluster_whose_workers_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dask_cluster: Callable[[], Any]
) -> None:
    monkeypatch.setattr(call, "ALONE", 0)
    monkeypatch.setenv("SHARD_PARENT", str(os.getpid()))
    strategy = Deadly(batch_size=4, log=str(tmp_path / "log"), times=3)
    alone = cp.brute_force(Network(), TASK, batch_size=4)
    with dask_cluster() as cluster:
        shared = cp.prove(Network(), TASK, strategy, dask=cluster.scheduler_address)
        assert os.getpid() not in {process for _, process in strategy.lines()}
        assert cp.check(shared, Network(), TASK, {"deadly": Deadly}, dask=cluster.scheduler_address).bound == shared.bound
    assert strategy.deaths() == 3
    assert (shared.claim, shared.length) == (alone.claim, alone.length)


def test_no_cluster() -> None:
    with pytest.raises(cp.BadInput, match="no Dask scheduler answers"):
        cp.prove(Network(), TASK, dask="nonsense://x")
