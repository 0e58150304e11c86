"""The strategy: a dictionary over the activations that enter an MLP is an explanation, and its score is what it proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from compact_proofs.certified import Answers, Certified, Evaluated
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.dictionaries.agreement import check_component
from compact_proofs.dictionaries.bound import Bound, Terms
from compact_proofs.dictionaries.finding import LAST, Found, Kind, Objective, find
from compact_proofs.dictionaries.hints import Codebook, explanation_of, plain_component
from compact_proofs.enclosure import provably
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.architectures import architecture_of
from compact_proofs.models.component import Component, HasComponent
from compact_proofs.options import Natural, Positive
from compact_proofs.progress import track

ROWS = 4096
"""Inputs that are bounded at once."""


class ComponentStrategy(Strategy[nn.Module]):
    """A strategy for every module that says what its MLP is (`compact_proofs.models.component.HasComponent`)."""

    def applies_to(self, model: nn.Module, task: Task) -> None:
        if not isinstance(model, HasComponent):
            raise BadInput(
                f"{self.name}: {type(model).__name__} does not say what its MLP is; give it a method component(inputs), as "
                "compact_proofs/models/component.py describes"
            )
        shape_of(model, task)

    def accept(self, model: nn.Module, task: Task, explanation: Explanation) -> None:
        """As for every strategy; of a module that does not ship, the component is also compared with the module."""
        super().accept(model, task, explanation)
        if architecture_of(model) is None:
            check_component(model, task)


def shape_of(model: nn.Module, task: Task) -> Component:
    """The component on the first input of a task: for its sizes.

    Raises
    ------
    BadInput
        If the task's inputs are not the model's.
    """
    assert isinstance(model, HasComponent)
    with unseen("the component on one input, for its sizes"), torch.no_grad():
        return model.component(task.inputs(0, 1))


def component_of(model: nn.Module, task: Task) -> tuple[Component, Tensor]:
    """The component on all inputs of a task, counted, and the labels [N]."""
    assert isinstance(model, HasComponent)
    with unseen("a task's inputs and labels"):
        inputs = task.inputs(0, task.size)
        labels = task.labels(inputs)
    with stage("component"):
        return model.component(inputs), labels


@dataclass(frozen=True)
class Dictionary(ComponentStrategy):
    """Bound every margin from the codes of the activations over a dictionary: PCA, a Fourier basis, a sparse autoencoder.

    The inequality and its proof are those of `Bound`, which holds for every dictionary and any codes: the encoder is no part of the
    proof. Counted are the inputs whose margin is proven positive. The options below `drop` only say how a dictionary is found.
    """

    found: Kind = "metric-pca"
    """Where the dictionary is from; "given": it comes as an explanation."""
    features: Positive = 16
    """L, the size of the dictionary."""
    active: Positive = 16
    """k, features in each code (L0)."""
    codes: Literal["inputs", "tokens"] = "inputs"
    """A code for each input; or one for each token, of which an input's code is the sum: shorter where tokens add."""
    groups: Positive = 1
    """Groups of neurons that write along directions of their own."""
    rank: Natural = 12
    """Output directions of each group that are followed exactly."""
    metric: Natural = 24
    """Directions in which the residual is weighed exactly."""
    linear: Literal["exact", "features"] = "exact"
    """The linear half of the ReLU: of the activations themselves, or of the features alone, at twice the cost of the residual."""
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the reads (of a feature by a neuron) that are not followed but bounded; for codes of inputs."""
    objective: Objective = "bound"
    """What an autoencoder is trained for: the proof's own margins, or the mean squared error."""
    refit: bool = False
    """Whether codes are fitted again in the metric of the bound."""
    steps: Positive = 1000
    """Of an autoencoder's training."""
    seed: Natural = 0
    """Of whatever is random."""
    warmup: Annotated[float, Field(ge=0, le=1)] = LAST
    """Share of the steps that are for the squared error, before those for the objective."""

    name: ClassVar[str] = "dictionary"
    summary: ClassVar[str] = "any MLP: every input by its code over a dictionary (PCA, Fourier, sparse autoencoders)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.drop and self.codes == "tokens":
            raise BadInput("dictionary: reads are dropped from codes of inputs only; leave out drop, or codes=tokens")

    def applies_to(self, model: nn.Module, task: Task) -> None:
        super().applies_to(model, task)
        c = shape_of(model, task)
        by_token = self.codes == "tokens" or self.found in ("tokens", "fourier")
        if by_token and len(c.tables) < 2:
            raise BadInput("dictionary: tokens do not add to this model's activations, so neither codes nor features are of tokens")
        if self.found == "tokens" and self.features < c.tokens()[1]:
            raise BadInput(f"dictionary: found=tokens needs a feature for each token: features={c.tokens()[1]}")

    def explain(self, model: nn.Module, task: Task) -> dict[str, Tensor]:
        self.applies_to(model, task)
        component = plain_component(model, task)
        return self.explanation(component, self.find(component, task).codebook)

    def find(self, component: Component, task: Task) -> Found:
        """Find the dictionary that the options ask for."""
        return find(
            component,
            task.labels(task.inputs(0, task.size)),
            self.found,
            features=self.features,
            active=self.active,
            codes=self.codes,
            objective=self.objective,
            refit=self.refit,
            steps=self.steps,
            seed=self.seed,
            warmup=self.warmup,
        )

    def explanation(self, component: Component, found: Codebook) -> dict[str, Tensor]:
        """Write a codebook as this strategy's explanation."""
        return explanation_of(
            component,
            found,
            features=self.features,
            active=self.active,
            groups=self.groups,
            rank=min(self.rank, component.outputs),
            metric=min(self.metric, component.width),
            drop=self.drop,
        )

    def specs(self, model: nn.Module, task: Task) -> dict[str, Spec]:
        c = shape_of(model, task)
        coded = task.size if self.codes == "inputs" else c.rows
        specs = {
            "decoder": Spec((self.features, c.width)),
            "offset": Spec((c.width,)),
            "index": Spec((coded, self.active), limits=(0, self.features - 1)),
            "value": Spec((coded, self.active)),
            "group": Spec((c.neurons,), limits=(0, self.groups - 1)),
            "directions": Spec((self.groups, min(self.rank, c.outputs), c.outputs)),
            "level": Spec((c.neurons,)),
        }
        if self.drop:
            specs["kept"] = Spec((self.features, c.neurons), limits=(0, 1))
        return specs if c.W is None else specs | {"metric": Spec((min(self.metric, c.width), c.width))}

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> Certified:
        return Evaluated([Answers.of([self._proven(model, task, explanation)])], task.numbers)

    def unexplained_dimension(self, model: nn.Module, task: Task) -> int:
        """The residual of each input, and what the output directions leave of each neuron."""
        c = shape_of(model, task)
        return task.size * c.width + c.neurons * c.outputs

    def bound_terms(self, model: nn.Module, task: Task, explanation: Explanation) -> Terms:
        """All terms of all margins [N], under any reading."""
        component, labels = component_of(model, task)
        labels = labels.to(component.G.device)
        bound = Bound.of(component, explanation, exact=self.linear == "exact")
        with stage("features"):
            features = bound.features(*(explanation[name].to(component.G.device) for name in ("decoder", "offset")))
        with stage("codes"):
            coding = bound.coding(features, explanation, tokens=self.codes == "tokens")
        found = []
        for start in track(range(0, component.size, ROWS), "inputs, in batches"):
            rows = slice(start, start + ROWS)
            found.append(bound.terms(coding, rows, labels[rows]))
        return Terms(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _proven(self, model: nn.Module, task: Task, explanation: Explanation) -> Tensor:
        """Return bool [N]: whose margin is provably positive."""
        terms = self.bound_terms(model, task, explanation)
        with stage("margins"):
            return provably(terms.margin > 0)
