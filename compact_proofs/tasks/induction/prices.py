"""What atoms of the last row take from Lemma R's numerator whatever the answer is: computed once for all answers to a query."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.length import address_table


@dataclass(frozen=True)
class Prices:
    """The price ``w(m, t) (composed_key(m, t; u, v) + y(q, v))`` of an atom (m, t) under a query q, for one key: see `Cases.ahead`.

    Attributes
    ----------
    weight : [q, m, t]
        Of the last row.
    key : [m, t, u, v]
        Bounds of the key's score for the query part o(m, t), `Composition.keys`.
    hint : [q, v]
        y.
    query, token, u, v : int64
        Numbers of the queries and their tokens, [q, 1, 1]; all tokens u, [1, u, 1]; all tokens v, [1, 1, v], or the query's token,
        [q, 1, 1], where the key is known to hold that.
    """

    weight: Tensor
    key: Tensor
    hint: Tensor
    query: Tensor
    token: Tensor
    u: Tensor
    v: Tensor

    @classmethod
    def of(cls, weight: Tensor, key: Tensor, hint: Tensor, first: int, own_free: bool) -> Prices:
        """For consecutive queries, from the token `first` on; `own_free` unless the key is known to hold the query."""
        return cls(weight, key, hint, *_axes(first, len(weight), *key.shape[2:], int(own_free), device=weight.device))

    def at(self, place: int, token: Tensor) -> Tensor:
        """Prices of the atom at a place that holds the given token, int64 [q, u, v] or broadcast to it: [q, u, v]. Cost: 2."""
        return self.weight[self.query, place, token] * (self.key[place, token, self.u, self.v] + self.hint[self.query, self.v])

    def of_all(self, place: int) -> Tensor:
        """Prices of every atom at a place: [q, u, v, t]. Cost: 2 for each."""
        table = self.key[place][:, self.u, self.v].movedim(0, -1) + self.hint[self.query, self.v][..., None]
        return self.weight[:, place][:, None, None] * table


@address_table
def _axes(first: int, queries: int, us: int, vs: int, own_free: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The index tensors of `Prices`."""
    query = torch.arange(queries)[:, None, None]
    return query, query + first, torch.arange(us)[:, None], torch.arange(vs) if own_free else query + first
