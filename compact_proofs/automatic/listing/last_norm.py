"""Margins of a network that ends with a layer norm, without the norm.

With r in R^d the norm's argument, w and b its scale and shift, U and c what makes logits of its result, 1 the vector of ones,

    logit_k = (C^T r)_k / sigma(r) + e_k,     C = (I - 1 1^T / d) diag(w) U,   e = U^T b + c,   sigma(r)^2 = |r - mean|^2 / d + eps,

so that the margin of y over z, times sigma > 0, is

    C_y.r - C_z.r + (e_y - e_z) sigma  >=  C_y.r - C_z.r + min(e_y - e_z, 0) s       for any s >= sigma.                   (1)

Now r is a sum of parts x_p W_p and a constant r0 (x_p the hidden neurons of an MLP, for one), so C^T r is a sum of x_p (W_p C), of
as many columns as there are outputs but one, and sigma <= s with

    s^2 = (|r0| + sum_p |W_p| |x_p|)^2 / d + eps,

since taking the mean off lengthens no vector. With few outputs that is much less than r. An input of which (1) does not prove every
margin is evaluated as any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.tangent import operator_norm
from compact_proofs.automatic.listing.ends import LastNorm, Parts
from compact_proofs.automatic.listing.graphs import ancestors, matrix_of, size_of
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.listing.values import Affine, Dense, Reader, shape_of
from compact_proofs.automatic.listing.zeros import NARROW
from compact_proofs.automatic.reading.narrow import narrowed
from compact_proofs.core.claim import margins
from compact_proofs.enclosure import provably
from compact_proofs.program import Program

aten = torch.ops.aten

LARGEST_SHARE = 0.5
"""Of what it costs to make r and logits of it; what (1) costs must be less."""


@dataclass(frozen=True)
class Ending:
    """The end of a network: logits from a layer norm.

    Attributes
    ----------
    norm
    parts
        Of the norm's argument.
    """

    norm: LastNorm
    parts: Parts

    @classmethod
    def of(cls, program: Program) -> Ending | None:
        """Of a program; None if it does not end so, or if that would save little."""
        output = list(narrowed(program.graph, once=True).nodes)[-1].all_input_nodes[0]
        norm = LastNorm.of(output)
        if norm is None:
            return None
        parts, d, outputs = Parts.of(norm.vector), size_of(norm.vector), size_of(output)
        hidden = sum(size_of(x) for x, _ in parts.times)
        if outputs < 2 or not hidden or hidden * outputs > LARGEST_SHARE * d * (hidden + outputs):
            return None
        return cls(norm, parts)


class Numerators(Listing):
    """Evaluates (1) on many inputs.

    Parameters
    ----------
    ending
        Of the program, from `Ending.of`.

    Notes
    -----
    Cost, besides the parts x_p: 2 m (outputs - 1) operations for a part of m numbers, 2 m for its length, and about 6 an output.
    """

    def __init__(self, program: Program, v: int, ending: Ending, zeros: bool) -> None:
        self._ending = ending
        super().__init__(program, v, zeros)

    def _proven(self, found: Tensor, labels: Tensor) -> Tensor:
        """From numerators against the last output [N, outputs - 1], and squares of lengths [N, parts]."""
        few = self._shift.shape[0] - 1
        numerators = torch.cat([found[:, :few], torch.zeros(len(found), 1, dtype=torch.float64, device=self.device)], 1)
        longest = self._constant_length + (found[:, few:].clamp(min=0).sqrt() * self._stretch).sum(1)
        sigma = (longest.square() / self._width + self._ending.norm.eps).sqrt()
        shift = margins(self._shift.expand(len(found), few + 1), labels)
        return provably(margins(numerators, labels) + shift.clamp(max=0) * sigma[:, None] > 0).all(-1)

    def _read(self) -> Dense:
        norm, parts = self._ending.norm, self._ending.parts
        vectors = [x for x, _ in parts.times]
        values = self._values(ancestors([*vectors, *parts.alone]))
        C, shift = norm.matrix(self.constant_of)
        self._shift = shift + sum(self.constant_of(c).flatten() for c in norm.constants)
        self._width = len(C)
        C = C[:, :-1] - C[:, -1:]
        constant = sum((self.constant_of(c).flatten() for c in parts.constants), C.new_zeros(len(C)))
        self._constant_length = constant.square().sum().sqrt()
        rows = [(self._row(values[x]), matrix_of(W, self.constant_of)) for x, W in parts.times]
        maps, stretch = [W @ C for _, W in rows], [operator_norm(W) for _, W in rows]
        terms = [x for x, _ in rows]
        if parts.alone:
            total = self._row(values[parts.alone[0]])
            for x in parts.alone[1:]:
                total = self._call("add", aten.add.Tensor, (total, self._row(values[x])), shape_of(total))
            terms.append(total)
            maps.append(C)
            stretch.append(C.new_ones(()))
        self._stretch = torch.stack(stretch)
        known = constant @ C
        products = [self._mapped(x, W) for x, W in zip(terms, maps, strict=True)]
        squares = [self._steps.dense(self._square(x)) for x in terms]

        def together(inputs: Tensor, read: Reader) -> Tensor:
            numerators = known
            for x in products:
                numerators = numerators + read(x).flatten(1)
            return torch.cat([numerators, *(read(x).flatten(1) for x in squares)], 1)

        on = frozenset[int]().union(*(x.on for x in (*products, *squares)))
        return self._steps.add(together, torch.Size([len(known) + len(squares)]), on)

    def _mapped(self, x: Any, W: Tensor) -> Dense:
        """x W for a row [1, size]: of few columns without looking for zeros in x, which would cost as much."""
        shape = torch.Size([1, W.shape[1]])
        if isinstance(x, Affine) or shape[1] > NARROW:
            return self._steps.dense(self._call("mm", aten.mm.default, (x, W), shape))
        return self._steps.each(aten.mm.default, (x, W), {}, shape)

    def _row(self, x: Any) -> Any:
        """A vector as [1, size]."""
        shape = torch.Size([1, shape_of(x).numel()])
        return x if shape_of(x) == shape else self._call("reshape", aten.reshape.default, (x, list(shape)), shape)

    def _square(self, x: Any) -> Any:
        """|x|^2 of a row [1, size], as [1, 1]."""
        column = self._call("reshape", aten.reshape.default, (x, [shape_of(x)[1], 1]), torch.Size([shape_of(x)[1], 1]))
        return self._call("mm", aten.mm.default, (x, column), torch.Size([1, 1]))


class TwoSteps:
    """A listing that first tries `Numerators`, and evaluates logits where these do not prove an input right.

    What the second step needs is shared within a call only, so that no call depends on others.
    """

    def __init__(self, program: Program, v: int, ending: Ending, zeros: bool) -> None:
        self.first, self.second = Numerators(program, v, ending, zeros), Listing(program, v, zeros)

    def right(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Which of the inputs [N, n] are proven right: bool [N]."""
        found = self.first.right(inputs, labels)
        left = (~found).nonzero()[:, 0]
        if len(left):
            found[left] = self.second.right(inputs[left], labels[left], alone=True)
        return found

    def know(self, batches: Iterable[Tensor]) -> None:
        """As `Listing.know`."""
        self.first.know(batches)

    @property
    def may_have_zeros(self) -> bool:
        """As in `Listing`, in the first step."""
        return self.first.may_have_zeros

    def price(self, inputs: Tensor) -> float:
        """As `Listing.price`, of the first step."""
        return self.first.price(inputs)


def quickest(program: Program, v: int, zeros: bool = True) -> Listing | TwoSteps:
    """The listing that costs least, where it may depend on the weights what an input costs; `zeros` as for `Listing`."""
    ending = Ending.of(program)
    return Listing(program, v, zeros) if ending is None else TwoSteps(program, v, ending, zeros)


def left_by(program: Program, v: int, inputs: Tensor, labels: Tensor) -> float:
    """The share of inputs that `Numerators` do not prove right: of those whose label is an output (0 if there are none)."""
    ending = Ending.of(program)
    named = (labels >= 0) & (labels < program.output.shape[0])
    if ending is None or not bool(named.any()):
        return 0.0
    right = Numerators(program, v, ending, zeros=True).right(inputs[named], labels[named])
    return 1 - int(right.sum()) / len(right)
