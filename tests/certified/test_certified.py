"""Certified sets: their size is what enumeration counts, and their members are proven."""

from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.certified import (
    Answers,
    BoxSet,
    Classes,
    Counted,
    Disjoint,
    Evaluated,
    Listed,
    Nothing,
    Truth,
    disjoint,
    lists,
    positive,
    positive_mixed,
    positive_tables,
    with_list,
)
from compact_proofs.certified.integers import LIMIT, NEVER, exponents, integers_below
from compact_proofs.certified.sums import SumBox, by_halves, coarser, directly, on_grid, table_of
from compact_proofs.enclosure import Enclosure, sound
from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import lexicographic
from compact_proofs.length import count


def everything(n, v):
    return torch.stack([x.reshape(-1) for x in torch.meshgrid(*[torch.arange(v)] * n, indexing="ij")], -1)


def random_masks(generator, B, n, v):
    """Disjoint boxes: the first position is divided among them, the others are arbitrary."""
    masks = torch.rand(B, n, v, generator=generator) < 0.7
    owner = torch.randint(0, B, (v,), generator=generator)
    masks[:, 0] = owner == torch.arange(B)[:, None]
    return masks


def exact_rows(constant, tables, inputs):
    """The values of rows [N, R] as fractions."""
    return [
        [Fraction(float(c)) + sum(Fraction(float(T[i, t])) for i, t in enumerate(x)) for c, T in zip(constant, tables, strict=True)]
        for x in inputs.tolist()
    ]


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 4))
@settings(max_examples=40)
def test_sets_without_arithmetic_count_their_members(seed, n, v):
    generator = torch.Generator().manual_seed(seed)
    inputs = everything(n, v)
    table = torch.rand((v,) * n, generator=generator) < 0.5
    masks = random_masks(generator, 3, n, v)
    listed = inputs[torch.randint(0, len(inputs), (6,), generator=generator)]
    for found in (Truth(table), BoxSet(masks), Listed(listed), Nothing()):
        assert found.size == int(found.member(inputs).sum())
        assert found.exact
    assert Listed(listed).member(listed).all()
    assert (Truth(table).member(inputs) == table.flatten()).all()

    def number_of(x):
        return lexicographic(x, v)

    listed = listed[number_of(listed).sort().indices]  # with repetitions; what comes after a larger number does not count
    joined = with_list(BoxSet(masks), torch.cat([listed, listed]), number_of, lambda x: torch.ones(len(x), dtype=torch.bool))
    assert joined.size == int(joined.member(inputs).sum())
    assert joined.size == int((BoxSet(masks).member(inputs) | Listed(listed).member(inputs)).sum())
    assert torch.equal(joined.excludes(inputs), ~joined.member(inputs))
    even = with_list(Nothing(), listed, number_of, lambda x: number_of(x) % 2 == 0)
    assert even.size == len({number for number in number_of(listed).tolist() if number % 2 == 0})
    assert with_list(even, listed[:0], number_of, lambda x: 1 / 0) is even


@given(st.integers(0, 10**6), st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_classes_and_predicates_count_their_members(seed, v):
    generator = torch.Generator().manual_seed(seed)
    inputs = everything(2, v)
    largest, size = inputs.amax(1), 2 * torch.arange(v) + 1  # pairs with each maximum
    right = torch.rand(v, generator=generator) < 0.5
    by_last = torch.rand(v, generator=generator) < 0.5
    for found in (
        Classes(right, size, lambda x: (x.amax(1),)),
        Classes(by_last, v, lambda x: (x[:, 1],)),
        Counted(int(right[largest].sum()), lambda x: right[x.amax(1)]),
    ):
        assert found.size == found.total == int(found.member(inputs).sum())
        assert found.exact
        assert torch.equal(found.excludes(inputs), ~found.member(inputs))
    with count() as counter:
        size = Classes(by_last, v, lambda x: (x[:, 1],)).counted().size
    assert size == v * int(by_last.sum())
    assert counter.length.total == v  # v - 1 additions, and a multiplication


@given(st.lists(st.integers(0, 40), max_size=8), st.sampled_from([8, 16, 2**20]), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_evaluated_inputs_are_those_found_right_in_their_order(sizes, packed, seed):
    """Whatever the sizes of the batches, and however they are put into bits; inputs beyond them were not evaluated."""
    generator = torch.Generator().manual_seed(seed)
    batches = [torch.rand(n, generator=generator) < 0.5 for n in sizes]
    with mock.patch.object(lists, "PACKED", packed):
        found = Evaluated((Answers.of([batch]) for batch in batches), lambda x: x[:, 0])
    places = torch.arange(-3, sum(sizes) + 20)[:, None]
    expected = torch.cat([torch.zeros(3, dtype=torch.bool), *batches, torch.zeros(20, dtype=torch.bool)])
    assert torch.equal(found.member(places), expected)
    assert found.size == int(expected.sum())
    assert found.exact


def test_an_input_that_a_size_may_count_is_not_listed_again():
    """The base counts both inputs; of the second it is not proven that it does, nor that it does not."""
    inputs = torch.tensor([[0], [1], [2]])
    base = Counted(2, lambda x: x[:, 0] == 0, lambda x: x[:, 0] > 1)
    assert not base.exact
    joined = with_list(base, inputs, lambda x: x[:, 0], lambda x: torch.ones(len(x), dtype=torch.bool))
    assert joined.size == 3
    assert joined.member(inputs).tolist() == [True, False, True]
    assert joined.excludes(inputs).tolist() == [False, False, False]


@pytest.mark.parametrize(("n", "v"), [(3, 4), (10, 64), (10, 128), (40, 3)])
def test_sequences_are_numbered_in_lexicographic_order(n, v):
    numbers = lexicographic(torch.cat([torch.zeros(v, n - 1, dtype=torch.int64), torch.arange(v)[:, None]], 1), v)
    assert numbers.tolist() == list(range(v))
    last = int(lexicographic(torch.full((1, n), v - 1), v))
    assert last == v**n - 1 if v**n <= 2**62 else last > 2**61  # no wrapping around to numbers of other inputs


def test_unions_are_as_exact_as_their_parts():
    class Loose(Nothing):
        exact = False

    assert not Disjoint((Nothing(), Loose())).exact
    assert isinstance(disjoint([Nothing(), Nothing()]), Nothing)
    truth = Truth(torch.ones(2, 2, dtype=torch.bool))
    assert disjoint([Nothing(), truth]) is truth
    big = BoxSet(torch.ones(2, 30, 64, dtype=torch.bool))
    assert big.size == 2 * 64**30


@given(st.lists(st.floats(allow_nan=False, width=64), min_size=1, max_size=8))
@settings(max_examples=300)
def test_integers_are_below_what_they_stand_for(numbers):
    x = np.array(numbers)
    exponent = exponents(x)
    whole = integers_below(x, exponent)
    for number, integer in zip(numbers, whole.tolist(), strict=True):
        if number == -np.inf:
            assert integer == NEVER
        elif number == np.inf:
            assert integer == LIMIT
        else:
            real = Fraction(number) * Fraction(2) ** int(exponent)
            assert integer <= real
            assert real - integer <= 1
            assert abs(integer) <= LIMIT


def random_sums(generator, rows, widths, scale, bias):
    def integers(*shape):
        return torch.randint(-scale, scale + 1, shape, generator=generator).numpy()

    tokens = [np.sort(torch.randperm(k + 3, generator=generator)[:k].numpy()) for k in widths]
    return SumBox(tokens, integers(rows) + bias, [integers(rows, k) for k in widths])


@given(
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.sampled_from([1, 5, 2**44]),
    st.sampled_from([-1, 0, 1]),
)
@settings(max_examples=200)
def test_every_way_of_counting_counts_what_holds(seed, rows, widths, scale, bias):
    generator = torch.Generator().manual_seed(seed)
    box = random_sums(generator, rows, widths, scale, bias * scale)
    inputs = np.stack(np.meshgrid(*box.tokens, indexing="ij"), -1).reshape(box.size, -1)
    held = np.array(
        [
            all(
                int(box.constant[r])
                + sum(int(t[r, list(k).index(x_i)]) for t, k, x_i in zip(box.tables, box.tokens, x, strict=True))
                > 0
                for r in range(rows)
            )
            for x in inputs
        ]
    )
    assert (box.holds(inputs) == held).all()
    assert (box.packed().holds(inputs) == held).all()
    assert directly(box) == held.sum()
    assert (table_of(box).reshape(-1) == held).all()
    assert by_halves(box) <= held.sum()
    rough = coarser(box, 16)
    assert not (rough.holds(inputs) & ~held).any()
    assert on_grid(rough) <= rough.holds(inputs).sum()
    assert (rough.packed().holds(inputs) == rough.holds(inputs)).all()
    assert all(t.itemsize == 2 for t in rough.packed().tables)
    if rows == 1:
        assert by_halves(box) == held.sum()
        assert on_grid(rough) == rough.holds(inputs).sum()
    fine = coarser(box, 2**62)  # changes nothing but the form
    if scale < 2**44:
        assert (fine.holds(inputs) == held).all()
        assert rows > 1 or on_grid(fine) == held.sum()


def test_the_grid_counts_beyond_64_bits():
    n = 24
    tokens = [np.arange(8)] * n
    table = np.minimum(0, 3 - np.arange(8))[None]  # deficits 0 0 0 0 1 2 3 4
    box = SumBox(tokens, np.array([2]), [table] * n)  # the sum of deficits is 0 or 1
    assert on_grid(box) == 4**n + n * 4 ** (n - 1)
    assert on_grid(SumBox(tokens, np.array([0]), [table] * n)) == 0


@given(
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(2, 4),
    st.booleans(),
    st.sampled_from([-1.0, 0.0, 1.0, 4.0]),
)
@settings(max_examples=150, deadline=None)
def test_positive_counts_what_is_positive(seed, B, R, n, v, exact, bias):
    generator = torch.Generator().manual_seed(seed)
    masks = random_masks(generator, B, n, v)
    constant = torch.randn(B, R, generator=generator, dtype=torch.float64) + bias
    tables = torch.randn(B, R, n, v, generator=generator, dtype=torch.float64)
    rows = torch.rand(B, R, generator=generator) < 0.8
    with sound(), count():
        found = positive(constant, tables, masks, rows, exact=exact)
    inputs = everything(n, v)
    member = found.member(inputs)
    truly = torch.zeros(len(inputs), dtype=torch.bool)
    for b in range(B):
        inside = BoxSet(masks[b : b + 1]).member(inputs)
        values = exact_rows(constant[b][rows[b]], tables[b][rows[b]], inputs)
        truly |= inside & torch.tensor([all(a > 0 for a in x) for x in values])
    assert not (member & ~truly).any()
    assert found.size <= int(member.sum())
    if exact or R == 1:
        assert found.exact
    if found.exact:
        assert found.size == int(member.sum())
        assert int((truly & ~member).sum()) == 0 or n > 2  # only a grid loses anything, and it is for many positions


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_tables_of_boxes_say_which_inputs_are_proven_and_which_are_not(seed, B, R, n, v):
    generator = torch.Generator().manual_seed(seed)
    masks = random_masks(generator, B, n, v)
    constant = torch.randn(B, R, generator=generator, dtype=torch.float64)
    tables = torch.randn(B, R, n, v, generator=generator, dtype=torch.float64)
    rows = torch.rand(B, R, generator=generator) < 0.8
    inputs = everything(n, v)
    found = positive_tables(constant, tables, masks, rows)
    expected = positive(constant, tables, masks, rows, exact=True)
    for mask, box in zip(masks, found, strict=True):
        inside = BoxSet(mask[None]).member(inputs)
        assert (box.member(inputs) == (expected.member(inputs) & inside)).all()
        others = Listed(box.others).member(inputs) if len(box.others) else Nothing().member(inputs)
        assert (others == (inside & ~box.member(inputs))).all()
        assert box.size + len(box.others) == int(inside.sum())


def test_positive_reads_lower_bounds_only_and_no_token_outside_its_box():
    masks = torch.tensor([[[True, True, False]]])
    tables = torch.tensor([[[[1.0, -1.0, torch.nan]]]], dtype=torch.float64)
    wide = Enclosure(torch.full((1, 1), -2.0), torch.full((1, 1), 2.0))
    unknown = Enclosure(torch.full((1, 1), -torch.inf), torch.full((1, 1), torch.inf))
    with sound():
        found = positive(torch.tensor([[0.5]], dtype=torch.float64), tables, masks)
        assert found.member(torch.tensor([[0], [1], [2]])).tolist() == [True, False, False]
        assert positive(wide, tables, masks).size == 0
        assert positive(unknown, tables, masks).size == 0
    tables[0, 0, 0, 0] = torch.nan
    assert positive(torch.tensor([[9.0]], dtype=torch.float64), tables, masks).member(torch.tensor([[0], [1]])).tolist() == [
        False,
        True,
    ]


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e300])
def test_the_scale_of_a_row_does_not_matter(scale):
    generator = torch.Generator().manual_seed(0)
    masks = torch.ones(1, 3, 5, dtype=torch.bool)
    constant, tables = torch.zeros(1, 1, dtype=torch.float64), torch.randn(1, 1, 3, 5, generator=generator, dtype=torch.float64)
    with sound():
        assert positive(constant, tables * 1.0, masks).size == positive(constant, tables * scale, masks).size > 0


def test_positive_is_counted_and_costs_nothing_on_meta_tensors():
    masks = torch.ones(2, 2, 3, dtype=torch.bool)
    constant, tables = torch.ones(2, 4, dtype=torch.float64), torch.zeros(2, 4, 2, 3, dtype=torch.float64)
    with sound(), count() as counter:
        assert positive(constant, tables, masks).size == 18
    assert counter.length.by_stage["worst case"] == {"integer": 2 * 4 * (1 + 6) * 4}
    assert positive(constant.to("meta"), tables.to("meta"), masks).size == 0
    with pytest.raises(BadInput, match="positions"):
        positive(torch.ones(1, 1), torch.zeros(1, 1, 101, 1), torch.ones(1, 101, 1, dtype=torch.bool))


def test_several_rows_over_many_positions_lose_by_the_union_bound_only():
    generator = torch.Generator().manual_seed(3)
    masks = torch.ones(1, 6, 5, dtype=torch.bool)
    constant = torch.full((1, 2), 3.0, dtype=torch.float64)
    tables = torch.randn(1, 2, 6, 5, generator=generator, dtype=torch.float64)
    with sound():
        loose, tight = positive(constant, tables, masks), positive(constant, tables, masks, exact=True)
    assert not loose.exact
    assert tight.exact
    lost = 5**6 - tight.size
    assert 0 < tight.size - loose.size <= lost + 5**6 // 20  # what both rows lose counts twice, and the grid loses a little


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 3), st.integers(2, 4))
@settings(max_examples=80, deadline=None)
def test_mixed_boxes_count_inputs_under_their_own_label(seed, B, n, v):
    generator = torch.Generator().manual_seed(seed)
    labels_table = torch.randint(-1, 3, (v,) * n, generator=generator)  # -1: outside the task
    masks = random_masks(generator, B, n, v)
    R = 4
    constant = torch.randn(B, R, generator=generator, dtype=torch.float64) + 1
    tables = torch.randn(B, R, n, v, generator=generator, dtype=torch.float64)
    row_labels = torch.randint(-1, 3, (B, R), generator=generator)
    with sound(), count() as counter:
        found = positive_mixed(constant, tables, masks, row_labels, lambda x: labels_table[tuple(x.T)])
    inputs = everything(n, v)
    labels = labels_table[tuple(inputs.T)]
    truly = torch.zeros(len(inputs), dtype=torch.bool)
    for b in range(B):
        inside = BoxSet(masks[b : b + 1]).member(inputs)
        values = exact_rows(constant[b], tables[b], inputs)
        for k, x in enumerate(values):
            own = [a for a, y in zip(x, row_labels[b].tolist(), strict=True) if y == int(labels[k]) and y >= 0]
            truly[k] |= bool(inside[k]) and bool(own) and all(a > 0 for a in own)
    assert (found.member(inputs) == truly).all()
    assert found.size == int(truly.sum())
    assert found.exact
    assert counter.length.int_ops > 0


def test_a_mixed_box_that_is_too_large_is_refused():
    masks = torch.ones(1, 30, 2, dtype=torch.bool)
    with pytest.raises(BadInput, match="cut it"):
        positive_mixed(torch.ones(1, 1), torch.zeros(1, 1, 30, 2), masks, torch.zeros(1, 1, dtype=torch.int64), lambda x: x[:, 0])
