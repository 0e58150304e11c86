(** * Counting position by position is sound: [positions_count] is at most the number of right
    answers *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths Additive AdditiveHarm
  AdditiveSound Positions.
Import ListNotations.
Open Scope R_scope.

(** Sums over a list, and over the numbers of its entries. *)
Lemma total_nth {X} (l : list X) (default : X) E G : forall s,
  (forall j, (j < length l)%nat -> (E (nth j l default) <= G (s + j)%nat)%Z) ->
  (total l E <= total (seq s (length l)) G)%Z.
Proof.
  induction l as [|a l IH]; intros s Each; [apply Z.le_refl|].
  cbn [length seq]. rewrite !total_cons. apply Z.add_le_mono.
  - specialize (Each 0%nat ltac:(cbn; lia)). now rewrite Nat.add_0_r in Each.
  - apply IH. intros j Within. specialize (Each (S j) ltac:(cbn; lia)).
    now rewrite Nat.add_succ_r in Each.
Qed.

Lemma sum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> sum n f <= sum n g.
Proof.
  intros Le. induction n as [|n IH]; [apply Rle_refl|]. rewrite !sum_last.
  apply Rplus_le_compat; [|apply Le; lia]. apply IH. intros i Within. apply Le. lia.
Qed.

Section Soundness.
  Context {A : enclosures} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A contains.
  Variables (M : transformer) (o : options) (P : tables (A := A)).
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

    Lemma explore_sound k : forall i acc s Q, (i + k <= n)%nat ->
      (forall x, In x others -> acc :> s x) ->
      (forall t, In t (sequences v k) -> (forall u, In u t -> (u <= m)%nat) ->
         (forall x, In x others -> 0 < s x + sum k (fun j => part x (i + j) (nth j t O))) ->
         Q t = true) ->
      (explore (map (entry_of fs) (seq i k)) free ys far acc <= count Q (sequences v k))%Z.
    Proof using Sd Tables two Max Query Window Far Harm.
      induction k as [|k IH]; intros i acc s Q Within Acc Enough.
      - cbn [seq map explore]. destruct (less A (of_Z A 0) acc) eqn:Less; [|apply count_nonneg].
        unfold count. cbn [sequences]. rewrite total_cons.
        rewrite (Enough []); [cbn; lia|now left|intros u []|].
        intros x Other. unfold sum. cbn. rewrite Rplus_0_r.
        apply (sound_less _ _ Sd _ _ 0 (s x) Less); [apply (sound_of_Z _ _ Sd)|now apply Acc].
      - set (G := fun a : nat => count (fun t => Q (a :: t)) (sequences v k)).
        assert (One : forall u acc', (u <= m)%nat ->
          (forall x, In x others -> acc' :> s x + part x i u) ->
          (explore (map (entry_of fs) (seq (S i) k)) free ys far acc' <= G u)%Z).
        { intros u acc' Below Acc'.
          apply (IH (S i) acc' (fun x => s x + part x i u)); [lia|exact Acc'|].
          intros t In_t Le Positive. apply Enough.
          - apply in_sequences. apply in_sequences in In_t. destruct In_t as [Length Tokens].
            split; [cbn; now rewrite Length|]. intros a [<-|In_a]; [lia|now apply Tokens].
          - intros a [<-|In_a]; [exact Below|now apply Le].
          - intros x Other. specialize (Positive x Other). rewrite sum_S. cbn [nth].
            rewrite Nat.add_0_r.
            rewrite (sum_ext k (fun j => part x (i + S j) (nth j t 0%nat))
                               (fun j => part x (S i + j) (nth j t 0%nat)))
              by (intros; f_equal; lia).
            lra. }
        assert (Factor : entry_of fs i :> r q i) by (apply factor_sound; lia).
        assert (Nonneg : forall a, (0 <= G a)%Z) by (intros; apply count_nonneg).
        pose proof free_le as Few. cbn [seq map explore]. rewrite count_first. fold G. clearbody G.
        replace v with (free + (length ys + (1 + (v - m - 1))))%nat by lia.
        rewrite !seq_app, !total_app. cbn [Nat.add].
        apply Z.add_le_mono; [|apply Z.add_le_mono;
          [|rewrite <- (Z.add_0_r (explore _ _ _ _ _)); apply Z.add_le_mono]].
        + transitivity (Z.of_nat free *
            explore (map (entry_of fs) (seq (S i) k)) free ys far
              (sub A acc (mul A (entry_of fs i) far)))%Z.
          { destruct free; [reflexivity|apply Z.le_refl]. }
          rewrite <- (seq_length free 0) at 1. rewrite <- total_const. apply total_le.
          intros u In_u. apply in_seq in In_u. apply One; [lia|]. intros x Other. unfold part.
          destruct (Nat.eqb_spec u m); [lia|]. destruct (Nat.ltb_spec u free); [|lia].
          apply (sound_sub _ _ Sd); [now apply Acc|now apply (sound_mul _ _ Sd)].
        + apply (total_nth ys (everything A)). intros j In_j. apply One; [lia|].
          intros x Other. unfold part. destruct (Nat.eqb_spec (free + j) m); [lia|].
          destruct (Nat.ltb_spec (free + j) free); [lia|].
          apply (sound_sub _ _ Sd); [now apply Acc|]. apply (sound_mul _ _ Sd); [exact Factor|].
          destruct (Harm x Other) as [_ [_ Near]]. specialize (Near (free + j)%nat ltac:(lia)).
          now replace (free + j - free)%nat with j in Near by lia.
        + cbn [seq]. rewrite total_cons. unfold total at 1. cbn [map fold_right].
          rewrite Z.add_0_r, Window. replace (free + (m - free))%nat with m by lia.
          apply One; [lia|]. intros x Other. unfold part. rewrite Nat.eqb_refl.
          apply (sound_add _ _ Sd); [now apply Acc|exact Factor].
        + apply total_nonneg. intros. apply Nonneg.
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

  Lemma pair_count_sound F V delta pi m q :
    moved F V delta pi -> (m < v)%nat -> (q <= m)%nat ->
    (pair_count M o P F m (column_of M o F m) q <= answers M m q)%Z.
  Proof using Sd Tables two.
    intros Moved Max Query. unfold pair_count.
    destruct (harm o P F m (column_of M o F m) [q]) as [[ys far]|] eqn:Found; [|apply count_nonneg].
    destruct (harm_sound Sd M o P Tables two F V delta pi Moved m Max [q])
      with (ys := ys) (far := far) as [Window [f [Far [Nonneg Harm]]]];
      [intros q' [<-|[]]; exact Query|exact Found|].
    assert (Harm_q := fun x => Harm q x (or_introl eq_refl)). cbv zeta.
    assert (Factor : entry_of (map (texp A) (centred P q)) n :> r q n)
      by (now apply (factor_sound m q)).
    apply (explore_sound m q ys far f Max Query Window Far Harm_q n 0 _
      (fun x => part m q f x n q));
      [lia| |].
    - intros x Other. unfold part. destruct (Nat.eqb_spec q m) as [Same|Not]; [exact Factor|].
      rewrite <- (Rminus_0_l (_ * _)). apply (sound_sub _ _ Sd); [apply (sound_of_Z _ _ Sd)|].
      apply (sound_mul _ _ Sd); [exact Factor|].
      destruct (Nat.ltb_spec q (free o m)); [exact Far|]. apply Harm_q; [exact Other|lia].
    - intros t In_t Le Positive.
      destruct (sequence_right m q ys f Max Query Nonneg Harm_q t In_t Le Positive)
        as [Right Is_max].
      apply andb_true_iff. split; [now apply right_b_spec|now apply Nat.eqb_eq].
  Qed.

  Theorem positions_count_sound : (positions_count M o P <= number_right M max_of_k)%Z.
  Proof using Sd Tables two.
    destruct (fold_means_sound Sd M P Tables two) as [V [delta [pi Moved]]].
    apply (Z.le_trans _ (total vocab (fun m => total vocab (fun q => answers M m q)))).
    - unfold positions_count. cbv zeta. apply total_le. intros m Max. apply in_seq in Max.
      replace v with (S m + (v - S m))%nat at 1 by lia. rewrite seq_app, total_app.
      rewrite <- (Z.add_0_r (total (seq 0 (S m)) _)).
      apply Z.add_le_mono; [|apply total_nonneg; intros; apply count_nonneg].
      apply total_le. intros q Query. apply in_seq in Query.
      apply (pair_count_sound _ V delta pi); [exact Moved|lia|lia].
    - rewrite total_swap. rewrite (number_right_by_last M max_of_k n) by (unfold last; lia).
      apply total_le. intros q _. apply count_by_key.
  Qed.
End Soundness.
