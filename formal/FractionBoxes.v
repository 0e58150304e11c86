(** * What the checker of fractions counts in a box is right *)

From Coq Require Import ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Arithmetic Rows Boxes Fractions FractionChecker FractionSound.
Import ListNotations.
Open Scope nat_scope.

(** ** Lists *)

Lemma nth_error_skipn {X} a : forall (l : list X) k, nth_error (skipn a l) k = nth_error l (a + k).
Proof. induction a as [|a IH]; intros [|x l] k; cbn; [reflexivity..| |]; now destruct k. Qed.

Lemma nth_error_firstn {X} n : forall (l : list X) k,
  k < n -> nth_error (firstn n l) k = nth_error l k.
Proof.
  induction n as [|n IH]; intros [|x l] k Below; [lia..|reflexivity|].
  destruct k as [|k]; [reflexivity|]. cbn. apply IH. lia.
Qed.

Lemma nth_error_keep {X} mask : forall (l : list X) j x,
  nth_error mask j = Some true -> nth_error l j = Some x ->
  nth_error (keep mask l) (length (filter Datatypes.id (firstn j mask))) = Some x.
Proof.
  induction mask as [|m mask IH]; intros [|y l] [|j] x True Here; try discriminate.
  - cbn in *. injection True as ->. exact Here.
  - cbn [firstn filter keep nth_error] in *.
    destruct m; cbn [Datatypes.id length nth_error]; now apply IH.
Qed.

Lemma nodup_count {X} (P : X -> bool) (l l' : list X) : NoDup l -> incl l l' ->
  length (filter P l) <= length (filter P l').
Proof.
  intros Distinct Within. apply NoDup_incl_length; [now apply NoDup_filter|].
  intros x In_x. apply filter_In in In_x. apply filter_In. split; [|tauto].
  now apply Within.
Qed.

Lemma filter_map_length {X Y} (f : X -> Y) P l :
  length (filter P (map f l)) = length (filter (fun x => P (f x)) l).
Proof. induction l as [|x l IH]; [reflexivity|]. cbn. destruct (P (f x)); cbn; now rewrite IH. Qed.

(** ** Pieces *)

Fixpoint piece_of (pieces : list (nat * nat)) (u : nat) : nat :=
  match pieces with
  | [] => 0
  | p :: pieces => if u <? fst p + snd p then 0 else S (piece_of pieces u)
  end.

Lemma piece_found sizes : forall s u, s <= u < s + list_sum sizes ->
  exists p, nth_error (pieces_from s sizes) (piece_of (pieces_from s sizes) u) = Some p /\
            holds_token u p.
Proof.
  induction sizes as [|n sizes IH]; intros s u Range; cbn [list_sum fold_right] in Range; [lia|].
  cbn [pieces_from piece_of fst snd]. destruct (Nat.ltb_spec u (s + n)) as [Here|Later].
  - exists (s, n). split; [reflexivity|]. unfold holds_token. cbn. lia.
  - apply IH. change (fold_right Nat.add 0 sizes) with (list_sum sizes) in Range. lia.
Qed.

(** The number of what stands for token u at a position, among the pieces that meet the box
    there. *)
Definition coarse_place (pieces : list (nat * nat)) (b : box) (i u : nat) : nat :=
  match nth_error b i with
  | Some i => length (filter Datatypes.id (firstn (piece_of pieces u) (mask_of pieces i)))
  | None => 0
  end.

Definition fine_place (b : box) (i u : nat) : nat := u - fst (nth i b (0, 0)).

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.
  Notation T := (T A).
  Notation inhabited := (inhabited (contains := contains)).
  Notation row_ok := (row_ok (contains := contains)).
  Notation rows_ok := (rows_ok (contains := contains)).
  Notation views_ok := (views_ok (contains := contains)).

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

  (** ** Tables *)

  Definition row_full (top : nat) (r : list T) (f : nat -> R) : Prop :=
    (forall u, u < top -> exists a, nth_error r u = Some a /\ contains a (f u)) /\
    Forall inhabited r.

  Inductive rows_full (top : nat) : list (list T) -> (nat -> nat -> R) -> Prop :=
  | full_nil F : rows_full top [] F
  | full_cons r rs F :
      row_full top r (F 0) -> rows_full top rs (fun i => F (S i)) -> rows_full top (r :: rs) F.

  Definition table_ok (sizes : list nat) (n : nat) (t : table A) (F : nat -> nat -> R) : Prop :=
    exists pick rows final, t = table_of A pick (pieces_from 0 sizes) rows final /\
    (forall l, Forall inhabited l -> inhabited (pick l)) /\
    length rows = n /\ rows_full (list_sum sizes) rows F /\
    row_full (list_sum sizes) final (F n).

  Lemma nth_error_slice i (l : list T) u : holds_token u i ->
    nth_error (slice A i l) (u - fst i) = nth_error l u.
  Proof using.
    intros Holds. unfold holds_token in Holds. unfold slice.
    rewrite nth_error_firstn by lia. rewrite nth_error_skipn. f_equal. lia.
  Qed.

  Definition ends (top : nat) (b : box) : bool := forallb (fun i => fst i + snd i <=? top) b.

  Section Views.
    Variables (sizes : list nat) (q : nat).
    Notation top := (list_sum sizes).
    Notation pieces := (pieces_from 0 sizes).
    Hypothesis Last : q < top.

    Lemma single_ok rows coarse final f J : row_full top final f -> J q = 0 ->
      let v := single A {| rows := rows; coarse := coarse; final := final |} q in
      row_ok (q, 1) J (fst v) f /\ Forall inhabited (snd v).
    Proof using Sd Last.
      intros [Full Inhabited] At. cbn. split.
      - intros u Holds. unfold holds_token in Holds. cbn in Holds. replace u with q by lia.
        rewrite At. destruct (Full q Last) as [a [Here X]]. exists a. split; [|exact X].
        unfold at_token. cbn. now rewrite (nth_error_nth _ _ _ Here).
      - constructor; [now apply (inhabited_nth Sd)|constructor].
    Qed.

    Lemma fine_views_ok b t F : table_ok sizes (length b) t F -> ends top b = true ->
      views_ok (b ++ [(q, 1)]) (fine_place (b ++ [(q, 1)])) (fine_views A b q t) F.
    Proof using Sd Last.
      intros [pick [rows [final [-> [_ [Length [Rows Final]]]]]]] Ends.
      unfold fine_views. cbn [table_of FractionChecker.rows].
      match goal with |- context [single A ?t q] => set (tab := t) end.
      assert (Single : forall J f, row_full top final f -> J q = 0 ->
        row_ok (q, 1) J (fst (single A tab q)) f /\ Forall inhabited (snd (single A tab q)))
        by (intros; now apply single_ok).
      clearbody tab. revert rows F Length Rows Final Ends.
      induction b as [|i b IH]; intros rows F Length Rows Final Ends;
        destruct Rows as [F|r rs F Row Rows]; try discriminate.
      - destruct (Single (fine_place [(q, 1)] 0) (F 0) Final) as [Here Inhabited];
          [unfold fine_place; cbn; lia|].
        split; (constructor; [assumption|constructor]).
      - cbn [ends forallb] in Ends. apply andb_prop in Ends. destruct Ends as [End Ends].
        apply Nat.leb_le in End. cbn [length] in Length, Final. injection Length as Length.
        destruct (IH rs (fun i => F (S i)) Length Rows Final Ends) as [Later Inhabited].
        destruct Row as [Full All]. cbn [map2 app map]. split; constructor; try assumption.
        + intros u Holds. cbn [fst fine_place nth]. unfold fine_place. cbn [nth].
          rewrite nth_error_slice by exact Holds. apply Full. unfold holds_token in Holds. lia.
        + cbn [snd]. now apply inhabited_slice.
    Qed.

    Lemma coarse_views_ok b t F : table_ok sizes (length b) t F -> ends top b = true ->
      views_ok (b ++ [(q, 1)]) (coarse_place pieces b)
        (coarse_views A (map (mask_of pieces) b) q t) F.
    Proof using Sd Last.
      intros [pick [rows [final [-> [Pick [Length [Rows Final]]]]]]] Ends.
      unfold coarse_views. cbn [table_of coarse].
      match goal with |- context [single A ?t q] => set (tab := t) end.
      assert (Single : forall J f, row_full top final f -> J q = 0 ->
        row_ok (q, 1) J (fst (single A tab q)) f /\ Forall inhabited (snd (single A tab q)))
        by (intros; now apply single_ok).
      clearbody tab. revert rows F Length Rows Final Ends.
      induction b as [|i b IH]; intros rows F Length Rows Final Ends;
        destruct Rows as [F|r rs F Row Rows]; try discriminate.
      - destruct (Single (coarse_place pieces [] 0) (F 0) Final) as [Here Inhabited];
          [reflexivity|].
        split; (constructor; [assumption|constructor]).
      - cbn [ends forallb] in Ends. apply andb_prop in Ends. destruct Ends as [End Ends].
        apply Nat.leb_le in End. cbn [length] in Length, Final. injection Length as Length.
        destruct (IH rs (fun i => F (S i)) Length Rows Final Ends) as [Later Inhabited].
        destruct Row as [Full All]. cbn [map2 app map fst snd]. split; constructor; try assumption.
        + intros u Holds. unfold holds_token in Holds. unfold coarse_place. cbn [nth_error].
          destruct (piece_found sizes 0 u ltac:(lia)) as [p [At Here]].
          destruct (Full u ltac:(lia)) as [a [At_u X]].
          exists (hull A (slice A p r)). split.
          * apply nth_error_keep;
              [|now apply map_nth_error with (f := fun p => hull A (slice A p r))].
            unfold mask_of. erewrite map_nth_error by exact At. f_equal.
            unfold holds_token in Here. apply andb_true_intro. split; apply Nat.ltb_lt; lia.
          * apply (hull_in Sd a); [|exact X]. apply (nth_error_In _ (u - fst p)).
            now rewrite nth_error_slice.
        + cbn [snd]. clear -All Pick. generalize (mask_of pieces i) as mask.
          intros mask. assert (Picks : Forall inhabited (map (fun p => pick (slice A p r)) pieces)).
          { apply Forall_forall. intros a In_a. apply in_map_iff in In_a.
            destruct In_a as [p [<- _]]. apply Pick. now apply inhabited_slice. }
          revert mask. induction Picks as [|a l Here Picks IH]; intros [|m mask]; cbn [keep];
            try constructor. destruct m; [constructor; [exact Here|]|]; apply IH.
    Qed.
  End Views.

  (** ** A box *)

  Lemma folded a d l xs : contains a d -> Forall2 contains l xs ->
    contains (fold_right (add A) a l) (d + total_of xs)%R.
  Proof using Sd.
    intros Here All. unfold total_of. induction All as [|b x l xs First All IH]; cbn [fold_right].
    - now rewrite Rplus_0_r.
    - replace (d + (x + fold_right Rplus 0 xs))%R with (x + (d + fold_right Rplus 0 xs))%R by ring.
      now apply (sound_add _ _ _ Sd).
  Qed.

  Lemma weigh_all_each l : forall ws, weigh_all A l = Some ws ->
    Forall2 (fun vs w => weigh A vs = Some w) l ws.
  Proof using.
    induction l as [|vs l IH]; intros ws Found; cbn [weigh_all] in Found.
    - injection Found as <-. constructor.
    - destruct (weigh A vs) eqn:Here; [|discriminate].
      destruct (weigh_all A l) as [ws'|]; [|discriminate]. injection Found as <-.
      constructor; [exact Here|now apply IH].
  Qed.

  Lemma zeros_ok (b' : box) :
    rows_ok b' (fine_place b') (map (fun i => repeat (of_Z A 0) (snd i)) b') (fun _ _ => 0%R).
  Proof using Sd.
    induction b' as [|i b' IH]; cbn [map]; constructor; [|exact IH].
    intros u Holds. exists (of_Z A 0). split; [|apply (sound_of_Z _ _ _ Sd)].
    unfold fine_place, holds_token in *. cbn [nth].
    rewrite (nth_error_nth' _ (of_Z A 0)) by (rewrite repeat_length; lia).
    now rewrite nth_repeat.
  Qed.

  Section Box.
    Variables (sizes : list nat) (q : nat) (b : box).
    Variables (attends : list (table A)) (Fs : list (nat -> nat -> R)).
    Hypothesis Last : q < list_sum sizes.
    Hypothesis Ends : ends (list_sum sizes) b = true.
    Hypothesis Attends : Forall2 (table_ok sizes (length b)) attends Fs.
    Notation whole_box := (b ++ [(q, 1)]).
    Notation pieces := (pieces_from 0 sizes).

    (** Of a rival: by how much it is led directly, and its gains. *)
    Definition rival_ok (r : rival A) (v : R * list (nat -> nat -> R)) : Prop :=
      contains (at_token A (beside A r) q) (fst v) /\
      Forall2 (table_ok sizes (length b)) (gained A r) (snd v).

    Definition leads (v : R * list (nat -> nat -> R)) (t : list nat) : R :=
      (fst v + total_of (map2 (fun F G => fraction F G t) Fs (snd v)))%R.

    (** Ways to view tables on the box. *)
    Definition views_of_box (views_of : table A -> list (view A)) : Prop :=
      exists J, forall t F, table_ok sizes (length b) t F -> views_ok whole_box J (views_of t) F.

    Lemma fine_views_of_box : views_of_box (fine_views A b q).
    Proof using Sd Last Ends. eexists. intros. now apply (fine_views_ok sizes). Qed.

    Lemma coarse_views_of_box : views_of_box (coarse_views A (map (mask_of pieces) b) q).
    Proof using Sd Last Ends. eexists. intros. now apply coarse_views_ok. Qed.

    Section Bound.
      Variables (views_of : table A -> list (view A)) (ws : list (weighing A)).
      Hypothesis Views : views_of_box views_of.
      Hypothesis Weighed : weigh_all A (map views_of attends) = Some ws.

      Lemma bound_sound steps r v t : rival_ok r v -> Forall2 holds_token t whole_box ->
        contains (bound A steps views_of q ws r) (leads v t).
      Proof using Sd Attends Views Weighed.
        intros [Here Gained] In_b. destruct Views as [J Known].
        pose proof (weigh_all_each _ _ Weighed) as Weigh. clear Weighed.
        apply folded; [exact Here|]. clear Here.
        generalize dependent (snd v). generalize (gained A r) as gs. clear r. revert ws Weigh.
        pose proof Attends as All. clear Attends.
        induction All as [|a F attends' Fs' First All IH]; intros ws' Weigh gs Gs Gained;
          inversion Weigh as [|vs w l ws'' This Later]; subst; [constructor|].
        destruct Gained as [|g G gs Gs Gain Gained]; cbn [map2]; constructor; [|now apply IH].
        apply (ratio_sound Sd whole_box J F G w (views_of a)); try assumption; now apply Known.
      Qed.

      Lemma doubtful_kept rounds : forall rivals vs, Forall2 rival_ok rivals vs -> exists vs',
        Forall2 rival_ok (doubtful A rounds views_of q ws rivals) vs' /\
        forall t, Forall2 holds_token t whole_box -> (forall v, In v vs' -> 0 < leads v t)%R ->
        forall v, In v vs -> (0 < leads v t)%R.
      Proof using Sd Attends Views Weighed.
        unfold doubtful. induction rounds as [|steps rounds IH]; intros rivals vs Rivals.
        - exists vs. split; [exact Rivals|]. intros t _ All. exact All.
        - cbn [fold_left].
          assert (Once : exists vs', Forall2 rival_ok (filter (fun r => negb (less A (of_Z A 0)
              (bound A steps views_of q ws r))) rivals) vs' /\
            forall t, Forall2 holds_token t whole_box -> (forall v, In v vs' -> 0 < leads v t)%R ->
            forall v, In v vs -> (0 < leads v t)%R).
          { clear IH. induction Rivals as [|r v rivals vs Here Rivals [vs' [Kept Enough]]].
            - exists []. split; [constructor|]. intros t _ _ v [].
            - cbn [filter]. destruct (less A _ _) eqn:Positive; cbn [negb].
              + exists vs'. split; [exact Kept|]. intros t In_b Rest v' [<-|In_v].
                * exact (sound_less _ _ _ Sd _ _ _ _ Positive (sound_of_Z _ _ _ Sd 0)
                           (bound_sound steps r v t Here In_b)).
                * now apply (Enough t In_b Rest).
              + exists (v :: vs'). split; [now constructor|]. intros t In_b Rest v' [<-|In_v].
                * apply Rest. now left.
                * apply (Enough t In_b); [|exact In_v]. intros w In_w. apply Rest. now right. }
          destruct Once as [vs' [Kept Enough]]. destruct (IH _ vs' Kept) as [vs'' [Kept' Enough']].
          exists vs''. split; [exact Kept'|]. intros t In_b All. apply (Enough t In_b).
          exact (Enough' t In_b All).
      Qed.
    End Bound.

    Lemma fine_state_ok more ws r v : weigh_all A (map (fine_views A b q) attends) = Some ws ->
      rival_ok r v -> exists s, state_ok whole_box (fine_state A more b q ws r) s /\
      forall t, value s t = leads v t.
    Proof using Sd Last Ends Attends.
      intros Weighed [Here Gained]. apply weigh_all_each in Weighed. unfold fine_state.
      set (found := map2 _ ws (gained A r)).
      assert (Found : exists H, rows_ok whole_box (fine_place whole_box)
          (fold_right (map2 (map2 (add A))) (map (fun i => repeat (of_Z A 0) (snd i)) whole_box)
             (map snd found)) H /\
        forall t, Forall2 holds_token t whole_box ->
        exists xs, Forall2 contains (map fst found) xs /\
        total_of xs = (total_of (map2 (fun F G => fraction F G t) Fs (snd v)) - along H t)%R).
      { unfold found. clear found Here.
        revert ws Weighed. generalize dependent (snd v). generalize (gained A r) as gs. clear r.
        pose proof Attends as All. clear Attends.
      induction All as [|a F attends' Fs' First All IH]; intros gs Gs Gained ws Weighed;
          inversion Weighed as [|vs w l ws' Weigh Later]; subst.
        - exists (fun _ _ => 0%R). split; [apply zeros_ok|]. intros t _. exists [].
          split; [constructor|]. cbn. rewrite along_zero. ring.
        - destruct Gained as [|g G gs Gs Gain Gained].
          + exists (fun _ _ => 0%R). split; [apply zeros_ok|]. intros t _. exists [].
            split; [constructor|]. cbn. rewrite along_zero. ring.
          + destruct (IH gs Gs Gained ws' Later) as [H [Rows Each]].
            destruct (additive_sound Sd whole_box (fine_place whole_box) F G w (fine_views A b q a)
              (fine_views A b q g) Weigh ltac:(now apply (fine_views_ok sizes))
              ltac:(now apply (fine_views_ok sizes)) more) as [H' [Rows' Each']].
            exists (fun i u => H' i u + H i u)%R. cbn [map2 map fold_right]. split.
            * apply (rows_map2 (add A) Rplus); [apply (sound_add _ _ _ Sd)|exact Rows'|exact Rows].
            * intros t In_b. destruct (Each t In_b) as [xs [Xs Sum]].
              exists ((fraction F G t - along H' t)%R :: xs). split.
              -- constructor; [now apply Each'|exact Xs].
              -- unfold total_of in *. cbn [fold_right]. rewrite Sum, along_plus. ring. }
      destruct Found as [H [Rows Each]].
      exists ((fun t => leads v t - along H t)%R, H). split.
      - apply (state_of_ok); [|exact Rows]. intros t In_b.
        destruct (Each t In_b) as [xs [Xs Sum]]. unfold leads.
        match goal with |- contains _ ?x => replace x with (fst v + total_of xs)%R end.
        + now apply folded.
        + rewrite Sum. unfold total_of. ring.
      - intros t. unfold value. cbn [fst snd]. ring.
    Qed.

    Lemma size_with_last : size b = size whole_box.
    Proof using.
      clear. induction b as [|[a n] b' IH]; [reflexivity|]. cbn [app size]. now rewrite IH.
    Qed.
  End Box.

  Lemma right_at_sound sizes q n attends Fs rivals vs t :
    q < list_sum sizes -> ends (list_sum sizes) (map (fun u => (u, 1)) t) = true ->
    length t = n -> Forall2 (table_ok sizes n) attends Fs ->
    Forall2 (rival_ok sizes q (repeat (0, 0) n)) rivals vs ->
    right_at A attends rivals q t = true -> forall v, In v vs -> (0 < leads Fs v (t ++ [q]))%R.
  Proof using Sd.
    intros Last Ends Length Attends Rivals Right. unfold right_at in Right. cbv zeta in Right.
    set (p := map (fun u => (u, 1)) t) in *.
    assert (Long : length p = n) by (unfold p; now rewrite map_length).
    destruct (weigh_all A _) as [ws|] eqn:Weighed; [|discriminate].
    rewrite <- Long in Attends.
    assert (Same : Forall2 (rival_ok sizes q p) rivals vs).
    { clear -Rivals Long. induction Rivals as [|r v rivals vs [Here Gained] Rivals IH]; constructor;
        [|exact IH]. split; [exact Here|]. now rewrite repeat_length in Gained; rewrite Long. }
    destruct (doubtful_kept sizes q p attends Fs Attends _ ws (fine_views_of_box sizes q p Last
      Ends)
      Weighed [0] rivals vs Same) as [vs' [Kept Enough]].
    destruct (doubtful A [0] _ q ws rivals); [|discriminate]. inversion Kept; subst vs'.
    apply (Enough (t ++ [q])); [|intros v []]. apply Forall2_app.
    - unfold p. clear. induction t as [|u t IH]; constructor; [|exact IH].
      unfold holds_token. cbn. lia.
    - constructor; [unfold holds_token; cbn; lia|constructor].
  Qed.

  Theorem count_box_sound sizes q b attends Fs rounds more most rivals vs (P : list nat -> bool) :
    q < list_sum sizes -> ends (list_sum sizes) b = true ->
    Forall2 (table_ok sizes (length b)) attends Fs ->
    Forall2 (rival_ok sizes q b) rivals vs ->
    (forall t, In t (members (b ++ [(q, 1%nat)])) ->
     (forall v, In v vs -> 0 < leads Fs v t)%R -> P t = true) ->
    (count_box A rounds more most (pieces_from 0 sizes) attends rivals q b <=
     Z.of_nat (length (filter P (members (b ++ [(q, 1%nat)])))))%Z.
  Proof using Sd.
    intros Last Ends Attends Rivals Right. unfold count_box. cbv zeta.
    destruct (weigh_all A _) as [ws|] eqn:Weighed; [|lia].
    destruct (doubtful_kept sizes q b attends Fs Attends _ ws (coarse_views_of_box sizes q b Last
      Ends)
      Weighed rounds rivals vs Rivals) as [vs' [Kept Enough]]. clear Rivals.
    set (some := doubtful A rounds _ q ws rivals) in *. clearbody some.
    pose (tagged := fun r w => exists v, rival_ok sizes q b r v /\ forall t, w t = leads Fs v t).
    assert (Explored : forall leaf l,
      (exists ss, Forall2 (open_ok (b ++ [(q, 1%nat)]) tagged) l ss /\
        forall t, (forall s, In s ss -> 0 < value s t)%R ->
        forall v, In v vs' -> (0 < leads Fs v t)%R) ->
      (forall t xs ws, In t (members (b ++ [(q, 1%nat)])) -> leaf t xs = true ->
         Forall2 tagged xs ws -> forall w, In w ws -> (0 < w t)%R) ->
      (explore A most leaf (b ++ [(q, 1%nat)]) l <=
       Z.of_nat (length (filter P (members (b ++ [(q, 1%nat)])))))%Z).
    { intros leaf l [ss [States Positive]] Leaf.
      apply (explore_sound most _ leaf tagged l ss P States); [|exact Leaf].
      intros t In_t All. apply Right; [exact In_t|]. apply in_members in In_t.
      apply Enough; [exact In_t|]. now apply Positive. }
    destruct some as [|r some].
    - rewrite (size_with_last q b).
      apply (Z.le_trans _
        (explore (X := rival A) A most (fun _ _ => false) (b ++ [(q, 1%nat)]) [])).
      + destruct (b ++ [(q, 1%nat)]); cbn; lia.
      + apply Explored; [|discriminate]. exists []. split; [constructor|].
        intros t _. inversion Kept. intros v [].
    - clear ws Weighed. destruct (weigh_all A _) as [ws|] eqn:Weighed; [|lia].
      apply Explored.
      + clear Enough Explored. revert Kept. generalize (r :: some) as l. intros l Kept.
        induction Kept as [|r' v l vs'' Here Kept [ss [States Positive]]].
        * exists []. split; [constructor|]. intros t _ v [].
        * destruct (fine_state_ok sizes q b attends Fs Last Ends Attends more ws r' v Weighed Here)
            as [s [State Is]].
          exists (s :: ss). split.
          -- constructor; [|exact States]. split; [exact State|]. now exists v.
          -- intros t All v' [<-|In_v].
             ++ rewrite <- Is. apply All. now left.
             ++ apply (Positive t); [|exact In_v]. intros s' In_s. apply All. now right.
      + intros t xs ws' In_t Decided Tags w In_w. apply in_members in In_t.
        apply Forall2_app_inv_r in In_t. destruct In_t as [t' [l [Before [Final ->]]]].
        inversion Final as [|u i l' b' Here None]; subst. inversion None; subst.
        unfold holds_token in Here. cbn in Here. replace u with q in * by lia.
        rewrite removelast_last in Decided.
        assert (Length : length t' = length b) by (clear -Before; induction Before; cbn;
          congruence).
        assert (Those : exists us, Forall2 (rival_ok sizes q (repeat (0, 0) (length b))) xs us /\
          forall w, In w ws' -> exists v, In v us /\ forall t, w t = leads Fs v t).
        { clear -Tags. induction Tags as [|x w xs ws [v [[Here Gained] Is]] Tags [us [Oks Each]]].
          - exists []. split; [constructor|]. intros w [].
          - exists (v :: us). split.
            + constructor; [|exact Oks]. split; [exact Here|]. now rewrite repeat_length.
            + intros w' [<-|In_w]; [exists v; split; [now left|exact Is]|].
              destruct (Each w' In_w) as [v' [In_v Is']]. exists v'. split; [now right|exact Is']. }
        destruct Those as [us [Oks Each]]. destruct (Each w In_w) as [v [In_v ->]].
        apply (right_at_sound sizes q (length b) attends Fs xs us t'); try assumption.
        clear -Before Ends. unfold ends in *. rewrite forallb_forall in Ends.
        apply forallb_forall. intros i In_i. apply in_map_iff in In_i.
        destruct In_i as [u [<- In_u]]. cbn. apply Nat.leb_le.
        induction Before as [|x i t b Here Before IH]; [destruct In_u|].
        destruct In_u as [->|In_u]; [|apply IH; [intros; apply Ends; now right|exact In_u]].
        specialize (Ends i (or_introl eq_refl)). apply Nat.leb_le in Ends.
        unfold holds_token in Here. lia.
  Qed.
End Soundness.
