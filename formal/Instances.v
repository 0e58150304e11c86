(** * Instances of the enclosure interface: coq-interval over three formats of numbers

    [Hardware]: binary64 numbers of the processor. Assumes the specification of Coq's primitive floats. The daily one, which Processor.v
    makes faster.
    [Software]: floating-point numbers with BigZ mantissas. Assumes the specification of Coq's primitive 63-bit integers. Some 30 times
    slower.
    [Pure]: floating-point numbers with Z mantissas; assumes nothing of any machine number. Some 100 times slower. *)

From Coq Require Import Reals ZArith Lra.
From Interval Require Import Float.Primitive_ops Float.Specific_ops Float.Specific_bigint Float.Specific_stdz
  Interval.Float Interval.Float_full Interval.Interval Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Enclosure.
Open Scope R_scope.

Module Make (F : FloatOps with Definition radix := Zaux.radix2 with Definition sensible_format := true).
  Module I := FloatIntervalFull F.

  Definition contains (a : I.type) (x : R) : Prop := Interval.contains (I.convert a) (Xreal x).

  Definition upper_bound (a : I.type) : option I.type :=
    if I.upper_bounded a then Some (I.bnd (I.upper a) (I.upper a)) else None.

  Definition enclosures (prec : F.precision) : enclosures := {|
    T := I.type;
    add := I.add prec;
    sub := I.sub prec;
    mul := I.mul prec;
    div := I.div prec;
    join := I.join;
    texp := I.exp prec;
    tsqrt := I.sqrt prec;
    of_Z := I.fromZ prec;
    tpi := I.pi prec;
    tunit := I.bnd (I.F.fromZ (-1)) (I.F.fromZ 1);
    everything := I.nai;
    less := fun a b => match I.sign_strict (I.sub prec a b) with Xlt => true | _ => false end;
    at_most := fun a b => I.subset a (I.lower_complement b);
    upper := upper_bound
  |}.

  Lemma contains_nan i x : Interval.contains i Xnan -> Interval.contains i (Xreal x).
  Proof. destruct i; cbn; [trivial|intros []]. Qed.

  Theorem sound (prec : F.precision) : sound (enclosures prec) contains.
  Proof.
    constructor; cbn; unfold contains; intros.
    - now apply (I.add_correct prec a b (Xreal x) (Xreal y)).
    - now apply (I.sub_correct prec a b (Xreal x) (Xreal y)).
    - now apply (I.mul_correct prec a b (Xreal x) (Xreal y)).
    - pose proof (I.div_correct prec a b (Xreal x) (Xreal y) H H0) as D. cbn in D. unfold Xdiv' in D.
      destruct (is_zero y); [now apply contains_nan|exact D].
    - apply I.join_correct. now left.
    - apply I.join_correct. now right.
    - now apply (I.exp_correct prec a (Xreal x)).
    - now apply (I.sqrt_correct prec a (Xreal x)).
    - apply I.fromZ_correct.
    - apply I.pi_correct.
    - assert (Small : forall n, (Z.abs n <= 256)%Z -> I.F.toX (I.F.fromZ n) = Xreal (IZR n))
        by (intros; now apply F.fromZ_correct).
      rewrite I.bnd_correct, !Small by (try (unfold I.valid_lb; apply I.valid_lb_real);
        try (unfold I.valid_ub; apply I.valid_ub_real); rewrite ?Small; easy).
      exact H.
    - change (Interval.contains (I.convert I.nai) (Xreal x)). now rewrite I.nai_correct.
    - destruct (I.sign_strict (I.sub prec a b)) eqn:E; try discriminate.
      pose proof (I.sign_strict_correct (I.sub prec a b)) as C. rewrite E in C.
      destruct (C _ (I.sub_correct prec a b (Xreal x) (Xreal y) H0 H1)) as [_ C']. cbn in C'. now apply Rminus_lt.
    - apply (I.lower_complement_correct b y x); [assumption|]. now apply (I.subset_correct a).
    - unfold upper_bound in H. destruct (I.upper_bounded a) eqn:E; [|discriminate]. injection H as <-.
      destruct (I.upper_bounded_correct a E) as [U _]. set (u := proj_val (I.F.toX (I.upper a))) in U. exists u.
      assert (Vl : I.valid_lb (I.upper a)) by (unfold I.valid_lb; apply I.valid_lb_real; exact U).
      assert (Vu : I.valid_ub (I.upper a)) by (unfold I.valid_ub; apply I.valid_ub_real; exact U).
      split.
      + rewrite I.bnd_correct, U by assumption. cbn. lra.
      + intros x Hx. pose proof (I.upper_correct a) as C. rewrite U in C.
        assert (NE : not_empty (I.convert a)) by (exists x; exact Hx). specialize (C NE).
        destruct (I.convert a) as [|l h]; [discriminate|]. cbn in C, Hx. destruct Hx as [_ Hx]. rewrite <- C in Hx. exact Hx.
  Qed.
End Make.

Module Hardware := Make PrimitiveFloat.
Module BigFloat := SpecificFloat BigIntRadix2.
Module Software := Make BigFloat.
Module ZFloat := SpecificFloat StdZRadix2.
Module Pure := Make ZFloat.

Definition software := Software.enclosures (BigFloat.PtoP 53).
Definition pure := Pure.enclosures (ZFloat.PtoP 53).
