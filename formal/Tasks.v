(** Tasks: which output is right for which input. Trusted, with Network.v: a theorem names one of
    them. *)

From Coq Require Import List Arith.
From CompactProofs Require Import Network.
Import ListNotations.

(** The sum of two numbers modulo p. *)
Definition addition (p : nat) : task := fun t => (nth 0 t 0 + nth 1 t 0) mod p.

(** The entry of a table at row t0 and column t1: the product in a group, given by its table. *)
Definition composition (table : list (list nat)) : task :=
  fun t => nth (nth 1 t 0) (nth (nth 0 t 0) table []) 0.

(** The largest token. *)
Definition maximum : task := fold_right Nat.max 0.

(** Any task, by the labels of all inputs: rows of the last token's values, in the order of
    [inputs values]. *)
Definition tabulated (values : list nat) (labels : list (list nat)) : task :=
  fun t => nth (last t 0) (nth (offset (removelast values) (removelast t)) labels []) 0.

(** The token that followed the last token's first occurrence. *)
Fixpoint after (a : nat) (t : list nat) : nat :=
  match t with
  | [] => 0
  | b :: rest => if b =? a then hd 0 rest else after a rest
  end.
Definition follower : task := fun t => after (last t 0) t.

(** All tokens but the last differ, and the last one is one of them, not the one just before. *)
Fixpoint distinct (t : list nat) : bool :=
  match t with
  | [] => true
  | a :: t => negb (existsb (Nat.eqb a) t) && distinct t
  end.
Definition comes_back (t : list nat) : bool :=
  distinct (removelast t) && existsb (Nat.eqb (last t 0)) (removelast (removelast t)).
