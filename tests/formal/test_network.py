"""Networks as Coq gets them, against the programs that they are made from: none of this needs Coq."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.formal.network.evaluation import logits
from compact_proofs.formal.network.language import number
from compact_proofs.formal.network.lowering import network_of
from compact_proofs.formal.network.rules import RULES, negative, pointwise
from compact_proofs.formal.network.source import names_of, program_source, weights_source
from compact_proofs.formal.network.statement import statement_of
from compact_proofs.formal.network.tasks import task_in_coq
from compact_proofs.program import trace
from compact_proofs.tasks import KITS
from tests.formal.modules import Copy, Function, modules

EXAMPLE = torch.zeros(3, dtype=torch.int64)


@pytest.mark.parametrize("name", modules())
def test_a_network_means_what_the_module_computes(name: str):
    module = modules()[name].double()
    network = network_of(trace(module, EXAMPLE))
    for t in ([0, 1, 2], [3, 3, 0], [1, 0, 3]):
        expected = module.eval()(torch.tensor([t])).detach().numpy()[0]
        assert np.abs(logits(network, t) - expected).max() < 1e-12


def test_a_wrong_rule_is_noticed(monkeypatch):
    monkeypatch.setitem(RULES, "relu", lambda to, node, x: pointwise(to, negative, x))
    with pytest.raises(BadInput, match="what would be written in Coq is not the program: on input"):
        statement_of(Function(lambda x: x[:, 0].relu(), 4), Copy((4, 4, 4), 0))


def test_numbers_are_those_of_the_module():
    """A float32 weight is written as the number that it is, a Python number as the double that it is."""
    module = Function(lambda x: x[:, 0] * 0.1, 4)
    network = network_of(trace(module, EXAMPLE))
    assert number(0.1) in network.definitions[0].body.args
    text = program_source(network, "m")
    assert "= embed_weight[t[0], i] * 0.1 *)" in text
    assert "Number 3602879701896397 36028797018963968" in text
    assert network.weights[0].value.dtype == torch.float32


def test_what_does_not_depend_on_the_input_comes_first():
    class Folded(nn.Module):
        def __init__(self):
            super().__init__()
            self.E, self.U = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(3, 4))

        def forward(self, t):
            return (self.E @ self.U)[t].sum(1)

    network = network_of(trace(Folded(), EXAMPLE))
    assert network.constants == 1
    assert network.work().products == 0


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Function(lambda x: x.sin()[:, 0], 4), "sin: no rule writes this operation in Coq"),
        (Function(lambda x: x[:, 0] ** 2.5, 4), "pow: the exponent 2.5"),
        (Function(lambda x: torch.ops.aten.elu(x[:, 0]), 4), "elu: no rule writes this operation in Coq"),
        (Function(lambda x: torch.div(x[:, 0], 2, rounding_mode="floor"), 4), "div: division"),
        (Function(lambda x: torch.where(torch.arange(4) < 5, -torch.inf, x[:, 0]), 4), "minus infinity"),
        (Function(lambda x: x[:, 0] * torch.arange(4).float().sqrt(), 4), "sqrt: it computes a constant with rounding"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(module: nn.Module, reason: str):
    with pytest.raises(BadInput, match=re.escape(reason)):
        network_of(trace(module, EXAMPLE))


def test_weights_that_are_no_numbers_are_refused():
    module = Function(lambda x: x[:, 0], 4)
    program = trace(module, EXAMPLE)
    program.tensors["embed.weight"][0, 0] = torch.nan
    with pytest.raises(BadInput, match=r"embed.weight holds a number that is not finite"):
        network_of(program)


def test_inputs_that_are_no_tokens_are_refused():
    with pytest.raises(BadInput, match=r"reads a row of tokens, not \[3\] of torch.float32"):
        network_of(trace(nn.Linear(3, 2), torch.zeros(3)))


def test_names_and_formulas():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.Read, self.x0 = nn.Parameter(torch.randn(4, 2)), nn.Parameter(torch.randn(2, 4))
            self.let = nn.Parameter(torch.randn(4))

        def forward(self, t):
            return torch.relu(self.Read[t[:, 0]]) @ self.x0 / 2 - self.let

    network = network_of(trace(Named(), EXAMPLE))
    assert names_of(network) == ["w_Read", "w_x0", "w_let", "x0", "x1"]
    text = program_source(network, "m *) Axiom no : False. (*")
    assert "(** x0[i < 2] = relu(w_Read[t[0], i]) *)" in text
    assert "(** x1[i < 4] = (sum_(j < 2) x0[j] * w_x0[j, i]) / 2 - w_let[i] *)" in text
    assert "Axiom no " not in re.sub(r"\(\*.*?\*\)", "", text, flags=re.DOTALL)
    assert network.sha256 in text
    assert network.sha256 in weights_source(network, "m")


def test_too_much_work_is_refused_with_the_time():
    module = Function(lambda x: x.flatten(1), 12)
    module.embed = nn.Embedding(64, 4)
    module.head = nn.Sequential(nn.Linear(12, 4000), nn.ReLU(), nn.Linear(4000, 64))
    with pytest.raises(BadInput, match=r"on all 262144 inputs takes Coq 8.\de\+10 multiply-adds, some 3 hours; at most 1e\+10"):
        statement_of(module, Copy((64, 64, 64), 0))


def test_a_task_is_shown_as_it_is_defined():
    tasks = {name: kit.task_of(kit.specimen(0).model) for name, kit in KITS.items()}
    with pytest.raises(BadInput, match="has a law"):  # no list of inputs to run a program on
        task_in_coq(tasks.pop("order-statistic"))
    terms = {name: task_in_coq(task) for name, task in tasks.items()}
    assert terms["max-of-k"].label == "maximum"
    assert terms["modular-addition"].label.startswith("(addition ")
    assert terms["groups"].label == "(composition Formalized.Task.table)"
    assert terms["induction"].label == "follower"
    assert terms["induction"].domain.startswith("(filter comes_back (inputs [")
    own = task_in_coq(Copy((2, 3), 1))
    assert own.label == "(tabulated [2; 3]%nat Formalized.Task.labels)"
    assert own.domain == "(inputs [2; 3]%nat)"
    assert own.data == {"labels": [[0, 1, 2], [0, 1, 2]]}


def test_inputs_that_are_not_all_are_listed():
    task = Copy((2, 3), 1)
    task.all = task.all[1:]
    terms = task_in_coq(task)
    assert terms.domain == "Formalized.Task.domain"
    assert terms.data["domain"] == task.all.tolist()


def test_too_many_labels_are_refused():
    task = Copy((2, 3), 1)
    task.__class__ = type("Large", (Copy,), {"size": 10**7})
    with pytest.raises(BadInput, match="10000000 labels are too many to be written down"):
        task_in_coq(task)
