"""The store: resuming, failures, locks, damage, exports; the work is done in this process."""

from __future__ import annotations

import csv
import json
import random
import sqlite3
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from sweep_work import TINY, Here, tiny_plan

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.check import check
from compact_proofs.core.prove import prove
from compact_proofs.errors import BadInput
from compact_proofs.sweep import COLUMNS, Plan, Summary, export, read, run, status
from compact_proofs.sweep.lock import Locked, lock_file
from compact_proofs.sweep.runner import execute
from compact_proofs.sweep.store import Store
from compact_proofs.sweep.work import Job, ModelJob, Outcome, work
from compact_proofs.tasks import load_model
from compact_proofs.tasks.max_of_k import Additive, Cubic, MaxOfK
from compact_proofs.tasks.max_of_k.training import TrainingConfig, train


def sweep(path: Path, plan: Plan | None, workers: Any = None, **options: Any) -> Summary:
    with Store(path, write=True) as store:
        return execute(store, plan, workers or Here(), **options)


def numbers(summary: Summary) -> tuple[int, int, int]:
    return summary.done, summary.failed, summary.skipped


def test_rows_are_what_prove_gives(finished: Path) -> None:
    rows = read(finished)
    assert len(rows) == 12
    assert [tuple(row) for row in rows] == [tuple(COLUMNS)] * 12
    row = next(r for r in rows if r["seed"] == 2 and r["options"].get("window") == 2)
    result = train(TrainingConfig(seed=2, **TINY))
    proven = prove(result.model, MaxOfK.of(result.model), Additive(2, 2))
    assert (row["numerator"], row["denominator"]) == (str(proven.claim.numerator), str(proven.claim.denominator))
    assert Fraction(int(row["numerator"]), int(row["denominator"])) == proven.bound
    assert row["length"] == proven.length.total == row["flops"] + row["int_ops"] == sum(row["by_stage"].values())
    assert row["by_category"] == proven.length.by_category
    assert row["model_sha256"] == proven.claim.function.weights_sha256
    assert row["sampled_accuracy"] == result.final.accuracy
    assert row["explanation_size"] == 6
    assert row["options"] == Additive(2, 2).options()
    assert row["parameters"] == {"n_ctx": 3, "d_vocab": 6}
    assert row["recipe"]["steps"] == 30
    assert (row["reading"], row["source"]) == ("sound", None)


def test_a_second_run_does_nothing_and_a_larger_one_adds(tmp_path: Path, untimed: Any, finished: Path) -> None:
    path = tmp_path / "s.sqlite"
    counted = Counter[str]()

    def counting(job: Job) -> Outcome:
        counted[job.key] += 1
        return work(job)

    assert numbers(sweep(path, tiny_plan(range(2)), Here(counting))) == (8, 0, 0)
    assert numbers(sweep(path, tiny_plan(range(2)), Here(counting))) == (0, 0, 8)
    assert numbers(sweep(path, tiny_plan(range(4)), Here(counting))) == (8, 0, 8)
    assert numbers(sweep(path, None, Here(counting))) == (0, 0, 16)
    assert set(counted.values()) == {1}
    assert len(counted) == 16
    assert untimed(path) == untimed(finished)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_run_leaves_a_clean_store(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "s.sqlite"
    done: list[Job] = []

    def interrupted(job: Job) -> Outcome:
        if len(done) == 5:
            raise error
        done.append(job)
        return work(job)

    with pytest.raises(error):
        sweep(path, tiny_plan(range(2)), Here(interrupted))
    found = status(path)
    assert found.running is None
    assert found.models["running"] == found.proofs["running"] == 0
    assert found.models["done"] + found.proofs["done"] == 5
    assert numbers(sweep(path, None)) == (3, 0, 5)


def test_a_failure_costs_its_own_rows(tmp_path: Path) -> None:
    """A model costs its proofs too; what failed is tried again only if that is asked for."""
    path, plan = tmp_path / "s.sqlite", tiny_plan(range(2))
    tried: list[Job] = []

    def failing(job: Job) -> Outcome:
        tried.append(job)
        if isinstance(job, ModelJob) and '"seed":1' in (job.recipe or ""):
            return Outcome(job.key, error="MemoryError: no\nTraceback ...")
        if getattr(job, "strategy", "") == "cubic":
            return Outcome(job.key, error="unlucky")
        return work(job)

    summary = sweep(path, plan, Here(failing))
    assert numbers(summary) == (3, 5, 0)
    assert [(f.unit.split(" seed=")[1].split()[0], f.reason) for f in summary.failures] == [
        ("1", "MemoryError: no"),
        ("0", "unlucky"),
    ]
    assert summary.failures[1].unit.endswith(": cubic")
    assert status(path).failures == summary.failures
    assert [row["options"]["window"] for row in read(path)] == [1, 2]
    tried.clear()
    assert numbers(sweep(path, plan, Here(failing))) == (0, 5, 3)
    more = Plan.grid([Additive(3, 3)], seeds=[1], recipe=TINY)
    assert numbers(sweep(path, more, Here(failing))) == (0, 2, 0)
    assert not tried
    assert numbers(sweep(path, plan, retry_failed=True)) == (5, 0, 3)


def test_broken_model_files(tmp_path: Path, tiny_file: Path) -> None:
    good, broken = tmp_path / "good.safetensors", tmp_path / "broken.safetensors"
    good.write_bytes(tiny_file.read_bytes())
    broken.write_bytes(tiny_file.read_bytes()[:-50])
    path, plan = tmp_path / "s.sqlite", Plan.grid([Cubic(), Additive(2, 2)], files=[broken, good])
    summary = sweep(path, plan)
    assert numbers(summary) == (3, 3, 0)
    (failure,) = summary.failures
    assert failure.unit == "broken.safetensors"
    assert "it is damaged or not a .safetensors file" in failure.error
    rows = read(path)
    assert {(row["source"], row["seed"], row["recipe"]) for row in rows} == {("good.safetensors", 0, None)}
    assert rows[0]["sampled_accuracy"] > 0.5
    stale = Plan.grid([Additive(1, 1)], files=[broken])
    broken.write_bytes(good.read_bytes())
    assert "has changed since" in sweep(path, stale, retry_failed=True).failures[0].error
    assert numbers(sweep(path, Plan.grid([Cubic()], files=[broken]))) == (2, 0, 0)


def test_a_plan_of_another_version_is_not_proven_by_this_one(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path, write=True) as store:
        store.add(Plan.grid([Cubic()], seeds=[0], recipe=TINY))
        with store.transaction() as c:
            c.execute("UPDATE proofs SET version = 99")
        assert "asks for version 99 of cubic" in execute(store, None, Here()).failures[0].error


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path, write=True):
        with pytest.raises(Locked, match=r"another sweep is running on this store \(process \d+ on .*\); wait for it, or stop it"):
            run(path, tiny_plan(range(1)))
        assert (status(path).running or {}).get("pid")
        assert read(path) == []
    assert status(path).running is None


def test_write_ahead_log(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite", write=True) as store:
        assert [tuple(row) for row in store.rows("PRAGMA journal_mode")] == [("wal",)]
        assert [tuple(row) for row in store.rows("PRAGMA synchronous")] == [(2,)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.sqlite", "s.sqlite.lock"]


def test_what_is_no_store(tmp_path: Path, finished: Path) -> None:
    text, foreign, newer, damaged = (tmp_path / name for name in ("text", "foreign", "newer", "damaged"))
    text.write_text("something that is dear to somebody " * 100)
    with sqlite3.connect(foreign) as c:
        c.execute("CREATE TABLE dear (x)")
    newer.write_bytes(finished.read_bytes())
    with sqlite3.connect(newer) as c:
        c.execute("PRAGMA user_version = 7")
    data = bytearray(finished.read_bytes())
    data[4096 : len(data) - 4096] = b"\xff" * (len(data) - 8192)
    damaged.write_bytes(data)
    for path, reason in (
        (text, "not an SQLite file"),
        (foreign, "not the store of a sweep"),
        (newer, "a store of version 7; this program works with version 3"),
        (damaged, "the store is damaged"),
        (tmp_path, "a folder"),
        (tmp_path / "missing" / "s", "there is no folder"),
    ):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(BadInput, match=reason):
            run(path, tiny_plan(range(1)))
        assert (path.read_bytes() if path.is_file() else b"") == before
    for use in (read, status):
        with pytest.raises(BadInput, match="damaged"):
            use(damaged)
        with pytest.raises(BadInput, match="no such file"):
            use(tmp_path / "missing")
    with pytest.raises(BadInput, match="no such store to continue"):
        run(tmp_path / "missing")
    lock_file(tmp_path / "other").write_text("not a lock " * 100)
    with pytest.raises(BadInput, match="not the lock of a sweep"):
        run(tmp_path / "other", tiny_plan(range(1)))
    with pytest.raises(BadInput, match="at least 1"):
        run(tmp_path / "other", tiny_plan(range(1)), workers=0)


def test_flipped_bits_become_no_results(tmp_path: Path, finished: Path) -> None:
    """Whatever bytes are changed, what is read is what was written, or refused."""
    data, rows, states = _whole(finished), read(finished), status(finished)
    path = tmp_path / "flipped.sqlite"
    generator = random.Random(0)
    refused = 0
    for number in (1, 2, 8, 64) * 12:
        flipped = bytearray(data)
        for at in generator.sample(range(len(data)), number):
            flipped[at] ^= 1 << generator.randrange(8)
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        path.write_bytes(flipped)
        try:
            assert (read(path), status(path)) == (rows, states)
            export(path, tmp_path / "rows.csv")
        except BadInput as e:
            assert str(path) in str(e)  # noqa: PT017 (what the change did not touch is read)
            refused += 1
    assert refused > 20


def test_a_column_whose_name_is_no_text(tmp_path: Path, finished: Path) -> None:
    path = tmp_path / "renamed.sqlite"
    data = _whole(finished)
    assert b"checksum" in data[:4096]
    path.write_bytes(data[:4096].replace(b"checksum", b"c\xf8ecksum") + data[4096:])
    with pytest.raises(BadInput, match="damaged"):
        read(path)


def _whole(store: Path) -> bytes:
    """The bytes of a store, its write-ahead log included."""
    with sqlite3.connect(store) as c:
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE proofs SET numerator = '216' WHERE number = 1",
        "UPDATE proofs SET length = length + 1 WHERE number = 1",
        "UPDATE proofs SET status = 'waiting' WHERE number = 1",
        "UPDATE proofs SET options = '{}' WHERE number = 2",
        "UPDATE proofs SET model = (SELECT key FROM models WHERE number = 2) WHERE number = 1",
        "UPDATE models SET seed = 7 WHERE number = 1",
        "UPDATE models SET weights = x'00' WHERE number = 1",
        "UPDATE models SET recipe = x'80' WHERE number = 1",
        "UPDATE models SET checksum = NULL WHERE number = 1",
    ],
)
def test_a_changed_row_is_refused_by_its_number(tmp_path: Path, finished: Path, change: str) -> None:
    path = tmp_path / "changed.sqlite"
    path.write_bytes(_whole(finished))
    with sqlite3.connect(path) as c:
        c.execute(change).fetchall()
    if "'waiting'" in change:  # a unit that is done again costs time, and nothing else
        assert status(path).proofs["waiting"] == 1
        return
    for use in (read, status, lambda p: sweep(p, None)):
        with pytest.raises(BadInput, match=r"the store is damaged \(row [12] of (models|proofs): its"):
            use(path)


def test_what_a_killed_sweep_was_at_is_waiting(tmp_path: Path, finished: Path) -> None:
    """And not running, as its rows still say."""
    path = tmp_path / "killed.sqlite"
    path.write_bytes(_whole(finished))
    with sqlite3.connect(path) as c:
        c.execute("UPDATE proofs SET status = 'running' WHERE number = 1")
        c.execute("INSERT INTO sweep VALUES (1, 'here', 'then')")
    found = status(path)
    assert (found.proofs["running"], found.proofs["waiting"], found.running) == (0, 1, None)


def test_csv(tmp_path: Path, finished: Path) -> None:
    out = tmp_path / "r.csv"
    assert export(finished, out) == 12
    rows = read(finished)
    with out.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == list(COLUMNS)
    convert: dict[str, Any] = {"int64": int, "float64": float, "json": json.loads, "string": str}
    for line, row in zip(lines, rows, strict=True):
        assert {k: convert[COLUMNS[k]](v) if v else None for k, v in line.items()} == row
    export(finished, out, ["seed", "parameters.n_ctx", "options.window", "numerator"])
    assert out.read_text().splitlines()[:2] == ["seed,parameters.n_ctx,options.window,numerator", f"0,3,1,{rows[0]['numerator']}"]


def test_parquet(tmp_path: Path, finished: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "r.parquet"
    assert export(finished, out) == 12
    table = pq.read_table(out)
    assert table.column_names == list(COLUMNS)
    found = [{k: json.loads(v) if COLUMNS[k] == "json" and v else v for k, v in row.items()} for row in table.to_pylist()]
    assert found == read(finished)
    export(finished, out, ["bound", "options.direct"])
    assert pq.read_table(out).to_pylist()[2] == {"bound": read(finished)[2]["bound"], "options.direct": None}


def test_an_empty_store_has_the_same_columns(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "s.sqlite"
    Store(path, write=True).close()
    assert export(path, tmp_path / "r.csv") == export(path, tmp_path / "r.parquet") == 0
    assert pq.read_schema(tmp_path / "r.parquet").names == list(COLUMNS)


def test_bad_exports(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(BadInput, match=r"\.csv or \.parquet"):
        export(finished, tmp_path / "r.xls")
    for column in ("colour", "seed.x"):
        with pytest.raises(BadInput, match="there is no column"):
            export(finished, tmp_path / "r.csv", [column])


def test_certificates_that_are_kept_check(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    sweep(tmp_path / "s.sqlite", tiny_plan(range(1)), keep_certificates=folder)
    (weights,) = folder.glob("*.safetensors")
    assert safetensors.torch.load_file(weights)
    loaded = load_model(weights)
    certificates = [Certificate.load(path) for path in folder.glob("*.cert")]
    assert len(certificates) == 3
    for certificate in certificates:
        check(certificate, loaded.model, loaded.task)
