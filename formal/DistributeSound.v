(** * A program that [distributes] accepts computes the same logits *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Network Arithmetic Evaluator EvaluatorSound NetworkTheorems
  Machine MachineSound Distribute.
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

    (** ** A sum over an axis of a product *)

    Variables (first : nat) (fast : list definition) (constants : nat).
    Hypothesis Equations : forall j d, nth_error fast j = Some d ->
      forall ps, nth (first + j) env zero ps = meaning t env ps (body d).

    Lemma found_equation e y : found_from first fast e = Some y ->
      forall ps, nth y env zero ps = meaning t env ps e.
    Proof using Equations.
      assert (At : forall p z, found_from z p e = Some y ->
        exists j d, y = z + j /\ nth_error p j = Some d /\ body d = e).
      { induction p as [|d p IH]; intros z Found; [discriminate|]. cbn in Found.
        destruct (scalar_eqb (body d) e) eqn:Same.
        - injection Found as <-. exists 0, d. rewrite Nat.add_0_r.
          split; [reflexivity|]. split; [reflexivity|]. now apply scalar_eqb_eq.
        - destruct (IH (S z) Found) as [j [d' [-> Rest]]]. exists (S j), d'.
          split; [lia|exact Rest]. }
      intros Found ps. destruct (At fast first Found) as [j [d [-> [Here <-]]]].
      now apply Equations.
    Qed.

    (** What a table's own axes stand for: the places that are not summed along. *)
    Lemma pattern_places axes ks x l : straight_places (length axes) l = true -> forall c ps,
      c + length (rest (length axes) l) <= length ps ->
      (forall j, j < length (rest (length axes) l) ->
        nth (c + j) ps 0 = place t (axes ++ x :: ks) (nth j (rest (length axes) l) (Fixed 0))) ->
      map (place t (ps ++ [x])) (pattern (length axes) (length ps) c l) =
      map (place t (axes ++ x :: ks)) l.
    Proof using.
      unfold rest. induction l as [|i l IH]; intros Straight c ps Long Own; [reflexivity|].
      cbn [straight_places forallb] in Straight. apply andb_prop in Straight.
      destruct Straight as [Here Straight]. cbn [pattern filter] in *.
      destruct (mentions (length axes) i) eqn:Mentions; cbn [negb orb] in *; cbn [map].
      - f_equal; [|now apply IH].
        pose proof (place_substituted (repeat (Fixed 0) (length axes) ++ [Axis (length ps)])
          (ps ++ [x]) [] i) as Same.
        rewrite app_length, Nat.add_1_r, !app_nil_r in Same. rewrite Same.
        + apply (place_only _ _ (length axes)); [exact Here|]. rewrite map_app. cbn [map place].
          rewrite !app_nth2 by (rewrite ?map_length, ?repeat_length; lia).
          rewrite map_length, repeat_length, !Nat.sub_diag. reflexivity.
        + rewrite forallb_app. cbn [forallb closed].
          replace (length ps <? S (length ps)) with true by (symmetry; apply Nat.ltb_lt; lia).
          rewrite andb_true_r. apply forallb_forall. intros j In. apply repeat_spec in In.
          now subst.
      - cbn [length] in Long, Own. f_equal.
        + cbn [place]. rewrite app_nth1 by lia.
          specialize (Own 0 ltac:(lia)). rewrite Nat.add_0_r in Own. exact Own.
        + apply IH; [exact Straight|lia|]. intros j Before. specialize (Own (S j) ltac:(lia)).
          now rewrite Nat.add_succ_r in Own.
    Qed.

    Section Push.
      Variables (n w : nat) (m : list index) (axes : list nat).
      Notation r := (length axes).
      Hypothesis Closed : forallb (closed (S r)) m = true.
      Notation factor k := (meaning t env (axes ++ [k]) (Read w m)).

      Lemma summed_sound ks e :
        meaning t env (axes ++ ks) (summed n r w m (S r + length ks) e) =
        sum n (fun k => (meaning t env (axes ++ k :: ks) e * factor k)%R).
      Proof using.
        unfold summed. cbn [meaning]. apply sum_equal. intros k _.
        assert (Long : length ((axes ++ ks) ++ [k]) = S r + length ks)
          by (rewrite !app_length; cbn; lia).
        f_equal.
        - pose proof (meaning_substituted (rotated r (S r + length ks)) ((axes ++ ks) ++ [k]) e)
            as Same.
          rewrite Long in Same. specialize (Same ltac:(unfold rotated; rewrite forallb_app;
            cbn [forallb]; rewrite !closed_axes by lia; cbn [closed];
            rewrite (proj2 (Nat.ltb_lt _ _)) by lia; reflexivity) []).
          rewrite !app_nil_r, rotated_places in Same. exact Same.
        - rewrite map_map. f_equal. apply map_ext. intros i.
          pose proof (place_substituted (axes_from 0 r ++ [Axis (S r + length ks - 1)])
            ((axes ++ ks) ++ [k]) [] i) as Same.
          rewrite Long, !app_nil_r in Same. rewrite Same.
          + f_equal. rewrite map_app. cbn [map place].
            rewrite app_nth2 by (rewrite app_length; lia).
            replace (S r + length ks - 1 - length (axes ++ ks)) with 0
              by (rewrite app_length; lia).
            rewrite <- app_assoc. pose proof (places_axes [] axes (ks ++ [k])) as First.
            cbn [app length] in First. now rewrite First.
          + rewrite forallb_app. cbn [forallb closed]. rewrite closed_axes by lia.
            rewrite (proj2 (Nat.ltb_lt _ _)) by lia. reflexivity.
      Qed.

      Lemma table_sound ks x l y :
        straight_places r l = true -> straight_places r m = true ->
        found_from first fast (table_body n r x l w m) = Some y ->
        meaning t env (axes ++ ks)
          (Read y (rest r m ++ map (at_places (dropped r (S r + length ks)) (S r + length ks - 1))
                                   (rest r l))) =
        sum n (fun k => (meaning t env (axes ++ k :: ks) (Read x l) * factor k)%R).
      Proof using Closed Equations.
        intros StraightL StraightM Found. cbn [meaning].
        rewrite (found_equation _ _ Found). unfold table_body. cbn [meaning]. rewrite map_app.
        apply sum_equal. intros k _.
        set (ps := map (place t (axes ++ ks)) (rest r m) ++ map (place t (axes ++ ks)) _).
        assert (Long : length ps = length (rest r m) + length (rest r l))
          by (unfold ps; now rewrite app_length, !map_length).
        rewrite <- Long. f_equal; f_equal.
        - apply pattern_places; [exact StraightL|lia|]. intros j Before.
          unfold ps. rewrite app_nth2 by (rewrite map_length; lia).
          replace (length (rest r m) + j - length (map (place t (axes ++ ks)) (rest r m))) with j
            by (rewrite map_length; lia).
          rewrite map_map, (nth_indep _ 0 (place t (axes ++ ks) (at_places (dropped r (S r +
            length ks)) (S r + length ks - 1) (Fixed 0)))) by now rewrite map_length.
          rewrite (map_nth (fun i => place t (axes ++ ks) (at_places _ _ i))).
          set (i := nth j (rest r l) (Fixed 0)).
          assert (In : In i (rest r l)) by now apply nth_In.
          apply filter_In in In. destruct In as [_ Not]. apply negb_true_iff in Not.
          pose proof (place_substituted (dropped r (S r + length ks)) (axes ++ ks) [] i) as Same.
          rewrite app_length, !app_nil_r, dropped_places in Same.
          replace (S r + length ks - 1) with (r + length ks) by lia. rewrite Same.
          + now apply place_independent.
          + unfold dropped. rewrite forallb_app. cbn [forallb closed].
            now rewrite !closed_axes by lia.
        - apply (pattern_places axes []); [exact StraightM|lia|]. intros j Before. cbn [Nat.add].
          unfold ps. rewrite app_nth1 by now rewrite map_length.
          rewrite (nth_indep _ 0 (place t (axes ++ ks) (Fixed 0))) by now rewrite map_length.
          rewrite map_nth. set (i := nth j (rest r m) (Fixed 0)).
          assert (In : In i (rest r m)) by now apply nth_In.
          apply filter_In in In. destruct In as [In Not]. apply negb_true_iff in Not.
          rewrite forallb_forall in Closed. specialize (Closed i In).
          assert (Before_r : closed r i = true).
          { clear -Closed Not. induction i; cbn in *; auto.
            - apply Nat.leb_le in Closed. apply Nat.eqb_neq in Not. apply Nat.ltb_lt. lia.
            - apply andb_prop in Closed. apply orb_false_elim in Not.
              destruct Closed, Not. now rewrite IHi1, IHi2. }
          now rewrite !place_closed.
      Qed.

      Lemma push_sound e : forall ks,
        meaning t env (axes ++ ks) (push first fast constants n r w m (S r + length ks) e) =
        sum n (fun k => (meaning t env (axes ++ k :: ks) e * factor k)%R).
      Proof using Closed Equations.
        induction e; intros ks; cbn [push]; try (exact (summed_sound ks _)).
        - destruct (x <? constants); cbn [andb]; [|exact (summed_sound ks _)].
          destruct (straight_places r places && straight_places r m) eqn:Straight;
            cbn [andb]; [|exact (summed_sound ks _)].
          rewrite Closed. apply andb_prop in Straight. destruct Straight.
          destruct (found_from _ _ _) as [y|] eqn:Found; [|exact (summed_sound ks _)].
          now apply table_sound.
        - transitivity (sum n0 (fun j => sum n (fun k =>
            (meaning t env (axes ++ k :: ks ++ [j]) e * factor k)%R))).
          + cbn [meaning]. apply sum_equal. intros j _. rewrite <- IHe, <- app_assoc.
            rewrite app_length, Nat.add_1_r, Nat.add_succ_r. reflexivity.
          + rewrite sum_swap. apply sum_equal. intros k _. cbn [meaning].
            rewrite <- sum_scale_r. apply sum_equal. intros j _. now rewrite <- app_assoc.
        - cbn [meaning]. rewrite IHe1, IHe2, <- sum_plus. apply sum_equal.
          intros. cbn [meaning]. ring.
        - cbn [meaning]. rewrite IHe1, IHe2. unfold Rminus.
          replace (- sum n _)%R with (-1 * sum n (fun k =>
            (meaning t env (axes ++ k :: ks) e2 * factor k)%R))%R by ring.
          rewrite <- sum_scale, <- sum_plus. apply sum_equal.
          intros. cbn [meaning]. ring.
        - destruct (depends r e1) eqn:Left; [destruct (depends r e2) eqn:Right|].
          + exact (summed_sound ks _).
          + cbn [meaning]. rewrite IHe1, <- sum_scale_r. apply sum_equal. intros k _.
            rewrite (meaning_dropped axes ks k) by exact Right. cbn [meaning].
            ring.
          + cbn [meaning]. rewrite IHe2, <- sum_scale. apply sum_equal. intros k _.
            rewrite (meaning_dropped axes ks k) by exact Left. cbn [meaning].
            ring.
        - destruct (depends r e2) eqn:Right; [exact (summed_sound ks _)|]. cbn [meaning].
          rewrite IHe1. unfold Rdiv. rewrite <- sum_scale_r. apply sum_equal.
          intros k _. rewrite (meaning_dropped axes ks k) by exact Right. cbn [meaning].
            ring.
      Qed.
    End Push.

    (** ** Definitions *)

    Lemma sum_of_sound n axes e :
      meaning t env axes (sum_of first fast constants n (length axes) e) =
      sum n (fun k => meaning t env (axes ++ [k]) e).
    Proof using Equations.
      assert (Push : forall w m a b, forallb (closed (S (length axes))) m = true ->
        (forall k, meaning t env (axes ++ [k]) b =
                   meaning t env (axes ++ [k]) (Times a (Read w m))) ->
        meaning t env axes (push first fast constants n (length axes) w m (S (length axes)) a) =
        sum n (fun k => meaning t env (axes ++ [k]) b)).
      { intros w m a b Closed Same. pose proof (push_sound n w m axes Closed a []) as Pushed.
        rewrite app_nil_r, Nat.add_0_r in Pushed. rewrite Pushed. apply sum_equal.
        intros k _. now rewrite Same. }
      assert (Constant : forall e w m, constant_read constants e = Some (w, m) -> e = Read w m).
      { intros e' w m. destruct e' as [x l| | | | | | | | | | |]; try discriminate.
        unfold constant_read. destruct (x <? constants); [|discriminate]. now intros [= <- <-]. }
      unfold sum_of. destruct e as [| | | | | |a b| | | | |]; try reflexivity.
      destruct (constant_read constants b) as [[w m]|] eqn:Right.
      - destruct (forallb _ m) eqn:Closed; [|reflexivity]. apply Push; [exact Closed|].
        intros k. now rewrite (Constant b w m Right).
      - destruct (constant_read constants a) as [[w m]|] eqn:Left; [|reflexivity].
        destruct (forallb _ m) eqn:Closed; [|reflexivity]. apply Push; [exact Closed|].
        intros k. rewrite (Constant a w m Left). cbn [meaning]. apply Rmult_comm.
    Qed.

    (** What a tensor of the network, whose meaning is f, is here. *)
    Definition image_of (f : tensor) (im : image) : Prop :=
      match im with
      | Kept a y => forall ps, length ps = a -> nth y env zero ps = f ps
      | Written a e => forall ps, length ps = a -> meaning t env ps e = f ps
      end.

    Variables (images : list image) (env0 : list tensor).
    Hypothesis Images : Forall2 image_of env0 images.

    Lemma image_at x im : nth_error images x = Some im -> image_of (nth x env0 zero) im.
    Proof using Images.
      revert x. induction Images as [|f i fs is Here All IH]; intros [|x] Found; try discriminate.
      - now injection Found as <-.
      - now apply IH.
    Qed.

    Lemma rewrite_sound e : forall axes e',
      rewrite first fast constants images (length axes) e = Some e' ->
      meaning t env axes e' = meaning t env0 axes e.
    Proof using Equations Images.
      induction e; intros axes e' Found; cbn [rewrite] in Found;
        try (unfold both in Found;
             destruct (rewrite _ _ _ _ _ e1) as [a|] eqn:Left; [|discriminate];
             destruct (rewrite _ _ _ _ _ e2) as [b|] eqn:Right; [|discriminate];
             injection Found as <-; cbn [meaning]; now rewrite (IHe1 _ _ Left), (IHe2 _ _ Right));
        try (destruct (rewrite _ _ _ _ (length axes) e) as [a|] eqn:Inner; [|discriminate];
             injection Found as <-; cbn [meaning]; now rewrite (IHe _ _ Inner));
        try (now injection Found as <-).
      - destruct (nth_error images x) as [im|] eqn:At; [|discriminate].
        pose proof (image_at x im At) as Is. destruct im as [a y|a e]; cbn in Is.
        + destruct (Nat.eqb_spec (length places) a); [|discriminate]. injection Found as <-.
          cbn [meaning]. apply Is. now rewrite map_length.
        + destruct (Nat.eqb_spec (length places) a); [|discriminate]. cbn [andb] in Found.
          destruct (forallb _ places) eqn:Closed; [|discriminate]. injection Found as <-.
          pose proof (meaning_substituted places axes e Closed []) as Same.
          rewrite !app_nil_r in Same. rewrite Same. apply Is. now rewrite map_length.
      - destruct (rewrite _ _ _ _ (S (length axes)) e) as [b|] eqn:Inner; [|discriminate].
        injection Found as <-. rewrite sum_of_sound. cbn [meaning]. apply sum_equal. intros k _.
        apply IHe. now rewrite app_length, Nat.add_1_r.
    Qed.
  End Meaning.

  Notation zero := (fun _ : list nat => 0%R).

  Lemma images_of_sound env first fast constants :
    (forall j d, nth_error fast j = Some d ->
      forall ps, nth (first + j) env zero ps = meaning t env ps (body d)) ->
    forall p kept images images' env0,
    Forall2 (image_of env) env0 images ->
    images_of first fast constants images p kept = Some images' ->
    Forall2 (image_of env) (run t env0 p) images'.
  Proof using.
    intros Equations. induction p as [|d p IH]; intros [|k kept] images images' env0 Images Found;
      try discriminate; cbn [images_of] in Found.
    - now injection Found as <-.
    - destruct (rewrite _ _ _ _ _ _) as [e|] eqn:Rewritten; [|now destruct k].
      assert (Same : forall ps, length ps = length (shape d) ->
        meaning t env ps e = meaning t env0 ps (body d)).
      { intros ps Long. rewrite <- Long in Rewritten.
        exact (rewrite_sound env first fast constants Equations images env0 Images _ _ _
          Rewritten). }
      cbn [run]. destruct k as [j|].
      + destruct (nth_error fast j) as [d'|] eqn:At; [|discriminate].
        destruct (scalar_eqb (body d') e) eqn:Equal; [|discriminate].
        apply scalar_eqb_eq in Equal. refine (IH _ _ _ _ (Forall2_app Images _) Found).
        constructor; [|constructor]. cbn. intros ps Long. rewrite (Equations j d' At), Equal.
        now apply Same.
      + refine (IH _ _ _ _ (Forall2_app Images _) Found). constructor; [exact Same|constructor].
  Qed.

  (** ** Programs *)

  Lemma run_length p : forall env, length (run t env p) = length env + length p.
  Proof using.
    induction p as [|d p IH]; intros env; cbn [run length]; [lia|].
    rewrite IH, app_length. cbn. lia.
  Qed.

  Lemma run_nth p x : forall env, x < length env -> nth x (run t env p) zero = nth x env zero.
  Proof using.
    induction p as [|d p IH]; intros env Before; [reflexivity|]. cbn [run].
    rewrite IH by (rewrite app_length; lia). now apply app_nth1.
  Qed.

  Lemma meaning_below n env env' e : reads_below n e = true ->
    (forall x, x < n -> nth x env zero = nth x env' zero) ->
    forall axes, meaning t env axes e = meaning t env' axes e.
  Proof using.
    intros Below Same. induction e; cbn [reads_below] in Below; intros axes; cbn [meaning];
      try reflexivity; try (apply andb_prop in Below; destruct Below; now rewrite IHe1, IHe2);
      try (now rewrite IHe).
    - apply Nat.ltb_lt in Below. now rewrite Same.
    - apply sum_equal. intros. now apply IHe.
  Qed.

  (** Each definition's equation holds of what the whole program computes. *)
  Lemma run_equations p : forall env, ordered (length env) p = true ->
    forall j d, nth_error p j = Some d -> forall ps,
    nth (length env + j) (run t env p) zero ps = meaning t (run t env p) ps (body d).
  Proof using.
    induction p as [|d p IH]; intros env Ordered [|j] d' Found ps; try discriminate;
      cbn [ordered] in Ordered; apply andb_prop in Ordered; destruct Ordered as [Here Rest];
      cbn [run].
    - injection Found as <-. rewrite Nat.add_0_r, run_nth by (rewrite app_length; cbn; lia).
      rewrite app_nth2, Nat.sub_diag by lia. cbn [nth].
      apply (meaning_below (length env)); [exact Here|]. intros x Before.
      rewrite run_nth by (rewrite app_length; lia). now rewrite app_nth1.
    - specialize (IH (env ++ [fun axes => meaning t env axes (body d)])).
      rewrite app_length, Nat.add_1_r in IH. rewrite <- Nat.add_succ_comm. now apply IH.
  Qed.

  Lemma weight_images_sound bits l env : forall x,
    (forall i, i < length l -> nth (x + i) env zero = weight_tensor bits (nth i l {| dims := [];
      entries := [] |})) ->
    Forall2 (image_of env) (map (weight_tensor bits) l) (weight_images x l).
  Proof using.
    induction l as [|w l IH]; intros x At; cbn [map weight_images]; constructor.
    - intros ps _. specialize (At 0 ltac:(cbn; lia)). rewrite Nat.add_0_r in At.
      change (nth x env zero ps = weight_tensor bits w ps). now rewrite At.
    - apply IH. intros i Before. specialize (At (S i) ltac:(cbn; lia)).
      now rewrite Nat.add_succ_r in At.
  Qed.

  Theorem distributes_sound M fast constants kept x :
    distributes M fast constants kept = true -> logit M t x = logit (with_program M fast) t x.
  Proof using.
    unfold distributes. cbv zeta. intros Checks.
    apply andb_prop in Checks. destruct Checks as [Checks Last].
    apply andb_prop in Checks. destruct Checks as [Checks Some_p].
    apply andb_prop in Checks. destruct Checks as [Ordered Some_fast].
    apply Nat.ltb_lt in Some_p, Some_fast.
    destruct (images_of _ _ _ _ _ _) as [images|] eqn:Images; [|discriminate].
    destruct (last images _) as [[|[|a]] y|] eqn:LastImage; try discriminate.
    apply Nat.eqb_eq in Last. unfold logit. cbn [with_program fraction_bits weights program].
    set (fs := map (weight_tensor (fraction_bits M)) (weights M)).
    assert (Long : length fs = length (weights M)) by apply map_length.
    set (env := run t fs fast).
    assert (Equations : forall j d, nth_error fast j = Some d ->
      forall ps, nth (length (weights M) + j) env zero ps = meaning t env ps (body d)).
    { rewrite <- Long. apply run_equations. now rewrite Long. }
    assert (Weights : Forall2 (image_of env) fs (weight_images 0 (weights M))).
    { apply (weight_images_sound (fraction_bits M)). intros i Before. cbn [Nat.add]. unfold env.
      rewrite run_nth by now rewrite Long.
      rewrite (nth_indep fs zero (weight_tensor (fraction_bits M) {| dims := []; entries := [] |}))
        by now rewrite Long.
      apply map_nth. }
    pose proof (images_of_sound env _ _ _ Equations _ _ _ _ _ Weights Images) as All.
    assert (Lengths : length (run t fs (program M)) = length images)
      by (clear -All; induction All; cbn; [reflexivity|now f_equal]).
    assert (Found : nth_error images (length images - 1) = Some (Kept 1 y)).
    { rewrite <- LastImage. apply nth_error_last. intros None. rewrite None in Lengths.
      rewrite run_length in Lengths. cbn in Lengths. lia. }
    pose proof (image_at env images _ All _ _ Found) as Is. cbn in Is.
    rewrite !last_nth, Lengths, <- (Is [x] eq_refl). unfold env.
    now rewrite run_length, Long, Last.
  Qed.
End Input.

(** ** Accuracy *)

Lemma accuracy_of_distributed M fast constants kept domain label :
  distributes M fast constants kept = true ->
  accuracy M domain label = accuracy (with_program M fast) domain label.
Proof.
  intros Same. unfold accuracy. do 3 f_equal. apply filter_ext. intros t.
  unfold right_b. cbn [with_program outputs]. f_equal.
  induction (seq 0 (outputs M)) as [|x l IH]; [reflexivity|]. cbn [forallb]. rewrite IH.
  now rewrite !(distributes_sound t M fast constants kept _ Same).
Qed.

(** ** The theorem *)

Definition check_distributed (A : arithmetic) (M : network) (fast : list definition)
    (kept : list (option nat)) (values : list nat) (constants : nat) (domain : list (list nat))
    (label : task) (N total : Z) : bool :=
  shaped M && distributes M fast constants kept
  && check (A := A) (with_program M fast) values constants domain label N total.

Theorem accuracy_of_check_distributed {A is contains} (Sd : sound A is contains)
    M fast kept values constants domain label N total :
  check_distributed A M fast kept values constants domain label N total = true ->
  shaped M = true /\ (accuracy M domain label >= IZR N / IZR total)%R.
Proof.
  unfold check_distributed. intros Checks.
  apply andb_prop in Checks. destruct Checks as [Checks Check].
  apply andb_prop in Checks. destruct Checks as [Shaped Same].
  split; [exact Shaped|]. rewrite (accuracy_of_distributed _ _ _ _ _ _ Same).
  exact (proj2 (accuracy_of_check Sd _ _ _ _ _ _ _ Check)).
Qed.

Definition distributed_hardware := accuracy_of_check_distributed machine_sound.
Definition distributed_software := accuracy_of_check_distributed software_sound.
Definition distributed_pure := accuracy_of_check_distributed pure_sound.
