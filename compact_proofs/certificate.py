"""`Certificate`: a proven claim in one file that another person can check.

The file is a safetensors container: the explanation's tensors, and a JSON document in the header with everything else.
There is no pickle in it, every size is bounded before it is read, and unknown fields are refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from torch import Tensor

from compact_proofs.claim import Claim, decimal
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.length import ProofLength
from compact_proofs.models.files import write_atomically
from compact_proofs.strategy import explanation_size

SCHEMA = 1
"""Version of the file format."""

LARGEST_FILE = 256 * 2**20
LARGEST_HEADER = 2**20
LONGEST_PROOF = 10**30
LARGEST_BOUND = 10**9
_KEY = "compact-proofs"
_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f]{1,100}"

Name = Annotated[str, StringConstraints(pattern=f"^{_PRINTABLE}$")]
Size = Annotated[int, Field(ge=0, le=2**63)]
Few = Field(max_length=64)
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Whole = Annotated[str, StringConstraints(pattern=r"^(0|-?[1-9][0-9]{0,4095})$")]
Positive = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4095}$")]
Vast = Annotated[int, Field(ge=0, le=10**4000)]
Count = Annotated[int, Field(ge=0, le=LONGEST_PROOF)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _ClaimDocument(_Strict):
    task: Name
    parameters: Annotated[dict[Name, Size], Few]
    score: Name
    score_options: Annotated[dict[Name, float], Few]
    numerator: Whole
    denominator: Positive
    model_sha256: Digest


class _StrategyDocument(_Strict):
    name: Name
    version: Size
    options: Annotated[dict[Name, int | float | str | bool], Few]


class _Document(_Strict):
    schema_version: Literal[1]
    claim: _ClaimDocument
    strategy: _StrategyDocument
    length: dict[str, dict[str, Count]]
    unexplained_dimension: Vast | None
    explanation_sha256: Digest
    seconds: Annotated[float, Field(ge=0)]
    package_version: Name
    digest: Digest


@dataclass(frozen=True)
class Certificate:
    """A bound, how it was proved, and how long the proof is.

    Attributes
    ----------
    claim
        The theorem, with its exact bound.
    strategy, strategy_version, options
        How it was proved.
    length
        Counted from the run.
    unexplained_dimension
        Dimension of what the proof treats by brute force or worst case; None if the strategy gives none.
    explanation
        The tensors that guided the proof, by name.
    reading
        "sound" for a theorem, "float" for an estimate (which cannot be saved as a certificate).
    seconds
        Wall time of the verification; informative.
    """

    claim: Claim
    strategy: str
    strategy_version: int
    options: dict[str, Any]
    length: ProofLength
    unexplained_dimension: int | None
    explanation: dict[str, Tensor]
    reading: str
    seconds: float

    @property
    def bound(self) -> Fraction:
        """The proven lower bound, exactly."""
        return self.claim.bound

    def __str__(self) -> str:
        kind = "bound" if self.reading == "sound" else "estimate (float reading, not a theorem)"
        return f"{self.strategy}: {kind} {decimal(self.bound)}, length {self.length.total:,}"

    def to_json(self, true_accuracy: float | None = None) -> dict[str, Any]:
        """The object printed by ``--json``."""
        return {
            "strategy": self.strategy,
            "options": self.options,
            "numerator": str(self.claim.numerator),
            "denominator": str(self.claim.denominator),
            "bound": float(self.bound),
            "true_accuracy": true_accuracy,
            "length": self.length.to_json(),
            "unexplained_dimension": self.unexplained_dimension,
            "explanation_size": explanation_size(self.explanation),
            "reading": self.reading,
            "seconds": self.seconds,
            "model_sha256": self.claim.model_sha256,
        }

    def save(self, path: str | Path) -> Path:
        """Write the certificate to a file, atomically: a reader finds the whole file or none.

        Raises
        ------
        BadInput
            For a float reading, which proves nothing, or if the file cannot be written.
        """
        if self.reading != "sound":
            raise BadInput("only a sound reading is a proof; prove with reading='sound' to write a certificate")
        document = {
            "schema_version": SCHEMA,
            "claim": {
                "task": self.claim.task,
                "parameters": self.claim.parameters,
                "score": self.claim.score,
                "score_options": self.claim.score_options,
                "numerator": str(self.claim.numerator),
                "denominator": str(self.claim.denominator),
                "model_sha256": self.claim.model_sha256,
            },
            "strategy": {"name": self.strategy, "version": self.strategy_version, "options": self.options},
            "length": self.length.by_stage,
            "unexplained_dimension": self.unexplained_dimension,
            "explanation_sha256": explanation_sha256(self.explanation),
            "seconds": self.seconds,
            "package_version": version("compact-proofs"),
        }
        document["digest"] = _digest(document)
        try:
            _Document.model_validate(document)
        except ValidationError as e:
            raise BadInput(f"{path}: this proof cannot be written as a certificate ({_problems(e)})") from None
        tensors = {name: t.contiguous() for name, t in self.explanation.items()}
        blob = safetensors.torch.save(tensors, metadata={_KEY: json.dumps(document)})
        path = Path(path)
        write_atomically(path, blob)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Read a certificate. What it claims is not checked yet: `compact_proofs.check` does that.

        Raises
        ------
        CertificateRejected
            If the file is missing, too large, truncated, not of this format, of an unknown version, or was edited. The
            message holds no text of the file's that could be long or hold control characters, except as quoted and cut.
        """
        path = Path(path)
        metadata, tensors = _read_container(path)
        document = _validate(path, metadata)
        if explanation_sha256(tensors) != document.explanation_sha256:
            raise CertificateRejected(
                f"{path}: the explanation is not the one this certificate was written with (its hash differs)"
            )
        c = document.claim
        numerator, denominator = int(c.numerator), int(c.denominator)
        if abs(numerator) > LARGEST_BOUND * denominator:
            raise CertificateRejected(f"{path}: the bound it claims is beyond {LARGEST_BOUND:.0e}")
        return cls(
            claim=Claim(c.task, c.parameters, c.score, c.score_options, numerator, denominator, c.model_sha256),
            strategy=document.strategy.name,
            strategy_version=document.strategy.version,
            options=document.strategy.options,
            length=ProofLength(document.length),
            unexplained_dimension=document.unexplained_dimension,
            explanation=tensors,
            reading="sound",
            seconds=document.seconds,
        )


def is_certificate(path: Path) -> bool:
    """Does a file look like a certificate, a safetensors container with our entry in its header? (It may be damaged.)"""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(min(size, LARGEST_HEADER))
    try:
        return _KEY in json.loads(header).get("__metadata__", {})
    except (ValueError, AttributeError, RecursionError):
        return False


def explanation_sha256(explanation: dict[str, Tensor]) -> str:
    """Hash an explanation: names, dtypes, shapes and bytes, in the order of the names."""
    h = hashlib.sha256()
    for name in sorted(explanation):
        t = explanation[name].detach().cpu().contiguous()
        h.update(json.dumps([name, str(t.dtype), list(t.shape)]).encode())
        h.update(t.reshape(-1).view(torch.uint8).numpy().tobytes())
    return h.hexdigest()


def _digest(document: dict[str, Any]) -> str:
    """Hash of the JSON document without its own digest: reveals edits, not forgeries (those fail when recomputed)."""
    content = {k: v for k, v in document.items() if k != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_container(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Read the file once, within bounds; return its document (still text) and its tensors."""
    data = _read_bytes(path)
    header = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header > len(data) - 8:
        raise CertificateRejected(f"{path}: truncated, or not a certificate (it is shorter than its header says)")
    if header > LARGEST_HEADER:
        raise CertificateRejected(f"{path}: a header of {header:,} bytes is too large for a certificate")
    try:
        tensors = safetensors.torch.load(data)  # checks that the header's tensors fill the file exactly
        metadata = json.loads(data[8 : 8 + header]).get("__metadata__", {})
    except Exception as e:  # whatever a parser raises on hostile bytes
        raise CertificateRejected(f"{path}: truncated or not a certificate file ({_quoted(e)})") from None
    if _KEY not in metadata:
        raise CertificateRejected(f"{path}: a safetensors file, but not a certificate (no {_KEY!r} entry in its header)")
    odd = next((name for name in tensors if not re.fullmatch(_PRINTABLE, name)), None)
    if odd is not None:
        raise CertificateRejected(f"{path}: its explanation holds a tensor with the odd name {_quoted(odd)}")
    return metadata[_KEY], tensors


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
            data = f.read(LARGEST_FILE)
    except OSError as e:
        raise CertificateRejected(f"{path}: cannot be read ({e.strerror})") from None
    if not data:
        raise CertificateRejected(f"{path}: the file is empty")
    return data


def _validate(path: Path, text: str) -> _Document:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise CertificateRejected(f"{path}: its document is not JSON ({_quoted(e)})") from None
    if not isinstance(raw, dict):
        raise CertificateRejected(f"{path}: its document is not a JSON object")
    if repr(raw.get("schema_version")) != repr(SCHEMA):  # not True, nor 1.0
        given = _quoted(raw.get("schema_version"))
        raise CertificateRejected(f"{path}: schema version {given} is unknown; this program reads version {SCHEMA}")
    try:
        document = _Document.model_validate(raw)
    except ValidationError as e:
        raise CertificateRejected(f"{path}: malformed certificate ({_problems(e)})") from None
    if _digest(raw) != document.digest:
        raise CertificateRejected(f"{path}: the certificate was edited after it was written (its digest does not match)")
    return document


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:3]
    return "; ".join(f"{_quoted('.'.join(map(str, p['loc'])))}: {p['msg']}" for p in found)


def _quoted(hostile: object) -> str:
    """Text from a file or about it, fit for a terminal: cut, on one line, without control characters."""
    text = str(hostile)
    return repr(text if len(text) <= 120 else f"{text[:120]}...")
