"""``compact-proofs estimate``: guesses of a model's accuracy, which prove nothing."""

from __future__ import annotations

from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.models import ModelSource, about, true_accuracy
from compact_proofs.cli.output import Json, options_text, say, show_table, table, write_json


def estimate(model: ModelSource, task: TaskName = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Guess a model's accuracy from its weights, with a few operations. Nothing here is proven.

    An estimate presumes that what it does not look at is independent noise; it may be too high or too low, and nobody can check it
    but by the truth. The **constant** is what it must beat, and sampling.

    **Example:** compact-proofs estimate max-of-4-seed-123
    """
    from compact_proofs.estimates import estimate as run
    from compact_proofs.progress import progress_bars, track
    from compact_proofs.tasks import load_model

    loaded = load_model(model, task, config)
    accuracy = true_accuracy(loaded)
    truth = None if accuracy is None else float(accuracy)
    with progress_bars("estimating"):
        found = [run(loaded.model, loaded.task, e) for e in track(loaded.kit.estimators(loaded.model), "estimates")]
    if as_json:
        write_json(about(loaded) | {"true_accuracy": truth, "estimates": [e.to_json(truth) for e in found]})
        return
    say("ESTIMATES, NOT PROOFS: each may be too high or too low.\n", style="bold yellow")
    numbers = ("estimate", "error", "operations")
    shown = table("estimator", "options", *numbers, right=numbers, wrap="options")
    for e in found:
        error = "-" if truth is None else f"{e.value - truth:+.2e}"
        shown.add_row(e.estimator, options_text(e.options), f"{e.value:.7f}", error, f"{e.cost.total:,}")
    show_table(shown)
    if truth is not None:
        say(f"\nThe true accuracy is {truth:.7f}.")
