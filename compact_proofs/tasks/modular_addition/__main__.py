"""``python -m compact_proofs.tasks.modular_addition MODEL -p 211 -o FILE``: transplant a projected model to another p."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from compact_proofs.errors import CompactProofsError
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks import load_model
from compact_proofs.tasks.modular_addition.projection import used_frequencies
from compact_proofs.tasks.modular_addition.task import ModularAddition
from compact_proofs.tasks.modular_addition.theorem import apply_theorem, prove_theorem
from compact_proofs.tasks.modular_addition.transplanting import TransplantConfig, transplant


def command(
    model: Annotated[str, typer.Argument(help="A projected model: a file, or a name of the zoo.")],
    p: Annotated[int, typer.Option("--p", "-p", help="The new modulus.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the model goes: a .safetensors file.")],
    theorem: Annotated[Path | None, typer.Option("--theorem", help="Also write the layer's theorem to this file.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of frequencies.")] = 0,
) -> None:
    """Transplant a projected model to another p; prove its layer's theorem, and what it says at the old p and at the new one."""
    try:
        first = load_model(model, ModularAddition.name).model
        assert isinstance(first, OneLayerMLP)
        result = transplant(first, p, seed=seed)
        result.save(output)
        old = used_frequencies(first)
        proved = prove_theorem(first, len(old))
        if theorem is not None:
            proved.save(theorem)
    except CompactProofsError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{proved.statement()}\nIts proof takes {proved.length:,} operations.")
    assert isinstance(result.config, TransplantConfig)
    for net, frequencies in ((first, old), (result.model, torch.tensor(result.config.frequencies))):
        proven, length = apply_theorem(proved, net, frequencies)
        typer.echo(f"p = {net.p}: {proven} of {net.p**2} pairs are right, by {length.total:,} further operations.")


if __name__ == "__main__":
    typer.run(command)
