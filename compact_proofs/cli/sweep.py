"""``compact-proofs sweep run | status | export``: many models, many proofs, one file."""

from __future__ import annotations

import inspect
import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from compact_proofs.cli.files import Force, free_file, free_folder
from compact_proofs.cli.many import Dask
from compact_proofs.cli.options import field_docs, parse_options
from compact_proofs.cli.output import Json, command, say, show_table, table, write_json
from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import made

if TYPE_CHECKING:
    from compact_proofs.sweep import Failure, Plan

FAILURES_SHOWN = 20
_PANEL = "Recipe of the models that are trained: values, separated by commas, of which each combination is tried"

StoreFile = Annotated[Path, typer.Argument(metavar="STORE", help="The sweep's SQLite file.", show_default=False)]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="A plan in a .toml or .json file, instead of the options that make one.", show_default=False),
]
Task = Annotated[str, typer.Option(help="Task of the models: its name, or file.py:name, one of your own.")]
Seeds = Annotated[
    str | None,
    typer.Option(help="Train a model for each of these seeds, such as **0-39** or **1,5,7-9**.", show_default=False),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        help="A file of weights, a name of the zoo, or file.py:name (with a --task of your own), to prove about; repeat for more.",
        show_default=False,
    ),
]
Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        "-s",
        help="A strategy with its options, such as **'additive window=4 groups=2'**; repeat for more.",
        show_default=False,
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes on this machine, of one thread each.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Try again what failed in an earlier run.")]
Keep = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write the models and the certificates of the proofs made in this run.", show_default=False),
]

_RUN = """Train and prove what the store does not have yet.

    The models are one for each seed and each combination of the recipe's values (**--n-ctx 4,5 --d-vocab 64**; what is
    not given is as published), and the files given by **--model**. Every strategy is tried on every model.

    The run may be stopped or killed at any moment: **the same command continues** where it was, and with more seeds or
    strategies it adds them; without any it continues what waits in the store. What fails (a worker that dies, a broken
    file) costs its own rows only, is reported, and makes the exit code 1.

    **Example:** compact-proofs sweep run sweep.sqlite --seeds 0-39 --n-ctx 4 -s cubic -s 'additive window=4 groups=2'

    **Example:** compact-proofs sweep run mine.sqlite --task mine.py:task -m mine.py:first -m mine.py:second -s automatic
    """


class Commands(TyperGroup):
    """The commands of a sweep; `run` is made when it is asked for, since its options are those of the tasks' recipes."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands."""
        return ["run", *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make or find a command."""
        return _run_command() if cmd_name == "run" else super().get_command(ctx, cmd_name)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Train and prove over seeds, sizes and strategies, into an SQLite file.\n\n"
    "**Example:** compact-proofs sweep run sweep.sqlite --seeds 0-9 -s cubic -s additive, then compact-proofs sweep "
    "export sweep.sqlite -o results.csv",
)


def _run_command() -> Any:
    """The command line of `run`, with an option for each number in the tasks' recipes."""
    from compact_proofs.tasks import KITS

    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.signature(_run, eval_str=True)
    parameters = [p for p in signature.parameters.values() if p.name != "recipe"]
    for kit in KITS.values():
        docs, types = field_docs(kit.recipe), get_type_hints(kit.recipe)
        for f in fields(kit.recipe):
            if types[f.name] in (int, float) and f.name not in ("seed", *(p.name for p in parameters)):
                help_text = f"{docs.get(f.name, '')} As published: {f.default}."
                option = typer.Option(help=help_text, metavar="VALUES", rich_help_panel=_PANEL, show_default=False)
                kind = Annotated[str | None, option]
                parameters.append(inspect.Parameter(f.name, keyword, default=None, annotation=kind))

    own = {p.name for p in signature.parameters.values()}

    def run(**given: Any) -> None:
        _run(**{k: v for k, v in given.items() if k in own}, **{k: v for k, v in given.items() if k not in own and v})

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    single.command(name="run", help=inspect.cleandoc(_RUN))(run)
    return typer.main.get_command(single)


def _run(
    *,
    store: StoreFile,
    seeds: Seeds = None,
    model: Models = None,
    strategy: Strategies = None,
    task: Task = "max-of-k",
    plan: PlanFile = None,
    workers: Workers = 1,
    dask: Dask = None,
    retry_failed: Retry = False,
    keep_certificates: Keep = None,
    as_json: Json = False,
    **recipe: str,
) -> None:
    from compact_proofs.progress import progress_bars
    from compact_proofs.sweep import run
    from compact_proofs.sweep.runner import to_json

    wanted = _plan(plan, task, seeds, model or [], strategy or [], recipe)
    if keep_certificates is not None:
        free_folder(keep_certificates, force=True)  # to which the run adds
    with progress_bars():
        summary = run(store, wanted, workers=workers, dask=dask, retry_failed=retry_failed, keep_certificates=keep_certificates)
    if as_json:
        write_json(to_json(summary))
    else:
        say(
            f"{summary.done:,} done, {summary.failed:,} failed, {summary.skipped:,} skipped (done before), "
            f"in {summary.seconds:.1f} s"
        )
        _show(summary.failures)
        say(f"Results: {command('sweep', 'export', store, '-o', 'results.csv')}")
    if summary.failed:
        raise typer.Exit(1)


def _plan(
    file: Path | None, task: str, seeds: str | None, models: list[str], strategies: list[str], recipe: dict[str, str]
) -> Plan | None:
    from compact_proofs.sweep import Plan
    from compact_proofs.sweep.plan import parse_seeds, strategy

    if file is not None:
        if seeds or models or strategies or recipe:
            raise BadInput("--plan says what is to be done: leave out --seeds, --model, --strategy and the recipe")
        return Plan.read(file)
    if recipe and not seeds:
        raise BadInput(f"--{next(iter(recipe)).replace('_', '-')} is for training: give the --seeds too, such as --seeds 0-9")
    if not (seeds or models or strategies):
        return None
    if not strategies:
        raise BadInput("no --strategy is given, such as -s cubic (see compact-proofs strategies)")
    if not (seeds or models):
        raise BadInput("no models are given: --seeds 0-9 to train some, or --model FILE")
    chosen = []
    for text in strategies:
        try:
            name, *options = shlex.split(text)
        except ValueError:
            raise BadInput(f"--strategy {text!r} is not of the form 'NAME option=value ...'") from None
        chosen.append(strategy(task, name, parse_options(options)))
    several = {name: [piece.strip() for piece in values.split(",")] for name, values in recipe.items()}
    return Plan.grid(chosen, task=task, seeds=parse_seeds(seeds) if seeds else (), recipe=several, files=models)


@app.command()
def status(store: StoreFile, as_json: Json = False) -> None:
    """Show what a store has: done, waiting, failed and why; also while a sweep is running.

    **Example:** compact-proofs sweep status sweep.sqlite
    """
    from compact_proofs.sweep import status as look
    from compact_proofs.sweep.runner import to_json

    found = look(store)
    if as_json:
        write_json(to_json(found))
        return
    states = ("done", "running", "waiting", "failed")
    shown = table("units", *states, right=states)
    for kind, counts in (("models", found.models), ("proofs", found.proofs)):
        shown.add_row(kind, *(f"{counts[state]:,}" for state in states))
    show_table(shown)
    if found.running:
        r = found.running
        say(f"\nA sweep is running: process {r['pid']} on {r['host']}, since {r['started_at']}.")
    _show(found.failures)


@app.command()
def export(
    store: StoreFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv or .parquet file.", show_default=False)],
    columns: Annotated[
        str | None,
        typer.Option(
            help="Only these, separated by commas; **options.window** takes one entry out of a JSON column.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write the finished proofs of a store to a table, one row for each, in an order that is always the same.

    The bound is exactly numerator/denominator. Parquet needs pyarrow: pip install 'compact-proofs[sweep]'.

    **Example:** compact-proofs sweep export sweep.sqlite -o results.csv --columns seed,strategy,options.window,bound
    """
    from compact_proofs.sweep import export as write

    chosen = [column.strip() for column in columns.split(",")] if columns else None
    free_file(output, force=force, sources=(store,))
    made(output.parent)
    rows = write(store, output, chosen)
    if as_json:
        write_json({"rows": rows, "output": str(output)})
    else:
        say(f"{rows:,} rows written to {output}")


def _show(failures: tuple[Failure, ...]) -> None:
    for failure in failures[:FAILURES_SHOWN]:
        say(f"failed: {failure.unit}: {failure.reason}", style="red")
    if len(failures) > FAILURES_SHOWN:
        say(f"... and {len(failures) - FAILURES_SHOWN:,} more: --json shows them all", style="red")
