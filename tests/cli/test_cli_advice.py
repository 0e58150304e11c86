"""A bound that says little is said to say little, with what to try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("name", ["induction-12-v32-seed-0", "induction-16-v32-seed-0"])
def test_a_bound_of_zero_is_said_to_say_nothing(run: Any, name: str) -> None:
    shown = run("prove", name).stdout
    assert "The bound is 0: this says nothing about the network. To try: compact-proofs frontier" in shown
    assert f"compact-proofs finetune induction {name} -o FILE" in shown
    assert f"compact-proofs sample {name}" in shown
    assert "says nothing" in json.loads(run("prove", name, "--json").stdout)["note"]


def test_a_good_bound_has_no_note(run: Any, tiny_file: Path) -> None:
    assert json.loads(run("prove", tiny_file, "--json").stdout)["note"] is None
    assert "To try" not in run("prove", tiny_file).stdout


def test_other_options_than_the_defaults_are_told_of_the_default(run: Any) -> None:
    said = json.loads(run("prove", "s4-seed-0", "-s", "dictionary", "--json").stdout)["note"]
    assert "compact-proofs prove s4-seed-0 (the default, g-sets)" in said


def test_a_bound_that_brute_force_has_as_cheaply(run: Any) -> None:
    """The dictionary proves all of d12 for 1.6 times the operations that evaluating every pair takes."""
    said = json.loads(run("prove", "d12-seed-0", "-s", "dictionary", "--json").stdout)["note"]
    assert "no more than brute force on a share of the inputs proves in as many operations" in said


def test_a_search_that_finds_little_is_to_be_longer(run: Any) -> None:
    found = json.loads(run("frontier", "induction-12-v32-seed-0", "--effort", 0, "--polish", 0, "--json").stdout)
    assert "--effort 4" in found["note"]
    assert "(a longer search)" in found["note"]
