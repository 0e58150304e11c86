"""Small networks of every kind that the reading by tokens must deal with, and tasks for them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from compact_proofs.models.recurrent import Recurrent, RecurrentConfig
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.sequences.labels import Maximum, OccurredBefore
from compact_proofs.sequences.task import FiniteTask

V, N = 5, 3


def transformer(**options: object) -> TransformerConfig:
    sizes = {"d_vocab": V, "n_ctx": N, "d_out": V, "d_model": 6, "d_head": 3}
    return TransformerConfig(**(sizes | options))


class Bag(nn.Module):
    """An MLP on the embeddings of all positions, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.E, self.hidden, self.out = nn.Embedding(V, 4), nn.Linear(4 * N, 8), nn.Linear(8, V)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.hidden(self.E(x).flatten(1))))


class Odd(nn.Module):
    """Operations without a rule: sine of a sum, a product of two sums, a maximum over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.E, self.F, self.U = nn.Embedding(V, 4), nn.Embedding(V, 4), nn.Linear(4, V)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.E(x).sum(1), self.F(x).mean(1)
        return self.U(torch.sin(a) * b + self.E(x).amax(1) / (1 + b.exp()))


class Moved(nn.Module):
    """Scores against the last token's own, a tensor joined to itself, columns looked up, positions in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.E, self.P, self.U = nn.Embedding(V, 4), nn.Parameter(torch.zeros(N, 4)), nn.Linear(8, V)

    def forward(self, x: Tensor) -> Tensor:
        h = self.E(x) + self.P
        score = torch.tanh((h * h[:, -1:]).sum(-1))  # [B, n]
        against = score * score[:, -1:]
        share = (against - against[:, -1:] ** 2).softmax(-1)
        mixed = (share[:, None] @ h)[:, 0] + h[:, 0][:, torch.tensor([2, 0, 3, 1])]
        return 0.5 - self.U(torch.cat([mixed, mixed], 1)) + torch.cat([score, score[:, :2]], 1)


class Guarded(nn.Module):
    """Shares that are guarded against NaN, of tables and of forms; masked again after the softmax, and multiplied by constants."""

    def __init__(self) -> None:
        super().__init__()
        self.E, self.P, self.U = nn.Embedding(V, 4), nn.Parameter(torch.zeros(N, 4)), nn.Linear(4, V)
        self.q, self.r = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(4))
        self.register_buffer("hidden", torch.arange(N) == 1)
        self.register_buffer("gate", torch.arange(1.0, N + 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.E(x) + self.P
        share = guarded((h @ self.q).masked_fill(self.hidden, -torch.inf).softmax(-1))
        share = share.masked_fill(self.hidden, 0.0) * self.gate * 0.5
        mixed = h + share[:, None] @ h
        return self.U((guarded((mixed @ self.r).softmax(-1))[:, None] @ mixed)[:, 0])


def guarded(share: Tensor) -> Tensor:
    """As TransformerLens writes it."""
    return torch.where(share.isnan(), torch.zeros_like(share), share)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: Transformer(transformer()),
    "heads": lambda: Transformer(transformer(n_heads=2, biases=True)),
    "causal": lambda: Transformer(transformer(n_heads=2, causal=True, norm="rms")),
    "norm": lambda: Transformer(transformer(n_heads=2, norm="layer", biases=True)),
    "relu": lambda: Transformer(transformer(d_mlp=7, biases=True)),
    "gelu": lambda: Transformer(transformer(n_heads=2, d_mlp=7, act="gelu", norm="layer", biases=True)),
    "gelu_tanh": lambda: Transformer(transformer(d_mlp=4, act="gelu_tanh")),
    "silu": lambda: Transformer(transformer(d_mlp=4, act="silu", norm="rms")),
    "gated": lambda: Transformer(transformer(d_mlp=4, act="silu", gated=True)),
    "two layers": lambda: Transformer(transformer(n_layers=2, biases=True)),
    "two causal layers": lambda: Transformer(transformer(n_layers=2, n_heads=2, biases=True, causal=True)),
    "recurrent": lambda: Recurrent(RecurrentConfig(d_vocab=V, n_ctx=N, d_out=V, d_model=5, cell="tanh")),
    "gru": lambda: Recurrent(RecurrentConfig(d_vocab=V, n_ctx=N, d_out=V, d_model=4, cell="gru")),
    "bag": Bag,
    "odd": Odd,
    "moved": Moved,
    "guarded": Guarded,
}


def network(kind: str, seed: int, scale: float = 1.0) -> nn.Module:
    """A network with Gaussian weights, pulled towards naming the largest token so that some inputs are right."""
    generator = torch.Generator().manual_seed(seed)
    model = NETWORKS[kind]()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * scale)
    return model.eval()


def largest(kind: str) -> FiniteTask:
    return FiniteTask(N, V, Maximum())


def occurred() -> FiniteTask:
    return FiniteTask(N, V, OccurredBefore())
