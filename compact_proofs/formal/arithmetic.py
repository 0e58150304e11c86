"""What checkers compute with."""

from enum import StrEnum


class Arithmetic(StrEnum):
    """The numbers that the checker computes with (``formal/Instances.v``)."""

    hardware = "hardware"
    software = "software"
    pure = "pure"
