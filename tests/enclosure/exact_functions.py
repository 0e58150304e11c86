"""Functions of lists and matrices of Arb numbers."""

from __future__ import annotations

import numpy as np
from flint import arb

Row = list[arb]


def total(row: Row) -> arb:
    result = arb(0)
    for x in row:
        result += x
    return result


def softmax(row: Row) -> Row:
    top = max(row, key=lambda x: float(x.mid()))
    e = [(x - top).exp() for x in row]
    return [x / total(e) for x in e]


def logsumexp(row: Row) -> Row:
    top = max(row, key=lambda x: float(x.mid()))
    return [top + total([(x - top).exp() for x in row]).log()]


def variance(row: Row, correction: int) -> arb:
    mean = total(row) / len(row)
    return total([(x - mean) ** 2 for x in row]) / (len(row) - correction)


def layer_norm(row: Row) -> Row:
    mean, scale = total(row) / len(row), (variance(row, 0) + arb(1e-5)).sqrt()
    return [(x - mean) / scale for x in row]


def tanh_gelu(x: arb) -> arb:
    inner = (2 / arb.pi()).sqrt() * (x + arb(44715) / 1000000 * x**3)
    return (x - x / ((2 * inner).exp() + 1)) if inner < 2**40 else x  # x (1 + tanh) / 2, without cancellation


def gelu(x: arb) -> arb:
    return x * (-x / arb(2).sqrt()).erfc() / 2


def silu(x: arb) -> arb:
    return x / (1 + (-x).exp()) if x > -(2**40) else x * x.exp()


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """One head, exactly: softmax(q k^T / sqrt(d)) v over the allowed pairs."""
    scale = arb(q.shape[1]).sqrt()
    out = np.empty((len(q), v.shape[1]), dtype=object)
    for i, query in enumerate(q):
        keys = [j for j in range(len(k)) if allowed[i, j]]
        weights = softmax([total(list(query * k[j])) / scale for j in keys])
        for c in range(v.shape[1]):
            out[i, c] = total([w * v[j, c] for w, j in zip(weights, keys, strict=True)])
    return out
