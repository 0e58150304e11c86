"""``compact-proofs sample``: a bound with confidence, from a proof of a part and a sample of the rest."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compact_proofs.cli.advice import better_proved
from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.files import Force, free_file
from compact_proofs.cli.models import ModelSource, about, as_float, true_accuracy
from compact_proofs.cli.options import MaxMemory, StrategyOptions, parse_fraction, parse_options
from compact_proofs.cli.output import Json, command, note, options_text, say, share_text, show_table, table, write_json
from compact_proofs.cli.prove import chosen_strategy
from compact_proofs.decimals import decimal
from compact_proofs.files.atomic import made

if TYPE_CHECKING:
    from compact_proofs.confidence import Confidence
    from compact_proofs.core.strategy import Strategy
    from compact_proofs.tasks import LoadedModel


def sample(
    model: ModelSource,
    task: TaskName = None,
    config: ConfigFile = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            "-s",
            help="What proves a part of the inputs, or **nothing** for plain sampling. Unless given, the task's default for a "
            "model of this size if its unproven inputs can be sampled, else nothing.",
            show_default=False,
        ),
    ] = None,
    option: StrategyOptions = None,
    samples: Annotated[int, typer.Option("--samples", "-n", min=1, help="Inputs drawn from those that are not proven.")] = 200,
    delta: Annotated[
        str, typer.Option("--delta", metavar="PROBABILITY", help="Probability that the bound is false: 1e-6, or a fraction.")
    ] = "1e-6",
    tries: Annotated[
        int, typer.Option(min=1, help="How many such statements you make and choose from; each gets delta / tries.")
    ] = 1,
    public: Annotated[
        str, typer.Option(help="A text that nobody could foresee when the explanation was made; the draw follows from it.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the statement to this file.", show_default=False)
    ] = None,
    force: Force = False,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Bound a model's accuracy with confidence: prove a part of the inputs, sample the rest.

    This is not a proof: with probability delta the bound is false. It is worth more than sampling alone, since sampling has to
    speak only for the inputs that are not proven. The draw follows from hashes of the weights, the explanation and the
    options, and from **--public**, so that **check** draws the same inputs again.

    **Example:** compact-proofs sample max-of-10-seed-0 -n 150 --public "headline of the day" -o hybrid.cert

    **Example:** compact-proofs sample max-of-4-seed-123 -s nothing -n 2000
    """
    from compact_proofs.confidence import NotExact, Nothing
    from compact_proofs.confidence import sample as run
    from compact_proofs.progress import progress_bars
    from compact_proofs.tasks import load_model

    given = parse_options(option or [])
    allowed = parse_fraction(delta, "--delta")
    if output:
        free_file(output, force=force, sources=(model,))
    loaded = load_model(model, task, config)
    chosen = Nothing.from_options(given) if strategy == Nothing.name else chosen_strategy(loaded, strategy, given)

    def make(by: Strategy) -> Confidence:
        with progress_bars(f"proving by {by.name}"):
            return run(loaded.model, loaded.task, by, samples=samples, delta=allowed, tries=tries, public=public)

    try:
        said = make(chosen)
    except NotExact:
        if strategy is not None:
            raise
        note(f"Of the default strategy, {chosen.name}, the unproven inputs cannot be sampled; all inputs are.")
        said = make(Nothing())
    if output:
        made(output.parent)
        said.save(output)
        note(f"Written to {output}; check it by: {command('check', output, *loaded.arguments)}")
    accuracy = true_accuracy(loaded)
    if as_json:
        write_json(about(loaded) | said.to_json(as_float(accuracy)))
        return
    _summary(loaded, said, accuracy)


def _summary(loaded: LoadedModel, said: Confidence, accuracy: Fraction | None) -> None:
    say(f"Not a theorem. {said.statement()}.\n")
    rows = table("what", "value", wrap="value")
    rows.show_header = False
    rows.add_row("model", f"{loaded.name}, {loaded.task.describe()}")
    rows.add_row("proven by", f"{said.strategy} {options_text(said.options)}")
    rows.add_row("proven part", decimal(Fraction(said.proven, said.inputs)))
    rows.add_row("samples of the rest", f"{said.right:,} of {said.samples:,} right")
    rows.add_row("bound", f"{decimal(said.bound)} with confidence 1 - {float(said.delta):.3g}")
    if accuracy is not None:
        rows.add_row("true accuracy", f"{decimal(accuracy)} (bound / true accuracy = {share_text(said.bound, accuracy)})")
    rows.add_row("length", f"{said.length.total:,} operations, of which {sampling_cost(said):,} for drawing and evaluating samples")
    rows.add_row("seed", said.seed.hex())
    show_table(rows)
    if said.caution():
        note(f"\n{said.caution()}")
    if (advice := better_proved(loaded, said.length.total)) is not None:
        note(advice)


def sampling_cost(said: Confidence) -> int:
    """Operations that were spent on samples, apart from the proof."""
    by_stage = said.length.to_json()["by_stage"]
    return sum(by_stage.get(name, 0) for name in ("drawing", "samples"))
