(** * The additive certificate is sound: [additive_count] is at most the number of right answers *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths Grid Additive AdditiveHarm.
Import ListNotations.
Open Scope R_scope.

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
  Notation moved := (AdditiveHarm.moved (contains := contains) M).
  Notation weight := (AdditiveHarm.weight M).
  Notation margin_at := (AdditiveHarm.margin_at M).
  Notation worst_harm := (AdditiveHarm.worst_harm M).

  (** ** Groups *)

  Definition shift (q : nat) : R := sum_over context (EQKP M q) / IZR (Z.of_nat (n_ctx M)).
  Definition r (q i : nat) : R := exp (EQKP M q i - shift q).

  Lemma centred_sound q : (q < v)%nat -> encl (centred P q) (fun i => EQKP M q i - shift q) context.
  Proof.
    intros Hq. pose proof (encloses_table_nth _ (EQKP M) v context q (EQKP_sound M P TS) Hq) as E. unfold centred.
    apply (encloses_map _ (fun s => s - shift q)); [|exact E]. intros a s Ha. apply (sound_sub _ _ Sd); [exact Ha|].
    apply (sound_div _ _ Sd).
    - clear Ha. induction E as [|c i l is Hc E IH]; cbn [fold_right]; [apply (sound_of_Z _ _ Sd)|].
      rewrite sum_over_cons. now apply (sound_add _ _ Sd).
    - rewrite (encloses_length _ _ _ E), seq_length. apply (sound_of_Z _ _ Sd).
  Qed.

  Lemma all_some_nth {X} (l : list (option X)) found i d : all_some l = Some found -> (i < length l)%nat ->
    nth i l None = Some (nth i found d).
  Proof.
    revert found i. induction l as [|[x|] l IH]; intros found i H Hi; cbn in *; try discriminate; [lia|].
    destruct (all_some l) as [rest|]; [|discriminate]. injection H as <-. destruct i as [|i]; [reflexivity|].
    cbn [nth]. apply IH; [reflexivity|lia].
  Qed.

  Lemma finite_choice (Q : nat -> R -> Prop) k : (forall i, (i <= k)%nat -> exists h, Q i h) -> exists f, forall i, (i <= k)%nat -> Q i (f i).
  Proof.
    induction k as [|k IH]; intros H.
    - destruct (H O) as [h Hh]; [lia|]. exists (fun _ => h). intros i Hi. now replace i with O by lia.
    - destruct IH as [f Hf]; [intros; apply H; lia|]. destruct (H (S k)) as [h Hh]; [lia|].
      exists (fun i => if (i =? S k)%nat then h else f i). intros i Hi. destruct (Nat.eqb_spec i (S k)) as [->|Hne]; [exact Hh|]. apply Hf. lia.
  Qed.

  Lemma group_sound qs G q0 : group_of_queries P qs = Some G -> In q0 qs -> (forall q, In q qs -> (q < v)%nat) ->
    exists h, forall i, (i <= n)%nat -> entry_of (most G) i :> h i /\
      forall q, In q qs -> entry_of (factors G) i :> r q i /\ r q i <= h i.
  Proof.
    unfold group_of_queries. set (fs := map (texp A) _). destruct (all_some (map (upper A) fs)) as [ms|] eqn:Up; [|discriminate].
    intros H Hq0 Hqs. injection H as <-. cbn [most factors].
    assert (E : forall q, In q qs -> encl fs (r q) context).
    { intros q Hq. apply (encloses_map _ exp (hull_rows (map (centred P) qs)) (fun i => EQKP M q i - shift q)); [apply (sound_exp _ _ Sd)|].
      apply (hull_rows_sound Sd (centred P) (fun q i => EQKP M q i - shift q) qs context q); [|exact Hq].
      intros a Ha. now apply centred_sound, Hqs. }
    apply (finite_choice (fun i h => entry_of ms i :> h /\ forall q, In q qs -> entry_of fs i :> r q i /\ r q i <= h)).
    intros i Hi. assert (HiK : (i < n_ctx M)%nat) by (rewrite (context_S M two); lia).
    assert (L : length fs = n_ctx M) by (rewrite (encloses_length _ _ _ (E q0 Hq0)); apply seq_length).
    assert (U : upper A (entry_of fs i) = Some (entry_of ms i)).
    { unfold entry_of. rewrite <- (all_some_nth _ _ i (everything A) Up) by (rewrite map_length; lia).
      rewrite (nth_indep _ None (upper A (everything A))) by (rewrite map_length; lia). symmetry. apply map_nth. }
    destruct (sound_upper _ _ Sd _ _ U) as [h [Hh Above]]. exists h. split; [exact Hh|]. intros q Hq.
    assert (In_f : entry_of fs i :> r q i) by (apply (encloses_nth fs (r q) (n_ctx M)); [now apply E|exact HiK]).
    split; [exact In_f|now apply Above].
  Qed.

  (** ** Rounding to the grid *)

  Notation Sr := (IZR (Zpos (steps o))).

  Lemma Sr_pos : 0 < Sr.
  Proof. apply IZR_lt. lia. Qed.

  Lemma climb_nonneg test bits z : (0 <= z)%Z -> (0 <= climb test bits z)%Z.
  Proof.
    revert z. induction bits as [|bits IH]; intros z H; cbn [climb]; [exact H|]. apply IH. destruct (test _); [|exact H].
    apply Z.add_nonneg_nonneg; [exact H|]. apply Z.pow_nonneg. lia.
  Qed.

  Lemma least_sound test bound k : least test bound = Some k -> test (Z.of_nat k) = true.
  Proof.
    unfold least. destruct (test 0%Z) eqn:T0; [intros H; injection H as <-; exact T0|].
    set (z := (climb _ _ 0 + 1)%Z). destruct ((z <=? Z.of_nat bound)%Z && test z) eqn:T1; [|discriminate].
    intros H. injection H as <-. apply andb_true_iff in T1. destruct T1 as [_ T1].
    assert (0 <= z)%Z by (pose proof (climb_nonneg (fun z => negb (test z)) (bits bound) 0 (Z.le_refl 0)); unfold z; lia).
    now rewrite Z2Nat.id.
  Qed.

  Lemma scaled_sound y s : y :> s -> scaled o y :> Sr * s.
  Proof. intros H. apply (sound_mul _ _ Sd); [apply (sound_of_Z _ _ Sd)|exact H]. Qed.

  Lemma gain_on_grid_sound y s : y :> s -> 0 <= s -> IZR (Z.of_nat (gain_on_grid o y)) <= Sr * s.
  Proof.
    intros Hy Hs. unfold gain_on_grid. set (test := fun z => ((z <=? Z.of_nat (reach o))%Z && at_most A (of_Z A z) (scaled o y))%bool).
    set (z := climb test (bits (reach o)) 0). change (IZR (Z.of_nat (if test z then Z.to_nat z else O)) <= Sr * s).
    assert (Z0 : 0 <= Sr * s) by (apply Rmult_le_pos; [apply Rlt_le, Sr_pos|exact Hs]).
    destruct (test z) eqn:E; [|exact Z0]. unfold test in E. apply andb_true_iff in E. destruct E as [_ E].
    assert (0 <= z)%Z by apply (climb_nonneg test _ 0 (Z.le_refl 0)). rewrite Z2Nat.id by assumption.
    apply (sound_at_most _ _ Sd _ _ _ _ E); [apply (sound_of_Z _ _ Sd)|now apply scaled_sound].
  Qed.

  Lemma harm_on_grid_sound y s k : harm_on_grid o y = Some k -> y :> s -> Sr * s <= IZR (Z.of_nat k).
  Proof.
    unfold harm_on_grid. cbv zeta. intros H Hy. apply least_sound in H. apply (sound_at_most _ _ Sd _ _ _ _ H); [now apply scaled_sound|apply (sound_of_Z _ _ Sd)].
  Qed.

  Lemma state_above_sound y s k : state_above o y = Some k -> y :> s -> Sr * s < IZR (Z.of_nat k - Z.of_nat (reach o)).
  Proof.
    unfold state_above. cbv zeta. intros H Hy. apply least_sound in H. apply (sound_less _ _ Sd _ _ _ _ H); [now apply scaled_sound|apply (sound_of_Z _ _ Sd)].
  Qed.

  (** ** One query, one maximum: sequences that reach what is needed are right *)

  Section Sequences.
    Variables (F : folded (A := A)) (V delta pi : nat -> nat -> R).
    Hypothesis HF : moved F V delta pi.
    Variables (m : nat) (qs : list nat) (ys : list (T A)) (far : T A) (G : group (A := A)) (h : nat -> R) (f : R) (q : nat).
    Hypothesis Hm : (m < v)%nat.
    Hypothesis Hq : In q qs.
    Hypothesis Hqm : (q <= m)%nat.
    Hypothesis Hlength : length ys = (m - free o m)%nat.
    Hypothesis Hmost : forall i, (i <= n)%nat -> entry_of (most G) i :> h i.
    Hypothesis Hr : forall i, (i <= n)%nat -> entry_of (factors G) i :> r q i.
    Hypothesis Hh : forall i, (i <= n)%nat -> r q i <= h i.
    Hypothesis Hfar : far :> f.
    Hypothesis Hf : 0 <= f.
    Notation free := (free o m).
    Notation positions k := (map (position_of o G ys far) (rev (seq 0 k))).
    Notation state := (state m free (reach o)).
    Notation moves := (moves m free).

    Lemma r_pos i : 0 < r q i.
    Proof. apply exp_pos. Qed.

    Lemma free_le : (free <= m)%nat.
    Proof. unfold Additive.free. lia. Qed.

    Lemma fits_position i : fits m free (position_of o G ys far i).
    Proof. unfold fits. cbn [position_of downs]. rewrite map_length, Hlength. pose proof free_le. lia. Qed.

    Lemma moves_le p u a : moves p u = Some a -> (u <= m)%nat.
    Proof.
      unfold Grid.moves. pose proof free_le. destruct (Nat.ltb_spec u free); [lia|]. destruct (Nat.ltb_spec u m); [lia|].
      destruct (Nat.eqb_spec u m); [lia|discriminate].
    Qed.

    Lemma moves_up p u k : moves p u = Some (Up k) -> u = m.
    Proof.
      unfold Grid.moves. destruct (u <? free)%nat; [discriminate|]. destruct (u <? m)%nat; [now destruct (nth _ _ _)|].
      destruct (Nat.eqb_spec u m); [easy|discriminate].
    Qed.

    Lemma state_tokens ps t k : length ps = length t -> state ps t = Some k ->
      (forall u, In u t -> (u <= m)%nat) /\ ((~ In m t) -> (k <= reach o)%nat).
    Proof.
      revert t k. induction ps as [|p ps IH]; intros [|u t] k L H; try discriminate; cbn [Grid.state] in H.
      - injection H as <-. split; [intros u []|intros; apply Nat.le_refl].
      - destruct (state ps t) as [k'|] eqn:E; [|discriminate]. destruct (moves p u) as [a|] eqn:Ma; [|discriminate].
        destruct (IH t k') as [I1 I2]; [now injection L|exact E|]. split.
        + intros w [<-|Hw]; [now apply (moves_le p u a)|now apply I1].
        + intros Hn. assert (k' <= reach o)%nat by (apply I2; intros Hin; apply Hn; now right). destruct a as [g|d]; cbn in H.
          * exfalso. apply Hn. left. now apply (moves_up p u g).
          * destruct (d <=? k')%nat; [injection H as <-; lia|discriminate].
    Qed.

    Lemma reaches_tokens p ps w t : length ps = length (tl t) -> reaches m free (reach o) p ps w t = true ->
      (forall u, In u t -> (u <= m)%nat) /\ ((~ In m t) -> (w <= reach o)%nat).
    Proof.
      destruct t as [|u t]; [discriminate|]. cbn [tl reaches]. intros L H.
      destruct (state ps t) as [k|] eqn:E; [|discriminate]. destruct (state_tokens ps t k L E) as [I1 I2].
      destruct (moves p u) as [[g|d]|] eqn:Ma; [| |discriminate]; split.
      - intros w' [<-|Hw]; [now apply (moves_le p u (Up g))|now apply I1].
      - intros Hn. exfalso. apply Hn. left. now apply (moves_up p u g).
      - intros w' [<-|Hw]; [now apply (moves_le p u (Down d))|now apply I1].
      - intros Hn. apply Nat.leb_le in H. assert (k <= reach o)%nat by (apply I2; intros Hin; apply Hn; now right). lia.
    Qed.

    Section Output.
      Variable x : nat.
      Notation g := (margin_at m q x).
      Notation b := (worst_harm m q x).
      Hypothesis Hg : 0 < g.
      Hypothesis Hb_far : forall u, (u < free)%nat -> b u <= f.
      Hypothesis Hb_near : forall u, (free <= u < m)%nat -> entry_of ys (u - free) :> b u.

      (** What token u contributes at position i, in units of g, and what it does after h i * f is added. *)
      Definition share (i u : nat) : R := r q i * (weight m q u * gain M q m x i u / g).
      Definition value (i u : nat) : R := share i u + h i * f.

      Lemma share_ge i u : (i <= n)%nat -> - (r q i * b u) <= share i u.
      Proof.
        intros Hi. pose proof (worst_ge (fun i => weight m q u * gain M q m x i u / g) n i Hi) as W.
        cbv beta in W. unfold share, AdditiveHarm.worst_harm. pose proof (r_pos i).
        replace (- (r q i * worst (fun i => weight m q u * gain M q m x i u / g) n))
          with (r q i * - worst (fun i => weight m q u * gain M q m x i u / g) n) by ring.
        apply Rmult_le_compat_l; lra.
      Qed.

      Lemma share_max i : (i <= n)%nat -> r q i <= share i m.
      Proof.
        intros Hi. pose proof (least_of_le (fun i => gain M q m x i m) n i Hi) as L. cbv beta in L. fold g in L.
        unfold share, AdditiveHarm.weight. rewrite Rminus_diag_eq, exp_0 by reflexivity. rewrite Rmult_1_l.
        rewrite <- (Rmult_1_r (r q i)) at 1. apply Rmult_le_compat_l; [apply Rlt_le, r_pos|].
        apply (Rmult_le_reg_r g); [exact Hg|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
      Qed.

      Lemma moves_sound i u a : (i <= n)%nat -> moves (position_of o G ys far i) u = Some a ->
        match a with Up k => IZR (Z.of_nat k) <= Sr * value i u | Down k => - IZR (Z.of_nat k) <= Sr * value i u end.
      Proof.
        intros Hi. pose proof Sr_pos as HS. pose proof (r_pos i) as Rp. pose proof (Hh i Hi) as Rh.
        assert (B : 0 <= b u) by apply worst_nonneg. pose proof (share_ge i u Hi) as Sh.
        unfold Grid.moves. destruct (Nat.ltb_spec u free) as [Hu|Hu].
        - intros H. injection H as <-. cbn [Z.of_nat]. rewrite Ropp_0. apply Rmult_le_pos; [lra|]. unfold value.
          assert (r q i * b u <= h i * f) by (apply Rmult_le_compat; try lra; now apply Hb_far). lra.
        - destruct (Nat.ltb_spec u m) as [Hum|Hum].
          + cbn [position_of downs]. destruct (nth (u - free) _ None) as [k|] eqn:Nth; [|discriminate]. intros H. injection H as <-.
            set (hm := entry_of (most G) i) in *.
            rewrite (nth_indep _ None (harm_on_grid o (mul A hm (join A (of_Z A 0) (sub A (everything A) far))))) in Nth
              by (rewrite map_length, Hlength; lia).
            rewrite (map_nth (fun y => harm_on_grid o (mul A hm (join A (of_Z A 0) (sub A y far))))) in Nth.
            fold (entry_of ys (u - free)) in Nth.
            assert (E : join A (of_Z A 0) (sub A (entry_of ys (u - free)) far) :> Rmax 0 (b u - f)).
            { unfold Rmax. destruct (Rle_dec 0 (b u - f)).
              - apply (sound_join_r _ _ Sd), (sound_sub _ _ Sd); [apply Hb_near; lia|exact Hfar].
              - apply (sound_join_l _ _ Sd), (sound_of_Z _ _ Sd). }
            apply (harm_on_grid_sound _ (h i * Rmax 0 (b u - f))) in Nth; [|apply (sound_mul _ _ Sd); [now apply Hmost|exact E]].
            assert (r q i * b u <= h i * b u) by (apply Rmult_le_compat_r; lra).
            assert (h i * (b u - f) <= h i * Rmax 0 (b u - f)) by (apply Rmult_le_compat_l; [lra|apply Rmax_r]).
            assert (- (h i * Rmax 0 (b u - f)) <= value i u) by (unfold value; lra).
            apply (Rle_trans _ (Sr * - (h i * Rmax 0 (b u - f)))); [lra|]. apply Rmult_le_compat_l; lra.
          + destruct (Nat.eqb_spec u m) as [->|Hne]; [|discriminate]. intros H. injection H as <-. cbn [position_of up].
            assert (0 <= h i * f) by (apply Rmult_le_pos; lra).
            apply (Rle_trans _ (Sr * (r q i + h i * f))).
            * apply gain_on_grid_sound; [|lra]. apply (sound_add _ _ Sd); [now apply Hr|].
              apply (sound_mul _ _ Sd); [now apply Hmost|exact Hfar].
            * apply Rmult_le_compat_l; [lra|]. unfold value. pose proof (share_max i Hi). lra.
      Qed.

      Lemma positions_S k : positions (S k) = position_of o G ys far k :: positions k.
      Proof. rewrite seq_S, rev_unit. reflexivity. Qed.

      Lemma sum_value_snoc k t u : length t = k ->
        sum (S k) (fun i => value i (nth i (t ++ [u]) O)) = sum k (fun i => value i (nth i t O)) + value k u.
      Proof.
        intros L. rewrite sum_last. f_equal.
        - apply sum_ext. intros i Hi. rewrite app_nth1 by lia. reflexivity.
        - rewrite app_nth2, L, Nat.sub_diag by lia. reflexivity.
      Qed.

      Lemma state_sound k t s : (k <= n)%nat -> length t = k -> state (positions k) (rev t) = Some s ->
        IZR (Z.of_nat s - Z.of_nat (reach o)) <= Sr * sum k (fun i => value i (nth i t O)).
      Proof.
        revert t s. induction k as [|k IH]; intros t s Hk L H.
        - cbn in H. injection H as <-. rewrite Z.sub_diag. unfold sum. cbn. lra.
        - destruct (@exists_last _ t) as [t' [u ->]]; [intros ->; discriminate|]. rewrite app_length in L. cbn in L.
          rewrite positions_S, rev_unit in H. cbn [Grid.state] in H.
          destruct (state (positions k) (rev t')) as [s'|] eqn:E; [|discriminate].
          destruct (moves (position_of o G ys far k) u) as [a|] eqn:Ma; [|discriminate].
          rewrite sum_value_snoc by lia. specialize (IH t' s' ltac:(lia) ltac:(lia) E).
          pose proof (moves_sound k u a ltac:(lia) Ma) as Mv. rewrite Rmult_plus_distr_l.
          destruct a as [up|down]; cbn in H.
          + injection H as <-. eapply Rle_trans; [|apply Rplus_le_compat; [exact IH|exact Mv]].
            rewrite <- plus_IZR. apply IZR_le. lia.
          + destruct (Nat.leb_spec down s'); [|discriminate]. injection H as <-.
            eapply Rle_trans; [|apply Rplus_le_compat; [exact IH|exact Mv]]. rewrite <- opp_IZR, <- plus_IZR. apply IZR_le. lia.
      Qed.

      Lemma reaches_sound k t w : n = S k -> length t = n -> reaches m free (reach o) (position_of o G ys far k) (positions k) w (rev t) = true ->
        IZR (Z.of_nat w - Z.of_nat (reach o)) <= Sr * sum n (fun i => value i (nth i t O)).
      Proof.
        intros Hn L H. rewrite Hn in L |- *. destruct (@exists_last _ t) as [t' [u ->]]; [intros ->; discriminate|].
        rewrite app_length in L. cbn in L. rewrite rev_unit in H. cbn [reaches] in H.
        destruct (state (positions k) (rev t')) as [s'|] eqn:E; [|discriminate]. apply state_sound in E; [|lia|lia].
        destruct (moves (position_of o G ys far k) u) as [a|] eqn:Ma; [|discriminate]. apply moves_sound in Ma; [|lia].
        rewrite sum_value_snoc by lia. rewrite Rmult_plus_distr_l.
        destruct a as [up|down]; apply Nat.leb_le in H;
          (eapply Rle_trans; [|apply Rplus_le_compat; [exact E|exact Ma]]); rewrite <- ?opp_IZR, <- plus_IZR; apply IZR_le; lia.
      Qed.

      (** The harm that the query itself may do. *)
      Definition own_harm : R := if (q =? m)%nat then - r q n else r q n * (if (q <? free)%nat then f else b q).

      Lemma needed_sound w : needed M o m G ys far q = Some w ->
        Sr * (sum n (fun i => h i * f) + own_harm) < IZR (Z.of_nat w - Z.of_nat (reach o)).
      Proof.
        intros H. unfold needed in H. apply (state_above_sound _ _ _ H).
        assert (All : fold_right (fun i s => add A (mul A (entry_of (most G) i) far) s) (of_Z A 0) (seq 0 n) :> sum n (fun i => h i * f)).
        { clear H. unfold sum. assert (Hi : forall i, In i (seq 0 n) -> (i <= n)%nat) by (intros i Hi; apply in_seq in Hi; lia).
          induction (seq 0 n) as [|i l IH]; cbn [map fold_right]; [apply (sound_of_Z _ _ Sd)|].
          apply (sound_add _ _ Sd); [|apply IH; intros; apply Hi; now right].
          apply (sound_mul _ _ Sd); [apply Hmost, Hi; now left|exact Hfar]. }
        unfold own_harm. destruct (Nat.eqb_spec q m) as [E|E].
        - replace (sum n (fun i => h i * f) + - r q n) with (sum n (fun i => h i * f) - r q n) by ring.
          apply (sound_sub _ _ Sd); [exact All|now apply Hr].
        - apply (sound_add _ _ Sd); [exact All|]. apply (sound_mul _ _ Sd); [now apply Hr|].
          destruct (Nat.ltb_spec q free); [exact Hfar|]. apply Hb_near. lia.
      Qed.

      Lemma own_share : - own_harm <= share n q.
      Proof.
        unfold own_harm. destruct (Nat.eqb_spec q m) as [E|E].
        - rewrite Ropp_involutive. rewrite E at 2. apply share_max. lia.
        - pose proof (share_ge n q (Nat.le_refl _)). pose proof (r_pos n). destruct (Nat.ltb_spec q free) as [Hu|Hu]; [|lra].
          assert (r q n * b q <= r q n * f) by (apply Rmult_le_compat_l; [lra|now apply Hb_far]). lra.
      Qed.

      Lemma own_harm_nonneg : q <> m -> 0 <= own_harm.
      Proof.
        intros Hne. unfold own_harm. destruct (Nat.eqb_spec q m); [contradiction|]. apply Rmult_le_pos; [apply Rlt_le, r_pos|].
        destruct (q <? free)%nat; [exact Hf|apply worst_nonneg].
      Qed.

      Lemma output_loses k t w : n = S k -> length t = n -> needed M o m G ys far q = Some w ->
        reaches m free (reach o) (position_of o G ys far k) (positions k) w (rev t) = true ->
        0 < sum (n_ctx M) (fun i => term M (EQKE M q m) (shift q) q m x i (token (t ++ [q]) i)).
      Proof.
        intros Hn L Hw Hreach. apply reaches_sound in Hreach; [|exact Hn|exact L]. apply needed_sound in Hw.
        pose proof (Rmult_lt_reg_l Sr _ _ Sr_pos (Rlt_le_trans _ _ _ Hw Hreach)) as Sum. clear Hw Hreach.
        rewrite (context_S M two), (sum_ext _ _ (fun i => g * share i (token (t ++ [q]) i))).
        - rewrite sum_times. apply Rmult_lt_0_compat; [exact Hg|]. rewrite sum_last.
          rewrite (sum_ext _ _ (fun i => value i (nth i t O) - h i * f))
            by (intros i Hi; unfold token, value; rewrite app_nth1 by lia; ring).
          rewrite sum_minus. unfold token at 1. rewrite app_nth2, L, Nat.sub_diag by lia. cbn [nth]. pose proof own_share. lra.
        - intros i _. unfold term, share, AdditiveHarm.weight, r. field. lra.
      Qed.
    End Output.

    Hypothesis Hharm : forall x, In x (omit m vocab) -> 0 < margin_at m q x /\
        (forall u, (u < free)%nat -> worst_harm m q x u <= f) /\
        (forall u, (free <= u < m)%nat -> entry_of ys (u - free) :> worst_harm m q x u).

    Lemma sequence_right k t w : n = S k -> In t (sequences v n) -> needed M o m G ys far q = Some w ->
      reaches m free (reach o) (position_of o G ys far k) (positions k) w (rev t) = true ->
      right M max_of_k (t ++ [q]) /\ max_of_k (t ++ [q]) = m.
    Proof.
      intros Hn Ht Hw Hreach. apply in_sequences in Ht. destruct Ht as [L Hv].
      assert (Hmax : max_of_k (t ++ [q]) = m).
      { destruct (reaches_tokens (position_of o G ys far k) (positions k) w (rev t)) as [Le Has]; [|exact Hreach|].
        - rewrite map_length, rev_length, seq_length. destruct (@exists_last _ t) as [t' [u ->]]; [intros ->; cbn in L; lia|].
          rewrite rev_unit. cbn [tl]. rewrite rev_length. rewrite app_length in L. cbn in L. lia.
        - apply max_of_k_is.
          + intros u Hu. apply in_app_iff in Hu. destruct Hu as [Hu|[<-|[]]]; [|exact Hqm]. apply Le. now rewrite <- in_rev.
          + destruct (Nat.eq_dec q m) as [->|Hne]; [apply in_app_iff; right; now left|].
            apply in_app_iff. left. destruct (in_dec Nat.eq_dec m t) as [Hin|Hnot]; [exact Hin|exfalso].
            assert (Hwr : (w <= reach o)%nat) by (apply Has; rewrite <- in_rev; exact Hnot).
            assert (Hx : In O (omit m vocab) \/ In (S O) (omit m vocab)).
            { rewrite !in_omit_seq. destruct m; [right; lia|left; lia]. }
            assert (exists x, In x (omit m vocab)) as [x Hx'] by (destruct Hx; eauto).
            destruct (Hharm x Hx') as [H1 [H2 H3]]. pose proof (needed_sound x H3 w Hw) as Needed.
            assert (0 <= Sr * (sum n (fun i => h i * f) + own_harm x)).
            { apply Rmult_le_pos; [apply Rlt_le, Sr_pos|]. apply Rplus_le_le_0_compat; [|now apply own_harm_nonneg].
              rewrite sum_times_r. apply Rmult_le_pos; [|exact Hf]. rewrite Hn. apply Rlt_le.
              assert (P0 : forall j, (j <= S k)%nat -> 0 < h j) by (intros j Hj; rewrite <- Hn in Hj; pose proof (Hh j Hj); pose proof (r_pos j); lra).
              clear - P0. induction k as [|k IH]; [unfold sum; cbn; specialize (P0 O ltac:(lia)); lra|].
              rewrite sum_last. specialize (IH (fun j Hj => P0 j ltac:(lia))). specialize (P0 (S k) ltac:(lia)). lra. }
            assert (IZR (Z.of_nat w - Z.of_nat (reach o)) <= 0) by (apply IZR_le; lia). lra. }
      split; [|exact Hmax].
      assert (Last : token (t ++ [q]) n = q) by (unfold token; rewrite app_nth2, L, Nat.sub_diag by lia; reflexivity).
      apply (right_if_gains M max_of_k (t ++ [q]) (EQKE M q m) (shift q)); [lia|now rewrite Hmax|]. rewrite Hmax, Last. intros x Hx Hne.
      destruct (Hharm x) as [H1 [H2 H3]]; [now apply in_omit_seq|]. now apply (output_loses x H1 H2 H3 k t w).
    Qed.
  End Sequences.

  (** ** All rows *)

  Definition answers (m q : nat) : Z :=
    count (fun t => right_b M max_of_k (t ++ [q]) && (max_of_k (t ++ [q]) =? m)%nat) (sequences v n).

  Lemma row_count_sound F V delta pi m G all : moved F V delta pi -> (m < v)%nat ->
    group_of_queries P all = Some G -> (forall q, In q all -> (q < v)%nat) ->
    (row_count M o P F m (column_of M o F m) G <= total all (answers m))%Z.
  Proof.
    intros HF Hm HG Hall. assert (Queries : queries G = all).
    { unfold group_of_queries in HG. destruct (all_some _); [|discriminate]. now injection HG as <-. }
    assert (Nonneg : (0 <= total all (answers m))%Z) by (apply total_nonneg; intros; apply count_nonneg).
    assert (Part : (total (filter (fun q => q <=? m)%nat all) (answers m) <= total all (answers m))%Z).
    { clear. induction all as [|q l IH]; [apply Z.le_refl|]. cbn [filter]. rewrite (total_cons q l).
      assert (0 <= answers m q)%Z by apply count_nonneg. destruct (q <=? m)%nat; [rewrite total_cons|]; lia. }
    unfold row_count. rewrite Queries. remember (filter (fun q => q <=? m)%nat all) as qs eqn:Hqs.
    assert (Qs : forall q, In q qs -> In q all /\ (q <= m)%nat).
    { intros q Hq. rewrite Hqs in Hq. apply filter_In in Hq. destruct Hq as [H1 H2]. split; [exact H1|now apply Nat.leb_le]. }
    destruct qs as [|q0 qs0]; [exact Nonneg|]. remember (q0 :: qs0) as qs eqn:Hq0.
    destruct (harm o P F m (column_of M o F m) qs) as [[ys far]|] eqn:Harm; [|exact Nonneg].
    destruct n as [|k] eqn:Hn; [exact Nonneg|]. rewrite seq_S, rev_unit. cbn [map Nat.add].
    apply (Z.le_trans _ (total qs (answers m))); [|exact Part]. apply total_le. intros q Hq.
    destruct (needed M o m G ys far q) as [w|] eqn:Needed; [|apply count_nonneg].
    destruct (harm_sound Sd M o P TS two F V delta pi HF m Hm qs (fun q H => proj2 (Qs q H)) ys far Harm) as [Hlen [f [Hfar [Hf Hx]]]].
    destruct (group_sound all G q HG (proj1 (Qs q Hq)) Hall) as [h Hh].
    assert (Hh1 : forall i, (i <= n)%nat -> entry_of (most G) i :> h i) by (intros i Hi; now apply Hh).
    assert (Hh2 : forall i, (i <= n)%nat -> entry_of (factors G) i :> r q i) by (intros i Hi; now apply Hh; [|apply Qs]).
    assert (Hh3 : forall i, (i <= n)%nat -> r q i <= h i) by (intros i Hi; now apply Hh; [|apply Qs]).
    rewrite (reaching_spec v m (free o m) (reach o) Hm).
    - rewrite map_length, rev_length, seq_length. unfold answers. rewrite Hn. apply count_le. intros t Ht Hreach. rewrite <- Hn in Ht.
      destruct (sequence_right m qs ys far G h f q Hm Hq (proj2 (Qs q Hq)) Hlen Hh1 Hh2 Hh3 Hfar Hf (fun x => Hx q x Hq) k t w Hn Ht Needed Hreach) as [R1 R2].
      apply andb_true_iff. split; [now apply right_b_spec|now apply Nat.eqb_eq].
    - apply Forall_forall. intros p Hp. rewrite <- (map_cons (position_of o G ys far)) in Hp. apply in_map_iff in Hp. destruct Hp as [i [<- _]].
      eapply fits_position; eauto; now apply Qs.
  Qed.

  Theorem additive_count_sound group_of : (additive_count M o P group_of <= number_right M max_of_k)%Z.
  Proof.
    destruct (fold_means_sound Sd M P TS two) as [V [delta [pi HF]]].
    assert (Hn : exists k, n = S k) by (exists (n - 1)%nat; unfold last; lia).
    apply (Z.le_trans _ (total vocab (fun m => total vocab (fun q => answers m q)))).
    - unfold additive_count, groups. cbv zeta. apply total_le. intros m Hm. apply in_seq in Hm. rewrite total_map.
      set (G := S (fold_right Nat.max O group_of)).
      apply (Z.le_trans _ (total (seq 0 G) (fun g => total vocab (fun q => if (nth q group_of O =? g)%nat then answers m q else 0%Z)))).
      + apply total_le. intros g _.
        set (mine := filter (fun q => (nth q group_of O =? g)%nat) vocab).
        replace (total vocab (fun q => if (nth q group_of O =? g)%nat then answers m q else 0%Z)) with (total mine (answers m)).
        2: { unfold mine. generalize vocab. intros l. induction l as [|q l IH]; [reflexivity|]. cbn [filter]. rewrite total_cons, <- IH.
             destruct (nth q group_of O =? g)%nat; [now rewrite total_cons|reflexivity]. }
        destruct (group_of_queries P mine) as [found|] eqn:E; [|apply total_nonneg; intros; apply count_nonneg].
        apply (row_count_sound _ V delta pi); [exact HF|lia|exact E|]. intros q Hq. apply filter_In in Hq. destruct Hq as [Hq _].
        apply in_seq in Hq. lia.
      + rewrite total_swap. apply total_le. intros q _.
        rewrite (total_ext _ _ (fun g => answers m q * (if (nth q group_of O =? g)%nat then 1 else 0))%Z)
          by (intros g _; destruct (nth q group_of O =? g)%nat; lia).
        rewrite total_times. pose proof (total_key G (nth q group_of O)). assert (0 <= answers m q)%Z by apply count_nonneg.
        rewrite <- (Z.mul_1_r (answers m q)) at 2. now apply Z.mul_le_mono_nonneg_l.
    - rewrite total_swap. rewrite (number_right_by_last M max_of_k n (context_S M two)). apply total_le. intros q _. apply count_by_key.
  Qed.
End Soundness.
