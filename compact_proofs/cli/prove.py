"""``compact-proofs prove``: one model, one strategy, one bound."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.files import Force, free_file
from compact_proofs.cli.many import Dask, Jobs, ResumeFile, going_on
from compact_proofs.cli.models import ModelSource, about, as_float, true_accuracy
from compact_proofs.cli.options import EFFORT, MaxMemory, StrategyOptions, parse_fraction, parse_options
from compact_proofs.cli.output import (
    Json,
    command,
    length_text,
    note,
    options_text,
    say,
    share_text,
    show_table,
    table,
    write_json,
)
from compact_proofs.decimals import decimal
from compact_proofs.errors import BadInput, NotProven, meant
from compact_proofs.files.atomic import made

if TYPE_CHECKING:
    from compact_proofs.core.certificate import Certificate, Trial
    from compact_proofs.core.strategy import Strategy
    from compact_proofs.tasks import LoadedModel


class Reading(StrEnum):
    """How the verifier is run."""

    sound = "sound"
    float = "float"


def prove(
    model: ModelSource,
    task: TaskName = None,
    config: ConfigFile = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            "-s",
            help="How to prove it; see **compact-proofs strategies**. Unless given, the task's default for a model "
            "of this size: a good bound at a low cost.",
            show_default=False,
        ),
    ] = None,
    option: StrategyOptions = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the certificate to this file.", show_default=False)
    ] = None,
    reading: Annotated[
        Reading,
        typer.Option(help="**sound**: a theorem. **float**: a quick estimate, which proves nothing."),
    ] = Reading.sound,
    at_least: Annotated[
        str | None,
        typer.Option(
            "--at-least",
            metavar="BOUND",
            help="Exit with 1 if less is proven than this decimal, compared exactly.",
            show_default=False,
        ),
    ] = None,
    max_length: Annotated[
        float | None,
        typer.Option(
            "--max-length",
            min=1,
            help="Search for the best bound of at most this length: FLOPs and integer operations together.",
            show_default=False,
        ),
    ] = None,
    min_bound: Annotated[
        str | None,
        typer.Option("--min-bound", metavar="BOUND", help="Search for the shortest proof of this bound.", show_default=False),
    ] = None,
    effort: Annotated[float, typer.Option("--effort", min=0, help=f"How long --max-length and --min-bound search: {EFFORT}")] = 1.0,
    polish: Annotated[
        int,
        typer.Option("--polish", min=0, help="Better the explanation by this many small moves, a float reading each."),
    ] = 0,
    jobs: Jobs = 1,
    dask: Dask = None,
    resume: ResumeFile = None,
    force: Force = False,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Prove a lower bound of a model's accuracy over all inputs of its task.

    The result is a theorem about the real-valued function that the weights define: an exact fraction, with every
    rounding accounted for. Beside it stands the length of the proof, the number of operations that verifying it takes.
    A short proof with a high bound is evidence of a good understanding of the model; brute force gives the exact
    accuracy at full length. The explanation that guides the proof is searched for freely and is not trusted: a bad one
    lowers the bound, never its truth.

    The certificate written by **-o** lets others check the claim without trusting you. It is written even where the
    bound is below **--at-least**.

    With **--max-length** or **--min-bound** the autopilot chooses strategy and options: it estimates many of them in the
    float reading, and proves the best that fits.

    **Example:** compact-proofs prove max-of-4-seed-123 -s additive -O groups=8 --at-least 0.99 -o proof.cert

    **Example:** compact-proofs prove max-of-10-seed-0 --max-length 2e6

    With **--jobs** or **--dask** several processes carry out a proof that has parts: brute force by inputs, automatic proofs by
    boxes, pairs by cases. The certificate is the same.

    **Example:** compact-proofs prove max-of-4-seed-104 --polish 500

    **Example:** compact-proofs prove max-of-4-seed-104 -s brute-force --jobs 4 --resume proof.parts
    """
    from compact_proofs.core.prove import find_explanation, trial
    from compact_proofs.core.prove import prove as proved
    from compact_proofs.progress import progress_bars
    from compact_proofs.search.autopilot import best_within
    from compact_proofs.search.polish import polish as better
    from compact_proofs.shards import sharing
    from compact_proofs.tasks import load_model

    given = parse_options(option or [])
    required = None if at_least is None else parse_fraction(at_least, "--at-least")
    if reading is Reading.float and (output or at_least):
        raise BadInput("a float reading is an estimate: it proves no bound and writes no certificate; leave out --reading float")
    if output:
        free_file(output, force=force, sources=(model,))
    budget = (max_length, None if min_bound is None else parse_fraction(min_bound, "--min-bound"))
    searching = budget != (None, None)
    if searching and (strategy or given or reading is Reading.float):
        raise BadInput(
            "--max-length and --min-bound choose the strategy and its options; leave out --strategy, --option, --reading"
        )
    if resume:
        free_file(resume, force=True, sources=(model,))  # which goes on with what is there
        made(resume.parent)
    certificate: Certificate | Trial
    with going_on(None if resume is None else "the same command"), sharing(jobs, dask, resume):
        loaded = load_model(model, task, config)
        if searching:
            candidates = loaded.kit.candidates(loaded.model)
            with progress_bars("searching"):
                certificate = best_within(loaded.model, loaded.task, candidates, effort, *budget, moves=polish)
        else:
            chosen = chosen_strategy(loaded, strategy, given)
            if strategy is None:
                note(f"Strategy: {chosen.name}, the default for this model.")
            with progress_bars(f"proving by {chosen.name}"):
                explanation = find_explanation(loaded.model, loaded.task, chosen)
                if polish:
                    explanation = better(loaded.model, loaded.task, chosen, explanation, moves=polish)
                run = proved if reading is Reading.sound else trial
                certificate = run(loaded.model, loaded.task, chosen, explanation=explanation)
    _finish(loaded, certificate, model, output, required, at_least, as_json, effort if searching else None)


def _finish(
    loaded: LoadedModel,
    certificate: Certificate | Trial,
    model: str,
    output: Path | None,
    required: Fraction | None,
    at_least: str | None,
    as_json: bool,
    effort: float | None = None,
) -> None:
    """Save and show what was proved (after a search, if an effort is given); exit with 1 if it is less than required."""
    from compact_proofs.cli.advice import advice
    from compact_proofs.core.certificate import Certificate

    if output and isinstance(certificate, Certificate):
        made(output.parent)
        certificate.save(output)
        note(f"Certificate written to {output}; check it by: {command('check', output, *loaded.arguments)}")
    accuracy = true_accuracy(loaded, [certificate])
    poor = advice(loaded, certificate, effort)
    if as_json:
        write_json(about(loaded) | certificate.to_json(as_float(accuracy)) | {"note": poor})
    else:
        _summary(loaded, certificate, accuracy)
        if poor:
            say(f"\n{poor}", style="yellow")
    if required is not None and certificate.bound < required:
        raise NotProven(f"the bound is below {at_least}")


def chosen_strategy(loaded: LoadedModel, name: str | None, options: dict[str, int | float | bool | str]) -> Strategy:
    """Make a strategy from its name and options; the task's default unless named."""
    if name is None:
        default = loaded.kit.default(loaded.model)
        return type(default).from_options(default.options() | options)
    known = {s.name: s for s in loaded.kit.strategies}
    if name not in known:
        has = f"it has {', '.join(known)} (see compact-proofs strategies)"
        raise BadInput(f"{loaded.task.name} has no strategy {name!r}{meant(name, known)}; {has}")
    return known[name].from_options(options)


def _summary(loaded: LoadedModel, certificate: Certificate | Trial, accuracy: Fraction | None) -> None:
    claim, length = certificate.claim, certificate.length
    if certificate.reading == "sound":
        say(f"Theorem. {claim.statement()}\n")
    else:
        say(
            "ESTIMATE, NOT A PROOF: a float reading has no control of rounding. Nothing below is proven.\n",
            style="bold yellow",
        )
    rows = table("what", "value", wrap="value")
    rows.show_header = False
    rows.add_row("model", f"{loaded.name}, {loaded.task.describe()}")
    rows.add_row("strategy", f"{certificate.strategy} {options_text(certificate.options)}")
    kind = "bound" if certificate.reading == "sound" else "estimate"
    rows.add_row(kind, f"{claim.numerator}/{claim.denominator} = {decimal(claim.bound)}")
    if accuracy is not None:
        rows.add_row("true accuracy", f"{decimal(accuracy)} ({kind} / true accuracy = {share_text(claim.bound, accuracy)})")
    rows.add_row("length", length_text(certificate))
    rows.add_row("explanation", f"{sum(t.numel() for t in certificate.explanation.values()):,} numbers")
    if certificate.unexplained_dimension is not None:
        rows.add_row("unexplained dimension", f"{certificate.unexplained_dimension:,}")
    rows.add_row("verified in", f"{certificate.seconds:.2f} s")
    show_table(rows)
    stages = table("stage", "operations", "share", right=("operations", "share"), title="\nWhere the length goes")
    for name, operations in length.to_json()["by_stage"].items():
        stages.add_row(name, f"{operations:,}", f"{operations / max(length.total, 1):.1%}")
    show_table(stages)
