"""A recurrent cell written with tensors, on the parity of six bits.

python examples/recurrent.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

import compact_proofs as cp


@dataclass(frozen=True)
class Parity(cp.Task):
    """All sequences of `length` bits; the label is their sum modulo 2."""

    length: int
    name: ClassVar[str] = "parity"

    @property
    def size(self) -> int:
        """2^length."""
        return 2**self.length

    def parameters(self) -> dict[str, int]:
        """The length."""
        return {"length": self.length}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Bits of the numbers `start` to `stop` - 1, int64 [n, length]."""
        return torch.arange(start, stop)[:, None] >> torch.arange(self.length) & 1

    def labels(self, inputs: Tensor) -> Tensor:
        """Parities, int64 [n]."""
        return inputs.sum(1) % 2


TASK = Parity(6)


class Recurrent(nn.Module):
    """h <- tanh(W_x[bit] + h W_h), from h = 0; the logits are h W_y + b_y at the end."""

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.W_x = nn.Parameter(torch.randn(2, hidden) / 2)
        self.W_h = nn.Parameter(torch.randn(hidden, hidden) / hidden**0.5)
        self.W_y = nn.Parameter(torch.randn(hidden, 2) / hidden**0.5)
        self.b_y = nn.Parameter(torch.zeros(2))

    def forward(self, bits: Tensor) -> Tensor:
        """Logits [n, 2] of sequences [n, length]."""
        h = torch.tanh(self.W_x[bits[:, 0]])
        for t in range(1, bits.shape[1]):
            h = torch.tanh(self.W_x[bits[:, t]] + h @ self.W_h)
        return h @ self.W_y + self.b_y


def trained(seed: int = 1, steps: int = 100) -> Recurrent:
    """Train on all sequences; few steps, so that it is not perfect."""
    torch.manual_seed(seed)
    model = Recurrent()
    inputs = TASK.inputs(0, TASK.size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), TASK.labels(inputs)).backward()
        optimizer.step()
    return model


def main() -> None:
    """Prove the accuracy, and show where the operations go."""
    certificate = cp.brute_force(trained(), TASK)
    print(certificate.claim.statement())
    print(f"{certificate.length.total:,} operations: {certificate.length.by_category}")


if __name__ == "__main__":
    main()
