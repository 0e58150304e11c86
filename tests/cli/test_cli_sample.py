"""``compact-proofs sample`` and ``check`` on what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import schemas

GRID = ("-s", "additive", "-O", "counting=grid", "-O", "window=2", "-O", "groups=2")


def test_sample_says_what_it_is_and_is_not(run: Any, tiny_file: Path) -> None:
    result = run("sample", tiny_file, *GRID, "-n", 40)
    assert "Not a theorem. With confidence 1 - 1e-06 over the draw: for x uniform over" in result.stdout
    assert "inputs are proven; of 40 drawn from the others" in result.stdout
    assert "could have varied until luck came" in result.stderr
    told = run("sample", tiny_file, *GRID, "-n", 40, "--public", "today")
    assert "the draw follows from the public text 'today', which the prover must not have been able to choose" in told.stdout
    assert "if the prover could choose this text" in told.stderr
    assert "1 - 8e-25" in run("sample", tiny_file, *GRID, "--delta", "1/1250000000000000000000000").stdout


def test_sample_json_and_check(run: Any, tiny_file: Path) -> None:
    made = schemas.SampledAlone.model_validate_json(
        run("sample", tiny_file, *GRID, "-n", 40, "--tries", 3, "--public", "x", "-o", "h.cert", "--json").stdout
    )
    assert (made.samples, made.tries, made.public, made.delta, made.inputs) == (40, 3, "x", 1e-6, "512")
    assert int(made.proven) / 512 < made.bound < 1
    found = json.loads(run("check", "h.cert", tiny_file, "--json").stdout)
    assert found["accepted"]
    assert "for the best of at most 3 such statements" in found["claim"]["statement"]
    assert schemas.Sampled.model_validate(found["proof"]).length == made.length
    shown = run("check", "h.cert", tiny_file).stdout
    assert "Accepted: drawn again from its seed" in shown
    assert "This is not a proof" in shown


def test_check_rejects_a_statement_about_other_weights(run: Any, tiny_file: Path) -> None:
    run("sample", tiny_file, *GRID, "-n", 10, "-o", "h.cert")
    assert "it is about" in run("check", "h.cert", "max-of-4-seed-123", code=1).stderr


def test_plain_sampling_and_defaults(run: Any, tiny_file: Path) -> None:
    plain = schemas.SampledAlone.model_validate_json(run("sample", tiny_file, "-s", "nothing", "-n", 50, "--json").stdout)
    assert (plain.strategy, plain.proven) == ("nothing", "0")
    default = run("sample", tiny_file, "-n", 50, "--json")
    assert json.loads(default.stdout)["strategy"] == "nothing"
    assert "Of the default strategy, additive, the unproven inputs cannot be sampled" in default.stderr


def test_wrong_use(run: Any, tiny_file: Path) -> None:
    assert "known up to rounding only" in run("sample", tiny_file, "-s", "additive", code=2).stderr
    assert "strictly between 0 and 1" in run("sample", tiny_file, "--delta", "0", code=2).stderr
    assert "--delta 'often' is not a number" in run("sample", tiny_file, "--delta", "often", code=2).stderr


def test_frontier_with_confidence(run: Any, tiny_file: Path) -> None:
    found = json.loads(run("frontier", tiny_file, "--confidence", "1e-4", "--effort", 0.01, "-o", "r", "--json").stdout)
    statements = schemas.Frontier.model_validate(found).with_confidence
    assert statements
    assert {s.tries for s in statements} == {len(statements)}
    best = max(p["bound"] for p in found["proofs"] if p["strategy"] == statements[-1].strategy)
    assert all(int(s.proven) / int(s.inputs) < s.bound for s in statements)
    assert all(s.bound <= 1 for s in statements)
    assert best < 1
    page = Path("r/index.html").read_text()
    assert "with confidence" in page
    assert "false with probability 0.0001" in page


def test_brute_force_where_it_is_shorter(run: Any, tiny_file: Path) -> None:
    said = "Evaluating every input takes fewer operations, and is a proof: compact-proofs prove"
    assert said in run("sample", tiny_file, "-s", "nothing", "-n", 2000, "--delta", "0.1").stderr
    assert said not in run("sample", tiny_file, "-s", "nothing", "-n", 3, "--delta", "0.1").stderr
