(** * Floats as lower and as upper bounds of real numbers *)

From Coq Require Import PrimFloat Floats ZArith Reals Lia Lra Bool.
From Flocq Require Import Core.Core.
From Interval Require Import Float.Primitive_ops Interval.Float_full Interval.Interval
  Float.Basic Real.Xreal Float.Sig.
From CompactProofs Require Import Processor.
From CompactProofs Require Instances.
Open Scope R_scope.

Definition is (w : float) (r : R) : Prop := F.toX w = Xreal r.
Definition contains : I.type -> R -> Prop := Instances.Hardware.contains.

(** ** Lower and upper bounds *)

Definition above (l : float) (x : R) : Prop :=
  match F.toX l with Xnan => True | Xreal r => r <= x end.
Definition below (h : float) (x : R) : Prop :=
  match F.toX h with Xnan => True | Xreal r => x <= r end.
Definition lower (l : float) (x : R) : Prop := F.valid_lb l = true /\ above l x.
Definition upper (h : float) (x : R) : Prop := F.valid_ub h = true /\ below h x.

Lemma contains_bnd l h x : contains (Float.Ibnd l h) x <-> lower l x /\ upper h x.
Proof.
  unfold contains, Instances.Hardware.contains, lower, upper, above, below. cbn [I.convert].
  destruct (F.valid_lb l), (F.valid_ub h); cbn; try (split; [intros [? ?]; lra|]);
    try (intros [[? ?] [? ?]]; discriminate). tauto.
Qed.

Lemma toX_0 : F.toX 0%float = Xreal 0.
Proof. reflexivity. Qed.

Lemma contains_0 : contains (Float.Ibnd 0%float 0%float) 0.
Proof.
  apply contains_bnd. unfold lower, upper, above, below. rewrite toX_0.
  repeat split; apply Rle_refl.
Qed.

(** What bounds a number bounds those that lie behind it. *)
Ltac behind :=
  intros [Valid ?] ?; split; [exact Valid|]; unfold above, below in *;
  destruct (F.toX _); [exact I|lra].

Lemma lower_weaker l x y : lower l x -> x <= y -> lower l y.
Proof. behind. Qed.

Lemma upper_weaker h x y : upper h x -> y <= x -> upper h y.
Proof. behind. Qed.

(** ** Comparisons *)

Lemma leb_cmp x y : (x <=? y)%float = match F.cmp x y with Xlt | Xeq => true | _ => false end.
Proof.
  rewrite FloatAxioms.leb_spec. unfold F.cmp. rewrite FloatAxioms.compare_spec. unfold SFleb.
  destruct (SFcompare (Prim2SF x) (Prim2SF y)) as [[]|]; reflexivity.
Qed.

Lemma ltb_cmp x y : (x <? y)%float = match F.cmp x y with Xlt => true | _ => false end.
Proof.
  rewrite FloatAxioms.ltb_spec. unfold F.cmp. rewrite FloatAxioms.compare_spec. unfold SFltb.
  destruct (SFcompare (Prim2SF x) (Prim2SF y)) as [[]|]; reflexivity.
Qed.

Lemma classify_real u r : F.toX u = Xreal r -> F.classify u = Freal.
Proof.
  intros Is. pose proof (F.classify_correct u) as Class. pose proof (F.real_correct u) as Real.
  rewrite Is in Real. rewrite Real in Class. destruct (F.classify u); [reflexivity|discriminate..].
Qed.

Lemma classify_nan u : F.toX u = Xnan -> F.classify u <> Freal.
Proof.
  intros Is Class. pose proof (F.classify_correct u) as C. pose proof (F.real_correct u) as Real.
  rewrite Is in Real. rewrite Real, Class in C. discriminate.
Qed.

Lemma cmp_real x y a b :
  F.toX x = Xreal a -> F.toX y = Xreal b -> F.cmp x y = Xcmp (Xreal a) (Xreal b).
Proof.
  intros IsX IsY.
  now rewrite F.cmp_correct, (classify_real x a IsX), (classify_real y b IsY), IsX, IsY.
Qed.

Lemma sign_real u r : F.toX u = Xreal r -> if (0 <=? u)%float then 0 <= r else r <= 0.
Proof.
  intros Is. rewrite leb_cmp, (cmp_real 0 u 0 r toX_0 Is). cbn.
  destruct (Rcompare_spec 0 r); lra.
Qed.

Lemma real_non_neg u : (0 <=? u)%float = true -> F.valid_lb u = true ->
  exists r, F.toX u = Xreal r /\ 0 <= r.
Proof.
  intros NonNeg Valid. destruct (F.toX u) as [|r] eqn:Is.
  - exfalso. rewrite leb_cmp, F.cmp_correct in NonNeg.
    change (F.classify 0%float) with Freal in NonNeg. cbv iota in NonNeg.
    pose proof (classify_nan u Is) as Not. pose proof (F.valid_lb_correct u) as Lower.
    rewrite Valid in Lower. destruct (F.classify u); try discriminate. now apply Not.
  - exists r. split; [reflexivity|]. pose proof (sign_real u r Is) as Sign.
    now rewrite NonNeg in Sign.
Qed.

Lemma real_neg u : (u <? 0)%float = true -> F.valid_ub u = true ->
  exists r, F.toX u = Xreal r /\ r < 0.
Proof.
  intros Neg Valid. rewrite ltb_cmp in Neg. destruct (F.toX u) as [|r] eqn:Is.
  - exfalso. rewrite F.cmp_correct in Neg. change (F.classify 0%float) with Freal in Neg.
    pose proof (classify_nan u Is) as Not. pose proof (F.valid_ub_correct u) as Upper.
    rewrite Valid in Upper. destruct (F.classify u); try discriminate. now apply Not.
  - exists r. split; [reflexivity|]. rewrite (cmp_real u 0 r 0 Is toX_0) in Neg. cbn in Neg.
    destruct (Rcompare_spec r 0); try discriminate; lra.
Qed.

Lemma real_finite u : (u <? infinity)%float = true -> F.valid_ub u = true ->
  exists r, F.toX u = Xreal r.
Proof.
  intros Finite Valid. destruct (F.toX u) as [|r] eqn:Is; [exfalso|now exists r].
  rewrite ltb_cmp, F.cmp_correct in Finite. pose proof (classify_nan u Is) as Not.
  pose proof (F.valid_ub_correct u) as Upper. rewrite Valid in Upper.
  destruct (F.classify u); try discriminate. now apply Not.
Qed.

Lemma valid_of_real u r : F.toX u = Xreal r -> F.valid_lb u = true /\ F.valid_ub u = true.
Proof.
  intros Is. pose proof (F.valid_lb_correct u) as Lower. pose proof (F.valid_ub_correct u) as Upper.
  rewrite (classify_real u r Is) in Lower, Upper. now rewrite Lower, Upper.
Qed.

(** ** Bounds of a product with an exact number, and of a sum *)

Lemma sign_cases (a : ExtendedR) :
  match a with Xnan => True | Xreal r => 0 <= r \/ r <= 0 end.
Proof. destruct a as [|r]; [exact I|]. destruct (Rle_lt_dec 0 r); [now left|right; lra]. Qed.

Ltac signs := unfold F.is_non_neg_real, F.is_non_pos_real, F.is_non_neg, F.is_non_pos.

(** Bounds u and a of f and g: a product of them, rounded, is a bound of f g. *)
Ltac product rounded correct u f a :=
  let Is := fresh "Is" in let Valid := fresh "Valid" in let Le := fresh "Le" in
  intros Is ? [? ?]; destruct (valid_of_real u f Is); unfold above, below in *;
  destruct (correct prec u a) as [Valid Le];
  [ signs; rewrite Is; pose proof (sign_cases (F.toX a)); destruct (F.toX a); tauto
  | split; [exact Valid|]; unfold above, below; rewrite Is in Le; unfold le_lower in Le;
    destruct (F.toX (rounded prec u a)); [exact I|];
    destruct (F.toX a); cbn in Le; [destruct Le|]; nra ].

Lemma lower_product u a f g : is u f -> 0 <= f -> lower a g -> lower (F.mul_DN prec u a) (f * g).
Proof. product F.mul_DN F.mul_DN_correct u f a. Qed.

Lemma upper_product u b f g : is u f -> 0 <= f -> upper b g -> upper (F.mul_UP prec u b) (f * g).
Proof. product F.mul_UP F.mul_UP_correct u f b. Qed.

Lemma lower_product_neg u b f g :
  is u f -> f <= 0 -> upper b g -> lower (F.mul_DN prec u b) (f * g).
Proof. product F.mul_DN F.mul_DN_correct u f b. Qed.

Lemma upper_product_neg u a f g :
  is u f -> f <= 0 -> lower a g -> upper (F.mul_UP prec u a) (f * g).
Proof. product F.mul_UP F.mul_UP_correct u f a. Qed.

(** Bounds a and b of two numbers: their sum or difference, rounded, is a bound of that of these. *)
Ltac added rounded correct a b :=
  let Valid := fresh "Valid" in let Le := fresh "Le" in
  intros [? ?] [? ?]; destruct (correct prec a b) as [Valid Le]; [assumption..|];
  split; [exact Valid|]; unfold above, below, le_lower in *;
  destruct (F.toX (rounded prec a b)); [exact I|];
  destruct (F.toX a), (F.toX b); cbn in Le; try (now destruct Le); lra.

Lemma lower_sum l m s p : lower l s -> lower m p -> lower (F.add_DN prec l m) (s + p).
Proof. added F.add_DN F.add_DN_correct l m. Qed.

Lemma upper_sum h m s p : upper h s -> upper m p -> upper (F.add_UP prec h m) (s + p).
Proof. added F.add_UP F.add_UP_correct h m. Qed.

Lemma lower_difference l h s p : lower l s -> upper h p -> lower (F.sub_DN prec l h) (s - p).
Proof. added F.sub_DN F.sub_DN_correct l h. Qed.

Lemma upper_difference h l s p : upper h s -> lower l p -> upper (F.sub_UP prec h l) (s - p).
Proof. added F.sub_UP F.sub_UP_correct h l. Qed.

(** ** Exact numbers *)

Lemma exact_bounds v g : is v g -> lower v g /\ upper v g.
Proof.
  intros Is. destruct (valid_of_real v g Is). unfold lower, upper, above, below. rewrite Is.
  repeat split; try assumption; apply Rle_refl.
Qed.

Lemma exact_contained w r : is w r -> contains (Float.Ibnd w w) r.
Proof. intros Is. apply contains_bnd. now apply exact_bounds. Qed.

(** ** Comparisons of bounds *)

(** A float c that lies beyond a bound b is a bound too. *)
Ltac beyond valid c b :=
  let Le := fresh "Le" in let Valid := fresh "Valid" in
  intros Le [Valid ?]; rewrite leb_cmp, F.cmp_correct in Le; unfold lower, upper, above, below in *;
  pose proof (valid c) as Valid_c; pose proof (valid b) as Valid_b;
  pose proof (F.classify_correct c) as Real_c; pose proof (F.classify_correct b) as Real_b;
  rewrite F.real_correct in Real_c, Real_b; rewrite Valid in Valid_b;
  destruct (F.classify c), (F.classify b); try discriminate; rewrite Valid_c;
    split; try reflexivity; destruct (F.toX c) as [|r]; try exact I; try discriminate;
  destruct (F.toX b) as [|s]; [discriminate|]; cbn in Le;
  match type of Le with context [Rcompare ?x ?y] => destruct (Rcompare_spec x y) end;
  try discriminate; lra.

Lemma leb_lower c l x : (c <=? l)%float = true -> lower l x -> lower c x.
Proof. beyond F.valid_lb_correct c l. Qed.

Lemma leb_upper c h x : (h <=? c)%float = true -> upper h x -> upper c x.
Proof. beyond F.valid_ub_correct c h. Qed.

(** Bounds that are compared with success are numbers. *)
Lemma compared_bounds h l x y :
  (match F.cmp h l with Xlt | Xeq => true | _ => false end) = true -> upper h x -> lower l y ->
  exists r s, F.cmp h l = Xcmp (Xreal r) (Xreal s) /\ x <= r /\ s <= y.
Proof.
  intros Le [ValidH Below] [ValidL Above]. rewrite F.cmp_correct in *. unfold below, above in *.
  pose proof (F.valid_ub_correct h) as Upper. pose proof (F.valid_lb_correct l) as Lower.
  pose proof (F.classify_correct h) as RealH. pose proof (F.classify_correct l) as RealL.
  rewrite F.real_correct in RealH, RealL. rewrite ValidH in Upper. rewrite ValidL in Lower.
  destruct (F.classify h), (F.classify l); try discriminate;
    destruct (F.toX h) as [|r]; try discriminate; destruct (F.toX l) as [|s]; try discriminate.
  now exists r, s.
Qed.
