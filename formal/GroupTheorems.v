(** * From a successful check of circuits to a theorem about a program's accuracy

    The program of a network on a group, as the exporter writes it for any sizes, computes the
    logits that GroupSound.v argues about. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Lists Network Tasks Enclosure GroupChecker Pairs.
From CompactProofs Require GroupTables GroupSound Instances.
Import ListNotations.
Open Scope R_scope.

Module G := GroupSound.
Module B := GroupTables.

(** ** The program *)

Definition hidden_layer (m : nat) : definition := {|
  shape := [m];
  body := Relu (Plus (Read 0 [Token (Fixed 0); Axis 0]) (Read 1 [Token (Fixed 1); Axis 0]))
|}.

Definition output_layer (n m : nat) : definition := {|
  shape := [n];
  body := Plus (Sum m (Times (Read 4 [Axis 1]) (Read 2 [Axis 1; Axis 0]))) (Read 3 [Axis 0])
|}.

(** The weights of M under the program of a network on a group of n elements with m neurons. *)
Definition pair_mlp (n m : nat) (M : network) : network := {|
  fraction_bits := fraction_bits M;
  weights := weights M;
  program := [hidden_layer m; output_layer n m];
  outputs := n
|}.

Lemma pair_mlp_logit n m M a b c d x y z : weights M = [a; b; c; d] ->
  let w := weight_tensor (fraction_bits M) in
  logit (pair_mlp n m M) [x; y] z =
  G.logit m (fun x i => w a [x; i]) (fun y i => w b [y; i]) (fun i z => w c [i; z])
    (fun z => w d [z]) x y z.
Proof. intros Weights. unfold logit. cbn [pair_mlp weights fraction_bits]. now rewrite Weights. Qed.

(** ** The check *)

Section Check.
  Variable A : enclosures.

  Definition vector_t bits (w : weight) : list (T A) :=
    let unit := of_Z A (2 ^ Z.of_nat bits) in map (fun z => div A (of_Z A z) unit) (entries w).
  Fixpoint rows_of {X} (columns rows : nat) (l : list X) : list (list X) :=
    match rows with
    | O => []
    | S rows => firstn columns l :: rows_of columns rows (skipn columns l)
    end.
  Definition matrix_t bits rows columns (w : weight) : list (list (T A)) :=
    rows_of columns rows (vector_t bits w).

  Definition same_dims (l l' : list (list nat)) : bool :=
    if list_eq_dec (list_eq_dec Nat.eq_dec) l l' then true else false.

  Variables (M : network) (n m : nat) (table : list (list nat)).
  Variables (bits e : nat) (inverse : list nat) (circuits : list circuit).

  (** How many pairs the circuits prove; none if there is something wrong with them. *)
  Definition count_groups : Z :=
    match weights M with
    | [a; b; c; d] =>
        if same_dims (map dims (weights M)) [[n; m]; [n; m]; [m; n]; [n]]
           && divides n table e inverse && forallb (acts n table) circuits
           && shares_whole bits m circuits
        then
          let f := fraction_bits M in
          count_pairs n n (proven n bits (matrix_t f n m a) (matrix_t f n m b) (matrix_t f m n c)
                             (vector_t f d) e circuits)
        else 0%Z
    | _ => 0%Z
    end.

  Definition check_groups (N total : Z) : bool := check_pairs M n n count_groups N total.

  Variable contains : T A -> R -> Prop.
  Hypothesis Sd : sound A contains.

  (** An entry that is not there encloses everything. *)
  Lemma rows_of_at columns : forall rows (l : list (T A)) i j,
    at2 (rows_of columns rows l) i j =
    if ((i <? rows) && (j <? columns))%nat then entry_of l (i * columns + j) else everything A.
  Proof using.
    induction rows as [|rows IH]; intros l i j.
    - unfold at2, entry_of. cbn [rows_of]. now rewrite !B.nth_nil.
    - unfold at2 in *. cbn [rows_of]. destruct i as [|i].
      + cbn [nth Nat.mul Nat.add]. change (0 <? S rows)%nat with true. cbn [andb].
        destruct (Nat.ltb_spec j columns) as [Below|Above].
        * unfold entry_of. now apply nth_firstn.
        * unfold entry_of. apply nth_overflow. rewrite firstn_length. lia.
      + cbn [nth]. rewrite IH. change (S i <? S rows)%nat with (i <? rows)%nat.
        destruct (_ && _)%bool; [|reflexivity]. unfold entry_of. rewrite nth_skipn.
        f_equal. lia.
  Qed.

  Lemma vector_sound w k : dims w = [k] -> B.holds1 (contains := contains)
    (vector_t (fraction_bits M) w) (fun z => weight_tensor (fraction_bits M) w [z]).
  Proof using Sd.
    intros Dims z. unfold weight_tensor. rewrite Dims.
    replace (offset [k] [z]) with z by (cbn; lia). rewrite pow_IZR.
    unfold vector_t. cbv zeta.
    apply (B.map_sound Sd _ (B.real (fraction_bits M))). intros a. apply (B.number_sound Sd).
  Qed.

  Lemma matrix_sound w rows columns : dims w = [rows; columns] -> B.holds2 (contains := contains)
    (matrix_t (fraction_bits M) rows columns w)
    (fun i j => weight_tensor (fraction_bits M) w [i; j]).
  Proof using Sd.
    intros Dims i j. unfold matrix_t. rewrite rows_of_at.
    destruct (_ && _)%bool; [|apply (sound_everything _ _ Sd)].
    unfold weight_tensor. rewrite Dims.
    replace (offset [rows; columns] [i; j]) with (i * columns + j)%nat
      by (cbn; rewrite Nat.mul_1_r; lia). rewrite pow_IZR.
    unfold vector_t. cbv zeta.
    apply (B.map_sound Sd _ (B.real (fraction_bits M))). intros a. apply (B.number_sound Sd).
  Qed.

  Theorem count_groups_sound : M = pair_mlp n m M ->
    (count_groups <=
     Z.of_nat (length (filter (right_b M (composition table)) (inputs [n; n]))))%Z.
  Proof using Sd.
    intros Program. unfold count_groups.
    destruct (weights M) as [|a [|b [|c [|d [|]]]]] eqn:Weights; try lia.
    destruct (_ && _)%bool eqn:Checks; [|lia].
    rewrite !andb_true_iff in Checks. destruct Checks as [[[Dims Divides] Acts] Shares].
    unfold same_dims in Dims. destruct (list_eq_dec _ _ _) as [Is|]; [|discriminate].
    injection Is as Dims_a Dims_b Dims_c Dims_d. clear Dims. cbv zeta.
    apply count_pairs_sound. intros x y Hx Hy Proven.
    assert (Products : forall x y, (x < n)%nat -> (y < n)%nat -> (image table x y < n)%nat).
    { intros x' y' Hx' Hy'. unfold divides in Divides. cbv zeta in Divides.
      do 3 (apply andb_prop in Divides; destruct Divides as [Divides _]).
      apply andb_prop in Divides. destruct Divides as [_ Closed]. apply Nat.ltb_lt.
      exact (B.forallb_seq _ _ (B.forallb_seq _ _ Closed x' Hx') y' Hy'). }
    assert (Outputs : outputs M = n) by (rewrite Program; reflexivity).
    unfold Network.right. rewrite Outputs.
    change (composition table [x; y]) with (image table x y).
    split; [apply Products; lia|]. intros z Hz Other. rewrite Program.
    rewrite !(pair_mlp_logit n m M a b c d) by exact Weights.
    refine (G.proven_sound Sd n m bits table _ _ _ _ _ _ _ _ _ _ _ _ Products e inverse circuits
      x y Divides Acts Shares _ _ Proven z Hz Other); try lia.
    - now apply matrix_sound.
    - now apply matrix_sound.
    - now apply matrix_sound.
    - now apply (vector_sound d n).
  Qed.

  Theorem accuracy_of_groups N total : M = pair_mlp n m M -> check_groups N total = true ->
    shaped M = true /\
    (accuracy M (inputs [n; n]) (composition table) >= IZR N / IZR total)%R.
  Proof using Sd.
    intros Program. apply accuracy_of_pairs. exact (count_groups_sound Program).
  Qed.
End Check.

Definition groups_hardware M n m table bits e inverse circuits :=
  accuracy_of_groups Processor.hardware M n m table bits e inverse circuits
    Bounds.contains ProcessorSound.hardware_sound.
Definition groups_software M n m table bits e inverse circuits :=
  accuracy_of_groups Instances.software M n m table bits e inverse circuits
    Instances.Software.contains (Instances.Software.sound (Instances.BigFloat.PtoP 53)).
Definition groups_pure M n m table bits e inverse circuits :=
  accuracy_of_groups Instances.pure M n m table bits e inverse circuits
    Instances.Pure.contains (Instances.Pure.sound (Instances.ZFloat.PtoP 53)).
