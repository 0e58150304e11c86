"""Counting on a grid: what is counted is what belongs, for any contributions and any number of positions."""

import pytest
import torch

from compact_proofs.length import count
from compact_proofs.tasks.max_of_k.additive.grid import GridSet, GroupSymbols
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.task import MaxOfK


def symbols(v, K, G, groups, least, seed):
    """Random contributions of every row, some of them out of reach, and some rows that are not proven."""
    g = torch.Generator().manual_seed(seed)

    def real(*shape):
        return torch.rand(*shape, generator=g, dtype=torch.float64)

    rows = Rows.of(torch.randint(groups, (v,), generator=g), groups, torch.device("cpu"), least)
    n = len(rows.m)
    window = 3 * real(n, G) ** 3
    window[rows.m[:, None] <= torch.arange(G)] = torch.inf
    middle = 0.5 + real(groups, K)
    return GroupSymbols(window, 0.1 * real(n), middle, middle * (1 + 0.1 * real(groups, K)), rows, real(n) < 0.9)


@pytest.mark.parametrize(("steps", "reach"), [(16, 24), (4, 5), (2, 2)])
@pytest.mark.parametrize(
    ("v", "K", "G", "groups", "least"),
    [(5, 2, 2, 2, 1), (6, 3, 2, 3, 2), (6, 4, 3, 2, 0), (5, 5, 1, 2, 1), (4, 6, 2, 3, 0)],
)
def test_what_is_counted_belongs(v, K, G, groups, least, steps, reach):
    task = MaxOfK(d_vocab=v, n_ctx=K)
    inputs = task.inputs(0, task.size)
    found = 0
    for seed in range(4):
        given = symbols(v, K, G, groups, least, seed)
        counted = GridSet(given, K, steps, reach, least)
        member = counted.member(inputs)
        assert counted.size == int(member.sum())
        assert not (member & ~holds(given, inputs)).any()
        found += counted.size
    assert found > 0


def holds(s, inputs):
    """The condition itself (see the module), in floating point, for each input whose row is proven."""
    m, q = inputs.amax(1), inputs[:, -1]
    G = s.window.shape[1]
    row = s.rows.number(q, m)
    below = m[:, None] - inputs
    harm = torch.where(below > G, s.far[row][:, None], s.window[row].gather(1, (below - 1).clamp(0, G - 1)))
    harm[:, :-1] = torch.maximum(harm[:, :-1], s.far[row][:, None])  # before the query, near tokens count for no less than far ones
    low, high = s.low[s.rows.group[row]], s.high[s.rows.group[row]]
    return (torch.where(below == 0, low, -high * harm).sum(1) > 0) & s.valid[row]


def test_two_positions_symbol_by_symbol_are_shorter():
    """A finer grid costs no more than its sums where no table is added to."""
    given = symbols(8, 4, 2, 2, 0, 0)
    lengths = []
    for reach in (24, 48):
        with count() as counter:
            GridSet(given, 4, 16, reach)
        lengths.append(counter.length.total)
    assert lengths[1] - lengths[0] == 2 * 24 * len(given.rows.m)
