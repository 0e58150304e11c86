"""Boxes of constant label from decision diagrams, and the checks of boxes given by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.automatic.boxes.roots import by_last_token, overlap, roots
from compact_proofs.errors import BadInput
from compact_proofs.length import count
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.boxes import MIXED, Boxes
from compact_proofs.sequences.labels import (
    Avoids,
    Balanced,
    Contains,
    FirstIsLast,
    Majority,
    Maximum,
    OccurredBefore,
    Repeats,
)
from compact_proofs.sequences.task import FiniteTask


@pytest.mark.parametrize(
    ("label", "v", "n", "boxes"),
    [
        (Maximum(), 16, 4, 376),
        (Maximum(), 8, 6, 148),
        (FirstIsLast(), 16, 5, 32),
        (OccurredBefore(), 16, 4, 64),
        (Contains(), 8, 6, 43),
        (Majority(4), 8, 6, 140),
        (Avoids((0, 1)), 5, 8, 667),
        (Balanced(), 4, 8, 1197),
        (Repeats(), 8, 5, 3760),
    ],
    ids=str,
)
def test_the_number_of_boxes_is_that_of_the_theory(label, v, n, boxes):
    found = roots(FiniteTask(n, v, label))
    assert len(found) == boxes
    assert sum(found.sizes) == v**n


def assert_right(task: FiniteTask, found: Boxes) -> None:
    """Every valid sequence lies in one box, under its label; no other sequence lies in any."""
    inputs = task.sequences(0, task.space)
    belongs, valid = found.member(inputs), task.valid(inputs)
    assert (belongs.sum(1) == valid.long()).all()
    assert (found.labels[belongs[valid].int().argmax(1)] == task.labels(inputs)[valid]).all()


@given(st.integers(1, 4), st.integers(2, 4), st.integers(0, 10**6))
@settings(max_examples=60)
def test_boxes_of_random_labels_are_right(n, v, seed):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randint(0, 3, (v,) * n, generator=generator)
    valid = torch.rand((v,) * n, generator=generator) < 0.7
    valid[(0,) * n] = True
    task = FiniteTask(n, v, lambda x: table[tuple(x.T)], valid=lambda x: valid[tuple(x.T)])
    assert_right(task, roots(task))


def random_automaton(generator: torch.Generator, states: int, v: int, labels: int) -> Automaton:
    def random(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(0, high, shape, generator=generator)

    return Automaton.of(random(states, states, v), int(random(states)), random(labels, states))


@given(st.integers(1, 5), st.integers(2, 3), st.integers(0, 10**6))
@settings(max_examples=60)
def test_boxes_of_random_automata_are_right(n, v, seed):
    generator = torch.Generator().manual_seed(seed)
    automaton, valid = random_automaton(generator, 4, v, 3), random_automaton(generator, 3, v, 2)
    assert_right(FiniteTask(n, v, dfa=automaton), roots(FiniteTask(n, v, dfa=automaton)))
    try:
        task = FiniteTask(n, v, dfa=automaton, valid=valid)
    except BadInput:  # nothing is valid
        return
    assert_right(task, roots(task))


def test_boxes_of_an_automaton_need_no_list_of_inputs_and_are_counted():
    task = FiniteTask(12, 6, Maximum())
    with count() as counter:
        found = roots(task)
    assert sum(found.sizes) == 6**12
    assert 0 < counter.length.by_stage["boxes"]["integer"] < 10**5


def test_labelling_every_sequence_is_counted():
    with count() as counter:
        roots(FiniteTask(4, 5, lambda x: x.amax(1)))
    assert counter.length.int_ops > 5**4


def test_mixed_boxes_hold_everything():
    task = FiniteTask(3, 4, Maximum())
    found = by_last_token(task)
    assert (found.labels == MIXED).all()
    assert (found.member(task.inputs(0, task.size)).sum(1) == 1).all()
    large = FiniteTask(20, 9, lambda x: x.amax(1))
    assert len(roots(large)) == 9
    with pytest.raises(BadInput, match="too many"):
        roots(large, "label")


@pytest.mark.parametrize("label", [Maximum(), lambda x: x.amax(1)], ids=["automaton", "listed"])
def test_boxes_given_by_hand_are_checked(label):
    masks = torch.tensor([[[1, 0], [1, 0]], [[1, 1], [0, 1]], [[0, 1], [1, 0]]], dtype=torch.bool)
    right = Boxes(masks, torch.tensor([0, 1, 1]))
    assert roots(FiniteTask(2, 2, label, boxes=right)) is right
    wrong = Boxes(masks, torch.tensor([0, 1, 0]))
    with pytest.raises(BadInput, match="box 2 is said to have label 0"):
        roots(FiniteTask(2, 2, label, boxes=wrong))
    mixed = Boxes(torch.ones(1, 2, 2, dtype=torch.bool), torch.tensor([1]))
    with pytest.raises(BadInput, match="box 0"):
        roots(FiniteTask(2, 2, label, boxes=mixed))
    assert len(roots(FiniteTask(2, 2, label, boxes=Boxes(mixed.masks, torch.tensor([MIXED]))))) == 1
    twice = Boxes.cat([right, right[torch.tensor([1])]])
    with pytest.raises(BadInput, match="share inputs"):
        roots(FiniteTask(2, 2, label, boxes=twice))


def test_a_hand_made_box_with_an_input_outside_the_task_is_refused():
    box = Boxes(torch.ones(1, 2, 3, dtype=torch.bool), torch.tensor([0]))
    with pytest.raises(BadInput, match="not valid"):
        roots(FiniteTask(2, 3, lambda x: 0 * x[:, 0], valid=lambda x: x[:, 0] < 2, boxes=box))


@given(st.integers(1, 3), st.integers(2, 4), st.integers(0, 6), st.integers(0, 10**6))
@settings(max_examples=80)
def test_overlap_is_found_exactly(n, v, number, seed):
    masks = torch.rand(number, n, v, generator=torch.Generator().manual_seed(seed)) < 0.5
    inputs = torch.cartesian_prod(*[torch.arange(v)] * n).reshape(-1, n)
    belongs = Boxes(masks, torch.zeros(number, dtype=torch.int64)).member(inputs)
    shared = overlap(masks)
    assert (shared is not None) == bool((belongs.sum(1) > 1).any())
    if shared is not None:
        assert bool((belongs[:, shared[0]] & belongs[:, shared[1]]).any())
