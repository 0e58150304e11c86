(** Points, places and offsets: what the evaluator's enumeration of entries amounts to. *)

From Coq Require Import Uint63 PArray ZArith List Lia Bool.
From CompactProofs Require Import Network Arrays Evaluator.
Import ListNotations.

Lemma points_from_seq n k : points_from k (int_of k) n = map point_of (seq k n).
Proof.
  revert k. induction n as [|n IH]; intros k; [reflexivity|]. cbn [points_from seq map].
  replace (int_of k + 1)%uint63 with (int_of (S k))
    by (rewrite <- Nat.add_1_r, int_of_add; reflexivity).
  now rewrite IH.
Qed.

Lemma points_seq n : points n = map point_of (seq 0 n).
Proof. exact (points_from_seq n 0). Qed.

Lemma places_inputs ns : places ns = map (map point_of) (inputs ns).
Proof.
  induction ns as [|n ns IH]; [reflexivity|]. cbn [places inputs]. rewrite points_seq, IH.
  induction (seq 0 n) as [|a l IHl]; [reflexivity|]. cbn [map flat_map].
  rewrite map_app, IHl. f_equal. now rewrite !map_map.
Qed.

Lemma fst_point_of l : map fst (map point_of l) = l.
Proof. rewrite map_map. apply map_id. Qed.

Lemma nth_point_of l i : nth i (map point_of l) (point_of 0) = point_of (nth i l 0).
Proof. apply map_nth. Qed.

(** ** Places in range *)

Definition in_range (ds ix : list nat) : Prop := Forall2 (fun d i => i < d) ds ix.

Lemma in_range_length ds ix : in_range ds ix -> length ix = length ds.
Proof. intros In. induction In; cbn; [reflexivity|now f_equal]. Qed.

Lemma in_range_b_spec ds ix : in_range_b ds ix = true -> in_range ds ix.
Proof.
  revert ix. induction ds as [|d ds IH]; intros [|i ix] In; try discriminate; [constructor|].
  cbn [in_range_b] in In. apply andb_prop in In. destruct In as [Here Rest].
  constructor; [now apply Nat.ltb_lt|now apply IH].
Qed.

Lemma in_range_nth ds ix i b : in_range ds ix -> nth_error ds i = Some b -> nth i ix 0 < b.
Proof.
  intros In. revert i. induction In as [|d j ds ix Here In IH]; intros [|i] Found; try discriminate.
  - now injection Found as <-.
  - now apply IH.
Qed.

Lemma in_range_snoc ab axes n k : in_range ab axes -> k < n -> in_range (ab ++ [n]) (axes ++ [k]).
Proof. intros In Here. apply Forall2_app; [exact In|]. constructor; [exact Here|constructor]. Qed.

Lemma offset_lt ds ix : in_range ds ix -> offset ds ix < product ds.
Proof.
  intros In. induction In as [|d i ds ix Here In IH]; cbn; [lia|]. fold (product ds). nia.
Qed.

Lemma length_inputs ns : length (inputs ns) = product ns.
Proof.
  induction ns as [|n ns IH]; [reflexivity|]. cbn [inputs].
  assert (All : forall l, length (flat_map (fun a => map (cons a) (inputs ns)) l) =
                          length l * product ns).
  { induction l as [|a l IHl]; [reflexivity|].
    cbn [flat_map length]. now rewrite app_length, map_length, IH, IHl. }
  now rewrite All, seq_length.
Qed.

(** The entry at a place is the one whose number is its offset. *)
Lemma nth_inputs ds ix default : in_range ds ix -> nth (offset ds ix) (inputs ds) default = ix.
Proof.
  intros In. induction In as [|d i ds ix Here In IH]; [reflexivity|]. cbn [offset inputs].
  pose proof (offset_lt ds ix In) as Within.
  assert (Row : forall n s i, i < n ->
    nth (i * product ds + offset ds ix)
        (flat_map (fun a => map (cons a) (inputs ds)) (seq s n)) default = s + i :: ix).
  { clear Here i d. induction n as [|n IHn]; intros s i Here; [lia|]. cbn [seq flat_map].
    destruct i as [|i].
    - rewrite app_nth1 by (rewrite map_length, length_inputs; lia).
      cbn [Nat.mul Nat.add]. rewrite Nat.add_0_r.
      rewrite (nth_indep _ default (s :: default)) by (rewrite map_length, length_inputs; lia).
      now rewrite map_nth, IH.
    - rewrite app_nth2 by (rewrite map_length, length_inputs; nia).
      rewrite map_length, length_inputs.
      replace (S i * product ds + offset ds ix - product ds)
        with (i * product ds + offset ds ix) by nia.
      rewrite IHn by lia. f_equal. lia. }
  exact (Row d 0 i Here).
Qed.

(** ** Bounds of places *)

Section Bounds.
  Variables (t tb ab axes : list nat).

  Lemma max_firstn b i :
    in_range tb t -> i < b -> b <= length tb -> nth i t 0 < fold_right Nat.max 0 (firstn b tb).
  Proof using.
    clear ab axes. intros In. revert b i.
    induction In as [|d j ds ix Here In IH]; intros b i Before Long; cbn in Long; [lia|].
    destruct b as [|b]; [lia|]. cbn [firstn fold_right]. destruct i as [|i]; cbn [nth]; [lia|].
    specialize (IH b i ltac:(lia) ltac:(lia)). lia.
  Qed.

  Hypothesis Tokens : in_range tb t.
  Hypothesis Axes : in_range ab axes.

  Lemma bound_sound i b : bound tb ab i = Some b -> place t axes i < b.
  Proof using Tokens Axes.
    revert b. induction i as [i|i IH|n|i IHi j IHj|i IH n|i IH n|i IH n]; intros b' Found;
      cbn [bound place] in *.
    - now apply (in_range_nth ab).
    - destruct (bound tb ab i) as [b|]; [|discriminate].
      destruct (Nat.leb_spec b (length tb)); [|discriminate]. injection Found as <-.
      apply max_firstn; [assumption|now apply IH|assumption].
    - injection Found as <-. lia.
    - destruct (bound tb ab i) as [a|]; [|discriminate].
      destruct (bound tb ab j) as [b|]; [|discriminate]. injection Found as <-.
      specialize (IHi a eq_refl). specialize (IHj b eq_refl). lia.
    - destruct (bound tb ab i) as [a|]; [|discriminate]. injection Found as <-.
      specialize (IH a eq_refl). nia.
    - destruct (bound tb ab i) as [a|]; [|discriminate].
      destruct (small a && small n)%bool; [|discriminate]. injection Found as <-.
      specialize (IH a eq_refl).
      assert (place t axes i / n <= (a - 1) / n)
        by (destruct n; [cbn; lia|apply Nat.div_le_mono; lia]).
      lia.
    - destruct (bound tb ab i) as [a|]; [|discriminate].
      destruct (small a && small n)%bool; [|discriminate].
      destruct (Nat.eqb_spec n 0); [discriminate|]. injection Found as <-.
      now apply Nat.mod_upper_bound.
  Qed.

  Lemma all_within_sound ds l :
    all_within tb ab ds l = true -> in_range ds (map (place t axes) l).
  Proof using Tokens Axes.
    revert l. induction ds as [|d ds IH]; intros [|i l] In; try discriminate; [constructor|].
    cbn [all_within] in In. apply andb_prop in In. destruct In as [Here Rest].
    constructor; [|now apply IH]. unfold within in Here.
    destruct (bound tb ab i) as [b|] eqn:Found; [|discriminate].
    apply Nat.leb_le in Here. apply bound_sound in Found. lia.
  Qed.
End Bounds.
