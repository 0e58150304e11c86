"""The program: its commands, its exit codes, and how errors are shown."""

from __future__ import annotations

import traceback
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from compact_proofs.cli import (
    INTERRUPTED,
    check,
    compare,
    dictionary,
    estimate,
    explain,
    formalize,
    frontier,
    leaderboard,
    prove,
    sample,
    search,
    strategies,
    sweep,
    train,
    zoo,
)
from compact_proofs.cli.output import warn
from compact_proofs.cli.pages import address, page_about
from compact_proofs.cli.streams import settle_streams
from compact_proofs.errors import CertificateRejected, CompactProofsError, NotProven, TooLarge
from compact_proofs.memory import keep_freed_memory, refused

FAILED = 1
WRONG_USE = 2
FAULT = 3


class Program(TyperGroup):
    """The root command. It alone turns errors into exit codes, so that commands just raise them."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; show an error as one message, with a traceback if ``--debug`` asks for it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except CertificateRejected as e:
            _show(ctx, "Rejected", e)
            raise typer.Exit(FAILED) from None
        except NotProven as e:
            _show(ctx, "Not proven", e)
            raise typer.Exit(FAILED) from None
        except CompactProofsError as e:
            _show(ctx, "Error", e)
            raise typer.Exit(WRONG_USE) from None
        except OSError as e:
            _show(ctx, "Error", e)
            raise typer.Exit(WRONG_USE) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as e:
            if refused(e):  # by the limit of --max-memory, outside of a proof, or by the system
                _show(ctx, "Error", TooLarge("there is not enough memory for this; see --max-memory"))
                raise typer.Exit(WRONG_USE) from None
            if hasattr(e, "exit_code"):  # wrong use, found and shown by the command line's parser
                raise
            traceback.print_exc()
            _show(ctx, "This is a fault in compact-proofs; please report it with the lines above", e)
            raise typer.Exit(FAULT) from None


def _show(ctx: Any, kind: str, error: Exception) -> None:
    if ctx.params.get("debug"):
        traceback.print_exc()
    warn(f"{kind}: {error}")
    if (page := page_about(error)) is not None:
        warn(f"See {address(page)}")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"compact-proofs {version('compact-proofs')}")
        raise typer.Exit


app = typer.Typer(
    name="compact-proofs",
    cls=Program,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(
    epilog="**A first proof**\n\n"
    "compact-proofs prove max-of-4-seed-123 -o proof.cert\n\n"
    "compact-proofs check proof.cert max-of-4-seed-123\n\n"
    "compact-proofs frontier max-of-4-seed-123\n\n"
    "**Exit codes**\n\n"
    "0: done.  1: the claim failed or a certificate was rejected.  2: wrong use or bad input.  "
    "3: a fault in this program.  130: interrupted."
)
def program(
    debug: Annotated[bool, typer.Option("--debug", envvar="COMPACT_PROOFS_DEBUG", help="Show the traceback of an error.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Prove the accuracy of a neural network, and measure how long the proof is.

    A **strategy** proves a lower bound of a model's accuracy over every input of a finite task: a theorem about the
    real-valued function that the stored weights define, with all rounding accounted for. Its **length** is the number
    of operations that the verification takes. A strategy that uses an understanding of the model is shorter than brute
    force; how short a proof gets, at which bound, says how good the understanding is.
    """


app.command()(zoo.zoo)
app.command()(strategies.strategies)
app.add_typer(train.app, name="train")
app.add_typer(train.finetuning, name="finetune")
app.command()(prove.prove)
app.command()(sample.sample)
app.command()(check.check)
app.command()(frontier.frontier)
app.command()(compare.compare)
app.command()(search.search)
app.command()(estimate.estimate)
app.command()(explain.explain)
app.command()(dictionary.dictionary)
app.command()(formalize.formalize)
app.command()(leaderboard.leaderboard)
app.add_typer(sweep.app, name="sweep")


def run() -> None:
    """Run the command that ``sys.argv`` names."""
    settle_streams()
    keep_freed_memory()
    app()
