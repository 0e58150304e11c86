"""The kink proof: each frequency's answer is a function of one angle, bounded for all angles from its kinks; for projected
networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compact_proofs.bounds.indices import by_cluster
from compact_proofs.certified import Certified, Classes, Truth, disjoint
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.options import Natural, Positive
from compact_proofs.tasks.modular_addition.brute_force import is_correct
from compact_proofs.tasks.modular_addition.factors import explain_layer
from compact_proofs.tasks.modular_addition.folding import fold, folded_logits
from compact_proofs.tasks.modular_addition.layer import Layer, Neurons, bound_layer, layer_specs
from compact_proofs.tasks.modular_addition.neuron_order import where_true
from compact_proofs.tasks.modular_addition.response import Cluster, Range, kink_range, quadrature_range
from compact_proofs.tasks.modular_addition.task import AdditiveStrategy, ModularAddition
from compact_proofs.tasks.modular_addition.waves import Waves, class_size, multiplicity, pair_class, waves


@dataclass(frozen=True)
class Kinks(AdditiveStrategy):
    """Bound every margin by the class of d = a - b alone, for all angles; classes that fail can be looked at more closely.

    The frequencies' waves with coefficients C and D are compared with W_E and W_U (`wave_rest`), the layer is bounded for every p
    (`layer.bound_layer`), and class d is right if for every e = c - a - b != 0

        2 sum_k ( |cos(pi k d / p)| (u_k S_k^2 - v_k T_k) - side_k S_k ) > error,      S_k = |sin(pi k e / p)|,
                                                                                      T_k = |sin(pi k e / p) cos(pi k e / p)|.

    Both sides are even in d and in e, so d <= p/2 and 1 <= e <= p/2 suffice; the class of d has 2p pairs (p if d = -d).

    A cascade for the classes that fail: with ``fallback="tables"`` the responses are computed at the p angles pi k s / p, and
    every sum s = a + b mod p is looked at alone (about 2 K p^2 operations a class); of the pairs that remain, up to `evaluate`
    are evaluated.

    Cost: 12 m d + 4 p K d + K p^2 and lower terms: linear in the number of weights.
    """

    frequencies: Positive = 8
    """K, the number of frequencies."""
    fallback: Literal["none", "tables"] = "none"
    """What is done about classes of a - b that fail."""
    evaluate: Natural = 0
    """Pairs that are evaluated at most, of those still unproven."""

    name: ClassVar[str] = "kinks"
    summary: ClassVar[str] = "each frequency's answer for all angles, from its kinks: projected networks, linear in the weights"

    def explain(self, model: OneLayerMLP, task: Task) -> dict[str, Tensor]:
        return explain_layer(model, self.frequencies)

    def specs(self, model: OneLayerMLP, task: Task) -> dict[str, Spec]:
        K, c = self.frequencies, model.config
        return {"frequencies": Spec((K,), limits=(0, model.p - 1))} | layer_specs(K, c.d_model, c.d_mlp)

    def respond(self, cluster: Cluster) -> Range:
        """Bound the responses of the clusters."""
        return kink_range(cluster)

    def verify(self, model: OneLayerMLP, task: Task, explanation: Explanation) -> Certified:
        classes, right, more = self._proven(model, explanation)
        p, device = model.p, classes.device
        parts: list[Certified] = []
        if right is None:
            parts.append(Classes(classes, class_size(p, device=device), lambda x: (pair_class(p)[0][task.numbers(x)],)))
        else:
            number = multiplicity(p, device=device)
            parts.append(Classes(right, number, lambda x: tuple(t[task.numbers(x)] for t in pair_class(p))))
        if more is not None:
            parts.append(Truth(more.reshape(p, p)))
        return disjoint(parts)

    def unexplained_dimension(self, model: OneLayerMLP, task: Task) -> int:
        """Numbers that are bounded by norms: the rests of the four weight matrices."""
        c = model.config
        return 2 * c.d_model * (model.p + c.d_mlp)

    def _proven(self, model: OneLayerMLP, explanation: Explanation) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return which |a - b| are proven right, bool [p // 2 + 1].

        Then, if the cascade goes that far, which (|a - b|, a + b) are, bool [p // 2 + 1, p], and further pairs, bool [p^2].
        """
        p, device = model.p, model.W_E.device
        with stage("waves"):
            table = waves(explanation["frequencies"], p, device)
        with stage("embeddings"):
            e_E = wave_rest(model.W_E[:p], table, explanation["embedding"].to(device))
            e_U = wave_rest(model.W_U.T, table, explanation["unembedding"].to(device))
        layer, found = bound_layer(model, explanation, e_E, e_U, self.respond)
        with stage("margins"):
            classes = certain_classes(layer, table)  # [p // 2 + 1]
        right = more = None
        failing = where_true(~classes)
        if self.fallback == "tables" and len(failing):
            with stage("tables"):
                right = classes[:, None].repeat(1, p)
                right[failing] = certain_sums(layer, found, table, explanation["cluster"], failing)
        if self.evaluate and len(failing):
            with stage("evaluation"):
                d, s = pair_class(p, device=device)
                left = where_true(~(classes[d] if right is None else right[d, s]))[: self.evaluate]
                more = torch.zeros(p * p, dtype=torch.bool, device=device)
                more[left] = evaluated(model, left)
        return classes, right, more


@dataclass(frozen=True)
class Quadrature(Kinks):
    """The published account as a proof: the same bounds, the clusters' answers as integrals by rectangles (`quadrature_range`).

    The error of the rule is about as large as the integral or larger on trained networks, projected ones included, so it proves
    nothing, and stands here to say so.
    """

    name: ClassVar[str] = "quadrature"
    summary: ClassVar[str] = "the published account: each frequency's answer as an integral by rectangles; vacuous"

    def respond(self, cluster: Cluster) -> Range:
        return quadrature_range(cluster)


def wave_rest(W: Tensor, table: Waves, coefficients: Tensor) -> Tensor:
    """Bound the norms of the rows of ``W - sum_k cos(w_k n) C_k,0 + sin(w_k n) C_k,1``, W [p, d], C [K, 2, d]: their maximum.

    Rows n and p - n share their products, as cos(w (p - n)) = cos(w n) and sin(w (p - n)) = -sin(w n): 2 p K d + 3 p d operations.
    """
    p = len(W)
    half = p // 2 + 1
    even, odd = table.cos[:, :half].T @ coefficients[:, 0], table.sin[:, :half].T @ coefficients[:, 1]  # [half, d]
    mirrored = (even - odd)[1 : p - half + 1].flip(0)
    rest = W - torch.cat([even + odd, mirrored])
    return rest.square().sum(1).amax().sqrt()


def margin_bounds(layer: Layer, table: Waves) -> Tensor:
    """Half of the layer's lower bounds of the margins: [p // 2 + 1, p // 2], by |a - b| and by e = 1, 2, ...

    About 4 K (p / 2)^2 operations.
    """
    half = table.cos.shape[1] // 2 + 1
    cosine = table.half_cos[:, :half].abs()
    S = table.half_sin[:, 1:half].abs()
    T = S * table.half_cos[:, 1:half].abs()
    strength = torch.cat([cosine * layer.u[:, None], -cosine * layer.v[:, None]])  # [2K, d]
    return strength.T @ torch.cat([S.square(), T]) - (layer.side @ S + layer.error / 2)


def certain_classes(layer: Layer, table: Waves) -> Tensor:
    """Return bool [p // 2 + 1]: for which |a - b| is every margin provably positive?"""
    return provably((margin_bounds(layer, table) > 0).all(1))


def certain_sums(layer: Layer, found: Neurons, table: Waves, cluster: Tensor, classes: Tensor) -> Tensor:
    """Return bool [n, p]: for n classes |a - b| and every a + b mod p, is every margin provably positive?

    At the angle t = pi k s / p the answer of a cluster is ``|cos(w d / 2)|`` times ``A(s) +- B(s)``, A from the absolute values
    of what its neurons read (kappa . (cos t, sin t)) and B from the values themselves and the skip path, A and B turned by
    e^(-2it). With the worse sign, frequency k adds ``|cos(w d / 2)| (2 (Re A - |Re B|) S^2 - 2 Im A sin cos(pi k e / p) - 2 |Im
    B| T)``.
    """
    K, p = table.cos.shape
    device = table.cos.device
    angles = torch.stack([table.half_cos, table.half_sin])  # [2, K, p]
    even, odd = [], []
    order, sizes = by_cluster(cluster, K)
    for k, own in enumerate(order.to(device).split(sizes)):
        read = angles[:, k].T @ found.kappa[:, own]  # [p, m_k]
        even.append(read.abs() @ found.gamma[:, own].T)  # [p, 2]
        odd.append(read @ found.gamma[:, own].T + 2 * (angles[:, k].T @ found.skip[:, :, k]))
    turn_cos, turn_sin = table.cos, table.sin
    A, B = torch.stack(even).permute(2, 0, 1), torch.stack(odd).permute(2, 0, 1)  # [2, K, p]
    (A_re, A_im), (B_re, B_im) = ((z[0] * turn_cos + z[1] * turn_sin, z[1] * turn_cos - z[0] * turn_sin) for z in (A, B))
    S, product = table.half_sin[:, 1:].abs(), table.half_sin[:, 1:] * table.half_cos[:, 1:]
    by_sum = (
        (A_re - B_re.abs())[:, :, None] * S.square()[:, None]
        - A_im[:, :, None] * product[:, None]
        - B_im.abs()[:, :, None] * product.abs()[:, None]
    )  # [K, s, e]
    cosine = table.half_cos[:, classes].abs()  # [K, n]
    margins = (cosine.T @ by_sum.reshape(K, -1)).reshape(len(classes), p, p - 1)
    return provably((margins > layer.side @ S + layer.error / 2).all(2))


def evaluated(model: OneLayerMLP, pairs: Tensor) -> Tensor:
    """Evaluate pairs by their numbers: through folded tables, if there are any and more than p pairs make them pay; bool [n]."""
    p = model.p
    inputs = torch.stack([pairs // p, pairs % p], -1)
    folds = model.config.attention != "learned" and len(pairs) > p
    logits = folded_logits(fold(model), inputs) if folds else model(inputs)
    return is_correct(logits, ModularAddition(p).labels(inputs))
