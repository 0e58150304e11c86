"""``compact-proofs dictionary``: what dictionaries over an MLP's activations prove, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.files import Force, free_file, free_folder
from compact_proofs.cli.models import ModelSource, about, as_float, true_accuracy
from compact_proofs.cli.options import MaxMemory, parse_options
from compact_proofs.cli.output import Json, command, note, say, show_table, table, write_json
from compact_proofs.decimals import decimal
from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import made

if TYPE_CHECKING:
    from compact_proofs.dictionaries.autoencoder import Autoencoder
    from compact_proofs.dictionaries.score import Score
    from compact_proofs.dictionaries.strategy import Dictionary
    from compact_proofs.models.component import Component
    from compact_proofs.tasks import LoadedModel

USUAL = ("tokens", "fourier", "pca", "metric-pca")
"""Compared unless told otherwise: what needs no training."""


def dictionary(
    model: ModelSource,
    task: TaskName = None,
    config: ConfigFile = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            "-k",
            help="**tokens**, **pca**, **metric-pca**, **fourier**, **random**, or an autoencoder, trained on the spot: "
            "**topk-bound**, **topk-mse**, **l1-bound**, **l1-mse**. Repeat to compare. Unless given, those that need no training.",
            show_default=False,
        ),
    ] = None,
    load: Annotated[
        list[Path] | None,
        typer.Option(
            "--load",
            metavar="FOLDER",
            help="An autoencoder in the files of SAELens (cfg.json, sae_weights.safetensors); repeat for more.",
            show_default=False,
        ),
    ] = None,
    features: Annotated[
        int | None,
        typer.Option(
            "--features",
            "-L",
            min=1,
            help="Size of the dictionaries: 16 unless given, 64 for autoencoders.",
            show_default=False,
        ),
    ] = None,
    active: Annotated[
        int | None,
        typer.Option(
            "--active",
            min=1,
            help="Features in a code at most (L0). Unless given: all, 16 for autoencoders, as many as there are for loaded ones.",
            show_default=False,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-O",
            metavar="NAME=VALUE",
            help="An option of the strategy **dictionary** (see **compact-proofs strategies**), for all that are compared: codes, "
            "groups, rank, metric, drop, refit, steps, seed, warmup. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the certificate of the one dictionary to this file.", show_default=False),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FOLDER", help="Write the one dictionary as an autoencoder of SAELens.", show_default=False),
    ] = None,
    force: Force = False,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Score dictionaries over the activations that enter a model's MLP by what they prove.

    A dictionary (a sparse autoencoder, principal components, a Fourier basis) says that every activation is nearly a sum of a
    few features. That is an **explanation**: with the code of each input, a bound of every margin follows, and the accuracy that
    is proven, with the length of the proof, is the dictionary's score. Its usual score, the mean squared error, counts every
    direction alike; the proof counts what the network reads, so the two can disagree.

    Codes are found by the encoder outside of the proof, and are not trusted. The table says where margins are lost: to the
    **residual** (what the features leave of the activations), to the **interaction** of features (reads that are dropped), to
    the **projection** of what neurons write on a few directions. These are medians, and informative; the bound is a theorem.

    The score is relative to this verifier. Features for tokens have no error and two of them are in each code: they prove most,
    and explain nothing. Compare the sizes of explanations too, and lengths with **-O codes=tokens**, where codes of tokens add.

    **Example:** compact-proofs dictionary mod-59-attn-seed-0

    **Example:** compact-proofs dictionary mod-59-attn-seed-0 -k topk-bound -k topk-mse -O steps=3000

    **Example:** compact-proofs dictionary mod-59-attn-seed-0 -k topk-bound --save sae -o sae.cert, then --load sae
    """
    from compact_proofs.dictionaries.hints import plain_component
    from compact_proofs.dictionaries.options import named_dictionary
    from compact_proofs.dictionaries.saelens import load_saelens, save_saelens
    from compact_proofs.dictionaries.strategy import Dictionary
    from compact_proofs.progress import progress_bars, track
    from compact_proofs.tasks import load_model

    given = parse_options(option or [])
    kinds, folders = list(kind or ([] if load else USUAL)), list(load or [])
    if (output or save) and len(kinds) + len(folders) != 1:
        raise BadInput("--output and --save write one dictionary; name it by one --kind or one --load")
    if output:
        free_file(output, force=force, sources=(model,))
    if save:
        free_folder(save, force=force)
    loaded = load_model(model, task, config)
    Dictionary().applies_to(loaded.model, loaded.task)
    component = plain_component(loaded.model, loaded.task)
    read = [(str(folder), load_saelens(folder)) for folder in folders]
    chosen = [named_dictionary(name, component, features, active, given) for name in kinds]
    for strategy in chosen:
        strategy.applies_to(loaded.model, loaded.task)
    scores, autoencoder = [], None
    with progress_bars():
        for name, strategy in track(list(zip(kinds, chosen, strict=True)), "dictionaries"):
            found, autoencoder = _found(strategy, loaded, component, save is not None)
            scores.append(_score(name, loaded, strategy, found))
        for name, autoencoder in track(read, "dictionaries"):
            strategy, found = _given(autoencoder, component, active, given)
            scores.append(_score(name, loaded, strategy, found))
    if save and autoencoder is not None:
        save_saelens(autoencoder, save)
        note(f"Dictionary written to {save}; score it by: {command('dictionary', *loaded.arguments, '--load', save)}")
    if output:
        made(output.parent)
        scores[0].certificate.save(output)
        note(f"Certificate written to {output}; check it by: {command('check', output, *loaded.arguments)}")
    if as_json:
        accuracy = as_float(true_accuracy(loaded))
        write_json(about(loaded) | {"true_accuracy": accuracy, "dictionaries": [s.to_json() for s in scores]})
        return
    _show(loaded, scores)


def _found(
    strategy: Dictionary, loaded: LoadedModel, component: Component, wanted: bool
) -> tuple[dict[str, Any], Autoencoder | None]:
    """The explanation of a dictionary that is found, and, if it is wanted, the autoencoder that it is."""
    from compact_proofs.dictionaries.autoencoder import linear_autoencoder

    found = strategy.find(component, loaded.task)
    autoencoder = found.autoencoder
    if wanted and autoencoder is None:
        if strategy.codes == "tokens":
            raise BadInput("codes of tokens are not computed from activations, so no autoencoder has them; leave out codes=tokens")
        autoencoder = linear_autoencoder(found.codebook, component.activations())
    return strategy.explanation(component, found.codebook), autoencoder


def _given(
    autoencoder: Autoencoder, component: Component, active: int | None, options: dict[str, Any]
) -> tuple[Dictionary, dict[str, Any]]:
    """The strategy and the explanation of a dictionary that is read."""
    from compact_proofs.dictionaries.finding import refitted
    from compact_proofs.dictionaries.hints import metric_of
    from compact_proofs.dictionaries.strategy import Dictionary

    if options.get("codes") == "tokens":
        raise BadInput("an encoder gives codes of inputs; leave out codes=tokens for dictionaries that are loaded")
    X = component.activations()
    codebook = autoencoder.codebook(X)
    most = max(1, int((codebook.codes != 0).sum(1).max()))
    sizes = {"found": "given", "features": autoencoder.features, "active": min(active or most, autoencoder.features)}
    strategy = Dictionary.from_options({**options, **sizes})
    assert isinstance(strategy, Dictionary)
    codebook = codebook.sparse(strategy.active)
    if strategy.refit or strategy.active < most:
        codebook = refitted(codebook, X, metric_of(component))
    return strategy, strategy.explanation(component, codebook)


def _score(name: str, loaded: LoadedModel, strategy: Dictionary, explanation: dict[str, Any]) -> Score:
    from compact_proofs.dictionaries.score import score

    return score(name, loaded.model, loaded.task, strategy, explanation)


def _show(loaded: LoadedModel, scores: list[Score]) -> None:
    say(f"{loaded.name}, {loaded.task.describe()}")
    lost = ("residual", "interaction", "projection")
    numbers = ("bound", "length", "features", "L0", "relative MSE", "explanation", "margin", *lost)
    shown = table("dictionary", *numbers, right=numbers, wrap="dictionary")
    for s in scores:
        shown.add_row(
            s.name,
            decimal(s.certificate.bound, 6),
            f"{s.certificate.length.total:,}",
            f"{s.features:,}",
            f"{s.l0:.1f}",
            f"{s.relative_mse:.3g}",
            f"{s.size:,}",
            *(f"{s.terms[name]:.3g}" for name in ("explained", *lost)),
        )
    show_table(shown)
    say("\nbound: proven. margin: of what is explained, before what residual, interaction and projection can cost (medians).")
