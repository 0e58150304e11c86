(** * Parts of a network's logits, and that their bounds add up *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From CompactProofs Require Import Sums Enclosure Circuits GroupChecker GroupTables.
From CompactProofs Require Arithmetic.
Import ListNotations.
Open Scope R_scope.

Section Sound.
  Context {A : enclosures} {contains : T A -> R -> Prop} (Sd : sound A contains).
  Notation at1 := (entry_of (A := A)).
  Notation holds1 := (holds1 (contains := contains)).
  Notation holds2 := (holds2 (contains := contains)).
  Notation holds3 := (holds3 (contains := contains)).

  Variables (n : nat) (multiply : list (list nat)) (bias : nat -> R) (bias_t : list (T A)).
  Notation product := (image multiply).
  Hypothesis Bias_t : holds1 bias_t bias.

  (** What is between the logits of x y and x w y, and that it is enclosed. *)
  Definition bounds (p : part) (K : nat -> nat -> nat -> R) : Prop :=
    exists (C : nat -> R) (X Y : nat -> nat -> R),
    holds1 (constant p) C /\ holds2 (of_left p) X /\ holds2 (of_right p) Y /\
    forall x y w, (x < n)%nat -> (y < n)%nat -> (w < n)%nat ->
    let a := product x y in
    let z := product x (product w y) in
    exists g ex ey f,
    contains (at1 (gaps p) w) g /\ contains (at1 (error_left p) x) ex /\
    contains (at1 (error_right p) y) ey /\ contains (fixed p) f /\
    K x y a - K x y z = (C a - C z) + (X x a - X x z) + (Y y a - Y y z) + g + ex + ey + f.

  Lemma bias_bounds : bounds (bias_part n bias_t) (fun _ _ z => bias z).
  Proof using Sd Bias_t.
    exists bias, (fun _ _ => 0), (fun _ _ => 0). cbn.
    assert (Zero : contains (of_Z A 0) 0) by apply (sound_of_Z _ _ Sd).
    split; [exact Bias_t|]. split; [apply (tab2_sound Sd); auto|].
    split; [apply (tab2_sound Sd); auto|].
    intros x y w _ _ _. exists 0, 0, 0, 0.
    split; [apply (tab_sound Sd _ _ (fun _ => 0)); auto|].
    split; [apply (tab_sound Sd _ _ (fun _ => 0)); auto|].
    split; [apply (tab_sound Sd _ _ (fun _ => 0)); auto|].
    split; [exact Zero|ring].
  Qed.

  Lemma add_at F (a b : list (T A)) i x y :
    (forall i, F i = add A (at1 a i) (at1 b i)) -> contains (at1 a i) x -> contains (at1 b i) y ->
    contains (at1 (tab n F) i) (x + y).
  Proof using Sd.
    intros Is Here There. unfold entry_of at 1. rewrite nth_tab.
    destruct (i <? n)%nat; [|apply (everything_sound Sd)]. rewrite Is. now apply (sound_add _ _ Sd).
  Qed.

  Lemma add_bounds p p' K K' :
    bounds p K -> bounds p' K' -> bounds (add_parts n p p') (fun x y z => K x y z + K' x y z).
  Proof using Sd.
    intros (C & X & Y & HC & HX & HY & H) (C' & X' & Y' & HC' & HX' & HY' & H').
    exists (fun z => C z + C' z), (fun x z => X x z + X' x z), (fun y z => Y y z + Y' y z).
    split; [|split; [|split]]; cbn [constant of_left of_right add_parts].
    - apply (tab_sound Sd). intros. now apply (sound_add _ _ Sd).
    - apply (tab2_sound Sd). intros. now apply (sound_add _ _ Sd).
    - apply (tab2_sound Sd). intros. now apply (sound_add _ _ Sd).
    - intros x y w Hx Hy Hw. cbv zeta.
      destruct (H x y w Hx Hy Hw) as (g & ex & ey & f & Hg & Hex & Hey & Hf & Is).
      destruct (H' x y w Hx Hy Hw) as (g' & ex' & ey' & f' & Hg' & Hex' & Hey' & Hf' & Is').
      exists (g + g'), (ex + ex'), (ey + ey'), (f + f'). cbv zeta in Is, Is'.
      cbn [gaps error_left error_right fixed add_parts].
      split; [now apply (add_at _ (gaps p) (gaps p'))|].
      split; [now apply (add_at _ (error_left p) (error_left p'))|].
      split; [now apply (add_at _ (error_right p) (error_right p'))|].
      split; [now apply (sound_add _ _ Sd)|].
      replace (K x y (product x y) + K' x y (product x y) -
               (K x y (product x (product w y)) + K' x y (product x (product w y))))
        with ((K x y (product x y) - K x y (product x (product w y))) +
              (K' x y (product x y) - K' x y (product x (product w y)))) by ring.
      rewrite Is, Is'. ring.
  Qed.
End Sound.
