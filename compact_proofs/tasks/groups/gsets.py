"""Irreducible representations as G-sets: proofs that compare a network with a symmetric ideal one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compact_proofs.claim import Task
from compact_proofs.enclosure import count_below
from compact_proofs.length import stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.progress import track
from compact_proofs.strategy import Explanation, Spec, whole
from compact_proofs.tasks.groups.brute_force import ROWS, is_right, numbered_pairs
from compact_proofs.tasks.groups.circuits import circuit_specs
from compact_proofs.tasks.groups.compared import Compared, in_double
from compact_proofs.tasks.groups.errors import Sums
from compact_proofs.tasks.groups.fitting import Fit, Weights
from compact_proofs.tasks.groups.pairwise import Bound, LowRank, Norms, Outputs
from compact_proofs.tasks.groups.search import choose, describe, row_space
from compact_proofs.tasks.groups.separate import Separate
from compact_proofs.tasks.groups.task import Groups, GroupStrategy

SAMPLE = 4096
"""About how many pairs the search for `GSets` looks at."""


@dataclass(frozen=True)
class GSetsLinear(GroupStrategy):
    """Count the pairs with left[x] + right[y] + constant < M, by sorting: a proof as long as the network is large.

    M is the ideal margin (`circuits`), which is the same for every input (or depends on x alone, or on y alone, if points have
    weights), and left[x] + right[y] + constant bounds what the network's distance from the ideal one can take from it (`errors`).
    So f(xy | x, y) - f(z | x, y) > 0 for all z != xy.

    Cost: O(n m) to compare weights, O(n log n) to count, O(k n) for each point of a circuit and O(k n^2) to check the group, with k
    generators; with `exact` also O(n^2 m). Brute force costs O(n^3 m).
    """

    exact: bool = True
    """Compute sums over neurons for every x and every output (O(n^2 m)), not bound them by norms."""

    name: ClassVar[str] = "g-sets-linear"
    version: ClassVar[int] = 2
    summary: ClassVar[str] = "ours: circuits as G-sets, errors of x and of y apart; O(n m), exact O(n^2 m)"

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        """The circuits for which most pairs are counted, or else the certificate's mean slack is largest."""
        w, double = Weights.of(model), in_double(model)

        def score(fits: list[Fit]) -> float:
            found = self.slack(double, task, describe(w, fits))
            if found is None:
                return float("-inf")
            slack = found.table()
            return float((slack > 0).sum()) + float(torch.tanh(slack / 10).mean())

        with torch.no_grad():
            return describe(w, choose(w, score, enough=task.size))

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        return circuit_specs(model.order, model.width)

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> int:
        slack = self.slack(model, task, explanation)
        if slack is None:
            return 0
        with stage("counting"):
            left, right = slack.sides
            return whole(count_below(torch.sort(-left).values, right + slack.constant).sum())

    def member(self, model: PairMLP, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        slack = self.slack(model, task, explanation)
        if slack is None:
            return torch.zeros(len(inputs), dtype=torch.bool)
        return slack.positive()[inputs[:, 0], inputs[:, 1]]

    def slack(self, model: PairMLP, task: Task, explanation: Explanation) -> Separate | None:
        """M less all errors: positive where the pair is proven; None without an ideal network."""
        c = Compared.of(model, task, explanation)
        return None if c is None else c.slack(c.sums().separate() if self.exact else None)

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int:
        """2 n: one number for each x and each y."""
        return 2 * model.order


@dataclass(frozen=True)
class GSets(GroupStrategy):
    """Bound the distance from the ideal network for every pair (x, y).

    **outputs** (ours). What `GSetsLinear` takes from the ideal margin at its worst over all outputs, for x, for y and for neither,
    is known for every output: f(z | x, y) = G(z) + e(z), where G is the ideal network and the sums that are known of x and z and of
    y and z (`errors.Sums`), and |e(xy) - e(z)| <= error[x] + error[y] + apart[xy, z]. So a pair is right if
    G(xy) - error[x] - error[y] exceeds G(z) + apart[xy, z] for all other z.
    Cost: about 6 n for each pair.

    **low-rank** (ours). Let V [q, n] be any matrix, from the explanation; v_i = U_i V^T for the k neurons that have readings, and
    w_j = gamma_j V^T for the N ideal ones. Of these neurons and the bias b,

        sum_i U_i h_i + b - sum_j gamma_j h^_j = V^T e + sum_i R_i h_i + (b - V^T V b) - sum_j S_j h^_j

    with e = sum_i v_i h_i + V b - sum_j w_j h^_j in R^q, R = U - v V, S = gamma - w V: an identity for any v and w (and with linear
    terms of f^ likewise). The first term takes at most max_{z, z'} ||V_z - V_z'|| ||e|| from a margin; R and the bias's rest are
    bounded as U is in linear cost (`explained_sums`, with gamma = 0), S by norms (x and y permute the ideal neurons), and all other
    neurons by their spreads. If V spans the rows of gamma and the network is near the ideal one, R and S are small. h^_bc is looked
    up in a table over points.
    Cost: 2 q (k + N) and less for each pair.

    **norms** (as published, made sound). What readings explain takes at most
    ||s U||' ||h - ReLU(t u)|| + ||K||' ||h^|| + ||L||' ||u|| from a margin, with K and L as in `errors` and
    ||U||' = max_{z, z'} ||U_z - U_z'|| over columns; ||h^|| and ||u|| are the same for every pair.
    Cost: about 8 k for each pair, for k readings.

    Pairs that the linear-cost bound proves are left out of this, if `first` (see `GSetsLinear`). Pairs that are left over by all
    are evaluated, if `rest`: 2 m n for each. Then the bound is the accuracy, and its length says how much is explained.
    """

    error: Literal["outputs", "low-rank", "norms"] = "outputs"
    """How the distance is bounded."""
    first: bool = True
    """Bound only pairs that the linear-cost bound leaves over."""
    rest: bool = True
    """Brute force on the pairs that the bound leaves over."""

    name: ClassVar[str] = "g-sets"
    version: ClassVar[int] = 2
    summary: ClassVar[str] = "circuits as G-sets, the error of each pair, then brute force on what is left over; O(n^3)"

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        """The circuits for which most of some pairs are proven, or else most of them by the first look."""
        assert isinstance(task, Groups)
        w, double = Weights.of(model), in_double(model)
        x, y = numbered_pairs(model.order, 0, task.size)
        x, y = x[:: 1 + task.size // SAMPLE], y[:: 1 + task.size // SAMPLE]

        def explanation(fits: list[Fit]) -> dict[str, Tensor]:
            found = describe(w, fits)
            return found | {"basis": row_space(w, fits)} if self.error == "low-rank" else found

        def score(fits: list[Fit]) -> float:
            found = explanation(fits)
            c = Compared.of(double, task, found)
            if c is None:
                return float("-inf")
            sums = c.sums()
            first = c.slack(sums.separate()).positive()[x, y]
            proven = first | self._bound(c, sums, found)(x, y, task.group.table[x, y])
            return float(proven.sum() + first.sum())

        with torch.no_grad():
            return explanation(choose(w, score, enough=2 * len(x)))

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        n = model.order
        return circuit_specs(n, model.width) | ({"basis": Spec((n, n), fewer=True)} if self.error == "low-rank" else {})

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> int:
        assert isinstance(task, Groups)
        found = self._looks(model, task, explanation)
        if found is None:
            return 0
        first, look = found
        n, proven, table = model.order, 0, task.group.table.to(model.U.device)
        if first is None or first.is_meta:
            x, y = numbered_pairs(n, 0, n * n, device=table.device)
        else:
            proven = whole(first.sum())
            x, y = (~first).nonzero().T
        for start in track(range(0, len(x), ROWS), "pairs, in batches"):
            rows = slice(start, start + ROWS)
            proven += whole(look(x[rows], y[rows], table[x[rows], y[rows]]).sum())
        return proven

    def member(self, model: PairMLP, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        found = self._looks(model, task, explanation)
        if found is None:
            return torch.zeros(len(inputs), dtype=torch.bool)
        first, look = found
        x, y = inputs.T
        proven = look(x, y, task.labels(inputs))
        return proven if first is None else proven | first[x, y]

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int:
        """n^2: one number for each pair."""
        return model.order**2

    def _bound(self, c: Compared, sums: Sums | None, explanation: Explanation) -> Bound:
        if self.error == "outputs":
            return Outputs(c, sums or c.sums())
        return LowRank(c, explanation["basis"]) if self.error == "low-rank" else Norms(c)

    def _looks(self, model: PairMLP, task: Task, explanation: Explanation) -> tuple[Tensor | None, Bound] | None:
        """Which pairs [n, n] the linear-cost bound proves, if it is asked; and what proves others: nothing is set up before it is
        called."""
        c = Compared.of(model, task, explanation)
        if c is None:
            return None
        sums = c.sums() if self.first or self.error == "outputs" else None
        bound = functools.cache(lambda: self._bound(c, sums, explanation))

        def look(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
            proven = bound()(x, y, z)
            if not self.rest or proven.is_meta or bool(proven.all()):
                return proven
            with stage("brute force"):
                i = (~proven).nonzero().flatten()
                return proven.index_put((i,), is_right(model, c.inputs[0], c.inputs[1], x[i], y[i], z[i]))

        if not self.first or sums is None:
            return None, look
        with stage("first look"):
            return c.slack(sums.separate()).positive(), look
