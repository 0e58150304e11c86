(** * The additive certificate: the harm that tokens can do is bounded as [harm] says *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths Grid Additive.
Import ListNotations.
Open Scope R_scope.

(** ** The least and the largest of finitely many numbers *)

Fixpoint least_of (f : nat -> R) (n : nat) : R := match n with O => f O | S k => Rmin (least_of f k) (f (S k)) end.

Lemma least_of_le f n i : (i <= n)%nat -> least_of f n <= f i.
Proof.
  induction n as [|n IH]; intros H; cbn [least_of]; [replace i with O by lia; apply Rle_refl|].
  destruct (Nat.eq_dec i (S n)) as [->|Hne]; [apply Rmin_r|]. eapply Rle_trans; [apply Rmin_l|apply IH; lia].
Qed.

Lemma least_of_is f n : exists i, (i <= n)%nat /\ least_of f n = f i.
Proof.
  induction n as [|n [i [Hi E]]]; cbn [least_of]; [exists O; split; [lia|reflexivity]|].
  unfold Rmin. destruct (Rle_dec (least_of f n) (f (S n))); [exists i; split; [lia|exact E]|exists (S n); split; [lia|reflexivity]].
Qed.

(** The largest of 0, - f 0, ..., - f n. *)
Definition worst (f : nat -> R) (n : nat) : R := Rmax 0 (- least_of f n).

Lemma worst_nonneg f n : 0 <= worst f n.
Proof. apply Rmax_l. Qed.

Lemma worst_ge f n i : (i <= n)%nat -> - f i <= worst f n.
Proof. intros H. pose proof (least_of_le f n i H). unfold worst. pose proof (Rmax_r 0 (- least_of f n)). lra. Qed.

Lemma worst_is f n : worst f n = 0 \/ exists i, (i <= n)%nat /\ worst f n = - f i.
Proof.
  unfold worst, Rmax. destruct (Rle_dec 0 (- least_of f n)); [|now left]. right.
  destruct (least_of_is f n) as [i [Hi E]]. exists i. now rewrite E.
Qed.

Section Soundness.
  Context {A : enclosures} {contains : T A -> R -> Prop} (Sd : sound A contains).
  Variables (M : transformer) (o : options) (P : tables (A := A)).
  Hypothesis TS : tables_sound M (contains := contains) P.
  Notation v := (d_vocab M).
  Notation n := (last M).
  Notation vocab := (seq 0 (d_vocab M)).
  Notation context := (seq 0 (n_ctx M)).
  Notation encl := (encloses (contains := contains)).
  Notation "a :> x" := (contains a x) (at level 70).
  Hypothesis two : (1 < n_ctx M)%nat.

  Lemma context_S : n_ctx M = S n.
  Proof. unfold last. lia. Qed.

  (** ** Parts of the program *)

  Lemma sum_rows_sound rows f is : encloses_table (contains := contains) rows f is vocab ->
    encl (fold_right (map2 (add A)) (map (fun _ => of_Z A 0) vocab) rows) (fun x => sum_over is (fun i => f i x)) vocab.
  Proof.
    intros E. induction E as [|row i rows is Hrow E IH]; cbn [fold_right].
    - apply encloses_tabulate. intros. apply (sound_of_Z _ _ Sd).
    - apply (encloses_map2 (add A) Rplus row _ (f i)); [apply (sound_add _ _ Sd)|exact Hrow|exact IH].
  Qed.

  Lemma mean_sound rows f is : encloses_table (contains := contains) rows f is vocab ->
    exists mu, encl (mean M rows) mu vocab.
  Proof.
    intros E. exists (fun x => sum_over is (fun i => f i x) / IZR (Z.of_nat (length rows))). unfold mean.
    apply (encloses_map _ (fun r => r / IZR (Z.of_nat (length rows)))); [|now apply sum_rows_sound].
    intros a r H. apply (sound_div _ _ Sd); [exact H|apply (sound_of_Z _ _ Sd)].
  Qed.

  Lemma map_rows_sound F (G : (nat -> R) -> nat -> R) rows f is :
    (forall row g, encl row g vocab -> encl (F row) (G g) vocab) ->
    encloses_table (contains := contains) rows f is vocab -> encloses_table (contains := contains) (map F rows) (fun i => G (f i)) is vocab.
  Proof. intros H E. induction E; cbn; constructor; auto. Qed.

  Lemma ratio_hull ds is : forall hs so_far,
    ratio so_far hs ds is = hull so_far (map2 (mul A) (map2 (add A) hs ds) is).
  Proof.
    revert is. induction ds as [|d ds IH]; intros is [|h hs] so_far; try reflexivity.
    destruct is as [|i is]; [reflexivity|]. exact (IH is hs _).
  Qed.

  (** EV' and the rest of the direct path and of the positional values, for some amounts moved from these to that. *)
  Definition moved (F : folded) (V delta pi : nat -> nat -> R) : Prop :=
    encloses_table (contains := contains) (values F) V vocab vocab /\
    (forall u x, (u < v)%nat -> (x < v)%nat -> entry_of (spans F) u :> V u x) /\
    encloses_table (contains := contains) (direct F) delta vocab vocab /\
    encloses_table (contains := contains) (positional F) pi context vocab /\
    forall a m x i u, gain M a m x i u = (V u m - V u x) - ((delta a x - delta a m) + (pi i x - pi i m)).

  Lemma fold_means_sound : exists V delta pi, moved (fold_means M P) V delta pi.
  Proof.
    destruct (mean_sound _ _ _ (EUPU_sound M P TS)) as [e He]. destruct (mean_sound _ _ _ (PVOU_sound M P TS)) as [p Hp].
    pose (V := fun u x => EVOU M u x + (e x + p x)). exists V, (fun a x => EUPU M a x - e x), (fun i x => PVOU M i x - p x).
    assert (HV : encloses_table (contains := contains) (values (fold_means M P)) V vocab vocab).
    { apply (map_rows_sound _ (fun g x => g x + (e x + p x))); [|apply (EVOU_sound M P TS)]. intros row g Hg.
      apply (encloses_map2 (add A) Rplus row _ g (fun x => e x + p x)); [apply (sound_add _ _ Sd)|exact Hg|].
      apply (encloses_map2 (add A) Rplus _ _ e p); [apply (sound_add _ _ Sd)|exact He|exact Hp]. }
    repeat split.
    - exact HV.
    - intros u x Hu Hx. unfold entry_of. cbn [fold_means spans].
      rewrite (nth_indep _ (everything A) (hull_row [])).
      + rewrite map_nth. apply (hull_row_encloses Sd _ (V u) vocab); [|apply in_seq; lia].
        exact (encloses_table_nth _ V v vocab u HV Hu).
      + rewrite map_length. apply encloses_table_length in HV. cbn [fold_means values] in HV. now rewrite HV, seq_length.
    - apply (map_rows_sound _ (fun g x => g x - e x)); [|apply (EUPU_sound M P TS)]. intros row g Hg.
      apply (encloses_map2 (sub A) Rminus row _ g e); [apply (sound_sub _ _ Sd)|exact Hg|exact He].
    - apply (map_rows_sound _ (fun g x => g x - p x)); [|apply (PVOU_sound M P TS)]. intros row g Hg.
      apply (encloses_map2 (sub A) Rminus row _ g p); [apply (sound_sub _ _ Sd)|exact Hg|exact Hp].
    - intros. unfold gain, V. ring.
  Qed.

  Lemma away_sound row f m : (m < v)%nat -> encl row f vocab -> encl (away m row) (fun x => f x - f m) (omit m vocab).
  Proof.
    intros Hm E. unfold away. apply (encloses_map _ (fun r => r - f m)); [|now apply encloses_omit].
    intros a r H. apply (sound_sub _ _ Sd); [exact H|now apply (encloses_nth row f v)].
  Qed.

  Lemma toward_sound row f m : (m < v)%nat -> encl row f vocab -> encl (toward m row) (fun x => f m - f x) (omit m vocab).
  Proof.
    intros Hm E. unfold toward. apply (encloses_map _ (fun r => f m - r)); [|now apply encloses_omit].
    intros a r H. apply (sound_sub _ _ Sd); [now apply (encloses_nth row f v)|exact H].
  Qed.

  (** An enclosure of finitely many functions encloses every function that picks among them. *)
  Lemma encloses_pick l (f : nat -> nat -> R) h xs k : (forall i, (i <= k)%nat -> encl l (f i) xs) ->
    (forall x, exists i, (i <= k)%nat /\ h x = f i x) -> encl l h xs.
  Proof.
    intros H Hh. revert l H. induction xs as [|x xs IH]; intros l H.
    - pose proof (H O ltac:(lia)) as E. inversion E. constructor.
    - pose proof (H O ltac:(lia)) as E. inversion E; subst. constructor.
      + destruct (Hh x) as [i [Hi ->]]. specialize (H i Hi). now inversion H.
      + apply IH. intros i Hi. specialize (H i Hi). now inversion H.
  Qed.

  Section Row.
    Variables (F : folded (A := A)) (V delta pi : nat -> nat -> R).
    Hypothesis HF : moved F V delta pi.
    Variable m : nat.
    Hypothesis Hm : (m < v)%nat.
    Variable qs : list nat.
    Hypothesis Hqs : forall q, In q qs -> (q <= m)%nat.
    Notation xs := (omit m vocab).
    Notation free := (free o m).

    Definition weight (q u : nat) : R := exp (EQKE M q u - EQKE M q m).
    Definition margin_at (q x : nat) : R := least_of (fun i => gain M q m x i m) n.
    Definition worst_harm (q x u : nat) : R := worst (fun i => weight q u * gain M q m x i u / margin_at q x) n.

    Notation D := (map2 (add A) (hull_rows (map (fun a => away m (nth a (direct F) [])) qs)) (position_spread (column_of M o F m))).
    Notation gap := (map2 (sub A) (margin (column_of M o F m)) D).
    Notation inverse := (map (div A (of_Z A 1)) gap).

    Lemma D_sound q i : In q qs -> (i <= n)%nat -> encl D (fun x => (delta q x - delta q m) + (pi i x - pi i m)) xs.
    Proof.
      intros Hq Hi. destruct HF as [_ [_ [HE [HP _]]]].
      apply (encloses_map2 (add A) Rplus _ _ (fun x => delta q x - delta q m) (fun x => pi i x - pi i m)); [apply (sound_add _ _ Sd)| |].
      - apply (hull_rows_sound Sd (fun a => away m (nth a (direct F) [])) (fun a x => delta a x - delta a m) qs xs q); [|exact Hq].
        intros a Ha. apply away_sound; [exact Hm|]. apply (encloses_table_nth _ delta v); [exact HE|]. specialize (Hqs a Ha). lia.
      - cbn [column_of position_spread].
        apply (hull_rows_sound Sd (fun i => away m (nth i (positional F) [])) (fun i x => pi i x - pi i m) context xs i).
        + intros j Hj. apply in_seq in Hj. apply away_sound; [exact Hm|]. now apply (encloses_table_nth _ pi (n_ctx M)).
        + apply in_seq. rewrite context_S. lia.
    Qed.

    Lemma gap_sound q : In q qs -> encl gap (margin_at q) xs.
    Proof.
      intros Hq. apply (encloses_pick _ (fun i x => gain M q m x i m) _ _ n).
      - intros i Hi. destruct HF as [HV [_ [_ [_ HG]]]].
        apply (encloses_ext _ (fun x => (V m m - V m x) - ((delta q x - delta q m) + (pi i x - pi i m)))); [intros; now rewrite HG|].
        apply (encloses_map2 (sub A) Rminus _ _ (fun x => V m m - V m x)); [apply (sound_sub _ _ Sd)| |now apply D_sound].
        apply toward_sound; [exact Hm|]. now apply (encloses_table_nth _ V v).
      - intros x. apply least_of_is.
    Qed.

    Section Weights.
    Variables (weigh : nat -> T A) (far_weight : T A).
    Hypothesis Weigh : forall q u, In q qs -> (u < v)%nat -> weigh u :> weight q u.
    Hypothesis Far_weigh : forall q u, In q qs -> (u < free)%nat -> far_weight :> weight q u.

    Lemma harm_by_sound ys far :
      harm_by o weigh far_weight F m (column_of M o F m) qs = Some (ys, far) ->
      length ys = (m - free)%nat /\
      exists f, far :> f /\ 0 <= f /\
      forall q x, In q qs -> In x xs -> 0 < margin_at q x /\
        (forall u, (u < free)%nat -> worst_harm q x u <= f) /\
        (forall u, (free <= u < m)%nat -> entry_of ys (u - free) :> worst_harm q x u).
    Proof.
      unfold harm_by. destruct (forallb (less A (of_Z A 0)) gap) eqn:Valid; [|discriminate].
      set (ratio := fun h : list (T A) => Additive.ratio (of_Z A 0) h D inverse).
      set (ys' := map2 (fun u h => mul A (weigh u) (ratio h)) (near o m) (harms (column_of M o F m))).
      change (map2 _ (near o m) (harms (column_of M o F m))) with ys'.
      assert (Z0 : of_Z A 0 :> 0) by apply (sound_of_Z _ _ Sd).
      assert (Margin : forall q x, In q qs -> In x xs -> 0 < margin_at q x).
      { intros q x Hq Hx. apply (encloses_forall (contains := contains) (less A (of_Z A 0)) (fun r => 0 < r) gap (margin_at q) xs); [|exact Valid|now apply gap_sound|exact Hx].
        intros a r Ha Hr. now apply (sound_less _ _ Sd _ _ 0 r Ha). }
      assert (Value : forall q x u, worst_harm q x u = 0 \/ exists i, (i <= n)%nat /\
                worst_harm q x u = weight q u * (((V u x - V u m) + ((delta q x - delta q m) + (pi i x - pi i m))) * (1 / margin_at q x))).
      { intros q x u. destruct (worst_is (fun i => weight q u * gain M q m x i u / margin_at q x) n) as [E|[i [Hi E]]]; [now left|right].
        exists i. split; [exact Hi|]. unfold worst_harm. rewrite E. destruct HF as [_ [_ [_ [_ ->]]]]. unfold Rdiv. ring. }
      assert (Length : length ys' = (m - free)%nat).
      { transitivity (length (seq free (m - free))); [|apply seq_length]. unfold ys', column_of, near. cbn [harms].
        generalize (seq free (m - free)). intros l. induction l as [|u l IH]; cbn; [reflexivity|]. now rewrite IH. }
      assert (Window : forall q x u, In q qs -> In x xs -> (free <= u < m)%nat -> entry_of ys' (u - free) :> worst_harm q x u).
      { intros q x u Hq Hx Hu.
        assert (Entry : entry_of ys' (u - free) = mul A (weigh u) (ratio (away m (nth u (values F) [])))).
        { unfold entry_of, ys', column_of, near. cbn [harms].
          assert (G : forall s k j, (j < k)%nat -> nth j (map2 (fun u h => mul A (weigh u) (ratio h)) (seq s k)
                       (map (fun u => away m (nth u (values F) [])) (seq s k))) (everything A) =
                       mul A (weigh (s + j)%nat) (ratio (away m (nth (s + j)%nat (values F) [])))).
          { intros s k. revert s. induction k as [|k IH]; intros s j Hj; [lia|]. cbn [seq map map2].
            destruct j as [|j]; cbn [nth]; [now rewrite Nat.add_0_r|]. rewrite IH by lia. now rewrite Nat.add_succ_r. }
          rewrite G by lia. replace (free + (u - free))%nat with u by lia. reflexivity. }
        rewrite Entry. clear Entry.
        assert (Sc : weigh u :> weight q u) by (apply Weigh; [exact Hq|lia]).
        destruct (Value q x u) as [->|[i [Hi ->]]].
        - rewrite <- (Rmult_0_r (weight q u)). apply (sound_mul _ _ Sd); [exact Sc|]. unfold ratio. rewrite ratio_hull. apply (hull_first Sd). exact Z0.
        - apply (sound_mul _ _ Sd); [exact Sc|]. unfold ratio. rewrite ratio_hull.
          apply (hull_encloses Sd _ _ (fun x => ((V u x - V u m) + ((delta q x - delta q m) + (pi i x - pi i m))) * (1 / margin_at q x)) xs); [|exact Hx].
          apply (encloses_map2 (mul A) Rmult _ _ (fun x => (V u x - V u m) + ((delta q x - delta q m) + (pi i x - pi i m))) (fun x => 1 / margin_at q x));
            [apply (sound_mul _ _ Sd)| |].
          + apply (encloses_map2 (add A) Rplus _ _ (fun x => V u x - V u m)); [apply (sound_add _ _ Sd)| |now apply D_sound].
            apply away_sound; [exact Hm|]. destruct HF as [HV _]. apply (encloses_table_nth _ V v); [exact HV|lia].
          + apply (encloses_map _ (fun r => 1 / r)); [|now apply gap_sound]. intros a r Ha. apply (sound_div _ _ Sd); [|exact Ha].
            apply (sound_of_Z _ _ Sd). }
      set (far_ratio := join A (of_Z A 0) (div A (add A (far_harm (column_of M o F m)) (hull_row D)) (hull_row gap))).
      intros H. assert (Cases : (free = 0%nat /\ Some (ys', of_Z A 0) = Some (ys, far)) \/
          match upper A (mul A (far_weight) far_ratio) with
          | Some far => if at_most A (of_Z A 0) far then Some (ys', far) else None
          | None => None
          end = Some (ys, far)).
      { clear Length Window Far_weigh. destruct free; [now left|now right]. }
      clear H. destruct Cases as [[Free H]|H].
      - injection H as <- <-. split; [exact Length|]. exists 0. split; [exact Z0|]. split; [lra|].
        intros q x Hq Hx. split; [now apply Margin|]. split; [|intros u Hu; now apply Window]. intros u Hu. rewrite Free in Hu. lia.
      - destruct (upper A (mul A (far_weight) far_ratio)) as [far'|] eqn:Up; [|discriminate].
        destruct (at_most A (of_Z A 0) far') eqn:Nonneg; [|discriminate]. injection H as <- <-. split; [exact Length|].
        destruct (sound_upper _ _ Sd _ _ Up) as [f [Hf Above]].
        assert (Far : forall q x u, In q qs -> In x xs -> (u < free)%nat -> mul A (far_weight) far_ratio :> worst_harm q x u).
        { intros q x u Hq Hx Hu. assert (Huv : (u < v)%nat) by (unfold Additive.free in Hu; lia).
          assert (Hqv : (q < v)%nat) by (specialize (Hqs q Hq); lia).
          assert (Sc : far_weight :> weight q u) by now apply Far_weigh.
          assert (Zero : mul A (far_weight) far_ratio :> 0).
          { rewrite <- (Rmult_0_r (weight q u)). apply (sound_mul _ _ Sd); [exact Sc|]. now apply (sound_join_l _ _ Sd). }
          destruct (Value q x u) as [->|[i [Hi ->]]]; [exact Zero|].
          apply (sound_mul _ _ Sd); [exact Sc|]. apply (sound_join_r _ _ Sd). unfold Rdiv. rewrite Rmult_1_l.
          apply (sound_div _ _ Sd _ _ ((V u x - V u m) + ((delta q x - delta q m) + (pi i x - pi i m))) (margin_at q x)).
          - apply (sound_add _ _ Sd).
            + cbn [column_of far_harm]. destruct HF as [HV [HS _]].
              eapply (hull_row_in Sd _ (sub A (entry_of (spans F) u) (entry_of (nth u (values F) []) m))).
              * apply (in_map (fun u => sub A (entry_of (spans F) u) (entry_of (nth u (values F) []) m))). apply in_seq. lia.
              * apply in_omit_seq in Hx. apply (sound_sub _ _ Sd); [apply HS; [exact Huv|apply Hx]|].
                now apply (encloses_table_at _ V v v).
            + apply (hull_row_encloses Sd D (fun x => (delta q x - delta q m) + (pi i x - pi i m)) xs); [now apply D_sound|exact Hx].
          - apply (hull_row_encloses Sd gap (margin_at q) xs); [now apply gap_sound|exact Hx]. }
        exists f. split; [exact Hf|]. split; [apply (sound_at_most _ _ Sd _ _ 0 f Nonneg); [exact Z0|exact Hf]|].
        intros q x Hq Hx. split; [now apply Margin|]. split; [|intros u Hu; now apply Window]. intros u Hu. apply Above. now apply (Far q x u).
    Qed.
    End Weights.

    Lemma harm_sound ys far : harm o P F m (column_of M o F m) qs = Some (ys, far) ->
      length ys = (m - free)%nat /\
      exists f, far :> f /\ 0 <= f /\
      forall q x, In q qs -> In x xs -> 0 < margin_at q x /\
        (forall u, (u < free)%nat -> worst_harm q x u <= f) /\
        (forall u, (free <= u < m)%nat -> entry_of ys (u - free) :> worst_harm q x u).
    Proof.
      apply harm_by_sound.
      - intros q u In_q Token. apply (sound_exp _ _ Sd).
        eapply hull_row_in; [exact Sd|apply in_map; exact In_q|].
        assert (q < v)%nat by (specialize (Hqs q In_q); lia).
        apply (sound_sub _ _ Sd); apply (encloses_table_at _ (EQKE M) v v); try assumption;
          apply (EQKE_sound M P TS).
      - intros q u Hq Hu. apply (sound_exp _ _ Sd). unfold far_score.
        assert (Huv : (u < v)%nat) by (unfold Additive.free in Hu; lia).
        assert (Hqv : (q < v)%nat) by (specialize (Hqs q Hq); lia).
        eapply (hull_row_in Sd _ (sub A (entry_of (nth q (t_EQKE P) []) u) (entry_of (nth q (t_EQKE P) []) m))).
        + apply in_flat_map. exists q. split; [exact Hq|].
          apply (in_map (fun s => sub A s (entry_of (nth q (t_EQKE P) []) m))).
          assert (L : (length (nth q (t_EQKE P) []) = v)%nat).
          { rewrite (encloses_length (contains := contains) _ (EQKE M q) vocab); [apply seq_length|]. apply (encloses_table_nth _ (EQKE M) v); [apply (EQKE_sound M P TS)|exact Hqv]. }
          unfold entry_of. rewrite <- (firstn_skipn free (nth q (t_EQKE P) [])) at 1.
          assert (Lf : length (firstn free (nth q (t_EQKE P) [])) = free) by (rewrite firstn_length, L; unfold Additive.free in *; lia).
          rewrite app_nth1 by now rewrite Lf. apply nth_In. now rewrite Lf.
        + apply (sound_sub _ _ Sd); apply (encloses_table_at _ (EQKE M) v v); try assumption; apply (EQKE_sound M P TS).
    Qed.
  End Row.
End Soundness.
