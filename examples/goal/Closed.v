(** The goal of finite-max-2-heads with gap=10, closed: each head attends nearly wholly to the
    largest token, so that the lead is nearly what it would be if it did. *)

From Coq Require Import Reals Lra.
From Interval Require Import Tactic.
From Formalized Require Import Goal.
Open Scope R_scope.

(** A score that is lower by 5 has an exponential that is smaller by a factor of 140. *)
Lemma below s r : s - r < -5 -> 0 < exp s < / 140 * exp r.
Proof.
  intros Below. split; [apply exp_pos|].
  replace s with (s - r + r) by ring. rewrite exp_plus.
  apply Rmult_lt_compat_r; [apply exp_pos|].
  apply Rlt_trans with (exp (-5)); [now apply exp_increasing|interval].
Qed.

(** One head: the gain at the attended token, less three parts of 1 / 140 of 140. *)
Lemma head r a b c top ga gb gc :
  0 < r -> 0 < a < / 140 * r -> 0 < b < / 140 * r -> 0 < c < / 140 * r ->
  -140 < ga - top -> -140 < gb - top -> -140 < gc - top ->
  top - 3 < r / (r + a + b + c) * top + a / (r + a + b + c) * ga + b / (r + a + b + c) * gb
            + c / (r + a + b + c) * gc.
Proof.
  intros R A B C GA GB GC. apply Rminus_gt_0_lt. unfold Rgt.
  replace (_ - (top - 3)) with
    ((3 * (r + a + b + c) + a * (ga - top) + b * (gb - top) + c * (gc - top)) / (r + a + b + c))
    by (field; lra).
  apply Rdiv_lt_0_compat; [|lra].
  assert (Part : forall q d, 0 < q < / 140 * r -> -140 < d -> - r < q * d).
  { intros q d Q D. apply Rle_lt_trans with (q * -140); [lra|].
    apply Rmult_lt_compat_l; lra. }
  pose proof (Part a _ A GA). pose proof (Part b _ B GB). pose proof (Part c _ C GC). lra.
Qed.

(** The two heads attend to the first of their four tokens; the others follow. *)
Ltac close r a b c r' a' b' c' top ga gb gc top' ga' gb' gc' :=
  pose proof (head (exp r) (exp a) (exp b) (exp c) top ga gb gc (exp_pos r)
    (below a r ltac:(lra)) (below b r ltac:(lra)) (below c r ltac:(lra))
    ltac:(lra) ltac:(lra) ltac:(lra));
  pose proof (head (exp r') (exp a') (exp b') (exp c') top' ga' gb' gc' (exp_pos r')
    (below a' r' ltac:(lra)) (below b' r' ltac:(lra)) (below c' r' ltac:(lra))
    ltac:(lra) ltac:(lra) ltac:(lra));
  match goal with |- context [exp r / ?all] =>
    replace all with (exp r + exp a + exp b + exp c) by ring end;
  match goal with |- context [exp r' / ?all] =>
    replace all with (exp r' + exp a' + exp b' + exp c') by ring end;
  lra.

Theorem closed : goal.
Proof.
  repeat split; intros g0 s0 s1 s2 s3 g1 g2 g3 g4 s4 s5 s6 s7 g5 g6 g7 g8; intros.
  - close s0 s1 s2 s3 s4 s5 s6 s7 g1 g2 g3 g4 g5 g6 g7 g8.
  - close s1 s0 s2 s3 s5 s4 s6 s7 g2 g1 g3 g4 g6 g5 g7 g8.
  - close s2 s0 s1 s3 s6 s4 s5 s7 g3 g1 g2 g4 g7 g5 g6 g8.
  - close s3 s0 s1 s2 s7 s4 s5 s6 g4 g1 g2 g3 g8 g5 g6 g7.
Qed.
