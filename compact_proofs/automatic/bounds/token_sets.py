"""Sets of tokens that several boxes allow: what is read from them is read once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compact_proofs.automatic.reading.owners import structure
from compact_proofs.length import charge_integers

SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48)
"""Sets up to each of these sizes are read together."""


@dataclass(frozen=True)
class TokenSets:
    """The distinct sets of tokens of each job and free position.

    Attributes
    ----------
    parts
        Sets of about equal size together: jobs int64 [U, 1], positions int64 [U, 1], tokens int64 [U, m], and which of these are
        meant, bool [U, m].
    of : int64 [B, n - 1]
        The set of each box and free position, numbered through all parts.
    """

    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]]
    of: Tensor

    @classmethod
    def find(cls, masks: Tensor, job: Tensor) -> TokenSets:
        """Find them for boxes bool [B, n - 1, v] of jobs int64 [B]. Cost: an integer operation for each entry."""
        charge_integers(masks.numel())
        with structure():
            B, n, v = masks.shape
            rows = masks.reshape(B * n, v)
            place = torch.stack([job.repeat_interleave(n), torch.arange(n).repeat(B)], 1)
            bits = np.packbits(rows.numpy(), axis=1)
            keys = np.concatenate([place.numpy().view(np.uint8).reshape(B * n, 2 * place.element_size()), bits], 1)
            _, first, inverse = np.unique(np.ascontiguousarray(keys), axis=0, return_index=True, return_inverse=True)
            chosen, places = rows[first], place[first]
            size = chosen.sum(1)
            tokens = chosen.to(torch.int8).argsort(dim=1, descending=True, stable=True)
            parts, order, least = [], [], -1
            for most in (*SIZES, v):
                own = ((size > least) & (size <= most)).nonzero()[:, 0]
                least = max(least, most)
                if len(own):
                    k = max(int(size[own].max()), 1)
                    meant = torch.arange(k) < size[own, None]
                    parts.append((places[own, :1], places[own, 1:], tokens[own, :k], meant))
                    order.append(own)
            number = torch.empty(len(chosen), dtype=torch.int64)
            if order:
                number[torch.cat(order)] = torch.arange(len(chosen))
            return cls(parts, number[torch.from_numpy(inverse.reshape(-1))].reshape(B, n))

    def extremes(self, tables: Tensor, outside: float) -> Tensor:
        """The least entry of tables [J, ..., n - 1, v] on each set of tokens, as [B, n - 1, ...].

        If `outside` is -inf, the greatest; if it is inf, the least.

        Cost: a comparison for each entry of a set.
        """
        last = tables.dim() - 1
        t = tables.permute(0, last - 1, last, *range(1, last - 1))  # [J, n - 1, v, ...]
        found = []
        for job, position, tokens, meant in self.parts:
            values = torch.where(meant.reshape(*meant.shape, *[1] * (last - 2)), t[job, position, tokens], outside)
            found.append(values.amin(1) if outside > 0 else values.amax(1))
        if not found:
            return t[:0, :, 0]
        return torch.cat(found)[self.of]
