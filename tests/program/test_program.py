"""Programs under every reading, on batches of every size, printed and hashed."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.inputs.task import Task
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.program import program_of, trace
from compact_proofs.program.indices import broadcast, moved
from compact_proofs.tasks.max_of_k import MaxOfK


def transformer(v: int, n: int, d: int, h: int, seed: int = 0) -> AttentionOnlyTransformer:
    torch.manual_seed(seed)
    model = AttentionOnlyTransformer(AttentionOnlyConfig(v, n, d, h))
    with torch.no_grad():
        for p in model.parameters():
            p.normal_()
    return model


class Encoder(nn.Module):
    """PyTorch's own layer: heads, norms, a GELU, dropout that evaluation leaves out."""

    def __init__(self, v: int, d: int, heads: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(v, d)
        self.layer = nn.TransformerEncoderLayer(d, heads, 2 * d, dropout=0.3, activation="gelu", batch_first=True)
        self.out = nn.Linear(d, v)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(self.embed(x))[:, -1])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(2, 7), st.integers(2, 4), st.integers(1, 6), st.integers(1, 5), st.integers(1, 9), st.integers(0, 99))
def test_batches_of_any_size_are_inputs_one_by_one(v: int, n: int, d: int, h: int, batch: int, seed: int) -> None:
    model = transformer(v, n, d, h, seed)
    inputs = torch.randint(0, v, (batch, n), generator=torch.Generator().manual_seed(seed))
    program = trace(model, inputs[0])
    with torch.no_grad():
        one_by_one = torch.cat([model(row[None]) for row in inputs])
    assert torch.allclose(program(inputs), one_by_one, rtol=1e-4, atol=1e-4)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(2, 6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 6))
def test_the_sound_reading_encloses_the_float64_module(v: int, n: int, width: int, heads: int, batch: int) -> None:
    torch.manual_seed(v * n + batch)
    model = Encoder(v, width * heads, heads).eval()
    inputs = torch.randint(0, v, (batch, n))
    program = trace(model, inputs[0])
    with cp.sound():
        out = program(inputs)
    exact = copy.deepcopy(model).double()(inputs)
    slack = 1e-9 * (1 + exact.abs())
    assert bool(((cp.lower(out) <= exact + slack) & (exact - slack <= cp.upper(out))).all())
    assert float((cp.upper(out) - cp.lower(out)).amax()) < 1e-6


def test_the_float_reading_is_made_in_float64() -> None:
    program = trace(transformer(5, 3, 4, 2), torch.tensor([0, 1, 2]))
    wide = copy.deepcopy(program).double()
    inputs = torch.randint(0, 5, (4, 3))
    assert wide(inputs).dtype == torch.float64
    assert program(inputs).dtype == torch.float32
    assert torch.allclose(wide(inputs).float(), program(inputs), rtol=1e-4, atol=1e-4)
    assert all(t.dtype == torch.float64 for t in wide.tensors.values() if t.is_floating_point())


def test_a_conversion_that_rounds_is_refused() -> None:
    program = trace(transformer(5, 3, 4, 2), torch.tensor([0, 1, 2]))
    before = program.sha256
    with pytest.raises(cp.BadInput, match="would change the constant W_E of a program"):
        program.half()
    assert program.sha256 == before
    program.tensors["W_E"][0, 0] += 1
    assert program.sha256 != before


def test_readings_have_one_length() -> None:
    task, model = MaxOfK(d_vocab=5, n_ctx=3), transformer(5, 3, 4, 2)
    lengths = {
        "sound": cp.brute_force(model, task).length,
        "float": cp.trial(model, task, cp.Exhaustive()).length,
        "meta": cp.measure(model, task, cp.Exhaustive()),
    }
    assert lengths["sound"] == lengths["float"] == lengths["meta"]
    inputs = task.inputs(0, task.size)
    with cp.count() as counter:
        model(inputs)
    assert sum(lengths["sound"].by_stage["model"].values()) == counter.length.total


def test_a_module_on_the_meta_device_is_measured() -> None:
    model = AttentionOnlyTransformer(AttentionOnlyConfig(5, 3, 4, 2), device="meta")
    assert cp.measure(model, MaxOfK(d_vocab=5, n_ctx=3), cp.Exhaustive()).total > 0


def test_the_hash_is_of_operations_and_numbers() -> None:
    model = transformer(5, 3, 4, 2)
    example = torch.tensor([0, 1, 2])
    sha = trace(model, example).sha256
    assert trace(copy.deepcopy(model), torch.tensor([4, 4, 4])).sha256 == sha
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.W_U[0, 0] += 1
    assert trace(changed, example).sha256 != sha
    assert trace(model.double(), example).sha256 != sha


def test_names_of_weights_do_not_matter_but_their_places_do() -> None:
    class First(nn.Module):
        def __init__(self, swap: bool, other: bool) -> None:
            super().__init__()
            a, b = torch.eye(3), torch.ones(3, 3)
            self.second, self.first = (nn.Parameter(b), nn.Parameter(a)) if other else (None, nn.Parameter(a))
            self.renamed = None if other else nn.Parameter(b)
            self.swap = swap

        def forward(self, x: Tensor) -> Tensor:
            left, right = self.first, self.second if self.second is not None else self.renamed
            return (right @ left if self.swap else left @ right)[x[:, 0]]

    example = torch.tensor([1])
    assert trace(First(False, True), example).sha256 == trace(First(False, False), example).sha256
    assert trace(First(True, True), example).sha256 != trace(First(False, True), example).sha256


def test_tensors_outside_the_state_dict_are_part_of_the_function() -> None:
    class Hidden(nn.Module):
        def __init__(self, sign: float) -> None:
            super().__init__()
            self.W = nn.Parameter(torch.eye(4))
            self.sign = torch.tensor(sign)

        def forward(self, x: Tensor) -> Tensor:
            return self.sign * self.W[x.amax(1)]

    task = MaxOfK(d_vocab=4, n_ctx=2)
    right, wrong = Hidden(1.0), Hidden(-1.0)
    certificate = cp.brute_force(right, task)
    assert certificate.bound == 1
    assert cp.check(certificate, right, task).bound == 1
    with pytest.raises(cp.CertificateRejected, match="another program"):
        cp.check(certificate, wrong, task)


def test_programs_read_as_mathematics() -> None:
    lines = trace(transformer(5, 3, 4, 2), torch.tensor([0, 1, 2])).text().splitlines()
    assert lines[0] == "x0[i < 3, j < 4] = W_E[x[i], j]"
    assert lines[1] == "x1[i < 3, j < 4] = x0[i, j] + W_pos[i, j]"
    assert "x2[i < 2] = sum_j x1[2, j] W_Q[j, i]" in lines
    assert "x6 = sqrt(2.0)" in lines
    assert any(line.endswith("= softmax_i(x7[i])") for line in lines)
    assert lines[-1] == "logits[i < 5] = x12[i]"


def test_pieces_of_a_tensor_are_told_apart() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.W = nn.Parameter(torch.randn(3, 6))

        def forward(self, x: Tensor) -> Tensor:
            a, b = self.W[x[:, 0]].chunk(2, -1)
            return a - 2 * b

    text = trace(Halves(), torch.tensor([1])).text()
    assert "x0[i]" in text
    assert "x0[i + 3]" in text


SHAPES = st.lists(st.integers(1, 3), min_size=0, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SHAPES, st.randoms(use_true_random=False))
def test_indices_of_moved_entries_are_where_torch_reads_them(shape: list[int], random: object) -> None:
    """Every entry of a reshaped, permuted or sliced tensor, from the expression that is printed for it."""

    class Moves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.reshape(shape)
            if len(shape) > 1:
                y = y.transpose(0, -1)
            y = y.reshape(-1, shape[0]) if shape else y
            return (y[..., :1] if y.dim() else y).reshape(1, -1) + 0.0

    size = int(torch.tensor(shape).prod()) if shape else 1
    example = torch.arange(size, dtype=torch.float64)
    program = trace(Moves(), example)
    nodes = {}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            nodes[node] = example
        elif node.op == "call_function" and node.target.__name__.split(".")[0] in ("view", "transpose", "slice", "permute"):
            source = nodes[node.args[0]]
            value = torch.empty(node.meta["val"].shape, dtype=torch.float64)
            for place in torch.cartesian_prod(*(torch.arange(n) for n in value.shape)).reshape(-1, value.dim()).tolist():
                where = [eval(i.replace("div", "//").replace("mod", "%")) for i in moved(node, [str(p) for p in place])]
                value[tuple(place)] = source[tuple(where)]
            nodes[node] = value
        else:
            break
    last = list(nodes)[-1]
    assert torch.equal(nodes[last].reshape(1, -1), Moves()(example[None]).reshape(1, -1)[:, : nodes[last].numel()])


def test_broadcast_leaves_out_missing_axes() -> None:
    assert broadcast([1, 4], ["i", "j", "k"]) == ["0", "k"]
    assert broadcast([], ["i"]) == []


def test_a_task_that_gives_no_tensor_is_named() -> None:
    class Strange(Task):
        name = "strange"
        size = 3

        def parameters(self) -> dict[str, int | str]:
            return {}

        def inputs(self, start: int, stop: int) -> Tensor:
            return list(range(start, stop))  # type: ignore[return-value]

        def labels(self, inputs: Tensor) -> Tensor:
            return torch.zeros(3, dtype=torch.int64)

    with pytest.raises(cp.BadInput, match="the task strange"):
        program_of(transformer(5, 3, 4, 2), Strange())


def test_masks_that_a_network_makes_are_measured_too():
    config = TransformerConfig(d_vocab=4, n_ctx=3, d_out=4, d_model=4, d_head=2, n_heads=2, causal=True)
    task = cp.FiniteTask(n_ctx=3, d_vocab=4, label=lambda tokens: tokens.amax(1))
    network = Transformer(config)
    assert cp.measure(network, task, cp.Exhaustive()) == cp.brute_force(network, task).length


def test_codes_that_are_made_of_tokens_are_measured_too():
    class OneHot(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.W = torch.nn.Parameter(torch.eye(4))

        def forward(self, tokens):
            codes = (tokens[..., None] == torch.arange(4, device=tokens.device)).float()
            return codes.sum(1) @ self.W

    task = cp.FiniteTask(n_ctx=2, d_vocab=4, label=lambda tokens: tokens.amax(1))
    assert cp.measure(OneHot(), task, cp.Exhaustive()) == cp.brute_force(OneHot(), task).length
