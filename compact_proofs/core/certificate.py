"""`Certificate`: a proven claim in one file that another person can check; `Trial`: a float reading, which proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from compact_proofs.core.claim import Claim
from compact_proofs.core.function import Function, FunctionDocument
from compact_proofs.core.strategy import explanation_size
from compact_proofs.core.views import show
from compact_proofs.decimals import decimal
from compact_proofs.errors import CertificateRejected
from compact_proofs.files.container import (
    Count,
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
from compact_proofs.length import ProofLength

__all__ = ["KEY", "Certificate", "Run", "Trial", "explanation_sha256", "is_certificate"]

KEY = "compact-proofs"
"""The document's entry in a file's header."""
LARGEST_BOUND = 10**9

Reading = Literal["sound", "float"]
"""How a verifier is run: on Enclosures, which makes a theorem, or on plain float64 tensors."""


class _ClaimDocument(Strict):
    task: Name
    parameters: Annotated[dict[Name, Size | Name], Few]
    score: Name
    score_options: Annotated[dict[Name, float], Few]
    numerator: Whole
    denominator: Positive
    function: FunctionDocument


class _Document(Document):
    claim: _ClaimDocument
    strategy: StrategyDocument
    length: dict[Name, dict[Name, Count]]
    unexplained_dimension: Vast | None
    seconds: Annotated[float, Field(ge=0)]
    package_version: Name


@dataclass(frozen=True, repr=False)
class Run:
    """What running a strategy once gives, whatever the reading: a bound or an estimate, and the length.

    Attributes
    ----------
    claim
        What is claimed; of a `Trial`, that nothing is (`Unproven`).
    strategy, strategy_version, options
        How it was found.
    length
        Counted from the run.
    unexplained_dimension
        Dimension of what the proof treats by brute force or worst case; None if the strategy gives none.
    explanation
        The tensors that guided the run, by name.
    seconds
        Wall time of the verification; informative.
    """

    reading: ClassVar[Reading]
    """How the verifier was run."""

    claim: Claim
    strategy: str
    strategy_version: int
    options: dict[str, Any]
    length: ProofLength
    unexplained_dimension: int | None
    explanation: dict[str, Tensor]
    seconds: float

    @property
    def bound(self) -> Fraction:
        """The number found for the mean score, exactly."""
        return self.claim.bound

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def _repr_html_(self) -> str:
        """The claim and the proof's length, for notebooks."""
        return str(show(self, "html"))

    def statement(self) -> str:
        """What is said, in words."""
        return self.claim.statement()

    def to_json(self, true_accuracy: float | None = None) -> dict[str, Any]:
        """The object printed by ``--json``."""
        return {
            "task": self.claim.task,
            "parameters": dict(self.claim.parameters),
            "function": self.claim.function.to_json(),
            "statement": self.statement(),
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
            "model_sha256": self.claim.function.weights_sha256,
        }


class Trial(Run):
    """A strategy in the float reading: quick, without control of rounding. It states nothing and is no certificate."""

    reading: ClassVar[Reading] = "float"

    def __str__(self) -> str:
        return f"{self.strategy}: estimate (float reading, not a theorem) {decimal(self.bound)}, length {self.length.total:,}"


class Certificate(Run):
    """A proven claim, how it was proved, and how long the proof is."""

    reading: ClassVar[Reading] = "sound"

    def __str__(self) -> str:
        return f"{self.strategy}: bound {decimal(self.bound)}, length {self.length.total:,}"

    def save(self, path: str | Path) -> Path:
        """Write the certificate to a file, atomically: a reader finds the whole file or none.

        Raises
        ------
        BadInput
            If the file cannot be written.
        """
        document = {
            "claim": {
                "task": self.claim.task,
                "parameters": dict(self.claim.parameters),
                "score": self.claim.score,
                "score_options": self.claim.score_options,
                "numerator": str(self.claim.numerator),
                "denominator": str(self.claim.denominator),
                "function": self.claim.function.to_json(),
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
        function = Function.from_document(c.function)
        return cls(
            claim=Claim(c.task, c.parameters, c.score, c.score_options, numerator, denominator, function),
            strategy=document.strategy.name,
            strategy_version=document.strategy.version,
            options=document.strategy.options,
            length=ProofLength(document.length),
            unexplained_dimension=document.unexplained_dimension,
            explanation=tensors,
            seconds=document.seconds,
        )


def is_certificate(path: Path) -> bool:
    """Does a file look like a certificate? (It may be damaged.)"""
    return is_container(path, KEY)
