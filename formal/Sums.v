(** Finite sums of real numbers. *)

From Coq Require Import Reals List Permutation Lia Lra.
From CompactProofs Require Import Statement.
Import ListNotations.
Open Scope R_scope.

(** [sum n f] is [sum_over (seq 0 n) f]. *)
Definition sum_over {A} (l : list A) (f : A -> R) : R := fold_right Rplus 0 (map f l).

Lemma sum_over_cons {A} a (l : list A) f : sum_over (a :: l) f = f a + sum_over l f.
Proof. reflexivity. Qed.

Lemma sum_over_app {A} (l l' : list A) f : sum_over (l ++ l') f = sum_over l f + sum_over l' f.
Proof. induction l as [|a l IH]; [symmetry; apply Rplus_0_l|]. cbn [app]. rewrite !sum_over_cons, IH. ring. Qed.

Lemma sum_over_ext {A} (l : list A) f g : (forall a, In a l -> f a = g a) -> sum_over l f = sum_over l g.
Proof.
  induction l as [|a l IH]; intros H; [reflexivity|]. rewrite !sum_over_cons, H by now left.
  rewrite IH; [reflexivity|]. intros; apply H; now right.
Qed.

Lemma sum_over_plus {A} (l : list A) f g : sum_over l (fun a => f a + g a) = sum_over l f + sum_over l g.
Proof. induction l as [|a l IH]; [unfold sum_over; cbn; ring|]. rewrite !sum_over_cons, IH. ring. Qed.

Lemma sum_over_times {A} c (l : list A) f : sum_over l (fun a => c * f a) = c * sum_over l f.
Proof. induction l as [|a l IH]; [unfold sum_over; cbn; ring|]. rewrite !sum_over_cons, IH. ring. Qed.

Lemma sum_over_zero {A} (l : list A) : sum_over l (fun _ => 0) = 0.
Proof. induction l as [|a l IH]; [reflexivity|]. rewrite sum_over_cons, IH. ring. Qed.

Lemma sum_over_swap {A B} (l : list A) (l' : list B) f :
  sum_over l (fun a => sum_over l' (f a)) = sum_over l' (fun b => sum_over l (fun a => f a b)).
Proof.
  induction l as [|a l IH].
  - symmetry. apply sum_over_zero.
  - rewrite sum_over_cons, IH, <- sum_over_plus. reflexivity.
Qed.

Lemma sum_over_map {A B} (g : A -> B) l f : sum_over (map g l) f = sum_over l (fun a => f (g a)).
Proof. unfold sum_over. now rewrite map_map. Qed.

Lemma sum_over_minus {X} (l : list X) f g :
  sum_over l (fun a => f a - g a) = sum_over l f - sum_over l g.
Proof.
  induction l as [|a l IH]; [unfold sum_over; cbn; ring|]. rewrite !sum_over_cons, IH. ring.
Qed.

Lemma sum_over_times_r {X} c (l : list X) f : sum_over l (fun a => f a * c) = sum_over l f * c.
Proof. rewrite Rmult_comm, <- sum_over_times. apply sum_over_ext. intros. ring. Qed.

Lemma sum_over_nonneg {X} (l : list X) f : (forall a, 0 <= f a) -> 0 <= sum_over l f.
Proof.
  intros Each. induction l as [|a l IH]; [unfold sum_over; cbn; lra|].
  rewrite sum_over_cons. specialize (Each a). lra.
Qed.

Lemma sum_over_permutation {X} (l l' : list X) f :
  Permutation l l' -> sum_over l f = sum_over l' f.
Proof.
  intros Same. induction Same as [|a l l' Same IH|a b l|l l' l'' Same IH Same' IH'].
  - reflexivity.
  - rewrite !sum_over_cons. now rewrite IH.
  - rewrite !sum_over_cons. ring.
  - now rewrite IH.
Qed.

Lemma sum_over_flat_map {X Y} (F : X -> list Y) (xs : list X) f :
  sum_over (flat_map F xs) f = sum_over xs (fun a => sum_over (F a) f).
Proof.
  induction xs as [|a xs IH]; [reflexivity|]. cbn [flat_map].
  now rewrite sum_over_app, sum_over_cons, IH.
Qed.

Lemma sum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> sum n f = sum n g.
Proof. intros H. apply sum_over_ext. intros i Hi. apply in_seq in Hi. apply H. lia. Qed.

Lemma sum_plus n f g : sum n (fun i => f i + g i) = sum n f + sum n g.
Proof. apply sum_over_plus. Qed.

Lemma sum_times n c f : sum n (fun i => c * f i) = c * sum n f.
Proof. apply sum_over_times. Qed.

Lemma sum_times_r n c f : sum n (fun i => f i * c) = sum n f * c.
Proof. rewrite Rmult_comm, <- sum_times. apply sum_ext. intros; ring. Qed.

Lemma sum_minus n f g : sum n (fun i => f i - g i) = sum n f - sum n g.
Proof.
  replace (sum n f - sum n g) with (sum n f + -1 * sum n g) by ring. rewrite <- sum_times, <- sum_plus.
  apply sum_ext. intros; ring.
Qed.

Lemma sum_swap n m f : sum n (fun i => sum m (f i)) = sum m (fun j => sum n (fun i => f i j)).
Proof. apply sum_over_swap. Qed.

Lemma sum_S n f : sum (S n) f = f 0%nat + sum n (fun i => f (S i)).
Proof. unfold sum. cbn [seq map fold_right]. now rewrite <- seq_shift, map_map. Qed.

Lemma sum_last n f : sum (S n) f = sum n f + f n.
Proof.
  change (sum_over (seq 0 (S n)) f = sum_over (seq 0 n) f + f n). rewrite seq_S, sum_over_app. f_equal. apply Rplus_0_r.
Qed.

Lemma sum_pos n f : (forall i, 0 < f i) -> (0 < n)%nat -> 0 < sum n f.
Proof.
  destruct n as [|n]; [lia|]. intros H _. revert f H. induction n as [|n IH]; intros f H; rewrite sum_S.
  - cbn. specialize (H 0%nat). lra.
  - specialize (IH (fun i => f (S i)) (fun i => H (S i))). specialize (H 0%nat). lra.
Qed.
