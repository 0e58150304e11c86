"""Your own model and your own verifier: v evaluations of a score prove what v^2 inputs ask.

python examples/own_verifier.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

import compact_proofs as cp


@dataclass(frozen=True)
class Larger(cp.Task):
    """All pairs (a, b) of different numbers below v; the label says which place holds the larger one."""

    v: int
    name: ClassVar[str] = "larger"

    @property
    def size(self) -> int:
        """v (v - 1)."""
        return self.v * (self.v - 1)

    def parameters(self) -> dict[str, int]:
        """The number of numbers."""
        return {"v": self.v}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Pairs number `start` to `stop` - 1, int64 [n, 2]."""
        a, b = torch.arange(start, stop) // (self.v - 1), torch.arange(start, stop) % (self.v - 1)
        return torch.stack([a, b + (b >= a)], 1)

    def labels(self, inputs: Tensor) -> Tensor:
        """0 or 1, int64 [n]."""
        return (inputs[:, 1] > inputs[:, 0]).long()


class Comparer(nn.Module):
    """Scores each number by an MLP; the scores of a pair are its logits."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(1, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, numbers: Tensor) -> Tensor:
        """Scores of the shape of `numbers`."""
        return self.mlp(numbers[..., None].to(self.mlp[0].weight.dtype) / 16).squeeze(-1)


@dataclass(frozen=True)
class Records(cp.Strategy):
    """A number whose score exceeds the scores of all smaller ones wins against each of them, in both orders."""

    name: ClassVar[str] = "records"
    summary: ClassVar[str] = "running maximum of the score"

    def records(self, model: nn.Module, v: int) -> Tensor:
        """Return bool [v]: the numbers that provably are records."""
        score = model(torch.arange(v, device=next(model.parameters()).device))
        return cp.provably(score > torch.cat([score[:1] + 1, score.cummax(0).values[:-1]]))

    def verify(self, model: nn.Module, task: cp.Task, explanation: cp.Explanation) -> cp.Certified:
        """Return the pairs whose larger number is a record: two for each record and each smaller number."""
        records = self.records(model, task.v)
        return cp.Classes(records, 2 * torch.arange(task.v, device=records.device), lambda pairs: (pairs.amax(1),))


def trained(seed: int = 0, steps: int = 2, v: int = 64) -> Comparer:
    """Train on all pairs, for so short that it is not perfect."""
    torch.manual_seed(seed)
    model, task = Comparer(), Larger(v)
    inputs = task.inputs(0, task.size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), task.labels(inputs)).backward()
        optimizer.step()
    return model


def main() -> None:
    """Prove the same by understanding and by brute force; test the verifier; cost it at a million numbers."""
    model, task = trained(), Larger(64)
    print("faults found:", cp.violations(Records(), cp.Specimen(model), task))
    for certificate in (cp.prove(model, task, Records()), cp.brute_force(model, task)):
        print(f"{certificate.strategy}, {certificate.length.total:,} operations: {certificate.claim.statement()}")
    print(f"records at v = 10^6: {cp.measure(model, Larger(10**6), Records()).total:,} operations")


if __name__ == "__main__":
    main()
