"""``compact-proofs formalize``: the bound as a theorem that Coq checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compact_proofs.claim import decimal
from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.files import writable_folder
from compact_proofs.cli.options import parse_options
from compact_proofs.cli.output import Json, note, options_text, say, write_json
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic

if TYPE_CHECKING:
    from compact_proofs.certificate import Certificate
    from compact_proofs.formal.theorem import Checked, Formalization
    from compact_proofs.models.attention_only import AttentionOnlyTransformer
    from compact_proofs.strategy import Strategy
    from compact_proofs.tasks import LoadedModel


def formalize(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|CERTIFICATE",
            help="A file of weights, the name of a model of the zoo, or a certificate written by **prove -o**.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Write the theorem's files into this folder.")],
    check: Annotated[bool, typer.Option("--check", help="Let Coq check the theorem.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="The model of a certificate, unless it is one of the zoo.", show_default=False),
    ] = None,
    task: TaskName = None,
    config: ConfigFile = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            "-s",
            help="How to prove it: **additive** (the default), **prefix** or **brute-force**.",
            show_default=False,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", "-O", metavar="NAME=VALUE", help="An option of the strategy; repeat for more.", show_default=False
        ),
    ] = None,
    arithmetic: Annotated[
        Arithmetic,
        typer.Option(
            help="What the checker computes with. **hardware**: the processor's floating-point numbers. **software**: Coq's, on "
            "machine integers, 10 times slower. **pure**: Coq's, on its own integers, 60 times slower; it trusts no machine number."
        ),
    ] = Arithmetic.hardware,
    as_json: Json = False,
) -> None:
    """Write a bound as a theorem about real numbers, with a proof that Coq checks.

    The folder gets the weights, each exactly, hints that need no trust, and Accuracy.v with the theorem
    **accuracy params max_of_k >= N / v ^ K**. Its proof runs a checker that is verified in Coq, so that what
    must be trusted is Coq and the one page that says what accuracy means (formal/Statement.v); not this program.

    With **--check** Coq checks it, and says what the theorem rests on. On Debian 12 Coq and what it needs are installed by
    apt-get install --no-install-recommends coq libcoq-interval libcoq-flocq libcoq-coquelicot libcoq-bignums.

    **Example:** compact-proofs formalize max-of-4-seed-123 -o theorem --check
    """
    from compact_proofs.formal.coq import Coq
    from compact_proofs.formal.theorem import check_theorem
    from compact_proofs.formal.theorem import formalize as write
    from compact_proofs.progress import progress_bars
    from compact_proofs.tasks import load_model

    if check and not Coq.find().place().is_dir():  # what is missing is said before the work starts
        note("The formal development is compiled first, this once: about 20 s.")
    given = parse_options(option or [])
    certificate_file = _certificate_file(source)
    if certificate_file is not None and (strategy or given):
        raise BadInput("a certificate says how it was proved; leave out --strategy and --option")
    if certificate_file is None and model is not None:
        raise BadInput(f"--model names the model of a certificate, and {source} is not one")
    writable_folder(output)
    if certificate_file is None:
        loaded, proven, chosen = _prove(partial(load_model, source, task, config), strategy, given)
    else:
        named = None if model is None else partial(load_model, model, task, config)
        loaded, proven, chosen = _recompute(certificate_file, named)
    theorem = write(
        _transformer(loaded),
        chosen,
        proven.explanation,
        proven.claim.numerator,
        output,
        title=loaded.name,
        arithmetic=arithmetic,
    )
    note(f"Written to {output}: Weights.v, Hints.v, Accuracy.v. Checking takes Coq about {_duration(theorem.seconds())}.")
    if not check:
        _show_written(theorem, proven, as_json)
        return
    with progress_bars(f"Coq (about {_duration(theorem.seconds())})"):
        checked = check_theorem(theorem)
    _show_checked(theorem, proven, checked, as_json)


def _certificate_file(source: str) -> Path | None:
    """The path, if it is a file with a certificate in it."""
    from compact_proofs.certificate import is_certificate

    path = Path(source)
    return path if path.is_file() and is_certificate(path) else None


def _prove(load: Callable[[], LoadedModel], name: str | None, options: dict[str, Any]) -> tuple[LoadedModel, Certificate, Strategy]:
    from compact_proofs.formal.checkers import checker_for, formal_default
    from compact_proofs.progress import progress_bars
    from compact_proofs.prove import prove

    loaded = load()
    model = _transformer(loaded)
    default = formal_default(model)
    if name is None or name == default.name:
        chosen = type(default).from_options(default.options() | options)
    else:
        known = {s.name: s for s in loaded.kit.strategies}
        if name not in known:
            raise BadInput(f"{loaded.task.name} has no strategy {name!r}; formalize takes additive, prefix and brute-force")
        chosen = known[name].from_options(options)
    explanation = chosen.explain(loaded.model, loaded.task)
    checker_for(chosen, model, explanation)  # refuses before anything is proved
    with progress_bars(f"proving by {chosen.name}"):
        proven = prove(loaded.model, loaded.task, chosen, explanation=explanation)
    return loaded, proven, chosen


def _recompute(file: Path, load: Callable[[], LoadedModel] | None) -> tuple[LoadedModel, Certificate, Strategy]:
    from compact_proofs.certificate import Certificate
    from compact_proofs.check import check
    from compact_proofs.models.files import weights_sha256
    from compact_proofs.progress import progress_bars
    from compact_proofs.tasks import load_model, strategies_for
    from compact_proofs.zoo import names

    claimed = Certificate.load(file)
    if load is None:
        candidates = (load_model(name) for name in names())
        loaded = next((m for m in candidates if weights_sha256(m.model) == claimed.claim.function.weights_sha256), None)
        if loaded is None:
            raise BadInput(f"{file}: it is not about a model of the zoo; name its weights by --model FILE")
    else:
        loaded = load()
    _transformer(loaded)
    with progress_bars(f"recomputing {claimed.strategy}"):
        proven = check(claimed, loaded.model, loaded.task)
    return loaded, proven, strategies_for(loaded.task)[proven.strategy].from_options(proven.options)


def _transformer(loaded: LoadedModel) -> AttentionOnlyTransformer:
    """The model, if it is one that statements in Coq are about."""
    from compact_proofs.models.attention_only import AttentionOnlyTransformer
    from compact_proofs.tasks.max_of_k import MaxOfK

    if not (isinstance(loaded.task, MaxOfK) and isinstance(loaded.model, AttentionOnlyTransformer)):
        raise BadInput(f"{loaded.name} is a model of {loaded.task.name}; checkers are verified for max-of-k only")
    return loaded.model


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _document(theorem: Formalization, proven: Certificate) -> dict[str, Any]:
    return {
        "folder": str(theorem.folder),
        "model_sha256": proven.claim.function.weights_sha256,
        "strategy": proven.strategy,
        "options": proven.options,
        "arithmetic": str(theorem.arithmetic),
        "claimed": str(proven.claim.numerator),
        "denominator": str(proven.claim.denominator),
        "expected_seconds": theorem.seconds(),
    }


def _show_written(theorem: Formalization, proven: Certificate, as_json: bool) -> None:
    claim = proven.claim
    if as_json:
        write_json(_document(theorem, proven) | {"checked": None})
        return
    say(f"Not checked yet. Claim: accuracy params max_of_k >= {claim.numerator} / {claim.denominator} = {decimal(claim.bound)}.")
    say("Let Coq check it: the same command with --check.")


def _show_checked(theorem: Formalization, proven: Certificate, checked: Checked, as_json: bool) -> None:
    from fractions import Fraction

    claim = proven.claim
    difference = checked.numerator - claim.numerator
    if as_json:
        found = {
            "numerator": str(checked.numerator),
            "difference": str(difference),
            "statement": checked.statement,
            "assumptions": checked.assumptions,
            "seconds": checked.seconds,
            "coq": checked.coq,
        }
        write_json(_document(theorem, proven) | {"checked": found})
        return
    say(f"Theorem, accepted by Coq {checked.coq.split()[0]}.", style="bold green")
    say(f"{checked.statement}   (= {decimal(Fraction(checked.numerator, claim.denominator))})")
    say(f"Proved by {f'{proven.strategy} {options_text(proven.options)}'.strip()}, computed in {theorem.arithmetic} arithmetic.")
    same = f"{claim.numerator} inputs, Coq {difference:+d} (rounding at the edge)" if difference else "the same number of inputs"
    say(f"The certificate in Python proves {same}.")
    s = checked.seconds
    say(f"Weights read in {s['Weights.v']:.1f} s, counted in {s['Count.v']:.1f} s, theorem checked in {s['Accuracy.v']:.1f} s.")
    say("It rests on: " + ("nothing but Coq's logic." if not checked.assumptions else "; ".join(checked.assumptions) + "."))
    say("What it says is defined in formal/Statement.v.")
