"""The task of order statistics: which of n random numbers is the second largest, or the median?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from compact_proofs.enclosure import lower, provably
from compact_proofs.errors import BadInput
from compact_proofs.laws import Independent, Law, LawTask, Normal, OneDimensional
from compact_proofs.models.scalar_recurrent import ScalarRecurrent


@dataclass(frozen=True)
class OrderStatistic(LawTask):
    """n independent numbers of one law; the label is the place of the one that `above` others exceed.

    Attributes
    ----------
    n
        How many numbers.
    above
        0 for the largest, 1 for the second largest, (n - 1) / 2 for the median of an odd number.
    of_each
        The law of each number.

    Raises
    ------
    BadInput
        If no place has so many larger numbers.
    """

    n: int
    above: int = 1
    of_each: OneDimensional = field(default_factory=Normal)
    name: ClassVar[str] = "order-statistic"

    def __post_init__(self) -> None:
        if not 0 <= self.above < self.n:
            raise BadInput(f"of n = {self.n} numbers none is exceeded by exactly above = {self.above} others")

    @classmethod
    def of(cls, model: nn.Module) -> OrderStatistic:
        """The task that a network was trained for.

        Raises
        ------
        BadInput
            If it is no `ScalarRecurrent`, or nothing says which order statistic it names.
        """
        if not isinstance(model, ScalarRecurrent):
            raise BadInput(f"{type(model).__name__} is not a ScalarRecurrent, for which order statistics have strategies")
        if model.above is None:
            raise BadInput(
                'nothing says which order statistic the network was trained on; say "above" (1: the second largest) in '
                "its metadata, or make an OrderStatistic"
            )
        return cls(model.config.n_ctx, model.above, model.of_each or Normal())

    @property
    def law(self) -> Law:
        return Independent((self.of_each,) * self.n)

    def settings(self) -> Mapping[str, int | str]:
        return {"n": self.n, "above": self.above}

    def labels(self, inputs: Tensor) -> Tensor:
        """The place of the number that `above` others exceed, int64 [N]; ties, which have probability 0, go to some place."""
        return inputs.argsort(dim=-1, descending=True, stable=True)[:, self.above]

    def known_labels(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The labels of the lower bounds; known where just `above` numbers are provably larger, and all others provably smaller."""
        places = self.labels(lower(inputs))
        own = inputs.gather(1, places[:, None])
        larger, smaller = provably(inputs > own).sum(1), provably(inputs < own).sum(1)
        return places, (larger == self.above) & (smaller == self.n - 1 - self.above)
