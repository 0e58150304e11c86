"""Strategy X, for long sequences and any two-layer model: expected exponentials of gaps, in place of their worst cases."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.mean import ratio_at_least
from compact_proofs.certified import Certified
from compact_proofs.certified.integers import lower_bounds
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import possibly, provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import address_table, charge_integers, stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.models.weights import in_double
from compact_proofs.progress import track
from compact_proofs.shards import each
from compact_proofs.tasks.induction.cases import answers, free_places
from compact_proofs.tasks.induction.hints import Hints, Search
from compact_proofs.tasks.induction.leads import Cases, Place
from compact_proofs.tasks.induction.paths import path_tables
from compact_proofs.tasks.induction.rows import Rows
from compact_proofs.tasks.induction.task import Induction, InductionStrategy

STEEPEST = 50.0
"""Hinted logarithms beyond it count as it."""
STEEPNESSES = (1.5, 2.0, 3.0)
"""Those that are tried, in units of one over the mean of a row's weights."""
LEAST_SHARE = 1e-6
"""Of a key, in the search."""


@dataclass(frozen=True)
class FarKeys(Certified):
    """The inputs on which every key is far enough; counted case by case, from below, by how many others there can be.

    Attributes
    ----------
    task, gaps
        The task, and its bounds.
    shares : [n - 2, D, n]
        As in the explanation.
    right : list of int
        How many inputs of each case (i, row) are counted, place after place.
    """

    task: Induction
    gaps: Gaps
    shares: Tensor
    right: list[int]

    @property
    def size(self) -> int:
        return sum(self.right)

    @property
    def exact(self) -> bool:
        return False

    def member(self, inputs: Tensor) -> Tensor:
        return self._all(inputs, provably)

    def excludes(self, inputs: Tensor) -> Tensor:
        return ~self._all(inputs, possibly)

    def _all(self, inputs: Tensor, decide: Callable[[Tensor], Tensor]) -> Tensor:
        """bool [N]: is every key far enough, by some bounds?"""
        found = torch.zeros(len(inputs), dtype=torch.bool)
        at = self.task.places(inputs)
        for i in at.unique().tolist():
            some = (at == i).nonzero()[:, 0]
            q, a = inputs[some, -1], inputs[some, i + 1]
            far = self.gaps.valid[i, q, a - (a > q).to(torch.int64)]
            for k in range(self.task.n_ctx):
                if k != i + 1:
                    far = far & decide(self.gaps.ahead(i, k, inputs[some], self.shares) > 0)
            found[some] = far
        return found


@dataclass(frozen=True)
class Chernoff(InductionStrategy):
    """Count the inputs of each case on which some key may come too near, by the expected exponential of its gap.

    With w_alpha the weights of the last row of layer 1, its atoms alpha = (m, t_m), and F a lower bound of what each atom adds,
    s_c - s_k >= sum_alpha w_alpha F(alpha) / sum_alpha w_alpha. By Lemma D an input is right if s_c - s_k > g_k for every key
    k != c, where g_k = log rho_k - log beta_k and the shares beta_k add up to 1. If s_c - s_k <= g_k, then for every l > 0 ::

        1  <=  exp(-l sum_alpha w_alpha (F(alpha) - g_k))  =  prod_alpha exp(-l w_alpha (F(alpha) - g_k)),

    so that the sum of the right side over a case's inputs is at least the number of inputs on which key k is too near (Markov, with
    Chernoff's exponential), and the denominator does no harm. Given the tokens u, v of places k - 1 and k, the product has one
    factor for each other free place, and its sum over tokens that differ is at most the product of sums over tokens other than
    q, a, u, v. Summed over keys, that is how many inputs of the case may be wrong.

    F(alpha) = C(q, i, a) + c(alpha; q, i, a) - X_k(q, u, v) - r_k(alpha; u, v): `Rows.answer` and `Rows.other`, and what query
    parts add (`_composed`), each at the worst over what layer 1 copies from elsewhere. Since rho_k(v) is bounded by a number of the
    case times one of (q, k, v), each factor is one of (i, a; alpha) times one of (k, u, v; alpha), and its sum over tokens is a
    product of matrices. For the last key, r_f(alpha) bounds the mean of TO(q; beta) + OO(alpha; beta) over the row itself: OO is a
    sum of a number of alpha, one of beta, and the rest; the first two are taken exactly, the rest at its largest mean.

    Worst cases over all tokens of a long sequence hardly ever occur, and are what `Pairs` loses; their mean does not.

    Explanation: log l for each query, log-shares for each (i, q, k), and ratios for Lemma R: any numbers will do.

    Cost: 2 (n - 5) D for each (q, i, a, k, u, v), n^3 D^5 in all, as products of matrices; 3 n^3 D^4 / 2 for `_composed`.
    """

    name: ClassVar[str] = "chernoff"
    summary: ClassVar[str] = "any two-layer model, long sequences: expected exponentials of gaps, no worst tokens; O(n^3 D^5)"

    def search_operations(self, model: AttentionStack, task: Task, length: int) -> int:
        """A part of the proof for each steepness that is tried, and the proof; Newton's method for ratios, measured."""
        return 3 * length

    def specs(self, model: AttentionStack, task: Task) -> dict[str, Spec]:
        D, n = model.d_vocab, model.n_ctx
        ratios = (n - 2, D * (D - 1), D - 1)
        return {
            "steepness": Spec((D,)),
            "shares": Spec((n - 2, D, n)),
            "last": Spec((D, n, D)),
            "direct": Spec(ratios),
            "last_harm": Spec(ratios),
        }

    def explain(self, model: AttentionStack, task: Task) -> dict[str, Tensor]:
        """Iterate ratios to their fixed points, try some steepnesses on few places, and share out among keys by what each costs."""
        assert isinstance(task, Induction)
        hints = Search(self.specs(model, task))
        with torch.no_grad():
            gaps = Gaps(in_double(model), hints)
            D, n = gaps.t.sizes
            few = sorted({0, (n - 2) // 2, n - 3})
            for q in track(range(D), "queries"):
                scale = float(gaps.t.weight[-1][q].mean(1).sum())
                tried = [math.log(x / scale) for x in STEEPNESSES]
                equal = torch.zeros(n - 2, n, dtype=torch.float64)
                lost = [
                    float((gaps.failing(q, torch.tensor(x).double(), equal, few).sum(0) / task.case_size).clamp(max=1).mean())
                    for x in tried
                ]
                best = min(range(len(tried)), key=lost.__getitem__)
                hints.values["steepness"][q] = tried[best]
                costs = gaps.failing(q, hints.values["steepness"][q], equal, list(range(n - 2))) / task.case_size  # [k, i, a]
                mean = costs.nan_to_num(1.0, 1.0).clamp(LEAST_SHARE, 1e3).mean(2).T  # [i, k]
                hints.values["shares"][:, q] = torch.log(mean) / (1 + STEEPNESSES[best])
        return {name: values.nan_to_num(0.0, 0.0, 0.0) for name, values in hints.values.items()}

    def verify(self, model: AttentionStack, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Induction)
        device = model.W_E.device
        hints = Hints(explanation, device)
        gaps = Gaps(model, hints)
        D, n = gaps.t.sizes
        steepness, shares, every = hints.values["steepness"], hints.values["shares"], list(range(n - 2))

        def failing(q: int) -> Tensor:
            return gaps.failing(q, steepness[q], shares[:, q], every).sum(0)

        def possible(q: int, found: Tensor) -> bool:
            return isinstance(found, Tensor) and found.shape == (n - 2, D - 1)

        _ = gaps.keys, gaps.scores, gaps.answered  # which all queries read
        number = torch.stack(list(each(failing, list(range(D)), "queries", possible)), 1)  # [i, q, a]
        with stage("counting"):
            number = torch.where(gaps.valid, number, torch.inf)
            charge_integers(3 * gaps.valid.numel())
            most = [] if number.is_meta else [-x for x in lower_bounds(-number).flatten().tolist()]
        size = task.case_size
        right = [size - math.floor(max(x, 0.0)) if x < size else 0 for x in most]
        return FarKeys(task, gaps, shares, right)

    def unexplained_dimension(self, model: AttentionStack, task: Task) -> int:
        """A number for every case, key and two tokens."""
        D, n = model.d_vocab, model.n_ctx
        return (n - 2) * (n - 1) * D**4


class Gaps:
    """What bounds the gaps of all cases; see `Chernoff`.

    Parameters
    ----------
    model
        The model.
    hints
        As they stand in the explanation, or a search for them.
    """

    def __init__(self, model: AttentionStack, hints: Hints) -> None:
        self.t = path_tables(model)
        self.rows = Rows(self.t)
        D, n = self.t.sizes
        self.cases = answers(D, device=model.W_E.device)
        self.places = [Place.of(self.rows, i, None) for i in range(n - 2)]
        ratios, valid = zip(*(Cases(place, self.cases, slice(None), hints).ratios() for place in self.places), strict=True)
        self.valid = torch.stack(valid).reshape(n - 2, D, D - 1)
        with stage("harms"):
            self.harms = [{k: torch.log(r).reshape(D, D - 1, -1) for k, r in of.items()} for of in ratios]  # [q, a, v] or [q, a, 1]
        with stage("composition"):
            self.last = self._last_key(hints)

    @cached_property
    def keys(self) -> list[Tensor]:
        """r_k: upper bounds of a key's score for each query part, [m, s, u, v] for k < f (u has one entry for k = 0)."""
        _, n = self.t.sizes
        with stage("composition"):
            return [self.t.OX[:, :, k, None] - self._composed(k, -self.t.OO) for k in range(n - 1)]

    @cached_property
    def scores(self) -> dict[int, Tensor]:
        """X_k: upper bounds of a key's score for the query x(f, q), wherever the query's token came first: [q, u, v] for k < f."""
        keys = {k for place in self.places for k in place.others}
        with stage("rows"):
            return {k: torch.stack([p.others[k] for p in self.places if k in p.others]).amax(0) for k in sorted(keys)}

    @cached_property
    def answered(self) -> list[Tensor]:
        """c: lower bounds of the answer's key's score for each query part, [m, s, q, a] for each place i."""
        _, n = self.t.sizes
        with stage("composition"):
            return [self.t.OX[:, :, i + 1, None] + self._composed(i + 1, self.t.OO) for i in range(n - 2)]

    def _composed(self, k: int, F: Tensor) -> Tensor:
        """Lower bound of the mean under layer 1's row (k, v) of F[m, s, place, token], u being at k - 1: [m, s, u, v].

        Lemma R at what stands at the place before, exact as far as that gets all attention. Cost: 3 for each earlier token.
        """
        if k == 0:
            return F[:, :, 0, None]
        D, _ = self.t.sizes
        every = torch.arange(D, device=F.device)
        weight, hint = self.t.weight[k], F[:, :, k - 1, :, None]
        own = weight[every, k, every]
        sigma = own * (F[:, :, k, None] - hint)
        low = high = own + weight[:, k - 1].mT
        for place in range(k - 1):
            w = weight[:, place]  # [v, t]
            parts = zip(F[:, :, place, None, None], hint[..., None], strict=True)  # one place of the query part after another
            sigma = sigma + torch.stack([(w * (there - before)).amin(-1) for there, before in parts])
            low, high = low + w.amin(1), high + w.amax(1)
        return ratio_at_least(hint, sigma, low, high)

    def _last_key(self, hints: Hints) -> Tensor:
        """r_f: upper bounds of the last key's score for each query part, without TX: [q, m, s].

        Cost: 3 for each query and two atoms.
        """
        t = self.t
        D, n = t.sizes
        f = n - 1
        by_part, by_key = t.OO.mean((2, 3)), t.OO.mean((0, 1)) - t.OO.mean()  # [m, s], [k, t]
        rest = t.OO - by_part[..., None, None] - by_key
        found = []
        for q in range(D):
            weight = t.weight[-1][q]  # [m, t]
            low = weight[:f].amin(1).sum() + weight[f, q]
            high = weight[:f].amax(1).sum() + weight[f, q]

            def at_least(hint: Tensor, weight: Tensor = weight, low: Tensor = low, high: Tensor = high, q: int = q) -> Tensor:
                """Of minus the rest."""
                terms = weight * (-rest - hint[..., None, None])  # [m, s, place, t]
                return ratio_at_least(hint, terms[..., :f, :].amin(-1).sum(-1) + terms[..., f, q], low, high)

            found.append(-hints.one("last", (q,), (n, D), at_least))
        own = t.OX[:, :, f].movedim(2, 0)  # [q, m, s]
        return own + t.TO + by_part + by_key + torch.stack(found)

    def failing(self, q: int, steepness: Tensor, shares: Tensor, places: list[int]) -> Tensor:
        """Bound from above the number of each case's inputs on which a key is too near: [k, i, a] (0 for the answer's key).

        Parameters
        ----------
        steepness : []
            log l.
        shares : [n - 2, n]
            Logarithms of the keys' shares of 1, for each place i, up to a constant.
        places
            The places i.
        """
        D, n = self.t.sizes
        rows = slice(q * (D - 1), (q + 1) * (D - 1))
        steep = torch.exp(steepness.clamp(-STEEPEST, STEEPEST))
        weight = steep * self.t.weight[-1][q]  # [m, t]
        a = self.cases.a[rows]
        part = [self.answered[i][:, :, q][..., a].movedim(2, 0) for i in places]  # [a, m, s] each
        base = [self.places[i].answer[q, a] for i in places]
        found = []
        for k in range(n):
            of_place = []
            asked = [j for j, i in enumerate(places) if k != i + 1]
            if not asked:
                found.append(torch.zeros(len(places), D - 1, dtype=torch.float64, device=a.device))
                continue
            with stage("keys"):
                common = torch.stack([self.harms[places[j]][k][q].amax(0) for j in asked]).amax(0)  # [v] or [1]
                of_key = self._factors(q, k, weight, common)
            for j, i in enumerate(places):
                if k == i + 1:
                    of_place.append(torch.zeros(D - 1, dtype=torch.float64, device=a.device))
                    continue
                with stage("answers"):
                    near = self._near(i, k, self.harms[i][k][q], common, shares[i])
                    of_case = torch.exp(-weight * (part[j] + (base[j] - near)[:, None, None]))  # [a, m, s]
                with stage("expectations"):
                    of_place.append(self._expected(q, i, k, a, of_case, of_key))
            found.append(torch.stack(of_place))
        return torch.stack(found)

    @staticmethod
    def _near(i: int, k: int, harm: Tensor, common: Tensor, shares: Tensor) -> Tensor:
        """g_k, less what is common to the cases of a query and depends on v: the largest of ``log rho_k(v) - common(v)``, less the
        logarithm of the key's share: [...].

        Parameters
        ----------
        harm, common : [..., v]
        shares : [..., n]
        """
        shares = shares.clamp(-STEEPEST, STEEPEST)
        others = [key for key in range(shares.shape[-1]) if key != i + 1]
        return (harm - common).amax(-1) - (shares[..., k] - torch.logsumexp(shares[..., others], -1))

    def ahead(self, i: int, k: int, inputs: Tensor, shares: Tensor) -> Tensor:
        """Bound ``sum_alpha w_alpha (s_c - s_k - g_k)`` from below for inputs [N, n] whose query came first at place i: [N]."""
        n = self.t.sizes[1]
        f, q, a, v = n - 1, inputs[:, -1], inputs[:, i + 1], inputs[:, k]
        u = inputs[:, k - 1] if k else torch.zeros_like(v)
        row = a - (a > q).to(torch.int64)
        common = torch.stack([of[k].amax(1) for j, of in enumerate(self.harms) if k != j + 1]).amax(0)  # [q, v] or [q, 1]
        near = self._near(i, k, self.harms[i][k][q, row], common[q], shares[i, q])
        near = near + common[q, v if k < f else 0]
        score = self.scores[k][q, u, v] if k < f else self.t.TX[q, f, q]
        total = torch.zeros(len(inputs), dtype=torch.float64)
        for m in range(n):
            token = inputs[:, m]
            key = self.keys[k][m, token, u, v] if k < f else self.last[q, m, token]
            total = total + self.t.weight[-1][q, m, token] * (
                self.places[i].answer[q, a] + self.answered[i][m, token, q, a] - score - key - near
            )
        return total

    def _factors(self, q: int, k: int, weight: Tensor, common: Tensor) -> Tensor:
        """exp(l w (X + r + common)) for each atom: [m, s, u, v]; an axis has one entry where there is no such token."""
        f = self.t.sizes[1] - 1
        if k == f:
            return torch.exp(weight * (self.last[q] + (self.t.TX[q, f, q] + common)))[..., None, None]
        return torch.exp(weight[..., None, None] * (self.keys[k] + (self.scores[k][q] + common)))

    def _expected(self, q: int, i: int, k: int, a: Tensor, of_case: Tensor, of_key: Tensor) -> Tensor:
        """The sum of all products of an atom's two factors, over the tokens of free places: [a].

        The tokens u and v differ from each other, from q and from a, and so do those of other places from all four; that the latter
        differ from each other is not asked, which makes the sum larger.
        """
        D, n = self.t.sizes
        f, free, case = n - 1, free_places(n, i), torch.arange(D - 1, device=a.device)
        before_free, own_free = k < f and k - 1 in free, k < f and k in free
        allowed = _others(D, q, device=a.device)  # [a, t]
        if k == i:
            of_key = of_key[..., q : q + 1]
        known = of_case[:, i, q] * of_case[:, f, q] * of_case[case, i + 1, a]
        product = known[:, None, None] * (of_key[i, q] * of_key[f, q]) * of_key[i + 1, a]  # [a, u, v]
        for m in free:
            of_token, ours = of_key[m], of_case[:, m]  # [t, u, v], [a, t]
            if before_free and m == k - 1:
                product = product * (ours[:, :, None] * of_token.diagonal(dim1=0, dim2=1).mT)  # t = u
                continue
            if own_free and m == k:
                product = product * (ours[:, None] * of_token.diagonal(dim1=0, dim2=2))  # t = v
                continue
            ours = torch.where(allowed, ours, 0.0)
            total = (ours @ of_token.flatten(1)).reshape(product.shape)
            if before_free:
                total = total - ours[:, :, None] * of_token.diagonal(dim1=0, dim2=1).mT
            if own_free:
                total = total - ours[:, None] * of_token.diagonal(dim1=0, dim2=2)
            product = product * total
        if k == i + 2 < f:
            product = product[case, a][:, None]  # u = a
        if before_free:
            product = torch.where(allowed[:, :, None], product, 0.0)
        if own_free:
            product = torch.where(allowed[:, None], product, 0.0)
        if before_free and own_free:
            product = torch.where(_different(D, device=a.device), product, 0.0)
        return product.sum((1, 2))


@address_table
def _others(D: int, q: int) -> Tensor:
    """bool [a, t]: is t neither q nor the answer of number a?"""
    t = torch.arange(D)
    return (t != t[t != q][:, None]) & (t != q)


@address_table
def _different(D: int) -> Tensor:
    """bool [u, v]: do the tokens differ?"""
    return ~torch.eye(D, dtype=torch.bool)
