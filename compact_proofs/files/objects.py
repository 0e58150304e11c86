"""Objects of a user's own Python file, given on the command line as ``file.py:name``."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from compact_proofs.errors import BadInput, CompactProofsError, meant


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
        If there is no such file or name, it cannot be run, or the object is of another kind.
    """
    file, _, name = source.rpartition(":")
    if not Path(file).is_file():
        raise BadInput(f"{source}: there is no file {file}")
    module = run_file(Path(file))
    if not hasattr(module, name):
        raise BadInput(f"{source}: {file} defines no {name}{meant(name, vars(module))}")
    found = getattr(module, name)
    if callable(found) and not isinstance(found, kind):
        with _blaming(Path(file)):
            found = found()
    if not isinstance(found, kind):
        raise BadInput(f"{source}: it is a {type(found).__name__}, not {what}")
    return found


def run_file(path: Path) -> ModuleType:
    """Run a Python file and return it as a module.

    Raises
    ------
    BadInput
        If it fails, saying where.
    """
    name = f"{path.stem} of {path.resolve().parent}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for what their annotations name
    with _blaming(path):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Turn what goes wrong in a user's file into an error that names its line."""
    try:
        yield
    except CompactProofsError:
        raise
    except (Exception, SystemExit) as e:
        lines = [str(f.lineno) for f in traceback.extract_tb(e.__traceback__) if Path(f.filename).resolve() == path.resolve()]
        at = e.lineno if isinstance(e, SyntaxError) else lines[-1] if lines else None
        raise BadInput(f"{path}{f', line {at}' if at else ''}: {type(e).__name__}: {e}") from e
