"""Plans: what they expand to, their keys, and what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.sweep import Plan
from compact_proofs.sweep.plan import parse_seeds, strategy
from compact_proofs.tasks.max_of_k import Additive, Cubic


def test_a_grid_combines_everything_with_everything() -> None:
    plan = Plan.grid([Cubic(), Additive(4, 2)], seeds=range(3), recipe={"n_ctx": [4, 5], "d_vocab": 32})
    recipes = [json.loads(m.recipe or "") for m in plan.models]
    assert [(r["n_ctx"], r["seed"]) for r in recipes] == [(k, seed) for k in (4, 5) for seed in range(3)]
    assert all(r["d_vocab"] == 32 and r["steps"] == 3000 for r in recipes)
    assert [p.strategy for p in plan.proofs] == ["cubic", "additive"] * 6
    keys = {p.key for p in plan.proofs} | {m.key for m in plan.models}
    assert len(keys) == 18


def test_keys_depend_on_content_alone(tmp_path: Path) -> None:
    (plain,) = Plan.grid([Additive(4, 2)], seeds=[0]).proofs
    (explicit,) = Plan.grid([strategy("max-of-k", "additive", {"groups": 2, "window": 4})], seeds=[0], recipe={"n_ctx": "4"}).proofs
    assert plain == explicit
    assert plain.key == explicit.key
    assert replace(plain, version=plain.version + 1).key != plain.key
    assert Plan.grid([Additive(4, 3)], seeds=[0]).proofs[0].key != plain.key
    assert Plan.grid([Additive(4, 2)], seeds=[1]).proofs[0].key != plain.key
    for folder, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.npz").write_bytes(content)
    a, b, c = (Plan.grid([Cubic()], files=[tmp_path / f / "m.npz"]).models[0].key for f in "abc")
    assert a == b != c


def test_units_are_planned_once() -> None:
    few, more = (Plan.grid([Cubic(), Cubic()], seeds=range(n)) for n in (2, 3))
    assert len(few.proofs) == 2
    assert (few + more).proofs == more.proofs


def test_models_of_the_zoo_and_files() -> None:
    name = zoo.names()[0]
    by_name, by_path = (Plan.grid([Cubic()], files=[f]).models for f in (name, zoo.path(name)))
    assert by_name == by_path
    assert by_name[0].recipe is None


def test_plan_files(tmp_path: Path) -> None:
    toml = tmp_path / "plan.toml"
    toml.write_text(
        '[[part]]\nseeds = "0-2"\nrecipe = {n_ctx = [4, 5]}\nstrategies = [{name = "cubic"}]\n'
        '[[part]]\nseeds = [7]\nfiles = ["max-of-4-seed-50"]\nstrategies = [{name = "additive", window = 4}]\n'
    )
    expected = Plan.grid([Cubic()], seeds=range(3), recipe={"n_ctx": [4, 5]}) + Plan.grid(
        [Additive(4)], seeds=[7], files=["max-of-4-seed-50"]
    )
    assert Plan.read(toml) == expected
    as_json = tmp_path / "plan.json"
    as_json.write_text(json.dumps({"part": [{"seeds": [0, 1, 2], "recipe": {"n_ctx": [4, 5]}, "strategies": [{"name": "cubic"}]}]}))
    assert (Plan.read(as_json) + expected) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("part = []", "part: List should have at least 1 item"),
        ("x = 1", "part: Field required"),
        ("[[part]]\nstrategies = [{name = 'cubic'}]\nseed = 1", r"part\.0\.seed: Extra inputs"),
        ("[[part]]\nstrategies = [{name = 'cubic'}]", "nothing to prove"),
        ("[[part]]\nstrategies = [{}]\nseeds = '0'", "no strategy ''"),
        ("[[part]]\nstrategies = [{name = 'cubic', x = 1}]\nseeds = '0'", "has no option 'x'"),
        ("[[part", "the plan is not TOML"),
    ],
)
def test_bad_plan_files(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=reason):
        Plan.read(path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "nothing to prove"),
        ({"seeds": [0], "task": "chess"}, "there is no task 'chess'; there are max-of-k"),
        ({"seeds": [0], "recipe": {"depth": 2}}, "has no field 'depth'; it has seed"),
        ({"seeds": [0], "recipe": {"n_ctx": "x"}}, "n_ctx = 'x'"),
        ({"seeds": [0], "recipe": {"steps": 0}}, "steps must be at least 1, not 0"),
        ({"files": ["missing.npz"]}, "missing.npz: the model cannot be read"),
    ],
)
def test_bad_grids(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        Plan.grid([Cubic()], **arguments)


def test_seeds() -> None:
    assert parse_seeds("0-3, 7,2-4") == [0, 1, 2, 3, 7, 4]
    for text in ("", "x", "3-1", "-1", "1-", "0-99999999999", "1.5"):
        with pytest.raises(BadInput, match="seeds"):
            parse_seeds(text)
