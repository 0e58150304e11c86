"""Objects of a user's own Python file, given on the command line as ``file.py:name``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from compact_proofs.errors import BadInput


def is_object(source: str) -> bool:
    """Is it of the form ``file.py:name``?"""
    file, _, name = source.rpartition(":")
    return file.endswith(".py") and name.isidentifier()


def load_object(source: str, kind: type, what: str) -> Any:
    """Run a Python file and return the object of that name; a function without arguments or a class is called.

    Parameters
    ----------
    source
        ``file.py:name``.
    kind, what
        The class that the object must have, and what it is called in the error.

    Raises
    ------
    BadInput
        If there is no such file or name, or the object is of another kind.
    """
    file, _, name = source.rpartition(":")
    if not Path(file).is_file():
        raise BadInput(f"{source}: there is no file {file}")
    module = run_file(Path(file))
    if not hasattr(module, name):
        raise BadInput(f"{source}: {file} defines no {name}")
    found = getattr(module, name)
    if callable(found) and not isinstance(found, kind):
        found = found()
    if not isinstance(found, kind):
        raise BadInput(f"{source}: it is a {type(found).__name__}, not {what}")
    return found


def run_file(path: Path) -> ModuleType:
    """Run a Python file and return it as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
