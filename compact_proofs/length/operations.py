"""The page of supported operations, made from the tables: ``python -m compact_proofs.length.operations > docs/operations.md``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compact_proofs.enclosure.rules import CREATION, EXACT, ON_BOOLS, REFUSED, RULES
from compact_proofs.length.costs import COSTS, FREE

_HEAD = """\
# Supported operations

What a module or a verifier may call under `sound()` and `count()`: operations of PyTorch's `aten` namespace, by which every call of
`torch` and `torch.nn` ends (`F.linear` in `addmm`, attention in `bmm` and `_softmax`, an RNN in `addmm` and `tanh`). In-place forms
(`add_`) have the rule of the operation itself, for a tensor that shares no memory. What is not here raises an error that names it.

This page is made from the tables of [rules](../compact_proofs/enclosure/rules.py) and [costs](../compact_proofs/length/costs.py) by
`python -m compact_proofs.length.operations > docs/operations.md`.

"""


def page() -> str:
    """Return the page, in Markdown."""
    return _HEAD + "\n".join(_sections())


def _sections() -> Iterator[str]:
    yield "## With a rule of their own\n"
    yield from _table(
        ("operation", "what is enclosed", "cost"), ((name, _words(RULES[name]), _cost(name)) for name in sorted(RULES))
    )
    yield "\n## Exact: they move, select or keep numbers, and bounds likewise\n"
    yield from _table(("operation", "cost"), ((name, _cost(name)) for name in sorted(EXACT)))
    yield "\n## On truth values: provably from provably, possibly from possibly\n"
    yield from _table(("operation", "cost"), ((name, _cost(name)) for name in sorted(ON_BOOLS)))
    yield "\n## Constants (free)\n"
    yield ", ".join(f"`{name}`" for name in sorted(CREATION)) + "."
    yield "\n## Refused, and what to do instead\n"
    yield from _table(("operation", "why"), sorted(REFUSED.items()))
    yield "\n## Counted only\n"
    yield "Operations on integers and indices, which need no rule, and what only the float reading makes.\n"
    other = COSTS.keys() - RULES.keys() - EXACT - CREATION - ON_BOOLS - REFUSED.keys()
    yield from _table(("operation", "cost"), ((name, _cost(name)) for name in sorted(other)))
    yield ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for name, *rest in rows:
        yield "| " + " | ".join([f"`{name}`", *(_escaped(cell) for cell in rest)]) + " |"


def _words(f: object) -> str:
    """The first sentence of what a function says of itself."""
    text = " ".join((f.__doc__ or "").split("\n\n")[0].split())
    return text.rstrip(".")


def _escaped(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("``", "`")


def _cost(name: str) -> str:
    return "free" if name in FREE else _words(COSTS[name])


if __name__ == "__main__":
    print(page(), end="")
