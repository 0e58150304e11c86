"""Reading untrusted text: JSON without duplicate keys, and characters that could deceive a reader made visible."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse JSON in which no object has a key twice: of two, one reader takes the first, another the last.

    Raises
    ------
    ValueError
        If a key stands twice in an object, or the text is not JSON.
    RecursionError
        If it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {visible(key)[:100]!r} stands twice in an object")
        found[key] = value
    return found


def visible(text: str) -> str:
    r"""Write every character that is not seen, or that moves its neighbours, as an escape such as \u202e.

    These are control characters (but for line ends and tabs), marks of writing direction, zero-width characters, and halves of
    pairs, which no terminal can print: whatever `str.isprintable` says no to.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
