"""One record a proof, one line a record: ``proofs.jsonl``.

Every registered strategy at its defaults is tried on every model of the zoo, and so is the model's own default, which is what
``compact-proofs prove`` takes. What a record holds is exact: a change of any bound, length or unexplained dimension shows as a
changed line, and is wanted or a fault. Explanations are not recorded: they are found in floating point, whose last digits depend on
the processor's kernels.

* A strategy that does not apply to a model has a record that says so.
* A proof that takes more than `LONGEST` operations, or whose explanation takes more (`Strategy.search_operations`), is left
  out, by counting on shapes (`compact_proofs.measure`), or while it is proven where its length depends on what it finds
  (`UNMEASURED`): its record says "too long".
* Automatic proofs search for minutes at their defaults where there are many inputs. Of the networks that they are for, on tasks
  with more than `SEARCHED` inputs, some have records with options that make the search short (`WITH_OPTIONS`), and no others.
* Records that take at most `QUICK` seconds of one core to make are compared in every run of the tests,
  the others in ``make test-full``. The mark was measured when the record was first made, and stays with it; of networks that are
  alike but for their seeds it is left with one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.length import TooLong
from compact_proofs.tasks import LoadedModel, load_model

FILE = Path(__file__).parent / "proofs.jsonl"
LONGEST = 2 * 10**9
"""Operations of the longest proof that is recorded: some 20 seconds."""
UNMEASURED = (cp.Automatic,)
"""Strategies whose lengths shapes do not tell."""
SEARCHED = 2**17
"""Inputs of a task, at most, on which strategies are recorded at their defaults, if shapes do not tell the length of each."""
QUICK = 0.4
"""Seconds of one core."""
WITH_OPTIONS = (
    ("finite-induction", "automatic:cuts=0:most=20000:worth=40000"),
    ("finite-majority-rnn", "automatic:cuts=0:most=4000"),
    ("finite-first-is-last", "automatic:cuts=0:most=2000"),
    ("finite-max-gelu", "automatic:cuts=0:most=2000"),
)
"""Models, and strategies with options, as ``NAME:OPTION=NUMBER:...``."""


@dataclass(frozen=True)
class Record:
    """What a strategy at its defaults does with a model.

    Attributes
    ----------
    model, asked
        The model, and the strategy that was asked for by its name, or "default".
    outcome
        "proved", or why there is no proof.
    strategy, version, options
        What proved it.
    numerator, denominator
        The exact bound.
    length
        Operations by stage and category.
    unexplained_dimension
        As in the certificate.
    quick
        Is it compared in every run of the tests?
    """

    model: str
    asked: str
    outcome: Literal["proved", "does not apply", "too long"]
    strategy: str
    version: int
    options: dict[str, Any]
    numerator: str = "0"
    denominator: str = "1"
    length: dict[str, dict[str, int]] = field(default_factory=dict)
    unexplained_dimension: int | None = None
    quick: bool = True

    @property
    def name(self) -> str:
        """Model and what was asked for."""
        return f"{self.model}/{self.asked}"


def names() -> Iterator[tuple[str, str]]:
    """Name the models of the zoo, but for those on which a search takes long, each with its default and every strategy that is
    registered for its task; then `WITH_OPTIONS`."""
    for model in zoo.names():
        loaded = _loaded(model)
        if not set(loaded.kit.strategies) & set(UNMEASURED) or loaded.task.size <= SEARCHED:
            yield model, "default"
            for kind in loaded.kit.strategies:
                yield model, kind.name
    yield from WITH_OPTIONS


def make(model: str, asked: str) -> Record:
    """Prove, and record what came of it; `quick` by the time it took."""
    _loaded(model)
    started = time.process_time()
    record = _make(model, asked)
    return replace(record, quick=time.process_time() - started <= QUICK)


def _make(model: str, asked: str) -> Record:
    loaded = _loaded(model)
    if asked == "default":
        one = loaded.kit.default(loaded.model)
    else:
        name, *options = asked.split(":")
        kind = next(kind for kind in loaded.kit.strategies if kind.name == name)
        one = kind(**{key: int(value) for key, value in (option.split("=") for option in options)})
    record = Record(model, asked, "proved", one.name, one.version, one.options())
    try:
        one.applies_to(loaded.model, loaded.task)
    except BadInput:
        return replace(record, outcome="does not apply")
    try:
        length = 0 if isinstance(one, UNMEASURED) else cp.measure(loaded.model, loaded.task, one, limit=LONGEST).total
        if one.search_operations(loaded.model, loaded.task, length) > LONGEST:
            return replace(record, outcome="too long")
        proof = cp.prove(loaded.model, loaded.task, one, limit=LONGEST)
    except TooLong:
        return replace(record, outcome="too long")
    return replace(
        record,
        numerator=str(proof.claim.numerator),
        denominator=str(proof.claim.denominator),
        length=proof.length.by_stage,
        unexplained_dimension=proof.unexplained_dimension,
    )


def read() -> dict[str, Record]:
    """Read the file: records by name."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return {record.name: record for record in (Record(**json.loads(line)) for line in lines)}


def write(records: Iterable[Record]) -> None:
    """Write the file."""
    FILE.write_text("".join(json.dumps(asdict(record)) + "\n" for record in records))


@cache
def _loaded(model: str) -> LoadedModel:
    return load_model(model)
