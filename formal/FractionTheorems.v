(** * From boxes on which a sum of fractions is bounded to a theorem about a program's accuracy

    The program is one with tables that computes the same as the network (Distribute.v); the lead of
    one of its logits over another is a sum of fractions (Fractions.v), which the checker bounds on
    boxes (FractionChecker.v). Boxes are hints, in groups: those of a label, and of a last token. *)

From Coq Require Import Uint63 ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Network Tasks Arithmetic Evaluator Places EvaluatorSound
  NetworkTheorems Distribute Machine MachineSound Boxes Rows Lead Goals Fractions
  FractionChecker FractionSound FractionBoxes.
From CompactProofs Require Substitution.
Import ListNotations.
Open Scope nat_scope.

Record group := {
  label : nat;
  pieces : list nat;               (* sizes of pieces of the tokens, from the first *)
  queries : list (nat * list box)  (* last tokens, with boxes of the tokens before *)
}.

(** The same from machine integers, which are read faster: of each token of a box, the first value
    and their number. *)
Definition number (i : int) : nat := Z.to_nat (Uint63.to_Z i).

Fixpoint box_from (l : list int) : box :=
  match l with a :: k :: l => (number a, number k) :: box_from l | _ => [] end.

Definition group_from (m : int) (sizes : list int) (found : list (int * list (list int)))
    : group := {|
  label := number m;
  pieces := map number sizes;
  queries := map (fun qb => (number (fst qb), map box_from (snd qb))) found
|}.

Definition with_last (q : nat) (b : box) : box := b ++ [(q, 1)].
Definition boxes_of (qb : nat * list box) : list box := map (with_last (fst qb)) (snd qb).

(** ** Inputs that are counted are apart, and have their labels *)

Definition fitting (n v outs : nat) (same : nat -> box -> bool) (groups : list group) : bool :=
  distinct (map label groups)
  && forallb (fun g =>
       (label g <? outs) && (list_sum (pieces g) <=? v) && distinct (map fst (queries g))
       && forallb (fun qb =>
            (fst qb <? list_sum (pieces g)) && all_apart (boxes_of qb)
            && forallb (fun b =>
                 inside (repeat v n) (with_last (fst qb) b)
                 && ends (list_sum (pieces g)) b && same (label g) (with_last (fst qb) b))
               (snd qb))
          (queries g))
     groups.

(** ** The count *)

Section Count.
  Variable A : arithmetic.
  Variables (n v outs : nat) (F : fractions) (rounds : list nat) (more : nat).
  Variable env : list (store A).
  Notation T := (T A).

  Definition table_from (pick : list T -> T) (sizes : list nat) (l : list (list T)) : table A :=
    table_of A pick (pieces_from 0 sizes) (firstn (n - 1) l) (nth (n - 1) l []).

  (** The weights of a head with the last token q: for each position, one for each token. *)
  Definition weight_rows (q : nat) (h : head) : list (list T) :=
    map (fun w =>
      map (fun u => eval A env (repeat u (n - 1) ++ [point_of q]) [point_of 0; point_of 0] w)
          (points v))
    (attention h).

  (** What is written to output y: directly, for each last token; and from each position of a head,
      for each token there. *)
  Definition written_row (y : nat) (e : scalar) : list T :=
    map (fun u => eval A env (repeat u n) [point_of y] e) (points v).
  Definition written_rows (y : nat) : list T * list (list (list T)) :=
    (written_row y (direct F), map (fun h => map (written_row y) (written h)) (heads F)).

  (** By how much more is written to m than to x. *)
  Definition rival_of (sizes : list nat) (own other : list T * list (list (list T))) : rival A := {|
    beside := map2 (sub A) (fst own) (fst other);
    gained := map2 (fun l l' => table_from (least A) sizes (map2 (map2 (sub A)) l l'))
                   (snd own) (snd other)
  |}.

  Definition sum_over {X} (f : X -> Z) (l : list X) : Z :=
    fold_right (fun x k => (f x + k)%Z) 0%Z l.

  Definition count_group (rows : list (list (list (list T))))
      (known : list (list T * list (list (list T)))) (g : group) : Z :=
    let found := map (rival_of (pieces g) (nth (label g) known ([], [])))
                     (omit (label g) known) in
    sum_over (fun qb : nat * list box =>
      let attends := map (table_from (greatest A) (pieces g)) (nth (fst qb) rows []) in
      sum_over (count_box A rounds more (pieces_from 0 (pieces g)) attends found (fst qb)) (snd qb))
    (queries g).

  Definition count_groups (groups : list group) : Z :=
    let rows := map (fun q => map (weight_rows q) (heads F)) (seq 0 v) in
    sum_over (count_group rows (map written_rows (seq 0 outs))) groups.
End Count.

Section Check.
  Variable A : arithmetic.
  Variables (M : network) (fast : list definition) (kept : list (option nat)) (most from : nat).
  Variables (n v : nat) (F : fractions) (rounds : list nat) (more : nat).
  Variable groups : list group.
  Variable same : nat -> box -> bool.

  (** How many inputs the boxes prove; none if there is something wrong with the hints. *)
  Definition count_fractions : Z :=
    let constants := removelast fast in
    let shapes := map dims (weights M) in
    let all := shapes ++ map shape constants in
    let safe_for := safe all (repeat v n) in
    match store_weights A (fraction_bits M) (weights M) with
    | Some env =>
        if tabulated M fast kept && safe_program shapes [] constants
           && same_sum (lead_in_tables most fast) (written_out M fast most from (chain (summed F)))
           && fractions_fit n F
           && safe_for [outputs M] (direct F)
           && forallb (fun h => forallb (safe_for [outputs M; outputs M]) (attention h)
                                && forallb (safe_for [outputs M]) (written h)) (heads F)
           && fitting n v (outputs M) same groups
        then count_groups A n v (outputs M) F rounds more (evaluate A [] env constants) groups
        else 0%Z
    | None => 0%Z
    end.

  Definition check_fractions (N total : Z) : bool :=
    shaped M && (0 <? total)%Z && (total =? Z.of_nat v ^ Z.of_nat n)%Z && (N <=? count_fractions)%Z.
End Check.

(** ** Soundness: inputs, each once *)

Lemma distinct_nodup l : distinct l = true -> NoDup l.
Proof.
  induction l as [|a l IH]; intros Distinct; [constructor|]. cbn [distinct] in Distinct.
  apply andb_prop in Distinct. destruct Distinct as [Here Later]. constructor; [|now apply IH].
  intros In_l. apply negb_true_iff in Here.
  assert (existsb (Nat.eqb a) l = true) by (apply existsb_exists; exists a; now rewrite Nat.eqb_refl).
  congruence.
Qed.

Lemma nodup_by_name {X Y} (f : X -> list Y) (key : Y -> nat) (name : X -> nat) l :
  NoDup (map name l) ->
  (forall x, In x l -> NoDup (f x) /\ forall y, In y (f x) -> key y = name x) ->
  NoDup (flat_map f l).
Proof.
  induction l as [|x l IH]; intros Names Each; [constructor|]. cbn [map] in Names.
  inversion Names as [|a b Not Later]; subst. cbn [flat_map].
  destruct (Each x (or_introl eq_refl)) as [Here Named]. apply nodup_app; [exact Here| |].
  - apply IH; [exact Later|]. intros y In_y. apply Each. now right.
  - intros y In_y Other. apply in_flat_map in Other. destruct Other as [x' [In_x' In_y']].
    destruct (Each x' (or_intror In_x')) as [_ Named'].
    apply Not. rewrite <- (Named y In_y), (Named' y In_y'). now apply in_map.
Qed.

Lemma count_each {X Y} (f : X -> list Y) P (c : X -> Z) l :
  (forall x, In x l -> (c x <= Z.of_nat (length (filter P (f x))))%Z) ->
  (sum_over c l <= Z.of_nat (length (filter P (flat_map f l))))%Z.
Proof.
  induction l as [|x l IH]; intros Each; [cbn; lia|]. cbn [sum_over fold_right flat_map].
  rewrite filter_app, app_length, Nat2Z.inj_add. apply Z.add_le_mono.
  - apply Each. now left.
  - apply IH. intros y In_y. apply Each. now right.
Qed.

Lemma flat_map_map {X Y Z} (f : Y -> list Z) (g : X -> Y) l :
  flat_map f (map g l) = flat_map (fun x => f (g x)) l.
Proof. induction l as [|a l IH]; [reflexivity|]. cbn. now rewrite IH. Qed.

Lemma omit_map {X Y} (f : X -> Y) l : forall m, omit m (map f l) = map f (omit m l).
Proof. induction l as [|a l IH]; intros [|m]; [reflexivity..|]. cbn. now rewrite IH. Qed.

Lemma member_length b t : In t (members b) -> length t = length b.
Proof.
  intros In_t. apply in_members in In_t. induction In_t; [reflexivity|]. cbn. now f_equal.
Qed.

Lemma members_with_last q b t : In t (members (with_last q b)) ->
  exists t', t = t' ++ [q] /\ In t' (members b).
Proof.
  intros In_t. apply in_members in In_t. apply Forall2_app_inv_r in In_t.
  destruct In_t as [t' [l [Before [Last ->]]]].
  inversion Last as [|u i l' b' Here Nil]; subst. inversion Nil; subst. exists t'. split.
  - unfold holds_token in Here. cbn in Here. do 2 f_equal. lia.
  - now apply in_members.
Qed.

Definition inputs_of_query (qb : nat * list box) : list (list nat) :=
  flat_map members (boxes_of qb).
Definition inputs_of_group (g : group) : list (list nat) :=
  flat_map inputs_of_query (queries g).

(** ** Soundness: expressions *)

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
    intros Fits. unfold head_fits in Fits. apply andb_prop in Fits. destruct Fits as [Fits Gains].
    apply andb_prop in Fits. destruct Fits as [Fits Weights].
    apply andb_prop in Fits. destruct Fits as [Ws Gs].
    apply Nat.eqb_eq in Ws. apply Nat.eqb_eq in Gs.
    assert (Weight : forall i, i < n ->
      weight_of q h i (nth i t 0) = meaning t env [m; x] (nth i (attention h) none)).
    { intros i Below. rewrite forallb_forall in Weights.
      specialize (Weights _ (in_numbered (attention h) none n i Ws Below)). cbn in Weights.
      apply andb_prop in Weights. destruct Weights as [Weights Not_second].
      apply andb_prop in Weights. destruct Weights as [Reads Not_first].
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
    intros Fits. unfold fractions_fit in Fits. apply andb_prop in Fits. destruct Fits as [Fits Heads].
    apply andb_prop in Fits. destruct Fits as [_ Direct]. rewrite summed_meaning. f_equal.
    - unfold gain. f_equal; apply (meaning_among _ _ [n - 1]); try exact Direct;
        intros p [<-|[]]; rewrite nth_repeat_below by lia; exact Last.
    - f_equal. rewrite forallb_forall in Heads. induction (heads F) as [|h l IH]; [reflexivity|].
      cbn [map map2]. rewrite IH by (intros; apply Heads; now right). f_equal.
      apply head_meaning, Heads. now left.
  Qed.
End Expressions.

(** ** Soundness: the count *)

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : Arithmetic.sound A is contains.
  Notation env_ok := (env_ok (is := is) (contains := contains)).
  Notation row_full := (row_full (contains := contains)).
  Notation rows_full := (rows_full (contains := contains)).
  Notation table_ok := (table_ok (contains := contains)).

  Lemma map_repeat {X Y} (f : X -> Y) a k : map f (repeat a k) = repeat (f a) k.
  Proof using. induction k as [|k IH]; [reflexivity|]. cbn. now rewrite IH. Qed.

  Lemma rows_full_nth top : forall (l : list (list (T A))) F,
    (forall i, i < length l -> row_full top (nth i l []) (F i)) -> rows_full top l F.
  Proof using.
    induction l as [|r l IH]; intros F Each; constructor.
    - exact (Each 0 ltac:(cbn; lia)).
    - apply IH. intros i Below. exact (Each (S i) ltac:(cbn; lia)).
  Qed.

  Lemma nth_firstn {X} k : forall (l : list X) i d, i < k -> nth i (firstn k l) d = nth i l d.
  Proof using.
    induction k as [|k IH]; intros [|a l] i d Below; [lia..|reflexivity|].
    destruct i as [|i]; [reflexivity|]. cbn. apply IH. lia.
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
        (eval A env (at_point (point_of u)) (map point_of axes) e) (meaning (at_token u) fs axes e)).
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
      (forall r, Forall (inhabited (contains := contains)) r -> inhabited (contains := contains) (pick r)) ->
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
      (forall i, i < n -> safe shapes (repeat v n) [outs; outs] (nth i (attention h) (Number 0 1)) = true
               /\ safe shapes (repeat v n) [outs] (nth i (written h) (Number 0 1)) = true).
    Proof using Some_token Fits Safe_heads.
      intros In_h. rewrite forallb_forall in Safe_heads. pose proof (Safe_heads h In_h) as Safe.
      apply andb_prop in Safe. destruct Safe as [Ws Gs]. rewrite forallb_forall in Ws, Gs.
      unfold fractions_fit in Fits. apply andb_prop in Fits. destruct Fits as [_ Heads].
      rewrite forallb_forall in Heads. pose proof (Heads h In_h) as Fit. unfold head_fits in Fit.
      apply andb_prop in Fit. destruct Fit as [Fit _]. apply andb_prop in Fit. destruct Fit as [Fit _].
      apply andb_prop in Fit. destruct Fit as [W G]. apply Nat.eqb_eq in W. apply Nat.eqb_eq in G.
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
      apply table_from_ok; [apply (inhabited_extreme Sd)|unfold weight_rows; now rewrite map_length|].
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
      apply (row_computed e [outs] [y] _ (fun u => repeat u n) (fun u => repeat u n)); try assumption.
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
        + transitivity (length (written h)); [|exact Gs]. clear. induction (written h) as [|e es IHe]; [reflexivity|].
          cbn [map map2 length]. now rewrite IHe.
        + intros i Below. rewrite Row by exact Below. unfold gain_of, gain.
          apply row_minus; apply written_computed; try assumption; now apply Safe.
    Qed.
  End Tables.

  Lemma filter_nodup {X} (P : X -> bool) l l' : NoDup l -> incl l l' ->
    (Z.of_nat (length (filter P l)) <= Z.of_nat (length (filter P l')))%Z.
  Proof using. intros Distinct Within. apply Nat2Z.inj_le. now apply nodup_count. Qed.

  Theorem count_fractions_sound M fast kept most from n v F rounds more groups same task :
    (forall m b, same m b = true -> forall t, In t (members b) -> task t = m) ->
    (count_fractions A M fast kept most from n v F rounds more groups same <=
     Z.of_nat (length (filter (right_b M task) (inputs (repeat v n)))))%Z.
  Proof using Sd.
    intros Same. unfold count_fractions. cbv zeta.
    set (constants := removelast fast). set (shapes := map dims (weights M)).
    destruct (store_weights A (fraction_bits M) (weights M)) as [env|] eqn:Weights; [|lia].
    destruct (_ && _)%bool eqn:Checks; [|lia].
    apply andb_prop in Checks. destruct Checks as [Checks Fitting].
    apply andb_prop in Checks. destruct Checks as [Checks Safe_heads].
    apply andb_prop in Checks. destruct Checks as [Checks Safe_direct].
    apply andb_prop in Checks. destruct Checks as [Checks Fits].
    apply andb_prop in Checks. destruct Checks as [Checks Lead].
    apply andb_prop in Checks. destruct Checks as [Tabulated Safe].
    assert (Some_token : 0 < n).
    { unfold fractions_fit in Fits. apply andb_prop in Fits. destruct Fits as [Fits _].
      apply andb_prop in Fits. destruct Fits as [Fits _]. now apply Nat.ltb_lt. }
    pose proof (store_weights_sound Sd _ _ _ Weights) as Env.
    pose proof (evaluate_sound Sd [] [] constants ltac:(constructor) env _ _ Env Safe) as EnvAll.
    cbn [map] in EnvAll. fold (tables M constants) in EnvAll. fold shapes in EnvAll.
    set (env' := evaluate A [] env constants) in *. set (fs := tables M constants) in *.
    set (outs := outputs M) in *. set (known := map (written_rows A n v F env') (seq 0 outs)).
    set (rows := map (fun q => map (weight_rows A n v env' q) (heads F)) (seq 0 v)).
    unfold fitting in Fitting. apply andb_prop in Fitting. destruct Fitting as [Labels Groups].
    rewrite forallb_forall in Groups.
    assert (Known : forall g, In g groups ->
      label g < outs /\ list_sum (pieces g) <= v /\ NoDup (map fst (queries g)) /\
      forall qb, In qb (queries g) ->
        fst qb < list_sum (pieces g) /\ all_apart (boxes_of qb) = true /\
        forall b, In b (snd qb) ->
          inside (repeat v n) (with_last (fst qb) b) = true /\
          ends (list_sum (pieces g)) b = true /\
          forall t, In t (members (with_last (fst qb) b)) -> task t = label g).
    { intros g In_g. specialize (Groups g In_g).
      apply andb_prop in Groups. destruct Groups as [Groups Queries].
      apply andb_prop in Groups. destruct Groups as [Groups Distinct].
      apply andb_prop in Groups. destruct Groups as [Label Top].
      apply Nat.ltb_lt in Label. apply Nat.leb_le in Top. apply distinct_nodup in Distinct.
      repeat split; try assumption; rewrite forallb_forall in Queries; rename H into In_qb;
        specialize (Queries qb In_qb); apply andb_prop in Queries; destruct Queries as [Query Boxes];
        apply andb_prop in Query; destruct Query as [Query Apart].
      - now apply Nat.ltb_lt.
      - exact Apart.
      - rewrite forallb_forall in Boxes. specialize (Boxes b H0).
        apply andb_prop in Boxes. destruct Boxes as [Boxes _].
        apply andb_prop in Boxes. now destruct Boxes.
      - rewrite forallb_forall in Boxes. specialize (Boxes b H0).
        apply andb_prop in Boxes. destruct Boxes as [Boxes _].
        apply andb_prop in Boxes. now destruct Boxes.
      - rewrite forallb_forall in Boxes. specialize (Boxes b H0).
        apply andb_prop in Boxes. destruct Boxes as [_ Label'].
        now apply (Same _ _ Label'). }
    clear Groups.
    apply (Z.le_trans _ (Z.of_nat (length (filter (right_b M task) (flat_map inputs_of_group groups))))).
    - unfold count_groups. fold rows. fold known. apply count_each. intros g In_g.
      destruct (Known g In_g) as [Label [Top [_ Queries]]]. unfold count_group. cbv zeta.
      apply count_each. intros qb In_qb. destruct (Queries qb In_qb) as [Query [_ Boxes]].
      set (q := fst qb) in *.
      assert (Rows : nth q rows [] = map (weight_rows A n v env' q) (heads F)).
      { unfold rows. rewrite (nth_indep _ [] (map (weight_rows A n v env' 0) (heads F)))
          by (rewrite map_length, seq_length; lia).
        rewrite (map_nth (fun q => map (weight_rows A n v env' q) (heads F))).
        rewrite seq_nth by lia. reflexivity. }
      rewrite Rows. unfold inputs_of_query, boxes_of.
      rewrite flat_map_map.
      apply count_each. intros b In_b. destruct (Boxes b In_b) as [Inside [Ends Labelled]].
      fold q in Inside, Labelled.
      assert (Long : length b = n - 1).
      { assert (All : forall values b, inside values b = true -> length b = length values).
        { induction values as [|a values IH]; intros [|[s k] b'] In'; try discriminate; [reflexivity|].
          cbn [inside] in In'. apply andb_prop in In'. cbn. f_equal. now apply IH. }
        apply All in Inside. unfold with_last in Inside.
        rewrite app_length, repeat_length in Inside. cbn in Inside. lia. }
      pose (stands x := (gain (repeat q n) fs (label g) x (direct F),
                         map (gain_of n fs (label g) x) (heads F))).
      apply (count_box_sound Sd (pieces g) q more rounds b _ (map (weight_of n fs q) (heads F))
        ltac:(exact Query) Ends) with (vs := map stands (omit (label g) (seq 0 outs))).
      + rewrite Long. apply (attends_ok n v outs env' _ fs EnvAll Some_token F Fits Safe_heads);
          [unfold q in *; lia|exact Top|lia].
      + assert (Own : nth (label g) known ([], []) = written_rows A n v F env' (label g)).
        { unfold known. rewrite (nth_indep _ ([], []) (written_rows A n v F env' 0))
            by (rewrite map_length, seq_length; exact Label).
          now rewrite map_nth, seq_nth. }
        rewrite Own. unfold known. rewrite omit_map, map_map.
        assert (Below : forall x, In x (omit (label g) (seq 0 outs)) -> x < outs)
          by (intros x In_x; now apply in_omit_seq in In_x).
        induction (omit (label g) (seq 0 outs)) as [|x l IH]; cbn [map]; [constructor|].
        constructor; [|apply IH; intros; apply Below; now right].
        pose proof (rival_computed n v outs env' _ fs EnvAll Some_token F Fits Safe_direct Safe_heads
          q (pieces g) (label g) x Query Top Label (Below x (or_introl eq_refl))) as [Here Gained].
        split; [exact Here|]. rewrite Long. rewrite repeat_length in Gained. exact Gained.
      + intros t In_t Positive. apply right_b_spec.
        unfold right. rewrite (Labelled t In_t). split; [exact Label|]. intros x Hx Other. apply Rminus_gt_0_lt. unfold Rgt.
        rewrite <- (lead_in_tables_meaning M fast kept Tabulated most t (label g) x).
        rewrite (same_sum_meaning _ _ _ _ _ Lead), (written_out_meaning M fast kept Tabulated).
        fold constants. fold fs.
        destruct (members_with_last q b t In_t) as [t' [Is In_t']].
        assert (Length : length t = n).
        { rewrite (member_length _ t In_t). unfold with_last. rewrite app_length, Long. cbn. lia. }
        assert (Last : nth (n - 1) t 0 = q).
        { rewrite Is in Length |- *. rewrite app_length in Length. cbn in Length.
          rewrite app_nth2 by lia. now replace (n - 1 - length t') with 0 by lia. }
        rewrite (summed_fractions n fs Some_token t q (label g) x Length Last F Fits).
        apply (Positive (stands x)). apply in_map, in_omit_seq. now split.
    - apply filter_nodup.
      + apply (nodup_by_name _ task label); [now apply distinct_nodup|]. intros g In_g.
        destruct (Known g In_g) as [_ [_ [Distinct Queries]]]. split.
        * unfold inputs_of_group. apply (nodup_by_name _ (fun t => last t 0) fst); [exact Distinct|].
          intros qb In_qb. destruct (Queries qb In_qb) as [_ [Apart _]]. split.
          -- now apply nodup_all.
          -- intros t In_t. unfold inputs_of_query, boxes_of in In_t. apply in_flat_map in In_t.
             destruct In_t as [b [In_b In_t]]. apply in_map_iff in In_b.
             destruct In_b as [b' [<- _]]. apply members_with_last in In_t.
             destruct In_t as [t' [-> _]]. apply last_last.
        * intros t In_t. unfold inputs_of_group in In_t. apply in_flat_map in In_t.
          destruct In_t as [qb [In_qb In_t]]. destruct (Queries qb In_qb) as [_ [_ Boxes]].
          apply in_flat_map in In_t. destruct In_t as [b [In_b In_t]]. apply in_map_iff in In_b.
          destruct In_b as [b' [<- In_b']]. now apply (Boxes b' In_b').
      + intros t In_t. apply in_flat_map in In_t. destruct In_t as [g [In_g In_t]].
        apply in_flat_map in In_t. destruct In_t as [qb [In_qb In_t]].
        apply in_flat_map in In_t. destruct In_t as [b [In_b In_t]]. apply in_map_iff in In_b.
        destruct In_b as [b' [<- In_b']]. destruct (Known g In_g) as [_ [_ [_ Queries]]].
        destruct (Queries qb In_qb) as [_ [_ Boxes]]. destruct (Boxes b' In_b') as [Inside _].
        now apply (inside_inputs _ (with_last (fst qb) b')).
  Qed.

  Theorem accuracy_of_fractions M fast kept most from n v F rounds more groups same task N total :
    (forall m b, same m b = true -> forall t, In t (members b) -> task t = m) ->
    check_fractions A M fast kept most from n v F rounds more groups same N total = true ->
    shaped M = true /\ (accuracy M (inputs (repeat v n)) task >= IZR N / IZR total)%R.
  Proof using Sd.
    intros Same Check. unfold check_fractions in Check.
    apply andb_prop in Check. destruct Check as [Check Enough].
    apply andb_prop in Check. destruct Check as [Check Size].
    apply andb_prop in Check. destruct Check as [Shaped Positive].
    apply Z.leb_le in Enough. apply Z.eqb_eq in Size. apply Z.ltb_lt in Positive.
    split; [exact Shaped|]. apply accuracy_at_least; [exact Positive| |].
    - rewrite Places.length_inputs, Size. clear. induction n as [|n IH]; [reflexivity|].
      rewrite Nat2Z.inj_succ, Z.pow_succ_r, IH by lia. cbn [repeat]. unfold product.
      cbn [fold_right]. lia.
    - apply (Z.le_trans _ _ _ Enough). now apply count_fractions_sound.
  Qed.
End Soundness.

Definition fractions_hardware := accuracy_of_fractions machine_sound.
Definition fractions_software := accuracy_of_fractions software_sound.
Definition fractions_pure := accuracy_of_fractions pure_sound.
