(** * The exact checks of the checker of groups, and its tables of enclosures *)

From Coq Require Import Reals ZArith List Bool Lia Permutation.
From CompactProofs Require Import Lists Sums Enclosure Circuits GroupChecker.
Import ListNotations.
Open Scope R_scope.

(** ** Exact checks *)

Lemma forallb_seq (f : nat -> bool) n :
  forallb f (seq 0 n) = true -> forall i, (i < n)%nat -> f i = true.
Proof. rewrite forallb_forall. intros All i Below. apply All, in_seq. lia. Qed.

Lemma nth_seq {X} (l : list X) d : map (fun i => nth i l d) (seq 0 (length l)) = l.
Proof.
  induction l as [|a l IH]; [reflexivity|]. cbn [length seq map nth]. f_equal.
  rewrite <- seq_shift, map_map. exact IH.
Qed.

Lemma permutes_sound k l : permutes k l = true ->
  Permutation (map (fun b => nth b l 0%nat) (seq 0 k)) (seq 0 k).
Proof.
  unfold permutes. intros Check. rewrite !andb_true_iff in Check.
  destruct Check as [[Length Below] Distinct]. apply Nat.eqb_eq in Length.
  rewrite forallb_forall in Below. rewrite <- Length at 1. rewrite nth_seq.
  apply NoDup_Permutation_bis.
  - now apply distinct_nodup.
  - rewrite seq_length. lia.
  - intros p In_l. apply in_seq. specialize (Below p In_l). apply Nat.ltb_lt in Below. lia.
Qed.

(** ** Integers over a power of two *)

Definition real (bits : nat) (z : Z) : R := IZR z / IZR (2 ^ Z.of_nat bits).

Lemma real_sum bits l : sum_over l (real bits) = real bits (sum_Z l).
Proof.
  induction l as [|z l IH]; [unfold sum_over, real, Rdiv; cbn; ring|].
  rewrite sum_over_cons, IH. unfold real, Rdiv. cbn [sum_Z fold_right].
  rewrite plus_IZR. fold (sum_Z l). ring.
Qed.

Lemma real_sum_map {X} bits (l : list X) f :
  sum_over l (fun a => real bits (f a)) = real bits (sum_Z (map f l)).
Proof. now rewrite <- real_sum, sum_over_map. Qed.

Section Tables.
  Context {A : enclosures} {contains : T A -> R -> Prop} (Sd : sound A contains).

  (** ** Tables *)

  Notation at1 := (entry_of (A := A)).
  Definition holds1 (a : list (T A)) (f : nat -> R) : Prop := forall i, contains (at1 a i) (f i).
  Definition holds2 (a : list (list (T A))) (f : nat -> nat -> R) : Prop :=
    forall i j, contains (at2 a i j) (f i j).
  Definition holds3 (a : list (list (list (T A)))) (f : nat -> nat -> nat -> R) : Prop :=
    forall i j k, contains (at3 a i j k) (f i j k).

  Lemma nth_tab {X} n (f : nat -> X) i d : nth i (tab n f) d = if (i <? n)%nat then f i else d.
  Proof using.
    unfold tab. destruct (Nat.ltb_spec i n).
    - rewrite (nth_indep _ d (f 0%nat)) by (rewrite map_length, seq_length; lia).
      rewrite map_nth, seq_nth by assumption. reflexivity.
    - apply nth_overflow. rewrite map_length, seq_length. lia.
  Qed.

  Lemma nth_nil {X} i (d : X) : nth i [] d = d.
  Proof using. now destruct i. Qed.

  Lemma everything_sound x : contains (everything A) x.
  Proof using Sd. apply (sound_everything _ _ Sd). Qed.

  Lemma tab_sound n (F : nat -> T A) f :
    (forall i, (i < n)%nat -> contains (F i) (f i)) -> holds1 (tab n F) f.
  Proof using Sd.
    intros Each i. unfold entry_of. rewrite nth_tab.
    destruct (Nat.ltb_spec i n); [now apply Each|apply everything_sound].
  Qed.

  Lemma tab2_sound n m (F : nat -> nat -> T A) f :
    (forall i j, (i < n)%nat -> (j < m)%nat -> contains (F i j) (f i j)) -> holds2 (tab2 n m F) f.
  Proof using Sd.
    intros Each i j. unfold at2, tab2. rewrite nth_tab. destruct (Nat.ltb_spec i n).
    - apply tab_sound. auto.
    - unfold entry_of. rewrite nth_nil. apply everything_sound.
  Qed.

  Lemma tab3_sound n m k (F : nat -> nat -> nat -> T A) f :
    (forall i j z, (i < n)%nat -> (j < m)%nat -> (z < k)%nat -> contains (F i j z) (f i j z)) ->
    holds3 (tab3 n m k F) f.
  Proof using Sd.
    intros Each i j z. unfold at3, tab3. rewrite nth_tab. destruct (Nat.ltb_spec i n).
    - apply tab2_sound. auto.
    - unfold at2, entry_of. rewrite !nth_nil. apply everything_sound.
  Qed.

  Lemma map_sound {X} (F : X -> T A) (f : X -> R) l d :
    (forall a, contains (F a) (f a)) -> holds1 (map F l) (fun i => f (nth i l d)).
  Proof using Sd.
    intros Each i. unfold entry_of. destruct (Nat.lt_ge_cases i (length l)).
    - rewrite (nth_indep _ _ (F d)) by (now rewrite map_length). rewrite map_nth. apply Each.
    - rewrite nth_overflow by (now rewrite map_length). apply everything_sound.
  Qed.

  (** ** Sums and spreads *)

  Lemma total_sound {X} (l : list X) F f :
    (forall a, In a l -> contains (F a) (f a)) -> contains (total l F) (sum_over l f).
  Proof using Sd.
    intros Each. induction l as [|a l IH]; [apply (sound_of_Z _ _ Sd)|].
    rewrite sum_over_cons. cbn [total fold_right]. apply (sound_add _ _ Sd).
    - apply Each. now left.
    - apply IH. intros. apply Each. now right.
  Qed.

  Lemma total2_sound P Q F f :
    (forall b k, (b < P)%nat -> (k < Q)%nat -> contains (F b k) (f b k)) ->
    contains (total2 P Q F) (sum2 P Q f).
  Proof using Sd.
    intros Each. apply total_sound. intros b In_P. apply in_seq in In_P.
    apply total_sound. intros k In_Q. apply in_seq in In_Q. apply Each; lia.
  Qed.

  Lemma hull_tab_sound n F f i :
    (forall i, (i < n)%nat -> contains (F i) (f i)) -> (i < n)%nat ->
    contains (hull_row (tab n F)) (f i).
  Proof using Sd.
    intros Each Below. apply (hull_row_encloses Sd _ f (seq 0 n)); [|apply in_seq; lia].
    apply encloses_tabulate. intros x In_n. apply in_seq in In_n. apply Each. lia.
  Qed.

  Lemma spread_sound n F f i j :
    (forall i, (i < n)%nat -> contains (F i) (f i)) -> (i < n)%nat -> (j < n)%nat ->
    contains (spread n F) (f i - f j).
  Proof using Sd.
    intros Each Hi Hj. apply (sound_sub _ _ Sd); now apply hull_tab_sound.
  Qed.

  Lemma number_sound bits z : contains (number bits z) (real bits z).
  Proof using Sd. apply (sound_div _ _ Sd); apply (sound_of_Z _ _ Sd). Qed.
End Tables.
