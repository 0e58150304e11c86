"""What a call may leave behind: results to look at, which no later call reads."""

import pytest
import torch
from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.program import trace


class Keeping(nn.Module):
    """Keeps its pattern, alone or in a list, as networks do that are to be looked into."""

    def __init__(self, reads):
        super().__init__()
        self.W = nn.Parameter(torch.eye(3))
        self.pattern = torch.zeros(1, 3)
        self.patterns = [torch.zeros(1, 3)]
        self.reads = reads

    def forward(self, x):
        pattern = torch.softmax(x @ self.W, -1)
        last = {"nothing": 0.0, "attribute": self.pattern, "list": self.patterns[0]}[self.reads]
        self.pattern, self.patterns = pattern, [pattern * 1.0]
        return pattern + last


def test_what_no_call_reads_may_be_kept():
    module, x = Keeping("nothing"), torch.tensor([[1.0, 2.0, 3.0]])
    torch.testing.assert_close(trace(module, x[0])(x), torch.softmax(x, -1))
    assert not module.pattern.any()


@pytest.mark.parametrize(("reads", "name"), [("attribute", "pattern"), ("list", r"patterns\[0\]")])
def test_what_a_call_reads_of_the_last_one_is_refused(reads, name):
    with pytest.raises(BadInput, match=rf"Keeping: a call changes {name}, so that the module is no function"):
        trace(Keeping(reads), torch.ones(3))


def test_what_grows_is_refused():
    class Growing(Keeping):
        def forward(self, x):
            self.pattern = torch.cat([self.pattern, x])
            return x * 2

    with pytest.raises(BadInput, match="Growing: a call changes pattern"):
        trace(Growing("nothing"), torch.ones(3))
