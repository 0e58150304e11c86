"""Sparse autoencoders: what computes codes. They run outside of proofs, so nothing about them is trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from compact_proofs.dictionaries.hints import Codebook
from compact_proofs.errors import BadInput

Architecture = Literal["standard", "topk", "jumprelu", "gated"]


@dataclass(frozen=True)
class Autoencoder:
    """An encoder and a decoder, with the names of SAELens.

    The encoder reads ``u = x - b_dec`` (or x, see `apply_b_dec_to_input`), and finds the codes

        standard    relu(u W_enc + b_enc)
        topk        the k largest entries of that, of u W_enc + b_enc before the relu
        jumprelu    relu(u W_enc + b_enc) where u W_enc + b_enc exceeds the threshold, else 0
        gated       relu(u (W_enc exp(r_mag)) + b_mag) where u W_enc + b_enc is positive, else 0

    and the decoder ``codes W_dec + b_dec``.

    Attributes
    ----------
    architecture
        See above.
    W_enc : [d, L]
    b_enc : [L]
        For gated ones, b_gate.
    W_dec : [L, d]
    b_dec : [d]
    k
        For topk.
    threshold : [L] or None
        For jumprelu.
    r_mag, b_mag : [L] or None
        For gated.
    apply_b_dec_to_input
        Whether the decoder's bias is subtracted from what the encoder reads.
    rescale_acts_by_decoder_norm
        For topk: whether entries are chosen by their size times the decoder row's norm.
    """

    architecture: Architecture
    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    k: int = 0
    threshold: Tensor | None = None
    r_mag: Tensor | None = None
    b_mag: Tensor | None = None
    apply_b_dec_to_input: bool = True
    rescale_acts_by_decoder_norm: bool = False

    def __post_init__(self) -> None:
        if self.architecture not in get_args(Architecture):
            known = ", ".join(get_args(Architecture))
            raise BadInput(f"the architecture {self.architecture!r} is not one of those that can be read: {known}")

    @property
    def features(self) -> int:
        """L."""
        return len(self.W_dec)

    def encode(self, X: Tensor) -> Tensor:
        """Find the codes [N, L] of activations [N, d]."""
        u = X - self.b_dec if self.apply_b_dec_to_input else X
        hidden = u @ self.W_enc + self.b_enc
        if self.architecture == "topk":
            size = hidden * self.W_dec.norm(dim=1) if self.rescale_acts_by_decoder_norm else hidden
            top = size.topk(min(self.k, self.features), 1).indices
            return torch.zeros_like(hidden).scatter(1, top, hidden.gather(1, top).relu())
        if self.architecture == "jumprelu":
            assert self.threshold is not None
            return torch.where(hidden > self.threshold.relu(), hidden.relu(), 0.0)
        if self.architecture == "gated":
            assert self.r_mag is not None
            assert self.b_mag is not None
            magnitude = u @ (self.W_enc * self.r_mag.exp()) + self.b_mag
            return torch.where(hidden > 0, magnitude.relu(), 0.0)
        return hidden.relu()

    def codebook(self, X: Tensor) -> Codebook:
        """The decoder with the codes of activations, in float64.

        Raises
        ------
        BadInput
            If the activations have another width.
        """
        if X.shape[1] != self.W_dec.shape[1]:
            raise BadInput(
                f"the dictionary is for activations of width {self.W_dec.shape[1]}, but {X.shape[1]} numbers enter this model's MLP"
            )
        return Codebook(self.W_dec.double(), self.b_dec.double(), self.double().encode(X.double()))

    def double(self) -> Autoencoder:
        """The same in float64."""
        doubled: dict[str, Any] = {name: t.double() for name, t in vars(self).items() if isinstance(t, Tensor)}
        return replace(self, **doubled)


def linear_autoencoder(found: Codebook, X: Tensor) -> Autoencoder:
    """Write a dictionary whose codes are linear in the activations as a standard autoencoder, each feature with both signs.

    Raises
    ------
    BadInput
        If the codes are not linear.
    """
    centred = X - found.offset
    E = torch.linalg.lstsq(centred, found.codes, driver="gelsd").solution
    if not torch.allclose(centred @ E, found.codes, rtol=0, atol=1e-6 * float(found.codes.abs().max())):
        raise BadInput("these codes are no linear function of the activations, so that no encoder of a file can compute them")
    decoder = torch.cat([found.decoder, -found.decoder])
    return Autoencoder("standard", torch.cat([E, -E], 1), torch.zeros(len(decoder), dtype=E.dtype), decoder, found.offset)
