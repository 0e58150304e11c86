"""Models given on the command line, and what is known about them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compact_proofs.files.objects import is_object

if TYPE_CHECKING:
    from compact_proofs.core.certificate import Run
    from compact_proofs.core.strategy import Strategy
    from compact_proofs.tasks import LoadedModel

ModelSource = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A file of weights (.safetensors, .npz, .pt), a name of the zoo, or **file.py:name**: a module of your own.",
        show_default=False,
    ),
]


def about(loaded: LoadedModel) -> dict[str, Any]:
    """What ``--json`` says a result is about: the model, its architecture with its configuration, and the task."""
    from compact_proofs.models.architectures import architecture_of

    architecture, configuration = architecture_of(loaded.model) or (None, None)
    return {
        "model": loaded.name,
        "architecture": architecture,
        "configuration": configuration,
        "task": loaded.task.name,
        "parameters": loaded.task.parameters(),
    }


def is_by(run: Run, strategy: Strategy) -> bool:
    """Whether something was found by this strategy with these options."""
    return (run.strategy, run.options) == (strategy.name, strategy.options())


def as_float(accuracy: Fraction | None) -> float | None:
    """An accuracy as ``--json`` gives it."""
    return None if accuracy is None else float(accuracy)


def true_accuracy(loaded: LoadedModel, certificates: Iterable[Run] = ()) -> Fraction | None:
    """A model's exact accuracy: from a sound proof by brute force, or as its metadata says; None if neither does."""
    everything = loaded.kit.brute_force(loaded.model)
    for c in certificates:
        if everything is not None and c.reading == "sound" and is_by(c, everything):
            return c.bound
    return _from_metadata(loaded.metadata.get("true_accuracy"))


def _from_metadata(given: Any) -> Fraction | None:
    """Read {"numerator": ..., "denominator": ...}; anything else, which any file may hold, is as good as nothing."""
    try:
        accuracy = Fraction(int(given["numerator"]), int(given["denominator"]))
    except (TypeError, ValueError, LookupError, ArithmeticError):
        return None
    return accuracy if 0 <= accuracy <= 1 else None


def title_of(name: str) -> str:
    """What a model is called where its file's ending says nothing: ``mine`` for mine.safetensors, ``mine-net`` for mine.py:net."""
    file, _, own = name.rpartition(":")
    return f"{Path(file).stem}-{own}" if is_object(name) else Path(name).stem
