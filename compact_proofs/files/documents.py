"""`Strict`: the base of every document that is read from a file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of a document: no field more, none less, each of its type; NaN and infinity are no numbers; read, not changed."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
