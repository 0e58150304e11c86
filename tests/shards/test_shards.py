"""Proofs carried out in parts, by worker processes that may die, and with what is kept of earlier runs: always the same proof."""

from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import shard_work
import torch
from shard_work import TASK, Busy, Deadly, Interrupted, Logged, Nested, Network, is_alive, wait_until

import compact_proofs as cp
from compact_proofs.core.code import code_sha256
from compact_proofs.core.prove import find_explanation, prove
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files.kept import Kept
from compact_proofs.length import TooLong
from compact_proofs.memory import limited_memory, usual
from compact_proofs.shards import call, crew
from compact_proofs.shards.passing import read_result, written
from compact_proofs.tasks import KITS
from compact_proofs.tasks.order_statistic import BoxTree, ConeTree

REGISTERED = [(kit, kind) for kit in KITS.values() for kind in kit.strategies]


@pytest.fixture(scope="module")
def workers() -> Iterator[None]:
    """Two processes, which get every part."""
    with pytest.MonkeyPatch.context() as patch, cp.sharing(2):
        patch.setattr(call, "ALONE", 0)
        wait_for_workers()
        yield


def wait_for_workers() -> None:
    found = crew._crew.get()
    assert found is not None
    assert found.workers is not None
    wait_until(lambda: found.workers.ready)


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
        with crew.nothing_shared():
            alone = prove(specimen.model, task, strategy, explanation=explanation)
        assert list(map(list, shared.length.by_stage.items())) == list(map(list, alone.length.by_stage.items()))
        assert same_file(alone, shared, tmp_path)


@pytest.mark.parametrize(
    ("search", "strategy", "groups"),
    [("search", ConeTree(smallest=1e-4, gain=1e-4), 12), ("box_search", BoxTree(gain=3e-3), 24)],
    ids=["cones", "boxes"],
)
def test_large_trees_are_divided_by_their_roots(
    search: str, strategy: cp.Strategy, groups: int, workers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"compact_proofs.tasks.order_statistic.{search}.TOGETHER", 100)
    trained = cp.load("second-of-3")
    explanation = find_explanation(trained.model, trained.task, strategy)
    assert len(explanation["sizes"]) == groups
    wait_for_workers()
    shared = prove(trained.model, trained.task, strategy, explanation=explanation)
    with crew.nothing_shared():
        alone = prove(trained.model, trained.task, strategy, explanation=explanation)
    assert same_file(alone, shared, tmp_path)
    assert alone.length == shared.length


@pytest.mark.parametrize("seed", range(4))
def test_what_one_batch_of_a_listing_leaves_for_the_next_is_made_beforehand(
    workers: None, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of few tokens are kept from batch to batch: by workers they cost once too."""
    monkeypatch.setattr("compact_proofs.automatic.shared.BATCH", 7)
    specimen = KITS["finite"].specimen(seed)
    task = KITS["finite"].task_of(specimen.model)
    wait_for_workers()
    shared = prove(specimen.model, task, cp.Shared())
    with crew.nothing_shared():
        one = prove(specimen.model, task, cp.Shared())
    assert proves_the_same(shared, one)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> cp.Certificate:
    """The proof of the network below by one process."""
    return cp.brute_force(Network(), TASK, batch_size=4)


def proves_the_same(a: cp.Certificate, b: cp.Certificate) -> bool:
    """Of strategies that differ in name and in what else their parts do."""
    return (a.claim, list(a.length.by_stage.items())) == (b.claim, list(b.length.by_stage.items()))


def test_parts_are_sent_to_the_workers(workers: None, tmp_path: Path, alone: cp.Certificate) -> None:
    strategy = Logged(batch_size=4, log=str(tmp_path / "log"))
    assert proves_the_same(cp.prove(Network(), TASK, strategy), alone)
    parts, processes = zip(*strategy.lines(), strict=True)
    assert sorted(parts) == list(range(128))
    assert os.getpid() not in processes
    assert len(set(processes)) == 2


@pytest.mark.parametrize("parts", [0, 1, 2, 40, 300])
def test_something_is_done_first(parts: int, workers: None, tmp_path: Path) -> None:
    """By the asking process, before the length of any part is added; the workers have the parts meanwhile, if there are several."""
    with crew.nothing_shared():
        alone = cp.prove(Network(), TASK, Busy(parts=parts))
    strategy = Busy(parts=parts, log=str(tmp_path / "log"))
    shared = cp.prove(Network(), TASK, strategy)
    assert list(shared.length.by_stage.items()) == list(alone.length.by_stage.items())
    assert list(alone.length.by_stage)[: 1 + bool(parts)] == ["first", "parts"][: 1 + bool(parts)]
    done = strategy.lines()
    assert done.pop("first") == os.getpid()
    assert list(map(int, sorted(done, key=int))) == list(range(parts))
    assert (os.getpid() in done.values()) == (parts == 1)
    assert len(set(done.values())) == min(parts, 2)


def test_something_first_beside_what_is_kept(workers: None, tmp_path: Path) -> None:
    """Parts that were finished before are taken after it."""
    alone = cp.prove(Network(), TASK, Busy())
    for stopped in (True, False):
        with cp.sharing(resume=tmp_path / "kept"), pytest.MonkeyPatch.context() as patch:
            if stopped:
                patch.setattr(call._Call, "_take", lambda self, at: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    cp.prove(Network(), TASK, Busy())
                continue
            shared = cp.prove(Network(), TASK, Busy())
    assert list(shared.length.by_stage.items()) == list(alone.length.by_stage.items())


def test_functions_of_ones_own_are_sent(workers: None) -> None:
    """A network and a label function that no module has."""

    class Own(Network):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 2

    task = cp.FiniteTask(3, 8, lambda x: x.amin(1), valid=lambda x: x[:, 0] > 0)
    shared = cp.prove(Own(), task, cp.Automatic())
    with crew.nothing_shared():
        assert proves_the_same(shared, cp.prove(Own(), task, cp.Automatic()))


def test_parts_of_parts_stay_with_them(workers: None) -> None:
    task = cp.FiniteTask(2, 6, lambda x: x[:, 0])
    shared = cp.prove(Network(), task, Nested())
    with crew.nothing_shared():
        assert proves_the_same(shared, cp.prove(Network(), task, Nested()))
    assert set(shared.length.by_stage) >= {"of 1"}


def test_a_proof_that_is_too_long_is_not_carried_on(workers: None, alone: cp.Certificate) -> None:
    """Whoever counts beyond the limit."""
    limit = alone.length.total
    assert cp.prove(Network(), TASK, cp.Exhaustive(batch_size=4), limit=limit).length == alone.length
    with pytest.raises(TooLong, match=f"more than {limit - 1:,} operations"):
        cp.prove(Network(), TASK, cp.Exhaustive(batch_size=4), limit=limit - 1)


def test_an_error_of_a_part_is_that_of_the_proof(workers: None) -> None:
    class NoRule(Network):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.i0(super().forward(x))

    with pytest.raises(cp.NoSoundRule, match="i0"):
        cp.brute_force(NoRule(), TASK)
    with pytest.raises(BadInput, match="jobs = 0"):
        cp.prove(Network(), TASK, jobs=0)
    with pytest.raises(BadInput, match="give one of them"):
        cp.prove(Network(), TASK, jobs=2, dask="tcp://127.0.0.1:1")


@pytest.mark.parametrize("change", ["number", "size", "bits", "parts", "code"])
def test_results_that_parts_cannot_have_are_refused(
    workers: None, alone: cp.Certificate, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a worker's memory were broken: nothing of it becomes a theorem."""

    def changed(data: bytes) -> Any:
        results = read_result(data)
        if change == "parts":
            return results[:-1]
        if change == "code":
            return read_result(written([print]))
        first = results[0]
        value = {"number": first.number + 1, "size": 5 - first.size, "bits": first.bits ^ 255}[change]
        return [dataclasses.replace(first, **{change: value}), *results[1:]]

    monkeypatch.setattr(call, "read_result", changed)
    wait_for_workers()  # which may still be at parts of a proof that was refused
    with pytest.raises(BadInput, match="another process"):
        cp.brute_force(Network(), TASK, batch_size=4)


def test_only_data_is_read_as_a_result() -> None:
    data = {"a": [torch.arange(24).reshape(4, 6).T[1:3, ::2], 2**100, None, "text"], "b": (torch.Size([1]), torch.float64)}
    back = read_result(written(data))
    assert torch.equal(back["a"][0], data["a"][0])
    assert back["a"][0].stride() == data["a"][0].stride()
    assert (back["a"][1:], back["b"]) == (data["a"][1:], data["b"])
    for code in (print, lambda: 3, Network(), torch.load, Path("x"), torch.ops.aten.add.Tensor):
        with pytest.raises(BadInput, match="is no data"):
            read_result(written(code))
    for damaged in (b"", b"\x80", written(data)[:-9]):
        with pytest.raises(BadInput, match="cannot be read"):
            read_result(damaged)


def test_enclosures_are_sent_with_both_bounds() -> None:
    with cp.sound():
        x = torch.rand(3, 4).mT / 3
        undefined = (torch.zeros(2) / torch.zeros(2)).clamp(0, 1)
    back, unknown = read_result(written([x, undefined]))
    assert torch.equal(back.lo, x.lo)
    assert torch.equal(back.hi, x.hi)
    assert back.stride() == x.stride()
    with cp.sound():  # a result that may be undefined is known as such on the other side
        assert not cp.provably(~unknown.isnan()).any()
        assert cp.provably(~back.isnan()).all()


def test_five_workers_killed_during_one_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: cp.Certificate) -> None:
    """Each costs its shard, which is done again: bound and length are those of one process."""
    monkeypatch.setattr(call, "ALONE", 0)
    monkeypatch.setenv("SHARD_PARENT", str(os.getpid()))
    strategy = Deadly(batch_size=4, log=str(tmp_path / "log"))
    with cp.sharing(2):
        wait_for_workers()
        assert proves_the_same(cp.prove(Network(), TASK, strategy), alone)
    assert strategy.deaths() == 5
    assert len({process for _, process in strategy.lines()}) >= 6


def test_a_part_that_kills_every_worker_ends_the_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "ALONE", 0)
    monkeypatch.setattr(call, "MOST_DEATHS", 2)
    monkeypatch.setenv("SHARD_PARENT", str(os.getpid()))
    with cp.sharing(2):
        wait_for_workers()
        with pytest.raises(cp.CompactProofsError, match="2 workers died at the same part of the proof"):
            cp.prove(Network(), TASK, Deadly(batch_size=4, log=str(tmp_path / "log"), times=100))


def test_what_was_finished_before_an_interruption_is_not_done_again(tmp_path: Path, alone: cp.Certificate) -> None:
    strategy = Interrupted(batch_size=4, log=str(tmp_path / "log"))
    with crew.nothing_shared(), pytest.raises(KeyboardInterrupt), cp.sharing(resume=tmp_path / "kept"):
        cp.prove(Network(), TASK, strategy)
    with crew.nothing_shared(), cp.sharing(resume=tmp_path / "kept"):
        proven = cp.prove(Network(), TASK, strategy)
        assert proves_the_same(proven, alone)
        assert [part for part, _ in strategy.lines()] == [*range(71), *range(70, 128)]
        again = cp.prove(Network(), TASK, strategy)  # which is kept as a whole
    assert same_file(proven, again, tmp_path)
    assert len(strategy.lines()) == 129
    with crew.nothing_shared():
        cp.prove(Network(), TASK, strategy)
    assert len(strategy.lines()) == 129 + 128


def test_a_program_that_is_killed_goes_on_with_what_its_workers_had_finished(tmp_path: Path, alone: cp.Certificate) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    program = subprocess.Popen([sys.executable, shard_work.__file__, str(kept), str(log)], env=os.environ | {"SHARD_SLOW": "1"})
    try:
        wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= 60)
        assert program.poll() is None
    finally:
        program.kill()
        program.wait()
    strategy = Logged(batch_size=4, log=str(log))
    processes = {process for _, process in strategy.lines()}
    wait_until(lambda: not any(is_alive(process) for process in processes))
    before = len(strategy.lines())
    with cp.sharing(resume=kept):
        assert proves_the_same(cp.prove(Network(), TASK, strategy), alone)
    assert 128 < len(strategy.lines()) < before + 128 - 30, "what was finished is not done again"


def test_a_check_takes_nothing_from_a_file(tmp_path: Path, alone: cp.Certificate) -> None:
    """Whoever can write the file can make a certificate say anything; a check finds it out."""
    strategy = cp.Exhaustive(batch_size=4)
    with cp.sharing(resume=tmp_path / "kept"):
        cp.prove(Network(), TASK, strategy)
        kept = crew._crew.get().kept
        ((work, step, data),) = kept._connection.execute("SELECT work, step, data FROM kept WHERE step = 'Certificate'").fetchall()
        total, length, seconds = read_result(data)
        kept.keep(work, step, written((total + 1, length, seconds)))
        forged = cp.prove(Network(), TASK, strategy)
        assert forged.bound > alone.bound
        with pytest.raises(CertificateRejected, match="is not proven"):
            cp.check(forged, Network(), TASK)
        assert cp.check(alone, Network(), TASK).length == alone.length


def test_what_other_code_has_finished_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one name, one version and one set of options: the strategy's file, or one that it imports, was changed."""
    monkeypatch.syspath_prepend(tmp_path)
    helper, own = tmp_path / "shard_helper_module.py", tmp_path / "shard_own_module.py"
    helper.write_text("def all_right(task, n):\n    return n\n")
    own.write_text(
        "import torch\nimport compact_proofs as cp\nfrom shard_helper_module import all_right\n"
        "class Hasty(cp.Strategy):\n"
        "    name, summary, reads_program = 'hasty', 'counts what it is told', True\n"
        "    def verify(self, model, task, explanation):\n"
        "        return cp.Truth(torch.arange(8)[:, None, None].expand(8, 8, 8) < all_right(task, 3))\n"
    )

    def bound() -> float:
        for name in ("shard_helper_module", "shard_own_module"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        strategy = importlib.import_module("shard_own_module").Hasty()
        with cp.sharing(resume=tmp_path / "kept"):
            return float(cp.prove(Network(), TASK, strategy).bound)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert bound() == bound() == 3 / 8
    helper.write_text("def all_right(task, n):\n    return n - 1\n")
    assert bound() == 2 / 8
    own.write_text(own.read_text().replace("task, 3)", "task, 2)"))
    assert bound() == 1 / 8


def test_code_that_is_in_no_file_cannot_be_named() -> None:
    """That of a notebook, which has no text to compare."""
    module = ModuleType("shard_notebook")
    sys.modules[module.__name__] = module
    strategy = type("Own", (cp.Exhaustive,), {"__module__": module.__name__})
    with pytest.raises(BadInput, match="Own: it is defined in no file"):
        code_sha256(strategy())
    del sys.modules[module.__name__]
    assert code_sha256(cp.Exhaustive(), TASK) == code_sha256(cp.Automatic) == code_sha256()
    assert code_sha256(Logged(batch_size=4)) not in (code_sha256(), code_sha256(cp.FiniteTask))


def test_workers_share_the_memory_that_there_is(workers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a limit is around, which is that of each."""
    monkeypatch.setattr("compact_proofs.memory.available", lambda: 4 * 2**30)
    assert (usual(), usual(3)) == (3 * 2**30, 2**30)
    seen = []

    def submit(self: crew.Crew, shard: Any, shared: Any) -> None:
        seen.append(shard.memory)
        given(self, shard, shared)

    given = crew.Crew.submit
    monkeypatch.setattr(crew.Crew, "submit", submit)
    found = crew._crew.get()
    assert found is not None
    assert found.memory is not None  # of the processes of this test
    monkeypatch.setattr(found, "memory", 2**30)
    wait_for_workers()
    cp.brute_force(Network(), TASK, batch_size=64)
    assert set(seen) == {2**30}
    with limited_memory(2**29):
        cp.brute_force(Network(), TASK, batch_size=64)
    assert set(seen) == {2**30, 2**29}


def test_damage_in_a_file_of_finished_work(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    kept = Kept(path)
    kept.keep("work", "1", b"one")
    kept.keep("work", "2", b"two")
    kept._connection.execute("UPDATE kept SET data = 'tow' WHERE step = '2'")
    assert kept.steps("work") == {"1": b"one"}
    assert kept.find("work", "2") is None
    assert kept.find("other", "1") is None
    kept.close()
    (tmp_path / "text").write_text("no such file" * 100)
    with pytest.raises(BadInput, match="no file of unfinished work"):
        Kept(tmp_path / "text")
