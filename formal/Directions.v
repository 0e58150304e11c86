(** * What neurons write, in a few directions and a rest

    Neurons are in clusters. Neuron i answers h i and writes G i z to the output z; whatever
    numbers follow, these sums are equal. A cluster's directions V, of which each neuron writes
    its coordinates, leave a rest of G; numbers A i + B i leave a rest of h. What is left of both is
    bounded by Cauchy and Schwarz ([lead]). *)

From Coq Require Import Reals List Lra.
From CompactProofs Require Import Sums CauchySchwarz.
Import ListNotations.
Open Scope R_scope.

(** ** Sums over clusters *)

Section Clusters.
  Context {C N : Type} (neurons : C -> list N).

  Definition over (cs : list C) (f : C -> N -> R) : R :=
    sum_over cs (fun c => sum_over (neurons c) (f c)).

  Definition members (cs : list C) : list (C * N) := flat_map (fun c => map (pair c) (neurons c)) cs.

  Lemma over_members cs f : over cs f = sum_over (members cs) (fun p => f (fst p) (snd p)).
  Proof using.
    unfold over, members. rewrite sum_over_flat_map. apply sum_over_ext. intros c _.
    now rewrite sum_over_map.
  Qed.

  Lemma over_ext cs f g :
    (forall c i, In c cs -> In i (neurons c) -> f c i = g c i) -> over cs f = over cs g.
  Proof using.
    intros Same. apply sum_over_ext. intros c In_cs. apply sum_over_ext. intros i In_c.
    now apply Same.
  Qed.

  Lemma over_plus cs f g : over cs (fun c i => f c i + g c i) = over cs f + over cs g.
  Proof using.
    unfold over. rewrite <- sum_over_plus. apply sum_over_ext. intros. apply sum_over_plus.
  Qed.

  Lemma over_norms cs f g :
    Rabs (over cs (fun c i => f c i * g c i)) <=
    sqrt (over cs (fun c i => f c i * f c i)) * sqrt (over cs (fun c i => g c i * g c i)).
  Proof using.
    rewrite !over_members.
    exact (product_of_norms (members cs) (fun p => f (fst p) (snd p)) (fun p => g (fst p) (snd p))).
  Qed.

  (** ** One input *)

  Variable cs : list C.
  Variables (h A B g : C -> N -> R).            (* g: what does not depend on the output *)
  Variable G : C -> N -> nat -> R.
  Variable ways : C -> list nat.                (* numbers of a cluster's directions *)
  Variables (coordinate : C -> N -> nat -> R) (V : C -> nat -> nat -> R).

  Definition along (c : C) (d : nat) : R := sum_over (neurons c) (fun i => coordinate c i d * h c i).
  Definition followed (c : C) (i : N) (z : nat) : R :=
    sum_over (ways c) (fun d => coordinate c i d * V c d z).
  Definition centred (c : C) (i : N) (z : nat) : R := G c i z - g c i.
  Definition rest (c : C) (i : N) (z : nat) : R := centred c i z - followed c i z.
  Definition apart (c : C) (i : N) : R := h c i - A c i - B c i.

  (** What is known of the output z, beside what is written alike to all. *)
  Definition known (z : nat) : R :=
    over cs (fun c i => A c i * rest c i z) + over cs (fun c i => B c i * rest c i z)
    + sum_over cs (fun c => sum_over (ways c) (fun d => V c d z * along c d)).
  Definition bound (z : nat) : R :=
    sqrt (over cs (fun c i => apart c i * apart c i)) *
    sqrt (over cs (fun c i => rest c i z * rest c i z)).

  Definition alike : R := over cs (fun c i => h c i * g c i).

  Lemma written_centred z :
    over cs (fun c i => h c i * G c i z) = alike + over cs (fun c i => h c i * centred c i z).
  Proof using.
    unfold alike. rewrite <- over_plus. apply over_ext. intros. unfold centred. ring.
  Qed.

  Lemma followed_along c z :
    sum_over (neurons c) (fun i => h c i * followed c i z) =
    sum_over (ways c) (fun d => V c d z * along c d).
  Proof using.
    transitivity (sum_over (neurons c) (fun i =>
      sum_over (ways c) (fun d => V c d z * (coordinate c i d * h c i)))).
    - apply sum_over_ext. intros i _. unfold followed. rewrite <- sum_over_times.
      apply sum_over_ext. intros. ring.
    - rewrite sum_over_swap. apply sum_over_ext. intros d _. apply sum_over_times.
  Qed.

  Theorem written_at_most z :
    over cs (fun c i => h c i * centred c i z) <= known z + bound z.
  Proof using.
    assert (Rest : Rabs (over cs (fun c i => apart c i * rest c i z)) <= bound z)
      by exact (over_norms cs apart (fun c i => rest c i z)).
    pose proof (Rle_abs (over cs (fun c i => apart c i * rest c i z))).
    assert (Split : over cs (fun c i => h c i * centred c i z) =
      known z + over cs (fun c i => apart c i * rest c i z)).
    { unfold known. replace (sum_over cs (fun c => sum_over (ways c) (fun d => V c d z * along c d)))
        with (over cs (fun c i => h c i * followed c i z)).
      - rewrite <- !over_plus. apply over_ext. intros. unfold apart, rest. ring.
      - apply sum_over_ext. intros c _. apply followed_along. }
    rewrite Split. lra.
  Qed.

  (** The label leads where its own logit exceeds the bound of the other's. *)
  Theorem lead (direct : nat -> R) a z :
    direct z + known z + bound z < direct a + over cs (fun c i => h c i * centred c i a) ->
    over cs (fun c i => h c i * G c i z) + direct z <
    over cs (fun c i => h c i * G c i a) + direct a.
  Proof using.
    intros Less. rewrite !written_centred. pose proof (written_at_most z). lra.
  Qed.
End Clusters.
