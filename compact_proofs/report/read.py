"""Reading proofs in the format that ``--json`` prints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.report.data import TOLERANCE, Proof
from compact_proofs.report.text import printable

_MAX_DIGITS = 4000
_MAX_LENGTH = 10**300  # beyond it a length has no place on a float axis


def read_proofs(objects: Iterable[Mapping[str, Any]]) -> tuple[Proof, ...]:
    """Read proofs in the ``--json`` format.

    Raises
    ------
    BadInput
        An object lacks a field or contradicts itself; the message names the proof and the field.
    """
    return tuple(_read_proof(item, f"proof {number}") for number, item in enumerate(objects, start=1))


def _read_proof(item: Mapping[str, Any], where: str) -> Proof:
    length = _object(item, "length", where)
    proof = Proof(
        strategy=printable(_field(item, "strategy", where)),
        options={printable(key): printable(value) for key, value in _object(item, "options", where).items()},
        numerator=_integer(_field(item, "numerator", where), f"{where}: numerator"),
        denominator=_integer(_field(item, "denominator", where), f"{where}: denominator"),
        true_accuracy=_number(_field(item, "true_accuracy", where), f"{where}: true_accuracy", most=1),
        flops=_integer(_field(length, "flops", f"{where}: length"), f"{where}: length.flops"),
        int_ops=_integer(_field(length, "int_ops", f"{where}: length"), f"{where}: length.int_ops"),
        length=_integer(_field(length, "total", f"{where}: length"), f"{where}: length.total"),
        by_category=_operations(length, "by_category", where),
        by_stage=_operations(length, "by_stage", where),
        unexplained_dimension=_optional(item, "unexplained_dimension", where),
        explanation_size=_optional(item, "explanation_size", where),
        reading=_reading(_field(item, "reading", where), where),
        seconds=_number(_field(item, "seconds", where), f"{where}: seconds"),
        model_sha256=printable(_field(item, "model_sha256", where)),
        on_frontier=bool(_field(item, "on_frontier", where)),
    )
    if proof.reading == "confidence":
        proof = _with_confidence(proof, item, where)
    if proof.denominator == 0 or proof.numerator > proof.denominator:
        fraction = f"{proof.numerator} / {proof.denominator}"
        raise BadInput(f"{where} ({proof.strategy}): {fraction} is not a bound between 0 and 1")
    if proof.length > _MAX_LENGTH:
        raise BadInput(f"{where} ({proof.strategy}): length.total is over 10^300 operations")
    bound = _number(_field(item, "bound", where), f"{where}: bound")
    if bound is None or abs(bound - proof.bound) > TOLERANCE:
        raise BadInput(f"{where} ({proof.strategy}): bound {item['bound']} is not its fraction's value")
    return proof


def _field(item: Any, key: str, where: str) -> Any:
    if not isinstance(item, Mapping) or key not in item:
        raise BadInput(f"{where} lacks the field {key!r}; the report reads the objects that --json prints")
    return item[key]


def _object(item: Any, key: str, where: str) -> Mapping[str, Any]:
    value = _field(item, key, where)
    if not isinstance(value, Mapping):
        raise BadInput(f"{where}: {key} must be an object, not {str(value)[:40]!r}")
    return value


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


def _number(value: object, where: str, most: float = math.inf) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and math.isfinite(value) and 0 <= value <= most:
        return float(value)
    raise BadInput(f"{where} must be a number of at least 0 and at most {most}, or null, not {str(value)[:40]!r}")


def _operations(length: Mapping[str, Any], key: str, where: str) -> dict[str, int]:
    parts = _object(length, key, f"{where}: length")
    return {printable(name): _integer(ops, f"{where}: length.{key}") for name, ops in parts.items()}


def _reading(value: object, where: str) -> str:
    if value not in ("sound", "confidence", "float"):
        raise BadInput(f"{where}: reading must be 'sound', 'confidence' or 'float', not {value!r}")
    return str(value)


def _with_confidence(proof: Proof, item: Mapping[str, Any], where: str) -> Proof:
    """Add delta, and the number of samples to the options that tell it from others."""
    delta = _number(_field(item, "delta", where), f"{where}: delta", most=1)
    samples = _integer(_field(item, "samples", where), f"{where}: samples")
    return replace(proof, delta=delta, options={**proof.options, "samples": str(samples)})
