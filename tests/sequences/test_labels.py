"""Label functions that ship, against definitions in plain Python."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.errors import BadInput
from compact_proofs.sequences.labels import LABELS, label_function


def longest_cycle(x, v):
    best = 0
    for start in range(len(x)):
        at = start
        for length in range(1, len(x) + 1):
            at = x[at]
            if at >= len(x):
                break
            if at == start:
                best = max(best, length)
                break
    return best


def balanced(x, v):
    height = 0
    for t in x:
        height += {0: 1, 1: -1}.get(t, 0)
        if height < 0:
            return 0
    return int(height == 0)


def previous(x, v):
    earlier = [i for i in range(len(x) - 1) if x[i] == x[-1]]
    return earlier[-1] if earlier else len(x) - 1


def after(x, v):
    first = x.index(x[-1])
    return x[first + 1] if first < len(x) - 1 else x[-1]


def contains_run(x, factor):
    return any(x[i : i + len(factor)] == factor for i in range(len(x) - len(factor) + 1))


PARITY = {"step": ((0, 1), (1, 0)), "start": 0, "labels": (0, 1)}

NAIVE = {
    "maximum": [({}, lambda x, v: max(x))],
    "minimum": [({}, lambda x, v: min(x))],
    "second-largest": [({}, lambda x, v: sorted(x)[-2])],
    "token-at": [({"position": 0}, lambda x, v: x[0]), ({"position": -1}, lambda x, v: x[-1])],
    "first-is-last": [({}, lambda x, v: int(x[0] == x[-1]))],
    "contains": [({"token": 1}, lambda x, v: int(1 in x))],
    "occurred-before": [({}, lambda x, v: int(x[-1] in x[:-1]))],
    "previous-occurrence": [({}, previous)],
    "after-occurrence": [({}, after)],
    "repeats": [({}, lambda x, v: int(len(set(x)) < len(x)))],
    "palindrome": [({}, lambda x, v: int(x == x[::-1]))],
    "sorted": [({}, lambda x, v: int(x == sorted(x)))],
    "majority": [({"least": 1}, lambda x, v: int(sum(t >= 1 for t in x) > len(x) / 2))],
    "modular-sum": [({"modulus": 3}, lambda x, v: sum(x) % 3)],
    "balanced": [({}, balanced)],
    "count-of-last": [({}, lambda x, v: x.count(x[-1]))],
    "longest-cycle": [({}, longest_cycle)],
    "regular-language": [(PARITY, lambda x, v: sum(x) % 2)],
    "avoids": [
        ({"factor": [0, 1]}, lambda x, v: int(not contains_run(x, [0, 1]))),
        ({"factor": [0, 0, 1, 0]}, lambda x, v: int(not contains_run(x, [0, 0, 1, 0]))),
    ],
}
CASES = [(name, given_, naive) for name, cases in NAIVE.items() for given_, naive in cases]


def test_every_label_function_has_a_naive_definition_here():
    assert NAIVE.keys() == LABELS.keys()


@pytest.mark.parametrize(("name", "parameters", "naive"), CASES, ids=lambda x: x if isinstance(x, str) else "")
@settings(max_examples=25)
@given(n=st.integers(2, 5), v=st.integers(2, 4), data=st.data())
def test_labels_are_those_of_the_naive_definition(name, parameters, naive, n, v, data):
    v = 2 if name == "regular-language" else v
    label = label_function(name, parameters)
    label.check(n, v)
    sequences = [list(x) for x in itertools.product(range(v), repeat=n)]
    chosen = data.draw(st.lists(st.sampled_from(sequences), min_size=1, max_size=40))
    inputs = torch.tensor(chosen)
    labels = label(inputs)
    assert labels.dtype == torch.int64
    assert labels.tolist() == [naive(x, v) for x in chosen]
    assert int(labels.max()) < label.outputs(n, v)
    automaton = label.automaton(n, v)
    if automaton is not None:
        assert automaton(inputs).tolist() == labels.tolist()


def test_what_has_no_meaning_is_refused():
    with pytest.raises(BadInput, match="no label function 'chess'"):
        label_function("chess")
    with pytest.raises(BadInput, match="majority"):
        label_function("majority", {"leest": 3})
    for name, parameters, n, v in [
        ("token-at", {"position": 4}, 4, 3),
        ("contains", {"token": 3}, 4, 3),
        ("second-largest", {}, 1, 3),
        ("modular-sum", {"modulus": 0}, 2, 2),
        ("balanced", {}, 2, 1),
        ("regular-language", PARITY, 2, 3),
        ("avoids", {"factor": []}, 2, 2),
    ]:
        with pytest.raises(BadInput):
            label_function(name, parameters).check(n, v)
