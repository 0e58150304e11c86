"""The networks of the zoo that name order statistics: AlgZoo's recipe with a hundredth or a fiftieth of its steps."""

from __future__ import annotations

from functools import partial

from compact_proofs.tasks.order_statistic.by_hand import by_hand
from compact_proofs.tasks.order_statistic.by_pairs import by_pairs
from compact_proofs.tasks.order_statistic.training import OrderStatisticRecipe, train

RECIPES: dict[str, OrderStatisticRecipe] = {
    "second-of-4": OrderStatisticRecipe(n=4, d_model=6, steps=10_000, seed=2),
    "second-of-3-biased": OrderStatisticRecipe(n=3, bias=True, steps=10_000),
    "second-of-10": OrderStatisticRecipe(n=10, d_model=16, steps=20_000),
    "median-of-5": OrderStatisticRecipe(n=5, above=2, d_model=8, steps=10_000),
}
"""How each is trained."""

CONVERTED = ("second-of-3", "second-of-5")
"""Networks that were trained elsewhere by the same recipe, so that `compact_proofs.tasks.build_zoo` does not make them."""

BY_HAND = {"second-of-10-by-hand": partial(by_hand, 10), "second-of-10-by-pairs": partial(by_pairs, 10)}
"""Networks that are made, and not trained."""

ZOO = {name: partial(train, recipe) for name, recipe in RECIPES.items()}
