"""The documents that ``--json`` prints, exactly: an unknown, missing or mistyped field is an error."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class About(Strict):
    """What a result is about."""

    model: str
    architecture: str | None
    configuration: dict[str, int | float | str | bool | None] | None
    task: str
    parameters: dict[str, int | str]


class Length(Strict):
    flops: int
    int_ops: int
    total: int
    by_category: dict[str, int]
    by_stage: dict[str, int]


class Function(Strict):
    architecture: str
    configuration: dict[str, int | float | bool | str | None]
    weights_sha256: str
    program_sha256: str


class Said(Strict):
    """What is said, of which function, on which task."""

    task: str
    parameters: dict[str, int | str]
    function: Function
    statement: str


class Proof(Said):
    strategy: str
    options: dict[str, int | float | bool | str]
    numerator: str
    denominator: str
    bound: float
    true_accuracy: float | None
    length: Length
    unexplained_dimension: int | None
    explanation_size: int
    reading: Literal["sound", "float"]
    seconds: float
    model_sha256: str


class Sampled(Said):
    strategy: str
    options: dict[str, int | float | bool | str]
    numerator: str
    denominator: str
    bound: float
    true_accuracy: float | None
    length: Length
    unexplained_dimension: None
    explanation_size: int
    reading: Literal["confidence"]
    delta: float
    tries: int
    proven: str
    inputs: str
    samples: int
    right: int
    public: str
    caution: str | None
    seconds: float
    model_sha256: str


class Proven(About, Proof):
    """By ``prove``."""

    note: str | None


class SampledAlone(About, Sampled):
    """By ``sample``."""


class FrontierProof(Proof):
    on_frontier: bool


class FrontierSample(Sampled):
    on_frontier: Literal[False]


class Line(Strict):
    length: float
    bound: float


class Frontier(About):
    proofs: list[FrontierProof]
    with_confidence: list[FrontierSample]
    linear_baseline: Line | None
    report: str
    note: str | None


class Claim(Strict):
    numerator: str
    denominator: str
    bound: float
    statement: str


class Check(About):
    accepted: bool
    reason: str | None
    certificate: str
    claim: Claim | None
    proof: Proof | None


class ZooModel(Strict):
    name: str
    task: str
    sizes: dict[str, int | str]
    weights: int
    sampled_accuracy: float | None
    true_accuracy: float | None
    sha256: str


class Zoo(Strict):
    models: list[ZooModel]


class Option(Strict):
    name: str
    type: str
    default: int | float | bool | str
    doc: str


class Strategy(Strict):
    task: str
    name: str
    version: int
    summary: str
    options: list[Option]


class Strategies(Strict):
    strategies: list[Strategy]


class Scored(Strict):
    name: str
    features: int
    l0: float
    relative_mse: float
    margins: dict[str, float]
    proof: Proof


class Dictionaries(About):
    true_accuracy: float | None
    dictionaries: list[Scored]


class Metrics(Strict):
    loss: float
    accuracy: float
    samples: int


class Trained(About):
    output: str
    model_sha256: str
    sampled: Metrics
    recipe: dict[str, int | float | str | bool | list[float] | None]
    seconds: float


class Tuned(Trained):
    distance: float
