"""Bounds of the distance between a network and its ideal one for single pairs (x, y): see `gsets.GSets`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from compact_proofs.claim import largest_other
from compact_proofs.enclosure import lower, provably
from compact_proofs.length import stage
from compact_proofs.tasks.groups.compared import Compared
from compact_proofs.tasks.groups.errors import Sums, distances, explained_sums, norm, output_differences, spread
from compact_proofs.tasks.groups.separate import Separate

Bound = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From x, y and xy [r] to bool [r]: for which pairs the margin is proven to be positive."""


class Outputs:
    """The bound of `GSets` for every output, for any pairs."""

    def __init__(self, c: Compared, sums: Sums) -> None:
        self.ideal, self.apart = c.ideal, sums.apart
        with stage("outputs"):
            self.left, self.right = sums.moved[0], sums.moved[1] + sums.constant
        self.errors = sums.error + c.unexplained()

    def __call__(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        with stage("outputs"):
            logits = self.ideal.at(x, y) + self.left[x] + self.right[y]
            own = logits.gather(1, z[:, None]).squeeze(1) - self.errors[0, x] - self.errors[1, y]
            return provably(largest_other(logits + self.apart[z], z) < own)


class LowRank:
    """The low-rank bound of `GSets`, for any pairs."""

    def __init__(self, c: Compared, basis: Tensor) -> None:
        circuits = c.circuits
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
            # Whatever x and y, they permute the ideal neurons.
            ideal_rest = norm(torch.relu(circuits.inputs)) * norm(spread(S))
            self.linear = None
            if circuits.linear is not None:
                linear = lower(circuits.linear @ basis.T)
                self.linear = circuits.left[circuits.b].T @ linear, circuits.right[circuits.c].T @ linear  # [n, q] of x, of y
                ideal_rest = ideal_rest + norm(circuits.inputs) * norm(spread(circuits.linear - linear @ basis))
            # R of the neurons with readings, U of all others.
            place = {i: len(c.output) + p for p, i in enumerate(used)}
            output = torch.cat([c.output, R])[[place.get(i, i) for i in range(len(c.output))]]
            self.reach = distances(basis).amax()
        nothing = replace(circuits, output=circuits.alpha.new_zeros(circuits.output.shape), linear=None)
        read = circuits.share[:, None] * output[circuits.neurons]
        rest = explained_sums(c.readings()[0], read, shift, nothing).separate()
        self.room = c.margin - Separate(rest.sides + c.unexplained(output), rest.constant + ideal_rest)

    def __call__(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        with stage("hidden layers"):
            real = torch.relu(self.inputs[0, x] + self.inputs[1, y])
            ideal = self.ideal_hidden[self.image_b[x], self.image_c[y]]
        with stage("distances"):
            e = real @ self.real + self.bias - ideal @ self.ideal
            if self.linear is not None:
                e = e - self.linear[0][x] - self.linear[1][y]
            return provably(norm(e, 1) * self.reach < self.room.at(x, y))


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
            away = spread(c.bias) + K * norm(torch.relu(u)) + L * norm(u)
        self.room = c.margin - Separate(c.unexplained(), away)

    def __call__(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        with stage("hidden layers"):
            real = torch.relu(self.inputs[0, x] + self.inputs[1, y])
            ideal = torch.relu(self.factor * (self.ideal_sides[0, x] + self.ideal_sides[1, y]))
        with stage("distances"):
            return provably(norm(real - ideal, 1) * self.reach < self.room.at(x, y))
