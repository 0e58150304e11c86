"""The circuit certificate for copying chains of any depth.

It has one leak table for each copying layer, and bounds all paths but the explained one by norms, for each two layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.indices import others
from compact_proofs.bounds.norms import longest, norm
from compact_proofs.certified import Certified, Classes
from compact_proofs.core.strategy import Explanation
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_stack import AttentionHead, AttentionStack
from compact_proofs.tasks.induction.circuit import CircuitBounds, gain_and_harm, longest_atom
from compact_proofs.tasks.induction.lemmas import leak
from compact_proofs.tasks.lagged_induction.task import LaggedInduction
from compact_proofs.tasks.model_task import ModelStrategy, ModelTask


@dataclass(frozen=True)
class DeepCircuit(ModelStrategy[AttentionStack]):
    """The circuit certificate for lagged induction with L layers.

    Notation: u_k = W_E[t_k] + W_pos[k] and h^0_k = u_k; layer l writes ``h^l_k = sum_m A^l_k(m) (h^0_m + ... + h^{l-1}_m) V^l``
    with V^l = W_V^l W_O^l. Norms of rows are Euclidean, of matrices Frobenius's.

    * *Reads*: for a matrix X that reads the residual stream, ``|h^0 X| <= b_0(X)``, the largest norm over tokens plus that over
      places, and ``|h^j X| <= b_j(X) = Z_j |W_O^j X|`` for j >= 1, where Z_j = sum_{i < j} b_i(W_V^j) bounds what head j carries.
    * *Leaks*: layer l's scores differ from those of the embeddings alone by at most nu_l = (sum_{j<l} b_j(W_Q^l)) (sum_{j<l}
      b_j(W_K^l)) / sqrt(h), less the product of the two b_0. A shift of every score by at most nu_l multiplies the odds in Lemma L
      by at most e^{2 nu_l}; lam_l is the largest of the shifted `leak`. Place 0 sees only itself.
    * *Copies*: with g^0_k = u_k and g^l_k = g^{l-1}_{max(k-1, 0)} V^l, that is u_{max(k-l, 0)} V^1 ... V^l, the distance
      |(h^l_k - g^l_k) X| is at most ``D_l(X) = 2 lam_l sum_{i<l} b_i(V^l X) + sum_{i<l-1} b_i(V^l X) + D_{l-1}(V^l X)``, D_0 = 0:
      what is read elsewhere, what is read there but was no copy, and the copy's own distance.
    * *Matching*: with Q, K of layer L and M = L - 1, place k scores ``x_q . (u_k + g^M_k) K / sqrt(h)`` up to ``(|x_q| (D_M(K) +
      sum_{0<i<M} b_i(K)) + sum_{i>0} b_i(Q) sum_i b_i(K)) / sqrt(h)``, where x_q = (W_E[q] + W_pos[f]) Q. The copied token is
      t_{k-M}, which is q for the answer's place only, and t_0 for k < M.
    * *Logits* as in `Circuit`, with ``2 sum_{i>0} (b_i(W_U) + b_i(V^L W_U))`` for what the copies write. Then Lemma D.

    Cost: one leak table and one product of each two layers' matrices, O(L n D^2 + L^2 d h^2), though 2^(L-1) paths lead to each
    key.
    """

    name: ClassVar[str] = "deep-circuit"
    summary: ClassVar[str] = "copying chains of any depth: one leak and one distance for each layer"
    task: ClassVar[type[ModelTask]] = LaggedInduction

    def verify(self, model: AttentionStack, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, LaggedInduction)
        cases = math.perm(model.d_vocab - 2, model.n_ctx - 3)
        return Classes(self._certified(model), cases, lambda x: (x[:, -1], task.first_places(x), task.labels(x)))

    def _certified(self, model: AttentionStack) -> Tensor:
        """bool [q, i, a]."""
        slack, valid = deep_bounds(model).log_slack()
        different = ~torch.eye(model.d_vocab, dtype=torch.bool, device=slack.device)
        return provably(slack > 0) & valid & different[:, None]


class Reads:
    """Norm bounds b_j(X) of what each layer's output means to a matrix that reads it; layers are added one by one."""

    def __init__(self, x: Tensor, D: int) -> None:
        self.x, self.D = x, D
        self.carried: list[Tensor] = []
        self.outputs: list[Tensor] = []

    def add(self, head: AttentionHead) -> None:
        """Add a layer: Z_j = sum_{i < j} b_i(W_V^j)."""
        first, *others = self(head.W_V)
        self.carried.append(sum(others, first))
        self.outputs.append(head.W_O)

    def __call__(self, X: Tensor) -> list[Tensor]:
        """b_0(X), b_1(X), ... for the embeddings and the layers so far."""
        written = [Z * norm(W_O @ X) for Z, W_O in zip(self.carried, self.outputs, strict=True)]
        return [longest_atom(self.x @ X, self.D), *written]


def deep_bounds(model: AttentionStack) -> CircuitBounds:
    """Compute the bounds of `DeepCircuit`."""
    D, n, M = model.d_vocab, model.n_ctx, len(model.blocks) - 1
    f, last = n - 1, model.head(M)
    x = torch.cat([model.W_E, model.W_pos])
    zero = torch.zeros((), dtype=torch.float64, device=x.device)
    reads, leaks, copied = Reads(x, D), [], x
    with stage("copying"):
        for layer in range(M):
            head = model.head(layer)
            asks, keys = reads(head.W_Q), reads(head.W_K)
            noise = (sum(asks, zero) * sum(keys, zero) - asks[0] * keys[0]) / head.attn_scale()
            scores = (x @ head.W_Q / head.attn_scale()) @ (x @ head.W_K).mT
            leaks.append(leak(scores, D, 2 * noise).amax())
            copied = (copied @ head.W_V) @ head.W_O
            reads.add(head)
    with stage("distance"):
        distance, X = zero, last.W_K
        for layer in reversed(range(M)):
            X = model.head(layer).W_V @ (model.head(layer).W_O @ X)
            read = reads(X)[: layer + 1]  # b_0 ... b_{l-1} for layer number l = layer + 1
            distance = distance + 2 * leaks[layer] * sum(read, zero) + sum(read[:-1], zero)
        key, query_noise = reads(last.W_K), sum(reads(last.W_Q)[1:], zero)
    with stage("scores"):
        query = (model.W_E + model.W_pos[f]) @ last.W_Q / last.attn_scale()
        TX, TO = query @ (x @ last.W_K).mT, query @ (copied @ last.W_K).mT
        off = longest(query) * (distance + sum(key[1:-1], zero)) + query_noise / last.attn_scale() * sum(key, zero)
        TXt, TXp, TOt, TOp = TX[:, :D], TX[:, D:], TO[:, :D], TO[:, D:]
        other = TOt.gather(1, others(D, device=x.device)).amax(1, keepdim=True)
        match = torch.cat([(TOt.amax(1, keepdim=True) + TOp[:, :1]).expand(D, M), other + TOp[:, : n - M]], 1)  # [q, k]
        own = torch.cat([TXt.amax(1, keepdim=True).expand(D, n - 1), TXt.diagonal()[:, None]], 1)
        found = TOt.diagonal()[:, None] + TOp[:, : n - 1 - M]  # [q, i]
        answer = TXt[:, None] + (TXp[:, M : n - 1] + found)[..., None]
    with stage("logits"):
        W = last.W_O @ model.W_U
        rest = 2 * (sum(reads(model.W_U)[1:], zero) + sum(reads(last.W_V @ W)[1:], zero))
        gain, harm = gain_and_harm((x @ last.W_V) @ W, model.W_E @ model.W_U, model.W_pos[f] @ model.W_U, rest)
    return CircuitBounds(own + TXp + match, answer, 2 * off, gain, harm, lag=M)
