(** * Enclosures on the processor's numbers

    Those of coq-interval (Instances.v), with the commonest operations written for speed: no
    product is compared with another where signs decide, and no difference is made to compare. *)

From Coq Require Import PrimFloat ZArith Bool.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval Float.Basic.
From CompactProofs Require Import Enclosure.
From CompactProofs Require Instances.

Module F := PrimitiveFloat.
Module I := Instances.Hardware.I.

Definition prec : Z := 53%Z.
Notation float := PrimFloat.float.

Definition add_interval (x y : I.type) : I.type :=
  match x, y with
  | Float.Ibnd a b, Float.Ibnd c d => Float.Ibnd (next_down (a + c)) (next_up (b + d))
  | _, _ => Float.Inan
  end.

Definition sub_interval (x y : I.type) : I.type :=
  match x, y with
  | Float.Ibnd a b, Float.Ibnd c d => Float.Ibnd (next_down (a - d)) (next_up (b - c))
  | _, _ => Float.Inan
  end.

(** The product of [a, b], finite numbers that are not negative, and [c, d]. All are such numbers
    behind a ReLU or an exponential, and many are 0. *)
Definition mul_non_neg (a b c d : float) : I.type :=
  if (b <=? 0)%float then Float.Ibnd 0%float 0%float
  else Float.Ibnd (next_down ((if (0 <=? c)%float then a else b) * c))
                  (next_up ((if (d <? 0)%float then a else b) * d)).

Definition mul_interval (x y : I.type) : I.type :=
  match x, y with
  | Float.Ibnd a b, Float.Ibnd c d =>
      if (0 <=? a)%float then
        if (b <? infinity)%float then mul_non_neg a b c d else I.mul prec x y
      else if (0 <=? c)%float then
        if (d <? infinity)%float then mul_non_neg c d a b else I.mul prec x y
      else I.mul prec x y
  | _, _ => Float.Inan
  end.

Definition join_interval (x y : I.type) : I.type :=
  match x, y with
  | Float.Ibnd a b, Float.Ibnd c d =>
      Float.Ibnd (if (a <=? c)%float then a else if (c <=? a)%float then c else nan)
                 (if (d <=? b)%float then b else if (b <=? d)%float then d else nan)
  | _, _ => Float.Inan
  end.

Definition less_interval (x y : I.type) : bool :=
  match x, y with Float.Ibnd _ b, Float.Ibnd c _ => (b <? c)%float | _, _ => false end.

Definition at_most_interval (x y : I.type) : bool :=
  match x, y with Float.Ibnd _ b, Float.Ibnd c _ => (b <=? c)%float | _, _ => false end.

Definition hardware : enclosures := {|
  T := I.type;
  add := add_interval;
  sub := sub_interval;
  mul := mul_interval;
  div := I.div prec;
  join := join_interval;
  texp := I.exp prec;
  tsqrt := I.sqrt prec;
  of_Z := I.fromZ prec;
  tpi := I.pi prec;
  tunit := tunit (Instances.Hardware.enclosures prec);
  everything := I.nai;
  less := less_interval;
  at_most := at_most_interval;
  upper := Instances.Hardware.upper_bound
|}.
