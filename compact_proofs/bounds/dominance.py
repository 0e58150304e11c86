"""Dominance: one term wins against every rival if the harm of all other terms, in units of its gain, adds up to less than 1.

**Theorem.** Let a and its rivals b be outputs, and let terms k with weights w_k >= 0 add to the logits, so that

    l_a - l_b  is at least  w_c J_b - sum over k != c of w_k N_kb,

where term c prefers a to each b by at least J_b, and every other term k prefers b to a by at most N_kb. If every J_b > 0 and
rho_k >= max(0, max_b N_kb / J_b), then **sum over k != c of rho_k w_k < w_c implies that a wins against every rival**.

*Proof.* N_kb <= rho_k J_b, so the difference is at least J_b (w_c - sum of rho_k w_k), a product of two positive numbers. The same
with several terms c that gain: their weights add up.

The condition is additive over terms, so the inputs that satisfy it can be counted: this is the additive certificate of Max-of-K,
where terms are positions, and Lemma D of induction, where they are keys. Raising a rho only shrinks the set.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from compact_proofs.enclosure import provably


@dataclass(frozen=True)
class Gains:
    """Lower bounds J of what the winning term gains on each rival.

    Attributes
    ----------
    inverse : [..., b]
        1 / J.
    least : [...]
        min_b J.
    """

    inverse: Tensor
    least: Tensor

    @classmethod
    def of(cls, gain: Tensor) -> Gains:
        """From J [..., b]: 2 for each entry."""
        return cls(1 / gain, gain.amin(-1))

    def valid(self) -> Tensor:
        """bool [...]: every J_b is provably positive. Where it is not, ratios mean nothing."""
        return provably(self.least > 0)

    def ratio(self, harm: Tensor, rows: Tensor | None = None) -> Tensor:
        """max_b N_b / J_b for upper bounds N [..., b] of harms, which may be below 0: 2 for each entry.

        Parameters
        ----------
        rows
            Where there are several harms for one gain: the row of `inverse` for each row of `harm`.
        """
        return (harm * (self.inverse if rows is None else self.inverse[rows])).amax(-1)

    def ratio_of_largest(self, harm: Tensor) -> Tensor:
        """max(0, max_b N_b) / min_b J_b, a coarser bound from the largest harm [...] alone: 2 for each entry."""
        return (harm / self.least).clamp(min=0)


def harm_ratio(harm: Tensor, gain: Tensor, least_gain: float = 0.0, floor: float = 0.0) -> tuple[Tensor, Tensor]:
    """rho of the theorem for each harm, and whether every gain is provably positive.

    Parameters
    ----------
    harm : [..., b]
        Upper bounds of N.
    gain : [..., b]
        Lower bounds of J; broadcast against `harm`.
    least_gain
        For training: gains below it are replaced, so that a loss stays finite. 0 in a proof.
    floor
        The least rho that is returned, at least 0; a positive one has a logarithm.

    Returns
    -------
    rho [...], bool [...]
        Cost: 1 for each entry of `gain` and 2 for each of `harm`.
    """
    gains = Gains(1 / (gain.clamp(min=least_gain) if least_gain else gain), gain.amin(-1))
    return gains.ratio(harm).clamp(min=floor), gains.valid()
