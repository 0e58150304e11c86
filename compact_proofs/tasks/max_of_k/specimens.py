"""Small models on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks.ties import tie_outputs

KINDS = ("random", "good", "noisy", "tied", "degenerate", "parabola")
WRITERS = ("W_E", "W_pos", "W_O")
"""Weights that write to the residual stream."""


def specimen(seed: int) -> Specimen:
    """Make a small float64 model (d_vocab 3-8, n_ctx 2-4) of a kind and a scale that depend on the seed.

    random
        Gaussian weights of scale 0.1 ... 3.
    good
        Built to name the maximum (attention grows with the token, the value writes its own logit), with little noise.
    noisy
        The same with as much noise as structure: most proofs hold for some sequences and fail for others.
    tied
        Two outputs whose logits are equal as real numbers, but not as rounded ones.
    parabola
        The value writes the token's number into one direction, in which the outputs' logits are parabolas.
    degenerate
        Zero or huge or identical weights.

    Every second model of a kind has embeddings an eighth as long, and what attention reads of them eight times as strong: the same
    function but for a weaker direct path, which proofs that bound it by norms can then bear.
    """
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, gaussian = dice(generator)
    tied: tuple[int, ...] = ()
    kind = KINDS[seed % len(KINDS)]
    v, K = integer(3, 8), integer(2, 4)
    if v**K > 1500:
        K -= 1
    d = 2 * v + 1
    config = AttentionOnlyConfig(d_vocab=v, n_ctx=K, d_model=d, d_head=d)
    if kind in ("random", "degenerate"):
        weights = gaussian_weights(config.shapes, 10 ** uniform(-1, 0.5), generator, degenerate=kind == "degenerate")
    else:
        build = _parabola if kind == "parabola" else _good
        weights = build(v, K, d, slope=10 ** uniform(-1.3, 0.5), strength=uniform(2, 10))
        noise = {"good": 0.02, "noisy": 0.4, "tied": 0.05, "parabola": 0.01}[kind] * uniform(0.2, 1)
        clean = ("W_V", "W_O") if kind == "parabola" else ()
        weights = {name: w if name in clean else w + noise * gaussian(*w.shape) for name, w in weights.items()}
        if kind == "tied":
            tied = (v - 1, integer(0, v - 2))
            tie_outputs(weights, WRITERS, *tied)
    if seed // len(KINDS) % 2:
        factors = {"W_E": 1 / 8, "W_pos": 1 / 8, "W_Q": 8.0, "W_K": 8.0, "W_V": 8.0}  # exact, so that ties stay
        weights = {name: w * factors.get(name, 1.0) for name, w in weights.items()}
    model = AttentionOnlyTransformer(config, dtype=torch.float64)
    model.load_state_dict({name: w.clone() for name, w in weights.items()})
    return Specimen(model.requires_grad_(False), tied, decided_by_rounding=kind in ("tied", "degenerate"))


def _good(v: int, K: int, d: int, slope: float, strength: float) -> dict[str, Tensor]:
    """Tokens in the first v directions, a constant in the next, outputs in the last v; score = slope * token."""
    tokens, outputs = slice(0, v), slice(d - v, d)
    weights = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in AttentionOnlyConfig(v, K, d, d).shapes.items()}
    weights["W_E"][:, tokens] = torch.eye(v, dtype=torch.float64)
    weights["W_E"][:, v] = 1
    weights["W_Q"][v, 0] = d**0.5
    weights["W_K"][tokens, 0] = slope * torch.arange(v, dtype=torch.float64)
    weights["W_V"][tokens, tokens] = torch.eye(v, dtype=torch.float64)
    weights["W_O"][tokens, outputs] = torch.eye(v, dtype=torch.float64)
    weights["W_U"][outputs] = strength * torch.eye(v, dtype=torch.float64)
    return weights


def _parabola(v: int, K: int, d: int, slope: float, strength: float) -> dict[str, Tensor]:
    """Attention as in `_good`; with s the attended tokens' mean, the logit of x is strength (s x - x^2 / 2)."""
    weights = _good(v, K, d, slope, strength)
    number = torch.arange(v, dtype=torch.float64)
    for name in ("W_V", "W_O", "W_U"):
        weights[name].zero_()
    weights["W_V"][:v, 0] = number
    weights["W_O"][0, -1] = 1
    weights["W_U"][-1] = strength * number
    weights["W_U"][v] = -strength * number**2 / 2
    return weights
