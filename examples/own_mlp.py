"""Your own MLP: what dictionaries over its activations prove, from principal components to one-hot tokens.

python examples/own_mlp.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.dictionaries import Dictionary
from compact_proofs.models.component import Component


@dataclass(frozen=True)
class Thirds(cp.Task):
    """All pairs (a, b) of numbers below v; the label is the third of the possible sums in which a + b lies."""

    v: int
    name: ClassVar[str] = "thirds"

    @property
    def size(self) -> int:
        """v^2."""
        return self.v**2

    def parameters(self) -> dict[str, int]:
        """The number of numbers."""
        return {"v": self.v}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Pairs number `start` to `stop` - 1, int64 [n, 2]."""
        number = torch.arange(start, min(stop, self.size))
        return torch.stack([number // self.v, number % self.v], 1)

    def labels(self, inputs: Tensor) -> Tensor:
        """0, 1 or 2, int64 [n]."""
        return inputs.sum(1) * 3 // (2 * self.v - 1)


class Pairs(nn.Module):
    """logits = relu((E[a] + E[b]) W + b) G."""

    def __init__(self, v: int, d: int = 24, neurons: int = 96) -> None:
        super().__init__()
        self.E = nn.Parameter(torch.randn(v, d) / 2)
        self.W = nn.Parameter(torch.randn(d, neurons) / d**0.5)
        self.b = nn.Parameter(torch.zeros(neurons))
        self.G = nn.Parameter(torch.randn(neurons, 3) / neurons**0.5)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits [n, 3] of pairs [n, 2]."""
        return torch.relu(self.E[pairs].sum(1) @ self.W + self.b) @ self.G

    def component(self, inputs: Tensor) -> Component:
        """All that a dictionary's proof must know: what enters the MLP, as two tables, and its weights."""
        return Component((self.E, self.E), (inputs[:, 0], inputs[:, 1]), self.W, self.b, self.G, None, None)


def trained(v: int = 40, steps: int = 400) -> Pairs:
    """Train on all pairs, with a weight decay that leaves few directions of the embeddings."""
    torch.manual_seed(0)
    model, task = Pairs(v), Thirds(v)
    inputs = task.inputs(0, task.size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.5)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(inputs), task.labels(inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)


def main() -> None:
    """Prove the same network by dictionaries of various sizes, and by brute force."""
    model, task = trained(), Thirds(40)
    strategies: list[cp.Strategy] = [Dictionary(features=L, active=L, codes="tokens", rank=3, metric=8) for L in (4, 8, 12, 16)]
    strategies.append(Dictionary("tokens", features=40, active=1, codes="tokens", rank=3, metric=0))
    for certificate in (*(cp.prove(model, task, s) for s in strategies), cp.brute_force(model, task)):
        options = certificate.options
        name = f"{options['found']}, {options['features']} features" if "found" in options else certificate.strategy
        print(f"{name}: {float(certificate.bound):.4f} in {certificate.length.total:,} operations")
    print(certificate.claim.statement())


if __name__ == "__main__":
    main()
