"""Bounds and lengths of the zoo are what they were (`python -m tests.golden.make` writes what they are)."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from .proofs import WITH_OPTIONS, make, names, read

RECORDS = read()


def case(record):
    return pytest.param(record, id=record.name, marks=() if record.quick else pytest.mark.slow)


@pytest.mark.parametrize("record", [case(record) for record in RECORDS.values()])
def test_a_proof_is_what_it_was(record):
    again = make(record.model, record.asked)
    assert asdict(replace(again, quick=record.quick)) == asdict(record)


def test_every_strategy_is_recorded_for_each_recorded_model():
    models = {record.model for record in RECORDS.values() if (record.model, record.asked) not in WITH_OPTIONS}
    expected = [(model, asked) for model, asked in names() if model in models or (model, asked) in WITH_OPTIONS]
    assert [f"{model}/{asked}" for model, asked in expected] == list(RECORDS)
