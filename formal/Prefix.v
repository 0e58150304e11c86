(** * The prefix certificate: a compact checker that enumerates no sequences

    For a last token q and a maximum m a hint a claims: every sequence that ends in q, whose maximum is m and whose other
    tokens are all below a or equal to m, is right. The unnormalised logit of m, minus that of another output x, is a sum over
    positions; at each position the hull over the allowed tokens encloses what it can be, and at one position, which holds
    m unless q does, it is known more closely. So a sum of n + 1 enclosures for each position that may hold m proves the
    claim, which is about (a + 1)^n - a^n sequences (all (a + 1)^n if q = m), where n = K - 1. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths Exhaustive.
Import ListNotations.

Section Checker.
  Context {A : enclosures}.
  Variables (M : transformer) (P : tables (A := A)).
  Notation vocab := (seq 0 (d_vocab M)).
  Notation entry_of := (entry_of (A := A)).

  (** The lead of m over every other output. *)
  Definition lead (m : nat) (logits : list (T A)) : list (T A) :=
    let top := entry_of logits m in map (fun l => sub A top l) (omit m logits).

  Definition add_rows (rows : list (list (T A))) (start : list (T A)) : list (T A) := fold_right (map2 (add A)) start rows.
  Definition all_positive (row : list (T A)) : bool := forallb (less A (of_Z A 0)) row.

  (** Every choice of one row to be replaced, by its counterpart in a second list. *)
  Fixpoint replace_one (rows others : list (list (T A))) : list (list (list (T A))) :=
    match rows, others with
    | r :: rows, o :: others => (o :: rows) :: map (cons r) (replace_one rows others)
    | _, _ => []
    end.

  Definition allowed (m a k : nat) : bool := ((k <? a) || (k =? m))%nat.

  (** [here]: what each token adds at each position before the last; [final]: what q adds at the last. *)
  Definition claim_holds (here : list (list (list (T A)))) (final : list (T A)) (q m a : nat) : bool :=
    let any := map (fun table => hull_rows (map (fun c => lead m (nth c table [])) (m :: seq 0 a))) here in
    let own := lead m final in
    if (q =? m)%nat then all_positive (add_rows any own)
    else forallb (fun rows => all_positive (add_rows rows own))
           (replace_one any (map (fun table => lead m (nth m table [])) here)).

  Definition claim_count (q m a : nat) : Z :=
    let n := Z.of_nat (last M) in
    let p := count (allowed m a) vocab in
    let p' := count (fun k => allowed m a k && negb (k =? m)%nat) vocab in
    if (q =? m)%nat then (p ^ n)%Z else (p ^ n - p' ^ n)%Z.

  (** [hint]: for each q and m, a + 1, or 0 to claim nothing. *)
  Definition prefix_count (hint : list (list nat)) : Z :=
    total vocab (fun q =>
      let here := map (contributions M P q) (seq 0 (last M)) in
      let final := contribution M P q (last M) q in
      let claims := nth q hint [] in
      total vocab (fun m =>
        match nth m claims O with
        | S a => if ((q <=? m) && (a <=? m))%nat && claim_holds here final q m a then claim_count q m a else 0%Z
        | O => 0%Z
        end)).
End Checker.

(** ** Counting the sequences of a claim *)

Open Scope Z_scope.

Lemma count_all v n p : count (forallb p) (sequences v n) = count p (seq 0 v) ^ Z.of_nat n.
Proof.
  induction n as [|n IH]; [reflexivity|]. rewrite count_first, Nat2Z.inj_succ, Z.pow_succ_r, <- IH by lia.
  unfold count at 2. rewrite Z.mul_comm, <- total_times. apply total_ext. intros a _. cbn [forallb].
  destruct (p a); cbn [andb]; [rewrite Z.mul_1_r; reflexivity|]. rewrite Z.mul_0_r. apply count_none.
Qed.

Lemma count_all_with v n p m :
  count (fun t => forallb p t && existsb (Nat.eqb m) t) (sequences v n) =
  count p (seq 0 v) ^ Z.of_nat n - count (fun k => p k && negb (k =? m)%nat) (seq 0 v) ^ Z.of_nat n.
Proof.
  rewrite <- !count_all. apply Z.add_move_r. unfold count. rewrite <- total_plus. apply total_ext. intros t _.
  assert (E : forallb (fun k => p k && negb (k =? m)%nat) t = forallb p t && negb (existsb (Nat.eqb m) t)).
  { induction t as [|a t IH]; [reflexivity|]. cbn. rewrite IH, (Nat.eqb_sym a m). destruct (p a), (m =? a)%nat, (forallb p t); reflexivity. }
  rewrite E. destruct (forallb p t), (existsb (Nat.eqb m) t); reflexivity.
Qed.

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

  Lemma lead_sound m row f : (m < v)%nat -> encl row f vocab -> encl (lead m row) (fun x => f m - f x) (omit m vocab).
  Proof.
    intros Hm E. unfold lead. apply (encloses_map _ (fun r => f m - r)); [|now apply encloses_omit].
    intros a r H. apply (sound_sub _ _ Sd); [now apply (encloses_nth row f v)|exact H].
  Qed.

  Lemma add_rows_sound {X} (xs : list X) rows fs start s : Forall2 (fun r f => encl r f xs) rows fs -> encl start s xs ->
    encl (add_rows rows start) (fun x => fold_right (fun f y => f x + y) (s x) fs) xs.
  Proof.
    intros E Hs. induction E as [|row f rows fs Hrow E IH]; cbn; [exact Hs|].
    apply (encloses_map2 (add A) Rplus row _ f (fun x => fold_right (fun f y => f x + y) (s x) fs)); [apply (sound_add _ _ Sd)|exact Hrow|exact IH].
  Qed.

  Lemma all_positive_sound {X} row f (xs : list X) : encl row f xs -> all_positive row = true -> forall x, In x xs -> 0 < f x.
  Proof.
    intros E H. apply (encloses_forall (contains := contains) (less A (of_Z A 0)) (fun y => 0 < y) row f xs); [|exact H|exact E].
    intros a y Ha Hy. apply (sound_less _ _ Sd _ _ 0 y Ha); [apply (sound_of_Z _ _ Sd)|exact Hy].
  Qed.

  Section Claim.
    Variables q m a : nat.
    Hypothesis Hq : (q < v)%nat.
    Hypothesis Hm : (m < v)%nat.
    Hypothesis Ha : (a <= m)%nat.
    Notation xs := (omit m vocab).
    Notation here k := (map (contributions M P q) (seq k (n - k))).

    Definition lead_of (i c x : nat) : R := U M q i c m - U M q i c x.

    Lemma allowed_spec c : allowed m a c = true <-> In c (m :: seq 0 a).
    Proof. unfold allowed. rewrite orb_true_iff, Nat.ltb_lt, Nat.eqb_eq. cbn [In]. rewrite in_seq. lia. Qed.

    Lemma any_sound i c : (i < n_ctx M)%nat -> allowed m a c = true ->
      encl (hull_rows (map (fun c => lead m (nth c (contributions M P q i) [])) (m :: seq 0 a))) (lead_of i c) xs.
    Proof.
      intros Hi Hc. apply allowed_spec in Hc.
      apply (hull_rows_sound Sd (fun c => lead m (nth c (contributions M P q i) [])) (lead_of i) (m :: seq 0 a) xs c); [|exact Hc].
      intros b Hb. assert (b < v)%nat by (destruct Hb as [<-|Hb]; [exact Hm|apply in_seq in Hb; lia]).
      rewrite nth_contributions by assumption. apply (lead_sound m _ (U M q i b)); [exact Hm|]. now apply contribution_sound.
    Qed.

    Lemma max_sound i : (i < n_ctx M)%nat -> encl (lead m (nth m (contributions M P q i) [])) (lead_of i m) xs.
    Proof.
      intros Hi. rewrite nth_contributions by exact Hm. apply (lead_sound m _ (U M q i m)); [exact Hm|]. now apply contribution_sound.
    Qed.

    Notation any_rows k l := (map (fun table => hull_rows (map (fun c => lead m (nth c table [])) (m :: seq 0 a))) (map (contributions M P q) (seq k l))).
    Notation max_rows k l := (map (fun table => lead m (nth m table [])) (map (contributions M P q) (seq k l))).
    Notation leads k t := (map (fun j => lead_of (k + j) (nth j t O)) (seq 0 (length t))).

    Lemma leads_cons k c t : leads k (c :: t) = lead_of k c :: leads (S k) t.
    Proof.
      cbn [length seq map]. rewrite Nat.add_0_r. f_equal. rewrite <- seq_shift, map_map. apply map_ext. intros j. cbn [nth].
      now rewrite Nat.add_succ_r.
    Qed.

    Lemma any_rows_sound t : forall k, (k + length t <= n_ctx M)%nat -> forallb (allowed m a) t = true ->
      Forall2 (fun r f => encl r f xs) (any_rows k (length t)) (leads k t).
    Proof.
      induction t as [|c t IH]; intros k Hk Hal; [constructor|]. rewrite leads_cons. cbn [length] in Hk. cbn [length seq map].
      cbn [forallb] in Hal. apply andb_true_iff in Hal. destruct Hal as [Hc Ht]. constructor; [apply any_sound; [lia|exact Hc]|].
      apply IH; [lia|exact Ht].
    Qed.

    Lemma replace_one_sound t : forall k, (k + length t <= n_ctx M)%nat -> forallb (allowed m a) t = true -> In m t ->
      exists rows, In rows (replace_one (any_rows k (length t)) (max_rows k (length t))) /\
        Forall2 (fun r f => encl r f xs) rows (leads k t).
    Proof.
      induction t as [|c t IH]; intros k Hk Hal Hin; [destruct Hin|]. rewrite leads_cons. cbn [length] in Hk.
      cbn [forallb] in Hal. apply andb_true_iff in Hal. destruct Hal as [Hc Ht]. cbn [length seq map replace_one].
      destruct (Nat.eq_dec c m) as [->|Hne].
      - eexists. split; [now left|]. constructor; [apply max_sound; lia|]. apply any_rows_sound; [lia|exact Ht].
      - destruct Hin as [Hin|Hin]; [contradiction|]. destruct (IH (S k)) as [rows [Hrows E]]; [lia|exact Ht|exact Hin|].
        eexists. split; [right; apply in_map; exact Hrows|]. constructor; [apply any_sound; [lia|exact Hc]|exact E].
    Qed.

    Lemma claim_sound t : (q <= m)%nat -> length t = n -> forallb (allowed m a) t = true -> (q = m \/ In m t) ->
      claim_holds (map (contributions M P q) (seq 0 n)) (contribution M P q n q) q m a = true ->
      right M max_of_k (t ++ [q]) /\ max_of_k (t ++ [q]) = m.
    Proof.
      intros Hqm L Hal Hhas H. assert (KS : n_ctx M = S n) by (unfold last; lia).
      assert (Hmax : max_of_k (t ++ [q]) = m).
      { apply max_of_k_is.
        - intros c Hc. apply in_app_iff in Hc. destruct Hc as [Hc|[<-|[]]]; [|exact Hqm].
          rewrite forallb_forall in Hal. specialize (Hal c Hc). unfold allowed in Hal. rewrite orb_true_iff, Nat.ltb_lt, Nat.eqb_eq in Hal. lia.
        - apply in_app_iff. destruct Hhas as [->|Hin]; [right; now left|now left]. }
      split; [|exact Hmax]. assert (Last : token (t ++ [q]) n = q) by (unfold token; rewrite app_nth2, L, Nat.sub_diag by lia; reflexivity).
      assert (Own : encl (lead m (contribution M P q n q)) (lead_of n q) xs).
      { apply (lead_sound m _ (U M q n q)); [exact Hm|]. apply contribution_sound; try assumption. lia. }
      assert (Positive : forall x, In x xs -> 0 < fold_right (fun f y => f x + y) (lead_of n q x) (leads 0 t)).
      { unfold claim_holds in H. cbv zeta in H. destruct (Nat.eqb_spec q m) as [E|E].
        - assert (Any : Forall2 (fun r f => encl r f xs) (any_rows 0 n) (leads 0 t)) by (rewrite <- L; apply any_rows_sound; [lia|exact Hal]).
          apply (all_positive_sound _ _ xs (add_rows_sound xs _ _ _ _ Any Own) H).
        - destruct Hhas as [Hhas|Hin]; [contradiction|].
          destruct (replace_one_sound t 0) as [rows [Hrows Erows]]; [lia|exact Hal|exact Hin|]. rewrite L in Hrows.
          rewrite forallb_forall in H. specialize (H rows Hrows).
          apply (all_positive_sound _ _ xs (add_rows_sound xs _ _ _ _ Erows Own) H). }
      apply (right_if_gains M max_of_k (t ++ [q]) (EQKE M q q) (EQKP M q n) context); [now rewrite Hmax|]. rewrite Hmax, Last. intros x Hx Hne.
      rewrite (sum_ext _ _ (fun i => lead_of i (token (t ++ [q]) i) x)) by (intros; apply term_U).
      rewrite KS, sum_last, Last. specialize (Positive x ltac:(now apply in_omit_seq)).
      rewrite (sum_ext n _ (fun i => lead_of (0 + i) (nth i t O) x)) by (intros i Hi; unfold token; rewrite app_nth1 by lia; reflexivity).
      assert (Fold : forall (g : nat -> nat -> R) l s,
        fold_right (fun f y => f x + y) s (map g l) = fold_right Rplus 0 (map (fun i => g i x) l) + s).
      { intros g l s. induction l as [|i l IH]; cbn [map fold_right]; [ring|]. rewrite IH. ring. }
      rewrite Fold, L in Positive. exact Positive.
    Qed.
  End Claim.

  Theorem prefix_count_sound hint : (prefix_count M P hint <= number_right M max_of_k)%Z.
  Proof.
    assert (KS : n_ctx M = S n) by (unfold last; lia).
    rewrite (number_right_by_last M max_of_k n KS). unfold prefix_count. cbv zeta. apply total_le. intros q Hq. apply in_seq in Hq.
    eapply Z.le_trans; [|apply (count_by_key (fun t => right_b M max_of_k (t ++ [q])) (fun t => max_of_k (t ++ [q])) v)].
    apply total_le. intros m Hm. apply in_seq in Hm. destruct (nth m (nth q hint []) O) as [|a]; [apply count_nonneg|].
    destruct (((q <=? m) && (a <=? m))%nat && claim_holds _ _ q m a)%bool eqn:H; [|apply count_nonneg].
    apply andb_true_iff in H. destruct H as [H Hclaim]. apply andb_true_iff in H. destruct H as [Hqm Ham]. apply Nat.leb_le in Hqm, Ham.
    assert (R1 : forall t, In t (sequences v n) -> forallb (allowed m a) t = true -> q = m \/ In m t ->
              right_b M max_of_k (t ++ [q]) && (max_of_k (t ++ [q]) =? m)%nat = true).
    { intros t Ht Hal Hhas. apply in_sequences in Ht.
      destruct (claim_sound q m a ltac:(lia) ltac:(lia) Ham t Hqm (proj1 Ht) Hal Hhas Hclaim) as [R1 R2].
      apply andb_true_iff. split; [now apply right_b_spec|now apply Nat.eqb_eq]. }
    unfold claim_count. cbv zeta. destruct (Nat.eqb_spec q m) as [E|E].
    - rewrite <- count_all. apply count_le. intros t Ht Hal. apply R1; [exact Ht|exact Hal|now left].
    - rewrite <- count_all_with. apply count_le. intros t Ht Hal. apply andb_true_iff in Hal. destruct Hal as [Hal Hhas].
      apply existsb_exists in Hhas. destruct Hhas as [c [Hc Em]]. apply Nat.eqb_eq in Em. subst c.
      apply R1; [exact Ht|exact Hal|now right].
  Qed.
End Soundness.
