(** * The exhaustive checker: every sequence is evaluated

    Logits are left unnormalised: multiplied by the softmax's denominator, over exp (EQKE a a + EQKP a last), they are

        U x = sum_i exp (EQKE a t_i - EQKE a a) * exp (EQKP a i - EQKP a last) * (EUPU a x + EVOU t_i x + PVOU i x),

    whose order is that of the logits. Sequences with the same first tokens share the sum so far. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths.
Import ListNotations.

Section Checker.
  Context {A : enclosures}.
  Variables (M : transformer) (P : tables (A := A)).
  Notation vocab := (seq 0 (d_vocab M)).
  Notation add := (add A). Notation mul := (mul A). Notation sub := (sub A).

  (** What attention from a gives each token, up to a factor: exp (EQKE a c - EQKE a a). *)
  Definition weights (a : nat) : list (T A) :=
    let scores := nth a (t_EQKE P) [] in
    let own := entry_of scores a in map (fun s => texp A (sub s own)) scores.

  (** What token c adds at position i to the unnormalised logits of sequences that end in a. *)
  Definition contribution_by (weights : list (T A)) (a i : nat) : nat -> list (T A) :=
    let positions := nth a (t_EQKP P) [] in
    let base := map2 add (nth a (t_EUPU P) []) (nth i (t_PVOU P) []) in
    let r := texp A (sub (entry_of positions i) (entry_of positions (last M))) in
    fun c => let w := mul (entry_of weights c) r in map2 (fun b e => mul w (add b e)) base (nth c (t_EVOU P) []).

  Definition contribution (a i : nat) : nat -> list (T A) := contribution_by (weights a) a i.

  Definition contributions (a i : nat) : list (list (T A)) := map (contribution a i) vocab.

  Definition beats (m : nat) (logits : list (T A)) : bool :=
    let top := entry_of logits m in forallb (fun l => less A l top) (omit m logits).

  (** Sequences that are right, among those that go on from a sum and a maximum so far. *)
  Fixpoint explore (rest : list (list (list (T A)))) (so_far : list (T A)) (m : nat) : Z :=
    match rest with
    | [] => if beats m so_far then 1%Z else 0%Z
    | here :: rest => total vocab (fun c => explore rest (map2 add so_far (nth c here [])) (Nat.max m c))
    end.

  Definition exhaustive_count : Z :=
    total vocab (fun a => explore (map (contributions a) (seq 0 (last M))) (contribution a (last M) a) a).
End Checker.

(** ** Soundness *)

Open Scope R_scope.

Section Soundness.
  Context {A : enclosures} {contains : T A -> R -> Prop} (Sd : sound A contains).
  Variables (M : transformer) (P : tables (A := A)).
  Hypothesis TS : tables_sound M (contains := contains) P.
  Hypothesis context : (0 < n_ctx M)%nat.
  Notation v := (d_vocab M).
  Notation n := (last M).
  Notation vocab := (seq 0 (d_vocab M)).
  Notation encl := (encloses (contains := contains)).

  Definition U (a i c x : nat) : R :=
    exp (EQKE M a c - EQKE M a a) * exp (EQKP M a i - EQKP M a n) * ((EUPU M a x + PVOU M i x) + EVOU M c x).

  Lemma term_U a m x i u : term M (EQKE M a a) (EQKP M a n) a m x i u = U a i u m - U a i u x.
  Proof. unfold term, U, gain. ring. Qed.

  Lemma weights_sound a c : (a < v)%nat -> (c < v)%nat ->
    contains (entry_of (weights P a) c) (exp (EQKE M a c - EQKE M a a)).
  Proof using Sd TS.
    intros Ha Hc. apply (encloses_nth (weights P a) (fun c => exp (EQKE M a c - EQKE M a a)) v); [|exact Hc].
    apply (encloses_map _ (fun s => exp (s - EQKE M a a)) _ (EQKE M a)).
    - intros s r H. apply (sound_exp _ _ Sd), (sound_sub _ _ Sd); [exact H|].
      apply (encloses_table_at _ (EQKE M) v v); [apply (EQKE_sound M P TS)|exact Ha|exact Ha].
    - exact (encloses_table_nth _ (EQKE M) v vocab a (EQKE_sound M P TS) Ha).
  Qed.

  Lemma contribution_sound a i c : (a < v)%nat -> (i < n_ctx M)%nat -> (c < v)%nat -> encl (contribution M P a i c) (U a i c) vocab.
  Proof.
    intros Ha Hi Hc. unfold contribution, contribution_by. cbv zeta.
    assert (W : contains (mul A (entry_of (weights P a) c)
                 (texp A (sub A (entry_of (nth a (t_EQKP P) []) i) (entry_of (nth a (t_EQKP P) []) (last M)))))
               (exp (EQKE M a c - EQKE M a a) * exp (EQKP M a i - EQKP M a n))).
    { apply (sound_mul _ _ Sd); [now apply weights_sound|]. apply (sound_exp _ _ Sd), (sound_sub _ _ Sd).
      - apply (encloses_table_at _ (EQKP M) v (n_ctx M)); [apply (EQKP_sound M P TS)|exact Ha|exact Hi].
      - apply (encloses_table_at _ (EQKP M) v (n_ctx M)); [apply (EQKP_sound M P TS)|exact Ha|unfold last; lia]. }
    unfold U. apply (encloses_map2 _ (fun b e => exp (EQKE M a c - EQKE M a a) * exp (EQKP M a i - EQKP M a n) * (b + e))
                       _ _ (fun x => EUPU M a x + PVOU M i x) (EVOU M c)).
    - intros b e y z Hb He. apply (sound_mul _ _ Sd); [exact W|now apply (sound_add _ _ Sd)].
    - apply (encloses_map2 (add A) Rplus _ _ (EUPU M a) (PVOU M i)); [apply (sound_add _ _ Sd)| |].
      + exact (encloses_table_nth _ (EUPU M) v vocab a (EUPU_sound M P TS) Ha).
      + exact (encloses_table_nth _ (PVOU M) (n_ctx M) vocab i (PVOU_sound M P TS) Hi).
    - exact (encloses_table_nth _ (EVOU M) v vocab c (EVOU_sound M P TS) Hc).
  Qed.

  Lemma nth_contributions a i c : (c < v)%nat -> nth c (contributions M P a i) [] = contribution M P a i c.
  Proof.
    intros Hc. unfold contributions. rewrite (nth_indep _ [] (contribution M P a i 0)) by (rewrite map_length, seq_length; exact Hc).
    rewrite map_nth, seq_nth by exact Hc. reflexivity.
  Qed.

  Lemma beats_sound m logits f : (m < v)%nat -> encl logits f vocab -> beats m logits = true ->
    forall x, (x < v)%nat -> x <> m -> f x < f m.
  Proof.
    intros Hm E H x Hx Hne. apply (encloses_forall (contains := contains) (fun l => less A l (entry_of logits m)) (fun y => y < f m) (omit m logits) f (omit m vocab)).
    - intros a y Ha Hy. apply (sound_less _ _ Sd _ _ _ _ Ha Hy). now apply (encloses_nth logits f v).
    - exact H.
    - now apply encloses_omit.
    - now apply in_omit_seq.
  Qed.

  (** If every sequence whose unnormalised logits put the maximum first meets Q, then at least [explore] sequences meet Q. *)
  Lemma explore_sound a k : (a < v)%nat -> forall i so_far f m (Q : list nat -> bool), (i + k <= n_ctx M)%nat -> (m < v)%nat -> encl so_far f vocab ->
    (forall t, In t (sequences v k) ->
       (forall x, (x < v)%nat -> x <> Nat.max m (max_of_k t) ->
          f x + sum k (fun j => U a (i + j) (nth j t O) x) <
          f (Nat.max m (max_of_k t)) + sum k (fun j => U a (i + j) (nth j t O) (Nat.max m (max_of_k t)))) -> Q t = true) ->
    (explore M (map (contributions M P a) (seq i k)) so_far m <= count Q (sequences v k))%Z.
  Proof.
    intros Ha. induction k as [|k IH]; intros i so_far f m Q Hi Hm E HQ.
    - cbn [seq map explore]. destruct (beats m so_far) eqn:B; [|apply count_nonneg].
      unfold count. cbn [sequences]. rewrite total_cons, (HQ []); [cbn; lia|now left|].
      intros x Hx. cbn [max_of_k fold_right]. rewrite Nat.max_0_r. intros Hne. unfold sum. cbn.
      pose proof (beats_sound m so_far f Hm E B x Hx Hne). lra.
    - cbn [seq map explore]. rewrite count_first. apply total_le. intros c Hc. apply in_seq in Hc.
      rewrite nth_contributions by lia.
      apply (IH (S i) _ (fun x => f x + U a i c x)); [lia|lia| |].
      + apply (encloses_map2 (add A) Rplus _ _ f (U a i c)); [apply (sound_add _ _ Sd)|exact E|]. apply contribution_sound; lia.
      + intros t Ht Hf. apply HQ.
        * apply in_sequences. apply in_sequences in Ht. destruct Ht as [L Hv]. split; [cbn; now rewrite L|].
          intros b [<-|Hb]; [lia|now apply Hv].
        * intros x Hx. cbn [max_of_k fold_right]. fold (max_of_k t). rewrite Nat.max_assoc. intros Hne. specialize (Hf x Hx Hne).
          rewrite !sum_S. cbn [nth]. rewrite Nat.add_0_r.
          rewrite (sum_ext k _ (fun j => U a (S i + j) (nth j t O) x)) by (intros; f_equal; lia).
          rewrite (sum_ext k (fun j => U a (i + S j) _ (Nat.max (Nat.max m c) (max_of_k t))) (fun j => U a (S i + j) (nth j t O) (Nat.max (Nat.max m c) (max_of_k t))))
            by (intros; f_equal; lia). lra.
  Qed.

  (** A sequence is right if its maximum leads the unnormalised logits. *)
  Lemma right_if_leads a t m : (a < v)%nat -> In t (sequences v n) -> m = Nat.max a (max_of_k t) ->
    (forall x, (x < v)%nat -> x <> m ->
       U a n a x + sum n (fun j => U a j (nth j t O) x) < U a n a m + sum n (fun j => U a j (nth j t O) m)) ->
    right M max_of_k (t ++ [a]) /\ max_of_k (t ++ [a]) = m.
  Proof using context.
    intros Ha Ht -> H. assert (KS : n_ctx M = S n) by (unfold last; lia).
    apply in_sequences in Ht. destruct Ht as [L Ht].
    assert (Last : token (t ++ [a]) n = a) by (unfold token; rewrite app_nth2, L, Nat.sub_diag by lia; reflexivity).
    assert (Is_max : max_of_k (t ++ [a]) = Nat.max a (max_of_k t)) by (rewrite max_of_k_snoc; apply Nat.max_comm).
    split; [|exact Is_max].
    assert (Label : (max_of_k (t ++ [a]) < v)%nat).
    { rewrite Is_max. apply Nat.max_lub_lt; [exact Ha|apply max_of_k_lt; [lia|exact Ht]]. }
    apply (right_if_gains M max_of_k (t ++ [a]) (EQKE M a a) (EQKP M a n) context Label). rewrite Last, Is_max. intros x Hx Hne.
    rewrite (sum_ext _ _ (fun i => U a i (token (t ++ [a]) i) (Nat.max a (max_of_k t)) - U a i (token (t ++ [a]) i) x)) by (intros; apply term_U).
    specialize (H x Hx Hne). set (m := Nat.max a (max_of_k t)) in *.
    assert (Sum : forall y, sum (n_ctx M) (fun i => U a i (token (t ++ [a]) i) y) = U a n a y + sum n (fun j => U a j (nth j t O) y)).
    { intros y. rewrite KS, sum_last, Last, Rplus_comm. f_equal. apply sum_ext. intros i Hi. unfold token.
      rewrite app_nth1 by lia. reflexivity. }
    rewrite sum_minus, !Sum. lra.
  Qed.

  Theorem exhaustive_count_sound : (exhaustive_count M P <= number_right M max_of_k)%Z.
  Proof using Sd TS context.
    assert (KS : n_ctx M = S n) by (unfold last; lia).
    rewrite (number_right_by_last M max_of_k n KS). unfold exhaustive_count. apply total_le. intros a Ha. apply in_seq in Ha.
    apply (explore_sound a n ltac:(lia) 0 _ (U a n a)); [lia|lia|apply contribution_sound; lia|].
    intros t Ht H. apply right_b_spec. apply (right_if_leads a t _ (proj2 Ha) Ht eq_refl). exact H.
  Qed.
End Soundness.
