(** * Enclosures: the arithmetic that checkers compute with

    A checker is a program over an abstract type of enclosures: intervals, say. [enclosures] lists the operations that it may
    use and [sound] what is assumed of them; every lemma about a checker is proved once, from these assumptions alone.
    Instances.v provides three instances. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Sums.
From CompactProofs Require Export Rows.
Import ListNotations.
Open Scope R_scope.

Record enclosures := {
  T : Type;
  add : T -> T -> T;
  sub : T -> T -> T;
  mul : T -> T -> T;
  div : T -> T -> T;
  join : T -> T -> T;            (* the hull of two enclosures *)
  texp : T -> T;
  tsqrt : T -> T;
  of_Z : Z -> T;
  tpi : T;                       (* encloses pi *)
  tunit : T;                     (* encloses all numbers from -1 to 1 *)
  everything : T;                (* encloses every number *)
  less : T -> T -> bool;         (* provably less *)
  at_most : T -> T -> bool;      (* provably at most *)
  upper : T -> option T          (* a number that is at least all that are enclosed, if there is one *)
}.

Record sound (A : enclosures) (contains : T A -> R -> Prop) : Prop := {
  sound_add : forall a b x y, contains a x -> contains b y -> contains (add A a b) (x + y);
  sound_sub : forall a b x y, contains a x -> contains b y -> contains (sub A a b) (x - y);
  sound_mul : forall a b x y, contains a x -> contains b y -> contains (mul A a b) (x * y);
  sound_div : forall a b x y, contains a x -> contains b y -> contains (div A a b) (x / y);
  sound_join_l : forall a b x, contains a x -> contains (join A a b) x;
  sound_join_r : forall a b x, contains b x -> contains (join A a b) x;
  sound_exp : forall a x, contains a x -> contains (texp A a) (exp x);
  sound_sqrt : forall a x, contains a x -> contains (tsqrt A a) (sqrt x);
  sound_of_Z : forall n, contains (of_Z A n) (IZR n);
  sound_pi : contains (tpi A) PI;
  sound_unit : forall x, -1 <= x <= 1 -> contains (tunit A) x;
  sound_everything : forall x, contains (everything A) x;
  sound_less : forall a b x y, less A a b = true -> contains a x -> contains b y -> x < y;
  sound_at_most : forall a b x y, at_most A a b = true -> contains a x -> contains b y -> x <= y;
  sound_upper : forall a b, upper A a = Some b -> exists u, contains b u /\ forall x, contains a x -> x <= u
}.

(** * Rows of enclosures *)

(** Entry number j of a row; it encloses everything if there is none. *)
Definition entry_of {A : enclosures} (row : list (T A)) (j : nat) : T A := nth j row (everything A).

Section Rows.
  Context {A : enclosures} {contains : T A -> R -> Prop} (Sd : sound A contains).

  Notation encloses := (encloses (contains := contains)).

  Lemma encloses_nth l f n i : encloses l f (seq 0 n) -> (i < n)%nat -> contains (entry_of l i) (f i).
  Proof.
    unfold entry_of. assert (H : forall s l, encloses l f (seq s n) -> (i < n)%nat -> contains (nth i l (everything A)) (f (s + i)%nat)).
    { revert i. induction n as [|n IH]; intros i s l' E Hi; [lia|]. inversion E; subst.
      destruct i as [|i]; cbn [nth]; [now rewrite Nat.add_0_r|].
      replace (s + S i)%nat with (S s + i)%nat by lia. apply IH; [assumption|lia]. }
    apply (H 0%nat).
  Qed.

  (** ** Inner products *)

  Fixpoint dot (l l' : list (T A)) : T A :=
    match l, l' with
    | a :: l, b :: l' => add A (mul A a b) (dot l l')
    | _, _ => of_Z A 0
    end.

  Lemma dot_sound {X} l l' (f g : X -> R) xs : encloses l f xs -> encloses l' g xs -> contains (dot l l') (sum_over xs (fun x => f x * g x)).
  Proof.
    intros E. revert l'. induction E as [|a x l xs Ha E IH]; intros l' E'; inversion E'; subst; cbn [dot]; [apply (sound_of_Z _ _ Sd)|].
    rewrite sum_over_cons. apply (sound_add _ _ Sd); [now apply (sound_mul _ _ Sd)|now apply IH].
  Qed.

  (** ** Hulls *)

  (** The hull of an enclosure and all of a row. *)
  Definition hull (a : T A) (l : list (T A)) : T A := fold_left (join A) l a.

  Lemma hull_first a l x : contains a x -> contains (hull a l) x.
  Proof. revert a. induction l as [|b l IH]; intros a H; [exact H|]. apply IH. now apply (sound_join_l _ _ Sd). Qed.

  Lemma hull_in a b l x : In b l -> contains b x -> contains (hull a l) x.
  Proof.
    revert a. induction l as [|c l IH]; intros a E H; [destruct E|]. cbn. destruct E as [E|E].
    - subst. apply hull_first. now apply (sound_join_r _ _ Sd).
    - now apply IH.
  Qed.

  Lemma hull_encloses {X} a l (f : X -> R) xs x : encloses l f xs -> In x xs -> contains (hull a l) (f x).
  Proof.
    intros E Hx. assert (H : exists b, In b l /\ contains b (f x)).
    { induction E as [|b y l xs Hb E IH]; [destruct Hx|]. destruct Hx as [->|Hx].
      - exists b. split; [now left|exact Hb].
      - destruct (IH Hx) as [c [Hc Hc']]. exists c. split; [now right|exact Hc']. }
    destruct H as [b [Hb Hb']]. now apply (hull_in a b).
  Qed.

  (** The hull of a row; everything if it is empty. *)
  Definition hull_row (l : list (T A)) : T A := match l with [] => everything A | a :: l => hull a l end.

  Lemma hull_row_in l b x : In b l -> contains b x -> contains (hull_row l) x.
  Proof. destruct l as [|a l]; intros H Hb; [destruct H|]. destruct H as [->|H]; cbn; [now apply hull_first|now apply (hull_in a b)]. Qed.

  Lemma hull_row_encloses {X} l (f : X -> R) xs x : encloses l f xs -> In x xs -> contains (hull_row l) (f x).
  Proof.
    destruct l as [|a l]; intros E Hx; [apply (sound_everything _ _ Sd)|]. inversion E; subst. destruct Hx as [->|Hx].
    - now apply hull_first.
    - now apply (hull_encloses a l f l').
  Qed.

  (** The hull of rows, entry by entry. *)
  Definition hull_rows (rows : list (list (T A))) : list (T A) :=
    match rows with [] => [] | r :: rows => fold_left (map2 (join A)) rows r end.

  Lemma hull_rows_sound {Y X} (F : Y -> list (T A)) (f : Y -> X -> R) ys xs y :
    (forall y, In y ys -> encloses (F y) (f y) xs) -> In y ys -> encloses (hull_rows (map F ys)) (f y) xs.
  Proof.
    destruct ys as [|y0 ys]; intros HF Hy; [destruct Hy|]. cbn [map hull_rows].
    assert (Keep : forall ys acc h, (forall y, In y ys -> encloses (F y) (f y) xs) ->
              encloses acc h xs -> encloses (fold_left (map2 (join A)) (map F ys) acc) h xs).
    { clear -Sd. induction ys as [|y ys IH]; intros acc h HF Hacc; [exact Hacc|]. apply IH; [intros; apply HF; now right|].
      apply (encloses_map2 (join A) (fun r _ => r) acc (F y) h (f y)); [|exact Hacc|apply HF; now left].
      intros. now apply (sound_join_l _ _ Sd). }
    assert (Meet : forall ys acc h, (forall y, In y ys -> encloses (F y) (f y) xs) ->
              encloses acc h xs -> In y ys -> encloses (fold_left (map2 (join A)) (map F ys) acc) (f y) xs).
    { clear Hy HF. induction ys0 as [|y' ys' IH]; intros acc h HF Hacc Hy; [destruct Hy|]. destruct Hy as [Hy|Hy].
      - subst y'. cbn. apply Keep; [intros; apply HF; now right|].
        apply (encloses_map2 (join A) (fun _ r => r) acc (F y) h (f y)); [|exact Hacc|apply HF; now left].
        intros. now apply (sound_join_r _ _ Sd).
      - cbn. apply (IH _ h); [intros; apply HF; now right| |assumption].
        apply (encloses_map2 (join A) (fun r _ => r) acc (F y') h (f y')); [|exact Hacc|apply HF; now left].
        intros. now apply (sound_join_l _ _ Sd). }
    destruct Hy as [->|Hy].
    - apply Keep; [intros; apply HF; now right|apply HF; now left].
    - apply (Meet ys (F y0) (f y0)); [intros; apply HF; now right|apply HF; now left|exact Hy].
  Qed.
End Rows.
