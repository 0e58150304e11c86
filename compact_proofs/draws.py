"""A random generator whose seed is public: every machine draws the same numbers, so a prover cannot choose a convenient sample."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from compact_proofs.length import charge_integers

_WORD = 63


class Draws:
    """Exactly uniform integers, independent as far as SHAKE-256 behaves like a random function.

    Request number r reads SHAKE-256(seed, r); words that would favour some results are drawn again. Each word counts as one integer
    operation of a proof's length.

    Parameters
    ----------
    seed
        Any bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed, self._requests = seed, 0

    def below(self, bounds: Tensor) -> Tensor:
        """Draw an integer from 0 ... bound - 1 for each entry of an int64 tensor of bounds, 1 <= bound < 2^63."""
        n = bounds.cpu().numpy().reshape(-1).astype(np.uint64)
        limit = np.uint64(2**_WORD) // n * n
        drawn = np.zeros(len(n), dtype=np.int64)
        pending = np.arange(len(n))
        while len(pending):
            charge_integers(len(pending))
            words = np.frombuffer(self._bytes(8 * len(pending)), dtype="<u8") >> np.uint64(1)
            fair = words < limit[pending]
            drawn[pending[fair]] = (words[fair] % n[pending[fair]]).astype(np.int64)
            pending = pending[~fair]
        return torch.from_numpy(drawn).reshape(bounds.shape)

    def integer(self, n: int) -> int:
        """Draw an integer from 0 ... n - 1, of any size."""
        size = n.bit_length() // 8 + 9
        while True:
            charge_integers(-(-size // 8))
            word = int.from_bytes(self._bytes(size), "little")
            if word < 256**size // n * n:
                return word % n

    def _bytes(self, size: int) -> bytes:
        self._requests += 1
        return hashlib.shake_256(self._seed + self._requests.to_bytes(8, "little")).digest(size)
