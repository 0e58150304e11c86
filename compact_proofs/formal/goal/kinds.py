"""Boxes on which a goal about the maximum is proved by machine: as many inputs as that can do."""

from __future__ import annotations

from compact_proofs.errors import BadInput
from compact_proofs.formal.goal.boxes import Box, Kind
from compact_proofs.formal.goal.closing import margin
from compact_proofs.formal.goal.enclosing import constants, facts_of
from compact_proofs.formal.goal.lead import Lead
from compact_proofs.progress import track

BLOCK = 8
"""Maxima that share a goal."""


def closable_kinds(lead: Lead, n_ctx: int, d_vocab: int, *, block: int = BLOCK, least: int = 0) -> tuple[Kind, ...]:
    """For each place of the maximum and each block of values of it, the sequences whose other tokens are smaller by a gap.

    The gap is the smallest, as a bisection finds it, for which `closing` proves the goal; blocks for which there is none are left
    out.

    Parameters
    ----------
    lead
        Of the network.
    n_ctx, d_vocab
        Length of a sequence, and number of tokens.
    block
        How many values a block has. Small blocks prove more, with more goals.
    least
        The smallest maximum.

    Raises
    ------
    BadInput
        If no goal can be proved so.
    """
    if block < 1 or least < 0:
        raise BadInput(f"block={block} least={least}: a block has at least one value, and least is not negative")
    env = constants(lead.distributed.network)

    def kind_for(place: int, values: range, gap: int) -> Kind:
        return tuple(Box(m, tuple((m, 1) if i == place else (0, m - gap + 1) for i in range(n_ctx))) for m in values if m >= gap)

    found = []
    blocks = [range(start, min(start + block, d_vocab)) for start in range(max(least, 1), d_vocab, block)]
    for place, values in track([(p, b) for p in range(n_ctx) for b in blocks], "boxes"):
        low, high = 1, values[-1] + 1
        while low < high:
            gap = (low + high) // 2
            left = margin(lead, facts_of(lead, kind_for(place, values, gap), env))
            low, high = (low, gap) if left is not None and left > 0 else (gap + 1, high)
        if kind := kind_for(place, values, low):
            found.append(kind)
    if not found:
        raise BadInput("no goal about this network is proved by machine; give a gap by -O gap=..., and prove it in Closed.v")
    return tuple(found)
