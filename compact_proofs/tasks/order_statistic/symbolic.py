"""Tighter bounds of a recurrent network on cones: what each ReLU adds to a linear function is carried as a symbol."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.enclosure import lower, provably, upper
from compact_proofs.tasks.order_statistic.cones import Network


def symbolic_margins(network: Network, rays: Tensor, labels: Tensor) -> Tensor:
    """Return lower bounds of a network's margins at the rays of cones, exactly known [B, n, n - 1].

    Parameters
    ----------
    network
        Its weights.
    rays : real [B, n, n]
        Of the cones; int64 for a network of int64.
    labels : int64 [B]
        The right output of each.

    Notes
    -----
    *Theorem.* For each x = sum_k l_k v_k with l_k >= 0, each margin is at least sum_k l_k times its bound at v_k.

    *Proof.* Of each neuron, relu(z) = a z + r for a = 0 or 1. For a = 0, r = relu(z); for a = 1, r = relu(-z). If z is between
    sum_k l_k ZL_k and sum_k l_k ZU_k, then 0 <= r <= sum_k l_k R_k, with R_k = relu(ZU_k) or relu(-ZL_k), because relu is convex.
    So the state is a linear function of x, which is known at the rays, plus a linear function G of the r of all neurons so far; and
    so is what enters the neurons of the next step, and each margin. It is at least the first part plus sum_k l_k sum_r min(G_r, 0)
    R_rk, and at most the same with max. ZL and ZU are these, or what follows from 0 <= h <= sum_k l_k H_k for the state h before,
    H_k = relu(ZU_k): for each neuron the one whose worst number is better.

    Where -z enters another neuron (`twins`), with 1 - a, its r is relu(-z) for a = 1 and relu(z) for a = 0, and so the same.

    That a neuron is subtracted where it was added before is seen by this, and not by
    `compact_proofs.tasks.order_statistic.cones.run`, which knows bounds of each neuron and nothing of how they hang together.

    *Cost.* In step t, 2 t d^3 operations a cone for G, and 4 t d^2 a ray.
    """
    n, d = rays.shape[-1], network.step.shape[1] // 2
    W_h, W_in, answers = network.step[:d, :d], network.step[2 * d, :d], network.answers[labels.to(rays.device)][:, :d]
    B, twin = len(labels), twins(network)
    second = twin < torch.arange(d, device=twin.device)
    one = torch.eye(d, dtype=rays.dtype, device=rays.device).expand(B, d, d)
    C, G = rays.new_zeros((B, n, d)), rays.new_zeros((B, 0, d))  # of the state: at the rays, and of the r of all neurons
    R, H = lower(rays).new_zeros((B, n, 0)), lower(rays).new_zeros((B, n, d))  # H: upper bounds of the state
    for t in range(n):
        x = rays[:, :, t, None] * W_in
        C, G = C @ W_h + x, G @ W_h
        ZL, ZU = lower(C + R @ G.clamp(max=0)), upper(C + R @ G.clamp(min=0))
        low, high = lower(x + H @ W_h.clamp(max=0)), upper(x + H @ W_h.clamp(min=0))
        ZL = torch.where((low.amin(1) > ZL.amin(1))[:, None], low, ZL)
        ZU = torch.where((high.amax(1) < ZU.amax(1))[:, None], high, ZU)
        above = provably(ZU.amax(1) > -ZL.amin(1))[:, None]  # a
        symbols = torch.where(second & (above != above[..., twin]), one[..., twin], one)
        C, G = torch.where(above, C, 0), torch.cat([torch.where(above, G, 0), symbols], 1)
        R, H = torch.cat([R, torch.where(above, -ZL, ZU).clamp(min=0)], 2), ZU.clamp(min=0)
    return lower(C @ answers + R @ (G @ answers).clamp(max=0))


def twins(network: Network) -> Tensor:
    """For each neuron the first one whose weights of the input and the state are the negatives of its own, or itself: int64 [d].

    *Cost.* d^3 comparisons.
    """
    d = network.step.shape[1] // 2
    own = torch.cat([network.step[:d, :d], network.step[2 * d, None, :d]]).T
    opposite = provably(own[:, None] == -own[None]).all(-1)
    place = torch.arange(d, device=own.device)
    return torch.minimum(torch.where(opposite, place, d).amin(1), place)
