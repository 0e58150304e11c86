"""`LawTask`: a task whose inputs are distributed by a law, in place of a finite set of inputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import LAW, Task
from compact_proofs.laws.law import Law

EXAMPLES = 2**12
"""Example inputs that are drawn at once."""


class LawTask(Task):
    """Real inputs x of R^n with a law, and a label for each, but for a set of probability 0.

    A task of one's own subclasses this with ``law``, ``settings`` and ``labels``.
    """

    @property
    @abstractmethod
    def law(self) -> Law:
        """How inputs are distributed."""

    @abstractmethod
    def settings(self) -> Mapping[str, int | str]:
        """What distinguishes this task from others of its name and law."""

    def parameters(self) -> dict[str, int | str]:
        return {**self.settings(), LAW: self.law.words}

    @property
    def size(self) -> int:
        """There is none.

        Raises
        ------
        BadInput
            Always.
        """
        raise BadInput(
            f"{self.name}: x has a law and is not from a finite set, so that inputs cannot be numbered or tried one by one; use a "
            "strategy for laws (compact-proofs strategies)"
        )

    @property
    def total(self) -> int:
        """1, the probability of all inputs together."""
        return 1

    def inputs(self, start: int, stop: int) -> Tensor:
        """Examples number `start` to `stop` - 1 of a fixed sequence of inputs that were drawn from the law: float64 [N, n]."""
        found = []
        for block in range(start // EXAMPLES, -(-stop // EXAMPLES)):
            first = block * EXAMPLES
            drawn = self.law.sample(EXAMPLES, torch.Generator().manual_seed(block))
            found.append(drawn[max(start - first, 0) : stop - first])
        return torch.cat(found) if found else torch.zeros((0, self.law.n), dtype=torch.float64)

    def draw(self, n: int, draws: Draws) -> Tensor:
        """Draw n independent inputs with the law: in the sound reading Enclosures, small boxes that hold them."""
        return self.law.draw(n, draws)

    def known_labels(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels int64 [N] of enclosed inputs [N, n], and where they are proven to be the labels, bool [N].

        Statements with confidence need it.

        Raises
        ------
        BadInput
            If the task does not say it.
        """
        raise BadInput(f"{self.name} does not say which labels of enclosed inputs are known (LawTask.known_labels)")

    def examples(self, n: int) -> Tensor:
        return self.inputs(0, n)

    def describe(self) -> str:
        given = ", ".join(f"{k} = {v}" for k, v in self.settings().items())
        return f"{self.name} ({given}), x with {self.law.words}"
