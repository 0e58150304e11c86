"""Circuits are checked exactly: what passes is symmetric, what is not symmetric is refused, and lies lower the bound only."""

import itertools
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import compact_proofs as cp
from compact_proofs.core.soundness import Specimen, evaluate, violations
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups import BruteForce, Cosets, Groups, GSets, GSetsLinear, circuits, errors, group_named, margins
from compact_proofs.tasks.groups.circuit_gaps import Gaps
from compact_proofs.tasks.groups.circuits import ALIKE, check_circuits
from compact_proofs.tasks.groups.errors import sums_of
from compact_proofs.tasks.groups.fitting import Weights
from compact_proofs.tasks.groups.search import Found, describe, find_fits
from compact_proofs.tasks.groups.specimens import specimen

STRATEGIES = (GSetsLinear(), GSetsLinear(exact=False), GSets(), GSets(rest=False), Cosets())
CIRCUITS = STRATEGIES[:4]


def explained(model, alike="all"):
    w = Weights.of(model)
    return describe(w, Found(find_fits(w), alike))


@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("seed", range(1, 60, 5))
def test_gaps_bound_what_any_tables_write(seed, alike):
    """f^(xy) - f^(z) for sum_bc gamma(b, z c) T_bc(x^-1 b, y c), by its definition, with tables that differ as much as they may."""
    s = specimen(seed)
    group, generator = Groups.of(s.model).group, torch.Generator().manual_seed(seed)
    found = check_circuits(explained(s.model, alike), group)
    n = group.order
    x, y, z = torch.meshgrid(*[torch.arange(n)] * 3, indexing="ij")
    f, tables = torch.zeros(n, n, n, dtype=torch.float64), []
    for c in found.circuits:
        T = torch.randn(len(c.pairs), *c.gamma.shape, generator=generator, dtype=torch.float64)
        tables.append(T)
        for (b, right), t in zip(c.pairs, T, strict=True):
            f += c.gamma[b, c.right_image[right, z]] * t[c.left_image[b, x], c.right_image[right, y]]
    gaps = Gaps.of(found.circuits, tables, alike, group)
    xs, ys = x[:, :, 0].flatten(), y[:, :, 0].flatten()
    own = f[xs, ys, group.table[xs, ys]]
    true, bound = own[:, None] - f[xs, ys], gaps.at(xs, ys)
    assert bool((bound <= true + 1e-9).all())
    others = true.scatter(1, group.table[xs, ys][:, None], torch.inf).amin(1)
    assert bool((gaps.smallest().at(xs, ys) <= others + 1e-9).all())
    same = Gaps.of(found.circuits, [torch.ones_like(t) for t in tables], alike, group).at(xs, ys)
    if all(len(c.pairs) == c.gamma.numel() for c in found.circuits):
        assert torch.allclose(same, torch.zeros_like(same), atol=1e-9)  # equal tables: the bound is the value


def one_irrep(degree, directions=1, missing=(), noise=0.0, noisy=("E_l", "E_r", "U")):
    """A network on S_d with neurons ReLU(+-(alpha(x^-1 b) - alpha(y c))) for pairs of d points: all read the irrep of d points.

    There are several alphas, that is directions along which they see it, dealt to pairs at random; and `missing` left points have
    no neurons. What points without neurons cannot tell, a permutation's sign, is added by neurons on 2 points.
    """
    group, g = group_named(f"S{degree}"), torch.Generator().manual_seed(0)
    n = group.order
    act = torch.tensor(list(itertools.permutations(range(degree)))).T  # g p, as elements are numbered in this order
    even = group.closure((group.orders == 3).nonzero().flatten().tolist())
    parity = torch.where(even, 1.0, -1.0).double()
    base = torch.tensor([-2.0, 2.0, -1.0, 0.1, 0.9][:degree], dtype=torch.float64)
    alphas = [base, *(base + 0.2 * torch.randn(degree, generator=g, dtype=torch.float64) for _ in range(directions - 1))]
    alphas = [a - a.mean() for a in alphas]
    left, right, output = [], [], []
    for b in range(degree):
        for c in range(degree):
            if b in missing:
                continue
            own = torch.randint(0, directions, (2,), generator=g).tolist()
            for alpha in (alphas[i] for i in own):
                for sign in (1, -1):
                    left.append(sign * alpha[act[b, group.inverse]])
                    right.append(-sign * alpha[act[c]])
                    output.append(-(act[c] == b).double())
    for s in (1, -1):
        for t in (1, -1):
            left.append(2 * s * parity)
            right.append(2 * t * parity)
            output.append(s * t * parity * 0.5)
    model = PairMLP(group.table, len(left), dtype=torch.float64)
    weights = {"E_l": torch.stack(left, 1), "E_r": torch.stack(right, 1), "U": torch.stack(output)}
    for name in noisy:
        weights[name] = weights[name] + noise * torch.randn(weights[name].shape, generator=g, dtype=torch.float64)
    model.load_state_dict({**weights, "bias": torch.zeros(n, dtype=torch.float64), "table": group.table})
    return model.requires_grad_(False)


def sums_hold(model, alike, exact):
    """Are moved + constant + tables the neurons' outputs, up to what error and apart allow between two outputs?"""
    group, w = Groups.of(model).group, Weights.of(model)
    x, y = torch.cartesian_prod(torch.arange(group.order), torch.arange(group.order)).T
    inputs = torch.stack([w.left, w.right])
    for c in check_circuits(explained(model, alike), group).circuits:
        sums, tables = sums_of(c, alike, inputs, w.output, exact)
        h = torch.relu(w.left[x] + w.right[y])[:, c.neurons]
        rest = h @ (c.share[:, None] * w.output[c.neurons])
        for (b, right), t in zip(c.pairs, tables, strict=True):
            seen = t[c.left_image[b, x], c.right_image[right, y]]
            rest = rest - seen[:, None] * c.gamma[b, c.right_image[right]]
        rest = rest - sums.moved[0, x] - sums.moved[1, y] - sums.constant
        allowed = (sums.error[0, x] + sums.error[1, y])[:, None, None] + sums.apart
        if not bool(((rest[:, :, None] - rest[:, None]).abs() <= allowed + 1e-9).all()):
            return False
    return True


@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("seed", [1, 7, 12, 16, 22, 31])
def test_sums_are_what_readings_write(seed, exact, alike):
    assert sums_hold(specimen(seed).model, alike, exact)


FAULTS = {
    "input error": ("_own", lambda found: (found[0], 0 * found[1]), ("E_l", "E_r")),
    "output error": ("_centred", lambda found: 0 * found, ("U",)),
    "known sums": ("_moved", lambda found: 0 * found, ("U",)),
}


@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("kind", FAULTS)
def test_every_error_is_needed(kind, exact, alike):
    """A network with noise of one kind; with the part that bounds it planted to be 0, the sums do not hold."""
    name, fault, noisy = FAULTS[kind]
    model = one_irrep(4, noise=0.02, noisy=noisy)
    assert sums_hold(model, alike, exact)
    right = getattr(errors, name)
    with mock.patch.object(errors, name, lambda *args: fault(right(*args))):
        assert not sums_hold(model, alike, exact)


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
    e["gamma"] = e["gamma"][1:]


def readings_without_values(e):
    e["reading_values"] = e["reading_values"][1:]


BROKEN = (
    swap_images,
    swap_right_images,
    forget_the_identity,
    merge_circuits,
    trivial_action,
    out_of_range,
    too_few_values,
    readings_without_values,
)


@pytest.mark.parametrize("break_", BROKEN, ids=lambda f: f.__name__)
def test_what_is_not_an_action_is_refused(good, break_):
    task = Groups.of(good.model)
    explanation = GSetsLinear().explain(good.model, task)
    assert check_circuits(explanation, task.group) is not None
    break_(explanation)
    assert check_circuits(explanation, task.group) is None
    assert cp.prove(good.model, task, GSetsLinear(), explanation=explanation).claim.numerator == 0


def test_circuits_that_would_take_too_much_memory_are_refused(good):
    explanation, group = explained(good.model), Groups.of(good.model).group
    assert check_circuits(explanation, group) is not None
    with mock.patch.object(circuits, "ENTRIES", 30):
        assert check_circuits(explanation, group) is None
        assert cp.prove(good.model, Groups.of(good.model), GSetsLinear()).bound == 0  # nor does the search find anything


def test_gamma_must_be_invariant_under_stabilisers():
    """On three points S3 has stabilisers of two elements, which must leave gamma(b_0, .) alone."""
    group = group_named("S3")
    subgroup = group.closure([1]).nonzero().flatten()
    number = torch.unique(group.table[:, subgroup].amin(1), return_inverse=True)[1]  # the coset of every element
    first = [int((number == p).nonzero()[0]) for p in range(3)]
    act = number[group.table[:, first]].T  # g p
    explanation = {
        "left": torch.cat([torch.zeros(3, 1, dtype=torch.int64), act[:, group.inverse]], 1),
        "right": torch.cat([torch.zeros(3, 1, dtype=torch.int64), act], 1),
        "gamma": torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64),
        "readings": torch.zeros(0, 3, dtype=torch.int64),
        "reading_values": torch.zeros(0, 2, dtype=torch.float64),
        "alike": torch.tensor([0]),
        "shifts": torch.zeros(2, dtype=torch.float64),
    }
    assert check_circuits(explanation, group) is not None
    explanation["gamma"][1] = 0.5  # c_1 and c_2 are exchanged by the stabiliser of b_0
    assert check_circuits(explanation, group) is None
    explanation["gamma"][2] = 0.5
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
        given_ = None if isinstance(strategy, Cosets) else explanation
        assert violations(strategy, Specimen(liar), task, given_, truth) == []


def test_the_harness_would_catch_an_action_that_is_checked_for_another_group(symmetric):
    liar, group = symmetric("C6", noise=0.01), group_named("C6")
    explanation = GSetsLinear().explain(liar, Groups.of(liar))
    liar.table.copy_(group_named("S3").table)
    planted = mock.patch.object(margins, "check_circuits", lambda e, _: check_circuits(e, group))
    with planted:
        found = violations(GSetsLinear(), Specimen(liar), Groups.of(liar), explanation)
    assert "claims 36 inputs right" in found[0]


def negative_scales(e, m, g):
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
    e["gamma"] *= 100.0


def large_scales(e, m, g):
    e["reading_values"][:, 0] *= 1e6


def no_scales(e, m, g):
    e["reading_values"][:, 0] = 0.0


def shifted(e, m, g):
    e["shifts"] += 5.0


def tables_of_left_points(e, m, g):
    e["alike"][:] = 1


def tables_of_right_points(e, m, g):
    e["alike"][:] = 2


def half_of_the_readings(e, m, g):
    """Pairs of points without a neuron: their tables are 0, and the others' are not alike."""
    for name in ("readings", "reading_values"):
        e[name] = e[name][::2]


def nonexistent_neurons(e, m, g):
    e["readings"][:, 0] += m


def nonexistent_points(e, m, g):
    e["readings"][:, 1] += 3


LIES = (
    negative_scales,
    wrong_places,
    permuted_neurons,
    read_twice,
    shares_too_large,
    negative_shares,
    large_gamma,
    large_scales,
    no_scales,
    shifted,
    tables_of_left_points,
    tables_of_right_points,
    half_of_the_readings,
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
        for strategy in CIRCUITS:
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


def test_readings_in_every_way_make_a_circuit_whole():
    """Neurons at (b, c) alone, none at (-b, c): read as both, with either sign, the circuit is whole."""
    group = group_named("C2")
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
    model = PairMLP(group.table, 2, dtype=torch.float64)
    weights = {"E_l": torch.stack([sign, -sign], 1), "E_r": torch.stack([sign, -sign], 1)}
    weights |= {"U": torch.stack([sign, sign]), "bias": -sign, "table": group.table}
    model.load_state_dict(weights)
    task = Groups.of(model)
    explanation = GSetsLinear().explain(model, task)
    assert len(explanation["readings"]) == 8
    assert explanation["reading_values"][:, 1].tolist() == [0.25] * 8
    found = check_circuits(explanation, task.group)
    assert found.rest == {}
    assert [len(c.pairs) for c in found.circuits] == [4]
    assert cp.prove(model, task, GSetsLinear()).bound == 1


@pytest.mark.parametrize(("directions", "missing"), [(1, ()), (6, ()), (1, (1, 4))])
def test_the_search_finds_what_was_built(directions, missing):
    """One direction; six directions within one circuit; a circuit that lacks two points of one side."""
    model = one_irrep(5, directions, missing, 0.01)
    task = Groups.of(model)
    brute = cp.prove(model, task, BruteForce())
    assert brute.bound == 1
    certificate = cp.prove(model, task, GSets(rest=False))
    assert certificate.bound == 1
    assert certificate.length.total < brute.length.total / 10
    shape = {tuple(c.gamma.shape) for c in check_circuits(certificate.explanation, task.group).circuits}
    assert shape == {(5, 5), (2, 2)}
    assert not missing or ALIKE[int(certificate.explanation["alike"])] == "left"
