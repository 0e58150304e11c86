"""Search for the hints of merged rivals and of the ratio rule, in ordinary arithmetic; untrusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rivals import AverageReadout, Families
from compact_proofs.automatic.bounds.rows import Deviations, Jobs, Rows, Weights, additive, by_heads

STEPS = 60
"""Steps of gradient descent on the betas."""
SAMPLES = 256
"""Inputs drawn for a family."""
NEWTON = 3
"""Iterations for the least average."""
LARGE = 1e30


def least_averages(rows: Rows, weights: Weights, jobs: Jobs) -> Tensor:
    """Return th [J, R, H]: for each row and head the least average over the boxes of its job.

    Dinkelbach's iteration on each box from the tokens of least G: th <- the average at the tokens that minimise w (G - th). Where
    its bound is below the least G of the box, which an average cannot be, that is taken instead: with weights over many orders of
    magnitude the iteration stops short, and the sums cancel.
    """
    choices, places = list(_choices(rows, weights, jobs)), len(jobs.free)
    own, own_w = rows.own[jobs.of].float(), weights.own[jobs.of][:, None].float()

    def put_together(parts: list[Tensor]) -> Tensor:
        """What each pair of a box and a position gives, as [B, R, H, n - 1]."""
        whole = own.new_empty(len(own) * places, *own.shape[1:])
        for choice, part in zip(choices, parts, strict=True):
            whole[choice.pair] = part
        return whole.reshape(len(own), places, *own.shape[1:]).movedim(1, -1).contiguous()

    found = [choice.at_least(choice.G) for choice in choices]
    hull = torch.minimum(own, put_together([G for G, _, _ in found]).amin(-1))
    for _ in range(NEWTON):
        g, weight = (put_together([values[k] for values in found]) for k in range(2))
        th = (own * own_w + (g * weight).sum(-1)) / (own_w + weight.sum(-1))
        flat = th.repeat_interleave(places, 0)
        found = [choice.at_least((choice.G - flat[choice.pair][..., None]).mul_(choice.w)) for choice in choices]
    least = put_together([z for _, _, z in found]).sum(-1) + own_w * (own - th)
    reached = th + least.clamp(max=0) / weights.least[:, None]
    th = torch.where(reached < hull + 1e-6 * hull.abs(), hull, th).double()
    shape = (len(jobs), *th.shape[1:])
    index = jobs.of.reshape(-1, *[1] * (th.dim() - 1)).expand(th.shape)
    return torch.full(shape, torch.inf, dtype=th.dtype).scatter_reduce(0, index, th, "amin")


@dataclass(frozen=True)
class _Choice:
    """Some pairs of a box and a position, by their numbers [P], and the tokens that they allow: equally many, or filled up.

    Single precision suffices for hints; where a token is not allowed, G is out of reach.

    Attributes
    ----------
    pair : int64 [P]
    G : [P, R, H, k]
    w : [P, 1, H, k]
    """

    pair: Tensor
    G: Tensor
    w: Tensor

    def at_least(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """G, w and z [P, R, H] at the tokens where z [P, R, H, k] is least."""
        lowest, x = z.min(-1)
        x = x[..., None]
        return self.G.gather(-1, x)[..., 0], self.w.expand(z.shape).gather(-1, x)[..., 0], lowest


def _choices(rows: Rows, weights: Weights, jobs: Jobs) -> Iterator[_Choice]:
    """Tables of the tokens that boxes allow, and no others: those of about equally many together."""
    number, first = jobs.sets.of.flatten(), 0
    for job, position, tokens, meant in jobs.sets.parts:
        pair = ((number >= first) & (number < first + len(job))).nonzero()[:, 0]
        own = number[pair] - first
        x, outside = tokens[own][:, None, None], ~meant[own][:, None, None]
        G = rows.averages[job[own, 0], :, :, position[own, 0]].float()
        w = weights.free[job[own, 0], :, position[own, 0]][:, None].float()
        G, w = (t.gather(-1, x.expand(*t.shape[:3], -1)) for t in (G, w))
        yield _Choice(pair, G.masked_fill_(outside, LARGE), w.masked_fill_(outside, 1.0))
        first += len(job)


def balanced(th: Tensor, base: Tensor) -> Tensor:
    """Shift hints [J, R, H] so that base + their sum is 0: for one head that makes the ratio rule exact in sign."""
    return th - ((th.sum(-1) + base) / th.shape[-1])[..., None]


def drawn(jobs: Jobs, number: int, generator: torch.Generator) -> Tensor:
    """Draw inputs int64 [J, number, n] from each job's boxes: a box, then a token at each position."""
    J, n = len(jobs), jobs.masks.shape[1]
    counts = torch.bincount(jobs.of, minlength=J)
    first = counts.cumsum(0) - counts
    box = first[:, None] + (torch.rand(J, number, generator=generator) * counts[:, None]).long().clamp(max=counts[:, None] - 1)
    box = box.clamp(max=len(jobs.of) - 1)
    chances = jobs.masks.double().flatten(0, 1)
    within = torch.multinomial(chances, number, True, generator=generator).reshape(-1, n, number)
    return within[box, :, torch.arange(number)]


def fitted(readout: AverageReadout, families: list[Jobs], hard: int, seed: int = 0) -> Families:
    """Choose hard outputs and fit betas for families of jobs, each of one token.

    Hard are the outputs of least margin on the hardest of the drawn inputs. The betas minimise, by Adam, how far the merged row is
    below a margin of 2 on inputs of which half are the hardest.
    """
    generator = torch.Generator().manual_seed(seed)
    outputs, H = readout.direct.shape[1], readout.tables.shape[2]
    weights = torch.cat([h.weights for h in readout.heads], -1)
    query, hards, betas = [], [], []
    for jobs in families:
        q = int(jobs.query[0])
        each = -(-2 * SAMPLES // len(jobs))
        x = drawn(jobs, each, generator).flatten(0, 1)
        y = jobs.label[:, None].expand(-1, each).flatten()
        position = torch.arange(x.shape[1])
        w = weights[q, position, x]
        w = w / w.sum(1, keepdim=True)  # [N, n, H]
        P = readout.tables[position, x]  # [N, n, H, outputs]
        logits = (w[..., None] * P).sum((1, 2)) + readout.direct[q]
        margins = (logits.gather(1, y[:, None]) - logits).scatter(1, y[:, None], torch.inf)
        order = margins.amin(1).argsort()
        few = margins[order[: max(1, len(order) // 50)]].clamp(max=LARGE).mean(0)
        chosen = few.argsort()[:hard]
        kept = torch.cat([order[: SAMPLES // 2], order[SAMPLES // 2 :: max(1, len(order) // SAMPLES)]])
        hards.append(chosen)
        betas.append(_betas(w[kept], P[kept], y[kept], readout.direct[q], chosen))
        query.append(q)
    return Families(torch.tensor(query), torch.stack(hards), torch.stack(betas).reshape(len(query), H - 1, outputs))


def _betas(w: Tensor, P: Tensor, y: Tensor, direct: Tensor, hard: Tensor) -> Tensor:
    """Fit beta [H - 1, outputs]; the last head's is what is missing to `direct`."""
    H, outputs = P.shape[2:]
    base = (direct / H).expand(H, outputs)
    if H == 1:
        return base[:0]
    at = y[:, None, None, None].expand(*P.shape[:3], 1)
    own = (w * P.gather(3, at)[..., 0]).sum((1, 2)) + direct[y]
    others = P.scatter(3, at, -LARGE)
    others[..., hard] = -LARGE
    with torch.enable_grad():
        change = torch.zeros(H, outputs, dtype=P.dtype, requires_grad=True)
        optimiser = torch.optim.Adam([change], lr=0.4)
        for _ in range(STEPS):
            beta = base + change - change.mean(0)
            loss = (2 - own + (w * (others + beta).amax(-1)).sum((1, 2))).relu().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        found = change.detach()
    return (base + found - found.mean(0))[:-1]


def chosen(rows: Rows, weights: Weights, jobs: Jobs, generator: torch.Generator, number: int = 48) -> Tensor:
    """Return hints th [J, R, H] for the ratio rule.

    Candidates are the least averages, the mean averages of drawn inputs, and both shifted to balance the base; for each row that
    one is taken under which every box of the job is proven, or else the most of the drawn inputs.
    """
    lowest = least_averages(rows, weights, jobs)
    x, at_samples = _samples(rows, weights, jobs, generator, number)
    mean = _by_job(at_samples.mean(1), jobs)
    best, score = lowest, None
    for th in (lowest, balanced(lowest, rows.base), balanced(mean, rows.base), mean):
        z = Deviations.of(rows, th, weights, jobs)
        heads, found = by_heads(rows, th, weights, jobs, z), additive(rows, th, weights, jobs, z)
        value = found.constant[:, None] + _at(found.tables, x)  # [B, N, R]
        share = (value > 0).double().mean(1) + 1e-3 * value.mean(1).clamp(-1, 1)
        mine = _by_job(torch.where(heads > 0, 10.0, share), jobs)
        if score is None:
            best, score = th, mine
        else:
            best = torch.where((mine > score)[..., None], th, best)
            score = torch.maximum(score, mine)
    return best


def _samples(rows: Rows, weights: Weights, jobs: Jobs, generator: torch.Generator, number: int) -> tuple[Tensor, Tensor]:
    """Tokens at the free positions [B, N, n - 1] drawn from each box, by their places, and the averages [B, N, R, H] there."""
    x = torch.multinomial(jobs.allowed.double().flatten(0, 1), number, True, generator=generator)
    x = x.reshape(len(jobs.of), -1, number).mT
    w = _at(weights.free[jobs.of], x)  # [B, N, H]
    position = torch.arange(x.shape[-1])
    G = rows.averages[jobs.of].movedim((3, 4), (1, 2))  # [B, n - 1, k, R, H]
    free = weights.free[jobs.of].movedim((2, 3), (1, 2))[:, :, :, None]  # [B, n - 1, k, 1, H]
    box = torch.arange(len(x))[:, None, None]
    part = (G * free)[box, position, x].sum(2)  # [B, N, R, H]
    own, own_w = rows.own[jobs.of], weights.own[jobs.of]
    return x, (part + (own * own_w[:, None])[:, None]) / (w + own_w[:, None])[:, :, None]


def _at(tables: Tensor, x: Tensor) -> Tensor:
    """``sum_i tables[b, r, i, x[b, N, i]]``: [B, N, R]."""
    box = torch.arange(len(x))[:, None, None]
    return tables.movedim(1, 3)[box, torch.arange(x.shape[-1]), x].sum(2)


def _by_job(values: Tensor, jobs: Jobs) -> Tensor:
    """The mean over each job's boxes."""
    total = torch.zeros(len(jobs), *values.shape[1:], dtype=values.dtype).index_add(0, jobs.of, values)
    counts = torch.bincount(jobs.of, minlength=len(jobs)).clamp(min=1)
    return total / counts.reshape(-1, *[1] * (values.dim() - 1))
