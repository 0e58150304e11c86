"""A claim names the function that was proved: whatever changes a network of ours makes it another one, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from compact_proofs.core.check import check
from compact_proofs.core.claim import Margin, Score
from compact_proofs.core.exhaustive import Exhaustive, brute_force
from compact_proofs.core.function import MODULE, Function
from compact_proofs.core.prove import prove
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.models.architectures import ARCHITECTURES, architecture_of
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.program import program_of
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.max_of_k import BruteForce, MaxOfK

TASK = MaxOfK(4, 2)


def network(seed: int = 1) -> AttentionOnlyTransformer:
    made = AttentionOnlyTransformer(AttentionOnlyConfig(4, 2, 4, 4))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    return made


def right(model: nn.Module) -> int:
    inputs = TASK.inputs(0, TASK.size)
    with torch.no_grad():
        return int((model(inputs).argmax(1) == TASK.labels(inputs)).sum())


def with_plain(factor: float) -> AttentionOnlyTransformer:
    """A network whose unembedding is an attribute and no parameter, so that no hash of parameters covers it."""
    made = network()
    W_U = made.W_U.detach() * factor
    del made.W_U
    made.W_U = W_U
    return made


def test_a_tensor_that_is_no_parameter_is_part_of_the_function() -> None:
    one, other = with_plain(1.0), with_plain(-1.0)
    assert Function.of(one, TASK).architecture == MODULE
    assert Function.of(one, TASK).differs_from(Function.of(other, TASK)) is not None
    first, second = (prove(model, TASK, Exhaustive()) for model in (one, other))
    assert (first.claim.numerator, second.claim.numerator) == (right(one), right(other))
    assert right(one) != right(other)
    with pytest.raises(CertificateRejected, match="another program"):
        check(first, other, TASK)
    with pytest.raises(BadInput, match="was changed"):
        prove(one, TASK, BruteForce())


class Negated(nn.Parameter):
    """A parameter that changes what calls on it mean."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return super().__torch_function__(func, types, args, kwargs or {})


def wider(model: AttentionOnlyTransformer) -> None:
    model.W_V = nn.Parameter(torch.randn(4, 3))


def broadcast(model: AttentionOnlyTransformer) -> None:
    model.W_U = nn.Parameter(torch.randn(4, 1))


def extra(model: AttentionOnlyTransformer) -> None:
    model.register_buffer("scale", torch.ones(()))


def held(model: AttentionOnlyTransformer) -> None:
    model.table = [torch.ones(2)]  # type: ignore[assignment]


def of_another_class(model: AttentionOnlyTransformer) -> None:
    model.W_U = Negated(model.W_U.detach())


@pytest.mark.parametrize("change", [wider, broadcast, extra, held, of_another_class])
def test_a_network_with_other_tensors_is_not_of_its_architecture(change: Callable[[AttentionOnlyTransformer], None]) -> None:
    model = network()
    assert architecture_of(model) is not None
    change(model)
    assert architecture_of(model) is None


@pytest.mark.parametrize("register", [register_module_forward_hook, register_module_forward_pre_hook])
def test_hooks_of_all_modules_are_changes(register: Callable[..., Any]) -> None:
    model = network()
    handle = register(lambda *_: None)
    try:
        assert architecture_of(model) is None
        with pytest.raises(BadInput, match="was changed"):
            prove(model, TASK, BruteForce())
    finally:
        handle.remove()
    assert architecture_of(model) is not None


def test_hooks_of_all_modules_are_in_the_program_once() -> None:
    model = network(3)
    handle = register_module_forward_hook(lambda module, inputs, out: -out)
    try:
        negated = brute_force(model, TASK)
        assert negated.claim.numerator == right(model)
    finally:
        handle.remove()
    plain = brute_force(model, TASK)
    assert plain.claim.numerator == right(model)
    assert plain.claim.function.differs_from(negated.claim.function) is not None


@pytest.mark.parametrize("kind", ARCHITECTURES.values())
def test_a_class_with_a_replaced_method_is_no_architecture(kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    forward = kind.forward
    model = (
        network()
        if kind is AttentionOnlyTransformer
        else Transformer(TransformerConfig(d_vocab=4, n_ctx=2, d_out=4, d_model=4, d_head=4))
    )
    known = type(model) is kind
    monkeypatch.setattr(kind, "forward", lambda self, x: -forward(self, x))
    assert (architecture_of(model) is None) == known


def test_programs_that_are_kept_cannot_be_written_into() -> None:
    model = network(5)
    truth = brute_force(model, TASK)
    program_of(model, TASK).tensors["W_U"].neg_()
    again = brute_force(model, TASK)
    assert (again.claim, again.bound) == (truth.claim, truth.bound)


def test_a_program_is_what_it_prints() -> None:
    program = program_of(network(), TASK)
    truth = prove(program, TASK, Exhaustive())
    program.register_forward_hook(lambda module, inputs, out: -out)
    program.forward = lambda inputs: -program.output.expand(len(inputs), -1)  # type: ignore[method-assign]
    assert prove(program, TASK, Exhaustive()).claim == truth.claim
    with pytest.raises(TypeError, match="no subclass"):
        type("Other", (type(program),), {})


class Easy(Score):
    """A score that takes the name of another."""

    name, least, most = "margin", 0, 1

    def lower_total(self, logits: Tensor, labels: Tensor) -> Any:
        return len(labels)


def test_a_score_has_a_name_of_its_own() -> None:
    class Generous(Exhaustive):
        score = Easy()  # type: ignore[assignment]

    with pytest.raises(BadInput, match="name 'margin' of another score"):
        prove(network(), TASK, Generous())


def test_statements_leave_nothing_out_that_a_score_depends_on() -> None:
    said = brute_force(network(), TASK, score=Margin(-1000.0)).claim.statement()
    assert "the right output's logit is above every other logit of M plus -1000.0" in said
    assert "the probability that M is right is at least" in brute_force(network(), TASK).claim.statement()


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_label_that_is_no_output_is_found_where_it_is(wrong: int) -> None:
    def label(x: Tensor) -> Tensor:
        return torch.where((x[:, 0] == 5) & (x[:, 1] == 7), wrong if wrong < 0 else 23, x.amax(1))

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.W = nn.Parameter(torch.eye(23))

        def forward(self, x: Tensor) -> Tensor:
            return self.W[x].sum(1)

    task = FiniteTask(4, 23, label)
    with pytest.raises(BadInput, match="labels must be"):
        prove(Sum(), task, Exhaustive(batch_size=2**14))
