"""Planar networks: clusters of neurons that read a plane of the residual stream each, and write one. Finding them, and projecting
to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.core.strategy import finite
from compact_proofs.directions.search import divided
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.searches import rank_two
from compact_proofs.tasks.modular_addition.reading import reader
from compact_proofs.tasks.modular_addition.waves import pairs

IN_PLANE = 1e-4
"""How far from a plane the unit vector of a row may be that lies in it, but for rounding."""
UNLIKE = 1e-2
"""How far apart two unit vectors are at least that say which plane they span."""
NEURONS = 16
"""At least so many neurons for each plane, as a mean, have networks that are taken for planar."""
COORDINATES = 32
"""Directions of the residual stream that clusters are found in, those that the neurons read most."""
SMALLEST = 1e-6
"""Relative size of what is not divided by."""


def plane_hints(model: OneLayerMLP, K: int, N: int) -> dict[str, Tensor]:
    """Find the hints of the strategy `Planes`: the planes of a planar network, else some that its neurons lie near."""
    model = in_double(model).requires_grad_(False)
    d, m = model.config.d_model, model.config.d_mlp
    cluster = common_planes(model.W_in.T, K)
    if cluster is None:
        cluster = near_planes(model, K)
    zeros = {"read_basis": (K, 2, d), "reads": (2, m), "write_basis": (K, 2, d), "writes": (2, m)}
    found = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in zeros.items()}
    for k in range(K):
        mine = (cluster == k).nonzero().flatten()
        if len(mine):
            found["reads"][:, mine], found["read_basis"][k] = rank_two(model.W_in[:, mine].T)
            found["writes"][:, mine], found["write_basis"][k] = rank_two(model.W_out[mine])
    some = cluster.unique()
    found["read_basis"][[k for k in range(K) if k not in some]] = found["read_basis"][some[0]].clone()  # any will do
    found = {name: finite(t) for name, t in found.items()}
    a, b = pairs(model.p)[:2]
    f = reader(model)(found["read_basis"].flatten(0, 1).T).at(a, b).reshape(-1, K, 2)
    angle = torch.atan2(f[..., 1], f[..., 0]).nan_to_num(nan=0.0)
    arc = torch.round(angle * (N / (2 * math.pi))).to(torch.int64).remainder(N)
    return {"cluster": cluster, "arc": arc} | found


def common_planes(rows: Tensor, most: int) -> Tensor | None:
    """Divide rows [m, d] among at most so many planes that hold all of them, int64 [m]; None if they do not lie in so few.

    One plane after another, through a row that is left and the one with which it spans a plane of the most rows.
    """
    size = rows.norm(dim=1)
    left = size > SMALLEST * size.max()
    unit = rows / size.clamp(min=1e-300)[:, None]
    cosine = unit @ unit.T
    cluster = torch.zeros(len(rows), dtype=torch.int64)
    for k in range(most):
        if not left.any():
            return cluster
        g = cosine[int(left.to(torch.int64).argmax())]
        far = 1 - g.square()  # of each row j from the first one, squared
        along = (cosine - g[:, None] * g).square() / far.clamp(min=UNLIKE**2)[:, None]
        within = (far[None] - along <= IN_PLANE**2) & left & (far[:, None] >= UNLIKE**2)  # [j, row]
        chosen = within[(within.sum(1) * left).argmax()] | (left & (far <= IN_PLANE**2))
        cluster[chosen] = k
        left = left & ~chosen
    return None if left.any() else cluster


def near_planes(model: OneLayerMLP, K: int) -> Tensor:
    """Divide the neurons of a float64 network into K clusters that nearly read a plane each, int64 [m]; those that write more weigh
    more."""
    root = _root(model)[0]
    rows = finite((root @ model.W_in).T * _weight(model)[:, None])
    main = torch.linalg.svd(rows, full_matrices=False).Vh[:COORDINATES]
    return divided(rows @ main.T, K, 2)[0]


def planes_of(model: OneLayerMLP) -> int:
    """How many planes a planar network's neurons read; 0 for another network, and where the planes are many (`NEURONS`)."""
    exact = in_double(model).requires_grad_(False)
    cluster = common_planes(exact.W_in.T, model.config.d_mlp // NEURONS)
    if cluster is None or (model.config.biases and float(exact.b_in.norm()) > IN_PLANE * float(exact.W_in.norm())):
        return 0
    for k in cluster.unique():
        size = torch.linalg.svdvals(exact.W_out[cluster == k])
        if len(size) > 2 and size[2] > IN_PLANE * size[0]:
            return 0
    return int(cluster.max()) + 1


class PlanarProjection:
    """Projects a model, in place, to the networks in which each of K clusters of neurons reads a plane and writes a plane.

    b_in is zero afterwards. Of what neurons of a cluster read and write, the two directions are kept that change the logits most:
    in the scale of the residual stream, by what they write, and in that of W_U, by what they read. The clusters and the scales are
    those of the model it was made from.
    """

    def __init__(self, model: OneLayerMLP, K: int) -> None:
        exact = in_double(model).requires_grad_(False)
        self.cluster, self.weight = near_planes(exact, K), _weight(exact)
        self.root, self.inverse = _root(exact)
        W_U = exact.W_U - exact.W_U.mean(1, keepdim=True)
        self.axes, size, _ = torch.linalg.svd(W_U, full_matrices=False)
        self.size = size.clamp(min=SMALLEST * float(size[0]))

    @torch.no_grad()
    def __call__(self, model: OneLayerMLP) -> None:
        """Project the weights of a model, which need not be the one that this was made from."""
        read = self.root @ model.W_in.double()
        write = model.W_out.double() @ self.axes * self.size
        for k in self.cluster.unique():
            mine = self.cluster == k
            plane = torch.linalg.svd(read[:, mine] * self.weight[mine], full_matrices=False).U[:, :2]
            model.W_in[:, mine] = (self.inverse @ (plane @ (plane.T @ read[:, mine]))).to(model.W_in.dtype)
            weighed = write[mine] * read[:, mine].norm(dim=0)[:, None]
            kept = torch.linalg.svd(weighed, full_matrices=False).Vh[:2]
            model.W_out[mine] = ((write[mine] @ kept.T) @ kept / self.size @ self.axes.T).to(model.W_out.dtype)
        if model.config.biases:
            model.b_in.zero_()


def _root(model: OneLayerMLP) -> tuple[Tensor, Tensor]:
    """R with R^T R = sum of z^T z over all pairs, z the residual stream, and its inverse; directions without z count as small."""
    z = reader(model)(torch.eye(model.config.d_model, dtype=torch.float64)).at(*pairs(model.p)[:2])
    squares, axes = torch.linalg.eigh(finite(z.T @ z))
    size = squares.clamp(min=SMALLEST * float(squares[-1])).sqrt()
    return size[:, None] * axes.T, axes / size


def _weight(model: OneLayerMLP) -> Tensor:
    """How much each neuron of a float64 network writes to the logits: [m]."""
    G = model.W_out @ model.W_U
    return (G - G.mean(1, keepdim=True)).norm(dim=1)
