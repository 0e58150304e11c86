"""Options of `Dictionary` for a model: to compare kinds, to search among, to test with."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from compact_proofs.dictionaries.strategy import Dictionary


def dictionary_variants(model: nn.Module, additive: bool = True) -> Sequence[Dictionary]:
    """Options that matter at the size of a specimen, two of them for each model; `additive`: tokens add to its activations."""
    options = [
        Dictionary("metric-pca", 4, 4, rank=2, metric=3),
        Dictionary("tokens", 28, 2, groups=2, rank=3, metric=2, drop=0.2),
        Dictionary("pca", 6, 3, groups=3, rank=1, metric=4, drop=0.5),
        Dictionary("tokens", 28, 1, codes="tokens", groups=2, rank=4, metric=0),
        Dictionary("fourier", 4, 4, codes="tokens", rank=12, metric=8),
        Dictionary("random", 8, 2, groups=2, rank=0, metric=1, drop=0.9),
        Dictionary("topk", 8, 4, rank=12, steps=3),
        Dictionary("l1", 6, 6, groups=2, rank=3, steps=3, objective="mse", refit=True),
    ]
    if not additive:
        options = [s for s in options if s.codes == "inputs" and s.found not in ("tokens", "fourier")]
    first = sum(p.numel() for p in model.parameters()) % len(options)
    return [options[(first + 3 * i) % len(options)] for i in range(2)]
