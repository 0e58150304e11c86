(** * An evaluator of all networks

    A program over an abstract arithmetic (Arithmetic.v): arrays of enclosures for the
    definitions, in order. What does not depend on the input is evaluated once. The form [Sum n
    (Times (Read ..) (Read ..))] is a strided inner product; everything else is interpreted. All
    places that are read are checked beforehand, once, for every input. *)

From Coq Require Import Uint63 PArray ZArith List Bool.
From CompactProofs Require Import Network Arrays Arithmetic.
Import ListNotations.

(** ** Points: natural numbers with their machine integers *)

Definition point : Type := nat * int.
Definition point_of (n : nat) : point := (n, int_of n).

Fixpoint points_from (k : nat) (i : int) (n : nat) : list point :=
  match n with O => [] | S n => (k, i) :: points_from (S k) (i + 1)%uint63 n end.
Definition points (n : nat) : list point := points_from 0 0%uint63 n.

(** All places of a tensor, as [inputs]. *)
Fixpoint places (ns : list nat) : list (list point) :=
  match ns with
  | [] => [[]]
  | n :: ns => let rest := places ns in flat_map (fun a => map (cons a) rest) (points n)
  end.

(** ** Checks made once: all places that are read exist, whatever the input

    What is divided must be small enough for machine integers. [tb]: how many values each token may
    have; [ab]: how many each axis may have. *)

Definition small (n : nat) : bool := (Z.of_nat n <=? to_Z max_length)%Z.

Fixpoint bound (tb ab : list nat) (i : index) : option nat :=
  match i with
  | Axis i => nth_error ab i
  | Token a =>
      match bound tb ab a with
      | Some b => if b <=? length tb then Some (fold_right Nat.max 0 (firstn b tb)) else None
      | None => None
      end
  | Fixed n => Some (S n)
  | Shifted a b =>
      match bound tb ab a, bound tb ab b with Some a, Some b => Some (a + b - 1) | _, _ => None end
  | Scaled a n => match bound tb ab a with Some a => Some ((a - 1) * n + 1) | None => None end
  | Quotient a n =>
      match bound tb ab a with
      | Some a => if small a && small n then Some ((a - 1) / n + 1) else None
      | None => None
      end
  | Remainder a n =>
      match bound tb ab a with
      | Some a => if small a && small n && negb (n =? 0) then Some n else None
      | None => None
      end
  end%nat.

Definition within (tb ab : list nat) (d : nat) (i : index) : bool :=
  match bound tb ab i with Some b => (b <=? d)%nat | None => false end.

Fixpoint all_within (tb ab ds : list nat) (l : list index) : bool :=
  match ds, l with
  | [], [] => true
  | d :: ds, i :: l => within tb ab d i && all_within tb ab ds l
  | _, _ => false
  end.

Fixpoint safe (shapes : list (list nat)) (tb ab : list nat) (e : scalar) : bool :=
  match e with
  | Read x l => match nth_error shapes x with Some ds => all_within tb ab ds l | None => false end
  | Number _ _ | Pi => true
  | Sum n b => safe shapes tb (ab ++ [n]) b
  | Plus a b | Minus a b | Times a b | Over a b => safe shapes tb ab a && safe shapes tb ab b
  | Relu a | Exp a | Sqrt a | Erf a => safe shapes tb ab a
  end.

(** Is there an array of this size? *)
Definition fits (ds : list nat) : bool := (Z.of_nat (product ds) <=? to_Z max_length)%Z.

Fixpoint safe_program (shapes : list (list nat)) (tb : list nat) (p : list definition) : bool :=
  match p with
  | [] => true
  | d :: p =>
      fits (shape d) && safe shapes tb (shape d) (body d) && safe_program (shapes ++ [shape d]) tb p
  end.

(** Does it not depend on the input? *)
Fixpoint constant_index (i : index) : bool :=
  match i with
  | Axis _ | Fixed _ => true
  | Token _ => false
  | Shifted a b => constant_index a && constant_index b
  | Scaled a _ | Quotient a _ | Remainder a _ => constant_index a
  end.

Fixpoint constant (e : scalar) : bool :=
  match e with
  | Read _ l => forallb constant_index l
  | Number _ _ | Pi => true
  | Sum _ b => constant b
  | Plus a b | Minus a b | Times a b | Over a b => constant a && constant b
  | Relu a | Exp a | Sqrt a | Erf a => constant a
  end.

Section Evaluator.
  Variable A : arithmetic.

  (** ** Tensors: entries, rows one after the other, with the strides of the axes *)

  Inductive store :=
  | Exact (strides : list int) (a : array (W A))
  | Enclosed (strides : list int) (a : array (T A)).

  Definition int_product (ds : list nat) : int :=
    fold_right (fun d p => int_of d * p)%uint63 1%uint63 ds.
  Fixpoint strides (ds : list nat) : list int :=
    match ds with [] => [] | _ :: ds => int_product ds :: strides ds end.

  Fixpoint position (st ix : list int) : int :=
    match st, ix with s :: st, i :: ix => (i * s + position st ix)%uint63 | _, _ => 0%uint63 end.

  Definition strides_of (s : store) : list int :=
    match s with Exact st _ | Enclosed st _ => st end.

  Definition fetch (s : store) (ix : list int) : T A :=
    match s with
    | Exact st a => of_W A a.[position st ix]
    | Enclosed st a => a.[position st ix]
    end.

  (** Entry number i of one store times entry number j of another. *)
  Definition factors (s s' : store) : int -> int -> T A :=
    match s, s' with
    | Exact _ a, Exact _ b => fun i j => multiply A a.[i] b.[j]
    | Exact _ a, Enclosed _ b => fun i j => scale A a.[i] b.[j]
    | Enclosed _ a, Exact _ b => fun i j => scale A b.[j] a.[i]
    | Enclosed _ a, Enclosed _ b => fun i j => mul A a.[i] b.[j]
    end.

  (** ** Entries *)

  (** Does a place depend on axis r? Is it that axis, or independent of it? *)
  Fixpoint mentions (r : nat) (i : index) : bool :=
    match i with
    | Axis i => (i =? r)%nat
    | Fixed _ => false
    | Shifted a b => mentions r a || mentions r b
    | Token a | Scaled a _ | Quotient a _ | Remainder a _ => mentions r a
    end.
  Definition straight (r : nat) (i : index) : bool :=
    match i with Axis _ => true | _ => negb (mentions r i) end.
  Definition is_axis (r : nat) (i : index) : bool :=
    match i with Axis j => (j =? r)%nat | _ => false end.

  Section Entry.
    Variables (env : list store) (t : list point).

    Fixpoint place_i (axes : list point) (i : index) : int :=
      match i with
      | Axis i => snd (nth i axes (point_of 0))
      | Token (Fixed i) => snd (nth i t (point_of 0))
      | Token (Axis i) => snd (nth (fst (nth i axes (point_of 0))) t (point_of 0))
      | Fixed n => int_of n
      | Shifted a b => (place_i axes a + place_i axes b)%uint63
      | Scaled a n => (place_i axes a * int_of n)%uint63
      | Quotient a n => (place_i axes a / int_of n)%uint63
      | Remainder a n => (place_i axes a mod int_of n)%uint63
      | Token _ => int_of (place (map fst t) (map fst axes) i)
      end.

    (** Start and step of what is read along axis r. *)
    Fixpoint line (axes : list point) (r : nat) (st : list int) (l : list index) : int * int :=
      match st, l with
      | s :: st, i :: l =>
          let (start, step) := line axes r st l in
          if is_axis r i then (start, (s + step)%uint63)
          else ((place_i axes i * s + start)%uint63, step)
      | _, _ => (0, 0)%uint63
      end.

    Definition total_of (n : nat) (f : point -> T A) : T A :=
      fold_right (fun p s => add A (f p) s) (of_Z A 0) (points n).

    Fixpoint eval (axes : list point) (e : scalar) {struct e} : T A :=
      match e with
      | Read x l =>
          match nth_error env x with
          | Some s => fetch s (map (place_i axes) l)
          | None => everything A
          end
      | Number n d => div A (of_Z A n) (of_Z A (Zpos d))
      | Pi => tpi A
      | Sum n b =>
          let term_by_term := fun (_ : unit) => total_of n (fun p => eval (axes ++ [p]) b) in
          match b with
          | Times (Read x l) (Read y k) =>
              let r := length axes in
              if forallb (straight r) l && forallb (straight r) k then
                match nth_error env x, nth_error env y with
                | Some s, Some s' =>
                    let (i, si) := line axes r (strides_of s) l in
                    let (j, sj) := line axes r (strides_of s') k in
                    total A n (factors s s') i si j sj
                | _, _ => term_by_term tt
                end
              else term_by_term tt
          | _ => term_by_term tt
          end
      | Plus a b => add A (eval axes a) (eval axes b)
      | Minus a b => sub A (eval axes a) (eval axes b)
      | Times a b => mul A (eval axes a) (eval axes b)
      | Over a b => div A (eval axes a) (eval axes b)
      | Relu a => trelu A (eval axes a)
      | Exp a => texp A (eval axes a)
      | Sqrt a => tsqrt A (eval axes a)
      | Erf a => terf A (eval axes a)
      end.

    Definition enclosed (d : definition) : store :=
      Enclosed (strides (shape d))
        (of_list (everything A) (map (fun axes => eval axes (body d)) (places (shape d)))).

    (** What only moves exact numbers about, whatever the input, stays exact. *)
    Definition define (d : definition) : store :=
      match body d with
      | Read x l =>
          match nth_error env x, exact A 0 0, forallb constant_index l with
          | Some (Exact st a), Some z, true =>
              Exact (strides (shape d))
                (of_list z (map (fun axes => a.[position st (map (place_i axes) l)])
                                (places (shape d))))
          | _, _, _ => enclosed d
          end
      | _ => enclosed d
      end.
  End Entry.

  Fixpoint evaluate (t : list point) (env : list store) (p : list definition) : list store :=
    match p with [] => env | d :: p => evaluate t (env ++ [define env t d]) p end.

  (** ** Weights *)

  Fixpoint all_exact (bits : nat) (l : list Z) : option (list (W A)) :=
    match l with
    | [] => Some []
    | z :: l =>
        match exact A z bits, all_exact bits l with
        | Some w, Some l => Some (w :: l)
        | _, _ => None
        end
    end.

  Definition store_weight (bits : nat) (w : weight) : option store :=
    if fits (dims w) && (length (entries w) =? product (dims w))%nat then
      match exact A 0 0, all_exact bits (entries w) with
      | Some z, Some l => Some (Exact (strides (dims w)) (of_list z l))
      | _, _ => None
      end
    else None.

  Fixpoint store_weights (bits : nat) (l : list weight) : option (list store) :=
    match l with
    | [] => Some []
    | w :: l =>
        match store_weight bits w, store_weights bits l with
        | Some s, Some l => Some (s :: l)
        | _, _ => None
        end
    end.

  (** ** Counting *)

  (** Is entry m above all others? *)
  Definition wins (m : nat) (outs : list point) (s : store) : bool :=
    match s with
    | Enclosed [_] a =>
        let top := a.[int_of m] in
        forallb (fun p : point => if (fst p =? m)%nat then true else less A a.[snd p] top) outs
    | _ => false
    end.

  Fixpoint in_range_b (ds ix : list nat) : bool :=
    match ds, ix with
    | [], [] => true
    | d :: ds, i :: ix => (i <? d)%nat && in_range_b ds ix
    | _, _ => false
    end.
End Evaluator.
