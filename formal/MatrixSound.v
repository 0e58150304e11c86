(** * A row times a matrix, on the processor's numbers, is sound *)

From Coq Require Import PrimFloat Floats ZArith Reals List Lia Lra Bool.
From Flocq Require Import Core.Core IEEE754.BinarySingleNaN IEEE754.PrimFloat.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval
  Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Network Rows Arithmetic Processor Bounds ProcessorSound
  Matrix FloatSums.
Import ListNotations.
Open Scope R_scope.

(** ** Sizes *)

Definition value (x : I.type) : R := B2R (Prim2B (centre x)).

Lemma real_is w : F.real w = true -> exists r, is w r.
Proof.
  rewrite F.real_correct. unfold is. destruct (F.toX w) as [|r]; [discriminate|]. now exists r.
Qed.

Lemma leb_real w x y : (w <=? x)%float = true -> (x <=? y)%float = true ->
  forall a c, is w a -> is y c -> exists b, is x b /\ a <= b <= c.
Proof.
  intros Low High a c IsW IsY. rewrite leb_cmp in Low, High. destruct (F.toX x) as [|b] eqn:Is.
  - exfalso. rewrite F.cmp_correct in Low, High. rewrite (classify_real w a IsW) in Low.
    rewrite (classify_real y c IsY) in High. pose proof (classify_nan x Is) as Not.
    destruct (F.classify x); try discriminate. now apply Not.
  - exists b. split; [exact Is|]. rewrite (cmp_real w x a b IsW Is) in Low.
    rewrite (cmp_real x y b c Is IsY) in High. cbn in Low, High.
    destruct (Rcompare_spec a b), (Rcompare_spec b c); try discriminate; lra.
Qed.

Lemma leb_real_upper x y c : F.valid_ub x = true -> (x <=? y)%float = true -> is y c ->
  exists b, is x b /\ b <= c.
Proof.
  intros Valid High IsY. rewrite leb_cmp in High. destruct (F.toX x) as [|b] eqn:Is.
  - exfalso. rewrite F.cmp_correct in High. pose proof (classify_nan x Is) as Not.
    pose proof (F.valid_ub_correct x) as Upper. rewrite Valid in Upper.
    rewrite (classify_real y c IsY) in High.
    destruct (F.classify x); try discriminate. now apply Not.
  - exists b. split; [exact Is|]. rewrite (cmp_real x y b c Is IsY) in High. cbn in High.
    destruct (Rcompare_spec b c); try discriminate; lra.
Qed.

Lemma fits_size_sound s x r W D : is (most s) W -> is (wide s) D -> fits_size s x = true ->
  contains x r ->
  is (centre x) (value x) /\ Rabs (value x) <= W /\ Rabs (r - value x) <= D.
Proof.
  intros IsW IsD Fits In. destruct x as [|a b]; [discriminate|]. cbn [fits_size] in Fits.
  rewrite !andb_true_iff in Fits. destruct Fits as [[Low High] Narrow]. apply contains_bnd in In.
  destruct In as [[ValidA Above] [ValidB Below]].
  assert (IsO : is (- most s)%float (- W)) by (unfold is; rewrite F.toX_neg, IsW; reflexivity).
  destruct (leb_real _ _ _ Low High _ _ IsO IsW) as [c [IsA Range]].
  unfold value. cbn [centre]. destruct (finite_value a c IsA) as [Finite ->].
  split; [exact IsA|]. split; [apply Rabs_le; lra|].
  destruct (F.sub_UP_correct prec b a ValidB ValidA) as [Valid Le].
  destruct (leb_real_upper _ _ D Valid Narrow IsD) as [d [IsW' LeD]].
  unfold is in IsW', IsA. unfold above in Above. unfold below in Below.
  change (next_up (b - a)) with (F.sub_UP prec b a) in IsW'.
  rewrite IsA in Le, Above. rewrite IsW' in Le.
  destruct (F.toX b) as [|h]; cbn in Le; [destruct Le|]. rewrite Rabs_pos_eq; lra.
Qed.

Definition sized (s : size) (W D : R) (l : list I.type) : Prop :=
  is (most s) W /\ is (wide s) D /\ forall x, In x l -> fits_size s x = true.

Lemma size_of_sound l s : size_of l = Some s -> exists W D, sized s W D l.
Proof.
  unfold size_of. cbv zeta. set (s' := {| most := _; wide := _ |}).
  destruct (_ && _)%bool eqn:Checks; [|discriminate]. intros Is. injection Is as <-.
  rewrite !andb_true_iff in Checks. destruct Checks as [[RealW RealD] All].
  destruct (real_is _ RealW) as [W IsW]. destruct (real_is _ RealD) as [D IsD].
  exists W, D. split; [exact IsW|]. split; [exact IsD|]. now apply forallb_forall.
Qed.

(** ** Bounds *)

Notation Sd := hardware_sound.

Lemma IZR_power n : IZR (2 ^ Z.of_nat n) = pow (Z.of_nat n).
Proof. change 2%Z with (radix_val radix2). apply IZR_Zpower. lia. Qed.

Lemma power_above_sound x r : contains x r -> forall fuel start e,
  power_above x fuel start = Some e -> r <= pow (Z.of_nat e) /\ (e < start + fuel)%nat.
Proof.
  intros In. induction fuel as [|fuel IH]; intros start e Found; [discriminate|].
  cbn [power_above] in Found. destruct (E.at_most hardware x _) eqn:AtMost.
  - injection Found as <-. split; [|lia]. rewrite <- IZR_power.
    apply (E.sound_at_most _ _ Sd _ _ _ _ AtMost In). apply (E.sound_of_Z _ _ Sd).
  - destruct (IH _ _ Found). split; [assumption|lia].
Qed.

Section Error.
  Variables (M : float_matrix) (s : size) (e : nat) (Wx Dx Ww Dw : R).
  Hypothesis IsWx : is (most s) Wx.
  Hypothesis IsDx : is (wide s) Dx.
  Hypothesis IsWw : is (most (matrix_size M)) Ww.
  Hypothesis IsDw : is (wide (matrix_size M)) Dw.

  Definition changes : R :=
    INR (height M) * (Dx * (Ww + Dw) + Wx * Dw + 2 * pow (Z.of_nat (e + levels M) - 53)).

  Lemma error_sound : contains (error M s e) changes.
  Proof using IsWx IsDx IsWw IsDw.
    unfold changes, error. cbv zeta. rewrite INR_IZR_INZ. apply (E.sound_mul _ _ Sd);
      [apply (E.sound_of_Z _ _ Sd)|].
    replace (2 * pow (Z.of_nat (e + levels M) - 53))
      with (IZR (2 ^ Z.of_nat (S (e + levels M))) / IZR (2 ^ 53)).
    - apply (E.sound_add _ _ Sd); [apply (E.sound_add _ _ Sd); apply (E.sound_mul _ _ Sd)|].
      + now apply exact_contained.
      + apply (E.sound_add _ _ Sd); now apply exact_contained.
      + now apply exact_contained.
      + now apply exact_contained.
      + apply (E.sound_div _ _ Sd); apply (E.sound_of_Z _ _ Sd).
    - rewrite IZR_power, Nat2Z.inj_succ. change (2 ^ 53)%Z with (Zpower radix2 53).
      rewrite IZR_Zpower by lia. unfold Rdiv, Z.succ, Z.sub. rewrite <- bpow_opp, !bpow_plus.
      cbn [bpow]. change (Z.pow_pos radix2 1) with 2%Z. ring.
  Qed.
End Error.

(** All that is within [change] of a float. *)
Lemma within_sound v c x change E' : is v c -> contains change E' -> Rabs (x - c) <= E' ->
  contains (E.add hardware (exactly v) (E.mul hardware change (E.tunit hardware))) x.
Proof.
  intros Is In Close. pose proof (Rabs_pos (x - c)).
  replace x with (c + E' * (if Req_EM_T E' 0 then 0 else (x - c) / E')).
  - apply (E.sound_add _ _ Sd); [now apply exact_contained|].
    apply (E.sound_mul _ _ Sd); [exact In|].
    apply (E.sound_unit _ _ Sd). destruct (Req_EM_T E' 0) as [|Not]; [lra|].
    apply Rabs_le_inv. unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_pos_eq E') by lra.
    apply (Rmult_le_reg_r E'); [lra|]. rewrite Rmult_assoc, Rinv_l by exact Not. lra.
  - destruct (Req_EM_T E' 0) as [Zero|Not].
    + assert (Same : Rabs (x - c) = 0) by lra. destruct (Req_dec (x - c) 0) as [|Other]; [lra|].
      now apply Rabs_no_R0 in Other.
    + field. exact Not.
Qed.

(** ** A row times a matrix *)

Lemma sum_close n (f f' : nat -> R) d : (forall k, (k < n)%nat -> Rabs (f k - f' k) <= d) ->
  Rabs (sum n f - sum n f') <= INR n * d.
Proof.
  revert f f'. induction n as [|n IH]; intros f f' Each.
  - unfold sum. cbn. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
  - rewrite !sum_first, S_INR.
    pose proof (Each O ltac:(lia)) as First.
    pose proof (IH (fun k => f (S k)) (fun k => f' (S k)) ltac:(intros; apply Each; lia)) as Rest.
    set (rest := sum n (fun k => f (S k))) in *. set (rest' := sum n (fun k => f' (S k))) in *.
    replace (f O + rest - (f' O + rest')) with ((f O - f' O) + (rest - rest')) by ring.
    pose proof (Rabs_triang (f O - f' O) (rest - rest')). lra.
Qed.

Lemma product_close x x' w w' Wx Dx Ww Dw :
  Rabs x' <= Wx -> Rabs (x - x') <= Dx -> Rabs w' <= Ww -> Rabs (w - w') <= Dw ->
  Rabs (x * w - x' * w') <= Dx * (Ww + Dw) + Wx * Dw.
Proof.
  intros LeX CloseX LeW CloseW.
  replace (x * w - x' * w') with ((x - x') * w' + (x - x') * (w - w') + x' * (w - w')) by ring.
  pose proof (Rabs_triang ((x - x') * w' + (x - x') * (w - w')) (x' * (w - w'))).
  pose proof (Rabs_triang ((x - x') * w') ((x - x') * (w - w'))).
  rewrite !Rabs_mult in *.
  pose proof (Rabs_pos (x - x')) as PosDX. pose proof (Rabs_pos (w - w')) as PosDW.
  pose proof (Rabs_pos x') as PosX. pose proof (Rabs_pos w') as PosW.
  pose proof (Rmult_le_compat _ _ _ _ PosDX PosW CloseX LeW).
  pose proof (Rmult_le_compat _ _ _ _ PosDX PosDW CloseX CloseW).
  pose proof (Rmult_le_compat _ _ _ _ PosX PosDW LeX CloseW). lra.
Qed.

Theorem multiply_row_sound rows M row n m f g : float_matrix_of rows = Some M ->
  encloses (contains := contains) row f (seq 0 n) ->
  Forall2 (fun row k => encloses (contains := contains) row (g k) (seq 0 m)) rows (seq 0 n) ->
  encloses (contains := contains) (multiply_row M m row) (fun j => sum n (fun k => f k * g k j))
    (seq 0 m).
Proof.
  intros Made Row Rows. unfold float_matrix_of in Made.
  destruct (size_of (concat rows)) as [sw|] eqn:SizeW; [|discriminate]. cbv zeta in Made.
  assert (Height : length rows = n) by (rewrite (all_length _ _ _ Rows); apply seq_length).
  set (t := Nat.log2_up (length rows)) in Made.
  destruct (_ && _)%bool eqn:Fits; [|discriminate]. injection Made as <-.
  apply andb_prop in Fits. destruct Fits as [FitsT FitsN]. apply Nat.leb_le in FitsT, FitsN.
  assert (Nothing : encloses (contains := contains) (repeat (E.everything hardware) m)
    (fun j => sum n (fun k => f k * g k j)) (seq 0 m)).
  { clear. generalize 0%nat. induction m as [|m IH]; intros s; constructor; [|apply IH].
    apply (E.sound_everything _ _ Sd). }
  unfold multiply_row. destruct (size_of row) as [s|] eqn:SizeX; [|exact Nothing].
  cbn [matrix_size].
  destruct (power_above _ 100 0) as [e|] eqn:Power; [|exact Nothing]. clear Nothing. cbv zeta.
  set (M := {| centres := _; matrix_size := sw; height := _; levels := t |}).
  destruct (size_of_sound _ _ SizeX) as [Wx [Dx [IsWx [IsDx AllX]]]].
  destruct (size_of_sound _ _ SizeW) as [Ww [Dw [IsWw [IsDw AllW]]]].
  assert (InProduct : contains (E.mul hardware (exactly (most s)) (exactly (most sw))) (Wx * Ww))
    by (apply (E.sound_mul _ _ Sd); now apply exact_contained).
  destruct (power_above_sound _ _ InProduct _ _ _ Power) as [Product Small].
  assert (LogN : (Z.of_nat n <= 2 ^ Z.of_nat t)%Z).
  { rewrite Height in FitsN. apply inj_le in FitsN. now rewrite Nat2Z.inj_pow in FitsN. }
  assert (Few : (Z.of_nat n < 2 ^ 53)%Z).
  { apply (Z.le_lt_trans _ _ _ LogN). apply Z.pow_lt_mono_r; lia. }
  assert (Together : INR n * pow (Z.of_nat e) <= pow (Z.of_nat (e + t))).
  { rewrite Nat2Z.inj_add, bpow_plus, Rmult_comm. apply Rmult_le_compat_l; [apply bpow_ge_0|].
    rewrite INR_IZR_INZ, <- IZR_power. now apply IZR_le. }
  set (terms := combine (map centre row) (centres M)).
  (* entries of column j *)
  pose (w := fun k j => value (nth j (nth k rows []) Float.Inan)).
  pose (x := fun k => value (nth k row Float.Inan)).
  assert (EntryX : forall k, (k < n)%nat -> contains (nth k row Float.Inan) (f k) /\
    fits_size s (nth k row Float.Inan) = true).
  { intros k Below. split; [now apply (nth_holds (fun a k => contains a (f k)) row n)|].
    apply AllX, nth_In. now rewrite (encloses_length _ _ _ Row), seq_length. }
  assert (EntryW : forall k j, (k < n)%nat -> (j < m)%nat ->
    contains (nth j (nth k rows []) Float.Inan) (g k j) /\
    fits_size sw (nth j (nth k rows []) Float.Inan) = true).
  { intros k j BelowK BelowJ.
    pose proof (nth_holds _ rows n [] k Rows BelowK) as Here. cbv beta in Here.
    split; [now apply (nth_holds (fun a j => contains a (g k j)) _ m)|].
    apply AllW, in_concat. exists (nth k rows []). split; [apply nth_In; lia|].
    apply nth_In. now rewrite (encloses_length _ _ _ Here), seq_length. }
  assert (Terms : forall j, (j < m)%nat ->
    Forall2 (factors_of e m j x (fun k => w k j)) terms (seq 0 n)).
  { intros j BelowJ. unfold terms, M. cbn [centres].
    assert (Each : forall k, (k < n)%nat -> factors_of e m j x (fun k => w k j)
      (centre (nth k row Float.Inan), map centre (nth k rows [])) k).
    { intros k BelowK. destruct (EntryX k BelowK) as [InX FitsX].
      destruct (EntryW k j BelowK BelowJ) as [InW FitsW].
      destruct (fits_size_sound s _ _ Wx Dx IsWx IsDx FitsX InX) as [IsX [LeX _]].
      destruct (fits_size_sound sw _ _ Ww Dw IsWw IsDw FitsW InW) as [IsW [LeW _]].
      pose proof (nth_holds _ rows n [] k Rows BelowK) as Here. cbv beta in Here.
      assert (Long : length (nth k rows []) = m)
        by (now rewrite (encloses_length _ _ _ Here), seq_length).
      unfold factors_of. cbn [fst snd]. split; [exact IsX|]. split; [now rewrite map_length|].
      split.
      - rewrite (nth_indep _ 0%float (centre Float.Inan)) by (rewrite map_length; lia).
        rewrite map_nth. exact IsW.
      - rewrite Rabs_mult. apply (Rle_trans _ (Wx * Ww)); [|exact Product].
        apply Rmult_le_compat; try apply Rabs_pos; assumption. }
    assert (LongX : length row = n) by (now rewrite (encloses_length _ _ _ Row), seq_length).
    replace (combine (map centre row) (map (map centre) rows))
      with (map (fun k => (centre (nth k row Float.Inan), map centre (nth k rows []))) (seq 0 n)).
    { apply tabulated_holds. intros k In. apply in_seq in In. apply Each. lia. }
    clear -LongX Height. revert rows row LongX Height. induction n as [|n' IH];
      intros [|r rows] [|a row] LongX Height; try discriminate; [reflexivity|].
    cbn [seq map combine nth]. f_equal. rewrite <- seq_shift, map_map.
    apply IH; [now injection LongX|now injection Height]. }
  rewrite add_all_steps.
  assert (Long : length (fold_left (fun sums p => add_product (fst p) sums (snd p))
    (filter (fun p => negb (is_zero (fst p))) terms) (repeat 0%float m)) = m).
  { destruct m as [|m'];
      [|apply (columns_length e (S m') 0 x (fun k => w k O) ltac:(lia) _ (seq 0 n));
        [apply Terms; lia|apply repeat_length]].
    generalize (filter (fun p => negb (is_zero (fst p))) terms). intros l. cbn [repeat].
    induction l as [|p l IH]; [reflexivity|exact IH]. }
  set (sums := fold_left _ _ _) in *.
  replace sums with (map (fun j => nth j sums 0%float) (seq 0 m)).
  2: { apply (nth_ext _ _ 0%float 0%float); [now rewrite map_length, seq_length|].
    intros j Below. rewrite map_length, seq_length in Below.
    rewrite (nth_indep _ 0%float (nth 0 sums 0%float)) by (now rewrite map_length, seq_length).
    rewrite (map_nth (fun j => nth j sums 0%float)). now rewrite seq_nth by exact Below. }
  rewrite map_map. apply encloses_tabulate. intros j Below. apply in_seq in Below.
  assert (Below' : (j < m)%nat) by lia.
  destruct (column_near (e + t) ltac:(lia) e ltac:(lia) n Few Together m j x (fun k => w k j) Below'
    terms (seq 0 n) (Terms j Below') (repeat 0%float m) 0 0) as [r [IsR [_ Close]]].
  - apply repeat_length.
  - replace (nth j (repeat 0%float m) 0%float) with 0%float; [apply near_zero|].
    symmetry. apply nth_repeat.
  - rewrite seq_length. lia.
  - rewrite Rplus_0_l, seq_length in Close. cbn [Nat.add] in Close.
    change (fold_right Rplus 0 (map (fun k => x k * w k j) (seq 0 n)))
      with (sum n (fun k => x k * w k j)) in Close.
    apply (within_sound _ r _ _ (changes M e Wx Dx Ww Dw)); [exact IsR|now apply error_sound|].
    assert (Exact : Rabs (sum n (fun k => f k * g k j) - sum n (fun k => x k * w k j)) <=
      INR n * (Dx * (Ww + Dw) + Wx * Dw)).
    { apply sum_close. intros k BelowK. destruct (EntryX k BelowK) as [InX FitsX].
      destruct (EntryW k j BelowK Below') as [InW FitsW].
      destruct (fits_size_sound s _ _ Wx Dx IsWx IsDx FitsX InX) as [_ [LeX CloseX]].
      destruct (fits_size_sound sw _ _ Ww Dw IsWw IsDw FitsW InW) as [_ [LeW CloseW]].
      now apply product_close. }
    unfold changes, M. cbn [height levels]. rewrite Height.
    rewrite Rabs_minus_sym in Close.
    pose proof (Rabs_triang (sum n (fun k => f k * g k j) - sum n (fun k => x k * w k j))
      (sum n (fun k => x k * w k j) - r)) as Triangle.
    replace (sum n (fun k => f k * g k j) - r) with
      (sum n (fun k => f k * g k j) - sum n (fun k => x k * w k j) +
       (sum n (fun k => x k * w k j) - r)) by ring.
    lra.
Qed.
