"""Small models on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.models.one_layer_mlp import Attention, OneLayerMLP, OneLayerMLPConfig
from compact_proofs.tasks.ties import tie_outputs

KINDS = ("waves", "random", "noisy", "tied", "degenerate", "hidden")
WRITERS = ("W_E", "W_pos", "W_O", "W_out", "b_out")
"""Weights that write to the residual stream."""
ATTENTIONS: tuple[Attention, ...] = ("none", "uniform", "uniform", "learned")


def specimen(seed: int) -> Specimen:
    """Make a small float64 model (p from 2 to 13) of a kind, an architecture and a scale that depend on the seed.

    waves
        Built to add: up to three frequencies, neurons of scattered phases that write twice their phase, almost no noise.
    random
        Gaussian weights of scale 0.1 ... 3.
    noisy
        Waves with noise in one of the weights, from little to as much as structure.
    tied
        Two outputs whose logits are equal as real numbers, but not as rounded ones.
    degenerate
        Zero or huge or identical weights.
    hidden
        Waves, and one neuron that no wave explains, which decides a few pairs.
    """
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, gaussian = dice(generator)
    kind = KINDS[seed % len(KINDS)]
    attention = ATTENTIONS[seed // len(KINDS) % len(ATTENTIONS)]
    p = integer(2, 13) if kind in ("random", "degenerate") else 2 * integer(1, 6) + integer(0, 3) // 3 + 1
    K, m, heads = integer(1, 3), integer(2, 16) * 4, integer(1, 2)
    d = 6 * K + integer(0, 3)
    equals = attention != "none" and integer(0, 2) == 0
    biases = bool(integer(0, 1))
    config = OneLayerMLPConfig(p + equals, p, d, m, attention, heads, 2 * K, biases)
    if kind in ("random", "degenerate"):
        weights = gaussian_weights(config.shapes, 10 ** uniform(-1, 0.5), generator, degenerate=kind == "degenerate")
    else:
        weights = _waves(config, K, generator)
        noise = 1e-5 if kind == "tied" else 1e-9
        weights = {name: w + noise * gaussian(*w.shape) for name, w in weights.items()}
    if kind == "noisy":
        name = list(weights)[integer(0, len(weights) - 1)]
        weights[name] = weights[name] + 10 ** uniform(-2, 0) * gaussian(*weights[name].shape)
    if kind == "hidden":
        size = 10 ** uniform(-1.5, 1)
        weights["W_in"][:, 0] = gaussian(d) * size
        weights["W_out"][0] = gaussian(d) * size
    tied: tuple[int, ...] = ()
    if kind == "tied":
        tied = (p - 1, integer(0, p - 2))
        tie_outputs(weights, WRITERS, *tied)
    model = OneLayerMLP(config, dtype=torch.float64)
    model.load_state_dict(weights)
    return Specimen(model.requires_grad_(False), tied, decided_by_rounding=kind in ("tied", "degenerate"))


def _waves(config: OneLayerMLPConfig, K: int, generator: torch.Generator) -> dict[str, Tensor]:
    """K frequencies, three orthonormal planes for each: what is embedded, what the heads move it to, and what is unembedded."""
    p, d, m = config.d_out, config.d_model, config.d_mlp
    weights = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in config.shapes.items()}
    directions = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
    frequencies = (torch.randperm(max(1, p // 2), generator=generator) + 1).repeat(K)[:K]
    n = torch.arange(p, dtype=torch.float64)
    angle = 2 * math.pi / p * n[:, None] * frequencies  # [p, K]
    waves = torch.stack([angle.cos(), angle.sin()], -1).flatten(1)  # [p, 2K]
    reads, moved, writes = directions[:, : 6 * K].split(2 * K, 1)
    weights["W_E"][:p] = waves @ reads.T
    weights["W_U"] = writes @ waves.T
    if config.attention == "none":
        moved = reads
    else:
        weights["W_V"][:] = reads
        weights["W_O"][:] = moved.T * (config.n_ctx / config.n_heads)
    if config.attention == "learned":
        for name in ("W_Q", "W_K"):
            weights[name] = torch.randn(weights[name].shape, generator=generator, dtype=torch.float64) * 0.3
    cluster = torch.arange(m) % K
    spread = (torch.arange(m) // K + 0.5 * torch.rand(m, generator=generator, dtype=torch.float64)) / -(-m // K)
    phase = 2 * math.pi * spread
    strength = 1 + torch.rand(m, generator=generator, dtype=torch.float64)
    for i in range(m):
        k = 2 * int(cluster[i])
        weights["W_in"][:, i] = moved[:, k] * phase[i].cos() - moved[:, k + 1] * phase[i].sin()
        twice = 2 * phase[i]
        weights["W_out"][i] = strength[i] * (writes[:, k] * twice.cos() - writes[:, k + 1] * twice.sin())
    return weights
