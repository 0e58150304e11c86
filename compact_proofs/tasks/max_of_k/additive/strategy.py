"""`Additive`: one strategy whose options choose how D is bounded and how sequences are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compact_proofs.certified import Certified, Counted
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.options import Natural, Positive
from compact_proofs.searches import cluster_rows, leading_directions, split_by_size
from compact_proofs.tasks.max_of_k.additive.classes import GridByClass
from compact_proofs.tasks.max_of_k.additive.grid import (
    GridReach,
    GridSteps,
    GroupSymbols,
    symbols_by_group,
)
from compact_proofs.tasks.max_of_k.additive.parts import (
    direct_by_norms,
    direct_by_ranges,
    exact_attention,
    exact_values,
    low_rank_values,
    rank_one_attention,
)
from compact_proofs.tasks.max_of_k.additive.positions import (
    Symbols,
    additive_excludes,
    additive_member,
    count_exactly,
    symbols_by_query,
)
from compact_proofs.tasks.max_of_k.additive.ratios import Ratios, joint_ratios, separate_ratios
from compact_proofs.tasks.max_of_k.additive.readout import reading_directions, readout_ratios
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.paths import LazyPaths
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy


@dataclass(frozen=True)
class Additive(MaxOfKStrategy):
    """The additive certificate (see the package's docstring for the theorem and its proof).

    Cost: 6 v^2 d for the path matrices; 3 v for each (group, m) and window token; v^3 for D = "joint"; counting by "positions"
    about v^2 / 2 for each choice of symbols at K - 2 positions, on a "grid" 2 * groups * v * K * reach * window.
    """

    window: Positive = 6
    """Tokens just below the maximum that get a ratio of their own."""
    groups: Positive = 4
    """Groups of queries that share their bounds; d_vocab or more for one group per query."""
    direct: Literal["joint", "separate", "norms"] = "joint"
    """The direct path within a group: differences of logits by query (v^3), row ranges (2 v^2 d + v^2), or norms (v d)."""
    counting: Literal["positions", "grid"] = "positions"
    """Exactly for each query and position (n_ctx <= 5), or on a grid for each group (any n_ctx)."""
    steps: GridSteps = 16
    """Grid points in a unit of weight; a power of two."""
    reach: GridReach = 24
    """Largest sum of contributions that is told apart on the grid, in grid points."""
    values: Literal["exact", "lowrank", "readout"] = "exact"
    """The OV circuit exactly; or of rank `rank`, or of rank one and read off in order, the rest by norms (needs direct=norms)."""
    attention: Literal["exact", "rank1"] = "exact"
    """The QK circuit exactly, or of rank one with the rest bounded by norms (needs counting=grid)."""
    rank: Natural = 0
    """Directions that are split off for direct=norms and values=lowrank."""
    alike: Literal["tokens", "positions"] = "tokens"
    """What the search groups queries by, counting on a grid: how much they prefer tokens, or positions."""

    name: ClassVar[str] = "additive"
    version: ClassVar[int] = 3
    summary: ClassVar[str] = "ours: ratios that add up over positions, counted exactly; O(v^2 d)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.values == "lowrank" and (self.direct != "norms" or self.rank < 1):
            raise BadInput("additive: values=lowrank needs direct=norms and rank >= 1")
        if self.values == "readout" and (self.direct != "norms" or self.rank != 1):
            raise BadInput("additive: values=readout needs direct=norms and rank=1")
        if self.attention == "rank1" and self.counting != "grid":
            raise BadInput("additive: attention=rank1 needs counting=grid")

    def applies_to(self, model: AttentionOnlyTransformer, task: Task) -> None:
        super().applies_to(model, task)
        if self.counting == "positions" and model.n_ctx > 5:
            raise BadInput(f"additive: counting=positions is exponential in n_ctx; use counting=grid for n_ctx = {model.n_ctx}")

    def explain(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Tensor]:
        """Group the queries by what their group's bounds depend on most; take leading singular directions of QK and OV."""
        with torch.no_grad():
            exact = in_double(model)
            found = {"group_of": self._grouping(exact)}
            if self._rank(model):
                found["Y"] = leading_directions(exact.W_V @ exact.W_O, self._rank(model))
            if self.values == "readout":
                found |= reading_directions(exact)
            if self.attention == "rank1":
                found["z"] = leading_directions(exact.W_Q, 1).squeeze(1)
        return found

    def _grouping(self, model: AttentionOnlyTransformer) -> Tensor:
        groups, p = self._groups(model), LazyPaths(model)
        if self.direct == "norms":
            return split_by_size(p.deviation_norms, groups)
        if self.counting == "positions":
            return cluster_rows(p.direct, groups)
        tokens, positions = p.scores
        return cluster_rows(tokens.diff(dim=1) if self.alike == "tokens" else positions - positions.mean(1, keepdim=True), groups)

    def specs(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Spec]:
        found = {"group_of": Spec((model.d_vocab,), (0, self._groups(model) - 1))}
        if self._rank(model):
            found["Y"] = Spec((model.d_model, self._rank(model)))
        if self.values == "readout":
            found["Z"] = Spec((model.d_model,))
        if self.attention == "rank1":
            found["z"] = Spec((model.d_head,))
        return found

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> Certified:
        return self.certified(LazyPaths(model), explanation)

    def certified(self, p: LazyPaths, explanation: Explanation) -> Certified:
        """The set that is proven, from path matrices that others may have asked for."""
        v, K = p.model.d_vocab, p.model.n_ctx
        symbols = self.symbols(p, explanation)
        with stage("counting"):
            if isinstance(symbols, GroupSymbols):
                return GridByClass(p, symbols, self.steps, self.reach)
            return Counted(
                count_exactly(symbols, v, K),
                lambda inputs: additive_member(symbols, inputs),
                lambda inputs: additive_excludes(symbols, inputs),
            )

    def symbols(self, p: LazyPaths, explanation: Explanation) -> Symbols | GroupSymbols[Rows]:
        """Compute what each position can contribute."""
        model = p.model
        groups, G = self._groups(model), min(self.window, model.d_vocab)
        rows = Rows.of(explanation["group_of"], groups, model.W_E.device)
        ratios = self._ratios(p, explanation, rows, groups, G)
        if self.counting == "positions":
            return symbols_by_query(*p.scores, ratios, rows)
        if self.attention == "rank1":
            bounds = rank_one_attention(p, rows, groups, G, explanation["z"])
        else:
            bounds = exact_attention(*p.scores, rows, groups, G)
        return symbols_by_group(bounds, ratios, rows)

    def _ratios(self, p: LazyPaths, explanation: Explanation, rows: Rows, groups: int, G: int) -> Ratios:
        model = p.model
        if self.values == "readout":
            return readout_ratios(p, rows, groups, explanation["Y"], explanation["Z"], G)
        if self.direct == "joint":
            return joint_ratios(*p.values, p.direct, rows, G)
        if self.direct == "separate":
            direct = direct_by_ranges(p.direct, rows, groups)
            values = exact_values(*p.values, direct.mean)
        else:
            Y = explanation["Y"] if self._rank(model) else model.W_E.new_zeros(model.d_model, 0)
            with stage("OV"):
                R = Y.mT @ model.W_U
            direct = direct_by_norms(p, rows, groups, Y, R)
            low_rank = self.values == "lowrank"
            values = low_rank_values(p, Y, R, direct.mean) if low_rank else exact_values(*p.values, direct.mean)
        with stage("D"):
            high, low = direct.high + values.high, direct.low + values.low
        return separate_ratios(values.token, high, low, rows, G)

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int:
        """Numbers of each path that are bounded one by one: entries of matrices, ranges of groups, factors of a low rank, norms."""
        v, K, groups, rank = model.d_vocab, model.n_ctx, self._groups(model), self._rank(model)
        direct = {"joint": v * v, "separate": 2 * groups * v, "norms": 2 * v * (rank + 1)}[self.direct]
        values = K * v + {"exact": v * v, "lowrank": 2 * v * rank + v, "readout": 3 * v}[self.values]
        scores = v * v if self.attention == "exact" else 3 * v
        positions = K * v if self.counting == "positions" else 2 * K * groups
        return direct + values + scores + positions

    def _groups(self, model: AttentionOnlyTransformer) -> int:
        return min(self.groups, model.d_vocab)

    def _rank(self, model: AttentionOnlyTransformer) -> int:
        return min(self.rank, model.d_model) if self.direct == "norms" else 0
