"""Options that declare what a model's file does not say about the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="NAME",
        help="The model's task, if its file does not say it: a name, or **file.py:name**, a Task of your own.",
        show_default=False,
    ),
]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The model's configuration, if its file does not say it: JSON, such as that of a TransformerLens model.",
        show_default=False,
    ),
]
