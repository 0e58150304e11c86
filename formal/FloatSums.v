(** * Sums of products of floats, as [add_all] makes them, are near the sums that they stand for *)

From Coq Require Import PrimFloat Floats ZArith Reals List Lia Lra Bool.
From Flocq Require Import Core.Core IEEE754.BinarySingleNaN IEEE754.PrimFloat.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval
  Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Network Rows Arithmetic Processor Bounds Matrix.
Import ListNotations.
Open Scope R_scope.

(** ** Rows, added one by one *)

Notation step := (fun sums p => add_product (fst p) sums (snd p)).
Notation kept := (filter (fun p => negb (is_zero (fst p)))).

Lemma add_product_at x m j : (j < m)%nat -> forall sums row, length sums = m -> length row = m ->
  length (add_product x sums row) = m /\
  nth j (add_product x sums row) 0%float = (nth j sums 0 + x * nth j row 0)%float.
Proof.
  revert j. induction m as [|m IH]; intros j Below [|a sums] [|w row] Long Long'; try discriminate;
    [lia|]. cbn [length] in Long, Long'. injection Long as Long. injection Long' as Long'.
  cbn [add_product length nth]. destruct j as [|j].
  - split; [|reflexivity]. f_equal. destruct m as [|m]; [now destruct sums|].
    now destruct (IH 0%nat ltac:(lia) sums row Long Long').
  - destruct (IH j ltac:(lia) sums row Long Long') as [-> Same]. now split.
Qed.

Lemma add_products_steps x1 x2 x3 x4 : forall sums r1 r2 r3 r4,
  add_products x1 x2 x3 x4 sums r1 r2 r3 r4 =
  add_product x4 (add_product x3 (add_product x2 (add_product x1 sums r1) r2) r3) r4.
Proof.
  induction sums as [|s sums IH]; intros [|w1 r1] [|w2 r2] [|w3 r3] [|w4 r4]; try reflexivity.
  cbn [add_products add_product]. now rewrite IH.
Qed.

Lemma add_all_steps l : forall sums, add_all l sums = fold_left step l sums.
Proof.
  assert (Short : forall n l, (length l <= n)%nat -> forall sums,
    add_all l sums = fold_left step l sums).
  { clear l. induction n as [|n IH]; intros l Short sums.
    - destruct l; [reflexivity|cbn in Short; lia].
    - destruct l as [|[x1 r1] [|[x2 r2] [|[x3 r3] [|[x4 r4] l]]]]; try reflexivity.
      cbn [add_all fold_left fst snd]. rewrite IH by (cbn [length] in Short; lia).
      now rewrite add_products_steps. }
  apply (Short (length l)). apply le_n.
Qed.

Lemma zero_is x f : is x f -> is_zero x = true -> f = 0.
Proof.
  intros Is Zero. apply andb_prop in Zero. destruct Zero as [Low High].
  rewrite leb_cmp, (cmp_real _ _ _ _ toX_0 Is) in Low.
  rewrite leb_cmp, (cmp_real _ _ _ _ Is toX_0) in High. cbn in Low, High.
  destruct (Rcompare_spec 0 f), (Rcompare_spec f 0); try discriminate; lra.
Qed.

(** ** One addition and one multiplication *)

Notation rounded := (Generic_fmt.round radix2 (fexp FloatOps.prec emax) (round_mode mode_NE)).
Notation pow := (bpow radix2).

Lemma finite_real x : is_finite (Prim2B x) = true -> is x (B2R (Prim2B x)).
Proof.
  unfold is. rewrite F.toX_Prim2B. destruct (Prim2B x) as [| | |s m e Bounded]; try discriminate;
    intros _; [reflexivity|]. cbn. f_equal. apply FtoR_split.
Qed.

Lemma finite_value x r : is x r -> is_finite (Prim2B x) = true /\ B2R (Prim2B x) = r.
Proof.
  intros Is. assert (Finite : is_finite (Prim2B x) = true).
  { unfold is in Is. rewrite F.toX_Prim2B in Is.
    destruct (Prim2B x); try discriminate; reflexivity. }
  split; [exact Finite|]. pose proof (finite_real x Finite) as Is'. unfold is in Is, Is'.
  rewrite Is in Is'. now injection Is'.
Qed.

(** Multiples of a power of two are floats, if they are not too large. *)
Lemma multiple_format k e : (0 <= e)%Z -> (Z.of_nat k < 2 ^ 53)%Z ->
  generic_format radix2 (fexp FloatOps.prec emax) (INR k * pow e).
Proof.
  intros NonNeg Small. apply generic_format_FLT. exists {| Fnum := Z.of_nat k; Fexp := e |}.
  - unfold F2R. cbn. now rewrite INR_IZR_INZ.
  - cbn [Fnum]. rewrite Z.abs_eq by lia. exact Small.
  - cbn [Fexp]. change (SpecFloat.emin FloatOps.prec emax) with (-1074)%Z. lia.
Qed.

Lemma rounded_at_most r k e : (0 <= e)%Z -> (Z.of_nat k < 2 ^ 53)%Z ->
  Rabs r <= INR k * pow e -> Rabs (rounded r) <= INR k * pow e.
Proof.
  intros NonNeg Small Le. apply abs_round_le_generic; [|apply valid_rnd_N| |exact Le].
  - now apply FLT_exp_valid.
  - now apply multiple_format.
Qed.

Lemma rounding_error r b : (0 <= b)%Z -> Rabs r <= pow b ->
  Rabs (rounded r - r) <= pow (b - 53).
Proof.
  intros NonNeg Le. assert (Valid : Valid_exp (fexp FloatOps.prec emax)) by now apply FLT_exp_valid.
  apply (Rle_trans _ _ _ (error_le_half_ulp radix2 (fexp FloatOps.prec emax) _ r)).
  apply (Rle_trans _ (/ 2 * ulp radix2 (fexp FloatOps.prec emax) (pow b))).
  - apply Rmult_le_compat_l; [lra|]. apply ulp_le; [exact Valid|apply FLT_exp_monotone|].
    rewrite (Rabs_pos_eq (pow b)) by apply bpow_ge_0. exact Le.
  - rewrite ulp_bpow. unfold fexp, FLT_exp.
    change (SpecFloat.emin FloatOps.prec emax) with (-1074)%Z. change FloatOps.prec with 53%Z.
    rewrite Z.max_l by lia.
    replace (b + 1 - 53)%Z with (1 + (b - 53))%Z by lia. rewrite bpow_plus. cbn [bpow]. 
    change (Z.pow_pos radix2 1) with 2%Z. lra.
Qed.

Section Step.
  Variable b : nat.              (* sums are at most 2 ^ b *)
  Hypothesis Range : (b <= 900)%nat.
  Notation most := (pow (Z.of_nat b)).
  Notation slip := (pow (Z.of_nat b - 53)).

  Lemma below_emax r : Rabs r <= most -> Rlt_bool (Rabs r) (bpow radix2 emax) = true.
  Proof using Range.
    intros Le. apply Rlt_bool_true. apply (Rle_lt_trans _ _ _ Le). apply bpow_lt.
    change emax with 1024%Z. lia.
  Qed.

  Variable e : nat.              (* products are at most 2 ^ e *)
  Hypothesis Order : (e <= b)%nat.
  Notation unit := (pow (Z.of_nat e)).

  Lemma product_near x w f g : is x f -> is w g -> Rabs (f * g) <= unit ->
    exists p, is (x * w)%float p /\ Rabs p <= unit /\ Rabs (p - f * g) <= slip.
  Proof using Order Range.
    intros IsX IsW Le. destruct (finite_value x f IsX) as [FinX EqX].
    destruct (finite_value w g IsW) as [FinW EqW]. exists (rounded (f * g)).
    assert (AtMost : Rabs (rounded (f * g)) <= unit).
    { rewrite <- (Rmult_1_l unit). change 1 with (INR 1).
      apply rounded_at_most; [lia|cbn; lia|]. cbn [INR]. lra. }
    pose proof (Bmult_correct _ _ Hprec Hmax mode_NE (Prim2B x) (Prim2B w)) as Correct.
    rewrite EqX, EqW, FinX, FinW in Correct.
    assert (Order' : unit <= most) by (apply bpow_le; lia).
    rewrite below_emax in Correct by lra. destruct Correct as [Value [Finite _]].
    rewrite <- mul_equiv in Value, Finite. repeat split.
    - rewrite <- Value. now apply finite_real.
    - exact AtMost.
    - apply rounding_error; [lia|lra].
  Qed.

  Lemma sum_near s p f g k : is s f -> is p g -> (Z.of_nat k < 2 ^ 53)%Z ->
    Rabs (f + g) <= INR k * unit -> INR k * unit <= most ->
    exists q, is (s + p)%float q /\ Rabs q <= INR k * unit /\ Rabs (q - (f + g)) <= slip.
  Proof using Order Range.
    intros IsS IsP Small Le Within. destruct (finite_value s f IsS) as [FinS EqS].
    destruct (finite_value p g IsP) as [FinP EqP]. exists (rounded (f + g)).
    assert (AtMost : Rabs (rounded (f + g)) <= INR k * unit)
      by (apply rounded_at_most; [lia|assumption..]).
    pose proof (Bplus_correct _ _ Hprec Hmax mode_NE (Prim2B s) (Prim2B p) FinS FinP) as Correct.
    rewrite EqS, EqP in Correct. rewrite below_emax in Correct by lra.
    destruct Correct as [Value [Finite _]]. rewrite <- add_equiv in Value, Finite. repeat split.
    - rewrite <- Value. now apply finite_real.
    - exact AtMost.
    - apply rounding_error; [lia|lra].
  Qed.

  (** A float that is near a sum of k products. *)
  Definition near (v : float) (k : nat) (s : R) : Prop :=
    exists r, is v r /\ Rabs r <= INR k * unit /\ Rabs (r - s) <= INR k * (2 * slip).

  Lemma near_zero : near 0 0 0.
  Proof using.
    exists 0. split; [exact toX_0|]. cbn [INR]. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
  Qed.

  Lemma near_more v k s : near v k s -> near v (S k) (s + 0).
  Proof using.
    intros [r [Is [Le Close]]]. exists r. split; [exact Is|]. rewrite S_INR, Rplus_0_r.
    pose proof (bpow_ge_0 radix2 (Z.of_nat e)).
    pose proof (bpow_ge_0 radix2 (Z.of_nat b - 53)). lra.
  Qed.

  Variable count : nat.
  Hypothesis Few : (Z.of_nat count < 2 ^ 53)%Z.
  Hypothesis Together : INR count * unit <= most.

  Lemma near_step v x w f g k s : near v k s -> is x f -> is w g -> Rabs (f * g) <= unit ->
    (k < count)%nat -> near (v + x * w)%float (S k) (s + f * g).
  Proof using Order Range Few Together.
    intros [r [Is [Le Close]]] IsX IsW Product Below.
    destruct (product_near x w f g IsX IsW Product) as [p [IsP [LeP CloseP]]].
    assert (Positive : 0 <= unit) by apply bpow_ge_0.
    assert (Within : INR (S k) * unit <= most).
    { apply (Rle_trans _ (INR count * unit)); [|exact Together].
      apply Rmult_le_compat_r; [exact Positive|apply le_INR; lia]. }
    destruct (sum_near v (x * w)%float r p (S k) Is IsP) as [q [IsQ [LeQ CloseQ]]].
    - lia.
    - rewrite S_INR. pose proof (Rabs_triang r p). lra.
    - exact Within.
    - exists q. split; [exact IsQ|]. split; [exact LeQ|]. rewrite S_INR.
      replace (q - (s + f * g)) with ((q - (r + p)) + (r - s) + (p - f * g)) by ring.
      pose proof (Rabs_triang ((q - (r + p)) + (r - s)) (p - f * g)).
      pose proof (Rabs_triang (q - (r + p)) (r - s)). lra.
  Qed.

  (** ** Sums of products *)

  Section Column.
    Variables (m j : nat) (f g : nat -> R).
    Hypothesis Below : (j < m)%nat.

    Definition factors_of (p : float * list float) (k : nat) : Prop :=
      is (fst p) (f k) /\ length (snd p) = m /\ is (nth j (snd p) 0%float) (g k) /\
      Rabs (f k * g k) <= unit.

    Lemma column_near l ks : Forall2 factors_of l ks -> forall sums n s,
      length sums = m -> near (nth j sums 0%float) n s -> (n + length ks <= count)%nat ->
      near (nth j (fold_left step (kept l) sums) 0%float) (n + length ks)
        (s + fold_right Rplus 0 (map (fun k => f k * g k) ks)).
    Proof using Order Range Few Together Below.
      intros All. induction All as [|[x row] k l ks [IsX [Long [IsW Product]]] All IH];
        intros sums n s LongS Near Within; cbn [length map fold_right].
      - cbn. now rewrite Nat.add_0_r, Rplus_0_r.
      - cbn [filter fst snd] in *. rewrite Nat.add_succ_r, <- Nat.add_succ_l, <- Rplus_assoc.
        destruct (is_zero x) eqn:Zero; cbn [negb fold_left fst snd].
        + rewrite (zero_is x (f k) IsX Zero), Rmult_0_l.
          apply IH; [exact LongS|now apply near_more|cbn [length] in Within; lia].
        + destruct (add_product_at x m j Below sums row LongS Long) as [Long' At].
          apply IH; [exact Long'| |cbn [length] in Within; lia]. rewrite At.
          apply near_step; try assumption. cbn [length] in Within. lia.
    Qed.

    Lemma columns_length l ks : Forall2 factors_of l ks -> forall sums, length sums = m ->
      length (fold_left step (kept l) sums) = m.
    Proof using Below.
      intros All. induction All as [|[x row] k l ks [_ [Long _]] All IH]; intros sums LongS;
        [exact LongS|]. cbn [filter fst snd] in *.
      destruct (is_zero x); cbn [negb fold_left fst snd]; apply IH; [exact LongS|].
      now destruct (add_product_at x m j Below sums row LongS Long).
    Qed.
  End Column.
End Step.
