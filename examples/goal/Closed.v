(** The goal of max-of-4-seed-123 with gap=12, closed: each softmax is nearly all on the largest
    token, so that the lead is nearly what it would be there. *)

From Coq Require Import Reals Lra.
From Interval Require Import Tactic.
From Formalized Require Import Goal.
Open Scope R_scope.

(** Of two exponentials, one is a small part of the other. *)
Lemma below s r : s - r < -8 -> exp s < / 2000 * exp r.
Proof.
  intros Below. replace s with (s - r + r) by ring. rewrite exp_plus.
  apply Rmult_lt_compat_r; [apply exp_pos|].
  apply Rlt_trans with (exp (-8)); [now apply exp_increasing|interval].
Qed.

(** Small parts of what is at most 110 do not matter beside 3. *)
Lemma attended g r e a b c top ga gb gc :
  0 < r -> 0 < a < / 2000 * r -> 0 < b < / 2000 * r -> 0 < c < / 2000 * r ->
  e = r + a + b + c -> 3 < g + top ->
  -110 < ga - top -> -110 < gb - top -> -110 < gc - top ->
  0 < g + (r / e * top + a / e * ga + b / e * gb + c / e * gc).
Proof.
  intros R A B C E Sharp GA GB GC.
  replace (g + _) with
    ((e * (g + top) + a * (ga - top) + b * (gb - top) + c * (gc - top)) / e)
    by (rewrite E; field; lra).
  apply Rdiv_lt_0_compat; [|lra].
  assert (forall q d, 0 < q < / 2000 * r -> -110 < d -> - (110 / 2000) * r < q * d).
  { intros q d Q D. apply Rle_lt_trans with (q * -110); [lra|].
    apply Rmult_lt_compat_l; lra. }
  pose proof (H a _ A GA). pose proof (H b _ B GB). pose proof (H c _ C GC).
  assert (3 * r < e * (g + top)) by (apply Rlt_trans with (3 * e); [lra|];
    rewrite Rmult_comm; apply Rmult_lt_compat_l; lra).
  lra.
Qed.

Ltac close top r a b c ga gb gc :=
  match goal with |- 0 < ?g + _ => match goal with |- context [exp r / ?e] =>
    apply Rlt_le_trans with
      (g + (exp r / e * top + exp a / e * ga + exp b / e * gb + exp c / e * gc)); [|lra];
    apply attended; try (split; [apply exp_pos|apply below; lra]); try apply exp_pos; lra
  end end.

Theorem closed : goal.
Proof.
  repeat split; intros g0 s0 s1 s2 s3 g1 g2 g3 g4; intros.
  - close g1 s0 s1 s2 s3 g2 g3 g4.
  - close g2 s1 s0 s2 s3 g1 g3 g4.
  - close g3 s2 s0 s1 s3 g1 g2 g4.
  - close g4 s3 s0 s1 s2 g1 g2 g3.
Qed.
