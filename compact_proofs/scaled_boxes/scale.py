"""The probability of scaled boxes, by an integral over the scale that is bounded from below and not only approximated."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.enclosure import lower
from compact_proofs.errors import BadInput
from compact_proofs.laws import Independent, Law, Normal
from compact_proofs.scaled_boxes.box import Boxes

SMALLEST, LARGEST = 2.0**-24, 2.0**8
"""Scales that are measured; others count as not right."""
IN_OCTAVE = 64
NODES = 32 * IN_OCTAVE + 1


def check_law(name: str, law: Law) -> Independent:
    """Return the law, if boxes can be measured by it.

    Raises
    ------
    BadInput
        In the name of a strategy, unless coordinates are independent and each is ``log_concave_in_logarithm``.
    """
    if not isinstance(law, Independent) or not all(x.log_concave_in_logarithm for x in law.coordinates):
        raise BadInput(f"{name}: takes independent numbers that are normal with mean 0, or uniform; not {law.words}")
    return law


def scales(first: Tensor, stride: Tensor, boxes: Boxes, cells: int) -> Tensor:
    """Increasing scales within each box, exactly known [B, cells + 1]: powers of 2^(1/64), from the number `first` on.

    Beyond the ends of the box, or of the table of powers, they are the end.
    """
    table = torch.tensor([SMALLEST * 2 ** (i / IN_OCTAVE) for i in range(NODES)], dtype=torch.float64)
    number = (first[:, None] + stride[:, None] * torch.arange(cells + 1)).clamp(0, NODES - 1)
    nodes = table[number].to(boxes.low.device)
    return torch.minimum(torch.maximum(nodes, boxes.low[:, -1:]), boxes.high[:, -1:])


def distribution(law: Independent, x: Tensor) -> Tensor:
    """Distribution functions of the coordinates at numbers [..., n]."""
    if len(set(law.coordinates)) == 1:
        return law.coordinates[0].distribution(x)
    return torch.stack([one.distribution(x[..., t]) for t, one in enumerate(law.coordinates)], -1)


def density(law: Independent, x: Tensor) -> Tensor:
    """Densities of the coordinates at numbers [..., n]."""
    if len(set(law.coordinates)) == 1:
        return law.coordinates[0].density(x)
    return torch.stack([one.density(x[..., t]) for t, one in enumerate(law.coordinates)], -1)


def cell_masses(law: Independent, boxes: Boxes, nodes: Tensor) -> Tensor:
    """Lower bounds of the probabilities that x lies in a box and its scale between two nodes: exactly known [B, cells], >= 0.

    Parameters
    ----------
    law
        Independent coordinates with densities f_t such that f_t(e^z) and f_t(-e^z) are log-concave functions of z.
    boxes
        B boxes.
    nodes : exactly known [B, cells + 1]
        Increasing scales within the boxes.

    Notes
    -----
    With z = log r, the probability is the integral over z of

        G(z) = r f_j(y_j r) prod_{t != j} [F_t(r high_t) - F_t(r low_t)].

    *G is log-concave.* As y_t has one sign on the box, a factor is the integral of f_t(+-e^(z + w)) e^(z + w) over w = log |y_t|
    from log |low| to log |high|. The integrand is log-concave in (z, w), hence so is its integral over w in z, by the theorem of
    Prékopa and Leindler.

    *For normal coordinates it is more.* Let l be the least |y_t| and p the inverse variance. With y^2 = l^2 + e^(2 w) the factor
    is a constant times exp(-p r^2 l^2 / 2) r times the integral of exp(-p e^(2 (z + w)) / 2) e^(2 w) / sqrt(e^(2 w) + l^2), whose
    integrand is log-concave again. So the second derivative of log G is at most -2 r^2 c, with c the sum of p l^2 over all
    coordinates; p = 0 for others.

    *A cell* of length L from a = G(left) to b = G(right): with k = 2 c left^2, log G is at least its chord plus k t (L - t) / 2 at
    the distance t from the left. The integral of the chord's exponential is L (b - a) / (log b - log a), which is at least
    L (a b (a + b) / 2)^(1/3): with a = g e^(-u), b = g e^u that says (sinh u / u)^3 >= cosh u, the inequality of Lazarevic. By
    Jensen's inequality the other term multiplies it by at least exp(k E / 2), with E the mean of t (L - t) in proportion to the
    chord's exponential. With q = log b - log a it is E = L^2 (q coth(q / 2) - 2) / q^2 >= L^2 / (6 + q^2 / 10), by Lambert's
    x coth x = 1 + x^2 / (3 + x^2 / (5 + ...)). With lower bounds of G at the ends as a and b the chord lies lower, and all holds.

    *Cost.* For each node of a box 2 n values of distribution functions and about 30 operations.
    """
    y_low, y_high = boxes.low[:, None, :-1], boxes.high[:, None, :-1]
    r = nodes[..., None]
    own = torch.arange(boxes.n) == boxes.place[:, None, None]
    own = own.to(nodes.device)
    factors = torch.where(own, density(law, r * y_low) * r, distribution(law, r * y_high) - distribution(law, r * y_low))
    G = lower(factors.clamp(min=0).prod(-1))
    a, b = G[:, :-1], G[:, 1:]
    known = (torch.minimum(a, b) > 0) & (nodes[:, 1:] > nodes[:, :-1])
    a, b = torch.where(known, a, 1.0), torch.where(known, b, 1.0)
    length = lower((nodes[:, 1:] / nodes[:, :-1]).log().clamp(min=0))
    least = torch.minimum(boxes.low[:, :-1].abs(), boxes.high[:, :-1].abs())
    k = 2 * (least.square() * _precisions(law, least.device)).sum(1, keepdim=True) * nodes[:, :-1].square()
    q = b.log() - a.log()
    bend = k * length.square() / (12 + q.square() / 5)
    mean = ((a.log() + b.log() + ((a + b) / 2).log()) / 3 + bend).exp()
    return lower(torch.where(known, length * mean, 0.0))


def _precisions(law: Independent, device: torch.device) -> Tensor:
    """The inverse variances of normal coordinates, and 0 for others: real [n]."""
    deviations = [one.deviation if isinstance(one, Normal) else torch.inf for one in law.coordinates]
    return 1 / torch.tensor(deviations, dtype=torch.float64, device=device).square()
