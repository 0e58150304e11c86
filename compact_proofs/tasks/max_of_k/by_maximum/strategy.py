"""`ByMaximum`: the strategy with its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.ranges import largest_by_group
from compact_proofs.certified import Certified
from compact_proofs.core.strategy import Explanation, Spec, finite
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.options import Natural, Positive
from compact_proofs.searches import leading_pair
from compact_proofs.tasks.max_of_k.additive.grid import GridReach, GridSet, GridSteps
from compact_proofs.tasks.max_of_k.by_maximum.pairs import PairTable
from compact_proofs.tasks.max_of_k.by_maximum.paths import Written, rivals_of
from compact_proofs.tasks.max_of_k.by_maximum.rows import RowsByMaximum
from compact_proofs.tasks.max_of_k.by_maximum.search import grouping, hardest_rivals, operations
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy


@dataclass(frozen=True)
class ByMaximum(MaxOfKStrategy):
    """Count sequences with a maximum of at least `least` by the additive certificate, on a grid (`additive.grid`).

    Queries that share their bounds are grouped for each maximum by itself (`by_maximum.rows`). For any partition, the largest of
    each number over the queries of a row bounds what any of them contributes (`PairTable.symbols`), so the count is sound for every
    hint.

    Cost, with s = d_vocab - start: 2 (2 v + s) v d for the paths and scores, 8 v d^2 for folding, 4 K v d for positions; window + 2
    rivals + 2 K for each pair of a query and a maximum; for each row 3 rivals * window, and on the grid about 2 window * reach *
    (K - 2).
    """

    least: Natural = 6
    """The smallest maximum that is looked at."""
    rows: Positive = 128
    """Groups of queries, of all maxima together; at least one for each."""
    window: Positive = 6
    """Tokens just below the maximum that get a ratio of their own."""
    rivals: Positive = 16
    """Outputs that each maximum is compared with one by one, the hardest; the others are bounded together."""
    steps: GridSteps = 32
    """Grid points in a unit of weight; a power of two."""
    reach: GridReach = 48
    """Largest sum of contributions that is told apart on the grid, in grid points."""

    name: ClassVar[str] = "by-maximum"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "ours: the additive certificate, its queries grouped for each maximum by itself"

    def explain(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Tensor]:
        """Find the hardest rivals, and merge the queries of each maximum, two groups that lose least by it at a time."""
        with torch.no_grad():
            m = in_double(model)
            least, start, G = self._least(m), self._start(m), self._window(m)
            a, b = leading_pair(m.W_Q @ m.W_K.mT / m.attn_scale())
            centres = {
                "small_centre": m.W_E[:start].mean(0) if start else m.W_E.mean(0),
                "output_centre": m.W_U[:, least:].mean(1),
                "a": a,
                "b": b,
            }
            hints = {n: finite(t) for n, t in centres.items()}
            written = Written.of(m, hints, start)
            rivals = hardest_rivals(written, least, G, self._rivals(m))
            table = PairTable.of(m, hints, written, rivals_of(rivals, m.d_vocab, least), G, least)
            further, group_of = grouping(table, m.n_ctx, self.steps, self.reach, self._rows(m))
        return {"rivals": rivals, "further": further, "group_of": group_of} | hints

    def search_operations(self, model: AttentionOnlyTransformer, task: Task, length: int) -> int:
        """Of the rows that are tried."""
        return operations(model.d_vocab, self._least(model))

    def specs(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Spec]:
        v, least = model.d_vocab, self._least(model)
        return {
            "rivals": Spec((v - least, self._rivals(model)), (0, v - 1)),
            "further": Spec((self._rows(model) - (v - least),), (least, v - 1)),
            "group_of": Spec((self._pairs(model),), (0, v - 1)),
        } | {name: Spec((model.d_model,)) for name in ("small_centre", "output_centre", "a", "b")}

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> Certified:
        v, least, device = model.d_vocab, self._least(model), model.W_E.device
        rows = RowsByMaximum.of(explanation["further"], explanation["group_of"], v, least, device)
        outputs = rivals_of(explanation["rivals"].to(device), v, least)
        written = Written.of(model, explanation, self._start(model))
        table = PairTable.of(model, explanation, written, outputs, self._window(model), least)
        with stage("pairs"):
            largest = largest_by_group(table.numbers, rows.of_pair[-self._pairs(model) :], len(rows.m))
        symbols = table.symbols(largest, rows)
        with stage("counting"):
            return GridSet(symbols, model.n_ctx, self.steps, self.reach, least)

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int:
        """Numbers that are bounded one by one: exact values, scores and direct path, positions, and norms."""
        v, K = model.d_vocab, model.n_ctx
        known = v - self._start(model)
        return (known + 1 + K) * v + v * v + known * v + K * v + v

    def _least(self, model: AttentionOnlyTransformer) -> int:
        return min(self.least, model.d_vocab - 1)

    def _window(self, model: AttentionOnlyTransformer) -> int:
        return min(self.window, model.d_vocab)

    def _rivals(self, model: AttentionOnlyTransformer) -> int:
        return min(self.rivals, max(model.d_vocab - 2, 1))

    def _start(self, model: AttentionOnlyTransformer) -> int:
        """The smallest token that is known exactly."""
        return max(self._least(model) - self._window(model), 0)

    def _pairs(self, model: AttentionOnlyTransformer) -> int:
        """Pairs (q, m) with q <= m and m >= least."""
        v, least = model.d_vocab, self._least(model)
        return v * (v + 1) // 2 - least * (least + 1) // 2

    def _rows(self, model: AttentionOnlyTransformer) -> int:
        """Rows of all maxima: at least one for each, and at most one for each pair."""
        return min(max(self.rows, model.d_vocab - self._least(model)), self._pairs(model))
