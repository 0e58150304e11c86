(** * What the checker of groups counts is right

    All circuits together are the network (GroupCircuit.v). *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From CompactProofs Require Import Sums Enclosure Circuits GroupChecker GroupTables GroupParts
  GroupCircuit.
From CompactProofs Require Arithmetic.
Import ListNotations.
Open Scope R_scope.

Section Sound.
  Context {A : enclosures} {contains : T A -> R -> Prop} (Sd : sound A contains).
  Notation at1 := (entry_of (A := A)).
  Notation holds1 := (holds1 (contains := contains)).
  Notation holds2 := (holds2 (contains := contains)).
  Notation holds3 := (holds3 (contains := contains)).

  Variables (n m bits : nat) (multiply : list (list nat)).
  Notation product := (image multiply).
  Notation q := (real bits).
  Variables (l r U : nat -> nat -> R) (bias : nat -> R).
  Variables (l_t r_t U_t : list (list (T A))) (bias_t : list (T A)).
  Hypothesis Left_t : holds2 l_t l.
  Hypothesis Right_t : holds2 r_t r.
  Hypothesis Output_t : holds2 U_t U.
  Hypothesis Bias_t : holds1 bias_t bias.
  Hypothesis Products : forall x y, (x < n)%nat -> (y < n)%nat -> (product x y < n)%nat.
  Notation bounds := (bounds (contains := contains) n multiply).
  Notation write := (write bits U).
  Notation hidden := (hidden l r).
  Notation adds := (adds bits l r U).

  (** ** The network, from all circuits *)

  Definition logit (x y z : nat) : R :=
    sum_over (seq 0 m) (fun i => hidden x y i * U i z) + bias z.

  Lemma whole_bounds circuits : forallb (acts n multiply) circuits = true ->
    bounds (whole n bits l_t r_t U_t bias_t circuits)
      (fun x y z => fold_right (fun c s => adds c x y z + s) (bias z) circuits).
  Proof using Sd Left_t Right_t Output_t Bias_t Products.
    unfold whole.
    induction circuits as [|c circuits IH]; intros Acts; [now apply (bias_bounds Sd)|].
    cbn [forallb] in Acts. apply andb_prop in Acts. destruct Acts as [Here Acts].
    cbn [map fold_right]. apply (add_bounds Sd); [now apply (circuit_bounds Sd)|now apply IH].
  Qed.

  Lemma adds_readings c x y z :
    adds c x y z = sum_over (all_readings c) (fun d => write d z * hidden x y (neuron d)).
  Proof using.
    unfold all_readings. rewrite sum_over_flat_map. apply sum_over_ext. intros b _.
    now rewrite sum_over_flat_map.
  Qed.

  Lemma pick k (f : nat -> R) len : forall s,
    sum_over (seq s len) (fun i => if Nat.eqb k i then f i else 0) =
    if ((s <=? k) && (k <? s + len))%nat then f k else 0.
  Proof using.
    induction len as [|len IH]; intros s.
    - change (sum_over (seq s 0) _) with 0.
      destruct (Nat.leb_spec s k), (Nat.ltb_spec k (s + 0)); try reflexivity. lia.
    - cbn [seq]. rewrite sum_over_cons, IH. destruct (Nat.eqb_spec k s) as [->|Not].
      + destruct (Nat.leb_spec (S s) s); [lia|]. destruct (Nat.leb_spec s s); [|lia].
        destruct (Nat.ltb_spec s (s + S len)); [|lia]. cbn. ring.
      + destruct (Nat.leb_spec (S s) k), (Nat.leb_spec s k), (Nat.ltb_spec k (S s + len)),
          (Nat.ltb_spec k (s + S len)); cbn; lra || lia.
  Qed.

  (** A sum over readings is one over neurons, if the shares of each add up to 1. *)
  Lemma shares_sum circuits (f : nat -> R) : shares_whole bits m circuits = true ->
    sum_over (flat_map all_readings circuits) (fun d => q (share d) * f (neuron d)) =
    sum_over (seq 0 m) f.
  Proof using.
    unfold shares_whole. cbv zeta. set (ds := flat_map _ circuits). intros Check.
    apply andb_prop in Check. destruct Check as [Below Whole]. rewrite forallb_forall in Below.
    transitivity (sum_over ds (fun d => sum_over (seq 0 m) (fun i =>
      if Nat.eqb (neuron d) i then q (share d) * f i else 0))).
    - apply sum_over_ext. intros d In_ds. rewrite (pick (neuron d) (fun i => q (share d) * f i)).
      specialize (Below d In_ds). cbn [Nat.leb andb Nat.add]. now rewrite Below.
    - rewrite sum_over_swap. apply sum_over_ext. intros i In_m.
      transitivity (sum_over ds (fun d => q (if Nat.eqb (neuron d) i then share d else 0%Z)) * f i).
      + rewrite <- sum_over_times_r. apply sum_over_ext. intros d _.
        destruct (Nat.eqb (neuron d) i); [reflexivity|]. unfold real, Rdiv. ring.
      + rewrite real_sum_map.
        apply in_seq in In_m. pose proof (forallb_seq _ _ Whole i ltac:(lia)) as One.
        apply Z.eqb_eq in One. rewrite One. unfold real. field. apply not_0_IZR.
        apply Z.pow_nonzero; lia.
  Qed.

  Lemma logit_circuits circuits x y z : shares_whole bits m circuits = true ->
    logit x y z = fold_right (fun c s => adds c x y z + s) (bias z) circuits.
  Proof using.
    intros Shares. unfold logit.
    rewrite <- (shares_sum circuits (fun i => hidden x y i * U i z) Shares). clear Shares.
    induction circuits as [|c circuits IH]; [unfold sum_over; cbn; ring|].
    cbn [flat_map fold_right]. rewrite <- IH, adds_readings, sum_over_app.
    rewrite (sum_over_ext (all_readings c) (fun d => write d z * hidden x y (neuron d))
      (fun d => q (share d) * (hidden x y (neuron d) * U (neuron d) z)))
      by (intros; unfold write; ring). ring.
  Qed.

  (** ** What is counted *)

  Theorem proven_sound e inverse circuits x y :
    divides n multiply e inverse = true -> forallb (acts n multiply) circuits = true ->
    shares_whole bits m circuits = true -> (x < n)%nat -> (y < n)%nat ->
    proven n bits l_t r_t U_t bias_t e circuits x y = true ->
    forall z, (z < n)%nat -> z <> product x y -> logit x y z < logit x y (product x y).
  Proof using Sd Left_t Right_t Output_t Bias_t Products.
    intros Divides Acts Shares Hx Hy Proven z Hz Other.
    unfold divides in Divides. cbv zeta in Divides. set (inv := fun x => nth x inverse 0%nat).
    rewrite !andb_true_iff in Divides.
    destruct Divides as [[[[[_ Inverses] _] Neutral] Under] Over].
    assert (Inverse : forall u, (u < n)%nat -> (inv u < n)%nat)
      by (intros u Hu; apply Nat.ltb_lt; exact (forallb_seq _ _ Inverses u Hu)).
    set (u := product (inv x) z). set (w := product u (inv y)).
    assert (Hu : (u < n)%nat) by (apply Products; auto).
    assert (Hw : (w < n)%nat) by (apply Products; auto).
    assert (Is_u : product w y = u)
      by (apply Nat.eqb_eq; exact (forallb_seq _ _ (forallb_seq _ _ Over y Hy) u Hu)).
    assert (Is_z : product x (product w y) = z).
    { rewrite Is_u. apply Nat.eqb_eq. exact (forallb_seq _ _ (forallb_seq _ _ Under x Hx) z Hz). }
    assert (Not_e : w <> e).
    { intros Is. apply Other. rewrite <- Is_z, Is. f_equal. apply Nat.eqb_eq.
      exact (forallb_seq _ _ Neutral y Hy). }
    destruct (whole_bounds circuits Acts) as (C & X & Y & HC & HX & HY & Bounds).
    destruct (Bounds x y w Hx Hy Hw) as (g & ex & ey & f & Hg & Hex & Hey & Hf & Is).
    rewrite Is_z, <- !(logit_circuits circuits) in Is by exact Shares.
    assert (Ha : (product x y < n)%nat) by now apply Products.
    unfold proven in Proven. cbv zeta in Proven. set (p := whole _ _ _ _ _ _ _) in *.
    apply Rminus_gt_0_lt. rewrite Is.
    replace (C (product x y) - C z + (X x (product x y) - X x z) + (Y y (product x y) - Y y z)
             + g + ex + ey + f)
      with ((X x (product x y) - X x z + ex) +
            (g + (C (product x y) - C z) + f + (Y y (product x y) - Y y z + ey))) by ring.
    refine (sound_less _ _ Sd _ _ 0 _ Proven (sound_of_Z _ _ Sd 0) _).
    assert (Side : forall known error (K : nat -> nat -> R) k (s : R),
      holds2 known K -> contains (at1 error k) s -> (k < n)%nat ->
      contains (at1 (tab n (fun i => add A (spread n (at2 known i)) (at1 error i))) k)
        (K k (product x y) - K k z + s)).
    { intros known error K k s Known Error Hk. unfold entry_of at 1. rewrite nth_tab.
      rewrite (proj2 (Nat.ltb_lt k n) Hk). apply (sound_add _ _ Sd); [|exact Error].
      apply (spread_sound Sd); [intros; apply Known|exact Ha|exact Hz]. }
    apply (sound_add _ _ Sd); [now apply Side|].
    unfold entry_of at 1. rewrite nth_tab. rewrite (proj2 (Nat.ltb_lt y n) Hy).
    apply (sound_add _ _ Sd); [|now apply Side].
    apply (sound_add _ _ Sd); [|exact Hf]. apply (sound_add _ _ Sd).
    - apply (hull_row_in Sd _ (at1 (gaps p) w)); [|exact Hg].
      apply in_map, in_omit_seq. now split.
    - apply (spread_sound Sd); [intros; apply HC|exact Ha|exact Hz].
  Qed.
End Sound.
