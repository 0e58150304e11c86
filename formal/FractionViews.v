(** * Views of tables on a box hold what the tables hold *)

From Coq Require Import ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Lists Arithmetic Rows Boxes Fractions FractionChecker
  FractionSound.
Import ListNotations.
Open Scope nat_scope.

(** ** Pieces *)

Lemma nth_error_keep {X} mask : forall (l : list X) j x,
  nth_error mask j = Some true -> nth_error l j = Some x ->
  nth_error (keep mask l) (length (filter Datatypes.id (firstn j mask))) = Some x.
Proof.
  induction mask as [|m mask IH]; intros [|y l] [|j] x True Here; try discriminate.
  - cbn in *. injection True as ->. exact Here.
  - cbn [firstn filter keep nth_error] in *.
    destruct m; cbn [Datatypes.id length nth_error]; now apply IH.
Qed.

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
End Soundness.
