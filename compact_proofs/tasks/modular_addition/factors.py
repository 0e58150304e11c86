"""Searching a projected network for its ideal neurons: wave coefficients, rank-2 factors, kinks. Free and untrusted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.core.strategy import finite
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.searches import rank_two
from compact_proofs.tasks.modular_addition.projection import fourier_rows
from compact_proofs.tasks.modular_addition.search import folded_in_float64, main_frequencies, nearest_frequency


def explain_layer(model: OneLayerMLP, K: int) -> dict[str, Tensor]:
    """Find the hints of the strategy `Kinks`: see `layer.layer_specs`."""
    model = in_double(model).requires_grad_(False)
    folded, p, d = folded_in_float64(model), model.p, model.config.d_model
    frequencies = main_frequencies(folded, K)
    cluster = nearest_frequency(folded, frequencies)
    rows = fourier_rows(frequencies, p) * (2 / p)
    embedding, unembedding = rows @ model.W_E[:p], rows @ model.W_U.T  # [2K, d]
    read = embedding
    if model.config.attention != "none":
        read = (embedding @ model.values) @ model.outputs / model.config.n_ctx
    found = {
        name: torch.zeros(shape, dtype=torch.float64)
        for name, shape in {
            "reads": (2, len(cluster)),
            "read_basis": (K, 2, d),
            "writes": (2, len(cluster)),
            "write_basis": (K, 2, d),
        }.items()
    }
    kappa = torch.zeros(2, len(cluster), dtype=torch.float64)
    for k in range(K):
        mine = (cluster == k).nonzero().flatten()
        if len(mine):
            found["reads"][:, mine], found["read_basis"][k] = rank_two(model.W_in[:, mine].T)
            found["writes"][:, mine], found["write_basis"][k] = rank_two(model.W_out[mine])
        kappa[:, mine] = read[2 * k : 2 * k + 2] @ found["read_basis"][k].T @ found["reads"][:, mine]
    # kappa = amplitude (-sin kink, cos kink), kink in [0, pi)
    kink = torch.remainder(torch.atan2(-kappa[0], kappa[1]), math.pi)
    amplitude = kappa[1] * kink.cos() - kappa[0] * kink.sin()
    reals = found | {
        "embedding": embedding.reshape(K, 2, d),
        "unembedding": unembedding.reshape(K, 2, d),
        "kink": kink,
        "amplitude": amplitude,
    }
    return {"frequencies": frequencies, "cluster": cluster} | {name: finite(t) for name, t in reals.items()}
