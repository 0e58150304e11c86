(** * A network with tables in it, in place of products that can be made beforehand

    A sum over k of (a[t0, k] + b[k]) W[k, j] is a table at t0 plus another table: the products are
    made once, not for every input. A hint gives the program with tables, [fast], and says which
    definitions of the network it keeps; [distributes] checks that it computes the same logits,
    over the real numbers. Definitions that are not kept are written out where they are read, sums
    are distributed over what is written out, and a sum of products of two constants is looked for
    among the definitions of [fast]. *)

From Coq Require Import Uint63 ZArith List Bool.
From CompactProofs Require Import Network Evaluator.
Import ListNotations.
Open Scope nat_scope.

(** ** Equality of expressions *)

Fixpoint index_eqb (i j : index) : bool :=
  match i, j with
  | Axis m, Axis n | Fixed m, Fixed n => m =? n
  | Token a, Token b => index_eqb a b
  | Shifted a b, Shifted c d => index_eqb a c && index_eqb b d
  | Scaled a m, Scaled b n | Quotient a m, Quotient b n | Remainder a m, Remainder b n =>
      index_eqb a b && (m =? n)
  | _, _ => false
  end.

Fixpoint list_eqb {X} (eqb : X -> X -> bool) (l l' : list X) : bool :=
  match l, l' with
  | [], [] => true
  | a :: l, b :: l' => eqb a b && list_eqb eqb l l'
  | _, _ => false
  end.

Fixpoint scalar_eqb (a b : scalar) : bool :=
  match a, b with
  | Read x l, Read y m => (x =? y) && list_eqb index_eqb l m
  | Number n d, Number n' d' => (n =? n')%Z && (d =? d')%positive
  | Pi, Pi => true
  | Sum n a, Sum m b => (n =? m) && scalar_eqb a b
  | Plus a b, Plus c d | Minus a b, Minus c d | Times a b, Times c d | Over a b, Over c d =>
      scalar_eqb a c && scalar_eqb b d
  | Relu a, Relu b | Exp a, Exp b | Sqrt a, Sqrt b | Erf a, Erf b =>
      scalar_eqb a b
  | _, _ => false
  end.

(** ** Substitution

    The first axes are replaced by the places [s]; further ones, which belong to sums, follow on
    the [d] axes that those places may mention. *)

Section Substitution.
  Variables (s : list index) (d : nat).

  Fixpoint at_places (i : index) : index :=
    match i with
    | Axis i => if i <? length s then nth i s (Fixed 0) else Axis (i - length s + d)
    | Token a => Token (at_places a)
    | Fixed n => Fixed n
    | Shifted a b => Shifted (at_places a) (at_places b)
    | Scaled a n => Scaled (at_places a) n
    | Quotient a n => Quotient (at_places a) n
    | Remainder a n => Remainder (at_places a) n
    end.

  Fixpoint substitute (e : scalar) : scalar :=
    match e with
    | Read x l => Read x (map at_places l)
    | Number n d => Number n d
    | Pi => Pi
    | Sum n b => Sum n (substitute b)
    | Plus a b => Plus (substitute a) (substitute b)
    | Minus a b => Minus (substitute a) (substitute b)
    | Times a b => Times (substitute a) (substitute b)
    | Over a b => Over (substitute a) (substitute b)
    | Relu a => Relu (substitute a)
    | Exp a => Exp (substitute a)
    | Sqrt a => Sqrt (substitute a)
    | Erf a => Erf (substitute a)
    end.
End Substitution.

(** Axes [i], [i + 1], ..., n of them. *)
Definition axes_from (i n : nat) : list index := map Axis (seq i n).

(** Does a place mention no axis from d on? *)
Fixpoint closed (d : nat) (i : index) : bool :=
  match i with
  | Axis i => i <? d
  | Fixed _ => true
  | Shifted a b => closed d a && closed d b
  | Token a | Scaled a _ | Quotient a _ | Remainder a _ => closed d a
  end.

(** Does an expression mention axis r? *)
Fixpoint depends (r : nat) (e : scalar) : bool :=
  match e with
  | Read _ l => existsb (mentions r) l
  | Number _ _ | Pi => false
  | Sum _ b => depends r b
  | Plus a b | Minus a b | Times a b | Over a b => depends r a || depends r b
  | Relu a | Exp a | Sqrt a | Erf a => depends r a
  end.

(** Does a place mention axis r and no other? *)
Fixpoint only (r : nat) (i : index) : bool :=
  match i with
  | Axis i => i =? r
  | Fixed _ => true
  | Shifted a b => only r a && only r b
  | Token a | Scaled a _ | Quotient a _ | Remainder a _ => only r a
  end.

(** What a tensor of the network is in the program with tables: tensor number y, or an
    expression that is written out; with its number of axes. *)
Inductive image :=
| Kept (arity y : nat)
| Written (arity : nat) (e : scalar).

Section Distribute.
  Variables (first : nat)               (* number of the first definition, after the weights *)
            (fast : list definition)    (* definitions with tables *)
            (constants : nat).          (* number of the first one that depends on the input *)

  (** ** Tables *)

  (** Places of a tensor that is summed along axis r, as the body of a table has them: axis [k] is
      summed, other places are the table's own axes, from number [c] on. *)
  Fixpoint pattern (r k c : nat) (l : list index) : list index :=
    match l with
    | [] => []
    | i :: l =>
        if mentions r i then at_places (repeat (Fixed 0) r ++ [Axis k]) (S k) i :: pattern r k c l
        else Axis c :: pattern r k (S c) l
    end.

  (** The places that are not summed along. *)
  Definition rest (r : nat) (l : list index) : list index :=
    filter (fun i => negb (mentions r i)) l.

  (** The table sum over k < n of x[..k..] * w[..k..]. Axes of w are first: a sum along an axis of x
      that comes later then reads neighbours. *)
  Definition table_body (n r x : nat) (l : list index) (w : nat) (m : list index) : scalar :=
    let a := length (rest r m) in
    let k := a + length (rest r l) in
    Sum n (Times (Read x (pattern r k a l)) (Read w (pattern r k 0 m))).

  Definition straight_places (r : nat) (l : list index) : bool :=
    forallb (fun i => negb (mentions r i) || only r i) l.

  Fixpoint found_from (y : nat) (p : list definition) (e : scalar) : option nat :=
    match p with
    | [] => None
    | d :: p => if scalar_eqb (body d) e then Some y else found_from (S y) p e
    end.

  (** ** A sum over axis r of a product with w[m]

      The axis r disappears: those behind it, of inner sums, move down. [depth] is the number of
      axes before. *)

  Definition dropped (r depth : nat) : list index :=
    axes_from 0 r ++ Fixed 0 :: axes_from r (depth - r - 1).
  Definition rotated (r depth : nat) : list index :=
    axes_from 0 r ++ Axis (depth - 1) :: axes_from r (depth - r - 1).

  Section Push.
    Variables (n r w : nat) (m : list index).

    Definition summed (depth : nat) (e : scalar) : scalar :=
      Sum n (Times (substitute (rotated r depth) depth e)
                   (Read w (map (at_places (axes_from 0 r ++ [Axis (depth - 1)]) depth) m))).

    Fixpoint push (depth : nat) (e : scalar) : scalar :=
      match e with
      | Plus a b => Plus (push depth a) (push depth b)
      | Minus a b => Minus (push depth a) (push depth b)
      | Over a b =>
          if depends r b then summed depth e
          else Over (push depth a) (substitute (dropped r depth) (depth - 1) b)
      | Times a b =>
          if depends r a then
            if depends r b then summed depth e
            else Times (push depth a) (substitute (dropped r depth) (depth - 1) b)
          else Times (substitute (dropped r depth) (depth - 1) a) (push depth b)
      | Sum k b => Sum k (push (S depth) b)
      | Read x l =>
          if (x <? constants) && straight_places r l && straight_places r m
             && forallb (closed (S r)) m
          then
            match found_from first fast (table_body n r x l w m) with
            | Some y => Read y (rest r m
                                ++ map (at_places (dropped r depth) (depth - 1)) (rest r l))
            | None => summed depth e
            end
          else summed depth e
      | _ => summed depth e
      end.
  End Push.

  (** ** Definitions *)

  Definition both (f : scalar -> scalar -> scalar) (a b : option scalar) : option scalar :=
    match a, b with Some a, Some b => Some (f a b) | _, _ => None end.

  Definition constant_read (e : scalar) : option (nat * list index) :=
    match e with Read w m => if w <? constants then Some (w, m) else None | _ => None end.

  (** A sum over the axis behind [depth] others. *)
  Definition sum_of (n depth : nat) (e : scalar) : scalar :=
    match e with
    | Times a b =>
        match constant_read b with
        | Some (w, m) =>
            if forallb (closed (S depth)) m then push n depth w m (S depth) a else Sum n e
        | None =>
            match constant_read a with
            | Some (w, m) =>
                if forallb (closed (S depth)) m then push n depth w m (S depth) b else Sum n e
            | None => Sum n e
            end
        end
    | _ => Sum n e
    end.

  Section Rewrite.
    Variable images : list image.

    Fixpoint rewrite (depth : nat) (e : scalar) : option scalar :=
      match e with
      | Read x l =>
          match nth_error images x with
          | Some (Kept a y) => if length l =? a then Some (Read y l) else None
          | Some (Written a e) =>
              if (length l =? a) && forallb (closed depth) l then Some (substitute l depth e)
              else None
          | None => None
          end
      | Number _ _ | Pi => Some e
      | Sum n b => option_map (sum_of n depth) (rewrite (S depth) b)
      | Plus a b => both Plus (rewrite depth a) (rewrite depth b)
      | Minus a b => both Minus (rewrite depth a) (rewrite depth b)
      | Times a b => both Times (rewrite depth a) (rewrite depth b)
      | Over a b => both Over (rewrite depth a) (rewrite depth b)
      | Relu a => option_map Relu (rewrite depth a)
      | Exp a => option_map Exp (rewrite depth a)
      | Sqrt a => option_map Sqrt (rewrite depth a)
      | Erf a => option_map Erf (rewrite depth a)
      end.
  End Rewrite.

  (** What each definition of a network is: the one of [fast] with the number that a hint gives,
      or written out where none is given. *)
  Fixpoint images_of (images : list image) (p : list definition) (kept : list (option nat))
    : option (list image) :=
    match p, kept with
    | [], [] => Some images
    | d :: p, k :: kept =>
        let a := length (shape d) in
        match rewrite images a (body d), k with
        | Some e, None => images_of (images ++ [Written a e]) p kept
        | Some e, Some j =>
            match nth_error fast j with
            | Some d' =>
                if scalar_eqb (body d') e then images_of (images ++ [Kept a (first + j)]) p kept
                else None
            | None => None
            end
        | None, _ => None
        end
    | _, _ => None
    end.
End Distribute.

(** ** Programs *)

(** Does an expression read tensors below number n only? *)
Fixpoint reads_below (n : nat) (e : scalar) : bool :=
  match e with
  | Read x _ => x <? n
  | Number _ _ | Pi => true
  | Sum _ b => reads_below n b
  | Plus a b | Minus a b | Times a b | Over a b => reads_below n a && reads_below n b
  | Relu a | Exp a | Sqrt a | Erf a => reads_below n a
  end.

Fixpoint ordered (n : nat) (p : list definition) : bool :=
  match p with [] => true | d :: p => reads_below n (body d) && ordered (S n) p end.

Fixpoint weight_images (x : nat) (l : list weight) : list image :=
  match l with [] => [] | w :: l => Kept (length (dims w)) x :: weight_images (S x) l end.

Definition with_program (M : network) (p : list definition) : network := {|
  fraction_bits := fraction_bits M;
  weights := weights M;
  program := p;
  outputs := outputs M
|}.

(** Hints: the program with tables, how many of its definitions do not depend on the input, and
    which of them each definition of the network is. *)
Definition distributes (M : network) (fast : list definition) (constants : nat)
    (kept : list (option nat)) : bool :=
  let n := length (weights M) in
  ordered n fast && (0 <? length fast) && (0 <? length (program M)) &&
  match images_of n fast (n + constants) (weight_images 0 (weights M)) (program M) kept with
  | Some images =>
      match last images (Written 0 Pi) with
      | Kept 1 y => y =? n + length fast - 1
      | _ => false
      end
  | None => false
  end.
