"""Lower bounds of the score of the answer's key minus that of every other key, for each case and the tokens that matter most."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.bounds.dominance import harm_ratio
from compact_proofs.bounds.indices import others
from compact_proofs.bounds.mean import ratio_at_least
from compact_proofs.length import address_table, stage
from compact_proofs.tasks.induction.cases import Answers, free_places
from compact_proofs.tasks.induction.composition import Composition
from compact_proofs.tasks.induction.hints import Hints, Pairing
from compact_proofs.tasks.induction.lemmas import LEAST_RATIO
from compact_proofs.tasks.induction.mean import Mean
from compact_proofs.tasks.induction.prices import Prices
from compact_proofs.tasks.induction.rows import Rows


@dataclass(frozen=True)
class Place:
    """What the cases (q, i, a) of one place i share; see `Rows` for each bound.

    Attributes
    ----------
    i
        The place.
    answer, gain : [q, a], [q, a, b]
    composed_answer : [q, a, m, s]
        See `Composition`, as for `composed_keys`.
    others, composed_keys, harms
        [q, u, v], [m, s, u, v] and [a, v, b], for each key k < f other than i + 1.
    """

    rows: Rows
    i: int
    answer: Tensor
    composed_answer: Tensor
    gain: Tensor
    others: dict[int, Tensor]
    composed_keys: dict[int, Tensor]
    harms: dict[int, Tensor]

    @classmethod
    def of(cls, rows: Rows, i: int, composition: Composition | None) -> Place:
        """Compute the bounds of one place; without `composition`, not those for each query part."""
        keys = [k for k in range(rows.t.sizes[1] - 1) if k != i + 1]
        return cls(
            rows,
            i,
            rows.answer(i),
            torch.zeros(0) if composition is None else composition.answer(i),
            rows.gain(i),
            {k: rows.other(i, k) for k in keys},
            {} if composition is None else {k: composition.keys[k] for k in keys},
            {k: rows.harm(k, k == i + 2) for k in keys},
        )


class Cases:
    """Bounds for the cases (q, i, a) of one place i and some rows of `cases.answers`, all of them about some queries.

    They hold for all tokens of the *free* places; free tokens are those other than q and a. Where two or three places are looked at
    together, their tokens differ.
    """

    def __init__(self, place: Place, answers: Answers, rows: slice | Tensor, hints: Hints, queries: slice = slice(None)) -> None:
        self.place, self.t, self.hints, self.index = place, place.rows.t, hints, (place.i, rows)
        self.q, self.a, self.tokens = answers[rows]
        self.D, self.n = self.t.sizes
        self.queries, self.asked = queries, len(range(self.D)[queries])
        self.query = self.q - (queries.start or 0)
        self.free = free_places(self.n, place.i)
        self.known = [(place.i, self.q), (place.i + 1, self.a), (self.n - 1, self.q)]
        self.case = torch.arange(len(self.q), device=self.q.device)

    @cached_property
    def weight(self) -> Tensor:
        """Weights of the last row: [g, m, t]."""
        return self.t.weight[-1][self.q]

    @cached_property
    def of_known(self) -> list[Tensor]:
        """Weights of the known atoms: [g] each."""
        return [self.weight[self.case, m, s] for m, s in self.known]

    @cached_property
    def of_free(self) -> dict[int, Tensor]:
        """Weights of each free place with each free token: [g, j]."""
        return {m: self.weight[:, m].gather(1, self.tokens) for m in self.free}

    @cached_property
    def extremes(self) -> dict[int, tuple[Tensor, Tensor]]:
        """Least and largest weight of each free place: [g] each."""
        with stage("last row"):
            return {m: (w.amin(1), w.amax(1)) for m, w in self.of_free.items()}

    def denominator(self, known: list[Tensor], places: list[int]) -> tuple[Tensor, Tensor]:
        """Bounds of sum of known weights + weights of free places: shaped like the known weights' sum."""
        of_places = [[x.reshape(-1, *[1] * (known[0].dim() - 1)) for x in self.extremes[m]] for m in places]
        low, high = (sum((*(pair[end] for pair in of_places), *known[1:]), known[0]) for end in (0, 1))
        return low, high

    def ratios(self) -> tuple[dict[int, Tensor], Tensor]:
        """Bound rho of every key (Lemma D): [g, v] over all tokens v for k < f, [g, 1] for f; bool [g]: gains are positive."""
        other = others(self.D, device=self.q.device)[self.a]  # [g, b]
        q, a, t = self.q[:, None], self.a[:, None], self.t
        direct = self._row_of(t.oU, other, "direct")
        with stage("harms"):
            base = direct + (t.xU[q, a] - t.xU[q, other])
            gain = (self.place.gain[q, a, other] + base)[:, None]
            tokens = torch.arange(self.D, device=other.device)[:, None]
            found, valid = {}, torch.zeros(0, dtype=torch.bool)
            for k, harm in self.place.harms.items():
                found[k], valid = harm_ratio(harm[a[..., None], tokens, other[:, None]] - base[:, None], gain, floor=LEAST_RATIO)
        last = self._row_of(t.oU + t.oW, other, "last_harm")
        with stage("harms"):
            own = (t.xU + t.xW[-1])[self.q]
            harm = (own.gather(1, other) - own.gather(1, a)) - last
            found[self.n - 1], valid = harm_ratio(harm[:, None], gain, floor=LEAST_RATIO)
        return found, valid[:, 0]

    def _row_of(self, table: Tensor, other: Tensor, name: str) -> Tensor:
        """Bound from below the last row's mean of table[m, t, a] - table[m, t, b], for every b: [g, b]."""
        a = self.a[:, None]
        with stage("last row"):
            known = [
                (w[:, None], table[m, s[:, None], a] - table[m, s[:, None], other])
                for w, (m, s) in zip(self.of_known, self.known, strict=True)
            ]
            tokens = self.tokens[:, None]  # [g, 1, j]
            free = [
                (w[:, None], table[m, tokens, a[..., None]] - table[m, tokens, other[..., None]]) for m, w in self.of_free.items()
            ]
            low, high = self.denominator([w for w, _ in known], self.free)
            mean = Mean(known, free, low, high, torch.ones((), dtype=torch.bool, device=other.device))
            return self.hints.one(name, self.index, other.shape, mean.at_least)

    def tokens_of(self, k: int) -> tuple[Tensor, Tensor]:
        """The tokens u [g, u, 1] and v [g, 1, v] of places k - 1 and k: all free ones, or the one known (0 for u where k = 0)."""
        nothing = torch.zeros_like(self.a)[:, None, None]
        u = self.tokens[:, :, None] if k >= 1 and k - 1 in self.free else self.a[:, None, None] if k else nothing
        return u, self.tokens[:, None, :] if k in self.free else self.q[:, None, None]

    def without_composition(self, k: int) -> Tensor:
        """Bound s_c - s_k from below for the query x(f, q), see `ahead`: [g, u, v]."""
        u, v = self.tokens_of(k)
        return self.place.answer[self.q, self.a][:, None, None] - self.place.others[k][self.q[:, None, None], u, v]

    def ahead(self, k: int) -> Tensor:
        """Bound s_c - s_k from below for a key k < f and every (u, v) = tokens of places k - 1 and k: [g, u, v].

        An axis has one entry where the token is known (and for k = 0, which has no u). With alpha = (m, t_m) running over the last
        row, s_c - s_k is the mean under A_f of

            answer(q, a) - other(q, u, v) + composed_answer(alpha; q, a) - composed_key(alpha; u, v),

        so Lemma R bounds it; known are the atoms i:q, c:a, f:q, k-1:u, k:v. At a hint x(case, u) + y(q, v), an atom of weight w
        adds to sigma

            w (composed_answer - x)  -  w (composed_key + y),

        of which the first is the same for all v unless the atom holds v, and the second for all answers to a query unless the atom
        holds the answer (`Prices`). Cost: 2 for each (u, v) and free atom of a case.
        """
        before_free, own_free = k >= 1 and k - 1 in self.free, k in self.free
        (u, v), case = self.tokens_of(k), self.case[:, None, None]
        composed, answered = self.place.composed_keys[k], self.place.composed_answer[self.q, self.a]  # [m, s, u, v], [g, m, s]
        with stage("pairs"):
            offset = self.without_composition(k)
            atoms = [(m, s[:, None, None]) for m, s in self.known] + [(k - 1, u)] * before_free + [(k, v)] * own_free
            weights = [self.weight[case, m, s] for m, s in atoms]
            rest = [m for m in self.free if m not in (k - 1, k)]
            low, high = self.denominator(weights, rest)
            allowed = _third(self.D, int(before_free), int(own_free), device=u.device)

            def directly(hint: Tensor) -> Tensor:
                """The same at any hint [g, u, v], at more cost: for the search."""
                known = [(w, answered[case, m, s] - composed[m, s, u, v]) for w, (m, s) in zip(weights, atoms, strict=True)]
                tokens = self.tokens[:, None, None]
                values = [answered[case[..., None], m, tokens] - composed[m, tokens, u[..., None], v[..., None]] for m in rest]
                free = [(self.of_free[m][:, None, None], value) for m, value in zip(rest, values, strict=True)]
                return Mean(known, free, low, high, allowed).at_least(hint)

            at = Pairing(self.place.i, k, self.index[1], self.queries, (self.asked, self.D), self.query, v.squeeze(1))
            x, y = self.hints.of_pairs(at, tuple(offset.shape), directly)
            x, added = x[..., None], y[self.query[:, None, None], v]  # [g, u, 1], [g, 1, v]
            prices = Prices.of(self.t.weight[-1, self.queries], composed, y, self.queries.start or 0, own_free)
            here = (self.query[:, None, None], u, v if own_free else torch.zeros_like(v))
            paid = prices.at(self.place.i, prices.token) + prices.at(self.n - 1, prices.token)
            for place, token in [(k - 1, prices.u)] * before_free + [(k, prices.v)] * own_free:
                paid = paid + prices.at(place, token)
            for_answer = weights[1] * (composed[self.place.i + 1, self.a[:, None, None], u, v] + added)
            gains = [w * (answered[case, m, s] - x) for w, (m, s) in zip(weights, atoms, strict=True)]
            sigma = sum(gains[1:], gains[0]) - for_answer - paid[here]
            for m in rest:
                gain = self.of_free[m][:, None] * (answered[self.case[:, None], m, self.tokens][:, None] - x)  # [g, u, t]
                price = prices.of_all(m)[*(index[..., None] for index in here), self.tokens[:, None, None]]  # [g, u, v, t]
                sigma = sigma + torch.where(allowed, gain[:, :, None] - price, torch.inf).amin(-1)
            return offset + ratio_at_least(x + added, sigma, low, high)

    def ahead_of_last(self) -> Tensor:
        """Bound s_c - s_f from below: [g].

        The last row is query and key at once. For each atom alpha that it may hold, Lemma R bounds what key f scores under the
        query part o(alpha): the mean under A_f of TO(q; beta) + OO(alpha; beta), where alpha's own place holds alpha. Then Lemma R
        again over alpha, as in `ahead`. Cost: 4 for each two atoms.
        """
        f, t = self.n - 1, self.t
        answered = self.place.composed_answer[self.q, self.a]
        with stage("last key"):
            offset = self.place.answer[self.q, self.a] - t.TX[self.q, f, self.q]
            bounds = self._last_key_bounds()  # for the known atoms, then for each free place [g, atoms]
            known = [
                (w, answered[self.case, m, s] - t.OX[m, s, f, self.q] - bounds[m][:, 0])
                for w, (m, s) in zip(self.of_known, self.known, strict=True)
            ]
            free = [
                (w, answered[self.case[:, None], m, self.tokens] - t.OX[m, self.tokens, f, self.q[:, None]] - bounds[m])
                for m, w in self.of_free.items()
            ]
            low, high = self.denominator(self.of_known, self.free)
            mean = Mean(known, free, low, high, torch.ones((), dtype=torch.bool, device=low.device))
            return self.hints.one("last_key", self.index, tuple(low.shape), lambda h: mean.at_least(h, offset))

    def _last_key_bounds(self) -> dict[int, Tensor]:
        """Bound from above the mean under A_f of TO(q; beta) + OO(alpha; beta): for each place of alpha, [g, 1] or [g, j]."""
        case, minus = self.case[:, None], -self.t.TO[self.q]  # [g, m, t]
        found = {}
        for place, tokens in [*((m, s[:, None]) for m, s in self.known), *((m, self.tokens) for m in self.free)]:
            itself = [] if place not in self.free else [(place, tokens)]
            atoms = [(m, s[:, None]) for m, s in self.known] + itself
            known = [(self.weight[case, m, s], minus[case, m, s] - self.t.OO[place, tokens, m, s]) for m, s in atoms]
            rest = [m for m in self.free if m != place]
            every = self.tokens[:, None]  # [g, 1, j]
            free = [
                (self.of_free[m][:, None], minus[case[..., None], m, every] - self.t.OO[place, tokens[..., None], m, every])
                for m in rest
            ]
            low, high = self.denominator([w for w, _ in known], rest)
            mean = Mean(known, free, low, high, _second(self.D, int(bool(itself)), device=self.q.device))
            shape = (len(self.q), tokens.shape[1])
            index = (*self.index, place, slice(tokens.shape[1]))
            found[place] = -self.hints.one("atoms", index, shape, mean.at_least)
        return found


class CircuitCases(Cases):
    """The same bounds without a table over query parts: what the last row copied is bounded by ranges, for all cases at once."""

    def _row_of(self, table: Tensor, other: Tensor, name: str) -> Tensor:
        return -self.place.rows.spreads[name].expand(other.shape)

    def ahead(self, k: int) -> Tensor:
        with stage("pairs"):
            return self.without_composition(k) - self.place.rows.composition

    def ahead_of_last(self) -> Tensor:
        """Bound s_c - s_f from below: [g]. Lemma R for the mean under A_f of TO(q; beta), and `Rows.composition`."""
        with stage("last key"):
            answer, minus = self.place.answer[self.q, self.a], -self.t.TO[self.q]
            offset = answer - self.t.TX[self.q, self.n - 1, self.q] - self.place.rows.composition
            known = [(w, minus[self.case, m, s]) for w, (m, s) in zip(self.of_known, self.known, strict=True)]
            free = [(w, minus[self.case[:, None], m, self.tokens]) for m, w in self.of_free.items()]
            low, high = self.denominator(self.of_known, self.free)
            mean = Mean(known, free, low, high, torch.ones((), dtype=torch.bool, device=low.device))
            return self.hints.one("last_key", self.index, tuple(low.shape), lambda h: mean.at_least(h, offset))


@address_table
def _third(D: int, before_free: int, own_free: int) -> Tensor:
    """bool [u, v, t]: may the free token t stand elsewhere while u and v are taken? (Axes of one entry where a token is known.)"""
    t = torch.arange(D - 2)
    u = t[:, None, None] if before_free else torch.full((1, 1, 1), -1)
    v = t[None, :, None] if own_free else torch.full((1, 1, 1), -1)
    return (t != u) & (t != v)


@address_table
def _second(D: int, taken: int) -> Tensor:
    """bool [s, t]: may the free token t stand elsewhere while s is taken?"""
    t = torch.arange(D - 2)
    return t != t[:, None] if taken else torch.ones(1, D - 2, dtype=torch.bool)
