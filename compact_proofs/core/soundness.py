"""The soundness harness: does a strategy ever claim more than is true?

For a model small enough to be evaluated on every input, two sets are compared with the inputs that are *possibly* right (those that
rigorous evaluation of the plain module does not prove wrong): the number that `Strategy.verify` returns, and the set that
`Strategy.member` describes. Explanations are the strategy's own, random ones, and hostile ones. A registered strategy is tested by
being registered; a user's own by ``violations(strategy, Specimen(model), task)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compact_proofs.core.claim import Task
from compact_proofs.core.prove import prove, subject
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.enclosure import Enclosure, sound
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


@dataclass(frozen=True)
class Truth:
    """What rigorous exhaustive evaluation says about every input of a task.

    Attributes
    ----------
    inputs
        All inputs.
    right, possible : bool [n]
        Provably right; not known to be wrong. They differ only where a margin is within rounding of 0.
    """

    inputs: Tensor
    right: Tensor
    possible: Tensor


def evaluate(specimen: Specimen, task: Task) -> Truth:
    """Evaluate a model on every input of a small task, in the sound reading; inputs with a `tied` label are wrong."""
    inputs = task.inputs(0, task.size)
    labels = task.labels(inputs)
    program = program_of(specimen.model, task)
    with sound():
        logits = program(inputs)
        own = logits.gather(1, labels[:, None])
        others = torch.where(torch.arange(logits.shape[1]) == labels[:, None], -torch.inf, logits).amax(1, keepdim=True)
        condition = (own > others).squeeze(1)
    assert isinstance(condition, Enclosure)
    never = torch.isin(labels, torch.tensor(specimen.tied, dtype=torch.int64))
    return Truth(inputs, condition.lo, condition.hi & ~never)


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
        The task must be small: every input is evaluated.
    explanation
        The strategy's own unless given.
    truth
        From `evaluate`, to save time over several calls.
    """
    model = subject(specimen.model, task, strategy)
    truth = truth or evaluate(specimen, task)
    certificate = prove(specimen.model, task, strategy, explanation=explanation)
    claimed, possible = certificate.claim.numerator, int(truth.possible.sum())
    found = []
    if claimed > possible:
        found.append(f"{strategy} claims {claimed} inputs right; at most {possible} of {task.size} are")
    with sound():
        member = strategy.member(model, task, certificate.explanation, truth.inputs)
    false = member & ~truth.possible
    if bool(false.any()):
        found.append(f"{strategy} counts {int(false.sum())} inputs that are wrong, the first {truth.inputs[false][0].tolist()}")
    if not (strategy.partial or specimen.decided_by_rounding) and int(member.sum()) != claimed:
        found.append(f"{strategy} claims {claimed} inputs, but its predicate holds for {int(member.sum())}")
    if strategy.exact_member:
        found += _partition_violations(strategy, model, task, certificate.explanation, truth)
    return found


def _partition_violations(strategy: Strategy, model: nn.Module, task: Task, explanation: Explanation, truth: Truth) -> list[str]:
    """What contradicts `Strategy.partition`: whatever the rounding, its count is its set's, and what it calls right may be."""
    found = []
    with sound():
        partition = strategy.partition(model, task, explanation)
        member, right = partition.member(truth.inputs), partition.right(truth.inputs)
    if int(member.sum()) != partition.proven:
        found.append(f"{strategy} parts off {partition.proven} inputs, but its predicate holds for {int(member.sum())}")
    if bool(((member | right) & ~truth.possible).any()):
        found.append(f"{strategy} parts off or evaluates as right inputs that are wrong")
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
