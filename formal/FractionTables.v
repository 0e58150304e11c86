(** * The tables from which fractions are bounded hold what the program's expressions mean *)

From Coq Require Import Uint63 ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Lists Network Arithmetic Evaluator Places EvaluatorSound Boxes
  Rows Lead Fractions FractionChecker FractionSound FractionViews FractionBoxes FractionCount.
From CompactProofs Require Substitution.
Import ListNotations.
Open Scope nat_scope.

(** ** Expressions *)

Lemma total_div (f g : scalar -> R) D : forall ws gs,
  total_of (map2 (fun w x => f w / D * g x)%R ws gs) =
  (total_of (map2 (fun w x => f w * g x) ws gs) / D)%R.
Proof.
  unfold total_of.
  induction ws as [|w ws IH]; intros [|x gs]; cbn [map2 fold_right]; try (unfold Rdiv; ring).
  rewrite IH. unfold Rdiv. ring.
Qed.

Lemma along_map2 (f : scalar -> scalar -> R) d : forall t ws gs H,
  length ws = length t -> length gs = length t ->
  (forall i, i < length t -> H i (nth i t 0) = f (nth i ws d) (nth i gs d)) ->
  along H t = total_of (map2 f ws gs).
Proof.
  unfold total_of.
  induction t as [|u t IH]; intros [|w ws] [|g gs] H Ws Gs Same; try discriminate; [reflexivity|].
  cbn [along map2 fold_right]. f_equal.
  - exact (Same 0 ltac:(cbn; lia)).
  - apply IH; [now injection Ws|now injection Gs|]. intros i Below.
    exact (Same (S i) ltac:(cbn; lia)).
Qed.

Lemma map2_same {X Y} (f : X -> Y) l : map2 (fun a _ => f a) l l = map f l.
Proof. induction l as [|a l IH]; [reflexivity|]. cbn. now rewrite IH. Qed.

Lemma in_numbered {X} (l : list X) d n i : length l = n -> i < n ->
  In (i, nth i l d) (combine (seq 0 n) l).
Proof.
  intros Length Below. replace (i, nth i l d) with (nth i (combine (seq 0 n) l) (0, d)).
  - apply nth_In. rewrite combine_length, seq_length. lia.
  - rewrite combine_nth by (rewrite seq_length; lia). f_equal. now rewrite seq_nth.
Qed.

Section Expressions.
  Variables (n : nat) (env : list tensor).
  Hypothesis Some_token : 0 < n.
  Notation none := (Number 0 1).

  Definition weight_of (q : nat) (h : head) (i u : nat) : R :=
    meaning (repeat u (n - 1) ++ [q]) env [0; 0] (nth i (attention h) none).
  Definition gain_of (m x : nat) (h : head) (i u : nat) : R :=
    gain (repeat u n) env m x (nth i (written h) none).

  Variables (t : list nat) (q m x : nat).
  Hypothesis Length : length t = n.
  Hypothesis Last : nth (n - 1) t 0 = q.

  Lemma nth_repeat_below (u k i : nat) : i < k -> nth i (repeat u k) 0 = u.
  Proof using.
    intros Below. rewrite (nth_indep _ 0 u) by now rewrite repeat_length. apply nth_repeat.
  Qed.

  Lemma head_meaning h : head_fits n h = true ->
    total_of (map2 (fun w g => meaning t env [m; x] w /
                               total_of (map (meaning t env [m; x]) (attention h))
                               * gain t env m x g)%R (attention h) (written h)) =
    fraction (weight_of q h) (gain_of m x h) t.
  Proof using Some_token Length Last.
    intros Fits. unfold head_fits in Fits. rewrite !andb_true_iff in Fits.
    destruct Fits as [[[Ws Gs] Weights] Gains].
    apply Nat.eqb_eq in Ws. apply Nat.eqb_eq in Gs.
    assert (Weight : forall i, i < n ->
      weight_of q h i (nth i t 0) = meaning t env [m; x] (nth i (attention h) none)).
    { intros i Below. rewrite forallb_forall in Weights.
      specialize (Weights _ (in_numbered (attention h) none n i Ws Below)). cbn in Weights.
      rewrite !andb_true_iff in Weights. destruct Weights as [[Reads Not_first] Not_second].
      apply negb_true_iff in Not_first. apply negb_true_iff in Not_second.
      unfold weight_of. set (w := nth i (attention h) none) in *. symmetry.
      rewrite (meaning_among t (repeat (nth i t 0) (n - 1) ++ [q]) [i; n - 1] env w).
      - pose proof (Substitution.meaning_independent (repeat (nth i t 0) (n - 1) ++ [q]) env
          [] m 0 w Not_first [x]) as First. cbn [app] in First. rewrite First.
        exact (Substitution.meaning_independent (repeat (nth i t 0) (n - 1) ++ [q]) env
          [0] x 0 w Not_second []).
      - assert (At_last : nth (n - 1) (repeat (nth i t 0) (n - 1) ++ [q]) 0 = q)
          by (rewrite app_nth2, repeat_length, Nat.sub_diag; [reflexivity|];
              rewrite repeat_length; lia).
        intros p [<-|[<-|[]]]; [|now rewrite At_last].
        destruct (Nat.eq_dec i (n - 1)) as [->|Before]; [now rewrite At_last|].
        rewrite app_nth1 by (rewrite repeat_length; lia). now rewrite nth_repeat_below by lia.
      - exact Reads. }
    assert (Gain : forall i, i < n ->
      gain_of m x h i (nth i t 0) = gain t env m x (nth i (written h) none)).
    { intros i Below. rewrite forallb_forall in Gains.
      specialize (Gains _ (in_numbered (written h) none n i Gs Below)). cbn in Gains.
      unfold gain_of, gain. f_equal; apply (meaning_among _ _ [i]); try exact Gains;
        intros p [<-|[]]; now apply nth_repeat_below. }
    rewrite total_div. unfold fraction. f_equal.
    - symmetry. apply (along_map2 _ none); [congruence..|]. intros i Below. rewrite Length in Below.
      now rewrite Weight, Gain.
    - f_equal. rewrite <- (map2_same (meaning t env [m; x])). symmetry.
      apply (along_map2 _ none); [congruence..|]. intros i Below. rewrite Length in Below.
      now rewrite Weight.
  Qed.

  Lemma summed_fractions F : fractions_fit n F = true ->
    meaning t env [m; x] (chain (summed F)) =
    (gain (repeat q n) env m x (direct F) +
     total_of (map2 (fun F G => fraction F G t) (map (weight_of q) (heads F))
                    (map (gain_of m x) (heads F))))%R.
  Proof using Some_token Length Last.
    intros Fits. unfold fractions_fit in Fits. rewrite !andb_true_iff in Fits.
    destruct Fits as [[_ Direct] Heads]. rewrite summed_meaning. f_equal.
    - unfold gain. f_equal; apply (meaning_among _ _ [n - 1]); try exact Direct;
        intros p [<-|[]]; rewrite nth_repeat_below by lia; exact Last.
    - f_equal. rewrite forallb_forall in Heads. induction (heads F) as [|h l IH]; [reflexivity|].
      cbn [map map2]. rewrite IH by (intros; apply Heads; now right). f_equal.
      apply head_meaning, Heads. now left.
  Qed.
End Expressions.

(** ** Tables *)

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : Arithmetic.sound A is contains.
  Notation env_ok := (env_ok (is := is) (contains := contains)).
  Notation row_full := (row_full (contains := contains)).
  Notation rows_full := (rows_full (contains := contains)).
  Notation table_ok := (table_ok (contains := contains)).

  Lemma rows_full_nth top : forall (l : list (list (T A))) F,
    (forall i, i < length l -> row_full top (nth i l []) (F i)) -> rows_full top l F.
  Proof using.
    induction l as [|r l IH]; intros F Each; constructor.
    - exact (Each 0 ltac:(cbn; lia)).
    - apply IH. intros i Below. exact (Each (S i) ltac:(cbn; lia)).
  Qed.

  Section Tables.
    Variables (n v outs : nat) (env : list (store A)) (shapes : list (list nat)).
    Variable fs : list tensor.
    Hypothesis Env : env_ok env shapes fs.
    Hypothesis Some_token : 0 < n.

    Lemma row_computed e ab axes top (at_point : point -> list point)
        (at_token : nat -> list nat) :
      safe shapes (repeat v n) ab e = true -> in_range ab axes -> top <= v ->
      (forall u, u < v -> in_range (repeat v n) (at_token u)) ->
      (forall u, at_point (point_of u) = map point_of (at_token u)) ->
      row_full top (map (fun u => eval A env (at_point u) (map point_of axes) e) (points v))
        (fun u => meaning (at_token u) fs axes e).
    Proof using Sd Env Some_token.
      intros Safe Axes Top Range Same.
      assert (Holds : forall u, u < v -> contains
        (eval A env (at_point (point_of u)) (map point_of axes) e) (meaning (at_token u)
          fs axes e)).
      { intros u Below. rewrite Same.
        exact (eval_sound Sd (at_token u) (repeat v n) env shapes fs Env (Range u Below) e axes
          ab Axes Safe). }
      rewrite points_seq, map_map. split.
      - intros u Below. eexists. split; [|apply Holds; lia].
        apply (map_nth_error (fun u => eval A env (at_point (point_of u)) _ e)).
        rewrite (nth_error_nth' _ 0) by (rewrite seq_length; lia). f_equal. apply seq_nth. lia.
      - apply Forall_forall. intros a In_a. apply in_map_iff in In_a.
        destruct In_a as [u [<- In_u]]. apply in_seq in In_u. eexists. apply Holds. lia.
    Qed.

    Lemma row_minus top r r' f g : row_full top r f -> row_full top r' g ->
      row_full top (map2 (sub A) r r') (fun u => f u - g u)%R.
    Proof using Sd.
      intros [Full All] [Full' All']. split.
      - intros u Below. destruct (Full u Below) as [a [At X]], (Full' u Below) as [a' [At' X']].
        exists (sub A a a'). split; [now apply nth_error_map2|now apply (sound_sub _ _ _ Sd)].
      - clear -All All' Sd. revert r' All'.
        induction All as [|a r [x Here] All IH]; intros r' All'; [constructor|].
        destruct All' as [|a' r' [x' Here'] All']; constructor; [|now apply IH].
        eexists. apply (sound_sub _ _ _ Sd); eassumption.
    Qed.

    Lemma range_repeat u k : u < v -> in_range (repeat v k) (repeat u k).
    Proof using. intros Below. induction k as [|k IH]; constructor; assumption. Qed.

    Lemma range_with_last u q : u < v -> q < v -> in_range (repeat v n) (repeat u (n - 1) ++ [q]).
    Proof using Some_token.
      intros Below Last. replace n with (n - 1 + 1) at 1 by lia. rewrite repeat_app.
      apply Forall2_app; [now apply range_repeat|]. constructor; [exact Last|constructor].
    Qed.

    Lemma table_from_ok pick sizes l F :
      (forall r, Forall (inhabited (contains := contains)) r -> inhabited (contains := contains)
        (pick r)) ->
      length l = n -> (forall i, i < n -> row_full (list_sum sizes) (nth i l []) (F i)) ->
      table_ok sizes (n - 1) (table_from A n pick sizes l) F.
    Proof using Some_token.
      intros Pick Length Rows. exists pick, (firstn (n - 1) l), (nth (n - 1) l []).
      assert (Long : length (firstn (n - 1) l) = n - 1) by (rewrite firstn_length; lia).
      repeat split; try assumption.
      - apply rows_full_nth. intros i Below. rewrite Long in Below.
        rewrite nth_firstn by exact Below. apply Rows. lia.
      - apply Rows. lia.
      - apply Rows. lia.
    Qed.

    Variable F : fractions.
    Hypothesis Fits : fractions_fit n F = true.
    Hypothesis Safe_direct : safe shapes (repeat v n) [outs] (direct F) = true.
    Hypothesis Safe_heads : forallb (fun h =>
      forallb (safe shapes (repeat v n) [outs; outs]) (attention h)
      && forallb (safe shapes (repeat v n) [outs]) (written h)) (heads F) = true.

    Lemma head_known h : In h (heads F) ->
      length (attention h) = n /\ length (written h) = n /\
      (forall i, i < n -> safe shapes (repeat v n) [outs; outs] (nth i (attention h) (Number 0 1))
        = true
               /\ safe shapes (repeat v n) [outs] (nth i (written h) (Number 0 1)) = true).
    Proof using Some_token Fits Safe_heads.
      intros In_h. rewrite forallb_forall in Safe_heads. pose proof (Safe_heads h In_h) as Safe.
      apply andb_prop in Safe. destruct Safe as [Ws Gs]. rewrite forallb_forall in Ws, Gs.
      unfold fractions_fit in Fits. apply andb_prop in Fits. destruct Fits as [_ Heads].
      rewrite forallb_forall in Heads. pose proof (Heads h In_h) as Fit. unfold head_fits in Fit.
      rewrite !andb_true_iff in Fit. destruct Fit as [[[W G] _] _].
      apply Nat.eqb_eq in W, G.
      repeat split; try assumption; [apply Ws|apply Gs]; apply nth_In; lia.
    Qed.

    Lemma attends_ok q sizes : q < v -> list_sum sizes <= v -> 0 < outs ->
      Forall2 (table_ok sizes (n - 1))
        (map (table_from A n (greatest A) sizes) (map (weight_rows A n v env q) (heads F)))
        (map (weight_of n fs q) (heads F)).
    Proof using Sd Env Some_token Fits Safe_heads.
      intros Query Top Outs. rewrite map_map. generalize head_known. generalize (heads F) as l.
      induction l as [|h l IH]; intros Known; cbn [map]; [constructor|].
      constructor; [|apply IH; intros; apply Known; now right].
      destruct (Known h (or_introl eq_refl)) as [Ws [_ Safe]].
      apply table_from_ok; [apply (inhabited_extreme Sd)|unfold weight_rows;
        now rewrite map_length|].
      intros i Below. unfold weight_rows.
      erewrite nth_indep by (rewrite map_length; lia). rewrite map_nth.
      apply (row_computed _ [outs; outs] [0; 0] _ (fun u => repeat u (n - 1) ++ [point_of q])
               (fun u => repeat u (n - 1) ++ [q])); try lia.
      - now apply Safe.
      - repeat constructor; lia.
      - intros u Hu. now apply range_with_last.
      - intros u. now rewrite map_app, map_repeat.
    Qed.

    Lemma written_computed e y top :
      safe shapes (repeat v n) [outs] e = true -> y < outs -> top <= v ->
      row_full top (written_row A n v env y e) (fun u => meaning (repeat u n) fs [y] e).
    Proof using Sd Env Some_token.
      intros Safe Below Top.
      apply (row_computed e [outs] [y] _ (fun u => repeat u n) (fun u => repeat u n));
        try assumption.
      - repeat constructor. exact Below.
      - intros u Hu. now apply range_repeat.
      - intros u. now rewrite map_repeat.
    Qed.

    Lemma rival_computed q sizes m x : q < list_sum sizes -> list_sum sizes <= v ->
      m < outs -> x < outs ->
      rival_ok (contains := contains) sizes q (repeat (0, 0) (n - 1))
        (rival_of A n sizes (written_rows A n v F env m) (written_rows A n v F env x))
        (gain (repeat q n) fs m x (direct F), map (gain_of n fs m x) (heads F)).
    Proof using Sd Env Some_token Fits Safe_direct Safe_heads.
      intros Query Top Hm Hx. split; cbn [beside gained rival_of written_rows fst snd].
      - destruct (row_minus _ _ _ _ _ (written_computed _ m _ Safe_direct Hm Top)
          (written_computed _ x _ Safe_direct Hx Top)) as [Full _].
        destruct (Full q Query) as [a [At X]]. unfold at_token.
        now rewrite (nth_error_nth _ _ _ At).
      - rewrite repeat_length. generalize head_known. generalize (heads F) as l.
        induction l as [|h l IH]; intros Known; cbn [map map2]; [constructor|].
        constructor; [|apply IH; intros; apply Known; now right].
        destruct (Known h (or_introl eq_refl)) as [_ [Gs Safe]].
        assert (Row : forall i, i < n -> nth i
          (map2 (map2 (sub A)) (map (written_row A n v env m) (written h))
                               (map (written_row A n v env x) (written h))) [] =
          map2 (sub A) (written_row A n v env m (nth i (written h) (Number 0 1)))
                       (written_row A n v env x (nth i (written h) (Number 0 1)))).
        { intros i Below. rewrite <- Gs in Below. clear -Below. revert i Below.
          induction (written h) as [|e es IHe]; intros [|i] Below; cbn [length] in Below; try lia;
            [reflexivity|]. cbn [map map2 nth]. apply IHe. lia. }
        apply table_from_ok; [apply (inhabited_extreme Sd)| |].
        + transitivity (length (written h)); [|exact Gs]. clear.
          induction (written h) as [|e es IHe]; [reflexivity|].
          cbn [map map2 length]. now rewrite IHe.
        + intros i Below. rewrite Row by exact Below. unfold gain_of, gain.
          apply row_minus; apply written_computed; try assumption; now apply Safe.
    Qed.
  End Tables.
End Soundness.
