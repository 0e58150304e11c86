"""Made-up proofs in the --json format."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

SHA = "9f2c1e7ab04d5566c0ffee11d00dfeed9f2c1e7ab04d5566c0ffee11d00dfeed"
STAGES = {"path matrices": 0.55, "row ranges": 0.12, "gap search check": 0.08, "sort": 0.03, "count": 0.22}
CATEGORIES = {"matmul": 0.58, "add": 0.14, "compare": 0.18, "mul": 0.06, "exp": 0.02, "div": 0.02}


def proof(strategy: str, numerator: int, denominator: int, total: int, **changes: Any) -> dict[str, Any]:
    """One object in the --json format; `changes` replace its fields."""
    int_ops = total // 7
    split = {name: int(share * total) for name, share in STAGES.items()}
    kinds = {name: int(share * (total - int_ops)) for name, share in CATEGORIES.items()} | {"integer": int_ops}
    length = {"flops": total - int_ops, "int_ops": int_ops, "total": total, "by_category": kinds, "by_stage": split}
    return {
        "strategy": strategy,
        "options": {},
        "numerator": str(numerator),
        "denominator": str(denominator),
        "bound": numerator / denominator,
        "true_accuracy": 0.9999195337295532,
        "length": length,
        "unexplained_dimension": 16384,
        "explanation_size": 4096,
        "reading": "sound",
        "seconds": 0.084,
        "model_sha256": SHA,
        "on_frontier": False,
    } | changes


def mark_frontier(proofs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Set `on_frontier` of each proof."""

    def beats(one: dict[str, Any], other: dict[str, Any]) -> bool:
        a, b = ((item["length"]["total"], -Fraction(int(item["numerator"]), int(item["denominator"]))) for item in (one, other))
        return a != b and a[0] <= b[0] and a[1] <= b[1]

    sound = [item for item in proofs if item["reading"] == "sound"]
    return [item | {"on_frontier": item in sound and not any(beats(other, item) for other in sound)} for item in proofs]
