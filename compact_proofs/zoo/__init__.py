"""Small trained models that ship with the package.

All follow the published Max-of-K recipe (``compact_proofs/tasks/max_of_k/training.py``) with d_model = 32; a name says
the length of the sequences, the number of tokens if it is not 64, and the seed. ``python -m compact_proofs.zoo.build``
makes the files again.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.loading import attention_only_from_state, read_weights

__all__ = ["load", "metadata", "names", "path"]


def names() -> list[str]:
    """List the models, by length, number of tokens and seed."""
    stems = [entry.name.removesuffix(".safetensors") for entry in files(__name__).iterdir()]
    return sorted((stem for stem in stems if stem.startswith("max-of-") and "." not in stem), key=_numbers)


def path(name: str) -> Path:
    """Return the .safetensors file of a model.

    Raises
    ------
    BadInput
        If the zoo has no such model.
    """
    if name not in names():
        raise BadInput(f"the zoo has no model {name!r}; it has {', '.join(names())}")
    return Path(str(files(__name__).joinpath(f"{name}.safetensors")))


def load(name: str) -> AttentionOnlyTransformer:
    """Load a model by name, in float32; `BadInput` if the zoo has no such model."""
    file = path(name)
    return attention_only_from_state(read_weights(file)[0], source=str(file))


def metadata(name: str) -> dict[str, Any]:
    """Return a model's recipe, final metrics, versions and training curves; `BadInput` if there is no such model."""
    return read_weights(path(name))[1]


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]
