"""``compact-proofs train TASK``: one command for each task, with an option for each field of its recipe."""

from __future__ import annotations

import inspect
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from compact_proofs.cli.declared import ConfigFile
from compact_proofs.cli.files import Force, free_file
from compact_proofs.cli.models import ModelSource, about
from compact_proofs.cli.options import field_docs
from compact_proofs.cli.output import Json, command, say, write_json
from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import made

if TYPE_CHECKING:
    from compact_proofs.tasks.kit import TaskKit
    from compact_proofs.train import Recipe, TrainingResult

Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="Where the model goes: a .safetensors file, with a .json beside it.", show_default=False),
]
Provable = Annotated[bool, typer.Option("--provable", help="Then tune the model so that short proofs about it exist.")]


class TasksOfTrain(TyperGroup):
    """A command for each task that ships, made when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the tasks."""
        from compact_proofs.tasks import KITS

        return list(KITS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make the command of a task, or return None if there is no such task."""
        from compact_proofs.tasks import KITS

        return _command(KITS[cmd_name]) if cmd_name in KITS else None


app = typer.Typer(
    cls=TasksOfTrain,
    no_args_is_help=True,
    help="Train a model for a task, by the task's published recipe unless told otherwise.\n\n"
    "The same seed on the same machine gives the same weights, bit by bit. The options of a recipe are those of its "
    "task: see **compact-proofs train max-of-k --help**.\n\n"
    "**Example:** compact-proofs train max-of-k -o model.safetensors --n-ctx 4 --d-vocab 64 --seed 3",
)


def recipe_command(name: str, help_text: str, recipe: type[Recipe], leading: dict[str, Any], run: Any, hidden: Any = ()) -> Any:
    """Make a command with `leading` parameters, ``--output``, ``--force``, ``--json`` and an option for each field of a recipe.

    Parameters
    ----------
    leading
        Annotation by name, or (annotation, default).
    run
        Called with everything by name.
    hidden
        Fields of the recipe that are no options.
    """

    def command(**given: Any) -> None:
        run(**given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = []
    for parameter, kind in leading.items():
        annotation, default = kind if isinstance(kind, tuple) else (kind, inspect.Parameter.empty)
        parameters.append(inspect.Parameter(parameter, keyword, annotation=annotation, default=default))
    parameters.append(inspect.Parameter("output", keyword, annotation=Output))
    docs, types = field_docs(recipe), get_type_hints(recipe)
    own = vars(recipe).get("__annotations__", {})
    for f in sorted(fields(recipe), key=lambda f: f.name not in own):  # the task's sizes first
        if f.name not in hidden:
            option = typer.Option(f.default, help=docs.get(f.name))
            parameters.append(inspect.Parameter(f.name, keyword, default=option, annotation=types[f.name]))
    parameters.append(inspect.Parameter("force", keyword, default=False, annotation=Force))
    parameters.append(inspect.Parameter("as_json", keyword, default=False, annotation=Json))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}

    single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    single.command(name=name, help=help_text)(command)
    return typer.main.get_command(single)


def _command(kit: TaskKit) -> Any:
    """The command line of a kit's recipe; typer reads the options from the function's signature."""

    from compact_proofs.progress import progress_bars

    def train(output: Path, force: bool, as_json: bool, provable: bool = False, **options: Any) -> None:
        _refuse(output, force)
        config = kit.recipe(**options)
        with progress_bars():
            result = kit.train(config)
            if provable and kit.tuning is not None:
                result = kit.tuning.tune(result.model, kit.tuning.config(result.model, seed=config.seed))
        found = _save(kit, result, output)
        if as_json:
            write_json(found)
        else:
            _say(found)

    return recipe_command(
        kit.name,
        f"Train a model that is to {kit.summary}.\n\n"
        "Writes the weights of the last step, with the recipe, the loss and accuracy curves, and the accuracy on a "
        "fresh sample. The accuracy over all inputs is for **compact-proofs prove** to bound.\n\n"
        f"**Example:** compact-proofs train {kit.name} -o model.safetensors --seed 3",
        kit.recipe,
        {} if kit.tuning is None else {"provable": (Provable, False)},
        train,
    )


def _refuse(output: Path, force: bool) -> None:
    """Check, before any work, that the model can be written."""
    if output.suffix != ".safetensors":
        raise BadInput(f"{output}: models are saved as .safetensors; change the file name's ending")
    for file in (output, output.with_suffix(".json")):
        free_file(file, force=force)


def _save(kit: TaskKit, result: TrainingResult[Any], output: Path) -> dict[str, Any]:
    """Write the model; return what ``--json`` says of it."""
    from compact_proofs.models.files import weights_sha256
    from compact_proofs.tasks import LoadedModel

    made(output.parent)
    result.save(output)
    return {
        **about(LoadedModel(output.name, result.model, kit.task_of(result.model), kit, {})),
        "output": str(output),
        "model_sha256": weights_sha256(result.model),
        "sampled": asdict(result.final),
        "recipe": asdict(result.config),
        "seconds": result.seconds,
    }


def _say(found: dict[str, Any]) -> None:
    output, sampled = Path(found["output"]), found["sampled"]
    say(
        f"Trained in {found['seconds']:.1f} s: accuracy {sampled['accuracy']:.5f} and loss {sampled['loss']:.5f} "
        f"on {sampled['samples']:,} fresh inputs."
    )
    say(f"Written to {output} and {output.with_suffix('.json')}.")
    say(f"Prove a bound over all inputs: {command('prove', output)}")


class TasksOfFinetune(TasksOfTrain):
    """A command for each task whose models can be tuned for short proofs."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make the command of a task, or return None if there is no such task or no tuning for it."""
        from compact_proofs.tasks import KITS

        return _finetune_command(KITS[cmd_name]) if cmd_name in KITS and KITS[cmd_name].tuning is not None else None


finetuning = typer.Typer(
    cls=TasksOfFinetune,
    no_args_is_help=True,
    help="Tune a trained model so that short proofs about it exist. The result is another network: the distance "
    "of its function from the first is measured and shown.\n\n"
    "**Example:** compact-proofs finetune max-of-k max-of-4-seed-123 -o tuned.safetensors",
)


def _finetune_command(kit: TaskKit) -> Any:
    from compact_proofs.progress import progress_bars

    tuning = kit.tuning
    assert tuning is not None

    def finetune(model: str, config: Path | None, output: Path, force: bool, as_json: bool, **options: Any) -> None:
        from compact_proofs.tasks import load_model

        _refuse(output, force)
        loaded = load_model(model, kit.name, config)
        with progress_bars():
            result = tuning.tune(loaded.model, tuning.config(loaded.model, **options))
        found = _save(kit, result, output)
        away = tuning.distance(loaded.model, result.model)
        if as_json:
            write_json(found | {"distance": away})
            return
        _say(found)
        say(
            "This is another network: on random inputs its centred logits differ from the first's by "
            f"{away:.2f} (root mean square)."
        )

    return recipe_command(
        kit.name,
        f"Tune a model that is to {kit.summary}, so that short proofs about it exist.\n\n"
        f"**Example:** compact-proofs finetune {kit.name} {next(iter(kit.zoo))} -o tuned.safetensors",
        tuning.recipe,
        {"model": ModelSource, "config": (ConfigFile, None)},
        finetune,
        hidden=tuning.fixed,
    )
