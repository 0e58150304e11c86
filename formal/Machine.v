(** * The evaluator's arithmetic on the processor's numbers

    Enclosures are coq-interval's, exact numbers are floats. Products and sums of many terms are
    four times faster than those of [plain]. *)

From Coq Require Import Uint63 PrimFloat Floats ZArith Bool.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval
  Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Network Arrays ErfEnclosure Arithmetic Matrix.
From CompactProofs Require Export Processor.

(** p = q * 2 ^ k with q odd. *)
Fixpoint strip (p : positive) : positive * nat :=
  match p with xO p => let (q, k) := strip p in (q, S k) | _ => (p, O) end.

(** The float with sign s that stands for p / 2 ^ n, through its normalized significand; None if
    there is none. *)
Definition signed_float (s : bool) (p : positive) (n : nat) : option float :=
  let (q, k) := strip p in
  let d := (53 - Zpos (SpecFloat.digits2_pos q))%Z in
  let m := Z.to_pos (Z.shiftl (Zpos q) d) in
  let f := S754_finite s m (Z.of_nat k - Z.of_nat n - d) in
  if (0 <=? d)%Z && SpecFloat.valid_binary FloatOps.prec FloatOps.emax f then Some (SF2Prim f)
  else None.

(** z / 2 ^ n as a float. *)
Definition exact_float (z : Z) (n : nat) : option float :=
  match z with
  | Z0 => Some 0%float
  | Zpos p => signed_float false p n
  | Zneg p => signed_float true p n
  end.

(** ** Products

    The sign of an exact number says which bound it multiplies, so nothing is compared. *)

Definition scale_interval (u : float) (x : I.type) : I.type :=
  match x with
  | Float.Ibnd a b =>
      if (0 <=? u)%float then Float.Ibnd (next_down (u * a)) (next_up (u * b))
      else Float.Ibnd (next_down (u * b)) (next_up (u * a))
  | Float.Inan => Float.Inan
  end.

Definition multiply_floats (u v : float) : I.type :=
  Float.Ibnd (next_down (u * v)) (next_up (u * v)).

(** [l, h] + sum over k < n of f (i + k si) (j + k sj) *)
Fixpoint total_from (n : nat) (f : int -> int -> I.type) (i si j sj : int) (l h : float) : I.type :=
  match n with
  | O => Float.Ibnd l h
  | S n =>
      match f i j with
      | Float.Ibnd a b =>
          total_from n f (i + si)%uint63 si (j + sj)%uint63 sj (next_down (l + a)) (next_up (h + b))
      | Float.Inan => Float.Inan
      end
  end.

Definition relu_interval (a : I.type) : I.type :=
  match a with
  | Float.Ibnd l h =>
      if (0 <=? l)%float then a
      else if (h <? 0)%float then Float.Ibnd 0%float 0%float
      else Float.Ibnd 0%float h
  | Float.Inan => Float.Inan
  end.

Definition machine : arithmetic := {|
  T := I.type;
  W := float;
  exact := exact_float;
  of_W := fun w => Float.Ibnd w w;
  of_Z := I.fromZ prec;
  tpi := I.pi prec;
  add := add_interval;
  sub := sub_interval;
  mul := mul_interval;
  scale := scale_interval;
  multiply := multiply_floats;
  div := I.div prec;
  trelu := relu_interval;
  texp := I.exp prec;
  tsqrt := I.sqrt prec;
  terf := erf_enclosure (A := hardware);
  join := join_interval;
  everything := I.nai;
  less := less_interval;
  total := fun n f i si j sj => total_from n f i si j sj 0%float 0%float;
  matrix := float_matrix;
  matrix_of := float_matrix_of;
  apply := multiply_row
|}.
