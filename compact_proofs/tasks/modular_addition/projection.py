"""Networks whose structure is exact: every neuron reads and writes one frequency. Projecting to them, writing them canonically."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.search import folded_in_float64, importance, nearest_frequency

NEGLIGIBLE = 0.02
"""Frequencies that matter less than this share of the most important one are dropped."""
RANK_TOLERANCE = 1e-5
"""Relative size of singular values that count as zero."""


def fourier_rows(frequencies: Tensor, p: int) -> Tensor:
    """Rows cos(2 pi k n / p), sin(2 pi k n / p) for each of K frequencies: float64 [2K, p]. Each has the squared norm p / 2."""
    angle = (frequencies[:, None] * torch.arange(p) % p).double() * (2 * torch.pi / p)
    return torch.stack([angle.cos(), angle.sin()], 1).reshape(-1, p)


def used_frequencies(model: OneLayerMLP, at_most: int | None = None) -> Tensor:
    """The frequencies that a model uses, ascending, without negligible ones and at most so many."""
    weight = importance(folded_in_float64(model))
    count = int((weight > NEGLIGIBLE * weight.max()).sum())
    return weight.topk(count if at_most is None else min(count, at_most)).indices.sort().values


class Projection:
    """Projects a model, in place, to the networks in which every neuron reads and writes one frequency.

    Afterwards W_E and W_U hold K frequencies only; biases and W_pos are zero; each neuron reads (through the attention, if there is
    one) nothing of the other frequencies, and nothing that the embedding itself puts into the residual stream; it writes nothing to
    the other frequencies' logits; and what the MLP reads reaches no logit past it. The frequencies and the neurons' clusters are
    those of the model it was made from.

    Raises
    ------
    BadInput
        If the model's attention is learned or reads an "=" sign, for which there is no such form here.
    """

    def __init__(self, model: OneLayerMLP, at_most: int | None = None) -> None:
        if model.config.attention == "learned" or model.config.n_ctx != 2:
            raise BadInput("only models that sum embeddings or attend uniformly to two tokens can be projected")
        self.frequencies = used_frequencies(model, at_most)
        self.cluster = nearest_frequency(folded_in_float64(model), self.frequencies)
        self.rows = fourier_rows(self.frequencies, model.p)

    @torch.no_grad()
    def __call__(self, model: OneLayerMLP) -> None:
        """Project the weights of a model, which need not be the one that this was made from."""
        rows = self.rows.to(model.W_E.dtype)
        weight = 2 / model.p
        model.W_E.copy_(rows.T @ (rows @ model.W_E) * weight)
        model.W_U.copy_((model.W_U @ rows.T) @ rows * weight)
        embedding, unembedding = rows @ model.W_E, model.W_U @ rows.T  # [2K, d], [d, 2K]
        attends = model.config.attention == "uniform"
        for name in ("W_pos", "b_in", "b_out"):
            if hasattr(model, name):
                getattr(model, name).zero_()
        read = (embedding @ model.values) @ model.outputs if attends else embedding
        if attends:
            basis = _row_basis(torch.cat([embedding, read]))
            model.W_U -= basis.T @ (basis @ model.W_U)
            unembedding = model.W_U @ rows.T
        for k in range(len(self.frequencies)):
            mine = (self.cluster == k).nonzero().flatten()
            others = torch.tensor([i for i in range(len(rows)) if i // 2 != k], dtype=torch.int64)
            avoided = torch.cat([embedding, read[others]]) if attends else read[others]
            basis = _row_basis(avoided)
            model.W_in[:, mine] -= basis.T @ (basis @ model.W_in[:, mine])
            basis = _row_basis(unembedding[:, others].T)
            model.W_out[mine] -= (model.W_out[mine] @ basis.T) @ basis

    @torch.no_grad()
    def canonicalise(self, model: OneLayerMLP) -> None:
        """Write a projected model with the least weights: the same function, up to rounding, W_in and W_out of rank 2 by cluster.

        What a neuron reads of its own frequency (two numbers) and writes to it (two numbers) is kept, and everything else of its
        weights, which nothing reaches, is removed.
        """
        rows = self.rows.to(model.W_E.dtype)
        weight = 2 / model.p
        embedding, unembedding = rows @ model.W_E * weight, model.W_U @ rows.T * weight
        attends = model.config.attention == "uniform"
        read = (embedding @ model.values) @ model.outputs / 2 if attends else embedding
        own = torch.zeros(len(self.frequencies), 2, len(self.cluster), dtype=rows.dtype)
        own[self.cluster, :, torch.arange(len(self.cluster))] = 1
        own = own.flatten(0, 1)
        kappa, gamma = own * (read @ model.W_in), own.T * (model.W_out @ unembedding)
        reach = torch.linalg.pinv(torch.cat([read, embedding]) if attends else embedding, rtol=RANK_TOLERANCE)[:, : len(rows)]
        model.W_in.copy_(reach @ kappa)
        model.W_out.copy_(gamma @ torch.linalg.pinv(unembedding, rtol=RANK_TOLERANCE))


def _row_basis(matrix: Tensor) -> Tensor:
    """Orthonormal rows that span those of a matrix, whose own lengths do not matter."""
    if not len(matrix):
        return matrix
    unit = matrix / matrix.norm(dim=1, keepdim=True).clamp(min=1e-12)
    _, size, Vh = torch.linalg.svd(unit, full_matrices=False)
    return Vh[size > RANK_TOLERANCE * size[0]]


def is_projected(model: OneLayerMLP) -> bool:
    """Whether a model's embeddings hold the used frequencies and (up to 1e-4 of their size) nothing else."""
    rows = fourier_rows(used_frequencies(model), model.p)
    with torch.no_grad():
        parts = [model.W_E[: model.p].double(), model.W_U.T.double()]
        rests = [W - rows.T @ (rows @ W) * (2 / model.p) for W in parts]
        return all(float(rest.norm()) <= 1e-4 * float(W.norm()) for rest, W in zip(rests, parts, strict=True))
