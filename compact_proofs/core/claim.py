"""What is claimed: a score, and a lower bound of its mean over all inputs of a task."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from compact_proofs.decimals import decimal
from compact_proofs.enclosure import lower, provably
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import LAW
from compact_proofs.length import unseen

if TYPE_CHECKING:
    from compact_proofs.core.function import Function


class Score(ABC):
    """f(y, M(x)): how well logits answer a label. `lower_total` is sound in the sound reading."""

    name: ClassVar[str]
    least: ClassVar[float] = -math.inf
    """No input scores less."""
    most: ClassVar[float] = math.inf
    """No input scores more."""

    @abstractmethod
    def lower_total(self, logits: Tensor, labels: Tensor) -> Fraction:
        """Return a proven lower bound of the sum of the score over a batch.

        Parameters
        ----------
        logits : [n, outputs], an Enclosure in the sound reading
        labels : int64 [n]
        """

    def options(self) -> dict[str, Any]:
        """The score's own parameters."""
        return {}

    def can_be(self, mean: Fraction) -> bool:
        """Whether a bound of the mean lies where the score does."""
        return self.least <= mean <= self.most

    def formula(self) -> str:
        """Return f(y, l) for logits l, as a formula."""
        raise NotImplementedError

    @property
    def mean(self) -> str:
        """What its mean over the inputs is called in statements about M, with all that it depends on."""
        return f"the mean of {self.formula()} for the logits l of M and the right output y"


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the label's logit minus every other logit: [n, outputs - 1].

    Every other output x is named by an offset: x = (label + 1 + j) mod outputs for j = 0 ... outputs - 2.

    Raises
    ------
    BadInput
        If a label is no place of an output.
    """
    outputs = logits.shape[-1]
    _check_labels(labels, outputs)
    labels = labels.to(logits.device)
    offsets = torch.arange(1, outputs, device=logits.device)
    others = (labels[:, None] + offsets) % outputs
    return logits.gather(1, labels[:, None]) - logits.gather(1, others)


def _check_labels(labels: Tensor, outputs: int) -> None:
    """Raise `BadInput` for labels that are no places of outputs: a large task's are not looked at before."""
    if labels.is_meta or not labels.numel():
        return
    with unseen("whether labels, which are data of the statement, are outputs"):
        least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= outputs:
        raise BadInput(f"labels must be 0 ... {outputs - 1}, the model's outputs, and are {least} ... {most}")


def largest_other(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the largest logit of each row but the label's: [n]."""
    own = torch.arange(logits.shape[1], device=labels.device) == labels[:, None]
    return logits.masked_fill(own, -torch.inf).amax(1)


@dataclass(frozen=True)
class Margin(Score):
    """1 where the label's logit exceeds every other by more than c, else 0. c = 0 is accuracy (a tie is wrong)."""

    c: float = 0.0
    name: ClassVar[str] = "margin"
    least: ClassVar[float] = 0
    most: ClassVar[float] = 1

    def correct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return bool [n]: the score is provably 1."""
        return provably(margins(logits, labels) > self.c).all(-1)

    def lower_total(self, logits: Tensor, labels: Tensor) -> Fraction:
        right = self.correct(logits, labels).sum()
        return Fraction(0 if right.is_meta else int(right))

    def options(self) -> dict[str, Any]:
        return {"c": self.c} if self.c else {}

    def formula(self) -> str:
        return f"[l_y > l_j{f' + {self.c}' if self.c else ''} for all j != y]"

    @property
    def mean(self) -> str:
        if not self.c:
            return "the probability that M is right"
        return f"the probability that the right output's logit is above every other logit of M plus {self.c}"


ACCURACY = Margin()


@dataclass(frozen=True)
class LogLikelihood(Score):
    """log softmax(l)_y, the negative of the cross-entropy loss: a bound of its mean bounds the loss from above."""

    name: ClassVar[str] = "log-likelihood"
    most: ClassVar[float] = 0

    def lower_total(self, logits: Tensor, labels: Tensor) -> Fraction:
        _check_labels(labels, logits.shape[-1])
        log_p = torch.log_softmax(logits, -1).gather(1, labels.to(logits.device)[:, None])
        if log_p.is_meta:
            return Fraction(0)
        with unseen("an exact sum of lower bounds, as fractions"):
            bounds = lower(log_p).flatten().tolist()
        if any(b == float("-inf") for b in bounds):
            raise BadInput("the log-likelihood has no finite lower bound on some input")
        return sum((Fraction(b) for b in bounds), Fraction(0))

    def formula(self) -> str:
        return "log softmax(l)_y"

    @property
    def mean(self) -> str:
        return "the mean log-likelihood of M"


SCORES: dict[str, type[Margin | LogLikelihood]] = {Margin.name: Margin, LogLikelihood.name: LogLikelihood}
"""The scores that a claim can be about, by name."""


@dataclass(frozen=True)
class Claim:
    """The theorem: E_{x ~ task}[score(label(x), M(x))] >= numerator / denominator, for M the real-valued function.

    Attributes
    ----------
    task
        Name of the task.
    parameters
        Its parameters.
    score
        Name of the score; `score_options` its parameters.
    numerator, denominator
        The bound, exactly and not reduced: for accuracy, proven inputs over all inputs.
    function
        M: which function it is.
    """

    task: str
    parameters: Mapping[str, int | str]
    score: str
    score_options: dict[str, Any]
    numerator: int
    denominator: int
    function: Function

    @property
    def bound(self) -> Fraction:
        """The bound as an exact fraction."""
        return Fraction(self.numerator, self.denominator)

    def inputs(self) -> str:
        """Return which inputs it is about, in words."""
        return inputs_of(self.task, self.parameters)

    def formula(self) -> str:
        """Return the score f(y, l) as a formula."""
        return SCORES[self.score](**self.score_options).formula()

    def statement(self) -> str:
        """Return the theorem in words."""
        return (
            f"For {distribution(self.task, self.parameters)}, {mean_of(self.score, self.score_options)} is at least "
            f"{self.numerator}/{self.denominator} = {decimal(self.bound)}, where M is {self.function.describe()}"
        )


class Unproven(Claim):
    """What a float reading counts, in the form of a claim: nothing is claimed."""

    def statement(self) -> str:
        """That nothing is proven."""
        return (
            "Nothing is proven: in the float reading, which has no control of rounding, "
            f"{self.numerator}/{self.denominator} = {decimal(self.bound)} is counted on {self.inputs()}"
        )


def mean_of(score: str, options: Mapping[str, Any]) -> str:
    """What the mean of a score is called in statements: nothing that it depends on is left out."""
    if score in SCORES and {f.name for f in fields(SCORES[score])} >= options.keys():
        return SCORES[score](**options).mean
    given = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"the mean {score}{f' ({given})' if given else ''} of M"


def inputs_of(task: str, parameters: Mapping[str, int | str]) -> str:
    """Return which inputs a claim is about, in words."""
    return f"{task} ({', '.join(f'{k} = {v}' for k, v in parameters.items() if k != LAW)})"


def distribution(task: str, parameters: Mapping[str, int | str]) -> str:
    """Return how a claim's x is distributed, in words that follow "for"."""
    inputs = inputs_of(task, parameters)
    return f"x with {parameters[LAW]}, as inputs of {inputs}" if LAW in parameters else f"x uniform over the inputs of {inputs}"
