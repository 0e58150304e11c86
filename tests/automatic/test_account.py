"""What is said of an automatic proof's boxes agrees with the proof, and is said in words."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.automatic.boxes.roots import roots
from compact_proofs.automatic.boxes.tree import LIST, decode, encode, expand
from compact_proofs.automatic.boxes.words import box_in_words, tokens_in_words
from compact_proofs.automatic.explanation import specs
from compact_proofs.automatic.report.account import Account
from compact_proofs.automatic.report.branches import Branch, layout
from compact_proofs.automatic.report.section import BoxesSection, account_of, summary
from compact_proofs.automatic.strategy import finite
from compact_proofs.enclosure import sound
from compact_proofs.program import program_of
from compact_proofs.report.of_frontier import data_of
from compact_proofs.tasks.finite.files import task_of
from compact_proofs.tasks.finite.specimens import specimen

V = 8


def allowed(*tokens: int) -> Tensor:
    return torch.isin(torch.arange(V), torch.tensor(tokens))


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (range(V), "any token"),
        ((), "no token"),
        ((3,), "3"),
        ((0, 1, 2), "at most 2"),
        ((5, 6, 7), "at least 5"),
        ((2, 3, 4), "2 to 4"),
        ((0, 1, 2, 3, 5, 6, 7), "not 4"),
        ((1, 3, 7), "1, 3 or 7"),
    ],
)
def test_sets_of_tokens_in_words(tokens: range | tuple[int, ...], words: str) -> None:
    assert tokens_in_words(allowed(*tokens)) == words


def test_boxes_in_words() -> None:
    free = allowed(*range(V))
    assert box_in_words(torch.stack([free, free])) == "every sequence"
    assert (
        box_in_words(torch.stack([allowed(0, 1), allowed(0, 1), allowed(2), free]))
        == "positions 1 and 2 are at most 1, position 3 is 2"
    )
    assert box_in_words(torch.stack([free, free, allowed(4)])) == "the last token is 4"


@given(st.lists(st.sampled_from([0, 1, 2, -1, -2, -3, -4]), max_size=12), st.integers(0, 2**V - 1))
def test_trees_are_laid_out_as_they_are_expanded(heads: list[int], bits: int) -> None:
    """Whatever an explanation says, the picture has the leaves that the proof has, in its order."""
    boxes = roots(cp.FiniteTask(3, V, lambda x: torch.zeros(len(x), dtype=torch.int64), boxes=None))
    nodes = torch.tensor([[head, (bits * (k + 1)) % 2**V] for k, head in enumerate(heads)], dtype=torch.int64).reshape(-1, 2)
    trees = decode(len(boxes), nodes, 3, V)
    assert torch.equal(expand(boxes, encode(trees, V)).boxes.masks, expand(boxes, nodes).boxes.masks)
    drawn = [leaf for tree, mask in zip(trees, boxes.masks, strict=True) for leaf in leaves_of(layout(tree, mask))]
    assert len(drawn) == len(expand(boxes, nodes).boxes)


def leaves_of(branch: Branch | None) -> list[int]:
    if branch is None:
        return []
    return [branch.leaf] if branch.cut is None else [leaf for part in branch.parts for leaf in leaves_of(part)]


@pytest.mark.parametrize("seed", range(4))
def test_the_boxes_account_for_the_bound(seed: int) -> None:
    """Of each leaf just the inputs are counted that are members there."""
    model = specimen(seed).model
    task, strategy = finite(task_of(model)), cp.Automatic(worth=1000)
    program = program_of(model, task)
    explanation = strategy.explain(program, task)
    with sound():
        found = strategy.verify(program, task, explanation)
    account = Account.of(task, explanation, found)
    assert sum(account.proven) == found.size
    inputs = task.inputs(0, task.size)
    inside = account.leaves.boxes.member(inputs) & found.member(inputs)[:, None]
    assert all(counted <= members for counted, members in zip(account.proven, inside.sum(0).tolist(), strict=True))
    assert all(0 <= bounded <= proven for bounded, proven in zip(account.bounded, account.proven, strict=True))


def test_boxes_of_mixed_label_are_accounted_for() -> None:
    """The explanation says which roots it divides; the account reads that too."""
    model = specimen(1).model
    task = finite(task_of(model))
    whole = {name: torch.zeros((0, *spec.shape[1:]), dtype=spec.dtype) for name, spec in specs(task.n_ctx, task.d_vocab).items()}
    explanation = whole | {"roots": torch.tensor([1]), "tree": encode([LIST] * task.d_vocab, task.d_vocab)}
    with sound():
        found = cp.Automatic().verify(program_of(model, task), task, explanation)
    account = Account.of(task, explanation, found)
    assert account.sizes == [task.d_vocab ** (task.n_ctx - 1)] * task.d_vocab  # one for each last token
    inside = account.leaves.boxes.member(task.inputs(0, task.size)) & found.member(task.inputs(0, task.size))[:, None]
    assert account.proven == inside.sum(0).tolist()
    assert found.size > 0


@pytest.mark.parametrize("by_bounds", [True, False])
def test_the_report_shows_the_boxes(by_bounds: bool) -> None:
    """What bounds prove most of is shown where bounds prove something."""
    models = (accounted(specimen(seed).model) for seed in range(20))
    model, certificate, account = next(m for m in models if any(m[2].proven) and any(m[2].bounded) == by_bounds)
    task = task_of(model)
    section = BoxesSection(model, task)
    block = section(data_of(cp.Frontier([certificate]), "mine"))
    assert block is not None
    assert ("Where bounds prove most" in block.body) == by_bounds
    assert escape(summary(account, certificate)) in block.body
    assert section(data_of(cp.Frontier([cp.brute_force(model, task)]), "mine")) is None


def accounted(model: nn.Module) -> tuple[nn.Module, cp.Certificate, Account]:
    task = task_of(model)
    certificate = cp.prove(model, task, cp.Automatic())
    return model, certificate, account_of(model, finite(task), certificate)
