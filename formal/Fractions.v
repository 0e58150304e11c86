(** * Leads that are sums of fractions

    In a layer of attention, by how much the logit of one output leads another's is

        direct + sum over heads of (sum_i w_i g_i) / (sum_i w_i)

    where the weight w_i depends on token number i and on the last one, and the gain g_i is the
    difference of a number that token number i writes to either output: expressions that Coq finds
    again in a program's logits, in whatever order they are added up there. *)

From Coq Require Import Reals List Bool Lia Lra.
From CompactProofs Require Import Network Evaluator Arithmetic Distribute Substitution Lead Rows.
Import ListNotations.
Open Scope nat_scope.

(** What is written to output Axis 0, from each position and directly; and weights. *)
Record head := { attention : list scalar; written : list scalar }.
Record fractions := { direct : scalar; heads : list head }.

(** ** The expression *)

Definition denominator (h : head) : scalar := chain (attention h).

Definition terms (h : head) : list scalar :=
  map2 (fun w g => Times (Over w (denominator h)) (lead g)) (attention h) (written h).

Definition summed (F : fractions) : list scalar := lead (direct F) :: flat_map terms (heads F).

(** ** Sums in any order *)

Fixpoint summands (e : scalar) : list scalar :=
  match e with Plus a b => summands a ++ summands b | _ => [e] end.

Fixpoint without (e : scalar) (l : list scalar) : option (list scalar) :=
  match l with
  | [] => None
  | a :: l => if scalar_eqb e a then Some l else option_map (cons a) (without e l)
  end.

Fixpoint same_summands (l l' : list scalar) : bool :=
  match l, l' with
  | [], [] => true
  | a :: l, _ => match without a l' with Some l' => same_summands l l' | None => false end
  | [], _ => false
  end.

Definition same_sum (e e' : scalar) : bool := same_summands (summands e) (summands e').

(** ** Which tokens are read *)

Fixpoint tokens_among (ps : list nat) (i : index) : bool :=
  match i with
  | Axis _ | Fixed _ => true
  | Token (Fixed p) => existsb (Nat.eqb p) ps
  | Token _ => false
  | Shifted a b => tokens_among ps a && tokens_among ps b
  | Scaled a _ | Quotient a _ | Remainder a _ => tokens_among ps a
  end.

Fixpoint reads_among (ps : list nat) (e : scalar) : bool :=
  match e with
  | Read _ l => forallb (tokens_among ps) l
  | Number _ _ | Pi => true
  | Sum _ b => reads_among ps b
  | Plus a b | Minus a b | Times a b | Over a b => reads_among ps a && reads_among ps b
  | Relu a | Exp a | Sqrt a | Erf a => reads_among ps a
  end.

(** Does each depend on what is said above? [n] tokens. *)
Definition head_fits (n : nat) (h : head) : bool :=
  (length (attention h) =? n) && (length (written h) =? n)
  && forallb (fun iw => let (i, w) := iw : nat * scalar in
       reads_among [i; n - 1] w && negb (depends 0 w) && negb (depends 1 w))
     (combine (seq 0 n) (attention h))
  && forallb (fun ig => let (i, g) := ig : nat * scalar in reads_among [i] g)
     (combine (seq 0 n) (written h)).

Definition fractions_fit (n : nat) (F : fractions) : bool :=
  (0 <? n) && reads_among [n - 1] (direct F) && forallb (head_fits n) (heads F).

(** ** Meaning *)

Open Scope R_scope.

Definition total_of (l : list R) : R := fold_right Rplus 0 l.

Lemma total_of_app l l' : total_of (l ++ l') = total_of l + total_of l'.
Proof. unfold total_of. induction l as [|a l IH]; cbn; [lra|rewrite IH; lra]. Qed.

Section Meaning.
  Variables (t : list nat) (env : list tensor) (axes : list nat).
  Notation means := (meaning t env axes).

  Lemma summands_meaning e : total_of (map means (summands e)) = means e.
  Proof using.
    induction e; cbn [summands]; try apply Rplus_0_r.
    rewrite map_app, total_of_app, IHe1, IHe2. reflexivity.
  Qed.

  Lemma without_meaning e l : forall l', without e l = Some l' ->
    total_of (map means l) = means e + total_of (map means l').
  Proof using.
    induction l as [|a l IH]; intros l' Found; [discriminate|]. cbn [without] in Found.
    destruct (scalar_eqb e a) eqn:Same.
    - apply scalar_eqb_eq in Same. subst a. injection Found as <-. reflexivity.
    - destruct (without e l) as [l''|]; [|discriminate]. injection Found as <-.
      specialize (IH l'' eq_refl). unfold total_of in *. cbn [map fold_right]. rewrite IH. lra.
  Qed.

  Lemma same_summands_meaning l : forall l', same_summands l l' = true ->
    total_of (map means l) = total_of (map means l').
  Proof using.
    induction l as [|a l IH]; intros l' Same; cbn [same_summands] in Same.
    - destruct l'; [reflexivity|discriminate].
    - destruct (without a l') as [l''|] eqn:Found; [|discriminate].
      rewrite (without_meaning a l' l'' Found), <- (IH l'' Same). reflexivity.
  Qed.

  Lemma same_sum_meaning e e' : same_sum e e' = true -> means e = means e'.
  Proof using.
    intros Same. rewrite <- (summands_meaning e), <- (summands_meaning e').
    now apply same_summands_meaning.
  Qed.

  Lemma chain_total l : means (chain l) = total_of (map means l).
  Proof using.
    induction l as [|a l IH]; [cbn; unfold Rdiv; lra|]. cbn [chain map]. destruct l as [|b l].
    - symmetry. apply Rplus_0_r.
    - cbn [meaning]. rewrite IH. reflexivity.
  Qed.

End Meaning.

Section Outputs.
  Variables (t : list nat) (env : list tensor) (m x : nat).
  Notation means := (meaning t env [m; x]).

  Definition gain (e : scalar) : R := meaning t env [m] e - meaning t env [x] e.

  Lemma summed_meaning F : means (chain (summed F)) =
    gain (direct F) + total_of (map (fun h =>
      total_of (map2 (fun w g => means w / total_of (map means (attention h)) * gain g)
                     (attention h) (written h))) (heads F)).
  Proof using.
    rewrite chain_total. cbn [summed map total_of fold_right]. rewrite lead_meaning. f_equal.
    fold (total_of (map means (flat_map terms (heads F)))).
    induction (heads F) as [|h l IH]; [reflexivity|]. cbn [flat_map map].
    rewrite map_app, total_of_app, IH. cbn [total_of fold_right]. f_equal. f_equal.
    assert (All : forall ws gs,
      map means (map2 (fun w g => Times (Over w (denominator h)) (lead g)) ws gs) =
      map2 (fun w g => means w / total_of (map means (attention h)) * gain g) ws gs).
    { induction ws as [|w ws IHw]; intros [|g gs]; [reflexivity..|]. cbn [map2 map].
      rewrite IHw. cbn [meaning]. unfold denominator. now rewrite chain_total, lead_meaning. }
    apply All.
  Qed.
End Outputs.

Lemma place_among t t' ps axes i : (forall p, In p ps -> nth p t 0%nat = nth p t' 0%nat) ->
  tokens_among ps i = true -> place t axes i = place t' axes i.
Proof.
  intros Same. induction i as [i|i IH|n|i IHi j IHj|i IH n|i IH n|i IH n]; cbn [tokens_among place];
    intros Among; try reflexivity; try (now rewrite IH by exact Among).
  - destruct i; try discriminate. cbn [place]. apply existsb_exists in Among.
    destruct Among as [p [In_p Is]]. apply Nat.eqb_eq in Is. subst p. now apply Same.
  - apply andb_prop in Among. destruct Among. now rewrite IHi, IHj.
Qed.

Lemma meaning_among t t' ps env e : (forall p, In p ps -> nth p t 0%nat = nth p t' 0%nat) ->
  reads_among ps e = true -> forall axes, meaning t env axes e = meaning t' env axes e.
Proof.
  intros Same. induction e; cbn [reads_among meaning]; intros Among axes; try reflexivity;
    try (apply andb_prop in Among; destruct Among; now rewrite IHe1, IHe2);
    try (now rewrite IHe).
  - f_equal. apply map_ext_in. intros i In_i. rewrite forallb_forall in Among.
    apply (place_among t t' ps); [exact Same|now apply Among].
  - apply sum_equal. intros k _. now apply IHe.
Qed.
