"""The inputs, their numbers and labels; the model against numpy loops."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_stacks import random_stack

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.check_task import check_task
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStackConfig
from compact_proofs.tasks.induction import Circuit, Induction
from compact_proofs.tasks.induction.cases import all_different, answer_number, answers, free_places, place_among_free
from compact_proofs.tasks.induction.listed import case_inputs
from compact_proofs.tasks.induction.training import uniform_inputs


def by_definition(D, n):
    return {(*first, first[i]): first[i + 1] for first in itertools.permutations(range(D), n - 1) for i in range(n - 2)}


@pytest.mark.parametrize(("D", "n"), [(2, 3), (3, 3), (4, 4), (4, 5), (6, 4)])
def test_every_input_once_with_its_label(D, n):
    task = Induction(D, n)
    inputs = task.inputs(0, task.size)
    expected = by_definition(D, n)
    assert task.size == len(expected) == len(inputs)
    found = dict(zip(map(tuple, inputs.tolist()), task.labels(inputs).tolist(), strict=True))
    assert found == expected
    assert task.numbers(inputs).tolist() == list(range(task.size))


def test_sizes_of_the_zoo():
    assert Induction(16, 6).size == 2_096_640
    assert Induction(16, 6).case_size == 2184
    assert f"{Induction(64, 32).size:.1e}" == "4.4e+53"


@given(st.integers(0, 10**15))
@settings(max_examples=30)
def test_numbers_of_a_large_task(number):
    task = Induction(32, 16)
    [x] = task.inputs(number, number + 1).tolist()
    assert len(set(x[:-1])) == 15
    assert x[-1] in x[:-2]
    assert task.numbers(torch.tensor([x])).tolist() == [number]


def test_samples_are_inputs_of_every_kind():
    inputs, labels = uniform_inputs(4, 4)(torch.Generator().manual_seed(0), 4000)
    expected = by_definition(4, 4)
    counts = dict.fromkeys(expected, 0)
    for x, y in zip(map(tuple, inputs.tolist()), labels.tolist(), strict=True):
        assert expected[x] == y
        counts[x] += 1
    assert min(counts.values()) > 4000 / len(counts) / 2


@pytest.mark.parametrize(("D", "n"), [(4, 2), (3, 5)])
def test_sizes_without_inputs(D, n):
    with pytest.raises(BadInput, match="d_vocab >= n_ctx - 1"):
        Induction(D, n)


def test_groups_partition_the_inputs():
    task, D, n = Induction(5, 4), 5, 4
    q, a, free = answers(D)
    found = []
    for case in range((n - 2) * D * (D - 1)):
        i, row = divmod(case, D * (D - 1))
        inputs = case_inputs(task, case)
        assert len(inputs) == task.case_size
        assert set(task.places(inputs).tolist()) == {i}
        assert (inputs[:, -1] == q[row]).all()
        assert (task.labels(inputs) == a[row]).all()
        assert answer_number(D)[q[row], a[row]] == row
        for m in free_places(n, i):
            assert torch.isin(inputs[:, m], free[row]).all()
            assert (free[row][place_among_free(D)[row, inputs[:, m]]] == inputs[:, m]).all()
        found += task.numbers(inputs).tolist()
    assert sorted(found) == list(range(task.size))


def test_all_different():
    assert int(all_different(6, 3).sum()) == 4 * 3 * 2


def by_loops(model, tokens):
    W = {name: w.numpy() for name, w in model.named_parameters()}
    x = [W["W_E"][t] + W["W_pos"][k] for k, t in enumerate(tokens)]
    for layer in range(len(model.blocks)):
        Q, K, V, out = (W[f"blocks.{layer}.W_{name}"] for name in "QKVO")
        written = []
        for k in range(len(x)):
            scores = [float(np.dot(x[k] @ Q, x[m] @ K)) / math.sqrt(Q.shape[1]) for m in range(k + 1)]
            weights = np.exp(np.array(scores) - max(scores))
            written.append(sum(w * (x[m] @ V @ out) for m, w in enumerate(weights / weights.sum())))
        x = [a + b for a, b in zip(x, written, strict=True)]
    return x[-1] @ W["W_U"]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_forward_equals_numpy(layers):
    model = random_stack(layers)
    inputs = torch.randint(0, 6, (10, 4), generator=torch.Generator().manual_seed(1))
    expected = np.stack([by_loops(model, row) for row in inputs.tolist()])
    np.testing.assert_allclose(model(inputs).numpy(), expected, rtol=1e-11, atol=1e-11)
    assert model(inputs[0]).shape == (6,)
    assert model.config == AttentionStackConfig(6, 4, 5, 3, layers)


def test_one_layer_is_the_other_architecture():
    stack = random_stack(1)
    one = AttentionOnlyTransformer(AttentionOnlyConfig(6, 4, 5, 3), torch.float64)
    one.load_state_dict({name.removeprefix("blocks.0."): w for name, w in stack.state_dict().items()})
    inputs = torch.randint(0, 6, (10, 4), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(stack(inputs), one(inputs).detach())


def test_wrong_uses_are_named():
    with pytest.raises(BadInput, match="sequences of 4 tokens"):
        random_stack(2)(torch.zeros(1, 3, dtype=torch.int64))
    model = random_stack(3)
    with pytest.raises(BadInput, match="3 layers"):
        Circuit().applies_to(model, Induction.of(model))
    with pytest.raises(BadInput, match="strategies for models of the class AttentionStack"):
        Induction.of(torch.nn.Linear(2, 2))
    with pytest.raises(BadInput, match="d_head must be at least 1"):
        AttentionStackConfig(6, 4, 5, 0)


def test_more_inputs_than_numbers_are_drawn_digit_by_digit():
    task = Induction(32, 16)
    assert task.size > 2**63
    drawn = task.draw(400, Draws(b"seed"))
    assert all(len(set(x[:-1])) == 15 for x in drawn.tolist())
    assert torch.bincount(task.places(drawn), minlength=14).min() > 400 / 14 / 3
    assert check_task(task) is False
