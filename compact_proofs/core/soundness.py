"""The soundness harness: does a strategy ever claim more than is true?

For a model small enough to be evaluated on every input (of a task with a law, on examples), the set that `Strategy.verify` returns
is compared, by its size and by its members, with the inputs that are *possibly* right (those that rigorous evaluation of the plain
module does not prove wrong). Explanations are the strategy's own, random ones, and hostile ones. A registered strategy is tested
by being registered; a user's own by ``violations(strategy, Specimen(model), task)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compact_proofs.certified import Certified, Region
from compact_proofs.core.prove import find_explanation, subject, verified
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.enclosure import possibly, provably, sound
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.program import program_of


@dataclass(frozen=True)
class Specimen:
    """A small model to test strategies on.

    Attributes
    ----------
    model
        The module.
    tied
        Labels that are never right because another output's logit equals theirs as a real number, by construction.
    decided_by_rounding
        Ties or overflow are common, so that two equivalent computations may prove different sets.
    """

    model: nn.Module
    tied: tuple[int, ...] = ()
    decided_by_rounding: bool = False


def dice(generator: torch.Generator) -> tuple[Callable[[float, float], float], Callable[[int, int], int], Callable[..., Tensor]]:
    """What specimens are drawn with: a uniform number of an interval, an integer of a closed range, Gaussian float64 of a shape."""

    def uniform(lo: float, hi: float) -> float:
        return lo + (hi - lo) * float(torch.rand((), generator=generator))

    def integer(lo: int, hi: int) -> int:
        return int(torch.randint(lo, hi + 1, (), generator=generator))

    def gaussian(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return uniform, integer, gaussian


def gaussian_weights(
    shapes: Mapping[str, Sequence[int]], scale: float, generator: torch.Generator, *, degenerate: bool = False, huge: float = 1e200
) -> dict[str, Tensor]:
    """Weights of a specimen without structure; if `degenerate`, one of them zero, tiny or huge, and two rows of the first alike."""
    _, integer, gaussian = dice(generator)
    weights = {name: gaussian(*shape) * scale for name, shape in shapes.items()}
    if degenerate:
        name = list(weights)[integer(0, len(weights) - 1)]
        weights[name] = weights[name] * (0.0, 1e12, 1e-12, huge)[integer(0, 3)]
        embedding = next(iter(weights.values()))
        embedding[integer(0, len(embedding) - 1)] = embedding[0]
    return weights


EXAMPLES = 2**12
"""Inputs of a task with a law that are evaluated."""
NOISE = 0.05
"""By how much the share of examples in a set may be below the set's probability: six standard deviations."""


@dataclass(frozen=True)
class Truth:
    """What rigorous evaluation says about every input of a task, or about examples of one with a law.

    Attributes
    ----------
    inputs
        All inputs, or the examples.
    right, possible : bool [n]
        Provably right; not known to be wrong. They differ only where a margin is within rounding of 0.
    """

    inputs: Tensor
    right: Tensor
    possible: Tensor


def evaluate(specimen: Specimen, task: Task) -> Truth:
    """Evaluate a model in the sound reading on every input of a small task, or on `EXAMPLES` of one with a law.

    Inputs with a `tied` label are wrong.
    """
    inputs = task.inputs(0, task.size) if task.law is None else task.examples(EXAMPLES)
    labels = task.labels(inputs)
    program = program_of(specimen.model, task)
    with sound():
        logits = program(inputs)
        own = logits.gather(1, labels[:, None])
        others = torch.where(torch.arange(logits.shape[1]) == labels[:, None], -torch.inf, logits).amax(1, keepdim=True)
        condition = (own > others).squeeze(1)
    never = torch.isin(labels, torch.tensor(specimen.tied, dtype=torch.int64))
    return Truth(inputs, provably(condition), possibly(condition) & ~never)


def violations(
    strategy: Strategy,
    specimen: Specimen,
    task: Task,
    explanation: Explanation | None = None,
    truth: Truth | None = None,
) -> list[str]:
    """Return how a strategy's sound reading contradicts exhaustive evaluation: nothing, for a sound strategy.

    Parameters
    ----------
    strategy, specimen, task
        The task must be small, since every input is evaluated, or have a law.
    explanation
        The strategy's own unless given.
    truth
        From `evaluate`, to save time over several calls.
    """
    model = subject(specimen.model, task, strategy)
    truth = truth or evaluate(specimen, task)
    explanation = find_explanation(model, task, strategy) if explanation is None else explanation
    strategy.accept(model, task, explanation)
    with sound():
        proven = verified(model, task, strategy, explanation)
        if isinstance(proven, Region):
            in_region = proven.member(truth.inputs)
        elif not isinstance(proven, Certified):
            raise BadInput(
                f"{strategy} bounds the score {strategy.score.name}, and proves no set of inputs to be compared with the truth"
            )
        else:
            member, excluded = proven.member(truth.inputs), proven.excludes(truth.inputs)
    if isinstance(proven, Region):
        return _region_violations(strategy, proven, in_region, truth)
    size, most, possible = proven.size, int((~excluded).sum()), int(truth.possible.sum())
    found = []
    if size > possible:
        found.append(f"{strategy} claims {size} inputs right; at most {possible} of {task.size} are")
    false = member & ~truth.possible
    if bool(false.any()):
        found.append(f"{strategy} counts {int(false.sum())} inputs that are wrong, the first {truth.inputs[false][0].tolist()}")
    if size > most:
        found.append(f"{strategy} claims {size} inputs, but excludes all but {most}")
    if bool((member & excluded).any()):
        found.append(f"{strategy} excludes inputs of its own set")
    if proven.exact and int(member.sum()) != size:
        found.append(f"{strategy} claims {size} inputs, but its set has {int(member.sum())}")
    if not (proven.exact or specimen.decided_by_rounding) and int(member.sum()) < size:
        found.append(f"{strategy} claims {size} inputs, but its set has only {int(member.sum())}")
    if proven.evaluate is not None and proven.exact:
        with sound():
            right = proven.evaluate(truth.inputs)
        if bool((right & ~truth.possible).any()):
            found.append(f"{strategy} evaluates as right inputs that are wrong")
    return found


def _region_violations(strategy: Strategy, proven: Region, member: Tensor, truth: Truth) -> list[str]:
    """What contradicts a set under a law: a member that is wrong, or a measure above what examples allow."""
    false, found = member & ~truth.possible, []
    if bool(false.any()):
        found.append(f"{strategy} measures {int(false.sum())} examples that are wrong, the first {truth.inputs[false][0].tolist()}")
    for what, examples in (("are possibly right", truth.possible), ("are in its set", member)):
        share = int(examples.sum()) / len(examples)
        if proven.measure > share + NOISE:
            found.append(f"{strategy} claims {float(proven.measure)}, and only {share} of the examples {what}")
    return found


def explanations(strategy: Strategy, model: nn.Module, task: Task, seed: int, number: int = 4) -> Iterator[dict[str, Tensor]]:
    """Yield the strategy's own explanation, then random and hostile ones of the right form."""
    model = subject(model, task, strategy)
    yield strategy.explain(model, task)
    generator = torch.Generator().manual_seed(seed)
    specs = strategy.specs(model, task)
    for i in range(number if specs else 0):
        yield {name: _arbitrary(spec, i, generator) for name, spec in specs.items()}


def _arbitrary(spec: Spec, kind: int, generator: torch.Generator) -> Tensor:
    """Random entries; all at the lower limit; all at the upper limit; for reals also zero, huge and tiny ones."""
    shape = spec.shape
    if spec.fewer:
        shape = (int(torch.randint(0, min(50, shape[0] + 1), (), generator=generator)), *shape[1:])
    if spec.limits is not None:
        lo, hi = spec.limits
        if kind % 4 in (1, 2):
            return torch.full(shape, lo if kind % 4 == 1 else hi)
        return torch.randint(lo, hi + 1, shape, generator=generator)
    scale = (1.0, 0.0, 1e150, 1e-300)[kind % 4]
    return torch.randn(shape, generator=generator, dtype=torch.float64) * scale
