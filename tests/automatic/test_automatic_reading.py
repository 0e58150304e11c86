"""The reading by tokens says what the network computes, whatever the network."""

import copy

import pytest
import torch

from compact_proofs.automatic.reading.blocks import Averages, Norm, Opaque
from compact_proofs.automatic.reading.evaluate import evaluate
from compact_proofs.automatic.reading.narrow import narrowed
from compact_proofs.automatic.reading.operations import read
from compact_proofs.enclosure import sound
from compact_proofs.errors import BadInput
from compact_proofs.program import Program, trace
from tests.automatic.specimens import NETWORKS, N, V, network

INPUTS = torch.cartesian_prod(*[torch.arange(V)] * N)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_read_by_tokens_computes_the_same_logits(kind):
    model = copy.deepcopy(network(kind, 0)).double()
    program = trace(model, INPUTS[0])
    with torch.no_grad():
        for context in range(N):
            logits, _ = evaluate(read(program, V, context), INPUTS)
            torch.testing.assert_close(logits, model(INPUTS), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", NETWORKS)
def test_leaving_out_rows_changes_nothing(kind):
    model = copy.deepcopy(network(kind, 1)).double()
    program = trace(model, INPUTS[0])
    shorter = Program(narrowed(program.graph), program.tensors, program.weights_sha256)
    torch.testing.assert_close(shorter(INPUTS), program(INPUTS))


def test_only_the_last_row_of_a_transformer_is_computed():
    program = trace(network("heads", 0), INPUTS[0])
    shapes = [node.meta["val"].shape for node in narrowed(program.graph).nodes if "softmax" in str(node.target)]
    assert [shape[-2:] for shape in shapes] == [torch.Size([1, N])]


@pytest.mark.parametrize("kind", ["heads", "gelu", "recurrent"])
def test_tables_enclose_those_of_ordinary_arithmetic(kind):
    model = network(kind, 2)
    with sound():
        enclosed = read(trace(model, INPUTS[0]), V, N - 1).logits.constant
    with torch.no_grad():
        plain = read(trace(copy.deepcopy(model).double(), INPUTS[0]), V, N - 1).logits.constant
    lo, hi = (enclosed.lo, enclosed.hi) if hasattr(enclosed, "lo") else (enclosed, enclosed)
    assert bool(((lo <= plain + 1e-9) & (plain - 1e-9 <= hi)).all())


@pytest.mark.parametrize(("kind", "norms"), [("causal", 1), ("silu", 2), ("norm", 1), ("heads", 0)])
def test_norms_are_recognised_however_they_are_written(kind, norms):
    with torch.no_grad():
        blocks = read(trace(network(kind, 0).double(), INPUTS[0]), V, N - 1).blocks
    assert sum(isinstance(block, Norm) for block in blocks) == norms
    assert not any(isinstance(block, Opaque) for block in blocks)


@pytest.mark.parametrize("context", range(N))
def test_guards_and_masks_after_a_softmax_leave_its_averages_exact(context):
    program = trace(network("guarded", 0), INPUTS[0])
    with sound():
        blocks = read(program, V, context).blocks
    assert isinstance(blocks[0], Averages)
    assert not any(isinstance(block, Opaque) and "where" in str(block.target) for block in blocks)


class AllMasked(torch.nn.Module):
    """Its softmax has nothing but -inf where the first token is 0."""

    def __init__(self):
        super().__init__()
        self.E = torch.nn.Embedding(V, V)

    def forward(self, x):
        h = self.E(x)
        share = h[..., 0].masked_fill((x[:, :1] == 0) | (x == 1), -torch.inf).softmax(-1)
        return (torch.where(share.isnan(), torch.zeros_like(share), share)[:, None] @ h)[:, 0]


@pytest.mark.parametrize("reading", [sound, torch.no_grad])
def test_a_softmax_that_may_be_undefined_is_not_taken_for_a_number(reading):
    program = trace(AllMasked().double(), INPUTS[0])
    with reading(), pytest.raises(BadInput, match="isnan"):
        read(program, V, 0)


class Started(torch.nn.Module):
    """Its state begins with zeros of a dtype that it names."""

    def __init__(self):
        super().__init__()
        self.E, self.W = torch.nn.Embedding(V, 4), torch.nn.Linear(4, V)

    def forward(self, x):
        return self.W(torch.zeros(len(x), 4, dtype=torch.float32)) + self.W(self.E(x).sum(1))


def test_constants_of_a_named_dtype_are_widened_with_the_program():
    program = copy.deepcopy(trace(Started(), INPUTS[0])).double()
    with torch.no_grad():
        logits, _ = evaluate(read(program, V, N - 1), INPUTS)
        torch.testing.assert_close(logits, program(INPUTS))
