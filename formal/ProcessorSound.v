(** * Enclosures on the processor's numbers are sound *)

From Coq Require Import PrimFloat Floats ZArith Reals Lia Lra Bool.
From Flocq Require Import Core.Core.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval
  Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Enclosure Processor Bounds.
From CompactProofs Require Instances.
Open Scope R_scope.

Notation plain_sound := (Instances.Hardware.sound prec).

(** ** Products *)

(** Of x between 0 <= p and q, a product is at least p or q times y, by the sign of y. *)
Lemma mul_non_neg_sound a b c d f g : (0 <=? a)%float = true -> (b <? infinity)%float = true ->
  contains (Float.Ibnd a b) f -> contains (Float.Ibnd c d) g ->
  contains (mul_non_neg a b c d) (f * g).
Proof.
  intros NonNeg Below InX InY. unfold mul_non_neg.
  apply contains_bnd in InX. destruct InX as [[ValidA A] [ValidB B]].
  destruct (real_non_neg a NonNeg ValidA) as [p [IsA Pos]].
  destruct (real_finite b Below ValidB) as [q IsB].
  unfold above in A. unfold below in B. rewrite IsA in A. rewrite IsB in B.
  destruct (b <=? 0)%float eqn:Zero.
  { rewrite leb_cmp, (cmp_real b 0 q 0 IsB toX_0) in Zero. cbn in Zero.
    replace (f * g) with 0; [exact contains_0|].
    assert (Le : q <= 0) by (destruct (Rcompare_spec q 0); try discriminate; lra).
    replace f with 0 by lra. ring. }
  apply contains_bnd in InY. destruct InY as [[ValidC C] [ValidD D]]. apply contains_bnd. split.
  - destruct (0 <=? c)%float eqn:Sign.
    + destruct (real_non_neg c Sign ValidC) as [r [IsC PosC]].
      apply (lower_weaker _ (p * g)); [now apply (lower_product a c)|].
      unfold above in C. rewrite IsC in C. nra.
    + apply (lower_weaker _ (q * Rmin g 0)).
      * apply (lower_product b c); [exact IsB|lra|]. split; [exact ValidC|]. unfold above in *.
        destruct (F.toX c) as [|r] eqn:IsC; [exact I|]. pose proof (sign_real c r IsC) as SignC.
        rewrite Sign in SignC. now apply Rmin_glb.
      * unfold Rmin. destruct (Rle_dec g 0); nra.
  - destruct (d <? 0)%float eqn:Sign.
    + destruct (real_neg d Sign ValidD) as [r [IsD NegD]].
      apply (upper_weaker _ (p * g)); [now apply (upper_product a d)|].
      unfold below in D. rewrite IsD in D. nra.
    + apply (upper_weaker _ (q * Rmax g 0)).
      * apply (upper_product b d); [exact IsB|lra|]. split; [exact ValidD|]. unfold below in *.
        destruct (F.toX d) as [|r] eqn:IsD; [exact I|].
        rewrite ltb_cmp, (cmp_real d 0 r 0 IsD toX_0) in Sign. cbn in Sign.
        apply Rmax_lub; [exact D|]. destruct (Rcompare_spec r 0); try discriminate; lra.
      * unfold Rmax. destruct (Rle_dec g 0); nra.
Qed.

Lemma mul_interval_sound x y f g :
  contains x f -> contains y g -> contains (mul_interval x y) (f * g).
Proof.
  destruct x as [|a b]; [trivial|]. destruct y as [|c d]; [trivial|]. intros InX InY.
  assert (Slow : contains (I.mul prec (Float.Ibnd a b) (Float.Ibnd c d)) (f * g))
    by now apply (sound_mul _ _ plain_sound).
  cbn [mul_interval]. destruct (0 <=? a)%float eqn:NonNegX.
  - destruct (b <? infinity)%float eqn:Finite; [now apply mul_non_neg_sound|exact Slow].
  - destruct (0 <=? c)%float eqn:NonNegY; [|exact Slow].
    destruct (d <? infinity)%float eqn:Finite; [|exact Slow].
    rewrite Rmult_comm. now apply mul_non_neg_sound.
Qed.

(** ** Sums, hulls, comparisons *)

Lemma add_interval_sound x y f g :
  contains x f -> contains y g -> contains (add_interval x y) (f + g).
Proof.
  destruct x as [|a b]; [trivial|]. destruct y as [|c d]; [trivial|]. intros InX InY.
  apply contains_bnd in InX, InY. apply contains_bnd. split.
  - now apply (lower_sum a c).
  - now apply (upper_sum b d).
Qed.

Lemma sub_interval_sound x y f g :
  contains x f -> contains y g -> contains (sub_interval x y) (f - g).
Proof.
  destruct x as [|a b]; [trivial|]. destruct y as [|c d]; [trivial|]. intros InX InY.
  apply contains_bnd in InX, InY. apply contains_bnd. split.
  - now apply (lower_difference a d).
  - now apply (upper_difference b c).
Qed.

Lemma lower_nan x : lower nan x.
Proof. split; reflexivity. Qed.

Lemma upper_nan x : upper nan x.
Proof. split; reflexivity. Qed.

Lemma join_interval_sound x y f : contains x f \/ contains y f -> contains (join_interval x y) f.
Proof.
  intros In. destruct x as [|a b]; [exact I|]. destruct y as [|c d]; [exact I|].
  apply contains_bnd. rewrite !contains_bnd in In. split.
  - destruct (a <=? c)%float eqn:Le; [|destruct (c <=? a)%float eqn:Ge; [|apply lower_nan]].
    + destruct In as [[In _]|[In _]]; [exact In|now apply (leb_lower a c)].
    + destruct In as [[In _]|[In _]]; [now apply (leb_lower c a)|exact In].
  - destruct (d <=? b)%float eqn:Le; [|destruct (b <=? d)%float eqn:Ge; [|apply upper_nan]].
    + destruct In as [[_ In]|[_ In]]; [exact In|now apply (leb_upper b d)].
    + destruct In as [[_ In]|[_ In]]; [now apply (leb_upper d b)|exact In].
Qed.

Lemma less_interval_sound x y f g :
  less_interval x y = true -> contains x f -> contains y g -> f < g.
Proof.
  destruct x as [|a b]; [discriminate|]. destruct y as [|c d]; [discriminate|]. cbn [less_interval].
  rewrite !contains_bnd, ltb_cmp. intros Less [_ Upper] [Lower _].
  destruct (compared_bounds b c f g) as [r [s [Cmp [Le Ge]]]]; try assumption.
  - destruct (F.cmp b c); try discriminate; reflexivity.
  - rewrite Cmp in Less. cbn in Less. destruct (Rcompare_spec r s); try discriminate; lra.
Qed.

Lemma at_most_interval_sound x y f g :
  at_most_interval x y = true -> contains x f -> contains y g -> f <= g.
Proof.
  destruct x as [|a b]; [discriminate|]. destruct y as [|c d]; [discriminate|].
  cbn [at_most_interval]. rewrite !contains_bnd, leb_cmp. intros AtMost [_ Upper] [Lower _].
  destruct (compared_bounds b c f g) as [r [s [Cmp [Le Ge]]]]; try assumption.
  rewrite Cmp in AtMost. cbn in AtMost. destruct (Rcompare_spec r s); try discriminate; lra.
Qed.

(** What is coq-interval's is sound as it is. *)
Theorem hardware_sound : sound hardware contains.
Proof.
  constructor.
  - exact add_interval_sound.
  - exact sub_interval_sound.
  - exact mul_interval_sound.
  - exact (sound_div _ _ plain_sound).
  - intros. apply join_interval_sound. now left.
  - intros. apply join_interval_sound. now right.
  - exact (sound_exp _ _ plain_sound).
  - exact (sound_sqrt _ _ plain_sound).
  - exact (sound_of_Z _ _ plain_sound).
  - exact (sound_pi _ _ plain_sound).
  - exact (sound_unit _ _ plain_sound).
  - exact (sound_everything _ _ plain_sound).
  - exact less_interval_sound.
  - exact at_most_interval_sound.
  - exact (sound_upper _ _ plain_sound).
Qed.
