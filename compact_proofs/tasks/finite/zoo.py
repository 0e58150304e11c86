"""The networks for finite tasks in the zoo: one for each part that a proof must deal with, each nearly right on its task.

Six of them (`CONVERTED`) were trained elsewhere by the same kind of recipe, and only have their weights' names changed.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from compact_proofs.tasks.finite.training import FiniteRecipe, train

_MAX: dict[str, Any] = {"label": "maximum", "n_ctx": 4, "d_vocab": 64, "steps": 3000}
_TWO_HEADS: dict[str, Any] = {"n_heads": 2, "biases": True}

RECIPES: dict[str, FiniteRecipe] = {
    "finite-max-4-heads": FiniteRecipe(**_MAX, n_heads=4),
    "finite-max-2-heads-norm": FiniteRecipe(**_MAX, **_TWO_HEADS, norm="layer"),
    "finite-max-gelu": FiniteRecipe(**_MAX, d_mlp=64, act="gelu", biases=True),
    "finite-max-4-heads-norm-gelu": FiniteRecipe(
        **_MAX | {"steps": 4000}, n_heads=4, d_mlp=64, act="gelu", norm="layer", biases=True
    ),
    "finite-occurred-before": FiniteRecipe(
        label="occurred-before", n_ctx=5, d_vocab=16, d_mlp=32, norm="layer", steps=1500, **_TWO_HEADS
    ),
    "finite-avoids": FiniteRecipe(label="avoids", parameters="factor=0,1", n_ctx=8, d_vocab=5, d_mlp=64, steps=6000, **_TWO_HEADS),
    "finite-balanced": FiniteRecipe(label="balanced", n_ctx=10, d_vocab=4, d_mlp=64, norm="layer", steps=3000, **_TWO_HEADS),
    "finite-max-2-layers-norm-relu": FiniteRecipe(
        label="maximum", n_ctx=5, d_vocab=16, n_layers=2, d_mlp=32, norm="layer", steps=2500, **_TWO_HEADS
    ),
    "finite-max-2-layers-norm-relu-v32": FiniteRecipe(
        label="maximum", n_ctx=5, d_vocab=32, n_layers=2, d_mlp=32, norm="layer", steps=2500, **_TWO_HEADS
    ),
    "finite-induction": FiniteRecipe(
        label="after-occurrence", n_ctx=6, d_vocab=8, n_layers=2, d_mlp=32, norm="layer", causal=True, **_TWO_HEADS
    ),
    "finite-majority-rnn": FiniteRecipe(
        label="majority", parameters="least=4", n_ctx=7, d_vocab=8, d_model=16, cell="tanh", steps=2000
    ),
    "finite-longest-cycle": FiniteRecipe(label="longest-cycle", n_ctx=6, d_vocab=6, d_model=48, n_layers=2, n_heads=4, steps=6000),
    "finite-max-gru": FiniteRecipe(label="maximum", n_ctx=5, d_vocab=16, d_model=24, cell="gru"),
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
"""Networks whose files are not made again by `compact_proofs.tasks.build_zoo`."""

COMPILED = ("finite-histogram", "finite-sort", "finite-dyck")
"""Networks that were compiled from programs (`compact_proofs.tasks.finite.compiled`)."""

ZOO = {name: partial(train, recipe) for name, recipe in RECIPES.items()}
