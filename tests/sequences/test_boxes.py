"""Boxes, and the split tree that divides them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.automatic.boxes.tree import DROP, LIST, PROVE, REST, Cut, Tree, encode, expand, spec
from compact_proofs.errors import BadInput
from compact_proofs.length import count
from compact_proofs.sequences.boxes import MIXED, Boxes


def all_inputs(n: int, v: int) -> torch.Tensor:
    return torch.cartesian_prod(*[torch.arange(v)] * n).reshape(-1, n)


def random_tree(generator: torch.Generator, n: int, v: int, depth: int) -> Tree:
    def integer(lo: int, hi: int) -> int:
        return int(torch.randint(lo, hi + 1, (), generator=generator))

    if depth == 0 or integer(0, 3) == 0:
        return integer(REST, DROP)
    tokens = torch.rand(v, generator=generator) < 0.5
    return Cut(integer(0, n - 1), tokens, random_tree(generator, n, v, depth - 1), random_tree(generator, n, v, depth - 1))


def test_boxes_list_and_recognise_their_inputs():
    masks = torch.tensor([[[1, 0, 1], [0, 1, 0]], [[0, 1, 0], [1, 1, 1]]], dtype=torch.bool)
    boxes = Boxes(masks, torch.tensor([4, MIXED]))
    assert boxes.sizes == [2, 3]
    assert boxes.inputs(0).tolist() == [[0, 1], [2, 1]]
    inputs = all_inputs(2, 3)
    for b in range(2):
        assert inputs[boxes.member(inputs)[:, b]].tolist() == boxes.inputs(b).tolist()
    with pytest.raises(BadInput, match="bool"):
        Boxes(masks.long(), torch.tensor([0, 0]))
    with pytest.raises(BadInput, match="labels of 2 boxes"):
        Boxes(masks, torch.tensor([0]))


def test_sizes_are_exact_beyond_64_bits():
    assert Boxes.everything(40, 64).sizes == [64**40]


@given(st.integers(1, 4), st.sampled_from([2, 3, 5]), st.integers(0, 10**6))
@settings(max_examples=60)
def test_leaves_part_the_roots(n, v, seed):
    generator = torch.Generator().manual_seed(seed)
    roots = Boxes(torch.eye(v, dtype=torch.bool)[:, None].repeat(1, n, 1), torch.arange(v))
    roots.masks[:, : n - 1] = True  # one root for each last token
    trees = [random_tree(generator, n, v, 4) for _ in range(v)]
    leaves = expand(roots, encode(trees, v))
    belongs = leaves.boxes.member(all_inputs(n, v))
    assert (belongs.sum(1) == 1).all()
    assert sum(leaves.boxes.sizes) == v**n
    assert (leaves.boxes.labels == leaves.root).all()
    assert min(leaves.boxes.sizes) > 0


def leaf_of(tree: Tree, x: list[int]) -> int:
    while isinstance(tree, Cut):
        tree = tree.inside if tree.tokens[x[tree.position]] else tree.outside
    return tree


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_a_leaf_holds_the_inputs_that_its_path_says(seed):
    n, v = 3, 70  # three words to a set
    generator = torch.Generator().manual_seed(seed)
    tree = random_tree(generator, n, v, 5)
    leaves = expand(Boxes.everything(n, v), encode([tree], v))
    inputs = torch.randint(0, v, (50, n), generator=generator)
    kind = leaves.kind[leaves.boxes.member(inputs).int().argmax(1)]
    assert kind.tolist() == [leaf_of(tree, x) for x in inputs.tolist()]


@given(st.integers(0, 10**6), st.integers(0, 30))
@settings(max_examples=60)
def test_any_numbers_give_disjoint_parts(seed, nodes):
    n, v = 3, 4
    generator = torch.Generator().manual_seed(seed)
    hostile = torch.randint(-3, 6, (nodes, 2), generator=generator)
    hostile[:, 1] = torch.randint(0, 2**32, (nodes,), generator=generator)
    leaves = expand(Boxes.everything(n, v), hostile)
    assert (leaves.boxes.member(all_inputs(n, v)).sum(1) <= 1).all()


def test_what_is_malformed_is_dropped_and_cuts_are_charged():
    roots = Boxes.everything(2, 3, label=7)
    tree = Cut(0, torch.tensor([True, False, False]), PROVE, LIST)
    with count() as counter:
        leaves = expand(roots, encode([tree], 3))
    assert leaves.kind.tolist() == [PROVE, LIST]
    assert leaves.of_kind(PROVE).sizes == [3]
    assert counter.length.int_ops >= 6
    assert expand(roots, encode([tree], 3)[:2]).kind.tolist() == [PROVE, DROP]
    assert expand(roots, torch.tensor([[2, 1], [PROVE, 0]])).kind.tolist() == [DROP]
    assert expand(roots, torch.zeros(0, 2, dtype=torch.int64)).kind.tolist() == [DROP]
    assert spec(2, 3, 10).problem(encode([tree], 3)) is None
    assert "outside" in spec(2, 3, 10).problem(torch.tensor([[REST - 1, 0]]))
