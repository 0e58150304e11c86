"""Live models of any kind are modules, and so they have programs: brute force proves what they do, hooks and all."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("transformer_lens")

from lens import KINDS, live_model

import compact_proofs as cp
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.exhaustive import Exhaustive
from compact_proofs.core.prove import find_explanation, prove
from compact_proofs.errors import BadInput
from compact_proofs.models.hooked import from_transformer_lens
from compact_proofs.models.hooked.live import transformer_from_live
from compact_proofs.program import program_of, trace
from compact_proofs.tasks.max_of_k import MaxOfK

pytestmark = pytest.mark.filterwarnings("ignore")

TASK = MaxOfK(d_vocab=6, n_ctx=3)


class LastLogits(torch.nn.Module):
    """A live model's logits at the last position."""

    def __init__(self, live: torch.nn.Module) -> None:
        super().__init__()
        self.live = live

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.live(tokens)[:, -1]


def right(live: torch.nn.Module) -> int:
    tokens = TASK.inputs(0, TASK.size)
    with torch.no_grad():
        return int((live(tokens)[:, -1].argmax(-1) == TASK.labels(tokens)).sum())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n_layers": 2, "n_heads": 2, "normalization_type": "LN", "attn_only": False, "act_fn": "gelu", "d_mlp": 5},
        {"normalization_type": "RMS", "attn_only": False, "act_fn": "silu", "d_mlp": 5, "gated_mlp": True},
        {"normalization_type": "LNPre", "attn_scores_soft_cap": 2.0, "output_logits_soft_cap": 3.0},
        {"positional_embedding_type": "rotary"},
    ],
    ids=["plain", "LayerNorm", "gated", "capped", "rotary"],
)
def test_a_live_model_is_proven_by_its_program(kind, fields):
    live = live_model(kind, "attention-only", biases=bool(fields), **fields)
    assert cp.brute_force(LastLogits(live), TASK).bound * TASK.size == right(live)
    if not fields:
        assert cp.brute_force(from_transformer_lens(live), TASK).bound * TASK.size == right(live)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields", [{}, {"normalization_type": "LN", "attn_only": False, "act_fn": "relu", "d_mlp": 5}], ids=["attention", "MLP"]
)
def test_automatic_proofs_of_a_live_model_prove_what_those_of_its_copy_do(kind, fields):
    """A HookedTransformer looks for NaN after every softmax, and a bridge masks once more."""
    live = live_model(kind, "attention-only", n_heads=2, **fields)
    optimizer = torch.optim.Adam(live.parameters(), lr=1e-2)
    tokens = TASK.inputs(0, TASK.size)
    for _ in range(200):
        loss = torch.nn.functional.cross_entropy(live(tokens)[:, -1], TASK.labels(tokens))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    copied, strategy = transformer_from_live(live, TASK.n_ctx), Automatic(worth=2000)
    explanation = find_explanation(program_of(copied, TASK), TASK, strategy)
    expected = prove(copied, TASK, strategy, explanation=explanation).bound
    assert expected > 0.5
    assert prove(LastLogits(live), TASK, strategy, explanation=explanation).bound == expected


def test_a_network_behind_a_bridge_is_refused_by_name_and_proven_as_a_module():
    """A GPT-2 of transformers, which keeps its pattern at every call and has dropout."""
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=6, n_positions=3, n_embd=8, n_layer=1, n_head=2)
    live = build_bridge_from_module(GPT2LMHeadModel(config), architecture="GPT2LMHeadModel", hf_config=config)
    with pytest.raises(BadInput, match=r"the TransformerBridge: cfg\.architecture is 'GPT2LMHeadModel'"):
        from_transformer_lens(live)
    proven = cp.brute_force(LastLogits(live), TASK).bound
    live.eval()
    assert proven * TASK.size == right(live)


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_are_part_of_the_program(kind):
    live = live_model(kind, "attention-only")
    live(TASK.inputs(0, 1))  # at its first call a bridge adds hooks of its own, which refer to its parts
    before = right(live)
    live.add_hook("blocks.0.hook_resid_post", lambda value, hook: -value)
    assert right(live) != before
    assert cp.brute_force(LastLogits(live), TASK).bound * TASK.size == right(live)


@pytest.mark.parametrize("kind", KINDS)
def test_tracing_leaves_a_live_model_as_it_was(kind):
    live = live_model(kind, "attention-only")
    live(TASK.inputs(0, 1))
    before = [parameter.clone() for parameter in live.parameters()]
    trace(LastLogits(live), TASK.inputs(0, 1)[0])
    assert all(type(b) is torch.nn.Parameter and torch.equal(a, b) for a, b in zip(before, live.parameters(), strict=True))
    from_transformer_lens(live)
    assert all(parameter.dtype == torch.float32 for parameter in live.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_hooks_is_not_taken_for_its_weights(kind):
    live = live_model(kind, "attention-only")
    live(TASK.inputs(0, 1))
    assert from_transformer_lens(live)
    live.add_hook("blocks.0.hook_resid_post", lambda value, hook: value)  # perhaps another one on inputs that nobody tried
    with pytest.raises(BadInput, match="hooks were added"):
        from_transformer_lens(live)
    proven = cp.prove(live, TASK, Exhaustive())
    assert proven.claim.function.architecture == "module"
    live.reset_hooks()
    assert from_transformer_lens(live)
