"""`Additive`: one strategy whose options choose how D is bounded and how sequences are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from compact_proofs.claim import Task
from compact_proofs.errors import BadInput
from compact_proofs.length import stage
from compact_proofs.strategy import Explanation, Spec
from compact_proofs.tasks.max_of_k.additive.grid import GroupSymbols, count_on_grid, grid_member, symbols_by_group
from compact_proofs.tasks.max_of_k.additive.positions import Symbols, additive_member, count_exactly, symbols_by_query
from compact_proofs.tasks.max_of_k.additive.ratios import Rows, exact_ranges, joint_ratios, separate_ratios
from compact_proofs.tasks.max_of_k.grouping import cluster_rows
from compact_proofs.tasks.max_of_k.paths import Paths, paths
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy


@dataclass(frozen=True)
class Additive(MaxOfKStrategy):
    """The additive certificate (see the package's docstring for the theorem and its proof).

    Cost: 6 v^2 d for the path matrices; 3 v for each (group, m) and window token; v^3 for D = "joint"; counting by "positions"
    about v^2 / 2 for each choice of symbols at K - 2 positions, on a "grid" groups * v * K^2 / 2 * reach * window.
    """

    window: int = 6
    """Tokens just below the maximum that get a ratio of their own."""
    groups: int = 4
    """Groups of queries that share their bounds; d_vocab or more for one group per query."""
    direct: Literal["joint", "separate"] = "joint"
    """How the direct path is bounded within a group: differences of logits query by query (v^3), or by row ranges (v^2)."""
    counting: Literal["positions", "grid"] = "positions"
    """Exactly for each query and position (n_ctx <= 5), or on a grid for each group (any n_ctx)."""
    steps: int = 16
    """Grid points in a unit of weight; a power of two."""
    reach: int = 16
    """Largest weight counted on the grid, in grid points."""

    name: ClassVar[str] = "additive"
    summary: ClassVar[str] = "ours: ratios that add up over positions, counted exactly; O(v^2 d)"

    def __post_init__(self) -> None:
        for option in ("window", "groups", "steps", "reach"):
            if getattr(self, option) < 1:
                raise BadInput(f"additive: {option} must be at least 1, not {getattr(self, option)}")
        if self.steps & (self.steps - 1) or self.steps > 2**20 or self.reach > 2**20:
            raise BadInput(f"additive: steps must be a power of two up to 2^20, and reach at most 2^20, not {self.steps}, {self.reach}")

    def applies_to(self, model: nn.Module, task: Task) -> None:
        super().applies_to(model, task)
        if self.counting == "positions" and model.n_ctx > 5:
            raise BadInput(f"additive: counting=positions is exponential in n_ctx; use counting=grid for n_ctx = {model.n_ctx}")

    def explain(self, model: nn.Module, task: Task) -> dict[str, Tensor]:
        """Cluster the queries: by their direct path, or for a grid by how steeply attention grows with the token."""
        groups = self._groups(model)
        if groups == model.d_vocab:
            return {"group_of": torch.arange(groups)}
        with torch.no_grad():
            p = paths(_in_float64(model))
        features = p.EUPU if self.counting == "positions" else p.EQKE.diff(dim=1)
        return {"group_of": cluster_rows(features, groups)}

    def specs(self, model: nn.Module, task: Task) -> dict[str, Spec]:
        return {"group_of": Spec((model.d_vocab,), (0, self._groups(model) - 1))}

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> int:
        symbols = self.symbols(model, explanation)
        with stage("counting"):
            if isinstance(symbols, Symbols):
                return count_exactly(symbols, model.d_vocab, model.n_ctx)
            return count_on_grid(symbols, model.d_vocab, model.n_ctx, self.steps, self.reach)

    def member(self, model: nn.Module, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        symbols = self.symbols(model, explanation)
        if isinstance(symbols, Symbols):
            return additive_member(symbols, inputs)
        return grid_member(symbols, inputs, model.n_ctx, self.steps, self.reach)

    def symbols(self, model: nn.Module, explanation: Explanation) -> Symbols | GroupSymbols:
        """Compute what each position can contribute."""
        p = fold(paths(model))
        groups, G = self._groups(model), min(self.window, model.d_vocab)
        rows = Rows.of(explanation["group_of"], groups, p.EVOU.device)
        if self.direct == "joint":
            ratios = joint_ratios(p, rows, G)
        else:
            ratios = separate_ratios(p, rows, G, exact_ranges(p, rows, groups))
        if self.counting == "positions":
            return symbols_by_query(p, ratios)
        return symbols_by_group(p, ratios, rows, groups)

    def _groups(self, model: nn.Module) -> int:
        return min(self.groups, model.d_vocab)


def fold(p: Paths) -> Paths:
    """Move the mean direct path and the mean positional value into EVOU; attention sums to 1, so the logits are the same."""
    with stage("fold"):
        direct, position = p.EUPU.mean(0), p.PVOU.mean(0)
        return Paths(p.EQKE, p.EQKP, p.EVOU + (direct + position), p.PVOU - position, p.EUPU - direct)


def _in_float64(model: nn.Module) -> nn.Module:
    import copy

    return copy.deepcopy(model).double()
