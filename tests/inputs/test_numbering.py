"""Numbers of inputs and their digits, against Python's integers, which have no largest one."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from compact_proofs.formal.checkers import formal_default
from compact_proofs.formal.compact import compact_statement
from compact_proofs.inputs.numbering import lexicographic, numbered, sequences
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks.induction import Induction
from compact_proofs.tasks.lagged_induction import LaggedInduction
from compact_proofs.tasks.max_of_k import MaxOfK


@given(st.data())
def test_digits(data):
    bases = data.draw(st.lists(st.integers(1, 2**16), min_size=1, max_size=12))
    size = math.prod(bases)
    start = data.draw(st.integers(0, size - 1))
    stop = start + data.draw(st.integers(1, 5))
    found = numbered(start, stop, bases).tolist()
    assert len(found) == min(stop, size) - start
    for number, digits in enumerate(found, start):
        assert all(0 <= digit < base for digit, base in zip(digits, bases, strict=True))
        value = 0
        for digit, base in zip(digits, bases, strict=True):
            value = value * base + digit
        assert value == number


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 10**5))
def test_lexicographic_is_the_inverse(v, n, start):
    rows = sequences(start % v**n, start % v**n + 7, v, n)
    assert lexicographic(rows, v).tolist() == list(range(start % v**n, start % v**n + len(rows)))


def test_the_last_inputs_of_tasks_that_no_tensor_numbers():
    """A hundred places: the last sequence is that of the largest digits."""
    assert MaxOfK(3, 100).inputs(3**100 - 2, 3**100 + 5).tolist() == [[2] * 99 + [1], [2] * 100]
    for task in (Induction(128, 100), LaggedInduction(128, 100, 3)):
        (last,) = task.inputs(task.size - 1, task.size)
        assert last[:-1].tolist() == list(range(127, 28, -1))
        assert last[-1] == last[100 - 3 if task.name == "induction" else 100 - 5]


def test_theorems_about_more_inputs_than_integers():
    sizes = AttentionOnlyConfig(d_vocab=3, n_ctx=70, d_model=4, d_head=4)
    model = AttentionOnlyTransformer(sizes).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    task, strategy = MaxOfK.of(model), formal_default(model)
    statement = compact_statement(model, task, strategy, strategy.explain(model, task))
    assert statement.words(0).endswith("maximum >= 0 / 3 ^ 70")
