"""Modules that the package does not know, one for each kind of operation, for tests of theorems about any network."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compact_proofs.inputs.task import Task


class Copy(Task):
    """Name the token at a place."""

    name = "copy"

    def __init__(self, values: tuple[int, ...], place: int) -> None:
        self.values, self.place = values, place
        self.all = torch.cartesian_prod(*(torch.arange(n) for n in values))

    @property
    def size(self) -> int:
        return len(self.all)

    def parameters(self) -> dict[str, int]:
        return {"place": self.place}

    def inputs(self, start: int, stop: int) -> Tensor:
        return self.all[start:stop]

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs[:, self.place]


class Transformer(nn.Module):
    """Pre-LayerNorm blocks with causal heads and an MLP; logits at the last position."""

    def __init__(self, act: nn.Module, *, layers: int = 1, fused: bool = False, v: int = 4, n: int = 3, d: int = 8) -> None:
        super().__init__()
        self.embed, self.pos = nn.Embedding(v, d), nn.Parameter(torch.randn(n, d) * 0.3)
        self.blocks = nn.ModuleList(Block(act, fused, n, d) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, v)

    def forward(self, t: Tensor) -> Tensor:
        x = self.embed(t) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, -1]))


class Block(nn.Module):
    """Attention and an MLP, each after a LayerNorm."""

    def __init__(self, act: nn.Module, fused: bool, n: int, d: int) -> None:
        super().__init__()
        self.ln1, self.ln2, self.act, self.fused, self.n = nn.LayerNorm(d), nn.LayerNorm(d), act, fused, n
        self.qkv, self.out, self.up, self.down = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (z.unflatten(-1, (2, -1)).transpose(-2, -3) for z in self.qkv(self.ln1(x)).chunk(3, -1))
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mask = torch.ones(self.n, self.n, dtype=torch.bool).tril()
            scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask, -torch.inf)
            mixed = scores.softmax(-1) @ v
        x = x + self.out(mixed.transpose(-2, -3).flatten(-2))
        return x + self.down(self.act(self.up(self.ln2(x))))


class Recurrent(nn.Module):
    """An embedding, a cell, a linear layer."""

    def __init__(self, cell: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(4, 3), cell(3, 5, batch_first=True), nn.Linear(5, 4)

    def forward(self, t: Tensor) -> Tensor:
        return self.head(self.cell(self.embed(t))[0][:, -1])


class Function(nn.Module):
    """A function of embedded tokens [n, d], between an embedding and a linear layer."""

    def __init__(self, f: Callable[[Tensor], Tensor], width: int, n: int = 3, d: int = 4) -> None:
        super().__init__()
        self.f, self.embed, self.head = f, nn.Embedding(4, d), nn.Linear(width, 4)

    def forward(self, t: Tensor) -> Tensor:
        return self.head(self.f(self.embed(t)))


class OneHot(nn.Module):
    """A linear layer on one-hot codes."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(12, 4)

    def forward(self, t: Tensor) -> Tensor:
        return self.head(F.one_hot(t, 4).to(self.head.weight.dtype).flatten(1))


class Einsum(nn.Module):
    """Products with axes in other orders."""

    def __init__(self) -> None:
        super().__init__()
        self.E, self.Q, self.U = (nn.Parameter(torch.randn(*s)) for s in ((4, 5), (2, 5, 3), (2, 3, 4)))

    def forward(self, t: Tensor) -> Tensor:
        q = torch.einsum("bpd,hde->bhpe", self.E[t], self.Q)
        return torch.einsum("bhpe,hev->bpv", q, self.U)[:, -1]


def rms(x: Tensor) -> Tensor:
    """RMSNorm by hand, then a sum over positions."""
    return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)).sum(1)


UPPER = torch.ones(3, 3, dtype=torch.bool).triu(1)

FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "flatten": (lambda x: x.flatten(1), 12),
    "other order": (lambda x: x.transpose(1, 2).reshape(len(x), 12), 12),
    "rms": (rms, 4),
    "clamp": (lambda x: x.clamp(-0.5, 0.7).mean(1), 4),
    "hardtanh": (lambda x: F.relu6(F.hardtanh(x)).sum(1), 4),
    "extrema": (lambda x: torch.maximum(x[:, 0], x[:, 1]) + torch.minimum(x[:, 1], x[:, 2]), 4),
    "abs": (lambda x: x.abs().sum(1) - (-x).square().sum(1), 4),
    "leaky": (lambda x: F.leaky_relu(x, 0.25)[:, 1], 4),
    "powers": (lambda x: (x.pow(3) + (x.abs() + 1).pow(-2) + (x * x + 1).pow(0.5) + (x * x + 1) ** -0.5)[:, -1], 4),
    "reciprocal": (lambda x: (1 / (x.abs() + 2) + (2 - x) - 3)[:, 0], 4),
    "joined": (lambda x: torch.cat([x[:, 0], x[:, 1, :2], x[:, 2]], -1), 10),
    "stacked": (lambda x: torch.stack([x[:, 0], x[:, 2]], 1).flatten(1), 8),
    "variance": (lambda x: x.var(1) + x.var(1, unbiased=False), 4),
    "choice": (lambda x: torch.where(torch.arange(4) < 2, x[:, 0], x[:, 1].exp()), 4),
    "reversed": (lambda x: x[:, torch.arange(1, 3)].flatten(1), 8),
    "strided": (lambda x: x[:, ::2, 1::2].flatten(1), 4),
    "erf": (lambda x: torch.erf(3 * x).flatten(1), 12),
    "outer": (lambda x: (x[:, 0, :, None] * x[:, 1, None, :]).flatten(1), 16),
    "filled": (lambda x: (x + torch.ones_like(x)).sum(1) * x.new_ones(4) - torch.full_like(x[:, 0], 0.5), 4),
    "moved mask": (lambda x: ((x @ x.mT).masked_fill(UPPER, -torch.inf).mT.softmax(1).mT @ x)[:, -1], 4),
    "scores": (lambda x: ((x @ x.mT / 2 + torch.full((3, 3), -torch.inf).triu(1)).softmax(-1) @ x)[:, -1], 4),
}
"""Functions of embedded tokens [N, 3, 4], with their widths."""


def modules() -> dict[str, nn.Module]:
    """Every module, by name; each reads 3 of 4 tokens and has 4 outputs."""
    torch.manual_seed(0)
    found: dict[str, nn.Module] = {
        "GELU by tanh, two layers": Transformer(nn.GELU(approximate="tanh"), layers=2),
        "fused attention, tanh": Transformer(nn.Tanh(), fused=True),
        "GELU": Transformer(nn.GELU()),
        "SiLU": Transformer(nn.SiLU()),
        "sigmoid": Transformer(nn.Sigmoid()),
        "RNN": Recurrent(nn.RNN),
        "GRU": Recurrent(nn.GRU),
        "LSTM": Recurrent(nn.LSTM),
        "encoder layer": Function(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, norm_first=True), 4),
        "one-hot": OneHot(),
        "einsum": Einsum(),
    }
    found["encoder layer"].f = _last(found["encoder layer"].f)  # type: ignore[assignment]
    return found | {name: Function(f, width) for name, (f, width) in FUNCTIONS.items()}


class _last(nn.Module):
    """A module's result at the last position."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[:, -1]
