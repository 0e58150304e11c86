"""Neurons that write into few directions: any group, whatever the neurons read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.indices import by_cluster
from compact_proofs.bounds.norms import norm
from compact_proofs.bounds.splitting import along
from compact_proofs.certified import Certified, Counted, whole
from compact_proofs.core.claim import largest_other
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.options import Positive
from compact_proofs.progress import track
from compact_proofs.tasks.groups.brute_force import ROWS, is_right, numbered_pairs
from compact_proofs.tasks.groups.subspaces import directions_of
from compact_proofs.tasks.groups.task import Groups, GroupStrategy


@dataclass(frozen=True)
class Directions(GroupStrategy):
    """Follow exactly what clusters of neurons write in a few directions, and bound the rest by Cauchy and Schwarz.

    Where a network computes with irreducible representations, the output weights of all neurons of one representation lie in the
    span of its matrix elements: two directions for a rotation, whatever the neurons' phases. So clusters, not neurons, are
    followed to the logits, and nothing is said of what neurons read: this also explains networks that are no G-sets, such as those
    on cyclic and dihedral groups.

    **Hints.** A cluster k for each neuron i; for each cluster q directions V_k [q, n]; scales s_i != 0; numbers A_i(x) and B_i(y).
    **Theorem**, for any hints: let h_i = ReLU(l_i(x) + r_i(y)) / |s_i|, G_i = |s_i| U_i with its mean over outputs removed (which
    moves all logits of a pair alike), and G_i = (G_i V_k^T) V_k + R_i. Then the logit of z is, but for what all outputs share,

        bias(z) + sum_k (sum_{i in k} h_i G_i V_k^T) V_k(z) + sum_i A_i(x) R_i(z) + sum_i B_i(y) R_i(z) + e(z),
        |e(z)| = |sum_i (h_i - A_i(x) - B_i(y)) R_i(z)| <= |h - A(x) - B(y)| |R(z)|.

    The pair is right if that upper bound of every other output is below the label's own logit, sum_i h_i G_i(z) + bias(z), which
    is computed exactly. A and B, the means over the other operand less half the mean of all, make the norm that of an interaction.

    Cost: (2 q + 8) m for each pair, 2 K q n for its logits, and 4 n^2 m for A and B: for few directions a part of brute force,
    which takes 2 n m for each pair. Pairs left over, if `rest`: 2 m n each.
    """

    clusters: Positive = 8
    """K, how many clusters the neurons are divided into."""
    q: Positive = 2
    """Directions that each cluster's output is followed in exactly."""
    rest: bool = True
    """Brute force on the pairs that the bounds do not prove."""

    name: ClassVar[str] = "directions"
    summary: ClassVar[str] = "ours: clusters of neurons write into q directions, the rest by Cauchy-Schwarz; any group"

    def explain(self, model: PairMLP, task: Task) -> dict[str, Tensor]:
        return directions_of(model, self.clusters, self.q)

    def specs(self, model: PairMLP, task: Task) -> dict[str, Spec]:
        n, m = model.order, model.width
        return {
            "cluster": Spec((m,), limits=(0, self.clusters - 1)),
            "directions": Spec((self.clusters, self.q, n)),
            "scale": Spec((m,)),
            "means": Spec((2, n, m)),
        }

    def verify(self, model: PairMLP, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Groups)
        n, parts = model.order, _Parts(model, explanation, self.clusters)
        table = task.group.table.to(parts.left.device)
        count, found = 0, []
        for start in track(range(0, n * n, ROWS), "pairs, in batches"):
            x, y = numbered_pairs(n, start, min(start + ROWS, n * n), device=table.device)
            right = parts.proven(x, y, table[x, y])
            if self.rest and not right.is_meta and not bool(right.all()):
                i = (~right).nonzero().flatten()
                right = right.index_put((i,), is_right(model, *parts.operands, x[i], y[i], table[x[i], y[i]]))
            with stage("comparison"):
                count += whole(right.sum())
            found.append(right)
        return Counted(count, lambda pairs: torch.cat(found)[task.numbers(pairs)])

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int:
        """m for each pair, and what the directions leave of the outputs."""
        return model.width * model.order**2 + model.order * model.width


class _Parts:
    """The network's weights, scaled and split: neurons in the order of their clusters.

    Attributes
    ----------
    operands : [n, m] each
        l and r.
    left, right : [n, m]
        The same, scaled.
    G : [m, n]
        Scaled output weights, centred.
    coordinates : K of [m_k, q]
        What neurons write in their cluster's directions.
    """

    def __init__(self, model: PairMLP, explanation: Explanation, clusters: int) -> None:
        device = model.U.device
        order, self.sizes = by_cluster(explanation["cluster"], clusters)
        self.directions = explanation["directions"].to(device)
        with stage("weights"):
            self.operands = model.left(), model.right()
            scale = explanation["scale"].to(device)[order].abs()
            self.left, self.right = (t[:, order] / scale for t in self.operands)
            self.G = (model.U - model.U.mean(1, keepdim=True))[order] * scale[:, None]
            self.bias = model.bias
        with stage("directions"):
            split = [along(G, V) for G, V in zip(self.G.split(self.sizes), self.directions, strict=True)]
            self.coordinates = [coordinates for coordinates, _ in split]
            rests = torch.cat([rest for _, rest in split])
        with stage("errors"):
            self.means = explanation["means"].to(device)[:, :, order]
            self.known = self.means @ rests  # [2, n, n]: of x and z, and of y and z
            self.size = norm(rests, 0)

    def proven(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Return bool [k]: is each pair, with its label z, provably right?"""
        with stage("hidden layer"):
            hidden = torch.relu(self.left[x] + self.right[y])
        with stage("logits"):
            neurons = zip(hidden.split(self.sizes, 1), self.coordinates, strict=True)
            followed = torch.cat([h @ c for h, c in neurons], 1)  # [k, K q]
            logits = followed @ self.directions.flatten(0, 1) + self.known[0][x] + self.known[1][y] + self.bias
            own = (hidden * self.G.mT[z]).sum(1) + self.bias[z]
        with stage("errors"):
            error = norm(hidden - self.means[0][x] - self.means[1][y], 1)
        with stage("comparison"):
            return provably(largest_other(logits + error[:, None] * self.size, z) < own)
