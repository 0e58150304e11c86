(** * A row times a matrix, on the processor's numbers

    Intervals are replaced by their lower ends, plain floats, and all that this and roundings can
    change is bounded once for the row. Entries that are 0, as many are behind a ReLU, are left
    out. *)

From Coq Require Import PrimFloat ZArith List Bool.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval Float.Basic.
From CompactProofs Require Import Rows Processor.
From CompactProofs Require Enclosure.
Import ListNotations.

Module E := Enclosure.

(** ** Sizes *)

Definition centre (x : I.type) : float := match x with Float.Ibnd a _ => a | Float.Inan => nan end.
Definition width (x : I.type) : float :=
  match x with Float.Ibnd a b => next_up (b - a) | Float.Inan => nan end.

(** No centre exceeds [most], no width [wide]. *)
Record size := { most : float; wide : float }.

Definition fits_size (s : size) (x : I.type) : bool :=
  match x with
  | Float.Ibnd a b =>
      ((- most s <=? a) && (a <=? most s) && (next_up (b - a) <=? wide s))%float%bool
  | Float.Inan => false
  end.

Definition largest (f : I.type -> float) (l : list I.type) : float :=
  fold_left (fun s x => let y := abs (f x) in if (s <? y)%float then y else s) l 0%float.

Definition size_of (l : list I.type) : option size :=
  let s := {| most := largest centre l; wide := largest width l |} in
  if F.real (most s) && F.real (wide s) && forallb (fits_size s) l then Some s else None.

(** ** Sums of products *)

Fixpoint add_product (x : float) (sums row : list float) : list float :=
  match sums, row with
  | s :: sums, w :: row => (s + x * w)%float :: add_product x sums row
  | _, _ => []
  end.

(** Four at a time, which takes a third of the time. *)
Fixpoint add_products (x1 x2 x3 x4 : float) (sums r1 r2 r3 r4 : list float) : list float :=
  match sums, r1, r2, r3, r4 with
  | s :: sums, w1 :: r1, w2 :: r2, w3 :: r3, w4 :: r4 =>
      (s + x1 * w1 + x2 * w2 + x3 * w3 + x4 * w4)%float
      :: add_products x1 x2 x3 x4 sums r1 r2 r3 r4
  | _, _, _, _, _ => []
  end.

Fixpoint add_all (l : list (float * list float)) (sums : list float) : list float :=
  match l with
  | (x1, r1) :: (x2, r2) :: (x3, r3) :: (x4, r4) :: l =>
      add_all l (add_products x1 x2 x3 x4 sums r1 r2 r3 r4)
  | (x, r) :: l => add_all l (add_product x sums r)
  | [] => sums
  end.

Definition is_zero (x : float) : bool := ((0 <=? x) && (x <=? 0))%float%bool.

(** ** Matrices *)

Record float_matrix := {
  centres : list (list float);
  matrix_size : size;
  height : nat;                  (* rows *)
  levels : nat                   (* at most 2 ^ levels of them *)
}.

Definition float_matrix_of (rows : list (list I.type)) : option float_matrix :=
  match size_of (concat rows) with
  | Some s =>
      let n := length rows in
      let t := Nat.log2_up n in
      if (t <=? 50)%nat && (n <=? 2 ^ t)%nat then
        Some {| centres := map (map centre) rows; matrix_size := s; height := n; levels := t |}
      else None
  | None => None
  end.

(** The least power of two from 2 ^ e on, among [fuel], that is provably at least x. *)
Fixpoint power_above (x : I.type) (fuel e : nat) : option nat :=
  match fuel with
  | O => None
  | S fuel =>
      if E.at_most hardware x (E.of_Z hardware (2 ^ Z.of_nat e)) then Some e
      else power_above x fuel (S e)
  end.

Definition exactly (x : float) : I.type := Float.Ibnd x x.

(** What widths and roundings can change in a sum of n products, if none exceeds 2 ^ e: a sum and
    a product are each rounded by at most 2 ^ (e + levels - 53). *)
Definition error (M : float_matrix) (s : size) (e : nat) : I.type :=
  let add := E.add hardware in
  let mul := E.mul hardware in
  let dx := exactly (wide s) in
  let dw := exactly (wide (matrix_size M)) in
  let n := E.of_Z hardware (Z.of_nat (height M)) in
  let rounding :=
    E.div hardware (E.of_Z hardware (2 ^ Z.of_nat (S (e + levels M)))) (E.of_Z hardware (2 ^ 53)) in
  mul n (add (add (mul dx (add (exactly (most (matrix_size M))) dw)) (mul (exactly (most s)) dw))
             rounding).

(** [m]: columns. *)
Definition multiply_row (M : float_matrix) (m : nat) (row : list I.type) : list I.type :=
  match size_of row with
  | Some s =>
      let largest := E.mul hardware (exactly (most s)) (exactly (most (matrix_size M))) in
      match power_above largest 100 0 with
      | Some e =>
          let change := E.mul hardware (error M s e) (E.tunit hardware) in
          let terms :=
            filter (fun p => negb (is_zero (fst p))) (combine (map centre row) (centres M)) in
          map (fun v => E.add hardware (exactly v) change) (add_all terms (repeat 0%float m))
      | None => repeat (E.everything hardware) m
      end
  | None => repeat (E.everything hardware) m
  end.
