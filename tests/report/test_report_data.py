"""Reading proofs, numbers in words, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from synthetic_proofs import proof
from torch import nn

from compact_proofs.core.claim import Margin
from compact_proofs.core.exhaustive import brute_force
from compact_proofs.core.frontier import Frontier, distinguishing_options
from compact_proofs.errors import BadInput
from compact_proofs.report import Heatmap, LinearBaseline, MeasuredBaseline, ReportData, read_proofs
from compact_proofs.report.data import common_options, labels
from compact_proofs.report.of_frontier import data_of
from compact_proofs.report.text import bound_text, count, ratio_text, short_count
from compact_proofs.sequences.task import FiniteTask


def test_reads_the_json_format(long_fractions):
    read = read_proofs(long_fractions)
    assert read[3].bound == Fraction(64**20 - 123_456_789_012_345, 64**20)
    assert read[3].denominator == 64**20
    assert read[3].length == read[3].flops + read[3].int_ops
    assert read[0].ratio == pytest.approx(0.908 / 0.9999195337295532)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"numerator": "8", "bound": 8 / 7}, "not a bound between 0 and 1"),
        ({"denominator": "0"}, "not a bound between 0 and 1"),
        ({"numerator": "-1"}, "numerator"),
        ({"numerator": "9" * 5000}, "numerator"),
        ({"numerator": 1.5}, "numerator"),
        ({"bound": 0.9}, "not its fraction's value"),
        ({"bound": None}, "not its fraction's value"),
        ({"bound": float("nan")}, "bound"),
        ({"true_accuracy": 1.5}, "true_accuracy"),
        ({"seconds": "long"}, "seconds"),
        ({"reading": "guess"}, "'sound', 'confidence' or 'float'"),
        ({"options": "groups=2"}, "options must be an object"),
        ({"length": {"flops": 1, "int_ops": 1, "total": 2, "by_stage": {}}}, "'by_category'"),
        ({"explanation_size": -1}, "explanation_size"),
        ({"length": {"flops": 0, "int_ops": 0, "total": 10**301, "by_category": {}, "by_stage": {}}}, "10^300"),
    ],
)
def test_refuses_what_is_not_a_proof(changes, named):
    with pytest.raises(BadInput, match="proof 2") as raised:
        read_proofs([proof("cubic", 1, 7, 100), proof("cubic", 1, 7, 100) | changes])
    assert named in str(raised.value)


def test_names_a_missing_field():
    item = proof("cubic", 1, 7, 100)
    del item["model_sha256"]
    with pytest.raises(BadInput, match="proof 1 lacks the field 'model_sha256'"):
        read_proofs([item])


def test_refuses_no_proofs_and_two_models(make, proofs):
    with pytest.raises(BadInput, match="at least one proof"):
        make([])
    with pytest.raises(BadInput, match="about one model"):
        make([*proofs, proof("cubic", 1, 7, 100, model_sha256="00")])
    with pytest.raises(BadInput, match="disagree about its true accuracy"):
        make([*proofs, proof("cubic", 1, 7, 100, true_accuracy=0.5)])


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((0, 4)), np.array([[np.nan]]), np.array([[np.inf]])])
def test_refuses_heatmaps_that_cannot_be_drawn(values):
    with pytest.raises(BadInput, match="heatmap EQKE"):
        Heatmap("EQKE", values, ("query", "key"))


def test_baselines():
    lengths = np.array([0.5, 5.0, 10.0, 100.0])
    assert LinearBaseline(10, 0.8).bound_at(lengths).tolist() == pytest.approx([0.04, 0.4, 0.8, 0.8])
    measured = MeasuredBaseline(((10, 0.8), (1, 0.0))).bound_at(lengths)
    assert np.isnan(measured[[0, 3]]).all()
    assert measured[1:3].tolist() == pytest.approx([0.8 * 4 / 9, 0.8])
    for wrong in (lambda: LinearBaseline(0, 0.5), lambda: LinearBaseline(1, 2), lambda: MeasuredBaseline(())):
        with pytest.raises(BadInput, match="linear baseline"):
            wrong()


def test_labels_say_only_what_differs(make, proofs):
    data: ReportData = make(proofs)
    assert labels(data.by_length)[:3] == ["low-rank rank=4", "low-rank rank=6", "additive groups=1, tail=merged"]
    assert labels(data.by_length)[-2:] == ["cubic", "brute-force"]


def test_what_all_proofs_of_a_strategy_share_is_said_once():
    options = ({"window": 3, "rank": 0}, {"window": 4, "rank": 0})
    additive = [proof("additive", 3, 4, 100 + i, options=o) for i, o in enumerate(options)]
    shown = read_proofs([*additive, proof("cubic", 1, 4, 9)])
    assert common_options(shown) == {"additive": {"rank": "0"}}
    assert [distinguishing_options(one, shown) for one in shown] == [{"window": "3"}, {"window": "4"}, {}]
    assert common_options(shown[:1]) == {}, "a single proof says all of its options"


def test_a_sound_bound_above_the_true_accuracy_is_a_contradiction():
    above = proof("cubic", 3, 4, 100, true_accuracy=0.7)
    assert read_proofs([above])[0].contradicts
    assert not read_proofs([above | {"reading": "float"}])[0].contradicts
    assert not read_proofs([above | {"true_accuracy": 0.75}])[0].contradicts


def test_no_more_is_shown_than_was_proven():
    for missing in [Fraction(k, 7 * 10**e) for k in range(1, 70) for e in range(1, 9)]:
        bound = 1 - missing
        if bound >= 0:
            assert bound - Fraction(1, 10**6) <= Fraction(bound_text(bound)) <= bound
            assert bound_text(bound) != bound_text(Fraction(1))
    assert bound_text(Fraction(1)) == "1"
    assert bound_text(Fraction(0)) == "0"
    assert bound_text(1 - Fraction(123_456, 10**30)) == "1 − 1.24×10⁻²⁵"
    assert bound_text(1 - Fraction(9_999, 10**30)) == "1 − 1.00×10⁻²⁶"
    assert ratio_text(0.99999999) == "0.999999"


def test_counts_in_words():
    assert [count(n) for n in (0, 1_850_000, 880 * 10**9, 99999 * 10**36)] == [
        "0",
        "1,850,000",
        "8.80×10¹¹",
        "1.00×10⁴¹",
    ]
    written = {0: "0", 999: "999", 1_850_000: "1.85 M", 35_100_000: "35.1 M", 880 * 10**9: "880 G", 10**40: "1.00×10⁴⁰"}
    assert {number: short_count(number) for number in written} == written


def test_a_report_is_about_one_score_and_says_how_inputs_are_distributed(tmp_path):
    task = FiniteTask(1, 2, lambda x: x[:, 0])
    network = nn.Embedding.from_pretrained(torch.eye(2))
    model = nn.Sequential(network, nn.Flatten())
    right, near = brute_force(model, task), brute_force(model, task, score=Margin(-3.0))
    with pytest.raises(BadInput, match="one task and one score"):
        data_of(Frontier.of([right, near]), "mixed")
    assert data_of(Frontier.of([right]), "one").claim_words.startswith("For x uniform over the inputs of finite")
    law = replace(right.claim, parameters={"n": 2, "law": "2 independent coordinates"})
    words = data_of(Frontier.of([replace(right, claim=law)]), "law").claim_words
    assert words.startswith("For x with 2 independent coordinates, as inputs of finite (n = 2)")
