(** * The additive certificate, counted position by position

    The strategy `additive` of the Python package with counting=positions, its default for short
    sequences. As Additive.v, but for one query at a time and without a grid: a sequence that ends
    in q and whose maximum is m is right if

        sum over copies of m of r_i  -  sum over other tokens u of r_i * b u  >  0

    with b u at most far for tokens below the window. At each position there are window + 2 kinds
    of tokens; all choices of kinds are tried, and each stands for as many sequences as it has
    tokens below the window. Exponential in the length. Where the sum does not suffice, or there
    are no such b, the sequences are evaluated, if they are at most [most] (Choices.v). *)

From Coq Require Import ZArith List Bool.
From CompactProofs Require Import Statement Counting Enclosure Paths Exhaustive Additive Choices.
Import ListNotations.

(** The sum of E over a list's entries, numbered from k on. *)
Fixpoint total_from {X} (k : nat) (l : list X) (E : nat -> X -> Z) : Z :=
  match l with
  | [] => 0%Z
  | a :: l => (E k a + total_from (S k) l E)%Z
  end.

Section Checker.
  Context {A : enclosures}.
  Variables (M : transformer) (o : options) (most : Z) (P : tables (A := A)).
  Notation zero := (of_Z A 0).

  (** Sequences that go on with these factors, from the sum [acc] so far, to a sum above 0; the
      [few] tokens below the window are all bounded by [far]. [chosen] are the kinds so far, from
      the last position to the first, and [weight] is how many sequences they allow; [rest] counts
      those of a choice whose sum does not suffice. [seen]: has m occurred? Choices without it are
      left out: they have bounds too, which prove nothing. *)
  Fixpoint explore (rest : list kind -> Z) (m few : nat) (ys : list (T A)) (far : T A)
      (factors : list (T A)) (acc : T A) (chosen : list kind) (weight : Z) (seen : bool) : Z :=
    match factors with
    | [] =>
        if less A zero acc then weight else if (weight <=? most)%Z then rest chosen else 0%Z
    | r :: factors =>
        let after := explore rest m few ys far factors in
        let maximum := after (add A acc r) (One m :: chosen) weight true in
        if match factors with [] => seen | _ => true end then
          (match few with
           | O => 0
           | S _ =>
               after (sub A acc (mul A r far)) (Below :: chosen) (Z.of_nat few * weight)%Z seen
           end +
           (total_from few ys (fun u y =>
              after (sub A acc (mul A r y)) (One u :: chosen) weight seen) + maximum))%Z
        else maximum
    end.

  (** A test that costs little and need not be right: of a choice of single tokens, does the logit
      of m seem to exceed those of all tokens that occur? What fails it is mostly wrong, and is not
      evaluated. [ws]: the attention of q to each token; [fs]: to each position. *)
  Definition plausible (ws fs : list (T A)) (m q : nat) (choices : list kind) : bool :=
    let tokens := q :: flat_map (tokens_of 0) choices in
    if (length tokens =? n_ctx M)%nat then
      let leads x :=
        fold_right (fun '(i, u) => add A
            (let gain table a := let row := nth a table [] in sub A (entry_of row m) (entry_of row x) in
             mul A (mul A (entry_of ws u) (entry_of fs i))
               (add A (gain (t_EUPU P) q) (add A (gain (t_PVOU P) i) (gain (t_EVOU P) u)))))
          zero (combine (rev (seq 0 (n_ctx M))) tokens) in
      forallb (fun x => if (x =? m)%nat then true else less A zero (leads x)) tokens
    else true.

  (** Right sequences that end in q and have the maximum m, among those of a choice: evaluated.
      [rows]: what each token adds at each position, from the last to the first. *)
  Definition evaluate (rows : list (nat -> list (T A))) (few m q : nat) (choices : list kind) : Z :=
    match rows with
    | final :: rows => evaluated few m choices rows (final q) q
    | [] => 0%Z
    end.

  (** What is known of a query: the attention from it to each token, over that to itself; what
      positions multiply it by; and what each token adds at each position, from the last to the
      first. *)
  Record query := {
    attention : list (T A);
    factors_of : list (T A);
    additions : list (nat -> list (T A))
  }.

  Definition query_of (q : nat) : query :=
    let ws := weights P q in
    {| attention := ws;
       factors_of := map (texp A) (centred P q);
       additions := map (contribution_by M P ws q) (rev (seq 0 (S (last M)))) |}.

  (** [harm], with quotients of attention in place of exponentials of scores. *)
  Definition harm_of (F : folded) (m : nat) (C : column) (q : nat) (ws : list (T A))
    : option (list (T A) * T A) :=
    let over_m := fun a => div A a (entry_of ws m) in
    harm_by o (fun u => over_m (entry_of ws u)) (over_m (hull_row (firstn (free o m) ws)))
      F m C [q].

  (** Sequences that end in q and have the maximum m. *)
  Definition pair_count (F : folded) (m : nat) (C : column) (q : nat) (known : query) : Z :=
    let ws := attention known in
    let fs := factors_of known in
    let rows := additions known in
    match harm_of F m C q ws with
    | Some (ys, far) =>
        let r := entry_of fs (last M) in
        let own := if (q <? free o m)%nat then far else entry_of ys (q - free o m) in
        explore (fun choices =>
            if plausible ws fs m q choices then evaluate rows (free o m) m q choices else 0%Z)
          m (free o m) ys far
          (map (entry_of fs) (seq 0 (last M)))
          (if (q =? m)%nat then r else sub A zero (mul A r own)) [] 1 (q =? m)%nat
    | None =>
        if (Z.of_nat (S m) ^ Z.of_nat (last M) <=? most)%Z
        then evaluate rows (S m) m q (repeat Below (last M)) else 0%Z
    end.

  Definition positions_count : Z :=
    let F := fold_means M P in
    let known := map query_of (seq 0 (d_vocab M)) in
    let nothing := {| attention := []; factors_of := []; additions := [] |} in
    total (seq 0 (d_vocab M)) (fun m =>
      let C := column_of M o F m in
      total (seq 0 (S m)) (fun q => pair_count F m C q (nth q known nothing))).
End Checker.
