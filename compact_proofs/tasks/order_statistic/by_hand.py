"""A network made by hand that names the second largest of any number of inputs: for proofs about a mechanism that is known."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig

SHARP = 50.0
"""How steeply the last input's exceeding of the largest is weighed: larger is right more often."""


def by_hand(n: int) -> ScalarRecurrent:
    """Make the network for n >= 2 numbers, of width 3 n + 2, with small whole numbers as weights (float32).

    Write m and s for the largest and the second largest of 0, 0 and the numbers before x_t. The neurons after x_t are

    ==========  =======================================  ==============================================================
    delay k     relu(x_(t-k+1)), for k = 1 ... n         the numbers themselves, handed on
    a           relu(x_t - m)                            how far x_t exceeds the largest
    b           relu(x_t - s)                            how far it exceeds the second largest
    largest     m                                        the largest afterwards is m + a
    second      s                                        the second largest afterwards is s + b - a, the median of m, s, x_t
    over k      relu(x_(t-k+1) - s), for k = 2 ... n     not 0 for the largest number before x_t only
    now k       relu(50 (x_(t-k+1) - m) + x_t - m)       a for the largest before x_t, and 0 for most others
    ==========  =======================================  ==============================================================

    The logit of an earlier number is its delay - 2 over + 50 now, that of the last number x_n its delay - 50 a. If x_n < s, the
    second largest has the logit s, the largest 2 s - m, and others less than s. If x_n lies between, it has the largest logit.
    If x_n > m, the answer is the largest before it, which wins unless x_n exceeds it by less than a fiftieth of m - s, about.

    So the network is wrong where fewer than two numbers are positive, and in narrow wedges.

    Raises
    ------
    BadInput
        For fewer than 2 numbers.
    """
    if n < 2:
        raise BadInput(f"the second largest of {n} numbers does not exist")
    names = [*(f"delay {k}" for k in range(1, n + 1)), "a", "b", "largest", "second"]
    names += [f"{kind} {k}" for kind in ("over", "now") for k in range(2, n + 1)]
    place = {name: i for i, name in enumerate(names)}
    read = torch.zeros(len(names))
    before = torch.zeros((len(names), len(names)))
    logits = torch.zeros((len(names), n))

    def enter(neuron: str, x: float = 0.0, **of: float) -> None:
        """Say what enters a neuron: x times the number that is read, and multiples of largest, second or earlier neurons."""
        read[place[neuron]] = x
        for name, factor in of.items():
            _add(before, place, name.replace("_", " "), place[neuron], factor)

    enter("delay 1", 1.0)
    enter("a", 1.0, largest=-1.0)
    enter("b", 1.0, second=-1.0)
    enter("largest", largest=1.0)
    enter("second", second=1.0)
    for k in range(2, n + 1):
        enter(f"delay {k}", **{f"delay_{k - 1}": 1.0})
        enter(f"over {k}", second=-1.0, **{f"delay_{k - 1}": 1.0})
        enter(f"now {k}", 1.0, largest=-1.0 - SHARP, **{f"delay_{k - 1}": SHARP})
        for kind, factor in (("delay", 1.0), ("over", -2.0), ("now", SHARP)):
            logits[place[f"{kind} {k}"], n - k] = factor
    logits[place["delay 1"], n - 1], logits[place["a"], n - 1] = 1.0, -SHARP
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=n, d_model=len(names), d_out=n))
    model.load_state_dict({"W_in": read, "W_h": before, "W_U": logits})
    model.above = 1
    return model.requires_grad_(False)


def _add(before: Tensor, place: dict[str, int], name: str, target: int, factor: float) -> None:
    """Let a neuron read a multiple of another, or of the largest or second largest so far, which are sums of neurons."""
    parts = {"largest": {"largest": 1.0, "a": 1.0}, "second": {"second": 1.0, "b": 1.0, "a": -1.0}}
    for part, sign in parts.get(name, {name: 1.0}).items():
        before[place[part], target] += factor * sign
