"""The page and its pictures: complete, self-contained, escaped, the same every time."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from synthetic_proofs import SHA, proof

from compact_proofs.errors import BadInput
from compact_proofs.report import DEFAULT_SECTIONS, Block, Heatmap, MeasuredBaseline, ReportData, render, write_report
from compact_proofs.report.drawing import new_axes, new_figure, settings
from compact_proofs.report.header import header_section
from compact_proofs.report.placement import Label, place_labels
from compact_proofs.report.proofs import proofs_section

PICTURES = {
    "frontier.png": (2520, 1000),
    "length.png": (2520, 894),
    "heatmap-eqke.png": (920, 880),
    "heatmap-pvou.png": (920, 404),
    "heatmap-eqke-residual.png": (920, 880),
}


class Elements(HTMLParser):
    """Every start tag of a page with its attributes, and all text by enclosing tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts.setdefault(self.tags[-1][0], []).append(data)

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.tags if name == tag)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_has_every_section_and_every_picture(page):
    parsed = Elements(text_of(page))
    assert [section["id"] for section in parsed.all("section")] == ["claim", "frontier", "proofs", "length", "heatmaps"]
    assert len(list(parsed.all("figure"))) == 4 + 6
    assert sum(svg.get("role") == "img" and len(svg["aria-label"] or "") > 40 for svg in parsed.all("svg")) == 10
    assert {path.name for path in page.parent.glob("heatmap-*")} == {
        f"heatmap-{name}.png" for name in ("eqke", "evou", "eupu", "eqkp", "pvou", "eqke-residual")
    }


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_have_their_size(page, name):
    content = (page.parent / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == PICTURES[name]
    assert len(content) > 10_000


def test_vector_pictures_stand_alone(page):
    for name in ("frontier.svg", "length.svg"):
        content = text_of(page.parent / name)
        assert content.startswith("<?xml")
        assert "var(--" not in content


def test_loads_nothing(page):
    content = text_of(page)
    for tag, attributes in Elements(content).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            target = attributes.get(name)
            if target is not None:
                beside = tag == "a" and (page.parent / target).is_file()
                assert target.startswith(("#", "data:image/png;base64,")) or beside, (tag, target[:60])
    assert "@import" not in content
    assert content.count("url(") == content.count("url(#")
    assert "default-src 'none'" in content


def test_ids_are_unique_and_links_arrive(page):
    tags = Elements(text_of(page)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        for name in ("href", "xlink:href"):
            target = attributes.get(name) or ""
            assert not target.startswith("#") or target[1:] in ids


def test_table_is_exact(make, long_fractions, tmp_path):
    page = write_report(make(long_fractions, heatmaps=()), tmp_path, sections=(proofs_section,))
    content = text_of(page)
    assert str(64**20) in content
    assert str(64**20 - 123_456_789_012_345) in content
    assert "1 − 9.29×10⁻²³" in content
    assert content.count('class="long"') == len(long_fractions)


def test_estimates_are_marked_and_claim_nothing(page):
    parsed = Elements(text_of(page))
    rows = [row["class"] or "" for row in parsed.all("tr") if "class" in row]
    assert sum("estimate" in row for row in rows) == 2
    assert not any("estimate" in row and "frontier" in row for row in rows)
    assert sum("(float reading, proves nothing)" in text for text in parsed.texts.get("p", [])) == 0
    assert any(text.startswith("estimate 1: low-rank") for text in parsed.texts["title"])


def test_only_estimates(make, proofs, tmp_path):
    floats = [item | {"reading": "float"} for item in proofs]
    content = text_of(write_report(make(floats, heatmaps=()), tmp_path))
    assert "Best proven bound" not in content
    assert "11 estimates" in content


def test_one_vacuous_proof_of_unknown_accuracy(make, tmp_path):
    item = proof("vacuous", 0, 7, 0, true_accuracy=None, on_frontier=True)
    page = write_report(make([item], baseline=None, heatmaps=()), tmp_path)
    assert "unknown" in text_of(page)
    assert (tmp_path / "frontier.png").stat().st_size > 10_000
    assert not (tmp_path / "length.png").exists()


def test_extremes_of_the_axes(make, tmp_path):
    items = [
        proof("exact", 7, 7, 10**60, true_accuracy=1.0, on_frontier=True),
        proof("close", 10**400 - 1, 10**400, 3, true_accuracy=1.0),
    ]
    baseline = MeasuredBaseline(((3, 0.1), (10**50, 0.2)))
    page = write_report(make(items, baseline=baseline, heatmaps=()), tmp_path)
    assert "bound exactly 1" not in text_of(page)  # words in a picture are drawn as paths
    assert "The true accuracy is exactly 1" in text_of(page)


def test_many_proofs_draw_the_frontier_first(make, proofs, tmp_path):
    crowd = [proof("subcubic", 9_000_000 + n, 64**4, 2_000_000 + n, options={"number": n}) for n in range(60)]
    content = text_of(write_report(make([*proofs, *crowd], heatmaps=()), tmp_path))
    assert f"{len(proofs) + 60 - 30} more are not drawn" in content


def test_a_contradiction_is_shown(make, tmp_path):
    item = proof("cubic", 3, 4, 100, true_accuracy=0.7)
    assert "exceeds the true accuracy" in text_of(write_report(make([item]), tmp_path, sections=(proofs_section,)))


HOSTILE = "<script>alert(1)</script>\"'--> $\\frac{$ {{ 7 * 7 }} \x00 ../../x"


def test_hostile_strings_stay_text(make, tmp_path):
    length = {"flops": 3, "int_ops": 4, "total": 7, "by_category": {HOSTILE: 7}, "by_stage": {HOSTILE: 3, "$x$": 4}}
    item = proof(HOSTILE, 1, 2, 7, options={HOSTILE: HOSTILE}, model_sha256=HOSTILE, length=length, on_frontier=True)
    other = proof(HOSTILE, 1, 3, 7, options={HOSTILE: 1}, model_sha256=HOSTILE, length=length, reading="float")
    picture = Heatmap(HOSTILE, np.eye(3), (HOSTILE, HOSTILE), HOSTILE)
    changes = {"model_name": HOSTILE, "claim_words": HOSTILE, "claim_formula": HOSTILE, "heatmaps": (picture, picture)}
    folder = tmp_path / "report"
    content = text_of(write_report(make([item, other], **changes), folder))
    parsed = Elements(content)
    assert len(list(parsed.all("script"))) == 1
    assert "alert(1)" not in "".join(parsed.texts["script"])
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    assert "{{ 7 * 7 }}" in content
    assert {path.parent for path in tmp_path.rglob("*.png")} == {folder}
    assert len(list(folder.glob("heatmap-*.png"))) == 2


def test_same_bytes_every_time_whatever_the_users_settings(page, make, proofs, tmp_path):
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.hashsalt": "mine", "savefig.dpi": 20}):
        before = dict(matplotlib.rcParams)
        again = write_report(make(proofs), tmp_path)
        assert dict(matplotlib.rcParams) == before
    for path in page.parent.iterdir():
        assert path.read_bytes() == (again.parent / path.name).read_bytes(), path.name


def test_another_section(make, proofs, tmp_path):
    def residuals(data: ReportData) -> Block:
        return Block("residuals", "Residuals & more", render("_files.html", files=["r.csv"]), {"r.csv": b"1\n"})

    sections = (header_section, residuals, lambda data: None)
    parsed = Elements(text_of(write_report(make(proofs), tmp_path, sections=sections)))
    assert [section["id"] for section in parsed.all("section")] == ["claim", "residuals"]
    assert (tmp_path / "r.csv").read_bytes() == b"1\n"
    assert header_section in DEFAULT_SECTIONS


def test_a_failed_write_leaves_the_old_page(make, proofs, tmp_path, monkeypatch):
    page = write_report(make(proofs), tmp_path, sections=(header_section,))
    old = page.read_bytes()

    def fail(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(BadInput, match="No space left on device"):
        write_report(make(proofs), tmp_path, sections=(proofs_section,))
    assert page.read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_file_is_not_a_folder(make, proofs, tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(BadInput, match="no such folder can be made"):
        write_report(make(proofs), tmp_path / "report", sections=(header_section,))


def test_labels_do_not_overlap():
    noise = np.random.default_rng(0)
    points = np.column_stack([10 ** noise.normal(6, 0.4, 60), noise.uniform(0.4, 1, 60)])
    with settings():
        figure = new_figure(7, 5)
        (axes,) = new_axes(figure)
        axes.set_xscale("log")
        axes.set(xlim=(1e4, 1e8), ylim=(0, 1.1))
        figure.draw_without_rendering()
        labels = [Label(x, y, f"strategy number {n}", str(n)) for n, (x, y) in enumerate(points)]
        place_labels(axes, labels, points, [np.array([[1e4, 1.0], [1e8, 1.0]])])
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) > 20
        frame = axes.get_window_extent()
        for number, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:number])
            assert not any(box.contains(x, y) for x, y in axes.transData.transform(points))
            assert frame.x0 <= box.x0
            assert box.x1 <= frame.x1


def test_model_is_named(page):
    assert f"SHA-256 {SHA}" in text_of(page)
    assert SHA[:12] in "".join(Elements(text_of(page)).texts["dd"])


def test_statements_with_confidence_are_no_proofs(make, proofs, tmp_path):
    said = proof("additive", 16_700_000, 64**4, 2_000_000, reading="confidence", delta=1e-6, samples=200)
    content = write_report(make([*proofs, said]), tmp_path).read_text()
    assert "9 proofs, 1 statement with confidence, 2 estimates" in content
    (row,) = re.findall(r'<tr id="proof-\d+" class=" confidence">.*?</tr>', content, re.DOTALL)
    for words in ("false with probability 1e-06", "samples=200", "□", "with confidence, not proven"):
        assert words in row
    assert len(re.findall("Statements with confidence", content)) == 1
    assert "Statements with confidence" not in write_report(make(proofs), tmp_path).read_text()


def test_a_statement_above_the_truth_is_no_contradiction(make, tmp_path):
    said = proof("additive", 64**4 - 1, 64**4, 2_000_000, reading="confidence", delta=0.1, samples=9)
    assert "is marked sound" not in write_report(make([said]), tmp_path).read_text()
