"""Bounds and lengths of the zoo are what they were (`python -m tests.golden.make` writes what they are)."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from .proofs import make, names, read

RECORDS = read()


def case(record):
    return pytest.param(record, id=record.name, marks=() if record.quick else pytest.mark.slow)


@pytest.mark.parametrize("record", [case(record) for record in RECORDS.values()])
def test_a_proof_is_what_it_was(record):
    again = make(record.model, record.asked)
    assert asdict(replace(again, quick=record.quick)) == asdict(record)


def test_every_proof_that_is_named_is_recorded():
    assert [f"{model}/{asked}" for model, asked in names()] == list(RECORDS)
