"""The MLP's part of the kink proof: bounds of each cluster's response, and of the network's distance from its ideal neurons.

Nothing here depends on p. Written out as a theorem: for **every** p, every choice of K integers as frequencies, and all
embeddings and unembeddings that differ from the waves with coefficients C and D by at most e_E and e_U, the margins are at least
what `Layer` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.length import stage
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.neuron_order import Layout, padded
from compact_proofs.tasks.modular_addition.response import Cluster, Range


def layer_specs(K: int, d: int, m: int) -> dict[str, Spec]:
    """The hints about the layer.

    cluster
        Of each neuron.
    embedding, unembedding
        C and D: coefficients of cos and sin of each frequency in W_E and W_U.
    reads, read_basis
        ``W_in,i`` is about ``reads_i . read_basis[cluster]``.
    writes, write_basis
        ``W_out,i`` is about ``writes_i . write_basis[cluster]``.
    kink, amplitude
        The ideal neuron reads ``amplitude (-sin kink, cos kink)`` of its frequency.
    """
    return {
        "cluster": Spec((m,), limits=(0, K - 1)),
        "embedding": Spec((K, 2, d)),
        "unembedding": Spec((K, 2, d)),
        "reads": Spec((2, m)),
        "read_basis": Spec((K, 2, d)),
        "writes": Spec((2, m)),
        "write_basis": Spec((K, 2, d)),
        "kink": Spec((m,)),
        "amplitude": Spec((m,)),
    }


class Layer(NamedTuple):
    """What holds for all p: with ``S_k = |sin(pi k e / p)|`` and ``T_k = |sin(pi k e / p) cos(pi k e / p)|``, for all a, b and c
    = a + b + e,

        logit(a + b) - logit(c) >= 2 sum_k ( |cos(pi k (a - b) / p)| (u_k S_k^2 - v_k T_k) - side_k S_k ) - error.

    Attributes
    ----------
    u, v : [K]
        The ideal clusters' `Range`.
    side : [K]
        Errors along each frequency.
    error : []
        The other errors.
    """

    u: Tensor
    v: Tensor
    side: Tensor
    error: Tensor


class Neurons(NamedTuple):
    """The neurons of a network, split into ideal ones and bounded rests.

    Attributes
    ----------
    kappa : [2, m]
        What each neuron reads of its own frequency: ``x^_i`` without its rounding to amplitude and kink.
    gamma : [2, m]
        What it writes to it.
    skip : [2, 2, K]
        What the last position's own path writes of a frequency to itself (`response.Cluster`).
    side, error
        See `Layer`.
    """

    kappa: Tensor
    gamma: Tensor
    skip: Tensor
    side: Tensor
    error: Tensor


def neurons(model: OneLayerMLP, hints: Explanation, layout: Layout, e_E: Tensor, e_U: Tensor) -> Neurons:
    """Split the network into ideal neurons and rests, and bound what the rests do to a margin.

    Let Phi_n be the 2K numbers cos(w n), sin(w n) of all frequencies, |Phi_n| = sqrt(K), and psi_n the two of the neuron's own. All
    matrix norms are Frobenius'. ``W_E[n] = Phi_n C + eps`` with |eps| <= e_E; H = C M with M = W_V W_O / n_ctx (H = C without
    attention).

    **Reading.** ``W_in,i = X_i B + delta_i``, so what Phi H puts into neuron i is ``Phi (H B^T) X_i + Phi H delta_i``. The rows
    of H B^T that belong to its own frequency give kappa_i; the others, off, change x_i by at most ``sqrt(K) (|off| |X_i| + |H|
    |delta_i|)`` for each token. With attention and two positions, b's own path adds ``sqrt(K) (|C B^T| |X_i| + |C| |delta_i|)``;
    the constant part h and the embeddings' rests add ``(|h| + e_A + e_B) (|B| |X_i| + |delta_i|)``, e_A = e_E |M|, e_B = e_A +
    e_E (both e_E without attention; e_B = e_A with an "=" sign); the bias |b_i|; and taking amplitude (-sin kink, cos kink) for
    kappa_i twice their distance. The sum of these is ``rho_i >= |x_i - x^_i|``, and ``0 <= relu(x_i) <= 2 |amplitude_i| + rho_i
    =: h_i``.

    **Writing.** ``W_out,i = Y_i Z + eta_i``, ``W_U[:, c] = D Phi_c + upsilon``, |upsilon| <= e_U. The difference of two Phi is at
    most 2 sqrt(K) long, of two psi 2 S_k. The part of Z D of the own frequency gives gamma_i; the rest changes a margin by at most
    ``2 sqrt(K) h_i (|off| |Y_i| + |D| |eta_i|) + 2 e_U h_i (|Z| |Y_i| + |eta_i|)``. And x_i for x^_i costs ``2 S_k rho_i
    |gamma_i|``.

    **Skip path** (with attention). ``Phi_a H D + Phi_b (H + C) D + (h + b_out) D`` acts on Phi_c - Phi_c*: the blocks of H D from a
    frequency to itself join the response; the others cost ``2 S_k`` times the norm of each 2 x 2 block (|psi| = 1), as do the
    constants; and the rests cost ``2 sqrt(K) (e_A + e_B) |D|`` and ``2 e_U (sqrt(K) (|H| + |H + C|) + |h| + |b_out| + e_A + e_B)``.

    Cost: 12 m d for the weights of the MLP, 4 K d h twice for M (h: width of the heads), and lower terms.
    """
    c = model.config
    attends, two = c.attention == "uniform", c.n_ctx == 2
    device = model.W_E.device
    K, d = hints["embedding"].shape[0], c.d_model
    sqrt_K = torch.sqrt(torch.tensor(float(K), dtype=torch.float64, device=device))
    cluster = hints["cluster"].to(device)
    C, D = hints["embedding"].reshape(-1, d), hints["unembedding"].reshape(-1, d)
    zero = torch.zeros((), dtype=torch.float64, device=device)
    with stage("attention"):
        if attends:
            H = (C @ model.values) @ model.outputs / c.n_ctx
            constant = model.constant_part().squeeze(0)
            e_A = e_E * norm(model.values) * norm(model.outputs) / c.n_ctx
            e_B = e_A + e_E if two else e_A
            h = norm(constant)
        else:
            H, constant, e_A, e_B, h = C, zero, e_E, e_E, zero
    with stage("neurons"):
        X, B, delta = factored(model.W_in.T, hints["reads"], hints["read_basis"], cluster)
        Y, Z, eta = factored(model.W_out, hints["writes"], hints["write_basis"], cluster)
        own_in, off_in = _own(H, hints["read_basis"])  # [K, 2, 2], [K]
        own_out, off_out = _own(D, hints["write_basis"])
        X_size, Y_size = norm(X, 0), norm(Y, 0)
        kappa = (own_in[cluster] * X.T[:, None]).sum(2).T
        gamma = (own_out[cluster] * Y.T[:, None]).sum(2).T
        kink, amplitude = hints["kink"].to(device), hints["amplitude"].to(device)
        ideal = torch.stack([-amplitude * torch.sin(kink), amplitude * torch.cos(kink)])
        C_size, D_size, H_size = norm(C), norm(D), (norm(H) if attends else norm(C))
        W_in_size = B[cluster] * X_size + delta
        W_out_size = Z[cluster] * Y_size + eta
        rho = 2 * (sqrt_K * (off_in[cluster] * X_size + H_size * delta) + norm(kappa - ideal, 0))
        if attends and two:
            rho = rho + sqrt_K * (norm(C @ hints["read_basis"].transpose(1, 2), (1, 2))[cluster] * X_size + C_size * delta)
        rho = rho + (h + e_A + e_B) * W_in_size
        if c.biases:
            rho = rho + model.b_in.abs()
        height = 2 * amplitude.abs() + rho
        side = torch.where(layout.real, (rho * norm(gamma, 0))[layout.place], 0.0).sum(1)
        off = off_out[cluster] * Y_size + D_size * eta
        error = 2 * (height * (sqrt_K * off + e_U * W_out_size)).sum()
    skip = torch.zeros(2, 2, K, dtype=torch.float64, device=device)
    with stage("skip path"):
        if attends:
            blocks = (H @ D.T).reshape(K, 2, K, 2)
            skip = blocks.diagonal(dim1=0, dim2=2)  # [2, 2, K]
            size = norm(blocks, (1, 3))
            other = 2 * size.masked_fill(torch.eye(K, dtype=torch.bool, device=device), 0.0).sum(0)
            side = side + (other + norm((C @ D.T).reshape(K, 2, K, 2), (1, 3)).sum(0) if two else other)
            lengths = sqrt_K * (H_size + (norm(H + C) if two else H_size)) + h + e_A + e_B
            error = error + 2 * (sqrt_K * (e_A + e_B) * D_size + e_U * lengths)
        if c.biases:
            constant = constant + model.b_out
            error = error + 2 * e_U * norm(model.b_out)
        if attends or c.biases:
            side = side + norm((D @ constant).reshape(K, 2), 1)
    return Neurons(kappa, gamma, skip, side, error)


def clusters(found: Neurons, hints: Explanation, layout: Layout) -> Cluster:
    """Order the ideal neurons of each cluster by their kinks. Cost: sorting."""
    device = found.gamma.device
    kink = hints["kink"].to(device)[layout.place]
    kink, ascending = torch.sort(torch.where(layout.real, kink, kink[:, :1]), 1)
    place, real = layout.place.gather(1, ascending), layout.real.gather(1, ascending)
    return Cluster(kink, torch.where(real, hints["amplitude"].to(device)[place], 0.0), found.gamma[:, place], found.skip)


def bound_layer(
    model: OneLayerMLP, hints: Explanation, e_E: Tensor, e_U: Tensor, respond: Callable[[Cluster], Range]
) -> tuple[Layer, Neurons]:
    """Bound the margins of a network for every p (`Layer`); also return its neurons."""
    layout = padded(hints["cluster"], hints["embedding"].shape[0], device=model.W_E.device)
    found = neurons(model, hints, layout, e_E, e_U)
    with stage("response"):
        u, v = respond(clusters(found, hints, layout))
    return Layer(u, v, found.side, found.error), found


def factored(W: Tensor, factors: Tensor, basis: Tensor, cluster: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The factors [2, m], the norm of each basis [K], and what ``factors . basis[cluster]`` leaves of each row of W: norms [m]."""
    factors, basis = factors.to(W.device), basis.to(W.device)
    of = basis[cluster]  # [m, 2, d]
    rest = W - (factors[0][:, None] * of[:, 0] + factors[1][:, None] * of[:, 1])
    return factors, norm(basis, (1, 2)), norm(rest, 1)


def _own(coefficients: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Split ``coefficients basis[k]^T`` [2K, 2] for each k into the rows of frequency k [K, 2, 2] and the norm of the others
    [K]."""
    K, _, d = basis.shape
    product = (coefficients @ basis.reshape(-1, d).T).reshape(K, 2, K, 2)
    own = product.diagonal(dim1=0, dim2=2).permute(2, 0, 1)
    diagonal = torch.eye(K, dtype=torch.bool, device=product.device)[:, None, :, None]
    return own, norm(product.masked_fill(diagonal, 0.0), (0, 1, 3))
