"""Guesses of the accuracy of any network over tokens: random inputs with shared tables; boxes, and a sample of what they leave."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.automatic.effort import effort
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.automatic.shared import tokens_of
from compact_proofs.automatic.strategy import Automatic, finite
from compact_proofs.confidence.others import draw_others
from compact_proofs.core.claim import ACCURACY
from compact_proofs.draws import Draws
from compact_proofs.estimates import Estimator
from compact_proofs.inputs.task import Task
from compact_proofs.length import charge_integers, count, stage, unseen
from compact_proofs.options import Natural, Positive
from compact_proofs.program import Program, program_of

PRICED, EVALUATED = 256, 2**12
"""Inputs from which the price of one is taken, at first; inputs evaluated at once."""
MOST_SAMPLES = 10**7
"""Inputs that are drawn at once, at most."""

Right = Callable[[Tensor, Tensor], Tensor]
"""From inputs [N, ...] and labels int64 [N] to which are right: bool [N]."""


@dataclass(frozen=True)
class Way:
    """One of the ways to evaluate inputs.

    Attributes
    ----------
    make
        Make it ready: this may cost tables.
    tables, each
        What is paid once, and for each input, as shapes tell it.
    """

    make: Callable[[], Right]
    tables: float
    each: float

    def samples(self, operations: float) -> int:
        """How many inputs a number of operations pays for, negative if not even the tables."""
        return int((operations - self.tables) / self.each)


@dataclass(frozen=True)
class SharedSampling(Estimator[nn.Module]):
    """The share that is right among as many random inputs as a number of operations pays for.

    Inputs are evaluated by the program itself, or by `Listing`, with tables of what they have in common and with linear maps
    carried out on tables or not: whichever pays for most inputs, as shapes tell. Of all sequences of n tokens, every token is drawn
    equally often at every position, as nearly as the number allows (a Latin hypercube): each input is uniform, so that the mean
    over draws is the true accuracy, and where v divides N, the variance is at most N / (N - 1) times that of N independent inputs
    (Owen, 1997). Where the operations pay for every input, the result is the accuracy.
    """

    operations: Positive = 10_000_000
    """What may be spent, as shapes tell it."""
    seed: Natural = 0

    name: ClassVar[str] = "shared-sampling"
    summary: ClassVar[str] = "random inputs, with everything shared that tables can share"

    def value(self, model: nn.Module, task: Task) -> Tensor:
        program = program_of(model, task)
        way, n = self.plan(program, task)
        right = way.make()
        with stage("drawing"):
            inputs = self.inputs(task, n)
        return share_right(right, task, inputs)

    def inputs(self, task: Task, n: int) -> Tensor:
        """Draw n inputs; all, if they are not more."""
        return task.inputs(0, task.size) if n >= task.size else spread(task, n, Draws(f"shared {self.seed}".encode()))

    def plan(self, program: Program, task: Task) -> tuple[Way, int]:
        """The way that pays for most inputs, and how many: many share more than few, so that the price is taken again from more."""
        priced, n = PRICED, 0
        for _ in range(2):
            way = max(ways(program, task, priced), key=lambda w: (w.samples(self.operations), -w.each))
            n = min(max(way.samples(self.operations), 1), MOST_SAMPLES)
            priced = min(n, EVALUATED)
        return way, n


@dataclass(frozen=True)
class BoxSampling(Estimator[nn.Module]):
    """What additive bounds on boxes prove, and a sample of the inputs that they leave.

    With a proven set C of N inputs, the guess is ``(|C| + (N - |C|) share) / N``, where `share` is the share that is right among
    draws from the rest. Its mean over draws is the true accuracy up to rounding, since C is found in plain arithmetic; its variance
    is that of as many uniform draws times at most (N - |C|) / N, since only the rest is uncertain.

    The search for boxes and hints is paid for, since an estimate takes no explanation (`compact_proofs.automatic.effort`).
    """

    samples: Positive = 10_000
    """Inputs drawn from the rest."""
    worth: Natural = 1000
    """As in `Automatic`."""
    cuts: Natural = 0
    """As in `Automatic`: rounds of search, most of the cost."""
    seed: Natural = 0

    name: ClassVar[str] = "box-sampling"
    summary: ClassVar[str] = "what boxes prove, and random inputs of the rest"

    def value(self, model: nn.Module, task: Task) -> Tensor:
        program, known = program_of(model, task), finite(task)
        strategy = Automatic(worth=self.worth, cuts=self.cuts, most=0)
        with stage("search"):
            with unseen("a search, charged by number"), effort() as search:
                explanation = strategy.explain(program, known)
            charge_integers(search.operations)
        proven = strategy.verify(program, known, explanation)
        rest = known.size - proven.size
        if not rest:
            return torch.ones((), dtype=torch.float64)
        inputs = draw_others(proven, known, self.samples, Draws(f"boxes {self.seed}".encode()))
        way = min(ways(program, known), key=lambda w: w.tables + self.samples * w.each)
        return (proven.size + share_right(way.make(), known, inputs) * rest) / known.size


def ways(program: Program, task: Task, priced: int = PRICED) -> list[Way]:
    """The ways to evaluate inputs of a task over tokens, with what each of some inputs costs, as shapes tell it."""
    v = tokens_of(task)

    def alone() -> Right:
        return lambda inputs, labels: ACCURACY.correct(program(inputs), labels)

    def listed(folded: bool) -> Right:
        return Listing(program, v, True, folded).right

    with structure():
        shapes, example = copy.deepcopy(program).to("meta"), task.draw(priced, Draws(b"a price"))
        with count() as counter:
            ACCURACY.correct(shapes(example), torch.zeros(len(example), dtype=torch.int64, device="meta"))
        found = [Way(alone, 0, counter.length.total / len(example))]
        for folded in (True, False):
            with count() as counter:
                listing = Listing(shapes, v, folded=folded)
            found.append(Way(partial(listed, folded), counter.length.total, listing.price(example)))
    return found


def share_right(right: Right, task: Task, inputs: Tensor) -> Tensor:
    """The share of inputs that are right, []."""
    with stage("labels"):
        labels = task.labels(inputs)
    with stage("samples"):
        parts = [right(x, y) for x, y in zip(inputs.split(EVALUATED), labels.split(EVALUATED), strict=True)]
        return torch.cat(parts).to(torch.float64).mean()


def spread(task: Task, n: int, draws: Draws) -> Tensor:
    """Draw n inputs, each uniform: of all sequences of tokens, with every token equally often at every position; else independent.

    At each position stand the tokens in turn, ``floor(n / v)`` of each and the others once at most, beginning with a random one, in
    random order. Cost: for each token of an input a draw and a sort's log2 n comparisons.
    """
    v, example = tokens_of(task), task.inputs(0, 1)
    places = example.shape[1]
    if task.size != v**places:
        return task.draw(n, draws)
    keys = draws.below(torch.full((places, n), 2**62))
    first = draws.below(torch.full((places, 1), v))
    charge_integers(keys.numel() * max(n - 1, 1).bit_length())
    with structure():
        return ((first + keys.argsort(1)) % v).T.contiguous()
