"""`check_task` refuses tasks about which a bound would mean nothing."""

import pytest
import torch

from compact_proofs.algebra.group import group_of
from compact_proofs.core.exhaustive import brute_force
from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.check_task import check_task
from compact_proofs.inputs.task import Task
from compact_proofs.sequences.labels import Maximum
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.groups.task import Groups
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.max_of_k import MaxOfK
from compact_proofs.tasks.modular_addition.task import ModularAddition


class Own(Task):
    """The numbers 0 ... size - 1, labelled by their parity."""

    name = "own"
    size = 1000

    def parameters(self):
        return {}

    def inputs(self, start, stop):
        return torch.arange(start, min(stop, self.size))[:, None]

    def labels(self, inputs):
        return inputs[:, 0] % 2


def test_tasks_that_ship_are_well_made():
    assert check_task(MaxOfK(d_vocab=5, n_ctx=3), 5)
    assert check_task(Induction(d_vocab=6, n_ctx=4), 6)
    assert check_task(ModularAddition(7), 7)
    assert check_task(FiniteTask(3, 4, Maximum()), 4)
    assert not check_task(MaxOfK(d_vocab=64, n_ctx=20), 64)
    assert not check_task(FiniteTask(30, 9, lambda x: x.amax(1)), 9)
    assert check_task(Groups(group_of((torch.arange(5)[:, None] + torch.arange(5)) % 5)), 5)
    assert check_task(Own())


def broken(**members):
    return type("Broken", (Own,), members)()


class Changing(Own):
    calls = 0

    def labels(self, inputs):
        Changing.calls += 1
        return inputs[:, 0] * 0 + Changing.calls % 2


class Moving(Own):
    calls = 0

    def inputs(self, start, stop):
        Moving.calls += 1
        return torch.arange(start, min(stop, self.size))[:, None] + Moving.calls


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (broken(inputs=lambda self, a, b: torch.zeros(min(b, 1000) - a, 1, dtype=torch.int64)), "comes twice"),
        (broken(size=100_000, inputs=lambda self, a, b: torch.arange(a, min(b, 100_000))[:, None] % 99_999), "comes twice"),
        (broken(size=10**12, inputs=lambda self, a, b: torch.arange(a, b)[:, None] // 2), "comes twice"),
        (broken(size=0), "size must be a positive int"),
        (broken(size=2.0), "size must be a positive int"),
        (broken(inputs=lambda self, a, b: torch.arange(a, b - 1)[:, None]), "must be a tensor of"),
        (broken(inputs=lambda self, a, b: [0] * (b - a)), "must be a tensor of"),
        (broken(labels=lambda self, x: x[:, 0] % 2 == 0), "int64"),
        (broken(labels=lambda self, x: x % 2), "int64"),
        (broken(labels=lambda self, x: x[:, 0] % 2 - 1), "are -1 ... 0"),
        (broken(labels=lambda self, x: x[:, 0] % 3), "0 ... 1"),
        (broken(labels=lambda self, x: (x[:, 0] == x[-1, 0]).long()), "depends on the other inputs"),
        (Changing(), "labels are others"),
        (Moving(), "others when asked again"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_is_wrong_is_named(task, message):
    with pytest.raises(BadInput, match=message):
        check_task(task, 2)


def test_inputs_that_differ_between_batches_are_noticed():
    class Shifted(Own):
        def inputs(self, start, stop):
            x = torch.arange(start, min(stop, self.size))[:, None]
            return x if stop - start > 1 else (x + 1) % self.size

    with pytest.raises(BadInput, match="another by itself"):
        check_task(Shifted())


class Late(Own):
    """More inputs than are looked at one by one, and one of them again and again."""

    size = 2**19

    def inputs(self, start, stop):
        return super().inputs(start, stop).clamp(max=100)


class ByTwo(MaxOfK):
    """Even tokens only, drawn and numbered like all."""

    @property
    def size(self):
        return super().size // 2**self.n_ctx

    def inputs(self, start, stop):
        return 2 * MaxOfK(self.d_vocab // 2, self.n_ctx).inputs(start, stop)


def test_draws_and_numbers_are_those_of_the_inputs():
    with pytest.raises(BadInput, match="draw gave"):
        check_task(ByTwo(8, 3))
    with pytest.raises(BadInput, match="draw gave"):
        check_task(ByTwo(64, 4))


def test_a_proof_looks_at_parts_of_a_large_task():
    with pytest.raises(BadInput, match="comes twice"):
        brute_force(torch.nn.Linear(1, 2), Late())


def test_inputs_that_cannot_be_numbered_need_draws_of_their_own():
    class Vast(Own):
        size = 2**70

    assert not check_task(Vast())
    with pytest.raises(BadInput, match="give it a method draw"):
        Vast().draw(3, Draws(b"seed"))
