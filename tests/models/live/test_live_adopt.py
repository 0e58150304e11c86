"""A live model is proved as it is: as the architecture that computes the same, else as the module at its last position."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("transformer_lens")

from lens import KINDS, live_model

import compact_proofs as cp

pytestmark = pytest.mark.filterwarnings("ignore")

FIRST = cp.FiniteTask(n_ctx=3, d_vocab=6, label=lambda tokens: tokens[:, 0])


def accuracy(model: torch.nn.Module, task: cp.Task) -> float:
    inputs = task.inputs(0, task.size)
    with torch.no_grad():
        logits = model(inputs)[:, -1]
    return float((logits.argmax(-1) == task.labels(inputs)).double().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_an_architecture_that_ships_is_copied(kind):
    certificate = cp.prove(live_model(kind, "attention-only"), FIRST)
    assert certificate.claim.function.architecture == "attention-only"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields",
    [
        {"n_heads": 2, "d_head": 3},
        {"normalization_type": "LN", "attn_only": False, "act_fn": "gelu", "d_mlp": 8},
        {"normalization_type": "LNPre"},
        {"normalization_type": "RMS", "attn_only": False, "act_fn": "gelu_new", "d_mlp": 8},
        {"normalization_type": "RMSPre", "attn_only": False, "act_fn": "silu", "d_mlp": 8},
        {"n_ctx": 7},
        {"attn_only": False, "act_fn": "relu", "d_mlp": 8},
    ],
    ids=lambda fields: ",".join(f"{k}={v}" for k, v in fields.items()),
)
def test_the_general_architecture_reads_the_rows_of_the_task(kind, fields):
    model = live_model(kind, "attention-only", biases=True, **fields)
    certificate = cp.brute_force(model, FIRST)
    assert certificate.claim.function.architecture == "transformer"
    assert certificate.claim.function.configuration["n_ctx"] == 3
    assert float(certificate.bound) == pytest.approx(accuracy(model, FIRST))
    assert cp.prove(model, FIRST).bound <= certificate.bound
    assert cp.check(certificate, model, FIRST).bound == certificate.bound


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_architecture_computes_is_proved_as_the_module_that_it_is(kind):
    model = live_model(kind, "attention-only")
    model.add_hook("blocks.0.hook_resid_post", lambda value, hook: 0.9 * value + 0.1 * value.mean(-1, keepdim=True))
    certificate = cp.brute_force(model, FIRST)
    assert certificate.claim.function.architecture == "module"
    assert float(certificate.bound) == pytest.approx(accuracy(model, FIRST))
