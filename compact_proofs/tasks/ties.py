"""Ties for specimens: two outputs whose logits are equal as real numbers, but not as rounded ones."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def tie_outputs(weights: dict[str, Tensor], writers: Iterable[str], x: int, y: int) -> None:
    """Make the logits of x and y equal over the reals.

    Their unembeddings differ by (1, 1, -1) / 8 in the last three directions, whose product with every residual is 0, because the
    last coordinate of everything that writes to the residual is the exact sum of the two before it.

    Parameters
    ----------
    weights
        By name, among them ``W_U`` [d, outputs]; changed in place.
    writers
        Names of those that write to the residual stream, [..., d] each; those that are not there are passed over.
    """
    for name in writers:
        if name in weights:
            w = weights[name].float().double()  # few bits, so that the sum is exact
            w[..., -1] = w[..., -2] + w[..., -3]
            weights[name] = w
    difference = torch.zeros(len(weights["W_U"]), dtype=torch.float64)
    difference[-3:] = torch.tensor([1.0, 1.0, -1.0]) / 8
    weights["W_U"] = weights["W_U"].float().double()
    weights["W_U"][:, y] = weights["W_U"][:, x] + difference
