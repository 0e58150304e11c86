(** * From boxes on which a sum of fractions is bounded to a theorem about a program's accuracy *)

From Coq Require Import ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Lists Network Tasks Arithmetic Evaluator EvaluatorSound
  NetworkTheorems Machine MachineSound Boxes Rows Goals Fractions FractionChecker
  FractionSound FractionViews FractionBoxes FractionCount FractionTables.
Import ListNotations.
Open Scope nat_scope.

(** ** Inputs, each once *)

Lemma count_each {X Y} (f : X -> list Y) P (c : X -> Z) l :
  (forall x, In x l -> (c x <= Z.of_nat (length (filter P (f x))))%Z) ->
  (sum_over c l <= Z.of_nat (length (filter P (flat_map f l))))%Z.
Proof.
  induction l as [|x l IH]; intros Each; [cbn; lia|]. cbn [sum_over fold_right flat_map].
  rewrite filter_app, app_length, Nat2Z.inj_add. apply Z.add_le_mono.
  - apply Each. now left.
  - apply IH. intros y In_y. apply Each. now right.
Qed.

Lemma member_length b t : In t (members b) -> length t = length b.
Proof.
  intros In_t. apply in_members in In_t. induction In_t; [reflexivity|]. cbn. now f_equal.
Qed.

Lemma members_with_last q b t : In t (members (with_last q b)) ->
  exists t', t = t' ++ [q] /\ In t' (members b).
Proof.
  intros In_t. apply in_members in In_t. apply Forall2_app_inv_r in In_t.
  destruct In_t as [t' [l [Before [Last ->]]]].
  inversion Last as [|u i l' b' Here Nil]; subst. inversion Nil; subst. exists t'. split.
  - unfold holds_token in Here. cbn in Here. do 2 f_equal. lia.
  - now apply in_members.
Qed.

Definition inputs_of_query (qb : nat * list box) : list (list nat) :=
  flat_map members (boxes_of qb).
Definition inputs_of_group (g : group) : list (list nat) :=
  flat_map inputs_of_query (queries g).

(** ** The count *)

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : Arithmetic.sound A is contains.
  Notation env_ok := (env_ok (is := is) (contains := contains)).
  Notation row_full := (row_full (contains := contains)).
  Notation rows_full := (rows_full (contains := contains)).
  Notation table_ok := (table_ok (contains := contains)).

  Theorem count_fractions_sound M fast kept most from n v F rounds more leaves groups same task :
    (forall m b, same m b = true -> forall t, In t (members b) -> task t = m) ->
    (count_fractions A M fast kept most from n v F rounds more leaves groups same <=
     Z.of_nat (length (filter (right_b M task) (inputs (repeat v n)))))%Z.
  Proof using Sd.
    intros Same. unfold count_fractions. cbv zeta.
    set (constants := removelast fast). set (shapes := map dims (weights M)).
    destruct (store_weights A (fraction_bits M) (weights M)) as [env|] eqn:Weights; [|lia].
    destruct (_ && _)%bool eqn:Checks; [|lia].
    rewrite !andb_true_iff in Checks.
    destruct Checks as [[[[[[Tabulated Safe] Lead] Fits] Safe_direct] Safe_heads] Fitting].
    assert (Some_token : 0 < n).
    { unfold fractions_fit in Fits. rewrite !andb_true_iff in Fits. apply Nat.ltb_lt, Fits. }
    pose proof (constants_sound Sd M env constants Weights Safe) as EnvAll.
    fold (tables M constants) in EnvAll. fold shapes in EnvAll.
    set (env' := evaluate A [] env constants) in *. set (fs := tables M constants) in *.
    set (outs := outputs M) in *. set (known := map (written_rows A n v F env') (seq 0 outs)).
    set (rows := map (fun q => map (weight_rows A n v env' q) (heads F)) (seq 0 v)).
    unfold fitting in Fitting. apply andb_prop in Fitting. destruct Fitting as [Labels Groups].
    rewrite forallb_forall in Groups.
    assert (Known : forall g, In g groups ->
      label g < outs /\ list_sum (pieces g) <= v /\ NoDup (map fst (queries g)) /\
      forall qb, In qb (queries g) ->
        fst qb < list_sum (pieces g) /\ all_apart (boxes_of qb) = true /\
        forall b, In b (snd qb) ->
          inside (repeat v n) (with_last (fst qb) b) = true /\
          ends (list_sum (pieces g)) b = true /\
          forall t, In t (members (with_last (fst qb) b)) -> task t = label g).
    { intros g In_g. specialize (Groups g In_g).
      rewrite !andb_true_iff in Groups. destruct Groups as [[[Label Top] Distinct] Queries].
      apply Nat.ltb_lt in Label. apply Nat.leb_le in Top. apply distinct_nodup in Distinct.
      rewrite forallb_forall in Queries. repeat (split; [assumption|]). intros qb In_qb.
      specialize (Queries qb In_qb). rewrite !andb_true_iff in Queries.
      destruct Queries as [[Query Apart] Boxes]. rewrite forallb_forall in Boxes.
      split; [now apply Nat.ltb_lt|]. split; [exact Apart|]. intros b In_b.
      specialize (Boxes b In_b). rewrite !andb_true_iff in Boxes.
      destruct Boxes as [[Inside Ends] Label']. repeat (split; [assumption|]).
      now apply Same. }
    clear Groups.
    apply (Z.le_trans _ (Z.of_nat (length (filter (right_b M task)
      (flat_map inputs_of_group groups))))).
    - unfold count_groups. fold rows. fold known. apply count_each. intros g In_g.
      destruct (Known g In_g) as [Label [Top [_ Queries]]]. unfold count_group. cbv zeta.
      apply count_each. intros qb In_qb. destruct (Queries qb In_qb) as [Query [_ Boxes]].
      set (q := fst qb) in *.
      assert (Rows : nth q rows [] = map (weight_rows A n v env' q) (heads F)).
      { unfold rows. rewrite (nth_indep _ [] (map (weight_rows A n v env' 0) (heads F)))
          by (rewrite map_length, seq_length; lia).
        rewrite (map_nth (fun q => map (weight_rows A n v env' q) (heads F))).
        rewrite seq_nth by lia. reflexivity. }
      rewrite Rows. unfold inputs_of_query, boxes_of.
      rewrite flat_map_map.
      apply count_each. intros b In_b. destruct (Boxes b In_b) as [Inside [Ends Labelled]].
      fold q in Inside, Labelled.
      assert (Long : length b = n - 1).
      { assert (All : forall values b, inside values b = true -> length b = length values).
        { induction values as [|a values IH]; intros [|[s k] b'] In'; try discriminate;
            [reflexivity|].
          cbn [inside] in In'. apply andb_prop in In'. cbn. f_equal. now apply IH. }
        apply All in Inside. unfold with_last in Inside.
        rewrite app_length, repeat_length in Inside. cbn in Inside. lia. }
      pose (stands x := (gain (repeat q n) fs (label g) x (direct F),
                         map (gain_of n fs (label g) x) (heads F))).
      apply (count_box_sound Sd (pieces g) q b _ (map (weight_of n fs q) (heads F))
        rounds more leaves
        _ (map stands (omit (label g) (seq 0 outs)))); [exact Query|exact Ends|..].
      + rewrite Long. apply (attends_ok Sd n v outs env' _ fs EnvAll Some_token F Fits Safe_heads);
          [unfold q in *; lia|exact Top|lia].
      + assert (Own : nth (label g) known ([], []) = written_rows A n v F env' (label g)).
        { unfold known. rewrite (nth_indep _ ([], []) (written_rows A n v F env' 0))
            by (rewrite map_length, seq_length; exact Label).
          now rewrite map_nth, seq_nth. }
        rewrite Own. unfold known. rewrite omit_map, map_map.
        assert (Below : forall x, In x (omit (label g) (seq 0 outs)) -> x < outs)
          by (intros x In_x; now apply in_omit_seq in In_x).
        induction (omit (label g) (seq 0 outs)) as [|x l IH]; cbn [map]; [constructor|].
        constructor; [|apply IH; intros; apply Below; now right].
        pose proof (rival_computed Sd n v outs env' _ fs EnvAll Some_token F Fits Safe_direct
          Safe_heads
          q (pieces g) (label g) x Query Top Label (Below x (or_introl eq_refl))) as [Here Gained].
        split; [exact Here|]. rewrite Long. rewrite repeat_length in Gained. exact Gained.
      + intros t In_t Positive. apply right_b_spec.
        unfold right. rewrite (Labelled t In_t). split; [exact Label|]. intros x Hx Other.
        apply Rminus_gt_0_lt. unfold Rgt.
        rewrite <- (lead_in_tables_meaning M fast kept Tabulated most t (label g) x).
        rewrite (same_sum_meaning _ _ _ _ _ Lead), (written_out_meaning M fast kept Tabulated).
        fold constants. fold fs.
        destruct (members_with_last q b t In_t) as [t' [Is In_t']].
        assert (Length : length t = n).
        { rewrite (member_length _ t In_t). unfold with_last. rewrite app_length, Long. cbn. lia. }
        assert (Last : nth (n - 1) t 0 = q).
        { rewrite Is in Length |- *. rewrite app_length in Length. cbn in Length.
          rewrite app_nth2 by lia. now replace (n - 1 - length t') with 0 by lia. }
        rewrite (summed_fractions n fs Some_token t q (label g) x Length Last F Fits).
        apply (Positive (stands x)). apply in_map, in_omit_seq. now split.
    - apply nodup_count.
      + apply (nodup_by_name _ task label); [now apply distinct_nodup|]. intros g In_g.
        destruct (Known g In_g) as [_ [_ [Distinct Queries]]]. split.
        * unfold inputs_of_group.
          apply (nodup_by_name _ (fun t => last t 0) fst); [exact Distinct|].
          intros qb In_qb. destruct (Queries qb In_qb) as [_ [Apart _]]. split.
          -- now apply nodup_all.
          -- intros t In_t. unfold inputs_of_query, boxes_of in In_t. apply in_flat_map in In_t.
             destruct In_t as [b [In_b In_t]]. apply in_map_iff in In_b.
             destruct In_b as [b' [<- _]]. apply members_with_last in In_t.
             destruct In_t as [t' [-> _]]. apply last_last.
        * intros t In_t. unfold inputs_of_group in In_t. apply in_flat_map in In_t.
          destruct In_t as [qb [In_qb In_t]]. destruct (Queries qb In_qb) as [_ [_ Boxes]].
          apply in_flat_map in In_t. destruct In_t as [b [In_b In_t]]. apply in_map_iff in In_b.
          destruct In_b as [b' [<- In_b']]. now apply (Boxes b' In_b').
      + intros t In_t. apply in_flat_map in In_t. destruct In_t as [g [In_g In_t]].
        apply in_flat_map in In_t. destruct In_t as [qb [In_qb In_t]].
        apply in_flat_map in In_t. destruct In_t as [b [In_b In_t]]. apply in_map_iff in In_b.
        destruct In_b as [b' [<- In_b']]. destruct (Known g In_g) as [_ [_ [_ Queries]]].
        destruct (Queries qb In_qb) as [_ [_ Boxes]]. destruct (Boxes b' In_b') as [Inside _].
        now apply (inside_inputs _ (with_last (fst qb) b')).
  Qed.

  Theorem accuracy_of_fractions M fast kept most from n v F rounds more leaves groups same task N
    total :
    (forall m b, same m b = true -> forall t, In t (members b) -> task t = m) ->
    check_fractions A M fast kept most from n v F rounds more leaves groups same N total = true ->
    shaped M = true /\ (accuracy M (inputs (repeat v n)) task >= IZR N / IZR total)%R.
  Proof using Sd.
    intros Same. apply accuracy_of_count; [|now apply count_fractions_sound].
    rewrite Places.length_inputs. clear. induction n as [|n IH]; [reflexivity|].
    rewrite Nat2Z.inj_succ, Z.pow_succ_r, IH by lia. cbn [repeat]. unfold product.
    cbn [fold_right]. lia.
  Qed.
End Soundness.

Definition fractions_hardware := accuracy_of_fractions machine_sound.
Definition fractions_software := accuracy_of_fractions software_sound.
Definition fractions_pure := accuracy_of_fractions pure_sound.
