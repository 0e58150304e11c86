"""Neurons that write into few directions, on modular addition: attention may be uniform, learned, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from compact_proofs import directions
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.options import Natural
from compact_proofs.tasks.modular_addition.attending import attending
from compact_proofs.tasks.modular_addition.folding import fold
from compact_proofs.tasks.modular_addition.networks import AdditiveNetwork, AttendingNetwork
from compact_proofs.tasks.modular_addition.spans import span_of, through_span
from compact_proofs.tasks.modular_addition.task import ModularAdditionStrategy


@dataclass(frozen=True)
class Directions(directions.Directions[OneLayerMLP], ModularAdditionStrategy):
    """`compact_proofs.directions.Directions` for networks on modular addition: raw or projected, with any attention.

    With `span` = r, the residual stream is read through r of its directions, a further hint, in place of all d: what the heads and
    tokens put into it is multiplied with r rows of W_in and W_U (`streams`). What the directions leave of both is bounded.
    """

    version: ClassVar[int] = 2
    span: Natural = 0
    """Directions that the residual stream is read through; 0: exactly, through all of them."""

    def network(self, model: OneLayerMLP) -> directions.PairNetwork:
        with stage("fold"):
            if model.config.attention == "learned":
                return AttendingNetwork(*attending(model))
            tables = fold(model)
        return AdditiveNetwork(tables, tables.G)

    def read(self, model: OneLayerMLP, explanation: Explanation) -> directions.PairNetwork:
        if not self.span:
            return self.network(model)
        with stage("fold"):
            return through_span(model, explanation["span"].to(model.W_E.device))

    def explain(self, model: OneLayerMLP, task: Task) -> dict[str, Tensor]:
        return super().explain(model, task) | self.explain_span(model)

    def explain_span(self, model: OneLayerMLP) -> dict[str, Tensor]:
        """The part of an explanation that is about the residual stream."""
        return {"span": span_of(in_double(model), self.span)} if self.span else {}

    def specs(self, model: OneLayerMLP, task: Task) -> dict[str, Spec]:
        found = super().specs(model, task)
        return found | {"span": Spec((self.span, model.config.d_model))} if self.span else found

    def sizes(self, model: OneLayerMLP) -> tuple[int, int, int]:
        return model.p, model.config.d_mlp, model.p
