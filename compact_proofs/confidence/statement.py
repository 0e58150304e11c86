"""`Confidence`: a lower bound that holds with a stated confidence, in one file that another person can check."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from compact_proofs.confidence.binomial import clopper_pearson
from compact_proofs.core.claim import distribution
from compact_proofs.core.function import Function, FunctionDocument
from compact_proofs.core.strategy import explanation_size
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
    Text,
    Whole,
    explanation_sha256,
    read_container,
    write_container,
)
from compact_proofs.inputs.task import LAW
from compact_proofs.length import ProofLength

KEY = "compact-proofs-confidence"
"""The document's entry in a file's header."""
MOST_SAMPLES = 10**7
UNCHOOSABLE = Fraction(1, 2**80)
"""A delta so small that nobody can draw until luck comes: whatever the draw follows from, the statement is worth its face."""

Samples = Annotated[int, Field(ge=1, le=MOST_SAMPLES)]


class _Said(Strict):
    task: Name
    parameters: Annotated[dict[Name, Size | Name], Few]
    function: FunctionDocument
    inputs: Positive
    proven: Whole
    samples: Samples
    right: Annotated[int, Field(ge=0, le=MOST_SAMPLES)]
    delta: Annotated[tuple[Positive, Positive], Field(strict=False)]
    tries: Samples
    public: Text


class _Document(Document):
    confidence: _Said
    strategy: StrategyDocument
    length: dict[Name, dict[Name, Count]]
    seconds: Annotated[float, Field(ge=0)]
    package_version: Name


@dataclass(frozen=True)
class Confidence:
    """A lower bound of a model's accuracy that fails with probability at most delta over the draw. It is not a proof.

    A strategy proves `proven` of `inputs` inputs right. Of the others, `samples` are drawn uniformly and independently, by numbers
    that follow from hashes of everything else and a public value; `right` of them are provably right. With p = their true share,
    accuracy = (proven + (inputs - proven) p) / inputs, and p is bounded by Clopper-Pearson with delta / tries.

    Attributes
    ----------
    task, parameters, function
        What it is about, as in a `Claim`.
    strategy, strategy_version, options, explanation
        What proves the proven part.
    inputs, proven
        Exactly; 1 and 0 under a law, of which nothing is proven and all is drawn.
    samples, right
        Draws from the unproven inputs, and how many are right.
    delta
        Probability that the bound is false, exactly.
    tries
        How many statements were made from which this one may have been chosen: each has delta / tries (a union bound).
    public
        A text that the prover could not choose or foresee when the explanation was made (a date's newspaper, a checker's word): the
        statement shows it, for its reader to judge.
    length
        Operations: the proof of the proven part, the draws, and the evaluation of the samples.
    seconds
        Wall time; informative.
    """

    task: str
    parameters: Mapping[str, int | str]
    function: Function
    strategy: str
    strategy_version: int
    options: dict[str, Any]
    explanation: dict[str, Tensor]
    inputs: int
    proven: int
    samples: int
    right: int
    delta: Fraction
    tries: int
    public: str
    length: ProofLength
    seconds: float

    @property
    def bound(self) -> Fraction:
        """The lower bound, exactly."""
        share = clopper_pearson(self.right, self.samples, self.delta / self.tries)
        return (self.proven + (self.inputs - self.proven) * share) / self.inputs

    @property
    def seed(self) -> bytes:
        """What the draws follow from: nothing of the result, everything else."""
        return seed(self)

    @property
    def choosable(self) -> bool:
        """Whether the prover could have drawn again and again until luck came, if what the draw follows from was theirs to choose.

        Not with a delta of at most 2^-80. Otherwise it is for the reader to judge: nobody but they can know whether a text was
        public, and a prover who tries texts is as well off as one who tries explanations.
        """
        return self.delta > UNCHOOSABLE

    def statement(self) -> str:
        """What is said, in words."""
        tries = "" if self.tries == 1 else f", for the best of at most {self.tries} such statements"
        return (
            f"With confidence 1 - {_short(self.delta)} over the draw{tries}: for {distribution(self.task, self.parameters)}, the "
            f"probability that M is right is at least {decimal(self.bound)}, where M is {self.function.describe()} "
            f"({self._drawn()}; {self._source()})"
        )

    def _drawn(self) -> str:
        """What is proven, and what was drawn, in words."""
        if LAW in self.parameters:
            return f"of {self.samples} draws {self.right} are right"
        return f"{self.proven} of {self.inputs} inputs are proven; of {self.samples} drawn from the others {self.right} are right"

    def _source(self) -> str:
        """What the draw follows from, and whether that must be judged, in words."""
        if not self.public:
            return "the draw follows from the explanation" + (", which the prover chose" if self.choosable else "")
        judged = ", which the prover must not have been able to choose or foresee" if self.choosable else ""
        return f"the draw follows from the public text {self.public!r}{judged}"

    def caution(self) -> str | None:
        """What the reader has to believe besides, if anything."""
        if not self.choosable:
            return None
        if self.public:
            return (
                f"The draw follows from the public text {self.public!r}. Judge yourself: if the prover could choose this text, or "
                "knew it when the explanation was made, they could have tried others until luck came, and the confidence is void."
            )
        return (
            "The draw follows from the explanation, which the prover could have varied until luck came. To exclude that, give a "
            "--public text that nobody could foresee when the explanation was made, or a --delta of at most 2^-80, about 8e-25."
        )

    def to_json(self, true_accuracy: float | None = None) -> dict[str, Any]:
        """The object printed by ``--json``."""
        bound = self.bound
        return {
            "task": self.task,
            "parameters": dict(self.parameters),
            "function": self.function.to_json(),
            "statement": self.statement(),
            "strategy": self.strategy,
            "options": self.options,
            "numerator": str(bound.numerator),
            "denominator": str(bound.denominator),
            "bound": float(bound),
            "true_accuracy": true_accuracy,
            "length": self.length.to_json(),
            "unexplained_dimension": None,
            "explanation_size": explanation_size(self.explanation),
            "reading": "confidence",
            "delta": float(self.delta),
            "tries": self.tries,
            "proven": str(self.proven),
            "inputs": str(self.inputs),
            "samples": self.samples,
            "right": self.right,
            "public": self.public,
            "caution": self.caution(),
            "seconds": self.seconds,
            "model_sha256": self.function.weights_sha256,
        }

    def save(self, path: str | Path) -> Path:
        """Write the statement to a file, atomically."""
        document = {
            "confidence": {
                "task": self.task,
                "parameters": dict(self.parameters),
                "function": self.function.to_json(),
                "inputs": str(self.inputs),
                "proven": str(self.proven),
                "samples": self.samples,
                "right": self.right,
                "delta": [str(self.delta.numerator), str(self.delta.denominator)],
                "tries": self.tries,
                "public": self.public,
            },
            "strategy": {"name": self.strategy, "version": self.strategy_version, "options": self.options},
            "length": self.length.by_stage,
            "seconds": self.seconds,
            "package_version": version("compact-proofs"),
        }
        return write_container(path, KEY, document, self.explanation, _Document)

    @classmethod
    def load(cls, path: str | Path) -> Confidence:
        """Read a statement. What it says is not checked yet: `check_confidence` does that.

        Raises
        ------
        CertificateRejected
            If the file is not a whole, unedited statement with confidence.
        """
        document, tensors = read_container(path, KEY, _Document)
        said = document.confidence
        delta = Fraction(int(said.delta[0]), int(said.delta[1]))
        inputs, proven = int(said.inputs), int(said.proven)
        if not (0 < delta < 1 and 0 <= proven < inputs and said.right <= said.samples):
            raise CertificateRejected(f"{path}: its delta, its proven inputs or its right samples are out of range")
        return cls(
            task=said.task,
            parameters=said.parameters,
            function=Function.from_document(said.function),
            strategy=document.strategy.name,
            strategy_version=document.strategy.version,
            options=document.strategy.options,
            explanation=tensors,
            inputs=inputs,
            proven=proven,
            samples=said.samples,
            right=said.right,
            delta=delta,
            tries=said.tries,
            public=said.public,
            length=ProofLength(document.length),
            seconds=document.seconds,
        )


def seed(s: Confidence) -> bytes:
    """SHA-256 of everything that was fixed before the draw, as JSON."""
    fixed = {
        "format": KEY,
        "task": s.task,
        "parameters": dict(s.parameters),
        "function": s.function.to_json(),
        "strategy": [s.strategy, s.strategy_version, s.options],
        "explanation": explanation_sha256(s.explanation),
        "samples": s.samples,
        "delta": str(s.delta),
        "tries": s.tries,
        "public": s.public,
    }
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).digest()


def _short(delta: Fraction) -> str:
    """Write a small probability as people do, if that is exact."""
    text = f"{float(delta):.3g}"
    return text if Fraction(text) == delta else str(delta)
