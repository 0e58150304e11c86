(** * Exploring a box: inputs are counted on which all of some sums are positive *)

From Coq Require Import ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Lists Arithmetic Rows Boxes Fractions FractionChecker
  FractionSound FractionViews.
Import ListNotations.
Open Scope nat_scope.

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.
  Notation T := (T A).
  Notation row_ok := (row_ok (contains := contains)).
  Notation rows_ok := (rows_ok (contains := contains)).

  (** ** Exploring *)

  (** What a state stands for: a number that may depend on the input, and one for each token. *)
  Definition sum_of : Type := (list nat -> R) * (nat -> nat -> R).
  Definition value (v : sum_of) (t : list nat) : R := (fst v t + along (snd v) t)%R.

  Inductive rest_ok : box -> list (list T * T) -> (nat -> nat -> R) -> Prop :=
  | rest_nil F : rest_ok [] [] F
  | rest_cons i b r all l F :
      row_ok i (fun u => u - fst i) r (F 0) ->
      (forall t, Forall2 holds_token t (i :: b) -> contains all (along F t)) ->
      rest_ok b l (fun i => F (S i)) -> rest_ok (i :: b) ((r, all) :: l) F.

  Definition state_ok (b : box) (s : state A) (v : sum_of) : Prop :=
    (forall t, Forall2 holds_token t b -> contains (so_far A s) (fst v t)) /\
    rest_ok b (rest A s) (snd v).

  Lemma whole_sound b s v t : state_ok b s v -> Forall2 holds_token t b ->
    contains (whole A s) (value v t).
  Proof using Sd.
    intros [Far Rest] In_b. unfold whole, value.
    inversion Rest as [F Is Is' Is''|i b' r all l F Row All Later Is Is' Is'']; subst.
    - inversion In_b. cbn [along]. rewrite Rplus_0_r. apply Far. constructor.
    - apply (sound_add _ _ _ Sd); [now apply Far|now apply All].
  Qed.

  Lemma state_of_ok a c : forall b rows F,
    (forall t, Forall2 holds_token t b -> contains a (c t)) ->
    rows_ok b (fine_place b) rows F -> state_ok b (state_of A a rows) (c, F).
  Proof using Sd.
    intros b rows F Far Rows. split; [exact Far|]. clear Far. cbn [state_of rest snd].
    revert rows F Rows.
    induction b as [|i b IH]; intros rows F Rows;
      inversion Rows as [|i1 b1 J1 r rs F1 Row Later]; subst; [constructor|].
    cbn [fold_right]. specialize (IH rs (fun i => F (S i)) Later).
    constructor; [exact Row| |exact IH].
    intros t In_b. inversion In_b as [|u i' t' b' Here There]; subst. cbn [along].
    assert (First : contains (hull A r) (F 0 u)).
    { destruct (Row u Here) as [x [At X]]. apply nth_error_In in At.
      exact (hull_in Sd x r _ At X). }
    inversion IH as [F' Is Is' Is''|i2 b2 r2 all l F' Row' All Later' Is Is' Is'']; subst.
    - inversion There. cbn [along]. now rewrite Rplus_0_r.
    - apply (sound_add _ _ _ Sd); [exact First|now apply All].
  Qed.

  Definition next_value (u : nat) (v : sum_of) : sum_of :=
    (fun t => fst v (u :: t) + snd v 0%nat u, fun i => snd v (S i))%R.

  Lemma next_ok i b s v k : state_ok (i :: b) s v -> k < snd i ->
    state_ok b (next A k s) (next_value (fst i + k) v).
  Proof using Sd.
    intros [Far Rest] Below. unfold next.
    inversion Rest as [|i' b' r all l F Row All Later Is Is' Is'']; subst.
    assert (Here : holds_token (fst i + k) i) by (unfold holds_token; lia).
    split; [|exact Later]. intros t In_b. cbn [so_far next_value fst].
    apply (sound_add _ _ _ Sd); [apply Far; now constructor|].
    destruct (Row _ Here) as [x [At X]]. unfold at_token.
    replace (fst i + k - fst i) with k in At by lia.
    now rewrite (nth_error_nth _ _ _ At).
  Qed.

  (** A state, and to what it belongs: [tagged] says which numbers that has. *)
  Section Open.
    Context {X : Type}.
    Implicit Types (tagged : X -> (list nat -> R) -> Prop) (l : list (state A * X)).

    Definition open_ok (b : box) tagged (s : state A * X) (v : sum_of) : Prop :=
      state_ok b (fst s) v /\ tagged (snd s) (value v).

    Lemma doubtful_sound b tagged l vs : Forall2 (open_ok b tagged) l vs -> exists vs',
      Forall2 (open_ok b tagged)
        (filter (fun s => negb (less A (of_Z A 0) (whole A (fst s)))) l) vs' /\
      forall t, Forall2 holds_token t b -> (forall v, In v vs' -> 0 < value v t)%R ->
      forall v, In v vs -> (0 < value v t)%R.
    Proof using Sd.
      intros All. induction All as [|s v l vs Here All [vs' [Kept Enough]]].
      - exists []. split; [constructor|]. intros t _ _ v [].
      - cbn [filter]. destruct (less A _ (whole A (fst s))) eqn:Positive; cbn [negb].
        + exists vs'. split; [exact Kept|]. intros t In_b Rest v' [<-|In_v].
          * exact (sound_less _ _ _ Sd _ _ _ _ Positive (sound_of_Z _ _ _ Sd 0)
                     (whole_sound b (fst s) v t (proj1 Here) In_b)).
          * now apply (Enough t In_b Rest).
        + exists (v :: vs'). split; [now constructor|]. intros t In_b Rest v' [<-|In_v].
          * apply Rest. now left.
          * apply (Enough t In_b); [|exact In_v]. intros w In_w. apply Rest. now right.
    Qed.

    Lemma tags b tagged l vs : Forall2 (open_ok b tagged) l vs ->
      Forall2 tagged (map snd l) (map value vs).
    Proof using. intros All. induction All as [|s v l vs [_ Tag] All IH]; now constructor. Qed.

    Lemma all_right b vs (P : list nat -> bool) :
      (forall t, Forall2 holds_token t b -> forall v, In v vs -> 0 < value v t)%R ->
      (forall t, In t (members b) -> (forall v, In v vs -> 0 < value v t)%R -> P t = true) ->
      (size b <= Z.of_nat (length (filter P (members b))))%Z.
    Proof using.
      intros Positive Right. rewrite <- length_members. apply Nat2Z.inj_le.
      replace (filter P (members b)) with (members b); [lia|]. symmetry.
      assert (Each : forall t, In t (members b) -> P t = true).
      { intros t In_t. apply Right; [exact In_t|]. apply Positive. now apply in_members. }
      clear Right Positive. induction (members b) as [|t l IH]; [reflexivity|]. cbn [filter].
      rewrite Each by now left. f_equal. apply IH. intros. apply Each. now right.
    Qed.

    (** What a number is after its first token. *)
    Definition behind (u : nat) tagged (x : X) (w : list nat -> R) : Prop :=
      exists w', tagged x w' /\ forall t, w t = w' (u :: t).

    Lemma behind_all u tagged xs ws : Forall2 (behind u tagged) xs ws -> exists ws',
      Forall2 tagged xs ws' /\
      forall w, In w ws -> exists w', In w' ws' /\ forall t, w t = w' (u :: t).
    Proof using.
      intros All. induction All as [|x w xs ws [w' [Tag Is]] All [ws' [Tags Each]]].
      - exists []. split; [constructor|]. intros w [].
      - exists (w' :: ws'). split; [now constructor|]. intros v [<-|In_v].
        + exists w'. split; [now left|exact Is].
        + destruct (Each v In_v) as [v' [In_v' Is']]. exists v'. split; [now right|exact Is'].
    Qed.

    Theorem explore_sound most b : forall leaf tagged l vs (P : list nat -> bool),
      Forall2 (open_ok b tagged) l vs ->
      (forall t, In t (members b) -> (forall v, In v vs -> 0 < value v t)%R -> P t = true) ->
      (forall t xs ws, In t (members b) -> leaf t xs = true -> Forall2 tagged xs ws ->
         forall w, In w ws -> (0 < w t)%R) ->
      (explore A most leaf b l <= Z.of_nat (length (filter P (members b))))%Z.
    Proof using Sd.
      induction b as [|[a n] b IH]; intros leaf tagged l vs P States Right Leaf;
        destruct (doubtful_sound _ tagged l vs States) as [vs' [Kept Enough]]; cbn [explore];
        destruct (filter _ l) as [|s l'] eqn:Doubtful;
        try (apply (all_right _ vs P); [|exact Right]; intros t In_b; apply (Enough t In_b);
             inversion Kept; intros v []);
        destruct (if existsb _ _ then _ else false); try lia.
      - destruct (leaf [] _) eqn:Decided; [|lia]. cbn [members filter].
        rewrite (Right []); [cbn; lia|now left|]. apply Enough; [constructor|]. intros v In_v.
        apply (Leaf [] _ _ ltac:(now left) Decided (tags _ _ _ _ Kept) (value v)).
        now apply in_map.
      - cbn [members].
        assert (Each : forall m k, k + m <= n ->
          (fold_right (fun k n =>
             explore A most (fun t => leaf (a + k :: t)%nat) b
               (map (fun s => (next A k (fst s), snd s)) (s :: l')) + n)%Z
             0%Z (seq k m) <=
           Z.of_nat (length (filter P
             (flat_map (fun t => map (cons t) (members b)) (seq (a + k) m)))))%Z).
        { induction m as [|m IHm]; intros k Below; [cbn; lia|]. cbn [seq fold_right flat_map].
          rewrite filter_app, app_length, Nat2Z.inj_add. apply Z.add_le_mono.
          - rewrite filter_map_length.
            apply (IH _ (behind (a + k) tagged) _ (map (next_value (a + k)) vs')).
            + clear -Kept Below Sd. remember (s :: l') as l eqn:Is. clear Is.
              induction Kept as [|s' v l vs [Here Tag] Kept IHk]; constructor; [|exact IHk].
              split; [apply (next_ok (a, n)); [exact Here|cbn; lia]|].
              exists (value v). split; [exact Tag|]. intros t.
              unfold value, next_value. cbn [fst snd along]. ring.
            + intros t In_t Positive. apply Right.
              * apply in_flat_map. exists (a + k). split; [apply in_seq; lia|]. now apply in_map.
              * apply Enough.
                -- constructor; [unfold holds_token; cbn; lia|now apply in_members].
                -- intros v In_v.
                   specialize (Positive _ (in_map (next_value (a + k)) _ _ In_v)).
                   unfold value, next_value in *. cbn [fst snd along] in *. lra.
            + intros t xs ws In_t Decided Tags w In_w.
              destruct (behind_all _ _ _ _ Tags) as [ws' [Tags' Behind]].
              destruct (Behind w In_w) as [w' [In_w' ->]].
              apply (Leaf (a + k :: t) xs ws'); [|exact Decided|exact Tags'|exact In_w'].
              apply in_flat_map. exists (a + k). split; [apply in_seq; lia|]. now apply in_map.
          - specialize (IHm (S k) ltac:(lia)). now rewrite Nat.add_succ_r in IHm. }
        specialize (Each n 0 ltac:(lia)). now rewrite Nat.add_0_r in Each.
    Qed.
  End Open.
End Soundness.
