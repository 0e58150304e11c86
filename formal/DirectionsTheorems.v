(** * From directions of neurons' outputs to a theorem about a program's accuracy

    The program is one with tables that computes the same as the network (Distribute.v), in which
    a single definition depends on the input: logits from one hidden layer (OneLayer.v). *)

From Coq Require Import Reals ZArith List Bool Lia.
From CompactProofs Require Import Lists Network Arithmetic Evaluator EvaluatorSound NetworkTheorems
  Distribute DistributeSound MachineSound Places Pairs OneLayer.
From CompactProofs Require DirectionsChecker DirectionsSound Substitution.
Import ListNotations.
Open Scope nat_scope.

Module D := DirectionsChecker.

Section Check.
  Variable A : arithmetic.

  Variables (M : network) (p q constants bits : nat) (clusters : list D.cluster) (rest : bool).
  Variable label : task.

  (** How many pairs the directions prove; none if there is something wrong with them, or the
      program is not of this kind. *)
  Definition count_directions : Z :=
    let first := firstn constants (program M) in
    let shapes := map dims (weights M) in
    let all := shapes ++ map shape first in
    let n := outputs M in
    match store_weights A (fraction_bits M) (weights M), skipn constants (program M) with
    | Some env, [d] =>
        match layer_of (body d) with
        | Some l =>
            let m := width l in
            if additive_layer l && D.once_each m clusters
               && forallb (fun d => constant (body d)) first && safe_program shapes [] first
               && safe all [p; q] [n; m] (pre l) && safe all [p; q] [n; m] (out l)
               && safe all [p; q] [n] (direct l)
            then
              let env := evaluate A [] env first in
              let pair x y := [point_of x; point_of y] in
              let pre_t x y i := eval A env (pair x y) [point_of 0; point_of i] (pre l) in
              let out_t z i := eval A env (pair 0 0) [point_of z; point_of i] (out l) in
              let direct_t x y z := eval A env (pair x y) [point_of z] (direct l) in
              let found := D.proven A p q n bits clusters pre_t out_t direct_t rest
                             (fun x y => label [x; y]) in
              count_pairs p q (fun x y => (label [x; y] <? n) && found x y)
            else 0%Z
        | None => 0%Z
        end
    | _, _ => 0%Z
    end.

  Context {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : Arithmetic.sound A is contains.

  Theorem count_directions_sound :
    (count_directions <= Z.of_nat (length (filter (right_b M label) (inputs [p; q]))))%Z.
  Proof using Sd.
    unfold count_directions. cbv zeta.
    set (first := firstn constants (program M)). set (n := outputs M).
    destruct (store_weights A (fraction_bits M) (weights M)) as [env|] eqn:Weights; [|lia].
    destruct (skipn constants (program M)) as [|d [|]] eqn:Last; try lia.
    destruct (layer_of (body d)) as [l|] eqn:Layer; [|lia].
    destruct (_ && _)%bool eqn:Checks; [|lia].
    rewrite !andb_true_iff in Checks.
    destruct Checks as [[[[[[Additive Once] Constant] Safe_first] Safe_pre] Safe_out] Safe_direct].
    unfold additive_layer in Additive.
    rewrite !andb_true_iff in Additive.
    destruct Additive as [[[Adds_pre Not_output] Constant_out] Adds_direct].
    apply negb_true_iff in Not_output.
    pose proof (constants_sound Sd M env first Weights Safe_first) as EnvFirst.
    set (fs := map (weight_tensor (fraction_bits M)) (weights M)) in *.
    set (gs := run [] fs first) in *. set (env' := evaluate A [] env first) in *.
    assert (Logit : forall x y z, logit M [x; y] z = meaning [x; y] gs [z] (body d)).
    { intros x y z. unfold logit. rewrite (run_constants_first _ constants) by exact Constant.
      rewrite Last. fold fs first gs. cbn [run]. now rewrite last_app. }
    apply count_pairs_sound. intros x y Hx Hy Found.
    apply andb_prop in Found. destruct Found as [Label Found]. apply Nat.ltb_lt in Label.
    split; [exact Label|]. intros z Hz Other. rewrite !Logit, !(layer_of_sound _ _ _ _ l Layer).
    cbn [app].
    pose (pre' := fun x y i => meaning [x; y] gs [0; i] (pre l)).
    pose (out' := fun z i => meaning [0; 0] gs [z; i] (out l)).
    pose (direct' := fun x y z => meaning [x; y] gs [z] (direct l)).
    assert (Pre : forall x y z i, meaning [x; y] gs [z; i] (pre l) = pre' x y i).
    { intros x' y' z' i. exact (Substitution.meaning_independent [x'; y'] gs [] z' 0 (pre l)
        Not_output [i]). }
    assert (Out : forall x y z i, meaning [x; y] gs [z; i] (out l) = out' z i).
    { intros x' y' z' i. now apply meaning_constant. }
    assert (Output : forall z,
      (sum (width l) (fun i => Rmax 0 (meaning [x; y] gs [z; i] (pre l)) *
                               meaning [x; y] gs [z; i] (out l))
       + meaning [x; y] gs [z] (direct l))%R =
      DirectionsSound.output (width l) pre' out' direct' x y z).
    { intros z'. unfold DirectionsSound.output. f_equal. apply sum_equal. intros i _.
      now rewrite Pre, Out. }
    rewrite !Output.
    assert (In : forall x y, x < p -> y < q -> in_range [p; q] [x; y])
      by (intros; repeat constructor; assumption).
    refine (DirectionsSound.proven_sound Sd p q (width l) n bits clusters pre' out' direct'
      _ _ _ _ _ _ _ _ Once _ _ rest (fun x y => label [x; y]) x y Hx Hy Label Found z Hz Other).
    - intros x' y' i Hx' Hy' Hi.
      refine (eval_sound Sd [x'; y'] [p; q] env' _ gs EnvFirst (In x' y' Hx' Hy') (pre l) [0; i]
        [n; width l] _ Safe_pre).
      repeat constructor; lia.
    - intros z' i Hz' Hi.
      refine (eval_sound Sd [0; 0] [p; q] env' _ gs EnvFirst (In 0 0 _ _) (out l) [z'; i]
        [n; width l] _ Safe_out); [lia|lia|]. repeat constructor; lia.
    - intros x' y' z' Hx' Hy' Hz'.
      refine (eval_sound Sd [x'; y'] [p; q] env' _ gs EnvFirst (In x' y' Hx' Hy') (direct l) [z']
        [n] _ Safe_direct).
      repeat constructor; lia.
    - intros x' y' i. exact (additive_adds gs (pre l) Adds_pre [0; i] x' y').
    - intros x' y' z'. exact (additive_adds gs (direct l) Adds_direct [z'] x' y').
    - lia.
    - lia.
  Qed.
End Check.

Definition check_directions (A : arithmetic) (M : network) (fast : list definition)
    (kept : list (option nat)) (p q constants bits : nat) (clusters : list D.cluster)
    (rest : bool) (label : task) (N total : Z) : bool :=
  distributes M fast constants kept
  && check_pairs M p q
       (count_directions A (with_program M fast) p q constants bits clusters rest label) N total.

Theorem accuracy_of_directions {A is contains} (Sd : Arithmetic.sound A is contains)
    M fast kept p q constants bits clusters rest label N total :
  check_directions A M fast kept p q constants bits clusters rest label N total = true ->
  shaped M = true /\ (accuracy M (inputs [p; q]) label >= IZR N / IZR total)%R.
Proof.
  unfold check_directions. intros Check.
  apply andb_prop in Check. destruct Check as [Same Check].
  apply (accuracy_of_pairs M label p q _ N total) with (2 := Check).
  rewrite (filter_ext _ _ (fun t => right_of_distributed M fast constants kept label t Same)).
  apply (count_directions_sound A (with_program M fast) p q constants bits clusters rest label Sd).
Qed.

Definition directions_hardware := accuracy_of_directions machine_sound.
Definition directions_software := accuracy_of_directions software_sound.
Definition directions_pure := accuracy_of_directions pure_sound.
