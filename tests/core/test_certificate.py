"""Certificates as files: whole or absent, and every damaged or hostile one refused with its own message."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from forging import KEY, Document, forge, read, write
from torch import Tensor

from compact_proofs.core.certificate import Certificate, Trial, explanation_sha256
from compact_proofs.core.prove import trial
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files import container as module
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import Additive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proof.cert"


@pytest.fixture
def valid(tiny_certificate: Certificate, path: Path) -> Path:
    return tiny_certificate.save(path)


def rejection(path: Path) -> str:
    """The reason, which begins with the file's name and can be printed on a terminal."""
    with pytest.raises(CertificateRejected) as caught:
        Certificate.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message) < len(str(path)) + 600
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


def test_round_trip(tiny_certificate: Certificate, valid: Path) -> None:
    loaded = Certificate.load(valid)
    for field in dataclasses.fields(Certificate):
        if field.name != "explanation":
            assert getattr(loaded, field.name) == getattr(tiny_certificate, field.name)
    assert loaded.explanation.keys() == tiny_certificate.explanation.keys() != set()
    for name, tensor in loaded.explanation.items():
        assert torch.equal(tensor, tiny_certificate.explanation[name])
        assert tensor.dtype == tiny_certificate.explanation[name].dtype


def test_string_paths_and_replacing(tiny_certificate: Certificate, valid: Path) -> None:
    other = dataclasses.replace(tiny_certificate, seconds=0.5)
    other.save(str(valid))
    assert Certificate.load(str(valid)).seconds == 0.5


def test_others_may_read_it(valid: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(valid.stat().st_mode) == 0o666 & ~mask


def test_a_float_reading_is_no_certificate(tiny: LoadedModel) -> None:
    estimate = trial(tiny.model, tiny.task, Additive(window=3, groups=3))
    assert isinstance(estimate, Trial)
    assert "estimate (float reading, not a theorem)" in str(estimate)
    assert estimate.statement().startswith("Nothing is proven")
    assert not hasattr(estimate, "save")


def test_what_could_not_be_read_is_not_written(tiny_certificate: Certificate, path: Path) -> None:
    odd = dataclasses.replace(tiny_certificate, options={"window": [1, 2]})
    with pytest.raises(BadInput, match="cannot be written as a certificate"):
        odd.save(path)
    assert not path.exists()


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("present", [False, True])
def test_writing_is_atomic(
    tiny_certificate: Certificate,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: BaseException,
    present: bool,
) -> None:
    if present:
        path.write_bytes(b"before")

    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else BadInput):
        tiny_certificate.save(path)
    assert [p.name for p in path.parent.iterdir()] == (["proof.cert"] if present else [])
    assert not present or path.read_bytes() == b"before"


def test_folder_is_missing(tiny_certificate: Certificate, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        tiny_certificate.save(tmp_path / "missing" / "proof.cert")


# Files that are no certificates


def test_missing(path: Path) -> None:
    assert rejection(path) == "there is no such file"


def test_name_too_long(tmp_path: Path) -> None:
    assert "cannot be read (File name too long)" in rejection(tmp_path / ("x" * 300))


def test_empty(path: Path) -> None:
    path.touch()
    assert rejection(path) == "the file is empty"


def test_folder(tmp_path: Path) -> None:
    assert rejection(tmp_path) == "not a file"


def test_broken_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")
    assert rejection(path) == "there is no such file"


def test_link_to_a_certificate(valid: Path) -> None:
    link = valid.with_name("link.cert")
    link.symlink_to(valid)
    assert Certificate.load(link).claim == Certificate.load(valid).claim


def test_pipe_does_not_hang(path: Path) -> None:
    os.mkfifo(path)
    assert rejection(path) == "not a file"


def test_endless_device_does_not_hang() -> None:
    assert rejection(Path("/dev/zero")) == "not a file"


def test_truncated_anywhere(valid: Path) -> None:
    data = valid.read_bytes()
    for length in range(64, len(data), 64):
        valid.write_bytes(data[:length])
        assert rejection(valid).startswith("truncated")
    valid.write_bytes(data[:5])
    assert rejection(valid).startswith("truncated")


def test_bytes_after_the_end(valid: Path) -> None:
    valid.write_bytes(valid.read_bytes() + b"more")
    assert rejection(valid).startswith("truncated or not a certificate file")


def test_too_large(valid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_FILE", 100)
    assert "too large for a certificate (at most 100)" in rejection(valid)


def test_huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**21) + b" " * 2**21)
    assert rejection(path) == "a header of 2,097,152 bytes is too large for a certificate"
    path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    assert "shorter than its header says" in rejection(path)


def pickled() -> bytes:
    return pickle.dumps(os.getcwd)


def torch_file() -> bytes:
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(3)}, stream)
    return stream.getvalue()


def zip_file() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("certificate.json", "{}")
    return stream.getvalue()


@pytest.mark.parametrize("make", [pickled, torch_file, zip_file, lambda: b"{}" * 100, lambda: bytes(1000)])
def test_other_formats(path: Path, make: Callable[[], bytes]) -> None:
    path.write_bytes(make())
    assert "not a certificate" in rejection(path)


def test_other_safetensors(path: Path, tiny_file: Path) -> None:
    reason = "a safetensors file, but not a certificate (no 'compact-proofs' entry in its header)"
    assert rejection_of(tiny_file.read_bytes(), path) == reason
    assert rejection_of(safetensors.torch.save({"a": torch.zeros(2)}), path) == reason


def rejection_of(data: bytes, path: Path) -> str:
    path.write_bytes(data)
    return rejection(path)


# Documents


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its document is not JSON"),
        ('{"schema_version": 1', "its document is not JSON"),
        ("[1, 2]", "its document is not a JSON object"),
        ("null", "its document is not a JSON object"),
        ("{}", "schema version 'None' is unknown; this program reads version 3"),
        ('{"schema_version": 2}', "schema version '2' is unknown; this program reads version 3; make it anew from the model"),
        ('{"schema_version": "\\u001b[31m"}', "schema version '\\x1b[31m' is unknown"),
        ('{"schema_version": 3}', "malformed certificate ('explanation_sha256': Field required"),
        ("[" * 200_000, "its document is not JSON"),
        ('{"a":' * 100_000, "its document is not JSON"),
        ('{"schema_version": ' + "9" * 500_000 + "}", "its document is not JSON"),
        ('{"schema_version": 3, "seconds": 1e999999}', "malformed certificate"),
        ("{" + ",".join(f'"k{i}":1' for i in range(80_000)) + "}", "schema version 'None' is unknown"),
        ('{"schema_version":3,' + ",".join(f'"{i}":1' for i in range(70_000)) + "}", "malformed certificate"),
        ('{"schema_version":3,"' + "k" * 900_000 + '":1}', "malformed certificate"),
        ('{"schema_version":"' + "x" * 900_000 + '"}', "schema version 'xxx"),
    ],
    ids=lambda value: value[:24],
)
def test_hostile_documents(path: Path, text: str, reason: str) -> None:
    assert rejection(write(path, text, {})).startswith(reason)


def test_a_million_keys_do_not_fit(path: Path) -> None:
    text = '{"schema_version":3,' + ",".join(f'"{i}":1' for i in range(10**6)) + "}"
    assert "is too large for a certificate" in rejection(write(path, text, {}))


def paths_of(document: Document, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every field of the document, nested ones too."""
    found = []
    for key, value in document.items():
        found.append((*prefix, key))
        if isinstance(value, dict) and key in ("claim", "strategy", "function"):
            found += paths_of(value, (*prefix, key))
    return found


def parent(document: Document, where: tuple[str, ...]) -> Any:
    for key in where[:-1]:
        document = document[key]
    return document


def test_each_field_is_needed_and_of_its_type(tiny_certificate: Certificate, path: Path) -> None:
    fields = paths_of(read(tiny_certificate.save(path))[0])
    assert len(fields) > 15
    for where in fields:
        if where == ("digest",):
            continue
        forge(tiny_certificate, path, lambda d, t, w=where: parent(d, w).pop(w[-1]))  # type: ignore[misc]
        missing = rejection_unless_repaired(path, where)
        assert missing is None or "Field required" in missing or "schema version" in missing
        for wrong in ([], {"a": {"b": "c"}}, "wrong \x07", -1.5, True):
            forge(tiny_certificate, path, lambda d, t, w=where, x=wrong: parent(d, w).__setitem__(w[-1], x))  # type: ignore[misc]
            reason = rejection_unless_repaired(path, where)
            assert reason is None or "malformed certificate" in reason or "schema version" in reason


def rejection_unless_repaired(path: Path, where: tuple[str, ...]) -> str | None:
    """The reason; None for the hash of the explanation, which forging repairs."""
    if where == ("explanation_sha256",):
        Certificate.load(path)
        return None
    return rejection(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(extra=1), "'extra': Extra inputs are not permitted"),
        (lambda d: d["claim"].update(extra=1), "'claim.extra': Extra inputs are not permitted"),
        (lambda d: d["claim"].update(numerator="007"), "'claim.numerator': String should match pattern"),
        (lambda d: d["claim"].update(numerator=300), "'claim.numerator': Input should be a valid string"),
        (lambda d: d["claim"].update(numerator="9" * 5000), "'claim.numerator': String should match pattern"),
        (lambda d: d["claim"].update(denominator="0"), "'claim.denominator': String should match pattern"),
        (lambda d: d["claim"].update(denominator="-512"), "'claim.denominator': String should match pattern"),
        (lambda d: d["claim"]["function"].update(weights_sha256="0" * 63 + "\n"), "'claim.function.weights_sha256': String"),
        (lambda d: d["claim"]["parameters"].update(n_ctx=3.0), "'claim.parameters.n_ctx."),
        (lambda d: d["claim"]["parameters"].update({"\x1b]0;": 1}), "malformed certificate"),
        (lambda d: d["claim"]["parameters"].update({str(i): 1 for i in range(100)}), "at most 64 items"),
        (lambda d: d["claim"]["parameters"].update(n_ctx=10**400), "'claim.parameters.n_ctx."),
        (lambda d: d["strategy"]["options"].update(window=float("inf")), "malformed certificate"),
        (lambda d: d["strategy"]["options"].update(window=[3]), "malformed certificate"),
        (lambda d: d["length"].update(other={"add": -1}), "'length.other.add': Input should be greater"),
        (lambda d: d["length"].update(other={"add": 10**4000}), "'length.other.add': Input should be"),
        (lambda d: d.update(seconds=float("nan")), "'seconds': Input should be a finite number"),
        (lambda d: d["claim"].update(numerator="9" * 4000), "the bound it claims is beyond 1e+09"),
        (lambda d: d["claim"].update(numerator="-" + "9" * 4000), "the bound it claims is beyond 1e+09"),
    ],
)
def test_malformed_documents(tiny_certificate: Certificate, path: Path, change: Callable[[Document], Any], reason: str) -> None:
    assert reason in rejection(forge(tiny_certificate, path, lambda d, t: change(d)))


UNSEEN = ["max-of-k\u202e", "max\u200bof-k", "\ufeffmax-of-k", "max\xadof-k", "max\u2066of-k"]
"""Marks of writing direction, zero-width characters: what a reader does not see."""


@pytest.mark.parametrize("text", UNSEEN)
def test_text_that_is_not_what_it_looks_like(tiny_certificate: Certificate, path: Path, text: str) -> None:
    changes: list[Callable[[Document], Any]] = [
        lambda d: d["claim"].update(task=text),
        lambda d: d["claim"]["parameters"].update({text: 1}),
        lambda d: d["strategy"].update(name=text),
        lambda d: d["strategy"]["options"].update(window=text),
        lambda d: d["length"].update({text: {"add": 1}}),
        lambda d: d.update(package_version=text),
    ]
    for change in changes:
        reason = rejection(forge(tiny_certificate, path, lambda d, t, c=change: c(d)))  # type: ignore[misc]
        assert "it holds characters that are not seen" in reason
        assert reason.isprintable()


def test_keys_that_stand_twice(tiny_certificate: Certificate, path: Path) -> None:
    """Of two equal keys one reader takes the first, another the last; the digest is of the last."""
    document, tensors = read(tiny_certificate.save(path))
    text = json.dumps(document)
    for once, twice in (
        ('"seconds"', '"seconds": 0.5, "seconds"'),
        ('"numerator"', '"numerator": "512", "numerator"'),
        ('"denominator"', '"denominator": "1", "denominator"'),
    ):
        assert text.count(once) == 1
        assert "stands twice in an object" in rejection(write(path, text.replace(once, twice), tensors))


def test_a_header_with_two_documents(tiny_certificate: Certificate, path: Path) -> None:
    data = tiny_certificate.save(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size].replace(b'"__metadata__"', b'"__metadata__":{"compact-proofs":"{}"},"__metadata__"', 1)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])
    assert "truncated or not a certificate file" in rejection(path)


def test_edited_document(tiny_certificate: Certificate, path: Path) -> None:
    reason = "the certificate was edited after it was written (its digest does not match)"
    forge(tiny_certificate, path, lambda d, t: d.update(seconds=0.25), repair=False)
    assert rejection(path) == reason
    forge(tiny_certificate, path, lambda d, t: d["claim"].update(numerator="512"), repair=False)
    assert rejection(path) == reason
    forge(tiny_certificate, path, lambda d, t: d.update(digest="0" * 64), repair=False)
    assert rejection(path) == reason


# Explanations


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["group_of"].__setitem__(0, 2),
        lambda t: t.clear(),
        lambda t: t.update(more=torch.zeros(2)),
        lambda t: t.update(group_of=t["group_of"].to(torch.int32)),
        lambda t: t.update(group_of=t["group_of"][None].clone()),
        lambda t: t.update(group_of=t["group_of"].to(torch.bfloat16)),
    ],
)
def test_changed_explanation(tiny_certificate: Certificate, path: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    def edit(document: Document, tensors: dict[str, Tensor]) -> None:
        tensors["group_of"][0] = 0
        change(tensors)

    reason = "the explanation is not the one this certificate was written with (its hash differs)"
    assert rejection(forge(tiny_certificate, path, edit, repair=False)) == reason


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "x" * 200, "", *UNSEEN])
def test_odd_tensor_names(tiny_certificate: Certificate, path: Path, name: str) -> None:
    forge(tiny_certificate, path, lambda d, t: t.update({name: torch.zeros(1)}))
    assert rejection(path).startswith("its explanation holds a tensor with the odd name ")


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_every_dtype_and_shape_has_a_hash(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    zeros, ones = torch.zeros(shape).to(dtype), torch.ones(shape).to(dtype)
    assert (explanation_sha256({"a": zeros}) == explanation_sha256({"a": ones})) == (shape == (0,))
    assert explanation_sha256({"a": zeros}) != explanation_sha256({"b": zeros})
    assert explanation_sha256({"a": zeros}) != explanation_sha256({"a": zeros[None]})


def test_the_document_is_readable_json(valid: Path) -> None:
    header = valid.read_bytes()[8 : 8 + int.from_bytes(valid.read_bytes()[:8], "little")]
    document = json.loads(json.loads(header)["__metadata__"][KEY])
    assert document["claim"]["task"] == "max-of-k"
    assert document["schema_version"] == 3
