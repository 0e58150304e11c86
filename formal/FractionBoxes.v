(** * What the checker of fractions counts in a box is right *)

From Coq Require Import ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Lists Arithmetic Rows Boxes Fractions FractionChecker
  FractionSound FractionViews FractionExplore.
Import ListNotations.
Open Scope nat_scope.

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.
  Notation T := (T A).
  Notation rows_ok := (rows_ok (contains := contains)).
  Notation views_ok := (views_ok (contains := contains)).
  Notation table_ok := (table_ok (contains := contains)).
  Notation state_ok := (state_ok (contains := contains)).
  Notation open_ok := (open_ok (contains := contains)).

  (** ** A box *)

  Lemma folded a d l xs : contains a d -> Forall2 contains l xs ->
    contains (fold_right (add A) a l) (d + total_of xs)%R.
  Proof using Sd.
    intros Here All. unfold total_of. induction All as [|b x l xs First All IH]; cbn [fold_right].
    - now rewrite Rplus_0_r.
    - replace (d + (x + fold_right Rplus 0 xs))%R with (x + (d + fold_right Rplus 0 xs))%R by ring.
      now apply (sound_add _ _ _ Sd).
  Qed.

  Lemma weigh_all_each l : forall ws, weigh_all A l = Some ws ->
    Forall2 (fun vs w => weigh A vs = Some w) l ws.
  Proof using.
    induction l as [|vs l IH]; intros ws Found; cbn [weigh_all] in Found.
    - injection Found as <-. constructor.
    - destruct (weigh A vs) eqn:Here; [|discriminate].
      destruct (weigh_all A l) as [ws'|]; [|discriminate]. injection Found as <-.
      constructor; [exact Here|now apply IH].
  Qed.

  Lemma zeros_ok (b' : box) :
    rows_ok b' (fine_place b') (map (fun i => repeat (of_Z A 0) (snd i)) b') (fun _ _ => 0%R).
  Proof using Sd.
    induction b' as [|i b' IH]; cbn [map]; constructor; [|exact IH].
    intros u Holds. exists (of_Z A 0). split; [|apply (sound_of_Z _ _ _ Sd)].
    unfold fine_place, holds_token in *. cbn [nth].
    rewrite (nth_error_nth' _ (of_Z A 0)) by (rewrite repeat_length; lia).
    now rewrite nth_repeat.
  Qed.

  Section Box.
    Variables (sizes : list nat) (q : nat) (b : box).
    Variables (attends : list (table A)) (Fs : list (nat -> nat -> R)).
    Hypothesis Last : q < list_sum sizes.
    Hypothesis Ends : ends (list_sum sizes) b = true.
    Hypothesis Attends : Forall2 (table_ok sizes (length b)) attends Fs.
    Notation whole_box := (b ++ [(q, 1)]).
    Notation pieces := (pieces_from 0 sizes).

    (** Of a rival: by how much it is led directly, and its gains. *)
    Definition rival_ok (r : rival A) (v : R * list (nat -> nat -> R)) : Prop :=
      contains (at_token A (beside A r) q) (fst v) /\
      Forall2 (table_ok sizes (length b)) (gained A r) (snd v).

    Definition leads (v : R * list (nat -> nat -> R)) (t : list nat) : R :=
      (fst v + total_of (map2 (fun F G => fraction F G t) Fs (snd v)))%R.

    (** Ways to view tables on the box. *)
    Definition views_of_box (views_of : table A -> list (view A)) : Prop :=
      exists J, forall t F, table_ok sizes (length b) t F -> views_ok whole_box J (views_of t) F.

    Lemma fine_views_of_box : views_of_box (fine_views A b q).
    Proof using Sd Last Ends. eexists. intros. now apply (fine_views_ok Sd sizes). Qed.

    Lemma coarse_views_of_box : views_of_box (coarse_views A (map (mask_of pieces) b) q).
    Proof using Sd Last Ends. eexists. intros. now apply (coarse_views_ok Sd). Qed.

    Section Bound.
      Variables (views_of : table A -> list (view A)) (ws : list (weighing A)).
      Hypothesis Views : views_of_box views_of.
      Hypothesis Weighed : weigh_all A (map views_of attends) = Some ws.

      Lemma bound_sound steps r v t : rival_ok r v -> Forall2 holds_token t whole_box ->
        contains (bound A steps views_of q ws r) (leads v t).
      Proof using Sd Attends Views Weighed.
        intros [Here Gained] In_b. destruct Views as [J Known].
        pose proof (weigh_all_each _ _ Weighed) as Weigh. clear Weighed.
        apply folded; [exact Here|]. clear Here.
        generalize dependent (snd v). generalize (gained A r) as gs. clear r. revert ws Weigh.
        pose proof Attends as All. clear Attends.
        induction All as [|a F attends' Fs' First All IH]; intros ws' Weigh gs Gs Gained;
          inversion Weigh as [|vs w l ws'' This Later]; subst; [constructor|].
        destruct Gained as [|g G gs Gs Gain Gained]; cbn [map2]; constructor; [|now apply IH].
        apply (ratio_sound Sd whole_box J F G w (views_of a)); try assumption; now apply Known.
      Qed.

      Lemma doubtful_kept rounds : forall rivals vs, Forall2 rival_ok rivals vs -> exists vs',
        Forall2 rival_ok (doubtful A rounds views_of q ws rivals) vs' /\
        forall t, Forall2 holds_token t whole_box -> (forall v, In v vs' -> 0 < leads v t)%R ->
        forall v, In v vs -> (0 < leads v t)%R.
      Proof using Sd Attends Views Weighed.
        unfold doubtful. induction rounds as [|steps rounds IH]; intros rivals vs Rivals.
        - exists vs. split; [exact Rivals|]. intros t _ All. exact All.
        - cbn [fold_left].
          assert (Once : exists vs', Forall2 rival_ok (filter (fun r => negb (less A (of_Z A 0)
              (bound A steps views_of q ws r))) rivals) vs' /\
            forall t, Forall2 holds_token t whole_box -> (forall v, In v vs' -> 0 < leads v t)%R ->
            forall v, In v vs -> (0 < leads v t)%R).
          { clear IH. induction Rivals as [|r v rivals vs Here Rivals [vs' [Kept Enough]]].
            - exists []. split; [constructor|]. intros t _ _ v [].
            - cbn [filter]. destruct (less A _ _) eqn:Positive; cbn [negb].
              + exists vs'. split; [exact Kept|]. intros t In_b Rest v' [<-|In_v].
                * exact (sound_less _ _ _ Sd _ _ _ _ Positive (sound_of_Z _ _ _ Sd 0)
                           (bound_sound steps r v t Here In_b)).
                * now apply (Enough t In_b Rest).
              + exists (v :: vs'). split; [now constructor|]. intros t In_b Rest v' [<-|In_v].
                * apply Rest. now left.
                * apply (Enough t In_b); [|exact In_v]. intros w In_w. apply Rest. now right. }
          destruct Once as [vs' [Kept Enough]]. destruct (IH _ vs' Kept) as [vs'' [Kept' Enough']].
          exists vs''. split; [exact Kept'|]. intros t In_b All. apply (Enough t In_b).
          exact (Enough' t In_b All).
      Qed.
    End Bound.

    Lemma fine_state_ok more ws r v : weigh_all A (map (fine_views A b q) attends) = Some ws ->
      rival_ok r v -> exists s, state_ok whole_box (fine_state A more b q ws r) s /\
      forall t, value s t = leads v t.
    Proof using Sd Last Ends Attends.
      intros Weighed [Here Gained]. apply weigh_all_each in Weighed. unfold fine_state.
      set (found := map2 _ ws (gained A r)).
      assert (Found : exists H, rows_ok whole_box (fine_place whole_box)
          (fold_right (map2 (map2 (add A))) (map (fun i => repeat (of_Z A 0) (snd i)) whole_box)
             (map snd found)) H /\
        forall t, Forall2 holds_token t whole_box ->
        exists xs, Forall2 contains (map fst found) xs /\
        total_of xs = (total_of (map2 (fun F G => fraction F G t) Fs (snd v)) - along H t)%R).
      { unfold found. clear found Here.
        revert ws Weighed. generalize dependent (snd v). generalize (gained A r) as gs. clear r.
        pose proof Attends as All. clear Attends.
      induction All as [|a F attends' Fs' First All IH]; intros gs Gs Gained ws Weighed;
          inversion Weighed as [|vs w l ws' Weigh Later]; subst.
        - exists (fun _ _ => 0%R). split; [apply zeros_ok|]. intros t _. exists [].
          split; [constructor|]. cbn. rewrite along_zero. ring.
        - destruct Gained as [|g G gs Gs Gain Gained].
          + exists (fun _ _ => 0%R). split; [apply zeros_ok|]. intros t _. exists [].
            split; [constructor|]. cbn. rewrite along_zero. ring.
          + destruct (IH gs Gs Gained ws' Later) as [H [Rows Each]].
            destruct (additive_sound Sd whole_box (fine_place whole_box) F G w (fine_views A b q a)
              (fine_views A b q g) Weigh ltac:(now apply (fine_views_ok Sd sizes))
              ltac:(now apply (fine_views_ok Sd sizes)) more) as [H' [Rows' Each']].
            exists (fun i u => H' i u + H i u)%R. cbn [map2 map fold_right]. split.
            * apply (rows_map2 (add A) Rplus); [apply (sound_add _ _ _ Sd)|exact Rows'|exact Rows].
            * intros t In_b. destruct (Each t In_b) as [xs [Xs Sum]].
              exists ((fraction F G t - along H' t)%R :: xs). split.
              -- constructor; [now apply Each'|exact Xs].
              -- unfold total_of in *. cbn [fold_right]. rewrite Sum, along_plus. ring. }
      destruct Found as [H [Rows Each]].
      exists ((fun t => leads v t - along H t)%R, H). split.
      - apply (state_of_ok Sd); [|exact Rows]. intros t In_b.
        destruct (Each t In_b) as [xs [Xs Sum]]. unfold leads.
        match goal with |- contains _ ?x => replace x with (fst v + total_of xs)%R end.
        + now apply folded.
        + rewrite Sum. unfold total_of. ring.
      - intros t. unfold value. cbn [fst snd]. ring.
    Qed.

    Lemma size_with_last : size b = size whole_box.
    Proof using.
      clear. induction b as [|[a n] b' IH]; [reflexivity|]. cbn [app size]. now rewrite IH.
    Qed.
  End Box.

  Lemma right_at_sound sizes q n attends Fs rivals vs t :
    q < list_sum sizes -> ends (list_sum sizes) (map (fun u => (u, 1)) t) = true ->
    length t = n -> Forall2 (table_ok sizes n) attends Fs ->
    Forall2 (rival_ok sizes q (repeat (0, 0) n)) rivals vs ->
    right_at A attends rivals q t = true -> forall v, In v vs -> (0 < leads Fs v (t ++ [q]))%R.
  Proof using Sd.
    intros Last Ends Length Attends Rivals Right. unfold right_at in Right. cbv zeta in Right.
    set (p := map (fun u => (u, 1)) t) in *.
    assert (Long : length p = n) by (unfold p; now rewrite map_length).
    destruct (weigh_all A _) as [ws|] eqn:Weighed; [|discriminate].
    rewrite <- Long in Attends.
    assert (Same : Forall2 (rival_ok sizes q p) rivals vs).
    { clear -Rivals Long. induction Rivals as [|r v rivals vs [Here Gained] Rivals IH]; constructor;
        [|exact IH]. split; [exact Here|]. now rewrite repeat_length in Gained; rewrite Long. }
    destruct (doubtful_kept sizes q p attends Fs Attends _ ws (fine_views_of_box sizes q p Last
      Ends)
      Weighed [0] rivals vs Same) as [vs' [Kept Enough]].
    destruct (doubtful A [0] _ q ws rivals); [|discriminate]. inversion Kept; subst vs'.
    apply (Enough (t ++ [q])); [|intros v []]. apply Forall2_app.
    - unfold p. clear. induction t as [|u t IH]; constructor; [|exact IH].
      unfold holds_token. cbn. lia.
    - constructor; [unfold holds_token; cbn; lia|constructor].
  Qed.

  Theorem count_box_sound sizes q b attends Fs rounds more most rivals vs (P : list nat -> bool) :
    q < list_sum sizes -> ends (list_sum sizes) b = true ->
    Forall2 (table_ok sizes (length b)) attends Fs ->
    Forall2 (rival_ok sizes q b) rivals vs ->
    (forall t, In t (members (b ++ [(q, 1%nat)])) ->
     (forall v, In v vs -> 0 < leads Fs v t)%R -> P t = true) ->
    (count_box A rounds more most (pieces_from 0 sizes) attends rivals q b <=
     Z.of_nat (length (filter P (members (b ++ [(q, 1%nat)])))))%Z.
  Proof using Sd.
    intros Last Ends Attends Rivals Right. unfold count_box. cbv zeta.
    destruct (weigh_all A _) as [ws|] eqn:Weighed; [|lia].
    destruct (doubtful_kept sizes q b attends Fs Attends _ ws (coarse_views_of_box sizes q b Last
      Ends)
      Weighed rounds rivals vs Rivals) as [vs' [Kept Enough]]. clear Rivals.
    set (some := doubtful A rounds _ q ws rivals) in *. clearbody some.
    pose (tagged := fun r w => exists v, rival_ok sizes q b r v /\ forall t, w t = leads Fs v t).
    assert (Explored : forall leaf l,
      (exists ss, Forall2 (open_ok (b ++ [(q, 1%nat)]) tagged) l ss /\
        forall t, (forall s, In s ss -> 0 < value s t)%R ->
        forall v, In v vs' -> (0 < leads Fs v t)%R) ->
      (forall t xs ws, In t (members (b ++ [(q, 1%nat)])) -> leaf t xs = true ->
         Forall2 tagged xs ws -> forall w, In w ws -> (0 < w t)%R) ->
      (explore A most leaf (b ++ [(q, 1%nat)]) l <=
       Z.of_nat (length (filter P (members (b ++ [(q, 1%nat)])))))%Z).
    { intros leaf l [ss [States Positive]] Leaf.
      apply (explore_sound Sd most _ leaf tagged l ss P States); [|exact Leaf].
      intros t In_t All. apply Right; [exact In_t|]. apply in_members in In_t.
      apply Enough; [exact In_t|]. now apply Positive. }
    destruct some as [|r some].
    - rewrite (size_with_last q b).
      apply (Z.le_trans _
        (explore (X := rival A) A most (fun _ _ => false) (b ++ [(q, 1%nat)]) [])).
      + destruct (b ++ [(q, 1%nat)]); cbn; lia.
      + apply Explored; [|discriminate]. exists []. split; [constructor|].
        intros t _. inversion Kept. intros v [].
    - clear ws Weighed. destruct (weigh_all A _) as [ws|] eqn:Weighed; [|lia].
      apply Explored.
      + clear Enough Explored. revert Kept. generalize (r :: some) as l. intros l Kept.
        induction Kept as [|r' v l vs'' Here Kept [ss [States Positive]]].
        * exists []. split; [constructor|]. intros t _ v [].
        * destruct (fine_state_ok sizes q b attends Fs Last Ends Attends more ws r' v Weighed Here)
            as [s [State Is]].
          exists (s :: ss). split.
          -- constructor; [|exact States]. split; [exact State|]. now exists v.
          -- intros t All v' [<-|In_v].
             ++ rewrite <- Is. apply All. now left.
             ++ apply (Positive t); [|exact In_v]. intros s' In_s. apply All. now right.
      + intros t xs ws' In_t Decided Tags w In_w. apply in_members in In_t.
        apply Forall2_app_inv_r in In_t. destruct In_t as [t' [l [Before [Final ->]]]].
        inversion Final as [|u i l' b' Here None]; subst. inversion None; subst.
        unfold holds_token in Here. cbn in Here. replace u with q in * by lia.
        rewrite removelast_last in Decided.
        assert (Length : length t' = length b) by (clear -Before; induction Before; cbn;
          congruence).
        assert (Those : exists us, Forall2 (rival_ok sizes q (repeat (0, 0) (length b))) xs us /\
          forall w, In w ws' -> exists v, In v us /\ forall t, w t = leads Fs v t).
        { clear -Tags. induction Tags as [|x w xs ws [v [[Here Gained] Is]] Tags [us [Oks Each]]].
          - exists []. split; [constructor|]. intros w [].
          - exists (v :: us). split.
            + constructor; [|exact Oks]. split; [exact Here|]. now rewrite repeat_length.
            + intros w' [<-|In_w]; [exists v; split; [now left|exact Is]|].
              destruct (Each w' In_w) as [v' [In_v Is']]. exists v'. split; [now right|exact Is']. }
        destruct Those as [us [Oks Each]]. destruct (Each w In_w) as [v [In_v ->]].
        apply (right_at_sound sizes q (length b) attends Fs xs us t'); try assumption.
        clear -Before Ends. unfold ends in *. rewrite forallb_forall in Ends.
        apply forallb_forall. intros i In_i. apply in_map_iff in In_i.
        destruct In_i as [u [<- In_u]]. cbn. apply Nat.leb_le.
        induction Before as [|x i t b Here Before IH]; [destruct In_u|].
        destruct In_u as [->|In_u]; [|apply IH; [intros; apply Ends; now right|exact In_u]].
        specialize (Ends i (or_introl eq_refl)). apply Nat.leb_le in Ends.
        unfold holds_token in Here. lia.
  Qed.
End Soundness.
