"""Rules for batch, group and instance normalisation: (x - mean) / sqrt(variance + eps) weight + bias."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from compact_proofs.enclosure import arithmetic as ia
from compact_proofs.enclosure import functions as fn
from compact_proofs.enclosure.table import rule
from compact_proofs.enclosure.tensor import Enclosure, enclose, real
from compact_proofs.errors import NoSoundRule


def _statistics(x: Enclosure, dims: list[int]) -> tuple[Enclosure, Enclosure, Enclosure]:
    """x - mean, the mean, and the variance (the mean of squares of x - mean) over some axes, kept."""
    mean = ia.mean(x, dims, True)
    centred = ia.sub(x, mean)
    return centred, mean, ia.mean(ia.square(centred), dims, True)


def _inverse_root(variance: Enclosure, eps: float) -> Enclosure:
    return ia.div(enclose(1.0, like=variance.lo), fn.sqrt(ia.add(variance, enclose(eps, like=variance.lo))))


def _scaled(y: Enclosure, weight: Any, bias: Any, shape: list[int]) -> Enclosure:
    """y weight + bias, both given by channel."""
    if weight is not None:
        y = ia.mul(y, real(weight).reshape(shape))  # type: ignore[arg-type]
    return y if bias is None else ia.add(y, real(bias).reshape(shape))  # type: ignore[arg-type]


@rule("native_batch_norm")
def _batch_norm(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float
) -> tuple[Enclosure, Enclosure, Enclosure]:
    """By channel (axis 1): with the stored mean and variance in eval mode, with those of the batch where none are stored.

    Raises
    ------
    NoSoundRule
        In training mode with stored statistics, which would change.
    """
    x = real(x)
    shape = [1, -1, *[1] * (x.dim() - 2)]
    if training and (mean is not None or var is not None):
        raise NoSoundRule("aten.native_batch_norm in training mode changes its stored statistics; call module.eval() first")
    if training:
        centred, mean, var = _statistics(x, [0, *range(2, x.dim())])
    else:
        centred, var = ia.sub(x, real(mean).reshape(shape)), real(var).reshape(shape)  # type: ignore[arg-type]
    inverse = _inverse_root(var, eps)
    y = _scaled(ia.mul(centred, inverse), weight, bias, shape)
    if training:
        return y, mean.flatten(), inverse.flatten()  # type: ignore[return-value]
    nothing = enclose(x.lo.new_zeros(0))
    return y, nothing, nothing._same()


@rule("_native_batch_norm_legit_no_training")
def _batch_norm_in_eval_mode(x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float) -> tuple[Any, ...]:
    """``native_batch_norm`` with the stored mean and variance."""
    return _batch_norm(x, weight, bias, mean, var, False, momentum, eps)


@rule("_native_batch_norm_legit")
def _batch_norm_legit(x: Any, weight: Any, bias: Any, *rest: Any) -> tuple[Enclosure, Enclosure, Enclosure]:
    """``native_batch_norm``, with or without stored statistics."""
    mean, var = rest[:2] if isinstance(rest[0], Tensor) else (None, None)
    training, momentum, eps = rest[-3:]
    return _batch_norm(x, weight, bias, mean, var, training, momentum, eps)


@rule("native_group_norm")
def _group_norm(
    x: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Enclosure, Enclosure, Enclosure]:
    """Over each group of channels (axis 1) and all places, for every entry of axis 0."""
    x = real(x)
    shape = list(x.shape)
    by_group = x.reshape(N, group, math.prod(shape[1:]) // group)
    centred, mean, var = _statistics(by_group, [2])
    inverse = _inverse_root(var, eps)
    y = ia.mul(centred, inverse).reshape(shape)
    y = _scaled(y, weight, bias, [1, C, *[1] * (x.dim() - 2)])  # type: ignore[arg-type]
    return y, mean.reshape(N, group), inverse.reshape(N, group)  # type: ignore[return-value]
