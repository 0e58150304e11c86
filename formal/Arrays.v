(** Machine integers from natural numbers, arrays from lists. *)

From Coq Require Import Uint63 PArray ZArith List Lia.
Import ListNotations.

(** ** [int_of] is a morphism *)

Definition int_of (n : nat) : int := of_Z (Z.of_nat n).

Lemma int_of_add a b : int_of (a + b) = (int_of a + int_of b)%uint63.
Proof.
  apply to_Z_inj. unfold int_of.
  rewrite add_spec, !of_Z_spec, Nat2Z.inj_add, Zplus_mod. reflexivity.
Qed.

Lemma int_of_mul a b : int_of (a * b) = (int_of a * int_of b)%uint63.
Proof.
  apply to_Z_inj. unfold int_of.
  rewrite mul_spec, !of_Z_spec, Nat2Z.inj_mul, Zmult_mod. reflexivity.
Qed.

Lemma int_of_small n : (Z.of_nat n < wB)%Z -> to_Z (int_of n) = Z.of_nat n.
Proof. intros Small. unfold int_of. rewrite of_Z_spec. apply Z.mod_small. lia. Qed.

(** Machine integers divide as natural numbers do, where those fit. *)
Lemma int_of_div a b : (Z.of_nat a < wB)%Z -> (Z.of_nat b < wB)%Z ->
  int_of (a / b) = (int_of a / int_of b)%uint63.
Proof.
  intros FitsA FitsB. apply to_Z_inj.
  rewrite div_spec, !(int_of_small a), !(int_of_small b) by assumption.
  rewrite <- Nat2Z.inj_div. apply int_of_small.
  destruct b as [|b]; [cbn; lia|]. pose proof (Nat.div_le_upper_bound a (S b) a). nia.
Qed.

Lemma int_of_mod a b : (Z.of_nat a < wB)%Z -> (Z.of_nat b < wB)%Z ->
  int_of (a mod b) = (int_of a mod int_of b)%uint63.
Proof.
  intros FitsA FitsB. apply to_Z_inj.
  rewrite mod_spec, !(int_of_small a), !(int_of_small b) by assumption.
  rewrite <- Nat2Z.inj_mod. apply int_of_small.
  destruct b as [|b]; [exact FitsA|]. pose proof (Nat.mod_le a (S b)). lia.
Qed.

(** ** Arrays from lists *)

Section Arrays.
  Context {X : Type}.
  Implicit Types (l : list X) (a : array X).

  Fixpoint fill l (i : int) a : array X :=
    match l with [] => a | x :: l => fill l (i + 1) (a.[i <- x]) end.
  Definition of_list (default : X) l : array X :=
    fill l 0%uint63 (make (int_of (length l)) default).

  Lemma fill_other l i j a :
    j < i -> (Z.of_nat (i + length l) < wB)%Z ->
    (fill l (int_of i) a).[int_of j] = a.[int_of j].
  Proof using.
    revert i a. induction l as [|x l IH]; intros i a Before Small; [reflexivity|].
    cbn [fill length] in *. change 1%uint63 with (int_of 1).
    rewrite <- int_of_add, IH by lia. apply get_set_other. intros Same.
    apply (f_equal to_Z) in Same. rewrite !int_of_small in Same by lia. lia.
  Qed.

  Lemma fill_at l i k a default :
    k < length l -> (Z.of_nat (i + length l) < wB)%Z -> PArray.length a = int_of (i + length l) ->
    (fill l (int_of i) a).[int_of (i + k)] = nth k l default.
  Proof using.
    revert i k a. induction l as [|x l IH]; intros i k a Within Small Length;
      cbn [length fill] in *; [lia|].
    change 1%uint63 with (int_of 1). rewrite <- int_of_add. destruct k as [|k].
    - rewrite Nat.add_0_r. cbn [nth]. rewrite fill_other by lia. apply get_set_same.
      rewrite Length, ltb_spec, !int_of_small by lia. lia.
    - cbn [nth]. replace (i + S k) with (i + 1 + k) by lia. apply IH; [lia|lia|].
      rewrite length_set, Length. f_equal. lia.
  Qed.

  Lemma of_list_at default l k :
    k < length l -> (Z.of_nat (length l) <= to_Z max_length)%Z ->
    (of_list default l).[int_of k] = nth k l default.
  Proof using.
    intros Within Fits. assert (Small : (to_Z max_length < wB)%Z) by (apply to_Z_bounded).
    unfold of_list. change 0%uint63 with (int_of 0). change k with (0 + k) at 1.
    apply fill_at; [exact Within|cbn [Nat.add]; lia|]. rewrite length_make.
    replace (int_of (length l) <=? max_length)%uint63 with true; [reflexivity|].
    symmetry. apply leb_spec. rewrite int_of_small by lia. exact Fits.
  Qed.
End Arrays.
