(** * The evaluator's arithmetic on the processor's numbers is sound *)

From Coq Require Import Uint63 Ring63 PrimFloat Floats ZArith Reals List Lia Lra Bool.
From Flocq Require Import Core.Core.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval
  Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Network Arrays ErfEnclosure Arithmetic Machine.
From CompactProofs Require Enclosure Instances.
Open Scope R_scope.

Definition is (w : float) (r : R) : Prop := F.toX w = Xreal r.
Definition contains : I.type -> R -> Prop := Instances.Hardware.contains.

(** ** Lower and upper bounds *)

Definition above (l : float) (x : R) : Prop :=
  match F.toX l with Xnan => True | Xreal r => r <= x end.
Definition below (h : float) (x : R) : Prop :=
  match F.toX h with Xnan => True | Xreal r => x <= r end.
Definition lower (l : float) (x : R) : Prop := F.valid_lb l = true /\ above l x.
Definition upper (h : float) (x : R) : Prop := F.valid_ub h = true /\ below h x.

Lemma contains_bnd l h x : contains (Float.Ibnd l h) x <-> lower l x /\ upper h x.
Proof.
  unfold contains, Instances.Hardware.contains, lower, upper, above, below. cbn [I.convert].
  destruct (F.valid_lb l), (F.valid_ub h); cbn; try (split; [intros [? ?]; lra|]);
    try (intros [[? ?] [? ?]]; discriminate). tauto.
Qed.

Lemma toX_0 : F.toX 0%float = Xreal 0.
Proof. reflexivity. Qed.

Lemma contains_0 : contains (Float.Ibnd 0%float 0%float) 0.
Proof.
  apply contains_bnd. unfold lower, upper, above, below. rewrite toX_0.
  repeat split; apply Rle_refl.
Qed.

Lemma lower_weaker l x y : lower l x -> x <= y -> lower l y.
Proof.
  intros [Valid Above] Le. split; [exact Valid|]. unfold above in *.
  destruct (F.toX l); [exact I|lra].
Qed.

Lemma upper_weaker h x y : upper h x -> y <= x -> upper h y.
Proof.
  intros [Valid Below] Le. split; [exact Valid|]. unfold below in *.
  destruct (F.toX h); [exact I|lra].
Qed.

(** ** Comparisons *)

Lemma leb_cmp x y : (x <=? y)%float = match F.cmp x y with Xlt | Xeq => true | _ => false end.
Proof.
  rewrite FloatAxioms.leb_spec. unfold F.cmp. rewrite FloatAxioms.compare_spec. unfold SFleb.
  destruct (SFcompare (Prim2SF x) (Prim2SF y)) as [[]|]; reflexivity.
Qed.

Lemma ltb_cmp x y : (x <? y)%float = match F.cmp x y with Xlt => true | _ => false end.
Proof.
  rewrite FloatAxioms.ltb_spec. unfold F.cmp. rewrite FloatAxioms.compare_spec. unfold SFltb.
  destruct (SFcompare (Prim2SF x) (Prim2SF y)) as [[]|]; reflexivity.
Qed.

Lemma classify_real u r : F.toX u = Xreal r -> F.classify u = Freal.
Proof.
  intros Is. pose proof (F.classify_correct u) as Class. pose proof (F.real_correct u) as Real.
  rewrite Is in Real. rewrite Real in Class. destruct (F.classify u); [reflexivity|discriminate..].
Qed.

Lemma classify_nan u : F.toX u = Xnan -> F.classify u <> Freal.
Proof.
  intros Is Class. pose proof (F.classify_correct u) as C. pose proof (F.real_correct u) as Real.
  rewrite Is in Real. rewrite Real, Class in C. discriminate.
Qed.

Lemma cmp_real x y a b :
  F.toX x = Xreal a -> F.toX y = Xreal b -> F.cmp x y = Xcmp (Xreal a) (Xreal b).
Proof.
  intros IsX IsY.
  now rewrite F.cmp_correct, (classify_real x a IsX), (classify_real y b IsY), IsX, IsY.
Qed.

Lemma sign_real u r : F.toX u = Xreal r -> if (0 <=? u)%float then 0 <= r else r <= 0.
Proof.
  intros Is. rewrite leb_cmp, (cmp_real 0 u 0 r toX_0 Is). cbn.
  destruct (Rcompare_spec 0 r); lra.
Qed.

Lemma real_non_neg u : (0 <=? u)%float = true -> F.valid_lb u = true ->
  exists r, F.toX u = Xreal r /\ 0 <= r.
Proof.
  intros NonNeg Valid. destruct (F.toX u) as [|r] eqn:Is.
  - exfalso. rewrite leb_cmp, F.cmp_correct in NonNeg.
    change (F.classify 0%float) with Freal in NonNeg. cbv iota in NonNeg.
    pose proof (classify_nan u Is) as Not. pose proof (F.valid_lb_correct u) as Lower.
    rewrite Valid in Lower. destruct (F.classify u); try discriminate. now apply Not.
  - exists r. split; [reflexivity|]. pose proof (sign_real u r Is) as Sign.
    now rewrite NonNeg in Sign.
Qed.

Lemma real_neg u : (u <? 0)%float = true -> F.valid_ub u = true ->
  exists r, F.toX u = Xreal r /\ r < 0.
Proof.
  intros Neg Valid. rewrite ltb_cmp in Neg. destruct (F.toX u) as [|r] eqn:Is.
  - exfalso. rewrite F.cmp_correct in Neg. change (F.classify 0%float) with Freal in Neg.
    pose proof (classify_nan u Is) as Not. pose proof (F.valid_ub_correct u) as Upper.
    rewrite Valid in Upper. destruct (F.classify u); try discriminate. now apply Not.
  - exists r. split; [reflexivity|]. rewrite (cmp_real u 0 r 0 Is toX_0) in Neg. cbn in Neg.
    destruct (Rcompare_spec r 0); try discriminate; lra.
Qed.

Lemma real_finite u : (u <? infinity)%float = true -> F.valid_ub u = true ->
  exists r, F.toX u = Xreal r.
Proof.
  intros Finite Valid. destruct (F.toX u) as [|r] eqn:Is; [exfalso|now exists r].
  rewrite ltb_cmp, F.cmp_correct in Finite. pose proof (classify_nan u Is) as Not.
  pose proof (F.valid_ub_correct u) as Upper. rewrite Valid in Upper.
  destruct (F.classify u); try discriminate. now apply Not.
Qed.

Lemma valid_of_real u r : F.toX u = Xreal r -> F.valid_lb u = true /\ F.valid_ub u = true.
Proof.
  intros Is. pose proof (F.valid_lb_correct u) as Lower. pose proof (F.valid_ub_correct u) as Upper.
  rewrite (classify_real u r Is) in Lower, Upper. now rewrite Lower, Upper.
Qed.

(** ** Bounds of a product with an exact number, and of a sum *)

Lemma sign_cases (a : ExtendedR) :
  match a with Xnan => True | Xreal r => 0 <= r \/ r <= 0 end.
Proof. destruct a as [|r]; [exact I|]. destruct (Rle_lt_dec 0 r); [now left|right; lra]. Qed.

Ltac signs := unfold F.is_non_neg_real, F.is_non_pos_real, F.is_non_neg, F.is_non_pos.

(** Bounds u and a of f and g: a product of them, rounded, is a bound of f g. *)
Ltac product rounded correct u f a :=
  let Is := fresh "Is" in let Valid := fresh "Valid" in let Le := fresh "Le" in
  intros Is ? [? ?]; destruct (valid_of_real u f Is); unfold above, below in *;
  destruct (correct prec u a) as [Valid Le];
  [ signs; rewrite Is; pose proof (sign_cases (F.toX a)); destruct (F.toX a); tauto
  | split; [exact Valid|]; unfold above, below; rewrite Is in Le; unfold le_lower in Le;
    destruct (F.toX (rounded prec u a)); [exact I|];
    destruct (F.toX a); cbn in Le; [destruct Le|]; nra ].

Lemma lower_product u a f g : is u f -> 0 <= f -> lower a g -> lower (F.mul_DN prec u a) (f * g).
Proof. product F.mul_DN F.mul_DN_correct u f a. Qed.

Lemma upper_product u b f g : is u f -> 0 <= f -> upper b g -> upper (F.mul_UP prec u b) (f * g).
Proof. product F.mul_UP F.mul_UP_correct u f b. Qed.

Lemma lower_product_neg u b f g :
  is u f -> f <= 0 -> upper b g -> lower (F.mul_DN prec u b) (f * g).
Proof. product F.mul_DN F.mul_DN_correct u f b. Qed.

Lemma upper_product_neg u a f g :
  is u f -> f <= 0 -> lower a g -> upper (F.mul_UP prec u a) (f * g).
Proof. product F.mul_UP F.mul_UP_correct u f a. Qed.

Lemma lower_sum l m s p : lower l s -> lower m p -> lower (F.add_DN prec l m) (s + p).
Proof.
  intros [ValidL L] [ValidM M]. destruct (F.add_DN_correct prec l m ValidL ValidM) as [Valid Le].
  split; [exact Valid|]. unfold above, le_lower in *.
  destruct (F.toX (F.add_DN prec l m)) as [|r]; [exact I|].
  destruct (F.toX l), (F.toX m); cbn in Le; try (now destruct Le). lra.
Qed.

Lemma upper_sum h m s p : upper h s -> upper m p -> upper (F.add_UP prec h m) (s + p).
Proof.
  intros [ValidH H] [ValidM M]. destruct (F.add_UP_correct prec h m ValidH ValidM) as [Valid Le].
  split; [exact Valid|]. unfold below in *.
  destruct (F.toX (F.add_UP prec h m)) as [|r]; [exact I|].
  destruct (F.toX h), (F.toX m); cbn in Le; try (now destruct Le). lra.
Qed.

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

Lemma exact_bounds v g : is v g -> lower v g /\ upper v g.
Proof.
  intros Is. destruct (valid_of_real v g Is). unfold lower, upper, above, below. rewrite Is.
  repeat split; try assumption; apply Rle_refl.
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

(** Of x between 0 <= p and q, a product is at least p or q times y, by the sign of y. *)
Lemma mul_interval_sound x y f g :
  contains x f -> contains y g -> contains (mul_interval x y) (f * g).
Proof.
  destruct x as [|a b]; [trivial|]. destruct y as [|c d]; [trivial|]. intros InX InY.
  cbn [mul_interval]. destruct (_ && _)%bool eqn:Finite;
    [|now apply (Enclosure.sound_mul _ _ (Instances.Hardware.sound prec))].
  apply andb_prop in Finite. destruct Finite as [NonNeg Below].
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

Lemma exact_contained w r : is w r -> contains (Float.Ibnd w w) r.
Proof. intros Is. apply contains_bnd. now apply exact_bounds. Qed.

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

(** What is as in [Instances.hardware] is sound as it is. *)
Theorem machine_sound : sound machine is contains.
Proof.
  pose proof (Instances.Hardware.sound prec) as Sd. destruct Sd. constructor; try assumption.
  - apply exact_float_sound.
  - apply exact_contained.
  - apply mul_interval_sound.
  - apply scale_sound.
  - apply multiply_sound.
  - apply relu_sound.
  - exact (erf_enclosure_sound (Instances.Hardware.sound prec)).
  - cbn. intros. rewrite <- (Rplus_0_l (sum n _)). apply total_from_sound; [assumption|].
    exact contains_0.
Qed.
