"""The same MLP at another p: ``python -m compact_proofs.tasks.modular_addition MODEL -p 211 -o FILE``.

A projected network knows p only through its embeddings, so new ones make it add modulo another p, without training:
``W_E = Phi'^T C`` and ``W_U = D Phi'`` for the waves Phi' of new frequencies. The layer's theorem (`theorem`) stays as it is.
"""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.options import Positive
from compact_proofs.tasks.modular_addition.factors import explain_layer
from compact_proofs.tasks.modular_addition.kinks import margin_bounds
from compact_proofs.tasks.modular_addition.layer import bound_layer
from compact_proofs.tasks.modular_addition.projection import fourier_rows, is_projected, used_frequencies
from compact_proofs.tasks.modular_addition.response import kink_range
from compact_proofs.tasks.modular_addition.task import ModularAddition
from compact_proofs.tasks.modular_addition.training import uniform_pairs
from compact_proofs.tasks.modular_addition.waves import waves
from compact_proofs.train import Curves, Recipe, TrainingResult, evaluate

TRIES = 400
"""Random choices of frequencies that are compared."""


@dataclass(frozen=True, kw_only=True)
class TransplantConfig(Recipe):
    """What a transplant was made from. Nothing is trained, so the recipe's other fields mean nothing.

    Parameters
    ----------
    p : int
        The new modulus.
    frequencies : tuple of int
        The new frequencies, in the order of the old ones.
    """

    p: int
    frequencies: tuple[int, ...]
    steps: Positive = 1
    evaluation_samples: Positive = 2**14


def transplant(model: OneLayerMLP, p: int, frequencies: Tensor | None = None, seed: int = 0) -> TrainingResult[OneLayerMLP]:
    """Give a projected network the embeddings of another p.

    Parameters
    ----------
    model
        Projected (`projection.Projection`).
    p
        The new modulus.
    frequencies : int64 [K]
        The new frequencies; unless given, those of `TRIES` random choices whose smallest proven margin is largest.

    Raises
    ------
    BadInput
        If the model is not projected, or p is too small for its frequencies.
    """
    started = time.perf_counter()
    if model.config.attention == "learned" or model.config.n_ctx != 2 or not is_projected(model):
        raise BadInput("only projected models can be transplanted; project this one by compact-proofs finetune modular-addition")
    old = used_frequencies(model)
    task = ModularAddition(p)
    if len(old) > p // 2:
        raise BadInput(f"this model uses {len(old)} frequencies, and there are {p // 2} modulo {p}")
    exact = in_double(model).requires_grad_(False)
    chosen = best_frequencies(exact, p, seed) if frequencies is None else frequencies
    rows = fourier_rows(old, model.p) * (2 / model.p)
    new = fourier_rows(chosen, p)
    config = copy.copy(model.config)
    moved = OneLayerMLP(type(config)(**(asdict(config) | {"d_vocab": p, "d_out": p})))
    weights = exact.state_dict() | {"W_E": new.T @ (rows @ exact.W_E), "W_U": (exact.W_U @ rows.T) @ new}
    moved.load_state_dict({name: w.float() for name, w in weights.items()})
    moved.requires_grad_(False)
    recipe = TransplantConfig(p=p, frequencies=tuple(chosen.tolist()), seed=seed)
    final = evaluate(moved, uniform_pairs(p), recipe)
    curves = Curves([0], [round(final.loss, 7)], [round(final.accuracy, 7)])
    return TrainingResult(moved, task.name, recipe, curves, final, time.perf_counter() - started)


@torch.no_grad()
def best_frequencies(model: OneLayerMLP, p: int, seed: int = 0) -> Tensor:
    """Of random choices, the frequencies for p with which the layer's bounds give the largest smallest margin: int64 [K]."""
    K = len(used_frequencies(model))
    zero = torch.zeros((), dtype=torch.float64)
    layer, _ = bound_layer(model, explain_layer(model, K), zero, zero, kink_range)
    generator = torch.Generator().manual_seed(seed)
    best, chosen = -torch.inf, torch.arange(K) + 1
    for _ in range(TRIES):
        tried = torch.randperm(p // 2, generator=generator)[:K] + 1
        margin = float(margin_bounds(layer, waves(tried, p)).min())
        if margin > best:
            best, chosen = margin, tried
    return chosen
