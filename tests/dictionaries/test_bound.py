"""The theorem against exhaustive evaluation: every margin of every network, for every explanation."""

import dataclasses
import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Numbers, OwnMLP, margins, teach

from compact_proofs import prove, trial
from compact_proofs.core.prove import measure
from compact_proofs.core.soundness import Specimen, evaluate, violations
from compact_proofs.dictionaries import Dictionary
from compact_proofs.dictionaries.bound import Bound
from compact_proofs.dictionaries.coding import InputCodes
from compact_proofs.dictionaries.metric import Metric
from compact_proofs.dictionaries.options import dictionary_variants
from compact_proofs.dictionaries.score import bound_terms
from compact_proofs.errors import BadInput, NoSoundRule
from compact_proofs.models.component import HasComponent
from compact_proofs.tasks import KITS

COMPONENTS = (KITS["modular-addition"], KITS["groups"])


@pytest.mark.parametrize("kit", COMPONENTS, ids=lambda kit: kit.name)
def test_components_are_the_models(kit):
    seen = set()
    for seed in range(48):
        model = kit.specimen(seed).model
        task = kit.task_of(model)
        inputs = task.inputs(0, task.size)
        c = model.component(inputs)
        h = c.read(c.activations())
        logits = torch.relu(h if c.b is None else h + c.b) @ c.G
        logits = logits if c.U is None else logits + c.activations() @ c.U
        logits = logits if c.c is None else logits + c.c
        expected = model(inputs)
        torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()), equal_nan=True)
        seen.add((len(c.tables), c.W is None, c.b is None, c.U is None))
    assert len(seen) > (5 if kit.name == "modular-addition" else 1)


def test_a_component_reads_the_inputs_of_its_model_only():
    model = KITS["groups"].specimen(1).model
    for wrong in (torch.tensor([[0, model.order]]), torch.tensor([[0, -1]]), torch.tensor([[0]]), torch.tensor([[0.0, 1.0]])):
        with pytest.raises(BadInput, match="this model reads 2 tokens"):
            model.component(wrong)


@st.composite
def cases(draw):
    """A network, a strategy, and an explanation of the right form: its own, or one of numbers of any size."""
    n, d, neurons, outputs = (draw(st.integers(lo, hi)) for lo, hi in ((1, 20), (1, 5), (1, 8), (2, 5)))
    tables = draw(st.integers(1, 2))
    shape = {"tables": tables, "folded": draw(st.booleans()), "skip": draw(st.booleans()), "biases": draw(st.booleans())}
    model = OwnMLP(n, d, neurons, outputs, seed=draw(st.integers(0, 99)), scale=draw(st.sampled_from([0.3, 1.0, 3.0])), **shape)
    codes = draw(st.sampled_from(["inputs", "tokens"])) if tables == 2 else "inputs"
    L = draw(st.integers(1, 6))
    strategy = Dictionary(
        draw(st.sampled_from(["pca", "metric-pca", "random"])),
        L,
        draw(st.integers(1, L)),
        codes=codes,
        groups=draw(st.integers(1, 3)),
        rank=draw(st.integers(0, 5)),
        metric=draw(st.integers(0, 5)),
        linear=draw(st.sampled_from(["exact", "features"])),
        drop=draw(st.sampled_from([0.0, 0.3, 0.9])) if codes == "inputs" else 0.0,
    )
    task = teach(model, Numbers(n, outputs))
    hostile = draw(st.sampled_from([None, 1e-2, 1.0, 1e4]))
    explanation = strategy.explain(model, task)
    if hostile is not None:
        generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
        for name, spec in strategy.specs(model, task).items():
            if spec.limits is None:
                explanation[name] = torch.randn(spec.shape, generator=generator, dtype=torch.float64) * hostile
            else:
                explanation[name] = torch.randint(spec.limits[0], spec.limits[1] + 1, spec.shape, generator=generator)
    return model, task, strategy, explanation


def no_margin_is_below_its_bound(case):
    model, task, strategy, explanation = case
    strategy.accept(model, task, explanation)
    terms, true = bound_terms(model, task, strategy, explanation), margins(model, task)
    size = 1 + sum(float(t.abs().max()) for t in terms) + float(true.abs().max())
    assert bool((terms.margin <= true + 1e-7 * size).all())
    assert all(bool((t >= 0).all()) for t in terms[1:])
    assert violations(strategy, Specimen(model, decided_by_rounding=True), task, explanation) == []


@settings(max_examples=30, deadline=None)
@given(cases())
def test_no_margin_is_below_its_bound(case):
    no_margin_is_below_its_bound(case)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(cases())
def test_no_margin_of_many_cases_is_below_its_bound(case):
    no_margin_is_below_its_bound(case)


measured = Metric.of


def without_tail(c, weight, V):
    """A planted fault: what the followed directions leave is taken for 0."""
    metric = measured(c, weight, V)
    return metric._replace(tail=0 * metric.tail)


def forgotten(of):
    """A planted fault: the term is taken for 0."""

    def wrong(self, *args):
        found = of(self, *args)
        return tuple(0 * t for t in found) if isinstance(found, tuple) else 0 * found

    return wrong


@pytest.mark.parametrize(
    ("kind", "name", "fault", "options"),
    [
        (Metric, "bound", forgotten(Metric.bound), {}),
        (Bound, "_errors", forgotten(Bound._errors), {"rank": 5}),
        (InputCodes, "interaction", lambda self, rows: None, {"drop": 0.6, "features": 4, "active": 4, "metric": 4, "rank": 5}),
        (Metric, "of", without_tail, {"metric": 1, "rank": 5}),
    ],
    ids=["residual", "errors", "interaction", "tail"],
)
def test_planted_faults_are_caught(monkeypatch, kind, name, fault, options):
    caught = []
    monkeypatch.setattr(kind, name, fault)
    for seed in range(40):
        model = OwnMLP(40, 4, 8, 5, seed=seed)
        task = teach(model, Numbers(40, 5))
        strategy = Dictionary("pca", **({"features": 2, "active": 2, "metric": 4, "rank": 2} | options))
        terms = bound_terms(model, task, strategy, strategy.explain(model, task))
        caught.append(bool((terms.margin > margins(model, task) + 1e-6).any()))
    assert sum(caught) > 5


def test_without_the_faults_the_same_networks_pass():
    for seed in range(40):
        model = OwnMLP(40, 4, 8, 5, seed=seed)
        task = teach(model, Numbers(40, 5))
        for options in ({}, {"drop": 0.6, "features": 4, "active": 4}):
            strategy = Dictionary("pca", **({"features": 2, "active": 2, "metric": 1, "rank": 2} | options))
            terms = bound_terms(model, task, strategy, strategy.explain(model, task))
            assert bool((terms.margin <= margins(model, task) + 1e-6).all())


def exactly(model, task, **options):
    """A dictionary that explains everything, and follows everything."""
    c = model.component(task.inputs(0, task.size))
    L = sum(len(t) for t in c.tables)
    k = 1 if options.get("codes") == "tokens" else len(c.tables)
    return Dictionary("tokens", L, k, rank=c.outputs, metric=c.width, **options)


@pytest.mark.parametrize("options", [{}, {"codes": "tokens"}, {"linear": "features"}, {"codes": "tokens", "linear": "features"}])
@pytest.mark.parametrize("folded", [False, True])
def test_whoever_follows_everything_proves_everything(options, folded):
    model = OwnMLP(49, 4, 10, 5, tables=2, folded=folded)
    task = teach(model, Numbers(49, 5))
    strategy = exactly(model, task, **options)
    explanation = strategy.explain(model, task)
    torch.testing.assert_close(bound_terms(model, task, strategy, explanation).margin, margins(model, task), rtol=0, atol=1e-5)
    right = int(evaluate(Specimen(model), task).right.sum())
    assert prove(model, task, strategy, explanation=explanation).claim.numerator == right > 30


def test_a_model_whose_attention_is_learned_is_a_set_of_activations():
    kit, proven = KITS["modular-addition"], 0
    learned = [s for s in map(kit.specimen, range(18, 96)) if s.model.config.attention == "learned" and not s.decided_by_rounding]
    for specimen in learned[:6]:
        model, task = specimen.model, kit.task_of(specimen.model)
        strategy = Dictionary("pca", model.config.d_model, model.config.d_model, rank=model.p, metric=model.config.d_model)
        right = int(evaluate(specimen, task).right.sum())
        assert prove(model, task, strategy).claim.numerator == right
        proven += right
    assert proven > 50


def hostile(strategy, model, task):
    """Explanations of a kind that random numbers do not reach: each spoils what a proof would rest on if it trusted it."""
    own = strategy.explain(model, task)
    yield "output directions that are not orthonormal", own | {"directions": own["directions"] * 3 + 0.5}
    yield "output directions that repeat", own | {"directions": own["directions"][:, :1].expand_as(own["directions"]).clone()}
    yield "huge codes", own | {"value": own["value"] * 1e8}
    yield "codes of another input", own | {"index": own["index"].roll(1, 0), "value": own["value"].roll(1, 0)}
    yield "one feature many times in a code", own | {"index": own["index"][:, :1].expand_as(own["index"]).clone()}
    yield "negative levels", own | {"level": -own["level"] - 1}
    yield "levels that claim too much", own | {"level": own["level"] * 100 + 10}
    yield "every neuron in the last group", own | {"group": torch.full_like(own["group"], strategy.groups - 1)}
    yield "an offset that explains nothing", own | {"offset": own["offset"] + 5}
    if "metric" in own:
        yield "a metric that overcounts", own | {"metric": own["metric"] * 10}
        yield "a metric that sees nothing", own | {"metric": own["metric"] * 0}
        yield "a metric whose rows repeat", own | {"metric": own["metric"][:1].expand_as(own["metric"]).clone()}
    if "kept" in own:
        yield "no read followed", own | {"kept": torch.zeros_like(own["kept"])}
        yield "the important reads dropped", own | {"kept": 1 - own["kept"]}


def hostile_violations(seeds):
    found = []
    for kit, seed in itertools.product(COMPONENTS, seeds):
        specimen = kit.specimen(seed)
        task = kit.task_of(specimen.model)
        truth = evaluate(specimen, task)
        additive = len(specimen.model.component(task.inputs(0, 1)).tables) > 1
        for strategy in dictionary_variants(specimen.model, additive):
            for what, explanation in hostile(strategy, specimen.model, task):
                found += [(what, seed, v) for v in violations(strategy, specimen, task, explanation, truth)]
    return found


def test_hostile_explanations_prove_nothing_false():
    assert hostile_violations(range(4)) == []


@pytest.mark.slow
def test_hostile_explanations_prove_nothing_false_of_many_models():
    assert hostile_violations(range(2000, 2150)) == []


def test_forms_that_are_refused():
    model = OwnMLP(9, 3, 4, 3, tables=2)
    task = teach(model, Numbers(9, 3))
    strategy = Dictionary("pca", 3, 2)
    own = strategy.explain(model, task)
    for wrong in (
        {"index": own["index"] + 3},
        {"index": own["index"] - 4},
        {"value": own["value"].float()},
        {"value": own["value"] / 0},
        {"decoder": own["decoder"][:2]},
        {"group": own["group"] + 1},
    ):
        with pytest.raises(BadInput, match=f"tensor '{next(iter(wrong))}'"):
            prove(model, task, strategy, explanation=own | wrong)
    with pytest.raises(BadInput, match="must hold"):
        prove(model, task, strategy, explanation={k: v for k, v in own.items() if k != "level"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0}, "features must be at least 1, not 0"),
        ({"rank": -1}, "rank must be at least 0, not -1"),
        ({"drop": 1.0}, "drop must be less than 1, not 1.0"),
        ({"warmup": 1.5}, "warmup must be at most 1, not 1.5"),
        ({"drop": 0.5, "codes": "tokens"}, "codes of inputs only"),
        ({"found": "magic"}, "found"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        Dictionary.from_options(options)


def test_models_that_have_no_component_are_refused():
    model = KITS["max-of-k"].specimen(0).model
    assert not isinstance(model, HasComponent)
    with pytest.raises(BadInput, match="give it a method component"):
        prove(model, KITS["max-of-k"].task_of(model), Dictionary())
    alone = OwnMLP(9, 3, 4, 3)
    for strategy in (Dictionary("tokens", 9, 1), Dictionary(codes="tokens")):
        with pytest.raises(BadInput, match="tokens do not add"):
            prove(alone, Numbers(9, 3), strategy)
    with pytest.raises(BadInput, match="features=6"):
        prove(OwnMLP(9, 3, 4, 3, tables=2), Numbers(9, 3), Dictionary("tokens", 5, 2))


@pytest.mark.parametrize("options", [{}, {"codes": "tokens"}, {"drop": 0.4}, {"linear": "features"}, {"groups": 3, "rank": 1}])
def test_every_reading_has_one_length(options):
    model = OwnMLP(30, 4, 6, 4, tables=2)
    task = teach(model, Numbers(30, 4))
    strategy = Dictionary("pca", 4, 3, metric=2, **options)
    explanation = strategy.explain(model, task)
    sound = prove(model, task, strategy, explanation=explanation).length
    assert sound.by_stage == trial(model, task, strategy, explanation=explanation).length.by_stage
    assert sound.by_stage == measure(model, task, strategy, explanation).by_stage


def test_what_is_followed_is_what_is_paid_for():
    model = OwnMLP(200, 6, 40, 5, tables=2)
    task = teach(model, Numbers(200, 5))
    base = Dictionary("pca", 6, 6, rank=2, metric=3)
    length = {
        name: measure(model, task, dataclasses.replace(base, **options)).total
        for name, options in {
            "base": {},
            "dropped": {"drop": 0.8},
            "fewer": {"features": 3, "active": 3},
            "by token": {"codes": "tokens"},
            "more directions": {"rank": 5},
        }.items()
    }
    explanation = dataclasses.replace(base, drop=0.8).explain(model, task)
    dropped = measure(model, task, dataclasses.replace(base, drop=0.8), explanation).total
    assert length["by token"] < length["fewer"] < length["base"] < length["more directions"]
    assert dropped < length["base"] - 200 * 40 * 6  # most of the 2 k n for each input, for a few integers


def test_a_component_of_another_function_is_refused():
    """Wrong by a sign, and by writing in place into what is a copy in the sound reading only."""

    class Wrong(OwnMLP):
        def component(self, inputs):
            found = super().component(inputs)
            return replace(found, G=-found.G)

    class Aliasing(OwnMLP):
        def component(self, inputs):
            found = super().component(inputs)
            G = found.G * 1.0
            G.double().neg_()
            return replace(found, G=G)

    task = Numbers(12, 3)
    for kind in (Wrong, Aliasing):
        with pytest.raises((BadInput, NoSoundRule), match=r"component|in-place|writes"):
            prove(kind(12, 4, 6, 3), task, Dictionary("pca", features=2, active=2))
    assert prove(OwnMLP(12, 4, 6, 3), task, Dictionary("pca", features=2, active=2)).claim.function.architecture == "module"
