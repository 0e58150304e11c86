"""Cones on which an order statistic's place is known, and bounds of a recurrent network on cones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import torch
from torch import Tensor

from compact_proofs.cones.cone import Cones
from compact_proofs.enclosure import lower, provably, upper
from compact_proofs.models.scalar_recurrent import ScalarRecurrent


def number_of_label_cones(n: int, above: int) -> int:
    """How many there are: 2 n C(n-1, above)."""
    return 2 * n * math.comb(n - 1, above)


def label_cones(n: int, above: int) -> tuple[Cones, Tensor, Tensor]:
    """Return cones that partition R^n, on each of which one place holds the number that `above` others exceed.

    Returns
    -------
    cones : R = 2 n C(n-1, above) cones
    inverses : float64 [R, n, n], exactly known
        The inverses of their matrices of rays, all multiplied by r: the coefficients of x are positive multiples of them times x.
    places : int64 [R]
        The place, which is the label.

    Notes
    -----
    Choose the place j of the answer, the set A of the `above` places with larger numbers, and the sign s of x_j. The region
    {x_i > x_j for i in A, x_k < x_j for the others, s x_j > 0} is the simplicial cone with the rays e_i for i in A, -e_k for the
    others, and s r (1, ..., 1) in place j: the coefficients of x are x_i - x_j, x_j - x_k and |x_j| / r. The determinant is +-r.
    These cones partition R^n up to ties. r is near 1 / sqrt(n), and any positive number would do.
    """
    r = 1 / math.sqrt(n)
    rays, inverses, places = [], [], []
    for j in range(n):
        for larger in combinations([i for i in range(n) if i != j], above):
            signs = torch.full((n,), -1.0, dtype=torch.float64)
            signs[list(larger)] = 1.0
            for s in (1.0, -1.0):
                cone, inverse = torch.diag(signs), torch.diag(signs * r)
                cone[j] = s * r
                inverse[:, j] = -signs * r
                inverse[j, j] = s
                rays.append(cone)
                inverses.append(inverse)
                places.append(j)
    volume = torch.full((len(rays),), r, dtype=torch.float64)
    return Cones(torch.stack(rays), volume), torch.stack(inverses), torch.tensor(places)


def label_shares(n: int, above: int) -> list[Fraction]:
    """The shares of directions in the cones of `label_cones`, in their order, exactly.

    *Proof.* Permutations of the coordinates do not change the law, so all cones of one sign have one share. Nor do changes of
    signs, so that k of the n numbers are positive with probability C(n, k) / 2^n; and the number that `above` others exceed is
    positive where more than `above` are.
    """
    positive = Fraction(sum(math.comb(n, k) for k in range(above + 1, n + 1)), 2**n)
    pairs = n * math.comb(n - 1, above)
    return [positive / pairs, (1 - positive) / pairs] * pairs


@dataclass(frozen=True)
class Network:
    """The weights of a network in the form that `run` multiplies by.

    Attributes
    ----------
    step : real [2 d + 2, 2 d]
        Of the state's lower bound, its slack, the input and its slack; to the lower and to the upper bounds of the next.
    answers : real [n, 2 d, n - 1]
        For each label, of the last state's lower bound and slack to the lower bounds of margins.
    """

    step: Tensor
    answers: Tensor

    @classmethod
    def of(cls, model: ScalarRecurrent) -> Network:
        """Of a network. Cost: a few operations for each weight."""
        return cls.made_of(model.W_in.double(), model.W_h.double(), model.W_U.double())

    @classmethod
    def made_of(cls, W_in: Tensor, W_h: Tensor, W_U: Tensor) -> Network:
        """Of weights [d], [d, d], [d, n], float64 or int64."""
        W_in = W_in[None]

        def block(sign: dict[str, int]) -> Tensor:
            return torch.cat([W_h, W_h.clamp(**sign), W_in, W_in.clamp(**sign)])

        outputs = W_U.shape[1]
        label = torch.arange(outputs, device=W_U.device)
        others = (label[:, None] + label[1:]) % outputs
        margins = (W_U[:, :, None] - W_U[:, others]).permute(1, 0, 2)  # [label, d, rival]
        return cls(torch.cat([block({"max": 0}), block({"min": 0})], 1), torch.cat([margins, margins.clamp(max=0)], 1))


@dataclass(frozen=True)
class Run:
    """Bounds of a network on cones.

    Attributes
    ----------
    lower, upper : list of [B, n, d], exactly known
        For each step: bounds of what enters the ReLU, at each ray.
    state, slack : [B, n, d], exactly known
        L and S: the last state lies between sum_k l_k L_k and sum_k l_k (L_k + S_k).
    margins : [B, n, n - 1], exactly known
        Lower bounds of the label's logit minus each other logit, at each ray.
    """

    lower: list[Tensor]
    upper: list[Tensor]
    state: Tensor
    slack: Tensor
    margins: Tensor

    def right(self) -> Tensor:
        """bool [B]: on which cones the network is proven right."""
        return are_right(self.margins)


def are_right(margins: Tensor) -> Tensor:
    """bool [B]: on the whole open cone each margin, bounded at the rays by [B, n, n - 1], has numbers >= 0, one of them > 0."""
    return ((margins >= 0).all(1) & (margins > 0).any(1)).all(1)


def run(network: Network, rays: Tensor, labels: Tensor) -> Run:
    """Bound a network on cones by running it on their rays.

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
    *Theorem.* For each x = sum_k l_k v_k with l_k >= 0 and each neuron, sum_k l_k L_k <= h(x) <= sum_k l_k (L_k + S_k), and each
    margin is at least sum_k l_k m_k. Here L, S and m are numbers that are exactly known: the ends of enclosures.

    *Proof.* The input x_t is linear in l and known up to its slack. If the inequality holds for a state, z = h W_h + x_t W_in is
    at least sum_k l_k ZL_k with ZL_k = L_k W_h + S_k min(W_h, 0) + (the same for the input), since h = sum l_k L_k + s with 0 <= s
    <= sum l_k S_k; and at most sum_k l_k ZU_k with max(W_h, 0) in its place. For the next state relu(z) <= sum_k l_k relu(ZU_k),
    because relu is convex and relu(c z) = c relu(z) for c >= 0; and relu(z) >= sum_k l_k a ZL_k for a = 0 and for a = 1. a is
    chosen for each neuron; where ZL >= 0 at all rays, or ZU <= 0 at all, both bounds are the function itself but for what was
    rounded.

    *Cost.* 8 d^2 + 12 d operations a ray and step, and 4 d (n - 1) a ray for margins.
    """
    n, d = rays.shape[-1], network.step.shape[1] // 2
    x = lower(rays)
    slack = upper(upper(rays) - x)
    low, high = [], []
    L = S = x.new_zeros((len(x), n, d))
    for t in range(n):
        now = torch.stack([x[:, :, t], slack[:, :, t]], -1)
        z = torch.cat([L, S, now], -1) @ network.step if t else now @ network.step[2 * d :]
        ZL, ZU = lower(z[..., :d]), upper(z[..., d:])
        low.append(ZL)
        high.append(ZU)
        above = provably(ZU.amax(1) > -ZL.amin(1))[:, None]
        L = torch.where(above, ZL, 0)
        S = upper(ZU.clamp(min=0) - L)
    margins = lower(torch.cat([L, S], -1) @ network.answers[labels.to(rays.device)])
    return Run(low, high, L, S, margins)
