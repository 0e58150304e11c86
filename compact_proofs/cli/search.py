"""``compact-proofs search``: let proposers look for short proofs."""

from __future__ import annotations

import shlex
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.files import free_file
from compact_proofs.cli.many import going_on
from compact_proofs.cli.models import ModelSource, about
from compact_proofs.cli.output import Json, note, options_text, say, show_table, table, write_json
from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import made

if TYPE_CHECKING:
    from compact_proofs.search import Proposer, State
    from compact_proofs.tasks import LoadedModel


STRANGERS = 60.0
"""Seconds for a proposal of another program, which nobody vouches for."""


class Who(StrEnum):
    """Who proposes."""

    random = "random"
    evolution = "evolution"
    bayes = "bayes"
    command = "command"


def search(
    model: ModelSource,
    task: TaskName = None,
    config: ConfigFile = None,
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="MODEL", help="Another model of the same task; bounds are averaged.", show_default=False),
    ] = None,
    proposer: Annotated[Who, typer.Option(help="Who proposes; bayes needs optuna, command needs --command.")] = Who.evolution,
    command: Annotated[
        str | None,
        typer.Option(help="A program that reads the state on standard input, and answers with proposals.", show_default=False),
    ] = None,
    evaluations: Annotated[int, typer.Option("--evaluations", "-n", min=1, help="Proposals to judge, in all.")] = 60,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="A safety net: stop a proposal after so many seconds for a model, and say so. Unless told, no clock is looked at; "
            f"for what a --command proposes, {STRANGERS:g}.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[float, typer.Option(min=0.1, help="GiB of memory for each proposal.")] = 4.0,
    seed: Annotated[int, typer.Option(help="Of the proposer.")] = 0,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            "-a",
            "--resume",
            metavar="FILE",
            help="Remember every proposal in this file of JSON lines, as it is judged, and go on with those that are there: after "
            "Ctrl-C, a crash, or kill -9.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search for strategies and options that prove much in few operations.

    A **proposer** names registered strategies, options, explanations: data, never code. The **judge** proves each proposal in
    the sound reading, within limits of length, memory and time, so that whoever proposes need not be trusted. What is sought is
    a high Q: the mean, over lengths from reading the weights to brute force on a logarithmic axis, of the best bound of at most
    that length.

    **Example:** compact-proofs search max-of-4-seed-123 --proposer evolution -n 60 -a search.jsonl

    **Example:** compact-proofs search max-of-4-seed-123 --proposer command --command "my-llm --json"
    """
    from compact_proofs.core.code import code_sha256
    from compact_proofs.models.files import weights_sha256
    from compact_proofs.progress import progress_bars
    from compact_proofs.search import Archive, Judge, Space
    from compact_proofs.search import search as run
    from compact_proofs.tasks import load_model

    if (proposer is Who.command) != (command is not None):
        raise BadInput("--proposer command and --command belong together")
    loaded = [load_model(source, task, config) for source in (model, *(also or []))]
    first = loaded[0]
    if any(other.kit is not first.kit for other in loaded):
        raise BadInput("the models of a search must be of one task")
    space = Space.of(first.kit.candidates(first.model))
    shortest, longest = ends(first)
    memory_bytes = int(memory * 2**30)
    remembered = None
    if archive:
        searched = {
            "models": [weights_sha256(other.model) for other in loaded],
            "shortest": shortest,
            "longest": longest,
            "task": [first.task.name, dict(first.task.parameters())],
            "package_version": version("compact-proofs"),
            "code_sha256": code_sha256(first.task, *first.kit.strategies),
        }
        free_file(archive, force=True, sources=(model,))  # which goes on with what is there
        made(archive.parent)
        remembered = Archive(archive, searched)
        if remembered.tried:
            note(f"{archive} has {len(remembered.tried)} proposals already.")
    if seconds is None and proposer is Who.command:
        seconds = STRANGERS
    judge = Judge([(other.model, other.task) for other in loaded], space, longest, seconds, memory_bytes)
    with going_on(None if archive is None else "the same command"), progress_bars("searching"):
        state = run(_proposer(proposer, seed, command), judge, shortest, longest, evaluations, remembered)
    if as_json:
        tried = [{"proposal": p.model_dump(), "result": r.model_dump()} for p, r in state.tried]
        best = [p.key for p, _ in state.frontier]
        frontier = [t for t, (p, _) in zip(tried, state.tried, strict=True) if p.key in best]
        found = {"q": state.q, "shortest": shortest, "longest": longest, "tried": tried, "frontier": frontier}
        write_json({"models": [about(m) for m in loaded], **found, "failure": state.failure})
    else:
        _show(state)
    if state.failure:
        raise BadInput(f"the proposer failed, so that the search ended early: {state.failure}")


def ends(loaded: LoadedModel) -> tuple[int, int]:
    """Where Q's axis starts, reading the weights, and ends, brute force, as extended from a measured share."""
    from compact_proofs.core.frontier import linear_baseline
    from compact_proofs.core.prove import prove

    share = loaded.kit.linear(loaded.model)
    if share is None:
        raise BadInput(f"{loaded.task.name} has a law, and no brute force that a search could be measured by; use `frontier`")
    baseline = linear_baseline(prove(loaded.model, loaded.task, share))
    if baseline is None:
        raise BadInput("brute force on a share of the inputs finds none right, so that there is nothing to search for")
    return sum(p.numel() for p in loaded.model.parameters()), round(baseline[0])


def _proposer(who: Who, seed: int, command: str | None) -> Proposer:
    from compact_proofs.search import Evolution, Random, Text
    from compact_proofs.search.text import program

    if who is Who.command:
        return Text(program(shlex.split(command or "")))
    if who is Who.bayes:
        from compact_proofs.search.bayes import Bayes

        return Bayes(seed)
    return {Who.random: Random, Who.evolution: Evolution}[who](seed)


def _show(state: State) -> None:
    numbers = ("bound", "length", "Q")
    shown = table("strategy", "options", *numbers, right=numbers, wrap="options")
    for p, r in state.frontier:
        shown.add_row(p.strategy, options_text(p.options), f"{r.bound:.6f}", f"{r.length:,}", f"{r.gain:+.4f}")
    show_table(shown)
    failed = sum(r.status != "proved" for _, r in state.tried)
    slow = sum(r.status == "too slow" for _, r in state.tried)
    say(
        f"\nQ = {state.q:.4f} after {len(state.tried)} proposals, {failed} of them without a proof"
        + (f", {slow} stopped by the clock" if slow else "")
    )
    say(f"from {state.shortest:,} operations (reading the weights) to {state.longest:,} (brute force).")
