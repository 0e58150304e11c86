(** * Programs with one hidden layer that read two tokens

    A definition of logits that is the sum over neurons of relu (pre) * out, and of what else is
    written, where all that is read is a sum over both tokens ([additive]): so its value at x and y
    follows from its values at x and 0, at 0 and y, and at 0 and 0. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Network Evaluator Distribute.
From CompactProofs Require Sums NetworkTheorems.
Import ListNotations.
Open Scope nat_scope.

(** ** Sums over both tokens *)

(** Which tokens a place depends on. *)
Fixpoint tokens_of (i : index) : list index :=
  match i with
  | Axis _ | Fixed _ => []
  | Token a => [a]
  | Shifted a b => tokens_of a ++ tokens_of b
  | Scaled a _ | Quotient a _ | Remainder a _ => tokens_of a
  end.

(** Does an entry depend on one token at most? Then it is a sum over both tokens. *)
Definition one_token (l : list index) : bool :=
  match flat_map tokens_of l with
  | [] => true
  | [a] => constant_index a
  | _ => false
  end.

Fixpoint additive (e : scalar) : bool :=
  match e with
  | Read _ l => one_token l
  | Number _ _ | Pi => true
  | Sum _ b => additive b
  | Plus a b | Minus a b => additive a && additive b
  | Times a b => (additive a && constant b) || (constant a && additive b)
  | Over a b => additive a && constant b
  | Relu a | Exp a | Sqrt a | Erf a => constant e
  end.

(** ** A hidden layer in an expression *)

Record layer := {
  width : nat;                (* neurons; their number is the last axis *)
  pre : scalar;               (* what they read *)
  out : scalar;               (* what they write *)
  direct : scalar             (* what is written beside them *)
}.

Fixpoint layer_of (e : scalar) : option layer :=
  match e with
  | Sum m (Times (Relu a) b) => Some {| width := m; pre := a; out := b; direct := Number 0 1 |}
  | Plus a b =>
      match layer_of a, layer_of b with
      | Some l, _ =>
          Some {| width := width l; pre := pre l; out := out l; direct := Plus (direct l) b |}
      | None, Some l =>
          Some {| width := width l; pre := pre l; out := out l; direct := Plus a (direct l) |}
      | None, None => None
      end
  | _ => None
  end.

(** Is everything a sum over both tokens, and what neurons read the same for all outputs? *)
Definition additive_layer (l : layer) : bool :=
  additive (pre l) && negb (depends 0 (pre l)) && constant (out l) && additive (direct l).

(** ** Meaning *)

(** A function of two tokens is a sum of one of each. *)
Definition adds (f : list nat -> R) : Prop :=
  forall x y, f [x; y] = (f [x; 0%nat] + (f [0%nat; y] - f [0%nat; 0%nat]))%R.

Lemma place_by_tokens t t' axes i :
  (forall a, In a (tokens_of i) -> place t axes (Token a) = place t' axes (Token a)) ->
  place t axes i = place t' axes i.
Proof.
  induction i as [i|i IH|n|i IHi j IHj|i IH n|i IH n|i IH n]; cbn [tokens_of]; intros Same;
    try reflexivity; try (cbn [place]; now rewrite IH).
  - apply Same. now left.
  - cbn [place]. rewrite IHi, IHj; [reflexivity| |]; intros a In_a; apply Same, in_or_app; auto.
Qed.

Lemma one_token_adds (f : list nat -> R) axes l :
  one_token l = true -> adds (fun t => f (map (place t axes) l)).
Proof.
  unfold one_token. intros One x y.
  assert (Same : forall t t',
    (forall a, In a (flat_map tokens_of l) -> place t axes (Token a) = place t' axes (Token a)) ->
    map (place t axes) l = map (place t' axes) l).
  { intros t t' Tokens. apply map_ext_in. intros i In_l. apply place_by_tokens. intros a In_a.
    apply Tokens, in_flat_map. now exists i. }
  destruct (flat_map tokens_of l) as [|a [|]]; [| |discriminate].
  - rewrite (Same [x; y] [x; 0]), (Same [0; y] [0; 0]) by (intros a []). lra.
  - pose proof (fun t => NetworkTheorems.place_constant t [] axes a One) as Constant.
    assert (Token_a : forall t t', nth (place [] axes a) t 0 = nth (place [] axes a) t' 0 ->
      map (place t axes) l = map (place t' axes) l).
    { intros t t' Here. apply Same. intros b [<-|[]]. cbn [place].
      rewrite (Constant t), (Constant t'). exact Here. }
    destruct (place [] axes a) as [|[|k]].
    + rewrite (Token_a [x; y] [x; 0]), (Token_a [0; y] [0; 0]) by reflexivity. lra.
    + rewrite (Token_a [x; y] [0; y]), (Token_a [x; 0] [0; 0]) by reflexivity. lra.
    + rewrite (Token_a [x; y] [x; 0]), (Token_a [0; y] [0; 0]) by (cbn; now destruct k). lra.
Qed.

(** What depends on no token, under a name of its own. *)
Definition constantly env axes e : R := meaning [] env axes e.
Lemma constant_at t env axes e : constant e = true -> meaning t env axes e = constantly env axes e.
Proof. intros Constant. now apply NetworkTheorems.meaning_constant. Qed.

Lemma constant_adds env axes e : constant e = true -> adds (fun t => meaning t env axes e).
Proof.
  intros Constant x y. rewrite !(constant_at _ env axes e Constant). lra.
Qed.

Lemma additive_adds env e : additive e = true ->
  forall axes, adds (fun t => meaning t env axes e).
Proof.
  induction e as [v l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
    |a _|a _|a _|a _]; intros Additive axes; try (now apply constant_adds).
  - exact (one_token_adds (nth v env (fun _ => 0%R)) axes l Additive).
  - intros x y. cbn [meaning]. change (sum n ?f) with (Sums.sum_over (seq 0 n) f).
    rewrite <- Sums.sum_over_minus, <- Sums.sum_over_plus. apply Sums.sum_over_ext. intros k _.
    exact (IH Additive (axes ++ [k]) x y).
  - apply andb_prop in Additive. destruct Additive as [Left Right].
    intros x y. cbn [meaning]. rewrite (IHa Left axes x y), (IHb Right axes x y). ring.
  - apply andb_prop in Additive. destruct Additive as [Left Right].
    intros x y. cbn [meaning]. rewrite (IHa Left axes x y), (IHb Right axes x y). ring.
  - cbn [additive] in Additive. apply orb_prop in Additive.
    destruct Additive as [Additive|Additive]; apply andb_prop in Additive;
      destruct Additive as [Left Right]; intros x y; cbn [meaning].
    + rewrite (IHa Left axes x y), !(constant_at _ env axes b Right). ring.
    + rewrite (IHb Right axes x y), !(constant_at _ env axes a Left). ring.
  - apply andb_prop in Additive. destruct Additive as [Left Right].
    intros x y. cbn [meaning]. rewrite (IHa Left axes x y), !(constant_at _ env axes b Right).
    unfold Rdiv. ring.
Qed.

Lemma layer_of_sound t env axes e : forall l, layer_of e = Some l ->
  meaning t env axes e =
  (sum (width l) (fun i => Rmax 0 (meaning t env (axes ++ [i]) (pre l)) *
                           meaning t env (axes ++ [i]) (out l))
   + meaning t env axes (direct l))%R.
Proof.
  induction e as [v l|n d| |n b _|a IHa b IHb|a _ b _|a _ b _|a _ b _|a _|a _|a _|a _];
    intros found Found; try discriminate.
  - destruct b as [| | | | | |a b| | | | |]; try discriminate.
    destruct a as [| | | | | | | |a| | |]; try discriminate. injection Found as <-.
    cbn [meaning width pre out direct]. lra.
  - cbn [layer_of] in Found. destruct (layer_of a) as [l|].
    + injection Found as <-. cbn [meaning width pre out direct]. rewrite (IHa l eq_refl). lra.
    + destruct (layer_of b) as [l|]; [|discriminate]. injection Found as <-.
      cbn [meaning width pre out direct]. rewrite (IHb l eq_refl). lra.
Qed.
