"""`Proposal` and `Result`: what is tried and what comes of it, as JSON values."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from compact_proofs.errors import BadInput
from compact_proofs.files.documents import Strict

Status = Literal["proved", "rejected", "too long", "too slow", "too large"]
Value = int | float | str | bool


class Proposal(Strict):
    """A way to prove: data only, so that no proposal can bring a verifier of its own.

    Attributes
    ----------
    strategy
        The name of a registered strategy.
    options
        Its options; the rest as by default.
    explanation
        Its explanation as nested lists of numbers, by name; None for the strategy's own search.
    claim
        Why it should work, in words; informative.
    """

    strategy: Annotated[str, Field(max_length=100)]
    options: Annotated[dict[str, Value], Field(max_length=64, default_factory=dict)]
    explanation: dict[str, Any] | None = None
    claim: Annotated[str, Field(max_length=2000)] = ""

    @classmethod
    def read(cls, given: Any) -> Proposal:
        """Read untrusted JSON values.

        Raises
        ------
        BadInput
            Saying what is wrong.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as e:
            first = e.errors(include_url=False, include_context=False, include_input=False)[0]
            raise BadInput(f"a proposal's {'.'.join(map(str, first['loc'])) or 'form'}: {first['msg']}") from None

    @property
    def key(self) -> str:
        """The same for proposals that differ in words only."""
        return json.dumps([self.strategy, self.options, self.explanation], sort_keys=True)


class Result(Strict):
    """What the judge found.

    Attributes
    ----------
    status
        "proved", or why there is no bound.
    bound, length
        Means over the models; 0 unless proved.
    length_by_stage
        Of the first model's proof.
    gain
        What it added to Q.
    reason
        In words, where there is no bound.
    """

    status: Status
    bound: float = 0.0
    length: int = 0
    length_by_stage: dict[str, int] = Field(default_factory=dict)
    gain: float = 0.0
    reason: str = ""
