"""ReLU in two halves, and what it does to errors.

``relu(x) = x / 2 + |x| / 2``. The linear half passes through what follows exactly. For any x^ in place of x,

    ||x| - |x^|| <= |x - x^|            so that the absolute half errs by at most |x - x^| / 2,
    |relu(x) - relu(x^)| <= |x - x^|    (twice as much, without the linear half),
    relu(x) - relu(x^) = g (x - x^)     for some g in [0, 1], since ReLU is monotone and 1-Lipschitz.

If neuron i writes U_i to the outputs, an error e_i of its activation changes the difference of two logits by at most
|e_i| spread(U_i).
"""

from __future__ import annotations

import torch
from torch import Tensor


def error_of_outputs(errors: Tensor, spreads: Tensor) -> Tensor:
    """Bound how much errors of what neurons read change the difference of two logits: half of that where the linear half is exact.

    Parameters
    ----------
    errors : [..., k]
        Bounds of |x_i - x^_i|.
    spreads : [k]
        Spreads of the neurons' output weights.

    Returns
    -------
    [...]
        ``sum_i |x_i - x^_i| spread(U_i)``. Cost: 2 for each error.
    """
    return errors @ spreads


def separate_neurons(sides: Tensor, spreads: Tensor) -> Tensor:
    """Bound what neurons relu(l_i(x) + r_i(y)) add to the difference of two logits by a term of x plus a term of y.

    ``0 <= relu(l + r) <= relu(l) + relu(r)``, times the spread of the output weights.

    Parameters
    ----------
    sides : [2, n, k]
        l and r of the neurons.
    spreads : [k]
        Spreads of their output weights.

    Returns
    -------
    [2, n]
        Terms of x and of y. Cost: 6 n k.
    """
    return torch.relu(sides) @ spreads
