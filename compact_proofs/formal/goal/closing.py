"""A proof of a goal by machine, where attention is sharp: each softmax is nearly all on one score.

Let q_i be the shares of a softmax, r the score that all others are below, and g_i the gains that the shares stand before. As the
shares add up to 1,

    sum_i q_i g_i = g_r + sum_(i != r) q_i (g_i - g_r),    0 < q_i < exp(s_i - s_r),

so the lead is at least what it would be if every softmax were wholly on r, which a fact of the goal bounds (`enclosing.facts_of`),
less the sum of exp(s_i - s_r) (g_r - g_i). The proof is written for Coq; it says so in `interval`, `field` and `lra`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from compact_proofs.formal.goal.enclosing import OVER, Fact, variable
from compact_proofs.formal.goal.goal_text import COQ, write
from compact_proofs.formal.goal.lead import Lead
from compact_proofs.formal.network.language import Scalar
from compact_proofs.formal.theorem import NAME

FINE = 10**7
"""Bounds of shares are whole numbers of these parts."""


@dataclass(frozen=True)
class _Term:
    """A share of a softmax times a gain: numbers of atoms, and the text of the denominator."""

    score: int
    gain: int
    total: str


@dataclass(frozen=True)
class _Small:
    """A share below k, times a difference of gains above -d; the score is below another by more than -c thousandths."""

    term: _Term
    top: _Term
    c: int
    k: Fraction
    d: Fraction


def margin(lead: Lead, facts: Sequence[Fact]) -> Fraction | None:
    """What is left of the lead after all that shares can take from it: the proof holds if that is positive.

    None if the lead is not a sum of atoms and of shares of softmaxes times atoms.
    """
    found = _read(lead, facts)
    if found is None:
        return None
    sharp, small = found
    return sharp - sum((s.k * s.d for s in small), Fraction(0))


def closing(lead: Lead, kinds: Sequence[Sequence[Fact]]) -> str | None:
    """The text of Closed.v, if every goal can be proved so."""
    lemmas = []
    for i, facts in enumerate(kinds):
        left, found = margin(lead, facts), _read(lead, facts)
        if left is None or found is None or left <= 0:
            return None
        lemmas.append(_lemma(i, lead, facts, found[1]))
    return f"""{_HEAD}
{chr(10).join(lemmas)}
Theorem closed : goal.
Proof. repeat split; [{" | ".join(f"exact closed_{i}" for i in range(len(kinds)))}]. Qed.
"""


BY_MACHINE = "(** The goal, proved by machine:"

_HEAD = f"""{BY_MACHINE} each softmax is nearly all on one score, so that the lead is nearly
    what it would be if it were wholly on that. *)

From Coq Require Import Reals Lra.
From Interval Require Import Tactic.
From {NAME} Require Import Goal.
Open Scope R_scope.

(** The share of a score that is below another. *)
Lemma share s r all c k : s - r < c -> exp c < k -> exp r < all -> 0 < exp s / all < k.
Proof.
  intros Below Small Less. pose proof (exp_pos s). pose proof (exp_pos r).
  split; [apply Rdiv_lt_0_compat; lra|]. apply Rmult_lt_reg_r with all; [lra|].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  replace s with (s - r + r) by ring. rewrite exp_plus.
  pose proof (exp_increasing _ _ Below). pose proof (exp_pos (s - r)).
  apply Rlt_trans with (k * exp r); [apply Rmult_lt_compat_r|apply Rmult_lt_compat_l]; lra.
Qed.

(** What it can take from the lead. *)
Lemma part q g k d : 0 < q < k -> - d < g -> 0 <= d -> - (k * d) <= q * g.
Proof.
  intros Q G D. apply Rle_trans with (q * - d).
  - apply Rle_trans with (- (q * d)); [|lra]. apply Ropp_le_contravar, Rmult_le_compat_r; lra.
  - apply Rmult_le_compat_l; lra.
Qed.
"""


def _lemma(i: int, lead: Lead, facts: Sequence[Fact], small: Sequence[_Small]) -> str:
    """One goal. Each denominator is written as in the goal."""
    names = lead.names
    hypotheses = " ".join(f"H{k}" for k in range(len(facts)))
    scores = sorted({x for s in small for x in (s.term.score, s.top.score)})
    positive = "\n".join(f"  pose proof (exp_pos {names[x]})." for x in scores)
    shares = [
        f"  pose proof (share {names[s.term.score]} {names[s.top.score]} ({s.term.total}) ({s.c} / {OVER}) ({_number(s.k)})\n"
        f"    ltac:(lra) ltac:(interval) ltac:(lra)) as Q{k}."
        for k, s in enumerate(small)
    ]
    tops = {s.top: [t for t in small if t.top == s.top] for s in small}
    whole = []
    for top, others in tops.items():
        rest = " - ".join(f"exp {names[t.term.score]} / ({top.total})" for t in others)
        whole.append(f"  replace (exp {names[top.score]} / ({top.total})) with (1 - {rest}) by (field; lra).")
    parts = [
        f"  pose proof (part _ ({names[s.term.gain]} - {names[s.top.gain]}) _ ({_number(s.d)}) Q{k} ltac:(lra) ltac:(lra))."
        for k, s in enumerate(small)
    ]
    named = [f"  set (q{k} := exp {names[s.term.score]} / ({s.term.total})) in *; clearbody q{k}." for k, s in enumerate(small)]
    steps = "\n".join([*shares, *whole, *parts, *named])
    return f"""Lemma closed_{i} : goal_{i}.
Proof.
  intros {" ".join(names)} {hypotheses}.
{positive}
{steps}
  lra.
Qed.
"""


def _number(x: Fraction) -> str:
    return f"{x.numerator} / {x.denominator}"


def _read(lead: Lead, facts: Sequence[Fact]) -> tuple[Fraction, list[_Small]] | None:
    """The least lead if all attention were on the highest scores, and what shares of others can take from it."""
    found: tuple[list[int], list[_Term]] = ([], [])
    if not _terms(lead, lead.body, *found):
        return None
    plain, terms = found
    below = {(variable(a), variable(b)): f.high for f in facts if f.form.head == "Minus" for a, b in [tuple(f.form.parts())]}
    gains = {variable(f.form): f for f in facts if f.form.head == "Read"}
    tops = {t for t in terms if any((s.score, t.score) in below for s in terms)}
    small = []
    for term in terms:
        if term in tops:
            continue
        (top,) = (t for t in tops if t.total == term.total) if any(t.total == term.total for t in tops) else (None,)
        if top is None or (term.score, top.score) not in below or not {term.gain, top.gain} <= gains.keys():
            return None
        c = below[term.score, top.score]
        k = Fraction(math.floor(math.exp(min(c / OVER, 1.0)) * 1.000001 * FINE) + 1, FINE)
        d = Fraction(max(gains[top.gain].high - gains[term.gain].low, 0), OVER)
        small.append(_Small(term, top, c, k, d))
    wanted = sorted([*plain, *(t.gain for t in tops)])
    sharp = [f.low for f in facts if sorted(_sum(f.form) or []) == wanted]
    return (Fraction(max(sharp), OVER), small) if sharp else None


def _terms(lead: Lead, e: Scalar, plain: list[int], terms: list[_Term]) -> bool:
    if e.head == "Plus":
        return all(_terms(lead, part, plain, terms) for part in e.parts())
    if e.head == "Read":
        plain.append(variable(e))
        return True
    if e.head == "Times":
        share, gain = e.parts()
        if share.head == "Over" and gain.head == "Read":
            top, total = share.parts()
            inner = next(top.parts()) if top.head == "Exp" else None
            if inner is not None and inner.head == "Read":
                terms.append(_Term(variable(inner), variable(gain), write(total, lead.names, COQ)))
                return True
    return False


def _sum(e: Scalar) -> list[int] | None:
    """The atoms whose sum it is."""
    if e.head == "Read":
        return [variable(e)]
    if e.head != "Plus":
        return None
    parts = [_sum(part) for part in e.parts()]
    return None if None in parts else [x for part in parts for x in part or []]
