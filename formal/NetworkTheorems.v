(** * From a successful check to a theorem about a network's accuracy *)

From Coq Require Import Uint63 PArray ZArith Reals List Lia Lra Bool FunctionalExtensionality.
From CompactProofs Require Import Lists Network Arrays Arithmetic Evaluator Places EvaluatorSound
  RowEvaluator RowEvaluatorSound Machine MachineSound.
From CompactProofs Require Instances.
Import ListNotations.
Open Scope nat_scope.

Lemma right_b_spec M label t : right_b M label t = true <-> right M label t.
Proof.
  unfold right_b, right. rewrite andb_true_iff, Nat.ltb_lt, forallb_forall.
  apply and_iff_compat_l. split.
  - intros All x Hx Other. specialize (All x). rewrite in_seq in All.
    destruct (Nat.eq_dec x (label t)); [contradiction|].
    destruct (Rlt_dec (logit M t x) (logit M t (label t))); [assumption|].
    discriminate All. lia.
  - intros Less x Hx. apply in_seq in Hx. destruct (Nat.eq_dec x (label t)); [reflexivity|].
    destruct (Rlt_dec (logit M t x) (logit M t (label t))) as [|Not]; [reflexivity|].
    destruct Not. apply Less; [lia|assumption].
Qed.

(** Of [total] inputs, at least N are right. *)
Lemma accuracy_at_least M domain label N total :
  (0 < total)%Z -> total = Z.of_nat (length domain) ->
  (N <= Z.of_nat (length (filter (right_b M label) domain)))%Z ->
  (accuracy M domain label >= IZR N / IZR total)%R.
Proof.
  intros Positive Size Enough. unfold accuracy. rewrite !INR_IZR_INZ, <- Size.
  apply Rle_ge, Rmult_le_compat_r; [apply Rlt_le, Rinv_0_lt_compat, (IZR_lt 0), Positive|].
  now apply IZR_le.
Qed.

(** Is the network shaped, are there [total] inputs, as many as [size], and N of them counted? *)
Definition enough (M : network) (size count N total : Z) : bool :=
  shaped M && (0 <? total)%Z && (total =? size)%Z && (N <=? count)%Z.

Theorem accuracy_of_count M domain label size count N total :
  size = Z.of_nat (length domain) ->
  (count <= Z.of_nat (length (filter (right_b M label) domain)))%Z ->
  enough M size count N total = true ->
  shaped M = true /\ (accuracy M domain label >= IZR N / IZR total)%R.
Proof.
  intros Size Sound Check. unfold enough in Check. rewrite !andb_true_iff in Check.
  destruct Check as [[[Shaped Positive] Same] Enough].
  apply Z.leb_le in Enough. apply Z.eqb_eq in Same. apply Z.ltb_lt in Positive.
  split; [exact Shaped|]. apply accuracy_at_least; [exact Positive|congruence|lia].
Qed.

(** ** Definitions that do not depend on the input *)

Lemma run_app t p q : forall fs, run t fs (p ++ q) = run t (run t fs p) q.
Proof. induction p as [|d p IH]; intros fs; [reflexivity|]. apply IH. Qed.

Lemma place_constant t t' axes i : constant_index i = true -> place t axes i = place t' axes i.
Proof.
  induction i as [i|i IH|n|i IHi j IHj|i IH n|i IH n|i IH n]; cbn; intros Constant;
    try reflexivity; try discriminate; try (now rewrite IH).
  apply andb_prop in Constant. destruct Constant. now rewrite IHi, IHj.
Qed.

Lemma meaning_constant t t' fs e : forall axes,
  constant e = true -> meaning t fs axes e = meaning t' fs axes e.
Proof.
  induction e as [x l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
    |a IHa|a IHa|a IHa|a IHa];
    intros axes Constant; cbn in Constant |- *; try reflexivity;
    try (apply andb_prop in Constant; destruct Constant; now rewrite IHa, IHb);
    try (now rewrite IHa).
  - f_equal. apply map_ext_in. intros i In. apply place_constant.
    rewrite forallb_forall in Constant. now apply Constant.
  - apply sum_equal. intros k _. now apply IH.
Qed.

Lemma run_constant t t' p :
  forallb (fun d => constant (body d)) p = true -> forall fs, run t fs p = run t' fs p.
Proof.
  induction p as [|d p IH]; intros Constant fs; [reflexivity|]. cbn in Constant.
  apply andb_prop in Constant. destruct Constant as [Here Rest]. cbn [run].
  replace (fun axes => meaning t fs axes (body d)) with (fun axes => meaning t' fs axes (body d));
    [now apply IH|].
  apply functional_extensionality. intros axes. symmetry. now apply meaning_constant.
Qed.

(** Its first definitions, if they do not depend on the input, are evaluated once. *)
Lemma run_constants_first t constants p fs :
  forallb (fun d => constant (body d)) (firstn constants p) = true ->
  run t fs p = run t (run [] fs (firstn constants p)) (skipn constants p).
Proof.
  intros Constant. rewrite <- (firstn_skipn constants p) at 1. rewrite run_app.
  now rewrite (run_constant t [] _ Constant).
Qed.

Lemma safe_program_app tb p q : forall shapes,
  safe_program shapes tb (p ++ q) = true -> safe_program (shapes ++ map shape p) tb q = true.
Proof.
  induction p as [|d p IH]; intros shapes Safe; cbn [map]; [now rewrite app_nil_r|].
  cbn [app safe_program] in Safe. apply andb_prop in Safe. destruct Safe as [_ Safe].
  specialize (IH _ Safe). now rewrite <- app_assoc in IH.
Qed.

Section Counting.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.
  Notation zero := (fun _ : list nat => 0%R).
  Notation stored := (stored (is := is) (contains := contains)).
  Notation env_ok := (env_ok (is := is) (contains := contains)).

  (** ** Weights *)

  Lemma all_exact_sound bits l default : forall ws, all_exact A bits l = Some ws ->
    length ws = length l /\
    forall k, k < length l -> is (nth k ws default) (IZR (nth k l 0%Z) / 2 ^ bits)%R.
  Proof using Sd.
    induction l as [|x l IH]; intros ws Found; cbn in Found.
    - injection Found as <-. split; [reflexivity|cbn; lia].
    - destruct (exact A x bits) as [w|] eqn:Exact; [|discriminate].
      destruct (all_exact A bits l) as [ws'|]; [|discriminate]. injection Found as <-.
      destruct (IH ws' eq_refl) as [Length At]. split; [cbn; now rewrite Length|].
      intros [|k] Within; cbn; [now apply (sound_exact _ _ _ Sd)|].
      apply At. cbn in Within. lia.
  Qed.

  Lemma store_weight_sound bits w s :
    store_weight A bits w = Some s -> stored s (dims w) (weight_tensor bits w).
  Proof using Sd.
    unfold store_weight. destruct (fits (dims w)) eqn:Fits; [|discriminate].
    destruct (Nat.eqb_spec (length (entries w)) (product (dims w))) as [Length|]; [|discriminate].
    cbn [andb]. destruct (exact A 0 0) as [z|]; [|discriminate].
    destruct (all_exact A bits (entries w)) as [l|] eqn:Exact; [|discriminate].
    intros Found. injection Found as <-. split; [reflexivity|]. intros ix In.
    destruct (all_exact_sound bits _ z l Exact) as [Same At].
    unfold fits in Fits. apply Z.leb_le in Fits. pose proof (offset_lt _ _ In) as Within.
    rewrite (of_list_at z) by (rewrite Same, Length; assumption). apply At. now rewrite Length.
  Qed.

  Lemma store_weights_sound bits ws : forall env, store_weights A bits ws = Some env ->
    env_ok env (map dims ws) (map (weight_tensor bits) ws).
  Proof using Sd.
    induction ws as [|w ws IH]; intros env Found; cbn in Found.
    - injection Found as <-. apply env_nil.
    - destruct (store_weight A bits w) as [s|] eqn:Here; [|discriminate].
      destruct (store_weights A bits ws) as [env'|]; [|discriminate]. injection Found as <-.
      apply env_cons; [now apply store_weight_sound|now apply IH].
  Qed.

  (** The weights, and definitions that do not depend on the input. *)
  Lemma constants_sound M env p :
    store_weights A (fraction_bits M) (weights M) = Some env ->
    safe_program (map dims (weights M)) [] p = true ->
    env_ok (evaluate A [] env p) (map dims (weights M) ++ map shape p)
      (run [] (map (weight_tensor (fraction_bits M)) (weights M)) p).
  Proof using Sd.
    intros Weights Safe.
    exact (evaluate_sound Sd [] [] p ltac:(constructor) env _ _
             (store_weights_sound _ _ _ Weights) Safe).
  Qed.

  (** ** Logits *)

  Lemma wins_sound n m s f :
    m < n -> stored s [n] f -> wins A m (points n) s = true ->
    forall x, x < n -> x <> m -> (f [x] < f [m])%R.
  Proof using Sd.
    intros Label Stored Wins x Hx Other. destruct s as [st a|st a]; [discriminate|].
    destruct Stored as [-> Holds]. cbn [strides wins] in Wins.
    rewrite points_seq, forallb_forall in Wins.
    specialize (Wins (point_of x) ltac:(apply in_map, in_seq; lia)). cbn [fst snd point_of] in Wins.
    destruct (Nat.eqb_spec x m); [contradiction|].
    assert (At : forall y, y < n -> contains a.[int_of y] (f [y])).
    { intros y Hy. specialize (Holds [y] ltac:(constructor; [exact Hy|constructor])).
      cbn [offset product fold_right] in Holds. now rewrite Nat.mul_1_r, Nat.add_0_r in Holds. }
    apply (sound_less _ _ _ Sd _ _ _ _ Wins); now apply At.
  Qed.

  (** The last store, if the last shape is [n]. *)
  Lemma last_sound env shapes fs n :
    env_ok env shapes fs -> shapes <> [] -> last shapes [] = [n] ->
    exists s, last (map Some env) None = Some s /\ stored s [n] (last fs zero).
  Proof using.
    intros [Length Length' At] Some_shape Last.
    pose proof (nth_error_last shapes [] Some_shape) as Found. rewrite Last in Found.
    destruct (At _ _ Found) as [s [Here Stored]]. exists s. split.
    - rewrite last_nth, map_length, Length. apply (map_nth_error Some) in Here.
      now apply nth_error_nth.
    - now rewrite last_nth, Length'.
  Qed.

  (** ** Counting *)

  Theorem count_right_sound M values constants domain label :
    (count_right A M values constants domain label <=
     Z.of_nat (length (filter (right_b M label) domain)))%Z.
  Proof using Sd.
    unfold count_right. cbv zeta.
    set (first := firstn constants (program M)). set (rest := skipn constants (program M)).
    destruct (store_weights A (fraction_bits M) (weights M)) as [env|] eqn:Weights; [|lia].
    destruct (last (map shape (program M)) []) as [|n [|]] eqn:Last; try lia.
    destruct (_ && _)%bool eqn:Checks; [|lia].
    rewrite !andb_true_iff in Checks. destruct Checks as [[[Outputs Constant] SafeFirst] Safe].
    apply Nat.eqb_eq in Outputs. subst n.
    assert (Split : program M = first ++ rest) by (symmetry; apply firstn_skipn).
    pose proof (constants_sound M env first Weights SafeFirst) as EnvFirst.
    set (fs := map (weight_tensor (fraction_bits M)) (weights M)) in *.
    induction domain as [|t domain IH]; [cbn; lia|]. cbn [fold_right filter]. cbv zeta.
    set (k := fold_right _ _ _) in *.
    match goal with |- ((if ?b then _ else _) <= _)%Z => destruct b eqn:Counted end;
      [|destruct (right_b M label t); cbn [length]; lia].
    apply andb_prop in Counted. destruct Counted as [In Label].
    apply in_range_b_spec in In. apply Nat.ltb_lt in Label.
    assert (Constants : run [] fs first = run t fs first) by now apply run_constant.
    pose proof Safe as SafeRest. rewrite Split in SafeRest. apply safe_program_app in SafeRest.
    assert (Some_shape : map shape (program M) <> []) by (intros None; now rewrite None in Last).
    assert (Right : forall env',
      env_ok env' ((map dims (weights M) ++ map shape first) ++ map shape rest)
        (run t (run [] fs first) rest) ->
      answers A (label t) (points (outputs M)) env' = true -> right_b M label t = true).
    { intros env' EnvAll Wins. unfold answers in Wins.
      rewrite Constants, <- run_app, <- Split in EnvAll.
      rewrite <- app_assoc, <- map_app, <- Split in EnvAll.
      destruct (last_sound _ _ _ (outputs M) EnvAll) as [s [Found Stored]].
      - intros None. apply app_eq_nil in None. now destruct None.
      - now rewrite last_app.
      - rewrite Found in Wins. apply right_b_spec. split; [exact Label|].
        exact (wins_sound (outputs M) (label t) s _ Label Stored Wins). }
    destruct (answers _ _ _ (run_steps _ _ _ _)) eqn:Fast;
      [|destruct (answers _ _ _ (evaluate _ _ _ _)) eqn:Slow].
    - rewrite (Right _ (run_steps_sound Sd _ _ _ EnvFirst t values rest In _ _ _ [] EnvFirst
        ltac:(now rewrite app_nil_r) SafeRest) Fast). cbn [length]. lia.
    - rewrite (Right _ (evaluate_sound Sd t values rest In _ _ _ EnvFirst SafeRest) Slow).
      cbn [length]. lia.
    - destruct (right_b M label t); cbn [length]; lia.
  Qed.

  (** ** The theorem *)

  (** Is the network shaped, are there [total] inputs, and at least N of them provably right? *)
  Definition check (M : network) (values : list nat) (constants : nat) (domain : list (list nat))
      (label : task) (N total : Z) : bool :=
    enough M (Z.of_nat (length domain)) (count_right A M values constants domain label) N total.

  Theorem accuracy_of_check M values constants domain label N total :
    check M values constants domain label N total = true ->
    shaped M = true /\ (accuracy M domain label >= IZR N / IZR total)%R.
  Proof using Sd.
    apply accuracy_of_count; [reflexivity|apply count_right_sound].
  Qed.
End Counting.

(** ** On the processor's numbers, on machine integers, on Coq's own integers (Instances.v) *)

Definition software : arithmetic := plain (A := Instances.software).
Definition pure : arithmetic := plain (A := Instances.pure).

Definition software_sound := plain_sound (Instances.Software.sound (Instances.BigFloat.PtoP 53)).
Definition pure_sound := plain_sound (Instances.Pure.sound (Instances.ZFloat.PtoP 53)).

Definition network_hardware := accuracy_of_check machine_sound.
Definition network_software := accuracy_of_check software_sound.
Definition network_pure := accuracy_of_check pure_sound.
