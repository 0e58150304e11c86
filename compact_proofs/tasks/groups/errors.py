"""How far a network is from a symmetric ideal one: bounds that are a term of x plus a term of y.

Let h_i = ReLU(l_i(x) + r_i(y)) be the network's neurons and h^_j = ReLU(u_j) the ideal ones, u_j = alpha(x^-1 b) + beta(y c). A
reading says that neuron i, to the share s, is about ReLU(t u_j), which is |t| h^_j, less |t| u_j if t < 0. So

    f - f^ = sum over readings of s U_i (h_i - ReLU(t u_j))  +  sum_j K_j h^_j  +  sum_j L_j u_j  +  unexplained neurons  +  bias,
    K_j = (sum over the readings of j of s |t| U_i) - v gamma_j,    L_j = (sum over those with t < 0 of s t U_i) - w gamma_j.

Every bound here is of |(f - f^)(xy) - (f - f^)(z)| over all z. What matters of a vector w over outputs is its *spread*,
max_z w_z - min_z w_z, since |w_z - w_z'| is at most that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.enclosure import lower
from compact_proofs.length import stage
from compact_proofs.tasks.groups.circuits import Circuits
from compact_proofs.tasks.groups.separate import Separate


def spread(w: Tensor) -> Tensor:
    """max - min along the last axis."""
    return w.amax(-1) - w.amin(-1)


def norm(x: Tensor, dim: int = 0) -> Tensor:
    """Euclidean norms along an axis."""
    return torch.linalg.vector_norm(x, dim=dim)


def distances(x: Tensor) -> Tensor:
    """||x_z - x_z'|| for all columns z and z' of x [..., p, n]: [..., n, n], from inner products. Cost: 2 p n^2 and less."""
    inner = x.mT @ x
    square = torch.diagonal(inner, dim1=-2, dim2=-1)
    return torch.sqrt(torch.relu(square[..., :, None] + square[..., None, :] - 2 * inner))


def whole_neurons(sides: Tensor, weight: Tensor) -> Tensor:
    """Bound what neurons contribute of which nothing is known: h_i <= ReLU(l_i(x)) + ReLU(r_i(y)), times a spread.

    Parameters
    ----------
    sides : [2, n, k]
        l and r of the neurons.
    weight : [k]
        Spreads of their output weights.

    Returns
    -------
    [2, n]
        Terms of x and of y. Cost: 6 n k.
    """
    return torch.relu(sides) @ weight


def output_differences(output: Tensor, circuits: Circuits) -> Tensor:
    """K and L [2, N, n], from s U_i of every reading [k, n]. Cost: about 4 n operations for each reading and ideal neuron."""
    factors = torch.stack([circuits.factor.abs(), torch.clamp(circuits.factor, max=0.0)])
    summed = _with_zero(factors[:, :, None] * output)[:, circuits.layout.readings].sum(2)
    return torch.stack([summed[0] - circuits.output, summed[1] if circuits.linear is None else summed[1] - circuits.linear])


def _with_zero(x: Tensor) -> Tensor:
    """x [..., k, n] with a row of zeros after the last, where filled up places point."""
    return torch.cat([x, x.new_zeros((*x.shape[:-2], 1, x.shape[-1]))], -2)


@dataclass(frozen=True)
class Split:
    """sum_j K_j h^_j + L_j u_j, split exactly.

    For one circuit with P left and Q right points, h^_bc(x, y) = H[x^-1 b, y c] with the table H_pq = ReLU(alpha_p + beta_q). Split
    H = mean + v_p + v'_q + w_pq with v, v' and the rows and columns of w summing to 0. As x^-1 and y permute the points,

        sum_bc K_bc h^_bc = mean sum_bc K_bc + sum_b K_b. v(x^-1 b) + sum_c K_.c v'(y c) + sum_bc K'_bc w(x^-1 b, y c)

    where K_b. and K_.c are sums over c and b, and K' is K with the means of its rows and columns taken off, which changes
    nothing in the last sum; and sum_bc L_bc u_bc = sum_b L_b. alpha(x^-1 b) + sum_c L_.c beta(y c).
    By Cauchy and Schwarz the difference of the last sum of K between z and z' is at most ||K'_z - K'_z'|| ||w||, for all x and y.

    Attributes
    ----------
    constant : [n]
        The first sums of all circuits.
    left, right : ([2, points, n], [2, points])
        (K_b., L_b.) and (v, alpha); (K_.c, L_.c) and (v', beta).
    kernel : [circuits, P Q, n], size [circuits]
        K' and ||w||, filled up with zeros.
    """

    constant: Tensor
    left: tuple[Tensor, Tensor]
    right: tuple[Tensor, Tensor]
    kernel: Tensor
    size: Tensor


def split(KL: Tensor, circuits: Circuits) -> Split:
    """Split the sums of all circuits. Parameters: KL [2, N, n], K and L. Cost: about 7 N n."""
    at = circuits.layout
    padded, H = _with_zero(KL), torch.relu(circuits.inputs)
    rows, columns, total = padded[:, at.left].sum(2), padded[:, at.right].sum(2), padded[0, at.whole].sum(1)
    tables = torch.cat([H, H.new_zeros(1)])
    mean = tables[at.whole].sum(1) / at.whole_size
    v, v_ = tables[at.left].sum(1) / at.left_size, tables[at.right].sum(1) / at.right_size
    w = H - v[circuits.b] - v_[circuits.c] + mean[at.of_neuron]
    kernel = KL[0] - (rows[0] / at.left_size[:, None])[circuits.b] - (columns[0] / at.right_size[:, None])[circuits.c]
    kernel = kernel + (total / at.whole_size[:, None])[at.of_neuron]
    return Split(
        mean @ total,
        (rows, torch.stack([v - mean[at.of_left], circuits.alpha])),
        (columns, torch.stack([v_ - mean[at.of_right], circuits.beta])),
        _with_zero(kernel)[at.whole],
        norm(torch.cat([w, w.new_zeros(1)])[at.whole], 1),
    )


@dataclass(frozen=True)
class Sums:
    """What readings explain, and the bias, as functions of x and z, of y and z, and of z, which are known, and bounds of the rest.

        (f - f^)(z | x, y) = moved[0, x, z] + moved[1, y, z] + constant[z] + e(z) + e'(z),
        |e(z) - e(z')| <= error[0, x] + error[1, y],       |e'(z) - e'(z')| <= apart[z, z'].

    Attributes
    ----------
    moved : [2, n, n]
    constant : [n]
    error : [2, n]
    apart : [n, n]
    """

    moved: Tensor
    constant: Tensor
    error: Tensor
    apart: Tensor

    def separate(self) -> Separate:
        """A bound of |(f - f^)(xy) - (f - f^)(z)| for all z."""
        with stage("output error"):
            largest = (self.constant[:, None] - self.constant + self.apart).amax()
            return Separate(self.error + spread(self.moved), largest)


def input_errors(sides: Tensor, output: Tensor, circuits: Circuits) -> tuple[Tensor, Tensor]:
    """d and d' [2, n, k] of every reading, and sum spread(s U_i) (|d|, |d'|) [2, n].

    With d(x) = l_i(x) - t alpha(x^-1 b) and d'(y) on the right, h_i - ReLU(t u_j) = g (d + d') for some g in [0, 1], since ReLU is
    monotone and 1-Lipschitz. So between two outputs its sum differs by at most ``sum spread(s U_i) (|d| + |d'|)``.

    Parameters
    ----------
    sides : [2, n, k]
        l and r of every reading's neuron.
    output : [k, n]
        s U_i of every reading.
    """
    with stage("input error"):
        ideal = torch.stack([circuits.left[circuits.b[circuits.ideal]], circuits.right[circuits.c[circuits.ideal]]])
        d = sides - (circuits.factor[:, None] * ideal).mT
        return d, d.abs() @ spread(output)


def explained_sums(sides: Tensor, output: Tensor, bias: Tensor, circuits: Circuits) -> Sums:
    """Split what readings explain, and the bias: all of f - f^ but the unexplained neurons.

    With g = 1/2 + (g - 1/2) in `input_errors`, half of ``sum s U_i (d + d')`` is known, and the rest differs between two outputs by
    at most half of the bound given there. For K and L see `Split`: its constants are added to the bias, where most of a
    one-dimensional representation's cancels, and sums such as sum_b K_b. v(x^-1 b) are computed for every x and z.

    Parameters are those of `input_errors`, and the bias [n]. Cost: O(n^2 (k + N)) for k readings and N ideal neurons.
    """
    d, error = input_errors(sides, output, circuits)
    with stage("input error"):
        moves = d @ output / 2
    with stage("output error"):
        parts = split(output_differences(output, circuits), circuits)
        moved = [
            values[:, image].flatten(0, 1).T @ sums.flatten(0, 1)
            for (sums, values), image in ((parts.left, circuits.left_image), (parts.right, circuits.right_image))
        ]
        apart = (distances(parts.kernel) * parts.size[:, None, None]).sum(0)
        return Sums(moves + torch.stack(moved), bias + parts.constant, error / 2, apart)


def explained_by_norms(sides: Tensor, output: Tensor, bias: Tensor, circuits: Circuits) -> Separate:
    """Bound the same by norms for each circuit (`_by_norms`), and ||K'_z - K'_z'|| by ||K'_z|| + ||K'_z'||.

    Parameters are those of `explained_sums`. Cost: O(n (k + N)).
    """
    _, error = input_errors(sides, output, circuits)
    with stage("output error"):
        parts = split(output_differences(output, circuits), circuits)
        rest = (norm(parts.kernel, 1) * parts.size[:, None]).sum(0)
        for (sums, values), points in ((parts.left, circuits.layout.left_points), (parts.right, circuits.layout.right_points)):
            rest = rest + _by_norms(_with_zero(sums)[:, points], _with_zero(values.T).T[:, points])
        return Separate(error, spread(bias + parts.constant) + 2 * rest.amax())


def _by_norms(sums: Tensor, values: Tensor) -> Tensor:
    """Bound sum_b K_b. v(x^-1 b) + L_b. alpha(x^-1 b) for every z, over all circuits, by norms: [n].

    For any number r of a circuit, the sum is that of (r K_b. + L_b.) alpha and K_b. (v - r alpha), so it is at most
    ||r K + L|| ||alpha|| + ||K|| ||v - r alpha||. The r that makes the last norm least lets what the neurons of one sign lack
    cancel against what those of the other have.

    Parameters
    ----------
    sums : [2, circuits, points, n]
        K_b. and L_b.
    values : [2, circuits, points]
        v and alpha.
    """
    (K, L), (v, alpha) = sums, values
    r = lower((v * alpha).sum(1) / alpha.square().sum(1))
    r = torch.where(r.isfinite(), r, 0.0)[:, None]
    parts = (norm(r[:, :, None] * K + L, 1), norm(alpha, 1)), (norm(K, 1), norm(v - r * alpha, 1))
    return sum(((s * t[:, None]).sum(0) for s, t in parts), torch.zeros_like(K[0, 0]))
