"""`Options`: a dataclass whose fields are options with a type and a range, checked however it is made."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from compact_proofs.errors import BadInput, meant

Positive = Annotated[int, Field(ge=1)]
"""1, 2, 3, ..."""
Natural = Annotated[int, Field(ge=0)]
"""0, 1, 2, ..."""
Share = Annotated[float, Field(gt=0, le=1)]
"""A share of something, in (0, 1]."""

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A positive number, such as a learning rate of 1e-3."""


def one_of(known: Collection[str]) -> AfterValidator:
    """A range for texts: ``Annotated[str, one_of(KNOWN)]``, for a choice that is a table's key and no `Literal`."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return value

    return AfterValidator(check)


O = TypeVar("O", bound="Options")  # noqa: E741 (no zero beside it)


class Options:
    """Base of frozen dataclasses whose fields are options.

    A range is a part of a field's type, in pydantic's words: ``window: Annotated[int, Field(ge=1)] = 6`` (`Positive`, `Natural` and
    `Share` are the usual ones). Values are checked when an object is made, by its class or by `from_options`; a `__post_init__` of
    a subclass has only to check what several options must be together, after ``super().__post_init__()``.

    Attributes
    ----------
    name
        As given on the command line; errors begin with it, if there is one.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            _check(type(self), field.name, getattr(self, field.name))

    def options(self) -> dict[str, Any]:
        """Options as plain JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def __str__(self) -> str:
        given = ", ".join(f"{k}={v}" for k, v in self.options().items())
        name = getattr(self, "name", type(self).__name__)
        return f"{name}({given})" if given else name

    @classmethod
    def from_options(cls: type[O], options: Mapping[str, Any]) -> O:
        """Make the object from untrusted option values.

        Raises
        ------
        BadInput
            For an unknown option or a value of the wrong type or range.
        """
        types = get_type_hints(cls, include_extras=True)
        known = {f.name: f"{f.name}: {type_text(types[f.name])} = {f.default}" for f in fields(cls)}  # type: ignore[arg-type]
        has = f"its options are {', '.join(known.values())}" if known else "it has no options"
        for name, value in options.items():
            if name not in known:
                raise BadInput(f"{cls.name} has no option {name!r}{meant(name, known)}; {has}")
            try:
                _check(cls, name, value)
            except BadInput as e:
                raise BadInput(f"{e}; {has}") from None
        return cls(**options)


@functools.cache
def _adapters(kind: type[Options]) -> dict[str, TypeAdapter[Any]]:
    """What checks each field of a class."""
    types = get_type_hints(kind, include_extras=True)
    config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    return {f.name: TypeAdapter(types[f.name], config=config) for f in fields(kind)}  # type: ignore[arg-type]


def _check(kind: type[Options], option: str, value: Any) -> None:
    """Check one value; `BadInput` says what it must be."""
    adapter = _adapters(kind)[option]  # type: ignore[arg-type]  # classes have a hash, whatever their objects have
    try:
        adapter.validate_python(value)
    except ValidationError as e:
        message = e.errors()[0]["msg"].removeprefix("Value error, ")
        for pydantic, ours in _WORDS.items():
            message = message.replace(pydantic, ours)
        prefix = f"{kind.name}: " if hasattr(kind, "name") else ""
        joined = f"{option} {message}" if message.startswith("must") else f"{option}: {message}"
        raise BadInput(f"{prefix}{joined}, not {repr(value)[:40]}") from None


_WORDS = {"Input should be": "must be", "greater than or equal to": "at least", "less than or equal to": "at most"}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def type_text(kind: Any) -> str:
    """Write the type of an option as a user reads it: ``int``, ``int >= 1, <= 8``, or the words to choose from, ``a | b``."""
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    if get_origin(kind) is not Annotated:
        return str(kind.__name__)
    plain, *about = get_args(kind)
    limits = [limit for info in about if isinstance(info, FieldInfo) for limit in info.metadata]
    signs = [f"{sign} {getattr(limit, name)}" for limit in limits for name, sign in _SIGNS.items() if hasattr(limit, name)]
    return f"{type_text(plain)} {', '.join(signs)}".strip()
