"""The errors that compact-proofs raises on purpose; each message says what was wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: object, known: Iterable[str]) -> str:
    """What to say after a name that is not known: " (did you mean additive or cubic?)", or nothing where no name is near.

    What a file has in place of a name may be anything.
    """
    near = get_close_matches(name, list(known), n=3) if isinstance(name, str) else []
    return f" (did you mean {' or '.join(near)}?)" if near else ""


class CompactProofsError(Exception):
    """Base of every error below."""


class BadInput(CompactProofsError, ValueError):
    """A file, a model or an option that cannot be used; the message names it and the cure."""


class LengthUnknown(BadInput):
    """The length of a proof was asked for before it is made, and depends on what it finds; the message names the strategy."""


class PackageSkipped(UserWarning):
    """An installed package has a task that cannot be used; all else can. The message names the package and the cure."""


class NoSoundRule(CompactProofsError, NotImplementedError):
    """A tensor call was made in the sound reading for which no sound rule exists."""


class IntegerOverflow(CompactProofsError, OverflowError):
    """Integers in the sound reading would wrap around; the message names the operation and the cure."""


class UnsoundMachine(CompactProofsError, RuntimeError):
    """The machine's float64 arithmetic is not what bounds assume; the message says what may have changed it."""


class NotProvable(CompactProofsError, TypeError):
    """Python asked an Enclosure for a definite value (``bool``, ``float``, ``int``) that bounds alone do not give."""


class CertificateRejected(CompactProofsError):
    """A certificate does not prove its claim for this model; the message says why."""


class WorkersLost(CompactProofsError):
    """Nobody is there to do the work: no worker process starts, all workers of a cluster are gone, or one after the other died."""


class TooLarge(CompactProofsError):
    """A computation would take more memory than it may; the message says how much it may take."""


class NotProven(CompactProofsError):
    """Less is proven than was asked for, or by a longer proof; the message says what was reached."""
