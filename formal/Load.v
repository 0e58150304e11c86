(** Lists of integers from arrays of machine integers, which Coq reads fastest. Trusted: it says
    what weights are. *)

From Coq Require Import ZArith List Uint63 Sint63 PArray.
Import ListNotations.

(** Entries n - 1, ..., 0 in front of a list. *)
Fixpoint entries_before {X} (a : array X) (n : nat) (i : int) (l : list X) : list X :=
  match n with
  | O => l
  | S n => entries_before a n (i - 1)%uint63 (a.[i] :: l)
  end.

Definition to_list {X} (a : array X) : list X :=
  entries_before a (Z.to_nat (Uint63.to_Z (PArray.length a))) (PArray.length a - 1)%uint63 [].

(** Row after row. *)
Definition integers (rows : array (array int)) : list Z :=
  flat_map (fun a => map Sint63.to_Z (to_list a)) (to_list rows).

(** The same, each number given as m and e, for m 2^e. *)
Fixpoint pairs (l : list Z) : list Z :=
  match l with m :: e :: l => Z.shiftl m e :: pairs l | _ => [] end.
Definition shifted (rows : array (array int)) : list Z := pairs (integers rows).

(** Rows of natural numbers. *)
Definition naturals (rows : array (array int)) : list (list nat) :=
  map (fun a => map (fun i => Z.to_nat (Uint63.to_Z i)) (to_list a)) (to_list rows).
