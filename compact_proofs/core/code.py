"""The hash of the code that is not this package's: so that what was finished by other code is not taken for finished work.

A strategy of this package is named by its name, its version and the package's version. One of your own, or a task of your own, is
code that may change under the same names, with the files that it imports.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from sysconfig import get_paths
from types import ModuleType
from typing import Any

from compact_proofs.errors import BadInput

PACKAGE = __name__.partition(".")[0]
FOREIGN = {PACKAGE, "torch", "numpy", "pydantic", *sys.stdlib_module_names} - {"__main__"}
"""Packages whose code is told by their versions, or does not prove anything."""
INSTALLED = tuple(
    Path(path).resolve() for name, path in get_paths().items() if name in ("purelib", "platlib", "stdlib", "platstdlib")
)
"""Folders of the standard library and of installed packages."""


def code_sha256(*objects: Any) -> str:
    """SHA-256 of the source files that objects (or classes) of your own depend on; of none, for those of this package.

    These are the files of the modules that define the objects' classes and their bases, and of the modules that these name,
    directly or through others: what lies among installed packages only where it belongs to the same package as a class.

    Raises
    ------
    BadInput
        If a class is defined in no file, as in a notebook.
    """
    classes = [cls for x in objects for cls in (x if isinstance(x, type) else type(x)).__mro__]
    own = [cls for cls in classes if _top(cls.__module__) not in FOREIGN]
    digest = hashlib.sha256()
    if own:
        packages = {_top(cls.__module__) for cls in own}
        for module in _reached({cls.__module__ for cls in own}, packages):
            file = getattr(module, "__file__", None)
            if file is None or not Path(file).is_file():
                names = " and ".join(sorted({cls.__name__ for cls in own if cls.__module__ == module.__name__}))
                raise BadInput(
                    f"{names}: it is defined in no file, so that nobody can tell whether what was finished is by the same code; "
                    "put it into a file, or do without --resume"
                )
            digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()


def imported_files(file: Path) -> list[Path]:
    """A Python file's own folder's files that it imports, directly or through others, by name and without itself; nothing is run.

    These are all that ``import`` names anywhere in them, as modules or packages of that folder. A file that cannot be parsed
    imports nothing.
    """
    file = file.resolve()
    folder = file.parent
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        for place in _imports(path, folder):
            parts = [p for p in (place, *place.parents) if p.is_relative_to(folder) and p != folder]
            for one in (p for part in parts for p in (part.with_suffix(".py"), part / "__init__.py")):
                if one.is_file() and one != file and one not in found:
                    found.add(one)
                    waiting.append(one)
    return sorted(found)


def _imports(path: Path, folder: Path) -> Iterator[Path]:
    """Where the modules that a file imports would be, without ending: those of a folder and, for relative imports, beside it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (folder.joinpath(*alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = path.parents[min(node.level, len(path.parents)) - 1] if node.level else folder
            place = start.joinpath(*node.module.split(".")) if node.module else start
            yield from (place, *(place / alias.name for alias in node.names if alias.name != "*"))


def _reached(names: set[str], packages: set[str]) -> list[ModuleType]:
    """Modules, and those whose modules, functions or classes they name, by name."""
    found: dict[str, ModuleType] = {}
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if module is None or name in found:
            continue
        found[name] = module
        waiting += [other for other in _named(module) if _is_own(other, packages)]
    return [found[name] for name in sorted(found)]


def _named(module: ModuleType) -> Iterator[str]:
    """The modules that a module's global names are, or come from."""
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _is_own(name: str, packages: set[str]) -> bool:
    """Is a module neither foreign nor, unless it belongs to one of some packages, an installed one?"""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if module is None or file is None or _top(name) in FOREIGN:
        return False
    return _top(name) in packages or not any(Path(file).resolve().is_relative_to(folder) for folder in INSTALLED)


def _top(name: str) -> str:
    return name.partition(".")[0]
