"""The response of a cluster of neurons, bounded over all angles: from its kinks, or as a numerical integral."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.enclosure import pi, provably


class Cluster(NamedTuple):
    """The ideal neurons of K clusters, padded to n in each; those that pad have no amplitude.

    Neuron i reads ``x^_i = 2 cos(w d / 2) A_i sin(t - kink_i)`` at the angle t = w s / 2 (w = 2 pi k / p, s = a + b, d = a - b) and
    writes relu(x^_i) times the complex number ``gamma_i``; ``Re(gamma e^(-iwc))`` is what that adds to the logit of c.

    Attributes
    ----------
    kinks, amplitude : [K, n]
        ``kink_i`` and ``A_i``, exactly known numbers (hints); kinks ascend in each row.
    gamma : [2, K, n]
        Real and imaginary part.
    skip : [2, 2, K]
        ``skip[0] cos t + skip[1] sin t``, times 2 cos(w d / 2), is added to the answer; each a complex number (second axis).
    """

    kinks: Tensor
    amplitude: Tensor
    gamma: Tensor
    skip: Tensor


class Range(NamedTuple):
    """Bounds of a cluster's response W over all angles: ``Re W >= u`` and ``|Im W| <= v``; each [K]."""

    u: Tensor
    v: Tensor


def kink_range(c: Cluster) -> Range:
    """Bound the response ``W = e^(-2it) (sum_i relu(x^_i) gamma_i + skip) / |cos(w d / 2)|`` for every angle t, hence for every p.

    With relu(x) = (|x| + x) / 2 and the sign of cos(w d / 2) = +-1, W is one of

        W_+-(t) = e^(-2it) sum_i (|A_i| |sin(t - kink_i)| +- A_i sin(t - kink_i)) gamma_i  +-  2 e^(-2it) (skip_0 cos t + skip_1
        sin t),

    both of which t in one period pi of the first term covers (t -> t + pi changes the sign of the rest). Let t run from the first
    kink of a cluster to pi beyond it, all kinks lying in between (checked: otherwise nothing is bounded). Between two neighbouring
    kinks, sin(t - kink_i) >= 0 for the kinks up to t and <= 0 for those after it, so both W are ``P e^(-it) + Q e^(-3it)`` with
    coefficients that are prefix sums, for ``sin(t - x) = (e^(it) e^(-ix) - e^(-it) e^(ix)) / 2i``. There ``|W''| <= |P| + 9
    |Q|``, so W is within ``(|P| + 9 |Q|) h^2 / 8`` of the chords through the ends and the middle, h being half the interval's
    width; a chord's real part is at least the smaller one of its ends', and likewise the absolute imaginary part.

    Cost: sorting, and about 150 operations a neuron.
    """
    kinks, period = c.kinks, pi(c.kinks.device)
    start = kinks[:, :1]
    fits = provably(kinks[:, -1:] - start < period)  # [K, 1]
    ends = torch.cat([kinks[:, 1:], start + period], 1)
    middles, width = (kinks + ends) * 0.5, (ends - kinks) * 0.5
    cos, sin, cos3, sin3 = _trigonometry(kinks)
    P_i, Q_i = _coefficients(c.gamma, cos, sin)  # of sin(t - kink) gamma
    size = c.amplitude.abs()
    P, Q = (_signed_sums(size * z) for z in (P_i, Q_i))  # [2, K, n]
    P_lin, Q_lin = ((c.amplitude * z).sum(-1, keepdim=True) for z in (P_i, Q_i))
    (cos_re, cos_im), (sin_re, sin_im) = c.skip
    P_lin = P_lin + torch.stack([cos_re + sin_im, cos_im - sin_re])[:, :, None]  # skip_0 - i skip_1
    Q_lin = Q_lin + torch.stack([cos_re - sin_im, cos_im + sin_re])[:, :, None]
    P = torch.stack([P + P_lin, P - P_lin], 1)  # [2, sign, K, n]
    Q = torch.stack([Q + Q_lin, Q - Q_lin], 1)
    at_ends = tuple(torch.cat([f[:, 1:], -f[:, :1]], 1) for f in (cos, sin, cos3, sin3))
    samples = [_response(P, Q, at) for at in ((cos, sin, cos3, sin3), _trigonometry(middles), at_ends)]
    slack = (norm(P, 0) + 9 * norm(Q, 0)) * (width.square() / 8)
    low = torch.minimum(torch.minimum(samples[0][0], samples[1][0]), samples[2][0]) - slack
    high = torch.maximum(torch.maximum(samples[0][1].abs(), samples[1][1].abs()), samples[2][1].abs()) + slack
    u = torch.where(fits, low.amin((0, 2))[:, None], -torch.inf)
    v = torch.where(fits, high.amax((0, 2))[:, None], torch.inf)
    return Range(u.squeeze(1), v.squeeze(1))


def quadrature_range(c: Cluster) -> Range:
    """Bound the response as the published account does: the cluster evaluates an integral by rectangles.

    With ``a_i = 2 |A_i| |gamma_i|``, A their sum and phases phi_i such that ``x^_i = 2 cos(w d / 2) |A_i| cos(t + phi_i)``, the
    ideal neuron has ``gamma_i = |gamma_i| e^(-2i phi_i)``, and W would be the sum of ``a_i F(phi_i)`` for ``F(phi) = e^(-2it)
    relu(cos(t + phi)) e^(-2i phi)``, a rule of rectangles for

        A / (2 pi) * integral of F over the circle = A / (2 pi) * 2/3.

    F has the Lipschitz constant 2. For any partition of the circle into arcs of widths ``2 pi a_i / A``, the rule's error is at
    most ``A / (2 pi) sum_i int_(arc i) 2 |phi - phi_i|``; phases add ``sum_i 2 |A_i| |gamma_i - |gamma_i| e^(-2i phi_i)|``, and the
    skip its own size. The arcs are laid in the order of the phases. On the networks that ship, this error is 0.9 to 2 times the
    integral, and nothing is proven; with hundreds of evenly spread phases the bound would be as good as one wants.
    """
    order = _by_phase(c.amplitude < 0)
    kinks, amplitude = c.kinks.gather(1, order), c.amplitude.gather(1, order)
    gamma = c.gamma.gather(2, order.expand(2, -1, -1))
    right_angle = pi(c.kinks.device) / 2
    phase = torch.where(amplitude < 0, right_angle, -right_angle) - kinks
    written, size = norm(gamma, 0), 2 * amplitude.abs()
    weight = size * written
    total = weight.sum(1, keepdim=True)
    width = weight * (4 * right_angle / total)
    after = torch.cumsum(width, 1)
    offset = (phase - (after - width / 2)).mean(1, keepdim=True)  # any number will do
    x, y = after - width + offset - phase, after + offset - phase
    arcs = ((y * y.abs() - x * x.abs()) / 2).sum(1)  # the integrals of |phi - phi_i|
    twice = 2 * kinks
    ideal = -torch.stack([torch.cos(twice), torch.sin(twice)]) * written  # e^(-2i phi) = -e^(2i kink)
    phases = (size * norm(gamma - ideal, 0)).sum(1)
    skip = 2 * norm(c.skip, (0, 1))
    total = total.squeeze(1)
    error = total / (2 * right_angle) * arcs + phases + skip
    trivial = total + skip  # |W|, as |F| <= 1
    some = provably(total > 0)
    return Range(torch.where(some, total / (6 * right_angle) - error, -trivial), torch.where(some, error, trivial))


def _by_phase(negative: Tensor) -> Tensor:
    """Order neurons [K, n] by ascending phase: kinks descending, those of positive amplitude first (an integer sort)."""
    descending = torch.arange(negative.shape[1] - 1, -1, -1, device=negative.device).expand_as(negative)
    flipped = negative.gather(1, descending).to(torch.int64)
    return descending.gather(1, torch.sort(flipped, dim=1, stable=True).indices)


def _trigonometry(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """cos t, sin t, cos 3t, sin 3t."""
    thrice = 3 * t
    return torch.cos(t), torch.sin(t), torch.cos(thrice), torch.sin(thrice)


def _coefficients(gamma: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """P = -i/2 gamma e^(-i kink) and Q = i/2 gamma e^(i kink), so that e^(-2it) sin(t - kink) gamma = P e^(-it) + Q e^(-3it)."""
    re, im = gamma * 0.5
    re_cos, re_sin, im_cos, im_sin = re * cos, re * sin, im * cos, im * sin
    return torch.stack([im_cos - re_sin, -re_cos - im_sin]), torch.stack([-im_cos - re_sin, re_cos - im_sin])


def _signed_sums(x: Tensor) -> Tensor:
    """The sum of the entries up to each place minus the sum of those after it, along the last axis."""
    return 2 * torch.cumsum(x, -1) - x.sum(-1, keepdim=True)


def _response(P: Tensor, Q: Tensor, at: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of P e^(-it) + Q e^(-3it)."""
    cos, sin, cos3, sin3 = at
    re = P[0] * cos + P[1] * sin + (Q[0] * cos3 + Q[1] * sin3)
    im = P[1] * cos - P[0] * sin + (Q[1] * cos3 - Q[0] * sin3)
    return re, im
