"""Options are checked by their types and ranges, however an object is made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal, get_type_hints

import pytest

from compact_proofs.errors import BadInput
from compact_proofs.options import Natural, Options, Positive, Share, one_of, type_text
from compact_proofs.tasks import KITS
from compact_proofs.tasks.universal import UNIVERSAL
from compact_proofs.train import Recipe


@dataclass(frozen=True)
class Example(Options):
    size: Positive = 1
    rest: Natural = 0
    share: Share = 0.5
    way: Literal["long", "short"] = "long"
    colour: Annotated[str, one_of({"red": 1, "blue": 2})] = "red"

    name: ClassVar[str] = "example"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "example: size must be at least 1, not 0"),
        ({"size": True}, "example: size must be a valid integer, not True"),
        ({"rest": -1}, "example: rest must be at least 0, not -1"),
        ({"share": 0.0}, "example: share must be greater than 0, not 0.0"),
        ({"share": 1.5}, "example: share must be at most 1, not 1.5"),
        ({"share": float("nan")}, "example: share must be at most 1, not nan"),
        ({"way": "both"}, "example: way must be 'long' or 'short', not 'both'"),
        ({"colour": "green"}, "example: colour must be one of red, blue, not 'green'"),
    ],
)
def test_what_is_refused_by_both_ways_to_make_an_object(options, message):
    with pytest.raises(BadInput) as by_class:
        Example(**options)
    assert str(by_class.value) == message
    with pytest.raises(BadInput) as from_options:
        Example.from_options(options)
    assert str(from_options.value).startswith(f"{message}; its options are size: int >= 1 = 1, ")


def test_unknown_options_are_named():
    with pytest.raises(BadInput, match="example has no option 'length'; its options are size"):
        Example.from_options({"length": 3})


def test_options_that_are_made_are_kept():
    made = Example.from_options({"size": 3, "share": 1, "colour": "blue"})
    assert made == Example(3, share=1, colour="blue")
    assert made.options() == {"size": 3, "rest": 0, "share": 1, "way": "long", "colour": "blue"}
    assert str(made) == "example(size=3, rest=0, share=1, way=long, colour=blue)"


def test_types_are_written_with_their_ranges():
    types = get_type_hints(Example, include_extras=True)
    texts = [type_text(types[f.name]) for f in fields(Example)]
    assert texts == ["int >= 1", "int >= 0", "float > 0, <= 1", "long | short", "str"]


def test_options_without_a_name_are_written_with_their_class():
    assert str(Recipe(steps=7)).startswith("Recipe(")


def test_recipes_are_options_without_a_name():
    with pytest.raises(BadInput, match=r"^steps must be at least 1, not 0$"):
        Recipe(steps=0)
    with pytest.raises(BadInput, match=r"^learning_rate must be a finite number, not inf$"):
        Recipe(learning_rate=float("inf"))


STRATEGIES = [*UNIVERSAL, *(kind for kit in KITS.values() for kind in kit.strategies)]
KINDS = {f"{kind.__module__}.{kind.__name__}": kind for kind in (*STRATEGIES, *(kit.recipe for kit in KITS.values()))}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_option_of_what_ships_is_checked_when_it_is_made(kind):
    for field in fields(kind):
        with pytest.raises(BadInput, match=field.name):
            kind(**{field.name: object()})
