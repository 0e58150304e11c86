"""``compact-proofs train TASK``: one command for each task, with an option for each field of its recipe."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from compact_proofs.cli.files import writable_file
from compact_proofs.cli.options import field_docs
from compact_proofs.cli.output import messages, say
from compact_proofs.errors import BadInput

if TYPE_CHECKING:
    from compact_proofs.tasks.kit import TaskKit

Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="Where the model goes: a .safetensors file, with a .json beside it.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a model that is there already.")]


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


def _command(kit: TaskKit) -> Any:
    """The command line of a kit's recipe; typer reads the options from the function's signature."""

    def train(output: Path, force: bool, **options: Any) -> None:
        _train(kit, output, force, options)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("output", keyword, annotation=Output)]
    docs, types = field_docs(kit.recipe), get_type_hints(kit.recipe)
    own = vars(kit.recipe).get("__annotations__", {})
    for f in sorted(fields(kit.recipe), key=lambda f: f.name not in own):  # the task's sizes first
        option = typer.Option(f.default, help=docs.get(f.name))
        parameters.append(inspect.Parameter(f.name, keyword, default=option, annotation=types[f.name]))
    parameters.append(inspect.Parameter("force", keyword, default=False, annotation=Force))
    train.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    train.__annotations__ = {p.name: p.annotation for p in parameters}

    single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    single.command(
        name=kit.name,
        help=f"Train a model that is to {kit.summary}.\n\n"
        "Writes the weights of the last step, with the recipe, the loss and accuracy curves, and the accuracy on a "
        "fresh sample. The accuracy over all inputs is for **compact-proofs prove** to bound.\n\n"
        f"**Example:** compact-proofs train {kit.name} -o model.safetensors --seed 3",
    )(train)
    return typer.main.get_command(single)


def _train(kit: TaskKit, output: Path, force: bool, options: dict[str, Any]) -> None:
    config = kit.recipe(**options)
    if output.suffix != ".safetensors":
        raise BadInput(f"{output}: models are saved as .safetensors; change the file name's ending")
    for file in (output, output.with_suffix(".json")):
        writable_file(file, force=force)
    result = kit.train(config, progress=messages.is_terminal)
    result.save(output)
    final = result.final
    say(
        f"Trained in {result.seconds:.1f} s: accuracy {final.accuracy:.5f} and loss {final.loss:.5f} "
        f"on {final.samples:,} fresh inputs."
    )
    say(f"Written to {output} and {output.with_suffix('.json')}.")
    say(f"Prove a bound over all inputs: compact-proofs prove {output}")
