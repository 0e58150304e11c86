"""What a task folder offers to the rest of the program; the command line knows tasks only through this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from compact_proofs.core.exhaustive import Exhaustive
from compact_proofs.core.soundness import Specimen
from compact_proofs.core.strategy import Strategy
from compact_proofs.estimates import Constant, Estimator, Sampling
from compact_proofs.inputs.task import Task
from compact_proofs.models.architecture import Architecture
from compact_proofs.tables import Heatmap, Picture, Table
from compact_proofs.train import Recipe, TrainingResult

if TYPE_CHECKING:
    from compact_proofs.report.section import Section


@dataclass(frozen=True)
class Tuning:
    """Fine-tuning for provability.

    Attributes
    ----------
    recipe
        Its options.
    fixed
        Fields of the recipe that a given model decides.
    config
        Make the recipe for a model, from the other fields.
    tune
        Tune a copy of a model by a recipe.
    distance
        How far a tuned model's function is from the first's.
    """

    recipe: type[Recipe]
    fixed: tuple[str, ...]
    config: Callable[..., Recipe]
    tune: Callable[..., TrainingResult[Any]]
    distance: Callable[[Any, Any], float]


def _no_strategies(model: Any) -> Sequence[Strategy]:
    return ()


@dataclass(frozen=True, kw_only=True)
class ProofKit:
    """What a model can be proved by, and what can be shown of it.

    Attributes
    ----------
    name
        The task's name, as in its certificates.
    summary
        One line for help texts: what a model is to do.
    strategies
        The registered strategies.
    default
        The strategy that `compact-proofs prove` takes for a model unless told: a good bound at a low cost.

    All that follows is optional.

    models
        Models that come with the task, by the names by which the command line finds them: functions that make (module, task).
    brute_force
        The strategy that evaluates every input, so that its bound is the true accuracy; none for a task with a law.
    candidates
        Strategies with options for the autopilot to choose from, the most useful first; the default alone unless given.
    always
        Strategies that belong on every frontier picture of a model, whether they are on the frontier or not.
    linear
        A share of the inputs by brute force, cheap enough to run on any model; a 64th unless given; none for a task with a law.
    tables
        Tables about a model: for `compact-proofs explain` and the report.
    accounts
        Tables that a proof has to be made for, of what it does with the inputs, and what draws pictures of the same: for
        `explain`. The report has the proofs themselves, and sections about them.
    heatmaps
        Pictures of the model for the report.
    sections
        Further sections of the report about a model.
    measures
        Numbers about the model that a sweep stores beside its proofs, by name.
    estimators
        Guesses of the accuracy, cheap ones first: for `compact-proofs estimate`. They prove nothing.
    """

    name: str
    strategies: tuple[type[Strategy], ...]
    default: Callable[[Any], Strategy]
    summary: str = "a task of one's own"
    models: Mapping[str, Callable[[], tuple[nn.Module, Task]]] = field(default_factory=dict)
    brute_force: Callable[[Any], Strategy | None] = lambda model: Exhaustive()
    candidates: Callable[[Any], Sequence[Strategy]] = _no_strategies
    always: Callable[[Any], Sequence[Strategy]] = lambda model: ()
    linear: Callable[[Any], Strategy | None] = lambda model: Exhaustive(share=1 / 64)
    tables: Callable[[Any], Sequence[Table]] = lambda model: ()
    accounts: Callable[[Any], tuple[Sequence[Table], Callable[[], Sequence[Picture]]]] = lambda model: ((), tuple)
    heatmaps: Callable[[Any], Sequence[Heatmap]] = lambda model: ()
    sections: Callable[[Any], Sequence[Section]] = lambda model: ()
    measures: Callable[[Any], Mapping[str, float]] = lambda model: {}
    estimators: Callable[[Any], Sequence[Estimator[Any]]] = lambda model: (Constant(), Sampling())

    def __post_init__(self) -> None:
        if self.candidates is _no_strategies:
            object.__setattr__(self, "candidates", lambda model: (self.default(model),))


@dataclass(frozen=True, kw_only=True)
class TaskKit(ProofKit):
    """A task that ships: besides proofs, its networks, how to train them, and how to test its strategies.

    Attributes
    ----------
    architectures
        Classes of the networks that the task's proofs are for.
    task_of
        The task that a model is for.
    specimen
        A small model from a seed, for the soundness harness: random, good, noisy, degenerate, nearly tied. Being among the kit's
        `strategies` puts a strategy into the harness.
    variants
        Options to test a registered strategy with on such a small model.
    recipe
        Training options with the published defaults.
    train
        Train a model by a recipe.
    zoo
        How each of the task's models of the zoo is made, by name.
    answer
        Note on a network what the metadata of its file, whose name is given for messages, say of the task that it is for.
    tuning
        Fine-tuning for provability, for tasks that have it.
    """

    architectures: tuple[type[Architecture], ...]
    task_of: Callable[[Any], Task]
    specimen: Callable[[int], Specimen]
    variants: Callable[[type[Strategy], Any], Sequence[Strategy]]
    recipe: type[Recipe]
    train: Callable[..., TrainingResult[Any]]
    zoo: Mapping[str, Callable[[], TrainingResult[Any]]]
    answer: Callable[[Any, Mapping[str, Any], str], None] = lambda model, metadata, source: None
    tuning: Tuning | None = None
