(** Label functions of sequences of tokens that ship with the package, by the same names. Trusted:
    a theorem about a task with such a label names one of them. Truth values are 1 and 0. *)

From Coq Require Import List Arith Bool.
From CompactProofs Require Import Network Tasks.
Import ListNotations.

(** ** The label is a token *)

(** The smallest token. *)
Definition minimum : task := fun t => fold_right Nat.min (last t 0) t.

(** The largest token, and the largest of the others. *)
Fixpoint two_largest (t : list nat) : nat * nat :=
  match t with
  | [] => (0, 0)
  | a :: t => let (b, c) := two_largest t in if b <=? a then (a, b) else (b, Nat.max a c)
  end.
Definition second_largest : task := fun t => snd (two_largest t).

Definition token_at (i : nat) : task := fun t => nth i t 0.

(** The token after the first occurrence of a; a itself if nothing follows. *)
Fixpoint following (a : nat) (t : list nat) : nat :=
  match t with [] => a | b :: rest => if b =? a then hd a rest else following a rest end.
Definition after_occurrence : task := fun t => following (last t 0) t.

(** ** The label says whether something holds *)

Definition first_is_last : task := fun t => Nat.b2n (hd 0 t =? last t 0).

Definition contains_token (a : nat) : task := fun t => Nat.b2n (existsb (Nat.eqb a) t).

Definition occurred_before : task :=
  fun t => Nat.b2n (existsb (Nat.eqb (last t 0)) (removelast t)).

Definition repeats : task := fun t => Nat.b2n (negb (distinct t)).

Definition palindrome : task :=
  fun t => if list_eq_dec Nat.eq_dec t (rev t) then 1 else 0.

Fixpoint ascends (t : list nat) : bool :=
  match t with a :: (b :: _) as rest => (a <=? b) && ascends rest | _ => true end.
Definition ascending : task := fun t => Nat.b2n (ascends t).

(** More than half of the tokens are at least [least]. *)
Definition majority (least : nat) : task :=
  fun t => Nat.b2n (length t <? 2 * length (filter (Nat.leb least) t)).

(** Token 0 opens a bracket, token 1 closes one; h are open. *)
Fixpoint closes (h : nat) (t : list nat) : bool :=
  match t with
  | [] => h =? 0
  | 0 :: t => closes (S h) t
  | 1 :: t => match h with 0 => false | S h => closes h t end
  | _ :: t => closes h t
  end.
Definition balanced : task := fun t => Nat.b2n (closes 0 t).

Fixpoint begins (factor t : list nat) : bool :=
  match factor, t with
  | [], _ => true
  | a :: factor, b :: t => (a =? b) && begins factor t
  | _ :: _, [] => false
  end.
Fixpoint occurs (factor t : list nat) : bool :=
  begins factor t || match t with [] => false | _ :: t => occurs factor t end.
Definition avoids (factor : list nat) : task := fun t => Nat.b2n (negb (occurs factor t)).

(** ** The label is another number *)

(** The last place of a in a sequence that begins at place i; [none] if there is none. *)
Fixpoint latest (a i none : nat) (t : list nat) : nat :=
  match t with
  | [] => none
  | b :: t => latest a (S i) (if b =? a then i else none) t
  end.
Definition previous_occurrence : task :=
  fun t => latest (last t 0) 0 (length t - 1) (removelast t).

Definition modular_sum (m : nat) : task := fun t => list_sum t mod m.

(** After how many steps does the map from places to tokens come back to place i? 0: never. *)
Definition cycle (t : list nat) (i : nat) : nat :=
  let steps := fun k => Nat.iter k (fun j => nth j t (length t)) i in
  match find (fun k => steps k =? i) (seq 1 (length t)) with Some k => k | None => 0 end.
Definition longest_cycle : task := fun t => list_max (map (cycle t) (seq 0 (length t))).

(** The label of the state in which an automaton ends: row s of [step] has the state after each
    token that is read in state s. *)
Definition last_state (step : list (list nat)) (start : nat) (labels : list nat) : task :=
  fun t => nth (fold_left (fun s a => nth a (nth s step []) 0) t start) labels 0.

(** Inputs for which a label is not 0. *)
Definition holds (label : task) (t : list nat) : bool := negb (label t =? 0).
