"""Tokens below a maximum, and the norms that everything else is bounded by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.indices import window_tokens
from compact_proofs.bounds.norms import norm, sums_of_squares
from compact_proofs.bounds.ranges import largest_by_group
from compact_proofs.core.strategy import Explanation
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.searches import cluster_rows
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.paths import LazyPaths


@dataclass(frozen=True)
class Window:
    """Known tokens below the maximum of each row; tokens are numbered from `start` on.

    Attributes
    ----------
    token : int64 [rows, G]
        Numbers of m - 1, ..., m - G (0 where negative).
    real : bool [rows, G]
        Which of them are tokens.
    beyond : int64 [rows]
        Number of the largest known token beyond the window (0 where there is none).
    some : bool [rows]
        Is there one?
    start
        The smallest known token.
    """

    token: Tensor
    real: Tensor
    beyond: Tensor
    some: Tensor
    start: int

    @classmethod
    def of(cls, v: int, G: int, start: int, m: Tensor) -> Window:
        """Look the maxima `m` [rows] up."""
        token, real, beyond, some = (table[m] for table in _window(v, G, start, device=m.device))
        return cls(token, real, beyond, some, start)


@dataclass(frozen=True)
class Sizes:
    """Norms that everything else is bounded by.

    Attributes
    ----------
    query : [groups, 1]
        F_g >= |W_E[q] - c_g|; 0 where there are no centres because nothing depends on them.
    output : [v]
        u[x] = |W_U[:, x] - k|.
    small : [start]
        |W_E[t] - c| of the small tokens.
    """

    query: Tensor
    output: Tensor
    small: Tensor

    @classmethod
    def of(cls, model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, start: int) -> Sizes:
        """Measure them: 9 v d operations at most."""
        with stage("norms"):
            query = model.W_E - hints["centres"][rows.group_of] if "centres" in hints else model.W_E[:0]
            longest = largest_by_group(norm(query, 1)[:, None], rows.group_of[: len(query)], len(rows.first))
            output = norm(model.W_U - hints["output_centre"][:, None], 0)
            small = norm(model.W_E[:start] - hints["small_centre"], 1)
        return cls(longest, output, small)


@address_table
def _window(v: int, G: int, start: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The tables of `Window`, for each m."""
    token, real, _, _ = window_tokens(v, G)
    behind = torch.arange(v) - G - 1 - start
    return (token - start).clamp(min=0), real, behind.clamp(min=0), behind >= 0


def triangle_excess(x: Tensor, size: Tensor, first: int, close: int) -> Tensor:
    """By how much two distances from a centre are longer than the distance between neighbours.

    f . (x[i] - x[i - j]) <= |f| |x[i] - x[i - j]| = |f| (|x[i]| + |x[i - j]| - excess[i, j]).

    Parameters
    ----------
    x : [n, d]
        Vectors, the centre taken off.
    size : [n]
        Their norms.
    first, close
        For i = first, ..., n - 1 and j = 1, ..., close.

    Returns
    -------
    excess : [n - first, close]
        ``|x[i]| + |x[i - j]| - |x[i] - x[i - j]|``, at least 0; 0 where i < j. Cost: 2 d + 7 for each.
    """
    upper, lower, real = neighbour_pairs(len(x), first, close, device=x.device)
    square = size * size
    inner = (x[upper][:, None] * x[lower]).sum(2)
    distance = sums_of_squares(square[upper][:, None], square[lower], inner, -1).sqrt()
    return torch.where(real, size[upper][:, None] + size[lower] - distance, 0.0)


@address_table
def neighbour_pairs(n: int, first: int, close: int) -> tuple[Tensor, Tensor, Tensor]:
    """i = first, ..., n - 1; i - j for j = 1, ..., close (0 where negative), [n - first, close]; which of them are not negative."""
    upper = torch.arange(first, n)
    lower = upper[:, None] - torch.arange(1, close + 1)
    return upper, lower.clamp(min=0), lower >= 0


def divisions(model: AttentionOnlyTransformer, groups: int, n: int) -> list[Tensor]:
    """Divide the queries in n ways: into neighbours as usual, by the positions that they prefer, into neighbours in other sizes.

    Sizes go from fine groups of large queries to groups of one size.
    """
    v = model.d_vocab
    _, positions = LazyPaths(model).scores
    by_positions = cluster_rows(positions - positions.mean(1, keepdim=True), groups)
    others = [neighbouring(v, groups, exponent) for exponent in torch.linspace(0.3, 1.0, max(n - 2, 0)).tolist()]
    return [neighbouring(v, groups), by_positions, *others][:n]


def neighbouring(v: int, groups: int, exponent: float = 0.7) -> Tensor:
    """Groups of neighbouring queries. An exponent below 1 makes groups of large ones finer, whose embeddings are longer."""
    starts = [round(v * (g / groups) ** exponent) for g in range(1, groups)]
    return torch.bucketize(torch.arange(v), torch.tensor(starts, dtype=torch.int64), right=True)
