(** * A bound from enclosures on boxes and a goal about real numbers

    By how much the right logit leads another is an expression in some quantities, the atoms: an
    attention score, a difference of two entries of a table. The evaluator encloses combinations of
    them on boxes of inputs; that these enclosures make the lead positive is a goal about real
    numbers, in which there are no weights. Whoever proves the goal, by whatever means, has proved
    that the network is right on all inputs of the boxes. *)

From Coq Require Import Uint63 ZArith Reals List Bool Lia.
From CompactProofs Require Import Lists Network Tasks Arrays Arithmetic Evaluator Places
  EvaluatorSound NetworkTheorems Distribute Substitution DistributeSound Machine MachineSound Boxes
  Lead.
Import ListNotations.
Open Scope nat_scope.

(** A combination of atoms is enclosed: [form] in the atoms as variables; [value] in tables, whose
    axes are the right output, another output, and the [tokens] on which it depends. *)
Record fact := {
  tokens : list nat;
  value : scalar;
  form : scalar;
  low : Z;                        (* low / over < form < high / over *)
  high : Z;
  over : positive
}.

(** Boxes, each with the label of its inputs, on which the same enclosures hold. *)
Record kind := { boxes : list (nat * box); facts : list fact }.

Definition enclosed (f : fact) (x : R) : Prop :=
  (IZR (low f) / IZR (Zpos (over f)) < x < IZR (high f) / IZR (Zpos (over f)))%R.

(** The combination at an input, for outputs Axis 0 and Axis 1. *)
Definition at_input (f : fact) : scalar :=
  substitute ([Axis 0; Axis 1] ++ map (fun p => Token (Fixed p)) (tokens f)) 2 (value f).

(** ** What is evaluated, and what is left to prove *)

(** The tensors that do not depend on the input. *)
Definition tables (M : network) (constants : list definition) : list tensor :=
  run [] (map (weight_tensor (fraction_bits M)) (weights M)) constants.

Definition encloses (M : network) (constants : list definition) (k : kind) : Prop :=
  forall m b, In (m, b) (boxes k) -> forall t, In t (members b) ->
  forall x, x < outputs M -> x <> m -> forall f, In f (facts k) ->
  enclosed f (meaning t (tables M constants) [m; x] (at_input f)).

Fixpoint given (fs : list fact) (v : nat -> R) (conclusion : Prop) : Prop :=
  match fs with
  | [] => conclusion
  | f :: fs => enclosed f (number v (form f)) -> given fs v conclusion
  end.

(** Whatever numbers the atoms are: if they are enclosed so, the lead is positive. *)
Definition goal (lead : scalar) (fs : list fact) : Prop :=
  forall v : nat -> R, given fs v (0 < number v lead)%R.

Lemma given_all fs v (P : Prop) :
  given fs v P -> (forall f, In f fs -> enclosed f (number v (form f))) -> P.
Proof.
  induction fs as [|f fs IH]; intros Given All; [exact Given|]. apply IH.
  - apply Given, All. now left.
  - intros g In. apply All. now right.
Qed.

(** ** The check of enclosures *)

Section Check.
  Variable A : arithmetic.

  Definition interval_of (b : box) (p : nat) : nat * nat := nth p b (0, 0).

  (** The combination on a box, for each value of the tokens on which it depends, and each other
      output, if it depends on that. *)
  Definition check_fact (env : list (store A)) (shapes : list (list nat)) (n m : nat) (b : box)
      (f : fact) : bool :=
    let held := map (interval_of b) (tokens f) in
    let zero := point_of 0 in
    let lower := div A (of_Z A (low f)) (of_Z A (Zpos (over f))) in
    let upper := div A (of_Z A (high f)) (of_Z A (Zpos (over f))) in
    let others :=
      if depends 1 (value f) then filter (fun p : point => negb (fst p =? m)) (points n)
      else [point_of 0] in
    constant (value f) && safe shapes [] ([n; n] ++ map (fun i => fst i + snd i) held) (value f)
    && (m <? n) && forallb (fun p => p <? length b) (tokens f)
    && forallb (fun u =>
         forallb (fun x =>
           let found := eval A env [] (point_of m :: x :: map point_of u) (value f) in
           less A lower found && less A found upper) others)
       (members held).

  Definition check_enclosures (M : network) (constants : list definition) (kinds : list kind)
      : bool :=
    let shapes := map dims (weights M) in
    match store_weights A (fraction_bits M) (weights M) with
    | Some env =>
        let env := evaluate A [] env constants in
        let all := shapes ++ map shape constants in
        safe_program shapes [] constants
        && forallb (fun k =>
             forallb (fun mb : nat * box =>
               forallb (check_fact env all (outputs M) (fst mb) (snd mb)) (facts k)) (boxes k))
           kinds
    | None => false
    end.

  Context {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.

  Lemma check_fact_sound env shapes fs n m b f :
    env_ok (is := is) (contains := contains) env shapes fs ->
    check_fact env shapes n m b f = true ->
    forall t x, In t (members b) -> x < n -> x <> m ->
    enclosed f (meaning t fs [m; x] (at_input f)).
  Proof using Sd.
    intros Env Check t x In Below Other. unfold check_fact in Check. cbv zeta in Check.
    set (held := map (interval_of b) (tokens f)) in *.
    rewrite !andb_true_iff in Check.
    destruct Check as [[[[Constant Safe] Label] Listed] All]. apply Nat.ltb_lt in Label.
    set (u := map (fun p => nth p t 0) (tokens f)).
    assert (Held : Forall2 holds_token u held).
    { apply in_members in In. unfold u, held. clear -In Listed.
      induction (tokens f) as [|p ps IH]; [constructor|]. cbn [map]. cbn [forallb] in Listed.
      apply andb_prop in Listed. destruct Listed as [Here Listed]. apply Nat.ltb_lt in Here.
      constructor; [|now apply IH]. clear -In Here. unfold interval_of. revert p Here.
      induction In as [|a i t b Holds In IH]; intros p Here; cbn in Here; [lia|].
      destruct p as [|p]; cbn [nth]; [exact Holds|]. apply IH. lia. }
    assert (Range : forall y, y < n ->
      in_range ([n; n] ++ map (fun i => fst i + snd i) held) ([m; y] ++ u)).
    { intros y Before. constructor; [exact Label|]. constructor; [exact Before|]. clear -Held.
      induction Held as [|a i u held Here Held IH]; constructor; [|exact IH].
      unfold holds_token in Here. lia. }
    assert (Means : forall y, meaning t fs [m; y] (at_input f) =
                              meaning [] fs ([m; y] ++ u) (value f)).
    { intros y. unfold at_input.
      rewrite (meaning_constant [] t fs (value f)) by exact Constant.
      pose proof (meaning_substituted t fs
        ([Axis 0; Axis 1] ++ map (fun p => Token (Fixed p)) (tokens f)) [m; y] (value f)) as Same.
      specialize (Same ltac:(rewrite forallb_app; cbn [forallb closed]; clear;
        induction (tokens f) as [|p ps IH]; [reflexivity|exact IH]) []).
      rewrite !app_nil_r in Same. cbn [length] in Same. rewrite Same. f_equal.
      rewrite map_app, map_map. reflexivity. }
    assert (Found : forall y, y < n ->
      less A (div A (of_Z A (low f)) (of_Z A (Zpos (over f))))
             (eval A env [] (point_of m :: point_of y :: map point_of u) (value f))
      && less A (eval A env [] (point_of m :: point_of y :: map point_of u) (value f))
                (div A (of_Z A (high f)) (of_Z A (Zpos (over f)))) = true ->
      enclosed f (meaning [] fs ([m; y] ++ u) (value f))).
    { intros y Before Less. apply andb_prop in Less. destruct Less as [Lower Upper].
      pose proof (eval_sound Sd [] [] env shapes fs Env ltac:(constructor) (value f) ([m; y] ++ u)
        _ (Range y Before) Safe) as Holds.
      cbn [map app] in Holds.
      split; [apply (sound_less _ _ _ Sd _ _ _ _ Lower)|apply (sound_less _ _ _ Sd _ _ _ _ Upper)];
        try exact Holds; apply (sound_div _ _ _ Sd); apply (sound_of_Z _ _ _ Sd). }
    rewrite forallb_forall in All. specialize (All u ltac:(now apply in_members)).
    rewrite forallb_forall in All. destruct (depends 1 (value f)) eqn:Depends.
    - rewrite Means. apply Found; [exact Below|]. apply All. apply filter_In. split.
      + rewrite points_seq. apply in_map, in_seq. lia.
      + cbn [fst point_of]. apply negb_true_iff. now apply Nat.eqb_neq.
    - pose proof (meaning_independent [] fs [m] x 0 (value f) Depends u) as Free.
      rewrite Means. cbn [app] in *. rewrite Free.
      apply Found; [lia|]. apply All. now left.
  Qed.

  Theorem enclosures_of_check M constants kinds : check_enclosures M constants kinds = true ->
    forall k, In k kinds -> encloses M constants k.
  Proof using Sd.
    unfold check_enclosures. cbv zeta. intros Check k Listed m b Box t In x Below Other f Fact.
    destruct (store_weights A (fraction_bits M) (weights M)) as [env|] eqn:Weights; [|discriminate].
    apply andb_prop in Check. destruct Check as [Safe All].
    pose proof (store_weights_sound Sd _ _ _ Weights) as Env.
    pose proof (evaluate_sound Sd [] [] constants ltac:(constructor) env _ _ Env Safe) as EnvAll.
    rewrite forallb_forall in All. specialize (All k Listed).
    rewrite forallb_forall in All. specialize (All (m, b) Box). cbn [fst snd] in All.
    rewrite forallb_forall in All. specialize (All f Fact).
    exact (check_fact_sound _ _ _ _ _ _ _ EnvAll All t x In Below Other).
  Qed.
End Check.

(** ** The lead of one logit over another, in tables

    The program with tables has its logits last, and only they depend on the input. [most] is the
    number of terms up to which sums are written out. *)

Definition logits (fast : list definition) : definition :=
  last fast {| shape := []; body := Pi |}.

Definition tabulated (M : network) (fast : list definition) (kept : list (option nat)) : bool :=
  let constants := removelast fast in
  distributes M fast (length constants) kept
  && negb (length fast =? 0) && ordered (length (weights M)) constants
  && forallb (fun d => constant (body d)) constants.

Definition lead_in_tables (most : nat) (fast : list definition) : scalar :=
  unroll most 2 (lead (unroll most 1 (body (logits fast)))).

(** [e], in which tables from number [from] on stand for their formulas. *)
Definition written_out (M : network) (fast : list definition) (most from : nat) (e : scalar)
    : scalar :=
  unroll most 2 (expand (length (weights M) + from) (skipn from (removelast fast)) 2 e).

Section Tabulated.
  Variables (M : network) (fast : list definition) (kept : list (option nat)).
  Hypothesis Tabulated : tabulated M fast kept = true.
  Notation constants := (removelast fast).
  Open Scope R_scope.

  Lemma lead_in_tables_meaning most t m x :
    meaning t (tables M constants) [m; x] (lead_in_tables most fast) =
    logit M t m - logit M t x.
  Proof using Tabulated.
    pose proof Tabulated as Checks. unfold tabulated in Checks. cbv zeta in Checks.
    rewrite !andb_true_iff in Checks. destruct Checks as [[[Same_program Some_fast] _] Constant].
    rewrite !(distributes_sound t M fast _ kept _ Same_program).
    set (fs := map (weight_tensor (fraction_bits M)) (weights M)).
    assert (Split : fast = constants ++ [logits fast]).
    { apply app_removelast_last. intros None. now rewrite None in Some_fast. }
    assert (Logit : forall y, logit (with_program M fast) t y =
                              meaning t (tables M constants) [y] (body (logits fast))).
    { intros y. unfold logit. cbn [with_program fraction_bits weights program]. fold fs.
      rewrite Split at 1. rewrite run_app, (run_constant t [] constants Constant). cbn [run].
      fold (tables M constants). now rewrite last_app by discriminate. }
    rewrite !Logit. unfold lead_in_tables.
    rewrite <- (unroll_meaning t _ most (body (logits fast)) [m]).
    rewrite <- (unroll_meaning t _ most (body (logits fast)) [x]). cbn [length].
    rewrite <- lead_meaning. exact (unroll_meaning t _ most _ [m; x]).
  Qed.

  Lemma written_out_meaning most from t m x e :
    meaning t (tables M constants) [m; x] (written_out M fast most from e) =
    meaning t (tables M constants) [m; x] e.
  Proof using Tabulated.
    pose proof Tabulated as Checks. unfold tabulated in Checks. cbv zeta in Checks.
    rewrite !andb_true_iff in Checks. destruct Checks as [[_ Ordered] Constant].
    set (fs := map (weight_tensor (fraction_bits M)) (weights M)).
    unfold written_out.
    pose proof (unroll_meaning t (tables M constants) most
      (expand (length (weights M) + from) (skipn from constants) 2 e) [m; x]) as Rolled.
    cbn [length] in Rolled. rewrite Rolled.
    apply (expand_meaning t (tables M constants) (length (weights M) + from)
      (skipn from constants) e) with (axes := [m; x]).
    intros j d Found ps. unfold tables. rewrite (run_constant [] t constants Constant). fold fs.
    pose proof (run_equations t constants fs) as Equations.
    replace (length fs) with (length (weights M)) in Equations
      by (symmetry; apply map_length).
    rewrite <- Nat.add_assoc. apply (Equations Ordered). rewrite <- Found. symmetry.
    rewrite <- (firstn_skipn from constants) at 2.
    destruct (Nat.le_gt_cases from (length constants)) as [Short|Long].
    - rewrite nth_error_app2 by (rewrite firstn_length; lia). f_equal. rewrite firstn_length. lia.
    - rewrite skipn_all2 in Found by lia. now destruct j.
  Qed.
End Tabulated.

(** ** From enclosures and goals to accuracy *)

(** [atoms] are the quantities at an input, in which tables from number [from] on stand for their
    formulas; [goal_lead] is what the goal says is positive. [same m b] says that m is the label on
    b. *)
Definition check_goals (M : network) (fast : list definition) (kept : list (option nat))
    (most from : nat) (atoms : list scalar) (goal_lead : scalar) (kinds : list kind)
    (same : nat -> box -> bool) (values : list nat) (N total : Z) : bool :=
  let labelled := flat_map boxes kinds in
  shaped M && tabulated M fast kept
  && in_variables goal_lead
  && scalar_eqb (lead_in_tables most fast) (written_out M fast most from (filled atoms goal_lead))
  && forallb (fun k => forallb (fun f =>
       in_variables (form f) && scalar_eqb (at_input f) (filled atoms (form f))) (facts k)) kinds
  && forallb (fun mb : nat * box =>
       (fst mb <? outputs M) && same (fst mb) (snd mb) && inside values (snd mb)) labelled
  && all_apart (map snd labelled) && (N <=? sizes (map snd labelled))%Z
  && (0 <? total)%Z && (total =? fold_right Z.mul 1 (map Z.of_nat values))%Z.

Theorem accuracy_of_goals M fast kept most from atoms goal_lead kinds same values label N total :
  (forall m b, same m b = true -> forall t, In t (members b) -> label t = m) ->
  check_goals M fast kept most from atoms goal_lead kinds same values N total = true ->
  (forall k, In k kinds -> encloses M (removelast fast) k) ->
  (forall k, In k kinds -> goal goal_lead (facts k)) ->
  shaped M = true /\ (accuracy M (inputs values) label >= IZR N / IZR total)%R.
Proof.
  intros Same Check Enclosures Goals. unfold check_goals in Check. cbv zeta in Check.
  do 9 (apply andb_prop in Check; let Last := fresh "Check" in destruct Check as [Check Last]).
  rename Check into Shaped, Check8 into Tabulated, Check7 into Variables, Check6 into Lead,
    Check5 into Forms, Check4 into Labels, Check3 into Apart, Check2 into Enough,
    Check1 into Positive, Check0 into Total.
  split; [exact Shaped|].
  apply (accuracy_of_boxes M values label (map snd (flat_map boxes kinds))).
  - intros b Listed. apply in_map_iff in Listed. destruct Listed as [[m b'] [Is Listed]].
    cbn in Is. subst b'. rewrite forallb_forall in Labels. specialize (Labels (m, b) Listed).
    cbn [fst snd] in Labels. rewrite !andb_true_iff in Labels.
    destruct Labels as [[Below Label] Inside]. apply Nat.ltb_lt in Below.
    split; [exact Inside|]. intros t In. specialize (Same m b Label t In).
    apply in_flat_map in Listed. destruct Listed as [k [Kind Listed]].
    split; [now rewrite Same|]. rewrite Same. intros x Hx Other.
    apply Rminus_gt_0_lt. unfold Rgt.
    rewrite <- (lead_in_tables_meaning M fast kept Tabulated most t m x).
    apply scalar_eqb_eq in Lead. rewrite Lead.
    rewrite (written_out_meaning M fast kept Tabulated), filled_meaning by exact Variables.
    set (v := fun j => _). apply (given_all (facts k) v); [apply (Goals k Kind)|].
    intros f Fact. unfold v. clear v.
    rewrite forallb_forall in Forms. specialize (Forms k Kind).
    rewrite forallb_forall in Forms. specialize (Forms f Fact).
    apply andb_prop in Forms. destruct Forms as [Plain Form]. apply scalar_eqb_eq in Form.
    rewrite <- (filled_meaning t (tables M (removelast fast)) atoms [m; x] (form f) Plain), <- Form.
    exact (Enclosures k Kind m b Listed t In x Hx Other f Fact).
  - exact Apart.
  - now apply Z.leb_le.
  - now apply Z.ltb_lt.
  - now apply Z.eqb_eq.
Qed.

Definition enclosures_hardware := enclosures_of_check machine machine_sound.
Definition enclosures_software := enclosures_of_check software software_sound.
Definition enclosures_pure := enclosures_of_check pure pure_sound.
