"""The search for clusters of neurons whose output weights lie in few dimensions. Free and untrusted."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.core.strategy import finite
from compact_proofs.directions.network import PairNetwork

RESTARTS = 24
"""Divisions that the search starts from, each drawn anew."""
STEPS = 60
"""Times that neurons may change their cluster, from each."""
SMALLEST = 1e-9
"""Relative size below which a number is not divided by."""


def directions_of(network: PairNetwork, clusters: int, q: int, rank: int) -> dict[str, Tensor]:
    """Find the hints of `compact_proofs.directions.Directions` for a network in float64.

    Neurons are divided by k-means with subspaces for means, each weighed by how much it depends on both operands together; that
    is also what the scales balance against the part of its outputs that the directions leave.
    """
    of_x, of_y, mean, spread = _interactions(network)
    G = network.G - network.G.mean(1, keepdim=True)
    cluster, directions = divided(finite(G * spread[:, None]), clusters, q)
    rest = G.clone()
    for k, V in enumerate(directions):
        rest[cluster == k] -= G[cluster == k] @ V.mT @ V
    scale = finite((_floored(spread) / _floored(rest.square().mean(1).sqrt())).sqrt()).clamp(min=SMALLEST)
    means = torch.stack([of_x - mean / 2, of_y - mean / 2]) / scale
    found = {"cluster": cluster, "directions": finite(directions), "scale": scale}
    if not rank:
        return found | {"means": finite(means)}
    factors = _leading(finite(means).flatten(0, 1), rank, means.shape[2])
    return found | {"means": finite(means @ factors.mT), "factors": finite(factors)}


def _interactions(network: PairNetwork) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Means of the neurons over y [n, m], over x [n, m] and over both [m], and the deviation of what is left of each neuron [m]."""
    every = torch.arange(network.n)
    of_x, of_y, squares = [], torch.zeros(1), torch.zeros(1)
    for x in every:
        hidden = torch.relu(network.pre(x.expand(network.n), every))  # [n, m]
        of_x.append(hidden.mean(0))
        of_y, squares = of_y + hidden / network.n, squares + hidden.square().mean(0) / network.n
    rows = torch.stack(of_x)
    mean = rows.mean(0)
    variance = squares - mean.square() - (rows - mean).square().mean(0) - (of_y - mean).square().mean(0)
    return rows, of_y, mean, variance.clamp(min=0).sqrt()


def divided(rows: Tensor, clusters: int, q: int) -> tuple[Tensor, Tensor]:
    """Divide rows [m, n] into clusters that lie near a subspace of q dimensions each: k-means with subspaces for means.

    Returns
    -------
    cluster : int64 [m]
    directions : [clusters, q, n]
        An orthonormal basis of each subspace, filled up with zeros where n < q.
    """
    m, n = rows.shape
    generator = torch.Generator().manual_seed(0)
    best, least = None, float("inf")
    for _ in range(RESTARTS):
        cluster = torch.randint(clusters, (m,), generator=generator)
        for _ in range(STEPS):
            directions = torch.stack([_leading(rows[cluster == k], q, n) for k in range(clusters)])
            left = rows.square().sum(1) - (directions @ rows.T).square().sum(1)  # [clusters, m]
            value, nearest = left.min(0)
            if torch.equal(nearest, cluster):
                break
            cluster = nearest
        directions = torch.stack([_leading(rows[cluster == k], q, n) for k in range(clusters)])
        if best is None or float(value.sum()) < least:
            best, least = (cluster, directions), float(value.sum())
    assert best is not None
    return best


def _leading(rows: Tensor, q: int, n: int) -> Tensor:
    """The q directions in which rows are largest, [q, n]."""
    found = torch.zeros(q, n, dtype=rows.dtype)
    if len(rows):
        V = torch.linalg.svd(rows, full_matrices=False).Vh[:q]
        found[: len(V)] = V
    return found


def _floored(sizes: Tensor) -> Tensor:
    """Sizes, none of them nearly 0 beside the largest."""
    return sizes.clamp(min=SMALLEST * (float(sizes.max()) or 1.0))
