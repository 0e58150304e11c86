"""`FiniteTask`: its inputs, their number, and what names it in a certificate."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.sequences.automaton import Automaton, Language
from compact_proofs.sequences.labels import Avoids, Balanced, Majority, Maximum, RegularLanguage
from compact_proofs.sequences.task import FiniteTask

PARITY = Automaton.of([[0, 1], [1, 0]], 0, [0, 1])


def top(inputs):
    return inputs.amax(1)


def test_inputs_are_all_sequences_in_order():
    task = FiniteTask(3, 4, top)
    assert task.size == 64
    inputs = task.inputs(0, 64)
    assert inputs.tolist() == torch.cartesian_prod(*[torch.arange(4)] * 3).tolist()
    assert task.inputs(60, 100).tolist() == inputs[60:].tolist()
    assert task.labels(inputs).tolist() == inputs.amax(1).tolist()
    assert task.valid(inputs).all()


@given(st.integers(1, 6), st.integers(2, 3), st.integers(0, 10**6))
@settings(max_examples=50)
def test_an_automaton_counts_and_lists_what_a_function_does(n, v, seed):
    generator = torch.Generator().manual_seed(seed)
    automaton = Automaton.of(torch.randint(0, 3, (3, v), generator=generator), 0, torch.randint(0, 2, (3,), generator=generator))
    by_function = [x for x in FiniteTask(n, v, top).sequences(0, v**n) if automaton(x[None]).item()]
    if not by_function:
        with pytest.raises(BadInput, match="no sequence is valid"):
            FiniteTask(n, v, top, valid=automaton)
        return
    counted, listed = FiniteTask(n, v, top, valid=automaton), FiniteTask(n, v, top, valid=lambda x: automaton(x) == 1)
    assert counted.size == listed.size == len(by_function)
    assert counted.inputs(0, counted.size).tolist() == listed.inputs(0, listed.size).tolist() == [x.tolist() for x in by_function]
    language = Language(automaton, n)
    assert language.numbers(counted.inputs(0, counted.size)) == list(range(counted.size))


def test_an_automaton_counts_beyond_64_bits():
    language = Language(Balanced().automaton(100, 2), 100)
    catalan = 1
    for k in range(50):
        catalan = catalan * 2 * (2 * k + 1) // (k + 2)
    assert language.size == catalan
    last = language.numbered([catalan - 1, 0, catalan // 2])
    assert language.numbers(last) == [catalan - 1, 0, catalan // 2]
    assert Balanced()(last).all()
    with pytest.raises(BadInput, match="numbered"):
        language.numbered([catalan])


def test_draws_are_valid_and_spread():
    task = FiniteTask(6, 3, top, valid=Balanced().automaton(6, 3))
    drawn = task.draw(200, Draws(b"seed"))
    assert task.valid(drawn).all()
    assert len({tuple(x) for x in drawn.tolist()}) > 20
    everything = FiniteTask(50, 9, top)
    assert everything.draw(10, Draws(b"seed")).shape == (10, 50)


def test_the_label_function_is_named_by_what_it_is():
    named = FiniteTask(3, 4, Majority(2)).parameters()
    assert named == {"n_ctx": 3, "d_vocab": 4, "label": "majority", "label.least": 2}
    assert named != FiniteTask(3, 4, Majority(1)).parameters()
    assert FiniteTask(3, 4, Avoids((0, 1))).parameters()["label.factor"] == "(0, 1)"
    long = FiniteTask(9, 2, dfa=Automaton.of([[i, (i + 1) % 30] for i in range(30)], 0, range(30))).parameters()
    assert set(long) == {"n_ctx", "d_vocab", "label", "label_sha256"}


def test_an_own_function_is_named_by_its_values():
    def largest(x):
        return x.max(1).values

    def smallest(x):
        return x.min(1).values

    same = FiniteTask(3, 4, top), FiniteTask(3, 4, largest)
    assert same[0].parameters() == same[1].parameters()
    assert same[0] == same[1]
    assert same[0] != FiniteTask(3, 4, smallest)
    assert same[0] != FiniteTask(3, 4, Maximum())  # which is named, and not compared by values
    few = FiniteTask(3, 4, top, valid=lambda x: x[:, 0] > 0)
    assert few != same[0]
    assert few != FiniteTask(3, 4, top, valid=lambda x: x[:, 0] > 1)


def test_a_function_with_too_many_inputs_is_named_by_its_source():
    large = FiniteTask(40, 4, top).parameters()
    assert large["label"] == "declared by the user, by its source text"
    assert large != FiniteTask(40, 4, lambda x: x.amin(1)).parameters()
    without_source = eval("lambda x: x.amax(1)")
    with pytest.raises(BadInput, match="no source text"):
        FiniteTask(40, 4, without_source).parameters()


def test_what_does_not_fit_is_refused():
    for build in (
        lambda: FiniteTask(0, 4, top),
        lambda: FiniteTask(3, 4),
        lambda: FiniteTask(3, 2, top, dfa=PARITY),
        lambda: FiniteTask(3, 3, dfa=PARITY),
        lambda: FiniteTask(3, 3, top, valid=PARITY),
        lambda: FiniteTask(40, 4, top, valid=lambda x: x[:, 0] > 0),
        lambda: FiniteTask(3, 4, top, valid=lambda x: x[:, 0] > 9),
        lambda: Automaton.of([[0, 2], [1, 0]], 0, [0, 1]),
        lambda: Automaton.of([[0, 1], [1]], 0, [0, 1]),
        lambda: Automaton.of([[0, 1], [1, 0]], 0, [0, -1]),
    ):
        with pytest.raises(BadInput):
            build()


def test_an_automaton_may_be_given_as_a_tuple():
    task = FiniteTask(5, 2, dfa=([[0, 1], [1, 0]], 0, [0, 1]))
    assert task.label == RegularLanguage(PARITY.step, 0, (0, 1))
    inputs = task.inputs(0, 32)
    assert task.labels(inputs).tolist() == (inputs.sum(1) % 2).tolist()


def test_labels_are_one_integer_for_each_sequence():
    inputs = FiniteTask(3, 4, top).inputs(0, 10)
    same = FiniteTask(3, 4, lambda x: x[:, 0] == x[:, 2])
    assert same.labels(inputs).dtype == torch.int64
    assert same.labels(inputs).tolist() == [int(a == c) for a, _, c in inputs.tolist()]
    for wrong in (lambda x: x, lambda x: x[:, 0] / 2, lambda x: x.sum(), lambda x: 3):
        with pytest.raises(BadInput, match=r"integers \[10\]"):
            FiniteTask(3, 4, wrong).labels(inputs)


def test_sequences_that_an_automaton_holds_are_numbered_however_many_they_are():
    ends = [[0, 1]] * 2  # the state is the last token
    few, many, more = (FiniteTask(n, 2, Maximum(), valid=Automaton.of(ends, 0, [0, 1])) for n in (4, 40, 80))
    assert few.numbers(few.inputs(0, few.size)).tolist() == list(range(8))
    assert few.numbers(few.sequences(0, 16)).tolist() == [number // 2 if number % 2 else -1 for number in range(16)]
    last = many.inputs(many.size - 3, many.size)
    assert many.numbers(last).tolist() == [2**39 - 3, 2**39 - 2, 2**39 - 1]
    assert more.numbers(torch.ones(1, 80, dtype=torch.int64)).tolist() == [2**62]
    drawn = many.draw(5, Draws(b"x"))
    assert [many.inputs(number, number + 1)[0].tolist() for number in many.numbers(drawn).tolist()] == drawn.tolist()
