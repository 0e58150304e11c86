(** * What the checker of fractions counts is right

    The weights and gains of a head are functions of a position and a token. *)

From Coq Require Import ZArith Reals List Bool Lia Lra.
From CompactProofs Require Import Arithmetic Rows Boxes Fractions FractionChecker.
Import ListNotations.
Open Scope nat_scope.

(** ** Sums of one number for each token *)

Section Along.
  Open Scope R_scope.

  Fixpoint along (F : nat -> nat -> R) (t : list nat) : R :=
    match t with [] => 0 | u :: t => F 0%nat u + along (fun i => F (S i)) t end.

  Lemma along_plus t : forall F G,
    along (fun i u => F i u + G i u) t = along F t + along G t.
  Proof.
    induction t as [|u t IH]; intros F G; cbn [along]; [lra|].
    rewrite (IH (fun i => F (S i)) (fun i => G (S i))). lra.
  Qed.

  Lemma along_times t : forall k F, along (fun i u => k * F i u) t = k * along F t.
  Proof.
    induction t as [|u t IH]; intros k F; cbn [along]; [lra|].
    rewrite (IH k (fun i => F (S i))). lra.
  Qed.

  Lemma along_excess t h : forall F G,
    along (fun i u => F i u * (G i u - h)) t =
    along (fun i u => F i u * G i u) t - h * along F t.
  Proof.
    induction t as [|u t IH]; intros F G; cbn [along]; [lra|].
    rewrite (IH (fun i => F (S i)) (fun i => G (S i))). lra.
  Qed.

  Lemma along_zero t : along (fun _ _ => 0) t = 0.
  Proof. induction t as [|u t IH]; cbn [along]; lra. Qed.
End Along.

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.
  Notation T := (T A).
  Notation total := (total A).
  Notation hull := (hull A).

  Definition inhabited (a : T) : Prop := exists x, contains a x.

  Lemma inhabited_Z z : inhabited (of_Z A z).
  Proof using Sd. eexists. apply (sound_of_Z _ _ _ Sd). Qed.

  Lemma inhabited_everything : inhabited (everything A).
  Proof using Sd. exists 0%R. apply (sound_everything _ _ _ Sd). Qed.

  Lemma inhabited_add a b : inhabited a -> inhabited b -> inhabited (add A a b).
  Proof using Sd. intros [x X] [y Y]. eexists. apply (sound_add _ _ _ Sd); eassumption. Qed.

  Lemma inhabited_mul a b : inhabited a -> inhabited b -> inhabited (mul A a b).
  Proof using Sd. intros [x X] [y Y]. eexists. apply (sound_mul _ _ _ Sd); eassumption. Qed.

  Lemma inhabited_div a b : inhabited a -> inhabited b -> inhabited (div A a b).
  Proof using Sd. intros [x X] [y Y]. eexists. apply (sound_div _ _ _ Sd); eassumption. Qed.

  Lemma inhabited_total l : Forall inhabited l -> inhabited (total l).
  Proof using Sd.
    intros All. induction All as [|a l Here All IH]; [apply inhabited_Z|].
    now apply inhabited_add.
  Qed.

  Lemma inhabited_extreme before l : Forall inhabited l -> inhabited (extreme A before l).
  Proof using Sd.
    intros All. destruct All as [|a l Here All]; [apply inhabited_Z|]. cbn [extreme].
    revert a Here. induction All as [|b l Next All IH]; intros a Here; [exact Here|].
    cbn [fold_left]. apply IH. now destruct (before b a).
  Qed.

  Lemma inhabited_slice i l : Forall inhabited l -> Forall inhabited (slice A i l).
  Proof using.
    intros All. unfold slice. rewrite Forall_forall in *. intros a In_a. apply All.
    rewrite <- (firstn_skipn (fst i) l). apply in_or_app. right.
    rewrite <- (firstn_skipn (snd i) (skipn (fst i) l)). apply in_or_app. now left.
  Qed.

  Lemma inhabited_nth l u : Forall inhabited l -> inhabited (at_token A l u).
  Proof using Sd.
    intros All. unfold at_token.
    destruct (nth_in_or_default u l (everything A)) as [In_l|Is].
    - rewrite Forall_forall in All. now apply All.
    - rewrite Is. apply inhabited_everything.
  Qed.

  (** ** Hulls *)

  Lemma hull_in b l x : In b l -> contains b x -> contains (hull l) x.
  Proof using Sd.
    assert (Kept : forall l a, contains a x -> contains (fold_left (join A) l a) x).
    { induction l0 as [|c l0 IH]; intros a Here; [exact Here|]. cbn [fold_left]. apply IH.
      now apply (sound_join_l _ _ _ Sd). }
    assert (Met : forall l a, In b l -> contains b x -> contains (fold_left (join A) l a) x).
    { induction l0 as [|c l0 IH]; intros a []; cbn [fold_left].
      - subst c. intros Here. apply Kept. now apply (sound_join_r _ _ _ Sd).
      - now apply IH. }
    destruct l as [|a l]; [intros []|]. cbn [hull]. intros [->|In_l] Here.
    - now apply Kept.
    - now apply Met.
  Qed.

  (** ** Rows: for each token of an interval, entry number J u holds something of it *)

  Definition row_ok (i : nat * nat) (J : nat -> nat) (r : list T) (f : nat -> R) : Prop :=
    forall u, holds_token u i -> exists a, nth_error r (J u) = Some a /\ contains a (f u).

  Inductive rows_ok : box -> (nat -> nat -> nat) -> list (list T) -> (nat -> nat -> R) -> Prop :=
  | rows_nil J F : rows_ok [] J [] F
  | rows_cons i b J r rs F :
      row_ok i (J 0) r (F 0) -> rows_ok b (fun i => J (S i)) rs (fun i => F (S i)) ->
      rows_ok (i :: b) J (r :: rs) F.

  Lemma nth_error_map2 {X Y Z} (f : X -> Y -> Z) l l' k a b :
    nth_error l k = Some a -> nth_error l' k = Some b ->
    nth_error (map2 f l l') k = Some (f a b).
  Proof using.
    revert l l'. induction k as [|k IH]; intros [|x l] [|y l'] Here There; try discriminate.
    - cbn in *. congruence.
    - now apply IH.
  Qed.

  Lemma rows_map2 f (g : R -> R -> R) b :
    (forall x y r s, contains x r -> contains y s -> contains (f x y) (g r s)) ->
    forall J rs rs' F G, rows_ok b J rs F -> rows_ok b J rs' G ->
    rows_ok b J (map2 (map2 f) rs rs') (fun i u => g (F i u) (G i u)).
  Proof using.
    intros Op. induction b as [|i b IH]; intros J rs rs' F G Left Right;
      inversion Left as [|i1 b1 J1 r rs1 F1 Here Later]; subst;
      inversion Right as [|i2 b2 J2 r' rs2 G2 Here' Later']; subst; cbn [map2]; constructor.
    - intros u Holds. destruct (Here u Holds) as [x [At X]].
      destruct (Here' u Holds) as [y [At' Y]].
      exists (f x y). split; [now apply nth_error_map2|now apply Op].
    - now apply (IH _ _ _ (fun i => F (S i)) (fun i => G (S i))).
  Qed.

  Lemma rows_map f (g : R -> R) b : (forall x r, contains x r -> contains (f x) (g r)) ->
    forall J rs F, rows_ok b J rs F -> rows_ok b J (map (map f) rs) (fun i u => g (F i u)).
  Proof using.
    intros Op. induction b as [|i b IH]; intros J rs F Rows;
      inversion Rows as [|i1 b1 J1 r rs1 F1 Here Later]; subst; cbn [map]; constructor.
    - intros u Holds. destruct (Here u Holds) as [x [At X]]. exists (f x).
      split; [now apply map_nth_error|now apply Op].
    - now apply (IH _ _ (fun i => F (S i))).
  Qed.

  Lemma total_hulls b t : Forall2 holds_token t b -> forall J rs F, rows_ok b J rs F ->
    contains (total (map hull rs)) (along F t).
  Proof using Sd.
    intros In_b. induction In_b as [|u i t b Here In_b IH]; intros J rs F Rows;
      inversion Rows as [|i1 b1 J1 r rs1 F1 Row Later]; subst; cbn [map total fold_right along].
    - apply (sound_of_Z _ _ _ Sd).
    - apply (sound_add _ _ _ Sd).
      + destruct (Row u Here) as [a [At X]]. apply (hull_in a); [|exact X].
        now apply nth_error_In in At.
      + now apply (IH (fun i => J (S i))).
  Qed.

  (** ** Views *)

  Definition views_ok (b : box) (J : nat -> nat -> nat) (vs : list (view A)) (F : nat -> nat -> R)
      : Prop :=
    rows_ok b J (map fst vs) F /\ Forall (fun v => Forall inhabited (snd v)) vs.

  Lemma excess_rows h ws gs :
    map2 (excess A h) ws gs =
    map2 (map2 (fun a b => mul A a (sub A b h))) (map fst ws) (map fst gs).
  Proof using.
    revert gs. induction ws as [|w ws IH]; intros [|g gs]; [reflexivity..|]. cbn [map2 map].
    now rewrite IH.
  Qed.

  Lemma excess_ok b J h h' ws gs F G : contains h h' -> views_ok b J ws F -> views_ok b J gs G ->
    rows_ok b J (map2 (excess A h) ws gs) (fun i u => F i u * (G i u - h'))%R.
  Proof using Sd.
    intros Here [Ws _] [Gs _]. rewrite excess_rows.
    apply (rows_map2 _ (fun x y => x * (y - h'))%R); [|exact Ws|exact Gs].
    intros. apply (sound_mul _ _ _ Sd); [assumption|]. now apply (sound_sub _ _ _ Sd).
  Qed.

  Lemma inhabited_pick h ws gs : Forall inhabited ws -> Forall inhabited gs ->
    inhabited (fst (pick A h ws gs)) /\ inhabited (snd (pick A h ws gs)).
  Proof using Sd.
    intros Ws Gs. destruct Ws as [|w ws Here Ws]; [split; apply inhabited_Z|].
    destruct Gs as [|g gs There Gs]; [split; apply inhabited_Z|]. cbn [pick].
    generalize (mul A w (sub A g h)) as p. revert w g Here There gs Gs.
    induction Ws as [|w' ws Here' Ws IH]; intros w g Here There gs Gs p; [now split|].
    destruct Gs as [|g' gs There' Gs]; [now split|]. cbn [pick_from].
    destruct (less A _ p); now apply IH.
  Qed.

  Lemma inhabited_mean l : Forall (fun wg => inhabited (fst wg) /\ inhabited (snd wg)) l ->
    inhabited (mean A l).
  Proof using Sd.
    intros All. unfold mean. apply inhabited_div; apply inhabited_total;
      induction All as [|[w g] l [Left Right] All IH]; constructor; try exact IH; cbn in *;
      [now apply inhabited_mul|assumption].
  Qed.

  Lemma inhabited_threshold steps ws gs :
    Forall (fun v => Forall inhabited (snd v)) ws ->
    Forall (fun v => Forall inhabited (snd v)) gs ->
    forall h, inhabited h -> inhabited (threshold A steps h ws gs).
  Proof using Sd.
    intros Ws Gs. induction steps as [|steps IH]; intros h Here; [exact Here|].
    cbn [threshold]. apply IH, inhabited_mean. clear IH.
    revert gs Gs. induction Ws as [|w ws First Ws IH]; intros gs Gs; [constructor|].
    destruct Gs as [|g gs First' Gs]; constructor; [now apply inhabited_pick|now apply IH].
  Qed.

  Section Head.
    Variables (b : box) (J : nat -> nat -> nat) (F G : nat -> nat -> R).
    Variables (w : weighing A) (vs gs : list (view A)).
    Hypothesis Weighed : weigh A vs = Some w.
    Hypothesis Attends : views_ok b J vs F.
    Hypothesis Gains : views_ok b J gs G.
    Open Scope R_scope.

    Definition fraction (t : list nat) : R :=
      along (fun i u => F i u * G i u) t / along F t.

    Lemma weighed : views A w = vs /\ inhabited (slope A w) /\
      forall t, Forall2 holds_token t b ->
      along F t <> 0 /\ contains (inverse A w) (1 / along F t).
    Proof using Sd Weighed Attends.
      unfold weigh in Weighed.
      destruct (less A _ _) eqn:Positive; [|discriminate]. injection Weighed as <-.
      cbn [views slope inverse]. split; [reflexivity|]. split.
      - apply inhabited_div; [apply inhabited_Z|]. apply inhabited_total.
        destruct Attends as [_ All]. clear -All Sd.
        induction All as [|v l Here All IH]; constructor.
        + now apply inhabited_extreme.
        + exact IH.
      - intros t In_b. destruct Attends as [Rows _].
        pose proof (total_hulls b t In_b _ _ _ Rows) as Sum. rewrite map_map in Sum.
        pose proof (sound_less _ _ _ Sd _ _ _ _ Positive (sound_of_Z _ _ _ Sd 0) Sum).
        split; [lra|]. apply (sound_div _ _ _ Sd); [apply (sound_of_Z _ _ _ Sd)|exact Sum].
    Qed.

    Lemma ratio_sound steps t : Forall2 holds_token t b ->
      contains (ratio A steps w gs) (fraction t).
    Proof using Sd Weighed Attends Gains.
      intros In_b. destruct weighed as [Is [_ Each]]. destruct (Each t In_b) as [Some_d Inverse].
      unfold ratio. rewrite Is.
      destruct (inhabited_threshold steps vs gs (proj2 Attends) (proj2 Gains) _ (inhabited_Z 0))
        as [h' Here].
      set (h := threshold A steps _ vs gs) in *.
      pose proof (total_hulls b t In_b _ _ _ (excess_ok b J h h' vs gs F G Here Attends Gains))
        as Z.
      rewrite along_excess in Z. unfold fraction.
      set (D := along F t) in *. set (N := along (fun i u => F i u * G i u) t) in *.
      replace (N / D) with (h' + (N - h' * D) * (1 / D)) by (field; exact Some_d).
      apply (sound_add _ _ _ Sd); [exact Here|]. now apply (sound_mul _ _ _ Sd).
    Qed.

    Lemma additive_sound steps : exists H,
      rows_ok b J (snd (additive A steps w gs)) H /\
      forall t, Forall2 holds_token t b ->
      contains (fst (additive A steps w gs)) (fraction t - along H t).
    Proof using Sd Weighed Attends Gains.
      destruct weighed as [Is [[k Slope] Each]]. unfold additive. rewrite Is. cbn [fst snd].
      destruct (inhabited_threshold steps vs gs (proj2 Attends) (proj2 Gains) _ (inhabited_Z 0))
        as [h' Here].
      set (h := threshold A steps _ vs gs) in *.
      pose proof (excess_ok b J h h' vs gs F G Here Attends Gains) as Rows.
      exists (fun i u => k * (F i u * (G i u - h'))). split.
      - apply (rows_map _ (fun x => k * x)); [|exact Rows].
        intros. now apply (sound_mul _ _ _ Sd).
      - intros t In_b. destruct (Each t In_b) as [Some_d Inverse].
        pose proof (total_hulls b t In_b _ _ _ Rows) as Z.
        rewrite along_times. unfold fraction. rewrite along_excess in *.
        set (D := along F t) in *. set (N := along (fun i u => F i u * G i u) t) in *.
        replace (N / D - k * (N - h' * D)) with (h' + (N - h' * D) * (1 / D - k))
          by (field; exact Some_d).
        apply (sound_add _ _ _ Sd); [exact Here|]. apply (sound_mul _ _ _ Sd); [exact Z|].
        now apply (sound_sub _ _ _ Sd).
    Qed.
  End Head.
End Soundness.
