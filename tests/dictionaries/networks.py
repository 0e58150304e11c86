"""Small MLPs of one's own, which say what their component is, and a task for them."""

import torch
from torch import nn

from compact_proofs.inputs.task import Task
from compact_proofs.models.component import Component


class Numbers(Task):
    """The numbers below N as inputs [N, 1], with labels from a seed."""

    name = "numbers"

    def __init__(self, n, outputs, seed=0):
        self.n, self.right = n, torch.randint(outputs, (n,), generator=torch.Generator().manual_seed(seed))

    @property
    def size(self):
        return self.n

    def parameters(self):
        return {"n": self.n}

    def inputs(self, start, stop):
        return torch.arange(start, min(stop, self.n))[:, None]

    def labels(self, inputs):
        return self.right[inputs[:, 0]]


class OwnMLP(nn.Module):
    """relu(X W + b) G + X U + c on the rows of a table, or on sums of the rows of two tables of about the root of N rows."""

    def __init__(self, n, d, neurons, outputs, *, seed=0, tables=1, folded=False, skip=True, biases=True, scale=1.0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def gaussian(*shape):
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64) * scale, requires_grad=False)

        self.side = n if tables == 1 else 1 + int((n - 1) ** 0.5)
        self.tables = nn.ParameterList([gaussian(self.side, neurons if folded else d) for _ in range(tables)])
        self.W = None if folded else gaussian(d, neurons)
        self.G = gaussian(neurons, outputs)
        self.U = gaussian(neurons if folded else d, outputs) if skip else None
        self.b, self.c = (gaussian(neurons), gaussian(outputs)) if biases else (None, None)

    def places(self, inputs):
        number = inputs[:, 0]
        return (number,) if len(self.tables) == 1 else (number // self.side, number % self.side)

    def component(self, inputs):
        return Component(list(self.tables), self.places(inputs), self.W, self.b, self.G, self.U, self.c)

    def forward(self, inputs):
        X = sum(table[place] for table, place in zip(self.tables, self.places(inputs), strict=True))
        h = X if self.W is None else X @ self.W
        logits = torch.relu(h if self.b is None else h + self.b) @ self.G
        logits = logits if self.U is None else logits + X @ self.U
        return logits if self.c is None else logits + self.c


def teach(model, task):
    """Make most labels what the model says, so that there is something to prove."""
    said = model(task.inputs(0, task.size)).argmax(1)
    task.right = torch.where(torch.arange(task.n) % 5 == 0, task.right, said)
    return task


def margins(model, task):
    """The true margins, in float64."""
    inputs = task.inputs(0, task.size)
    logits, labels = model(inputs), task.labels(inputs)
    own = logits.gather(1, labels[:, None]).squeeze(1)
    return own - logits.scatter(1, labels[:, None], -torch.inf).amax(1)
