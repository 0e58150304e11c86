"""Irreducible representations as G-sets: proofs that compare a network with a symmetric ideal one."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compact_proofs.claim import Task, largest_other
from compact_proofs.enclosure import count_below, lower, provably
from compact_proofs.length import stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.progress import track
from compact_proofs.strategy import Explanation, Spec, whole
from compact_proofs.tasks.groups.brute_force import ROWS, numbered_pairs
from compact_proofs.tasks.groups.circuits import Circuits, check_circuits, circuit_specs
from compact_proofs.tasks.groups.errors import (
    Separate,
    distances,
    explained_neurons,
    norm,
    output_differences,
    spread,
    whole_neurons,
)
from compact_proofs.tasks.groups.search import Weights, choose, describe, find_fits, row_space
from compact_proofs.tasks.groups.task import Groups, GroupStrategy

Bound = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From x, y and xy [r] to bool [r]: for which pairs the margin is proven to be positive."""


@dataclass(frozen=True)
class Compared:
    """A network beside its checked ideal one.

    Attributes
    ----------
    circuits
        The ideal network.
    margin
        Its margin, the same for every input.
    inputs : [2, n, m]
        l and r.
    sides : [2, n, m]
        l - s and r + s, for the explanation's shifts s, which define the same network.
    output, bias
        U and the bias.
    """

    circuits: Circuits
    margin: Tensor
    inputs: Tensor
    sides: Tensor
    output: Tensor
    bias: Tensor

    @classmethod
    def of(cls, model: PairMLP, task: Task, explanation: Explanation) -> Compared | None:
        """Check an explanation and fold the network; None if the explanation describes no ideal network."""
        assert isinstance(task, Groups)
        circuits = check_circuits(explanation, task.group)
        if circuits is None:
            return None
        margin = circuits.margin(task.group.identity)
        return cls(circuits, margin, *both_sides(model, explanation), model.U, model.bias)

    def readings(self) -> tuple[Tensor, Tensor]:
        """l and r [2, n, k] of every reading's neuron, and s U_i [k, n]."""
        i = self.circuits.neurons
        return self.sides[:, :, i], self.circuits.share[:, None] * self.output[i]

    def explained(self, exact: bool) -> Separate:
        """Bound what readings explain, and the bias."""
        return explained_neurons(*self.readings(), self.bias, self.circuits, exact=exact)

    def unexplained(self, output: Tensor | None = None) -> Tensor:
        """Bound what no reading explains of the neurons by terms of x and of y, [2, n]; `output` [m, n] is U unless given."""
        i = list(self.circuits.rest)
        with stage("unexplained neurons"):
            share = torch.tensor([abs(r) for r in self.circuits.rest.values()], dtype=torch.float64, device=self.sides.device)
            return whole_neurons(self.sides[:, :, i], share * spread((self.output if output is None else output)[i]))


def both_sides(model: PairMLP, explanation: Explanation) -> tuple[Tensor, Tensor]:
    """l and r [2, n, m], and with the explanation's shifts l - s and r + s."""
    with stage("weights"):
        s, inputs = explanation["shifts"], torch.stack([model.left(), model.right()])
        return inputs, inputs + torch.stack([-s, s])[:, None]


@dataclass(frozen=True)
class GSetsLinear(GroupStrategy):
    """Count the pairs with left[x] + right[y] + constant < M, by sorting: a proof as long as the network is large.

    M is the ideal margin (`circuits`), which is the same for every input, and left[x] + right[y] + constant bounds what the
    network's distance from the ideal one can take from it (`errors`). So f(xy | x, y) - f(z | x, y) > 0 for all z != xy.

    Cost: O(n m) to compare weights, O(n log n) to count, O(k n) for each point of a circuit and O(k n^2) to check the group, with k
    generators; with `exact` also O(n^2 m). Brute force costs O(n^3 m).
    """

    exact: bool = True
    """Compute sums over neurons for every x and every output (O(n^2 m)), not bound them by norms."""

    name: ClassVar[str] = "g-sets-linear"
    summary: ClassVar[str] = "ours: circuits as G-sets, errors of x and of y apart; O(n m), exact O(n^2 m)"

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        """Keep the circuits for which most pairs are counted, or else the certificate's mean slack is largest."""
        w, double = Weights.of(model), in_double(model)

        def score(explanation: dict[str, Tensor]) -> float:
            slack = self.slack(double, task, explanation)
            if slack is None:
                return float("-inf")
            return float((slack > 0).sum()) + float(torch.tanh(slack / 10).mean())

        with torch.no_grad():
            return describe(w, choose(w, find_fits(w), score))

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        return circuit_specs(model.order, model.width)

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> int:
        found = self._compare(model, task, explanation)
        if found is None:
            return 0
        (left, right), room = found
        with stage("counting"):
            return whole(count_below(torch.sort(left).values, room - right).sum())

    def member(self, model: PairMLP, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        found = self._compare(model, task, explanation)
        if found is None:
            return torch.zeros(len(inputs), dtype=torch.bool)
        (left, right), room = found
        return provably(left[inputs[:, 0]] < (room - right)[inputs[:, 1]])

    def slack(self, model: PairMLP, task: Task, explanation: Explanation) -> Tensor | None:
        """M less all errors, for every x and y [n, n]: positive where the pair is proven; None without an ideal network."""
        found = self._compare(model, task, explanation)
        if found is None:
            return None
        (left, right), room = found
        return room - left[:, None] - right

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int:
        """2 n: one number for each x and each y."""
        return 2 * model.order

    def _compare(self, model: PairMLP, task: Task, explanation: Explanation) -> tuple[Tensor, Tensor] | None:
        """The terms of x and of y [2, n], and M less the constant."""
        c = Compared.of(model, task, explanation)
        if c is None:
            return None
        error = c.explained(self.exact)
        return error.sides + c.unexplained(), c.margin - error.constant


@dataclass(frozen=True)
class GSets(GroupStrategy):
    """Bound the distance from the ideal network for every pair (x, y).

    **low-rank** (ours). Let V [q, n] be any matrix, from the explanation; v_i = U_i V^T for the k neurons that have readings, and
    w_j = gamma_j V^T for the N ideal ones. Of these neurons and the bias b,

        sum_i U_i h_i + b - sum_j gamma_j h^_j = V^T e + sum_i R_i h_i + (b - V^T V b) - sum_j S_j h^_j

    with e = sum_i v_i h_i + V b - sum_j w_j h^_j in R^q, R = U - v V, S = gamma - w V: an identity for any v and w. The first term
    takes at most max_{z, z'} ||V_z - V_z'|| ||e|| from a margin; R and the bias's rest are bounded as U is in linear cost
    (`explained_neurons`, with gamma = 0), S by norms (x and y permute the ideal neurons), and all other neurons by their
    spreads. If V spans the rows of gamma and the network is near the ideal one, R and S are small. h^_bc is looked up in a table
    over points.
    Cost: 2 n^2 q (k + N) and less.

    Pairs that the linear-cost bound proves are left out of this, if `first` (see `GSetsLinear`). Pairs for which it is not enough
    are looked at again, if `second`: V^T (sum_i v_i h_i + V b), the network's logits but for the same rests, costs 2 q n more for
    each of them, and its margin is compared with the bounds of the rests alone.

    **norms** (as published, made sound). What readings explain takes at most
    ||s U||' ||h - ReLU(t u)|| + ||K||' ||h^|| + ||L||' ||u|| from a margin, with K and L as in `errors` and
    ||U||' = max_{z, z'} ||U_z - U_z'|| over columns; ||h^|| and ||u|| are the same for every pair.
    Cost: about 8 n^2 k for k readings.
    """

    error: Literal["low-rank", "norms"] = "low-rank"
    """How the distance is bounded."""
    first: bool = True
    """Bound only pairs that the linear-cost bound leaves over."""
    second: bool = True
    """With low-rank: a second look at pairs that the ideal margin does not prove."""

    name: ClassVar[str] = "g-sets"
    summary: ClassVar[str] = "circuits as G-sets, the error of each pair; O(n^2 m q)"

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        """Every circuit that is found."""
        w = Weights.of(model)
        with torch.no_grad():
            fits = find_fits(w)
            found = describe(w, fits)
            return found if self.error == "norms" else found | {"basis": row_space(w, fits)}

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        n = model.order
        return circuit_specs(n, model.width) | ({} if self.error == "norms" else {"basis": Spec((n, n), fewer=True)})

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> int:
        assert isinstance(task, Groups)
        bounds = self._bounds(model, task, explanation)
        if bounds is None:
            return 0
        first, bound = bounds
        n, found, table = model.order, 0, task.group.table.to(model.U.device)
        if first is None or first.is_meta:
            x, y = numbered_pairs(n, 0, n * n, device=table.device)
        else:
            found = whole(first.sum())
            x, y = (~first).nonzero().T
        for start in track(range(0, len(x), ROWS), "pairs, in batches"):
            rows = slice(start, start + ROWS)
            found += whole(bound()(x[rows], y[rows], table[x[rows], y[rows]]).sum())
        return found

    def member(self, model: PairMLP, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        bounds = self._bounds(model, task, explanation)
        if bounds is None:
            return torch.zeros(len(inputs), dtype=torch.bool)
        first, bound = bounds
        x, y = inputs.T
        proven = bound()(x, y, task.labels(inputs))
        return proven if first is None else proven | first[x, y]

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int:
        """n^2: one number for each pair."""
        return model.order**2

    def _bounds(self, model: PairMLP, task: Task, explanation: Explanation) -> tuple[Tensor | None, Callable[[], Bound]] | None:
        """Which pairs [n, n] the linear-cost bound proves, if it is asked; and how to get the bound for the others."""
        c = Compared.of(model, task, explanation)
        if c is None:
            return None

        @functools.cache
        def bound() -> Bound:
            return Norms(c) if self.error == "norms" else LowRank(c, explanation["basis"], self.second)

        if not self.first:
            return None, bound
        error = c.explained(exact=True)
        with stage("first look"):
            left, right = error.sides + c.unexplained()
            return provably(left[:, None] < c.margin - error.constant - right), bound


class LowRank:
    """The low-rank bound of `GSets`, for any pairs."""

    def __init__(self, c: Compared, basis: Tensor, second: bool) -> None:
        circuits = c.circuits
        self.second, self.basis = second, basis
        used = sorted(set(circuits.neurons.tolist()))
        self.inputs = c.inputs[:, :, used]
        self.image_b, self.image_c = circuits.left_image[circuits.b].T, circuits.right_image[circuits.c].T  # [n, N]
        with stage("hidden layers"):
            self.ideal_hidden = torch.relu(circuits.alpha[:, None] + circuits.beta)  # of every pair of points
        with stage("projection"):
            U = c.output[used]
            # Any numbers will do for v, w and V b, so one bound of each is taken for the number itself.
            self.real, self.ideal, self.bias = map(lower, (U @ basis.T, circuits.output @ basis.T, basis @ c.bias))
            R, S, shift = U - self.real @ basis, circuits.output - self.ideal @ basis, c.bias - self.bias @ basis
            # R of the neurons with readings, U of all others.
            place = {i: len(c.output) + p for p, i in enumerate(used)}
            output = torch.cat([c.output, R])[[place.get(i, i) for i in range(len(c.output))]]
            self.reach = distances(basis).amax()
            ideal_rest = norm(torch.relu(circuits.inputs)) * norm(spread(S))  # whatever x and y: they permute the ideal neurons
        nothing = replace(circuits, output=torch.zeros_like(circuits.output))
        read = circuits.share[:, None] * output[circuits.neurons]
        rest = explained_neurons(c.readings()[0], read, shift, nothing, exact=True)
        self.rest, self.constant = rest.sides + c.unexplained(output), rest.constant
        self.margin = c.margin - self.constant - ideal_rest

    def __call__(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        with stage("hidden layers"):
            real = torch.relu(self.inputs[0, x] + self.inputs[1, y])
            ideal = self.ideal_hidden[self.image_b[x], self.image_c[y]]
        with stage("distances"):
            a = real @ self.real + self.bias
            e = norm(a - ideal @ self.ideal, 1)
            proven = provably(e * self.reach < self.margin - self.rest[0, x] - self.rest[1, y])
        if self.second and not proven.is_meta and not bool(proven.all()):
            with stage("second look"):
                i = (~proven).nonzero().flatten()
                logits = a[i] @ self.basis
                room = logits.gather(1, z[i, None]).squeeze(1) - self.rest[0, x[i]] - self.rest[1, y[i]] - self.constant
                proven = proven.index_put((i,), provably(largest_other(logits, z[i]) < room))
        return proven


class Norms:
    """The norm-only bound of `GSets`, for any pairs."""

    def __init__(self, c: Compared) -> None:
        circuits = c.circuits
        output = c.readings()[1]
        self.inputs = c.inputs[:, :, circuits.neurons]
        b, c_ = circuits.b[circuits.ideal], circuits.c[circuits.ideal]
        self.ideal_sides, self.factor = torch.stack([circuits.left[b].T, circuits.right[c_].T]), circuits.factor
        with stage("norms"):
            self.reach = distances(output).amax()
            K, L = distances(output_differences(output, circuits)).amax((1, 2))
            u = circuits.inputs
            self.margin = c.margin - spread(c.bias) - K * norm(torch.relu(u)) - L * norm(u)
        self.taken = c.unexplained()

    def __call__(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        with stage("hidden layers"):
            real = torch.relu(self.inputs[0, x] + self.inputs[1, y])
            ideal = torch.relu(self.factor * (self.ideal_sides[0, x] + self.ideal_sides[1, y]))
        with stage("distances"):
            return provably(norm(real - ideal, 1) * self.reach < self.margin - self.taken[0, x] - self.taken[1, y])


def in_double(model: PairMLP) -> PairMLP:
    """A float64 copy."""
    return copy.deepcopy(model).double()
