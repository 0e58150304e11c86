"""Families of rivals that share their tables: the same maxima as each by itself, for less."""

from dataclasses import replace
from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs.automatic.bounds import rivals
from compact_proofs.automatic.bounds.rivals import AverageReadout, Families, Kin, kinship, left_out, merge
from compact_proofs.enclosure import sound
from compact_proofs.length import count
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.program import program_of
from compact_proofs.sequences.labels import Maximum

N, V, OUTPUTS = 3, 6, 7


def drawn(seed, heads):
    """A readout of random tables, and families of 0, 2 and 4 hard outputs, some of them kin."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    readout = AverageReadout([], normal(N, V, heads, OUTPUTS), normal(V, OUTPUTS))
    betas = normal(2, heads - 1, OUTPUTS)
    families = []
    for hard in (0, 2, 4):
        query = torch.randint(0, 2, (5,), generator=generator)
        chosen = torch.stack([torch.randperm(OUTPUTS, generator=generator)[:hard] for _ in query])
        families.append(Families(query, chosen, betas[query]))
    return readout, families


def groups_of(families):
    sizes = torch.cat([torch.full((len(f.query),), f.hard.shape[1]) for f in families])
    group = kinship(torch.cat([f.query for f in families]), torch.cat([f.beta for f in families]), sizes)
    return list(group.split([len(f.query) for f in families]))


def wrong_maxima(readout, families, kin, groups, labels=range(OUTPUTS)):
    """How many maxima differ from those over all outputs but the label and the hard ones, one by one."""
    own = torch.tensor(list(labels))
    left = [
        left_out(kin, f, g, torch.arange(len(g)).repeat(len(own)), own.repeat_interleave(len(g)))
        for f, g in zip(families, groups, strict=True)
    ]
    merged = merge(readout, kin, N - 1, torch.arange(V), torch.stack(left).any(0))
    last = readout.direct[kin.query] - kin.beta.sum(1)
    bounds = readout.tables.permute(2, 0, 1, 3) + torch.cat([kin.beta, last[:, None]], 1)[:, :, None, None]  # [G, H, n, K, outputs]
    wrong = 0
    for own, group in zip(families, groups, strict=True):
        for label in labels:
            tokens = torch.arange(V).expand(len(group), N - 1, V)
            free, context = merged.rivals(group, own.hard, torch.full_like(group, label), tokens)
            for f, g in enumerate(group.tolist()):
                left = [z for z in range(OUTPUTS) if z != label and z not in own.hard[f].tolist()]
                expected = bounds[g][..., left].amax(-1)
                wrong += int((free[f] != expected[:, : N - 1]).sum())
                wrong += int((context[f] != expected[:, N - 1, kin.query[g]]).sum())
    return wrong


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_kin_have_the_maxima_of_each_by_itself(seed, heads):
    readout, families = drawn(seed, heads)
    groups = groups_of(families)
    kin = Kin.of(families, groups)
    assert len(kin) == 2  # two tokens, each with betas of its own
    assert kin.more.max() == 4
    assert wrong_maxima(readout, families, kin, groups) == 0
    assert wrong_maxima(readout, families, kin, groups, [seed]) == 0
    for own in families:
        assert wrong_maxima(readout, [own], Kin.apart(own), [torch.arange(len(own.query))]) == 0


def test_too_short_a_list_of_the_greatest_is_caught():
    readout, families = drawn(0, 1)
    groups = groups_of(families)
    kin = Kin.of(families, groups)
    assert wrong_maxima(readout, families, replace(kin, more=torch.ones_like(kin.more)), groups) > 0


def test_what_no_job_was_said_to_leave_out_is_bounded_by_more():
    """A job of another label than was said gets a bound that is too high, never one that is too low."""
    readout, families = drawn(0, 2)
    own = families[0]
    group, kin = torch.arange(len(own.query)), Kin.apart(own)
    merged = [merge(readout, kin, N - 1, torch.arange(V), torch.full_like(kin.out, said)) for said in (False, True)]
    tokens = torch.arange(V).expand(len(group), N - 1, V)
    for label in range(OUTPUTS):
        (free, context), (least, own_least) = (m.rivals(group, own.hard, torch.full_like(group, label), tokens) for m in merged)
        assert (free >= least).all()
        assert (context >= own_least).all()


def test_families_of_other_tokens_or_betas_or_of_many_hard_outputs_are_no_kin():
    query, beta = torch.tensor([0, 0, 1, 0, 0]), torch.zeros(5, 1, 2, dtype=torch.float64)
    beta[3] = 1e-300
    hard = torch.tensor([0, 2, 2, 2, rivals.FEW + 1])
    group = kinship(query, beta, hard)
    assert group[0] == group[1]
    assert group.tolist() == [0, 0, 1, 2, 3]


def test_sharing_proves_the_same_for_less():
    generator = torch.Generator().manual_seed(3)
    model = Transformer(TransformerConfig(d_vocab=12, n_ctx=3, d_out=12, d_model=12, d_head=12))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.1)
        block = model.blocks[0]
        model.W_E.add_(torch.eye(12))
        block.W_V[0] += torch.eye(12)
        block.W_O[0] += torch.eye(12)
        model.W_U.add_(2 * torch.eye(12))
        block.W_Q[0] += torch.ones(12, 12)
        block.W_K[0] += torch.arange(12.0)[:, None] / 4
    task = cp.FiniteTask(3, 12, Maximum())
    strategy = cp.Automatic(worth=3000, most=0)
    program = program_of(model, task)
    explanation = strategy.explain(program, task)
    found = []
    for few in (rivals.FEW, -1):
        with mock.patch.object(rivals, "FEW", few), sound(), count() as counter:
            proven = strategy.verify(program, task, explanation)
            size = proven.size
        found.append((size, counter.length.by_stage["merging"], proven.member(task.inputs(0, task.size))))
    (size, shared, inside), (same, apart, again) = found
    assert 0 < size == same < task.size
    assert torch.equal(inside, again)
    assert sum(shared.values()) < sum(apart.values())
