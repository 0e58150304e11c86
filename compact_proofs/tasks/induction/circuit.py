"""Strategy C, the circuit certificate: no table over pairs of tokens and places, for models tuned to be provable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.dominance import harm_ratio
from compact_proofs.bounds.indices import others
from compact_proofs.bounds.mean import moved_mean
from compact_proofs.bounds.norms import longest
from compact_proofs.bounds.ranges import spread
from compact_proofs.certified import Certified, Classes
from compact_proofs.core.strategy import Explanation
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.induction.lemmas import LEAST_RATIO, leak
from compact_proofs.tasks.induction.task import Induction, InductionStrategy


@dataclass(frozen=True)
class CircuitBounds:
    """What the induction circuit does at worst, for every query q, place i and answer a.

    Attributes
    ----------
    key : [q, k]
        Upper bound of the last layer's score of any place k != i + 1 (the share of query composition left out).
    answer : [q, i, a]
        Lower bound of its score of place i + 1.
    composition : []
        Query composition changes differences of scores by at most this.
    gain : [a, b]
        Lower bound of what place i + 1 writes for a against b; not for a = b.
    harm : [t, a, b]
        Upper bound of what a place with token t writes for b against a.
    lag
        The answer's place is i + lag.
    """

    key: Tensor
    answer: Tensor
    composition: Tensor
    gain: Tensor
    harm: Tensor
    lag: int = 1

    def log_slack(self, least_gain: float = 0.0) -> tuple[Tensor, Tensor]:
        """Evaluate Lemma D (`harm_ratio`) with one ratio for each a.

        A case (q, i, a) is right if its log-slack ``answer - log(sum_{k != i+1} e^key_k) - composition - log rho(a)`` is positive
        and a is valid: then sum_{k != c} rho e^{s_k - s_c} < 1.

        Returns
        -------
        slack, valid
            [q, i, a] (of no meaning for q = a), and bool [a].
        """
        D, n = self.key.shape
        keys, tokens = _other_keys(n, self.lag, device=self.key.device), others(D, device=self.key.device)
        every = torch.arange(D, device=self.key.device)
        with stage("ratios"):
            harm = self.harm[tokens[:, :, None], every[:, None, None], tokens[:, None, :]]  # [a, t != a, b != a]
            gain = self.gain[every[:, None], tokens]  # [a, b != a]
            ratio, valid = harm_ratio(harm, gain[:, None], least_gain, LEAST_RATIO)
        with stage("slack"):
            rivals = torch.logsumexp(self.key[:, keys], 2) + self.composition  # [q, i]
            slack = self.answer - rivals[:, :, None] - torch.log(ratio.amax(1))
        return slack, valid.all(1)


@address_table
def _other_keys(n: int, lag: int) -> Tensor:
    """The places other than i + lag, for each i <= n - 2 - lag: int64 [n - 1 - lag, n - 1]."""
    return torch.stack([torch.tensor([k for k in range(n) if k != i + lag]) for i in range(n - 1 - lag)])


@dataclass(frozen=True)
class Circuit(InductionStrategy):
    """Certify whole cases (q, i, a) from the parts of the circuit, each bounded by itself.

    Notation: x(k, t) = W_E[t] + W_pos[k], o(m, t) = x W_V1 W_O1, W = W_V2 W_O2 W_U; A_k(m) and B_k are the attention of layer 1 and
    of the last row of layer 2. As a sum over paths, the last row's score of place k is

        s_k = TX(q; k, t_k) + sum_m A_k(m) TO(q; m, t_m) + phi . (r_k W_K2) / sqrt(h),       phi = sum_m A_f(m) o(m, t_m) W_Q2,

    where r_k = x(k, t_k) + sum_m A_k(m) o(m, t_m), and TX, TO are the products of x(f, q) W_Q2 / sqrt(h) with x(k, t) W_K2 and
    o(m, t) W_K2.

    * *Query composition*: by Cauchy and Schwarz the last term of s_k - s_c is at most 2 max|o W_Q2| (max|x W_K2| + max|o W_K2|) /
      sqrt(h).
    * *Other keys*: t_{k-1} = u is not q (for k != c), so Lemma L bounds the second term by the maximum over u != q of
      TO(q; k-1, u) + lam (max TO - TO(q; k-1, u)). Place f holds q; every other place may hold any token.
    * *The answer's key*: t_c = a and t_i = q are known: Lemma L from below.
    * *Logits*: means over queries and places are folded into one matrix EV[t, b] of what a place with token t writes (attention
      sums to 1), deviations from them and the paths o W_U, o W are bounded by ranges: e[a, b]. Then Lemma D with
      J_b = EV[a, a] - EV[a, b] - e[a, b] and N_b = EV[t, b] - EV[t, a] + e[a, b], the worst over t != a (no other place holds a).

    Cost: O((D + n) d h + (D + n)^2 h + n D^2 + D^3). Made for models without composition through Q, V and the direct path
    (`compact-proofs finetune`); on others it is sound and proves nothing.
    """

    name: ClassVar[str] = "circuit"
    summary: ClassVar[str] = "the induction circuit part by part, for tuned models; O((D + n) d h + n D^2 + D^3)"

    def verify(self, model: AttentionStack, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Induction)
        with stage("slack"):
            cases = certified_cases(model)
            return Classes(cases, task.case_size, lambda x: (x[:, -1], task.places(x), task.labels(x))).counted()

    def unexplained_dimension(self, model: AttentionStack, task: Task) -> int:
        """Every entry of the tables over tokens and places: lam, TX, TO, EV and the direct path."""
        D, n = model.d_vocab, model.n_ctx
        return n * D * D + 2 * D * (D + n) + 2 * D * (D + n)


def certified_cases(model: AttentionStack) -> Tensor:
    """Return bool [q, i, a]: every input of the case is proven right (False for q = a, which is no case)."""
    slack, valid = circuit_bounds(model).log_slack()
    different = ~torch.eye(model.d_vocab, dtype=torch.bool, device=slack.device)
    return provably(slack > 0) & valid & different[:, None]


def circuit_bounds(model: AttentionStack) -> CircuitBounds:
    """Compute the bounds of `Circuit` (its docstring has the proof). Differentiable: the same function trains models."""
    first, second, D = model.head(0), model.head(1), model.d_vocab
    f = model.n_ctx - 1
    x = torch.cat([model.W_E, model.W_pos])  # [D + n, d]
    with stage("layer 1"):
        scores = (x @ first.W_Q / first.attn_scale()) @ (x @ first.W_K).mT
        lam = leak(scores, D)
        value = x @ first.W_V
    with stage("scores"):
        query = (model.W_E + model.W_pos[f]) @ second.W_Q / second.attn_scale()
        x_key, o_key = x @ second.W_K, value @ (first.W_O @ second.W_K)
        TX, TO = query @ x_key.mT, query @ o_key.mT
        key, answer = _key_scores(TX[:, :D], TX[:, D:], TO[:, :D], TO[:, D:], lam)
    with stage("composition"):
        o_query = value @ (first.W_O @ second.W_Q) / second.attn_scale()
        composition = 2 * longest_atom(o_query, D) * (longest_atom(x_key, D) + longest_atom(o_key, D))
    with stage("logits"):
        W = second.W_O @ model.W_U
        rest = _range(value @ (first.W_O @ model.W_U), D) + _range((value @ (first.W_O @ second.W_V)) @ W, D)
        gain, harm = gain_and_harm((x @ second.W_V) @ W, model.W_E @ model.W_U, model.W_pos[f] @ model.W_U, rest)
    return CircuitBounds(key, answer, composition, gain, harm)


def gain_and_harm(xW: Tensor, EU: Tensor, PU: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Bound what a place writes for one token against another, whatever the query, the place and the rest.

    Parameters
    ----------
    xW : [D + n, b]
        Logits that tokens and places write through the last head.
    EU, PU : [D, b], [b]
        Logits of the last place's token and of its place, directly.
    rest : []
        What everything else adds to the difference of two logits, at most.

    Returns
    -------
    gain, harm
        As in `CircuitBounds`. Means over places and queries go into EV, since attention sums to 1; deviations are bounded by their
        largest differences.
    """
    D = len(EU)
    mean_place, mean_query = xW[D:].mean(0), EU.mean(0)
    EV = xW[:D] + (mean_place + PU + mean_query)
    e = _worst_difference(EU - mean_query) + _worst_difference(xW[D:] - mean_place) + rest  # [a, b]
    return EV.diagonal()[:, None] - EV - e, EV[:, None, :] - EV[:, :, None] + e


def _key_scores(TXt: Tensor, TXp: Tensor, TOt: Tensor, TOp: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
    """Bound the scores of the other keys [q, k] and of the answer's key [q, i, a]; parts by token [q, t] and by place [q, k]."""
    D, n = TXp.shape
    top_t, top = TOt.amax(1, keepdim=True), torch.cummax(TOp, 1).values
    most, least = top_t + top, TOt.amin(1, keepdim=True) + torch.cummin(TOp, 1).values  # [q, k]
    before = TOt[:, None, :] + TOp[:, :-1, None]  # [q, k - 1, u]
    same = torch.eye(D, dtype=torch.bool, device=TXt.device)
    worst_own = lam[:-1].amax(1).expand(D, n - 2, D)  # [q, k - 1, u], for k < f
    last_own = lam[-1][:, None, :]  # place f holds q
    mean = moved_mean(before, torch.cat([worst_own, last_own], 1), most[:, 1:, None])
    row = torch.where(same[:, None], -torch.inf, mean).amax(2)  # [q, k - 1]
    own = torch.cat([TXt.amax(1, keepdim=True).expand(D, n - 1), TXt.diagonal()[:, None]], 1)
    key = own + TXp + torch.cat([top_t + TOp[:, :1], row], 1)
    found = TOt.diagonal()[:, None] + TOp[:, : n - 2]  # [q, i]: the value of q at place i
    leak_of = lam[: n - 2].permute(2, 0, 1)  # [q, i, a]: place i + 1 holds a, the place before it q
    answer = TXt[:, None, :] + (TXp[:, 1 : n - 1, None] + moved_mean(found[:, :, None], leak_of, least[:, 1 : n - 1, None]))
    return key, answer


def longest_atom(rows: Tensor, D: int) -> Tensor:
    """Upper bound of the norm of token row + place row."""
    return longest(rows[:D]) + longest(rows[D:])


def _range(rows: Tensor, D: int) -> Tensor:
    """Upper bound of the largest difference of two logits in token row + place row."""
    width = spread(rows)
    return width[:D].amax() + width[D:].amax()


def _worst_difference(rows: Tensor) -> Tensor:
    """max over rows of row[b] - row[a], at [a, b]."""
    return (rows[:, None, :] - rows[:, :, None]).amax(0)
