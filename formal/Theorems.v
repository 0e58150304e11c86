(** * From a successful check to a theorem about accuracy

    The last step, for each checker and each arithmetic. A theorem's file applies, say, [additive_hardware] to the weights, the
    hints, a number N, and the computation that [check_additive hardware params hints group_of N] is [true]. *)

From Coq Require Import Reals ZArith List Bool Lia.
From CompactProofs Require Import Statement Counting Enclosure Paths Exhaustive Prefix Additive AdditiveSound
  Positions PositionsSound Instances Processor ProcessorSound.
From CompactProofs Require Bounds.

Section Checks.
  Variable A : enclosures.
  Variable M : transformer.

  (** What the checkers count; 0 for a model without tokens, or without a token before the last where the checker needs one. *)
  Definition counted (least_context : nat) (n : Z) : Z :=
    if ((0 <? d_vocab M) && (least_context <=? n_ctx M))%nat then n else 0%Z.
  Definition count_exhaustive : Z := counted 1 (exhaustive_count M (path_tables (A := A) M)).
  Definition count_prefix (hint : list (list nat)) : Z := counted 1 (prefix_count M (path_tables (A := A) M) hint).
  Definition count_additive (o : options) (group_of : list nat) : Z :=
    counted 2 (additive_count M o (path_tables (A := A) M) group_of).
  Definition count_positions (o : options) (most : Z) : Z :=
    counted 2 (positions_count M o most (path_tables (A := A) M)).

  (** Are the weights shaped, and do the hints prove at least N right answers? *)
  Definition check (n N : Z) : bool := shaped M && (N <=? n)%Z.
  Definition check_exhaustive (N : Z) : bool := check count_exhaustive N.
  Definition check_prefix hint (N : Z) : bool := check (count_prefix hint) N.
  Definition check_additive o group_of (N : Z) : bool := check (count_additive o group_of) N.
  Definition check_positions o most (N : Z) : bool := check (count_positions o most) N.

  Variable contains : T A -> R -> Prop.
  Hypothesis Sd : sound A contains.

  Definition bound (N : Z) : Prop :=
    shaped M = true /\ (accuracy M max_of_k >= IZR N / IZR (Z.of_nat (d_vocab M)) ^ n_ctx M)%R.

  Lemma accuracy_nonneg : (accuracy M max_of_k >= 0)%R.
  Proof.
    unfold accuracy. cbv zeta. set (k := length (filter _ _)). destruct (sequences_spec (d_vocab M) (n_ctx M)) as [_ [-> _]].
    rewrite pow_INR. destruct (Req_dec (INR (d_vocab M) ^ n_ctx M) 0) as [E|E].
    - rewrite E. unfold Rdiv. rewrite Rinv_0, Rmult_0_r. apply Rle_refl.
    - apply Rle_ge, Rmult_le_pos; [apply pos_INR|]. apply Rlt_le, Rinv_0_lt_compat.
      destruct (pow_le (INR (d_vocab M)) (n_ctx M) (pos_INR _)) as [L|L]; [exact L|now rewrite <- L in E].
  Qed.

  Lemma bound_of_count least_context n N : check (counted least_context n) N = true ->
    ((least_context <= n_ctx M)%nat -> (n <= number_right M max_of_k)%Z) -> bound N.
  Proof.
    intros H Hn. unfold check in H. apply andb_true_iff in H. destruct H as [Shaped H]. split; [exact Shaped|].
    apply Z.leb_le in H. unfold counted in H.
    destruct (((0 <? d_vocab M) && (least_context <=? n_ctx M))%nat) eqn:E.
    - apply andb_true_iff in E. destruct E as [Hv Hc]. apply Nat.ltb_lt in Hv. apply Nat.leb_le in Hc.
      apply accuracy_of_count; [exact Hv|]. apply (Z.le_trans _ _ _ H), Hn, Hc.
    - apply (Rge_trans _ 0); [apply accuracy_nonneg|]. apply Rle_ge. unfold Rdiv.
      destruct (Req_dec (IZR (Z.of_nat (d_vocab M)) ^ n_ctx M) 0) as [Z0|Z0]; [rewrite Z0, Rinv_0, Rmult_0_r; apply Rle_refl|].
      rewrite <- (Rmult_0_l (/ IZR (Z.of_nat (d_vocab M)) ^ n_ctx M)). apply Rmult_le_compat_r; [|now apply IZR_le].
      assert (P : (0 <= IZR (Z.of_nat (d_vocab M)) ^ n_ctx M)%R) by (apply pow_le, IZR_le; lia).
      destruct P as [P|P]; [now apply Rlt_le, Rinv_0_lt_compat|now rewrite <- P in Z0].
  Qed.

  Theorem exhaustive_bound N : check_exhaustive N = true -> bound N.
  Proof.
    intros H. apply (bound_of_count _ _ N H). intros Hc. exact (exhaustive_count_sound Sd M (path_tables M) (path_tables_sound M Sd) Hc).
  Qed.

  Theorem prefix_bound hint N : check_prefix hint N = true -> bound N.
  Proof.
    intros H. apply (bound_of_count _ _ N H). intros Hc. exact (prefix_count_sound Sd M (path_tables M) (path_tables_sound M Sd) Hc hint).
  Qed.

  Theorem additive_bound o group_of N : check_additive o group_of N = true -> bound N.
  Proof.
    intros H. apply (bound_of_count _ _ N H). intros Hc. exact (additive_count_sound Sd M o (path_tables M) (path_tables_sound M Sd) Hc group_of).
  Qed.

  Theorem positions_bound o most N : check_positions o most N = true -> bound N.
  Proof.
    intros H. apply (bound_of_count _ _ N H). intros Hc. exact (positions_count_sound Sd M o most (path_tables M) (path_tables_sound M Sd) Hc).
  Qed.
End Checks.

(** ** The processor's numbers *)
Definition exhaustive_hardware M := exhaustive_bound hardware M Bounds.contains hardware_sound.
Definition prefix_hardware M := prefix_bound hardware M Bounds.contains hardware_sound.
Definition additive_hardware M := additive_bound hardware M Bounds.contains hardware_sound.
Definition positions_hardware M := positions_bound hardware M Bounds.contains hardware_sound.

(** ** Coq's numbers on machine integers *)
Definition exhaustive_software M := exhaustive_bound software M Software.contains (Software.sound (BigFloat.PtoP 53)).
Definition prefix_software M := prefix_bound software M Software.contains (Software.sound (BigFloat.PtoP 53)).
Definition additive_software M := additive_bound software M Software.contains (Software.sound (BigFloat.PtoP 53)).
Definition positions_software M := positions_bound software M Software.contains (Software.sound (BigFloat.PtoP 53)).

(** ** Coq's numbers on its own integers *)
Definition exhaustive_pure M := exhaustive_bound pure M Pure.contains (Pure.sound (ZFloat.PtoP 53)).
Definition prefix_pure M := prefix_bound pure M Pure.contains (Pure.sound (ZFloat.PtoP 53)).
Definition additive_pure M := additive_bound pure M Pure.contains (Pure.sound (ZFloat.PtoP 53)).
Definition positions_pure M := positions_bound pure M Pure.contains (Pure.sound (ZFloat.PtoP 53)).
