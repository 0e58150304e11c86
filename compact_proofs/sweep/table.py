"""What a store holds, as rows, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compact_proofs.errors import BadInput, meant
from compact_proofs.files.atomic import write_atomically
from compact_proofs.sweep.plan import canonical
from compact_proofs.sweep.store import Store

COLUMNS: dict[str, str] = {
    "task": "string",
    "parameters": "json",
    "source": "string",
    "seed": "int64",
    "recipe": "json",
    "model_sha256": "string",
    "sampled_accuracy": "float64",
    "measures": "json",
    "training_seconds": "float64",
    "strategy": "string",
    "strategy_version": "int64",
    "options": "json",
    "numerator": "string",
    "denominator": "string",
    "bound": "float64",
    "flops": "int64",
    "int_ops": "int64",
    "length": "int64",
    "by_category": "json",
    "by_stage": "json",
    "unexplained_dimension": "string",
    "explanation_size": "int64",
    "reading": "string",
    "seconds": "float64",
    "package_version": "string",
    "started_at": "string",
    "finished_at": "string",
}
"""The columns in their order, with their types; "json" is an object."""

_QUERY = """
SELECT m.task, m.parameters, m.path AS source, m.seed, m.recipe, m.model_sha256, m.sampled_accuracy, m.measures,
       m.seconds AS training_seconds, p.version AS strategy_version, p.*
FROM proofs p JOIN models m ON p.model = m.key WHERE p.status = 'done'
"""


def read(store: str | Path) -> list[dict[str, Any]]:
    """Read the finished proofs of a store, also while a sweep is running.

    Returns
    -------
    list of dict
        With the keys `COLUMNS`, ordered by task, sizes, source, seed and strategy, whatever the order they were made in. The
        bound is exactly ``Fraction(int(row["numerator"]), int(row["denominator"]))``; `bound` is the nearest float.
        ``pandas.DataFrame(read(store))`` makes a table.

    Raises
    ------
    BadInput
        If the file is no store.
    """
    with Store(store) as opened:
        found = [_row(dict(row)) for row in opened.rows(_QUERY)]
    return sorted(found, key=_order)


def export(store: str | Path, output: str | Path, columns: Sequence[str] | None = None) -> int:
    """Write the finished proofs to a .csv or .parquet file.

    Parameters
    ----------
    store
        A store.
    output
        Where to; the ending says which format. The file is replaced whole.
    columns
        All unless given. ``options.window`` or ``parameters.n_ctx`` takes one entry out of an object.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    BadInput
        For an unknown ending or column, or without pyarrow for Parquet.
    """
    output = Path(output)
    chosen = list(columns or COLUMNS)
    for column in chosen:
        name, _, entry = column.partition(".")
        if name not in COLUMNS or (entry and COLUMNS[name] != "json"):
            raise BadInput(f"there is no column {column!r}{meant(name, COLUMNS)}; there are {', '.join(COLUMNS)}")
    if output.suffix not in _WRITERS:
        raise BadInput(f"{output}: results are written as {' or '.join(_WRITERS)}; change the file name's ending")
    rows = [{column: _value(row, column) for column in chosen} for row in read(store)]
    write_atomically(output, _WRITERS[output.suffix](rows, chosen))
    return len(rows)


def _row(stored: dict[str, Any]) -> dict[str, Any]:
    for column in ("task", "source"):  # of one's own, FILE.py:NAME: without the folder
        stored[column] = None if stored[column] is None else Path(stored[column]).name
    return {
        name: json.loads(stored[name]) if kind == "json" and stored[name] is not None else stored[name]
        for name, kind in COLUMNS.items()
    }


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["task"],
        tuple(sorted(row["parameters"].items())),
        row["source"] or "",
        canonical(row["recipe"] and {**row["recipe"], "seed": None}),
        -1 if row["seed"] is None else row["seed"],
        row["strategy"],
        canonical(row["options"]),
    )


def _value(row: dict[str, Any], column: str) -> Any:
    name, _, entry = column.partition(".")
    value = row[name]
    if entry:
        value = (value or {}).get(entry)
    return canonical(value) if isinstance(value, (dict, list)) else value


def _csv(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput("Parquet needs pyarrow: pip install 'compact-proofs[sweep]'; or export to .csv") from None
    types = {"string": pa.string(), "json": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
    arrays = []
    for column in columns:
        kind = types.get(COLUMNS.get(column, ""))
        values = [row[column] for row in rows]
        try:
            arrays.append(pa.array(values, kind))
        except pa.ArrowException:  # an entry of an object that is a number in one row and text in another
            arrays.append(pa.array([None if v is None else str(v) for v in values], pa.string()))
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(zip(columns, arrays, strict=True))), sink)
    return sink.getvalue()


_WRITERS = {".csv": _csv, ".parquet": _parquet}
