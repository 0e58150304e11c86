(** * From a count of pairs to a theorem about the accuracy of a network that reads two tokens *)

From Coq Require Import Reals ZArith List Bool Lia.
From CompactProofs Require Import Network NetworkTheorems.
From CompactProofs Require Places.
Import ListNotations.
Open Scope nat_scope.

(** How many pairs of a token below p and one below q a checker finds right. *)
Definition count_pairs (p q : nat) (found : nat -> nat -> bool) : Z :=
  Z.of_nat (length (filter (fun t => found (nth 0 t 0) (nth 1 t 0)) (inputs [p; q]))).

(** Is the network shaped, are there [total] pairs, and are N of them counted? *)
Definition check_pairs (M : network) (p q : nat) (count N total : Z) : bool :=
  enough M (Z.of_nat p * Z.of_nat q) count N total.

Section Pairs.
  Variables (M : network) (label : task) (p q : nat).

  Lemma count_pairs_sound found :
    (forall x y, x < p -> y < q -> found x y = true -> right M label [x; y]) ->
    (count_pairs p q found <= Z.of_nat (length (filter (right_b M label) (inputs [p; q]))))%Z.
  Proof using.
    intros Sound. apply Nat2Z.inj_le.
    assert (Each : forall t, In t (inputs [p; q]) ->
      found (nth 0 t 0) (nth 1 t 0) = true -> right_b M label t = true).
    { intros t In_t Found. apply right_b_spec.
      cbn [inputs] in In_t. apply in_flat_map in In_t. destruct In_t as [x [Hx In_t]].
      apply in_map_iff in In_t. destruct In_t as [rest [<- In_t]].
      apply in_flat_map in In_t. destruct In_t as [y [Hy In_t]].
      cbn [map In] in In_t. destruct In_t as [<-|[]].
      apply in_seq in Hx. apply in_seq in Hy. apply Sound; [lia|lia|exact Found]. }
    induction (inputs [p; q]) as [|t l IH]; [constructor|]. cbn [filter].
    specialize (IH (fun t In_l => Each t (or_intror In_l))).
    specialize (Each t (or_introl eq_refl)).
    destruct (found (nth 0 t 0) (nth 1 t 0)).
    - rewrite Each by reflexivity. cbn [length]. lia.
    - destruct (right_b M label t); cbn [length]; lia.
  Qed.

  Theorem accuracy_of_pairs count N total :
    (count <= Z.of_nat (length (filter (right_b M label) (inputs [p; q]))))%Z ->
    check_pairs M p q count N total = true ->
    shaped M = true /\ (accuracy M (inputs [p; q]) label >= IZR N / IZR total)%R.
  Proof using.
    apply accuracy_of_count. rewrite Places.length_inputs. unfold product. cbn [fold_right]. lia.
  Qed.
End Pairs.
