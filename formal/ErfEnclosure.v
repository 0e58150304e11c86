(** * Enclosures of the error function *)

From Coq Require Import Reals ZArith Bool Lia Lra.
From Coquelicot Require Import Rcomplements RInt.
From CompactProofs Require Import Network Erf.
From CompactProofs Require Enclosure.
Module X := Enclosure.
Open Scope R_scope.

Section Enclosures.
  Context {A : X.enclosures} {contains : X.T A -> R -> Prop} (Sd : X.sound A contains).
  Notation T := (X.T A).

  (** E x without the first k terms of its series; n more of them are taken. [p] is term number k
      times 2 k + 1, [y] is - x^2. *)
  Fixpoint series (n k : nat) (p y : T) : T :=
    let term := X.div A p (X.of_Z A (2 * Z.of_nat k + 1)) in
    match n with
    | O => X.mul A term (X.tunit A)
    | S n =>
        X.add A term
          (series n (S k) (X.div A (X.mul A p y) (X.of_Z A (Z.of_nat (S k)))) y)
    end.

  Definition within (n : Z) (a : T) : bool :=
    X.at_most A a (X.of_Z A n) && X.at_most A (X.of_Z A (- n)) a.

  Definition by_series (n : nat) (a : T) : T :=
    series n 0 a (X.sub A (X.of_Z A 0) (X.mul A a a)).

  Definition tail : T :=
    X.add A (by_series 120 (X.of_Z A 4))
      (X.mul A (X.div A (X.texp A (X.of_Z A (-16))) (X.of_Z A 4)) (X.tunit A)).

  Definition integral (a : T) : T :=
    if within 1 a then by_series 20 a
    else if within 2 a then by_series 45 a
    else if X.at_most A (X.of_Z A 4) a then tail
    else if X.at_most A a (X.of_Z A (-4)) then X.sub A (X.of_Z A 0) tail
    else by_series 120 a.

  Definition erf_enclosure (a : T) : T :=
    X.mul A (X.div A (X.of_Z A 2) (X.tsqrt A (X.tpi A))) (integral a).

  (** ** Soundness *)

  Definition numerator (k : nat) (x : R) : R := (-1) ^ k * x ^ (2 * k + 1) / INR (fact k).

  Lemma odd_Z k : IZR (2 * Z.of_nat k + 1) = INR (2 * k + 1).
  Proof using. rewrite INR_IZR_INZ. f_equal. lia. Qed.

  Lemma series_sound n x y : contains y (- (x * x)) -> forall k p,
    contains p (numerator k x) -> contains (series n k p y) (E x - Q k x).
  Proof using Sd.
    intros Square. induction n as [|n IH]; intros k p Here; cbn [series];
      assert (Term : contains (X.div A p (X.of_Z A (2 * Z.of_nat k + 1)))
                              (numerator k x / INR (2 * k + 1)))
        by (apply (X.sound_div _ _ Sd); [exact Here|]; rewrite <- odd_Z;
            apply (X.sound_of_Z _ _ Sd));
      pose proof (fact_pos k); pose proof (odd_pos k).
    - destruct (E_series k x) as [u [Unit Same]].
      replace (E x - Q k x) with (numerator k x / INR (2 * k + 1) * ((-1) ^ k * u)).
      + apply (X.sound_mul _ _ Sd); [exact Term|]. apply (X.sound_unit _ _ Sd).
        apply Rabs_le_between. rewrite Rabs_mult, pow_1_abs, Rmult_1_l. now apply Rabs_le.
      + rewrite Same. unfold numerator, remainder.
        assert (Sign : (-1) ^ k * (-1) ^ k = 1)
          by (rewrite <- Rpow_mult_distr; replace (-1 * -1) with 1 by ring; apply pow1).
        transitivity ((-1) ^ k * (-1) ^ k * (x ^ (2 * k + 1) * u / (INR (fact k) *
          INR (2 * k + 1)))); [field; lra|rewrite Sign; field; lra].
    - replace (E x - Q k x) with (numerator k x / INR (2 * k + 1) + (E x - Q (S k) x))
        by (cbn [Q]; unfold numerator; field; lra).
      apply (X.sound_add _ _ Sd); [exact Term|]. apply IH.
      replace (numerator (S k) x) with (numerator k x * - (x * x) / IZR (Z.of_nat (S k))).
      + apply (X.sound_div _ _ Sd); [now apply (X.sound_mul _ _ Sd)|].
        apply (X.sound_of_Z _ _ Sd).
      + rewrite <- INR_IZR_INZ. unfold numerator. rewrite fact_S. pose proof (S_pos k).
        replace (2 * S k + 1)%nat with (S (S (2 * k + 1))) by lia. cbn [pow]. field. lra.
  Qed.

  Lemma by_series_sound n a x : contains a x -> contains (by_series n a) (E x).
  Proof using Sd.
    intros In. unfold by_series. rewrite <- (Rminus_0_r (E x)).
    apply (series_sound n x) with (k := O).
    - replace (- (x * x)) with (0 - x * x) by ring.
      apply (X.sound_sub _ _ Sd); [apply (X.sound_of_Z _ _ Sd)|now apply (X.sound_mul _ _ Sd)].
    - unfold numerator. cbn. replace (1 * (x * 1) / 1) with x by field. exact In.
  Qed.

  Lemma tail_sound x : 4 <= x -> contains tail (E x).
  Proof using Sd.
    intros Le. destruct (E_tail x Le) as [Low High]. pose proof (exp_pos (-16)) as Pos.
    replace (E x) with (E 4 + exp (-16) / 4 * ((E x - E 4) / (exp (-16) / 4))) by (field; lra).
    apply (X.sound_add _ _ Sd); [apply by_series_sound, (X.sound_of_Z _ _ Sd)|].
    apply (X.sound_mul _ _ Sd).
    - apply (X.sound_div _ _ Sd); [apply (X.sound_exp _ _ Sd)|]; apply (X.sound_of_Z _ _ Sd).
    - apply (X.sound_unit _ _ Sd). split.
      + apply Rle_trans with 0; [lra|]. apply Rmult_le_pos; [lra|].
        left. apply Rinv_0_lt_compat. lra.
      + apply Rmult_le_reg_r with (exp (-16) / 4); [lra|]. unfold Rdiv at 1.
        rewrite Rmult_assoc, Rinv_l by lra. lra.
  Qed.

  Lemma integral_sound a x : contains a x -> contains (integral a) (E x).
  Proof using Sd.
    intros In. unfold integral. destruct (within 1 a); [now apply by_series_sound|].
    destruct (within 2 a); [now apply by_series_sound|].
    destruct (X.at_most A (X.of_Z A 4) a) eqn:Above.
    - apply tail_sound. exact (X.sound_at_most _ _ Sd _ _ _ _ Above (X.sound_of_Z _ _ Sd 4) In).
    - destruct (X.at_most A a (X.of_Z A (-4))) eqn:Below; [|now apply by_series_sound].
      pose proof (X.sound_at_most _ _ Sd _ _ _ _ Below In (X.sound_of_Z _ _ Sd (-4))) as Le.
      replace (E x) with (0 - E (- x)) by (rewrite E_odd; ring).
      apply (X.sound_sub _ _ Sd); [apply (X.sound_of_Z _ _ Sd)|]. apply tail_sound. lra.
  Qed.

  Theorem erf_enclosure_sound a x : contains a x -> contains (erf_enclosure a) (erf x).
  Proof using Sd.
    intros In. unfold erf_enclosure, erf. apply (X.sound_mul _ _ Sd).
    - apply (X.sound_div _ _ Sd); [apply (X.sound_of_Z _ _ Sd)|].
      apply (X.sound_sqrt _ _ Sd), (X.sound_pi _ _ Sd).
    - exact (integral_sound a x In).
  Qed.
End Enclosures.
