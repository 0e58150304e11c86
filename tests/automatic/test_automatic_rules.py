"""Every rule against the function that it bounds, at many points, with hints of any kind; and planted faults to be caught."""

from unittest import mock

import pytest
import torch

from compact_proofs.automatic.bounds import rows as rows_module
from compact_proofs.automatic.bounds.jobs import jobs_of
from compact_proofs.automatic.bounds.margins import frames
from compact_proofs.automatic.bounds.relaxed import Relaxed, Shared
from compact_proofs.automatic.bounds.rows import Jobs, Rows, Weights, additive, by_heads, ranges
from compact_proofs.automatic.bounds.tangent import Frame, tangent
from compact_proofs.automatic.explanation import Reader
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.proof import widest
from compact_proofs.automatic.reading import lines as lines_module
from compact_proofs.automatic.reading.evaluate import evaluate, function
from compact_proofs.automatic.reading.lines import CURVATURE, lines, range_of
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.search.judging import axes
from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.program import trace
from compact_proofs.sequences.boxes import Boxes
from tests.automatic.specimens import N, V, network

WIDTHS = (1e-3, 0.5, 3.0, 30.0)


def lines_that_cross(name, slope_scale):
    """How often a line is on the wrong side of the function, at dense points of random intervals."""
    generator = torch.Generator().manual_seed(0)
    lo = torch.randn(len(WIDTHS), 20, generator=generator, dtype=torch.float64) * 3
    hi = lo + torch.tensor(WIDTHS, dtype=torch.float64)[:, None]
    slopes = torch.randn(2, *lo.shape, generator=generator, dtype=torch.float64) * slope_scale
    with sound():
        found = lines(name, lo, hi, slopes)
    z = lo[..., None] + (hi - lo)[..., None] * torch.linspace(0, 1, 501, dtype=torch.float64)
    f = function(name)(z)
    below = lower(found.below_slope)[..., None] * z + lower(found.below)[..., None]
    above = upper(found.above_slope)[..., None] * z + upper(found.above)[..., None]
    slack = 1e-9 * (1 + f.abs() + below.abs() + above.abs())
    low, high = range_of(name, lo, hi)
    outside = (f < low[..., None] - slack) | (f > high[..., None] + slack)
    return int((below > f + slack).sum() + (above < f - slack).sum() + outside.sum())


@pytest.mark.parametrize("name", [*CURVATURE, "relu"])
@pytest.mark.parametrize("slope_scale", [0.0, 0.5, 100.0])
def test_lines_stay_on_their_side(name, slope_scale):
    assert lines_that_cross(name, slope_scale) == 0


def test_lines_without_curvature_are_caught():
    with mock.patch.dict(lines_module.CURVATURE, dict.fromkeys(CURVATURE, 0.0)), mock.patch.object(lines_module, "POINTS", 3):
        assert all(lines_that_cross(name, 0.5) for name in ("gelu", "tanh", "square"))


def drawn_rows(generator, spread):
    """Rows of three heads on random boxes, all of whose inputs are enumerated."""
    J, R, H = 3, 2, 3
    masks = torch.rand(5, N, V, generator=generator) < 0.6
    masks[:, :, 0] |= ~masks.any(2)
    masks[:, -1] = False
    masks[:, -1, 1] = True
    token, label, of = torch.ones(J, dtype=torch.int64), torch.zeros(J, dtype=torch.int64), torch.tensor([0, 0, 1, 2, 2])
    jobs = Jobs(token, label, masks, of, N - 1, given=torch.arange(V).expand(J, N - 1, V))

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    free, own = torch.exp(spread * normal(J, H, N - 1, V)), torch.exp(spread * normal(J, H))
    rows = Rows(normal(J, R), normal(J, R, H, N - 1, V), normal(J, R, H), normal(J, R, N - 1, V))
    with sound():
        total_lo = rows_module.least(free, jobs) + own[jobs.of]
        total_hi = rows_module.most(free, jobs) + own[jobs.of]
        weights = Weights(free, own, lower(total_lo), upper(total_hi))
    return rows, weights, jobs


def rows_below_the_truth(seed, spread, hint_scale):
    """How often a bound exceeds the row on an input of its box."""
    generator = torch.Generator().manual_seed(seed)
    rows, weights, jobs = drawn_rows(generator, spread)
    th = torch.randn(2, *rows.own.shape, generator=generator, dtype=torch.float64) * hint_scale
    with sound():
        heads, found = lower(by_heads(rows, th[0], weights, jobs)), additive(rows, th[0], weights, jobs)
        lo, hi = ranges(rows, th, weights, jobs)
    wrong = 0
    for b, job in enumerate(jobs.of.tolist()):
        for x in Boxes(jobs.masks, torch.zeros(5, dtype=torch.int64)).inputs(b)[:, :-1]:
            position = torch.arange(N - 1)
            w = weights.free[job][:, position, x]  # [H, n - 1]
            G = rows.averages[job][:, :, position, x]  # [R, H, n - 1]
            average = ((w * G).sum(-1) + weights.own[job] * rows.own[job]) / (w.sum(-1) + weights.own[job])
            value = rows.base[job] + average.sum(-1) + rows.sums[job][:, position, x].sum(-1)
            bound = lower(found.constant)[b] + lower(found.tables)[b][:, position, x].sum(-1)
            slack = 1e-9 * (1 + value.abs() + (hint_scale + 1) * 10)
            wrong += int((heads[b] > value + slack).sum() + (bound > value + slack).sum())
            wrong += int((lo[job] > value + slack).sum() + (hi[job] < value - slack).sum())
    return wrong


@pytest.mark.parametrize("spread", [0.1, 2.0])
@pytest.mark.parametrize("hint_scale", [0.0, 1.0, 1e3])
def test_rows_are_bounded_whatever_the_hints(spread, hint_scale):
    assert sum(rows_below_the_truth(seed, spread, hint_scale) for seed in range(4)) == 0


def test_rows_with_the_greatest_in_place_of_the_least_are_caught():
    with mock.patch.object(rows_module, "least", rows_module.most):
        assert sum(rows_below_the_truth(seed, 0.5, 1.0) for seed in range(4)) > 0


@pytest.mark.parametrize("error", [0.0, 1e-6, 0.05, 10.0])
def test_sigma_lies_between_its_tangent_and_kappa_above(error):
    generator = torch.Generator().manual_seed(1)
    d, J = 6, 4
    Q = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))[0]
    Q = Q + error * torch.randn(d, d, generator=generator, dtype=torch.float64)
    w = torch.randn(J, 300, d, generator=generator, dtype=torch.float64)
    rest = torch.randn(J, d, generator=generator, dtype=torch.float64)
    P, x = torch.randn(3, d, generator=generator, dtype=torch.float64), torch.rand(J, 300, 3, generator=generator).double()
    y = w @ Q.mT
    norm = torch.linalg.matrix_norm(P, 2) * (1 + 1e-9)
    with sound():
        t = tangent(Frame.of(Q), y.amin(1), y.amax(1), 1e-5, rest, [(P, norm, x.amin(1), x.amax(1))])
        at_zero, u = t.offset, t.u
    z = w + rest[:, None] + x @ P
    sigma = (z.square().mean(-1) + 1e-5).sqrt()
    a_low = lower(at_zero)[:, None] + (z * lower(u)[:, None]).sum(-1)
    assert bool((a_low <= sigma + 1e-9).all())
    assert bool((sigma <= a_low + t.kappa[:, None] + 1e-9).all())
    assert bool((t.least[:, None] <= sigma + 1e-9).all())
    assert bool((t.most[:, None] >= sigma - 1e-9).all())


def symbols_outside(kind, seed, scale, corrupt):
    """How many symbols of drawn boxes are outside the ranges proven for them; hints and axes are multiplied by `corrupt`."""
    example = torch.zeros(N, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(6, N, V, generator=generator) < 0.5
    masks[:, :, 2] |= ~masks.any(2)
    jobs = jobs_of(Boxes(masks, torch.zeros(6, dtype=torch.int64)), torch.arange(6), N - 1)
    program = trace(network(kind, seed, scale), example)
    with torch.no_grad():
        plain = read(trace(network(kind, seed, scale).double(), example), V, N - 1)
        basis = axes(plain) * corrupt
        taken = Hints(None, len(jobs))
        Relaxed(Shared(plain, axes(plain)), jobs, taken)
        columns = taken.recorded() * corrupt
    with sound():
        exact = read(program, V, N - 1)
        shape = (frames(exact), widest(exact), widest(exact))
        relaxed = Relaxed(Shared(exact, Reader(basis.flatten()).take(*shape)), jobs, Hints(columns, len(jobs)))
    wrong = 0
    for b, job in enumerate(jobs.of.tolist()):
        inputs = Boxes(jobs.masks[b : b + 1], torch.zeros(1, dtype=torch.int64)).inputs(0)
        with torch.no_grad():
            _, symbols = evaluate(plain, inputs)
        for block, (lo, hi) in relaxed.range.items():
            slack = 1e-6 * (1 + symbols[block].abs())
            wrong += int(((symbols[block] < lo[job] - slack) | (symbols[block] > hi[job] + slack)).sum())
    return wrong


@pytest.mark.parametrize(
    "kind", ["relu", "gelu", "norm", "two layers", "two causal layers", "recurrent", "gru", "bag", "odd", "gated"]
)
def test_symbols_lie_in_their_ranges(kind):
    assert symbols_outside(kind, 0, 0.5, 1.0) == 0
    assert symbols_outside(kind, 1, 1.5, 0.97) == 0
