"""Operations that networks seldom have: what lists and boxes prove is what evaluating every input proves."""

import pytest
import torch
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.errors import BadInput

V, N, OUTPUTS = 3, 3, 4


class Network(nn.Module):
    """An embedding, and a function of what it gives."""

    def __init__(self, way: str) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.E = nn.Parameter(torch.randn(V, OUTPUTS, generator=generator, dtype=torch.float64))
        self.way = way

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.E[tokens].sum(1)
        return getattr(self, self.way)(tokens, h)

    def large_number(self, tokens: Tensor, h: Tensor) -> Tensor:
        return (h + 1e10) - 1e10

    def number_times_alpha(self, tokens: Tensor, h: Tensor) -> Tensor:
        return torch.add(h, 0.3, alpha=0.1)

    def no_number(self, tokens: Tensor, h: Tensor) -> Tensor:
        return h + float("nan")

    def norm_of_one_input(self, tokens: Tensor, h: Tensor) -> Tensor:
        return nn.functional.instance_norm(h[:, None])[:, 0]

    def second_result(self, tokens: Tensor, h: Tensor) -> Tensor:
        _, mean = torch.var_mean(h, -1, keepdim=True)
        return (h - mean).square()

    def places_in_order(self, tokens: Tensor, h: Tensor) -> Tensor:
        _, places = tokens.sort(dim=-1, stable=True)
        return nn.functional.one_hot(places[:, -1], OUTPUTS) + 0.1 * h

    def divided_integers(self, tokens: Tensor, h: Tensor) -> Tensor:
        return nn.functional.one_hot((tokens.sum(-1) // 2) % OUTPUTS, OUTPUTS) + 0.1 * h

    def integers_beyond_float32(self, tokens: Tensor, h: Tensor) -> Tensor:
        far = (tokens * 16777217).sum(-1) - 2 * 16777217
        return torch.stack([far.double(), torch.zeros_like(h[:, 0]), -far.double(), h[:, 0] - 1], -1)

    def on_its_device(self, tokens: Tensor, h: Tensor) -> Tensor:
        return h.relu() + torch.arange(OUTPUTS, device=tokens.device).to(h.dtype, copy=True)


WAYS = [name for name in vars(Network) if not name.startswith("_") and name != "forward"]


@pytest.mark.parametrize("way", WAYS)
def test_lists_and_boxes_prove_what_brute_force_proves(way: str) -> None:
    model = Network(way).eval()
    inputs = torch.cartesian_prod(*[torch.arange(V)] * N)
    labels = model(inputs).argmax(-1).reshape([V] * N)
    labels[0] = (labels[0] + 1) % OUTPUTS  # and some are wrong
    task = cp.FiniteTask(N, V, lambda x: labels[x[:, 0], x[:, 1], x[:, 2]])
    expected = cp.brute_force(model, task).bound
    assert way == "no_number" or 0 < expected < 1
    assert cp.prove(model, task, cp.Shared()).bound == expected
    assert cp.prove(model, task, cp.Automatic()).bound == expected


class TooLarge(nn.Module):
    """Adds an integer that float64 does not hold to a real number."""

    def __init__(self) -> None:
        super().__init__()
        self.E = nn.Parameter(torch.eye(V, dtype=torch.float64))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.E[tokens].sum(1) + (2**53 + 1)


@pytest.mark.parametrize("strategy", [cp.Exhaustive(), cp.Shared(), cp.Automatic()])
def test_integers_that_float64_does_not_hold_are_refused(strategy: cp.Strategy) -> None:
    task = cp.FiniteTask(N, V, lambda x: x.amax(1))
    with pytest.raises(BadInput, match="float64 does not hold it exactly"):
        cp.prove(TooLarge(), task, strategy)
