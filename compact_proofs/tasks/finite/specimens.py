"""Small networks for finite tasks on which unsound proofs fail: for the soundness harness."""

from __future__ import annotations

from typing import Any

import torch

from compact_proofs.core.soundness import Specimen, dice, gaussian_weights
from compact_proofs.models.networks import Network, empty_network
from compact_proofs.models.recurrent import RecurrentConfig
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.sequences.labels import label_function
from compact_proofs.tasks.finite.training import FiniteRecipe, train

KINDS = ("random", "trained", "noisy", "degenerate")
SIZES = ((3, 3), (4, 3), (2, 5), (5, 2))
"""(d_vocab, n_ctx)."""
LABELS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("maximum", {}),
    ("first-is-last", {}),
    ("balanced", {}),
    ("majority", {"least": 1}),
    ("occurred-before", {}),
)


def specimen(seed: int) -> Specimen:
    """Make a small float64 network of a kind, an architecture and a label function that depend on the seed.

    random
        Gaussian weights of scale 0.1 ... 3.
    trained
        A few steps of training: right on most inputs.
    noisy
        The same with noise: margins of both signs, many small.
    degenerate
        Zero or huge or identical weights.
    """
    generator = torch.Generator().manual_seed(seed)
    uniform, integer, gaussian = dice(generator)
    kind = KINDS[seed % len(KINDS)]
    v, n = SIZES[integer(0, len(SIZES) - 1)]
    name, parameters = LABELS[integer(0, len(LABELS) - 1)]
    outputs = label_function(name, parameters).outputs(n, v)
    config: TransformerConfig | RecurrentConfig
    if integer(0, 3) == 0:
        config = RecurrentConfig(d_vocab=v, n_ctx=n, d_out=outputs, d_model=5, cell=("relu", "tanh", "gru")[integer(0, 2)])
    else:
        heads = integer(1, 2)
        config = TransformerConfig(
            d_vocab=v,
            n_ctx=n,
            d_out=outputs,
            d_model=6,
            d_head=6 // heads,
            n_heads=heads,
            n_layers=integer(1, 2),
            d_mlp=(0, 5)[integer(0, 1)],
            act=("relu", "gelu", "silu", "tanh")[integer(0, 3)],
            norm=("none", "layer", "rms")[integer(0, 2)],
            biases=bool(integer(0, 1)),
            causal=bool(integer(0, 1)),
        )
    if kind in ("random", "degenerate"):
        weights = gaussian_weights(config.shapes, 10 ** uniform(-1, 0.5), generator, degenerate=kind == "degenerate")
    else:
        trained = _trained(config, name, parameters, seed)
        noise = 0.0 if kind == "trained" else uniform(0.05, 0.3)
        weights = {key: w.double() + noise * gaussian(*w.shape) for key, w in trained.state_dict().items()}
    model = empty_network(config, torch.float64)
    model.load_state_dict(weights)
    model.answers = {"name": name, "parameters": parameters}
    return Specimen(model.requires_grad_(False).eval(), decided_by_rounding=kind == "degenerate")


def _trained(config: TransformerConfig | RecurrentConfig, name: str, parameters: dict[str, Any], seed: int) -> Network:
    """A network of this configuration after 150 steps."""
    written = " ".join(f"{key}={value}" for key, value in parameters.items())
    few: dict[str, Any] = {"seed": seed, "steps": 150, "batch_size": 64, "learning_rate": 2e-2, "evaluation_samples": 1}
    recipe = FiniteRecipe(label=name, parameters=written, **few, **_options(config))
    return train(recipe).model


def _options(config: TransformerConfig | RecurrentConfig) -> dict[str, Any]:
    """The fields of a recipe for a configuration whose heads have width d_model / n_heads."""
    sizes = {"n_ctx": config.n_ctx, "d_vocab": config.d_vocab, "d_model": config.d_model}
    if isinstance(config, RecurrentConfig):
        return sizes | {"cell": config.cell}
    kept = ("n_heads", "n_layers", "d_mlp", "act", "norm", "biases", "causal")
    return sizes | {option: getattr(config, option) for option in kept}
