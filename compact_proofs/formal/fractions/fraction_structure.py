"""The lead of one logit over another as a sum of fractions, one for each head of attention (``formal/Fractions.v``).

Nothing of this is trusted: Coq finds that the sum is what the program computes.
"""

from __future__ import annotations

from dataclasses import dataclass

from compact_proofs.errors import BadInput
from compact_proofs.formal.goal.lead import Lead, chain, lead, tokens_of
from compact_proofs.formal.network.distribute import depends
from compact_proofs.formal.network.language import Scalar


@dataclass(frozen=True)
class Head:
    """A head: for each position its weight, which depends on the token there and on the last one.

    And what the token there writes to the output that is axis 0.
    """

    attention: tuple[Scalar, ...]
    written: tuple[Scalar, ...]


@dataclass(frozen=True)
class Fractions:
    """What is written to output axis 0 directly, which depends on the last token alone, and heads.

    The lead of an output over another is by how much more is written to it, and for each head sum_i w_i g_i / sum_i w_i, with
    weights w, and gains g, of the one output over the other.
    """

    direct: Scalar
    heads: tuple[Head, ...]


def fractions_of(found_lead: Lead, n_ctx: int) -> Fractions:
    """Find the heads in the lead of one logit over another.

    Raises
    ------
    BadInput
        If it is not such a sum: there is something behind attention, or attention reads more than two tokens at once.
    """
    direct: list[Scalar] = []
    found: dict[Scalar, dict[int, tuple[Scalar, Scalar]]] = {}
    for summand in _summands(_filled(found_lead.body, found_lead.atoms)):
        term = _term(summand)
        if term is None:
            direct.append(summand)
            continue
        weight, below, gain = term
        found.setdefault(below, {})[_position(weight, gain, n_ctx)] = weight, _to_one_output(gain)
    heads = []
    for below, terms in found.items():
        if sorted(terms) != list(range(n_ctx)):
            raise BadInput("the checker of boxes takes heads that read every token, each once")
        attention, written = zip(*(terms[i] for i in range(n_ctx)), strict=True)
        if below != chain(list(attention)):
            raise BadInput("the checker of boxes takes heads whose weights are divided by their sum")
        heads.append(Head(attention, written))
    last = n_ctx - 1
    if not heads or not direct or set().union(*(tokens_of(e) for e in direct)) - {last}:
        raise BadInput(
            "the checker of boxes takes one layer of attention with nothing behind it, read at the last token: the lead of one "
            "logit over another as a sum of what the last token writes and of weights over their sum"
        )
    return Fractions(chain([_to_one_output(e) for e in direct]), tuple(heads))


def _term(e: Scalar) -> tuple[Scalar, Scalar, Scalar] | None:
    """The weight, the sum of weights and the gain of (weight / sum) gain; None for other expressions."""
    if e.head != "Times":
        return None
    ratio, gain = e.parts()
    if ratio.head != "Over":
        return None
    weight, below = ratio.parts()
    return weight, below, gain


def _position(weight: Scalar, gain: Scalar, n_ctx: int) -> int:
    """The position whose token they depend on, besides the last one.

    Raises
    ------
    BadInput
        If there are several.
    """
    tokens, last = tokens_of(gain), n_ctx - 1
    if len(tokens) != 1 or set(tokens_of(weight)) - {tokens[0], last} or depends(0, weight) or depends(1, weight):
        raise BadInput("the checker of boxes takes weights of one token and the last one, and gains of one token")
    return tokens[0]


def _to_one_output(gain: Scalar) -> Scalar:
    """What is written to output axis 0, of which this is the lead.

    Raises
    ------
    BadInput
        If it is not the lead of an expression.
    """
    found = _one_side(gain)
    if lead(found) != gain:
        raise BadInput("the checker of boxes takes logits that are sums of what tokens write")
    return found


def _one_side(e: Scalar) -> Scalar:
    """The expression with its first part in place of each difference of two outputs."""
    if e.head == "Minus":
        return next(e.parts())
    return Scalar(e.head, tuple(_one_side(a) if isinstance(a, Scalar) else a for a in e.args))


def _summands(e: Scalar) -> list[Scalar]:
    return [s for part in e.parts() for s in _summands(part)] if e.head == "Plus" else [e]


def _filled(e: Scalar, atoms: tuple[Scalar, ...]) -> Scalar:
    """The expression with atoms in place of variables."""
    if e.head == "Read":
        (place,) = e.args[1]  # type: ignore[misc]
        return atoms[place.args[0]]  # type: ignore[index]
    return Scalar(e.head, tuple(_filled(a, atoms) if isinstance(a, Scalar) else a for a in e.args))
