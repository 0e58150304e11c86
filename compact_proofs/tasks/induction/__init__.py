"""Induction: name the token that followed the last token's earlier occurrence, by an attention-only transformer of two layers.

task          the inputs and their labels
paths         every path of the two layers
brute_force   every input; the linear baseline
lemmas        Lemma L: the leak of layer 1
circuit       strategy C: the circuit part by part, for tuned models
pairs         strategies P and C2: for each two tokens, every path (any model), or without query composition
cases         the cases (query, place, answer), and what is free in them
leads, rows   its bounds
chain         costs that add up along the places, and their counting
hints         values for Lemma R, searched or read
chernoff      strategy X: expected exponentials of gaps, for long sequences and any model
listed        P, and a list of further inputs: the exact accuracy
specimens     small models that try to break proofs
tables        about a model: leak, gaps and bounds, cases that fail
training      the recipe
finetuning    a model with short proofs, from a trained one
zoo           the models that ship
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from compact_proofs.core.strategy import Strategy
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.induction import finetuning, training
from compact_proofs.tasks.induction.brute_force import BruteForce, LinearBaseline
from compact_proofs.tasks.induction.chernoff import Chernoff
from compact_proofs.tasks.induction.circuit import Circuit, circuit_bounds
from compact_proofs.tasks.induction.listed import Listed
from compact_proofs.tasks.induction.pairs import CircuitPairs, Pairs, affordable
from compact_proofs.tasks.induction.specimens import specimen
from compact_proofs.tasks.induction.tables import heatmaps, tables
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.induction.zoo import ZOO
from compact_proofs.tasks.kit import TaskKit, Tuning

__all__ = ["KIT", "BruteForce", "Chernoff", "Circuit", "CircuitPairs", "Induction", "LinearBaseline", "Listed", "Pairs"]

BASELINE = 2**15
"""Inputs that the linear baseline evaluates by default."""
LARGEST_LISTED = 2**25
"""Largest task whose exact accuracy is searched for by default, by a list of further inputs."""


def _linear(model: AttentionStack) -> LinearBaseline:
    return LinearBaseline(min(1.0, BASELINE / Induction.of(model).size))


def _circuit_holds(model: AttentionStack) -> bool:
    """Does the circuit certificate, in plain arithmetic, hold for most cases?"""
    with torch.no_grad():
        slack, valid = circuit_bounds(model).log_slack()
        return bool(((slack > 0) & valid).double().mean() > 0.5)


def _default(model: AttentionStack) -> Strategy:
    return Circuit() if _circuit_holds(model) or not affordable(model) else Pairs()


def _candidates(model: AttentionStack) -> Sequence[Strategy]:
    """Certificates from short to long, as far as they are affordable."""
    found: list[Strategy] = [Circuit()]
    if affordable(model):
        found += [CircuitPairs(), Pairs()]
    if Induction.of(model).size <= LARGEST_LISTED:
        found += [Listed(), Listed(longest=2**10)]
    return found


def _variants(kind: type[Strategy], model: AttentionStack) -> Sequence[Strategy]:
    """Options that matter at the size of a specimen."""
    if kind is LinearBaseline:
        return [LinearBaseline(0.3), LinearBaseline(1.0)]
    if kind in (Pairs, CircuitPairs):
        return [kind(enumerated=1, steps=16) if model.n_ctx % 2 else kind()]
    if kind is Listed:
        return [Listed()] if model.n_ctx <= 4 else []  # larger ones take long, and test no more
    if kind is Chernoff:
        return [Chernoff()] if model.d_vocab <= 5 else []  # each query, key and place by itself takes long
    return [kind()]


KIT = TaskKit(
    name=Induction.name,
    summary="name the token that followed the last token's earlier occurrence",
    architectures=(AttentionStack,),
    task_of=Induction.of,
    strategies=(BruteForce, LinearBaseline, Circuit, CircuitPairs, Pairs, Listed, Chernoff),
    default=_default,
    brute_force=lambda model: BruteForce(),
    candidates=_candidates,
    always=lambda model: [_linear(model)],
    linear=_linear,
    specimen=specimen,
    variants=_variants,
    tables=tables,
    heatmaps=heatmaps,
    recipe=training.TrainingConfig,
    train=training.train,
    zoo=ZOO,
    tuning=Tuning(
        recipe=finetuning.FinetuningConfig,
        fixed=("n_ctx", "d_vocab", "d_model", "d_head"),
        config=finetuning.config_for,
        tune=finetuning.finetune,
        distance=finetuning.distance,
    ),
)
