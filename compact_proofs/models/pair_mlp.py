"""A one-hidden-layer network on pairs, as trained on group composition: two embeddings, ReLU, one output layer.

Its Cayley table is a buffer of the model, so that a file of weights says which group it is for, and its hash covers the table.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.component import Component, checked_places


class PairMLP(Architecture):
    """Logits of z for a pair (x, y) of elements of a group of order n, with m hidden neurons.

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
        if width < 1 or (d_embed is not None and d_embed < 1):
            raise BadInput(f"width = {width}, d_embed = {d_embed}: every size of a model must be at least 1")
        shapes = _shapes(len(table), width, d_embed)
        for name in ("E_l", "W_l", "E_r", "W_r", "U", "bias"):
            value = nn.Parameter(torch.zeros(shapes[name], dtype=dtype, device=device)) if name in shapes else None
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

    @property
    def d_embed(self) -> int | None:
        """The width of the embeddings; None for a folded model."""
        return None if self.W_l is None else self.W_l.shape[0]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, and of the table, by name."""
        return {**_shapes(self.order, self.width, self.d_embed), "table": (self.order, self.order)}

    def configuration(self) -> dict[str, Any]:
        return {"order": self.order, "width": self.width, "d_embed": self.d_embed, "activation": "relu"}

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


def _shapes(n: int, m: int, d_embed: int | None) -> dict[str, tuple[int, ...]]:
    embedding = (n, d_embed or m)
    factor = {} if d_embed is None else {"W_l": (d_embed, m), "W_r": (d_embed, m)}
    return {"E_l": embedding, "E_r": embedding, **factor, "U": (m, n), "bias": (n,)}
