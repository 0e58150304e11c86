(** * Networks as programs in index notation, and their accuracy

    All that a reader must trust of a theorem about any network, besides Coq, Tasks.v and the
    program itself. A network is a list of definitions of tensors, each as one would write it on
    paper:

        x5[j] = relu (sum_k x4[k] * W_in[k, j] + b_in[j])

    A tensor is a function from places (lists of natural numbers) to real numbers. Weights come
    first, then the definitions, in order; each may read all tensors before it. The last one holds
    the logits. Theorems are of the form

        shaped model = true /\ accuracy model (inputs [59; 59]) (addition 59) >= 3481 / 3481.

    Reading guide: [nth i l x] is entry number i of the list l (x if there is none), [seq 0 n] is
    the list 0, 1, ..., n - 1, [IZR] and [INR] turn an integer and a natural number into the real
    number that they are. *)

From Coq Require Import Reals ZArith List.
From Coquelicot Require Hierarchy RInt.
Import ListNotations.
Open Scope R_scope.

(** ** Syntax *)

Inductive index :=
| Axis (i : nat)                  (* place number i of the entry; further ones: variables of sums *)
| Token (i : index)               (* token number i of the input *)
| Fixed (n : nat)
| Shifted (a b : index)           (* a + b *)
| Scaled (a : index) (n : nat)    (* a * n *)
| Quotient (a : index) (n : nat)  (* a / n, rounded down *)
| Remainder (a : index) (n : nat).

Inductive scalar :=
| Read (x : nat) (places : list index)  (* an entry of tensor number x *)
| Number (n : Z) (d : positive)         (* n / d *)
| Pi
| Sum (n : nat) (body : scalar)         (* over the next axis: 0, ..., n - 1 *)
| Plus (a b : scalar)
| Minus (a b : scalar)
| Times (a b : scalar)
| Over (a b : scalar)
| Relu (a : scalar)
| Exp (a : scalar)
| Sqrt (a : scalar)
| Erf (a : scalar).

Record definition := { shape : list nat; body : scalar }.

(** Entries are integers, which stand for themselves over 2 ^ fraction_bits; row after row. *)
Record weight := { dims : list nat; entries : list Z }.

Record network := {
  fraction_bits : nat;
  weights : list weight;
  program : list definition;
  outputs : nat                   (* number of logits *)
}.

Definition product : list nat -> nat := fold_right Nat.mul 1%nat.

(** Every weight has as many entries as its dimensions say (one that is missing would be read as
    0), and the last definition is a row of logits. *)
Definition shaped (M : network) : bool :=
  forallb (fun w => length (entries w) =? product (dims w))%nat (weights M) &&
  match last (map shape (program M)) [] with [n] => (n =? outputs M)%nat | _ => false end.

(** ** Meaning *)

Definition tensor := list nat -> R.

(** The number of the entry at a place, rows one after the other. *)
Fixpoint offset (dims place : list nat) : nat :=
  match dims, place with
  | _ :: dims, i :: place => (i * product dims + offset dims place)%nat
  | _, _ => 0%nat
  end.

Definition weight_tensor (bits : nat) (w : weight) : tensor :=
  fun place => IZR (nth (offset (dims w) place) (entries w) 0%Z) / 2 ^ bits.

Definition sum (n : nat) (f : nat -> R) : R := fold_right Rplus 0 (map f (seq 0 n)).

(** The error function: 2 / sqrt pi times the integral of exp (- s^2) from 0 to x. *)
Definition erf (x : R) : R :=
  2 / sqrt PI * RInt.RInt (V := Hierarchy.R_CompleteNormedModule) (fun s => exp (- (s * s))) 0 x.

Section Meaning.
  Variable t : list nat.          (* the input *)

  Fixpoint place (axes : list nat) (i : index) : nat :=
    match i with
    | Axis i => nth i axes 0
    | Token i => nth (place axes i) t 0
    | Fixed n => n
    | Shifted a b => place axes a + place axes b
    | Scaled a n => place axes a * n
    | Quotient a n => place axes a / n
    | Remainder a n => place axes a mod n
    end%nat.

  Fixpoint meaning (env : list tensor) (axes : list nat) (e : scalar) : R :=
    match e with
    | Read x places => nth x env (fun _ => 0) (map (place axes) places)
    | Number n d => IZR n / IZR (Zpos d)
    | Pi => PI
    | Sum n b => sum n (fun i => meaning env (axes ++ [i]) b)
    | Plus a b => meaning env axes a + meaning env axes b
    | Minus a b => meaning env axes a - meaning env axes b
    | Times a b => meaning env axes a * meaning env axes b
    | Over a b => meaning env axes a / meaning env axes b
    | Relu a => Rmax 0 (meaning env axes a)
    | Exp a => exp (meaning env axes a)
    | Sqrt a => sqrt (meaning env axes a)
    | Erf a => erf (meaning env axes a)
    end.

  Fixpoint run (env : list tensor) (p : list definition) : list tensor :=
    match p with
    | [] => env
    | d :: p => run (env ++ [fun axes => meaning env axes (body d)]) p
    end.
End Meaning.

Definition logit (M : network) (t : list nat) (x : nat) : R :=
  last (run t (map (weight_tensor (fraction_bits M)) (weights M)) (program M)) (fun _ => 0) [x].

(** ** Accuracy

    A task says which output is right for an input. The network is right if it has that output,
    and the output's logit is strictly above every other: a tie is wrong. *)

Definition task := list nat -> nat.

Definition right (M : network) (label : task) (t : list nat) : Prop :=
  (label t < outputs M)%nat /\
  forall x, (x < outputs M)%nat -> x <> label t -> logit M t x < logit M t (label t).

(** [right] as a truth value, so that it can be counted ([right_b_spec] in NetworkTheorems.v: it
    is [true] exactly if [right]). *)
Definition right_b (M : network) (label : task) (t : list nat) : bool :=
  (label t <? outputs M)%nat &&
  forallb (fun x => if Nat.eq_dec x (label t) then true
                    else if Rlt_dec (logit M t x) (logit M t (label t)) then true else false)
          (seq 0 (outputs M)).

(** All inputs whose tokens have these many values: each token takes each of its values. *)
Fixpoint inputs (values : list nat) : list (list nat) :=
  match values with
  | [] => [[]]
  | n :: values => flat_map (fun a => map (cons a) (inputs values)) (seq 0 n)
  end.

(** The share of the inputs, each counted as often as it is listed, on which it is right. *)
Definition accuracy (M : network) (domain : list (list nat)) (label : task) : R :=
  INR (length (filter (right_b M label) domain)) / INR (length domain).
