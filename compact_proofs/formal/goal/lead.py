"""By how much one logit leads another, as an expression in a few quantities, the atoms.

The names are those of ``formal/Lead.v``, where Coq repeats these steps and compares: nothing of this is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from compact_proofs.errors import BadInput
from compact_proofs.formal.network.distribute import Distributed, depends, every_constant_tabulated, substitute
from compact_proofs.formal.network.language import (
    ZERO,
    Definition,
    Index,
    Network,
    Scalar,
    axis,
    fixed,
    read,
    token,
)

MOST_ATOMS = 200
"""Quantities beyond which a goal is not small."""

FUNCTIONS = frozenset({"Exp", "Relu", "Sqrt", "Erf"})


@dataclass(frozen=True)
class Lead:
    """What a goal says is positive, in terms of atoms.

    Attributes
    ----------
    distributed
        The network with tables in it: constants, then the logits, of which no more than that depends on the input.
    most
        Sums of at most so many terms are written out.
    written
        Definitions from this number on are tables of atoms: where atoms read them, their formulas are meant.
    atoms
        The quantities at an input, with the right output as axis 0 and another one as axis 1.
    body
        The expression; ``Read 0 [Fixed k]`` stands for atom k.
    names
        Of the atoms: s0, s1, ... for arguments of exponentials, g0, g1, ... for others.
    """

    distributed: Distributed
    most: int
    written: int
    atoms: tuple[Scalar, ...]
    body: Scalar
    names: tuple[str, ...]


def lead_of(network: Network, d_vocab: int) -> Lead:
    """Write the lead of one logit over another as an expression in atoms.

    Parameters
    ----------
    network
        With logits that are a formula in tables after one pass: one layer of attention, with anything behind it.
    d_vocab
        How many values each token has.

    Raises
    ------
    BadInput
        If that is too large, or has more than `MOST_ATOMS` atoms.
    """
    distributed = every_constant_tabulated(network)
    if distributed is None or len(distributed.network.definitions) != distributed.network.constants + 1:
        raise BadInput("the logits, as one formula in tables, are too large for a goal; networks of one layer have small ones")
    logits = distributed.network.definitions[-1]
    most = max(network.context, 1)
    whole = unroll(most, 2, lead(unroll(most, 1, logits.body)))
    found: dict[Scalar, str] = {}
    _collect(whole, found, under_exp=False)
    if len(found) > MOST_ATOMS:
        raise BadInput(f"the lead of one logit over another depends on {len(found)} quantities; a goal has at most {MOST_ATOMS}")
    written = distributed.network.constants
    distributed, tabled = _with_tables(distributed, tuple(found), d_vocab)
    variables = {atom: read(0, [fixed(k)]) for k, atom in enumerate(found)}
    return Lead(distributed, most, written, tabled, _in_variables(whole, variables), tuple(found.values()))


def unroll(most: int, depth: int, e: Scalar) -> Scalar:
    """Write sums of at most `most` terms out."""
    if e.head == "Sum":
        n, body = e.args
        assert isinstance(n, int)
        assert isinstance(body, Scalar)
        body = unroll(most, depth + 1, body)
        if n > most:
            return Scalar("Sum", (n, body))
        return chain([substitute(body, [*map(axis, range(depth)), fixed(i)], depth) for i in range(n)])
    return Scalar(e.head, tuple(unroll(most, depth, a) if isinstance(a, Scalar) else a for a in e.args))


def chain(terms: list[Scalar]) -> Scalar:
    """Their sum, in brackets from the right."""
    if not terms:
        return ZERO
    return terms[0] if len(terms) == 1 else Scalar("Plus", (terms[0], chain(terms[1:])))


def lead(e: Scalar) -> Scalar:
    """The expression at output axis 0 less the same at output axis 1; what does not depend on the output is taken out."""
    if not depends(0, e):
        return ZERO
    first, second = (substitute(e, [axis(i)], 2) for i in range(2))
    if e.head in ("Plus", "Times", "Over"):
        a, b = e.parts()
        in_a, in_b = depends(0, a), depends(0, b)
        if e.head == "Plus":
            if in_a and in_b:
                return Scalar("Plus", (lead(a), lead(b)))
            return lead(a) if in_a else lead(b)
        if e.head == "Times" and not (in_a and in_b):
            at = [axis(0)]
            return Scalar("Times", (lead(a), substitute(b, at, 2)) if in_a else (substitute(a, at, 2), lead(b)))
        if e.head == "Over" and not in_b:
            return Scalar("Over", (lead(a), substitute(b, [axis(0)], 2)))
    return Scalar("Minus", (first, second))


def _is_atom(e: Scalar) -> bool:
    return e.head not in FUNCTIONS and all(map(_is_atom, e.parts()))


def _collect(e: Scalar, found: dict[Scalar, str], *, under_exp: bool) -> None:
    """The largest parts in which there is no function, with names."""
    if e.head == "Number":
        return
    if _is_atom(e):
        letter = "s" if under_exp else "g"
        if e not in found:
            found[e] = f"{letter}{sum(name[0] == letter for name in found.values())}"
        return
    for part in e.parts():
        _collect(part, found, under_exp=e.head == "Exp")


def _in_variables(e: Scalar, variables: dict[Scalar, Scalar]) -> Scalar:
    if e in variables:
        return variables[e]
    if e.head == "Sum":
        raise BadInput("a sum of functions stays in the lead of one logit over another; a goal has no sums of many terms")
    return Scalar(e.head, tuple(_in_variables(a, variables) if isinstance(a, Scalar) else a for a in e.args))


def tokens_of(e: Scalar) -> list[int]:
    """The places of the tokens that an expression reads.

    Raises
    ------
    BadInput
        If one is not a fixed place.
    """
    found: set[int] = set()

    def visit(i: Index) -> None:
        if i.head == "Token":
            (place,) = i.args
            if not isinstance(place, Index) or place.head != "Fixed":
                raise BadInput("a token at a place that depends on others is read; a goal needs fixed places")
            found.add(place.args[0])  # type: ignore[arg-type]
            return
        for a in i.args:
            if isinstance(a, Index):
                visit(a)

    for part in _all_parts(e):
        if part.head == "Read":
            for i in part.args[1]:  # type: ignore[union-attr]
                visit(i)
    return sorted(found)


def by_axes(e: Scalar, tokens: list[int], outer: int, start: int) -> Scalar:
    """The expression with axes in place of tokens: `outer` axes, then the tokens, then variables of sums.

    Those began at `start` axes; of the first ones `outer` are kept.
    """

    def index(i: Index) -> Index:
        if i.head == "Token":
            place = i.args[0].args[0]  # type: ignore[union-attr]
            return axis(outer + tokens.index(place))  # type: ignore[arg-type]
        if i.head == "Axis":
            (k,) = i.args
            assert isinstance(k, int)
            return axis(k if k < start else k - start + outer + len(tokens))
        return Index(i.head, tuple(index(a) if isinstance(a, Index) else a for a in i.args))

    def scalar(e: Scalar) -> Scalar:
        if e.head == "Read":
            return read(e.args[0], [index(i) for i in e.args[1]])  # type: ignore[arg-type, union-attr]
        return Scalar(e.head, tuple(scalar(a) if isinstance(a, Scalar) else a for a in e.args))

    return scalar(e)


def _with_tables(distributed: Distributed, atoms: tuple[Scalar, ...], d_vocab: int) -> tuple[Distributed, tuple[Scalar, ...]]:
    """Tables of the atoms that have sums in them and do not depend on outputs, and the atoms as entries of these."""
    network = distributed.network
    first = len(network.weights) + network.constants
    bodies: list[Definition] = []
    found = []
    for atom in atoms:
        if not any(part.head == "Sum" for part in _all_parts(atom)) or depends(0, atom) or depends(1, atom):
            found.append(atom)
            continue
        tokens = tokens_of(atom)
        body = by_axes(atom, tokens, 0, 2)
        made = Definition("table", (d_vocab,) * len(tokens), body)
        if made not in bodies:
            bodies.append(made)
        found.append(read(first + bodies.index(made), [token(fixed(p)) for p in tokens]))
    definitions = (*network.definitions[:-1], *bodies, network.definitions[-1])
    changed = replace(network, definitions=definitions, constants=network.constants + len(bodies))
    kept = (*distributed.kept[:-1], distributed.kept[-1] + len(bodies))  # type: ignore[operator]
    return Distributed(changed, kept), tuple(found)


def _all_parts(e: Scalar) -> list[Scalar]:
    return [e, *(inner for part in e.parts() for inner in _all_parts(part))]
