(** Counting finite sets, and what Statement.v's definitions amount to. *)

From Coq Require Import Reals ZArith List Bool FinFun Lia Lra.
From CompactProofs Require Import Statement.
Import ListNotations.
Open Scope Z_scope.

(** ** Finite sums of integers *)

Definition total {A} (l : list A) (f : A -> Z) : Z := fold_right Z.add 0 (map f l).

Lemma total_cons {A} a (l : list A) f : total (a :: l) f = f a + total l f.
Proof. reflexivity. Qed.

Lemma total_app {A} (l l' : list A) f : total (l ++ l') f = total l f + total l' f.
Proof. induction l as [|a l IH]; [reflexivity|]. cbn [app]. rewrite !total_cons, IH. lia. Qed.

Lemma total_ext {A} (l : list A) f g : (forall a, In a l -> f a = g a) -> total l f = total l g.
Proof.
  induction l as [|a l IH]; intros H; [reflexivity|]. rewrite !total_cons, H by now left.
  rewrite IH; [reflexivity|]. intros; apply H; now right.
Qed.

Lemma total_le {A} (l : list A) f g : (forall a, In a l -> f a <= g a) -> total l f <= total l g.
Proof.
  induction l as [|a l IH]; intros H; [reflexivity|]. rewrite !total_cons.
  apply Z.add_le_mono; [apply H; now left|]. apply IH. intros; apply H; now right.
Qed.

Lemma total_plus {A} (l : list A) f g : total l (fun a => f a + g a) = total l f + total l g.
Proof. induction l as [|a l IH]; [reflexivity|]. rewrite !total_cons, IH. lia. Qed.

Lemma total_times {A} c (l : list A) f : total l (fun a => c * f a) = c * total l f.
Proof. induction l as [|a l IH]; [cbn; lia|]. rewrite !total_cons, IH. lia. Qed.

Lemma total_zero {A} (l : list A) f : (forall a, In a l -> f a = 0) -> total l f = 0.
Proof.
  induction l as [|a l IH]; intros H; [reflexivity|]. rewrite total_cons, H by now left.
  apply IH. intros; apply H; now right.
Qed.

Lemma total_nonneg {A} (l : list A) f : (forall a, In a l -> 0 <= f a) -> 0 <= total l f.
Proof. intros H. rewrite <- (total_zero l (fun _ => 0)) by reflexivity. now apply total_le. Qed.

Lemma total_swap {A B} (l : list A) (l' : list B) f :
  total l (fun a => total l' (f a)) = total l' (fun b => total l (fun a => f a b)).
Proof.
  induction l as [|a l IH].
  - symmetry. now apply total_zero.
  - rewrite total_cons, IH, <- total_plus. reflexivity.
Qed.

Lemma total_map {A B} (g : A -> B) (l : list A) f : total (map g l) f = total l (fun a => f (g a)).
Proof. unfold total. now rewrite map_map. Qed.

Lemma total_const {A} c (l : list A) : total l (fun _ => c) = Z.of_nat (length l) * c.
Proof. induction l as [|a l IH]; [reflexivity|]. rewrite total_cons, IH. cbn [length]. lia. Qed.

(** Numbers of a list that meet a condition and equal a given one: at most one of 0, ..., n - 1 does. *)
Lemma total_key n k : total (seq 0 n) (fun i => if (k =? i)%nat then 1 else 0) <= 1.
Proof.
  assert (H : forall s, total (seq s n) (fun i => if (k =? i)%nat then 1 else 0) <= if (s <=? k)%nat then 1 else 0).
  { induction n as [|n IH]; intros s; cbn [seq]; [destruct (s <=? k)%nat; cbn; lia|]. rewrite total_cons.
    specialize (IH (S s)). destruct (Nat.eqb_spec k s), (Nat.leb_spec (S s) k), (Nat.leb_spec s k); lia. }
  apply (H 0%nat).
Qed.

(** ** Counting *)

Definition count {A} (P : A -> bool) (l : list A) : Z := total l (fun a => if P a then 1 else 0).

Lemma count_length {A} (P : A -> bool) l : count P l = Z.of_nat (length (filter P l)).
Proof.
  unfold count. induction l as [|a l IH]; [reflexivity|]. rewrite total_cons, IH. cbn [filter].
  destruct (P a); cbn [length]; lia.
Qed.

Lemma count_nonneg {A} (P : A -> bool) l : 0 <= count P l.
Proof. rewrite count_length. lia. Qed.

Lemma count_ext {A} (P Q : A -> bool) l : (forall a, In a l -> P a = Q a) -> count P l = count Q l.
Proof. intros H. apply total_ext. intros a Ha. now rewrite H. Qed.

Lemma count_none {A} (l : list A) : count (fun _ => false) l = 0.
Proof. now apply total_zero. Qed.

Lemma count_le {A} (P Q : A -> bool) l : (forall a, In a l -> P a = true -> Q a = true) -> count P l <= count Q l.
Proof.
  intros H. apply total_le. intros a Ha. destruct (P a) eqn:E; [now rewrite (H a Ha E)|]. destruct (Q a); lia.
Qed.

(** ** Sequences, by their first and by their last token *)

Lemma count_first v n (P : list nat -> bool) :
  count P (sequences v (S n)) = total (seq 0 v) (fun a => count (fun t => P (a :: t)) (sequences v n)).
Proof.
  unfold count. cbn [sequences]. induction (sequences v n) as [|t l IH].
  - symmetry. now apply total_zero.
  - cbn [flat_map]. rewrite total_app, total_map, IH, <- total_plus. apply total_ext. intros a _. now rewrite total_cons.
Qed.

Lemma count_last v n (P : list nat -> bool) :
  count P (sequences v (S n)) = total (seq 0 v) (fun q => count (fun t => P (t ++ [q])) (sequences v n)).
Proof.
  revert P. induction n as [|n IH]; intros P.
  - rewrite count_first. reflexivity.
  - rewrite count_first.
    rewrite (total_ext _ _ (fun a => total (seq 0 v) (fun q => count (fun t => P ((a :: t) ++ [q])) (sequences v n)))).
    + rewrite total_swap. apply total_ext. intros q _. now rewrite count_first.
    + intros a _. now rewrite IH.
Qed.

Lemma in_sequences v n t : In t (sequences v n) <-> length t = n /\ forall a, In a t -> (a < v)%nat.
Proof.
  revert t. induction n as [|n IH]; intros t; cbn [sequences].
  - split.
    + intros [<-|[]]. split; [reflexivity|intros a []].
    + intros [H _]. left. now destruct t.
  - rewrite in_flat_map. split.
    + intros [t' [Ht H]]. apply in_map_iff in H. destruct H as [a [<- Ha]]. apply in_seq in Ha. apply IH in Ht.
      destruct Ht as [Hl Hv]. split; [cbn; now rewrite Hl|]. intros b [<-|Hb]; [lia|now apply Hv].
    + intros [Hl Hv]. destruct t as [|a t]; [discriminate|]. exists t. split.
      * apply IH. split; [now injection Hl|]. intros b Hb. apply Hv. now right.
      * apply (in_map (fun a => a :: t)), in_seq. specialize (Hv a (or_introl eq_refl)). lia.
Qed.

Lemma sequences_spec v n : NoDup (sequences v n) /\ length (sequences v n) = (v ^ n)%nat /\
  forall t, In t (sequences v n) <-> length t = n /\ forall a, In a t -> (a < v)%nat.
Proof.
  split; [|split; [|apply in_sequences]].
  - induction n as [|n IH]; cbn [sequences]; [repeat constructor; intros []|].
    induction (sequences v n) as [|t l IHl]; cbn [flat_map]; [constructor|]. inversion_clear IH as [|? ? Hnew Hl].
    assert (ND : NoDup (map (fun a => a :: t) (seq 0 v))).
    { apply Injective_map_NoDup; [|apply seq_NoDup]. intros a b H. now injection H. }
    specialize (IHl Hl). clear Hl. revert ND. generalize (map (fun a => a :: t) (seq 0 v)) as new, (in_map_iff (fun a => a :: t) (seq 0 v)).
    intros new Hin ND. assert (Hdis : forall u, In u new -> ~ In u (flat_map (fun t => map (fun a => a :: t) (seq 0 v)) l)).
    { intros u Hu Hl. apply Hin in Hu. destruct Hu as [a [<- _]]. apply in_flat_map in Hl. destruct Hl as [t' [Ht' H']].
      apply in_map_iff in H'. destruct H' as [b [Hb _]]. injection Hb as -> ->. contradiction. }
    clear Hin. induction new as [|u new IHn]; cbn [app]; [exact IHl|]. inversion_clear ND as [|? ? Hu Hn]. constructor.
    + rewrite in_app_iff. intros [H|H]; [contradiction|]. now apply (Hdis u); [left|].
    + apply IHn; [exact Hn|]. intros w Hw. apply Hdis. now right.
  - induction n as [|n IH]; [reflexivity|]. cbn [sequences Nat.pow]. rewrite <- IH. clear IH.
    induction (sequences v n) as [|t l IH]; cbn [flat_map length]; [now rewrite Nat.mul_0_r|].
    rewrite app_length, map_length, seq_length, IH. lia.
Qed.

(** ** Accuracy *)

Lemma right_b_spec M label t : right_b M label t = true <-> right M label t.
Proof.
  unfold right_b, right. rewrite andb_true_iff, Nat.ltb_lt, forallb_forall. apply and_iff_compat_l. split.
  - intros H x Hx Hne. specialize (H x). rewrite in_seq in H. destruct (Nat.eq_dec x (label t)); [contradiction|].
    destruct (Rlt_dec (logit M t x) (logit M t (label t))); [assumption|]. discriminate H. lia.
  - intros H x Hx. apply in_seq in Hx. destruct (Nat.eq_dec x (label t)); [reflexivity|].
    destruct (Rlt_dec (logit M t x) (logit M t (label t))) as [|Hn]; [reflexivity|]. destruct Hn. apply H; [lia|assumption].
Qed.

Definition number_right (M : transformer) (label : task) : Z := count (right_b M label) (sequences (d_vocab M) (n_ctx M)).

(** A lower bound of the number of right answers is a lower bound of the accuracy. *)
Theorem accuracy_of_count M label N : (0 < d_vocab M)%nat -> N <= number_right M label ->
  (accuracy M label >= IZR N / IZR (Z.of_nat (d_vocab M)) ^ n_ctx M)%R.
Proof.
  intros Hv HN. unfold accuracy. destruct (sequences_spec (d_vocab M) (n_ctx M)) as [_ [-> _]].
  rewrite INR_IZR_INZ, <- count_length. fold (number_right M label). rewrite pow_INR, INR_IZR_INZ.
  apply Rle_ge, Rmult_le_compat_r; [|now apply IZR_le]. apply Rlt_le, Rinv_0_lt_compat, pow_lt, IZR_lt. lia.
Qed.

(** The right answers, by the last token and by the label. *)
Lemma number_right_by_last M label n : n_ctx M = S n ->
  number_right M label = total (seq 0 (d_vocab M)) (fun q => count (fun t => right_b M label (t ++ [q])) (sequences (d_vocab M) n)).
Proof. intros H. unfold number_right. rewrite H. apply count_last. Qed.

Lemma count_by_key {A} (P : A -> bool) (key : A -> nat) n l :
  total (seq 0 n) (fun i => count (fun a => P a && (key a =? i)%nat) l) <= count P l.
Proof.
  unfold count. rewrite total_swap. apply total_le. intros a _. destruct (P a); cbn [andb]; [apply total_key|].
  now rewrite total_zero.
Qed.

(** ** The maximum of a sequence *)

Lemma max_of_k_snoc t q : max_of_k (t ++ [q]) = Nat.max (max_of_k t) q.
Proof. unfold max_of_k. induction t as [|a t IH]; cbn [app fold_right]; [lia|]. rewrite IH. lia. Qed.

Lemma max_of_k_is t m : (forall a, In a t -> (a <= m)%nat) -> In m t -> max_of_k t = m.
Proof.
  unfold max_of_k. induction t as [|a t IH]; intros Hle Hin; [destruct Hin|]. cbn [fold_right].
  assert (Ha : (a <= m)%nat) by (apply Hle; now left).
  assert (Ht : (fold_right Nat.max 0 t <= m)%nat).
  { clear -Hle. induction t as [|b t IH]; cbn [fold_right]; [lia|].
    assert (b <= m)%nat by (apply Hle; right; now left). enough (fold_right Nat.max 0 t <= m)%nat by lia.
    apply IH. intros c [->|Hc]; apply Hle; [now left|right; now right]. }
  destruct Hin as [->|Hin]; [lia|]. rewrite IH; [lia| |exact Hin]. intros b Hb. apply Hle. now right.
Qed.

Lemma max_of_k_lt t n : (0 < n)%nat -> (forall a, In a t -> (a < n)%nat) -> (max_of_k t < n)%nat.
Proof.
  unfold max_of_k. induction t as [|a t IH]; intros Hn H; cbn [fold_right]; [exact Hn|].
  apply Nat.max_lub_lt; [apply H; now left|]. apply IH; [exact Hn|]. intros; apply H; now right.
Qed.
