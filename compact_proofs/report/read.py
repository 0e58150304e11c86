"""Reading proofs in the format that ``--json`` prints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.report.data import TOLERANCE, Proof

_MAX_DIGITS = 4000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def read_proofs(objects: Iterable[Mapping[str, Any]]) -> tuple[Proof, ...]:
    """Read proofs in the ``--json`` format.

    Raises
    ------
    BadInput
        An object lacks a field or contradicts itself; the message names the proof and the field.
    """
    return tuple(_read_proof(item, f"proof {number}") for number, item in enumerate(objects, start=1))


def _read_proof(item: Mapping[str, Any], where: str) -> Proof:
    length = _field(item, "length", where)
    proof = Proof(
        strategy=_text(_field(item, "strategy", where)),
        options={_text(key): _text(value) for key, value in _field(item, "options", where).items()},
        numerator=_integer(_field(item, "numerator", where), f"{where}: numerator"),
        denominator=_integer(_field(item, "denominator", where), f"{where}: denominator"),
        true_accuracy=_share(_field(item, "true_accuracy", where), f"{where}: true_accuracy"),
        flops=_integer(_field(length, "flops", f"{where}: length"), f"{where}: length.flops"),
        int_ops=_integer(_field(length, "int_ops", f"{where}: length"), f"{where}: length.int_ops"),
        length=_integer(_field(length, "total", f"{where}: length"), f"{where}: length.total"),
        by_category=_operations(length, "by_category", where),
        by_stage=_operations(length, "by_stage", where),
        unexplained_dimension=_optional(
            _field(item, "unexplained_dimension", where), f"{where}: unexplained_dimension"
        ),
        explanation_size=_optional(_field(item, "explanation_size", where), f"{where}: explanation_size"),
        sound=_reading(_field(item, "reading", where), where),
        seconds=None if item.get("seconds") is None else float(item["seconds"]),
        model_sha256=_text(_field(item, "model_sha256", where)),
        on_frontier=bool(_field(item, "on_frontier", where)),
    )
    if proof.denominator == 0 or proof.numerator > proof.denominator:
        raise BadInput(
            f"{where} ({proof.strategy}): {proof.numerator} / {proof.denominator} is no bound between 0 and 1"
        )
    if abs(float(_field(item, "bound", where)) - proof.bound) > TOLERANCE:
        raise BadInput(f"{where} ({proof.strategy}): bound {item['bound']} is not its fraction's value")
    return proof


def _field(item: Any, key: str, where: str) -> Any:
    if not isinstance(item, Mapping) or key not in item:
        raise BadInput(f"{where} lacks the field {key!r}; the report reads the objects that --json prints")
    return item[key]


def _text(value: object) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))


def _integer(value: object, where: str) -> int:
    """Read a natural number, given as an int or as its decimal digits."""
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and re.fullmatch(r"[0-9]+", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise BadInput(f"{where} must be a natural number of at most {_MAX_DIGITS} digits, not {str(value)[:40]!r}")


def _optional(item: Mapping[str, Any], key: str, where: str) -> int | None:
    value = _field(item, key, where)
    return None if value is None else _integer(value, f"{where}: {key}")


def _share(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and math.isfinite(value) and 0 <= value <= 1:
        return float(value)
    raise BadInput(f"{where} must be a number between 0 and 1, or null, not {str(value)[:40]!r}")


def _operations(length: Mapping[str, Any], key: str, where: str) -> dict[str, int]:
    parts = _field(length, key, f"{where}: length")
    return {_text(name): _integer(ops, f"{where}: length.{key}") for name, ops in parts.items()}


def _reading(value: object, where: str) -> bool:
    if value not in ("sound", "float"):
        raise BadInput(f"{where}: reading must be 'sound' or 'float', not {value!r}")
    return value == "sound"
