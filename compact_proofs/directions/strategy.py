"""`Directions`: clusters of neurons that write into few directions, whatever they read."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.indices import by_cluster
from compact_proofs.certified import Certified, Counted, whole
from compact_proofs.core.claim import largest_other
from compact_proofs.core.strategy import Explanation, Model, Spec, Strategy
from compact_proofs.directions.bound import Followed
from compact_proofs.directions.network import PairNetwork
from compact_proofs.directions.search import directions_of
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import address_table, stage
from compact_proofs.models.weights import in_double
from compact_proofs.options import Positive
from compact_proofs.progress import track

ROWS = 4096
"""Pairs looked at at once."""


@dataclass(frozen=True)
class Directions(Strategy[Model]):
    """Follow exactly what clusters of neurons write in a few directions, and bound the rest by Cauchy and Schwarz.

    Where a network computes with irreducible representations (on cyclic groups: waves), the output weights of all neurons of one
    representation lie in the span of its matrix elements: two directions for a rotation, whatever the neurons' phases. So clusters,
    not neurons, are followed to the logits, and nothing is said of what neurons read: attention may depend on the input.

    **Hints.** A cluster k for each neuron i; for each cluster q directions V_k; scales s_i != 0; numbers A_i(x) and B_i(y).
    **Theorem**, for any hints: take the neurons h_i = ReLU(pre_i(x, y)) / |s_i|; they write |s_i| times what the network's write,
    less its mean over outputs, which moves all logits of a pair alike. `bound.Followed` bounds every output's logit from above. A
    pair is right if all of these but the label's are below the label's own logit, which is computed exactly.

    Cost: what the hidden layer takes, (2 q + 6) m and (2 K q + 6) n for each pair, 4 n m for each operand: for few directions a
    part of brute force, which takes 2 n m for each pair. Pairs left over, if `rest`: 2 n m each.
    """

    clusters: Positive = 8
    """K, how many clusters the neurons are divided into."""
    q: Positive = 2
    """Directions that each cluster's output is followed in exactly."""
    rest: bool = True
    """Brute force on the pairs that the bounds do not prove."""

    name: ClassVar[str] = "directions"
    summary: ClassVar[str] = "ours: clusters of neurons write into q directions, the rest by Cauchy-Schwarz; any neurons"

    @abstractmethod
    def network(self, model: Model) -> PairNetwork:
        """The model as a network on pairs, multiplied out."""

    def explain(self, model: Model, task: Task) -> dict[str, Tensor]:
        with torch.no_grad():
            return directions_of(self.network(in_double(model)), self.clusters, self.q)

    def specs(self, model: Model, task: Task) -> dict[str, Spec]:
        n, m, outputs = self.sizes(model)
        return {
            "cluster": Spec((m,), limits=(0, self.clusters - 1)),
            "directions": Spec((self.clusters, self.q, outputs)),
            "scale": Spec((m,)),
            "means": Spec((2, n, m)),
        }

    @abstractmethod
    def sizes(self, model: Model) -> tuple[int, int, int]:
        """n, m and the number of outputs."""

    def verify(self, model: Model, task: Task, explanation: Explanation) -> Certified:
        proof = _Proof(self.network(model), explanation, self.clusters)
        n, device = proof.network.n, proof.network.G.device
        x, y, place = pairs(n, proof.network.alike, device=device)
        z, right = task.labels(torch.stack([x, y], 1)), []
        for start in track(range(0, len(x), ROWS), "pairs, in batches"):
            rows = slice(start, start + ROWS)
            right.append(proof.right(x[rows], y[rows], z[rows], self.rest))
        found = torch.cat(right)
        with stage("comparison"):
            count = found.sum() + (found & (x < y)).sum() if proof.network.alike else found.sum()
        return Counted(whole(count), lambda inputs: found[place[task.numbers(inputs)]])

    def unexplained_dimension(self, model: Model, task: Task) -> int:
        """m for each pair, and what the directions leave of the outputs."""
        n, m, outputs = self.sizes(model)
        return m * n * n + m * outputs


@address_table
def pairs(n: int, unordered: bool) -> tuple[Tensor, Tensor, Tensor]:
    """x and y of all pairs in lexicographic order, or of those with x <= y; and where each pair stands among them, [n^2]."""
    number = torch.arange(n * n)
    x, y = number // n, number % n
    if not unordered:
        return x, y, number
    kept = x <= y
    place = torch.cumsum(kept, 0) - 1
    return x[kept], y[kept], place[torch.minimum(x, y) * n + torch.maximum(x, y)]


class _Proof:
    """A network with scaled neurons in the order of their clusters, and what they write, split."""

    def __init__(self, network: PairNetwork, explanation: Explanation, clusters: int) -> None:
        order, sizes = by_cluster(explanation["cluster"], clusters)
        device = network.G.device
        with stage("weights"):
            scale = explanation["scale"].to(device)[order].abs()
            self.network = network.scaled(order, scale)
            self.G = self.network.G - self.network.G.mean(1, keepdim=True)
        means = explanation["means"].to(device)[:, :, order]
        self.followed = Followed(self.G, sizes, explanation["directions"].to(device), means)

    def right(self, x: Tensor, y: Tensor, z: Tensor, rest: bool) -> Tensor:
        """Return bool [k]: is each pair, with its label z, provably right? By the bounds, and then by brute force, if `rest`."""
        with stage("hidden layer"):
            hidden = torch.relu(self.network.pre(x, y))
        above = self.followed.above(hidden, x, y)
        with stage("logits"):
            above = above + self.network.direct(x, y)
            own = (hidden * self.G.mT[z]).sum(1) + self.network.direct_at(x, y, z)
        with stage("comparison"):
            proven = provably(largest_other(above, z) < own)
        if not rest or proven.is_meta or bool(proven.all()):
            return proven
        i = (~proven).nonzero().flatten()
        with stage("brute force"):
            logits = hidden[i] @ self.G + self.network.direct(x[i], y[i])
            return proven.index_put((i,), provably(largest_other(logits, z[i]) < logits.gather(1, z[i, None]).squeeze(1)))
