"""Estimates of a model's accuracy on Max-of-K, by presuming that what is not looked at is independent. They prove nothing.

mean_query   no query at all: the mean query, a band of EVOU, everything else as noise
few_queries  some queries exactly; few rivals, few symbols; other tokens summed in closed form
guided       random sequences where a crude guess is unsure
sampled      random sequences through the path matrices
windows      which tokens and rivals are looked at
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compact_proofs.estimates import Constant, Estimator
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.estimates.few_queries import LONGEST, FewQueries
from compact_proofs.tasks.max_of_k.estimates.guided import GuidedSampling
from compact_proofs.tasks.max_of_k.estimates.mean_query import MeanQuery
from compact_proofs.tasks.max_of_k.estimates.sampled import PathSampling

__all__ = ["FewQueries", "GuidedSampling", "MeanQuery", "PathSampling", "estimators"]


def estimators(model: AttentionOnlyTransformer) -> Sequence[Estimator[Any]]:
    """Those that suit a model, cheap ones first."""
    few: list[Estimator[Any]] = [FewQueries(), GuidedSampling()] if model.n_ctx <= LONGEST else []
    return [Constant(), MeanQuery(), *few, PathSampling(2000)]
