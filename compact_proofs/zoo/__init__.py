"""Small trained models that ship with the package: one folder per task, a .safetensors and a readable .json file per model.

How each is made is in its task's folder (`TaskKit.zoo`); ``python -m compact_proofs.tasks.build_zoo NAME`` makes the files again.
"""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compact_proofs.errors import BadInput, meant
from compact_proofs.models.files import read_weights
from compact_proofs.models.loading import load_network

__all__ = ["load", "metadata", "names", "path"]

FOLDER = Path(str(files(__name__)))
"""Where the models are that come with this package."""

COMPANION = "compact_proofs_zoo"
"""The package with the larger models: ``pip install 'compact-proofs[zoo]'``. A checkout has them all in `FOLDER`."""


def names(task: str = "*") -> list[str]:
    """List the models, of one task or of all, by task and by the numbers in their names."""
    found = {file.stem: file for folder in _folders() for file in folder.glob(f"{task}/[!.]*.safetensors")}
    return sorted(found, key=lambda name: (found[name].parent.name, _by_numbers(name)))


def path(name: str) -> Path:
    """Return the .safetensors file of a model.

    Raises
    ------
    BadInput
        If the zoo has no such model.
    """
    for folder in _folders():
        for file in folder.glob("*/[!.]*.safetensors"):
            if file.stem == name:
                return file
    raise BadInput(f"the zoo has no model {name!r}{hint(name)}")


def hint(name: str) -> str:
    """What to say where a name is that of no model: the nearest names, where all are listed, where larger models are."""
    larger = "" if names("modular-addition") else ", and pip install 'compact-proofs[zoo]' brings larger ones"
    return f"{meant(name, names())}; compact-proofs zoo lists them{larger}"


def _folders() -> list[Path]:
    """The folders with models: this package's, and the companion's if it is installed."""
    companion = find_spec(COMPANION)
    return [FOLDER, *(Path(place) for place in (companion.submodule_search_locations or () if companion else ()))]


def load(name: str) -> Any:
    """Load a network by name, in the dtype of its file; `BadInput` if there is none. `compact_proofs.load` adds its task."""
    weights, about = read_weights(file := path(name))
    return load_network(weights, about, str(file))


def metadata(name: str) -> dict[str, Any]:
    """Return a model's recipe, final metrics, versions and training curves; `BadInput` if there is no such model."""
    return read_weights(path(name))[1]


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """Sort key: numbers by size, before text."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
