"""Networks with tables: they compute the same, in float64 and by Coq's verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compact_proofs.core.exhaustive import brute_force
from compact_proofs.formal.network.distribute import Distributed, distribute
from compact_proofs.formal.network.evaluation import logits
from compact_proofs.formal.network.language import Network
from compact_proofs.formal.network.lowering import network_of
from compact_proofs.formal.network.statement import NetworkStatement, seconds_of, statement_of
from compact_proofs.formal.theorem import write_theorem
from compact_proofs.program import trace
from compact_proofs.tasks import load_model
from tests.formal.modules import Copy, modules


class Layers(nn.Module):
    """Positions are averaged by a matrix, then an MLP with a residual: every way in which sums are distributed."""

    def __init__(self, v: int = 4, d: int = 6) -> None:
        super().__init__()
        self.embed, self.pos = nn.Embedding(v, d), nn.Parameter(torch.randn(2, d))
        self.mix, self.up, self.down = nn.Linear(d, d), nn.Linear(d, 8), nn.Linear(8, d, bias=False)
        self.head = nn.Linear(d, v, bias=False)

    def forward(self, t: Tensor) -> Tensor:
        x = self.embed(t) + self.pos
        y = x[:, 1] - self.mix(x).sum(1) / 2
        return self.head(y + self.down(self.up(y).relu() * 0.5))


def forced(module: nn.Module, width: int, patch: pytest.MonkeyPatch) -> tuple[Network, Distributed]:
    """A network and one with tables, however little that wins."""
    network = network_of(trace(module.eval(), torch.zeros(width, dtype=torch.int64)))
    patch.setattr("compact_proofs.formal.network.distribute.WORTH", 1.0)
    found = distribute(network, 1, lambda n: n.work().products + n.work().others / 8)
    assert found is not None
    return network, found


CHANGED = ["SiLU", "GRU", "LSTM", "encoder layer", "einsum", "one-hot", "outer", "variance", "abs", "moved mask", "rms"]


@pytest.mark.parametrize("name", CHANGED)
def test_a_network_with_tables_computes_the_same(name: str, monkeypatch):
    network, found = forced(modules()[name].double(), 3, monkeypatch)
    assert None in found.kept
    assert not any(d.body.reads_tokens() for d in found.network.definitions[: found.network.constants])
    for t in ([0, 1, 2], [3, 3, 0]):
        assert np.abs(logits(network, t) - logits(found.network, t)).max() < 1e-12


def test_products_are_made_once(monkeypatch):
    """The first layer is read from tables, and the last two matrices are one."""
    torch.manual_seed(0)
    network, found = forced(Layers(), 2, monkeypatch)
    assert found.network.constants > 3
    assert found.network.work().products < network.work().products / 3
    for t in ([0, 1], [3, 2]):
        assert np.abs(logits(network, t) - logits(found.network, t)).max() < 1e-6


def test_what_wins_little_is_left_alone():
    torch.manual_seed(0)
    network = network_of(trace(Layers(), torch.zeros(2, dtype=torch.int64)))
    assert distribute(network, 1, lambda n: 100 + seconds_of(n, 1)) is None


def test_modular_addition_takes_a_third():
    loaded = load_model("mod-59-mlp-seed-0")
    statement = statement_of(loaded.model, loaded.task)
    assert statement.distributed is not None
    assert statement.distributed.network.work().multiply_adds < statement.network.work().multiply_adds / 3


@pytest.fixture(scope="module")
def statement() -> NetworkStatement:
    torch.manual_seed(0)
    module, task = Layers(), Copy((4, 4), 1)
    with pytest.MonkeyPatch.context() as patch:
        _, found = forced(module, 2, patch)
    return replace(statement_of(module, task), distributed=found)


def verdict(statement: NetworkStatement, n: int, compiled, folder: Path, *change: str) -> bool:
    """Does Coq accept the theorem, with a text of Tables.v changed?"""
    write_theorem(statement, n, folder)
    text = (folder / "Tables.v").read_text()
    changed = text.replace(*change, 1) if change else text
    assert not change or changed != text
    (folder / "Tables.v").write_text(changed)
    for name in statement.parts:
        output = compiled(folder / name)
        assert output.accepted, output.text
    return compiled(folder / "Accuracy.v").accepted


def test_coq_accepts_tables(statement: NetworkStatement, coq, compiled, tmp_path: Path):
    torch.manual_seed(0)
    n = int(brute_force(Layers(), Copy((4, 4), 1)).claim.numerator)
    assert verdict(statement, n, compiled, tmp_path)
    assert not verdict(statement, n + 1, compiled, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Sum 6 (Times", "Sum 5 (Times"),  # a table over too few terms
        pytest.param("Relu (", "Exp (", marks=pytest.mark.slow),
        ("Token (Fixed 1)", "Token (Fixed 0)"),
        ("None; ", "Some 0; "),
        ("Read table0", "Read fast0"),  # it reads a tensor that comes later
        pytest.param("Number 1 2", "Number 1 3", marks=pytest.mark.slow),
    ],
)
def test_tables_that_compute_something_else_are_rejected(statement: NetworkStatement, old, new, coq, compiled, tmp_path: Path):
    assert not verdict(statement, 0, compiled, tmp_path, old, new)
