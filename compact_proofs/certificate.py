"""`Certificate`: a proven claim in one file that another person can check."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from compact_proofs.claim import Claim, decimal
from compact_proofs.container import (
    Count,
    Digest,
    Document,
    Few,
    Name,
    Positive,
    Size,
    StrategyDocument,
    Strict,
    Vast,
    Whole,
    explanation_sha256,
    is_container,
    read_container,
    write_container,
)
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.length import ProofLength
from compact_proofs.strategy import explanation_size

__all__ = ["KEY", "Certificate", "explanation_sha256", "is_certificate"]

KEY = "compact-proofs"
"""The document's entry in a file's header."""
LARGEST_BOUND = 10**9


class _ClaimDocument(Strict):
    task: Name
    parameters: Annotated[dict[Name, Size], Few]
    score: Name
    score_options: Annotated[dict[Name, float], Few]
    numerator: Whole
    denominator: Positive
    model_sha256: Digest


class _Document(Document):
    claim: _ClaimDocument
    strategy: StrategyDocument
    length: dict[Name, dict[Name, Count]]
    unexplained_dimension: Vast | None
    seconds: Annotated[float, Field(ge=0)]
    package_version: Name


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return f"<Certificate {self}>"

    def _repr_html_(self) -> str:
        """The claim and the proof's length, for notebooks."""
        from compact_proofs.report.notebook import certificate_html

        return certificate_html(self)

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
            "seconds": self.seconds,
            "package_version": version("compact-proofs"),
        }
        return write_container(path, KEY, document, self.explanation, _Document)

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Read a certificate. What it claims is not checked yet: `compact_proofs.check` does that.

        Raises
        ------
        CertificateRejected
            If the file is missing, too large, truncated, not of this format, of an unknown version, or was edited. The
            message holds no text of the file's that could be long or hold control characters, except as quoted and cut.
        """
        document, tensors = read_container(path, KEY, _Document)
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
    """Does a file look like a certificate? (It may be damaged.)"""
    return is_container(path, KEY)
