(** * What the evaluator of networks computes with

    As Enclosure.v, with exact numbers (the weights) beside enclosures, products of the two kinds,
    and sums of many terms: the operations on which all time is spent. [plain] makes such an
    arithmetic of any enclosures; Machine.v has a faster one on the processor's numbers. *)

From Coq Require Import Uint63 Ring63 ZArith Reals List Lia Lra.
From CompactProofs Require Import Network Arrays ErfEnclosure Rows.
From CompactProofs Require Enclosure.
Import ListNotations.
Open Scope R_scope.

Record arithmetic := {
  T : Type;                      (* enclosures *)
  W : Type;                      (* exact numbers *)
  exact : Z -> nat -> option W;  (* z / 2 ^ n, if it is one *)
  of_W : W -> T;
  of_Z : Z -> T;
  tpi : T;
  add : T -> T -> T;
  sub : T -> T -> T;
  mul : T -> T -> T;
  scale : W -> T -> T;           (* w * x *)
  multiply : W -> W -> T;        (* v * w *)
  div : T -> T -> T;
  trelu : T -> T;
  texp : T -> T;
  tsqrt : T -> T;
  terf : T -> T;
  join : T -> T -> T;            (* the hull of two enclosures *)
  everything : T;                (* encloses every number *)
  less : T -> T -> bool;         (* provably less *)
  (* sum over k < n of f (i + k * si) (j + k * sj) *)
  total : nat -> (int -> int -> T) -> int -> int -> int -> int -> T;
  matrix : Type;                 (* matrices by which rows are multiplied fast *)
  matrix_of : list (list T) -> option matrix;    (* from its rows, if it is worth while *)
  apply : matrix -> nat -> list T -> list T      (* a row times a matrix of so many columns *)
}.

Record sound (A : arithmetic) (is : W A -> R -> Prop) (contains : T A -> R -> Prop) : Prop := {
  sound_exact : forall z n w, exact A z n = Some w -> is w (IZR z / 2 ^ n);
  sound_of_W : forall w r, is w r -> contains (of_W A w) r;
  sound_of_Z : forall z, contains (of_Z A z) (IZR z);
  sound_pi : contains (tpi A) PI;
  sound_add : forall a b x y, contains a x -> contains b y -> contains (add A a b) (x + y);
  sound_sub : forall a b x y, contains a x -> contains b y -> contains (sub A a b) (x - y);
  sound_mul : forall a b x y, contains a x -> contains b y -> contains (mul A a b) (x * y);
  sound_scale : forall w a x y, is w x -> contains a y -> contains (scale A w a) (x * y);
  sound_multiply : forall v w x y, is v x -> is w y -> contains (multiply A v w) (x * y);
  sound_div : forall a b x y, contains a x -> contains b y -> contains (div A a b) (x / y);
  sound_relu : forall a x, contains a x -> contains (trelu A a) (Rmax 0 x);
  sound_exp : forall a x, contains a x -> contains (texp A a) (exp x);
  sound_sqrt : forall a x, contains a x -> contains (tsqrt A a) (sqrt x);
  sound_erf : forall a x, contains a x -> contains (terf A a) (erf x);
  sound_join_l : forall a b x, contains a x -> contains (join A a b) x;
  sound_join_r : forall a b x, contains b x -> contains (join A a b) x;
  sound_everything : forall x, contains (everything A) x;
  sound_less : forall a b x y, less A a b = true -> contains a x -> contains b y -> x < y;
  sound_total : forall n f i si j sj g,
    (forall k, (k < n)%nat -> contains (f (i + int_of k * si) (j + int_of k * sj))%uint63 (g k)) ->
    contains (total A n f i si j sj) (sum n g);
  sound_apply : forall rows M row n m f g, matrix_of A rows = Some M ->
    encloses (contains := contains) row f (seq 0 n) ->
    Forall2 (fun row k => encloses (contains := contains) row (g k) (seq 0 m)) rows (seq 0 n) ->
    encloses (contains := contains) (apply A M m row) (fun j => sum n (fun k => f k * g k j))
      (seq 0 m)
}.

(** ** Sums along strides *)

Lemma stride_0 i s : (i + int_of 0 * s = i)%uint63.
Proof. change (int_of 0) with 0%uint63. ring. Qed.

Lemma stride_S i s k : (i + int_of (S k) * s = (i + s) + int_of k * s)%uint63.
Proof. rewrite <- Nat.add_1_r, int_of_add. change (int_of 1) with 1%uint63. ring. Qed.

Lemma sum_first n f : sum (S n) f = f 0%nat + sum n (fun k => f (S k)).
Proof. unfold sum. cbn [seq map fold_right]. now rewrite <- seq_shift, map_map. Qed.

Lemma sum_equal n f g : (forall k, (k < n)%nat -> f k = g k) -> sum n f = sum n g.
Proof.
  intros Same. unfold sum. f_equal. apply map_ext_in. intros k In. apply in_seq in In.
  apply Same. lia.
Qed.

(** ** The arithmetic of any enclosures: exact numbers are enclosures of themselves *)

Module E := Enclosure.

Section Plain.
  Context {A : E.enclosures} {contains : E.T A -> R -> Prop} (Sd : E.sound A contains).
  Implicit Types (a : E.T A) (x : R).

  Definition relu_enclosure a : E.T A :=
    if E.at_most A (E.of_Z A 0) a then a
    else if E.at_most A a (E.of_Z A 0) then E.of_Z A 0
    else E.join A (E.of_Z A 0) a.

  Fixpoint total_enclosure (n : nat) (f : int -> int -> E.T A) (i si j sj : int) : E.T A :=
    match n with
    | O => E.of_Z A 0
    | S n => E.add A (f i j) (total_enclosure n f (i + si)%uint63 si (j + sj)%uint63 sj)
    end.

  Definition plain : arithmetic := {|
    T := E.T A;
    W := E.T A;
    exact := fun z n => Some (E.div A (E.of_Z A z) (E.of_Z A (2 ^ Z.of_nat n)));
    of_W := fun w => w;
    of_Z := E.of_Z A;
    tpi := E.tpi A;
    add := E.add A;
    sub := E.sub A;
    mul := E.mul A;
    scale := E.mul A;
    multiply := E.mul A;
    div := E.div A;
    trelu := relu_enclosure;
    texp := E.texp A;
    tsqrt := E.tsqrt A;
    terf := erf_enclosure (A := A);
    join := E.join A;
    everything := E.everything A;
    less := E.less A;
    total := total_enclosure;
    matrix := unit;
    matrix_of := fun _ => None;
    apply := fun _ _ _ => []
  |}.

  Lemma relu_enclosure_sound a x : contains a x -> contains (relu_enclosure a) (Rmax 0 x).
  Proof using Sd.
    intros In. assert (Zero : contains (E.of_Z A 0) 0) by apply (E.sound_of_Z _ _ Sd).
    unfold relu_enclosure. destruct (E.at_most A (E.of_Z A 0) a) eqn:Above.
    - pose proof (E.sound_at_most _ _ Sd _ _ _ _ Above Zero In). now rewrite Rmax_right.
    - destruct (E.at_most A a (E.of_Z A 0)) eqn:Below.
      + pose proof (E.sound_at_most _ _ Sd _ _ _ _ Below In Zero). now rewrite Rmax_left.
      + unfold Rmax. destruct (Rle_dec 0 x).
        * now apply (E.sound_join_r _ _ Sd).
        * now apply (E.sound_join_l _ _ Sd).
  Qed.

  Lemma total_enclosure_sound n f si sj : forall i j g,
    (forall k, (k < n)%nat -> contains (f (i + int_of k * si) (j + int_of k * sj))%uint63 (g k)) ->
    contains (total_enclosure n f i si j sj) (sum n g).
  Proof using Sd.
    induction n as [|n IH]; intros i j g Terms; cbn [total_enclosure].
    - apply (E.sound_of_Z _ _ Sd).
    - rewrite sum_first. apply (E.sound_add _ _ Sd).
      + pose proof (Terms 0%nat ltac:(lia)) as First. now rewrite !stride_0 in First.
      + apply (IH _ _ (fun k => g (S k))). intros k Before. rewrite <- !stride_S.
        apply Terms. lia.
  Qed.

  Theorem plain_sound : sound plain contains contains.
  Proof using Sd.
    constructor; cbn -[Z.pow].
    - intros z n w Is. injection Is as <-. rewrite pow_IZR.
      apply (E.sound_div _ _ Sd); apply (E.sound_of_Z _ _ Sd).
    - trivial.
    - apply (E.sound_of_Z _ _ Sd).
    - apply (E.sound_pi _ _ Sd).
    - apply (E.sound_add _ _ Sd).
    - apply (E.sound_sub _ _ Sd).
    - apply (E.sound_mul _ _ Sd).
    - apply (E.sound_mul _ _ Sd).
    - apply (E.sound_mul _ _ Sd).
    - apply (E.sound_div _ _ Sd).
    - apply relu_enclosure_sound.
    - apply (E.sound_exp _ _ Sd).
    - apply (E.sound_sqrt _ _ Sd).
    - apply (erf_enclosure_sound Sd).
    - apply (E.sound_join_l _ _ Sd).
    - apply (E.sound_join_r _ _ Sd).
    - apply (E.sound_everything _ _ Sd).
    - apply (E.sound_less _ _ Sd).
    - intros. now apply total_enclosure_sound.
    - discriminate.
  Qed.
End Plain.
