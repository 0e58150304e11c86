(** * A sum of products with a constant, distributed and tabulated ([push]), is the sum *)

From Coq Require Import Reals ZArith List Bool Lia.
From CompactProofs Require Import Network Arithmetic Evaluator Distribute Substitution.
Import ListNotations.
Open Scope nat_scope.

Section Pushing.
  Variables (t : list nat) (env : list tensor).
  Notation zero := (fun _ : list nat => 0%R).

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
      pose proof (place_substituted t (repeat (Fixed 0) (length axes) ++ [Axis (length ps)])
        (ps ++ [x]) [] i) as Same.
      rewrite app_length, Nat.add_1_r, !app_nil_r in Same. rewrite Same.
      + apply (place_only t _ _ (length axes)); [exact Here|]. rewrite map_app. cbn [map place].
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
      - pose proof (meaning_substituted t env (rotated r (S r + length ks)) ((axes ++ ks) ++ [k]) e)
          as Same.
        rewrite Long in Same. specialize (Same ltac:(unfold rotated; rewrite forallb_app;
          cbn [forallb]; rewrite !closed_axes by lia; cbn [closed];
          rewrite (proj2 (Nat.ltb_lt _ _)) by lia; reflexivity) []).
        rewrite !app_nil_r, rotated_places in Same. exact Same.
      - rewrite map_map. f_equal. apply map_ext. intros i.
        pose proof (place_substituted t (axes_from 0 r ++ [Axis (S r + length ks - 1)])
          ((axes ++ ks) ++ [k]) [] i) as Same.
        rewrite Long, !app_nil_r in Same. rewrite Same.
        + f_equal. rewrite map_app. cbn [map place].
          rewrite app_nth2 by (rewrite app_length; lia).
          replace (S r + length ks - 1 - length (axes ++ ks)) with 0
            by (rewrite app_length; lia).
          rewrite <- app_assoc. pose proof (places_axes t [] axes (ks ++ [k])) as First.
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
        pose proof (place_substituted t (dropped r (S r + length ks)) (axes ++ ks) [] i) as Same.
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
          rewrite (meaning_dropped t env axes ks k) by exact Right. cbn [meaning].
          ring.
        + cbn [meaning]. rewrite IHe2, <- sum_scale. apply sum_equal. intros k _.
          rewrite (meaning_dropped t env axes ks k) by exact Left. cbn [meaning].
          ring.
      - destruct (depends r e2) eqn:Right; [exact (summed_sound ks _)|]. cbn [meaning].
        rewrite IHe1. unfold Rdiv. rewrite <- sum_scale_r. apply sum_equal.
        intros k _. rewrite (meaning_dropped t env axes ks k) by exact Right. cbn [meaning].
          ring.
    Qed.
  End Push.

  (** ** A sum in a definition *)

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
End Pushing.
