"""`each`: where a strategy says that its proof has parts; `tried`: where its search has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from compact_proofs.progress import track
from compact_proofs.shards.call import current, search

Part = TypeVar("Part")
Result = TypeVar("Result")


def _anything(part: Any, result: Any) -> bool:
    return True


def each(
    function: Callable[[Part], Result],
    parts: Sequence[Part],
    what: str,
    possible: Callable[[Part, Result], bool] = _anything,
    first: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """Carry out the parts of a proof, and yield the result of each, in their order.

    By itself this is ``map(function, parts)`` with a progress bar. Inside `sharing`, consecutive parts are put together into
    *shards*, which worker processes carry out in the reading of the proof; a worker that dies costs its shard, which is done again.

    A proof is the same either way. Which parts there are, that they have no input in common, and that no input is left out, is up
    to the strategy that calls this: a worker is told its parts, and says nothing of them. Its results stand for `function` at its
    parts as if it had run here, which is the same trust: the same program on another core. Beyond that, a result must be data
    (`passing.read_result`), there must be one for each part, and each must be `possible`.

    The length is the same too: a worker counts its operations by stage, and they are charged here when its results are yielded, in
    the order of the parts. What `function` reads (tables that were computed before) is sent, not computed again, so it counts once.

    Parameters
    ----------
    function
        What to do with a part. It must depend on nothing but the part, and on what it does not change; closures will do. What it
        returns must be made of plain data, tensors, Enclosures and `compact_proofs.results` (sets that hold no function are such).
    parts
        Ranges, boxes, groups: data that can be pickled.
    what
        What the parts are, in words, for the progress bar.
    possible
        Whether a part can have a result, as far as that can be told without arithmetic on real numbers, such as by the number of
        its inputs. Asked about results that come from elsewhere.
    first
        What the proof does before it takes any result, and no part needs: workers are at the parts meanwhile.

    Raises
    ------
    WorkersLost
        If there is no worker left, or a shard has killed one worker after the other.
    BadInput
        If a result comes back that the parts cannot have.
    """
    proof = current()
    if proof is None:
        if first is not None:
            first()
        return map(function, track(parts, what))
    return proof.each(function, parts, what, possible, first)


def tried(function: Callable[[Part], Result], parts: Sequence[Part], what: str, at_once: bool = False) -> Iterator[Result]:
    """Carry out the parts of a search for an explanation, and yield the result of each, in their order.

    As `each`, but in plain numbers, and nothing is counted. With any number of processes the result is the same if `function` makes
    the same of a part wherever it runs.

    Parameters
    ----------
    function, parts, what
        As for `each`.
    at_once
        Send the parts without trying one here first: few parts that take long.

    Raises
    ------
    WorkersLost
        As for `each`.
    """
    shared = search()
    return map(function, track(parts, what)) if shared is None else shared.each(function, parts, what, _anything, at_once=at_once)
