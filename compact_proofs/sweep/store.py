"""The store: an SQLite file with a row for each unit of work, written by one sweep at a time and read by anyone."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.sweep.checksums import checksum, problem
from compact_proofs.sweep.lock import Lock, Locked
from compact_proofs.sweep.plan import SCHEMA, Plan
from compact_proofs.sweep.work import Job, ModelJob, Outcome, ProofJob

APPLICATION = 0x63707377
"""SQLite's application_id of a store."""

_UNIT = """
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    seconds REAL,
    package_version TEXT,
    started_at TEXT,
    finished_at TEXT,
    checksum TEXT
"""

_TABLES = (
    f"""CREATE TABLE models ({_UNIT},
    task TEXT NOT NULL,
    recipe TEXT,
    path TEXT,
    content TEXT,
    parameters TEXT,
    seed INTEGER,
    weights BLOB,
    metadata TEXT,
    measures TEXT,
    model_sha256 TEXT,
    sampled_accuracy REAL)""",
    f"""CREATE TABLE proofs ({_UNIT},
    model TEXT NOT NULL REFERENCES models (key),
    strategy TEXT NOT NULL,
    version INTEGER NOT NULL,
    options TEXT NOT NULL,
    numerator TEXT,
    denominator TEXT,
    bound REAL,
    flops INTEGER,
    int_ops INTEGER,
    length INTEGER,
    by_category TEXT,
    by_stage TEXT,
    unexplained_dimension TEXT,
    explanation_size INTEGER,
    reading TEXT)""",
    "CREATE INDEX proofs_of_model ON proofs (model)",
    "CREATE TABLE sweep (pid INTEGER, host TEXT, started_at TEXT)",
)


class Store:
    """A connection to a store.

    Parameters
    ----------
    path
        The file.
    write
        Take the lock, make the file if it is missing, and hand back units that a dead sweep was at.

    Raises
    ------
    BadInput
        If the file is no store, of another version, damaged, or (to write) in use by another sweep.
    """

    def __init__(self, path: str | Path, *, write: bool = False) -> None:
        self.path = Path(path)
        if self.path.is_dir() or not (write or self.path.exists()):
            raise BadInput(f"{path}: {'a folder' if self.path.is_dir() else 'there is no such file'}; give a sweep's store")
        if not self.path.parent.is_dir():
            raise BadInput(f"{path}: there is no folder {self.path.parent}")
        self._lock = self._take_lock() if write else None
        uri = f"{self.path.resolve().as_uri()}?mode={'rwc' if write else 'rw'}"
        try:
            with self._errors():
                self._connection = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)
        except BadInput:
            self._unlock()
            raise
        try:
            self._connection.row_factory = sqlite3.Row
            self._recognise(may_create=write)
            self._verify()
            if write:
                self._begin()
        except BaseException:
            self._connection.close()
            self._unlock()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Hand back unfinished units, close the file and let the next sweep have it."""
        try:
            if self._lock is not None:
                self._hand_back()
        finally:
            self._connection.close()
            self._unlock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is in the file, through a loss of power too, or nothing is."""
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        """Answer a query."""
        with self._errors():
            return self._connection.execute(query, tuple(values)).fetchall()

    def counts(self, *tables: str, wanted: bool = False) -> dict[str, int]:
        """Count the units of each status in the tables (both unless given), or only those that are wanted."""
        found = dict.fromkeys(("waiting", "running", "done", "failed"), 0)
        only = "WHERE key IN (SELECT key FROM wanted)" if wanted else ""
        for table in tables or ("models", "proofs"):
            for state, number in self.rows(f"SELECT status, count(*) FROM {table} {only} GROUP BY status"):
                found[state] += number
        return found

    def add(self, plan: Plan) -> None:
        """Add the units that are not there yet, and make this plan what is wanted."""
        with self.transaction() as c:
            c.execute("DELETE FROM wanted")
            for m in plan.models:
                c.execute(
                    "INSERT INTO models (key, task, recipe, path, content) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) "
                    "DO UPDATE SET path = excluded.path WHERE status <> 'done'",
                    (m.key, m.task, m.recipe, m.path, m.content),
                )
            for p in plan.proofs:
                c.execute(
                    "INSERT INTO proofs (key, model, strategy, version, options) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (key) DO NOTHING",
                    (p.key, p.model.key, p.strategy, p.version, p.options),
                )
            keys = {p.key for p in plan.proofs} | {m.key for m in plan.models}
            c.executemany("INSERT INTO wanted VALUES (?)", ((key,) for key in keys))

    def retry(self) -> None:
        """Give wanted units that failed another chance."""
        with self.transaction() as c:
            for table in ("models", "proofs"):
                c.execute(
                    f"UPDATE {table} SET status = 'waiting', error = NULL "
                    "WHERE status = 'failed' AND key IN (SELECT key FROM wanted)"
                )

    def give_up_on_failed_models(self) -> int:
        """Mark as failed what waits for a model that failed; return how many of these proofs are wanted."""
        with self.transaction() as c:
            return self._give_up(c)

    def claim(self, keep_certificates: bool = False) -> Job | None:
        """Mark a wanted unit as running, a proof before another training; None if none can be done now."""
        found = self.rows(
            "SELECT p.*, m.task, m.path, m.content, m.weights, m.model_sha256 FROM proofs p JOIN models m ON p.model = m.key "
            "WHERE p.status = 'waiting' AND m.status = 'done' AND p.key IN (SELECT key FROM wanted) ORDER BY p.number LIMIT 1"
        )
        if found:
            (p,) = found
            self._start("proofs", p["key"])
            columns = ("key", "task", "path", "content", "weights", "model_sha256", "strategy", "version", "options")
            return ProofJob(**{column: p[column] for column in columns}, keep_certificate=keep_certificates)
        found = self.rows(
            "SELECT * FROM models WHERE status = 'waiting' AND key IN (SELECT key FROM wanted) ORDER BY number LIMIT 1"
        )
        if not found:
            return None
        (m,) = found
        self._start("models", m["key"])
        return ModelJob(m["key"], m["task"], m["recipe"], m["path"], m["content"])

    def finish(self, job: Job, outcome: Outcome) -> int:
        """Record an outcome, in one transaction; return how many wanted units this settles."""
        table = "models" if isinstance(job, ModelJob) else "proofs"
        values = outcome.row | {
            "status": "failed" if outcome.error else "done",
            "error": outcome.error,
            "finished_at": now(),
        }
        with self.transaction() as c:
            assignments = ", ".join(f"{column} = ?" for column in values)
            c.execute(f"UPDATE {table} SET {assignments} WHERE key = ?", (*values.values(), job.key))
            _sign(c, table, "key = ?", job.key)
            return 1 + (self._give_up(c) if outcome.error and table == "models" else 0)

    def _start(self, table: str, key: str) -> None:
        with self.transaction() as c:
            c.execute(f"UPDATE {table} SET status = 'running', attempts = attempts + 1, started_at = ? WHERE key = ?", (now(), key))

    def _give_up(self, c: sqlite3.Connection) -> int:
        blocked = "status = 'waiting' AND model IN (SELECT key FROM models WHERE status = 'failed')"
        ((wanted,),) = c.execute(f"SELECT count(*) FROM proofs WHERE {blocked} AND key IN (SELECT key FROM wanted)")
        at = now()
        c.execute(f"UPDATE proofs SET status = 'failed', error = 'its model failed', finished_at = ? WHERE {blocked}", (at,))
        _sign(c, "proofs", "status = 'failed' AND finished_at = ?", at)
        return int(wanted)

    def _take_lock(self) -> Lock:
        try:
            return Lock(self.path)
        except Locked as e:
            raise Locked(f"{e}{self._holder()}; wait for it, or stop it") from None

    def _holder(self) -> str:
        try:
            with Store(self.path) as store:
                (row,) = store.rows("SELECT * FROM sweep")
        except (BadInput, ValueError):
            return ""
        return f" (process {row['pid']} on {row['host']}, since {row['started_at']})"

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _recognise(self, may_create: bool) -> None:
        """Check that the file is a store, and make one of an empty file."""
        c = self._connection
        with self._errors():
            ((application,),), ((schema,),) = c.execute("PRAGMA application_id"), c.execute("PRAGMA user_version")
            empty = not c.execute("SELECT 1 FROM sqlite_master").fetchall()
        if may_create and empty and not application:
            self._create()
            application, schema = APPLICATION, SCHEMA
        if application != APPLICATION:
            raise BadInput(f"{self.path}: an SQLite file, but not the store of a sweep; choose another name")
        if schema != SCHEMA:
            raise BadInput(
                f"{self.path}: a store of version {schema}; this program works with version {SCHEMA}: export it by the "
                "program that made it, and start a new one"
            )

    def _create(self) -> None:
        with self._errors():
            self._connection.execute("PRAGMA journal_mode = WAL")
        with self.transaction() as c:
            for table in _TABLES:
                c.execute(table)
            c.execute(f"PRAGMA application_id = {APPLICATION}")
            c.execute(f"PRAGMA user_version = {SCHEMA}")

    def _verify(self) -> None:
        """Check the structure of the file and every row in it: SQLite itself would give what it finds."""
        c = self._connection
        with self._errors():
            c.execute("BEGIN")  # one moment, whatever a running sweep writes
            try:
                ((verdict,),) = c.execute("PRAGMA integrity_check(1)")
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)
                for table in ("models", "proofs"):
                    for row in c.execute(f"SELECT * FROM {table}"):
                        if (wrong := problem(table, row)) is not None:
                            raise sqlite3.DatabaseError(f"row {row['number']} of {table}: {wrong}")
            finally:
                c.execute("ROLLBACK")

    def _begin(self) -> None:
        with self._errors():
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("CREATE TEMP TABLE wanted (key TEXT PRIMARY KEY)")
        self._hand_back()
        with self.transaction() as c:
            c.execute("INSERT INTO sweep VALUES (?, ?, ?)", (os.getpid(), socket.gethostname(), now()))
            c.execute("INSERT INTO wanted SELECT key FROM models UNION SELECT key FROM proofs")

    def _hand_back(self) -> None:
        """Units that are running belong to this sweep or to a dead one, since this one holds the lock."""
        with self.transaction() as c:
            for table in ("models", "proofs"):
                c.execute(f"UPDATE {table} SET status = 'waiting' WHERE status = 'running'")
            c.execute("DELETE FROM sweep")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            if "not a database" in str(e):
                raise BadInput(f"{self.path}: not an SQLite file; choose another name for the store") from None
            if isinstance(e, sqlite3.OperationalError) and "malformed" not in str(
                e
            ):  # a full disk, a file that may not be written, ...
                raise BadInput(f"{self.path}: {e}") from None
            raise self._damaged(e) from None
        except UnicodeDecodeError as e:  # in the name of a column
            raise self._damaged(e) from None

    def _damaged(self, e: Exception) -> BadInput:
        return BadInput(
            f"{self.path}: the store is damaged ({e}); put back a copy, or save what can be read: sqlite3 FILE .recover"
        )


def _sign(c: sqlite3.Connection, table: str, which: str, value: str) -> None:
    """Write the checksums of rows that have been settled."""
    for row in c.execute(f"SELECT * FROM {table} WHERE {which}", (value,)).fetchall():
        c.execute(f"UPDATE {table} SET checksum = ? WHERE key = ?", (checksum(row), row["key"]))


def now() -> str:
    """The time, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
