"""Bounds of gaps of a two-layer model: by how much less each key's score is than the answer's key's, and expected exponentials."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.bounds.mean import ratio_at_least
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.induction.cases import answers, free_places
from compact_proofs.tasks.induction.hints import Hints
from compact_proofs.tasks.induction.leads import Cases, Place
from compact_proofs.tasks.induction.paths import path_tables
from compact_proofs.tasks.induction.rows import Rows

STEEPEST = 50.0
"""Hinted logarithms beyond it count as it."""


class Gaps:
    """What bounds the gaps of all cases; see `compact_proofs.tasks.induction.chernoff.Chernoff`.

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
