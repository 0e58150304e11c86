"""What a theorem rests on: the output of ``Print Typing Flags`` and ``Print Assumptions``, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "the classical real numbers of Coq's standard library",
        re.compile(r"ClassicalDedekindReals\.(sig_not_dec|sig_forall_dec)|Classical_Prop\.classic"),
    ),
    ("functional extensionality", re.compile(r"FunctionalExtensionality\.functional_extensionality_dep")),
    (
        "the processor's binary64 numbers, as Coq's primitive floats, and their specification (IEEE 754)",
        re.compile(r"(PrimFloat|FloatAxioms|FloatOps)\.\w+"),
    ),
    (
        "63-bit machine integers, as Coq's primitive integers, and their specification",
        re.compile(r"(PrimInt63|Uint63|Sint63)\.\w+"),
    ),
    ("Coq's primitive arrays, and their specification", re.compile(r"PArray\.\w+")),
)
"""What may be assumed, in words, and the names that Coq gives it."""

FLAGS = (
    "check_guarded: true",
    "check_positive: true",
    "check_universes: true",
    "cumulative sprop: false",
    "definitional uip: false",
)
"""What ``Print Typing Flags`` prints where Coq checks everything that makes it consistent."""

_ENTRY = re.compile(r"([A-Za-z_][\w.']*)( : .*)?")


@dataclass(frozen=True)
class Assumptions:
    """What a theorem rests on.

    Attributes
    ----------
    words
        What is assumed, of what may be, in words.
    objections
        Lines that Coq printed and that are not among what may be; of a theorem that is to be believed, there are none.
    """

    words: list[str]
    objections: list[str]


def read_assumptions(printed: str) -> Assumptions:
    """Read what ``Print Typing Flags`` and ``Print Assumptions`` printed, in this order.

    Every line is understood or becomes an objection: an axiom that is not among `KINDS`, a check that was switched off for a
    definition ("is assumed to be guarded", "relies on an unsafe hierarchy"), a theory that was changed, and anything else.
    """
    lines = [line for line in printed.splitlines() if line.strip()]
    flags, rest = lines[: len(FLAGS)], lines[len(FLAGS) :]
    objections = [f"{found!r} where {flag!r} was expected" for found, flag in zip(flags, FLAGS, strict=False) if found != flag]
    if rest == ["Closed under the global context"]:
        return Assumptions([], objections)
    if rest[:1] != ["Axioms:"] or len(rest) < 2:
        return Assumptions([], [*objections, *(rest or ["Coq printed no assumptions"])])
    kinds: set[str] = set()
    for first, others in _entries(rest[1:]):
        entry = _ENTRY.fullmatch(first)
        known = [word for word, names in KINDS if entry and names.fullmatch(entry[1])]
        if known and (entry[2] or (others[:1] and others[0].startswith("  : "))):  # type: ignore[index]
            kinds.update(known)
        else:
            objections.append(first.strip())
    return Assumptions([word for word, _ in KINDS if word in kinds], objections)


def _entries(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each line that is not indented, with the indented ones that go on from it."""
    start = 0
    for end in range(1, len(lines) + 1):
        if end == len(lines) or not lines[end].startswith("  "):
            yield lines[start], lines[start + 1 : end]
            start = end
