(** * Circuits of a network on a group, over the reals

    The network adds, for every neuron i, U i z * relu (l x i + r y i) to the logit of z. A circuit
    says that some neurons see x as a point x^-1 b, and y as a point y c, and write gamma b (z c),
    all of it about. What holds exactly is proved here:

    - [ideal_gap]: where neurons do as a circuit says, by how much the product of x and y leads
      depends on one element w, so that one pass serves every input;
    - [rest_at_most]: what their outputs have beside gamma is bounded by Cauchy and Schwarz, as x
      and y only permute the points;
    - [written]: the sum over a circuit's neurons, as its parts that are known, and errors. *)

From Coq Require Import Reals List Bool Lia Lra Permutation.
From CompactProofs Require Import Sums CauchySchwarz.
Import ListNotations.
Open Scope R_scope.

(** ** Sums *)

Definition sum2 (P Q : nat) (f : nat -> nat -> R) : R :=
  sum_over (seq 0 P) (fun b => sum_over (seq 0 Q) (f b)).

Lemma sum2_ext P Q f g :
  (forall b k, (b < P)%nat -> (k < Q)%nat -> f b k = g b k) -> sum2 P Q f = sum2 P Q g.
Proof.
  intros Same. apply sum_over_ext. intros b In_P. apply in_seq in In_P.
  apply sum_over_ext. intros k In_Q. apply in_seq in In_Q. apply Same; lia.
Qed.

Lemma sum2_plus P Q f g : sum2 P Q (fun b k => f b k + g b k) = sum2 P Q f + sum2 P Q g.
Proof.
  unfold sum2. rewrite <- sum_over_plus. apply sum_over_ext. intros. apply sum_over_plus.
Qed.

Lemma sum2_minus P Q f g : sum2 P Q (fun b k => f b k - g b k) = sum2 P Q f - sum2 P Q g.
Proof.
  unfold sum2. rewrite <- sum_over_minus. apply sum_over_ext. intros. apply sum_over_minus.
Qed.

(** A double sum as one over pairs. *)
Lemma sum2_pairs P Q f :
  sum2 P Q f = sum_over (list_prod (seq 0 P) (seq 0 Q)) (fun p => f (fst p) (snd p)).
Proof.
  unfold sum2. induction (seq 0 P) as [|b l IH]; [reflexivity|].
  rewrite sum_over_cons, IH. cbn [list_prod]. rewrite sum_over_app. f_equal.
  now rewrite sum_over_map.
Qed.

(** Sums over points that are permuted. *)
Lemma sum_permuted P (image : nat -> nat) f :
  Permutation (map image (seq 0 P)) (seq 0 P) ->
  sum_over (seq 0 P) (fun b => f (image b)) = sum_over (seq 0 P) f.
Proof. intros Permuted. rewrite <- sum_over_map. now apply sum_over_permutation. Qed.

Lemma sum2_permuted P Q (left right : nat -> nat) f :
  Permutation (map left (seq 0 P)) (seq 0 P) -> Permutation (map right (seq 0 Q)) (seq 0 Q) ->
  sum2 P Q (fun b k => f (left b) (right k)) = sum2 P Q f.
Proof.
  intros Left Right. unfold sum2.
  rewrite <- (sum_permuted P left (fun b => sum_over (seq 0 Q) (f b)) Left).
  apply sum_over_ext. intros b _. exact (sum_permuted Q right (f (left b)) Right).
Qed.

(** ** Cauchy and Schwarz *)

Lemma cauchy_schwarz2 P Q f g :
  Rabs (sum2 P Q (fun b k => f b k * g b k)) <=
  sqrt (sum2 P Q (fun b k => f b k * f b k)) * sqrt (sum2 P Q (fun b k => g b k * g b k)).
Proof. rewrite !sum2_pairs. apply product_of_norms. Qed.

(** ** ReLU *)

Lemma relu_slope s t : exists o, -1 <= o <= 1 /\ Rmax 0 s = Rmax 0 t + o * (s - t).
Proof.
  unfold Rmax. destruct (Rle_dec 0 s), (Rle_dec 0 t).
  - exists 1. lra.
  - exists (s / (s - t)). assert (0 < s - t) by lra. split; [|field; lra].
    assert (0 < / (s - t)) by now apply Rinv_0_lt_compat.
    assert ((s - t) * / (s - t) = 1) by (field; lra). unfold Rdiv. split; nra.
  - exists (t / (t - s)). assert (0 < t - s) by lra. split; [|field; lra].
    assert (0 < / (t - s)) by now apply Rinv_0_lt_compat.
    assert ((t - s) * / (t - s) = 1) by (field; lra). unfold Rdiv. split; nra.
  - exists 0. lra.
Qed.

Definition relu_slope_of (s t : R) : R :=
  if Req_EM_T s t then 0 else (Rmax 0 s - Rmax 0 t) / (s - t).

Lemma relu_slope_of_spec s t :
  -1 <= relu_slope_of s t <= 1 /\ Rmax 0 s = Rmax 0 t + relu_slope_of s t * (s - t).
Proof.
  unfold relu_slope_of. destruct (Req_EM_T s t) as [->|Not]; [lra|].
  destruct (relu_slope s t) as [o [Unit Is]].
  replace ((Rmax 0 s - Rmax 0 t) / (s - t)) with o; [now split|]. rewrite Is. field. lra.
Qed.

(** ** A circuit that acts *)

Section Ideal.
  Variables (n P Q : nat).
  Variable multiply : nat -> nat -> nat.
  Variable left : nat -> nat -> nat.     (* left x b is the point x^-1 b *)
  Variable right : nat -> nat -> nat.    (* right y k is the point y k *)
  Variables gamma v : nat -> nat -> R.

  Hypothesis Closed : forall x y, (x < n)%nat -> (y < n)%nat -> (multiply x y < n)%nat.
  Hypothesis Left : forall x, (x < n)%nat -> Permutation (map (left x) (seq 0 P)) (seq 0 P).
  Hypothesis Right : forall y, (y < n)%nat -> Permutation (map (right y) (seq 0 Q)) (seq 0 Q).
  Hypothesis Acts : forall w y k, (w < n)%nat -> (y < n)%nat -> (k < Q)%nat ->
    right (multiply w y) k = right w (right y k).
  Hypothesis Invariant : forall x b k, (x < n)%nat -> (b < P)%nat -> (k < Q)%nat ->
    gamma b (right x k) = gamma (left x b) k.

  Lemma right_below y k : (y < n)%nat -> (k < Q)%nat -> (right y k < Q)%nat.
  Proof using Right.
    intros Below Point. assert (In_Q : In (right y k) (seq 0 Q)).
    { apply (Permutation_in _ (Right y Below)), in_map, in_seq. lia. }
    apply in_seq in In_Q. lia.
  Qed.

  (** What the circuit writes to x u, given what its neurons see. *)
  Lemma ideal_output x y w : (x < n)%nat -> (y < n)%nat -> (w < n)%nat ->
    sum2 P Q (fun b k => gamma b (right (multiply x (multiply w y)) k) * v (left x b) (right y k)) =
    sum2 P Q (fun b k => gamma b (right w k) * v b k).
  Proof using Closed Left Right Acts Invariant.
    intros Hx Hy Hw.
    rewrite <- (sum2_permuted P Q (left x) (right y) (fun b k => gamma b (right w k) * v b k))
      by auto.
    apply sum2_ext. intros b k Hb Hk. f_equal.
    pose proof (right_below y k Hy Hk).
    rewrite Acts, Acts by auto. apply Invariant; auto. now apply right_below.
  Qed.

  Lemma ideal_label x y : (x < n)%nat -> (y < n)%nat ->
    sum2 P Q (fun b k => gamma b (right (multiply x y) k) * v (left x b) (right y k)) =
    sum2 P Q (fun b k => gamma b k * v b k).
  Proof using Closed Left Right Acts Invariant.
    intros Hx Hy.
    rewrite <- (sum2_permuted P Q (left x) (right y) (fun b k => gamma b k * v b k)) by auto.
    apply sum2_ext. intros b k Hb Hk. f_equal.
    rewrite Acts by auto. apply Invariant; auto. now apply right_below.
  Qed.

  (** By how much the circuit prefers x y to x w y. *)
  Theorem ideal_gap x y w : (x < n)%nat -> (y < n)%nat -> (w < n)%nat ->
    sum2 P Q (fun b k => gamma b (right (multiply x y) k) * v (left x b) (right y k)) -
    sum2 P Q (fun b k => gamma b (right (multiply x (multiply w y)) k) * v (left x b) (right y k))
    = sum2 P Q (fun b k => (gamma b k - gamma b (right w k)) * v b k).
  Proof using Closed Left Right Acts Invariant.
    intros Hx Hy Hw. rewrite ideal_label, ideal_output, <- sum2_minus by assumption.
    apply sum2_ext. intros. ring.
  Qed.

  Hypothesis Rows : forall b, (b < P)%nat -> sum_over (seq 0 Q) (v b) = 0.
  Hypothesis Columns : forall k, (k < Q)%nat -> sum_over (seq 0 P) (fun b => v b k) = 0.

  (** Numbers of b alone, or of k alone, meet a table whose rows and columns sum to 0. *)
  Lemma rows_vanish x y (f : nat -> R) : (x < n)%nat -> (y < n)%nat ->
    sum2 P Q (fun b k => f b * v (left x b) (right y k)) = 0.
  Proof using Left Right Rows.
    intros Hx Hy. unfold sum2.
    transitivity (sum_over (seq 0 P) (fun _ => 0)); [|apply sum_over_zero].
    apply sum_over_ext. intros b In_P. rewrite sum_over_times.
    rewrite (sum_permuted Q (right y) (v (left x b))) by auto.
    assert (In_image : In (left x b) (seq 0 P)).
    { apply (Permutation_in _ (Left x Hx)), in_map, In_P. }
    apply in_seq in In_image. rewrite Rows by lia. ring.
  Qed.

  Lemma columns_vanish x y (f : nat -> R) : (x < n)%nat -> (y < n)%nat ->
    sum2 P Q (fun b k => f k * v (left x b) (right y k)) = 0.
  Proof using Left Right Columns.
    intros Hx Hy. unfold sum2. rewrite sum_over_swap.
    transitivity (sum_over (seq 0 Q) (fun _ => 0)); [|apply sum_over_zero].
    apply sum_over_ext. intros k In_Q. rewrite sum_over_times.
    rewrite (sum_permuted P (left x) (fun b => v b (right y k))) by auto.
    apply in_seq in In_Q. rewrite Columns by (apply right_below; lia || assumption). ring.
  Qed.

  (** What is left of the outputs, as x and y permute the points. *)
  Theorem rest_at_most x y (e : nat -> nat -> R) : (x < n)%nat -> (y < n)%nat ->
    Rabs (sum2 P Q (fun b k => e b k * v (left x b) (right y k))) <=
    sqrt (sum2 P Q (fun b k => e b k * e b k)) * sqrt (sum2 P Q (fun b k => v b k * v b k)).
  Proof using Left Right.
    intros Hx Hy.
    rewrite <- (sum2_permuted P Q (left x) (right y) (fun b k => v b k * v b k)) by auto.
    apply cauchy_schwarz2.
  Qed.

  (** A bound as a factor between -1 and 1. *)
  Lemma factor_of_bound t s : Rabs t <= s -> exists o, -1 <= o <= 1 /\ t = o * s.
  Proof using.
    intros Bound. destruct (Req_dec s 0) as [Zero|Not].
    - exists 0. split; [lra|]. subst s. pose proof (Rabs_pos t).
      assert (t = 0) by (destruct (Req_dec t 0); [assumption|pose proof (Rabs_pos_lt t); lra]). lra.
    - pose proof (Rabs_pos t). assert (0 < s) by lra. exists (t / s). split; [|field; lra].
      assert (0 < / s) by now apply Rinv_0_lt_compat.
      assert (s * / s = 1) by (field; lra). unfold Rabs in Bound. unfold Rdiv.
      destruct (Rcase_abs t); split; nra.
  Qed.

  (** What neurons write that are about W b k at the output z: gamma, numbers of b or of k alone,
      and a rest. *)
  Theorem table_difference (W : nat -> nat -> nat -> R) (row column : nat -> nat -> R) x y w :
    (x < n)%nat -> (y < n)%nat -> (w < n)%nat ->
    let m := multiply x y in
    let z := multiply x (multiply w y) in
    let rest u b k := W b k u - gamma b (right u k) - row b u - column k u in
    let size u := sqrt (sum2 P Q (fun b k => rest u b k * rest u b k)) *
                  sqrt (sum2 P Q (fun b k => v b k * v b k)) in
    exists o o', -1 <= o <= 1 /\ -1 <= o' <= 1 /\
    sum2 P Q (fun b k => W b k m * v (left x b) (right y k)) -
    sum2 P Q (fun b k => W b k z * v (left x b) (right y k)) =
    sum2 P Q (fun b k => (gamma b k - gamma b (right w k)) * v b k)
    + (o * size m - o' * size z).
  Proof using Closed Left Right Acts Invariant Rows Columns.
    intros Hx Hy Hw m z rest size.
    assert (Split : forall u, sum2 P Q (fun b k => W b k u * v (left x b) (right y k)) =
      sum2 P Q (fun b k => gamma b (right u k) * v (left x b) (right y k)) +
      sum2 P Q (fun b k => rest u b k * v (left x b) (right y k))).
    { intros u.
      pose proof (rows_vanish x y (fun b => row b u) Hx Hy) as No_rows.
      pose proof (columns_vanish x y (fun k => column k u) Hx Hy) as No_columns.
      cbv beta in No_rows, No_columns.
      rewrite <- (Rplus_0_r (_ + _)), <- No_rows, <- (Rplus_0_r (_ + _)), <- No_columns.
      rewrite <- !sum2_plus. apply sum2_ext. intros. unfold rest. ring. }
    destruct (factor_of_bound _ _ (rest_at_most x y (rest m) Hx Hy)) as [o [Unit Is]].
    destruct (factor_of_bound _ _ (rest_at_most x y (rest z) Hx Hy)) as [o' [Unit' Is']].
    exists o, o'. split; [exact Unit|]. split; [exact Unit'|].
    rewrite !Split, Is, Is', <- (ideal_gap x y w) by assumption. fold m z. unfold size. ring.
  Qed.
End Ideal.
