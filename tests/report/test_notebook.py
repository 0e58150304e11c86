"""How results look in a notebook, and the report that a frontier writes by itself."""

from __future__ import annotations

import base64
import dataclasses
import re
from xml.etree import ElementTree

import pytest

from compact_proofs import Frontier, prove, trial
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.soundness import Specimen
from compact_proofs.errors import BadInput
from compact_proofs.tasks.max_of_k import Additive, Cubic, MaxOfK, specimen


@pytest.fixture(scope="module")
def small() -> Specimen:
    return specimen(1)


@pytest.fixture(scope="module")
def certificates(small: Specimen) -> list[Certificate]:
    task = MaxOfK.of(small.model)
    return [prove(small.model, task, strategy) for strategy in (Cubic(), Additive(1, 1), Additive(2, 2, counting="grid"))]


def text_of(html: str) -> str:
    """The text of a piece of HTML that is well-formed XML but for <img> and <br>."""
    tree = ElementTree.fromstring(re.sub(r"<(img[^>]*)>", r"<\1/>", html))
    return " ".join("".join(tree.itertext()).split())


def test_a_certificate_shows_its_claim_and_its_length(certificates):
    for c in certificates:
        shown = text_of(c._repr_html_())
        assert c.claim.statement() in shown
        assert f"{c.length.total:,} operations" in shown
        assert repr(c) == f"<Certificate {c}>"


def test_an_estimate_is_not_shown_as_a_claim(small):
    estimate = trial(small.model, MaxOfK.of(small.model), Cubic())
    shown = text_of(estimate._repr_html_())
    assert "Nothing is proven" in shown
    assert "is at least" not in shown


def test_a_certificate_from_a_file_cannot_bring_markup(certificates):
    hostile = dataclasses.replace(certificates[0], strategy="<script>x</script>", options={"a": "<b>"})
    assert "<script>" not in hostile._repr_html_()
    assert "<b>" not in re.sub(r"<b>(&lt;script|estimate)", "", hostile._repr_html_())
    assert "<script>" not in Frontier.of([hostile])._repr_html_()


def test_a_frontier_shows_a_picture_and_every_proof(certificates):
    frontier = Frontier.of(certificates)
    html = frontier._repr_html_()
    (picture,) = re.findall(r"base64,([^\"]+)", html)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    shown = text_of(html)
    for c in certificates:
        assert f"{c.length.total:,}" in shown
    assert shown.count("●") == len(frontier.best) + 1  # and in the legend
    assert len(repr(frontier).splitlines()) == 1 + len(certificates)


def test_a_frontier_without_proofs_says_so(tmp_path):
    assert "No proofs" in Frontier.of([])._repr_html_()
    with pytest.raises(BadInput, match="at least one certificate"):
        Frontier.of([]).report(tmp_path)


def test_a_frontier_writes_its_report(certificates, tmp_path):
    page = Frontier.of(certificates).report(tmp_path / "mine", accuracy=1.0, baseline=(1e6, 1.0))
    written = page.read_text()
    assert page == tmp_path / "mine" / "index.html"
    assert "<h1>mine</h1>" in written
    assert certificates[0].claim.inputs() in written
    assert (page.parent / "frontier.png").exists()
