"""The cluster proof: neurons of one frequency are bounded together, and the main directions that they write are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.indices import by_cluster
from compact_proofs.bounds.norms import sums_of_squares
from compact_proofs.bounds.splitting import along
from compact_proofs.certified import Certified, Counted, whole
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.options import Natural, Positive
from compact_proofs.tasks.modular_addition.folding import Folded, fold
from compact_proofs.tasks.modular_addition.search import explain_clusters
from compact_proofs.tasks.modular_addition.task import AdditiveStrategy
from compact_proofs.tasks.modular_addition.waves import Waves, pairs, unordered_pairs, waves


@dataclass(frozen=True)
class Clusters(AdditiveStrategy):
    """Split what each neuron reads and writes into a part that its frequency explains and a rest that is bounded.

    **Hints.** For each neuron i a frequency k and a wave: ``x^_i(a, b) = u_i(a) + u_i(b)``, ``u_i(n) = z_i . (cos wn, sin wn)``
    with w = 2 pi k / p; for each frequency a matrix V_k of q rows; a number s_i for each neuron. **Identities**, for any hints:
    with G the output weights (their mean over outputs removed, which moves all logits alike), ``x_i`` what the neuron reads, d =
    a - b and s = a + b,

        G_i = (G_i V_k^T) V_k + rest_i
        |x^_i| = 2 |cos(pi k d / p)| |z_i . (cos(pi k s / p), sin(pi k s / p))|
        relu(x_i) G_i = relu(x_i) (G_i V_k^T) V_k + (x_i + |x^_i|) rest_i / 2 + (|x_i| - |x^_i|) rest_i / 2.

    The first term is followed exactly: q numbers for each pair and frequency. The second needs two matrix products and one table of
    p x p numbers for each frequency. The third is an error: as ``||x| - |x^|| <= |x - x^| = |r_i(a) + r'_i(b)|``, the errors of the
    logits of c and of the label c* differ by at most

        1/2 sum_i |r_i(a) + r'_i(b)| |rest_i,c - rest_i,c*| <= 1/2 |(r(a) + r'(b)) / s| |s (rest_c - rest_c*)|     (Cauchy-Schwarz).

    Variants: with ``correct="exact"`` the label's own logit is computed exactly, and only the error of c remains; with
    ``linear="ideal"``, x_i in the second term is replaced by x^_i too, and the error doubles, since ``|relu(x) - relu(x^)| <=
    |r|``; with ``rest="sums"``, ``|r(a) / s| + |r'(b) / s|`` bounds the first norm without a product for every pair, and with
    ``rest="norms"`` so does ``|s rest_c| + |s rest_c*|`` the second.

    Cost: the folding, about p^2 m (q + 4), and p^3 (Kq + K). Where both tokens are treated alike, only pairs a <= b are looked at.
    """

    frequencies: Positive = 6
    """K, the number of clusters."""
    q: Natural = 2
    """Directions that each cluster's output is followed in exactly; 0: none."""
    correct: Literal["bounded", "exact"] = "bounded"
    """The label's logit: bounded like the others, or computed exactly."""
    linear: Literal["exact", "ideal"] = "exact"
    """The linear half of the ReLU: of what the neurons read, or of their ideal waves."""
    rest: Literal["pairs", "sums", "norms"] = "pairs"
    """The norms of what is left: exact for each pair; by the triangle inequality for inputs; or for inputs and outputs."""

    name: ClassVar[str] = "clusters"
    summary: ClassVar[str] = "neurons by frequency, q directions of each cluster exact, the rest by Cauchy-Schwarz: any weights"

    def explain(self, model: OneLayerMLP, task: Task) -> dict[str, Tensor]:
        return explain_clusters(model, self.frequencies, self.q)

    def specs(self, model: OneLayerMLP, task: Task) -> dict[str, Spec]:
        p, m, K = model.p, model.config.d_mlp, self.frequencies
        return {
            "frequencies": Spec((K,), limits=(0, p - 1)),
            "cluster": Spec((m,), limits=(0, K - 1)),
            "wave": Spec((2, m)),
            "directions": Spec((K, self.q, p)),
            "scale": Spec((m,)),
        }

    def verify(self, model: OneLayerMLP, task: Task, explanation: Explanation) -> Certified:
        right, alike = self._proven(model, explanation)
        if not alike:
            return Counted(whole(right.sum()), lambda inputs: right[task.numbers(inputs)])
        a, b, *_, place = unordered_pairs(model.p)
        twice = right & (a < b).to(right.device)
        count = whole(right.sum() + twice.sum())
        return Counted(count, lambda inputs: right[place[task.numbers(inputs)]])

    def unexplained_dimension(self, model: OneLayerMLP, task: Task) -> int:
        """What the waves and the directions leave: two rests of the inputs and one of the outputs."""
        return 3 * model.p * model.config.d_mlp

    def _proven(self, model: OneLayerMLP, explanation: Explanation) -> tuple[Tensor, bool]:
        """Return bool [n]: which pairs are proven right, and whether these are the pairs a <= b or all of them."""
        p, device = model.p, model.W_E.device
        with stage("fold"):
            folded = fold(model)
            folded = folded._replace(G=folded.G - folded.G.mean(1, keepdim=True))
        with stage("waves"):
            table = waves(explanation["frequencies"], p, device)
        neurons, parts = self._parts(folded, table, explanation)
        a, b, total, difference = unordered_pairs(p)[:4] if folded.alike else pairs(p)
        a, b, total = a.to(device), b.to(device), total.to(device)
        with stage("errors"):
            norm = self._input_rest(parts, explanation["scale"][neurons].to(device), a, b)
            factor = 1.0 if self.linear == "ideal" else 0.5
            gap = self._output_rest(parts, explanation["scale"][neurons].to(device))  # [p] or [p, p]
        with stage("logits"):
            logits = self._linear(folded, parts, table, a, b)
            ideal = table.half_cos[:, difference].abs()  # [K, n]
            for k, tabled in enumerate(parts.tables):
                logits = logits + ideal[k][:, None] * tabled[total]
            hidden = None
            if self.q or self.correct == "exact":
                hidden = torch.relu(parts.L[a] + parts.R[b])  # [n, m]
        if self.q:
            assert hidden is not None
            with stage("directions"):
                starts = zip(hidden.split(parts.sizes, 1), parts.coordinates, strict=True)
                followed = torch.cat([h @ c for h, c in starts], 1)  # [n, K q]
                logits = logits + followed @ explanation["directions"].to(device).reshape(-1, p)
        with stage("compare"):
            if self.correct == "exact":
                assert hidden is not None
                own = (hidden * parts.G.T[total]).sum(1) + self._skip(folded, a, b, total)
                above = logits + (factor * norm)[:, None] * gap
            else:
                own = logits.gather(1, total[:, None]).squeeze(1)
                above = logits + (factor * norm)[:, None] * gap[total]
            label = torch.arange(p, device=device) == total[:, None]
            highest = torch.where(label, -torch.inf, above).amax(1)
            return provably(highest < own), folded.alike

    def _parts(self, f: Folded, table: Waves, explanation: Explanation) -> tuple[Tensor, Parts]:
        """Order the neurons by their clusters, and split what they read and write."""
        device = f.G.device
        neurons, sizes = by_cluster(explanation["cluster"], self.frequencies)
        L, G = f.L[:, neurons], f.G[neurons]
        R = L if f.alike else f.R[:, neurons]
        wave = explanation["wave"].to(device)[:, neurons]
        rests, tables, coordinates, output_rests = [], [], [], []
        blocks = zip(G.split(sizes), wave.split(sizes, 1), strict=True)
        for k, (G_k, z) in enumerate(blocks):
            with stage("waves"):
                rests.append(table.cos[k][:, None] * z[0] + table.sin[k][:, None] * z[1])
                half = (table.half_cos[k][:, None] * z[0] + table.half_sin[k][:, None] * z[1]).abs()
            with stage("directions"):
                V = explanation["directions"][k].to(device)
                coordinate, rest = along(G_k, V) if self.q else (G_k @ V.T, G_k)
                coordinates.append(coordinate)
                output_rests.append(rest)
            with stage("tables"):
                tables.append(half @ output_rests[-1])  # [s, c]
        with stage("waves"):
            ideal = torch.cat(rests, 1)
            rest_L = L - ideal
            rest_R = rest_L if f.alike else R - ideal
        rest_G = torch.cat(output_rests)
        return neurons, Parts(L, R, G, wave, sizes, rest_L, rest_R, rest_G, tables, coordinates)

    def _input_rest(self, parts: Parts, scale: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Bound ``|(r(a) + r'(b)) / s|`` for each pair: ``|A|^2 + |B|^2 + 2 A . B``, or ``|A| + |B|``."""
        A = parts.rest_L / scale
        B = A if parts.rest_R is parts.rest_L else parts.rest_R / scale
        squares = A.square().sum(1)
        squares_b = squares if B is A else B.square().sum(1)
        if self.rest != "pairs":
            return squares.sqrt()[a] + squares_b.sqrt()[b]
        inner = (A @ B.T).flatten()[a * len(A) + b]
        return sums_of_squares(squares[a], squares_b[b], inner, 1).sqrt()

    def _output_rest(self, parts: Parts, scale: Tensor) -> Tensor:
        """``|s rest_c|`` [p], or ``|s (rest_c* - rest_c)|`` [p, p] by the label c* and c."""
        scaled = parts.rest_G * scale[:, None]
        squares = scaled.square().sum(0)
        if self.correct == "exact":
            return squares.sqrt()
        if self.rest == "norms":
            return squares.sqrt()[:, None] + squares.sqrt()
        return sums_of_squares(squares[:, None], squares, scaled.T @ scaled, -1).sqrt()

    def _linear(self, f: Folded, parts: Parts, table: Waves, a: Tensor, b: Tensor) -> Tensor:
        """Half of ``x rest`` (or of ``x^ rest``) and the skip path: logits [n, p]."""
        if self.linear == "exact":
            first = parts.L @ parts.rest_G * 0.5
            second = first if f.alike else parts.R @ parts.rest_G * 0.5
        else:
            first = torch.zeros((), dtype=parts.L.dtype, device=parts.L.device)
            blocks = zip(parts.wave.split(parts.sizes, 1), parts.rest_G.split(parts.sizes), strict=True)
            for k, (z, rest) in enumerate(blocks):
                by_wave = z @ rest * 0.5  # [2, p]
                first = first + torch.stack([table.cos[k], table.sin[k]], 1) @ by_wave
            second = first
        first = first if f.S_a is None else first + f.S_a
        second = second if f.S_b is None else second + f.S_b
        return first[a] + second[b]

    def _skip(self, f: Folded, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """What the skip path adds to the logit of c."""
        skip = torch.zeros((), dtype=f.L.dtype, device=f.L.device)
        if f.S_a is not None:
            skip = skip + f.S_a[a, c]
        if f.S_b is not None:
            skip = skip + (f.S_b[b, c] if len(f.S_b) > 1 else f.S_b[0, c])
        return skip


class Parts(NamedTuple):
    """The folded tables with the neurons in the order of their clusters, and their splittings.

    Attributes
    ----------
    L, R : [p, m]
        What the tokens add to the neurons.
    G : [m, p]
        What the neurons write.
    wave : [2, m]
        The ideal neurons.
    sizes
        Neurons of each cluster.
    rest_L, rest_R : [p, m]
        What the ideal waves leave of L and R.
    rest_G : [m, p]
        What the directions leave of G.
    tables : K of [p, p]
        For each cluster, by (a + b) mod p and output: sum over its neurons of ``|x^_i| / (2 |cos(pi k d / p)|)`` times the rest
        of G.
    coordinates : K of [m_k, q]
        What the neurons write in the directions.
    """

    L: Tensor
    R: Tensor
    G: Tensor
    wave: Tensor
    sizes: list[int]
    rest_L: Tensor
    rest_R: Tensor
    rest_G: Tensor
    tables: list[Tensor]
    coordinates: list[Tensor]
