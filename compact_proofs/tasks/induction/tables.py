"""Pictures and tables about an induction model: informative, not claims."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.models.weights import in_double
from compact_proofs.tables import Heatmap, Table
from compact_proofs.tasks.induction.cases import all_different, answers, free_places
from compact_proofs.tasks.induction.chain import chain_of
from compact_proofs.tasks.induction.circuit import certified_cases, circuit_bounds
from compact_proofs.tasks.induction.composition import Composition
from compact_proofs.tasks.induction.hints import OnTheSpot
from compact_proofs.tasks.induction.leads import Cases, Place
from compact_proofs.tasks.induction.pairs import affordable, key_costs
from compact_proofs.tasks.induction.paths import Vectors, layer_parts, path_tables, vectors
from compact_proofs.tasks.induction.rows import Rows
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.induction.training import uniform_inputs

SAMPLES = 4096
SAMPLED_CASES = 12
"""Cases of each place that `failures` looks at."""


def tables(model: AttentionStack) -> Sequence[Table]:
    """All tables of one model; that of the pair certificate's bounds only where it is affordable."""
    with torch.no_grad():
        exact = in_double(model)
        return [leaks(exact), circuit_cases(exact), *([gaps(exact)] if affordable(exact) else [])]


def leaks(model: AttentionStack) -> Table:
    """How much attention layer 1 gives to other places than the one before, and Lemma L's bound of it."""
    n = model.n_ctx
    pattern, lam = _patterns(vectors(model), _sample(model))[0], path_tables(model).lam
    rows = []
    for k in range(1, n):
        leak = 1 - pattern[:, k, k - 1]
        rows.append((f"place {k}", (leak.mean().item(), leak.max().item(), lam[k - 1].mean().item(), lam[k - 1].max().item())))
    return Table(
        "leaks",
        "Previous-token leak",
        f"1 - the attention of layer 1 to the place before, on {SAMPLES} random inputs, and the bound lam over all pairs "
        "of tokens. The last place need not look back.",
        ("attending from", "mean leak", "largest seen", "mean bound", "largest bound"),
        tuple(rows),
    )


def circuit_cases(model: AttentionStack) -> Table:
    """Which cases the circuit certificate proves, by the place of the query's first occurrence; and what is in its way."""
    bounds, proven, D = circuit_bounds(model), certified_cases(model), model.d_vocab
    slack, valid = bounds.log_slack()
    different = ~torch.eye(D, dtype=torch.bool)
    rows = []
    for i in range(model.n_ctx - 2):
        of_place = slack[:, i][different]
        rows.append((f"i = {i}", (proven[:, i][different].double().mean().item(), of_place.median().item(), of_place.min().item())))
    gain = bounds.gain[different].min().item()
    return Table(
        "circuit",
        "Cases that the circuit certificate proves",
        f"By the place i of the earlier occurrence. A case is proven if its log-slack is positive. Query composition costs "
        f"{bounds.composition.item():.3g} nats of slack everywhere; the answer's key writes at least {gain:.3g} for the answer "
        f"against any other token, which must be positive: it is for {valid.double().mean().item():.0%} of the answers.",
        ("cases", "share proven", "median log-slack", "least log-slack"),
        tuple(rows),
    )


def gaps(model: AttentionStack) -> Table:
    """How far the answer's key is ahead: on random inputs, and as the pair certificate bounds it in a sample of cases."""
    task, n = Induction.of(model), model.n_ctx
    inputs = _sample(model)
    scores, place = _patterns(vectors(model), inputs)[1], task.places(inputs)
    rows_, every = Rows(path_tables(model)), answers(model.d_vocab)
    composition = Composition(rows_.t, OnTheSpot())
    generator = torch.Generator().manual_seed(0)
    rows = []
    for i in range(n - 2):
        mine = scores[place == i]
        others = [k for k in range(n) if k != i + 1]
        seen = (mine[:, i + 1, None] - mine[:, others]).amin(1)
        shared = Place.of(rows_, i, composition)
        chosen = torch.randperm(len(every.q), generator=generator)[:SAMPLED_CASES]
        cases = Cases(shared, every, chosen, OnTheSpot())
        bound = least_ahead(cases)
        failing = ~chain_of(key_costs(cases), free_places(n, i), model.d_vocab - 2).always()
        rows.append((f"i = {i}", (*_mean_and_least(seen), *_mean_and_least(bound), failing.double().mean().item())))
    return Table(
        "gaps",
        "Gaps of the last layer's scores, and their bounds",
        f"The score of the answer's key less the highest other, on {SAMPLES} random inputs; the pair certificate's lower bound of "
        f"it over all inputs of a case, for {SAMPLED_CASES} random cases of each place; and the share of these that it does not "
        "prove whole.",
        ("cases", "mean gap", "least seen", "mean bound", "least bound", "share not proven whole"),
        tuple(rows),
    )


def least_ahead(cases: Cases) -> Tensor:
    """The pair certificate's least bound of the answer key's lead, over all keys and tokens: [g]."""
    least = [cases.ahead_of_last()]
    for k in range(cases.n - 1):
        if k != cases.place.i + 1:
            ahead = cases.ahead(k)
            possible = all_different(cases.D, 2) if min(ahead.shape[1:]) > 1 else torch.ones(1, 1, dtype=torch.bool)
            least.append(torch.where(possible, ahead, torch.inf).flatten(1).amin(1))
    return torch.stack(least).amin(0)


def _mean_and_least(x: Tensor) -> tuple[float, float]:
    return x.mean().item(), x.min().item()


def heatmaps(model: AttentionStack) -> Sequence[Heatmap]:
    """All pictures of one model."""
    with torch.no_grad():
        exact = in_double(model)
        parts, D = layer_parts(exact), model.d_vocab
        first, scores = _patterns(vectors(exact), _sample(exact))
        last = torch.softmax(scores, 1)
        place = Induction.of(model).places(_sample(exact))
        by_place = torch.stack([last[place == i].mean(0) for i in range(model.n_ctx - 2)])
        match = parts.query @ parts.o_key[:D].mT
    return [
        Heatmap("layer 1", first.mean(0).numpy(), ("place", "attends to place"), "mean attention of layer 1 on random inputs"),
        Heatmap(
            "layer 2", by_place.numpy(), ("earlier place of the query", "attends to place"), "mean attention of the last place"
        ),
        Heatmap("match", match.numpy(), ("query token", "copied token"), "score of a key whose place before holds a token"),
        Heatmap("EVOU", parts.xW[:D].numpy(), ("key token", "output"), "logits written by attending to a token in layer 2"),
        Heatmap("EUPU", parts.xU.numpy(), ("query token", "output"), "logits of the direct path from the query"),
    ]


def _sample(model: AttentionStack) -> Tensor:
    return uniform_inputs(model.n_ctx, model.d_vocab)(torch.Generator().manual_seed(0), SAMPLES)[0]


def _patterns(t: Vectors, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Attention of layer 1 [k, place, place] and the last row's scores in layer 2 [k, place] of some inputs."""
    n = inputs.shape[1]
    place = torch.arange(n)
    score = t.score[place[:, None], inputs[:, :, None], place, inputs[:, None]]
    pattern = torch.softmax(score.masked_fill(place > place[:, None], -torch.inf), 2)
    keys = t.x_key[place, inputs] + pattern @ t.o_key[place, inputs]
    query = t.query[inputs[:, -1]] + (pattern[:, -1:] @ t.o_query[place, inputs]).squeeze(1)
    return pattern, (keys @ query[..., None]).squeeze(2)
