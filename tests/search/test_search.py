"""Searches: Q, proposals as data, the judge's limits, archives that go on, proposers of every kind."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import compact_proofs as cp
from compact_proofs.certified import Nothing
from compact_proofs.errors import BadInput
from compact_proofs.search import Archive, Evolution, Judge, Proposal, Random, Result, Space, State, Text, q_metric, search
from compact_proofs.search.bayes import Bayes
from compact_proofs.search.text import parse, prompt
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import Additive, Cubic

FEW = [Additive(w, g, d, "grid", 8, 8) for w in (1, 2, 3) for g in (1, 2) for d in ("joint", "separate")] + [Cubic()]
SHORTEST, LONGEST = 100, 10**6


@pytest.fixture
def judge(tiny: LoadedModel) -> Judge:
    return Judge([(tiny.model, tiny.task)], Space.of(FEW), LONGEST)


# --- Q ------------------------------------------------------------------------------------------------------------------


def test_q_of_single_proofs() -> None:
    assert q_metric([], 1, 100) == 0
    assert q_metric([(1, 1.0)], 1, 100) == pytest.approx(1)
    assert q_metric([(10, 0.5)], 1, 100) == pytest.approx(0.25)
    assert q_metric([(10, 0.5), (50, 0.4), (100, 1.0), (0, 0.0)], 1, 100) == pytest.approx(0.25)
    with pytest.raises(BadInput, match="0 < shortest < longest"):
        q_metric([], 5, 5)


@given(st.lists(st.tuples(st.floats(1, 2000), st.floats(0, 1)), max_size=8))
def test_q_is_the_mean_of_the_best_bound(points: list[tuple[float, float]]) -> None:
    """Against a sum over a fine grid of lengths."""
    lengths = [math.exp(math.log(1000) * (i + 0.5) / 2000) for i in range(2000)]
    mean = sum(max((b for n, b in points if n <= at), default=0) for at in lengths) / 2000
    assert q_metric(points, 1, 1000) == pytest.approx(mean, abs=len(points) / 1000)


# --- judging ------------------------------------------------------------------------------------------------------------


def test_the_judge_proves(judge: Judge, tiny: LoadedModel) -> None:
    found = judge(Proposal(strategy="additive", options={"window": 2, "groups": 2, "counting": "grid"}))
    proven = cp.prove(tiny.model, tiny.task, Additive(2, 2, counting="grid"))
    assert (found.status, found.bound, found.length) == ("proved", float(proven.bound), proven.length.total)
    assert sum(found.length_by_stage.values()) == found.length


def test_means_over_models(judge: Judge, tiny: LoadedModel) -> None:
    twice = Judge([(tiny.model, tiny.task)] * 2, judge.space, LONGEST)
    assert twice(Proposal(strategy="cubic")) == judge(Proposal(strategy="cubic"))


def test_proposed_explanations_are_data(judge: Judge) -> None:
    def with_groups(groups: Any) -> Result:
        options = {"window": 3, "groups": 2, "counting": "grid"}
        return judge(Proposal(strategy="additive", options=options, explanation={"group_of": groups}))

    assert with_groups([0, 0, 0, 0, 1, 1, 1, 1]).status == "proved"
    for wrong in ([0] * 7, [9] * 8, ["a"] * 8, "os.system", {"a": 1}, [[0] * 8], [10**30] * 8, None):
        assert with_groups(wrong).status == "rejected", wrong
    assert judge(Proposal(strategy="cubic", explanation={"more": [1]})).status == "rejected"


@pytest.mark.parametrize(
    "proposal",
    [
        {"strategy": "os.system"},
        {"strategy": "brute-force"},
        {"strategy": "additive", "options": {"window": 0}},
        {"strategy": "additive", "options": {"verify": "lambda: 1"}},
        {"strategy": "additive", "options": {"window": True}},
        {"strategy": "additive", "options": {"values": "lowrank"}},
    ],
)
def test_what_is_not_registered_is_rejected(judge: Judge, proposal: Any) -> None:
    found = judge(Proposal.read(proposal))
    assert (found.status, found.bound) == ("rejected", 0)


@pytest.mark.parametrize(
    "given", [1, [], {}, {"strategy": 1}, {"strategy": "a", "verify": "x"}, {"strategy": "a", "options": {"b": None}}]
)
def test_malformed_proposals(given: Any) -> None:
    with pytest.raises(BadInput, match="a proposal's"):
        Proposal.read(given)


@dataclass(frozen=True)
class Greedy(cp.Strategy):
    """Wastes what it is asked to waste."""

    waste: str = "time"
    name: ClassVar[str] = "greedy"

    def verify(self, model: Any, task: Any, explanation: Any) -> cp.Certified:
        if next(model.parameters()).is_meta:
            return Nothing()
        if self.waste == "time":
            time.sleep(20)
        return cp.Counted(int(torch.zeros(10**12, dtype=torch.float64).sum()), lambda inputs: inputs[:, 0] < 0)


@pytest.mark.parametrize(("waste", "status"), [("time", "too slow"), ("memory", "too large")])
def test_limits(tiny: LoadedModel, waste: str, status: str) -> None:
    judge = Judge([(tiny.model, tiny.task)], Space.of([Greedy()]), LONGEST, seconds=0.5, memory=2**30)
    started = time.monotonic()
    assert judge(Proposal(strategy="greedy", options={"waste": waste})).status == status
    assert time.monotonic() - started < 10


def test_long_proofs_are_not_run(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compact_proofs.search.judge.prove", None)
    judge = Judge([(tiny.model, tiny.task)], Space.of(FEW), 10)
    assert judge(Proposal(strategy="cubic")).status == "too long"


# --- proposers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Random, Evolution, Bayes])
def test_proposers_find_proofs_and_are_reproducible(judge: Judge, kind: Any) -> None:
    first, again = (search(kind(3), judge, SHORTEST, LONGEST, 9) for _ in range(2))
    assert [p.key for p, _ in first.tried] == [p.key for p, _ in again.tried]
    assert len({p.key for p, _ in first.tried}) == len(first.tried) == 9
    assert all(r.status == "proved" for _, r in first.tried)
    assert first.q == pytest.approx(sum(r.gain for _, r in first.tried))
    assert first.q > 0.1


@pytest.mark.parametrize("kind", [Evolution, Bayes])
def test_what_is_worth_trying_comes_first(judge: Judge, kind: Any) -> None:
    """In order, however much of it was tried before; then something else."""
    first = [str(s) for s in FEW[: kind.FIRST]]
    state = search(kind(0), judge, SHORTEST, LONGEST, len(first) + 1)
    named = [str(judge.space.build(p)) for p, _ in state.tried]
    assert named[: len(first)] == first
    assert len(named) == len(first) + 1
    again = search(kind(0), judge, SHORTEST, LONGEST, 4, archive=Remembered(state.tried[1:3]))
    assert {str(judge.space.build(p)) for p, _ in again.tried} == set(first[:4])


class Remembered(Archive):
    """An archive without a file."""

    def __init__(self, tried: list) -> None:
        self.tried = list(tried)

    def append(self, tried: Any) -> None:
        self.tried.append(tried)


def test_evolution_stays_beside_the_frontier() -> None:
    space = dataclasses.replace(Space.of(FEW), first=())
    parent = Proposal(strategy="additive", options=FEW[0].options())
    state = State(space, SHORTEST, LONGEST, [(parent, Result(status="proved", bound=0.5, length=1000))])
    proposer = Evolution(0)
    changes = [
        sum(p.options[k] != v for k, v in parent.options.items()) for _ in range(200) for p in proposer.ask(state) if p.options
    ]
    assert sum(n <= 2 for n in changes) > 120


def test_a_search_ends_when_everything_was_tried(judge: Judge) -> None:
    small = Judge(judge.models, Space.of([Cubic(), Additive(1, 1, counting="grid")]), LONGEST)
    assert len(search(Random(), small, SHORTEST, LONGEST, 50).tried) == 2


def test_a_scripted_language_model(judge: Judge) -> None:
    prompts = []
    answers = [
        "I have no idea.",
        'Let me try [{"strategy": "cubic", "claim": "a table [of everything]"}, {"strategy": "magic"}] and see.',
        '```json\n[{"strategy": "additive", "options": {"window": 3, "groups": 2, "counting": "grid"}}]\n```',
        "[]",
    ]

    def talk(text: str) -> str:
        prompts.append(text)
        return answers[len(prompts) - 1]

    state = search(Text(talk), judge, SHORTEST, LONGEST, 10)
    assert [p.strategy for p, _ in state.tried] == ["cubic", "magic", "additive"]
    assert "could not be read: there is no JSON list of proposals in it" in prompts[1]
    assert "by magic: rejected (there is no strategy 'magic'" in prompts[2]
    assert "Frontier:\n- bound " in prompts[2]
    assert "window in [1, 2, 3]" in prompts[0]


@given(st.text(max_size=50))
def test_answers_are_read_or_refused(answer: str) -> None:
    with contextlib.suppress(BadInput):
        assert all(isinstance(p, Proposal) for p in parse(answer))


def test_the_prompt_is_text_for_any_state() -> None:
    assert "- empty" in prompt(State(Space.of(FEW), SHORTEST, LONGEST), "nothing")


# --- archives -----------------------------------------------------------------------------------------------------------


def test_a_search_goes_on_where_it_stopped(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, about = tmp_path / "a.jsonl", {"models": ["x"]}
    first = search(Evolution(1), judge, SHORTEST, LONGEST, 5, archive=Archive(path, about))
    with path.open("a") as f:
        f.write('{"proposal": {"strategy": "cub')  # interrupted while it wrote
    archive = Archive(path, about)
    assert archive.tried == first.tried
    seen = []
    monkeypatch.setattr(Judge, "__call__", lambda self, p: seen.append(p.key) or Result(status="rejected"))
    more = search(Evolution(1), judge, SHORTEST, LONGEST, 7, archive=archive)
    assert more.tried[:5] == first.tried
    assert len(seen) == 2
    assert not set(seen) & {p.key for p, _ in first.tried}
    assert len(path.read_text().splitlines()) == 1 + 7


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("not json\n", "not an archive"),
        ('{"format": "compact-proofs search 1", "models": ["y"]}\n', r"another search \(its models differ\)"),
        ('{"format": "compact-proofs search 1", "models": ["x"]}\n{"proposal": 1}\n', "line 2 is no proposal"),
    ],
)
def test_other_files_are_refused_and_kept(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput, match=reason):
        Archive(path, {"models": ["x"]})
    assert path.read_text() == content
