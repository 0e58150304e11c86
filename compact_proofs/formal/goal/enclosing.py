"""Which combinations of atoms are enclosed on a kind of boxes, and by which numbers.

Found in float64 arithmetic and rounded outwards to thousandths; Coq encloses them anew, and no bound here is trusted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compact_proofs.errors import BadInput
from compact_proofs.formal.goal.boxes import Box, Kind
from compact_proofs.formal.goal.lead import Lead, by_axes, tokens_of
from compact_proofs.formal.network.distribute import depends
from compact_proofs.formal.network.evaluation import Grid, entries, meaning_of
from compact_proofs.formal.network.language import Network, Scalar, fixed, read

OVER = 1000
"""Bounds are whole numbers of these parts."""


@dataclass(frozen=True)
class Fact:
    """low / OVER < form < high / OVER.

    Attributes
    ----------
    tokens
        Places of the tokens on which it depends.
    value
        The combination in tables: axis 0 is the right output, axis 1 another one, further ones are the tokens.
    form
        The combination in atoms as variables (`Lead.body`).
    low, high
        Integers.
    """

    tokens: tuple[int, ...]
    value: Scalar
    form: Scalar
    low: int
    high: int


def facts_of(lead: Lead, kind: Kind, env: Sequence[np.ndarray]) -> tuple[Fact, ...]:
    """Enclosures for one kind of boxes.

    Of each atom for itself, but of scores of one softmax by how far they are below one of them, that which is largest on the
    boxes, as far as can be said; and of the lead if each softmax were wholly on that one.

    Parameters
    ----------
    lead, kind
        Of the network; of boxes.
    env
        The network's tables (`constants`).
    """
    outputs = lead.distributed.network.outputs
    softmaxes = list(_softmaxes(lead.body))
    compared = {k for group in softmaxes for k in group}
    forms = [read(0, [fixed(k)]) for k in range(len(lead.atoms)) if k not in compared]
    attended = set()
    for group in softmaxes:
        others = {r: [_difference(i, r) for i in group if i != r] for r in group}
        highest = {r: max(_hull(_value(lead, f), kind, env, outputs)[1] for f in others[r]) for r in group}
        best = min(highest, key=lambda r: highest[r])
        attended.add(best)
        forms += others[best]
    sharp = _sharp(lead.body, attended)
    if sharp is not None and sharp.head == "Plus":
        forms.append(sharp)
    return tuple(_fact(lead, form, kind, env, outputs) for form in forms)


def _softmaxes(e: Scalar) -> Iterator[tuple[int, ...]]:
    """For each denominator that is a sum of exponentials of atoms, each once: the atoms."""
    seen = set()

    def visit(e: Scalar) -> Iterator[tuple[int, ...]]:
        if e.head == "Over":
            found = _exponents(list(e.parts())[1])
            if found is not None and len(found) > 1 and found not in seen:
                seen.add(found)
                yield found
        for part in e.parts():
            yield from visit(part)

    return visit(e)


def _exponents(e: Scalar) -> tuple[int, ...] | None:
    if e.head == "Plus":
        a, b = (_exponents(part) for part in e.parts())
        return None if a is None or b is None else a + b
    if e.head != "Exp":
        return None
    (inner,) = e.parts()
    return (variable(inner),) if inner.head == "Read" else None


def _sharp(e: Scalar, attended: set[int]) -> Scalar | None:
    """The sum of those of its terms that are atoms, or atoms times a share of a softmax that is attended."""
    if e.head == "Plus":
        terms = [term for part in e.parts() if (term := _sharp(part, attended)) is not None]
        return Scalar("Plus", tuple(terms)) if len(terms) == 2 else terms[0] if terms else None
    if e.head == "Read":
        return e
    if e.head == "Times":
        share, gain = e.parts()
        if share.head == "Over" and gain.head == "Read":
            score = _exponents(next(share.parts()))
            return gain if score is not None and attended.issuperset(score) else None
    return None


def variable(e: Scalar) -> int:
    """The number of an atom, from the variable that stands for it."""
    number = e.args[1][0].args[0]  # type: ignore[index]
    assert isinstance(number, int)
    return number


def _difference(i: int, j: int) -> Scalar:
    return Scalar("Minus", (read(0, [fixed(i)]), read(0, [fixed(j)])))


def filled(lead: Lead, form: Scalar) -> Scalar:
    """A combination with its atoms written in."""
    if form.head == "Read":
        return lead.atoms[variable(form)]
    return Scalar(form.head, tuple(filled(lead, a) if isinstance(a, Scalar) else a for a in form.args))


def _value(lead: Lead, form: Scalar) -> tuple[list[int], Scalar]:
    whole = filled(lead, form)
    tokens = tokens_of(whole)
    return tokens, by_axes(whole, tokens, 2, 2)


def _fact(lead: Lead, form: Scalar, kind: Kind, env: Sequence[np.ndarray], outputs: int) -> Fact:
    tokens, value = _value(lead, form)
    low, high = _hull((tokens, value), kind, env, outputs)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BadInput("a quantity of the goal is not finite")
    return Fact(tuple(tokens), value, form, math.floor(low * OVER - 0.01), math.ceil(high * OVER + 0.01))


def _hull(value: tuple[list[int], Scalar], kind: Kind, env: Sequence[np.ndarray], outputs: int) -> tuple[float, float]:
    ends = [_ends(value, box, env, outputs) for box in kind]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _ends(value: tuple[list[int], Scalar], box: Box, env: Sequence[np.ndarray], outputs: int) -> tuple[float, float]:
    tokens, body = value
    others = [x for x in range(outputs) if x != box.label] if depends(1, body) else [0]
    ranges = [np.array(others), *(np.arange(a, a + n) for a, n in (box.intervals[p] for p in tokens))]
    axes: list[Grid] = [box.label, *np.ix_(*ranges)]
    found = np.asarray(meaning_of(body, env, axes))
    return float(found.min()), float(found.max())


def constants(network: Network) -> list[np.ndarray]:
    """The weights and all definitions that do not depend on the input, in float64."""
    env = [w.value.double().numpy() for w in network.weights]
    for d in network.definitions[: network.constants]:
        env.append(entries(d, env))
    return env
