"""`Directions`: clusters of neurons that write into few directions, whatever they read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

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
from compact_proofs.options import Natural, Positive
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
    pair is right if all of these but the label's are below the label's own logit, which is computed exactly, or bounded from below
    first: it is at least its upper bound less twice the bound of its rest.

    With `rank` = r, A_i(x) = sum_j U_j(x) F_ji for hints U and F, and B alike with the same F.

    Cost: what the hidden layer takes, (2 q + 6) m and (2 K q + 6) n for each pair, 2 m less if the label's logit is bounded, and
    4 n m for each operand, or with `rank` 4 r (m + n) for each and 2 r n m: for few directions a part of brute force, which takes
    2 n m for each pair. Pairs left over, if `rest`: 2 n m each, and their hidden layers again where the tables are in doubt.
    """

    clusters: Positive = 8
    """K, how many clusters the neurons are divided into."""
    q: Positive = 2
    """Directions that each cluster's output is followed in exactly."""
    rest: bool = True
    """Brute force on the pairs that the bounds do not prove."""
    rank: Natural = 0
    """Of the numbers A_i(x) and B_i(y), as products of factors; 0: they may be any."""
    label: Literal["exact", "bounded"] = "exact"
    """The label's own logit: computed, which takes 2 m for each pair, or bounded as the others are, and computed where that proves
    nothing."""

    name: ClassVar[str] = "directions"
    summary: ClassVar[str] = "ours: clusters of neurons write into q directions, the rest by Cauchy-Schwarz; any neurons"

    @abstractmethod
    def network(self, model: Model) -> PairNetwork:
        """The model as a network on pairs, multiplied out."""

    def read(self, model: Model, explanation: Explanation) -> PairNetwork:
        """What the proof computes with: `network`, or one that an explanation helps to multiply out, with a doubt."""
        return self.network(model)

    def explain(self, model: Model, task: Task) -> dict[str, Tensor]:
        with torch.no_grad():
            return directions_of(self.network(in_double(model)), self.clusters, self.q, self.rank)

    def specs(self, model: Model, task: Task) -> dict[str, Spec]:
        n, m, outputs = self.sizes(model)
        return {
            "cluster": Spec((m,), limits=(0, self.clusters - 1)),
            "directions": Spec((self.clusters, self.q, outputs)),
            "scale": Spec((m,)),
            "means": Spec((2, n, self.rank or m)),
            **({"factors": Spec((self.rank, m))} if self.rank else {}),
        }

    @abstractmethod
    def sizes(self, model: Model) -> tuple[int, int, int]:
        """n, m and the number of outputs."""

    def verify(self, model: Model, task: Task, explanation: Explanation) -> Certified:
        proof = _Proof(self.read(model, explanation), explanation, self)
        n, device = proof.network.n, proof.network.G.device
        x, y, place = pairs(n, proof.network.alike, device=device)
        z, right = task.labels(torch.stack([x, y], 1)), []
        for start in track(range(0, len(x), ROWS), "pairs, in batches"):
            rows = slice(start, start + ROWS)
            right.append(proof.right(x[rows], y[rows], z[rows]))
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

    def __init__(self, network: PairNetwork, explanation: Explanation, options: Directions) -> None:
        order, sizes = by_cluster(explanation["cluster"], options.clusters)
        device = network.G.device
        with stage("weights"):
            scale = explanation["scale"].to(device)[order].abs()
            self.network = network.scaled(order, scale)
            self.G = self.network.G - self.network.G.mean(1, keepdim=True)
        self.options = options
        self.doubt = self.network.doubt
        if self.doubt is not None:
            with stage("doubt"):
                self.reach = self.doubt.reach(self.G)
        factors = explanation["factors"].to(device)[:, order] if options.rank else None
        means = explanation["means"].to(device) if options.rank else explanation["means"].to(device)[:, :, order]
        self.followed = Followed(self.G, sizes, explanation["directions"].to(device), means, factors)

    def right(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Return bool [k]: is each pair, with its label z, provably right? By the bounds, and then by brute force, if `rest`."""
        with stage("hidden layer"):
            hidden = torch.relu(self.network.pre(x, y))
        above, error = self.followed.above(hidden, x, y)
        with stage("logits"):
            above = above + self.network.direct(x, y)
        far = torch.zeros(0)
        if self.doubt is not None:
            with stage("doubt"):
                far = self.doubt.far.at(x, y)
                above = above + far * self.reach

        def by_label(i: Tensor | slice) -> Tensor:
            with stage("logits"):
                own = (hidden[i] * self.G.mT[z[i]]).sum(1) + self.network.direct_at(x[i], y[i], z[i])
            if self.doubt is not None:
                with stage("doubt"):
                    own = own - far[i].squeeze(1) * self.reach[z[i]]
            with stage("comparison"):
                return provably(highest[i] < own)

        def by_brute_force(i: Tensor) -> Tensor:
            with stage("brute force"):
                exact, direct = self._exactly(hidden[i], x[i], y[i])
                logits = exact @ self.G + direct
                return provably(largest_other(logits, z[i]) < logits.gather(1, z[i, None]).squeeze(1))

        with stage("comparison"):
            highest = largest_other(above, z)
        if self.options.label == "exact":
            proven = by_label(slice(None))
        else:
            with stage("comparison"):
                slack = error * self.followed.size[z]
                if self.doubt is not None:
                    slack = slack + far.squeeze(1) * self.reach[z]
                proven = provably(highest < above.gather(1, z[:, None]).squeeze(1) - 2 * slack)
            proven = _also(proven, by_label)
        return _also(proven, by_brute_force) if self.options.rest else proven

    def _exactly(self, hidden: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden neurons and the direct part of the network itself; `hidden` are those of its tables."""
        if self.doubt is None:
            return hidden, self.network.direct(x, y)
        pre, direct = self.network.exactly(x, y)
        return torch.relu(pre), direct


def _also(proven: Tensor, prove: Callable[[Tensor], Tensor]) -> Tensor:
    """Prove more of the pairs: those that are left, given by their places."""
    if proven.is_meta or bool(proven.all()):
        return proven
    i = (~proven).nonzero().flatten()
    return proven.index_put((i,), prove(i))
