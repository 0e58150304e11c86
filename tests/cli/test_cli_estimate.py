"""``compact-proofs estimate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_estimates(run: Any, tiny_file: Path) -> None:
    found = json.loads(run("estimate", tiny_file, "--json").stdout)["estimates"]
    assert [e["estimator"] for e in found] == ["constant", "mean-query", "few-queries", "guided-sampling", "path-sampling"]
    assert all({"estimate", "cost", "options", "seconds", "true_accuracy", "estimator"} == set(e) for e in found)
    shown = run("estimate", tiny_file).stdout
    assert "ESTIMATES, NOT PROOFS" in shown
    assert "bound" not in shown
