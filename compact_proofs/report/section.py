"""A section of the page: a function from the report's data to a block of HTML and the files that go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from compact_proofs.report.data import ReportData


@dataclass(frozen=True)
class Block:
    """What a section puts on the page.

    Attributes
    ----------
    anchor
        The section's id in the page, also for links to it.
    title
        Its heading, as plain text.
    body
        Its HTML, from `render`.
    files
        Files to write beside the page: name to content.
    """

    anchor: str
    title: str
    body: Markup
    files: Mapping[str, bytes] = field(default_factory=dict)


Section = Callable[[ReportData], Block | None]
"""A section returns None when it has nothing to show; one with data of its own is a dataclass with ``__call__``."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("compact_proofs.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> Markup:
    """Fill a template of ``compact_proofs/report/templates``; every value that is not Markup is escaped."""
    return Markup(_environment().get_template(template).render(**values))
