"""``compact-proofs formalize`` without Coq: files, JSON, wrong use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import Additive


@pytest.fixture
def certificate(tiny: LoadedModel, tmp_path: Path) -> Path:
    return prove(tiny.model, tiny.task, Additive(counting="grid", window=2, groups=2)).save(tmp_path / "grid.cert")


def test_a_model_is_written_as_a_theorem(run: Any, tiny_file: Path) -> None:
    result = run("formalize", tiny_file, "-o", "out", "-O", "window=2", "--json")
    document = json.loads(result.stdout)
    assert document["checked"] is None
    assert (document["strategy"], document["options"]["window"]) == ("additive", 2)
    assert f">= {document['claimed']} / 8 ^ 3." in Path("out/Accuracy.v").read_text()
    assert sorted(p.name for p in Path("out").iterdir()) == ["Accuracy.v", "Hints.v", "Program.v", "Weights.v"]
    assert "Checking takes Coq about" in result.stderr


def test_a_certificate_is_written_as_a_theorem(run: Any, tiny_file: Path, certificate: Path) -> None:
    claimed = Certificate.load(certificate).claim.numerator
    result = run("formalize", certificate, "--model", tiny_file, "-o", "out")
    assert "shaped Formalized.Program.model = true" in result.stdout
    assert f"(inputs [8; 8; 8]%nat) maximum >= {claimed} / 8 ^ 3" in result.stdout


def test_the_default_certificate_is_written_as_a_theorem(run: Any, tiny_file: Path, tiny_certificate: Certificate) -> None:
    file = tiny_certificate.save("positions.cert")
    result = run("formalize", file, "--model", tiny_file, "-o", "out")
    assert f"maximum >= {tiny_certificate.claim.numerator} / 8 ^ 3" in result.stdout


def test_wrong_use(run: Any, tiny_file: Path, certificate: Path) -> None:
    def refused(*arguments: object) -> str:
        return run("formalize", *arguments, "-o", "out", code=2).stderr

    assert "it is not about a model of the zoo; name its weights by --model" in refused(certificate)
    assert "a certificate says how it was proved" in refused(certificate, "-s", "additive")
    assert "--model names the model of a certificate" in refused(tiny_file, "--model", tiny_file)
    assert "cubic: no checker is verified" in refused(tiny_file, "-s", "cubic")
    assert "has no strategy 'magic'" in refused(tiny_file, "-s", "magic")
    assert "there is no such file" in refused("missing.safetensors")


def test_check_says_what_to_install(run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "on Debian 12: apt-get install" in run("formalize", tiny_file, "-o", "out", "--check", code=2).stderr
    assert not Path("out").exists()
