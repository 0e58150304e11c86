"""Max-of-K: the largest of K tokens, by a one-layer attention-only transformer.

task          the inputs and their labels
paths         the QK, OV and direct paths as matrices
brute_force   every sequence; the linear baseline
cubic         the published proof, O(v^3)
subcubic      the published family below it, 5 x 2 x 10 proofs
additive      ours: ratios that add up, O(v^2 d)
large_maxima  additive for large maxima: the shortest proofs of models that were not tuned
by_maximum    additive, with groups of queries that each maximum has for itself
listed        additive, and a list of further sequences: the exact accuracy
prefix        the simplest compact proof that is verified in Coq
specimens     small models that try to break proofs
estimates     guesses of the accuracy, which prove nothing
tables        about a model: where bounds are lost
training      the published recipe
zoo           the models that ship
finetuning    a model with short proofs, from a trained one
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from compact_proofs.core.strategy import Strategy
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.files import weights_sha256
from compact_proofs.tables import Heatmap
from compact_proofs.tasks.kit import TaskKit, Tuning
from compact_proofs.tasks.max_of_k import finetuning, training
from compact_proofs.tasks.max_of_k.additive import Additive
from compact_proofs.tasks.max_of_k.brute_force import BruteForce, LinearBaseline
from compact_proofs.tasks.max_of_k.by_maximum import ByMaximum
from compact_proofs.tasks.max_of_k.cubic import Cubic
from compact_proofs.tasks.max_of_k.estimates import estimators
from compact_proofs.tasks.max_of_k.large_maxima import LargeMaxima
from compact_proofs.tasks.max_of_k.listed import Listed
from compact_proofs.tasks.max_of_k.paths import paths
from compact_proofs.tasks.max_of_k.prefix import Prefix
from compact_proofs.tasks.max_of_k.specimens import specimen
from compact_proofs.tasks.max_of_k.subcubic import COMBINATIONS, Subcubic
from compact_proofs.tasks.max_of_k.tables import measures, tables
from compact_proofs.tasks.max_of_k.task import MaxOfK
from compact_proofs.tasks.max_of_k.zoo import ZOO

__all__ = [
    "KIT",
    "Additive",
    "BruteForce",
    "ByMaximum",
    "Cubic",
    "LargeMaxima",
    "LinearBaseline",
    "Listed",
    "MaxOfK",
    "Prefix",
    "Subcubic",
]

AFFORDABLE = 2**25
"""Largest task for which a list of further sequences is searched for by default: that evaluates every sequence."""
LARGEST_TABLE = 2**26
"""Largest table, in entries, of a cubic proof that a frontier includes by default."""


def _linear(model: AttentionOnlyTransformer) -> LinearBaseline:
    return LinearBaseline(min(1.0, 2**16 / MaxOfK.of(model).size))


def _default(model: AttentionOnlyTransformer) -> Strategy:
    return Additive() if model.n_ctx <= 4 else Additive(groups=2, counting="grid")


def _candidates(model: AttentionOnlyTransformer) -> Sequence[Strategy]:
    """The most useful first: one for each length from short to long, then rank one for tuned models, then options beside these."""
    v, K = model.d_vocab, model.n_ctx
    least = [round(v * given_up ** (1 / K)) for given_up in (0.5, 0.3, 0.15, 0.06, 0.02, 0.004)]
    found: list[Strategy] = [
        LargeMaxima(least[0], 6, 1, 8),
        LargeMaxima(least[1], 6, 1, 8),
        LargeMaxima(least[2], 6, 2, 8),
        LargeMaxima(least[3]),
        LargeMaxima(least[4]),
        LargeMaxima(least[5], groups=3),
        LargeMaxima(least[5], 8, 2, 32, 16, 24, attention="exact"),
        Additive(6, 1, "separate", "grid"),
        ByMaximum(6, v + v // 4, 6, 12, 16, 24),
        ByMaximum(6, 2 * v),
        ByMaximum(6, 4 * v, 8, 24),
        Additive(6, 2, "joint", "grid"),
        Additive(6, 4, "joint", "grid", 32, 48),
        Additive() if K <= 4 else Additive(8, 8, "joint", "grid", 32, 48),
    ]
    found += [
        Additive(
            window, 1, "norms", "grid", steps, reach, values="readout" if rank == 1 else "lowrank", attention="rank1", rank=rank
        )
        for (steps, reach), window, rank in itertools.product(((8, 8), (16, 16)), (3, 8, 4), (6, 5, 1, 8, 4))
        if rank <= model.d_model
    ]
    near = ((8, 16), (6, 8), (6, 11))
    found += [
        LargeMaxima(m, window, n, rivals, *grid)
        for grid, m, n, (window, rivals) in itertools.product(((16, 16), (8, 8)), (*least, 0), (2, 1, 3), near)
    ]
    for m, n, rivals in itertools.product(least[3:], (2, 1, 3), (16, 32)):
        found.append(LargeMaxima(m, 8, n, rivals, 16, 24, attention="exact"))
        found.append(LargeMaxima(m, 8, n, rivals, 16, 24, "exact", "exact"))
    grids = ((16, 24), (8, 8), (32, 48), (16, 16), (8, 12), (32, 32))
    for n, window in itertools.product((1, 2, 4, 8, 3, 16), (6, 5, 4, 8, 3, 10)):
        for steps, reach in grids[:2] if n > 8 else grids:
            found += [Additive(window, n, d, "grid", steps, reach) for d in ("separate", "joint", "norms")]
        if model.n_ctx <= 4:
            found.append(Additive(window, n, "joint"))
    return list(dict.fromkeys(found))


def _always(model: AttentionOnlyTransformer) -> Sequence[Strategy]:
    found: list[Strategy] = [_linear(model)]
    if model.d_vocab**3 * model.n_ctx <= LARGEST_TABLE:
        found += [Cubic(), Subcubic()]
    if model.n_ctx <= 4 and MaxOfK.of(model).size <= AFFORDABLE:
        found.append(Listed(window=4, groups=2))
    return found


def _variants(kind: type[Strategy], model: AttentionOnlyTransformer) -> Sequence[Strategy]:
    """Options that matter at the size of a specimen."""
    if kind is LinearBaseline:
        return [LinearBaseline(0.3), LinearBaseline(1.0)]
    if kind is Subcubic:
        first = int(weights_sha256(model)[:8], 16)
        return [COMBINATIONS[(first + 21 * i) % len(COMBINATIONS)] for i in range(4)]
    if kind is Additive:
        return [
            Additive(1, 1),
            Additive(2, 2),
            Additive(8, 8),
            Additive(2, 2, "separate"),
            Additive(1, 1, "separate", "grid"),
            Additive(2, 2, "joint", "grid", steps=32, reach=40, alike="positions"),
            Additive(3, 8, "separate", "grid", steps=4, reach=3),
            Additive(2, 2, "norms", "positions"),
            Additive(2, 2, "norms", "grid", rank=3),
            Additive(2, 2, "norms", "grid", attention="rank1", values="lowrank", rank=model.d_vocab),
            Additive(2, 2, "norms", "grid", values="readout", rank=1),
            Additive(1, 1, "norms", "grid", attention="rank1", values="readout", rank=1),
        ]
    if kind is LargeMaxima:
        first = int(weights_sha256(model)[:8], 16)
        some = [
            LargeMaxima(0, 1, 1, close=0),
            LargeMaxima(1, 1, 1, 2, close=1),
            LargeMaxima(2, 2, 2, 1, 32, 40),
            LargeMaxima(3, 1, 3, 3, close=3, divisions=4),
            LargeMaxima(4, 2, 8, 4, 4, 3, close=0),
            LargeMaxima(0, 8, 8),
            LargeMaxima(3, 1, 2, 2, attention="exact"),
            LargeMaxima(2, 1, 1, 3, 32, 40, direct="exact", close=1),
            LargeMaxima(3, 2, 2, 4, 32, 40, "exact", "exact"),
        ]
        return [some[(first + 2 * i) % len(some)] for i in range(4)]
    if kind is ByMaximum:
        return [
            ByMaximum(0, 1, 1, 1),
            ByMaximum(1, 8, 1, 2),
            ByMaximum(2, 6, 2, 1, 32, 40),
            ByMaximum(0, 100, 8, 100, 16, 24),
        ]
    if kind is Listed:
        return [Listed(1, 1, "separate"), Listed(2, 3)]
    return [kind()]


def _heatmaps(model: AttentionOnlyTransformer) -> Sequence[Heatmap]:
    with torch.no_grad():
        p = paths(model)
    token, position = "token", "position"
    return [
        Heatmap("EQKE", p.EQKE.numpy(), (f"query {token}", f"key {token}"), "attention score of a key token under a query"),
        Heatmap("EQKP", p.EQKP.numpy(), (f"query {token}", position), "attention score of a position under a query"),
        Heatmap("EVOU", p.EVOU.numpy(), (f"key {token}", "output"), "logits written by attending to a token"),
        Heatmap("PVOU", p.PVOU.numpy(), (position, "output"), "logits written by attending to a position"),
        Heatmap("EUPU", p.EUPU.numpy(), (f"query {token}", "output"), "logits of the direct path from the query"),
    ]


KIT = TaskKit(
    name=MaxOfK.name,
    summary="name the largest of K tokens",
    architectures=(AttentionOnlyTransformer,),
    task_of=MaxOfK.of,
    strategies=(BruteForce, LinearBaseline, Cubic, Subcubic, Additive, LargeMaxima, ByMaximum, Listed, Prefix),
    default=_default,
    brute_force=lambda model: BruteForce(),
    candidates=_candidates,
    always=_always,
    linear=_linear,
    specimen=specimen,
    variants=_variants,
    tables=tables,
    heatmaps=_heatmaps,
    measures=measures,
    estimators=estimators,
    recipe=training.TrainingConfig,
    train=training.train,
    zoo=ZOO,
    tuning=Tuning(
        recipe=finetuning.FinetuningConfig,
        fixed=("n_ctx", "d_vocab", "d_model"),
        config=finetuning.config_for,
        tune=finetuning.finetune,
        distance=finetuning.distance,
    ),
)
