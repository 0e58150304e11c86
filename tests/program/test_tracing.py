"""What a module's Python does is what its program does, or there is no program and the reason is said."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.errors import BadInput
from compact_proofs.program import Program, program_of, trace
from compact_proofs.tasks.max_of_k import MaxOfK

EXAMPLE = torch.tensor([1, 2])


class Table(nn.Module):
    """Rows of a table, chosen by the first token, after whatever a test does to them."""

    def __init__(self, change: Callable[[Table, Tensor, Tensor], Any], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.W = nn.Parameter(torch.randn(4, 4, dtype=dtype))
        self.register_buffer("b", torch.randn(4, dtype=dtype))
        self.plain = torch.randn(4, dtype=dtype)
        self.calls = 0
        self.change = change

    def forward(self, x: Tensor) -> Any:
        return self.change(self, x, self.W[x[:, 0]] * 1.0)


def in_place(made: Callable[[Tensor], Tensor]) -> Callable[[Table, Tensor, Tensor], Tensor]:
    """Negate in place what may be the same memory under another name."""

    def change(module: Table, x: Tensor, h: Tensor) -> Tensor:
        made(h).neg_()
        return h

    return change


def by_strides(module: Table, x: Tensor, h: Tensor) -> Tensor:
    y = torch.softmax(h.t(), 0)
    y.reshape(-1).neg_()
    return y.t()


def assigned(module: Table, x: Tensor, h: Tensor) -> Tensor:
    h[:, 0] = 1.0
    h[h > 0.5] = 0.0
    return h


def exponential_into_itself(module: Table, x: Tensor, h: Tensor) -> Tensor:
    torch.exp(h, out=h)
    return h


def branch_on_dtype(module: Table, x: Tensor, h: Tensor) -> Tensor:
    return h if h.dtype == torch.float32 else -h


SAME: dict[str, Callable[[Table, Tensor, Tensor], Tensor]] = {
    "float": in_place(lambda h: h.float()),
    "double": in_place(lambda h: h.double()),
    "to": in_place(lambda h: h.to(torch.float32)),
    "type_as": in_place(lambda h: h.type_as(h)),
    "contiguous": in_place(lambda h: h.contiguous()),
    "reshape": in_place(lambda h: h.reshape(-1)),
    "copy.copy": in_place(copy.copy),
    "view of a view": in_place(lambda h: h.t()[0:1].t()),
    "by strides": by_strides,
    "assigned": assigned,
    "out": exponential_into_itself,
    "finfo": lambda module, x, h: h + 1e6 * torch.finfo(h.dtype).eps,
    "element size": lambda module, x, h: h * h.element_size(),
    "dtype": branch_on_dtype,
    "plain tensor": lambda module, x, h: h + module.plain * module.b,
    "weights alone": lambda module, x, h: (module.W @ module.W)[x[:, 1]],
    "pieces": lambda module, x, h: torch.cat(h.split([1, 3], 1)[::-1], 1) + torch.stack(h.unbind(1), 1) + h.chunk(2, 1)[0].sum(),
}
"""Changes under which a module must be what PyTorch runs."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", SAME)
def test_a_program_is_what_pytorch_runs(name: str, dtype: torch.dtype) -> None:
    module = Table(SAME[name], dtype)
    inputs = torch.tensor([[1, 2], [0, 3], [3, 3]])
    with torch.no_grad():
        expected = torch.cat([module(row[None]) for row in inputs])
    program = trace(module, EXAMPLE)
    assert torch.allclose(program(inputs), expected, rtol=1e-5)
    with cp.sound():
        enclosed = program(inputs)
    assert bool((cp.lower(enclosed) <= expected.double() + 1e-5).all())
    assert bool((cp.upper(enclosed) >= expected.double() - 1e-5).all())


def count_calls(module: Table, x: Tensor, h: Tensor) -> Tensor:
    module.calls += 1
    return h


def write_buffer(module: Table, x: Tensor, h: Tensor) -> Tensor:
    module.b.add_(1)
    return h


def write_weight(module: Table, x: Tensor, h: Tensor) -> Tensor:
    module.W.data.neg_()
    return module.W[x[:, 0]]


def write_plain(module: Table, x: Tensor, h: Tensor) -> Tensor:
    module.plain.neg_()
    return h


def keep(module: Table, x: Tensor, h: Tensor) -> Tensor:
    last = getattr(module, "kept", None)
    module.kept = h
    return h if last is None else h + last


def assign_data(module: Table, x: Tensor, h: Tensor) -> Tensor:
    h.data = -h.data
    return h


TURN = [0]


def outside_state(module: Table, x: Tensor, h: Tensor) -> Tensor:
    TURN[0] += 1
    return h * TURN[0]


REFUSED: dict[str, tuple[Callable[[Table, Tensor, Tensor], Any], str]] = {
    "branch": (lambda module, x, h: h if x.sum() > 3 else -h, "branches on a value"),
    "number": (lambda module, x, h: h * float(h[0, 0]), "branches on a value"),
    "list": (lambda module, x, h: h * x.tolist()[0][0], "branches on a value"),
    "numpy": (lambda module, x, h: h * float(x.numpy()[0, 0]), "numpy"),
    "pointer": (lambda module, x, h: h * (h.data_ptr() % 2), "data pointer"),
    "text": (lambda module, x, h: h * len(repr(h)), "does not compute what it computes"),
    "ragged": (lambda module, x, h: module.W[x[x > 1]].sum(0, keepdim=True), "shape of a result of index depends on"),
    "dropout": (lambda module, x, h: torch.dropout(h, 0.5, True), "draws random numbers"),
    "counts": (count_calls, "changes calls"),
    "buffer": (write_buffer, "changes b"),
    "weight": (write_weight, "changes W"),
    "plain tensor": (write_plain, "changes plain"),
    "reads what it kept": (keep, "changes kept"),
    "data": (assign_data, "assigns to an attribute of a tensor"),
    "outside": (outside_state, "two calls on one input do different things"),
    "tuple": (lambda module, x, h: (h, h), "returns a tuple"),
    "no batch": (lambda module, x, h: h[0], r"of shape \[4\]"),
    "two rows": (lambda module, x, h: torch.cat([h, -h]), r"of shape \[2, 4\]"),
    "integers": (lambda module, x, h: x, "int64"),
}
"""Modules that are no function of one input, or not one that can be known, with the reason that is given."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_function_is_refused(name: str) -> None:
    change, reason = REFUSED[name]
    module = Table(change)
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(BadInput, match=reason) as caught:
        trace(module, EXAMPLE)
    assert "Table" in str(caught.value)
    assert all(torch.equal(t, before[key]) for key, t in module.state_dict().items())  # nothing is lost
    assert module.calls == 0
    assert not hasattr(module, "kept")


def test_training_mode_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Dropout(0.9), nn.Linear(6, 4)).train()
    trace(module, EXAMPLE)
    assert module.training
    assert module[2].training


def test_recurrent_cells_stay_as_they_were() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.cell, self.out = nn.Embedding(4, 3), nn.GRU(3, 5, batch_first=True), nn.Linear(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.cell(self.embed(x))[0][:, -1])

    torch.manual_seed(0)
    module = Recurrent()
    inputs = torch.randint(0, 4, (5, 2))
    expected = module(inputs)
    program = trace(module, EXAMPLE)
    assert torch.equal(module(inputs), expected)
    assert torch.allclose(program(inputs), expected, atol=1e-6)


def test_a_cache_that_the_first_call_fills_is_allowed() -> None:
    def cached(module: Table, x: Tensor, h: Tensor) -> Tensor:
        if not hasattr(module, "cache"):
            module.cache = torch.ones(4)
        return h + module.cache

    assert trace(Table(cached), EXAMPLE).output.shape == (4,)


def test_inputs_do_not_depend_on_their_neighbours() -> None:
    """A module that centres its batch is, on one input, the zero function; brute force counts that."""

    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.W = nn.Parameter(torch.eye(8) * 3)

        def forward(self, x: Tensor) -> Tensor:
            h = self.W[x.amax(1)]
            return h - h.mean(0, keepdim=True)

    task = MaxOfK(d_vocab=8, n_ctx=2)
    assert cp.brute_force(Centred(), task).bound == 0


def test_a_module_that_counts_by_batch_is_refused() -> None:
    def twice(module: Table, x: Tensor, h: Tensor) -> Tensor:
        return torch.cat([h, h.flip(0)])

    with pytest.raises(BadInput, match=r"shape \[2, 4\]"):
        cp.brute_force(Table(twice), MaxOfK(d_vocab=4, n_ctx=2))


def test_constants_are_named_and_shared() -> None:
    program = trace(Table(SAME["plain tensor"]), EXAMPLE)
    assert set(program.tensors) == {"W", "b", "plain"}
    tied = nn.Sequential(nn.Embedding(4, 4), nn.Flatten(), nn.Linear(8, 4, bias=False))
    assert set(trace(tied, EXAMPLE).tensors) == {"0.weight", "2.weight"}


def test_tracing_a_program_gives_it_back() -> None:
    program = trace(Table(SAME["finfo"]), EXAMPLE)
    assert trace(program, EXAMPLE) is program
    assert program_of(program, MaxOfK(d_vocab=4, n_ctx=2)) is program


def test_a_function_is_no_module() -> None:
    with pytest.raises(BadInput, match=r"is not a torch\.nn\.Module"):
        trace(lambda x: x, EXAMPLE)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="must be a tensor"):
        trace(Table(SAME["finfo"]), [1, 2])  # type: ignore[arg-type]


def test_inputs_of_another_shape_or_type_are_refused() -> None:
    program = trace(Table(SAME["finfo"]), EXAMPLE)
    assert isinstance(program, Program)
    for wrong in (torch.zeros(3, 3, dtype=torch.int64), torch.zeros(3, 2), torch.tensor(1)):
        with pytest.raises(BadInput, match="the program reads inputs of shape"):
            program(wrong)
    assert program(torch.zeros(0, 2, dtype=torch.int64)).shape == (0, 4)


class Held:
    """An object with state."""

    __slots__ = ("__dict__", "slot")

    def __init__(self) -> None:
        self.slot = self.calls = 0


def in_object(module: Table, x: Tensor, h: Tensor) -> Tensor:
    module.held.calls += 1  # type: ignore[union-attr, operator]
    return -h if module.held.calls > 60 else h  # type: ignore[union-attr, operator]


def in_slot(module: Table, x: Tensor, h: Tensor) -> Tensor:
    module.held.slot += 1  # type: ignore[union-attr, operator]
    return -h if module.held.slot > 60 else h  # type: ignore[union-attr, operator]


def in_array(module: Table, x: Tensor, h: Tensor) -> Tensor:
    module.held[0] += 1  # type: ignore[index, operator]
    return -h if module.held[0] > 60 else h  # type: ignore[index, operator]


def in_closure() -> Callable[[Table, Tensor, Tensor], Tensor]:
    calls = 0

    def change(module: Table, x: Tensor, h: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return -h if calls > 60 else h

    return change


@pytest.mark.parametrize(
    ("change", "held"), [(in_object, Held()), (in_slot, Held()), (in_array, np.zeros(1)), (in_closure(), None)]
)
def test_state_is_seen_wherever_it_is_held(change: Callable[..., Tensor], held: Any) -> None:
    module = Table(change)
    module.held = held
    with pytest.raises(BadInput, match="a call changes"):
        trace(module, EXAMPLE)


def of_first_input(module: Table, x: Tensor, h: Tensor) -> Tensor:
    if module.kept is None:
        module.kept = h
    return module.kept.expand(len(x), -1)  # type: ignore[union-attr, operator]


def test_what_is_kept_of_the_first_input_makes_no_function() -> None:
    module = Table(of_first_input)
    module.kept = None
    with pytest.raises(BadInput, match="does not compute what it computes"):
        program_of(module, MaxOfK(4, 2))


def drawn(module: Table, x: Tensor, h: Tensor) -> Tensor:
    return h + torch.rand(4, generator=torch.Generator().manual_seed(0))


def bits(module: Table, x: Tensor, h: Tensor) -> Tensor:
    return (x.sum(1, keepdim=True) // 2 * 100).to(torch.uint8).view(torch.int8) * h


@pytest.mark.parametrize(("change", "why"), [(drawn, "Generator"), (bits, "bits of numbers")])
def test_what_is_no_function_of_real_numbers_is_refused(change: Callable[..., Tensor], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        trace(Table(change), EXAMPLE)


def unbatchable(module: Table, x: Tensor, h: Tensor) -> Tensor:
    return h.resize_(len(x), 4).mul_(-1)


def test_what_torch_cannot_batch_is_refused() -> None:
    with pytest.raises(BadInput, match="many inputs at once"):
        trace(Table(unbatchable), EXAMPLE)


def of_truth(module: Table, x: Tensor, h: Tensor) -> Tensor:
    same = torch.ops.aten.mul.Scalar(x[:, :1] == x[:, 1:], 1)
    return h + (same + same)


def nothing_scattered(module: Table, x: Tensor, h: Tensor) -> Tensor:
    return torch.slice_scatter(h, torch.zeros(len(x), 0), 1, 3, 1)


@pytest.mark.parametrize("change", [of_truth, nothing_scattered])
def test_simplifying_changes_nothing(change: Callable[..., Tensor]) -> None:
    task, module = MaxOfK(4, 2), Table(change)
    inputs = task.inputs(0, task.size)
    torch.testing.assert_close(program_of(module, task)(inputs), module(inputs))


def test_conversions_that_change_numbers_are_printed() -> None:
    module = Table(lambda module, x, h: h * (x[:, :1] - 1).to(torch.bool))
    assert "bool(" in trace(module, EXAMPLE).text()
