"""The training recipe for modular addition: a full batch of four fifths of all pairs, strong weight decay, until it groks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.models.one_layer_mlp import Attention, OneLayerMLP, OneLayerMLPConfig
from compact_proofs.options import Positive
from compact_proofs.tasks.modular_addition.attending import attending
from compact_proofs.tasks.modular_addition.folding import fold, folded_logits
from compact_proofs.tasks.modular_addition.task import ModularAddition
from compact_proofs.train import (
    POINTS,
    Curves,
    Recipe,
    Sampler,
    Schedule,
    TrainingResult,
    evaluate,
    fit,
    from_list,
    make_generator,
    normal_weights,
    uniform_tokens,
)

INIT_SCALE = 0.8
"""The weights start with the standard deviation INIT_SCALE / sqrt(d_model); the biases at 0."""
WARM_UP = 10
"""Steps over which the learning rate grows to its value."""

Architecture = Literal["attn", "mlp", "learned"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Recipe):
    """The sizes of a network for a + b mod p with the recipe.

    Parameters
    ----------
    p : int
        The modulus.
    architecture : "attn", "mlp" or "learned"
        A transformer layer with uniform attention, an MLP on the sum of two embeddings, or a layer whose attention is learned too.
    d_model, d_mlp, n_heads : int
        Widths of the residual stream and of the MLP, and number of heads.
    train_share : float
        Share of all pairs to train on; the others are for the test curves.
    batch_size : int
        Pairs per step: all training pairs if there are no more than that.

    The rest is in `compact_proofs.train.Recipe`.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    p: int = 59
    architecture: Architecture = "attn"
    d_model: int = 128
    d_mlp: int = 512
    n_heads: Positive = 4
    train_share: float = 0.8
    steps: Positive = 5000
    batch_size: Positive = 2**20
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 1.0
    evaluation_samples: Positive = 2**14

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.train_share < 1 and 0 < round(self.train_share * self.p**2) < self.p**2):
            raise BadInput(f"train_share = {self.train_share}: a share in (0, 1) that leaves pairs to train on and pairs to test")
        if self.d_model % self.n_heads:
            raise BadInput(f"d_model = {self.d_model} is no multiple of n_heads = {self.n_heads}")
        _ = self.sizes, ModularAddition(self.p)  # reject the other sizes

    @property
    def sizes(self) -> OneLayerMLPConfig:
        """The sizes of the model."""
        if self.architecture == "mlp":
            return OneLayerMLPConfig(self.p, self.p, self.d_model, self.d_mlp, "none", biases=False)
        attention: Attention = "uniform" if self.architecture == "attn" else "learned"
        return OneLayerMLPConfig(
            self.p, self.p, self.d_model, self.d_mlp, attention, self.n_heads, self.d_model // self.n_heads, biases=True
        )


@dataclass
class GrokkingCurves(Curves):
    """Curves with the loss and the accuracy on the pairs that are not trained on, at the last step of each window."""

    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)


class FoldedModel(nn.Module):
    """The same function as a model, by its tables: quicker on many pairs."""

    def __init__(self, model: OneLayerMLP) -> None:
        super().__init__()
        self.model = model

    def forward(self, pairs: Tensor) -> Tensor:
        """Compute the logits [n, p] of pairs [n, 2]."""
        if self.model.config.attention != "learned":
            return folded_logits(fold(self.model), pairs)
        neurons, logits, G = attending(self.model)
        a, b = pairs.unbind(-1)
        return torch.relu(neurons.at(a, b)) @ G + logits.at(a, b)


def split(p: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split all pairs at random into training pairs [n, 2] and the others."""
    task = ModularAddition(p)
    order = torch.randperm(task.size, generator=make_generator(seed, "split"))
    pairs = task.inputs(0, task.size)[order]
    n = round(share * task.size)
    return pairs[:n], pairs[n:]


def uniform_pairs(p: int) -> Sampler:
    """Sample i.i.d. uniform pairs."""
    return uniform_tokens(2, p, ModularAddition(p).labels)


def initial_model(config: TrainingConfig) -> OneLayerMLP:
    """Make the untrained float32 model of the seed; weights are drawn in the order of their definition."""
    scale = INIT_SCALE / math.sqrt(config.d_model)
    return normal_weights(OneLayerMLP(config.sizes), config.seed, lambda name, w: scale if name.startswith("W_") else None)


def train(config: TrainingConfig) -> TrainingResult[OneLayerMLP]:
    """Train a model for modular addition.

    Returns
    -------
    TrainingResult
        ``.model`` has the weights of the last step; ``.curves`` are `GrokkingCurves`.

    Raises
    ------
    BadInput
        If the training diverges.
    """
    name = f"{config.architecture}, p = {config.p}, seed {config.seed}"
    return train_on(initial_model(config), config, lambda step: min(1.0, step / WARM_UP), description=name)


def train_on(
    model: OneLayerMLP,
    config: TrainingConfig,
    rate: Callable[[int], float],
    *,
    project: Callable[[int], None] | None = None,
    description: str = "training",
) -> TrainingResult[OneLayerMLP]:
    """Train a model in place, with test curves.

    Parameters
    ----------
    model, config
        What to train, and how.
    rate
        Factor of the learning rate at each step, from 1.
    project
        What is done with the weights after each step.
    """
    started = time.perf_counter()
    train_pairs, test_pairs = split(config.p, config.train_share, config.seed)
    window = max(1, config.steps // POINTS)
    tests: list[tuple[float, float]] = []
    quick = FoldedModel(model)

    def after_step(step: int) -> None:
        if project is not None:
            project(step)
        if step % window == 0 or step == config.steps:
            tests.append(_measure(quick, test_pairs, config.p))

    sample = from_list(train_pairs, ModularAddition(config.p).labels(train_pairs))
    curves = fit(quick, sample, config, Schedule(window=window, after_step=after_step, rate=rate), description)
    grokking = GrokkingCurves(**asdict(curves), test_loss=[a for a, _ in tests], test_accuracy=[b for _, b in tests])
    seconds = time.perf_counter() - started
    final = evaluate(model, uniform_pairs(config.p), config)
    return TrainingResult(model, ModularAddition.name, config, grokking, final, seconds)


@torch.no_grad()
def _measure(model: nn.Module, pairs: Tensor, p: int) -> tuple[float, float]:
    """Loss and accuracy on some pairs."""
    logits, labels = model(pairs).double(), pairs.sum(-1) % p
    accuracy = (logits.argmax(-1) == labels).double().mean().item()
    return round(nn.functional.cross_entropy(logits, labels).item(), 7), round(accuracy, 7)
