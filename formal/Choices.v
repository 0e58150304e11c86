(** * Evaluating the sequences that some choices allow

    A checker that searches over *kinds* of tokens ends with a kind at each position: one token, or
    any token below a number. Where its bound does not suffice, these sequences are evaluated one by
    one, as the exhaustive checker does; sequences with the same last tokens share the sum so far.
    Choices are listed from the last position to the first, as a search finds them. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths Exhaustive.
Import ListNotations.

(** The tokens of a kind: one token, or all that are below a number. *)
Inductive kind := One (u : nat) | Below.
Definition tokens_of (few : nat) (k : kind) : list nat :=
  match k with One u => [u] | Below => seq 0 few end.

(** All sequences that choices allow. *)
Fixpoint allowed (few : nat) (choices : list kind) : list (list nat) :=
  match choices with
  | [] => [[]]
  | k :: choices =>
      flat_map (fun t => map (fun u => t ++ [u]) (tokens_of few k)) (allowed few choices)
  end.

Section Checker.
  Context {A : enclosures}.
  Variables (few m : nat).

  (** May sequences with this largest token so far have the maximum m? *)
  Definition possible (choices : list kind) (top : nat) : bool :=
    match choices with [] => (top =? m)%nat | _ => true end.

  (** How many of them are right and have the maximum m. [rows]: what each token adds at each
      position, from the last to the first; [top]: the largest token so far. *)
  Fixpoint evaluated (choices : list kind) (rows : list (nat -> list (T A))) (so_far : list (T A))
      (top : nat) : Z :=
    match choices, rows with
    | k :: choices, row :: rows =>
        total (tokens_of few k) (fun u =>
          if possible choices (Nat.max top u)
          then evaluated choices rows (map2 (add A) so_far (row u)) (Nat.max top u) else 0%Z)
    | [], [] => if ((top =? m)%nat && beats m so_far)%bool then 1%Z else 0%Z
    | _, _ => 0%Z
    end.
End Checker.

(** ** Soundness *)

Open Scope Z_scope.

Lemma total_flat_map {X Y} (l : list X) (F : X -> list Y) f :
  total (flat_map F l) f = total l (fun a => total (F a) f).
Proof.
  induction l as [|a l IH]; [reflexivity|]. cbn [flat_map]. now rewrite total_app, total_cons, IH.
Qed.

Lemma total_allowed few k choices f :
  total (allowed few (k :: choices)) f =
  total (tokens_of few k) (fun u => total (allowed few choices) (fun t => f (t ++ [u]))).
Proof.
  cbn [allowed]. rewrite total_flat_map, total_swap. apply total_ext. intros t _. apply total_map.
Qed.

Lemma in_allowed few v choices : (forall k, In k choices -> forall u, In u (tokens_of few k) -> (u < v)%nat) ->
  forall t, In t (allowed few choices) -> In t (sequences v (length choices)).
Proof.
  induction choices as [|k choices IH]; intros Within t In_t; [exact In_t|].
  cbn [allowed] in In_t. apply in_flat_map in In_t. destruct In_t as [t' [In_t' In_t]].
  apply in_map_iff in In_t. destruct In_t as [u [<- In_u]].
  assert (Shorter : In t' (sequences v (length choices)))
    by (apply IH; [intros k' In_k'; apply Within; now right|exact In_t']).
  apply in_sequences in Shorter. destruct Shorter as [Length Tokens].
  apply in_sequences. rewrite app_length, Length. split; [cbn; lia|].
  intros a In_a. apply in_app_iff in In_a. destruct In_a as [In_a|[<-|[]]]; [now apply Tokens|].
  apply (Within k); [now left|exact In_u].
Qed.

Open Scope R_scope.

Section Soundness.
  Context {A : enclosures} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A contains.
  Variables (M : transformer) (P : tables (A := A)).
  Hypothesis Tables : tables_sound M (contains := contains) P.
  Hypothesis context : (0 < n_ctx M)%nat.
  Variables (few m q : nat).
  Notation v := (d_vocab M).
  Notation n := (last M).
  Notation vocab := (seq 0 (d_vocab M)).
  Notation encl := (encloses (contains := contains)).
  Notation U := (Exhaustive.U M q).
  Hypothesis Max : (m < v)%nat.
  Hypothesis Query : (q < v)%nat.

  Definition within (choices : list kind) : Prop :=
    forall k, In k choices -> forall u, In u (tokens_of few k) -> (u < v)%nat.

  Lemma evaluated_sound (Q : list nat -> bool) choices : (length choices <= n)%nat -> within choices ->
    forall so_far f top suffix, encl so_far f vocab ->
    (forall t, In t (allowed few choices) -> m = Nat.max top (max_of_k t) ->
       (forall x, (x < v)%nat -> x <> m ->
          f x + sum (length choices) (fun j => U j (nth j t O) x) <
          f m + sum (length choices) (fun j => U j (nth j t O) m)) -> Q (t ++ suffix) = true) ->
    (evaluated few m choices (map (contribution M P q) (rev (seq 0 (length choices)))) so_far top
     <= count (fun t => Q (t ++ suffix)) (allowed few choices))%Z.
  Proof using Sd Tables context Max Query.
    induction choices as [|k choices IH]; intros Length Within so_far f top suffix Enclosed Enough.
    - cbn [length seq rev map evaluated].
      destruct ((top =? m)%nat && beats m so_far)%bool eqn:Right; [|apply count_nonneg].
      apply andb_true_iff in Right. destruct Right as [Top Beats]. apply Nat.eqb_eq in Top.
      unfold count. cbn [allowed]. rewrite total_cons, (Enough []); [cbn; lia|now left| |].
      + cbn. lia.
      + intros x Below_x Other. unfold sum. cbn.
        pose proof (beats_sound Sd M m so_far f Max Enclosed Beats x Below_x Other). lra.
    - cbn [length] in Length |- *. rewrite seq_S, rev_unit. cbn [map evaluated Nat.add].
      unfold count. rewrite total_allowed. apply total_le. intros u In_u.
      assert (Token : (u < v)%nat) by (apply (Within k); [now left|exact In_u]).
      destruct (possible m choices (Nat.max top u));
        [|apply total_nonneg; intros; now destruct (Q _)].
      rewrite (total_ext (allowed few choices) _
        (fun t => if Q (t ++ u :: suffix) then 1%Z else 0%Z))
        by (intros t _; now rewrite <- app_assoc).
      apply (IH ltac:(lia) ltac:(intros k' In_k'; apply Within; now right)
               _ (fun x => f x + U (length choices) u x)).
      + apply (encloses_map2 (add A) Rplus _ _ f (U (length choices) u));
          [apply (sound_add _ _ Sd)|exact Enclosed|].
        apply (contribution_sound Sd M P Tables context); [exact Query|unfold last in Length; lia|exact Token].
      + intros t In_t Maximum Lead.
        assert (Same : (t ++ u :: suffix = (t ++ [u]) ++ suffix)%list) by (now rewrite <- app_assoc).
        rewrite Same. apply Enough.
        * cbn [allowed]. apply in_flat_map. exists t. split; [exact In_t|].
          exact (in_map (fun u => t ++ [u]) _ _ In_u).
        * rewrite max_of_k_snoc. lia.
        * intros x Below_x Other. specialize (Lead x Below_x Other).
          assert (Longer : length t = length choices).
          { assert (In t (sequences v (length choices))) as In_s.
            { apply (in_allowed few); [|exact In_t]. intros k' In_k'. apply Within. now right. }
            now apply in_sequences in In_s. }
          assert (Sum : forall y, sum (S (length choices)) (fun j => U j (nth j (t ++ [u]) O) y) =
            sum (length choices) (fun j => U j (nth j t O) y) + U (length choices) u y).
          { intros y. rewrite sum_last. f_equal.
            - apply sum_ext. intros j Below_j. rewrite app_nth1 by lia. reflexivity.
            - rewrite app_nth2, Longer, Nat.sub_diag by lia. reflexivity. }
          rewrite !Sum. lra.
  Qed.
End Soundness.
