(** * Expressions: equality, and places put for axes *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Network Arithmetic Evaluator Distribute.
Import ListNotations.
Open Scope nat_scope.

(** ** Equality *)

Lemma index_eqb_eq i : forall j, index_eqb i j = true -> i = j.
Proof.
  induction i; intros []; cbn; intros Same; try discriminate;
    try (apply andb_prop in Same; destruct Same as [Left Right]);
    repeat match goal with
    | H : (_ =? _) = true |- _ => apply Nat.eqb_eq in H; subst
    | IH : forall j, index_eqb ?i j = true -> _, H : index_eqb ?i _ = true |- _ =>
        apply IH in H; subst
    end; reflexivity.
Qed.

Lemma list_eqb_eq {X} eqb (l : list X) : forall l',
  (forall a b, eqb a b = true -> a = b) -> list_eqb eqb l l' = true -> l = l'.
Proof.
  induction l as [|a l IH]; intros [|b l'] Eqb Same; try discriminate; [reflexivity|].
  cbn in Same. apply andb_prop in Same. destruct Same as [Here Rest].
  now rewrite (Eqb a b Here), (IH l' Eqb Rest).
Qed.

Lemma scalar_eqb_eq a : forall b, scalar_eqb a b = true -> a = b.
Proof.
  induction a; intros []; cbn; intros Same; try discriminate;
    try (apply andb_prop in Same; destruct Same as [Left Right]);
    repeat match goal with
    | H : (_ =? _) = true |- _ => apply Nat.eqb_eq in H; subst
    | H : (_ =? _)%Z = true |- _ => apply Z.eqb_eq in H; subst
    | H : (_ =? _)%positive = true |- _ => apply Pos.eqb_eq in H; subst
    | H : list_eqb index_eqb _ _ = true |- _ =>
        apply (list_eqb_eq _ _ _ index_eqb_eq) in H; subst
    | IH : forall b, scalar_eqb ?a b = true -> _, H : scalar_eqb ?a _ = true |- _ =>
        apply IH in H; subst
    end; reflexivity.
Qed.

(** ** Sums *)

Open Scope R_scope.

Lemma sum_zero n : sum n (fun _ => 0) = 0.
Proof. induction n as [|n IH]; [reflexivity|]. rewrite sum_first, IH. ring. Qed.

Lemma sum_plus n f g : sum n (fun k => f k + g k) = sum n f + sum n g.
Proof.
  revert f g. induction n as [|n IH]; intros f g; [unfold sum; cbn; ring|].
  rewrite !sum_first, (IH (fun k => f (S k)) (fun k => g (S k))). ring.
Qed.

Lemma sum_scale n a f : sum n (fun k => a * f k) = a * sum n f.
Proof.
  revert f. induction n as [|n IH]; intros f; [unfold sum; cbn; ring|].
  rewrite !sum_first, (IH (fun k => f (S k))). ring.
Qed.

Lemma sum_scale_r n a f : sum n (fun k => f k * a) = sum n f * a.
Proof. rewrite Rmult_comm, <- sum_scale. apply sum_equal. intros. apply Rmult_comm. Qed.

Lemma sum_swap n m f :
  sum n (fun k => sum m (fun j => f k j)) = sum m (fun j => sum n (fun k => f k j)).
Proof.
  revert f. induction n as [|n IH]; intros f.
  - unfold sum at 1. cbn. now rewrite sum_zero.
  - rewrite sum_first, (IH (fun k => f (S k))), <- sum_plus. apply sum_equal. intros j _.
    now rewrite sum_first.
Qed.

Open Scope nat_scope.

Section Input.
  Variable t : list nat.

  (** ** Places *)

  Lemma place_closed axes ks i : closed (length axes) i = true ->
    place t (axes ++ ks) i = place t axes i.
  Proof using.
    induction i; cbn; intros Closed; try reflexivity; try (now rewrite IHi by exact Closed).
    - apply app_nth1. now apply Nat.ltb_lt.
    - apply andb_prop in Closed. destruct Closed. now rewrite IHi1, IHi2.
  Qed.

  Lemma place_independent axes k k' ks i : mentions (length axes) i = false ->
    place t (axes ++ k :: ks) i = place t (axes ++ k' :: ks) i.
  Proof using.
    induction i; cbn; intros Not; try reflexivity; try (now rewrite IHi by exact Not).
    - apply Nat.eqb_neq in Not. destruct (Nat.lt_ge_cases i (length axes)).
      + now rewrite !app_nth1.
      + rewrite !app_nth2 by assumption. now destruct (i - length axes) eqn:E; [lia|].
    - apply orb_false_elim in Not. destruct Not. now rewrite IHi1, IHi2.
  Qed.

  Lemma place_only axes axes' r i : only r i = true -> nth r axes 0 = nth r axes' 0 ->
    place t axes i = place t axes' i.
  Proof using.
    intros Only Same. induction i; cbn in *; try reflexivity; try (now rewrite IHi by exact Only).
    - apply Nat.eqb_eq in Only. now subst.
    - apply andb_prop in Only. destruct Only. now rewrite IHi1, IHi2.
  Qed.

  Lemma places_axes l l' ks : map (place t (l ++ l' ++ ks)) (axes_from (length l) (length l')) = l'.
  Proof using.
    unfold axes_from. rewrite map_map. revert l.
    induction l' as [|a l' IH]; intros l; [reflexivity|].
    cbn [length seq map place]. rewrite app_nth2, Nat.sub_diag by lia. cbn [app nth]. f_equal.
    specialize (IH (l ++ [a])). rewrite app_length, Nat.add_1_r, <- app_assoc in IH. exact IH.
  Qed.

  (** ** Substitution *)

  Lemma place_substituted s axes ks i : forallb (closed (length axes)) s = true ->
    place t (axes ++ ks) (at_places s (length axes) i) = place t (map (place t axes) s ++ ks) i.
  Proof using.
    intros Closed. rewrite forallb_forall in Closed.
    induction i; cbn [at_places place]; try reflexivity;
      try (now rewrite IHi); try (now rewrite IHi1, IHi2).
    destruct (Nat.ltb_spec i (length s)) as [Before|After].
    - rewrite app_nth1 by now rewrite map_length.
      rewrite (nth_indep _ 0 (place t axes (Fixed 0))) by now rewrite map_length.
      rewrite map_nth. apply place_closed. apply Closed. now apply nth_In.
    - cbn [place]. rewrite !app_nth2 by (rewrite ?map_length; lia). f_equal.
      rewrite map_length. lia.
  Qed.

  Section Meaning.
    Variable env : list tensor.
    Notation zero := (fun _ : list nat => 0%R).

    Lemma meaning_substituted s axes e : forallb (closed (length axes)) s = true -> forall ks,
      meaning t env (axes ++ ks) (substitute s (length axes) e) =
      meaning t env (map (place t axes) s ++ ks) e.
    Proof using.
      intros Closed. induction e; intros ks; cbn [substitute meaning]; try reflexivity;
        try (now rewrite IHe); try (now rewrite IHe1, IHe2).
      - rewrite map_map. f_equal. apply map_ext. intros. now apply place_substituted.
      - apply sum_equal. intros k _. rewrite <- !app_assoc. apply IHe.
    Qed.

    Lemma meaning_independent axes k k' e : depends (length axes) e = false -> forall ks,
      meaning t env (axes ++ k :: ks) e = meaning t env (axes ++ k' :: ks) e.
    Proof using.
      induction e; cbn [depends meaning]; intros Not ks; try reflexivity;
        try (apply orb_false_elim in Not; destruct Not; now rewrite IHe1, IHe2);
        try (now rewrite IHe).
      - f_equal. apply map_ext_in. intros i In. apply place_independent.
        destruct (mentions (length axes) i) eqn:Mentions; [|reflexivity].
        assert (Some_i : existsb (mentions (length axes)) places = true)
          by (apply existsb_exists; now exists i).
        congruence.
      - apply sum_equal. intros j _. rewrite <- !app_assoc. now apply IHe.
    Qed.

    (** Axis r of a tensor with [depth] axes is dropped. *)
    Lemma dropped_places axes ks :
      map (place t (axes ++ ks)) (dropped (length axes) (S (length axes) + length ks)) =
      axes ++ 0 :: ks.
    Proof using.
      unfold dropped. rewrite map_app. cbn [map place].
      replace (S (length axes) + length ks - length axes - 1) with (length ks) by lia.
      pose proof (places_axes [] axes ks) as First. cbn [app length] in First. rewrite First.
      pose proof (places_axes axes ks []) as Second. rewrite app_nil_r in Second.
      now rewrite Second.
    Qed.

    Lemma rotated_places axes ks k :
      map (place t ((axes ++ ks) ++ [k])) (rotated (length axes) (S (length axes) + length ks)) =
      axes ++ k :: ks.
    Proof using.
      unfold rotated. rewrite map_app. cbn [map place].
      replace (S (length axes) + length ks - length axes - 1) with (length ks) by lia.
      rewrite app_nth2 by (rewrite app_length; lia).
      replace (S (length axes) + length ks - 1 - length (axes ++ ks)) with 0
        by (rewrite app_length; lia).
      rewrite <- app_assoc. pose proof (places_axes [] axes (ks ++ [k])) as First.
      cbn [app length] in First. rewrite First. cbn [nth].
      now rewrite places_axes.
    Qed.

    Lemma closed_axes d i n : i + n <= d -> forallb (closed d) (axes_from i n) = true.
    Proof using.
      intros Within. apply forallb_forall. intros j In. apply in_map_iff in In.
      destruct In as [k [<- In]]. apply in_seq in In. apply Nat.ltb_lt. lia.
    Qed.

    Lemma meaning_dropped axes ks k e :
      depends (length axes) e = false ->
      meaning t env (axes ++ ks)
        (substitute (dropped (length axes) (S (length axes) + length ks))
                    (S (length axes) + length ks - 1) e) =
      meaning t env (axes ++ k :: ks) e.
    Proof using.
      intros Not. pose proof (meaning_substituted (dropped (length axes) (S (length axes) +
        length ks)) (axes ++ ks) e) as Same.
      rewrite app_length in Same.
      replace (S (length axes) + length ks - 1) with (length axes + length ks) by lia.
      specialize (Same ltac:(unfold dropped; rewrite forallb_app; cbn [forallb closed];
        rewrite !closed_axes by lia; reflexivity) []).
      rewrite !app_nil_r, dropped_places in Same. rewrite Same. now apply meaning_independent.
    Qed.
  End Meaning.
End Input.
