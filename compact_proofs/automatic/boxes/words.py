"""Boxes in words: "position 1 is below 40, position 2 is 40, the last token is 8"."""

from __future__ import annotations

import torch
from torch import Tensor

NAMED = 6
"""A set of more tokens than this is described by its size."""


def tokens_in_words(allowed: Tensor) -> str:
    """Say which tokens a position may hold (bool [v]), as what follows "position 2 is": ``40``, ``below 40``, ``not 7``."""
    v, tokens = len(allowed), allowed.nonzero()[:, 0].tolist()
    missing = (~allowed).nonzero()[:, 0].tolist()
    if not missing:
        return "any token"
    if not tokens:
        return "no token"
    if len(tokens) == 1:
        return str(tokens[0])
    first, last = tokens[0], tokens[-1]
    if len(tokens) == last - first + 1:
        if first == 0:
            return f"at most {last}"
        return f"at least {first}" if last == v - 1 else f"{first} to {last}"
    if len(missing) <= 2:
        return f"not {' or '.join(map(str, missing))}"
    if len(tokens) <= NAMED:
        return f"{', '.join(map(str, tokens[:-1]))} or {tokens[-1]}"
    return f"one of {len(tokens)} tokens ({', '.join(map(str, tokens[: NAMED // 2]))}, ..., {last})"


def box_in_words(mask: Tensor) -> str:
    """Say which sequences a box (bool [n, v]) holds. Neighbouring positions that may hold the same are named together.

    Examples
    --------
    >>> import torch
    >>> token = torch.arange(64)
    >>> box_in_words(torch.stack([token < 40, token == 40, token <= 40, token == 8]))
    'position 1 is at most 39, position 2 is 40, position 3 is at most 40, the last token is 8'
    """
    said: list[tuple[int, int, str]] = []
    for i, allowed in enumerate(mask):
        words, last = tokens_in_words(allowed), i == len(mask) - 1
        if said and not last and said[-1][2] == words:
            said[-1] = (said[-1][0], i, words)
        else:
            said.append((i, i, words))
    told = [(first, last, words) for first, last, words in said if words != "any token"]
    if not told:
        return "every sequence"
    return ", ".join(f"{_positions(first, last, len(mask))} {words}" for first, last, words in told)


def _positions(first: int, last: int, n: int) -> str:
    if first == n - 1:
        return "the last token is"
    if first == last:
        return f"position {first + 1} is"
    return f"positions {first + 1} {'and' if last == first + 1 else 'to'} {last + 1} are"


def cut_in_words(position: int, tokens: Tensor, n: int) -> str:
    """Say at what a box is divided: ``is position 2 at most 39?``."""
    where = "the last token" if position == n - 1 else f"position {position + 1}"
    return f"is {where} {tokens_in_words(torch.as_tensor(tokens))}?"
