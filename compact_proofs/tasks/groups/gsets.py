"""Irreducible representations as G-sets: proofs that compare a network with symmetric circuits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.certified import Certified, Counted, Nothing, whole
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import count_below, provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.weights import in_double
from compact_proofs.progress import track
from compact_proofs.tasks.groups.brute_force import ROWS, is_right, numbered_pairs
from compact_proofs.tasks.groups.circuits import circuit_specs
from compact_proofs.tasks.groups.fitting import Weights
from compact_proofs.tasks.groups.margins import MarginBounds, both_sides
from compact_proofs.tasks.groups.search import Found, choose, describe
from compact_proofs.tasks.groups.separable import Separable
from compact_proofs.tasks.groups.task import Groups, GroupStrategy

SAMPLE = 4096
"""About how many pairs the search for `GSets` looks at."""


@dataclass(frozen=True)
class GSetsLinear(GroupStrategy):
    """Count the pairs with left[x] + right[y] + constant < M, by sorting: a proof as long as the network is large.

    M is the smallest gap that the circuits prove (`circuit_gaps`), which is the same for every input, or depends on x alone or on y
    alone, and left[x] + right[y] + constant bounds what all else can take from it (`errors`). So f(xy | x, y) - f(z | x, y) > 0 for
    all z != xy.

    Cost: O(n m) and O(n^2) for each point of a circuit, O(n log n) to count, and O(k n^2) to check the group, with k generators;
    with `exact` also O(n^2 m). Brute force costs O(n^3 m).
    """

    exact: bool = True
    """Compute sums over neurons for every x and every output, and distances between outputs (O(n^2 m)), not bound them by norms."""

    name: ClassVar[str] = "g-sets-linear"
    version: ClassVar[int] = 2
    summary: ClassVar[str] = "ours: circuits as G-sets, errors of x and of y apart; O(n m + n^2), exact O(n^2 m)"

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        """The circuits for which most pairs are counted, or else the certificate's mean slack is largest."""
        w, double = Weights.of(model), in_double(model)

        def score(found: Found) -> Tensor | None:
            slack = self.slack(double, task, describe(w, found))
            if slack is None:
                return None
            table = slack.table()
            return (table > 0).sum() + torch.tanh(table / 10).mean()

        with torch.no_grad():
            return describe(w, choose(w, score, enough=task.size))

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        return circuit_specs(model.order, model.width)

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> Certified:
        slack = self.slack(model, task, explanation)
        if slack is None:
            return Nothing()
        with stage("counting"):
            left, right = slack.sides
            above = right + slack.constant
            count = whole(count_below(torch.sort(-left).values, above).sum())
        return Counted(count, lambda inputs: provably(-left[inputs[:, 0]] < above[inputs[:, 1]]))

    def slack(self, model: PairMLP, task: Task, explanation: Explanation) -> Separable | None:
        """M less all errors: positive where the pair is proven; None without circuits."""
        c = MarginBounds.of(model, task, explanation, both_sides(model), self.exact)
        return None if c is None else c.slack()

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int:
        """2 n: one number for each x and each y."""
        return 2 * model.order


@dataclass(frozen=True)
class GSets(GroupStrategy):
    """The linear-cost proof, then its bound for every output of the pairs that it leaves over, then brute force.

    1. Pairs that `GSetsLinear` proves.
    2. What that takes from the gap at its worst over all outputs, for x, for y and for neither, is known for every output. So a
       pair is right if ``known(xy) - known(z) + gap(z) > error[x] + error[y] + apart[xy, z]`` for all z != xy, with the sums
       that are known of x and z, of y and z and of z (`errors.Sums`). Cost: about 6 n for each pair.
    3. Pairs that are left over are evaluated, if `rest`: 2 m n for each. Then the bound is the accuracy, and its length says how
       much of the network is explained.
    """

    rest: bool = True
    """Brute force on the pairs that the circuits do not prove."""

    name: ClassVar[str] = "g-sets"
    version: ClassVar[int] = 2
    summary: ClassVar[str] = (
        "ours: g-sets-linear, then a bound for every output, then brute force on pairs left over; O(n^2 m) and more"
    )

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        """The circuits for which most of some pairs are proven, most of them by the first step, and by the largest margins."""
        assert isinstance(task, Groups)
        w, double = Weights.of(model), in_double(model)
        inputs = both_sides(double).detach()
        x, y = (t[:: 1 + task.size // SAMPLE] for t in numbered_pairs(model.order, 0, task.size))

        def score(found: Found) -> Tensor | None:
            c = MarginBounds.of(double, task, describe(w, found), inputs)
            if c is None:
                return None
            first, margins = c.slack().positive()[x, y], c.margins(x, y, task.group.table[x, y])
            return (first | (margins > 0)).sum() + first.sum() + torch.tanh(margins / 10).mean()

        with torch.no_grad():
            return describe(w, choose(w, score, enough=2 * len(x)))

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        return circuit_specs(model.order, model.width)

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Groups)
        inputs = both_sides(model)
        c = MarginBounds.of(model, task, explanation, inputs)
        if c is None:
            return Nothing()
        first = self._first(c)
        n, table = model.order, task.group.table.to(inputs.device)
        x, y = numbered_pairs(n, 0, n * n, device=table.device) if first.is_meta else (~first).nonzero().T
        count, further = whole(first.sum()), []
        for start in track(range(0, len(x), ROWS), "pairs, in batches"):
            rows = slice(start, start + ROWS)
            further.append(self._others(model, c, inputs, x[rows], y[rows], table[x[rows], y[rows]]))
            count += whole(further[-1].sum())

        def holds(pairs: Tensor) -> Tensor:
            proven = first.clone()
            if further:
                proven[x, y] = torch.cat(further)
            return proven[tuple(pairs.T)]

        return Counted(count, holds)

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int:
        """n^2: one number for each pair."""
        return model.order**2

    def _first(self, c: MarginBounds) -> Tensor:
        """Which pairs [n, n] the linear-cost bound proves."""
        slack = c.slack()
        with stage("first look"):
            return slack.positive()

    def _others(self, model: PairMLP, c: MarginBounds, inputs: Tensor, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Which of some pairs [r] the bound for every output proves, or brute force."""
        margins = c.margins(x, y, z)
        with stage("outputs"):
            proven = provably(margins > 0)
        if not self.rest or proven.is_meta or bool(proven.all()):
            return proven
        i = (~proven).nonzero().flatten()
        return proven.index_put((i,), is_right(model, inputs[0], inputs[1], x[i], y[i], z[i]))
