"""What is known of a tensor of the program, over all inputs that end in a given token: the types of the reading by tokens.

One position, the *context*, holds a token q that is known; the others are free. A tensor has a type by how its entries depend on
them:

    Table      every entry depends on the token of one position (and on q): known exactly, for each token
    Additive   every entry is a sum of such functions, one for each position: known exactly
    Shares     a softmax: w_i / sum_j w_j with w_i a Table
    Form       affine in *symbols*, the results of operations that no type above can hold (module `blocks`)

A sum, product or any function of tables of one position is a table again; a linear map of sums is a sum; a softmax of a table is a
share; shares times values are averages, the first kind of symbol. So nothing is lost up to the first nonlinear function of several
positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True)
class Table:
    """Entries that depend on one position's token each, and on the context's token q.

    Attributes
    ----------
    data
        Leading axes as `axes` says, then the tensor's own. With axes "qk", ``data[q, t, e]`` is entry e where the context holds q
        and the position ``owner[e]`` holds t. For an entry that the context owns only t = q means anything; for one that nothing
        owns, t is of no matter.
    axes : str
        "", "q", "k" or "qk".
    owner : int64 [*shape]
        The position on which each entry depends; -1 for none.
    """

    data: Tensor
    axes: str
    owner: Tensor

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor itself."""
        return self.owner.shape


@dataclass(frozen=True)
class Additive:
    """Entries that are sums over positions: ``constant[(q,) e] + sum_i tables[(q,) i, x_i, e]``.

    Attributes
    ----------
    constant, constant_axes
        Leading axis q or none, then the tensor's own.
    tables : [(Q,) n, K, *shape]
    axes : str
        "nk" or "qnk".
    """

    constant: Tensor
    constant_axes: str
    tables: Tensor
    axes: str

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor itself."""
        return self.tables.shape[len(self.axes) :]


@dataclass(frozen=True)
class Shares:
    """Entries of softmaxes over tables, times constants: entry e of softmax g is factor[e] w[owner[e]] / sum_i w[i].

    Attributes
    ----------
    weights : [Q, n, K, groups]
        ``weights[q, i, t, g]`` >= 0: the weight, in softmax g, of the one entry that depends on position i, where that holds t and
        the context q.
    scores : [Q, n, K, groups]
        What the softmax is of: the weights are exp(scores - a), for a number a of each q and g.
    group : int64 [*shape]
        The softmax that each entry is of.
    owner : int64 [*shape]
        The position that each entry depends on.
    factor : [*shape], optional
        Constants; 1 unless given.
    """

    weights: Tensor
    scores: Tensor
    group: Tensor
    owner: Tensor
    factor: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor itself."""
        return self.group.shape


@dataclass(frozen=True)
class Form:
    """Affine in symbols: ``constant[(q,) e] + sum_b sum_s parts[b][s, e] symbol_{b, s}``.

    Attributes
    ----------
    constant, axes
        Leading axis q ("q") or none (""), then the tensor's own.
    parts
        For each block of symbols, by its number: its coefficients [symbols, *shape].
    """

    constant: Tensor
    axes: str
    parts: dict[int, Tensor]

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor itself."""
        return self.constant.shape[len(self.axes) :]


Value: TypeAlias = Table | Additive | Shares | Form


def constant(t: Tensor) -> Table:
    """A tensor that no input changes."""
    return Table(t, "", torch.full(t.shape, -1))


def is_value(x: Any) -> bool:
    """Is an argument of an operation one of the types above?"""
    return isinstance(x, (Table, Additive, Shares, Form))


def is_constant(x: Any) -> bool:
    """Is it a tensor that no input changes?"""
    return isinstance(x, Table) and x.axes == ""


def data_of(x: Any) -> Tensor:
    """That tensor."""
    if not is_constant(x):
        raise AssertionError("only a constant is a tensor without axes")
    return x.data
