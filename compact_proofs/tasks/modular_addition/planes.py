"""The plane proof: neurons that read a plane of the residual stream answer as a function of one angle, whatever attention does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.indices import by_cluster
from compact_proofs.bounds.norms import longest, norm
from compact_proofs.certified import Certified, Truth
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import pi, provably
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.options import Natural, Positive
from compact_proofs.tasks.modular_addition.kinks import evaluated
from compact_proofs.tasks.modular_addition.layer import factored
from compact_proofs.tasks.modular_addition.neuron_order import where_true
from compact_proofs.tasks.modular_addition.planar import plane_hints
from compact_proofs.tasks.modular_addition.reading import longest_stream, reader
from compact_proofs.tasks.modular_addition.task import ModularAdditionStrategy
from compact_proofs.tasks.modular_addition.waves import pairs

WIDER = 1.01
"""By how much the arcs overlap: a pair near the border of two is in both."""
ROWS = 4096
"""Pairs looked at at once."""


@dataclass(frozen=True)
class Planes(ModularAdditionStrategy):
    """Look up which neurons of a plane are active by the angle at which a pair stands in it; for planar networks of any attention.

    **Hints.** A cluster k for each neuron i; bases P_k and Z_k [2, d], and numbers X_i and Y_i [2], for what clusters read and
    write; for each pair and cluster one of N arcs of the circle.

    **Theorem**, for any hints. Let z be the residual stream of a pair, f = P_k z, u the unit vector in the middle of its arc, u'
    the one at a right angle to it, and A = f . u, B = f . u'. Let s_i be 0 or 1, whether u . X_i > 0 is proven. If |B| <= slack A,
    then ``f . X_i = A u . X_i + B u' . X_i``, and as ``relu(t) = s t + relu((1 - 2 s) t)`` for either s,

        sum_i relu(f . X_i) Y_i = f . M + e,    M = sum_i s_i X_i Y_i^T,    |e| <= A E,
        E = sum_i |Y_i| relu(slack |u' . X_i| - (2 s_i - 1) u . X_i):

    M and E are tables of K N rows. Only neurons whose kink lies in the arc have a part in E, as much as an N-th of all neurons, and
    their own answers are small there. A logit is what K such plane answers write through ``Z_k W_U``, and the direct path. What the
    hints leave of the weights is bounded for all pairs at once (`_rests`).

    Where attention is uniform or there is none, and the embeddings are waves, a pair's angle and length follow from a + b and a - b
    (`kinks.Kinks`); here they are computed, so that attention may be learned, and the plane need not hold a wave.

    Cost: the attention; 8 m d and about 20 N m; for each pair 6 K for each head whose attention is learned, 22 K, and (4 K + 3) p
    with the direct path's 3 p for each such head.
    """

    planes: Positive = 8
    """K, the number of clusters."""
    angles: Positive = 64
    """N, how many arcs each plane is divided into; at least 3."""
    evaluate: Natural = 0
    """Pairs that are evaluated at most, of those still unproven."""

    name: ClassVar[str] = "planes"
    summary: ClassVar[str] = (
        "ours: neurons that read a plane answer by one angle, looked up for each pair: planar networks, any attention"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.angles < 3:
            raise BadInput(f"angles = {self.angles}: an arc is less than half of the circle, so there are at least 3")

    def explain(self, model: OneLayerMLP, task: Task) -> dict[str, Tensor]:
        return plane_hints(model, self.planes, self.angles)

    def specs(self, model: OneLayerMLP, task: Task) -> dict[str, Spec]:
        K, d, m = self.planes, model.config.d_model, model.config.d_mlp
        return {
            "cluster": Spec((m,), limits=(0, K - 1)),
            "read_basis": Spec((K, 2, d)),
            "reads": Spec((2, m)),
            "write_basis": Spec((K, 2, d)),
            "writes": Spec((2, m)),
            "arc": Spec((model.p**2, K), limits=(0, self.angles - 1)),
        }

    def verify(self, model: OneLayerMLP, task: Task, explanation: Explanation) -> Certified:
        p, device = model.p, model.W_E.device
        with stage("fold"):
            read = reader(model)
            planes = read(explanation["read_basis"].to(device).flatten(0, 1).T)
            past = None if model.config.attention == "none" else read(model.W_U)
        written = _written(model, explanation)
        arcs = self._arcs(explanation, written.reach)
        a, b, total = (t.to(device) for t in pairs(p)[:3])
        right = []
        for start in range(0, p * p, ROWS):
            rows = slice(start, start + ROWS)
            answer, error, within = arcs.answers(planes.at(a[rows], b[rows]), explanation["arc"][rows].to(device))
            with stage("logits"):
                logits = answer @ written.logits
                if past is not None:
                    logits = logits + past.at(a[rows], b[rows])
                if model.config.biases:
                    logits = logits + written.constant
            with stage("compare"):
                label = total[rows, None]
                own = logits.gather(1, label).squeeze(1)
                others = torch.where(torch.arange(p, device=device) == label, -torch.inf, logits).amax(1)
                right.append(within & provably(others + (error + written.rest) < own))
        found = torch.cat(right)
        if self.evaluate:
            with stage("evaluation"):
                left = where_true(~found)[: self.evaluate]
                found[left] = evaluated(model, left)
        return Truth(found.reshape(p, p))

    def unexplained_dimension(self, model: OneLayerMLP, task: Task) -> int:
        """Numbers that are bounded by norms: the rests of W_in and W_out."""
        return 2 * model.config.d_model * model.config.d_mlp

    def _arcs(self, hints: Explanation, reach: Tensor) -> Arcs:
        """Make the tables. Cost: about 20 N for each neuron."""
        N, device = self.angles, reach.device
        slack = WIDER * math.tan(math.pi / N)
        order, sizes = by_cluster(hints["cluster"], self.planes)
        with stage("arcs"):
            angle = torch.arange(N, dtype=torch.float64, device=device) * (2 * pi(device) / N)
            middle = torch.stack([torch.cos(angle), torch.sin(angle)], 1)  # [N, 2]
            across = torch.stack([-middle[:, 1], middle[:, 0]], 1)
            tables, errors = [], []
            for own in order.to(device).split(sizes):
                X, Y = (hints[name].to(device)[:, own] for name in ("reads", "writes"))
                ahead, aside = middle @ X, across @ X  # [N, m_k]
                active = provably(ahead > 0)
                wrong = torch.relu(slack * aside.abs() - torch.where(active, ahead, -ahead))
                products = (X[:, None] * Y).flatten(0, 1)  # [4, m_k]
                tables.append((active.to(torch.float64) @ products.T).reshape(N, 2, 2))
                errors.append(wrong @ norm(Y, 0))
            return Arcs(slack, middle, torch.stack(tables), torch.stack(errors) * (2 * reach[:, None]))


class Arcs(NamedTuple):
    """What neurons of a plane answer on each arc.

    Attributes
    ----------
    slack
        How wide arcs are: ``|B| <= slack A``.
    middle : [N, 2]
        Unit vectors u.
    tables : [K, N, 2, 2]
        M.
    errors : [K, N]
        What E can do to the difference of two logits, for each unit of A.
    """

    slack: float
    middle: Tensor
    tables: Tensor
    errors: Tensor

    def answers(self, read: Tensor, arc: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From f of pairs [n, 2 K] and their arcs [n, K]: f . M [n, 2 K], the error [n] of differences of logits, and whether every
        arc holds its f [n]. Cost: 18 for each pair and cluster."""
        K = len(self.tables)
        cluster = torch.arange(K, device=arc.device)
        f, u = read.reshape(-1, K, 2), self.middle[arc]  # [n, K, 2]
        with stage("arcs"):
            A = f[..., 0] * u[..., 0] + f[..., 1] * u[..., 1]
            B = f[..., 1] * u[..., 0] - f[..., 0] * u[..., 1]
            within = provably(B.abs() <= self.slack * A).all(1)
            M = self.tables[cluster, arc]  # [n, K, 2, 2]
            answer = f[..., :1] * M[..., 0, :] + f[..., 1:] * M[..., 1, :]
            return answer.flatten(1), (A * self.errors[cluster, arc]).sum(1), within


class Written(NamedTuple):
    """What the planes' answers write.

    Attributes
    ----------
    logits : [2 K, p]
        ``Z_k W_U``.
    reach : [K]
        Norms: an answer that is v away moves a logit by at most ``reach_k |v|``, and the difference of two by twice that.
    constant : [p] or []
        The biases' part of the logits.
    rest : []
        What the planes leave of all weights changes the difference of two logits by at most this, whatever the pair.
    """

    logits: Tensor
    reach: Tensor
    constant: Tensor
    rest: Tensor


def _written(model: OneLayerMLP, hints: Explanation) -> Written:
    """Bound the rests. With ``W_in,i = X_i P + delta_i`` and ``W_out,i = Y_i Z + eta_i``, neuron i reads ``f . X_i`` but for up to
    ``r_i = |z| |delta_i| + |b_i|``, which changes its activation by at most as much; this is at most ``h_i = |z| |P| |X_i| + r_i``,
    and writes ``Y_i Z`` but for ``eta_i``. So logit c is off by at most ``sum_i r_i |Y_i| reach_k + h_i |eta_i| |W_U,c|``.

    Cost: 10 d for each neuron, and 4 d p for each cluster.
    """
    device, cluster = model.W_E.device, hints["cluster"].to(model.W_E.device)
    with stage("neurons"):
        X, P, delta = factored(model.W_in.T, hints["reads"], hints["read_basis"], cluster)
        Y, _, eta = factored(model.W_out, hints["writes"], hints["write_basis"], cluster)
        logits = hints["write_basis"].to(device) @ model.W_U  # [K, 2, p]
        reach = norm(logits, 1).amax(1)
        z = longest_stream(model)
        moved = z * delta
        constant = torch.zeros((), dtype=torch.float64, device=device)
        if model.config.biases:
            moved, constant = moved + model.b_in.abs(), model.b_out @ model.W_U
        height = z * (P[cluster] * norm(X, 0)) + moved
        rest = (moved * norm(Y, 0) * reach[cluster]).sum() + (height * eta).sum() * longest(model.W_U.T)
        return Written(logits.flatten(0, 1), reach, constant, 2 * rest)
