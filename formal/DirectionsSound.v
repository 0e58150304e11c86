(** * What the checker of directions proves is right *)

From Coq Require Import Reals ZArith NArith List Bool Lia Lra Permutation.
From CompactProofs Require Import Network Sums Rows Arithmetic Directions DirectionsChecker
  DirectionsRows.
Import ListNotations.
Open Scope R_scope.

(** ** Neurons *)

Lemma once_each_sound m clusters : once_each m clusters = true ->
  Permutation (seq 0 m) (map index (flat_map neurons clusters)) /\
  forall v, In v (flat_map neurons clusters) -> (0 < factor v)%Z.
Proof.
  unfold once_each. cbv zeta. set (all := flat_map neurons clusters). intros Check.
  rewrite !andb_true_iff in Check. destruct Check as [[Length Some_v] Positive].
  apply Nat.eqb_eq in Length. rewrite forallb_forall in Some_v, Positive. split.
  - apply NoDup_Permutation_bis; [apply seq_NoDup|rewrite map_length, seq_length; lia|].
    intros i In_m. specialize (Some_v (N.of_nat i) (in_map _ _ _ In_m)).
    apply existsb_exists in Some_v. destruct Some_v as [j [In_all Is]].
    apply N.eqb_eq in Is. subst j. apply in_map_iff in In_all. destruct In_all as [v [Is In_all]].
    apply Nat2N.inj in Is. subst i. now apply in_map.
  - intros v In_all. now apply Z.ltb_lt, Positive.
Qed.

Section Sound.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : Arithmetic.sound A is contains.
  Notation encloses := (encloses (contains := contains)).

  Variables (p q m n bits : nat) (clusters : list cluster).
  Notation total := (over neurons clusters).
  Notation means := (means (is := is) (contains := contains)).
  Notation holds := (holds (contains := contains) (clusters := clusters)).
  Notation hold := (hold (contains := contains) (clusters := clusters)).

  (** ** The network *)

  Variables (pre : nat -> nat -> nat -> R) (out : nat -> nat -> R) (direct : nat -> nat -> nat -> R).
  Variables (pre_t : nat -> nat -> nat -> T A) (out_t : nat -> nat -> T A).
  Variable direct_t : nat -> nat -> nat -> T A.
  Hypothesis Pre : forall x y i, (x < p)%nat -> (y < q)%nat -> (i < m)%nat ->
    contains (pre_t x y i) (pre x y i).
  Hypothesis Out : forall z i, (z < n)%nat -> (i < m)%nat -> contains (out_t z i) (out z i).
  Hypothesis Direct : forall x y z, (x < p)%nat -> (y < q)%nat -> (z < n)%nat ->
    contains (direct_t x y z) (direct x y z).
  Hypothesis Pre_adds : forall x y i, pre x y i =
    pre x 0%nat i + (pre 0%nat y i - pre 0%nat 0%nat i).
  Hypothesis Direct_adds : forall x y z,
    direct x y z = direct x 0%nat z + (direct 0%nat y z - direct 0%nat 0%nat z).
  Hypothesis Once : once_each m clusters = true.

  Definition output (x y z : nat) : R :=
    sum m (fun i => Rmax 0 (pre x y i) * out z i) + direct x y z.

  Notation s v := (IZR (factor v)).
  Definition left (x : nat) (c : cluster) (v : neuron) : R := s v * pre x 0%nat (index v).
  Definition right (y : nat) (c : cluster) (v : neuron) : R :=
    s v * (pre 0%nat y (index v) - pre 0%nat 0%nat (index v)).
  Definition answer (x y : nat) (c : cluster) (v : neuron) : R := Rmax 0 (left x c v + right y c v).
  Definition of_left (x : nat) := mean_of q (fun y => answer x y).
  Definition of_right (y : nat) (c : cluster) (v : neuron) : R :=
    mean_of p (fun x => answer x y) c v - mean_of p of_left c v.
  Definition written (c : cluster) (v : neuron) (z : nat) : R := out z (index v) / s v.
  Definition centre := mean_of n (fun z c v => written c v z).
  Definition beside_left (x z : nat) : R := direct x 0%nat z.
  Definition beside_right (y z : nat) : R := direct 0%nat y z - direct 0%nat 0%nat z.

  Definition numbers (c : cluster) : list nat := seq 0 (length (directions c)).
  Definition coordinate (c : cluster) (v : neuron) (d : nat) : R :=
    real bits (nth d (coordinates v) 0%Z).
  Definition toward (c : cluster) (d z : nat) : R :=
    real bits (nth z (nth d (directions c) []) 0%Z).

  Notation rest := (rest centre written numbers coordinate toward).
  Notation centred := (centred centre written).
  Notation followed := (followed numbers coordinate toward).

  Lemma index_below c v : In c clusters -> In v (neurons c) -> (index v < m)%nat /\ 0 < s v.
  Proof using Once.
    intros In_cs In_c. destruct (once_each_sound m clusters Once) as [Permuted Positive].
    assert (In_all : In v (flat_map neurons clusters)) by (apply in_flat_map; now exists c).
    split; [|now apply (IZR_lt 0), Positive].
    assert (In_m : In (index v) (seq 0 m))
      by (apply (Permutation_in _ (Permutation_sym Permuted)); now apply in_map).
    apply in_seq in In_m. lia.
  Qed.

  Lemma output_over x y z :
    output x y z = total (fun c v => answer x y c v * written c v z)
                   + (beside_left x z + beside_right y z).
  Proof using Once Pre_adds Direct_adds.
    unfold output, beside_left, beside_right. rewrite <- Direct_adds. f_equal.
    destruct (once_each_sound m clusters Once) as [Permuted _].
    change (sum m ?f) with (sum_over (seq 0 m) f).
    rewrite (sum_over_permutation _ _ _ Permuted), sum_over_map, sum_over_flat_map.
    unfold over. apply sum_over_ext. intros c In_cs. apply sum_over_ext. intros v In_c.
    destruct (index_below c v In_cs In_c) as [_ Positive].
    unfold answer, left, right, written. rewrite <- Rmult_plus_distr_l, <- Pre_adds.
    assert (Scaled : forall a, Rmax 0 (s v * a) = s v * Rmax 0 a)
      by (intros a; rewrite <- RmaxRmult by lra; now rewrite Rmult_0_r).
    rewrite Scaled. field. lra.
  Qed.

  (** ** What is enclosed *)

  Section Pair.
    Hypothesis Some_p : (0 < p)%nat.
    Hypothesis Some_q : (0 < q)%nat.

    Lemma left_sound x : (x < p)%nat -> holds (left_row A clusters pre_t x) (left x).
    Proof using Sd Pre Once Some_q.
      intros Hx. apply holds_tabulated. intros c v In_cs In_c.
      destruct (index_below c v In_cs In_c) as [Below _].
      apply (sound_mul _ _ _ Sd); [apply (sound_of_Z _ _ _ Sd)|now apply Pre].
    Qed.

    Lemma right_sound y : (y < q)%nat -> holds (right_row A clusters pre_t y) (right y).
    Proof using Sd Pre Once Some_p Some_q.
      intros Hy. apply holds_tabulated. intros c v In_cs In_c.
      destruct (index_below c v In_cs In_c) as [Below _].
      apply (sound_mul _ _ _ Sd); [apply (sound_of_Z _ _ _ Sd)|].
      apply (sound_sub _ _ _ Sd); now apply Pre.
    Qed.

    Lemma hidden_sound l r x y : holds l (left x) -> holds r (right y) ->
      holds (hidden A l r) (answer x y).
    Proof using Sd.
      apply (holds_each _ (fun a b => Rmax 0 (a + b))). intros.
      apply (sound_relu _ _ _ Sd). now apply (sound_add _ _ _ Sd).
    Qed.

    Lemma written_sound z : (z < n)%nat ->
      holds (out_row A clusters out_t z) (fun c v => written c v z).
    Proof using Sd Out Once.
      intros Hz. apply holds_tabulated. intros c v In_cs In_c.
      destruct (index_below c v In_cs In_c) as [Below _].
      apply (sound_div _ _ _ Sd); [now apply Out|apply (sound_of_Z _ _ _ Sd)].
    Qed.

    (** A cluster's directions, and all of them. *)
    Definition way_holds (c : cluster) (w : way A) (d : nat) : Prop :=
      Forall2 (fun k v => means k (coordinate c v d)) (fst w) (neurons c) /\
      Forall2 (fun k z => means k (toward c d z)) (snd w) (seq 0 n).

    Lemma ways_sound c : Forall2 (way_holds c) (ways_of A n bits c) (numbers c).
    Proof using Sd.
      apply tabulated_holds. intros d _. split; cbn [fst snd].
      - apply tabulated_holds. intros. apply (hint_sound Sd).
      - unfold toward. set (V := nth d (directions c) []).
        apply tabulated_holds. intros. apply (hint_sound Sd).
    Qed.

    Lemma followed_cluster_sound c ws ds z : Forall2 (way_holds c) ws ds -> (z < n)%nat ->
      encloses (followed_cluster A c z ws)
        (fun v => sum_over ds (fun d => coordinate c v d * toward c d z)) (neurons c).
    Proof using Sd.
      intros Ways Hz. induction Ways as [|w d ws ds [Here There] Ways IH].
      - apply tabulated_holds. intros. apply (sound_of_Z _ _ _ Sd).
      - cbn [followed_cluster fold_right]. cbv zeta. set (v := value A _).
        assert (Value : contains v (toward c d z)).
        { apply (value_sound Sd).
          exact (nth_holds (fun k z => means k (toward c d z)) _ _ _ _ There Hz). }
        refine (both_hold _ _ _ _ _ _ _ _ Here IH). intros k s i _ Is In.
        rewrite sum_over_cons. apply (sound_add _ _ _ Sd); [now apply (times_sound Sd)|exact In].
    Qed.

    Lemma followed_sound z : (z < n)%nat ->
      holds (followed_row A clusters (map (ways_of A n bits) clusters) z)
        (fun c v => followed c v z).
    Proof using Sd.
      intros Hz. unfold followed_row, holds. clear -Sd Hz.
      induction clusters as [|c cs IH]; cbn [map map2]; constructor; [|exact IH].
      exact (followed_cluster_sound c _ _ z (ways_sound c) Hz).
    Qed.

    Lemma follow_cluster_sound c ws ds l h : Forall2 (way_holds c) ws ds ->
      encloses l h (neurons c) -> forall acc f, encloses acc f (seq 0 n) ->
      encloses (follow_cluster A acc ws l)
        (fun z => f z + sum_over ds (fun d => toward c d z *
           sum_over (neurons c) (fun v => coordinate c v d * h v))) (seq 0 n).
    Proof using Sd.
      intros Ways Row. induction Ways as [|w d ws ds [Here There] Ways IH]; intros acc f Start.
      - apply (encloses_ext _ f); [|exact Start]. intros. unfold sum_over. cbn. ring.
      - unfold follow_cluster. cbn [fold_left].
        set (k := along_from A _ (fst w) l).
        set (along := sum_over (neurons c) (fun v => coordinate c v d * h v)).
        assert (Along : contains k along).
        { pose proof (along_from_sound Sd _ _ _ _ _ Here Row (of_Z A 0) 0 (sound_of_Z _ _ _ Sd 0)).
          now rewrite Rplus_0_l in H. }
        refine (encloses_ext _ _ _ _ _ (IH _ (fun z => f z + toward c d z * along) _)).
        + intros z _. cbv beta. rewrite sum_over_cons. fold along. ring.
        + revert Start There. apply both_hold. intros a v z _ In Is.
          apply (sound_add _ _ _ Sd); [exact In|now apply (times_sound Sd)].
    Qed.

    Lemma follow_sound r h cs : Forall2 (fun l c => encloses l (h c) (neurons c)) r cs ->
      forall acc f, encloses acc f (seq 0 n) ->
      encloses (follow A acc (map (ways_of A n bits) cs) r)
        (fun z => f z + sum_over cs (fun c => sum_over (numbers c) (fun d =>
           toward c d z * along neurons h coordinate c d))) (seq 0 n).
    Proof using Sd.
      intros Row. induction Row as [|l c r cs Here Row IH]; intros acc f Start;
        cbn [map follow].
      - apply (encloses_ext _ f); [|exact Start]. intros. unfold sum_over. cbn. ring.
      - refine (encloses_ext _ _ _ _ _
          (IH _ _ (follow_cluster_sound c _ _ l (h c) (ways_sound c) Here acc f Start))).
        intros z _. cbv beta. rewrite sum_over_cons. unfold along. ring.
    Qed.

    (** One token *)
    Record side_holds (sd : side A) (r a : cluster -> neuron -> R) (b : nat -> R) : Prop := {
      reads_hold : holds (reads A sd) r;
      answers_hold : holds (answers A sd) a;
      beside_holds : encloses (beside A sd) b (seq 0 n);
      knows_hold : encloses (knows A sd)
        (fun z => b z + total (fun c v => a c v * rest c v z)) (seq 0 n)
    }.

    Lemma sides_sound k rests lefts means_k besides r a b :
      hold n rests (fun z c v => rest c v z) -> hold k lefts r -> hold k means_k a ->
      Forall2 (fun l x => encloses l (b x) (seq 0 n)) besides (seq 0 k) ->
      Forall2 (fun sd x => side_holds sd (r x) (a x) (b x))
        (map2 (fun ra bs => side_of A rests (fst ra) (snd ra) bs) (map2 pair lefts means_k) besides)
        (seq 0 k).
    Proof using Sd.
      intros Rests Lefts Answers.
      pose proof (both_hold (fun l x => holds l (r x)) (fun l x => holds l (a x))
        (fun la x => holds (fst la) (r x) /\ holds (snd la) (a x)) pair _ _ _
        (fun l l' x _ => @conj (holds l (r x)) (holds l' (a x))) Lefts Answers) as Both.
      revert Both. apply both_hold. intros la l x _ [Reads Means] Beside.
      constructor; cbn [side_of reads answers beside knows]; [exact Reads|exact Means|exact Beside|].
      revert Beside Rests. apply both_hold. intros s o z _ Start Rest.
      exact (dot_rows_sound Sd _ _ _ _ _ _ Start Means Rest).
    Qed.

    (** Where all entries but the label's are below the label's, that is so of what they hold. *)
    Lemma others_below l f own a z : encloses l f (seq 0 n) -> contains own a ->
      forall k, forallb (fun b => less A b own) (omit k l) = true -> (z < n)%nat -> z <> k -> f z < a.
    Proof using Sd.
      intros Row Own k All Hz Other.
      apply (encloses_forall (contains := contains) (fun b => less A b own) (fun x => x < a)
        _ f (omit k (seq 0 n))) with (2 := All).
      - intros b x Less In. exact (sound_less _ _ _ Sd _ _ _ _ Less In Own).
      - now apply encloses_omit.
      - apply in_omit_seq. now split.
    Qed.

    Theorem proven_sound rest_b label x y : (x < p)%nat -> (y < q)%nat -> (label x y < n)%nat ->
      proven A p q n bits clusters pre_t out_t direct_t rest_b label x y = true ->
      forall z, (z < n)%nat -> z <> label x y -> output x y z < output x y (label x y).
    Proof using Sd Pre Out Direct Pre_adds Direct_adds Once Some_p Some_q.
      intros Hx Hy Ha Proven z Hz Other. unfold proven in Proven. cbv zeta in Proven.
      set (outs := map (out_row _ _ _) (seq 0 n)) in *.
      set (lefts := map (left_row _ _ _) (seq 0 p)) in *.
      set (rights := map (right_row _ _ _) (seq 0 q)) in *.
      set (centre_t := DirectionsChecker.mean A clusters outs) in *.
      set (ways := map (ways_of _ _ _) clusters) in *.
      set (centred_t := map (fun o => each A (sub A) o centre_t) outs) in *.
      set (rests := map2 _ centred_t _) in *.
      set (sizes := map _ rests) in *.
      set (answers_left := map _ lefts) in *.
      set (answers_right := map _ rights) in *.
      set (sides_left := map2 _ (map2 pair lefts _) _) in *.
      set (sides_right := map2 _ (map2 pair rights _) _) in *.
      set (l := nth x sides_left _) in *. set (r := nth y sides_right _) in *.
      set (h := hidden A _ _) in *.
      set (apart_t := each A (sub A) (each A (sub A) h _) _) in *.
      set (size := tsqrt A _) in *. set (above := map2 _ (follow _ _ _ _) sizes) in *.
      set (besides := map2 (add A) (beside A l) _) in *. set (own := dot_rows A _ h _) in *.
      assert (Outs : hold n outs (fun z c v => written c v z)).
      { apply tabulated_holds. intros u In_n. apply in_seq in In_n. apply written_sound. lia. }
      assert (Centre : holds centre_t centre) by now apply (mean_sound Sd).
      assert (Centred : hold n centred_t (fun z c v => centred c v z)).
      { revert Outs. apply mapped_holds. intros o u _ Row. now apply (holds_difference Sd). }
      assert (Rests : hold n rests (fun z c v => rest c v z)).
      { assert (Followed : hold n (map (followed_row A clusters ways) (seq 0 n))
            (fun z c v => followed c v z)).
        { apply tabulated_holds. intros u In_n. apply in_seq in In_n. apply followed_sound. lia. }
        revert Centred Followed. apply both_hold. intros o o' u _. apply (holds_difference Sd). }
      assert (Zero : contains (of_Z A 0) 0) by apply (sound_of_Z _ _ _ Sd).
      assert (Norm : forall o f, holds o f -> contains (tsqrt A (dot_rows A (of_Z A 0) o o))
                                  (sqrt (total (fun c v => f c v * f c v)))).
      { intros o f Row. apply (sound_sqrt _ _ _ Sd).
        pose proof (dot_rows_sound Sd o o f f _ 0 Zero Row Row) as Dot.
        now rewrite Rplus_0_l in Dot. }
      assert (Sizes : encloses sizes
        (fun z => sqrt (total (fun c v => rest c v z * rest c v z))) (seq 0 n)).
      { revert Rests. apply mapped_holds. intros o u _ Row.
        exact (Norm o (fun c v => rest c v u) Row). }
      assert (Lefts : hold p lefts left).
      { apply tabulated_holds. intros u In_p. apply in_seq in In_p. apply left_sound. lia. }
      assert (Rights : hold q rights right).
      { apply tabulated_holds. intros u In_q. apply in_seq in In_q. apply right_sound. lia. }
      assert (Answers_left : hold p answers_left of_left).
      { revert Lefts. apply mapped_holds. intros o u _ Row. apply (mean_sound Sd q).
        revert Rights. apply mapped_holds. intros o' u' _ Row'. now apply hidden_sound. }
      assert (Answers_right : hold q answers_right of_right).
      { revert Rights. apply mapped_holds. intros o u _ Row.
        apply (holds_difference Sd); [|now apply (mean_sound Sd)].
        apply (mean_sound Sd p (map _ lefts)).
        revert Lefts. apply mapped_holds. intros o' u' _ Row'. now apply hidden_sound. }
      assert (Left : side_holds l (left x) (of_left x) (beside_left x)).
      { apply (nth_holds (fun sd x => side_holds sd (left x) (of_left x) (beside_left x)) _ p);
          [|exact Hx].
        apply sides_sound; [assumption..|]. apply tabulated_holds. intros u In_p.
        apply tabulated_holds. intros o In_n. apply in_seq in In_p, In_n. apply Direct; lia. }
      assert (Right : side_holds r (right y) (of_right y) (beside_right y)).
      { apply (nth_holds (fun sd y => side_holds sd (right y) (of_right y) (beside_right y)) _ q);
          [|exact Hy].
        apply sides_sound; [assumption..|]. apply tabulated_holds. intros u In_q.
        apply tabulated_holds. intros o In_n. apply in_seq in In_q, In_n.
        apply (sound_sub _ _ _ Sd); apply Direct; lia. }
      destruct Left as [Reads_l Answers_l Beside_l Knows_l].
      destruct Right as [Reads_r Answers_r Beside_r Knows_r].
      assert (Hidden : holds h (answer x y)) by now apply hidden_sound.
      assert (Besides : encloses besides (fun z => beside_left x z + beside_right y z) (seq 0 n)).
      { revert Beside_l Beside_r. apply both_hold. intros s o u _. apply (sound_add _ _ _ Sd). }
      pose (direct' := fun z => beside_left x z + beside_right y z).
      pose (all := fun z => direct' z + total (fun c v => answer x y c v * centred c v z)).
      assert (Own : contains own (all (label x y))).
      { apply (dot_rows_sound Sd); [|exact Hidden|].
        - exact (nth_holds (fun b z => contains b (direct' z)) _ _ _ _ Besides Ha).
        - exact (nth_holds (fun o z => holds o (fun c v => centred c v z)) _ _ _ _ Centred Ha). }
      rewrite !output_over.
      destruct (forallb (fun b => less A b own) (omit _ above)) eqn:Bounds; [clear Proven|].
      - assert (Above : encloses above (fun z => direct' z
            + known neurons clusters (answer x y) (of_left x) (of_right y) centre written
                numbers coordinate toward z
            + bound neurons clusters (answer x y) (of_left x) (of_right y) centre written
                numbers coordinate toward z) (seq 0 n)).
        { assert (Apart : holds apart_t
            (apart (answer x y) (of_left x) (of_right y)))
            by (apply (holds_difference Sd); [now apply (holds_difference Sd)|exact Answers_r]).
          assert (Knows : encloses (map2 (add A) (knows A l) (knows A r)) (fun z =>
              (beside_left x z + total (fun c v => of_left x c v * rest c v z)) +
              (beside_right y z + total (fun c v => of_right y c v * rest c v z))) (seq 0 n)).
          { revert Knows_l Knows_r. apply both_hold. intros s o u _. apply (sound_add _ _ _ Sd). }
          pose proof (follow_sound h (answer x y) clusters Hidden _ _ Knows) as Follow.
          refine (encloses_ext _ _ _ _ _ (both_hold _ _ (fun a z => contains a (_ z)) _ _ _ _
            _ Follow Sizes)).
          2: { intros a b u _ In In'. apply (sound_add _ _ _ Sd); [exact In|].
               apply (sound_mul _ _ _ Sd); [exact (Norm _ _ Apart)|exact In']. }
          intros u _. cbv beta. unfold known, bound, direct'. ring. }
        pose proof (others_below _ _ _ _ z Above Own _ Bounds Hz Other) as Below.
        exact (lead neurons clusters (answer x y) (of_left x) (of_right y) centre written numbers
          coordinate toward direct' (label x y) z Below).
      - destruct rest_b; [|discriminate].
        assert (All : encloses (map2 (fun s o => dot_rows A s h o) besides centred_t) all (seq 0 n)).
        { revert Besides Centred. apply both_hold. intros s o u _ Start Row.
          exact (dot_rows_sound Sd h o _ _ s _ Start Hidden Row). }
        pose proof (others_below _ _ _ _ z All Own _ Proven Hz Other) as Below.
        unfold all, direct' in Below.
        rewrite !(written_centred neurons clusters (answer x y) centre written). lra.
    Qed.
  End Pair.
End Sound.
