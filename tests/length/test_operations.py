"""The page of supported operations, and tables whose entries are made once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compact_proofs.enclosure.rules import CREATION, EXACT, ON_BOOLS, REFUSED, RULES
from compact_proofs.enclosure.table import rule
from compact_proofs.length.costs import COSTS, FREE
from compact_proofs.length.operations import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_tables_say() -> None:
    stale = "docs/operations.md is stale: python -m compact_proofs.length.operations > docs/operations.md"
    assert (ROOT / "docs" / "operations.md").read_text() == page(), stale


def test_the_page_has_every_operation_and_says_what_is_enclosed() -> None:
    named = re.findall(r"`([a-z_0-9A-Z]+)`", page())
    assert {*RULES, *EXACT, *ON_BOOLS, *CREATION, *REFUSED, *COSTS} <= set(named)
    assert "|  |" not in page(), "an operation without a word"


def test_a_second_rule_or_cost_is_an_error() -> None:
    for table in (RULES, COSTS):
        before, own = dict(table), table["add"]
        for enter in (
            lambda table=table: table.__setitem__("add", print),
            lambda table=table: table.update(add=print),
            lambda table=table: table.update({"add": print}),
            lambda table=table: table.__ior__({"add": print}),
            lambda table=table: table.setdefault("add", print),
        ):
            with pytest.raises(ValueError, match="add has a"):
                enter()
        assert table["add"] is own
        assert table == before
    with pytest.raises(ValueError, match="sound rule"):
        rule("hardtanh")(print)


def test_the_groups_are_apart() -> None:
    groups = {
        "rules": set(RULES),
        "exact": set(EXACT),
        "constants": set(CREATION),
        "truths": set(ON_BOOLS),
        "refused": set(REFUSED),
    }
    for a, names in groups.items():
        for b, others in groups.items():
            assert a == b or not names & others, f"{names & others} in {a} and {b}"
    assert not COSTS.keys() & FREE
