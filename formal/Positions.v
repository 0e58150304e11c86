(** * The additive certificate, counted position by position

    The strategy `additive` of the Python package with counting=positions, its default for short
    sequences. As Additive.v, but for one query at a time and without a grid: a sequence that ends
    in q and whose maximum is m is right if

        sum over copies of m of r_i  -  sum over other tokens u of r_i * b u  >  0

    with b u at most far for tokens below the window. At each position there are window + 2 kinds
    of tokens; all choices of kinds are tried, and each stands for as many sequences as it has
    tokens below the window. Exponential in the length. *)

From Coq Require Import ZArith List Bool.
From CompactProofs Require Import Statement Counting Enclosure Paths Additive.
Import ListNotations.

Section Checker.
  Context {A : enclosures}.
  Variables (M : transformer) (o : options) (P : tables (A := A)).
  Notation zero := (of_Z A 0).

  (** Sequences that go on with these factors, from the sum [acc] so far, to a sum above 0;
      weighted by the [few] tokens below the window, all of which are bounded by [far]. *)
  Fixpoint explore (factors : list (T A)) (few : nat) (ys : list (T A)) (far acc : T A) : Z :=
    match factors with
    | [] => if less A zero acc then 1%Z else 0%Z
    | r :: rest =>
        let after := explore rest few ys far in
        (match few with O => 0 | S _ => Z.of_nat few * after (sub A acc (mul A r far)) end +
         (total ys (fun y => after (sub A acc (mul A r y))) + after (add A acc r)))%Z
    end.

  (** Sequences that end in q and have the maximum m. *)
  Definition pair_count (F : folded) (m : nat) (C : column) (q : nat) : Z :=
    match harm o P F m C [q] with
    | Some (ys, far) =>
        let fs := map (texp A) (centred P q) in
        let r := entry_of fs (last M) in
        let own := if (q <? free o m)%nat then far else entry_of ys (q - free o m) in
        explore (map (entry_of fs) (seq 0 (last M))) (free o m) ys far
          (if (q =? m)%nat then r else sub A zero (mul A r own))
    | None => 0%Z
    end.

  Definition positions_count : Z :=
    let F := fold_means M P in
    total (seq 0 (d_vocab M)) (fun m =>
      let C := column_of M o F m in total (seq 0 (S m)) (pair_count F m C)).
End Checker.
