"""Searching a model's weights for explanations: frequencies, clusters of neurons, waves, directions. Free and untrusted."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.core.strategy import finite
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.tasks.modular_addition.folding import Folded, fold

SMALLEST = 1e-9
"""Relative size below which a number is not divided by."""


def folded_in_float64(model: OneLayerMLP) -> Folded:
    """The folded tables of a float64 copy, outputs centred."""
    with torch.no_grad():
        f = fold(in_double(model))
        return f._replace(G=f.G - f.G.mean(1, keepdim=True))


def spectrum(f: Folded) -> Tensor:
    """Each neuron's mean Fourier coefficient over both tokens: complex [p // 2 + 1, m], such that x = 2 Re sum_k c_k e^(iwn) +
    mean."""
    return (torch.fft.rfft(f.L, dim=0) + torch.fft.rfft(f.R, dim=0)) / (2 * len(f.L))


def importance(f: Folded) -> Tensor:
    """How much each frequency matters [p // 2 + 1]: the size that its neurons read times the size that they write, summed."""
    size = spectrum(f).abs()
    size[0] = 0
    best, k = size.max(0)
    return torch.zeros(len(size), dtype=size.dtype).index_add(0, k, best * f.G.std(1))


def main_frequencies(f: Folded, K: int) -> Tensor:
    """The K frequencies that matter most, ascending, int64 [K]; repeated if there are fewer."""
    top = importance(f)[1:].topk(min(K, len(f.L) // 2)).indices + 1
    return torch.cat([top, top[:1].expand(K - len(top))]).sort().values


def nearest_frequency(f: Folded, frequencies: Tensor) -> Tensor:
    """For each neuron, which of the frequencies [K] it reads most: int64 [m]."""
    return spectrum(f)[frequencies].abs().argmax(0)


def explain_clusters(model: OneLayerMLP, K: int, q: int) -> dict[str, Tensor]:
    """Find the hints of the strategy `Clusters`.

    Waves are the neurons' own Fourier coefficients; directions are the leading singular vectors of each cluster's outputs, neurons
    weighed by how much of their input their wave leaves; the scale balances what is left of inputs and of outputs.
    """
    f = folded_in_float64(model)
    p, m = f.L.shape
    frequencies = main_frequencies(f, K)
    cluster = nearest_frequency(f, frequencies)
    n = torch.arange(p, dtype=torch.float64)
    z = 2 * spectrum(f)[frequencies[cluster], torch.arange(m)]
    wave = torch.stack([z.real, -z.imag])
    angle = 2 * torch.pi / p * n[:, None] * frequencies[cluster]
    ideal = wave[0] * angle.cos() + wave[1] * angle.sin()
    rest_L, rest_R = f.L - ideal, f.R - ideal
    # mean over pairs of (rest_L[a] + rest_R[b])^2
    left = (rest_L.square().mean(0) + rest_R.square().mean(0) + 2 * rest_L.mean(0) * rest_R.mean(0)).clamp(min=0).sqrt()
    directions = torch.zeros(K, q, p, dtype=torch.float64)
    rest_G = f.G.clone()
    for k in range(K):
        mine = cluster == k
        V = torch.linalg.svd(finite(f.G[mine] * left[mine, None]), full_matrices=False).Vh[:q]
        directions[k, : len(V)] = V
        rest_G[mine] -= f.G[mine] @ V.T @ V
    written = rest_G.square().mean(1).sqrt()
    largest = float(left.max()) or 1.0
    scale = (left.clamp(min=SMALLEST * largest) / written.clamp(min=SMALLEST * (float(f.G.abs().max()) or 1.0))).sqrt()
    return {
        "frequencies": frequencies,
        "cluster": cluster,
        "wave": finite(wave),
        "directions": finite(directions),
        "scale": finite(scale.clamp(min=1e-3 * float(scale.max()))),
    }
