"""Small models of two to four layers on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

import torch

from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.tasks.ties import tie_outputs

KINDS = ("random", "good", "weak", "noisy", "tied", "degenerate")
SIZES = ((4, 4, 2), (4, 4, 3), (5, 5, 3), (5, 5, 4))
"""(d_vocab, n_ctx, layers), at most 360 inputs."""


def specimen(seed: int) -> Specimen:
    """Make a small float64 model of a kind and a size that depend on the seed.

    random
        Gaussian weights of scale 0.1 ... 3.
    good
        A chain of copies by construction, with little noise.
    weak
        The same with attention that is barely sharp enough, so that the bounds of leak and match decide.
    noisy
        The same with so much noise that some proofs fail.
    tied
        Two outputs whose logits are equal as real numbers, but not as rounded ones.
    degenerate
        Zero or huge or identical weights.
    """
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, _ = dice(generator)
    kind = KINDS[seed % len(KINDS)]
    D, n, layers = SIZES[integer(0, len(SIZES) - 1)]
    if kind in ("random", "degenerate"):
        config = AttentionStackConfig(D, n, d_model=6, d_head=4, n_layers=layers)
        model = AttentionStack(config, torch.float64).requires_grad_(False)
        model.load_state_dict(gaussian_weights(config.shapes, 10 ** uniform(-1, 0.5), generator, degenerate=kind == "degenerate"))
        return Specimen(model, decided_by_rounding=kind == "degenerate")
    sharp = (uniform(3, 7), uniform(4, 12), uniform(2, 4)) if kind == "weak" else (30.0, 30.0, 5.0)
    noise = 10 ** (uniform(-3, -0.5) if kind == "noisy" else uniform(-6, -3))
    model = constructed(D, n, layers, *sharp, noise=noise, seed=seed)
    if kind != "tied":
        return Specimen(model)
    tied, weights = (D - 1, integer(0, D - 2)), model.state_dict()
    tie_outputs(weights, [name for name in weights if name in ("W_E", "W_pos") or name.endswith("W_O")], *tied)
    model.load_state_dict(weights)
    return Specimen(model, tied, decided_by_rounding=True)


def constructed(
    D: int,
    n: int,
    layers: int,
    copying: float = 30.0,
    matching: float = 30.0,
    strength: float = 5.0,
    noise: float = 0.0,
    seed: int = 0,
) -> AttentionStack:
    """Build a float64 model of lagged induction whose layers copy into directions of their own.

    Parameters
    ----------
    copying, matching, strength
        Attention score of the place before, score of a match, logit of the token found.
    noise
        Standard deviation of Gaussian noise on every weight.
    """
    blocks = 2 + layers  # tokens, places, a block for each copying layer, outputs
    config = AttentionStackConfig(D, n, d_model=(blocks - 1) * D + n, d_head=max(D, n), n_layers=layers)
    model = AttentionStack(config, torch.float64).requires_grad_(False)
    one, scale = torch.eye(D, dtype=torch.float64), config.d_head**0.5
    token, place = slice(0, D), slice(D, D + n)
    copy = [token, *(slice(D + n + j * D, 2 * D + n + j * D) for j in range(layers - 1))]
    output = slice(config.d_model - D, config.d_model)
    model.W_E[:, token], model.W_pos[:, place], model.W_U[output] = one, torch.eye(n, dtype=torch.float64), strength * one
    for layer in range(layers - 1):
        head = model.head(layer)
        head.W_Q[D + 1 : D + n, : n - 1] = copying * scale * torch.eye(n - 1, dtype=torch.float64)
        head.W_K[place, :n] = torch.eye(n, dtype=torch.float64)
        head.W_V[copy[layer], :D] = one
        head.W_O[:D, copy[layer + 1]] = one
    head = model.head(layers - 1)
    head.W_Q[token, :D] = matching * scale * one
    head.W_K[copy[-1], :D] = one
    head.W_K[D : D + layers - 1, :D] = -1  # places that copy place 0 must not be found
    head.W_V[token, :D] = one
    head.W_O[:D, output] = one
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data += noise * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return model
