(** * A program that [distributes] accepts computes the same logits *)

From Coq Require Import Reals ZArith List Bool Lia.
From CompactProofs Require Import Lists Network Arithmetic Evaluator EvaluatorSound NetworkTheorems
  Machine MachineSound Distribute Substitution PushSound.
Import ListNotations.
Open Scope nat_scope.

Section Input.
  Variable t : list nat.

  (** ** Definitions *)

  Section Meaning.
    Variable env : list tensor.
    Notation zero := (fun _ : list nat => 0%R).

    Variables (first : nat) (fast : list definition) (constants : nat).
    Hypothesis Equations : forall j d, nth_error fast j = Some d ->
      forall ps, nth (first + j) env zero ps = meaning t env ps (body d).

    (** What a tensor of the network, whose meaning is f, is here. *)
    Definition image_of (f : tensor) (im : image) : Prop :=
      match im with
      | Kept a y => forall ps, length ps = a -> nth y env zero ps = f ps
      | Written a e => forall ps, length ps = a -> meaning t env ps e = f ps
      end.

    Variables (images : list image) (env0 : list tensor).
    Hypothesis Images : Forall2 image_of env0 images.

    Lemma image_at x im : nth_error images x = Some im -> image_of (nth x env0 zero) im.
    Proof using Images.
      revert x. induction Images as [|f i fs is Here All IH]; intros [|x] Found; try discriminate.
      - now injection Found as <-.
      - now apply IH.
    Qed.

    Lemma rewrite_sound e : forall axes e',
      rewrite first fast constants images (length axes) e = Some e' ->
      meaning t env axes e' = meaning t env0 axes e.
    Proof using Equations Images.
      induction e; intros axes e' Found; cbn [rewrite] in Found;
        try (unfold both in Found;
             destruct (rewrite _ _ _ _ _ e1) as [a|] eqn:Left; [|discriminate];
             destruct (rewrite _ _ _ _ _ e2) as [b|] eqn:Right; [|discriminate];
             injection Found as <-; cbn [meaning]; now rewrite (IHe1 _ _ Left), (IHe2 _ _ Right));
        try (destruct (rewrite _ _ _ _ (length axes) e) as [a|] eqn:Inner; [|discriminate];
             injection Found as <-; cbn [meaning]; now rewrite (IHe _ _ Inner));
        try (now injection Found as <-).
      - destruct (nth_error images x) as [im|] eqn:At; [|discriminate].
        pose proof (image_at x im At) as Is. destruct im as [a y|a e]; cbn in Is.
        + destruct (Nat.eqb_spec (length places) a); [|discriminate]. injection Found as <-.
          cbn [meaning]. apply Is. now rewrite map_length.
        + destruct (Nat.eqb_spec (length places) a); [|discriminate]. cbn [andb] in Found.
          destruct (forallb _ places) eqn:Closed; [|discriminate]. injection Found as <-.
          pose proof (meaning_substituted t env places axes e Closed []) as Same.
          rewrite !app_nil_r in Same. rewrite Same. apply Is. now rewrite map_length.
      - destruct (rewrite _ _ _ _ (S (length axes)) e) as [b|] eqn:Inner; [|discriminate].
        injection Found as <-. rewrite (sum_of_sound t env first fast constants Equations).
        cbn [meaning]. apply sum_equal. intros k _.
        apply IHe. now rewrite app_length, Nat.add_1_r.
    Qed.
  End Meaning.

  Notation zero := (fun _ : list nat => 0%R).

  Lemma images_of_sound env first fast constants :
    (forall j d, nth_error fast j = Some d ->
      forall ps, nth (first + j) env zero ps = meaning t env ps (body d)) ->
    forall p kept images images' env0,
    Forall2 (image_of env) env0 images ->
    images_of first fast constants images p kept = Some images' ->
    Forall2 (image_of env) (run t env0 p) images'.
  Proof using.
    intros Equations. induction p as [|d p IH]; intros [|k kept] images images' env0 Images Found;
      try discriminate; cbn [images_of] in Found.
    - now injection Found as <-.
    - destruct (rewrite _ _ _ _ _ _) as [e|] eqn:Rewritten; [|now destruct k].
      assert (Same : forall ps, length ps = length (shape d) ->
        meaning t env ps e = meaning t env0 ps (body d)).
      { intros ps Long. rewrite <- Long in Rewritten.
        exact (rewrite_sound env first fast constants Equations images env0 Images _ _ _
          Rewritten). }
      cbn [run]. destruct k as [j|].
      + destruct (nth_error fast j) as [d'|] eqn:At; [|discriminate].
        destruct (scalar_eqb (body d') e) eqn:Equal; [|discriminate].
        apply scalar_eqb_eq in Equal. refine (IH _ _ _ _ (Forall2_app Images _) Found).
        constructor; [|constructor]. cbn. intros ps Long. rewrite (Equations j d' At), Equal.
        now apply Same.
      + refine (IH _ _ _ _ (Forall2_app Images _) Found). constructor; [exact Same|constructor].
  Qed.

  (** ** Programs *)

  Lemma run_length p : forall env, length (run t env p) = length env + length p.
  Proof using.
    induction p as [|d p IH]; intros env; cbn [run length]; [lia|].
    rewrite IH, app_length. cbn. lia.
  Qed.

  Lemma run_nth p x : forall env, x < length env -> nth x (run t env p) zero = nth x env zero.
  Proof using.
    induction p as [|d p IH]; intros env Before; [reflexivity|]. cbn [run].
    rewrite IH by (rewrite app_length; lia). now apply app_nth1.
  Qed.

  Lemma meaning_below n env env' e : reads_below n e = true ->
    (forall x, x < n -> nth x env zero = nth x env' zero) ->
    forall axes, meaning t env axes e = meaning t env' axes e.
  Proof using.
    intros Below Same. induction e; cbn [reads_below] in Below; intros axes; cbn [meaning];
      try reflexivity; try (apply andb_prop in Below; destruct Below; now rewrite IHe1, IHe2);
      try (now rewrite IHe).
    - apply Nat.ltb_lt in Below. now rewrite Same.
    - apply sum_equal. intros. now apply IHe.
  Qed.

  (** Each definition's equation holds of what the whole program computes. *)
  Lemma run_equations p : forall env, ordered (length env) p = true ->
    forall j d, nth_error p j = Some d -> forall ps,
    nth (length env + j) (run t env p) zero ps = meaning t (run t env p) ps (body d).
  Proof using.
    induction p as [|d p IH]; intros env Ordered [|j] d' Found ps; try discriminate;
      cbn [ordered] in Ordered; apply andb_prop in Ordered; destruct Ordered as [Here Rest];
      cbn [run].
    - injection Found as <-. rewrite Nat.add_0_r, run_nth by (rewrite app_length; cbn; lia).
      rewrite app_nth2, Nat.sub_diag by lia. cbn [nth].
      apply (meaning_below (length env)); [exact Here|]. intros x Before.
      rewrite run_nth by (rewrite app_length; lia). now rewrite app_nth1.
    - specialize (IH (env ++ [fun axes => meaning t env axes (body d)])).
      rewrite app_length, Nat.add_1_r in IH. rewrite <- Nat.add_succ_comm. now apply IH.
  Qed.

  Lemma weight_images_sound bits l env : forall x,
    (forall i, i < length l -> nth (x + i) env zero = weight_tensor bits (nth i l {| dims := [];
      entries := [] |})) ->
    Forall2 (image_of env) (map (weight_tensor bits) l) (weight_images x l).
  Proof using.
    induction l as [|w l IH]; intros x At; cbn [map weight_images]; constructor.
    - intros ps _. specialize (At 0 ltac:(cbn; lia)). rewrite Nat.add_0_r in At.
      change (nth x env zero ps = weight_tensor bits w ps). now rewrite At.
    - apply IH. intros i Before. specialize (At (S i) ltac:(cbn; lia)).
      now rewrite Nat.add_succ_r in At.
  Qed.

  Theorem distributes_sound M fast constants kept x :
    distributes M fast constants kept = true -> logit M t x = logit (with_program M fast) t x.
  Proof using.
    unfold distributes. cbv zeta. intros Checks.
    rewrite !andb_true_iff in Checks. destruct Checks as [[[Ordered Some_fast] Some_p] Last].
    apply Nat.ltb_lt in Some_p, Some_fast.
    destruct (images_of _ _ _ _ _ _) as [images|] eqn:Images; [|discriminate].
    destruct (last images _) as [[|[|a]] y|] eqn:LastImage; try discriminate.
    apply Nat.eqb_eq in Last. unfold logit. cbn [with_program fraction_bits weights program].
    set (fs := map (weight_tensor (fraction_bits M)) (weights M)).
    assert (Long : length fs = length (weights M)) by apply map_length.
    set (env := run t fs fast).
    assert (Equations : forall j d, nth_error fast j = Some d ->
      forall ps, nth (length (weights M) + j) env zero ps = meaning t env ps (body d)).
    { rewrite <- Long. apply run_equations. now rewrite Long. }
    assert (Weights : Forall2 (image_of env) fs (weight_images 0 (weights M))).
    { apply (weight_images_sound (fraction_bits M)). intros i Before. cbn [Nat.add]. unfold env.
      rewrite run_nth by now rewrite Long.
      rewrite (nth_indep fs zero (weight_tensor (fraction_bits M) {| dims := []; entries := [] |}))
        by now rewrite Long.
      apply map_nth. }
    pose proof (images_of_sound env _ _ _ Equations _ _ _ _ _ Weights Images) as All.
    assert (Lengths : length (run t fs (program M)) = length images)
      by (clear -All; induction All; cbn; [reflexivity|now f_equal]).
    assert (Found : nth_error images (length images - 1) = Some (Kept 1 y)).
    { rewrite <- LastImage. apply nth_error_last. intros None. rewrite None in Lengths.
      rewrite run_length in Lengths. cbn in Lengths. lia. }
    pose proof (image_at env images _ All _ _ Found) as Is. cbn in Is.
    rewrite !last_nth, Lengths, <- (Is [x] eq_refl). unfold env.
    now rewrite run_length, Long, Last.
  Qed.
End Input.

(** ** Accuracy *)

Lemma right_of_distributed M fast constants kept label t :
  distributes M fast constants kept = true ->
  right_b M label t = right_b (with_program M fast) label t.
Proof.
  intros Same. unfold right_b. cbn [with_program outputs]. f_equal.
  induction (seq 0 (outputs M)) as [|x l IH]; [reflexivity|]. cbn [forallb]. rewrite IH.
  now rewrite !(distributes_sound t M fast constants kept _ Same).
Qed.

Lemma accuracy_of_distributed M fast constants kept domain label :
  distributes M fast constants kept = true ->
  accuracy M domain label = accuracy (with_program M fast) domain label.
Proof.
  intros Same. unfold accuracy. do 3 f_equal. apply filter_ext. intros t.
  exact (right_of_distributed M fast constants kept label t Same).
Qed.

(** ** The theorem *)

Definition check_distributed (A : arithmetic) (M : network) (fast : list definition)
    (kept : list (option nat)) (values : list nat) (constants : nat) (domain : list (list nat))
    (label : task) (N total : Z) : bool :=
  shaped M && distributes M fast constants kept
  && check (A := A) (with_program M fast) values constants domain label N total.

Theorem accuracy_of_check_distributed {A is contains} (Sd : sound A is contains)
    M fast kept values constants domain label N total :
  check_distributed A M fast kept values constants domain label N total = true ->
  shaped M = true /\ (accuracy M domain label >= IZR N / IZR total)%R.
Proof.
  unfold check_distributed. intros Checks.
  rewrite !andb_true_iff in Checks. destruct Checks as [[Shaped Same] Check].
  split; [exact Shaped|]. rewrite (accuracy_of_distributed _ _ _ _ _ _ Same).
  exact (proj2 (accuracy_of_check Sd _ _ _ _ _ _ _ Check)).
Qed.

Definition distributed_hardware := accuracy_of_check_distributed machine_sound.
Definition distributed_software := accuracy_of_check_distributed software_sound.
Definition distributed_pure := accuracy_of_check_distributed pure_sound.
