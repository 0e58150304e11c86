(** * Numbers of hints, and rows of numbers of neurons, are enclosed *)

From Coq Require Import Reals ZArith NArith List Bool Lia Lra Permutation.
From CompactProofs Require Import Network Sums Rows Arithmetic Directions DirectionsChecker.
Import ListNotations.
Open Scope R_scope.

Section Sound.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : Arithmetic.sound A is contains.
  Notation encloses := (encloses (contains := contains)).

  (** ** Numbers of hints *)

  Definition real (bits : nat) (z : Z) : R := IZR z / 2 ^ bits.
  Definition means (k : hint A) (r : R) : Prop :=
    match k with inl w => is w r | inr b => contains b r end.

  Lemma hint_sound bits z : means (hint_of A bits z) (real bits z).
  Proof using Sd.
    unfold hint_of. destruct (exact A z bits) as [w|] eqn:Exact; cbn.
    - exact (sound_exact _ _ _ Sd z bits w Exact).
    - unfold real. rewrite pow_IZR.
      apply (sound_div _ _ _ Sd); apply (sound_of_Z _ _ _ Sd).
  Qed.

  Lemma times_sound k r a x : means k r -> contains a x -> contains (times A k a) (r * x).
  Proof using Sd.
    destruct k as [w|b]; intros Is In; [now apply (sound_scale _ _ _ Sd)|].
    now apply (sound_mul _ _ _ Sd).
  Qed.

  Lemma value_sound k r : means k r -> contains (value A k) r.
  Proof using Sd. destruct k as [w|b]; intros Is; [now apply (sound_of_W _ _ _ Sd)|exact Is]. Qed.

  (** ** Sums *)

  Lemma dot_from_sound {X} l l' (f g : X -> R) xs : encloses l f xs -> encloses l' g xs ->
    forall s x, contains s x -> contains (dot_from A s l l') (x + sum_over xs (fun i => f i * g i)).
  Proof using Sd.
    intros Row. revert l'. induction Row as [|a i l xs Here Row IH]; intros l' Row' s x Start;
      inversion Row' as [|b i' l'' xs' There Row'' Is Is']; subst; cbn [dot_from].
    - replace (x + sum_over [] _) with x by (unfold sum_over; cbn; ring). exact Start.
    - rewrite sum_over_cons, <- Rplus_assoc. apply IH; [assumption|].
      apply (sound_add _ _ _ Sd); [exact Start|now apply (sound_mul _ _ _ Sd)].
  Qed.

  Lemma along_from_sound {X} ks l (f g : X -> R) xs :
    Forall2 (fun k i => means k (f i)) ks xs -> encloses l g xs ->
    forall s x, contains s x ->
      contains (along_from A s ks l) (x + sum_over xs (fun i => f i * g i)).
  Proof using Sd.
    intros Row. revert l. induction Row as [|k i ks xs Here Row IH]; intros l Row' s x Start;
      inversion Row' as [|b i' l'' xs' There Row'' Is Is']; subst; cbn [along_from].
    - replace (x + sum_over [] _) with x by (unfold sum_over; cbn; ring). exact Start.
    - rewrite sum_over_cons, <- Rplus_assoc. apply IH; [assumption|].
      apply (sound_add _ _ _ Sd); [exact Start|now apply times_sound].
  Qed.

  (** ** Rows *)

  Context {clusters : list cluster}.
  Notation total := (over neurons clusters).

  Definition holds (r : row A) (f : cluster -> neuron -> R) : Prop :=
    Forall2 (fun l c => encloses l (f c) (neurons c)) r clusters.
  (** A row for every output, or for every token below k. *)
  Definition hold (k : nat) (rs : list (row A)) (f : nat -> cluster -> neuron -> R) : Prop :=
    Forall2 (fun r z => holds r (f z)) rs (seq 0 k).

  Lemma holds_tabulated F f :
    (forall c v, In c clusters -> In v (neurons c) -> contains (F c v) (f c v)) ->
    holds (map (fun c => map (F c) (neurons c)) clusters) f.
  Proof using.
    intros Each. apply tabulated_holds. intros c In_cs. apply tabulated_holds. intros v In_c.
    now apply Each.
  Qed.

  Lemma holds_each op (Op : R -> R -> R) r r' f g :
    (forall a b x y, contains a x -> contains b y -> contains (op a b) (Op x y)) ->
    holds r f -> holds r' g -> holds (each A op r r') (fun c v => Op (f c v) (g c v)).
  Proof using.
    intros Sound. apply both_hold. intros l l' c _. apply both_hold. intros a b v _. apply Sound.
  Qed.

  Lemma holds_difference r r' f g :
    holds r f -> holds r' g -> holds (each A (sub A) r r') (fun c v => f c v - g c v).
  Proof using Sd. apply (holds_each (sub A) Rminus), (sound_sub _ _ _ Sd). Qed.

  Lemma dot_rows_sound r r' f g s x : contains s x -> holds r f -> holds r' g ->
    contains (dot_rows A s r r') (x + total (fun c v => f c v * g c v)).
  Proof using Sd.
    intros Start Row Row'. unfold holds, over in *. revert s x Start. revert r' Row'.
    induction Row as [|l c r cs Here Row IH]; intros r' Row' s x Start;
      inversion Row' as [|l' c' r'' cs' There Row'' Is Is']; subst; cbn [dot_rows].
    - replace (x + sum_over [] _) with x by (unfold sum_over; cbn; ring). exact Start.
    - rewrite sum_over_cons, <- Rplus_assoc. apply IH; [assumption|].
      now apply dot_from_sound.
  Qed.

  Definition mean_of (k : nat) (f : nat -> cluster -> neuron -> R) (c : cluster) (v : neuron) : R :=
    sum_over (seq 0 k) (fun x => f x c v) / IZR (Z.of_nat k).

  Lemma mean_sound k rs f : hold k rs f -> holds (mean A clusters rs) (mean_of k f).
  Proof using Sd.
    intros All. unfold mean. cbv zeta.
    assert (Length : length rs = k) by (rewrite (all_length _ _ _ All); apply seq_length).
    rewrite Length. unfold mean_of, hold in *.
    set (s := fold_right _ _ _).
    assert (Sum : holds s (fun c v => sum_over (seq 0 k) (fun x => f x c v))).
    { subst s. clear Length. induction All as [|r x rs xs Here All IH]; cbn [fold_right].
      - apply holds_tabulated. intros. apply (sound_of_Z _ _ _ Sd).
      - exact (holds_each (add A) Rplus _ _ _ _ (sound_add _ _ _ Sd) Here IH). }
    revert Sum. apply mapped_holds. intros l c _. apply mapped_holds. intros a v _ In.
    apply (sound_div _ _ _ Sd); [exact In|apply (sound_of_Z _ _ _ Sd)].
  Qed.
End Sound.
