"""The published training recipe for group composition: full batches, Adam with an L2 penalty, and a stop when it is provable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from compact_proofs.algebra.group import Group, group_named
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.options import Natural, Positive, Rate, Share
from compact_proofs.tasks.groups.gsets import GSetsLinear
from compact_proofs.tasks.groups.task import Groups
from compact_proofs.train import (
    POINTS,
    Recipe,
    Sampler,
    Schedule,
    TrainingResult,
    from_list,
    make_generator,
    train_model,
    uniform_tokens,
)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Recipe):
    """A group and the sizes of a model with the recipe; what is not given is as published for S4.

    Parameters
    ----------
    group : str
        S4, A5, C12, D8 (of order 16), a product such as C2xS3, or permutations that generate it: "[[1, 2, 0], [1, 0, 2]]".
    d_embed : int
        Width of the two embeddings. They are folded into the hidden layer after training.
    width : int
        Number of hidden neurons.
    share : float
        Share of all pairs that is trained on.
    steps : int
        Full batches at most.
    batch_size : int
        Training pairs per step; all of them if there are not so many.
    learning_rate : float
        Of Adam, constant.
    weight_decay : float
        L2 penalty (not decoupled), on everything but the bias.
    check_every : int
        Steps between attempts to prove every pair right with the linear-cost verifier, in floating point; training stops as soon as
        that succeeds. 0: never stop early.

    The rest is in `compact_proofs.train.Recipe`.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    group: str = "S4"
    d_embed: Positive = 64
    width: Positive = 64
    share: Share = 0.8
    steps: Positive = 10_000
    batch_size: Positive = 2**20
    learning_rate: Rate = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 2e-4
    check_every: Natural = 500
    evaluation_samples: Positive = 2**14

    def __post_init__(self) -> None:
        super().__post_init__()
        group_named(self.group)


def initial_model(config: TrainingConfig) -> PairMLP:
    """Make the untrained float32 model: embeddings N(0, 1), linear layers uniform within 1 / sqrt(inputs)."""
    model = PairMLP(group_named(config.group).table, config.width, config.d_embed)
    generator = make_generator(config.seed, "init")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("E"):
                parameter.normal_(generator=generator)
            else:
                limit = 1 / math.sqrt(config.width if name in ("U", "bias") else config.d_embed)
                parameter.uniform_(-limit, limit, generator=generator)
    return model


def training_pairs(group: Group, share: float, generator: torch.Generator) -> Sampler:
    """A share of all pairs, chosen once; a batch is all of them, or as many of them as asked for."""
    number = torch.randperm(group.order**2, generator=generator)[: max(1, round(share * group.order**2))]
    x, y = number // group.order, number % group.order
    return from_list(torch.stack([x, y], 1), group.table[x, y])


def uniform_pairs(group: Group) -> Sampler:
    """I.i.d. uniform pairs."""
    return uniform_tokens(2, group.order, Groups(group).labels)


def provable(model: PairMLP, every: int) -> Callable[[int], bool]:
    """Ask every so many steps whether the linear-cost verifier proves all pairs of the folded model, in floating point."""
    task = Groups.of(model)

    def stop(step: int) -> bool:
        if not every or step % every:
            return False
        folded, verifier = model.folded().double(), GSetsLinear()
        with torch.no_grad():
            explanation = verifier.explain(folded, task)
            return verifier.verify(folded, task, explanation).size == task.size

    return stop


def train(config: TrainingConfig) -> TrainingResult[PairMLP]:
    """Train a model on group composition.

    Parameters
    ----------
    config : TrainingConfig
        ``TrainingConfig(group="S4", seed=0)``, say.

    Returns
    -------
    TrainingResult
        ``.model`` is the folded model: the trained factors multiplied out in float64, rounded to float32.

    Raises
    ------
    BadInput
        If the training diverges.
    """
    group, model = group_named(config.group), initial_model(config)
    decayed = {"params": [p for name, p in model.named_parameters() if name != "bias"], "weight_decay": config.weight_decay}
    groups: list[dict[str, Any]] = [decayed, {"params": [model.bias]}]
    schedule = Schedule(
        window=max(1, config.steps // POINTS),
        optimizer=torch.optim.Adam(groups, lr=config.learning_rate, betas=config.betas),
        stop=provable(model, config.check_every),
    )
    return train_model(
        model,
        Groups.name,
        training_pairs(group, config.share, make_generator(config.seed, "pairs")),
        config,
        schedule,
        description=f"{config.group}, seed {config.seed}",
        finish=PairMLP.folded,
        measured=uniform_pairs(group),
    )
