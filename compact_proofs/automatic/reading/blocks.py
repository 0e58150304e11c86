"""Blocks of symbols: numbers that `Table` and `Additive` cannot express, each block computed from the blocks before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from compact_proofs.automatic.reading.values import Form


@dataclass(frozen=True)
class Averages:
    """Symbol (g, e) = sum_i w_g[x_i] V_{g,e}[x_i] / sum_i w_g[x_i]: what a softmax of tables makes of a table.

    Attributes
    ----------
    weights : [Q, n, K, G]
        w >= 0 where the context holds q, position i token t, for head g, up to a factor for each (q, g). The row of the context
        means something at t = q only.
    values : [n, K, G, E]
        V.
    """

    weights: Tensor
    values: Tensor

    @property
    def size(self) -> int:
        """Number of symbols, G E."""
        return self.values.shape[2] * self.values.shape[3]


@dataclass(frozen=True)
class Sums:
    """Symbol e = sum_i tables[(q,) i, x_i, e].

    Attributes
    ----------
    tables : [(Q,) n, K, E]
    axes : str
        "nk" or "qnk".
    """

    tables: Tensor
    axes: str

    @property
    def size(self) -> int:
        """Number of symbols, E."""
        return self.tables.shape[-1]


@dataclass(frozen=True)
class Unary:
    """Symbol e = f(z_e), for a function f of one number that has lines (module `lines`) and a form z [E]."""

    function: str
    z: Form

    @property
    def size(self) -> int:
        """Number of symbols, E."""
        return self.z.shape[0]


@dataclass(frozen=True)
class Norm:
    """Symbols z / sqrt(|z|^2 / d + eps) for a form z [d]: a layer norm (z centred) or an RMS norm, without scale and bias."""

    z: Form
    eps: float

    @property
    def size(self) -> int:
        """Number of symbols, d."""
        return self.z.shape[0]


@dataclass(frozen=True)
class Opaque:
    """The entries of an operation without a rule: known by an interval, from intervals of its operands.

    Attributes
    ----------
    target, args, kwargs
        The call; a `Form` stands for each tensor that is not constant.
    size
        Entries of its result.
    """

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    size: int


Block: TypeAlias = Averages | Sums | Unary | Norm | Opaque


@dataclass(frozen=True)
class Network:
    """A program read by tokens, with the token of one position known.

    Attributes
    ----------
    n, v
        Positions and tokens.
    context
        The position whose token is known.
    blocks
        Each is defined by those before it.
    logits : Form
        [outputs].
    """

    n: int
    v: int
    context: int
    blocks: list[Block]
    logits: Form
