(** * Boxes of inputs, and accuracy from boxes on which a network is right

    A box gives each token an interval of values. Boxes that have no input in common are counted by
    their sizes, however many inputs they hold. *)

From Coq Require Import ZArith Reals List Bool Lia.
From CompactProofs Require Import Lists Network Tasks NetworkTheorems.
Import ListNotations.

(** For each token the first of its values, and how many there are. *)
Definition box := list (nat * nat).

Fixpoint members (b : box) : list (list nat) :=
  match b with
  | [] => [[]]
  | (a, n) :: b => flat_map (fun t => map (cons t) (members b)) (seq a n)
  end.

Fixpoint size (b : box) : Z :=
  match b with [] => 1%Z | (_, n) :: b => (Z.of_nat n * size b)%Z end.

Definition sizes (l : list box) : Z := fold_right Z.add 0%Z (map size l).

(** Do the tokens have values below these? *)
Fixpoint inside (values : list nat) (b : box) : bool :=
  match values, b with
  | [], [] => true
  | v :: values, (a, n) :: b => (a + n <=? v) && inside values b
  | _, _ => false
  end.

(** Does some token tell two boxes apart? *)
Fixpoint apart (b c : box) : bool :=
  match b, c with
  | (a, n) :: b, (a', n') :: c => (a + n <=? a') || (a' + n' <=? a) || apart b c
  | _, _ => false
  end.

Fixpoint all_apart (l : list box) : bool :=
  match l with [] => true | b :: l => forallb (apart b) l && all_apart l end.

Definition holds_token (t : nat) (i : nat * nat) : Prop := fst i <= t < fst i + snd i.

Lemma in_members b : forall t, In t (members b) <-> Forall2 holds_token t b.
Proof.
  induction b as [|[a n] b IH]; intros t; cbn [members].
  - split; [intros [<-|[]]; constructor|]. intros All. inversion All. now left.
  - rewrite in_flat_map. split.
    + intros [x [Here In]]. apply in_map_iff in In. destruct In as [rest [<- In]].
      constructor; [unfold holds_token; cbn; apply in_seq in Here; lia|now apply IH].
    + intros All. inversion All as [|x i rest l Here Rest]. subst. exists x.
      unfold holds_token in Here. cbn in Here. split; [apply in_seq; lia|].
      apply in_map. now apply IH.
Qed.

Lemma length_members b : Z.of_nat (length (members b)) = size b.
Proof.
  induction b as [|[a n] b IH]; [reflexivity|]. cbn [members size]. rewrite <- IH.
  assert (All : forall l, length (flat_map (fun t => map (cons t) (members b)) l) =
                          length l * length (members b)).
  { induction l as [|x l IHl]; [reflexivity|].
    cbn [flat_map length]. now rewrite app_length, map_length, IHl. }
  rewrite All, seq_length. lia.
Qed.

Lemma nodup_members b : NoDup (members b).
Proof.
  induction b as [|[a n] b IH]; [repeat constructor; intros []|]. cbn [members].
  induction (seq_NoDup n a) as [|x l Not Distinct IHl]; [constructor|]. cbn [flat_map].
  apply nodup_app; [|exact IHl|].
  - clear -IH. induction IH as [|t l Not IH IHt]; [constructor|]. cbn [map].
    constructor; [|exact IHt].
    rewrite in_map_iff. intros [u [Same In]]. injection Same as ->. contradiction.
  - intros t In Other. apply in_map_iff in In. destruct In as [u [<- _]].
    apply in_flat_map in Other. destruct Other as [y [In Other]].
    apply in_map_iff in Other. destruct Other as [w [Same _]]. injection Same as -> _.
    contradiction.
Qed.

Lemma apart_sound b : forall c t, apart b c = true -> In t (members b) -> ~ In t (members c).
Proof.
  intros c t Apart In Other. apply in_members in In. apply in_members in Other.
  revert c Apart Other.
  induction In as [|x [a n] t b Here In IH]; intros c Apart Other; [discriminate|].
  inversion Other as [|y [a' n'] u l Here' Other']. subst. cbn [apart] in Apart.
  unfold holds_token in Here, Here'. cbn in Here, Here'.
  apply orb_prop in Apart. destruct Apart as [Apart|Apart].
  - apply orb_prop in Apart. destruct Apart as [Apart|Apart]; apply Nat.leb_le in Apart; lia.
  - exact (IH l Apart Other').
Qed.

Lemma nodup_all l : all_apart l = true -> NoDup (flat_map members l).
Proof.
  induction l as [|b l IH]; [constructor|]. cbn [all_apart flat_map]. intros Apart.
  apply andb_prop in Apart. destruct Apart as [Here Apart].
  apply nodup_app; [apply nodup_members|now apply IH|]. intros t In Other.
  apply in_flat_map in Other. destruct Other as [c [Listed Other]].
  rewrite forallb_forall in Here. exact (apart_sound b c t (Here c Listed) In Other).
Qed.

Lemma length_all l : Z.of_nat (length (flat_map members l)) = sizes l.
Proof.
  induction l as [|b l IH]; [reflexivity|]. cbn [flat_map]. rewrite app_length, Nat2Z.inj_add.
  rewrite length_members, IH. reflexivity.
Qed.

Lemma inside_inputs values : forall b t, inside values b = true -> In t (members b) ->
  In t (inputs values).
Proof.
  induction values as [|v values IH]; intros b t Inside In.
  - destruct b; [|discriminate]. exact In.
  - destruct b as [|[a n] b]; [discriminate|]. cbn [inside] in Inside.
    apply andb_prop in Inside. destruct Inside as [Below Inside]. apply Nat.leb_le in Below.
    apply in_members in In. inversion In as [|x i u l Here Rest]. subst. cbn [inputs].
    apply in_flat_map. exists x. unfold holds_token in Here. cbn in Here.
    split; [apply in_seq; lia|]. apply in_map. apply (IH b); [exact Inside|now apply in_members].
Qed.

(** Where a network is right on all inputs of boxes that are apart, it is so on as many as the
    boxes hold. *)
Theorem accuracy_of_boxes M values label l N total :
  (forall b, In b l -> inside values b = true /\ forall t, In t (members b) -> right M label t) ->
  all_apart l = true -> (N <= sizes l)%Z -> (0 < total)%Z ->
  total = fold_right Z.mul 1%Z (map Z.of_nat values) ->
  (accuracy M (inputs values) label >= IZR N / IZR total)%R.
Proof.
  intros Boxes Apart Enough Positive Total.
  assert (Size : Z.of_nat (length (inputs values)) = total).
  { rewrite Places.length_inputs, Total. clear. induction values as [|v values IH]; [reflexivity|].
    cbn [map fold_right]. rewrite <- IH. unfold product. cbn [fold_right]. lia. }
  unfold accuracy. rewrite !INR_IZR_INZ, Size. apply Rle_ge, Rmult_le_compat_r.
  - apply Rlt_le, Rinv_0_lt_compat, (IZR_lt 0), Positive.
  - apply IZR_le. apply (Z.le_trans _ _ _ Enough). rewrite <- length_all.
    apply Nat2Z.inj_le, NoDup_incl_length; [now apply nodup_all|].
    intros t In. apply in_flat_map in In. destruct In as [b [Listed In]].
    destruct (Boxes b Listed) as [Inside Right]. apply filter_In. split.
    + exact (inside_inputs values b t Inside In).
    + now apply right_b_spec, Right.
Qed.

(** ** A label that is the same on a box

    Found by running through the box; for the maximum, by its intervals alone. *)

Definition same_label (label : task) (m : nat) (b : box) : bool :=
  forallb (fun t => label t =? m) (members b).

Definition same_maximum (m : nat) (b : box) : bool :=
  existsb (fun i => (fst i =? m) && (snd i =? 1)) b
  && forallb (fun i => fst i + snd i <=? S m) b.

Lemma same_label_sound label m b :
  same_label label m b = true -> forall t, In t (members b) -> label t = m.
Proof.
  unfold same_label. rewrite forallb_forall. intros All t In. now apply Nat.eqb_eq, All.
Qed.

Lemma same_maximum_sound m b :
  same_maximum m b = true -> forall t, In t (members b) -> maximum t = m.
Proof.
  unfold same_maximum. intros Same t In. apply andb_prop in Same. destruct Same as [Some_m All].
  apply in_members in In.
  assert (Below : maximum t <= m /\ (existsb (fun i => (fst i =? m) && (snd i =? 1)) b = true ->
                                     m <= maximum t)).
  { clear Some_m. induction In as [|x [a n] t b Here In IH]; cbn in *; [split; [lia|discriminate]|].
    apply andb_prop in All. destruct All as [First All]. apply Nat.leb_le in First.
    specialize (IH All). unfold holds_token in Here. cbn in Here. fold (maximum t) in *.
    split; [lia|]. intros Some_m. apply orb_prop in Some_m. destruct Some_m as [Is|Some_m].
    - apply andb_prop in Is. destruct Is as [Is One]. apply Nat.eqb_eq in Is, One. lia.
    - destruct IH as [_ IH]. specialize (IH Some_m). lia. }
  destruct Below as [Below Above]. specialize (Above Some_m). lia.
Qed.
