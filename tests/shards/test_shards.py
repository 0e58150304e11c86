"""Proofs carried out in parts, by worker processes that may die, and with what is kept of earlier runs: always the same proof."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shard_work
import torch
from shard_work import TASK, Deadly, Interrupted, Logged, Nested, Network

import compact_proofs as cp
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.check import check
from compact_proofs.core.prove import find_explanation, prove
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files.kept import Kept
from compact_proofs.length import TooLong
from compact_proofs.shards import crew
from compact_proofs.shards.passing import read_result, written
from compact_proofs.shards.work import Answer
from compact_proofs.tasks import KITS

REGISTERED = [(kit, kind) for kit in KITS.values() for kind in kit.strategies]


@pytest.fixture(scope="module")
def workers() -> Iterator[None]:
    """Two processes, which get every part."""
    with pytest.MonkeyPatch.context() as patch, cp.sharing(2):
        patch.setattr(crew, "ALONE", 0)
        found = crew._crew.get()
        assert found is not None
        assert found.workers is not None
        while not found.workers.ready:
            time.sleep(0.05)
        yield


def same_file(a: cp.Certificate, b: cp.Certificate, folder: Path) -> bool:
    """Are the certificates the same, byte for byte, but for the seconds that they took?"""
    files = [dataclasses.replace(c, seconds=0.0).save(folder / name) for name, c in (("a", a), ("b", b))]
    return files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(("kit", "kind"), REGISTERED, ids=lambda x: x.name)
def test_every_strategy_proves_the_same_by_workers(kit: Any, kind: Any, workers: None, tmp_path: Path) -> None:
    """Bound and length to the last integer, in the order of the stages: nothing counts twice, and nothing is left out."""
    specimen = kit.specimen(1)
    task = kit.task_of(specimen.model)
    for strategy in list(kit.variants(kind, specimen.model))[:2]:
        explanation = find_explanation(specimen.model, task, strategy)
        shared = prove(specimen.model, task, strategy, explanation=explanation)
        token = crew._crew.set(None)
        try:
            alone = prove(specimen.model, task, strategy, explanation=explanation)
        finally:
            crew._crew.reset(token)
        assert list(map(list, shared.length.by_stage.items())) == list(map(list, alone.length.by_stage.items()))
        assert same_file(alone, shared, tmp_path)
