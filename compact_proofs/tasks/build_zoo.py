"""Make the models of the zoo: ``python -m compact_proofs.tasks.build_zoo NAME ...``; all of them unless names are given.

Each task says how its models are made (`TaskKit.zoo`). The true accuracy of the models that are small enough is counted by
brute force; ``--only-accuracy`` counts it again for the models that are there.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from compact_proofs import zoo
from compact_proofs.automatic.strategy import Automatic, is_over_tokens
from compact_proofs.core.prove import prove, trial
from compact_proofs.core.strategy import Strategy
from compact_proofs.decimals import decimal
from compact_proofs.errors import BadInput
from compact_proofs.models.files import read_weights, save_model, weights_sha256
from compact_proofs.models.loading import load_network
from compact_proofs.progress import progress_bars
from compact_proofs.tasks import KITS
from compact_proofs.tasks.kit import TaskKit

AFFORDABLE = 2**24
"""Inputs that are all evaluated, at most."""
FEW = 2**21
"""So many inputs are all proven one by one; of more, an automatic proof is tried first."""
WORTH = 10**6
"""Operations that such a proof may spend on an input, so that it leaves out none that it could prove."""

KIT_OF: dict[str, TaskKit] = {name: kit for kit in KITS.values() for name in kit.zoo}


def true_accuracy(model: nn.Module, kit: TaskKit) -> dict[str, str] | None:
    """Count the inputs that are right, where there are few enough to try them all: a proof and float64 arithmetic must agree.

    No proof counts an input that is wrong. So one that counts as many as plain float64 arithmetic, which is tried on every input,
    misses none, unless that arithmetic is wrong about two inputs in opposite ways. Where inputs are many, an automatic proof is
    tried before all of them are proven one by one.

    Returns
    -------
    dict or None
        ``{"numerator": ..., "denominator": ...}`` as decimal strings, not reduced; None for a model with more than
        `AFFORDABLE` inputs, or of a task with a law.

    Raises
    ------
    BadInput
        If plain float64 arithmetic counts otherwise: some margin is within rounding of 0, so that the proven number is
        a bound, and not known to be the accuracy.
    """
    task, everything = kit.task_of(model), kit.brute_force(model)
    if everything is None or task.size > AFFORDABLE:
        return None
    counted = trial(model, task, everything).claim
    shorter: list[Strategy] = [Automatic(worth=WORTH)] if task.size > FEW and is_over_tokens(task) else []
    for strategy in [*shorter, everything]:
        proven = prove(model, task, strategy).claim
        if proven.bound == counted.bound:
            return {"numerator": str(proven.numerator), "denominator": str(proven.denominator)}
    raise BadInput(f"{proven.numerator} inputs are provably right, {counted.numerator} are right in float64")


def build(
    names: Annotated[list[str] | None, typer.Argument(help="Models to make; all of them unless given.")] = None,
    out: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder for the tasks' folders of .safetensors and .json files.")
    ] = zoo.FOLDER,
    only_accuracy: Annotated[
        bool,
        typer.Option("--only-accuracy", help="Train nothing: count the true accuracy of the folder's models."),
    ] = False,
) -> None:
    """Train models of the zoo by their recipes and write them with their metadata, curves and true accuracy."""
    kits = {path.stem: KITS[path.parent.name] for path in out.glob("*/*.safetensors")} if only_accuracy else KIT_OF
    unknown = sorted(set(names or ()) - kits.keys())
    if unknown:
        raise typer.BadParameter(f"the zoo has no recipe for {', '.join(unknown)}; it has {', '.join(kits)}")
    table = Table("model", "loss", "sampled accuracy", "true accuracy", "seconds", title="Zoo")
    for name in names or kits:
        kit = kits[name]
        file = out / kit.name / f"{name}.safetensors"
        file.parent.mkdir(exist_ok=True)
        with progress_bars(name):
            metadata = _count(file, kit) if only_accuracy else _make(name, file, kit)
        final, exact, seconds = metadata.get("final"), metadata.get("true_accuracy"), metadata.get("training_seconds")
        table.add_row(
            name,
            f"{final['loss']:.5f}" if final else "-",
            f"{final['accuracy']:.5f}" if final else "-",
            decimal(Fraction(int(exact["numerator"]), int(exact["denominator"]))) if exact else "-",
            f"{seconds:.1f}" if seconds is not None else "-",
        )
    Console().print(table)


def _make(name: str, file: Path, kit: TaskKit) -> dict[str, Any]:
    result = kit.zoo[name]()
    return _save(result.model, result.metadata(), file, kit)


def _count(file: Path, kit: TaskKit) -> dict[str, Any]:
    weights, metadata = read_weights(file)
    model = load_network(weights, metadata, str(file))
    if weights_sha256(model) != metadata.get("weights_sha256"):
        raise BadInput(f"{file}: its weights are not those that its metadata names; train the model again")
    kit.answer(model, metadata, str(file))
    return _save(model, metadata, file, kit)


def _save(model: nn.Module, metadata: dict[str, Any], file: Path, kit: TaskKit) -> dict[str, Any]:
    """Write the model with its true accuracy in the metadata, before the curves, which are long."""
    curves = {"curves": metadata["curves"]} if "curves" in metadata else {}
    known = {key: value for key, value in metadata.items() if key not in ("curves", "true_accuracy")}
    exact = true_accuracy(model, kit)
    written = known | {"task": kit.name} | ({"true_accuracy": exact} if exact else {}) | curves
    save_model(model, file, written)
    return written


if __name__ == "__main__":
    typer.run(build)
