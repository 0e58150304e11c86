"""The bits of tensors, for hashes."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.length import unseen

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Types of as many bytes."""


def bits_of(t: Tensor) -> bytes:
    """A tensor's numbers as bytes, row-major, little-endian.

    Outside readings and counter, to which bits are no function of real numbers.
    """
    with unseen("bits, to be hashed"):
        real = torch.view_as_real(t.resolve_conj()) if t.is_complex() else t
        bits = real.detach().cpu().contiguous().reshape(-1).view(_INTEGERS[real.element_size()]).numpy()
        return bits.astype(bits.dtype.newbyteorder("<")).tobytes()
