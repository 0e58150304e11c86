"""`Certificate`: a proven claim in one file that another person can check.

The file is a safetensors container: the explanation's tensors, and a JSON document in the header with everything else. There is
no pickle in it, every size is bounded before it is read, and unknown fields are refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors
import safetensors.torch
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from torch import Tensor

from compact_proofs.claim import Claim
from compact_proofs.errors import CertificateRejected
from compact_proofs.length import ProofLength
from compact_proofs.strategy import explanation_size

SCHEMA = 1
"""Version of the file format."""

LARGEST_FILE = 256 * 2**20
LARGEST_HEADER = 4 * 2**20
_KEY = "compact-proofs"

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Whole = Annotated[str, StringConstraints(pattern=r"^(0|-?[1-9][0-9]{0,4095})$")]
Positive = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4095}$")]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _ClaimDocument(_Strict):
    task: str
    parameters: dict[str, int]
    score: str
    score_options: dict[str, float]
    numerator: Whole
    denominator: Positive
    model_sha256: Digest


class _StrategyDocument(_Strict):
    name: str
    version: int
    options: dict[str, int | float | str | bool]


class _Document(_Strict):
    schema_version: Literal[1]
    claim: _ClaimDocument
    strategy: _StrategyDocument
    length: dict[str, dict[str, Count]]
    unexplained_dimension: int | None
    explanation_sha256: Digest
    seconds: float
    package_version: str
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
        return f"{self.strategy}: {kind} {float(self.bound):.7f}, length {self.length.total:,}"

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
        ValueError
            For a float reading, which proves nothing.
        """
        if self.reading != "sound":
            raise ValueError("only a sound reading is a proof; prove with reading='sound' to write a certificate")
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
        tensors = {name: t.contiguous() for name, t in self.explanation.items()}
        blob = safetensors.torch.save(tensors, metadata={_KEY: json.dumps(document)})
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(blob)
                f.flush()
                os.fsync(f.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Read a certificate. What it claims is not checked yet: `compact_proofs.check` does that.

        Raises
        ------
        CertificateRejected
            If the file is missing, too large, truncated, not of this format, of an unknown version, or was edited.
        """
        path = Path(path)
        metadata, tensors = _read_container(path)
        document = _validate(path, metadata)
        if explanation_sha256(tensors) != document.explanation_sha256:
            raise CertificateRejected(f"{path}: the explanation is not the one this certificate was written with (its hash differs)")
        claim = document.claim
        return cls(
            claim=Claim(
                claim.task,
                claim.parameters,
                claim.score,
                claim.score_options,
                int(claim.numerator),
                int(claim.denominator),
                claim.model_sha256,
            ),
            strategy=document.strategy.name,
            strategy_version=document.strategy.version,
            options=document.strategy.options,
            length=ProofLength(document.length),
            unexplained_dimension=document.unexplained_dimension,
            explanation=tensors,
            reading="sound",
            seconds=document.seconds,
        )


def explanation_sha256(explanation: dict[str, Tensor]) -> str:
    """Hash an explanation: names, dtypes, shapes and bytes, in the order of the names."""
    h = hashlib.sha256()
    for name in sorted(explanation):
        t = explanation[name].detach().cpu().contiguous()
        h.update(json.dumps([name, str(t.dtype), list(t.shape)]).encode())
        h.update(t.numpy().tobytes())
    return h.hexdigest()


def _digest(document: dict[str, Any]) -> str:
    """Hash of the JSON document without its own digest: reveals edits, not forgeries (those fail when recomputed)."""
    content = {k: v for k, v in document.items() if k != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_container(path: Path) -> tuple[str, dict[str, Tensor]]:
    try:
        size = path.stat().st_size
        with path.open("rb") as f:
            start = f.read(8)
    except OSError as e:
        raise CertificateRejected(f"{path}: cannot be read ({e.strerror})") from None
    if size > LARGEST_FILE:
        raise CertificateRejected(f"{path}: {size:,} bytes is too large for a certificate (at most {LARGEST_FILE:,})")
    if len(start) < 8 or (header := struct.unpack("<Q", start)[0]) > size - 8:
        raise CertificateRejected(f"{path}: truncated, or not a certificate (its header says more bytes than the file has)")
    if header > LARGEST_HEADER:
        raise CertificateRejected(f"{path}: a header of {header:,} bytes is too large for a certificate")
    try:
        with safetensors.safe_open(path, framework="pt") as f:
            metadata = f.metadata() or {}
            tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 (not a dict)
    except Exception as e:
        raise CertificateRejected(f"{path}: truncated or not a certificate file ({e})") from None
    if _KEY not in metadata:
        raise CertificateRejected(f"{path}: a safetensors file, but not a certificate (no {_KEY!r} entry in its header)")
    return metadata[_KEY], tensors


def _validate(path: Path, text: str) -> _Document:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise CertificateRejected(f"{path}: its document is not JSON ({e})") from None
    if not isinstance(raw, dict):
        raise CertificateRejected(f"{path}: its document is not a JSON object")
    if raw.get("schema_version") != SCHEMA:
        raise CertificateRejected(
            f"{path}: schema version {raw.get('schema_version')!r} is unknown; this program reads version {SCHEMA}"
        )
    try:
        document = _Document.model_validate(raw)
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in e.errors()[:5])
        raise CertificateRejected(f"{path}: malformed certificate ({problems})") from None
    if _digest(raw) != document.digest:
        raise CertificateRejected(f"{path}: the certificate was edited after it was written (its digest does not match)")
    return document
