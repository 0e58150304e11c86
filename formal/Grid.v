(** * Counting sequences on a grid

    Tokens change a state, position by position. A state is one of 0, ..., 2 R; it starts at R. At every position the
    maximum m moves it up (not above 2 R), the tokens of the window just below m move it down (a sequence whose state would
    fall below 0 is not counted), all smaller tokens leave it alone. At the last position there is no ceiling. How many
    sequences end at or above a given number? [levels] answers by dynamic programming, [reaching] reads the answer off. *)

From Coq Require Import ZArith List Bool Lia.
From CompactProofs Require Import Lists Statement Counting.
Import ListNotations.
Open Scope Z_scope.

(** What one position does: how far m moves the state up, and how far each window token, from the smallest, moves it down;
    None for a token that is not allowed here. *)
Record position := { up : nat; downs : list (option nat) }.

(** *** The program *)

(** acc + l, entry by entry; as long as acc. *)
Fixpoint add_list (l acc : list Z) : list Z :=
  match l, acc with x :: l, y :: acc => (x + y) :: add_list l acc | _, _ => acc end.

(** From the numbers of sequences with state at least 0, 1, ..., 2 R to those after one more position. *)
Definition one_more (free : nat) (p : position) (l : list Z) : list Z :=
  fold_left (fun acc d => match d with Some h => add_list (skipn h l) acc | None => acc end) (downs p)
    (add_list (repeat (nth 0 l 0) (up p) ++ l) (map (Z.mul (Z.of_nat free)) l)).

(** [positions] are given from the last to the first. *)
Fixpoint levels (R free : nat) (positions : list position) : list Z :=
  match positions with
  | [] => repeat 1 (S R) ++ repeat 0 R
  | p :: positions => one_more free p (levels R free positions)
  end.

(** The number of sequences that reach w, with [p] the last position and [l] the levels before it. *)
Definition reaching (free : nat) (p : position) (l : list Z) (w : nat) : Z :=
  Z.of_nat free * nth w l 0 + nth (w - up p) l 0 +
  total (downs p) (fun d => match d with Some h => nth (w + h) l 0 | None => 0 end).

Lemma nth_add_list l acc k : (k < length acc)%nat -> nth k (add_list l acc) 0 = nth k acc 0 + nth k l 0.
Proof.
  revert l k. induction acc as [|y acc IH]; intros l k H; cbn in H; [lia|]. destruct l as [|x l]; cbn [add_list].
  - destruct k; cbn; lia.
  - destruct k as [|k]; cbn [nth]; [lia|]. apply IH. lia.
Qed.

Lemma length_add_list l acc : length (add_list l acc) = length acc.
Proof. revert l. induction acc as [|y acc IH]; intros [|x l]; cbn; auto. Qed.

Lemma nth_repeat_lt (x y : Z) n k : (k < n)%nat -> nth k (repeat x n) y = x.
Proof. intros H. rewrite (nth_indep _ y x) by now rewrite repeat_length. apply nth_repeat. Qed.

Lemma nth_raised g l k : nth k (repeat (nth 0 l 0) g ++ l) 0 = nth (k - g) l 0.
Proof.
  destruct (Nat.lt_ge_cases k g) as [H|H].
  - rewrite app_nth1 by now rewrite repeat_length. replace (k - g)%nat with O by lia. now apply nth_repeat_lt.
  - rewrite app_nth2; now rewrite repeat_length.
Qed.

Lemma one_more_spec free p l :
  length (one_more free p l) = length l /\
  forall k, (k < length l)%nat -> nth k (one_more free p l) 0 = Z.of_nat free * nth k l 0 + nth (k - up p) l 0 +
    total (downs p) (fun d => match d with Some h => nth (k + h) l 0 | None => 0 end).
Proof.
  unfold one_more. set (start := add_list _ _).
  assert (S1 : length start = length l) by (unfold start; rewrite length_add_list; apply map_length).
  assert (S2 : forall k, (k < length l)%nat -> nth k start 0 = Z.of_nat free * nth k l 0 + nth (k - up p) l 0).
  { intros k Hk. unfold start. rewrite nth_add_list by now rewrite map_length. rewrite nth_raised. f_equal.
    rewrite (nth_indep _ 0 (Z.of_nat free * 0)) by now rewrite map_length. apply (map_nth (Z.mul (Z.of_nat free))). }
  assert (H : forall ds acc (f : nat -> Z), length acc = length l -> (forall k, (k < length l)%nat -> nth k acc 0 = f k) ->
    let after := fold_left (fun acc d => match d with Some h => add_list (skipn h l) acc | None => acc end) ds acc in
    length after = length l /\ forall k, (k < length l)%nat -> nth k after 0 =
      f k + total ds (fun d => match d with Some h => nth (k + h) l 0 | None => 0 end)).
  { clear. induction ds as [|d ds IH]; intros acc f S1 S2; cbn [fold_left].
    - split; [exact S1|]. intros k Hk. rewrite S2 by exact Hk. unfold total. cbn. lia.
    - destruct d as [h|].
      + destruct (IH (add_list (skipn h l) acc) (fun k => f k + nth (k + h) l 0)) as [I1 I2].
        * now rewrite length_add_list.
        * intros k Hk. rewrite nth_add_list, nth_skipn, (Nat.add_comm h) by now rewrite S1. now rewrite S2.
        * split; [exact I1|]. intros k Hk. rewrite I2 by exact Hk. rewrite total_cons. lia.
      + destruct (IH acc f S1 S2) as [I1 I2]. split; [exact I1|]. intros k Hk. rewrite I2 by exact Hk. rewrite total_cons. lia. }
  exact (H (downs p) start _ S1 S2).
Qed.

(** *** What it counts *)

Section Counting.
  Variables (v m free R : nat).

  Inductive move := Up (g : nat) | Down (h : nat).

  Definition moves (p : position) (u : nat) : option move :=
    if (u <? free)%nat then Some (Down 0) else
    if (u <? m)%nat then match nth (u - free) (downs p) None with Some h => Some (Down h) | None => None end else
    if (u =? m)%nat then Some (Up (up p)) else None.

  Definition apply_move (a : move) (k : nat) : option nat :=
    match a with Up g => Some (Nat.min (R + R) (k + g)) | Down h => if (h <=? k)%nat then Some (k - h)%nat else None end.

  (** The state after tokens that are given, like the positions, from the last to the first. *)
  Fixpoint state (ps : list position) (t : list nat) : option nat :=
    match ps, t with
    | p :: ps, u :: t =>
        match state ps t, moves p u with Some k, Some a => apply_move a k | _, _ => None end
    | _, _ => Some R
    end.

  (** Does the sequence reach w? *)
  Definition reaches (p : position) (ps : list position) (w : nat) (t : list nat) : bool :=
    match t with
    | u :: t =>
        match state ps t, moves p u with
        | Some k, Some (Up g) => (w <=? k + g)%nat
        | Some k, Some (Down h) => (w + h <=? k)%nat
        | _, _ => false
        end
    | [] => false
    end.

  Lemma state_le ps t k : state ps t = Some k -> (k <= R + R)%nat.
  Proof.
    revert t k. induction ps as [|p ps IH]; intros [|u t] k H; cbn [state] in H; try (injection H as <-; lia).
    destruct (state ps t) as [k'|] eqn:E; [|discriminate]. specialize (IH t k' E). destruct (moves p u) as [[g|h]|]; [| |discriminate]; cbn in H.
    - injection H as <-. lia.
    - destruct (Nat.leb_spec h k'); [injection H as <-; lia|discriminate].
  Qed.

  Definition at_least (ps : list position) (k : nat) (t : list nat) : bool :=
    match state ps (rev t) with Some k' => (k <=? k')%nat | None => false end.
  Definition level (ps : list position) (k : nat) : Z := count (at_least ps k) (sequences v (length ps)).

  Lemma level_above ps k : (R + R < k)%nat -> level ps k = 0.
  Proof.
    intros H. unfold level. rewrite <- (count_none (sequences v (length ps))). apply count_ext. intros t _. unfold at_least.
    destruct (state ps (rev t)) as [k'|] eqn:E; [|reflexivity]. apply state_le in E. apply Nat.leb_gt. lia.
  Qed.

  Hypothesis Hm : (m < v)%nat.

  (** Sums over tokens, by what they do. *)
  Lemma total_moves p (f : option move -> Z) : (free + length (downs p))%nat = m -> f None = 0 ->
    total (seq 0 v) (fun u => f (moves p u)) =
    Z.of_nat free * f (Some (Down 0)) + f (Some (Up (up p))) +
    total (downs p) (fun d => match d with Some h => f (Some (Down h)) | None => 0 end).
  Proof.
    intros W Z0. replace v with (free + (length (downs p) + (1 + (v - m - 1))))%nat by lia. rewrite !seq_app, !total_app. cbn [Nat.add].
    assert (T1 : total (seq 0 free) (fun u => f (moves p u)) = Z.of_nat free * f (Some (Down 0))).
    { rewrite (total_ext _ _ (fun _ => f (Some (Down 0)))), total_const, seq_length; [reflexivity|]. intros u Hu. apply in_seq in Hu.
      unfold moves. destruct (Nat.ltb_spec u free); [reflexivity|lia]. }
    assert (T2 : total (seq free (length (downs p))) (fun u => f (moves p u)) =
                 total (downs p) (fun d => match d with Some h => f (Some (Down h)) | None => 0 end)).
    { rewrite (total_ext _ _ (fun u => f (match nth (u - free) (downs p) None with Some h => Some (Down h) | None => None end))).
      - clear W. generalize free. induction (downs p) as [|d l IH]; intros s; [reflexivity|]. cbn [length seq]. rewrite !total_cons, Nat.sub_diag.
        rewrite <- (IH (S s)). f_equal; [destruct d; [reflexivity|exact Z0]|]. apply total_ext. intros u Hu. apply in_seq in Hu.
        replace (u - s)%nat with (S (u - S s)) by lia. reflexivity.
      - intros u Hu. apply in_seq in Hu. unfold moves. destruct (Nat.ltb_spec u free); [lia|]. destruct (Nat.ltb_spec u m); [reflexivity|lia]. }
    assert (T3 : total (seq (free + length (downs p)) 1) (fun u => f (moves p u)) = f (Some (Up (up p)))).
    { cbn [seq]. rewrite total_cons. unfold total at 1. cbn [map fold_right]. rewrite Z.add_0_r, W. unfold moves.
      destruct (Nat.ltb_spec m free); [lia|]. rewrite Nat.ltb_irrefl, Nat.eqb_refl. reflexivity. }
    assert (T4 : total (seq (free + length (downs p) + 1) (v - m - 1)) (fun u => f (moves p u)) = 0).
    { apply total_zero. intros u Hu. apply in_seq in Hu. unfold moves. destruct (Nat.ltb_spec u free); [lia|].
      destruct (Nat.ltb_spec u m); [lia|]. destruct (Nat.eqb_spec u m); [lia|exact Z0]. }
    rewrite T1, T2, T3, T4. lia.
  Qed.

  Definition fits (p : position) : Prop := (free + length (downs p))%nat = m.

  Lemma level_S p ps k : fits p -> (k <= R + R)%nat ->
    level (p :: ps) k = Z.of_nat free * level ps k + level ps (k - up p) +
      total (downs p) (fun d => match d with Some h => level ps (k + h) | None => 0 end).
  Proof.
    intros W Hk. unfold level at 1. cbn [length]. rewrite count_last.
    rewrite (total_ext _ _ (fun u => match moves p u with Some (Up g) => level ps (k - g) | Some (Down h) => level ps (k + h) | None => 0 end)).
    - rewrite (total_moves p (fun a => match a with Some (Up g) => level ps (k - g) | Some (Down h) => level ps (k + h) | None => 0 end) W eq_refl).
      now rewrite Nat.add_0_r.
    - intros u _. unfold level. rewrite (count_ext _ (fun t => match moves p u with
        | Some (Up g) => at_least ps (k - g) t | Some (Down h) => at_least ps (k + h) t | None => false end)).
      + destruct (moves p u) as [[g|h]|]; [reflexivity|reflexivity|apply count_none].
      + intros t _. unfold at_least. rewrite rev_unit. cbn [state].
        destruct (state ps (rev t)) as [k'|]; destruct (moves p u) as [[g|h]|]; try reflexivity; cbn [apply_move].
        * apply eq_true_iff_eq. rewrite !Nat.leb_le. lia.
        * destruct (Nat.leb_spec h k'); [apply eq_true_iff_eq; rewrite !Nat.leb_le; lia|]. symmetry. apply Nat.leb_gt. lia.
  Qed.

  Lemma count_reaches p ps w : fits p ->
    count (fun t => reaches p ps w (rev t)) (sequences v (S (length ps))) = Z.of_nat free * level ps w + level ps (w - up p) +
      total (downs p) (fun d => match d with Some h => level ps (w + h) | None => 0 end).
  Proof.
    intros W. rewrite count_last.
    rewrite (total_ext _ _ (fun u => match moves p u with Some (Up g) => level ps (w - g) | Some (Down h) => level ps (w + h) | None => 0 end)).
    - rewrite (total_moves p (fun a => match a with Some (Up g) => level ps (w - g) | Some (Down h) => level ps (w + h) | None => 0 end) W eq_refl).
      now rewrite Nat.add_0_r.
    - intros u _. unfold level. rewrite (count_ext _ (fun t => match moves p u with
        | Some (Up g) => at_least ps (w - g) t | Some (Down h) => at_least ps (w + h) t | None => false end)).
      + destruct (moves p u) as [[g|h]|]; [reflexivity|reflexivity|apply count_none].
      + intros t _. unfold at_least. rewrite rev_unit. cbn [reaches].
        destruct (state ps (rev t)) as [k'|]; destruct (moves p u) as [[g|h]|]; try reflexivity.
        apply eq_true_iff_eq. rewrite !Nat.leb_le. lia.
  Qed.

  (** *** The program computes the levels *)

  Lemma levels_spec ps : Forall fits ps -> length (levels R free ps) = S (R + R) /\ forall k, nth k (levels R free ps) 0 = level ps k.
  Proof.
    induction ps as [|p ps IH]; intros W.
    - cbn [levels]. split; [rewrite app_length, !repeat_length; lia|]. intros k. transitivity (if (k <=? R)%nat then 1 else 0).
      2: { unfold level, count, total, at_least. cbn. destruct (k <=? R)%nat; reflexivity. }
      destruct (Nat.leb_spec k R) as [H|H].
      + rewrite app_nth1 by (rewrite repeat_length; lia). apply nth_repeat_lt. lia.
      + rewrite app_nth2 by (rewrite repeat_length; lia). apply nth_repeat.
    - inversion_clear W as [|? ? Wp Wps]. destruct (IH Wps) as [I1 I2]. cbn [levels].
      destruct (one_more_spec free p (levels R free ps)) as [O1 O2]. rewrite I1 in O1, O2. split; [exact O1|]. intros k.
      destruct (Nat.lt_ge_cases k (S (R + R))) as [Hk|Hk].
      + rewrite O2, level_S, !I2 by (assumption || lia). f_equal. apply total_ext. intros [h|] _; [apply I2|reflexivity].
      + rewrite nth_overflow by lia. symmetry. apply level_above. lia.
  Qed.

  Theorem reaching_spec p ps w : Forall fits (p :: ps) ->
    reaching free p (levels R free ps) w = count (fun t => reaches p ps w (rev t)) (sequences v (S (length ps))).
  Proof.
    intros W. inversion_clear W as [|? ? Wp Wps]. destruct (levels_spec ps Wps) as [_ L]. rewrite count_reaches by exact Wp.
    unfold reaching. rewrite !L. f_equal. apply total_ext. intros [h|] _; [apply L|reflexivity].
  Qed.
End Counting.
