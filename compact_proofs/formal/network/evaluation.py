"""A network's meaning in float64, as ``formal/Network.v`` defines it: to compare it with the program that it is made from."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.formal.network.language import Definition, Index, Network, Scalar
from compact_proofs.program import Program

CLOSE = 1e-6
"""Relative difference of logits up to which a network and its program are the same in float64."""

Grid = Any
"""An integer or a number, or an array of them."""


def logits(network: Network, tokens: Sequence[int]) -> np.ndarray:
    """The logits of one input, as [logit] in Network.v.

    Raises
    ------
    OverflowError
        If a number, such as an exponential, is too large for a float.
    """
    env = [w.value.to(torch.float64).numpy() for w in network.weights]
    try:
        with np.errstate(over="raise"):
            for d in network.definitions:
                env.append(entries(d, env, tokens))
    except FloatingPointError as e:
        raise OverflowError(str(e)) from None
    return env[-1]


def compare(network: Network, program: Program, inputs: Tensor) -> None:
    """Compare a network with its program on inputs [n, context]: no part of a proof, but a guard against a wrong rule.

    Raises
    ------
    BadInput
        If they differ.
    """
    with torch.no_grad():
        expected = copy.deepcopy(program).double()(inputs)
    for tokens, row in zip(inputs.tolist(), expected.numpy(), strict=True):
        try:
            found = logits(network, tokens)
        except OverflowError:  # scores that no theorem will be about either
            continue
        difference = np.abs(found - row).max()
        if not difference <= CLOSE * max(1.0, np.abs(row).max()):
            raise BadInput(
                f"what would be written in Coq is not the program: on input {tokens} their logits differ by {difference:.3g}; "
                "a rule of compact_proofs/formal/network is wrong"
            )


def entries(d: Definition, env: Sequence[np.ndarray], tokens: Sequence[int] = ()) -> np.ndarray:
    """All entries of a definition, with the tensors before it and an input (none for what does not depend on it)."""
    axes: list[Grid] = list(np.ix_(*map(np.arange, d.shape))) if d.shape else []
    return np.broadcast_to(meaning_of(d.body, env, axes, tokens), d.shape)


def meaning_of(e: Scalar, env: Sequence[np.ndarray], axes: Sequence[Grid], tokens: Sequence[int] = ()) -> Grid:
    """The number that an expression is, with entries of tensors, places of the axes, and an input; or all, at grids of places."""
    a: Any = e.args
    match e.head:
        case "Read":
            return env[a[0]][tuple(_place(i, axes, tokens) for i in a[1])]
        case "Number":
            return np.asarray(a[0] / a[1])
        case "Pi":
            return np.asarray(math.pi)
        case "Sum":
            return sum(meaning_of(a[1], env, [*axes, k], tokens) for k in range(a[0]))
    x = [np.asarray(meaning_of(part, env, axes, tokens)) for part in e.parts()]
    match e.head:
        case "Plus":
            return x[0] + x[1]
        case "Minus":
            return x[0] - x[1]
        case "Times":
            return x[0] * x[1]
        case "Over":
            return x[0] / x[1]
        case "Relu":
            return np.maximum(x[0], 0)
        case "Exp":
            return np.exp(x[0])
        case "Sqrt":
            return np.sqrt(x[0])
    return np.vectorize(math.erf)(x[0])


def _place(i: Index, axes: Sequence[Grid], tokens: Sequence[int]) -> Grid:
    a: Any = [_place(x, axes, tokens) if isinstance(x, Index) else x for x in i.args]
    match i.head:
        case "Axis":
            return axes[a[0]]
        case "Token":
            return np.asarray(tokens)[a[0]]
        case "Fixed":
            return a[0]
        case "Shifted":
            return a[0] + a[1]
        case "Scaled":
            return a[0] * a[1]
        case "Quotient":
            return a[0] // a[1]
    return a[0] % a[1]
