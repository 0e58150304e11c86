"""Random sequences through the path matrices: for many samples cheaper than through the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.estimates import Sampling
from compact_proofs.inputs.task import Task
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.additive.classes import right_by_paths
from compact_proofs.tasks.max_of_k.paths import LazyPaths


@dataclass(frozen=True)
class PathSampling(Sampling):
    """The share that is right among random sequences; 6 v^2 d for the matrices, then 2 K v + 4 v a sequence."""

    name: ClassVar[str] = "path-sampling"
    summary: ClassVar[str] = "random sequences through the path matrices"

    def _right(self, model: nn.Module, task: Task, inputs: Tensor) -> Tensor:
        if not isinstance(model, AttentionOnlyTransformer):
            raise BadInput(f"path-sampling: {type(model).__name__} is not an AttentionOnlyTransformer")
        return right_by_paths(LazyPaths(model), inputs)
