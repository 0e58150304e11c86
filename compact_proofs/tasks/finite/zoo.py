"""The networks for finite tasks in the zoo: one for each part that a proof must deal with, each nearly right on its task.

Six of them (`CONVERTED`) were trained elsewhere by the same kind of recipe, and only have their weights' names changed.
"""

from __future__ import annotations

from compact_proofs.models.recurrent import RecurrentConfig
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.tasks.finite.training import FiniteRecipe


def _max(seed: int = 0, steps: int = 3000, **options: object) -> FiniteRecipe:
    """The largest of four tokens of 64."""
    sizes = {"d_vocab": 64, "n_ctx": 4, "d_out": 64, "d_model": 32, "n_heads": 1}
    chosen = sizes | options
    chosen["d_head"] = 32 // int(str(chosen["n_heads"]))
    return FiniteRecipe(
        network=TransformerConfig(**chosen),  # type: ignore[arg-type]
        label="maximum",
        seed=seed,
        steps=steps,
        evaluation_samples=2**16,
    )


def _recipe(network: TransformerConfig | RecurrentConfig, label: str, steps: int, **parameters: object) -> FiniteRecipe:
    return FiniteRecipe(network=network, label=label, label_parameters=parameters, steps=steps, evaluation_samples=2**16)


def _small(v: int, n: int, out: int, **options: object) -> TransformerConfig:
    """Two heads of width 16 and biases."""
    chosen = {"d_model": 32, "d_head": 16, "n_heads": 2, "biases": True} | options
    return TransformerConfig(d_vocab=v, n_ctx=n, d_out=out, **chosen)  # type: ignore[arg-type]


RECIPES: dict[str, FiniteRecipe] = {
    "finite-max-4-heads": _max(n_heads=4),
    "finite-max-2-heads-norm": _max(n_heads=2, norm="layer", biases=True),
    "finite-max-gelu": _max(d_mlp=64, act="gelu", biases=True),
    "finite-max-4-heads-norm-gelu": _max(n_heads=4, d_mlp=64, act="gelu", norm="layer", biases=True, steps=4000),
    "finite-occurred-before": _recipe(_small(16, 5, 2, d_mlp=32, norm="layer"), "occurred-before", 1500),
    "finite-avoids": _recipe(_small(5, 8, 2, d_mlp=64), "avoids", 3000, factor=(0, 1)),
    "finite-balanced": _recipe(_small(4, 10, 2, d_mlp=64, norm="layer"), "balanced", 3000),
    "finite-max-2-layers-norm-relu": _recipe(_small(16, 5, 16, n_layers=2, d_mlp=32, norm="layer"), "maximum", 2500),
    "finite-induction": _recipe(_small(8, 6, 8, n_layers=2, d_mlp=32, norm="layer", causal=True), "after-occurrence", 4000),
    "finite-majority-rnn": _recipe(
        RecurrentConfig(d_vocab=8, n_ctx=7, d_out=2, d_model=16, cell="tanh"), "majority", 2000, least=4
    ),
    "finite-max-gru": _recipe(RecurrentConfig(d_vocab=16, n_ctx=5, d_out=16, d_model=24, cell="gru"), "maximum", 4000),
}
"""How each is trained."""

CONVERTED = (
    "finite-max-2-heads",
    "finite-max-relu",
    "finite-max-2-heads-norm-relu",
    "finite-max-2-layers",
    "finite-first-is-last",
    "finite-max-rnn",
)
"""Networks whose files are not made again by `compact_proofs.zoo.build`."""
