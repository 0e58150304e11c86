(** * The count of a program's right inputs, by sums of fractions on boxes

    The program is one with tables that computes the same as the network (Distribute.v); the lead of
    one of its logits over another is a sum of fractions (Fractions.v), which the checker bounds on
    boxes (FractionChecker.v). Boxes are hints, in groups: those of a label, and of a last token. *)

From Coq Require Import Uint63 ZArith List Bool.
From CompactProofs Require Import Network Tasks NetworkTheorems Arithmetic Evaluator Boxes Rows
  Lead Goals Fractions FractionChecker FractionViews.
Import ListNotations.
Open Scope nat_scope.

Record group := {
  label : nat;
  pieces : list nat;               (* sizes of pieces of the tokens, from the first *)
  queries : list (nat * list box)  (* last tokens, with boxes of the tokens before *)
}.

(** The same from machine integers, which are read faster: of each token of a box, the first value
    and their number. *)
Definition number (i : int) : nat := Z.to_nat (Uint63.to_Z i).

Fixpoint box_from (l : list int) : box :=
  match l with a :: k :: l => (number a, number k) :: box_from l | _ => [] end.

Definition group_from (m : int) (sizes : list int) (found : list (int * list (list int)))
    : group := {|
  label := number m;
  pieces := map number sizes;
  queries := map (fun qb => (number (fst qb), map box_from (snd qb))) found
|}.

Definition with_last (q : nat) (b : box) : box := b ++ [(q, 1)].
Definition boxes_of (qb : nat * list box) : list box := map (with_last (fst qb)) (snd qb).

(** ** Inputs that are counted are apart, and have their labels *)

Definition fitting (n v outs : nat) (same : nat -> box -> bool) (groups : list group) : bool :=
  distinct (map label groups)
  && forallb (fun g =>
       (label g <? outs) && (list_sum (pieces g) <=? v) && distinct (map fst (queries g))
       && forallb (fun qb =>
            (fst qb <? list_sum (pieces g)) && all_apart (boxes_of qb)
            && forallb (fun b =>
                 inside (repeat v n) (with_last (fst qb) b)
                 && ends (list_sum (pieces g)) b && same (label g) (with_last (fst qb) b))
               (snd qb))
          (queries g))
     groups.

(** ** The count *)

Section Count.
  Variable A : arithmetic.
  Variables (n v outs : nat) (F : fractions) (rounds : list nat) (more : nat) (most : Z).
  Variable env : list (store A).
  Notation T := (T A).

  Definition table_from (pick : list T -> T) (sizes : list nat) (l : list (list T)) : table A :=
    table_of A pick (pieces_from 0 sizes) (firstn (n - 1) l) (nth (n - 1) l []).

  (** The weights of a head with the last token q: for each position, one for each token. *)
  Definition weight_rows (q : nat) (h : head) : list (list T) :=
    map (fun w =>
      map (fun u => eval A env (repeat u (n - 1) ++ [point_of q]) [point_of 0; point_of 0] w)
          (points v))
    (attention h).

  (** What is written to output y: directly, for each last token; and from each position of a head,
      for each token there. *)
  Definition written_row (y : nat) (e : scalar) : list T :=
    map (fun u => eval A env (repeat u n) [point_of y] e) (points v).
  Definition written_rows (y : nat) : list T * list (list (list T)) :=
    (written_row y (direct F), map (fun h => map (written_row y) (written h)) (heads F)).

  (** By how much more is written to m than to x. *)
  Definition rival_of (sizes : list nat) (own other : list T * list (list (list T))) : rival A := {|
    beside := map2 (sub A) (fst own) (fst other);
    gained := map2 (fun l l' => table_from (least A) sizes (map2 (map2 (sub A)) l l'))
                   (snd own) (snd other)
  |}.

  Definition sum_over {X} (f : X -> Z) (l : list X) : Z :=
    fold_right (fun x k => (f x + k)%Z) 0%Z l.

  Definition count_group (rows : list (list (list (list T))))
      (known : list (list T * list (list (list T)))) (g : group) : Z :=
    let found := map (rival_of (pieces g) (nth (label g) known ([], [])))
                     (omit (label g) known) in
    sum_over (fun qb : nat * list box =>
      let attends := map (table_from (greatest A) (pieces g)) (nth (fst qb) rows []) in
      sum_over (count_box A rounds more most (pieces_from 0 (pieces g)) attends found (fst qb))
        (snd qb))
    (queries g).

  Definition count_groups (groups : list group) : Z :=
    let rows := map (fun q => map (weight_rows q) (heads F)) (seq 0 v) in
    sum_over (count_group rows (map written_rows (seq 0 outs))) groups.
End Count.

Section Check.
  Variable A : arithmetic.
  Variables (M : network) (fast : list definition) (kept : list (option nat)) (most from : nat).
  Variables (n v : nat) (F : fractions) (rounds : list nat) (more : nat) (leaves : Z).
  Variable groups : list group.
  Variable same : nat -> box -> bool.

  (** How many inputs the boxes prove; none if there is something wrong with the hints. *)
  Definition count_fractions : Z :=
    let constants := removelast fast in
    let shapes := map dims (weights M) in
    let all := shapes ++ map shape constants in
    let safe_for := safe all (repeat v n) in
    match store_weights A (fraction_bits M) (weights M) with
    | Some env =>
        if tabulated M fast kept && safe_program shapes [] constants
           && same_sum (lead_in_tables most fast) (written_out M fast most from (chain (summed F)))
           && fractions_fit n F
           && safe_for [outputs M] (direct F)
           && forallb (fun h => forallb (safe_for [outputs M; outputs M]) (attention h)
                                && forallb (safe_for [outputs M]) (written h)) (heads F)
           && fitting n v (outputs M) same groups
        then count_groups A n v (outputs M) F rounds more leaves (evaluate A [] env constants)
          groups
        else 0%Z
    | None => 0%Z
    end.

  Definition check_fractions (N total : Z) : bool :=
    enough M (Z.of_nat v ^ Z.of_nat n) count_fractions N total.
End Check.
