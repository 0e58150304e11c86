"""What every loader checks of weights, whatever the architecture and the names are.

The numbers are never changed: a proof is about exactly the stored weights. Half precision is widened to float32, and float32 beside
float64 to float64; both are exact.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput

Model = TypeVar("Model", bound=nn.Module)

_REAL = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def check_numbers(name: str, tensor: Tensor, source: str) -> None:
    """Raise `BadInput` unless a weight is a real tensor of finite numbers."""
    if not isinstance(tensor, Tensor):
        raise BadInput(f"{source}: {name} is a {type(tensor).__name__}; it must be a torch.Tensor")
    if tensor.dtype not in _REAL:
        raise BadInput(f"{source}: {name} has dtype {tensor.dtype}; convert it to float32 or float64")
    if tensor.is_meta:
        raise BadInput(f"{source}: {name} is on the meta device, so it has no numbers; load the weights first")
    bad = (~torch.isfinite(tensor)).nonzero()
    if len(bad):
        where = bad[0].tolist()
        value = tensor[tuple(where)].item()
        raise BadInput(f"{source}: {name}{where or ''} is {value}; weights must be finite, so train or export it again")


def check_dimensions(weights: Mapping[str, Tensor], dimensions: Mapping[str, int], source: str) -> None:
    """Raise `BadInput` unless these weights have so many dimensions, and none of them is empty."""
    for name, count in dimensions.items():
        shape = list(weights[name].shape)
        if len(shape) != count or 0 in shape:
            what = {1: "vector", 2: "matrix"}.get(count, f"tensor of {count} dimensions")
            raise BadInput(f"{source}: {name} has shape {shape} and must be a {what} that is not empty")


def check_shapes(weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], source: str, given_by: str) -> None:
    """Raise `BadInput` unless every weight has its shape; `given_by` names the weights that the sizes were read from."""
    wrong = [
        f"{name} has shape {list(weights[name].shape)} and should have {list(shape)}"
        for name, shape in shapes.items()
        if tuple(weights[name].shape) != shape
    ]
    if wrong:
        raise BadInput(f"{source}: {'; '.join(wrong)} ({given_by} give the sizes)")


def check_names(names: Iterable[str], required: Iterable[str], optional: Iterable[str], source: str, reads: str) -> None:
    """Raise `BadInput` unless the names are the required ones and some of the optional ones; `reads` says what is read here."""
    there, needed = set(names), list(required)
    missing = [name for name in needed if name not in there]
    unexpected = sorted(there - {*needed, *optional})
    if missing or unexpected:
        parts = [f"unexpected {', '.join(unexpected[:5])}"] if unexpected else []
        parts += [f"missing {', '.join(missing[:5])}"] if missing else []
        raise BadInput(f"{source}: {'; '.join(parts)}; {reads}")


def check_scale(scale: float, d_head: int, what: str) -> None:
    """Raise `BadInput` unless an attention scale is sqrt(d_head), rounded at most as float32 rounds it.

    The models that ship divide by the real square root. Stored scales are roundings of it, in float32 or float64.
    """
    expected = math.sqrt(d_head)
    if not abs(scale - expected) <= 2**-23 * expected:
        raise BadInput(
            f"{what} is {scale} and must be sqrt(d_head) = {expected}; fold another scale into W_Q: multiply W_Q by "
            f"{expected} / {scale}"
        )


def widest(weights: Mapping[str, Tensor]) -> torch.dtype:
    """float64 if any weight is in float64, else float32, to which float16 and bfloat16 widen exactly."""
    return torch.float64 if any(w.dtype == torch.float64 for w in weights.values()) else torch.float32


def in_double(model: Model) -> Model:
    """A float64 copy, for searches and other work in plain arithmetic that is to be as close to exact as that allows."""
    return copy.deepcopy(model).double()


def filled(model: Model, weights: Mapping[str, Tensor]) -> Model:
    """Copy weights into a new model that has just these, and return it."""
    model.load_state_dict(dict(weights))
    return model
