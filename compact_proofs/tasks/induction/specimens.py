"""Small two-layer models on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.tasks.induction.finetuning import project
from compact_proofs.tasks.ties import tie_outputs

KINDS = ("random", "good", "noisy", "circuit", "tied", "degenerate")
WRITERS = ("W_E", "W_pos", "blocks.0.W_O", "blocks.1.W_O")
"""Weights that write to the residual stream."""
SIZES = ((3, 3), (4, 4), (5, 4), (7, 4), (5, 5), (6, 5))
"""(d_vocab, n_ctx), at most 1080 inputs."""


def specimen(seed: int) -> Specimen:
    """Make a small float64 model of a kind, a size and a scale that depend on the seed.

    random
        Gaussian weights of scale 0.1 ... 3.
    good
        An induction circuit by construction, with little noise on every path.
    noisy
        The same with as much noise as structure: most proofs hold for some inputs and fail for others.
    circuit
        Noisy, and then without composition through Q, V and the direct path, as after fine-tuning.
    tied
        Two outputs whose logits are equal as real numbers, but not as rounded ones.
    degenerate
        Zero or huge or identical weights.
    """
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, gaussian = dice(generator)
    kind = KINDS[seed % len(KINDS)]
    D, n = SIZES[integer(0, len(SIZES) - 1)]
    config = AttentionStackConfig(D, n, d_model=3 * D + n + 3, d_head=max(D, n))
    tied: tuple[int, ...] = ()
    if kind in ("random", "degenerate"):
        weights = gaussian_weights(config.shapes, 10 ** uniform(-1, 0.5), generator, degenerate=kind == "degenerate")
    else:
        clear = kind == "circuit"  # structure beyond the noise, so that its proof holds for many cases and not for all
        weights = _good(config, uniform(5, 10) if clear else uniform(2, 9), uniform(6, 15), strength=uniform(2, 8))
        noise = {"good": 0.03, "noisy": 0.3, "circuit": 0.12, "tied": 0.05}[kind] * uniform(0.2, 1)
        weights = {name: w + noise * gaussian(*w.shape) for name, w in weights.items()}
        if kind == "tied":
            tied = (D - 1, integer(0, D - 2))
            tie_outputs(weights, WRITERS, *tied)
    model = AttentionStack(config, dtype=torch.float64)
    model.load_state_dict({name: w.clone() for name, w in weights.items()})
    if kind == "circuit":
        project(model)
    return Specimen(model.requires_grad_(False), tied, decided_by_rounding=kind in ("tied", "degenerate"))


def _good(config: AttentionStackConfig, copying: float, matching: float, strength: float) -> dict[str, Tensor]:
    """Tokens, places, copied tokens and outputs in directions of their own.

    Layer 1 copies the previous token with attention score `copying`, layer 2 looks for the query among the copies with score
    `matching`, and `strength` is the logit of what it finds.
    """
    D, n = config.d_vocab, config.n_ctx
    token, place, copied, output = slice(0, D), slice(D, D + n), slice(D + n, 2 * D + n), slice(2 * D + n, 3 * D + n)
    weights = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in config.shapes.items()}
    one, scale = torch.eye(D, dtype=torch.float64), config.d_head**0.5
    weights["W_E"][:, token] = one
    weights["W_pos"][:, place] = torch.eye(n, dtype=torch.float64)
    weights["blocks.0.W_Q"][D + 1 : D + n, : n - 1] = copying * scale * torch.eye(n - 1, dtype=torch.float64)
    weights["blocks.0.W_K"][place, :n] = torch.eye(n, dtype=torch.float64)
    weights["blocks.0.W_V"][token, :D] = one
    weights["blocks.0.W_O"][:D, copied] = one
    weights["blocks.1.W_Q"][token, :D] = matching * scale * one
    weights["blocks.1.W_K"][copied, :D] = one
    weights["blocks.1.W_K"][D, :D] = -1  # place 0 copies itself, so it must not be found
    weights["blocks.1.W_V"][token, :D] = one
    weights["blocks.1.W_O"][:D, output] = one
    weights["W_U"][output] = strength * one
    return weights
