"""Training small networks on a label function: the general recipe, and how training inputs are drawn.

Uniform sequences teach a network little where one label is rare, so that two thirds of a batch are drawn with more of what decides:
sequences with copied tokens, with tokens close to one another, and, where an automaton knows them, sequences of a rare label.
Accuracy is measured, and proven, on uniform sequences.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.networks import Network, empty_network
from compact_proofs.models.recurrent import Cell, RecurrentConfig
from compact_proofs.models.transformer import Activation, Norm, TransformerConfig
from compact_proofs.options import Positive, Rate
from compact_proofs.sequences.automaton import Language
from compact_proofs.sequences.labels import LabelFunction, label_function
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.finite.files import described
from compact_proofs.train import Recipe, Sampler, Schedule, TrainingResult, evaluate, fit, make_generator, uniform_tokens

WARM_UP = 100
"""Steps in which the learning rate rises."""
LARGEST_GRADIENT = 1.0
LARGEST_LANGUAGE = 2**62
"""Languages that sequences are drawn from are smaller."""


@dataclass(frozen=True, kw_only=True)
class FiniteRecipe(Recipe):
    """A label function, a network, and how the one learns the other.

    The learning rate rises over the first 100 steps and falls linearly to a fiftieth over the second half.

    Parameters
    ----------
    label : str
        A label function that ships, such as maximum, balanced or first-is-last.
    parameters : str
        Its parameters, such as least=4, or factor=0,1; separated by blanks.
    n_ctx : int
        n, the length of a sequence.
    d_vocab : int
        v; tokens are 0 .. v-1.
    d_model : int
        Width of the residual stream, or of a recurrent network's state.
    cell : str
        attention for a transformer; relu, tanh or gru for a recurrent network.
    n_layers : int
        Layers of a transformer.
    n_heads : int
        Heads of each layer, each of width d_model / n_heads.
    d_mlp : int
        Hidden neurons of each layer's MLP; 0 for none.
    act : str
        Of the hidden neurons: relu, gelu, gelu_tanh, silu or tanh.
    norm : str
        none, layer or rms.
    biases : bool
        Whether attention, MLP and unembedding have biases.
    causal : bool
        Whether a position attends to earlier ones only.

    The rest is in `compact_proofs.train.Recipe`.
    """

    label: str = "maximum"
    parameters: str = ""
    n_ctx: int = 4
    d_vocab: int = 16
    d_model: int = 32
    cell: str = "attention"
    n_layers: int = 1
    n_heads: Positive = 1
    d_mlp: int = 0
    act: str = "relu"
    norm: str = "none"
    biases: bool = False
    causal: bool = False
    steps: Positive = 4000
    batch_size: Positive = 512
    learning_rate: Rate = 2e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.02
    evaluation_samples: Positive = 2**16

    def __post_init__(self) -> None:
        super().__post_init__()
        self.function.check(self.n_ctx, self.d_vocab)
        if self.d_model % self.n_heads:
            raise BadInput(f"n_heads = {self.n_heads}: it must divide d_model = {self.d_model}")
        _ = self.network  # rejects the other options

    @property
    def function(self) -> LabelFunction:
        """The label function."""
        given: dict[str, Any] = {}
        for part in self.parameters.split():
            name, _, value = part.partition("=")
            try:
                numbers = [int(x) for x in value.split(",")]
            except ValueError:
                raise BadInput(f"parameters = {self.parameters!r}: they must be like least=4 or factor=0,1") from None
            given[name] = numbers if "," in value else numbers[0]
        return label_function(self.label, given)

    @property
    def network(self) -> TransformerConfig | RecurrentConfig:
        """The network's configuration; it has as many outputs as there are labels."""
        v, n, d = self.d_vocab, self.n_ctx, self.d_model
        outputs = self.function.outputs(n, v)
        if self.cell != "attention":
            return RecurrentConfig(d_vocab=v, n_ctx=n, d_out=outputs, d_model=d, cell=cast(Cell, self.cell))
        return TransformerConfig(
            d_vocab=v,
            n_ctx=n,
            d_out=outputs,
            d_model=d,
            d_head=d // self.n_heads,
            n_heads=self.n_heads,
            n_layers=self.n_layers,
            d_mlp=self.d_mlp,
            act=cast(Activation, self.act),
            norm=cast(Norm, self.norm),
            biases=self.biases,
            causal=self.causal,
        )

    @property
    def task(self) -> FiniteTask:
        """The task."""
        return FiniteTask(self.n_ctx, self.d_vocab, self.function)

    def rate(self, step: int) -> float:
        """The factor of the learning rate at a step (from 1)."""
        return min(1.0, step / WARM_UP, max(0.02, 2 * (self.steps - step) / self.steps))


def uniform(task: FiniteTask) -> Sampler:
    """Sample uniform sequences."""
    return uniform_tokens(task.n_ctx, task.d_vocab, task.labels)


def varied(task: FiniteTask, function: LabelFunction) -> Sampler:
    """Sample a third of the sequences uniformly, a third with copied tokens, and a third of a rare label or close to the largest.

    Of two labels, sequences of label 1 are drawn where an automaton can draw them, and every twentieth token of theirs is replaced.
    """
    n, v, label = task.n_ctx, task.d_vocab, function
    automaton = label.automaton(n, v) if label.outputs(n, v) == 2 else None
    language = Language(automaton, n) if automaton is not None and v**n < LARGEST_LANGUAGE else None

    def sample(generator: torch.Generator, size: int) -> tuple[Tensor, Tensor]:
        def integers(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high, shape, generator=generator)

        def often(probability: float, *shape: int) -> Tensor:
            return torch.rand(shape, generator=generator) < probability

        third = size // 3
        x = integers(0, v, size, n)
        copied = x[:third].gather(1, integers(0, n, third, n))
        x[:third] = torch.where(often(0.3, third, n), copied, x[:third])
        rest = x[third : 2 * third]
        if language is not None and language.size:
            drawn = language.numbered(integers(0, language.size, third))
            x[third : 2 * third] = torch.where(often(0.05, third, n), rest, drawn)
        else:
            near = (rest.amax(1, keepdim=True) - integers(0, 3, third, n)).clamp(min=0)
            x[third : 2 * third] = torch.where(often(0.5, third, n), near, rest)
        return x, label(x)

    return sample


def initial_network(recipe: FiniteRecipe) -> Network:
    """Make the untrained float32 network of the seed; weights are drawn in the order of their definition.

    Embeddings are Gaussian of standard deviation 0.8 / sqrt(d_model) (0.3 with several layers), positions of 0.1; matrices that are
    multiplied by vectors of width w are uniform within 1 / sqrt(w), and so are biases; norms start as they are made.
    """
    network = empty_network(recipe.network)
    generator = make_generator(recipe.seed, "init")
    deep = getattr(recipe.network, "n_layers", 1) > 1
    width = recipe.d_model
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            own = name.rpartition(".")[2]
            if own.startswith("ln"):
                continue
            if own in ("W_E", "W_pos"):
                scale = 0.1 if own == "W_pos" else 0.3 if deep else 0.8 / math.sqrt(width)
                parameter.normal_(0.0, scale, generator=generator)
                continue
            heads = parameter.shape[0] if own == "W_O" else 1
            bound = 1 / math.sqrt(heads * parameter.shape[-2] if parameter.dim() > 1 else width)
            parameter.uniform_(-bound, bound, generator=generator)
    return network


def train(recipe: FiniteRecipe) -> TrainingResult[Network]:
    """Train a network by a recipe.

    Raises
    ------
    BadInput
        If the training diverges.
    """
    network, label = initial_network(recipe), recipe.function
    started = time.perf_counter()
    schedule = Schedule(window=50, rate=recipe.rate, clip=LARGEST_GRADIENT)
    curves = fit(network, varied(recipe.task, label), recipe, schedule, recipe.label)
    seconds = time.perf_counter() - started
    network.answers = {"name": label.name, "parameters": label.parameters()}
    return FiniteResult(network, FiniteTask.name, recipe, curves, evaluate(network, uniform(recipe.task), recipe), seconds)


class FiniteResult(TrainingResult[Network]):
    """A trained network whose file says what it is."""

    def metadata(self) -> dict[str, Any]:
        return described(self.model) | super().metadata()
