"""Strategy P, the pair certificate: every path bounded for each two tokens, for any two-layer model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.certified import Certified, whole
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import possibly, provably, sound, upper
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.models.weights import in_double
from compact_proofs.options import Natural
from compact_proofs.progress import track
from compact_proofs.shards import each
from compact_proofs.tasks.induction.cases import all_different, answer_number, answers, free_places, place_among_free
from compact_proofs.tasks.induction.chain import Chain, chain_of
from compact_proofs.tasks.induction.composition import Composition
from compact_proofs.tasks.induction.hints import Hints, Search
from compact_proofs.tasks.induction.known import input_costs
from compact_proofs.tasks.induction.leads import Cases, CircuitCases, Place
from compact_proofs.tasks.induction.paths import path_tables
from compact_proofs.tasks.induction.rows import Rows
from compact_proofs.tasks.induction.task import Induction, InductionStrategy

ENTRIES = 2**21
"""Entries of the largest temporary table, about."""
AT_ONCE = 64
"""Cases counted at once."""
LARGEST = 2**31
"""Largest n^3 D^5, the order of the certificate's length, up to which it is tried by default."""


@dataclass(frozen=True)
class Costs(Certified):
    """The inputs that the pair certificate proves: whole cases, and inputs of listed cases whose own cost is below 1.

    The latter are counted by sums in another order than that of `member`, or on a grid, which counts fewer; an input whose cost, as
    a real number, is not below 1 is counted by neither.

    Attributes
    ----------
    task
        The task.
    chains
        For each place i, the cost of every case's inputs.
    always : bool [i, rows]
        The whole case is right.
    listed : bool [i, rows]
        The case is listed by the explanation, and not refined.
    refined
        For some places i, rows int64 [g] and the cost of each of their inputs (`known.input_costs`).
    enumerated, steps
        Options of `Pairs`.
    """

    task: Induction
    chains: list[Chain]
    always: Tensor
    listed: Tensor
    refined: dict[int, tuple[Tensor, Tensor]]
    enumerated: int
    steps: int

    @cached_property
    def size(self) -> int:
        with stage("counting"):
            whole_cases = whole(self.always.sum()) * self.task.case_size
            refined = sum(self._among_refined(rows, costs, place) for place, (rows, costs) in self.refined.items())
            return whole_cases + refined + sum(each(self._count, self._batches(), "cases that are listed", self._can_be))

    def _among_refined(self, rows: Tensor, costs: Tensor, place: int) -> int:
        """How many inputs of refined cases have a cost below 1, of cases that are not right as a whole."""
        different = all_different(self.task.d_vocab, costs.dim() - 1, device=costs.device)
        below = provably(costs < 1) & different
        return whole((below.reshape(len(rows), -1).sum(1) * ~self.always[place, rows]).sum())

    def _batches(self) -> list[tuple[int, list[int]]]:
        """The cases that are counted input by input, few at a time: for each batch the place and the rows."""
        found = []
        for place, some in enumerate(self.listed & ~self.always):
            rows = [] if some.is_meta else [row for row, chosen in enumerate(some.tolist()) if chosen]
            found += [(place, rows[start : start + AT_ONCE]) for start in range(0, len(rows), AT_ONCE)]
        return found

    def _count(self, batch: tuple[int, list[int]]) -> int:
        place, rows = batch
        return sum(self.chains[place][torch.tensor(rows)].count(self.enumerated, self.steps))

    def _can_be(self, batch: tuple[int, list[int]], number: int) -> bool:
        return isinstance(number, int) and 0 <= number <= len(batch[1]) * self.task.case_size

    @property
    def exact(self) -> bool:
        return False

    def member(self, inputs: Tensor) -> Tensor:
        """Is the input's case right as a whole, or is it listed and the input's own cost provably below 1?"""
        return self._among(inputs, lambda x: x, provably)

    def excludes(self, inputs: Tensor) -> Tensor:
        """Which inputs are certainly not counted, in whatever order costs are added up.

        An upper bound of a sum is at least the exact sum of the terms' upper bounds, and so are costs that were rounded up to a
        grid. Where that sum is provably not below 1, nothing proves the input, unless its case is right as a whole.
        """
        return ~self._among(inputs, upper, possibly)

    def _among(self, inputs: Tensor, bounds: Callable[[Tensor], Tensor], decide: Callable[[Tensor], Tensor]) -> Tensor:
        """bool [k]: is the input's case right, or is it listed and the input's own cost, by some bounds, decided to be below 1?"""
        D, n = self.task.d_vocab, self.task.n_ctx
        i = self.task.places(inputs)
        row = answer_number(D, device=inputs.device)[inputs[:, -1], self.task.labels(inputs)]
        found = self.always[i, row]
        for place, chain in enumerate(self.chains):
            places = free_places(n, place)
            tokens = place_among_free(D, device=inputs.device)[row[:, None], inputs[:, places]]
            cost = chain.of(bounds).total(row, tokens)
            found = found | ((i == place) & self.listed[i, row] & decide(cost < 1))
            if place in self.refined:
                rows, costs = self.refined[place]
                number = torch.full((D * (D - 1),), -1).index_put((rows,), torch.arange(len(rows)))[row]
                cost = bounds(costs)[number.clamp(min=0), *tokens.T]
                found = found | ((i == place) & (number >= 0) & decide(cost < 1))
        return found


@dataclass(frozen=True)
class Pairs(InductionStrategy):
    """Bound each key's harm for every two tokens, and count the inputs whose harms add up to less than 1.

    For a case (q, i, a), a key k and the tokens u, v of places k - 1 and k, Lemma R bounds s_c - s_k (`Cases.ahead`: the last
    row of layer 1 is a mean over atoms whose tokens are known or free, and so is every other row, `Composition`), and Lemma D turns
    that into a cost: an input is right if sum_k rho_k(v) e^{-(s_c - s_k)} < 1. Every cost depends on one token or on two
    neighbouring free places, so costs add up along a chain (`Chain`): a case whose worst sum is below 1 is right as a whole, and
    of the cases that the explanation lists, inputs are counted one by one, or on a grid. Of some the explanation says that they are
    to be refined: there the last row is known for each input (`known.input_costs`).

    Explanation: hinted ratios (a wrong one makes a bound loose, never wrong) and the two lists of cases.

    Cost: 2 (n - 5) D for each (q, i, a, k, u, v), at most n^3 D^5 in all; 4 n^2 D^2 for key f of each case; 3 (k - 1) D for each
    (m, s, k, u, v), n^3 D^4 in all; 8 n D^(n - 3) for each refined case; the tables.
    """

    enumerated: Annotated[int, Field(ge=0, le=8)] = 3
    """Cases with at most this many free places are counted input by input, others on a grid."""
    steps: Annotated[int, Field(ge=1, le=2**12)] = 48
    """Grid points in a unit of cost."""
    refined: Natural = 32
    """Cases, at most, that are refined: of those with at most `enumerated` free places the ones that lose most inputs."""

    name: ClassVar[str] = "pairs"
    version: ClassVar[int] = 3
    summary: ClassVar[str] = "any two-layer model: every path for each two tokens, harms added up and counted; O(n^3 D^5)"
    composed: ClassVar[bool] = True
    """Query composition is bounded for each query part, not for all at once."""

    def search_operations(self, model: AttentionStack, task: Task, length: int) -> int:
        """Some steps of Newton's method for every ratio, with slopes; measured."""
        return 34 * length

    def explain(self, model: AttentionStack, task: Task) -> dict[str, Tensor]:
        """Iterate every ratio to its fixed point in float64; list the cases that are then not certified as a whole."""
        assert isinstance(task, Induction)
        return self.search(model, task)[0]

    def search(self, model: AttentionStack, task: Induction) -> tuple[dict[str, Tensor], Costs]:
        """Find the explanation, and what it proves."""
        search = Search(self.hint_specs(model))
        with torch.no_grad():
            case_chains(places_of(in_double(model), search, self.composed), search, self.composed)
        nothing = torch.zeros(0, dtype=torch.int64)
        with sound():
            places, chains = self._bounds(model, search.values)
            found = self._costs(model, task, places, chains, search.values | {"counted": nothing, "refined": nothing})
            failed = found.always.flatten().logical_not().nonzero().squeeze(1)
            lists = {"counted": failed}
            if self.composed:
                lists["refined"] = self._worst(chains, failed)
            return search.values | lists, self._costs(model, task, places, chains, search.values | lists)

    def _worst(self, chains: list[Chain], failed: Tensor) -> Tensor:
        """The cases, of some, that lose most inputs, as far as their inputs are enumerated."""
        if len(chains[0].links) >= self.enumerated or not self.refined:
            return failed[:0]
        rows = len(chains[0].start)
        counted = [
            chains[case // rows][torch.tensor([case % rows])].count(self.enumerated, self.steps)[0] for case in failed.tolist()
        ]
        order = torch.tensor(counted, dtype=torch.int64).argsort(stable=True)
        return failed[order[: self.refined]]

    def specs(self, model: AttentionStack, task: Task) -> dict[str, Spec]:
        cases = (model.n_ctx - 2) * model.d_vocab * (model.d_vocab - 1)
        lists = {"counted": Spec((cases,), (0, cases - 1), fewer=True)}
        if self.composed:
            most = min(self.refined, cases) if model.n_ctx - 3 <= self.enumerated else 0
            lists["refined"] = Spec((most,), (0, cases - 1), fewer=True)
        return self.hint_specs(model) | lists

    def hint_specs(self, model: AttentionStack) -> dict[str, Spec]:
        """The hinted ratios."""
        D, n = model.d_vocab, model.n_ctx
        cases = (n - 2, D * (D - 1))
        return {
            "composed_keys": Spec((n, D, n - 2, 2, D)),
            "composed_answers": Spec((n, D, n - 2, 2, D)),
            "pairs": Spec((*cases, n - 1, D - 2)),
            "pairs_own": Spec((n - 2, D, n - 1, D)),
            "atoms": Spec((*cases, n, D - 2)),
            "last_key": Spec(cases),
            "direct": Spec((*cases, D - 1)),
            "last_harm": Spec((*cases, D - 1)),
        }

    def certified(self, model: AttentionStack, task: Induction, explanation: Explanation) -> Costs:
        """Compute every case's costs."""
        return self._costs(model, task, *self._bounds(model, explanation), explanation)

    def _bounds(self, model: AttentionStack, explanation: Explanation) -> tuple[list[Place], list[Chain]]:
        """What the cases of each place share, and the cost of their inputs as a chain."""
        hints = Hints(explanation, model.W_E.device)
        places = places_of(model, hints, self.composed)
        return places, case_chains(places, hints, self.composed)

    def _costs(
        self, model: AttentionStack, task: Induction, places: list[Place], chains: list[Chain], explanation: Explanation
    ) -> Costs:
        """Read the lists of cases, and refine some."""
        device = model.W_E.device
        with stage("counting"):
            always = torch.stack([chain.always() for chain in chains])
        refined = self._members("refined", explanation, always.shape)
        listed = self._members("counted", explanation, always.shape) & ~refined
        hints, costs = Hints(explanation, device), {}
        for place in [] if refined.is_meta else places:
            rows = refined[place.i].nonzero().squeeze(1).to(device)
            if len(rows) and not always.is_meta:
                costs[place.i] = rows, input_costs(Cases(place, answers(task.d_vocab, device=device), rows, hints))
        return Costs(task, chains, always, listed.to(device), costs, self.enumerated, self.steps)

    def _members(self, name: str, explanation: Explanation, shape: torch.Size) -> Tensor:
        """bool [i, rows]: is the case in a list of the explanation?"""
        numbers = explanation.get(name, torch.zeros(0, dtype=torch.int64)).cpu()
        return (torch.bincount(numbers, minlength=shape.numel()) > 0).reshape(shape)

    def verify(self, model: AttentionStack, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Induction)
        return self.certified(model, task, explanation)

    def unexplained_dimension(self, model: AttentionStack, task: Task) -> int:
        """A cost for every case, key and two tokens."""
        D, n = model.d_vocab, model.n_ctx
        return (n - 2) * (n - 1) * D**4


@dataclass(frozen=True)
class CircuitPairs(Pairs):
    """The pair certificate for models (nearly) without composition through Q, V and the direct path: strategy C2.

    As `Pairs`, but what the last row copied enters by its ranges (`Rows.composition`, `Rows.spreads`), so no sum over query parts
    is made for each pair of tokens. Where `Circuit` takes the worst over tokens, this counts.

    Cost: 4 for each (q, i, a, k, u, v), n^2 D^4 in all; the tables.
    """

    name: ClassVar[str] = "circuit-pairs"
    summary: ClassVar[str] = "models without query composition: pairs of tokens, harms added up and counted; O(n^2 D^4)"
    composed: ClassVar[bool] = False

    def hint_specs(self, model: AttentionStack) -> dict[str, Spec]:
        return {"last_key": super().hint_specs(model)["last_key"]}


def affordable(model: AttentionStack) -> bool:
    """Is the certificate short enough to be tried by default?"""
    return model.n_ctx**3 * model.d_vocab**5 <= LARGEST


def places_of(model: AttentionStack, hints: Hints, composed: bool) -> list[Place]:
    """What the cases of each place i share."""
    rows = Rows(path_tables(model))
    composition = Composition(rows.t, hints) if composed else None
    return [Place.of(rows, i, composition) for i in track(range(rows.t.sizes[1] - 2), "places")]


def case_chains(places: list[Place], hints: Hints, composed: bool) -> list[Chain]:
    """For each place i, the cost of every case's inputs (Lemma D: sum over k of rho_k e^{-(s_c - s_k)})."""
    rows = places[0].rows
    D, n = rows.t.sizes
    kind = Cases if composed else CircuitCases
    if not composed:
        _ = rows.composition, rows.spreads  # which all cases read

    def chain(part: tuple[int, slice]) -> Chain:
        i, queries = part
        cases = kind(places[i], answers(D, device=places[0].answer.device), of_queries(queries), hints, queries)
        return chain_of(key_costs(cases), free_places(n, i), D - 2)

    def of_queries(queries: slice) -> slice:
        return slice(queries.start * (D - 1), queries.stop * (D - 1))

    def possible(part: tuple[int, slice], found: Chain) -> bool:
        cases = of_queries(part[1])
        return isinstance(found, Chain) and {len(t) for t in (found.start, *found.links)} == {cases.stop - cases.start}

    parts = [(i, queries) for i in range(n - 2) for queries in _chunks(D, n)]
    chains = list(each(chain, parts, "cases", possible))
    found = []
    for i in range(n - 2):
        own = [c for c, (place, _) in zip(chains, parts, strict=True) if place == i]
        links = [torch.cat(links) for links in zip(*(c.links for c in own), strict=True)]
        found.append(Chain(torch.cat([c.start for c in own]), links))
    return found


def key_costs(cases: Cases) -> dict[int, Tensor]:
    """Upper bounds of rho_k e^{-(s_c - s_k)} for every key k: [g, u, v]; infinite where a gain is not positive."""
    ratios, valid = cases.ratios()
    costs = {}
    for k, ratio in ratios.items():
        last = k == cases.n - 1
        ahead = cases.ahead_of_last()[:, None, None] if last else cases.ahead(k)
        with stage("costs"):
            known = k == cases.place.i
            own = ratio if last else ratio.gather(1, cases.q[:, None] if known else cases.tokens)
            cost = torch.exp(-ahead) * own[:, None]
            costs[k] = torch.where(valid[:, None, None], cost, torch.inf)
    return costs


def _chunks(D: int, n: int) -> list[slice]:
    """Ranges of queries small enough for a table over three tokens, and one over two atoms, of each case."""
    largest = max(D**3, (n * D) ** 2 // 2, n * D**2)
    size = max(1, ENTRIES // (largest * (D - 1)))
    return [slice(start, min(start + size, D)) for start in range(0, D, size)]
