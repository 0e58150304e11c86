"""Every architecture of any shape: its registered strategies prove what brute force on its program finds, or refuse in words.

Only shapes vary much here, and weights are random; the soundness harness varies weights.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import compact_proofs as cp
from compact_proofs.algebra.group import group_named
from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks import KITS

FEW = settings(max_examples=3, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WIDTH = st.integers(1, 9)


def prove_by_all(model: Architecture, task: str) -> None:
    """Prove by every strategy of the task, at the options for small models, and compare with brute force."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    kit = KITS[task]
    on = kit.task_of(model)
    truth = cp.brute_force(model, on).bound
    exact = kit.brute_force(model).name
    for kind in kit.strategies:
        for strategy in [*_default(kind), *kit.variants(kind, model)]:
            try:
                bound = cp.prove(model, on, strategy).bound
            except BadInput:
                continue  # a refusal in words
            assert Fraction(0) <= bound <= truth, strategy
            if strategy.name == exact:
                assert bound == truth


def _default(kind: type[cp.Strategy]) -> list[cp.Strategy]:
    """The strategy as it is without options; what a dictionary looks for and trains is for larger models."""
    return [] if kind.name == "dictionary" else [kind()]


@FEW
@given(v=st.integers(2, 7), K=st.integers(2, 3), d=WIDTH, h=WIDTH)
@example(v=7, K=2, d=2, h=1)
@example(v=2, K=3, d=1, h=9)
def test_attention_only(v, K, d, h):
    prove_by_all(AttentionOnlyTransformer(AttentionOnlyConfig(v, K, d, h)), "max-of-k")


@FEW
@given(D=st.integers(3, 7), n=st.integers(3, 4), d=WIDTH, h=WIDTH)
@example(D=9, n=4, d=16, h=8)
@example(D=4, n=3, d=2, h=9)
@example(D=3, n=4, d=1, h=1)
def test_attention_stack(D, n, d, h):
    prove_by_all(AttentionStack(AttentionStackConfig(D, n, d, h)), "induction")


@FEW
@given(
    p=st.integers(2, 7),
    attention=st.sampled_from(["none", "uniform", "learned"]),
    equals=st.booleans(),
    heads=st.integers(1, 3),
    d=WIDTH,
    m=WIDTH,
    h=WIDTH,
    biases=st.booleans(),
)
@example(p=7, attention="uniform", equals=True, heads=2, d=1, m=1, h=9, biases=False)
@example(p=3, attention="learned", equals=False, heads=3, d=9, m=2, h=1, biases=True)
@example(p=5, attention="none", equals=False, heads=1, d=3, m=9, h=1, biases=True)
def test_one_layer_mlp(p, attention, equals, heads, d, m, h, biases):
    equals = equals and attention != "none"
    prove_by_all(OneLayerMLP(OneLayerMLPConfig(p + equals, p, d, m, attention, heads, h, biases)), "modular-addition")


@FEW
@given(group=st.sampled_from(["C2", "C5", "S3", "C2xC2", "D4"]), m=WIDTH, d=st.none() | WIDTH)
@example(group="S3", m=1, d=9)
@example(group="D4", m=9, d=None)
def test_pair_mlp(group, m, d):
    prove_by_all(PairMLP(group_named(group).table, m, d), "groups")


@pytest.mark.parametrize(("layers", "n", "D"), [(1, 3, 4), (3, 3, 4), (2, 2, 4), (2, 3, 1)])
def test_shapes_that_no_proof_is_for(layers, n, D):
    """Refused in words, whether by the task or by its strategies."""
    model = AttentionStack(AttentionStackConfig(D, n, 4, 3, layers))
    kit = KITS["induction"]
    with pytest.raises(BadInput, match=r"induction needs|this proof is for two"):
        cp.prove(model, kit.task_of(model), kit.brute_force(model))
