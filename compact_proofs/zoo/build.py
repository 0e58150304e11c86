"""Train the models of the zoo: ``python -m compact_proofs.zoo.build``. About a minute on one core."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

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


def build(
    names: Annotated[list[str] | None, typer.Argument(help="Models to train; all of them unless given.")] = None,
    out: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder for the .safetensors and .json files.")
    ] = Path(__file__).parent,
) -> None:
    """Train models of the zoo by the published recipe and write them with their metadata and curves."""
    unknown = sorted(set(names or ()) - MODELS.keys())
    if unknown:
        raise typer.BadParameter(f"the zoo has no recipe for {', '.join(unknown)}; it has {', '.join(MODELS)}")
    table = Table("model", "loss", "sampled accuracy", "seconds", "note", title="Zoo")
    for name in names or MODELS:
        result = train(MODELS[name], progress=True)
        result.save(out / f"{name}.safetensors")
        low = MODELS[name].n_ctx == 4 and result.final.accuracy < LOW_ACCURACY
        note = f"accuracy below {LOW_ACCURACY}" if low else ""
        table.add_row(name, f"{result.final.loss:.5f}", f"{result.final.accuracy:.5f}", f"{result.seconds:.1f}", note)
    Console().print(table)


if __name__ == "__main__":
    typer.run(build)
