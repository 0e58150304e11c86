"""Modules made of random operations on embeddings, to try readings of programs on."""

import random

import torch
from torch import nn
from torch.nn import functional as F

V = N = D = 3

KINDS = (
    *("linear", "from_left", "add", "subtract", "multiply", "product", "scores", "softmax", "relu", "tanh", "one_row", "total"),
    *("mean", "cat", "stack", "norm", "where", "scale", "divide", "attention", "attention", "transpose"),
    *("large_number", "number_times_factor", "variance", "largest", "cumulated", "gelu", "clamped", "gated", "rolled", "smaller"),
    *("masked_softmax", "by_token", "by_other_tokens", "integers", "sorted_tokens", "looked_up", "picked", "compared"),
    "square_root",
)


OF_TOKENS = {"by_token", "by_other_tokens", "integers", "sorted_tokens", "looked_up"}
"""Operations whose first argument is the tokens."""


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
            made = getattr(self, f"_{kind}")
            values.append(made(tokens if kind in OF_TOKENS else a, b, self.maps[k % 4], 1 + k % 2, k % 3))
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

    def _large_number(self, a, b, w, dim, k):
        return (a + 1e6) - 1e6

    def _number_times_factor(self, a, b, w, dim, k):
        return torch.add(a, 0.3, alpha=0.7)

    def _variance(self, a, b, w, dim, k):
        variance, mean = torch.var_mean(a, dim, keepdim=True)
        return (a - mean) * torch.rsqrt(variance + 0.1)

    def _largest(self, a, b, w, dim, k):
        return a - a.amax(dim, keepdim=True)

    def _cumulated(self, a, b, w, dim, k):
        return a.cumsum(dim)

    def _gelu(self, a, b, w, dim, k):
        return F.gelu(a, approximate=("none", "tanh")[dim - 1])

    def _clamped(self, a, b, w, dim, k):
        return a.clamp(-1, 0.5)

    def _gated(self, a, b, w, dim, k):
        return torch.sigmoid(a) * b

    def _rolled(self, a, b, w, dim, k):
        return a.roll(k, dim)

    def _smaller(self, a, b, w, dim, k):
        return torch.minimum(a, b)

    def _masked_softmax(self, a, b, w, dim, k):
        scores = (a @ b.transpose(1, 2)).masked_fill(torch.ones(N, N, dtype=torch.bool).triu(1), -torch.inf)
        return scores.softmax(-1) @ b

    def _by_token(self, tokens, b, w, dim, k):
        return torch.where((tokens == k)[:, :, None], b, -b)

    def _by_other_tokens(self, tokens, b, w, dim, k):
        return torch.where((tokens[:, :, None] == tokens[:, None, :]), b, 0.0)

    def _integers(self, tokens, b, w, dim, k):
        return b + F.one_hot((tokens.cumsum(1) * (k + 2) // 2) % 3, 3)

    def _sorted_tokens(self, tokens, b, w, dim, k):
        values, places = tokens.sort(dim=1, stable=True)
        return b + self.embed[values] * places[:, :, None]

    def _looked_up(self, tokens, b, w, dim, k):
        return self.places[tokens.roll(k, 1)] + b

    def _picked(self, a, b, w, dim, k):
        return a.flip(dim)[:, [k, 0, 1]]

    def _compared(self, a, b, w, dim, k):
        return torch.where(a > b, a, 0.5 * b)

    def _square_root(self, a, b, w, dim, k):
        return (a * a + 0.1).sqrt() - b.abs()
