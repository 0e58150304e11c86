"""Recurrent networks that read real numbers, one after the other: AlgZoo's architecture, which has no biases, and with biases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture


@dataclass(frozen=True, kw_only=True)
class ScalarRecurrentConfig:
    """Everything that decides which function a `ScalarRecurrent` network of given weights is.

    Parameters
    ----------
    n_ctx, d_model, d_out : int
        Numbers that are read; width of the state; outputs.
    bias : bool
        Are constants added? Configurations of networks without them leave it out.

    Raises
    ------
    BadInput
        If a size is not positive.
    """

    n_ctx: int
    d_model: int
    d_out: int
    bias: bool = False
    left_out: ClassVar[Mapping[str, bool]] = MappingProxyType({"bias": False})

    def __post_init__(self) -> None:
        for name in ("n_ctx", "d_model", "d_out"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} = {getattr(self, name)}: every size of a model must be at least 1")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by name, in the order of the computation."""
        found: dict[str, tuple[int, ...]] = {"W_in": (self.d_model,), "W_h": (self.d_model, self.d_model)}
        found["W_U"] = (self.d_model, self.d_out)
        return found | ({"b_in": (self.d_model,), "b_h": (self.d_model,), "b_U": (self.d_out,)} if self.bias else {})


_OF_LAYERS = {"rnn.weight_ih_l0": "W_in", "rnn.weight_hh_l0": "W_h", "linear.weight": "W_U"}
_BIASES = {"rnn.bias_ih_l0": "b_in", "rnn.bias_hh_l0": "b_h", "linear.bias": "b_U"}


def own_names(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights by our names, from those of a module with ``rnn = nn.RNN(...)`` and ``linear = nn.Linear(...)``, as AlgZoo's are.

    Any others are left as they are, for whoever builds the network to refuse. No number is changed.
    """
    names = _OF_LAYERS | _BIASES if _BIASES.keys() & state.keys() else _OF_LAYERS
    if state.keys() != names.keys():
        return state
    named = {own: state[name] for name, own in names.items()}
    column = named["W_in"]
    if column.dim() == 2 and column.shape[1] == 1:
        named["W_in"] = column[:, 0]
    return named | {name: named[name].mT for name in ("W_h", "W_U") if named[name].dim() == 2}


class ScalarRecurrent(Architecture):
    """A ReLU network with a state h, zero at the start, that reads one real number x_t at a time.

        h <- relu(h W_h + x_t W_in)        logits = h W_U  after the last number

    Without biases ``f(c x) = c f(x)`` for c >= 0. With biases, b_h + b_in is added in each step, and b_U to the logits.

    The parameters are zero until they are trained or loaded.

    Parameters
    ----------
    config
        Its sizes.
    dtype, device
        Of the parameters.
    """

    architecture = "scalar-recurrent"
    W_in: Tensor
    W_h: Tensor
    W_U: Tensor
    b_in: Tensor
    b_h: Tensor
    b_U: Tensor

    def __init__(
        self, config: ScalarRecurrentConfig, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.above: int | None = None
        self.of_each: Any = None
        for name, shape in config.shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape, dtype=dtype, device=device)))

    @classmethod
    def of(cls, rnn: nn.RNN, unembedding: nn.Linear, n_ctx: int) -> ScalarRecurrent:
        """Take the weights of PyTorch's own layers, as AlgZoo's models have them; no number is changed.

        Parameters
        ----------
        rnn
            One layer, one direction, ReLU, reading single numbers.
        unembedding
            From the last state to the logits; with a bias if the layer has some, and without if it has none.
        n_ctx
            How many numbers are read.

        Raises
        ------
        BadInput
            If the layers are others, and so compute another function.
        """
        given = {
            "one layer": rnn.num_layers == 1,
            "one direction": not rnn.bidirectional,
            "ReLU": rnn.nonlinearity == "relu",
            "biases in both or in none": rnn.bias == (unembedding.bias is not None),
            "inputs of one number": rnn.input_size == 1,
            "an unembedding of its state": unembedding.in_features == rnn.hidden_size,
        }
        missing = [what for what, there in given.items() if not there]
        if missing:
            raise BadInput(f"a {cls.architecture} network has {', '.join(given)}; these layers do not have {', '.join(missing)}")
        state = own_names(rnn.state_dict(prefix="rnn.") | unembedding.state_dict(prefix="linear."))
        config = ScalarRecurrentConfig(n_ctx=n_ctx, d_model=rnn.hidden_size, d_out=unembedding.out_features, bias=rnn.bias)
        model = cls(config, unembedding.weight.dtype)
        model.load_state_dict({name: t.detach() for name, t in state.items()})
        return model

    def configuration(self) -> dict[str, Any]:
        """The configuration as plain JSON values: with the weights, all that the function depends on."""
        left_out = self.config.left_out.items()
        return {name: value for name, value in asdict(self.config).items() if (name, value) not in left_out}

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits after the last number.

        Parameters
        ----------
        x : float Tensor [..., n_ctx]
            Sequences of real numbers.

        Returns
        -------
        Tensor [..., d_out]
            In the dtype of the parameters.

        Raises
        ------
        BadInput
            If the sequences do not have n_ctx numbers.
        """
        if x.ndim == 0 or x.shape[-1] != self.config.n_ctx:
            raise BadInput(f"inputs of shape {list(x.shape)}: this model reads {self.config.n_ctx} numbers")
        read = x.to(self.W_in.dtype)[..., None] * self.W_in  # [..., n_ctx, d_model]
        if self.config.bias:
            read = read + (self.b_in + self.b_h)
        state = torch.relu(read[..., 0, :])
        for t in range(1, self.config.n_ctx):
            state = torch.relu(state @ self.W_h + read[..., t, :])
        logits = state @ self.W_U
        return logits + self.b_U if self.config.bias else logits
