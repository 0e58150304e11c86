"""Groups from names, permutations and tables; subgroups and real irreducible representations; bad tables."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.algebra.group import Group, direct_product, from_permutations, group_named, group_of
from compact_proofs.algebra.irreps import conjugacy_classes, isotypic_shares, real_irreps
from compact_proofs.algebra.subgroups import subgroup_classes
from compact_proofs.errors import BadInput

NAMES = ("C2", "C7", "C12", "S3", "S4", "D4", "D7", "A4", "A5", "S5", "C2xC2xC3", "S3xC4")


@pytest.mark.parametrize("name", NAMES)
def test_axioms_hold_everywhere(name):
    group = group_named(name)
    t, n = group.table, group.order
    assert bool((t[t] == t[torch.arange(n)[:, None, None], t]).all())  # (x y) z = x (y z)
    assert bool((t[group.inverse, torch.arange(n)] == group.identity).all())
    assert bool(group.closure(group.generators).all())
    assert len(group.generators) <= n.bit_length()


def test_known_groups():
    assert [group_named(name).order for name in ("S4", "A5", "S5", "D12", "C31", "C2xS3")] == [24, 60, 120, 24, 31, 12]
    assert group_named("C12").abelian
    assert not group_named("D3").abelian
    assert sorted(group_named("S4").orders.tolist()) == [1] + [2] * 9 + [3] * 8 + [4] * 6
    quaternions = from_permutations([[1, 2, 3, 0, 5, 6, 7, 4], [4, 7, 6, 5, 2, 1, 0, 3]])
    assert quaternions.order == 8
    assert sorted(quaternions.orders.tolist()) == [1, 2, 4, 4, 4, 4, 4, 4]
    assert from_permutations([[1, 2, 0], [1, 0, 2]]) == group_named("S3") == group_named("[[1, 2, 0], [1, 0, 2]]")
    assert direct_product(group_named("C2"), group_named("C3")).abelian


def test_equal_tables_are_equal_groups():
    group = group_named("S3")
    assert group_of(group.table) == group
    assert hash(group_of(group.table)) == hash(group)
    assert group_named("C6") != group
    assert group_named("C6").fingerprint != group.fingerprint


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0, 1], [1, 2]], r"closure fails: the product 1 \* 1 is 2"),
        ([[1, 1], [1, 1]], r"identity fails: no element"),
        ([[0, 1, 2], [0, 1, 2], [0, 1, 2]], r"identity fails: 0 \* x = x for every x, but 1 \* 0 = 0"),
        ([[0, 1, 2], [1, 1, 2], [2, 2, 0]], r"inverses fail: no x has 1 \* x = 0"),
        ([[0, 1, 2, 3], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 3, 1]], r"inverses fail: 1 \* 2 = 0, the identity, but 2 \* 1 = 3"),
        (  # a loop: a Latin square with an identity and inverses of both sides
            [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]],
            r"associativity fails: \(\d \* \d\) \* \d = \d, but \d \* \(\d \* \d\) = \d",
        ),
        ([[0, 1]], "square of integers"),
        ([[0.0]], "holds integers"),
        ([], "square of integers"),
    ],
)
def test_a_bad_table_names_the_broken_axiom(table, message):
    with pytest.raises(BadInput, match=message):
        Group(table)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_table_with_one_wrong_entry_is_rejected(seed):
    generator = torch.Generator().manual_seed(seed)
    table = group_named(("S3", "C5", "D4", "A4")[seed % 4]).table.clone()
    n = len(table)
    x, y, off = (int(torch.randint(low, n, (), generator=generator)) for low in (0, 0, 1))
    table[x, y] = (table[x, y] + off) % n
    with pytest.raises(BadInput, match="fail"):
        Group(table)


@pytest.mark.parametrize("name", ["X5", "S", "S99", "C2y", "", "S6xS6", "D0", "[[1, 0", "[1, 0]", '[["a"]]', "[[0.5]]"])
def test_an_unknown_name_is_rejected(name):
    with pytest.raises(BadInput, match="group"):
        group_named(name)


@pytest.mark.parametrize("generators", [[], [[0, 0]], [[1, 0], [0, 1, 2]]])
def test_bad_permutations_are_rejected(generators):
    with pytest.raises(BadInput, match="permutation"):
        from_permutations(generators)


@pytest.mark.parametrize(
    ("name", "classes", "subgroups"),
    [("S3", 4, 6), ("S4", 11, 30), ("A5", 9, 59), ("D4", 8, 10), ("C12", 6, 6), ("C2xC2xC2", 16, 16)],
)
def test_subgroup_lattices(name, classes, subgroups):
    group = group_named(name)
    found = subgroup_classes(group)
    assert (len(found), sum(c.conjugates for c in found)) == (classes, subgroups)
    for c in found:
        elements = torch.tensor(c.elements)
        assert bool(torch.isin(group.table[elements[:, None], elements], elements).all())
        assert group.order % c.order == 0
    assert found[0].order == 1
    assert found[-1].order == group.order


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S3", [(1, "real"), (1, "real"), (2, "real")]),
        ("C4", [(1, "real"), (1, "real"), (2, "complex")]),
        ("A5", [(d, "real") for d in (1, 3, 3, 4, 5)]),
        ("S5", [(d, "real") for d in (1, 1, 4, 4, 5, 5, 6)]),
    ],
)
def test_irreps(name, expected):
    group = group_named(name)
    found = real_irreps(group)
    assert [(r.dimension, r.kind) for r in found] == expected
    for r in found:
        product = r.matrices[:, None] @ r.matrices[None]
        assert torch.allclose(product, r.matrices[group.table], atol=1e-9)
        assert torch.allclose(r.character, r.character[conjugacy_classes(group)], atol=1e-9)
    characters = torch.stack([r.character for r in found])
    gram = characters @ characters.T / group.order
    assert torch.allclose(gram, gram.diagonal().diag(), atol=1e-9)


def test_the_quaternion_group_has_a_quaternionic_irrep():
    group = from_permutations([[1, 2, 3, 0, 5, 6, 7, 4], [4, 7, 6, 5, 2, 1, 0, 3]])
    assert [(r.dimension, r.kind) for r in real_irreps(group)][-1] == (4, "quaternionic")


@pytest.mark.parametrize("name", ["S4", "C5", "A4"])
def test_isotypic_shares_add_up(name):
    group = group_named(name)
    values = torch.randn(group.order, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert sum(share for _, share in isotypic_shares(group, values)) == pytest.approx(1)
    r = real_irreps(group)[-1]
    name_of, share = isotypic_shares(group, r.matrices[:, :1, 0])[0]
    assert name_of.startswith(f"{r.dimension}-d")
    assert share == pytest.approx(1)
