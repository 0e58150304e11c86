"""Sweeps over networks and tasks of one's own, ``file.py:name``."""

from __future__ import annotations

from pathlib import Path

import pytest

import compact_proofs as cp
from compact_proofs.errors import BadInput
from compact_proofs.sweep import Plan
from compact_proofs.sweep.plan import strategy
from compact_proofs.sweep.work import ModelJob, Outcome, ProofJob, work

MINE = """
import torch
import compact_proofs as cp


class Scaled(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.W = torch.nn.Parameter(scale * torch.eye(4))

    def forward(self, x):
        return self.W[x].sum(1)


class Shifted(Scaled):
    def __init__(self):
        super().__init__(torch.ones(4))
        self.register_buffer("shift", torch.rand(()), persistent=False)

    def forward(self, x):
        return super().forward(x) + self.shift


def good():
    return Scaled(5.0 ** torch.arange(4)[:, None])


def other_each_time():
    return Scaled(torch.rand(4, 1))


task = cp.FiniteTask(n_ctx=3, d_vocab=4, label=lambda x: x.amax(1))
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def plan_of(mine: Path, name: str) -> Plan:
    task = f"{mine}:task"
    return Plan.grid([strategy(task, "exhaustive", {})], task=task, files=[f"{mine}:{name}"])


def model_of(plan: Plan) -> Outcome:
    (m,) = plan.models
    return work(ModelJob(m.key, m.task, m.recipe, m.path, m.content))


def proof_of(plan: Plan, made: Outcome) -> Outcome:
    (p,) = plan.proofs
    of = {"task": p.model.task, "path": p.model.path, "content": p.model.content, "weights": made.row["weights"]}
    return work(ProofJob(p.key, **of, model_sha256=made.row["model_sha256"], strategy=p.strategy, version=1, options=p.options))


def test_a_network_is_proved(mine: Path) -> None:
    plan = plan_of(mine, "good")
    proven = proof_of(plan, model_of(plan))
    certificate = cp.brute_force(*(cp.load(f"{mine}:good", f"{mine}:task").model, cp.load(f"{mine}:good", f"{mine}:task").task))
    assert proven.error is None
    assert (proven.row["numerator"], proven.row["denominator"]) == (str(certificate.claim.numerator), "64")


def test_keys_depend_on_what_is_in_the_files(mine: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "mine.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(MINE)
    keys = [plan_of(path, "good").proofs[0].key for path in (mine, elsewhere)]
    assert keys[0] == keys[1]
    elsewhere.write_text(MINE + "\n")
    assert plan_of(elsewhere, "good").proofs[0].key != keys[0]


def test_keys_depend_on_what_the_files_import(mine: Path) -> None:
    """Modules and packages beside the file, also those that are imported by others or within a function; and no others."""
    before = plan_of(mine, "good").proofs[0].key
    mine.write_text(MINE + "\ndef later():\n    from helpers import scale\n    import numpy, unknown\n    return scale\n")
    helpers = mine.parent / "helpers"
    helpers.mkdir()
    keys = [before, plan_of(mine, "good").proofs[0].key]
    changes = [
        ("__init__.py", "from .deep import scale"),
        ("deep.py", "import constants\nscale = constants.SCALE"),
        ("../constants.py", "SCALE = 1"),
        ("../constants.py", "SCALE = 2"),
        ("deep.py", "import constants, mine\nscale = constants.SCALE"),
        ("deep.py", "import ("),  # which the planning does not run
    ]
    for name, text in changes:
        (helpers / name).write_text(text)
        keys.append(plan_of(mine, "good").proofs[0].key)
    assert len(set(keys)) == len(keys)
    (helpers / "unrelated.py").write_text("SCALE = 3")
    (mine.parent / "numbers.txt").write_text("3")
    assert plan_of(mine, "good").proofs[0].key == keys[-1]


def test_the_weights_are_those_of_the_store(mine: Path) -> None:
    plan = plan_of(mine, "other_each_time")
    made = model_of(plan)
    assert made.row["weights"] != model_of(plan).row["weights"]
    first, second = proof_of(plan, made), proof_of(plan, made)
    assert first.error is None
    assert first.row["numerator"] == second.row["numerator"]


def test_numbers_that_no_state_dict_has_are_refused(mine: Path) -> None:
    plan = plan_of(mine, "Shifted")
    assert "other numbers each time" in (proof_of(plan, model_of(plan)).error or "")


def test_a_file_that_changed_is_refused(mine: Path) -> None:
    plan = plan_of(mine, "good")
    made = model_of(plan)
    mine.write_text(MINE + "\n")
    assert "has changed" in (model_of(plan).error or "")
    assert "has changed" in (proof_of(plan, made).error or "")


def test_an_imported_file_that_changed_is_refused(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(mine.parent)
    (mine.parent / "scale_of_mine.py").write_text("SCALE = 5.0")
    mine.write_text("from scale_of_mine import SCALE\n" + MINE)
    plan = plan_of(mine, "good")
    made = model_of(plan)
    assert made.error is None
    (mine.parent / "scale_of_mine.py").write_text("SCALE = 4.0")
    assert "or what it imports, has changed" in (proof_of(plan, made).error or "")


def test_wrong_use(mine: Path) -> None:
    task = f"{mine}:task"
    with pytest.raises(BadInput, match="no recipe to train"):
        Plan.grid([strategy(task, "exhaustive", {})], task=task, seeds=[0])
    with pytest.raises(BadInput, match=r"has no strategy 'cubic'"):
        strategy(task, "cubic", {})
    with pytest.raises(BadInput, match="did you mean max-of-k"):
        strategy("max-of", "cubic", {})
    with pytest.raises(BadInput, match="there is no file"):
        plan_of(mine.parent / "absent.py", "good")
    with pytest.raises(BadInput, match="the model cannot be read"):
        Plan.grid([strategy(task, "exhaustive", {})], task=task, files=[mine.parent / "absent.py:good"])
