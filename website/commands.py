"""A hook of MkDocs: the page of commands, made from the program itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.structure.files import File

from compact_proofs.cli.app import app

PAGE = "reference/cli.md"


def on_files(files: Any, config: Any) -> Any:
    """Add the page."""
    files.append(File.generated(config, PAGE, content="\n".join(_page())))
    return files


def _page() -> Iterator[str]:
    root = typer.main.get_command(app)
    yield "# Command line\n"
    yield inspect.cleandoc(root.help or "") + "\n"
    yield (
        "MODEL is a name of the zoo, a file of weights (.safetensors, .npz, .pt), or `file.py:name`. Exit codes: 0 done; 1 the "
        "claim failed or was rejected; 2 wrong use or bad input; 3 a fault in the program; 130 interrupted.\n"
    )
    yield from _commands(root, "compact-proofs", typer.Context(root))


def _commands(group: Any, name: str, context: typer.Context) -> Iterator[str]:
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        if command is None:  # a task that has no such command
            continue
        full = f"{name} {each}"
        inner = typer.Context(command, info_name=each, parent=context)
        yield f"## {full}\n"
        yield inspect.cleandoc(command.help or "").replace("\b", "") + "\n"
        if hasattr(command, "list_commands"):
            yield from _commands(command, full, inner)
            continue
        rows = list(_parameters(command, inner))
        if rows:
            yield "| option | meaning |\n| --- | --- |"
            yield from rows
            yield ""


def _parameters(command: Any, context: typer.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        if "--help" in parameter.opts or getattr(parameter, "hidden", False):
            continue
        argument = parameter.param_type_name == "argument"
        names = [parameter.metavar or parameter.human_readable_name] if argument else parameter.opts + parameter.secondary_opts
        value = "" if argument or getattr(parameter, "is_flag", False) else f" {parameter.metavar or parameter.name.upper()}"
        text = " ".join((getattr(parameter, "help", "") or "").split()).replace("|", "\\|")
        shown = getattr(parameter, "show_default", None)
        default = parameter.default
        if isinstance(shown, str):
            text += f" Default: {shown}."
        elif shown is not False and default not in (None, False, ()) and not callable(default):
            text += f" Default: {getattr(default, 'value', default)}."
        yield f"| `{', '.join(names)}{value}` | {text} |".replace("||", "\\|\\|")
