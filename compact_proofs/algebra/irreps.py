"""Real irreducible representations of a finite group, computed from its Cayley table and verified.

The regular representation splits into isotypic components, the common eigenspaces of the symmetrised class sums; each of them
splits into copies of one real irreducible representation, the eigenspaces of a random symmetric matrix that commutes with the
group.
Nothing here is trusted by a proof: representations name what the search has found.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.algebra.group import Group
from compact_proofs.errors import BadInput

TOLERANCE = 1e-8
"""Largest deviation from a homomorphism and from orthogonality that is accepted."""


@dataclass(frozen=True)
class Irrep:
    """A real irreducible representation.

    Attributes
    ----------
    matrices : float64 [n, d, d]
        Orthogonal matrices, one for each element.
    kind : str
        "real", "complex" or "quaternionic": over the complex numbers it stays whole, or splits into two that are conjugate or
        equal.
    """

    matrices: Tensor
    kind: str

    @property
    def dimension(self) -> int:
        """d."""
        return self.matrices.shape[1]

    @property
    def character(self) -> Tensor:
        """Traces [n]."""
        return self.matrices.diagonal(dim1=1, dim2=2).sum(1)

    @property
    def multiplicity(self) -> int:
        """How often it is in the regular representation."""
        return self.dimension // {"real": 1, "complex": 2, "quaternionic": 4}[self.kind]


def conjugacy_classes(group: Group) -> Tensor:
    """int64 [n]: the smallest element of each element's class."""
    conjugates = group.table[group.table, group.inverse[:, None]]  # [g, x]: g x g^-1
    return conjugates.amin(0)


@functools.lru_cache(maxsize=32)
def real_irreps(group: Group) -> tuple[Irrep, ...]:
    """All real irreducible representations, by dimension, the trivial one first.

    Raises
    ------
    BadInput
        If the result does not pass its checks (homomorphism, orthogonality, orthogonal characters, sum of squares), which would be
        a failure of the numerics.
    """
    n = group.order
    generator = torch.Generator().manual_seed(0)
    components = _isotypic(group, generator)
    found = sorted(
        (_irrep(group, basis, generator) for basis in components), key=lambda r: (r.dimension, -float(r.character.sum()))
    )
    if sum(r.dimension * r.multiplicity for r in found) != n:
        raise BadInput(f"the irreducible representations of {group} do not add up to its order; numerics failed")
    return tuple(found)


def isotypic_shares(group: Group, values: Tensor) -> list[tuple[str, float]]:
    """How much of functions on the group lies in each irreducible representation: (name, share), largest first; constants aside.

    Parameters
    ----------
    values : [n, k]
        Functions on the group.
    """
    centred = values.double() - values.double().mean(0)
    total = float(centred.square().sum()) or 1.0
    shares = []
    for i, r in enumerate(real_irreps(group)):
        entries = r.matrices.flatten(1)
        inside = float((entries.T @ centred).square().sum()) * r.dimension / group.order
        shares.append((f"{r.dimension}-d irrep {i}", inside / total / (r.dimension // r.multiplicity)))
    return sorted(shares, key=lambda s: -s[1])


def _isotypic(group: Group, generator: torch.Generator) -> list[Tensor]:
    """Orthonormal bases [n, k] of the isotypic components of functions on the group."""
    n, classes = group.order, conjugacy_classes(group)
    both = torch.minimum(classes, classes[group.inverse])  # a class and its inverses alike
    weight = torch.randn(n, generator=generator, dtype=torch.float64)[both]
    # (A f)(x) = sum_g w_g f(g^-1 x) with w constant on classes: symmetric, commutes with translations from both sides.
    A = weight[group.table[:, group.inverse]]  # A[x, y] = w(x y^-1)
    return _eigenspaces((A + A.T) / 2)


def _irrep(group: Group, basis: Tensor, generator: torch.Generator) -> Irrep:
    """The representation of which an isotypic component is made, on one eigenspace of a random invariant symmetric matrix."""
    n = group.order
    w = torch.randn(n, generator=generator, dtype=torch.float64)
    w = (w + w[group.inverse]) / 2
    C = w[group.table[group.inverse]]  # C[x, y] = w(x^-1 y) commutes with translations from the left
    small = basis.T @ C @ basis
    space = basis @ _eigenspaces((small + small.T) / 2)[0]
    translated = space[group.table[group.inverse]]  # [g, x, i]: f(g^-1 x)
    matrices = torch.einsum("xi,gxj->gij", space, translated)
    indicator = matrices[group.table.diagonal()].diagonal(dim1=1, dim2=2).sum() / n
    kind = {1: "real", 0: "complex", -2: "quaternionic"}.get(round(float(indicator)))
    product = torch.einsum("gij,sjk->gsik", matrices, matrices[list(group.generators)]) if group.generators else None
    if product is not None:
        off = float((product - matrices[group.table[:, list(group.generators)]]).abs().max())
        if off > TOLERANCE:
            raise BadInput(f"a representation of {group} is off a homomorphism by {off:.1e}; numerics failed")
    square = torch.einsum("gij,gkj->gik", matrices, matrices) - torch.eye(matrices.shape[1], dtype=torch.float64)
    if float(square.abs().max()) > TOLERANCE or kind is None:
        raise BadInput(f"a representation of {group} is not orthogonal or not irreducible; numerics failed")
    return Irrep(matrices, kind)


def _eigenspaces(A: Tensor) -> list[Tensor]:
    """Orthonormal bases of the eigenspaces of a symmetric matrix; values closer than 1e-7 of its norm are one."""
    values, vectors = torch.linalg.eigh(A)
    gaps = (values.diff() > 1e-7 * values.abs().max().clamp_min(1e-300)).nonzero().flatten() + 1
    return list(torch.tensor_split(vectors, gaps.tolist(), dim=1))
