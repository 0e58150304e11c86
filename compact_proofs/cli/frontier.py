"""``compact-proofs frontier``: every strategy on one model, and the report."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.files import Force
from compact_proofs.cli.many import Dask, Jobs, free_to_go_on, kept_in
from compact_proofs.cli.models import ModelSource, about, as_float, title_of, true_accuracy
from compact_proofs.cli.options import EFFORT, MaxMemory, parse_fraction
from compact_proofs.cli.output import Json, command, note, options_text, say, share_text, show_table, table, write_json
from compact_proofs.decimals import decimal

if TYPE_CHECKING:
    from compact_proofs.confidence import Confidence
    from compact_proofs.core.certificate import Certificate
    from compact_proofs.core.frontier import Frontier
    from compact_proofs.core.strategy import Strategy
    from compact_proofs.tasks import LoadedModel

SAMPLES = 200
"""Of what a proof leaves."""
SAMPLED_PROOFS = 6
"""So many of the frontier's proofs are sampled beside, at most."""


def frontier(
    model: ModelSource,
    task: TaskName = None,
    config: ConfigFile = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the report and the certificates.", show_default="frontier-MODEL"),
    ] = None,
    save_certificates: Annotated[
        bool, typer.Option(help="Write the certificates of the frontier, *.cert, beside the report.")
    ] = True,
    with_brute_force: Annotated[
        bool | None,
        typer.Option(
            "--with-brute-force/--without-brute-force",
            help="Evaluate every input by brute force too. Unless told, no.",
            show_default=False,
        ),
    ] = None,
    effort: Annotated[
        float, typer.Option("--effort", min=0, help=f"How long the autopilot searches for good strategies: {EFFORT}")
    ] = 1.0,
    polish: Annotated[
        int, typer.Option("--polish", min=0, help="Moves by which each chosen proof's explanation is bettered.")
    ] = 100,
    confidence: Annotated[
        str | None,
        typer.Option(
            "--confidence",
            metavar="DELTA",
            help="Sample what the proofs of the frontier leave unproven, too: bounds that are all true but with this probability.",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = 1,
    dask: Dask = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the frontier that was stopped in this folder, with the same options.")
    ] = False,
    force: Force = False,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Prove bounds at many lengths, and show which proofs no other beats in both bound and length.

    The autopilot tries many strategies with many options in the float reading, which is quick and proves nothing, as long as
    **--effort** says; the explanations of the promising ones are bettered by small moves, and they are proved.

    The frontier is drawn against the linear baseline: brute force on a share of the inputs, which understands nothing.
    How far a proof lies above that line says how much its explanation compresses. The report, **index.html** and
    pictures, opens offline.

    What is finished is kept in the folder until the report is there: after Ctrl-C, a crash, or kill -9 the same command goes on
    with **--resume**. With **--jobs** or **--dask** several processes carry out the proofs that have parts, as for **prove**.

    **Example:** compact-proofs frontier max-of-4-seed-123 -o report, then open report/index.html
    """
    from compact_proofs.cli.advice import advice
    from compact_proofs.program import program_of
    from compact_proofs.progress import progress_bars
    from compact_proofs.report import DEFAULT_SECTIONS, TableSection, data_of, write_report
    from compact_proofs.search.autopilot import fill_frontier
    from compact_proofs.shards import sharing
    from compact_proofs.tasks import load_model

    delta = None if confidence is None else parse_fraction(confidence, "--confidence")
    loaded = load_model(model, task, config)
    title = title_of(loaded.name)
    folder = free_to_go_on(output or Path(f"frontier-{title}"), resume=resume, force=force)
    with kept_in(folder, resume=resume) as unfinished, sharing(jobs, dask, unfinished):
        with progress_bars():
            candidates = loaded.kit.candidates(loaded.model)
            always = _strategies(loaded, with_brute_force)
            found = fill_frontier(loaded.model, loaded.task, candidates, always, effort, moves=polish)
        accuracy = true_accuracy(loaded, found.certificates)
        baseline = _baseline(loaded, found, accuracy)
        statements = [] if delta is None else _sampled(loaded, found, delta)
    known = None if accuracy is None else float(accuracy)
    proofs = found.to_json(known)
    certificates = {id(c): c.save(folder / _file_name(c, found)) for c in found.best} if save_certificates else {}
    with_confidence = [s.to_json(as_float(accuracy)) | {"on_frontier": False} for s in statements]
    files = [certificates[id(c)].name if id(c) in certificates else "" for c in found.certificates]
    declared = [*(() if task is None else ("--task", task)), *(() if config is None else ("--config", config))]
    chosen = {"--effort": (effort, 1.0), "--polish": (polish, 100), "--confidence": (confidence, None)}
    given = [word for name, (value, usual) in chosen.items() if value != usual for word in (name, value)]
    given += [] if with_brute_force is None else [f"--with{'' if with_brute_force else 'out'}-brute-force"]
    commands = [("Made by", command("frontier", model, *declared, *given, "-o", folder))]
    if certificates:
        commands.append(("A certificate is checked by", command("check", "FILE.cert", model, *declared)))
    program = program_of(loaded.model, loaded.task).text()
    heatmaps = loaded.kit.heatmaps(loaded.model)
    data = data_of(found, title, known, baseline, with_confidence, heatmaps, files, program, commands)
    tables = (TableSection(of_model) for of_model in loaded.kit.tables(loaded.model))
    page = write_report(data, folder, (*DEFAULT_SECTIONS, *loaded.kit.sections(loaded.model), *tables))
    poor = advice(loaded, found.highest, effort)
    if as_json:
        line = None if baseline is None else {"length": baseline[0], "bound": baseline[1]}
        stated = [p | {"statement": c.claim.statement()} for p, c in zip(proofs, found.certificates, strict=True)]
        write_json(
            about(loaded)
            | {"proofs": stated, "with_confidence": with_confidence, "linear_baseline": line, "report": str(page), "note": poor}
        )
        return
    _show(found, accuracy)
    for s in statements:
        say(f"With confidence: {decimal(s.bound)} in {s.length.total:,} operations, {s.samples} samples beside {s.strategy}.")
    if poor:
        say(f"\n{poor}", style="yellow")
    say(f"\nReport: {page}")
    if certificates:
        note(f"Certificates of the frontier: {', '.join(map(str, certificates.values()))}")


def _strategies(loaded: LoadedModel, with_brute_force: bool | None) -> list[Strategy]:
    from compact_proofs.errors import BadInput

    chosen = list(loaded.kit.always(loaded.model))
    everything = loaded.kit.brute_force(loaded.model)
    if everything is None:
        if with_brute_force:
            raise BadInput(f"{loaded.task.name} has a law, and no list of inputs for brute force; leave out --with-brute-force")
        return chosen
    if with_brute_force is not None:
        chosen = [s for s in chosen if s.name != everything.name]
    if with_brute_force:
        note(f"Brute force on {loaded.task.size:,} inputs.")
        chosen.append(everything)
    return chosen


def _sampled(loaded: LoadedModel, found: Frontier, delta: Fraction) -> list[Confidence]:
    """Sample what some proofs of the frontier leave; all of the bounds together are true but with probability delta."""
    from compact_proofs.confidence import can_be_sampled, sample

    if loaded.task.law is not None:  # what is not proven is not drawn by itself: plain sampling, to compare with
        return [sample(loaded.model, loaded.task, samples=SAMPLES, delta=delta)]
    kinds = {s.name: s for s in loaded.kit.strategies}
    proofs = [c for c in found.best if c.bound < 1]
    strategies = [(c, kinds[c.strategy].from_options(c.options)) for c in proofs]
    able = [(c, s) for c, s in strategies if can_be_sampled(loaded.model, loaded.task, s, c.explanation)]
    chosen = able[:: -(-len(able) // SAMPLED_PROOFS)] if able else []
    return [
        sample(loaded.model, loaded.task, s, samples=SAMPLES, delta=delta, tries=len(chosen), explanation=c.explanation)
        for c, s in chosen
    ]


def _baseline(loaded: LoadedModel, found: Frontier, accuracy: Fraction | None) -> tuple[float, float] | None:
    """The end of the line through the measured share of brute force."""
    from compact_proofs.core.frontier import linear_baseline
    from compact_proofs.core.prove import prove

    share = loaded.kit.linear(loaded.model)
    if share is None:
        return None
    measured = next((c for c in found.certificates if (c.strategy, c.options) == (share.name, share.options())), None)
    if measured is None:
        measured = prove(loaded.model, loaded.task, share)
    return linear_baseline(measured, 1.0 if accuracy is None else float(accuracy))


def _file_name(certificate: Certificate, found: Frontier) -> str:
    from compact_proofs.core.frontier import distinguishing_options

    options = distinguishing_options(certificate, found.certificates)
    words = [certificate.strategy, *(f"{key}-{value}" for key, value in options.items())]
    return re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(words)) + ".cert"


def _show(found: Frontier, accuracy: Fraction | None) -> None:
    from compact_proofs.core.frontier import distinguishing_options

    numbers = ("bound", "bound / true", "length", "seconds")
    shown = table("", "strategy", "options", *numbers, right=numbers, wrap="options")
    for c in found.certificates:
        on = c in found.best
        relative = "-" if accuracy is None else share_text(c.bound, accuracy)
        options = options_text(distinguishing_options(c, found.certificates))
        row = ("*" if on else "", c.strategy, options, decimal(c.bound), relative)
        shown.add_row(*row, f"{c.length.total:,}", f"{c.seconds:.2f}", style="bold" if on else "dim")
    show_table(shown)
    say("\n* on the frontier: no other proof is both shorter and better")
