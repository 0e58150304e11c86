(** * The program of a one-layer transformer computes what Statement.v says

    So every theorem of a compact checker, whose argument is about [Statement.logit], is one about
    the program that is traced from the module. *)

From Coq Require Import Reals ZArith List Lia Lra Bool.
From CompactProofs Require Import Network Tasks.
From CompactProofs Require Statement Counting.
Import ListNotations.
Open Scope R_scope.

Module S := Statement.
Module C := Counting.

Section Bridge.
  Variable M : S.transformer.
  Notation v := (S.d_vocab M).
  Notation K := (S.n_ctx M).
  Notation d := (S.d_model M).
  Notation h := (S.d_head M).
  Notation bits := (S.fraction_bits M).

  Definition matrix (rows columns : nat) (m : list (list Z)) : weight :=
    {| dims := [rows; columns]; entries := concat m |}.

  (** The program, as the exporter writes it for any sizes. *)
  Definition exported : network := {|
    fraction_bits := bits;
    weights := [
      matrix v d (S.W_E M); matrix K d (S.W_pos M); matrix d h (S.W_Q M); matrix d h (S.W_K M);
      matrix d h (S.W_V M); matrix h d (S.W_O M); matrix d v (S.W_U M)];
    program := [
      (* 7: sqrt h *)
      {| shape := []; body := Sqrt (Number (Z.of_nat h) 1) |};
      (* 8: the residual stream *)
      {| shape := [K; d];
         body := Plus (Read 0 [Token (Axis 0); Axis 1]) (Read 1 [Axis 0; Axis 1]) |};
      (* 9: keys *)
      {| shape := [K; h];
         body := Sum d (Times (Read 8 [Axis 0; Axis 2]) (Read 3 [Axis 2; Axis 1])) |};
      (* 10: the query at the last position *)
      {| shape := [h];
         body := Sum d (Times (Read 8 [Fixed (K - 1); Axis 1]) (Read 2 [Axis 1; Axis 0])) |};
      (* 11: exp of the scores *)
      {| shape := [K];
         body := Exp (Over (Sum h (Times (Read 9 [Axis 0; Axis 1]) (Read 10 [Axis 1])))
                           (Read 7 [])) |};
      (* 12: their sum *)
      {| shape := []; body := Sum K (Read 11 [Axis 0]) |};
      (* 13: the pattern *)
      {| shape := [K]; body := Over (Read 11 [Axis 0]) (Read 12 []) |};
      (* 14: values *)
      {| shape := [K; h];
         body := Sum d (Times (Read 8 [Axis 0; Axis 2]) (Read 4 [Axis 2; Axis 1])) |};
      (* 15: z *)
      {| shape := [h]; body := Sum K (Times (Read 13 [Axis 1]) (Read 14 [Axis 1; Axis 0])) |};
      (* 16: the residual stream after attention, at the last position *)
      {| shape := [d];
         body := Plus (Read 8 [Fixed (K - 1); Axis 0])
                      (Sum h (Times (Read 15 [Axis 1]) (Read 5 [Axis 1; Axis 0]))) |};
      (* 17: logits *)
      {| shape := [v]; body := Sum d (Times (Read 16 [Axis 1]) (Read 6 [Axis 1; Axis 0])) |}];
    outputs := v
  |}.

  (** ** Entries of weights *)

  Lemma nth_concat c m i j :
    Forall (fun row => length row = c) m -> (j < c)%nat ->
    nth (i * c + j) (concat m) 0%Z = nth j (nth i m []) 0%Z.
  Proof using.
    intros Rows Within. revert i. induction Rows as [|row m Row Rows IH]; intros i.
    - cbn [concat]. destruct (i * c + j)%nat; destruct i, j; reflexivity.
    - cbn [concat]. destruct i as [|i].
      + cbn [Nat.mul Nat.add nth]. apply app_nth1. lia.
      + rewrite app_nth2 by lia.
        replace (S i * c + j - length row)%nat with (i * c + j)%nat by lia. apply IH.
  Qed.

  Lemma entry_of rows columns m i j :
    S.has_shape rows columns m = true -> (j < columns)%nat ->
    weight_tensor bits (matrix rows columns m) [i; j] = S.entry M m i j.
  Proof using.
    intros Shape Within. unfold S.has_shape in Shape. apply andb_prop in Shape.
    destruct Shape as [_ Shape]. unfold weight_tensor, S.entry, matrix. cbn [dims entries].
    do 2 f_equal.
    replace (offset [rows; columns] [i; j]) with (i * columns + j)%nat
      by (unfold offset, product; cbn [fold_right]; lia).
    apply nth_concat; [|exact Within]. apply Forall_forall. intros row In_m.
    rewrite forallb_forall in Shape. now apply Nat.eqb_eq, Shape.
  Qed.

  Lemma ext n f g : (forall i, (i < n)%nat -> f i = g i) -> S.sum n f = S.sum n g.
  Proof using.
    intros Same. unfold S.sum. f_equal. apply map_ext_in. intros i In_n.
    apply in_seq in In_n. apply Same. lia.
  Qed.

  (** ** Logits *)

  Hypothesis Shaped : S.shaped M = true.

  Theorem exported_logit t x : (x < v)%nat -> logit exported t x = S.logit M t x.
  Proof using Shaped.
    intros Output. pose proof Shaped as Shapes. unfold S.shaped in Shapes.
    do 6 (apply andb_prop in Shapes; destruct Shapes as [Shapes ?]).
    change (logit exported t x) with
      (let w i := nth i (map (weight_tensor bits) (weights exported)) (fun _ => 0) in
       let resid i k := w 0%nat [nth i t 0%nat; k] + w 1%nat [i; k] in
       let key i a := S.sum d (fun k => resid i k * w 3%nat [k; a]) in
       let query a := S.sum d (fun k => resid (K - 1)%nat k * w 2%nat [k; a]) in
       let score i := S.sum h (fun a => key i a * query a) / sqrt (IZR (Z.of_nat h) / 1) in
       let value i a := S.sum d (fun k => resid i k * w 4%nat [k; a]) in
       let z a := S.sum K (fun i => exp (score i) / S.sum K (fun j => exp (score j)) * value i a) in
       let post k := resid (K - 1)%nat k + S.sum h (fun a => z a * w 5%nat [a; k]) in
       S.sum d (fun k => post k * w 6%nat [k; x])).
    cbv zeta. cbn [nth map weights exported].
    assert (Resid : forall i k, (k < d)%nat ->
      weight_tensor bits (matrix v d (S.W_E M)) [nth i t 0%nat; k] +
      weight_tensor bits (matrix K d (S.W_pos M)) [i; k] = S.resid_pre M t i k)
      by (intros; rewrite (entry_of v d), (entry_of K d) by assumption; reflexivity).
    assert (Score : forall i,
      S.sum h (fun a =>
        S.sum d (fun k => (weight_tensor bits (matrix v d (S.W_E M)) [nth i t 0%nat; k] +
                           weight_tensor bits (matrix K d (S.W_pos M)) [i; k]) *
                          weight_tensor bits (matrix d h (S.W_K M)) [k; a]) *
        S.sum d (fun k => (weight_tensor bits (matrix v d (S.W_E M)) [nth (K - 1) t 0%nat; k] +
                           weight_tensor bits (matrix K d (S.W_pos M)) [(K - 1)%nat; k]) *
                          weight_tensor bits (matrix d h (S.W_Q M)) [k; a])) /
      sqrt (IZR (Z.of_nat h) / 1) = S.attn_score M t i).
    { intros i. unfold S.attn_score. rewrite INR_IZR_INZ.
      replace (IZR (Z.of_nat h) / 1) with (IZR (Z.of_nat h)) by field. f_equal.
      apply ext. intros a In_h. rewrite Rmult_comm. f_equal; apply ext; intros k In_d;
        rewrite Resid by exact In_d; rewrite (entry_of d h) by assumption; reflexivity. }
    unfold S.logit. apply ext. intros k In_d. rewrite (entry_of d v) by assumption. f_equal.
    unfold S.resid_post. rewrite Resid by exact In_d. f_equal. unfold S.attn_out.
    apply ext. intros a In_h. rewrite (entry_of h d) by assumption. f_equal.
    unfold S.z. apply ext. intros i _. f_equal.
    - unfold S.pattern. rewrite Score. f_equal. apply ext. intros j _. now rewrite Score.
    - apply ext. intros k' In_d'. rewrite Resid by exact In_d'. now rewrite (entry_of d h).
  Qed.

  (** ** Accuracy *)

  Lemma count_inputs n : forall P, C.count P (inputs (repeat v n)) = C.count P (S.sequences v n).
  Proof using.
    induction n as [|n IH]; intros P; [reflexivity|]. rewrite C.count_first. cbn [repeat inputs].
    unfold C.count. induction (seq 0 v) as [|a l IHl]; [reflexivity|]. cbn [flat_map].
    rewrite C.total_app, C.total_cons, IHl, C.total_map. f_equal.
    exact (IH (fun t => P (a :: t))).
  Qed.

  Lemma length_count {X} (l : list X) : Z.of_nat (length l) = C.count (fun _ => true) l.
  Proof using.
    rewrite C.count_length. do 2 f_equal. induction l as [|a l IH]; [reflexivity|].
    cbn. now rewrite <- IH.
  Qed.

  Theorem exported_accuracy :
    accuracy exported (inputs (repeat v K)) maximum = S.accuracy M S.max_of_k.
  Proof using Shaped.
    unfold accuracy, S.accuracy. cbv zeta.
    rewrite !INR_IZR_INZ, <- !C.count_length, !length_count, !count_inputs. do 2 f_equal.
    apply C.count_ext. intros t _. unfold right_b, S.right_b.
    change (outputs exported) with v. change (maximum t) with (S.max_of_k t).
    destruct (Nat.ltb_spec (S.max_of_k t) v) as [Label|]; [|reflexivity]. cbn [andb].
    apply eq_true_iff_eq. rewrite !forallb_forall.
    split; intros Less x Output; specialize (Less x Output); apply in_seq in Output;
      rewrite !exported_logit in * by lia; exact Less.
  Qed.

  Lemma exported_shaped : shaped exported = true.
  Proof using Shaped.
    pose proof Shaped as Shapes. unfold S.shaped in Shapes.
    do 6 (apply andb_prop in Shapes; destruct Shapes as [Shapes ?]).
    assert (Entries : forall rows columns m, S.has_shape rows columns m = true ->
      let w := matrix rows columns m in
      (length (entries w) =? product (dims w))%nat = true).
    { intros rows columns m Shape. unfold S.has_shape in Shape. apply andb_prop in Shape.
      destruct Shape as [Rows Columns]. apply Nat.eqb_eq in Rows. subst rows.
      apply Nat.eqb_eq. cbv zeta. unfold matrix, product. cbn [entries dims fold_right].
      rewrite Nat.mul_1_r. induction m as [|row m IH]; [reflexivity|].
      cbn [forallb] in Columns. apply andb_prop in Columns. destruct Columns as [Row Columns].
      apply Nat.eqb_eq in Row. cbn [concat length]. rewrite app_length, IH by exact Columns. lia. }
    unfold shaped. cbn [weights exported forallb]. rewrite !Entries by assumption.
    cbn [program exported map shape last outputs]. now rewrite Nat.eqb_refl.
  Qed.
End Bridge.

(** ** From a theorem about Statement.v's transformer to one about a program *)

Theorem accuracy_of_program (model : network) (M : S.transformer) values bound :
  model = exported M -> values = repeat (S.d_vocab M) (S.n_ctx M) ->
  S.shaped M = true /\ S.accuracy M S.max_of_k >= bound ->
  shaped model = true /\ accuracy model (inputs values) maximum >= bound.
Proof.
  intros -> -> [Shaped Bound]. split; [now apply exported_shaped|].
  now rewrite exported_accuracy.
Qed.

(** ** The record of Statement.v, from a program's weights

    Nothing needs to be known of it: that the program is [exported] of it is found by computing. *)

Fixpoint rows (columns n : nat) (l : list Z) : list (list Z) :=
  match n with
  | O => []
  | S n => firstn columns l :: rows columns n (skipn columns l)
  end.

Definition transformer_of (v K d h : nat) (model : network) : S.transformer :=
  let W i n columns :=
    rows columns n (entries (nth i (weights model) {| dims := []; entries := [] |})) in
  {| S.d_vocab := v; S.n_ctx := K; S.d_model := d; S.d_head := h;
     S.fraction_bits := fraction_bits model;
     S.W_E := W 0%nat v d; S.W_pos := W 1%nat K d; S.W_Q := W 2%nat d h; S.W_K := W 3%nat d h;
     S.W_V := W 4%nat d h; S.W_O := W 5%nat h d; S.W_U := W 6%nat d v |}.
