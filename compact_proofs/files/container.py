"""Files that come in from anyone: a safetensors container with one JSON document in its header, read without trust.

There is no pickle in it, every size is bounded before it is read, unknown fields are refused, and whatever is said about it is fit
for a terminal.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import safetensors.torch
from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from torch import Tensor

from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files.atomic import write_atomically
from compact_proofs.files.bits import bits_of
from compact_proofs.files.documents import Strict
from compact_proofs.files.untrusted import parse_json

SCHEMA = 3
"""Version of the file format."""

LARGEST_FILE = 256 * 2**20
LARGEST_HEADER = 2**20
LONGEST_PROOF = 10**30


def _seen(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that are not seen, or that change how others are")
    return text


Text = Annotated[str, Field(max_length=1000), AfterValidator(_seen)]
Name = Annotated[Text, Field(min_length=1, max_length=100)]
Size = Annotated[int, Field(ge=0, le=2**63)]
Few = Field(max_length=64)
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Whole = Annotated[str, StringConstraints(pattern=r"^(0|-?[1-9][0-9]{0,4095})$")]
Positive = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4095}$")]
Vast = Annotated[int, Field(ge=0, le=10**4000)]
Count = Annotated[int, Field(ge=0, le=LONGEST_PROOF)]


class StrategyDocument(Strict):
    """Which strategy, with which options."""

    name: Name
    version: Size
    options: Annotated[dict[Name, int | float | Text | bool], Few]


class Document(Strict):
    """What every document holds."""

    schema_version: Literal[3]
    explanation_sha256: Digest
    digest: Digest


D = TypeVar("D", bound=Document)


def write_container(path: str | Path, key: str, document: dict[str, Any], tensors: dict[str, Tensor], kind: type[Document]) -> Path:
    """Write a document and an explanation, atomically: a reader finds the whole file or none.

    Raises
    ------
    BadInput
        If `read_container` would not read it again, or the file cannot be written.
    """
    document = {"schema_version": SCHEMA, **document, "explanation_sha256": explanation_sha256(tensors)}
    document["digest"] = _digest(document)
    try:
        kind.model_validate(document)
    except ValidationError as e:
        raise BadInput(f"{path}: this proof cannot be written as a certificate ({_problems(e)})") from None
    blob = safetensors.torch.save({name: t.contiguous() for name, t in tensors.items()}, metadata={key: json.dumps(document)})
    path = Path(path)
    write_atomically(path, blob)
    return path


def read_container(path: str | Path, key: str, kind: type[D]) -> tuple[D, dict[str, Tensor]]:
    """Read a document of a kind and the explanation beside it.

    Raises
    ------
    CertificateRejected
        If the file is missing, too large, truncated, not of this format, of an unknown version, or was edited. The
        message holds no text of the file's that could be long or hold control characters, except as quoted and cut.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    if key not in metadata:
        raise CertificateRejected(f"{path}: a safetensors file, but not a certificate (no {key!r} entry in its header)")
    document = _validate(path, metadata[key], kind)
    if explanation_sha256(tensors) != document.explanation_sha256:
        raise CertificateRejected(f"{path}: the explanation is not the one this certificate was written with (its hash differs)")
    return document, tensors


def is_container(path: str | Path, key: str) -> bool:
    """Does a file look like a safetensors container with this entry in its header? (It may be damaged.)"""
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(min(size, LARGEST_HEADER))
    try:
        return key in json.loads(header).get("__metadata__", {})
    except (ValueError, AttributeError, RecursionError):
        return False


def explanation_sha256(explanation: dict[str, Tensor]) -> str:
    """Hash an explanation: names, dtypes, shapes and bytes, in the order of the names."""
    h = hashlib.sha256()
    for name in sorted(explanation):
        t = explanation[name]
        h.update(json.dumps([name, str(t.dtype), list(t.shape)]).encode())
        h.update(bits_of(t))
    return h.hexdigest()


def _digest(document: dict[str, Any]) -> str:
    """Hash of the JSON document without its own digest: reveals edits, not forgeries (those fail when recomputed)."""
    content = {k: v for k, v in document.items() if k != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the file once, within bounds; return its documents (still text) and its tensors."""
    data = _read_bytes(path)
    header = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header > len(data) - 8:
        raise CertificateRejected(f"{path}: truncated, or not a certificate (it is shorter than its header says)")
    if header > LARGEST_HEADER:
        raise CertificateRejected(f"{path}: a header of {header:,} bytes is too large for a certificate")
    try:
        tensors = safetensors.torch.load(data)  # checks that the header's tensors fill the file exactly
        metadata = parse_json(data[8 : 8 + header]).get("__metadata__", {})
    except Exception as e:  # whatever a parser raises on hostile bytes
        raise CertificateRejected(f"{path}: truncated or not a certificate file ({_quoted(e)})") from None
    odd = next((name for name in tensors if not (name.isprintable() and 1 <= len(name) <= 100)), None)
    if odd is not None:
        raise CertificateRejected(f"{path}: its explanation holds a tensor with the odd name {_quoted(odd)}")
    return metadata, tensors


def _read_bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise CertificateRejected(f"{path}: there is no such file")
        if not path.is_file():  # a pipe or a device might never end
            raise CertificateRejected(f"{path}: not a file")
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise CertificateRejected(f"{path}: {size:,} bytes is too large for a certificate (at most {LARGEST_FILE:,})")
        with path.open("rb") as f:
            data = f.read(size)  # whose buffer is allocated at once: no more than the file, even if that grows meanwhile
    except OSError as e:
        raise CertificateRejected(f"{path}: cannot be read ({e.strerror})") from None
    if not data:
        raise CertificateRejected(f"{path}: the file is empty")
    return data


def _validate(path: Path, text: str, kind: type[D]) -> D:
    try:
        raw = parse_json(text)
    except (ValueError, RecursionError) as e:
        raise CertificateRejected(f"{path}: its document is not JSON ({_quoted(e)})") from None
    if not isinstance(raw, dict):
        raise CertificateRejected(f"{path}: its document is not a JSON object")
    if repr(raw.get("schema_version")) != repr(SCHEMA):  # not True, nor 1.0
        given = _quoted(raw.get("schema_version"))
        older = "; make it anew from the model: compact-proofs prove MODEL -o FILE" if raw.get("schema_version") in (1, 2) else ""
        raise CertificateRejected(f"{path}: schema version {given} is unknown; this program reads version {SCHEMA}{older}")
    try:
        document = kind.model_validate(raw)
    except ValidationError as e:
        raise CertificateRejected(f"{path}: malformed certificate ({_problems(e)})") from None
    if _digest(raw) != document.digest:
        raise CertificateRejected(f"{path}: the certificate was edited after it was written (its digest does not match)")
    return document


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:3]
    return "; ".join(f"{_quoted('.'.join(map(str, p['loc'])))}: {p['msg']}" for p in found)


def _quoted(hostile: object) -> str:
    """Text from a file or about it, fit for a terminal: cut, on one line, and nothing in it unseen."""
    text = str(hostile)
    return repr(text if len(text) <= 120 else f"{text[:120]}...")
