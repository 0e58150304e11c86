"""Train the models of the zoo: ``python -m compact_proofs.zoo.build``, about five minutes on one core.

Training takes a minute, counting the true accuracy of the small models the rest; ``--only-accuracy`` counts again for
the models that are there.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from compact_proofs.claim import decimal
from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.files import save_model, weights_sha256
from compact_proofs.models.loading import attention_only_from_state, read_weights
from compact_proofs.progress import progress_bars
from compact_proofs.prove import prove
from compact_proofs.tasks.max_of_k import AFFORDABLE, BruteForce, MaxOfK
from compact_proofs.tasks.max_of_k.training import TrainingConfig, train

LOW_ACCURACY = 0.995
"""A Max-of-4 model below this sampled accuracy is pointed out; it stays in the zoo."""

MODELS: dict[str, TrainingConfig] = {
    **{f"max-of-4-seed-{seed}": TrainingConfig(n_ctx=4, seed=seed) for seed in (50, 104, 123, 500, 999)},
    **{f"max-of-5-seed-{seed}": TrainingConfig(n_ctx=5, seed=seed) for seed in (0, 1)},
    **{f"max-of-10-seed-{seed}": TrainingConfig(n_ctx=10, seed=seed) for seed in (0, 1)},
    "max-of-10-v128-seed-0": TrainingConfig(n_ctx=10, d_vocab=128, seed=0),
    "max-of-20-seed-0": TrainingConfig(n_ctx=20, seed=0),
}


def true_accuracy(model: AttentionOnlyTransformer) -> dict[str, str] | None:
    """Count the inputs that are provably right, where there are few enough to try them all.

    Returns
    -------
    dict or None
        ``{"numerator": ..., "denominator": ...}`` as decimal strings, not reduced; None for a model with more than
        `AFFORDABLE` inputs.

    Raises
    ------
    BadInput
        If plain float64 arithmetic counts otherwise: some margin is within rounding of 0, so that the proven number is
        a bound, and not known to be the accuracy.
    """
    task = MaxOfK.of(model)
    if task.size > AFFORDABLE:
        return None
    proven = prove(model, task, BruteForce()).claim
    counted = prove(model, task, BruteForce(), reading="float").claim
    if proven.bound != counted.bound:
        raise BadInput(f"{proven.numerator} inputs are provably right, {counted.numerator} are right in float64")
    return {"numerator": str(proven.numerator), "denominator": str(proven.denominator)}


def build(
    names: Annotated[list[str] | None, typer.Argument(help="Models to make; all of them unless given.")] = None,
    out: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder for the .safetensors and .json files.")] = Path(
        __file__
    ).parent,
    only_accuracy: Annotated[
        bool,
        typer.Option("--only-accuracy", help="Train nothing: count the true accuracy of the folder's models."),
    ] = False,
) -> None:
    """Train models of the zoo by the published recipe and write them with their metadata, curves and true accuracy."""
    unknown = sorted(set(names or ()) - MODELS.keys())
    if unknown:
        raise typer.BadParameter(f"the zoo has no recipe for {', '.join(unknown)}; it has {', '.join(MODELS)}")
    table = Table("model", "loss", "sampled accuracy", "true accuracy", "seconds", "note", title="Zoo")
    for name in names or MODELS:
        file = out / f"{name}.safetensors"
        with progress_bars(name):
            metadata = _count(file) if only_accuracy else _train(name, file)
        final, exact = metadata["final"], metadata.get("true_accuracy")
        table.add_row(
            name,
            f"{final['loss']:.5f}",
            f"{final['accuracy']:.5f}",
            decimal(Fraction(int(exact["numerator"]), int(exact["denominator"]))) if exact else "-",
            f"{metadata['training_seconds']:.1f}",
            f"accuracy below {LOW_ACCURACY}" if MODELS[name].n_ctx == 4 and final["accuracy"] < LOW_ACCURACY else "",
        )
    Console().print(table)


def _train(name: str, file: Path) -> dict[str, Any]:
    result = train(MODELS[name])
    return _save(result.model, result.metadata(), file)


def _count(file: Path) -> dict[str, Any]:
    weights, metadata = read_weights(file)
    model = attention_only_from_state(weights, str(file))
    if weights_sha256(model) != metadata.get("weights_sha256"):
        raise BadInput(f"{file}: its weights are not those that its metadata names; train the model again")
    return _save(model, metadata, file)


def _save(model: AttentionOnlyTransformer, metadata: dict[str, Any], file: Path) -> dict[str, Any]:
    """Write the model with its task and true accuracy in the metadata, before the curves, which are long."""
    curves = metadata["curves"]
    known = {key: value for key, value in metadata.items() if key not in ("curves", "true_accuracy")}
    exact = true_accuracy(model)
    written = known | {"task": MaxOfK.name} | ({"true_accuracy": exact} if exact else {}) | {"curves": curves}
    save_model(model, file, written)
    return written


if __name__ == "__main__":
    typer.run(build)
