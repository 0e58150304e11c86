(** * By how much a logit leads another, as an expression

    The expression of the logits, without the small sums in it, and its difference between two
    outputs: [lead e] is e at output Axis 0 less e at output Axis 1, where what does not depend on
    the output is taken out of the difference. *)

From Coq Require Import Reals List Bool Lia Lra.
From CompactProofs Require Import Network Evaluator Arithmetic Distribute Substitution.
Import ListNotations.
Open Scope nat_scope.

(** ** Small sums written out *)

Fixpoint chain (l : list scalar) : scalar :=
  match l with
  | [] => Number 0 1
  | a :: rest => match rest with [] => a | _ => Plus a (chain rest) end
  end.

(** [b] with the number [i] for axis [depth], which later ones follow. *)
Definition at_number (depth : nat) (b : scalar) (i : nat) : scalar :=
  substitute (axes_from 0 depth ++ [Fixed i]) depth b.

Section Unroll.
  Variable most : nat.            (* sums of more terms stay *)

  Fixpoint unroll (depth : nat) (e : scalar) : scalar :=
    match e with
    | Sum n b =>
        let b := unroll (S depth) b in
        if n <=? most then chain (map (at_number depth b) (seq 0 n)) else Sum n b
    | Read _ _ | Number _ _ | Pi => e
    | Plus a b => Plus (unroll depth a) (unroll depth b)
    | Minus a b => Minus (unroll depth a) (unroll depth b)
    | Times a b => Times (unroll depth a) (unroll depth b)
    | Over a b => Over (unroll depth a) (unroll depth b)
    | Relu a => Relu (unroll depth a)
    | Exp a => Exp (unroll depth a)
    | Sqrt a => Sqrt (unroll depth a)
    | Erf a => Erf (unroll depth a)
    end.
End Unroll.

(** ** The difference between two outputs *)

Definition first_output : scalar -> scalar := substitute [Axis 0] 2.
Definition second_output : scalar -> scalar := substitute [Axis 1] 2.

Fixpoint lead (e : scalar) : scalar :=
  if depends 0 e then
    match e with
    | Plus a b =>
        if depends 0 a then if depends 0 b then Plus (lead a) (lead b) else lead a else lead b
    | Times a b =>
        if depends 0 a then
          if depends 0 b then Minus (first_output e) (second_output e)
          else Times (lead a) (first_output b)
        else Times (first_output a) (lead b)
    | Over a b =>
        if depends 0 b then Minus (first_output e) (second_output e)
        else Over (lead a) (first_output b)
    | _ => Minus (first_output e) (second_output e)
    end
  else Number 0 1.

(** ** Tables written out: what reads a definition of [defs], from tensor number [first] on *)

Section Expand.
  Variables (first : nat) (defs : list definition).

  Fixpoint expand (depth : nat) (e : scalar) : scalar :=
    match e with
    | Read x l =>
        match nth_error defs (x - first) with
        | Some d =>
            if (first <=? x) && forallb (closed depth) l then substitute l depth (body d) else e
        | None => e
        end
    | Number _ _ | Pi => e
    | Sum n b => Sum n (expand (S depth) b)
    | Plus a b => Plus (expand depth a) (expand depth b)
    | Minus a b => Minus (expand depth a) (expand depth b)
    | Times a b => Times (expand depth a) (expand depth b)
    | Over a b => Over (expand depth a) (expand depth b)
    | Relu a => Relu (expand depth a)
    | Exp a => Exp (expand depth a)
    | Sqrt a => Sqrt (expand depth a)
    | Erf a => Erf (expand depth a)
    end.
End Expand.

(** ** Variables

    An expression in variables: [Read 0 [Fixed k]] is number k. [filled] puts expressions for
    them. *)

Fixpoint in_variables (e : scalar) : bool :=
  match e with
  | Read 0 [Fixed _] | Number _ _ | Pi => true
  | Read _ _ | Sum _ _ => false
  | Plus a b | Minus a b | Times a b | Over a b => in_variables a && in_variables b
  | Relu a | Exp a | Sqrt a | Erf a => in_variables a
  end.

Section Filled.
  Variable atoms : list scalar.

  Fixpoint filled (e : scalar) : scalar :=
    match e with
    | Read _ (Fixed k :: _) => nth k atoms (Number 0 1)
    | Read _ _ | Sum _ _ | Number _ _ | Pi => e
    | Plus a b => Plus (filled a) (filled b)
    | Minus a b => Minus (filled a) (filled b)
    | Times a b => Times (filled a) (filled b)
    | Over a b => Over (filled a) (filled b)
    | Relu a => Relu (filled a)
    | Exp a => Exp (filled a)
    | Sqrt a => Sqrt (filled a)
    | Erf a => Erf (filled a)
    end.
End Filled.

(** The number that an expression in variables is, for numbers in their places. *)
Definition number (v : nat -> R) (e : scalar) : R :=
  meaning [] [fun place => v (hd 0 place)] [] e.

(** ** What these mean *)

Section Meaning.
  Variables (t : list nat) (env : list tensor).
  Open Scope R_scope.
  Notation means := (meaning t env).

  Lemma chain_meaning axes (f : nat -> scalar) g : forall n s,
    (forall i, means axes (f i) = g i) ->
    means axes (chain (map f (seq s n))) = fold_right Rplus 0 (map g (seq s n)).
  Proof using.
    induction n as [|n IH]; intros s Same; [cbn; lra|]. cbn [seq map fold_right chain].
    destruct n as [|n]; [cbn; rewrite Same; lra|]. rewrite <- IH by exact Same. rewrite <- Same.
    reflexivity.
  Qed.

  Lemma at_number_meaning axes b i :
    means axes (at_number (length axes) b i) = means (axes ++ [i]) b.
  Proof using.
    pose proof (meaning_substituted t env (axes_from 0 (length axes) ++ [Fixed i]) axes b) as Same.
    specialize (Same ltac:(rewrite forallb_app; cbn [forallb closed];
      rewrite closed_axes by lia; reflexivity) []).
    rewrite !app_nil_r, map_app in Same. cbn [map place] in Same.
    pose proof (places_axes t [] axes []) as All. cbn [app length] in All.
    rewrite app_nil_r in All. rewrite All in Same. exact Same.
  Qed.

  Lemma unroll_meaning most e : forall axes,
    means axes (unroll most (length axes) e) = means axes e.
  Proof using.
    induction e as [x l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
      |a IHa|a IHa|a IHa|a IHa];
      intros axes; cbn [unroll meaning]; try reflexivity; try (now rewrite IHa, IHb);
      try (now rewrite IHa).
    assert (Inner : forall i, means (axes ++ [i]) (unroll most (S (length axes)) b) =
                              means (axes ++ [i]) b).
    { intros i. specialize (IH (axes ++ [i])). rewrite app_length, Nat.add_1_r in IH. exact IH. }
    destruct (n <=? most)%nat.
    - unfold sum. apply chain_meaning. intros i. now rewrite at_number_meaning.
    - cbn [meaning]. apply sum_equal. intros i _. apply Inner.
  Qed.

  Lemma first_output_meaning m x e : means [m; x] (first_output e) = means [m] e.
  Proof using. exact (meaning_substituted t env [Axis 0] [m; x] e eq_refl []). Qed.

  Lemma second_output_meaning m x e : means [m; x] (second_output e) = means [x] e.
  Proof using. exact (meaning_substituted t env [Axis 1] [m; x] e eq_refl []). Qed.

  Lemma independent m x e : depends 0 e = false -> means [m] e = means [x] e.
  Proof using. intros Not. exact (meaning_independent t env [] m x e Not []). Qed.

  Lemma lead_meaning m x e : means [m; x] (lead e) = means [m] e - means [x] e.
  Proof using.
    assert (Plain : forall e, means [m; x] (Minus (first_output e) (second_output e)) =
                              means [m] e - means [x] e).
    { intros e'. cbn [meaning]. now rewrite first_output_meaning, second_output_meaning. }
    induction e as [y l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
      |a IHa|a IHa|a IHa|a IHa]; cbn [lead];
      (destruct (depends 0 _) eqn:Depends; [|rewrite (independent m x _ Depends); cbn; lra]);
      try exact (Plain _).
    - clear Depends. destruct (depends 0 a) eqn:A, (depends 0 b) eqn:B; cbn [meaning] in *;
        rewrite ?IHa, ?IHb; try lra.
      + rewrite (independent m x b B). lra.
      + rewrite (independent m x a A). lra.
      + rewrite (independent m x a A). lra.
    - clear Depends. destruct (depends 0 a) eqn:A; [destruct (depends 0 b) eqn:B|].
      + exact (Plain (Times a b)).
      + cbn [meaning] in *. rewrite IHa, first_output_meaning, (independent m x b B). lra.
      + cbn [meaning] in *. rewrite IHb, first_output_meaning, (independent m x a A). lra.
    - clear Depends. destruct (depends 0 b) eqn:B.
      + exact (Plain (Over a b)).
      + cbn [meaning] in *. rewrite IHa, first_output_meaning, (independent m x b B).
        unfold Rdiv. lra.
  Qed.

  Lemma expand_meaning first defs e :
    (forall j d, nth_error defs j = Some d ->
      forall ps, nth (first + j) env (fun _ => 0) ps = means ps (body d)) ->
    forall axes, means axes (expand first defs (length axes) e) = means axes e.
  Proof using.
    intros Equations.
    induction e as [x l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
      |a IHa|a IHa|a IHa|a IHa];
      intros axes; cbn [expand]; try reflexivity; try (cbn [meaning]; now rewrite ?IHa, ?IHb).
    - destruct (nth_error defs (x - first)) as [d|] eqn:Found; [|reflexivity].
      destruct (_ && _)%bool eqn:Checks; [|reflexivity]. apply andb_prop in Checks.
      destruct Checks as [After Closed]. apply Nat.leb_le in After.
      pose proof (meaning_substituted t env l axes (body d) Closed []) as Same.
      rewrite !app_nil_r in Same. rewrite Same. cbn [meaning].
      specialize (Equations _ _ Found (map (place t axes) l)).
      replace (first + (x - first))%nat with x in Equations by lia. now rewrite Equations.
    - cbn [meaning]. apply sum_equal. intros i _. specialize (IH (axes ++ [i])).
      rewrite app_length, Nat.add_1_r in IH. exact IH.
  Qed.

  Lemma filled_meaning atoms axes e : in_variables e = true ->
    means axes (filled atoms e) = number (fun k => means axes (nth k atoms (Number 0 1))) e.
  Proof using.
    unfold number.
    induction e as [x l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
      |a IHa|a IHa|a IHa|a IHa];
      cbn [in_variables]; intros Plain; try discriminate; try reflexivity;
      try (apply andb_prop in Plain; destruct Plain); cbn [filled meaning];
      try (now rewrite ?IHa, ?IHb by assumption).
    destruct x as [|x]; [|discriminate]. destruct l as [|[i|i|i|i j|i j|i j|i j] [|? ?]];
      try discriminate. reflexivity.
  Qed.
End Meaning.
