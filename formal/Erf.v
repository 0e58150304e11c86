(** * The error function: bounds from its series and its tail

    E x is the integral of exp (- s^2) from 0 to x. By its series it differs from

        Q n x = sum_(k < n) (-1)^k x^(2k+1) / (k! (2k+1))

    by at most |x|^(2n+1) / (n! (2n+1)); beyond 4 it grows by at most exp (-16) / 4. *)

From Coq Require Import Reals Lra Lia.
Set Warnings "-ambiguous-paths".
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.

Definition gauss (s : R) : R := exp (- (s * s)).
Definition E (x : R) : R := RInt gauss 0 x.

(** ** A function whose derivative is not negative *)

Lemma increases f df a b : a <= b ->
  (forall x, a <= x <= b -> is_derive f x (df x)) -> (forall x, a <= x <= b -> 0 <= df x) ->
  f a <= f b.
Proof.
  intros Le Derive Pos.
  destruct (MVT_gen f a b df) as [c [In Same]].
  - intros x In. rewrite Rmin_left, Rmax_right in In by exact Le. apply Derive. lra.
  - intros x In. rewrite Rmin_left, Rmax_right in In by exact Le.
    apply derivable_continuous_pt. exists (df x). apply is_derive_Reals. now apply Derive.
  - rewrite Rmin_left, Rmax_right in In by exact Le.
    assert (0 <= df c * (b - a)) by (apply Rmult_le_pos; [now apply Pos|lra]). lra.
Qed.

Lemma continuous_gauss s : continuous gauss s.
Proof.
  apply (ex_derive_continuous gauss s). exists (- (1 * s + s * 1) * exp (- (s * s))).
  unfold gauss. auto_derive; [trivial|ring].
Qed.

Lemma derive_E x : is_derive E x (gauss x).
Proof.
  unfold E. apply (is_derive_RInt gauss (RInt gauss 0) 0); [|apply continuous_gauss].
  apply filter_forall. intros y. apply (RInt_correct gauss 0 y).
  apply (ex_RInt_continuous gauss 0 y). intros s _. apply continuous_gauss.
Qed.

Lemma E_0 : E 0 = 0.
Proof. unfold E. now rewrite RInt_point. Qed.

(** ** exp (- u) by its series *)

Fixpoint P (n : nat) (u : R) : R :=
  match n with O => 0 | S n => P n u + (- u) ^ n / INR (fact n) end.

Lemma fact_pos n : 0 < INR (fact n).
Proof. apply lt_0_INR, lt_O_fact. Qed.

Lemma fact_S n : INR (fact (S n)) = INR (S n) * INR (fact n).
Proof. now rewrite <- mult_INR. Qed.

Lemma S_pos n : 0 < INR (S n).
Proof. apply lt_0_INR. lia. Qed.

Lemma derive_power s n u :
  is_derive (fun u => (s * u) ^ S n / INR (fact (S n))) u (s * ((s * u) ^ n / INR (fact n))).
Proof.
  apply (is_derive_ext (fun u => scal (/ INR (fact (S n))) ((s * u) ^ S n))).
  - intros x. unfold scal; cbn -[pow fact INR]; unfold mult; cbn -[pow fact INR].
    unfold Rdiv. apply Rmult_comm.
  - replace (s * ((s * u) ^ n / INR (fact n)))
      with (scal (/ INR (fact (S n))) (INR (S n) * s * (s * u) ^ pred (S n))).
    + apply is_derive_scal, is_derive_pow. auto_derive; [trivial|ring].
    + unfold scal; cbn -[pow fact INR]; unfold mult; cbn -[pow fact INR]. rewrite fact_S.
      pose proof (fact_pos n). pose proof (S_pos n). field. split; lra.
Qed.

Lemma derive_P n u : is_derive (P (S n)) u (- P n u).
Proof.
  induction n as [|n IH].
  - cbn. auto_derive; [trivial|field].
  - change (is_derive (fun u => P (S n) u + (- u) ^ S n / INR (fact (S n))) u
      (- (P n u + (- u) ^ n / INR (fact n)))).
    apply (is_derive_ext (fun u => plus (P (S n) u) ((- u) ^ S n / INR (fact (S n)))));
      [reflexivity|].
    replace (- (P n u + (- u) ^ n / INR (fact n)))
      with (plus (- P n u) (- ((- u) ^ n / INR (fact n)))) by (unfold plus; cbn; ring).
    apply (is_derive_plus (P (S n))); [exact IH|].
    replace (- ((- u) ^ n / INR (fact n))) with (-1 * ((-1 * u) ^ n / INR (fact n)))
      by (replace (-1 * u) with (- u) by ring; ring).
    apply (is_derive_ext (fun u => (-1 * u) ^ S n / INR (fact (S n)))); [|apply derive_power].
    intros x. now replace (-1 * x) with (- x) by ring.
Qed.

Lemma P_0 n : P (S n) 0 = 1.
Proof.
  induction n as [|n IH]; [cbn; field|]. change (P (S n) 0 + (- 0) ^ S n / INR (fact (S n)) = 1).
  rewrite IH. cbn [pow]. rewrite Ropp_0. unfold Rdiv. ring.
Qed.

Definition rest (n : nat) (u : R) : R := (-1) ^ n * (exp (- u) - P n u).

Lemma derive_rest n u : is_derive (rest (S n)) u (rest n u).
Proof.
  unfold rest.
  replace ((-1) ^ n * (exp (- u) - P n u))
    with (scal ((-1) ^ S n) (minus (- exp (- u)) (- P n u)))
    by (unfold scal, minus, plus, opp; cbn; unfold mult; cbn; ring).
  apply (is_derive_scal (fun u => exp (- u) - P (S n) u)).
  apply (is_derive_minus (fun u => exp (- u)) (P (S n))); [|apply derive_P].
  auto_derive; [trivial|ring].
Qed.

Lemma rest_bounds n : forall u, 0 <= u -> 0 <= rest n u <= u ^ n / INR (fact n).
Proof.
  induction n as [|n IH]; intros u Pos.
  - unfold rest. cbn. split; [pose proof (exp_pos (- u)); lra|].
    assert (Below : exp (- u) <= exp 0)
      by (destruct Pos; [left; apply exp_increasing; lra|right; f_equal; lra]).
    rewrite exp_0 in Below. lra.
  - assert (Zero : rest (S n) 0 = 0) by (unfold rest; rewrite P_0, Ropp_0, exp_0; ring).
    split.
    + rewrite <- Zero. apply (increases (rest (S n)) (rest n)); [exact Pos| |].
      * intros x _. apply derive_rest.
      * intros x In. apply IH. lra.
    + enough (0 <= u ^ S n / INR (fact (S n)) - rest (S n) u) by lra.
      replace 0 with (0 ^ S n / INR (fact (S n)) - rest (S n) 0)
        by (rewrite Zero; cbn [pow]; unfold Rdiv; ring).
      apply (increases (fun u => u ^ S n / INR (fact (S n)) - rest (S n) u)
                       (fun u => u ^ n / INR (fact n) - rest n u)); [exact Pos| |].
      * intros x _. apply (is_derive_minus (fun u => u ^ S n / INR (fact (S n))) (rest (S n)));
          [|apply derive_rest].
        replace (x ^ n / INR (fact n)) with (1 * ((1 * x) ^ n / INR (fact n)))
          by (rewrite !Rmult_1_l; reflexivity).
        apply (is_derive_ext (fun u => (1 * u) ^ S n / INR (fact (S n)))); [|apply derive_power].
        intros y. now rewrite Rmult_1_l.
      * intros x In. assert (0 <= rest n x <= x ^ n / INR (fact n)) by (apply IH; lra). lra.
Qed.

Lemma exp_series n u : 0 <= u -> Rabs (exp (- u) - P n u) <= u ^ n / INR (fact n).
Proof.
  intros Pos. pose proof (rest_bounds n u Pos) as Bounds. unfold rest in Bounds.
  rewrite <- (Rmult_1_l (Rabs _)), <- (pow_1_abs n), <- Rabs_mult. apply Rabs_le. lra.
Qed.

(** ** The series of E *)

Fixpoint Q (n : nat) (x : R) : R :=
  match n with
  | O => 0
  | S n => Q n x + (-1) ^ n * x ^ (2 * n + 1) / (INR (fact n) * INR (2 * n + 1))
  end.

Lemma odd_pos n : 0 < INR (2 * n + 1).
Proof. apply lt_0_INR. lia. Qed.

Lemma derive_odd_power n c x :
  is_derive (fun x => c * x ^ (2 * n + 1) / (INR (fact n) * INR (2 * n + 1))) x
            (c * (x * x) ^ n / INR (fact n)).
Proof.
  pose proof (fact_pos n). pose proof (odd_pos n).
  apply (is_derive_ext (fun x => scal (c / (INR (fact n) * INR (2 * n + 1))) (x ^ (2 * n + 1)))).
  - intros y. unfold scal; cbn -[pow fact INR Nat.mul Nat.add]; unfold mult;
      cbn -[pow fact INR Nat.mul Nat.add]. field. split; lra.
  - replace (c * (x * x) ^ n / INR (fact n))
      with (scal (c / (INR (fact n) * INR (2 * n + 1)))
                 (INR (2 * n + 1) * 1 * x ^ pred (2 * n + 1))).
    + apply is_derive_scal, is_derive_pow. auto_derive; [trivial|ring].
    + replace (pred (2 * n + 1)) with (2 * n)%nat by lia.
      replace ((x * x) ^ n) with (x ^ (2 * n))
        by (rewrite pow_mult; f_equal; cbn; ring).
      unfold scal; cbn -[pow fact INR Nat.mul Nat.add]; unfold mult;
        cbn -[pow fact INR Nat.mul Nat.add]. field. split; lra.
Qed.

Lemma derive_Q n x : is_derive (Q n) x (P n (x * x)).
Proof.
  induction n as [|n IH]; [cbn [Q P]; auto_derive; [trivial|reflexivity]|]. cbn [P].
  apply (is_derive_ext (fun x => plus (Q n x)
    ((-1) ^ n * x ^ (2 * n + 1) / (INR (fact n) * INR (2 * n + 1))))); [reflexivity|].
  apply (is_derive_plus (Q n)); [exact IH|].
  replace ((- (x * x)) ^ n) with ((-1) ^ n * (x * x) ^ n)
    by (rewrite <- Rpow_mult_distr; f_equal; ring).
  apply derive_odd_power.
Qed.

Lemma Q_0 n : Q n 0 = 0.
Proof.
  induction n as [|n IH]; [reflexivity|]. cbn [Q]. rewrite IH.
  replace (0 ^ (2 * n + 1)) with 0 by (rewrite pow_i by lia; reflexivity). unfold Rdiv. ring.
Qed.

Definition remainder (n : nat) (x : R) : R := x ^ (2 * n + 1) / (INR (fact n) * INR (2 * n + 1)).

Lemma E_signed n s x : Rabs s <= 1 ->
  (0 <= x -> s * (E x - Q n x) <= remainder n x) /\ (x <= 0 -> remainder n x <= s * (E x - Q n x)).
Proof.
  intros Sign. set (f := fun x => remainder n x - s * (E x - Q n x)).
  assert (Zero : f 0 = 0).
  { unfold f, remainder. rewrite E_0, Q_0, pow_i by lia. unfold Rdiv. ring. }
  assert (Derive : forall x, is_derive f x
    ((x * x) ^ n / INR (fact n) - s * (gauss x - P n (x * x)))).
  { intros y. apply (is_derive_minus (remainder n) (fun x => s * (E x - Q n x))).
    - apply (is_derive_ext (fun x => 1 * x ^ (2 * n + 1) / (INR (fact n) * INR (2 * n + 1))));
        [intros z; unfold remainder; now rewrite Rmult_1_l|].
      replace ((y * y) ^ n / INR (fact n)) with (1 * (y * y) ^ n / INR (fact n))
        by now rewrite Rmult_1_l.
      apply derive_odd_power.
    - apply (is_derive_scal (fun x => E x - Q n x)).
      apply (is_derive_minus E (Q n)); [apply derive_E|apply derive_Q]. }
  assert (Pos : forall x, 0 <= (x * x) ^ n / INR (fact n) - s * (gauss x - P n (x * x))).
  { intros y. pose proof (exp_series n (y * y) (Rle_0_sqr y)) as Series.
    assert (Rabs (s * (gauss y - P n (y * y))) <= (y * y) ^ n / INR (fact n)).
    { rewrite Rabs_mult. rewrite <- (Rmult_1_l ((y * y) ^ n / INR (fact n))).
      apply Rmult_le_compat; auto using Rabs_pos. }
    pose proof (Rle_abs (s * (gauss y - P n (y * y)))). lra. }
  split; intros Le.
  - pose proof (increases f _ 0 x Le (fun y _ => Derive y) (fun y _ => Pos y)).
    rewrite Zero in H. unfold f in H. lra.
  - pose proof (increases f _ x 0 Le (fun y _ => Derive y) (fun y _ => Pos y)).
    rewrite Zero in H. unfold f in H. lra.
Qed.

(** E x is Q n x plus a share between -1 and 1 of the remainder. *)
Theorem E_series n x : exists u, -1 <= u <= 1 /\ E x = Q n x + remainder n x * u.
Proof.
  destruct (E_signed n 1 x) as [Up Up']; [rewrite Rabs_R1; lra|].
  destruct (E_signed n (-1) x) as [Down Down']; [rewrite Rabs_left; lra|].
  assert (Bound : Rabs (E x - Q n x) <= Rabs (remainder n x)).
  { destruct (Rle_dec 0 x) as [Pos|Neg].
    - specialize (Up Pos). specialize (Down Pos). rewrite (Rabs_right (remainder n x)) by lra.
      apply Rabs_le. lra.
    - specialize (Up' ltac:(lra)). specialize (Down' ltac:(lra)).
      rewrite (Rabs_left1 (remainder n x)) by lra. apply Rabs_le. lra. }
  destruct (Req_dec (remainder n x) 0) as [Zero|Other].
  - exists 0. split; [lra|]. rewrite Zero, Rabs_R0 in Bound.
    pose proof (Rabs_pos (E x - Q n x)). assert (Same : Rabs (E x - Q n x) = 0) by lra.
    apply Rabs_eq_0 in Same. rewrite Zero. lra.
  - exists ((E x - Q n x) / remainder n x). split; [|field; exact Other].
    apply Rabs_le_between. unfold Rdiv. rewrite Rabs_mult, Rabs_inv.
    apply (Rmult_le_reg_r (Rabs (remainder n x))); [now apply Rabs_pos_lt|].
    rewrite Rmult_assoc, Rinv_l by now apply Rabs_no_R0. lra.
Qed.

(** ** The tail *)

Lemma tail_derive x : is_derive (fun s => - exp (- (4 * s)) / 4) x (exp (- (4 * x))).
Proof. auto_derive; [trivial|field]. Qed.

Lemma gauss_below x : 4 <= x -> 0 <= gauss x <= exp (- (4 * x)).
Proof.
  intros Le. unfold gauss. split; [left; apply exp_pos|].
  destruct (Req_dec x 4) as [->|]; [apply Req_le; f_equal; ring|].
  left. apply exp_increasing. nra.
Qed.

Theorem E_tail x : 4 <= x -> E 4 <= E x <= E 4 + exp (- 16) / 4.
Proof.
  intros Le. split.
  - apply (increases E gauss); [exact Le|intros; apply derive_E|]. intros y In.
    now apply gauss_below.
  - pose proof (increases (fun s => - exp (- (4 * s)) / 4 - E s)
      (fun s => exp (- (4 * s)) - gauss s) 4 x Le) as Up.
    assert (Step : - exp (- (4 * 4)) / 4 - E 4 <= - exp (- (4 * x)) / 4 - E x).
    { apply Up.
      - intros y _. apply (is_derive_minus (fun s => - exp (- (4 * s)) / 4) E);
          [apply tail_derive|apply derive_E].
      - intros y In. pose proof (gauss_below y (proj1 In)). lra. }
    replace (- (4 * 4)) with (- 16) in Step by ring. pose proof (exp_pos (- (4 * x))). lra.
Qed.

Lemma E_odd x : E (- x) = - E x.
Proof.
  set (f := fun x => E (- x) + E x).
  assert (Derive : forall y, is_derive f y 0).
  { intros y. replace 0 with (plus (scal (-1) (gauss (- y))) (gauss y)).
    - apply (is_derive_plus (fun x => E (- x)) E); [|apply derive_E].
      apply (is_derive_comp E (fun x => - x)); [apply derive_E|]. auto_derive; [trivial|ring].
    - unfold gauss, plus, scal; cbn; unfold mult; cbn. replace (- y * - y) with (y * y) by ring.
      ring. }
  assert (Zero : f 0 = 0) by (unfold f; rewrite Ropp_0, E_0; ring).
  assert (Same : f x = f 0).
  { destruct (Rle_dec 0 x) as [Pos|Neg].
    - pose proof (increases f (fun _ => 0) 0 x Pos (fun y _ => Derive y) (fun y _ => Rle_refl 0)).
      pose proof (increases (fun x => - f x) (fun _ => 0) 0 x Pos) as Down.
      assert (- f 0 <= - f x); [|lra]. apply Down; [|intros; lra].
      intros y _. replace 0 with (opp 0) by (unfold opp; cbn; ring).
      apply (is_derive_opp f). apply Derive.
    - assert (Le : x <= 0) by lra.
      pose proof (increases f (fun _ => 0) x 0 Le (fun y _ => Derive y) (fun y _ => Rle_refl 0)).
      pose proof (increases (fun x => - f x) (fun _ => 0) x 0 Le) as Down.
      assert (- f x <= - f 0); [|lra]. apply Down; [|intros; lra].
      intros y _. replace 0 with (opp 0) by (unfold opp; cbn; ring).
      apply (is_derive_opp f). apply Derive. }
  unfold f in Same at 1. rewrite Zero in Same. lra.
Qed.
