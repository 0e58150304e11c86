"""A copy shares nothing with its module, whatever its hooks and functions refer to."""

import weakref

import pytest
import torch
from torch import nn

from compact_proofs.models.copying import independent_copy
from compact_proofs.program import trace


class Part(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
        self.seen = None


class Noting(nn.Module):
    """Its second part's hook, or function, notes in the first part what came in, and reads it there."""

    def __init__(self, how):
        super().__init__()
        self.first, self.second = Part(), Part()
        first = {"closure": lambda p: p, "proxy": weakref.proxy, "nested": lambda p: p}[how](self.first)

        def note(x):
            first.seen = x

        def hook(module, args):
            note(args[0])

        if how == "nested":
            self.note = note
            self.second.register_forward_pre_hook(lambda m, args: self.note(args[0]))
        else:
            self.second.register_forward_pre_hook(hook)

    def forward(self, x):
        y = self.second(x)
        y = y + self.first.seen
        self.first.seen = None
        return y


@pytest.mark.parametrize("how", ["closure", "proxy", "nested"])
def test_hooks_of_a_copy_write_into_the_copy(how):
    module = Noting(how)
    copied = independent_copy(module)
    x = torch.ones(1, 2)
    torch.testing.assert_close(copied(x), module(x))  # whose own hook would leave copied.first.seen None
    copied.second(x)
    assert module.first.seen is None
    assert copied.first.seen is not None
    program = trace(module, torch.ones(2))
    torch.testing.assert_close(program(x), module(x))


def test_weak_references_and_recursive_functions():
    module = nn.Module()
    module.part = nn.Linear(1, 1)
    module.other, module.gone = weakref.ref(module.part), weakref.ref(nn.Linear(1, 1))
    gone = weakref.proxy(nn.Linear(1, 1))

    def countdown(n):
        return module.part if n == 0 else countdown(n - 1)

    def unset():
        return gone, later

    module.countdown, module.unset = countdown, unset
    copied = independent_copy(module)
    assert copied.other() is copied.part is copied.countdown(3) is not module.part
    assert copied.gone() is None
    with pytest.raises(NameError):
        copied.unset()
    assert module.countdown(3) is module.part
    later = 3
    assert module.unset()[1] == later
