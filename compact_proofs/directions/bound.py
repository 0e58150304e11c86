"""The theorem: logits from what clusters of neurons write in a few directions, and a bound of what that leaves."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.bounds.splitting import along
from compact_proofs.length import stage


class Followed:
    """What neurons write, split into a few directions for each cluster and a rest.

    For neurons h_i that write G_i, in clusters k with any directions V_k [q, n]: ``G_i = (G_i V_k^T) V_k + R_i``, exactly. For any
    numbers A_i(x) and B_i(y), therefore,

        sum_i h_i G_i = sum_k (sum_{i in k} h_i G_i V_k^T) V_k + sum_i (A_i(x) + B_i(y)) R_i + sum_i (h_i - A_i(x) - B_i(y)) R_i,

    and entry z of the last sum is at most |h - A(x) - B(y)| |R(z)| (Cauchy and Schwarz). Where A and B are the means of h over y
    and over x, less half the mean over both, that is an interaction, as in an analysis of variance.

    Parameters
    ----------
    G : [m, n]
        What neurons write, in the order of their clusters.
    sizes
        Neurons of each cluster.
    directions : [K, q, n]
        V.
    means : [2, operands, m] or [2, operands, r]
        A and B, or what `factors` are multiplied by to make them.
    factors : [r, m] or None

    Making it costs 4 q n for each neuron, and 4 n for each operand and neuron; with factors 2 r n for each neuron and 4 r (m + n)
    for each operand in place of the latter.
    """

    def __init__(self, G: Tensor, sizes: list[int], directions: Tensor, means: Tensor, factors: Tensor | None = None) -> None:
        self.sizes, self.directions = sizes, directions
        with stage("directions"):
            split = [along(part, V) for part, V in zip(G.split(sizes), directions, strict=True)]
            self.coordinates = [coordinates for coordinates, _ in split]
            rests = torch.cat([rest for _, rest in split])
        with stage("rest"):
            known = rests if factors is None else factors @ rests
            self.known = means @ known  # [2, operands, n]: of x and z, and of y and z
            self.means = means if factors is None else means @ factors
            self.size = norm(rests, 0)

    def above(self, hidden: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Upper bounds of ``hidden G`` for pairs x, y [k], [k, n], and errors e [k]: it is at least those less ``2 e size``.

        Cost: (2 q + 4) m + (2 K q + 4) n for each pair.
        """
        with stage("logits"):
            parts = zip(hidden.split(self.sizes, 1), self.coordinates, strict=True)
            coordinates = torch.cat([h @ c for h, c in parts], 1)  # [k, K q]
            logits = coordinates @ self.directions.flatten(0, 1) + self.known[0][x] + self.known[1][y]
        with stage("rest"):
            error = norm(hidden - self.means[0][x] - self.means[1][y], 1)
            return logits + error[:, None] * self.size, error
