"""A plain MLP on addition modulo 13, with a task of its own: three members say what is asked.

python examples/modular_addition.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

import compact_proofs as cp


@dataclass(frozen=True)
class ModularAddition(cp.Task):
    """All pairs (a, b) of residues modulo p; the label is a + b mod p."""

    p: int
    name: ClassVar[str] = "addition"

    @property
    def size(self) -> int:
        """p^2."""
        return self.p**2

    def parameters(self) -> dict[str, int]:
        """The modulus."""
        return {"p": self.p}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Pairs number `start` to `stop` - 1, int64 [n, 2]."""
        number = torch.arange(start, stop)
        return torch.stack([number // self.p, number % self.p], 1)

    def labels(self, inputs: Tensor) -> Tensor:
        """Sums, int64 [n]."""
        return inputs.sum(1) % self.p


TASK = ModularAddition(13)


def trained(seed: int = 0, steps: int = 25) -> nn.Module:
    """Train an MLP on all pairs; few steps, so that it is not perfect."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Embedding(TASK.p, 16), nn.Flatten(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, TASK.p))
    inputs = TASK.inputs(0, TASK.size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), TASK.labels(inputs)).backward()
        optimizer.step()
    return model.eval()


def main() -> None:
    """Prove the accuracy by all inputs, and by a quarter of them: the linear baseline."""
    model = trained()
    for share in (1.0, 0.25):
        certificate = cp.brute_force(model, TASK, share=share)
        print(f"share {share}: {certificate.claim.statement()} ({certificate.length.total:,} operations)")


if __name__ == "__main__":
    main()
