(** * Rows: lists that hold something of every number

    [contains a x] says that a holds something of the number x: that it encloses it, say. *)

From Coq Require Import Reals List Bool Lia.
Import ListNotations.

Fixpoint map2 {X Y Z} (F : X -> Y -> Z) (l : list X) (l' : list Y) : list Z :=
  match l, l' with a :: l, b :: l' => F a b :: map2 F l l' | _, _ => [] end.

(** Without entry number m. *)
Fixpoint omit {X} (m : nat) (l : list X) : list X :=
  match l, m with [], _ => [] | _ :: l, O => l | a :: l, S m => a :: omit m l end.

Lemma in_omit_seq n m x : In x (omit m (seq 0 n)) <-> (x < n)%nat /\ x <> m.
Proof.
  assert (From : forall s,
    In x (omit m (seq s n)) <-> (s <= x < s + n)%nat /\ x <> (s + m)%nat).
  { revert m. induction n as [|n IH]; intros m s; destruct m as [|m]; cbn [seq omit];
      [cbn; lia..| |].
    - rewrite in_seq. lia.
    - cbn [In]. rewrite IH. lia. }
  rewrite From. lia.
Qed.

Lemma omit_map {X Y} (f : X -> Y) l : forall m, omit m (map f l) = map f (omit m l).
Proof. induction l as [|a l IH]; intros [|m]; [reflexivity..|]. cbn. now rewrite IH. Qed.

Section Rows.
  Context {T : Type} {contains : T -> R -> Prop}.

  (** Entry by entry, the row l holds the numbers f x for x in xs. *)
  Definition encloses {X} (l : list T) (f : X -> R) (xs : list X) : Prop :=
    Forall2 (fun a x => contains a (f x)) l xs.

  Lemma encloses_length {X} l (f : X -> R) xs : encloses l f xs -> length l = length xs.
  Proof using. intros Row. induction Row; cbn; [reflexivity|now f_equal]. Qed.

  Lemma encloses_ext {X} l (f g : X -> R) xs :
    (forall x, In x xs -> f x = g x) -> encloses l f xs -> encloses l g xs.
  Proof using.
    intros Same Row. induction Row as [|a x l xs Here Row IH]; constructor.
    - rewrite <- Same; [exact Here|now left].
    - apply IH. intros. apply Same. now right.
  Qed.

  Lemma encloses_tabulate {X} (F : X -> T) (f : X -> R) xs :
    (forall x, In x xs -> contains (F x) (f x)) -> encloses (map F xs) f xs.
  Proof using.
    intros Each. induction xs as [|x xs IH]; cbn; constructor; [apply Each; now left|].
    apply IH. intros. apply Each. now right.
  Qed.

  Lemma encloses_map {X} (F : T -> T) (G : R -> R) l (f : X -> R) xs :
    (forall a r, contains a r -> contains (F a) (G r)) -> encloses l f xs ->
    encloses (map F l) (fun x => G (f x)) xs.
  Proof using. intros Each Row. induction Row; cbn; constructor; auto. Qed.

  Lemma encloses_map2 {X} (F : T -> T -> T) (G : R -> R -> R) l l' (f g : X -> R) xs :
    (forall a b r s, contains a r -> contains b s -> contains (F a b) (G r s)) ->
    encloses l f xs -> encloses l' g xs -> encloses (map2 F l l') (fun x => G (f x) (g x)) xs.
  Proof using.
    intros Each Row. revert l'. induction Row as [|a x l xs Here Row IH]; intros l' Row';
      inversion Row'; subst; cbn; constructor; auto. now apply IH.
  Qed.

  Lemma encloses_omit {X} m l (f : X -> R) xs :
    encloses l f xs -> encloses (omit m l) f (omit m xs).
  Proof using.
    intros Row. revert m. induction Row; intros [|m]; cbn; try constructor; auto. now apply IHRow.
  Qed.

  Lemma encloses_forall {X} (P : T -> bool) (Q : R -> Prop) l (f : X -> R) xs :
    (forall a r, P a = true -> contains a r -> Q r) -> forallb P l = true ->
    encloses l f xs -> forall x, In x xs -> Q (f x).
  Proof using.
    intros Each All Row. induction Row as [|a x l xs Here Row IH]; cbn in All; intros y [].
    - subst. apply andb_true_iff in All. destruct All as [All _]. now apply (Each a).
    - apply andb_true_iff in All. now apply IH.
  Qed.
End Rows.

(** ** Lists side by side *)

Section Lists.
  Context {X Y Z W : Type}.

  Lemma tabulated_holds (P : Y -> X -> Prop) F xs :
    (forall x, In x xs -> P (F x) x) -> Forall2 P (map F xs) xs.
  Proof using.
    intros Each. induction xs as [|x xs IH]; constructor; [apply Each; now left|].
    apply IH. intros. apply Each. now right.
  Qed.

  Lemma mapped_holds (P : Y -> X -> Prop) (Q : Z -> X -> Prop) F l xs :
    (forall a x, In x xs -> P a x -> Q (F a) x) -> Forall2 P l xs -> Forall2 Q (map F l) xs.
  Proof using.
    intros Each All. induction All as [|a x l xs Here All IH]; constructor.
    - apply Each; [now left|exact Here].
    - apply IH. intros. apply Each; [now right|assumption].
  Qed.

  Lemma both_hold (P : Y -> X -> Prop) (Q : Z -> X -> Prop) (S : W -> X -> Prop) F l l' xs :
    (forall a b x, In x xs -> P a x -> Q b x -> S (F a b) x) ->
    Forall2 P l xs -> Forall2 Q l' xs -> Forall2 S (map2 F l l') xs.
  Proof using.
    intros Each All. revert l'. induction All as [|a x l xs Here All IH]; intros l' All';
      inversion All' as [|b x' l'' xs' There All'' Is Is']; subst; [constructor|].
    cbn [map2]. constructor; [apply Each; [now left|assumption..]|].
    apply IH; [|assumption]. intros. apply Each; [now right|assumption..].
  Qed.

  Lemma all_length (P : Y -> X -> Prop) l xs : Forall2 P l xs -> length l = length xs.
  Proof using. intros All. induction All; cbn; [reflexivity|now f_equal]. Qed.

  Lemma nth_holds (P : Y -> nat -> Prop) l n d i :
    Forall2 P l (seq 0 n) -> (i < n)%nat -> P (nth i l d) i.
  Proof using.
    assert (From : forall s l, Forall2 P l (seq s n) -> (i < n)%nat -> P (nth i l d) (s + i)%nat).
    { clear l. revert i. induction n as [|n IH]; intros i s l All Below; [lia|].
      inversion All as [|a s' l' ss Here Rest Is Is']; subst.
      destruct i as [|i]; cbn [nth]; [now rewrite Nat.add_0_r|].
      replace (s + S i)%nat with (S s + i)%nat by lia. apply IH; [exact Rest|lia]. }
    apply (From 0%nat).
  Qed.
End Lists.
