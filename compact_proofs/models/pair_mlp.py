"""A one-hidden-layer network on pairs, as trained on group composition: two embeddings, ReLU, one output layer.

Its Cayley table is a buffer of the model, so that a file of weights says which group it is for, and its hash covers the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.component import Component, checked_places

_WEIGHTS = ("E_l", "W_l", "E_r", "W_r", "U", "bias")


class PairMLP(Architecture):
    """Logits of z for a pair (x, y) of elements of a group of order n, with m hidden neurons.

    ::

        l = E_l W_l  [n, m]        r = E_r W_r  [n, m]        f(. | x, y) = ReLU(l[x] + r[y]) U + bias

    A *folded* model holds l and r themselves as ``E_l`` and ``E_r``, and has no ``W_l`` and ``W_r``; that is what a proof is
    shortest about. With factors, the model is the real-valued function that the four factors define, and a proof multiplies
    them out in the sound reading.

    Parameters
    ----------
    table : int Tensor [n, n]
        The group's Cayley table: ``table[x, y]`` is the label of (x, y).
    width : int
        m.
    d_embed : int or None
        Width of the embeddings; None for a folded model.

    Attributes
    ----------
    E_l, E_r : Parameter [n, d_embed or m]
        Embeddings of the left and of the right operand.
    W_l, W_r : Parameter [d_embed, m] or None
        What follows the embeddings.
    U : Parameter [m, n]
        Output weights.
    bias : Parameter [n]
        Of the output.
    table : int64 buffer [n, n]
        The Cayley table.
    """

    architecture: ClassVar[str] = "pair-mlp"

    E_l: Tensor
    W_l: Tensor | None
    E_r: Tensor
    W_r: Tensor | None
    U: Tensor
    bias: Tensor
    table: Tensor

    def __init__(
        self,
        table: Tensor,
        width: int,
        d_embed: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        n = len(table)
        if width < 1 or (d_embed is not None and d_embed < 1):
            raise BadInput(f"width = {width}, d_embed = {d_embed}: every size of a model must be at least 1")
        shapes: dict[str, tuple[int, ...] | None] = {
            "E_l": (n, d_embed or width),
            "W_l": None if d_embed is None else (d_embed, width),
            "E_r": (n, d_embed or width),
            "W_r": None if d_embed is None else (d_embed, width),
            "U": (width, n),
            "bias": (n,),
        }
        for name, shape in shapes.items():
            value = None if shape is None else nn.Parameter(torch.zeros(shape, dtype=dtype, device=device))
            self.register_parameter(name, value)
        self.register_buffer("table", table.to(dtype=torch.int64, device=device, copy=True))

    @property
    def order(self) -> int:
        """n, the order of the group."""
        return self.E_l.shape[0]

    @property
    def width(self) -> int:
        """m, the number of hidden neurons."""
        return self.U.shape[0]

    def configuration(self) -> dict[str, Any]:
        d_embed = None if self.W_l is None else self.W_l.shape[0]
        return {"order": self.order, "width": self.width, "d_embed": d_embed, "activation": "relu"}

    def left(self) -> Tensor:
        """l [n, m]: what each left operand adds to the hidden layer."""
        return self.E_l if self.W_l is None else self.E_l @ self.W_l

    def right(self) -> Tensor:
        """r [n, m]: what each right operand adds to the hidden layer."""
        return self.E_r if self.W_r is None else self.E_r @ self.W_r

    def forward(self, pairs: Tensor) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        pairs : int Tensor [..., 2]
            Pairs (x, y) of elements 0 ... n - 1.

        Returns
        -------
        Tensor [..., n]

        Raises
        ------
        BadInput
            If the inputs are not pairs.
        """
        if pairs.ndim == 0 or pairs.shape[-1] != 2:
            raise BadInput(f"inputs of shape {list(pairs.shape)}: this model reads pairs of group elements")
        hidden = torch.relu(self.left()[pairs[..., 0]] + self.right()[pairs[..., 1]])
        return hidden @ self.U + self.bias

    def component(self, inputs: Tensor) -> Component:
        """The MLP on pairs [N, 2]: neurons read both embeddings side by side, or, in a folded model, the sum l[x] + r[y] itself."""
        places = checked_places(inputs, (self.order, self.order))
        if self.W_l is None or self.W_r is None:
            return Component((self.E_l, self.E_r), places, None, None, self.U, None, self.bias)
        zero = torch.zeros_like(self.E_l)
        tables = (torch.cat([self.E_l, zero], 1), torch.cat([zero, self.E_r], 1))
        return Component(tables, places, torch.cat([self.W_l, self.W_r]), None, self.U, None, self.bias)

    def folded(self) -> PairMLP:
        """Another model, with l and r multiplied out in float64 and rounded to this model's dtype."""
        with torch.no_grad():
            model = PairMLP(self.table, self.width, dtype=self.U.dtype, device=self.U.device)
            model.U.copy_(self.U)
            model.bias.copy_(self.bias)
            for name in ("l", "r"):
                embedding, linear = getattr(self, f"E_{name}").double(), getattr(self, f"W_{name}")
                getattr(model, f"E_{name}").copy_(embedding if linear is None else embedding @ linear.double())
        return model


def pair_mlp_from_state(state: Mapping[str, Tensor], source: str) -> PairMLP:
    """Build the model from its weights; no number is changed.

    Parameters
    ----------
    state : mapping of str to Tensor
        ``E_l``, ``E_r``, ``U``, ``bias`` and ``table``; with ``W_l`` and ``W_r`` unless the embeddings are folded into the
        hidden layer. Names of ``nn.Embedding`` and ``nn.Linear`` layers are understood too, with torch's layout [out, in]:
        ``embedding_left.weight`` [n, d], ``linear_left.weight`` [m, d], ``unembedding.weight`` [n, m], ``unembedding.bias``.
    source : str
        Where the weights are from, for messages.

    Raises
    ------
    BadInput
        If the weights are not those of this architecture.
    """
    named = _canonical(state, source)
    for name, tensor in named.items():
        if name == "table":
            continue
        if tensor.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            raise BadInput(f"{source}: {name} has dtype {tensor.dtype}; convert it to float32 or float64")
        if not bool(tensor.isfinite().all()):
            raise BadInput(f"{source}: {name} has entries that are not finite; train or export it again")
    n, m = named["E_l"].shape[0], named["U"].shape[0] if named["U"].dim() else 0
    factors = "W_l" in named
    d = named["E_l"].shape[1] if factors and named["E_l"].dim() == 2 else None
    double = any(t.dtype == torch.float64 for t in named.values())
    table = named.pop("table")
    if table.dim() != 2 or tuple(table.shape) != (n, n) or table.is_floating_point():
        raise BadInput(f"{source}: table has shape {list(table.shape)} and must be {n} x {n} integers: the Cayley table")
    model = PairMLP(table, max(m, 1), d, dtype=torch.float64 if double else torch.float32)
    for name, parameter in model.named_parameters():
        if named[name].shape != parameter.shape:
            raise BadInput(
                f"{source}: {name} has shape {list(named[name].shape)} and should have {list(parameter.shape)} (E_l, W_l and U "
                "give the sizes)"
            )
    model.load_state_dict({**named, "table": table.to(torch.int64)})
    return model


_LAYERS = {
    "embedding_left.weight": ("E_l", False),
    "linear_left.weight": ("W_l", True),
    "embedding_right.weight": ("E_r", False),
    "linear_right.weight": ("W_r", True),
    "unembedding.weight": ("U", True),
    "unembedding.bias": ("bias", False),
}
"""Names of layers, and whether they hold the transpose."""


def _canonical(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for name, tensor in state.items():
        own, transposed = _LAYERS.get(name, (name, False))
        if own not in (*_WEIGHTS, "table") or own in named:
            raise BadInput(f"{source}: unexpected {name}; the weights should be {', '.join(_WEIGHTS)} and table")
        if own not in ("bias",) and tensor.dim() != 2:
            raise BadInput(f"{source}: {name} has shape {list(tensor.shape)} and must be a matrix")
        named[own] = tensor.T.contiguous() if transposed else tensor
    missing = [name for name in ("E_l", "E_r", "U", "bias", "table") if name not in named]
    if missing:
        raise BadInput(f"{source}: missing {', '.join(missing)}; table is the group's Cayley table, {len(named)} tensors are there")
    if ("W_l" in named) != ("W_r" in named):
        raise BadInput(f"{source}: W_l and W_r come together, or neither does (a folded model)")
    return named
