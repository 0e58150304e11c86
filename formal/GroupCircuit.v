(** * What the checker of groups computes of a circuit encloses what it adds to the logits *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From CompactProofs Require Import Sums Enclosure Circuits GroupChecker GroupTables GroupParts.
From CompactProofs Require Arithmetic.
Import ListNotations.
Open Scope R_scope.

Section Sound.
  Context {A : enclosures} {contains : T A -> R -> Prop} (Sd : sound A contains).
  Notation at1 := (entry_of (A := A)).
  Notation holds1 := (holds1 (contains := contains)).
  Notation holds2 := (holds2 (contains := contains)).
  Notation holds3 := (holds3 (contains := contains)).

  Variables (n bits : nat) (multiply : list (list nat)).
  Notation product := (image multiply).
  Notation q := (real bits).
  Variables l r U : nat -> nat -> R.
  Variables l_t r_t U_t : list (list (T A)).
  Hypothesis Left_t : holds2 l_t l.
  Hypothesis Right_t : holds2 r_t r.
  Hypothesis Output_t : holds2 U_t U.
  Hypothesis Products : forall x y, (x < n)%nat -> (y < n)%nat -> (product x y < n)%nat.
  Notation bounds := (bounds (contains := contains) n multiply).

  (** ** Readings *)

  Definition write (d : reading) (z : nat) : R := q (share d) * U (neuron d) z.
  Definition hidden (x y i : nat) : R := Rmax 0 (l x i + r y i).
  Definition point1 (a : list Z) (p : nat) : R := q (nth p a 0%Z).

  Lemma writes_sound d : holds1 (writes (reading_of n bits U_t d)) (write d).
  Proof using Sd Output_t.
    cbn [writes reading_of]. apply (tab_sound Sd). intros z _.
    apply (sound_mul _ _ Sd); [apply (number_sound Sd)|apply Output_t].
  Qed.

  Lemma swing_sound d a z o : (a < n)%nat -> (z < n)%nat -> -1 <= o <= 1 ->
    contains (swing (reading_of n bits U_t d)) ((write d a - write d z) * o).
  Proof using Sd Output_t.
    intros Ha Hz Unit. cbn [swing reading_of]. apply (sound_mul _ _ Sd).
    - apply (spread_sound Sd); [|assumption..]. intros i _. apply (writes_sound d).
    - now apply (sound_unit _ _ Sd).
  Qed.

  Lemma points_sound (a : list Z) : holds1 (map (number bits) a) (point1 a).
  Proof using Sd. apply (map_sound Sd (number bits) q). apply (number_sound Sd). Qed.

  Lemma cell_map {X Y} (F : X -> Y) (cs : list (list (list X))) b k :
    cell (map (map (map F)) cs) b k = map F (cell cs b k).
  Proof using.
    unfold cell. change (@nil (list Y)) with (map (map F) []). rewrite map_nth.
    change (@nil Y) with (map F []). now rewrite map_nth.
  Qed.

  Lemma total_map_sound {X} (F : X -> T A) (f : reading -> R) (g : reading -> X) ds :
    (forall d, contains (F (g d)) (f d)) -> contains (total (map g ds) F) (sum_over ds f).
  Proof using Sd.
    intros Each. induction ds as [|d ds IH]; [apply (sound_of_Z _ _ Sd)|].
    rewrite sum_over_cons. cbn [map total fold_right]. now apply (sound_add _ _ Sd).
  Qed.

  (** ** A circuit *)

  Section Circuit.
    Variable c : circuit.
    Hypothesis Acts : acts n multiply c = true.
    Notation P := (left_points c).
    Notation Q := (right_points c).
    Notation left := (image (left_image c)).
    Notation right := (image (right_image c)).
    Definition g_of (b k : nat) : R := q (at_Z (gamma c) b k).
    Definition v_of (b k : nat) : R := q (at_Z (table c) b k).

    Lemma acts_sound :
      (forall x, (x < n)%nat -> Permutation (map (left x) (seq 0 P)) (seq 0 P)) /\
      (forall y, (y < n)%nat -> Permutation (map (right y) (seq 0 Q)) (seq 0 Q)) /\
      (forall w y k, (w < n)%nat -> (y < n)%nat -> (k < Q)%nat ->
        right (product w y) k = right w (right y k)) /\
      (forall x b k, (x < n)%nat -> (b < P)%nat -> (k < Q)%nat ->
        g_of b (right x k) = g_of (left x b) k) /\
      (forall b, (b < P)%nat -> sum_over (seq 0 Q) (v_of b) = 0) /\
      (forall k, (k < Q)%nat -> sum_over (seq 0 P) (fun b => v_of b k) = 0).
    Proof using Acts.
      pose proof Acts as Check. unfold acts in Check.
      rewrite !andb_true_iff in Check.
      destruct Check as [[[[Permutes Action] Invariant] Rows] Columns].
      assert (Zero : forall z, (z =? 0)%Z = true -> q z = 0).
      { intros z Is. apply Z.eqb_eq in Is. subst z. unfold real, Rdiv. ring. }
      repeat split.
      - intros x Hx. pose proof (forallb_seq _ _ Permutes x Hx) as Here.
        apply andb_prop in Here. now apply permutes_sound.
      - intros y Hy. pose proof (forallb_seq _ _ Permutes y Hy) as Here.
        apply andb_prop in Here. now apply permutes_sound.
      - intros w y k Hw Hy Hk. apply Nat.eqb_eq.
        exact (forallb_seq _ _ (forallb_seq _ _ (forallb_seq _ _ Action w Hw) y Hy) k Hk).
      - intros x b k Hx Hb Hk. unfold g_of. f_equal. apply Z.eqb_eq.
        exact (forallb_seq _ _ (forallb_seq _ _ (forallb_seq _ _ Invariant x Hx) b Hb) k Hk).
      - intros b Hb. unfold v_of. rewrite real_sum_map. apply Zero.
        exact (forallb_seq _ _ Rows b Hb).
      - intros k Hk. unfold v_of. rewrite real_sum_map. apply Zero.
        exact (forallb_seq _ _ Columns k Hk).
    Qed.

    (** What the circuit's readings add to the logit of z, and what that is made of. *)
    Notation here := (cell (cells c)).
    Definition adds (x y z : nat) : R := sum2 P Q (fun b k =>
      sum_over (here b k) (fun d => write d z * hidden x y (neuron d))).

    Definition known (z : nat) : R := sum2 P Q (fun b k =>
      sum_over (here b k) (fun d => q (mean d) * write d z)).
    Definition by_left (b p z : nat) : R := sum_over (seq 0 Q) (fun k =>
      sum_over (here b k) (fun d => point1 (rows d) p * write d z)).
    Definition by_right (k p z : nat) : R := sum_over (seq 0 P) (fun b =>
      sum_over (here b k) (fun d => point1 (columns d) p * write d z)).
    Definition known_left (x z : nat) : R := sum_over (seq 0 P) (fun b => by_left b (left x b) z).
    Definition known_right (y z : nat) : R :=
      sum_over (seq 0 Q) (fun k => by_right k (right y k) z).
    Definition along (b k z : nat) : R := sum_over (here b k) (fun d => q (slope d) * write d z).
    Definition seen (d : reading) (p p' : nat) : R :=
      point1 (seen_left d) p + point1 (seen_right d) p'.
    Definition misread (d : reading) (p p' : nat) : R :=
      Rmax 0 (seen d p p') -
      (q (mean d) + point1 (rows d) p + point1 (columns d) p' + q (slope d) * v_of p p').
    Definition slope_at (x y : nat) (d : reading) (p p' : nat) : R :=
      relu_slope_of (l x (neuron d) + r y (neuron d)) (seen d p p').

    Lemma hidden_parts x y d p p' :
      hidden x y (neuron d) =
      q (mean d) + point1 (rows d) p + point1 (columns d) p' + q (slope d) * v_of p p'
      + misread d p p'
      + slope_at x y d p p' * (l x (neuron d) - point1 (seen_left d) p)
      + slope_at x y d p p' * (r y (neuron d) - point1 (seen_right d) p').
    Proof using.
      unfold hidden, misread, slope_at.
      rewrite (proj2 (relu_slope_of_spec (l x (neuron d) + r y (neuron d)) (seen d p p'))).
      unfold seen. ring.
    Qed.

    Lemma adds_parts x y z :
      adds x y z = known z + known_left x z + known_right y z
        + sum2 P Q (fun b k => along b k z * v_of (left x b) (right y k))
        + sum2 P Q (fun b k => sum_over (here b k) (fun d =>
            write d z * misread d (left x b) (right y k)))
        + sum2 P Q (fun b k => sum_over (here b k) (fun d =>
            write d z * slope_at x y d (left x b) (right y k) *
            (l x (neuron d) - point1 (seen_left d) (left x b))))
        + sum2 P Q (fun b k => sum_over (here b k) (fun d =>
            write d z * slope_at x y d (left x b) (right y k) *
            (r y (neuron d) - point1 (seen_right d) (right y k)))).
    Proof using.
      unfold known, known_left, by_left, known_right, by_right, adds.
      rewrite (sum_over_swap (seq 0 Q)).
      fold (sum2 P Q (fun b k =>
        sum_over (here b k) (fun d => point1 (rows d) (left x b) * write d z))).
      fold (sum2 P Q (fun b k =>
        sum_over (here b k) (fun d => point1 (columns d) (right y k) * write d z))).
      rewrite <- !sum2_plus. apply sum2_ext. intros b k _ _. unfold along.
      rewrite <- sum_over_times_r, <- !sum_over_plus. apply sum_over_ext. intros d _.
      rewrite (hidden_parts x y d (left x b) (right y k)). ring.
    Qed.

    (** The enclosures of the checker, one after the other. *)
    Notation ds := (map (map (map (reading_of n bits U_t))) (cells c)).

    Lemma cell_sound F (f : reading -> R) b k :
      (forall d, contains (F (reading_of n bits U_t d)) (f d)) ->
      contains (total (cell ds b k) F) (sum_over (here b k) f).
    Proof using Sd. intros Each. rewrite cell_map. now apply total_map_sound. Qed.

    Definition row_mean (b z : nat) : R :=
      sum_over (seq 0 Q) (fun k => along b k z - g_of b (right z k)) / IZR (Z.of_nat Q).
    Definition column_mean (k z : nat) : R :=
      sum_over (seq 0 P) (fun b => along b k z - g_of b (right z k) - row_mean b z)
      / IZR (Z.of_nat P).

    Lemma difference (f : nat -> nat -> reading -> R) (a z : nat) :
      sum2 P Q (fun b k => sum_over (here b k) (fun d => write d a * f b k d)) -
      sum2 P Q (fun b k => sum_over (here b k) (fun d => write d z * f b k d)) =
      sum2 P Q (fun b k => sum_over (here b k) (fun d => (write d a - write d z) * f b k d)).
    Proof using.
      rewrite <- sum2_minus. apply sum2_ext. intros b k _ _. rewrite <- sum_over_minus.
      apply sum_over_ext. intros. ring.
    Qed.

    Definition rest (z b k : nat) : R :=
      along b k z - g_of b (right z k) - row_mean b z - column_mean k z.

    Lemma gamma_sound : holds2 (gamma_t bits c) g_of.
    Proof using Sd. apply (tab2_sound Sd). intros. apply (number_sound Sd). Qed.

    Lemma table_sound : holds2 (table_t bits c) v_of.
    Proof using Sd. apply (tab2_sound Sd). intros. apply (number_sound Sd). Qed.

    Lemma by_left_sound : holds3 (by_left_t n c ds) by_left.
    Proof using Sd Output_t.
      apply (tab3_sound Sd). intros b p z _ _ _. apply (total_sound Sd). intros k _.
      apply cell_sound.
      intros d. apply (sound_mul _ _ Sd); [apply points_sound|apply writes_sound].
    Qed.

    Lemma by_right_sound : holds3 (by_right_t n c ds) by_right.
    Proof using Sd Output_t.
      apply (tab3_sound Sd). intros k p z _ _ _. apply (total_sound Sd). intros b _.
      apply cell_sound.
      intros d. apply (sound_mul _ _ Sd); [apply points_sound|apply writes_sound].
    Qed.

    Lemma rest_sound : holds3 (rest_t n c (gamma_t bits c) ds) (fun b k z => rest z b k).
    Proof using Sd Output_t.
      assert (Apart : holds3 (apart_t n c (gamma_t bits c) ds)
                             (fun b k z => along b k z - g_of b (right z k))).
      { apply (tab3_sound Sd). intros b k z _ _ _. apply (sound_sub _ _ Sd); [|apply gamma_sound].
        apply cell_sound. intros d. apply (sound_mul _ _ Sd); [apply (number_sound Sd)|].
        apply writes_sound. }
      unfold rest_t. cbv zeta. set (apart := apart_t _ _ _ _) in *.
      assert (Row : holds2 (row_means_t n c apart) row_mean).
      { apply (tab2_sound Sd). intros b z _ _.
        apply (sound_div _ _ Sd); [|apply (sound_of_Z _ _ Sd)].
        apply (total_sound Sd). intros k _. apply Apart. }
      set (row := row_means_t _ _ _) in *.
      assert (Column : holds2 (column_means_t n c apart row) column_mean).
      { apply (tab2_sound Sd). intros k z _ _.
        apply (sound_div _ _ Sd); [|apply (sound_of_Z _ _ Sd)].
        apply (total_sound Sd). intros b _. apply (sound_sub _ _ Sd); [apply Apart|apply Row]. }
      apply (tab3_sound Sd). intros b k z _ _ _.
      apply (sound_sub _ _ Sd); [apply (sound_sub _ _ Sd); [apply Apart|apply Row]|apply Column].
    Qed.

    Lemma noise_sound z o : (z < n)%nat -> -1 <= o <= 1 ->
      contains (noise n c (gamma_t bits c) (table_t bits c) ds)
        (o * (sqrt (sum2 P Q (fun b k => rest z b k * rest z b k)) *
              sqrt (sum2 P Q (fun b k => v_of b k * v_of b k)))).
    Proof using Sd Output_t.
      intros Below Unit. unfold noise. cbv zeta. apply (sound_mul _ _ Sd).
      - now apply (sound_unit _ _ Sd).
      - apply (hull_tab_sound Sd _ _ (fun z =>
          sqrt (sum2 P Q (fun b k => rest z b k * rest z b k)) *
          sqrt (sum2 P Q (fun b k => v_of b k * v_of b k)))); [|exact Below].
        intros u _. apply (sound_mul _ _ Sd); apply (sound_sqrt _ _ Sd); apply (total2_sound Sd);
          intros b k _ _; apply (sound_mul _ _ Sd); try apply table_sound;
          exact (rest_sound b k u).
    Qed.

    Lemma misread_at_sound d p p' :
      contains (misread_at (table_t bits c) (reading_of n bits U_t d) p p') (misread d p p').
    Proof using Sd.
      unfold misread_at, misread, seen. apply (sound_sub _ _ Sd).
      - apply (Arithmetic.relu_enclosure_sound Sd).
        apply (sound_add _ _ Sd); apply points_sound.
      - apply (sound_add _ _ Sd).
        + apply (sound_add _ _ Sd); [apply (sound_add _ _ Sd)|]; [apply (number_sound Sd)| |];
            apply points_sound.
        + apply (sound_mul _ _ Sd); [apply (number_sound Sd)|apply table_sound].
    Qed.

    Lemma misread_hull_sound d p p' : (p < P)%nat -> (p' < Q)%nat ->
      contains (hull_row (flat_map (fun p => tab Q (misread_at (table_t bits c)
        (reading_of n bits U_t d) p)) (seq 0 P))) (misread d p p').
    Proof using Sd.
      intros Hp Hq.
      apply (hull_row_in Sd _ (misread_at (table_t bits c) (reading_of n bits U_t d) p p'));
        [|apply misread_at_sound].
      apply in_flat_map. exists p. split; [apply in_seq; lia|]. apply in_map, in_seq. lia.
    Qed.

    Theorem circuit_bounds : bounds (part_of n bits l_t r_t U_t c) adds.
    Proof using Sd Left_t Right_t Output_t Products Acts.
      destruct acts_sound as (Left & Right & Action & Invariant & Rows & Columns).
      assert (Below_left : forall x b, (x < n)%nat -> (b < P)%nat -> (left x b < P)%nat).
      { intros x b Hx Hb. assert (In_P : In (left x b) (seq 0 P)).
        { apply (Permutation_in _ (Left x Hx)), in_map, in_seq. lia. }
        apply in_seq in In_P. lia. }
      pose proof (right_below n Q right Right) as Below_right.
      exists known, known_left, known_right. unfold part_of, part_from, cells_t. cbv zeta.
      split; [|split; [|split]]; cbn [constant of_left of_right].
      - apply (tab_sound Sd). intros z _. apply (total2_sound Sd). intros b k _ _. apply cell_sound.
        intros d. apply (sound_mul _ _ Sd); [apply (number_sound Sd)|apply writes_sound].
      - apply (tab2_sound Sd). intros x z _ _. apply (total_sound Sd). intros b _.
        apply by_left_sound.
      - apply (tab2_sound Sd). intros y z _ _. apply (total_sound Sd). intros k _.
        apply by_right_sound.
      - intros x y w Hx Hy Hw. cbv zeta.
        set (a := product x y). set (z := product x (product w y)).
        assert (Ha : (a < n)%nat) by (apply Products; assumption).
        assert (Hz : (z < n)%nat) by (apply Products; [|apply Products]; assumption).
        pose (gap := sum2 P Q (fun b k => (g_of b k - g_of b (right w k)) * v_of b k)).
        destruct (table_difference n P Q product left right g_of v_of Products Left Right Action
          Invariant Rows Columns along row_mean column_mean x y w Hx Hy Hw)
          as (o & o' & Unit & Unit' & Tables).
        pose (slope := fun b k d => slope_at x y d (left x b) (right y k)).
        pose (to_left := fun b k d => slope b k d *
          (l x (neuron d) - point1 (seen_left d) (left x b))).
        pose (to_right := fun b k d => slope b k d *
          (r y (neuron d) - point1 (seen_right d) (right y k))).
        pose (off := fun b k d => misread d (left x b) (right y k)).
        pose (errors := fun f : nat -> nat -> reading -> R =>
          sum2 P Q (fun b k => sum_over (here b k) (fun d => (write d a - write d z) * f b k d))).
        pose (size := fun u => sqrt (sum2 P Q (fun b k => rest u b k * rest u b k)) *
                               sqrt (sum2 P Q (fun b k => v_of b k * v_of b k))).
        assert (Slope : forall b k d, -1 <= slope b k d <= 1)
          by (intros; apply relu_slope_of_spec).
        exists gap, (errors to_left), (errors to_right), ((o * size a - o' * size z) + errors off).
        cbn [gaps error_left error_right fixed].
        split; [|split; [|split; [|split]]].
        + apply (tab_sound Sd _ _ (fun w =>
            sum2 P Q (fun b k => (g_of b k - g_of b (right w k)) * v_of b k))).
          intros u _. apply (total2_sound Sd). intros b k _ _.
          apply (sound_mul _ _ Sd); [|apply table_sound].
          apply (sound_sub _ _ Sd); apply gamma_sound.
        + unfold entry_of. rewrite nth_tab. rewrite (proj2 (Nat.ltb_lt x n) Hx).
          apply (total2_sound Sd). intros b k _ _. apply cell_sound. intros d. unfold to_left.
          rewrite <- Rmult_assoc. apply (sound_mul _ _ Sd); [now apply swing_sound|].
          apply (sound_sub _ _ Sd); [apply Left_t|apply points_sound].
        + unfold entry_of. rewrite nth_tab. rewrite (proj2 (Nat.ltb_lt y n) Hy).
          apply (total2_sound Sd). intros b k _ _. apply cell_sound. intros d. unfold to_right.
          rewrite <- Rmult_assoc. apply (sound_mul _ _ Sd); [now apply swing_sound|].
          apply (sound_sub _ _ Sd); [apply Right_t|apply points_sound].
        + apply (sound_add _ _ Sd).
          * apply (sound_sub _ _ Sd); now apply noise_sound.
          * apply (total2_sound Sd). intros b k Hb Hk. apply cell_sound. intros d. unfold off.
            rewrite <- (Rmult_1_r (write d a - write d z)). apply (sound_mul _ _ Sd).
            -- apply swing_sound; [assumption..|lra].
            -- apply misread_hull_sound; auto.
        + assert (Parts : forall u, adds x y u = known u + known_left x u + known_right y u
            + sum2 P Q (fun b k => along b k u * v_of (left x b) (right y k))
            + sum2 P Q (fun b k => sum_over (here b k) (fun d => write d u * off b k d))
            + sum2 P Q (fun b k => sum_over (here b k) (fun d => write d u * to_left b k d))
            + sum2 P Q (fun b k => sum_over (here b k) (fun d => write d u * to_right b k d))).
          { intros u. rewrite adds_parts. apply f_equal2; [apply f_equal2; [reflexivity|]|];
              apply sum2_ext; intros b k _ _; apply sum_over_ext; intros d _;
              unfold to_left, to_right, slope; ring. }
          rewrite !Parts. unfold errors. rewrite <- !difference.
          change (sum2 P Q (fun b k => along b k a * v_of (left x b) (right y k)) -
                  sum2 P Q (fun b k => along b k z * v_of (left x b) (right y k)) =
                  gap + (o * size a - o' * size z)) in Tables.
          lra.
    Qed.
  End Circuit.
End Sound.
