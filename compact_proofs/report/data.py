"""What a report is made from: proofs, a linear baseline, heatmaps and the words of the claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.frontier import distinguishing_options
from compact_proofs.errors import BadInput
from compact_proofs.report.text import options_text
from compact_proofs.tables import Heatmap

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Proof:
    """One proof of the report; `read_proofs` makes it from a ``--json`` object.

    Attributes
    ----------
    strategy, options
        The strategy's name and its options as text.
    numerator, denominator
        The bound as it was certified (not reduced); `bound` is the same as a fraction.
    true_accuracy
        The exhaustive accuracy, or None where nobody computed it.
    flops, int_ops, length
        The proof's length by kind of operation, and in all.
    by_category, by_stage
        Operations by kind and by named stage.
    on_frontier
        Whether no other proof is both shorter and better; estimates do not compete with proofs.
    explanation_size
        Numbers that the verifier reads from the explanation.
    reading
        "sound" for a proof; "confidence" for a proof of a part and a sample of the rest, false with probability `delta`; "float"
        for an estimate, which proves nothing.
    delta
        Of a statement with confidence.
    certificate
        The name of its certificate's file beside the report, if it has one.
    """

    strategy: str
    options: Mapping[str, str]
    numerator: int
    denominator: int
    true_accuracy: float | None
    flops: int
    int_ops: int
    length: int
    by_category: Mapping[str, int]
    by_stage: Mapping[str, int]
    unexplained_dimension: int | None
    explanation_size: int | None
    reading: str
    seconds: float | None
    model_sha256: str
    on_frontier: bool
    delta: float | None = None
    certificate: str = ""

    @property
    def sound(self) -> bool:
        """Whether it is a proof."""
        return self.reading == "sound"

    @property
    def kind(self) -> str:
        """What it is, in a word or two."""
        return {"sound": "proof", "confidence": "with confidence", "float": "estimate"}[self.reading]

    @property
    def bound(self) -> Fraction:
        """The bound, exactly."""
        return Fraction(self.numerator, self.denominator)

    @property
    def ratio(self) -> float | None:
        """Bound over true accuracy, or None where the true accuracy is unknown or 0."""
        return float(self.bound) / self.true_accuracy if self.true_accuracy else None

    @property
    def contradicts(self) -> bool:
        """Whether a sound bound exceeds the true accuracy, which only a fault can cause."""
        return self.sound and self.true_accuracy is not None and float(self.bound) > self.true_accuracy + TOLERANCE


@dataclass(frozen=True)
class LinearBaseline:
    """Brute force on a share of the inputs: the bound grows linearly, up to `full_bound` at `full_length`."""

    full_length: float
    full_bound: float

    def __post_init__(self) -> None:
        if not (self.full_length > 0 and 0 <= self.full_bound <= 1):
            raise BadInput(
                f"linear baseline: full_length must be positive and full_bound between 0 and 1, "
                f"not {self.full_length} and {self.full_bound}"
            )

    def bound_at(self, lengths: np.ndarray) -> np.ndarray:
        """Bound at each of the `lengths` [n]."""
        return self.full_bound * np.minimum(lengths / self.full_length, 1.0)


@dataclass(frozen=True)
class MeasuredBaseline:
    """A linear baseline known at (length, bound) points, and linear in length between them."""

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise BadInput("linear baseline: no points; pass baseline=None for a report without a baseline")
        if not all(length > 0 and 0 <= bound <= 1 for length, bound in self.points):
            raise BadInput("linear baseline: a point is (length, bound) with a positive length and a bound in [0, 1]")

    def bound_at(self, lengths: np.ndarray) -> np.ndarray:
        """Bound at each of the `lengths` [n]; NaN outside the measured range."""
        xs, ys = zip(*sorted(self.points), strict=True)
        return np.interp(lengths, xs, ys, left=np.nan, right=np.nan)


@dataclass(frozen=True)
class ReportData:
    """Everything a report shows about one model.

    Attributes
    ----------
    model_name, claim_words, claim_formula
        Plain text.
    proofs
        At least one, all of the same model; see `read_proofs`.
    baseline
        The linear baseline, or None.
    heatmaps
        In the order in which they are shown.
    certificates
        The certificates behind the proofs, where they are at hand: sections read explanations from them.
    program
        The network in index notation, where it is at hand.
    commands
        What made the proofs and what checks them, each a word or two and a command.

    Raises
    ------
    BadInput
        There is no proof, or the proofs are not of one model.
    """

    model_name: str
    claim_words: str
    claim_formula: str
    proofs: tuple[Proof, ...]
    baseline: LinearBaseline | MeasuredBaseline | None = None
    heatmaps: tuple[Heatmap, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    program: str = ""
    commands: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.proofs:
            raise BadInput("a report needs at least one proof; run `compact-proofs prove` or `frontier` first")
        if len({proof.model_sha256 for proof in self.proofs}) > 1:
            raise BadInput("a report is about one model, but these proofs differ in model_sha256; split them by model")
        known = [proof.true_accuracy for proof in self.proofs if proof.true_accuracy is not None]
        if known and max(known) - min(known) > TOLERANCE:
            raise BadInput(f"the proofs of one model disagree about its true accuracy: {min(known)} and {max(known)}")

    @property
    def by_length(self) -> tuple[Proof, ...]:
        """The proofs from short to long; a proof's place here, from 1, is its number everywhere in the report."""
        return tuple(sorted(self.proofs, key=lambda proof: (proof.length, -proof.bound)))

    @property
    def any_sound(self) -> bool:
        """Whether there is any proof among the estimates."""
        return any(proof.sound for proof in self.proofs)

    @property
    def true_accuracy(self) -> float | None:
        """The model's true accuracy, if any of the proofs knows it."""
        return next((proof.true_accuracy for proof in self.proofs if proof.true_accuracy is not None), None)

    @property
    def model_sha256(self) -> str:
        """Hash of the model's weights."""
        return self.proofs[0].model_sha256


def common_options(proofs: Sequence[Proof]) -> dict[str, dict[str, str]]:
    """What the options of all proofs by a strategy have in common, for each strategy with several proofs."""
    crowd = Counter(proof.strategy for proof in proofs)
    common = {}
    for proof in proofs:
        if crowd[proof.strategy] > 1:
            telling = distinguishing_options(proof, proofs)
            common[proof.strategy] = {key: value for key, value in proof.options.items() if key not in telling}
    return {strategy: options for strategy, options in common.items() if options}


def labels(proofs: Sequence[Proof]) -> list[str]:
    """Names of proofs: the strategy, and the options that tell it from other proofs by the same strategy."""
    return [f"{proof.strategy} {options_text(distinguishing_options(proof, proofs))}".strip() for proof in proofs]
