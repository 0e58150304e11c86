"""What a theorem rests on: the output of ``Print Assumptions``, in plain words."""

from __future__ import annotations

import re

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
)
"""What may be assumed, in words, and the names that Coq gives it."""

_NAME = re.compile(r"^([A-Za-z_][\w.']*)\s*(?::|$)", re.MULTILINE)


def read_assumptions(printed: str) -> tuple[list[str], list[str]]:
    """Read what ``Print Assumptions`` printed.

    Returns
    -------
    words : list of str
        What is assumed, in words.
    others : list of str
        Names that are not among what may be assumed; of a theorem that is to be believed, there are none.
    """
    if "Closed under the global context" in printed:
        return [], []
    _, _, listed = printed.partition("Axioms:")
    names = _NAME.findall(listed)
    words = [word for word, pattern in KINDS if any(pattern.fullmatch(name) for name in names)]
    return words, [name for name in names if not any(pattern.fullmatch(name) for _, pattern in KINDS)]
