(** * Counting position by position is sound: [positions_count] is at most the number of right
    answers *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths Exhaustive Additive
  AdditiveHarm AdditiveSound Choices Positions.
Import ListNotations.
Open Scope R_scope.

(** Sums over a list, and over the numbers of its entries. *)
Lemma total_from_le {X} (l : list X) (default : X) E G : forall s,
  (forall j, (j < length l)%nat -> (E (s + j)%nat (nth j l default) <= G (s + j)%nat)%Z) ->
  (total_from s l E <= total (seq s (length l)) G)%Z.
Proof.
  induction l as [|a l IH]; intros s Each; [apply Z.le_refl|].
  cbn [length seq total_from]. rewrite total_cons. apply Z.add_le_mono.
  - specialize (Each 0%nat ltac:(cbn; lia)). now rewrite Nat.add_0_r in Each.
  - apply IH. intros j Within. specialize (Each (S j) ltac:(cbn; lia)).
    now rewrite Nat.add_succ_r in Each.
Qed.

Lemma length_allowed few k chosen :
  Z.of_nat (length (allowed few (k :: chosen))) =
  (Z.of_nat (length (tokens_of few k)) * Z.of_nat (length (allowed few chosen)))%Z.
Proof.
  rewrite <- (Z.mul_1_r (Z.of_nat (length (allowed few (k :: chosen))))), <- total_const.
  rewrite total_allowed, <- total_const. apply total_ext. intros u _.
  now rewrite total_const, Z.mul_1_r.
Qed.

Lemma sum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> sum n f <= sum n g.
Proof.
  intros Le. induction n as [|n IH]; [apply Rle_refl|]. rewrite !sum_last.
  apply Rplus_le_compat; [|apply Le; lia]. apply IH. intros i Within. apply Le. lia.
Qed.

Section Soundness.
  Context {A : enclosures} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A contains.
  Variables (M : transformer) (o : options) (most : Z) (P : tables (A := A)).
  Hypothesis Tables : tables_sound M (contains := contains) P.
  Hypothesis two : (1 < n_ctx M)%nat.
  Notation v := (d_vocab M).
  Notation n := (last M).
  Notation vocab := (seq 0 (d_vocab M)).
  Notation "a :> x" := (contains a x) (at level 70).
  Notation moved := (AdditiveHarm.moved (contains := contains) M).
  Notation shift := (AdditiveSound.shift M).
  Notation r := (AdditiveSound.r M).

  (** ** One query and one maximum *)

  Section Pair.
    Variables (m q : nat) (ys : list (T A)) (far : T A) (f : R).
    Hypothesis Max : (m < v)%nat.
    Hypothesis Query : (q <= m)%nat.
    Hypothesis Window : length ys = (m - free o m)%nat.
    Hypothesis Far : far :> f.
    Hypothesis Far_nonneg : 0 <= f.
    Notation free := (free o m).
    Notation others := (omit m vocab).
    Notation g := (AdditiveHarm.margin_at M m q).
    Notation b := (AdditiveHarm.worst_harm M m q).
    Notation fs := (map (texp A) (centred P q)).
    Hypothesis Harm : forall x, In x others ->
      0 < g x /\ (forall u, (u < free)%nat -> b x u <= f) /\
      (forall u, (free <= u < m)%nat -> entry_of ys (u - free) :> b x u).

    Lemma factor_sound i : (i <= n)%nat -> entry_of fs i :> r q i.
    Proof using Sd Tables Max Query two.
      clear Window. intros Within.
      apply (encloses_nth (contains := contains) fs (r q) (n_ctx M));
        [|unfold last in Within; lia].
      apply (encloses_map _ exp _ (fun i => EQKP M q i - shift q));
        [intros; now apply (sound_exp _ _ Sd)|].
      apply (centred_sound Sd M P Tables). lia.
    Qed.

    Lemma r_pos i : 0 < r q i.
    Proof using. apply exp_pos. Qed.

    Lemma free_le : (free <= m)%nat.
    Proof using. apply Nat.le_sub_l. Qed.

    (** What token u contributes at position i, at least. *)
    Definition part (x i u : nat) : R :=
      if (u =? m)%nat then r q i else - (r q i * if (u <? free)%nat then f else b x u).

    Lemma part_le_zero x i u : u <> m -> part x i u <= 0.
    Proof using Far_nonneg.
      intros Other. unfold part. apply Nat.eqb_neq in Other. rewrite Other. pose proof (r_pos i).
      assert (0 <= if (u <? free)%nat then f else b x u)
        by (destruct (u <? free)%nat; [exact Far_nonneg|apply worst_nonneg]).
      assert (0 <= r q i * if (u <? free)%nat then f else b x u) by (apply Rmult_le_pos; lra).
      lra.
    Qed.

    Lemma term_ge_part x i u :
      In x others -> (i <= n)%nat -> (u <= m)%nat ->
      g x * part x i u <= term M (EQKE M q m) (shift q) q m x i u.
    Proof using Harm.
      intros Other Within Below. destruct (Harm x Other) as [Margin [Bound _]].
      pose proof (r_pos i) as Positive.
      assert (Term : term M (EQKE M q m) (shift q) q m x i u =
        g x * (r q i * (AdditiveHarm.weight M m q u * gain M q m x i u / g x))).
      { unfold term, AdditiveHarm.weight, AdditiveSound.r. field. lra. }
      rewrite Term. apply Rmult_le_compat_l; [lra|]. unfold part.
      destruct (Nat.eqb_spec u m) as [->|Not].
      - pose proof (least_of_le (fun i => gain M q m x i m) n i Within) as Least. cbv beta in Least.
        fold (g x) in Least. unfold AdditiveHarm.weight.
        rewrite Rminus_diag_eq, exp_0, Rmult_1_l by reflexivity.
        rewrite <- (Rmult_1_r (r q i)) at 1. apply Rmult_le_compat_l; [lra|].
        apply (Rmult_le_reg_r (g x)); [exact Margin|]. unfold Rdiv.
        rewrite Rmult_assoc, Rinv_l by lra. lra.
      - pose proof
          (worst_ge (fun i => AdditiveHarm.weight M m q u * gain M q m x i u / g x) n i Within)
          as Worst.
        cbv beta in Worst. fold (b x u) in Worst.
        assert (b x u <= if (u <? free)%nat then f else b x u)
          by (destruct (Nat.ltb_spec u free); [now apply Bound|lra]).
        rewrite Ropp_mult_distr_r. apply Rmult_le_compat_l; lra.
    Qed.

    (** ** The search counts no more than there is *)

    Variables (Q : list nat -> bool) (rest : list kind -> Z).
    Hypothesis Rest : forall chosen, length chosen = n -> within M free chosen ->
      (rest chosen <= count Q (allowed free chosen))%Z.

    Lemma explore_sound k : forall i acc s chosen weight seen, (i + k = n)%nat ->
      length chosen = i -> within M free chosen ->
      weight = Z.of_nat (length (allowed free chosen)) ->
      (forall x, In x others -> acc :> s x) ->
      (forall pre t, In pre (allowed free chosen) -> In t (sequences v k) ->
         (forall u, In u t -> (u <= m)%nat) ->
         (forall x, In x others -> 0 < s x + sum k (fun j => part x (i + j) (nth j t O))) ->
         Q (pre ++ t) = true) ->
      (explore most rest m free ys far (map (entry_of fs) (seq i k)) acc chosen weight seen
       <= total (allowed free chosen) (fun pre => count (fun t => Q (pre ++ t)) (sequences v k)))%Z.
    Proof using Sd Tables two Max Query Window Far Harm Rest.
      induction k as [|k IH];
        intros i acc s chosen weight seen Whole Length Within Weight Acc Enough.
      - cbn [seq map explore]. rewrite Nat.add_0_r in Whole. subst i.
        assert (Last : total (allowed free chosen)
            (fun pre => count (fun t => Q (pre ++ t)) (sequences v 0)) =
          count Q (allowed free chosen)).
        { apply total_ext. intros pre _. unfold count. cbn [sequences].
          rewrite total_cons, app_nil_r. unfold total. cbn. apply Z.add_0_r. }
        rewrite Last. destruct (less A (of_Z A 0) acc) eqn:Less.
        + rewrite Weight, <- (Z.mul_1_r (Z.of_nat _)), <- total_const. apply total_le.
          intros pre In_pre. rewrite <- (app_nil_r pre), (Enough pre []);
            [reflexivity|exact In_pre|now left|intros u []|].
          intros x Other. unfold sum. cbn. rewrite Rplus_0_r.
          apply (sound_less _ _ Sd _ _ 0 (s x) Less); [apply (sound_of_Z _ _ Sd)|now apply Acc].
        + destruct (weight <=? most)%Z; [|apply count_nonneg]. now apply Rest.
      - set (G := fun a : nat =>
          total (allowed free chosen) (fun pre => count (fun t => Q (pre ++ a :: t)) (sequences v k))).
        assert (Split : total (allowed free chosen)
            (fun pre => count (fun t => Q (pre ++ t)) (sequences v (S k))) = total vocab G).
        { unfold G. rewrite <- total_swap. apply total_ext. intros pre _. apply count_first. }
        assert (Some_kind : forall kind c acc' weight' seen',
          (forall u, In u (tokens_of free kind) ->
             (u <= m)%nat /\ forall x, In x others -> part x i u = c x) ->
          (forall x, In x others -> acc' :> s x + c x) ->
          weight' = (Z.of_nat (length (tokens_of free kind)) * weight)%Z ->
          (explore most rest m free ys far (map (entry_of fs) (seq (S i) k)) acc' (kind :: chosen)
             weight' seen' <= total (tokens_of free kind) G)%Z).
        { intros kind c acc' weight' seen' Same Acc' Weight'.
          assert (Regroup : total (tokens_of free kind) G =
            total (allowed free (kind :: chosen))
              (fun pre => count (fun t => Q (pre ++ t)) (sequences v k))).
          { rewrite total_allowed. apply total_ext. intros u _. apply total_ext. intros pre _.
            apply count_ext. intros t _. now rewrite <- app_assoc. }
          rewrite Regroup. apply (IH (S i) acc' (fun x => s x + c x)); [lia|cbn; lia| | |exact Acc'|].
          - intros k' [<-|In_k'] u In_u; [|now apply (Within k')].
            destruct (Same u In_u) as [Below_m _]. lia.
          - now rewrite length_allowed, Weight', Weight.
          - intros pre' t In_pre' In_t Le Positive. cbn [allowed] in In_pre'.
            apply in_flat_map in In_pre'. destruct In_pre' as [pre [In_pre In_pre']].
            apply in_map_iff in In_pre'. destruct In_pre' as [u [<- In_u]].
            destruct (Same u In_u) as [Below_m Part]. rewrite <- app_assoc. cbn [app].
            apply Enough; [exact In_pre| | |].
            + apply in_sequences. apply in_sequences in In_t. destruct In_t as [Long Tokens].
              split; [cbn; now rewrite Long|]. intros a [<-|In_a]; [lia|now apply Tokens].
            + intros a [<-|In_a]; [exact Below_m|now apply Le].
            + intros x Other. specialize (Positive x Other). rewrite sum_S. cbn [nth].
              rewrite Nat.add_0_r, (Part x Other).
              rewrite (sum_ext k (fun j => part x (i + S j) (nth j t 0%nat))
                                 (fun j => part x (S i + j) (nth j t 0%nat)))
                by (intros; f_equal; lia).
              lra. }
        rewrite Split.
        assert (Factor : entry_of fs i :> r q i) by (apply factor_sound; lia).
        assert (Nonneg : forall a, (0 <= G a)%Z)
          by (intros; apply total_nonneg; intros; apply count_nonneg).
        pose proof free_le as Few. cbn [seq map explore].
        assert (Maximum : (explore most rest m free ys far (map (entry_of fs) (seq (S i) k))
            (add A acc (entry_of fs i)) (One m :: chosen) weight true <= total [m] G)%Z).
        { change [m] with (tokens_of free (One m)).
          apply (Some_kind (One m) (fun x => r q i)); [| |cbn [tokens_of length]; lia].
          - intros u [<-|[]]. split; [lia|]. intros x _. unfold part. now rewrite Nat.eqb_refl.
          - intros x Other. apply (sound_add _ _ Sd); [now apply Acc|exact Factor]. }
        clearbody G. set (maximum := explore _ _ _ _ _ _ _ _ _ _ true) in *.
        assert (Some_total : forall l, (0 <= total l G)%Z)
          by (intros l; apply total_nonneg; intros; apply Nonneg).
        replace v with (free + (length ys + (1 + (v - m - 1))))%nat by lia.
        rewrite !seq_app, !total_app. cbn [Nat.add].
        replace (total (seq (free + length ys) 1) G) with (total [m] G)
          by (cbn [seq]; rewrite Window; now replace (free + (m - free))%nat with m by lia).
        match goal with |- ((if ?b then _ else _) <= _)%Z => destruct b end.
        2: { pose proof (Some_total (seq 0 free)). pose proof (Some_total (seq free (length ys))).
             pose proof (Some_total (seq (free + length ys + 1) (v - m - 1))). lia. }
        apply Z.add_le_mono; [|apply Z.add_le_mono;
          [|rewrite <- (Z.add_0_r maximum); apply Z.add_le_mono;
            [exact Maximum|apply Some_total]]].
        + assert (Far_part : (explore most rest m free ys far (map (entry_of fs) (seq (S i) k))
              (sub A acc (mul A (entry_of fs i) far)) (Below :: chosen) (Z.of_nat free * weight)
              seen <= total (seq 0 free) G)%Z);
            [|revert Far_part; destruct free; intros Far_part; [apply Z.le_refl|exact Far_part]].
          change (seq 0 free) with (tokens_of free Below).
          apply (Some_kind Below (fun x => - (r q i * f)));
            [| |cbn [tokens_of]; now rewrite seq_length].
          * intros u In_u. cbn [tokens_of] in In_u. apply in_seq in In_u. split; [lia|].
            intros x _. unfold part. destruct (Nat.eqb_spec u m); [lia|].
            destruct (Nat.ltb_spec u free); [reflexivity|lia].
          * intros x Other. apply (sound_sub _ _ Sd); [now apply Acc|now apply (sound_mul _ _ Sd)].
        + apply (total_from_le ys (everything A)). intros j In_j.
          rewrite <- (Z.add_0_r (G _)). change (G (free + j)%nat + 0)%Z with (total (tokens_of free (One (free + j))) G).
          apply (Some_kind (One (free + j)) (fun x => - (r q i * b x (free + j)%nat))%R);
            [| |cbn [tokens_of length]; lia].
          * intros u [<-|[]]. split; [lia|]. intros x _. unfold part.
            destruct (Nat.eqb_spec (free + j) m); [lia|].
            destruct (Nat.ltb_spec (free + j) free); [lia|reflexivity].
          * intros x Other. apply (sound_sub _ _ Sd); [now apply Acc|].
            apply (sound_mul _ _ Sd); [exact Factor|].
            destruct (Harm x Other) as [_ [_ Near]]. specialize (Near (free + j)%nat ltac:(lia)).
            now replace (free + j - free)%nat with j in Near by lia.
    Qed.

    (** ** Sequences that the search finds are right *)

    (** Without the maximum a sequence's sum is not positive. *)
    Lemma max_occurs x t :
      length t = n -> 0 < part x n q + sum n (fun j => part x j (nth j t O)) ->
      q = m \/ In m t.
    Proof using Far_nonneg.
      intros Length Positive. destruct (Nat.eq_dec q m) as [|Not]; [now left|right].
      destruct (in_dec Nat.eq_dec m t) as [|Absent]; [assumption|exfalso].
      pose proof (part_le_zero x n q Not).
      assert (sum n (fun j => part x j (nth j t O)) <= sum n (fun _ => 0)).
      { apply sum_le. intros j Within. apply part_le_zero. intros Same. apply Absent.
        rewrite <- Same. apply nth_In. now rewrite Length. }
      assert (Zero : sum n (fun _ => 0) = 0) by apply sum_over_zero. lra.
    Qed.

    Lemma sequence_right t :
      In t (sequences v n) -> (forall u, In u t -> (u <= m)%nat) ->
      (forall x, In x others -> 0 < part x n q + sum n (fun j => part x j (nth j t O))) ->
      right M max_of_k (t ++ [q]) /\ max_of_k (t ++ [q]) = m.
    Proof using two Max Query Far_nonneg Harm.
      clear Window. intros In_t Le Positive.
      apply in_sequences in In_t. destruct In_t as [Length Tokens].
      assert (Is_max : max_of_k (t ++ [q]) = m).
      { apply max_of_k_is.
        - intros u In_u. apply in_app_iff in In_u.
          destruct In_u as [In_u|[<-|[]]]; [now apply Le|exact Query].
        - apply in_app_iff. destruct (Nat.eq_dec q m) as [->|Not]; [right; now left|left].
          destruct (max_occurs q t Length) as [|Found]; [|contradiction|exact Found].
          apply Positive, in_omit_seq. lia. }
      split; [|exact Is_max]. assert (Context : n_ctx M = S n) by (unfold last; lia).
      assert (Last : token (t ++ [q]) n = q)
        by (unfold token; rewrite app_nth2, Length, Nat.sub_diag by lia; reflexivity).
      apply (right_if_gains M max_of_k (t ++ [q]) (EQKE M q m) (shift q));
        [lia|now rewrite Is_max|].
      rewrite Is_max, Last. intros x In_x Other.
      assert (Other_x : In x others) by now apply in_omit_seq.
      specialize (Positive x Other_x). destruct (Harm x Other_x) as [Margin _].
      rewrite Context, sum_last, Last.
      apply (Rlt_le_trans _ (sum n (fun i => g x * part x i (nth i t O)) + g x * part x n q)).
      - rewrite sum_times, <- Rmult_plus_distr_l. apply Rmult_lt_0_compat; lra.
      - apply Rplus_le_compat; [|now apply term_ge_part]. apply sum_le. intros i Within.
        unfold token. rewrite app_nth1 by lia. apply term_ge_part; [exact Other_x|lia|].
        apply Le, nth_In. lia.
    Qed.
  End Pair.

  (** ** All pairs *)

  Lemma evaluate_sound few m q choices :
    (m < v)%nat -> (q < v)%nat -> length choices = n -> within M few choices ->
    (evaluate (additions (query_of M P q)) few m q choices <=
     count (fun t => right_b M max_of_k (t ++ [q]) && (max_of_k (t ++ [q]) =? m)%nat)
       (allowed few choices))%Z.
  Proof using Sd Tables two.
    intros Max Query Length Within. unfold query_of. cbv zeta. cbn [additions].
    change (contribution_by M P (weights P q) q) with (contribution M P q).
    rewrite seq_S, rev_unit. cbn [map evaluate Nat.add].
    set (Q := fun t => right_b M max_of_k (t ++ [q]) && (max_of_k (t ++ [q]) =? m)%nat).
    rewrite (count_ext Q (fun t => Q (t ++ []))) by (intros t _; now rewrite app_nil_r).
    rewrite <- Length at 1.
    apply (evaluated_sound Sd M P Tables ltac:(lia) few m q Max Query Q choices ltac:(lia) Within
             (contribution M P q n q) (Exhaustive.U M q n q) q []).
    - apply (contribution_sound Sd M P Tables); [lia|exact Query|unfold last; lia|exact Query].
    - intros t In_t Maximum Lead. rewrite app_nil_r.
      apply (in_allowed few v choices Within) in In_t. rewrite Length in In_t, Lead.
      destruct (right_if_leads M ltac:(lia) q t m Query In_t Maximum Lead) as [Right Is_max].
      apply andb_true_iff. split; [now apply right_b_spec|now apply Nat.eqb_eq].
  Qed.

  (** All sequences of tokens below a number: they are so many, and some of all sequences. *)
  Lemma count_allowed_le few (Q : list nat -> bool) : (few <= v)%nat -> forall k,
    (count Q (allowed few (repeat Below k)) <= count Q (sequences v k))%Z.
  Proof using.
    clear two. intros Few k. revert Q. induction k as [|k IH]; intros Q; [apply Z.le_refl|].
    cbn [repeat]. unfold count at 1. rewrite total_allowed. cbn [tokens_of]. rewrite count_last.
    replace v with (few + (v - few))%nat at 1 by lia. rewrite seq_app, total_app.
    rewrite <- (Z.add_0_r (total (seq 0 few) _)). apply Z.add_le_mono.
    - apply total_le. intros u _. apply (IH (fun t => Q (t ++ [u]))).
    - apply total_nonneg. intros; apply count_nonneg.
  Qed.

  Lemma harm_of_sound F V delta pi m q : moved F V delta pi -> (m < v)%nat -> (q <= m)%nat ->
    forall ys far, harm_of o F m (column_of M o F m) q (weights P q) = Some (ys, far) ->
    length ys = (m - free o m)%nat /\
    exists f, far :> f /\ 0 <= f /\
    forall q' x, In q' [q] -> In x (omit m vocab) -> 0 < AdditiveHarm.margin_at M m q' x /\
      (forall u, (u < free o m)%nat -> AdditiveHarm.worst_harm M m q' x u <= f) /\
      (forall u, (free o m <= u < m)%nat ->
        entry_of ys (u - free o m) :> AdditiveHarm.worst_harm M m q' x u).
  Proof using Sd Tables two.
    intros Moved Max Query ys far Found.
    assert (Attention : forall u, (u < v)%nat ->
      entry_of (weights P q) u :> exp (EQKE M q u - EQKE M q q))
      by (intros u Token; apply (weights_sound Sd M P Tables); [lia|exact Token]).
    assert (Over : forall a u, a :> exp (EQKE M q u - EQKE M q q) ->
      div A a (entry_of (weights P q) m) :> AdditiveHarm.weight M m q u).
    { intros a u In. unfold AdditiveHarm.weight.
      replace (EQKE M q u - EQKE M q m)
        with ((EQKE M q u - EQKE M q q) + - (EQKE M q m - EQKE M q q)) by ring.
      rewrite exp_plus, exp_Ropp. apply (sound_div _ _ Sd); [exact In|now apply Attention]. }
    apply (harm_by_sound Sd M o two F V delta pi Moved m Max [q]
      ltac:(intros q' [<-|[]]; exact Query) _ _) with (3 := Found).
    - intros q' u [<-|[]] Token. now apply Over, Attention.
    - intros q' u [<-|[]] Below. apply Over.
      assert (Token : (u < v)%nat) by (unfold free in Below; lia).
      apply (hull_row_in Sd _ (entry_of (weights P q) u)); [|now apply Attention].
      unfold entry_of. rewrite <- (firstn_skipn (free o m) (weights P q)) at 1.
      assert (Long : length (firstn (free o m) (weights P q)) = free o m).
      { rewrite firstn_length. unfold weights. rewrite map_length.
        rewrite (encloses_length (contains := contains) _ (EQKE M q) vocab).
        - rewrite seq_length. unfold free. lia.
        - apply (encloses_table_nth _ (EQKE M) v); [apply (EQKE_sound M P Tables)|lia]. }
      rewrite app_nth1 by now rewrite Long. apply nth_In. now rewrite Long.
  Qed.

  Lemma pair_count_sound F V delta pi m q :
    moved F V delta pi -> (m < v)%nat -> (q <= m)%nat ->
    (pair_count M o most P F m (column_of M o F m) q (query_of M P q) <= answers M m q)%Z.
  Proof using Sd Tables two.
    intros Moved Max Query. unfold pair_count, answers. cbv zeta.
    set (rows := additions (query_of M P q)). cbn [query_of attention factors_of].
    destruct (harm_of o F m (column_of M o F m) q (weights P q)) as [[ys far]|] eqn:Found.
    - destruct (harm_of_sound F V delta pi m q Moved Max Query ys far Found)
        as [Window [f [Far [Nonneg Harm]]]].
      assert (Harm_q := fun x => Harm q x (or_introl eq_refl)). cbv zeta.
      assert (Factor : entry_of (map (texp A) (centred P q)) n :> r q n)
        by (now apply (factor_sound m q)).
      set (Q := fun t => right_b M max_of_k (t ++ [q]) && (max_of_k (t ++ [q]) =? m)%nat).
      refine (Z.le_trans _ _ _ (explore_sound m q ys far f Max Query Window Far Harm_q Q _ _
        n 0 _ (fun x => part m q f x n q) [] 1%Z _ _ _ _ _ _ _) _).
      + intros chosen Length Within.
        destruct (plausible _ _ _ _ m q chosen); [|apply count_nonneg].
        apply evaluate_sound; [exact Max|lia|exact Length|exact Within].
      + lia.
      + reflexivity.
      + intros k [].
      + reflexivity.
      + intros x Other. unfold part. destruct (Nat.eqb_spec q m) as [Same|Not]; [exact Factor|].
        rewrite <- (Rminus_0_l (_ * _)). apply (sound_sub _ _ Sd); [apply (sound_of_Z _ _ Sd)|].
        apply (sound_mul _ _ Sd); [exact Factor|].
        destruct (Nat.ltb_spec q (free o m)); [exact Far|]. apply Harm_q; [exact Other|lia].
      + intros pre t [<-|[]] In_t Le Positive. cbn [app].
        destruct (sequence_right m q ys f Max Query Nonneg Harm_q t In_t Le Positive)
          as [Right Is_max].
        apply andb_true_iff. split; [now apply right_b_spec|now apply Nat.eqb_eq].
      + cbn [allowed]. rewrite total_cons. unfold total at 1. cbn [map fold_right app].
        rewrite Z.add_0_r. apply Z.le_refl.
    - destruct (_ <=? most)%Z; [|apply count_nonneg].
      refine (Z.le_trans _ _ _ (evaluate_sound (S m) m q _ Max _ _ _) _);
        [lia|apply repeat_length| |apply count_allowed_le; lia].
      intros k In_k u In_u. apply repeat_spec in In_k. subst k. cbn [tokens_of] in In_u.
      apply in_seq in In_u. lia.
  Qed.

  Theorem positions_count_sound : (positions_count M o most P <= number_right M max_of_k)%Z.
  Proof using Sd Tables two.
    destruct (fold_means_sound Sd M P Tables two) as [V [delta [pi Moved]]].
    apply (Z.le_trans _ (total vocab (fun m => total vocab (fun q => answers M m q)))).
    - unfold positions_count. cbv zeta. apply total_le. intros m Max. apply in_seq in Max.
      apply (Z.le_trans _ (total (seq 0 (S m)) (fun q => answers M m q))).
      + apply total_le. intros q Query. apply in_seq in Query.
        rewrite (nth_indep _ _ (query_of M P 0)) by (rewrite map_length, seq_length; lia).
        rewrite map_nth, seq_nth by lia.
        apply (pair_count_sound _ V delta pi); [exact Moved|lia|lia].
      + replace v with (S m + (v - S m))%nat at 1 by lia. rewrite seq_app, total_app.
        rewrite <- (Z.add_0_r (total (seq 0 (S m)) _)) at 1.
        apply Z.add_le_mono; [apply Z.le_refl|apply total_nonneg; intros; apply count_nonneg].
    - rewrite total_swap. rewrite (number_right_by_last M max_of_k n) by (unfold last; lia).
      apply total_le. intros q _. apply count_by_key.
  Qed.
End Soundness.
