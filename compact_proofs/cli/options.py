"""Strategy options and decimals given as text, and the documentation of a dataclass's fields."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Annotated

import typer

from compact_proofs.errors import BadInput
from compact_proofs.memory import limited_memory

EFFORT = "1 is about 20 seconds of one core, 2 twice as much. It is counted in operations: no clock decides what is found."
"""Help for ``--effort``."""

_NUMBER = re.compile(r"[0-9]{1,60}([./][0-9]{1,60})?|\.[0-9]{1,60}|[0-9](\.[0-9]{1,20})?e-[0-9]{1,3}")


def _limit(context: typer.Context, gib: float | None) -> float | None:
    if gib is not None:
        context.with_resource(limited_memory(int(gib * 2**30)))
    return gib


MaxMemory = Annotated[
    float | None,
    typer.Option(
        "--max-memory",
        metavar="GIB",
        min=0,
        callback=_limit,
        help="Give up where more memory than this is asked for. Unless given, a proof gets 8 GiB, or 3/4 of what there is.",
        show_default=False,
    ),
]
"""An option that takes effect where it is read: the command needs do nothing with it."""

StrategyOptions = Annotated[
    list[str] | None,
    typer.Option("--option", "-O", metavar="NAME=VALUE", help="An option of the strategy; repeat for more.", show_default=False),
]
"""Read by `parse_options`."""


def parse_options(given: Sequence[str]) -> dict[str, int | float | bool | str]:
    """Read ``key=value`` texts; a value is a truth value, an integer, a decimal, or else text.

    Raises
    ------
    BadInput
        For a text that is not of this form, or a key given twice.
    """
    found: dict[str, int | float | bool | str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not (equals and key and value):
            raise BadInput(f"--option {text!r} is not of the form key=value, such as --option window=6")
        if key in found:
            raise BadInput(f"the option {key} is given twice")
        found[key] = _parse_value(value.strip())
    return found


def _parse_value(text: str) -> int | float | bool | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def parse_fraction(text: str, name: str) -> Fraction:
    """Read a decimal such as 0.99, or a fraction such as 99/100, exactly; it must lie between 0 and 1.

    Raises
    ------
    BadInput
        Naming the option `name`.
    """
    if not _NUMBER.fullmatch(text.strip()) or re.search(r"/0+$", text.strip()):
        raise BadInput(f"{name} {text!r} is not a number such as 0.99 or 99/100")
    value = Fraction(text.strip())
    if value > 1:
        raise BadInput(f"{name} {text} is more than 1; an accuracy of 99 % is written 0.99")
    return value


def field_docs(kind: type) -> dict[str, str]:
    """Read what is written about a dataclass's fields: text below a field, or a numpy-style docstring's Parameters.

    Returns
    -------
    dict of str to str
        By field, on one line each; fields without text are left out.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if is_dataclass(base):
            found |= _parameters(base.__doc__ or "") | _texts_below_fields(base)
    return {f.name: found[f.name] for f in fields(kind) if f.name in found}


def _parameters(doc: str) -> dict[str, str]:
    entries = re.findall(r"^(\w+) : [^\n]*\n((?:[ ]{4}[^\n]*\n)+)", inspect.cleandoc(doc) + "\n", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _texts_below_fields(kind: type) -> dict[str, str]:
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):  # no source at hand
        return {}
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    found = {}
    for field, below in itertools.pairwise(body):
        text = getattr(below.value, "value", None) if isinstance(below, ast.Expr) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, str):
            found[field.target.id] = " ".join(text.split())
    return found
