"""``compact-proofs explain``: tables that say where proofs about a model lose their bounds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.models import about
from compact_proofs.cli.output import Json, say, show_table, table, write_json


def explain(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Files of weights, names of models of the zoo, or file.py:name. Several: their mean and standard deviation.",
            show_default=False,
        ),
    ],
    task: TaskName = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show where proofs about a model lose their bounds, and how much structure the model has.

    More structure does not always mean a better bound: what an explanation leaves out has to be bounded as noise, and
    cheap bounds of noise compound. The tables show the residual of each explanation under every way to bound it, what
    each step of a proof gives up, and the singular values of the circuits. Of networks over tokens that have none of these,
    they say in words into which boxes an automatic proof divides the inputs, and what it proves in each. They are
    informative; claims are for **compact-proofs prove**.

    **Example:** compact-proofs explain max-of-4-seed-50 max-of-4-seed-104 max-of-4-seed-123

    **Example:** compact-proofs explain mine.py:network --task mine.py:task
    """
    from compact_proofs.api.explain import tables_of
    from compact_proofs.progress import progress_bars, track
    from compact_proofs.tables import number_text, spread
    from compact_proofs.tasks import load_model

    loaded = [load_model(m, task, config) for m in models]
    with progress_bars():
        found = [tables_of(m) for m in track(loaded, "models")]
    shown = list(found[0]) if len(found) == 1 else [spread(alike) for alike in zip(*found, strict=True)]
    if as_json:
        write_json({"models": [about(m) for m in loaded], "tables": [asdict(s) for s in shown]})
        return
    for one in shown:
        say(f"\n{one.title}")
        say(one.caption)
        label, *numbers = one.headings
        grid = table(label, *numbers, right=tuple(numbers), wrap=label)
        for name, row in one.rows:
            grid.add_row(name, *map(number_text, row))
        show_table(grid)
