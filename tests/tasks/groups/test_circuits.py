"""Circuits are checked exactly: what passes is symmetric, what is not symmetric is refused, and lies lower the bound only."""

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import compact_proofs as cp
from compact_proofs.harness import Specimen, evaluate, violations
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups import Cosets, Groups, GSets, GSetsLinear, compared, group_named
from compact_proofs.tasks.groups.circuits import check_circuits
from compact_proofs.tasks.groups.fitting import Weights, with_gamma
from compact_proofs.tasks.groups.ideal import Ideal
from compact_proofs.tasks.groups.search import describe, find_fits
from compact_proofs.tasks.groups.specimens import specimen

LOW_RANK, NORMS = GSets("low-rank", first=False, rest=False), GSets("norms", first=False, rest=False)
STRATEGIES = (GSetsLinear(), GSetsLinear(exact=False), GSets(), GSets(first=False, rest=False), LOW_RANK, NORMS, Cosets())


def ideal_logits(circuits, group):
    """f^(z | x, y) [x, y, z] by its definition."""
    u = circuits.left[circuits.b][:, :, None] + circuits.right[circuits.c][:, None]  # [N, x, y]
    f = torch.einsum("jxy,jz->xyz", torch.relu(u), circuits.output)
    return f if circuits.linear is None else f + torch.einsum("jxy,jz->xyz", u, circuits.linear)


@pytest.mark.parametrize("seed", range(1, 60, 5))
@pytest.mark.parametrize("side", [None, "left", "right"])
def test_the_ideal_network_is_symmetric(seed, side):
    """It depends on x^-1 z y^-1 alone; with left weights on x and z y^-1, with right weights on x^-1 z and y."""
    s = specimen(seed)
    task, w = Groups.of(s.model), Weights.of(s.model)
    group, generator = task.group, torch.Generator().manual_seed(seed)
    fits = find_fits(w) if side is None else [with_gamma(w, f, side) for f in find_fits(w)]
    explanation = describe(w, fits)
    if side is not None:
        explanation[f"{side}_weights"] += torch.randn(
            explanation[f"{side}_weights"].shape, generator=generator, dtype=torch.float64
        )
    circuits = check_circuits(explanation, group)
    f = ideal_logits(circuits, group)
    n, e, table, inverse = group.order, group.identity, group.table, group.inverse
    x, y, z = torch.meshgrid(*[torch.arange(n)] * 3, indexing="ij")
    alike = {
        None: f[e, e][table[table[inverse[x], z], inverse[y]]],
        "left": f[x, e, table[z, inverse[y]]],
        "right": f[e, y, table[inverse[x], z]],
    }
    assert torch.allclose(f, alike[side], atol=1e-10)
    ideal = Ideal.of(circuits, group)
    xs, ys = x[:, :, 0].flatten(), y[:, :, 0].flatten()
    assert torch.allclose(ideal.at(xs, ys), f[xs, ys], atol=1e-10)
    label = table[xs, ys]
    others = f[xs, ys].scatter(1, label[:, None], -torch.inf).amax(1)
    margin = f[xs, ys, label] - others
    assert torch.allclose(ideal.margin().at(xs, ys), margin, atol=1e-10)
    assert side is not None or float(margin.std()) < 1e-9
    assert side is None or n < 5 or float(margin.std()) > 1e-3  # weights do break a symmetry


def swap_images(e):
    """A fake action: two columns of one point's images exchanged."""
    e["left"][0, [1, -1]] = e["left"][0, [-1, 1]]


def swap_right_images(e):
    e["right"][-1, [2, -1]] = e["right"][-1, [-1, 2]]


def forget_the_identity(e):
    """Every element acts as it should, but composed with one more permutation."""
    e["left"][:, 1:] = e["left"][:, 1:].roll(1, 0)


def merge_circuits(e):
    """One point changes its circuit."""
    e["left"][0, 0] = 7


def trivial_action(e):
    """All points fixed: an action, but one that does not reach every point from the first."""
    e["left"][:, 1:] = torch.arange(len(e["left"]))[:, None]


def out_of_range(e):
    e["left"][0, 2] = len(e["left"])


def too_few_values(e):
    e["left_values"] = e["left_values"][1:]


def weights_of_some_points(e):
    e["left_weights"] = torch.ones(len(e["left"]) - 1, 2, dtype=torch.float64)


def weights_on_both_sides(e):
    """Then no symmetry is left."""
    e["left_weights"] = torch.ones(len(e["left"]), 2, dtype=torch.float64)
    e["right_weights"] = torch.ones(len(e["right"]), 2, dtype=torch.float64)


BROKEN = (
    swap_images,
    swap_right_images,
    forget_the_identity,
    merge_circuits,
    trivial_action,
    out_of_range,
    too_few_values,
    weights_of_some_points,
    weights_on_both_sides,
)


@pytest.mark.parametrize("break_", BROKEN, ids=lambda f: f.__name__)
def test_what_is_not_an_action_is_refused(good, break_):
    task = Groups.of(good.model)
    explanation = GSetsLinear().explain(good.model, task)
    assert check_circuits(explanation, task.group) is not None
    break_(explanation)
    assert check_circuits(explanation, task.group) is None
    assert cp.prove(good.model, task, GSetsLinear(), explanation=explanation).claim.numerator == 0


def test_gamma_must_be_invariant_under_stabilisers():
    """On three points S3 has stabilisers of two elements, which must leave gamma(b_0, .) alone."""
    group = group_named("S3")
    subgroup = group.closure([1]).nonzero().flatten()
    number = torch.unique(group.table[:, subgroup].amin(1), return_inverse=True)[1]  # the coset of every element
    first = [int((number == p).nonzero()[0]) for p in range(3)]
    act = number[group.table[:, first]].T  # g p
    explanation = {
        "left": torch.cat([torch.zeros(3, 1, dtype=torch.int64), act[:, group.inverse]], 1),
        "left_values": torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64),
        "right": torch.cat([torch.zeros(3, 1, dtype=torch.int64), act], 1),
        "right_values": torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64),
        "left_weights": torch.zeros(0, 2, dtype=torch.float64),
        "right_weights": torch.zeros(0, 2, dtype=torch.float64),
        "readings": torch.zeros(0, 3, dtype=torch.int64),
        "reading_values": torch.zeros(0, 2, dtype=torch.float64),
        "shifts": torch.zeros(2, dtype=torch.float64),
    }
    assert check_circuits(explanation, group) is not None
    explanation["right_values"][1, 1] = 0.5  # c_1 and c_2 are exchanged by the stabiliser of b_0
    assert check_circuits(explanation, group) is None
    explanation["right_values"][2, 1] = 0.5
    assert check_circuits(explanation, group) is not None


def test_the_explanation_of_another_group_is_refused(symmetric):
    """A network that composes in C6 perfectly, taken for one of S3: the action is none of S3."""
    other = symmetric("C6", noise=0.01)
    explanation = GSetsLinear().explain(other, Groups.of(other))
    assert cp.prove(other, Groups.of(other), GSetsLinear(), explanation=explanation).bound == 1
    liar = symmetric("C6", noise=0.01)
    liar.table.copy_(group_named("S3").table)
    task = Groups.of(liar)
    truth = evaluate(Specimen(liar), task)
    assert 0 < int(truth.possible.sum()) < task.size
    for strategy in STRATEGIES:
        basis = {"basis": torch.eye(6, dtype=torch.float64)} if "basis" in strategy.specs(liar, task) else {}
        given_ = None if isinstance(strategy, Cosets) else explanation | basis
        assert violations(strategy, Specimen(liar), task, given_, truth) == []


def test_the_harness_would_catch_an_action_that_is_checked_for_another_group(symmetric):
    liar, group = symmetric("C6", noise=0.01), group_named("C6")
    explanation = GSetsLinear().explain(liar, Groups.of(liar))
    liar.table.copy_(group_named("S3").table)
    planted = mock.patch.object(compared, "check_circuits", lambda e, _: check_circuits(e, group))
    with planted:
        found = violations(GSetsLinear(), Specimen(liar), Groups.of(liar), explanation)
    assert "claims 36 inputs right" in found[0]


def negative_factors(e, m, g):
    e["reading_values"][:, 0] *= -1


def wrong_places(e, m, g):
    e["readings"][:, 1:] = e["readings"][torch.randperm(len(e["readings"]), generator=g), 1:]


def permuted_neurons(e, m, g):
    e["readings"][:, 0] = e["readings"][torch.randperm(len(e["readings"]), generator=g), 0]


def read_twice(e, m, g):
    for name in ("readings", "reading_values"):
        e[name] = torch.cat([e[name], e[name][:5]])


def shares_too_large(e, m, g):
    e["reading_values"][:, 1] = 3.0


def negative_shares(e, m, g):
    e["reading_values"][::2, 1] = -1.0


def large_gamma(e, m, g):
    e["right_values"][:, 1] *= 100.0


def large_values(e, m, g):
    e["left_values"] *= 1e6


def shifted(e, m, g):
    e["shifts"] += 5.0


def random_weights(side):
    def lie(e, m, g):
        e["left_weights"], e["right_weights"] = torch.zeros(2, 0, 2, dtype=torch.float64)
        e[f"{side}_weights"] = torch.randn(len(e[side]), 2, generator=g, dtype=torch.float64)

    lie.__name__ = f"random_weights_{side}"
    return lie


def zero_weights(e, m, g):
    e["left_weights"], e["right_weights"] = torch.zeros(len(e["left"]), 2), torch.zeros(0, 2)
    e["left_weights"], e["right_weights"] = e["left_weights"].double(), e["right_weights"].double()


def nonexistent_neurons(e, m, g):
    e["readings"][:, 0] += m


def nonexistent_points(e, m, g):
    e["readings"][:, 1] += 3


LIES = (
    negative_factors,
    wrong_places,
    permuted_neurons,
    read_twice,
    shares_too_large,
    negative_shares,
    large_gamma,
    large_values,
    shifted,
    random_weights("left"),
    random_weights("right"),
    zero_weights,
    nonexistent_neurons,
    nonexistent_points,
)


@pytest.mark.parametrize("lie", LIES, ids=lambda f: f.__name__)
def test_lies_about_neurons_only_lower_the_bound(lie):
    generator = torch.Generator().manual_seed(0)
    for seed in (7, 16, 22):
        s = specimen(seed)
        task = Groups.of(s.model)
        truth = evaluate(s, task)
        for strategy in (GSetsLinear(), GSets(first=False, rest=False), LOW_RANK, NORMS):
            explanation = strategy.explain(s.model, task)
            lie(explanation, s.model.width, generator)
            explanation["readings"].clamp_(max=strategy.specs(s.model, task)["readings"].limits[1])
            assert violations(strategy, s, task, explanation, truth) == []


@given(seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_corrupted_explanations_prove_nothing_untrue(seed):
    generator = torch.Generator().manual_seed(seed)
    s = specimen(seed % 500)
    task = Groups.of(s.model)
    truth = evaluate(s, task)
    strategy = STRATEGIES[seed % len(STRATEGIES)]
    explanation = strategy.explain(s.model, task)
    for name, spec in strategy.specs(s.model, task).items():
        t = explanation[name]
        if not t.numel() or torch.rand((), generator=generator) < 0.5:
            continue
        hit = torch.rand(t.shape, generator=generator) < 0.1
        if spec.limits is None:
            explanation[name] = torch.where(hit, t + torch.randn(t.shape, generator=generator, dtype=torch.float64), t)
        else:
            explanation[name] = torch.where(hit, t[torch.randperm(len(t), generator=generator)], t)
    assert violations(strategy, s, task, explanation, truth) == []


def test_any_basis_is_sound():
    for seed in (6, 11, 22, 27):
        s = specimen(seed)
        task, strategy = Groups.of(s.model), LOW_RANK
        truth, explanation = evaluate(s, task), strategy.explain(s.model, task)
        n = s.model.order
        for basis in (
            torch.zeros(0, n),
            torch.ones(1, n),
            10 * torch.randn(n, n),
            explanation["basis"][:1] * 3,
            -explanation["basis"],
        ):
            found = explanation | {"basis": basis.double()}
            assert violations(strategy, s, task, found, truth) == []


def test_half_readings_restore_a_circuit_that_lacks_the_opposite_of_each_pair():
    """Neurons at (b, c) alone, none at (-b, -c): read as half of each, the circuit is whole."""
    group = group_named("C2")
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
    model = PairMLP(group.table, 2, dtype=torch.float64)
    weights = {"E_l": torch.stack([sign, -sign], 1), "E_r": torch.stack([sign, -sign], 1)}
    weights |= {"U": torch.stack([sign, sign]), "bias": -sign, "table": group.table}
    model.load_state_dict(weights)
    task = Groups.of(model)
    fits = find_fits(Weights.of(model))
    assert [(len(f.alpha), len(f.beta), sorted(f.share.tolist())) for f in fits] == [(2, 2, [0.5] * 4)]
    circuits = check_circuits(describe(Weights.of(model), fits), task.group)
    assert circuits.rest == {}
    assert cp.prove(model, task, GSetsLinear()).bound == 1
