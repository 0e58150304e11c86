"""What may stand in a proof of a goal that is anyone's: Closed.v is read by a grammar before Coq sees it.

A file of Coq is a row of sentences. A command begins with a capital, a tactic does not. Only commands that state, define and prove
are let through: none that sets an option, changes what words mean for files that come after, assumes, loads, prints or writes. What
is let through can be wrong, and then Coq says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

COMMANDS = frozenset(
    """From Require Import Open Section End Context Variable Variables Hypothesis Hypotheses
    Lemma Theorem Remark Fact Corollary Proposition Example Definition Fixpoint Let Ltac
    Proof Qed Defined Abort Unshelve""".split()  # noqa: SIM905
)
"""Commands that are let through."""

LOCAL = frozenset("Open Definition Lemma Ltac Notation".split())  # noqa: SIM905
"""Those that are let through after Local."""

LIBRARIES = frozenset("Coq Interval Flocq Coquelicot CompactProofs Formalized".split())  # noqa: SIM905
"""From where modules may be required."""

_TEXT = re.compile(r'\(\*|\*\)|"(?:[^"]|"")*"|(?P<stop>\.(?=\s|\Z))|.', re.DOTALL)
_BEFORE_A_SENTENCE = re.compile(r"(?:\s|[-+*]+(?=\s|\w|\{|\})|\{|\}|(?:all|\d+(?:\s*[-,]\s*\d+)*|!|\[\w+\])\s*:(?!=))*")
_COMMAND = re.compile(r"([A-Z]\w*)(?![\w.']*\.\w)")


def refused(text: str) -> str | None:
    """The first sentence, in short, that is not let through; None if there is none."""
    for sentence in sentences(text):
        if not _is_let_through(sentence):
            return " ".join(sentence.split())[:60]
    return None


def sentences(text: str) -> Iterator[str]:
    """The sentences of a file, without comments, bullets, braces and selectors before them, and without their full stops.

    Comments nest, and strings in them are strings, as in Coq. What has no end, a comment or a sentence, is a last sentence that is
    not let through.
    """
    depth, found = 0, ""
    for match in _TEXT.finditer(text):
        token = match[0]
        if token == "(*":
            depth += 1
        elif token == "*)" and depth:
            depth -= 1
            found += " "
        elif depth:
            continue
        elif match["stop"]:
            yield found[_BEFORE_A_SENTENCE.match(found).end() :]  # type: ignore[union-attr]
            found = ""
        else:
            found += token
    rest = found[_BEFORE_A_SENTENCE.match(found).end() :]  # type: ignore[union-attr]
    if depth or rest:
        yield f"# {rest}"


def _is_let_through(sentence: str) -> bool:
    if not sentence:
        return False
    if not sentence[0].isascii() or sentence[0] in "#\"'":
        return False
    if not sentence[0].isupper():
        return True
    words = sentence.split()
    command = _COMMAND.match(sentence)
    if command is None:
        return True  # a tactic with a qualified name
    if words[0] == "Local":
        return len(words) > 1 and words[1] in LOCAL
    if words[0] == "From":
        return len(words) > 3 and words[1].split(".")[0] in LIBRARIES and words[2] == "Require"
    if words[0] == "Require":
        return all(word in ("Import", "Export") or word.split(".")[0] in LIBRARIES for word in words[1:])
    return command[1] in COMMANDS
