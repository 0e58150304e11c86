"""A network made by hand that compares all pairs of numbers, so that its answer is provable on whole label cones."""

from __future__ import annotations

import torch

from compact_proofs.errors import BadInput
from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig


def by_pairs(n: int) -> ScalarRecurrent:
    """Make the network that names the second largest of n >= 2 numbers, of width 5 n - 3, with small whole numbers as weights.

    The logit of a number x is

        -3 x - 2 (the sum of relu(y - x) over all other numbers y).

    Of the largest, i, that is -3 x_i; of the second largest, j, it is -3 x_j - 2 (x_i - x_j), which is larger by x_i - x_j; and any
    other, k, has at most -3 x_k - 2 (x_i - x_k) - 2 (x_j - x_k), which is less than that of j by at least x_j - x_k. So j wins
    whatever order the others have, of which nothing needs to be known. The neurons after x_t are

    ========  ==============================================  =====================================================
    plus k    relu(x_(t-k)), for k = 0 ... n-1                the numbers themselves, handed on
    minus k   relu(-x_(t-k))
    up k      relu(x_t - x_(t-k)), for k = 1 ... n-1          by how much x_t exceeds an earlier number
    down k    relu(x_(t-k) - x_t), for k = 1 ... n-1          by how much that one exceeds x_t
    sum k     of x_(t-k), for k = 1 ... n-1                   by how much it was exceeded, without x_t
    ========  ==============================================  =====================================================

    Before the first number all neurons are 0, so negative numbers are compared with numbers 0 that do not exist, and their sums are
    too large. So the network is right wherever the second largest is positive, and may be wrong elsewhere.

    Raises
    ------
    BadInput
        For fewer than 2 numbers.
    """
    if n < 2:
        raise BadInput(f"the second largest of {n} numbers does not exist")
    names = [f"{kind} {k}" for kind in ("plus", "minus") for k in range(n)]
    names += [f"{kind} {k}" for kind in ("up", "down", "sum") for k in range(1, n)]
    place = {name: i for i, name in enumerate(names)}
    read, before, logits = torch.zeros(len(names)), torch.zeros((len(names), len(names))), torch.zeros((len(names), n))

    def enter(neuron: str, x: float = 0.0, **of: float) -> None:
        """Say what enters a neuron: x times the number that is read, and multiples of earlier neurons."""
        read[place[neuron]] = x
        for name, factor in of.items():
            before[place[name.replace("_", " ")], place[neuron]] = factor

    enter("plus 0", 1.0)
    enter("minus 0", -1.0)
    enter("sum 1", **{f"down_{k}": 1.0 for k in range(1, n)})
    for k in range(1, n):
        enter(f"plus {k}", **{f"plus_{k - 1}": 1.0})
        enter(f"minus {k}", **{f"minus_{k - 1}": 1.0})
        enter(f"up {k}", 1.0, **{f"plus_{k - 1}": -1.0, f"minus_{k - 1}": 1.0})
        enter(f"down {k}", -1.0, **{f"plus_{k - 1}": 1.0, f"minus_{k - 1}": -1.0})
        if k > 1:
            enter(f"sum {k}", **{f"sum_{k - 1}": 1.0, f"up_{k - 1}": 1.0})
        logits[place[f"up {k}"], n - 1 - k] = logits[place[f"sum {k}"], n - 1 - k] = logits[place[f"down {k}"], n - 1] = -2.0
    for k in range(n):
        logits[place[f"plus {k}"], n - 1 - k], logits[place[f"minus {k}"], n - 1 - k] = -3.0, 3.0
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=n, d_model=len(names), d_out=n))
    model.load_state_dict({"W_in": read, "W_h": before, "W_U": logits})
    model.above = 1
    return model.requires_grad_(False)
