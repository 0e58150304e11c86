"""The probability that a linear function is not positive on a box, bounded from above: numbers are rounded down and added up."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.enclosure import lower, upper
from compact_proofs.laws import Independent
from compact_proofs.scaled_boxes.box import Boxes, Linear

TINY = 1e-300


def shortfall(law: Independent, boxes: Boxes, functions: Linear, ends: Tensor, steps: int) -> Tensor:
    """Upper bounds of the probability that a function is <= 0, given any scale r between two numbers: exactly known [B, Q].

    Parameters
    ----------
    law
        As `compact_proofs.scaled_boxes.scale.cell_masses` asks for.
    boxes, functions
        B boxes with one function (K = 1) each.
    ends : exactly known [B, Q + 1]
        Increasing scales within the boxes: those between neighbours are a group.
    steps
        M: how finely numbers are rounded.

    Notes
    -----
    Given r, the coordinates y_t are independent, with the law of x_t / r given that it lies between the ends of the box. For z =
    log r and w = log |y_t|, the density of w is proportional to f_t(+-e^(z + w)) e^w, so that for a larger r its ratio to that for
    a smaller one decreases in w, by log-concavity; so |y_t| is stochastically smaller the larger r is.

    Let e_t be the end of y_t at which the function is least, o_t the other, and v_t in [0, 1] with y_t = e_t + v_t (o_t - e_t).
    The function is m + sum_t w_t v_t with w_t = |g_t (o_t - e_t)| and m its least value, where s / r counts with its worse end.
    With D = -m it is <= 0 only if sum w_t v_t <= D. Each v_t is stochastically smallest at one end of the group: at the larger r
    if the function increases with |y_t|, else at the smaller. The v_t are independent given r, so the probability is largest, at
    most, if each has that law, of which the distribution function is

        P(v_t <= v) = (F_t(r y) - F_t(r e_t)) / (F_t(r o_t) - F_t(r e_t)),    y = e_t + v (o_t - e_t).

    All but the one with the largest w_t are rounded down to whole multiples of h >= D / M. Then whole numbers k_t are added, with
    P(k_t <= k) <= P(v_t <= (k + 1) h / w_t), and the sum is <= D only if, with k the sum of the others, the last has
    w v <= (M - k) h. Distribution functions are put in as upper bounds of theirs, which makes all numbers stochastically smaller.

    *Cost.* For each function and group, (n - 1) M values of distribution functions and (n - 3) M^2 multiplications.
    """
    slopes, constant, scale = functions.slopes[:, 0], functions.constant[:, 0, None], functions.scale[:, 0, None]
    low, high = boxes.low[:, :-1], boxes.high[:, :-1]
    rises = slopes > 0
    worst, other = torch.where(rises, low, high), torch.where(rises, high, low)
    left, right = ends[:, :-1], ends[:, 1:]
    of_scale = scale / torch.where(scale > 0, right, left)
    D = upper(-(constant + (slopes * worst).sum(-1, keepdim=True) + of_scale))  # [B, Q]
    weight = lower((slopes * (other - worst)).abs())
    order = _order(weight)[:, 1:]  # without one that is 0: the place, or another
    h = upper(D.clamp(min=TINY) / steps)
    farther = rises == ~boxes.negative()  # where the function increases with |y|
    r = torch.where(farther[:, None], right[..., None], left[..., None])  # [B, Q, n]

    def of_place(values: Tensor) -> Tensor:
        index = order[:, None] if values.dim() == 3 else order
        return values.gather(-1, index.expand(*values.shape[:-1], order.shape[1]))

    e, o, w = (of_place(values)[:, None, None] for values in (worst, other, weight))  # [B, 1, 1, n - 1]
    r = of_place(r)[:, :, None]  # [B, Q, 1, n - 1]
    multiples = torch.arange(steps + 2, dtype=torch.float64, device=low.device)[:, None]
    v = upper(multiples * h[..., None, None] / w.clamp(min=TINY))  # [B, Q, M + 2, n - 1]
    v = torch.where(w > TINY, torch.minimum(v, torch.ones_like(v)), 1.0)
    start, end = _chosen(law, order, r * e), _chosen(law, order, r * o)
    P = upper((_chosen(law, order, r * (e + v * (o - e))) - start) / (end - start))
    P = torch.where((v < 1) & (P < 1), P.clamp(min=0), 1.0)
    P = upper(torch.cummax(P, 2)[0])
    rounded, last = P[:, :, 1:, :-1], P[:, :, : steps + 1, -1]  # P(k_t <= k), and P(w v <= k h)
    if rounded.shape[-1] == 0:
        return upper(torch.where(D < 0, 0.0, last[:, :, -1]))
    total = rounded[..., 0]
    for t in range(1, rounded.shape[-1]):
        single = _increments(rounded[..., t])
        windows = torch.cat([torch.zeros_like(total[..., 1:]), total], -1).unfold(-1, steps + 1, 1)
        total = _at_most_one(upper((windows @ single.flip(-1)[..., None])[..., 0]))
    failing = _at_most_one(upper((_increments(total) * last.flip(-1)).sum(-1, keepdim=True)))[..., 0]
    return upper(torch.where(D < 0, 0.0, failing))


def _chosen(law: Independent, order: Tensor, x: Tensor) -> Tensor:
    """The distribution functions of the coordinates int64 [B, m] of each row, at numbers [B, ..., m]."""
    kinds = list(dict.fromkeys(law.coordinates))
    found = kinds[0].distribution(x)
    for kind in kinds[1:]:
        own = torch.tensor([one == kind for one in law.coordinates], device=order.device)[order]
        found = torch.where(own.reshape(len(own), *[1] * (x.dim() - 2), -1), kind.distribution(x), found)
    return found


def _order(numbers: Tensor) -> Tensor:
    """The places of exactly known numbers [B, n] in increasing order, int64 [B, n]. Cost: 2 n^2 comparisons a row."""
    n = numbers.shape[1]
    place = torch.arange(n, device=numbers.device)
    one, other = numbers[:, :, None], numbers[:, None]
    rank = ((other < one) | ((other == one) & (place < place[:, None]))).sum(2)
    return ((rank[:, None] == place[:, None]) * place).sum(2)


def _increments(P: Tensor) -> Tensor:
    """Upper bounds of the steps of an increasing function [..., m] that starts from 0."""
    return upper(P - torch.cat([torch.zeros_like(P[..., :1]), P[..., :-1]], -1))


def _at_most_one(P: Tensor) -> Tensor:
    """An increasing function that is at least P [..., m] and, as probabilities are, at most 1."""
    return upper(torch.cummax(torch.where(P < 1, P, 1.0), -1)[0])
