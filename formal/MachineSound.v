(** * The evaluator's arithmetic on the processor's numbers is sound *)

From Coq Require Import Uint63 Ring63 PrimFloat Floats ZArith Reals List Lia Lra Bool.
From Flocq Require Import Core.Core.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval
  Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Network Arrays ErfEnclosure Arithmetic Processor Bounds
  ProcessorSound MatrixSound Machine.
Open Scope R_scope.

(** ** Products *)

Lemma scale_sound u x f g : is u f -> contains x g -> contains (scale_interval u x) (f * g).
Proof.
  intros Is In. destruct x as [|a b]; [exact I|]. apply contains_bnd in In.
  destruct In as [Lower Upper]. cbn [scale_interval]. pose proof (sign_real _ _ Is) as Sign.
  destruct (0 <=? u)%float; apply contains_bnd; split.
  - now apply (lower_product u a).
  - now apply (upper_product u b).
  - now apply (lower_product_neg u b).
  - now apply (upper_product_neg u a).
Qed.

Lemma multiply_sound u v f g : is u f -> is v g -> contains (multiply_floats u v) (f * g).
Proof.
  intros IsU IsV. destruct (exact_bounds v g IsV) as [Lower Upper]. apply contains_bnd.
  pose proof (sign_real _ _ IsU) as Sign. destruct (0 <=? u)%float; split.
  - now apply (lower_product u v).
  - now apply (upper_product u v).
  - now apply (lower_product_neg u v).
  - now apply (upper_product_neg u v).
Qed.

(** ** Sums *)

Lemma total_from_sound n f si sj : forall i j l h s g,
  (forall k, (k < n)%nat -> contains (f (i + int_of k * si) (j + int_of k * sj))%uint63 (g k)) ->
  contains (Float.Ibnd l h) s ->
  contains (total_from n f i si j sj l h) (s + sum n g).
Proof.
  induction n as [|n IH]; intros i j l h s g Terms Start.
  - cbn. unfold sum. cbn. now rewrite Rplus_0_r.
  - cbn [total_from]. pose proof (Terms 0%nat ltac:(lia)) as First. rewrite !stride_0 in First.
    rewrite sum_first, <- Rplus_assoc. destruct (f i j) as [|a b]; [exact I|].
    apply (IH _ _ _ _ _ (fun k => g (S k))).
    + intros k Before. rewrite <- !stride_S. apply Terms. lia.
    + apply contains_bnd in First. apply contains_bnd in Start. apply contains_bnd. split.
      * now apply (lower_sum l a).
      * now apply (upper_sum h b).
Qed.

(** ** Exact numbers *)

Lemma strip_spec p : let (q, k) := strip p in Zpos p = (Zpos q * 2 ^ Z.of_nat k)%Z.
Proof.
  induction p as [p IH|p IH|]; cbn [strip]; [now rewrite Z.mul_1_r| |reflexivity].
  destruct (strip p) as [q k].
  rewrite Pos2Z.inj_xO, IH, Nat2Z.inj_succ, Z.pow_succ_r by lia. ring.
Qed.

(** The number with significand q 2^d and exponent k - n - d is p / 2^n. *)
Lemma normalized s p q k n d : Zpos p = (Zpos q * 2 ^ Z.of_nat k)%Z -> (0 <= d)%Z ->
  @FtoX radix2 (Basic.Float s (Z.to_pos (Z.shiftl (Zpos q) d)) (Z.of_nat k - Z.of_nat n - d)) =
  Xreal (IZR (if s then Zneg p else Zpos p) / 2 ^ n).
Proof.
  intros Split NonNeg. cbn [FtoX]. f_equal. rewrite FtoR_split. unfold F2R. cbn [Fnum Fexp].
  rewrite Z.shiftl_mul_pow2 by exact NonNeg.
  rewrite Z2Pos.id by (apply Z.mul_pos_pos; [reflexivity|now apply Z.pow_pos_nonneg]).
  replace (cond_Zopp s (Zpos q * 2 ^ d)) with (cond_Zopp s (Zpos q) * 2 ^ d)%Z
    by (destruct s; cbn [cond_Zopp]; ring).
  replace (if s then Zneg p else Zpos p) with (cond_Zopp s (Zpos q) * 2 ^ Z.of_nat k)%Z
    by (destruct s; cbn [cond_Zopp]; rewrite <- ?Pos2Z.opp_pos, Split; ring).
  rewrite !mult_IZR. change (2 ^ d)%Z with (Zpower radix2 d).
  change (2 ^ Z.of_nat k)%Z with (Zpower radix2 (Z.of_nat k)).
  rewrite !IZR_Zpower by lia. rewrite Rmult_assoc, <- bpow_plus.
  replace (d + (Z.of_nat k - Z.of_nat n - d))%Z with (Z.of_nat k + - Z.of_nat n)%Z by ring.
  rewrite bpow_plus, bpow_opp. unfold Rdiv. rewrite Rmult_assoc. do 3 f_equal.
  rewrite <- IZR_Zpower by lia. rewrite <- pow_IZR. reflexivity.
Qed.

Lemma signed_float_sound s p n w :
  signed_float s p n = Some w -> is w (IZR (if s then Zneg p else Zpos p) / 2 ^ n).
Proof.
  unfold signed_float, is. pose proof (strip_spec p) as Split. destruct (strip p) as [q k].
  set (d := (53 - _)%Z). destruct (Z.leb_spec 0 d) as [NonNeg|]; [|discriminate]. cbn [andb].
  set (f := S754_finite _ _ _).
  destruct (SpecFloat.valid_binary FloatOps.prec emax f) eqn:Valid; [|discriminate]. intros Some_w.
  apply (f_equal (fun o => match o with Some y => y | None => w end)) in Some_w.
  cbv beta iota in Some_w. rewrite <- Some_w. unfold F.toX, F.toF.
  rewrite Prim2SF_SF2Prim by exact Valid. exact (normalized s p q k n d Split NonNeg).
Qed.

Lemma exact_float_sound z n w : exact_float z n = Some w -> is w (IZR z / 2 ^ n).
Proof.
  destruct z as [|p|p]; cbn [exact_float].
  - intros Some_w. injection Some_w as <-. unfold is. rewrite toX_0. f_equal. unfold Rdiv. ring.
  - apply signed_float_sound.
  - apply signed_float_sound.
Qed.

(** ** ReLU *)

Lemma relu_sound a x : contains a x -> contains (relu_interval a) (Rmax 0 x).
Proof.
  destruct a as [|l h]; [trivial|]. intros In. cbn [relu_interval]. pose proof In as Bounds.
  apply contains_bnd in Bounds. destruct Bounds as [[ValidL L] [ValidH H]].
  destruct (0 <=? l)%float eqn:NonNeg.
  - destruct (real_non_neg l NonNeg ValidL) as [r [Is Pos]]. unfold above in L. rewrite Is in L.
    rewrite Rmax_right by lra. exact In.
  - destruct (h <? 0)%float eqn:Neg.
    + destruct (real_neg h Neg ValidH) as [r [Is Negative]]. unfold below in H. rewrite Is in H.
      rewrite Rmax_left by lra. exact contains_0.
    + apply contains_bnd. split.
      * split; [reflexivity|]. unfold above. rewrite toX_0. apply Rmax_l.
      * split; [exact ValidH|]. unfold below in *. destruct (F.toX h) as [|r] eqn:Is; [exact I|].
        apply Rmax_lub; [|exact H]. rewrite ltb_cmp, (cmp_real h 0 r 0 Is toX_0) in Neg. cbn in Neg.
        destruct (Rcompare_spec r 0); try discriminate; lra.
Qed.

(** What is as in [hardware] is sound as it is. *)
Theorem machine_sound : sound machine is contains.
Proof.
  pose proof hardware_sound as Sd. destruct Sd. constructor; try assumption.
  - apply exact_float_sound.
  - apply exact_contained.
  - apply scale_sound.
  - apply multiply_sound.
  - apply relu_sound.
  - exact (erf_enclosure_sound hardware_sound).
  - cbn. intros. rewrite <- (Rplus_0_l (sum n _)). apply total_from_sound; [assumption|].
    exact contains_0.
  - exact multiply_row_sound.
Qed.
