"""Training from scratch with the rank-one read-out as parametrisation: networks whose proofs need no table over pairs of tokens.

Attention averages one number of each token, and the unembedding reads the average off a concave curve
(`additive.readout`): with h[t] the score of token t under every query, and the outputs' lines b[x] + s R[x],

    s = sum_i softmax(h)_i lambda[t_i],    logit(x) = b[x] + s R[x],    b[x] - b[x + 1] = sigma[x] (R[x + 1] - R[x])

h, R and sigma rise, so that x + 1 overtakes x where s exceeds sigma[x]. The maximum m is named if s lies between sigma[m - 1] and
sigma[m]. That is all that is built in: the numbers start at random, those of lambda independently of those of sigma.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.finetuning import adversarial_sequences
from compact_proofs.tasks.max_of_k.task import MaxOfK
from compact_proofs.tasks.max_of_k.training import TrainingConfig, uniform_sequences
from compact_proofs.train import Curves, Schedule, TrainingResult, evaluate, fit, make_generator

DIRECTIONS = 4
"""Of the residual stream that are used: scores, numbers that are averaged, a constant, and the average."""
LAST_RATE = 0.01
"""Factor of the learning rate at the end; it falls linearly."""


@dataclass(frozen=True, kw_only=True)
class ReadOutConfig(TrainingConfig):
    """Options of `train_readout`.

    Parameters
    ----------
    d_model : int
        At least `DIRECTIONS`; further directions are zero.
    adversarial : float
        Share of each batch that is adversarial, see `finetuning.adversarial_sequences`.
    """

    d_model: int = DIRECTIONS
    learning_rate: float = 0.05
    weight_decay: float = 0.0
    adversarial: Annotated[float, Field(ge=0, le=1)] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_model < DIRECTIONS:
            raise BadInput(f"a rank-one read-out needs d_model >= {DIRECTIONS}, not {self.d_model}")


class ReadOut(nn.Module):
    """The numbers of each token and output, and the function that they define.

    Parameters
    ----------
    d_vocab
        Number of tokens v.
    generator
        Of the start: h, R, sigma and lambda rise from token to token by the softplus of standard normal numbers.
    """

    def __init__(self, d_vocab: int, generator: torch.Generator) -> None:
        super().__init__()

        def rises(n: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(n, generator=generator))

        self.score_rises, self.step_sizes, self.slope_rises = rises(d_vocab), rises(d_vocab - 1), rises(d_vocab - 1)
        self.written = nn.Parameter(softplus(rises(d_vocab).detach()).cumsum(0))

    def scores(self) -> Tensor:
        """h, rising: [v]."""
        return softplus(self.score_rises).cumsum(0)

    def lines(self) -> tuple[Tensor, Tensor]:
        """R and b: [v] each, 0 for the first output."""
        steps = softplus(self.step_sizes)
        falls = softplus(self.slope_rises).cumsum(0) * steps
        R, b = (nn.functional.pad(x.cumsum(0), (1, 0)) for x in (steps, -falls))
        return R, b

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits [n, v] of sequences [n, K]."""
        R, b = self.lines()
        attention = torch.softmax(self.scores()[tokens], 1)
        average = (attention * self.written[tokens]).sum(1, keepdim=True)
        return b + average * R

    @torch.no_grad()
    def transformer(self, config: TrainingConfig) -> AttentionOnlyTransformer:
        """Write the numbers, as they are, into a transformer of these sizes, in float64.

        The residual stream has h, lambda, 1, and what attention writes, each in a direction of its own. The numbers of tokens are
        scaled to at most 1 in size, and W_K and W_O scale them back.
        """
        model = AttentionOnlyTransformer(config.sizes, dtype=torch.float64).requires_grad_(False)
        for weight in model.parameters():
            weight.zero_()
        h, written, (R, b) = self.scores(), self.written, self.lines()
        largest_score, largest_written = h.abs().max(), written.abs().max()
        model.W_E[:, :3] = torch.stack([h / largest_score, written / largest_written, torch.ones_like(h)], 1)
        model.W_Q[2, 0], model.W_K[0, 0] = model.attn_scale(), largest_score
        model.W_V[1, 1], model.W_O[1, 3] = 1.0, largest_written
        model.W_U[2], model.W_U[3] = b, R
        return model


def train_readout(config: ReadOutConfig) -> TrainingResult[AttentionOnlyTransformer]:
    """Train the numbers on sequences, many of them full of tokens just below the maximum; measure on uniform ones.

    Raises
    ------
    BadInput
        If the training diverges.
    """
    numbers = ReadOut(config.d_vocab, make_generator(config.seed, "init"))
    schedule = Schedule(window=10, rate=lambda step: max(LAST_RATE, 1 - step / config.steps))
    sample = adversarial_sequences(config.n_ctx, config.d_vocab, config.adversarial)
    description = f"read-out of max-of-{config.n_ctx}, {config.d_vocab} tokens, seed {config.seed}"
    started = time.perf_counter()
    curves: Curves = fit(numbers, sample, config, schedule, description)
    model, seconds = numbers.double().transformer(config), time.perf_counter() - started
    final = evaluate(model, uniform_sequences(config.n_ctx, config.d_vocab), config)
    return TrainingResult(model, MaxOfK.name, config, curves, final, seconds)
