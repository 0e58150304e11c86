"""Fine-tuning for provability: make a trained model keep its behaviour and lose its structureless noise.

Three changes, each of which a cheap proof can use. *Adversarial sequences* (tokens just below the maximum, repeated)
make margins large where the additive certificate is tight. *Low-rank pressure* shrinks every singular value of QK beyond
the first and of OV beyond the r-th, and what the direct path and the positions write; then those singular values are
projected away (W_Q, W_K to rank 1, W_V, W_O to rank r) while training goes on. The result is another network: `distance`
measures how far it is from the first.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.options import Positive
from compact_proofs.tasks.max_of_k.task import MaxOfK
from compact_proofs.tasks.max_of_k.training import TrainingConfig, uniform_sequences
from compact_proofs.train import Sampler, Schedule, TrainingResult, function_distance, train_model

RANKS = {"W_Q": 1, "W_K": 1}
"""Ranks that every fine-tuned model is projected to; W_V and W_O go to the configuration's rank."""


@dataclass(frozen=True, kw_only=True)
class FinetuningConfig(TrainingConfig):
    """Options of `finetune`; the sizes are the model's.

    Parameters
    ----------
    rank : int
        Rank r of the OV circuit.
    hard_steps : int
        The last steps, with the ranks enforced and a falling learning rate.
    adversarial : float
        Share of each batch that is adversarial.
    low_rank, small_direct, small_norms : float
        Weights of the penalties: on the singular values beyond the ranks; on what the direct path and the positions write; on the
        norms of embeddings and unembeddings.
    """

    steps: Positive = 4000
    batch_size: Positive = 256
    weight_decay: float = 0.0
    rank: Positive = 6
    hard_steps: Positive = 1500
    adversarial: Annotated[float, Field(ge=0, le=1)] = 0.5
    low_rank: float = 0.02
    small_direct: float = 0.02
    small_norms: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank > self.d_model or self.hard_steps >= self.steps:
            raise BadInput(
                f"finetuning needs rank <= {self.d_model} and hard_steps < steps, "
                f"not rank = {self.rank}, hard_steps = {self.hard_steps}, steps = {self.steps}"
            )


def adversarial_sequences(n_ctx: int, d_vocab: int, share: float) -> Sampler:
    """Sample a `share` of sequences full of the maximum and the two tokens below it; the rest uniform."""
    uniform = uniform_sequences(n_ctx, d_vocab)

    def sample(generator: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
        tokens, _ = uniform(generator, n)
        hard = int(n * share)
        m = torch.randint(1, d_vocab, (hard, 1), generator=generator)
        near = (m - torch.randint(0, 3, (hard, n_ctx), generator=generator)).clamp(min=0)
        anywhere = tokens[:hard] % (m + 1)
        tokens[:hard] = torch.where(torch.rand(hard, n_ctx, generator=generator) < 0.6, near, anywhere)
        position = torch.randint(0, n_ctx, (hard, 1), generator=generator)
        tokens[:hard] = tokens[:hard].scatter(1, position, m)
        return tokens, tokens.amax(-1)

    return sample


def finetune(model: AttentionOnlyTransformer, config: FinetuningConfig) -> TrainingResult[AttentionOnlyTransformer]:
    """Fine-tune a copy of a model so that short proofs about it exist.

    Returns
    -------
    TrainingResult
        The tuned model in float64 (so that its stored weights have the ranks up to 1e-16), its curves and metrics on uniform
        sequences.
    """
    tuned = copy.deepcopy(model).float().requires_grad_(True)
    soft = config.steps - config.hard_steps
    ranks = RANKS | {"W_V": config.rank, "W_O": config.rank}

    def penalty(step: int) -> Tensor:
        pressure = min(1.0, step / soft)
        noise = _tails(tuned, ranks) * config.low_rank if step <= soft else torch.zeros(())
        return pressure * (noise + config.small_direct * _written(tuned) + config.small_norms * _norms(tuned))

    def project(step: int) -> None:
        if step >= soft and ((step - soft) % 5 == 0 or step > config.steps - 50):
            _project(tuned, ranks)

    def rate(step: int) -> float:
        return 1.0 if step <= soft else max(0.02, 1 - (step - soft) / config.hard_steps)

    def finish(tuned: AttentionOnlyTransformer) -> AttentionOnlyTransformer:
        exact = tuned.double().requires_grad_(False)
        _project(exact, ranks)
        return exact

    return train_model(
        tuned,
        MaxOfK.name,
        adversarial_sequences(config.n_ctx, config.d_vocab, config.adversarial),
        config,
        Schedule(window=10, penalty=penalty, after_step=project, rate=rate),
        description="fine-tuning",
        finish=finish,
        measured=uniform_sequences(config.n_ctx, config.d_vocab),
    )


def config_for(model: AttentionOnlyTransformer, **options: Any) -> FinetuningConfig:
    """Make the options for a model: its sizes, and what is given."""
    return FinetuningConfig(n_ctx=model.n_ctx, d_vocab=model.d_vocab, d_model=model.d_model, **options)


def distance(model: AttentionOnlyTransformer, tuned: AttentionOnlyTransformer, sequences: int = 2**14, seed: int = 0) -> float:
    """Root mean square difference of the centred logits on uniform sequences: how far the tuned function is from the first."""
    generator = torch.Generator().manual_seed(seed)
    return function_distance(model, tuned, torch.randint(0, model.d_vocab, (sequences, model.n_ctx), generator=generator))


def _tails(model: AttentionOnlyTransformer, ranks: dict[str, int]) -> Tensor:
    """Squared singular values beyond the wanted ranks."""
    return torch.stack([torch.linalg.svdvals(getattr(model, n))[r:].square().sum() for n, r in ranks.items()]).sum()


def _written(model: AttentionOnlyTransformer) -> Tensor:
    """What queries' deviations and positions write to the logits and to the scores, squared."""
    mean = model.W_E.mean(0)
    outputs = model.W_U - model.W_U.mean(1, keepdim=True)
    positions = model.W_pos - model.W_pos.mean(0)
    direct = (model.W_E - mean) @ outputs
    values = positions @ model.W_V @ model.W_O @ outputs
    scores = positions @ (model.W_K @ (model.W_Q.mT @ (mean + model.W_pos[-1]))) / model.d_head**0.5
    return direct.square().sum(1).mean() + values.square().sum(1).mean() + scores.square().sum()


def _norms(model: AttentionOnlyTransformer) -> Tensor:
    outputs = model.W_U - model.W_U.mean(1, keepdim=True)
    return (model.W_E - model.W_E.mean(0)).square().sum() + outputs.square().sum()


@torch.no_grad()
def _project(model: AttentionOnlyTransformer, ranks: dict[str, int]) -> None:
    for name, r in ranks.items():
        weight = getattr(model, name)
        U, S, Vh = torch.linalg.svd(weight, full_matrices=False)
        weight.copy_((U[:, :r] * S[:r]) @ Vh[:r])
