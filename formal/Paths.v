(** * The paths through the transformer

    What the logits are made of, as matrices, over the reals and as enclosures. With a the last token and last = K - 1,

        attn_score i = EQKE a (token i) + EQKP a i
        logit x      = EUPU a x + sum_i pattern i * (EVOU (token i) x + PVOU i x).

    Multiplying the difference of two logits by the softmax's denominator leaves a sum over positions, with no division:
    the sequence is right if, for every x other than the label m,

        0 < sum_i exp (EQKE a (token i) - c) * exp (EQKP a i - c') * gain a m x i (token i)

    for any numbers c and c' ([right_if_gains]). Every checker proves that. *)

From Coq Require Import Reals ZArith List Lia Lra.
From CompactProofs Require Import Statement Sums Enclosure.
Import ListNotations.
Open Scope R_scope.

Section Real.
  Variable M : transformer.

  Definition embed_last (a d : nat) : R := entry M (W_E M) a d + entry M (W_pos M) (last M) d.
  Definition query (a h : nat) : R := sum (d_model M) (fun d => embed_last a d * entry M (W_Q M) d h).
  Definition key_E (c h : nat) : R := sum (d_model M) (fun d => entry M (W_E M) c d * entry M (W_K M) d h).
  Definition key_P (i h : nat) : R := sum (d_model M) (fun d => entry M (W_pos M) i d * entry M (W_K M) d h).
  Definition value_E (c h : nat) : R := sum (d_model M) (fun d => entry M (W_E M) c d * entry M (W_V M) d h).
  Definition value_P (i h : nat) : R := sum (d_model M) (fun d => entry M (W_pos M) i d * entry M (W_V M) d h).
  Definition OU (h x : nat) : R := sum (d_model M) (fun d => entry M (W_O M) h d * entry M (W_U M) d x).

  Definition EQKE (a c : nat) : R := sum (d_head M) (fun h => query a h * key_E c h) / sqrt (INR (d_head M)).
  Definition EQKP (a i : nat) : R := sum (d_head M) (fun h => query a h * key_P i h) / sqrt (INR (d_head M)).
  Definition EVOU (c x : nat) : R := sum (d_head M) (fun h => value_E c h * OU h x).
  Definition PVOU (i x : nat) : R := sum (d_head M) (fun h => value_P i h * OU h x).
  Definition EUPU (a x : nat) : R := sum (d_model M) (fun d => embed_last a d * entry M (W_U M) d x).

  Definition gain (a m x i c : nat) : R := (EUPU a m - EUPU a x) + (EVOU c m - EVOU c x) + (PVOU i m - PVOU i x).
  Definition term (c c' : R) (a m x i u : nat) : R := exp (EQKE a u - c) * exp (EQKP a i - c') * gain a m x i u.

  Section Input.
    Variable t : list nat.
    Notation a := (token t (last M)).

    Lemma k_paths i h : k M t i h = key_E (token t i) h + key_P i h.
    Proof. unfold k, key_E, key_P, resid_pre. rewrite <- sum_plus. apply sum_ext. intros; ring. Qed.

    Lemma v_paths i h : v M t i h = value_E (token t i) h + value_P i h.
    Proof. unfold v, value_E, value_P, resid_pre. rewrite <- sum_plus. apply sum_ext. intros; ring. Qed.

    Lemma attn_score_paths i : attn_score M t i = EQKE a (token t i) + EQKP a i.
    Proof.
      unfold attn_score, EQKE, EQKP, Rdiv. rewrite <- Rmult_plus_distr_r, <- sum_plus. f_equal. apply sum_ext. intros h _.
      rewrite k_paths. change (q M t h) with (query a h). ring.
    Qed.

    Lemma logit_paths x : logit M t x = EUPU a x + sum (n_ctx M) (fun i => pattern M t i * (EVOU (token t i) x + PVOU i x)).
    Proof.
      unfold logit, resid_post, EUPU.
      rewrite (sum_ext _ _ (fun d => embed_last a d * entry M (W_U M) d x + attn_out M t d * entry M (W_U M) d x))
        by (intros; unfold resid_pre, embed_last; ring).
      rewrite sum_plus. f_equal. unfold attn_out.
      rewrite (sum_ext (d_model M) _ (fun d => sum (d_head M) (fun h => z M t h * (entry M (W_O M) h d * entry M (W_U M) d x))))
        by (intros; rewrite <- sum_times_r; apply sum_ext; intros; ring).
      rewrite sum_swap.
      rewrite (sum_ext (d_head M) _ (fun h => sum (n_ctx M) (fun i => pattern M t i * (v M t i h * OU h x)))).
      - rewrite sum_swap. apply sum_ext. intros i _. rewrite sum_times. f_equal. unfold EVOU, PVOU. rewrite <- sum_plus.
        apply sum_ext. intros h _. rewrite v_paths. ring.
      - intros h _. rewrite sum_times. fold (OU h x). unfold z. rewrite <- sum_times_r. apply sum_ext. intros; ring.
    Qed.

    Hypothesis context : (0 < n_ctx M)%nat.

    Definition denominator : R := sum (n_ctx M) (fun i => exp (attn_score M t i)).

    Lemma denominator_pos : 0 < denominator.
    Proof. apply sum_pos; [intros; apply exp_pos|exact context]. Qed.

    Lemma logit_difference m x :
      denominator * (logit M t m - logit M t x) = sum (n_ctx M) (fun i => exp (attn_score M t i) * gain a m x i (token t i)).
    Proof.
      assert (Z : denominator <> 0) by (apply Rgt_not_eq, denominator_pos).
      assert (P : forall i, denominator * pattern M t i = exp (attn_score M t i)).
      { intros i. unfold pattern. fold denominator. field. exact Z. }
      pose (f := fun y => sum (n_ctx M) (fun i => pattern M t i * (EVOU (token t i) y + PVOU i y))).
      assert (F : forall y, denominator * f y = sum (n_ctx M) (fun i => exp (attn_score M t i) * (EVOU (token t i) y + PVOU i y))).
      { intros y. unfold f. rewrite <- sum_times. apply sum_ext. intros i _. rewrite <- P. ring. }
      replace (denominator * (logit M t m - logit M t x))
        with ((EUPU a m - EUPU a x) * denominator + (denominator * f m - denominator * f x))
        by (rewrite !logit_paths; unfold f; ring).
      rewrite !F, <- sum_minus. unfold denominator. rewrite <- sum_times, <- sum_plus. apply sum_ext. intros i _.
      unfold gain. ring.
    Qed.

    Theorem logit_less m x c c' : 0 < sum (n_ctx M) (fun i => term c c' a m x i (token t i)) -> logit M t x < logit M t m.
    Proof.
      intros H. pose proof denominator_pos as D. apply Rminus_gt. apply (Rmult_lt_reg_l denominator); [exact D|].
      rewrite Rmult_0_r, logit_difference.
      rewrite (sum_ext _ _ (fun i => exp (c + c') * term c c' a m x i (token t i))).
      - rewrite sum_times. apply Rmult_lt_0_compat; [apply exp_pos|exact H].
      - intros i _. unfold term. rewrite <- !Rmult_assoc, <- !exp_plus, attn_score_paths. f_equal. f_equal. ring.
    Qed.
  End Input.

  Theorem right_if_gains label t c c' : (0 < n_ctx M)%nat -> (label t < d_vocab M)%nat ->
    (forall x, (x < d_vocab M)%nat -> x <> label t ->
       0 < sum (n_ctx M) (fun i => term c c' (token t (last M)) (label t) x i (token t i))) ->
    right M label t.
  Proof. intros K L H. split; [exact L|]. intros x Hx Hne. apply (logit_less t K _ _ c c'). now apply H. Qed.
End Real.

(** * Tables of enclosures *)

Section Tables.
  Context {A : enclosures}.
  Variable M : transformer.
  Notation vocab := (seq 0 (d_vocab M)). Notation context := (seq 0 (n_ctx M)).
  Notation model := (seq 0 (d_model M)). Notation head := (seq 0 (d_head M)).

  Definition unit : T A := of_Z A (2 ^ Z.of_nat (fraction_bits M)).
  Definition entry_t (W : list (list Z)) (i j : nat) : T A := div A (of_Z A (nth j (nth i W []) 0%Z)) unit.
  Definition rows (W : list (list Z)) (is js : list nat) : list (list (T A)) := map (fun i => map (entry_t W i) js) is.
  Definition columns (W : list (list Z)) (is js : list nat) : list (list (T A)) := map (fun j => map (fun i => entry_t W i j) is) js.

  (** The product of a matrix given by rows and one given by columns: by rows, and by columns. *)
  Definition product (rows columns : list (list (T A))) : list (list (T A)) := map (fun r => map (dot r) columns) rows.
  Definition product_columns (rows columns : list (list (T A))) : list (list (T A)) := map (fun c => map (fun r => dot r c) rows) columns.

  Record tables := {
    t_EQKE : list (list (T A));  (* v rows of v *)
    t_EQKP : list (list (T A));  (* v rows of K *)
    t_EVOU : list (list (T A));  (* v rows of v *)
    t_PVOU : list (list (T A));  (* K rows of v *)
    t_EUPU : list (list (T A))   (* v rows of v *)
  }.

  Definition path_tables : tables :=
    let WE := rows (W_E M) vocab model in
    let Wpos := rows (W_pos M) context model in
    let WK := columns (W_K M) model head in
    let WV := columns (W_V M) model head in
    let WU := columns (W_U M) model vocab in
    let at_last := map (map2 (add A) (map (entry_t (W_pos M) (last M)) model)) WE in
    let queries := product at_last (columns (W_Q M) model head) in
    let OU := product_columns (rows (W_O M) head model) WU in
    let scale := tsqrt A (of_Z A (Z.of_nat (d_head M))) in
    let scaled := map (map (fun s => div A s scale)) in
    {| t_EQKE := scaled (product queries (product WE WK));
       t_EQKP := scaled (product queries (product Wpos WK));
       t_EVOU := product (product WE WV) OU;
       t_PVOU := product (product Wpos WV) OU;
       t_EUPU := product at_last WU |}.

  (** ** They enclose the paths *)

  Context {contains : T A -> R -> Prop} (Sd : sound A contains).

  Definition encloses_table (l : list (list (T A))) (f : nat -> nat -> R) (is js : list nat) : Prop :=
    Forall2 (fun row i => encloses (contains := contains) row (f i) js) l is.

  Lemma encloses_table_ext l f g is js : (forall i j, f i j = g i j) -> encloses_table l f is js -> encloses_table l g is js.
  Proof. intros H E. induction E; constructor; [|assumption]. now apply (encloses_ext _ (f y)). Qed.

  Lemma encloses_table_length l f is js : encloses_table l f is js -> length l = length is.
  Proof. intros E. induction E; cbn; [reflexivity|now f_equal]. Qed.

  Lemma encloses_table_nth l f n js i : encloses_table l f (seq 0 n) js -> (i < n)%nat -> encloses (contains := contains) (nth i l []) (f i) js.
  Proof.
    assert (H : forall s l i, encloses_table l f (seq s n) js -> (i < n)%nat -> encloses (contains := contains) (nth i l []) (f (s + i)%nat) js).
    { clear. induction n as [|n IH]; intros s l i E Hi; [lia|]. inversion E; subst.
      destruct i as [|i]; cbn [nth]; [now rewrite Nat.add_0_r|].
      replace (s + S i)%nat with (S s + i)%nat by lia. apply IH; [assumption|lia]. }
    intros E. now apply (H 0%nat).
  Qed.

  Lemma encloses_table_at l f n k i j : encloses_table l f (seq 0 n) (seq 0 k) -> (i < n)%nat -> (j < k)%nat ->
    contains (entry_of (nth i l []) j) (f i j).
  Proof. intros E Hi Hj. apply (encloses_nth (nth i l []) (f i) k j); [|exact Hj]. now apply (encloses_table_nth l f n). Qed.

  Lemma entry_sound W i j : contains (entry_t W i j) (entry M W i j).
  Proof.
    unfold entry_t, entry. apply (sound_div _ _ Sd); [apply (sound_of_Z _ _ Sd)|]. unfold unit.
    replace (2 ^ fraction_bits M) with (IZR (2 ^ Z.of_nat (fraction_bits M))); [apply (sound_of_Z _ _ Sd)|].
    now rewrite <- pow_IZR.
  Qed.

  Lemma rows_sound W is js : encloses_table (rows W is js) (entry M W) is js.
  Proof. unfold rows. induction is; cbn; constructor; [|assumption]. apply encloses_tabulate. intros; apply entry_sound. Qed.

  Lemma columns_sound W is js : encloses_table (columns W is js) (fun j i => entry M W i j) js is.
  Proof. unfold columns. induction js; cbn; constructor; [|assumption]. apply encloses_tabulate. intros; apply entry_sound. Qed.

  Lemma product_sound X Y f g is n js : encloses_table X f is (seq 0 n) -> encloses_table Y (fun j i => g i j) js (seq 0 n) ->
    encloses_table (product X Y) (fun i j => sum n (fun h => f i h * g h j)) is js.
  Proof.
    intros EX EY. unfold product. induction EX as [|row i X is Hrow EX IH]; cbn; constructor; [|exact IH]. clear IH EX.
    induction EY as [|col j Y js Hcol EY IH]; cbn; constructor; [|exact IH].
    exact (dot_sound Sd row col (f i) (fun h => g h j) (seq 0 n) Hrow Hcol).
  Qed.

  Lemma product_columns_sound X Y f g is n js : encloses_table X f is (seq 0 n) -> encloses_table Y (fun j i => g i j) js (seq 0 n) ->
    encloses_table (product_columns X Y) (fun j i => sum n (fun h => f i h * g h j)) js is.
  Proof.
    intros EX EY. unfold product_columns. induction EY as [|col j Y js Hcol EY IH]; cbn; constructor; [|exact IH]. clear IH EY.
    induction EX as [|row i X is Hrow EX IH]; cbn; constructor; [|exact IH].
    exact (dot_sound Sd row col (f i) (fun h => g h j) (seq 0 n) Hrow Hcol).
  Qed.

  Lemma map_table_sound F G l f is js : (forall a r, contains a r -> contains (F a) (G r)) ->
    encloses_table l f is js -> encloses_table (map (map F) l) (fun i j => G (f i j)) is js.
  Proof. intros H E. induction E; cbn; constructor; [|assumption]. now apply encloses_map. Qed.

  Record tables_sound (P : tables) : Prop := {
    EQKE_sound : encloses_table (t_EQKE P) (EQKE M) vocab vocab;
    EQKP_sound : encloses_table (t_EQKP P) (EQKP M) vocab context;
    EVOU_sound : encloses_table (t_EVOU P) (EVOU M) vocab vocab;
    PVOU_sound : encloses_table (t_PVOU P) (PVOU M) context vocab;
    EUPU_sound : encloses_table (t_EUPU P) (EUPU M) vocab vocab
  }.

  Theorem path_tables_sound : tables_sound path_tables.
  Proof.
    assert (L : encloses_table (map (map2 (add A) (map (entry_t (W_pos M) (last M)) model)) (rows (W_E M) vocab model)) (embed_last M) vocab model).
    { apply (encloses_table_ext _ (fun a d => entry M (W_pos M) (last M) d + entry M (W_E M) a d)); [intros; unfold embed_last; ring|].
      generalize (rows_sound (W_E M) vocab model). generalize (rows (W_E M) vocab model). intros W E.
      induction E as [|row a W is Hrow E IH]; cbn; constructor; [|exact IH].
      apply (encloses_map2 (add A) Rplus _ _ (entry M (W_pos M) (last M)) (entry M (W_E M) a)); [apply (sound_add _ _ Sd)| |exact Hrow]. apply encloses_tabulate. intros; apply entry_sound. }
    assert (Q : encloses_table (product (map (map2 (add A) (map (entry_t (W_pos M) (last M)) model)) (rows (W_E M) vocab model)) (columns (W_Q M) model head))
                  (query M) vocab head) by (apply product_sound; [exact L|apply columns_sound]).
    assert (O : encloses_table (product_columns (rows (W_O M) head model) (columns (W_U M) model vocab)) (fun x h => OU M h x) vocab head)
      by (apply product_columns_sound; [apply rows_sound|apply columns_sound]).
    assert (Sc : contains (tsqrt A (of_Z A (Z.of_nat (d_head M)))) (sqrt (INR (d_head M))))
      by (rewrite INR_IZR_INZ; apply (sound_sqrt _ _ Sd), (sound_of_Z _ _ Sd)).
    constructor; cbn [path_tables t_EQKE t_EQKP t_EVOU t_PVOU t_EUPU].
    - apply (map_table_sound _ (fun r => r / sqrt (INR (d_head M)))); [intros; now apply (sound_div _ _ Sd)|].
      apply (product_sound _ _ (query M) (fun h c => key_E M c h)); [exact Q|]. apply product_sound; [apply rows_sound|apply columns_sound].
    - apply (map_table_sound _ (fun r => r / sqrt (INR (d_head M)))); [intros; now apply (sound_div _ _ Sd)|].
      apply (product_sound _ _ (query M) (fun h c => key_P M c h)); [exact Q|]. apply product_sound; [apply rows_sound|apply columns_sound].
    - apply product_sound; [|exact O]. apply product_sound; [apply rows_sound|apply columns_sound].
    - apply product_sound; [|exact O]. apply product_sound; [apply rows_sound|apply columns_sound].
    - apply product_sound; [exact L|apply columns_sound].
  Qed.
End Tables.
