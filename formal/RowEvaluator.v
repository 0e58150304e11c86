(** * Definitions evaluated row by row

    As Evaluator.v, but all entries of a definition with one axis at once. Entries are read along
    lines, and a sum of products with a matrix that does not depend on the input is one product of
    a row and a matrix, which an arithmetic may make fast and less precisely; the matrix is read
    once, beforehand. What remains to be done for an input is a function. *)

From Coq Require Import Uint63 PArray ZArith List Bool.
From CompactProofs Require Import Network Arrays Arithmetic Rows Evaluator.
Import ListNotations.

Section Rows.
  Variable A : arithmetic.

  Fixpoint strided (f : int -> T A) (n : nat) (i step : int) : list (T A) :=
    match n with O => [] | S n => f i :: strided f n (i + step)%uint63 step end.

  Definition entry (s : store A) : int -> T A :=
    match s with Exact _ a => fun i => of_W A a.[i] | Enclosed _ a => fun i => a.[i] end.

  (** Entries of tensor x along the axis behind these. *)
  Definition read_line (axes : list point) (n x : nat) (l : list index) (env : list (store A))
      (t : list point) : list (T A) :=
    match nth_error env x with
    | Some s =>
        let (i, step) := line t axes (length axes) (strides_of A s) l in
        strided (entry s) n i step
    | None => []
    end.

  Section Row.
    (* What is known beforehand. *)
    Variables (first : list (store A)) (shapes : list (list nat)).
    Variable m : nat.              (* entries of the row *)

    Definition row : Type := list (store A) -> list point -> list (T A).

    Definition one_by_one (e : scalar) : row :=
      fun env t => map (fun p => eval A env t [p] e) (points m).

    Definition each (f : T A -> T A) (a : row) : row := fun env t => map f (a env t).
    Definition both (f : T A -> T A -> T A) (a b : row) : row :=
      fun env t => map2 f (a env t) (b env t).

    (** The matrix with entry y[k] in row number (axis 1) and column number (axis 0). *)
    Definition matrix_at (n y : nat) (k : list index) : option (matrix A) :=
      if ((y <? length first)%nat && forallb constant_index k
          && safe shapes [] [m; n] (Read y k))%bool then
        matrix_of A
          (map (fun q => map (fun p => eval A first [] [p; q] (Read y k)) (points m)) (points n))
      else None.

    Fixpoint row_of (e : scalar) : row :=
      match e with
      | Read x l => if forallb (straight 0) l then read_line [] m x l else one_by_one e
      | Sum n (Times (Read x l) (Read y k)) =>
          if (0 <? m)%nat && forallb (fun i => straight 1 i && negb (mentions 0 i)) l then
            match matrix_at n y k with
            | Some M => fun env t => apply A M m (read_line [point_of 0] n x l env t)
            | None => one_by_one e
            end
          else one_by_one e
      | Plus a b => both (add A) (row_of a) (row_of b)
      | Minus a b => both (sub A) (row_of a) (row_of b)
      | Times a b => both (mul A) (row_of a) (row_of b)
      | Over a b => both (div A) (row_of a) (row_of b)
      | Relu a => each (trelu A) (row_of a)
      | Exp a => each (texp A) (row_of a)
      | Sqrt a => each (tsqrt A) (row_of a)
      | Erf a => each (terf A) (row_of a)
      | _ => one_by_one e
      end.
  End Row.

  (** ** Programs *)

  Definition step : Type := list (store A) -> list point -> store A.

  Definition step_of (first : list (store A)) (shapes : list (list nat)) (d : definition) : step :=
    match body d, shape d with
    | Read _ _, _ => fun env t => define A env t d
    | e, [m] =>
        let f := row_of first shapes m e in
        fun env t => Enclosed A (strides (shape d)) (of_list (everything A) (f env t))
    | _, _ => fun env t => define A env t d
    end.

  Fixpoint run_steps (t : list point) (env : list (store A)) (p : list step) : list (store A) :=
    match p with [] => env | f :: p => run_steps t (env ++ [f env t]) p end.
  (** ** Counting *)

  Definition answers (m : nat) (outs : list point) (env : list (store A)) : bool :=
    match last (map Some env) None with Some s => wins A m outs s | None => false end.

  (** Inputs of the domain that are provably right: by rows, or else entry by entry. Two hints:
      [values], how many values each token has (an input out of range is not counted), and
      [constants], how many definitions, from the first, do not depend on the input. *)
  Definition count_right (M : network) (values : list nat) (constants : nat)
      (domain : list (list nat)) (label : task) : Z :=
    let first := firstn constants (program M) in
    let rest := skipn constants (program M) in
    let shapes := map dims (weights M) in
    match store_weights A (fraction_bits M) (weights M), last (map shape (program M)) [] with
    | Some env, [n] =>
        if (n =? outputs M)%nat && forallb (fun d => constant (body d)) first
           && safe_program shapes [] first && safe_program shapes values (program M)
        then
          let env := evaluate A [] env first in
          let steps := map (step_of env (shapes ++ map shape first)) rest in
          let outs := points n in
          fold_right (fun t k =>
              let m := label t in
              if in_range_b values t && (m <? n)%nat
              then
                let t := map point_of t in
                if answers m outs (run_steps t env steps) then (1 + k)%Z
                else if answers m outs (evaluate A t env rest) then (1 + k)%Z
                else k
              else k)
            0%Z domain
        else 0%Z
    | _, _ => 0%Z
    end.
End Rows.
