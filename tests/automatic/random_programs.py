"""Modules made of random operations on embeddings, to try readings of programs on."""

import random

import torch
from torch import nn
from torch.nn import functional as F

V = N = D = 3

KINDS = (
    *("linear", "from_left", "add", "subtract", "multiply", "product", "scores", "softmax", "relu", "tanh", "one_row", "total"),
    *("mean", "cat", "stack", "norm", "where", "scale", "divide", "attention", "attention", "transpose"),
)


class RandomModule(nn.Module):
    """Each operation makes a tensor [B, 3, 3] of earlier ones; the last one, or a part of it, is the logits."""

    def __init__(self, seed):
        super().__init__()
        choose, generator = random.Random(seed), torch.Generator().manual_seed(seed)

        def gaussian(*shape):
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))

        self.embed, self.places = gaussian(V, D), gaussian(N, D)
        self.maps = nn.ParameterList([gaussian(D, D) for _ in range(4)])
        self.register_buffer("mask", torch.rand(N, D, generator=generator) < 0.6)
        self.operations = [(choose.choice(KINDS), *(choose.randrange(100) for _ in range(3))) for _ in range(choose.randint(4, 9))]
        self.part = choose.randrange(3)

    def forward(self, tokens):
        values = [self.embed[tokens] + self.places, self.embed[tokens]]
        for kind, i, j, k in self.operations:
            a, b = values[-1 - i % min(3, len(values))], values[j % len(values)]
            values.append(getattr(self, f"_{kind}")(a, b, self.maps[k % 4], 1 + k % 2, k % 3))
        last = values[-1]
        return (last[:, -1], last[:, 0], last.flatten(1))[self.part]

    def _linear(self, a, b, w, dim, k):
        return a @ w + (self.places[0] if k else 0)

    def _from_left(self, a, b, w, dim, k):
        return w @ a

    def _add(self, a, b, w, dim, k):
        return a + b

    def _subtract(self, a, b, w, dim, k):
        return torch.sub(a, b, alpha=2)

    def _multiply(self, a, b, w, dim, k):
        return a * b

    def _product(self, a, b, w, dim, k):
        return a @ b

    def _scores(self, a, b, w, dim, k):
        return a @ b.transpose(1, 2) / 3

    def _softmax(self, a, b, w, dim, k):
        return torch.softmax(a, dim)

    def _relu(self, a, b, w, dim, k):
        return torch.relu(a)

    def _tanh(self, a, b, w, dim, k):
        return torch.tanh(a)

    def _one_row(self, a, b, w, dim, k):
        return a[:, k : k + 1].expand(-1, 3, -1)

    def _total(self, a, b, w, dim, k):
        return a.sum(dim, keepdim=True).expand(-1, 3, 3)

    def _mean(self, a, b, w, dim, k):
        return a.mean(dim, keepdim=True).expand(-1, 3, 3) - b

    def _cat(self, a, b, w, dim, k):
        return torch.cat([a[:, :1], b[:, 1:]], 1)

    def _stack(self, a, b, w, dim, k):
        return torch.stack([a[:, 0], b[:, 1], a[:, 2]], dim)

    def _norm(self, a, b, w, dim, k):
        return F.layer_norm(a, (D,), self.places[1], self.places[2])

    def _where(self, a, b, w, dim, k):
        return torch.where(self.mask, a, 0.0)

    def _scale(self, a, b, w, dim, k):
        return 2 * a - 1

    def _divide(self, a, b, w, dim, k):
        return a / (1 + b * b)

    def _attention(self, a, b, w, dim, k):
        return torch.softmax(b @ w @ b.transpose(1, 2), 2) @ a

    def _transpose(self, a, b, w, dim, k):
        return a.transpose(1, 2)
