(** * Cauchy and Schwarz, for finite sums *)

From Coq Require Import Reals List Lra.
From CompactProofs Require Import Sums.
Open Scope R_scope.

Lemma cauchy_step A B C a b :
  0 <= A -> 0 <= B -> C * C <= A * B -> (C + a * b) * (C + a * b) <= (A + a * a) * (B + b * b).
Proof.
  intros Pos_A Pos_B Bound.
  enough (Cross : 2 * C * (a * b) <= A * (b * b) + B * (a * a)) by nra.
  set (p := A * (b * b)). set (q := B * (a * a)).
  assert (0 <= p) by (apply Rmult_le_pos; [assumption|apply Rle_0_sqr]).
  assert (0 <= q) by (apply Rmult_le_pos; [assumption|apply Rle_0_sqr]).
  apply Rsqr_incr_0_var; [|lra]. apply (Rle_trans _ (4 * (p * q))).
  - replace (4 * (p * q)) with (4 * ((A * B) * Rsqr (a * b))) by (unfold p, q, Rsqr; ring).
    replace (Rsqr (2 * C * (a * b))) with (4 * ((C * C) * Rsqr (a * b))) by (unfold Rsqr; ring).
    apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_r; [apply Rle_0_sqr|exact Bound].
  - pose proof (Rle_0_sqr (p - q)) as Square. unfold Rsqr in *. lra.
Qed.

Lemma cauchy_schwarz {X} (l : list X) f g :
  sum_over l (fun a => f a * g a) * sum_over l (fun a => f a * g a) <=
  sum_over l (fun a => f a * f a) * sum_over l (fun a => g a * g a).
Proof.
  induction l as [|a l IH]; [unfold sum_over; cbn; lra|]. rewrite !sum_over_cons.
  assert (forall h : X -> R, 0 <= sum_over l (fun a => h a * h a))
    by (intros h; apply sum_over_nonneg; intros; apply Rle_0_sqr).
  rewrite !(Rplus_comm (_ a * _ a)). now apply cauchy_step.
Qed.

(** The absolute value of a sum of products is at most the product of two norms. *)
Corollary product_of_norms {X} (l : list X) f g :
  Rabs (sum_over l (fun a => f a * g a)) <=
  sqrt (sum_over l (fun a => f a * f a)) * sqrt (sum_over l (fun a => g a * g a)).
Proof.
  rewrite <- sqrt_mult by (apply sum_over_nonneg; intros; apply Rle_0_sqr).
  rewrite <- sqrt_Rsqr_abs. apply sqrt_le_1_alt. exact (cauchy_schwarz l f g).
Qed.
