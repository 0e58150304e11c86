"""``compact-proofs formalize``: the bound as a theorem that Coq checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compact_proofs.cli.declared import ConfigFile
from compact_proofs.cli.files import Force, free_folder
from compact_proofs.cli.formalize_goal import formalize_goal
from compact_proofs.cli.formalize_output import duration, show_checked, show_written
from compact_proofs.cli.options import MaxMemory, StrategyOptions, parse_options
from compact_proofs.cli.output import Json, note
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic

if TYPE_CHECKING:
    from compact_proofs.core.certificate import Certificate
    from compact_proofs.core.strategy import Strategy
    from compact_proofs.formal.theorem import Formalization, Statement
    from compact_proofs.models.attention_only import AttentionOnlyTransformer
    from compact_proofs.tasks import LoadedModel

COMPACT: dict[str, dict[str, Any]] = {"g-sets-linear": {"exact": False}, "directions": {}, "automatic": {}}
"""Strategies with a compact checker for programs, with the options that differ from their own."""


def formalize(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|CERTIFICATE",
            help="A file of weights, the name of a model of the zoo, a module of your own as **file.py:name**, or a certificate "
            "written by **prove -o**.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Write the theorem's files into this folder.")],
    check: Annotated[bool, typer.Option("--check", help="Let Coq check the theorem.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="The model of a certificate, unless it is one of the zoo.", show_default=False),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="NAME",
            help="The model's task, if its file does not say it; that of a module of your own as **file.py:name**.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            "-s",
            help="How to prove it. For one-layer transformers on max-of-k: **additive** (the default), **prefix** or "
            "**brute-force**; for other networks **brute-force** (the default), or, which is shorter, **directions** on groups and "
            "on modular addition, **g-sets-linear** on groups, **automatic** for one layer of attention.",
            show_default=False,
        ),
    ] = None,
    option: StrategyOptions = None,
    arithmetic: Annotated[
        Arithmetic,
        typer.Option(
            help="What the checker computes with. **hardware**: the processor's floating-point numbers. **software**: Coq's, on "
            "machine integers, 30 times slower. **pure**: Coq's, on its own integers, 100 times slower; it trusts no such number."
        ),
    ] = Arithmetic.hardware,
    goal: Annotated[
        bool,
        typer.Option(
            "--goal",
            help="Divide the proof: Coq encloses a few quantities, and what that implies is a small goal about real numbers, "
            "Goal.v, to be proved in Closed.v. It is that the network names the largest token if it is above all others by a gap, "
            "**-O gap=...**; or, unless that is given, by gaps for which a proof is found by machine. Also **-O least=...**, the "
            "smallest maximum, and **-O block=...**, how many maxima share a gap.",
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compile the formal development anew, whatever was kept in the cache.")
    ] = False,
    force: Force = False,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Write a bound as a theorem about real numbers, with a proof that Coq checks.

    The folder gets the weights, each exactly, the program as formulas, and Accuracy.v with the theorem
    **shaped model = true /\\ accuracy model inputs task >= N / total**. Its proof runs a checker that is verified in Coq, so
    that what must be trusted is Coq and the pages that say what accuracy means (formal/Network.v, formal/Tasks.v); not this
    program.

    With **--check** Coq checks it, and says what the theorem rests on. On Debian 12 Coq and what it needs are installed by
    apt-get install --no-install-recommends coq libcoq-interval libcoq-flocq libcoq-coquelicot libcoq-bignums.

    **Example:** compact-proofs formalize max-of-4-seed-123 -o theorem --check

    With **--goal** the proof is divided: Coq encloses a few quantities of the network on boxes of inputs, and what these
    enclosures imply is a goal about real numbers, without weights, for any prover, person or machine; **--goal --check** takes a
    folder that was written before as it is, with your proof in it.

    **Example:** compact-proofs formalize mine.py:network --task mine.py:task -o theorem --check

    **Example:** compact-proofs formalize finite-max-2-heads -o theorem --goal --check
    """
    from compact_proofs.formal.coq import Coq
    from compact_proofs.formal.theorem import check_theorem
    from compact_proofs.progress import progress_bars
    from compact_proofs.tasks import load_model

    if check and (fresh or not Coq.find().place().is_dir()):  # what is missing is said before the work starts
        note("The formal development is compiled first: about a minute of the processor, on as many cores as there are.")
    given = parse_options(option or [])
    certificate_file = _certificate_file(source)
    if certificate_file is not None and (strategy or given):
        raise BadInput("a certificate says how it was proved; leave out --strategy and --option")
    if certificate_file is None and model is not None:
        raise BadInput(f"--model names the model of a certificate, and {source} is not one")
    if goal:
        if certificate_file is not None or strategy:
            raise BadInput("--goal is for a model, and has no strategy")
        formalize_goal(load_model(source, task, config), given, output, arithmetic, check, fresh, force, as_json)
        return
    free_folder(output, force=force)
    if certificate_file is None:
        theorem, proven = _model(partial(load_model, source, task, config), strategy, given, output, arithmetic)
    else:
        named = None if model is None else partial(load_model, model, task, config)
        theorem, proven = _certificate(certificate_file, named, output, arithmetic)
    files = ", ".join([*theorem.statement.parts, "Accuracy.v"])
    note(f"Written to {output}: {files}. Checking takes Coq about {duration(theorem.seconds())}.")
    if not check:
        show_written(theorem, proven, arithmetic, as_json)
        return
    with progress_bars(f"Coq (about {duration(theorem.seconds())})"):
        checked = check_theorem(theorem, fresh=fresh)
    show_checked(theorem, proven, checked, arithmetic, as_json)


def _certificate_file(source: str) -> Path | None:
    """The path, if it is a file with a certificate in it."""
    from compact_proofs.core.certificate import is_certificate

    path = Path(source)
    return path if path.is_file() and is_certificate(path) else None


def _model(
    load: Callable[[], LoadedModel], strategy: str | None, options: dict[str, Any], output: Path, arithmetic: Arithmetic
) -> tuple[Formalization, Certificate]:
    """A theorem about a model: by a compact checker where there is one, otherwise by running the network."""
    from compact_proofs.formal.formalizing import proven_statement
    from compact_proofs.formal.theorem import write_theorem
    from compact_proofs.progress import progress_bars

    loaded = load()
    chosen = _chosen(loaded, strategy, options)
    with progress_bars(f"proving by {'exhaustive' if chosen is None else chosen.name}"):
        statement, proven = proven_statement(loaded.model, loaded.task, chosen, title=loaded.name, arithmetic=arithmetic)
    _note_length(statement)
    return write_theorem(statement, proven.claim.numerator, output), proven


def _chosen(loaded: LoadedModel, strategy: str | None, options: dict[str, Any]) -> Strategy | None:
    """The strategy whose compact checker is meant; None if Coq is to run the network on every input."""
    from compact_proofs.formal.checkers import formal_default

    known = {s.name: s for s in loaded.kit.strategies} if loaded.kit else {}
    model = _transformer(loaded)
    if model is None:
        if strategy in COMPACT and strategy in known:
            return known[strategy].from_options(COMPACT[strategy] | options)
        if strategy in (None, "brute-force", "exhaustive") and not options:
            return None
        raise BadInput(
            f"{loaded.name}: the theorem is proved by running the network on every input; leave out --strategy and --option "
            "(on groups and modular addition, --strategy directions has a compact checker; on groups g-sets-linear; for one layer "
            "of attention automatic)"
        )
    default = formal_default(model)
    if strategy is None or strategy == default.name:
        return type(default).from_options(default.options() | options)
    if strategy not in known:
        raise BadInput(f"{loaded.task.name} has no strategy {strategy!r}; formalize takes additive, prefix and brute-force")
    return known[strategy].from_options(options)


def _certificate(
    file: Path, load: Callable[[], LoadedModel] | None, output: Path, arithmetic: Arithmetic
) -> tuple[Formalization, Certificate]:
    """A theorem with a certificate's bound."""
    from compact_proofs.formal.compact import compact_statement
    from compact_proofs.formal.network.statement import statement_of
    from compact_proofs.formal.theorem import write_theorem
    from compact_proofs.tasks import strategies_for

    loaded, proven = _recompute(file, load)
    chosen = strategies_for(loaded.task)[proven.strategy].from_options(proven.options)
    transformer = _transformer(loaded) is not None
    statement: Statement | None = None
    if transformer or chosen.name in COMPACT:
        try:
            statement = compact_statement(
                loaded.model, loaded.task, chosen, proven.explanation, title=loaded.name, arithmetic=arithmetic
            )
        except BadInput as reason:
            if transformer:
                raise
            note(f"{reason}. So Coq runs it on every input.")
    if statement is None:
        statement = statement_of(loaded.model, loaded.task, title=loaded.name, arithmetic=arithmetic)
    _note_length(statement)
    return write_theorem(statement, proven.claim.numerator, output), proven


def _note_length(statement: Statement) -> None:
    from compact_proofs.formal.theorem import Measured

    if isinstance(statement, Measured):
        note(f"The checker makes {statement.length:,} operations; the network on every pair, {statement.brute_force_length:,}.")


def _recompute(file: Path, load: Callable[[], LoadedModel] | None) -> tuple[LoadedModel, Certificate]:
    from compact_proofs.core.certificate import Certificate
    from compact_proofs.core.check import check
    from compact_proofs.models.files import weights_sha256
    from compact_proofs.progress import progress_bars
    from compact_proofs.tasks import load_model
    from compact_proofs.zoo import names

    claimed = Certificate.load(file)
    if load is None:
        candidates = (load_model(name) for name in names())
        loaded = next((m for m in candidates if weights_sha256(m.model) == claimed.claim.function.weights_sha256), None)
        if loaded is None:
            raise BadInput(f"{file}: it is not about a model of the zoo; name its weights by --model FILE")
    else:
        loaded = load()
    with progress_bars(f"recomputing {claimed.strategy}"):
        return loaded, check(claimed, loaded.model, loaded.task)


def _transformer(loaded: LoadedModel) -> AttentionOnlyTransformer | None:
    """The model, if it is one that Statement.v is about."""
    from compact_proofs.formal.sources import fits_statement
    from compact_proofs.models.attention_only import AttentionOnlyTransformer
    from compact_proofs.tasks.max_of_k import MaxOfK

    model = loaded.model
    if isinstance(loaded.task, MaxOfK) and isinstance(model, AttentionOnlyTransformer) and fits_statement(model):
        return model
    return None
