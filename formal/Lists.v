(** * Lists *)

From Coq Require Import ZArith List Bool Lia.
From CompactProofs Require Import Tasks.
Import ListNotations.
Open Scope nat_scope.

(** ** Entries *)

Lemma nth_firstn {X} k : forall (l : list X) i d, i < k -> nth i (firstn k l) d = nth i l d.
Proof.
  induction k as [|k IH]; intros [|a l] i d Below; [lia..|reflexivity|].
  destruct i as [|i]; [reflexivity|]. cbn. apply IH. lia.
Qed.

Lemma nth_skipn {X} k : forall (l : list X) i d, nth i (skipn k l) d = nth (k + i) l d.
Proof.
  induction k as [|k IH]; intros [|a l] i d; cbn; [reflexivity..|now destruct i|apply IH].
Qed.

Lemma nth_error_firstn {X} k : forall (l : list X) i,
  i < k -> nth_error (firstn k l) i = nth_error l i.
Proof.
  induction k as [|k IH]; intros [|x l] i Below; [lia..|reflexivity|].
  destruct i as [|i]; [reflexivity|]. cbn. apply IH. lia.
Qed.

Lemma nth_error_skipn {X} k : forall (l : list X) i, nth_error (skipn k l) i = nth_error l (k + i).
Proof. induction k as [|k IH]; intros [|x l] i; cbn; [reflexivity..| |]; now destruct i. Qed.

Lemma last_nth {X} (l : list X) d : last l d = nth (length l - 1) l d.
Proof.
  induction l as [|a l IH]; [reflexivity|]. destruct l as [|b l]; [reflexivity|].
  change (last (a :: b :: l) d) with (last (b :: l) d). rewrite IH. cbn [length].
  now rewrite !Nat.sub_succ, !Nat.sub_0_r.
Qed.

Lemma nth_error_last {X} (l : list X) d : l <> [] -> nth_error l (length l - 1) = Some (last l d).
Proof.
  intros Some_l. rewrite last_nth. apply nth_error_nth'. destruct l; [contradiction|cbn; lia].
Qed.

Lemma last_app {X} (l l' : list X) d : l' <> [] -> last (l ++ l') d = last l' d.
Proof.
  intros Some_l. induction l as [|a l IH]; [reflexivity|]. cbn [app last].
  destruct (l ++ l') eqn:Both; [|exact IH]. apply app_eq_nil in Both. now destruct Both.
Qed.

Lemma map_repeat {X Y} (f : X -> Y) a k : map f (repeat a k) = repeat (f a) k.
Proof. induction k as [|k IH]; [reflexivity|]. cbn. now rewrite IH. Qed.

Lemma flat_map_map {X Y Z} (f : Y -> list Z) (g : X -> Y) l :
  flat_map f (map g l) = flat_map (fun x => f (g x)) l.
Proof. induction l as [|a l IH]; [reflexivity|]. cbn. now rewrite IH. Qed.

(** ** Each entry once *)

Lemma distinct_nodup l : distinct l = true -> NoDup l.
Proof.
  induction l as [|a l IH]; intros Distinct; [constructor|]. cbn [distinct] in Distinct.
  apply andb_prop in Distinct. destruct Distinct as [Here Later]. constructor; [|now apply IH].
  intros In_l. apply negb_true_iff in Here.
  assert (existsb (Nat.eqb a) l = true) by (apply existsb_exists; exists a;
    now rewrite Nat.eqb_refl).
  congruence.
Qed.

Lemma nodup_app {X} (l l' : list X) :
  NoDup l -> NoDup l' -> (forall x, In x l -> ~ In x l') -> NoDup (l ++ l').
Proof.
  intros First Second Apart. induction First as [|x l Not First IH]; [exact Second|].
  cbn [app]. constructor.
  - rewrite in_app_iff. intros [In|In]; [contradiction|]. apply (Apart x); [now left|exact In].
  - apply IH. intros y In. apply Apart. now right.
Qed.

(** Lists that their entries name by names that differ have no entry in common. *)
Lemma nodup_by_name {X Y} (f : X -> list Y) (key : Y -> nat) (name : X -> nat) l :
  NoDup (map name l) ->
  (forall x, In x l -> NoDup (f x) /\ forall y, In y (f x) -> key y = name x) ->
  NoDup (flat_map f l).
Proof.
  induction l as [|x l IH]; intros Names Each; [constructor|]. cbn [map] in Names.
  inversion Names as [|a b Not Later]; subst. cbn [flat_map].
  destruct (Each x (or_introl eq_refl)) as [Here Named]. apply nodup_app; [exact Here| |].
  - apply IH; [exact Later|]. intros y In_y. apply Each. now right.
  - intros y In_y Other. apply in_flat_map in Other. destruct Other as [x' [In_x' In_y']].
    destruct (Each x' (or_intror In_x')) as [_ Named'].
    apply Not. rewrite <- (Named y In_y), (Named' y In_y'). now apply in_map.
Qed.

(** ** Counting *)

Lemma nodup_count {X} (P : X -> bool) (l l' : list X) : NoDup l -> incl l l' ->
  (Z.of_nat (length (filter P l)) <= Z.of_nat (length (filter P l')))%Z.
Proof.
  intros Distinct Within. apply Nat2Z.inj_le, NoDup_incl_length; [now apply NoDup_filter|].
  intros x In_x. apply filter_In in In_x. apply filter_In. split; [|tauto].
  now apply Within.
Qed.

Lemma filter_map_length {X Y} (f : X -> Y) P l :
  length (filter P (map f l)) = length (filter (fun x => P (f x)) l).
Proof. induction l as [|x l IH]; [reflexivity|]. cbn. destruct (P (f x)); cbn; now rewrite IH. Qed.
