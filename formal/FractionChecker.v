(** * A compact checker: sums of fractions on boxes of tokens, counted

    Bounds of  direct + sum over heads of N / D  for all inputs of a box, where N and D are sums of
    one number for each token, N = sum_i w_i g_i and D = sum_i w_i. For any number h,

        N / D = h + z / D = h + z (1 / D - k) + sum_i k w_i (g_i - h),   z = sum_i w_i (g_i - h),

    and if z (1 / D - k) is enclosed on the whole box, what is left is again a sum of one number for
    each token: it can be counted how often that is positive without running through the box. h is
    best the least value of N / D, k the least of 1 / D; both are chosen here, by comparisons that
    need not be right. Before, [pieces] of the box are enclosed in place of tokens. *)

From Coq Require Import ZArith List Bool.
From CompactProofs Require Import Arithmetic Rows Boxes.
Import ListNotations.

Section Checker.
  Variable A : arithmetic.
  Notation T := (T A).
  Notation zero := (of_Z A 0).
  Notation one := (of_Z A 1).

  Definition total (l : list T) : T := fold_right (add A) zero l.
  Definition at_token (l : list T) (u : nat) : T := nth u l (everything A).
  Definition slice (i : nat * nat) (l : list T) : list T := firstn (snd i) (skipn (fst i) l).

  (** The hull of a row; its entry that seems to come first. *)
  Definition hull (l : list T) : T :=
    match l with [] => everything A | a :: l => fold_left (join A) l a end.
  Definition extreme (before : T -> T -> bool) (l : list T) : T :=
    match l with
    | [] => zero
    | a :: l => fold_left (fun b c => if before c b then c else b) l a
    end.
  Definition least := extreme (less A).
  Definition greatest := extreme (fun a b => less A b a).

  (** ** Rows of a head, and views of them on a box

      A view of a row: enclosures, one of them for each token of the box at this position, and
      numbers that stand for them where h and k are chosen. *)

  Definition view : Type := list T * list T.

  Record table := {
    rows : list (list T);          (* for each position but the last, a number for each token *)
    coarse : list view;            (* the same for each piece *)
    final : list T                 (* for the last position, a number for each token *)
  }.

  Definition table_of (pick : list T -> T) (pieces : list (nat * nat)) (rows : list (list T))
      (final : list T) : table := {|
    rows := rows;
    coarse := map (fun r => (map (fun p => hull (slice p r)) pieces,
                             map (fun p => pick (slice p r)) pieces)) rows;
    final := final
  |}.

  (** Pieces of these sizes, one after the other. *)
  Fixpoint pieces_from (s : nat) (sizes : list nat) : list (nat * nat) :=
    match sizes with [] => [] | n :: sizes => (s, n) :: pieces_from (s + n) sizes end.

  Fixpoint keep {X} (mask : list bool) (l : list X) : list X :=
    match mask, l with
    | b :: mask, a :: l => if b then a :: keep mask l else keep mask l
    | _, _ => []
    end.

  (** Which pieces meet an interval? *)
  Definition mask_of (pieces : list (nat * nat)) (i : nat * nat) : list bool :=
    map (fun p => (fst p <? fst i + snd i) && (fst i <? fst p + snd p))%nat pieces.

  Definition single (t : table) (q : nat) : view :=
    let a := at_token (final t) q in ([a], [a]).
  Definition coarse_views (masks : list (list bool)) (q : nat) (t : table) : list view :=
    map2 (fun m (v : view) => (keep m (fst v), keep m (snd v))) masks (coarse t)
    ++ [single t q].
  Definition fine_views (b : box) (q : nat) (t : table) : list view :=
    map2 (fun i r => let s := slice i r in (s, s)) b (rows t) ++ [single t q].

  (** ** One head on a box *)

  (** Its weights: views; 1 / D, enclosed on the box; a value of 1 / D, which is about the least. *)
  Record weighing := { views : list view; inverse : T; slope : T }.

  Definition weigh (vs : list view) : option weighing :=
    let d := total (map (fun v => hull (fst v)) vs) in
    if less A zero d then
      Some {| views := vs; inverse := div A one d;
              slope := div A one (total (map (fun v => greatest (snd v)) vs)) |}
    else None.

  Fixpoint weigh_all (l : list (list view)) : option (list weighing) :=
    match l with
    | [] => Some []
    | vs :: l =>
        match weigh vs, weigh_all l with Some w, Some ws => Some (w :: ws) | _, _ => None end
    end.

  (** The pair of a weight and a gain with the least w (g - h). *)
  Fixpoint pick_from (h p w g : T) (ws gs : list T) : T * T :=
    match ws, gs with
    | w' :: ws, g' :: gs =>
        let p' := mul A w' (sub A g' h) in
        if less A p' p then pick_from h p' w' g' ws gs else pick_from h p w g ws gs
    | _, _ => (w, g)
    end.
  Definition pick (h : T) (ws gs : list T) : T * T :=
    match ws, gs with
    | w :: ws, g :: gs => pick_from h (mul A w (sub A g h)) w g ws gs
    | _, _ => (one, zero)
    end.

  (** A value of N / D, after some steps about the least (Dinkelbach's method). *)
  Definition mean (l : list (T * T)) : T :=
    div A (total (map (fun wg => mul A (fst wg) (snd wg)) l)) (total (map fst l)).
  Fixpoint threshold (steps : nat) (h : T) (ws gs : list view) : T :=
    match steps with
    | O => h
    | S steps => threshold steps (mean (map2 (fun w g => pick h (snd w) (snd g)) ws gs)) ws gs
    end.

  Definition excess (h : T) (w g : view) : list T :=
    map2 (fun a b => mul A a (sub A b h)) (fst w) (fst g).

  (** N / D on the box. *)
  Definition ratio (steps : nat) (w : weighing) (gs : list view) : T :=
    let h := threshold steps zero (views w) gs in
    add A h (mul A (total (map hull (map2 (excess h) (views w) gs))) (inverse w)).

  (** N / D as a number and one for each token at each position. *)
  Definition additive (steps : nat) (w : weighing) (gs : list view) : T * list (list T) :=
    let h := threshold steps zero (views w) gs in
    let zs := map2 (excess h) (views w) gs in
    (add A h (mul A (total (map hull zs)) (sub A (inverse w) (slope w))),
     map (map (mul A (slope w))) zs).

  (** ** Counting

      How often are all of some sums positive that have one number for each token? [so_far], and
      for each position its row, with an enclosure of all that the row and later ones may add. *)

  Record state := { so_far : T; rest : list (list T * T) }.

  Definition whole (s : state) : T :=
    match rest s with [] => so_far s | (_, all) :: _ => add A (so_far s) all end.

  Definition state_of (a : T) (l : list (list T)) : state := {|
    so_far := a;
    rest := fold_right (fun r l =>
      (r, match l with [] => hull r | (_, all) :: _ => add A (hull r) all end) :: l) [] l
  |}.

  (** The next token has the number k in its interval. *)
  Definition next (k : nat) (s : state) : state :=
    match rest s with
    | [] => s
    | (r, _) :: l => {| so_far := add A (so_far s) (at_token r k); rest := l |}
    end.

  (** Each sum belongs to something, X. [leaf] decides for single inputs, where sums do not, about
      those to whom these belong; it is not asked about more than [most] at once of which a sum is
      negative. *)
  Fixpoint explore {X} (most : Z) (leaf : list nat -> list X -> bool) (b : box)
      (l : list (state * X)) : Z :=
    let l := filter (fun s => negb (less A zero (whole (fst s)))) l in
    match l with
    | [] => size b
    | _ =>
        if (if existsb (fun s => less A (whole (fst s)) zero) l then (most <? size b)%Z else false)
        then 0%Z
        else
          match b with
          | [] => if leaf [] (map snd l) then 1%Z else 0%Z
          | (a, count) :: b =>
              fold_right (fun k n =>
                (explore most (fun t => leaf (a + k :: t)%nat) b
                   (map (fun s => (next k (fst s), snd s)) l) + n)%Z)
                0%Z (seq 0 count)
          end
    end.

  (** ** A box *)

  (** Of another output: what is written to it directly, for each last token, and its gains. *)
  Record rival := { beside : list T; gained : list table }.

  (** By how much it is led, at least, from views of its gains. *)
  Definition bound (steps : nat) (views_of : table -> list view) (q : nat) (ws : list weighing)
      (r : rival) : T :=
    fold_right (add A) (at_token (beside r) q)
      (map2 (fun w g => ratio steps w (views_of g)) ws (gained r)).

  Definition fine_state (steps : nat) (b : box) (q : nat) (ws : list weighing) (r : rival)
      : state :=
    let found := map2 (fun w g => additive steps w (fine_views b q g)) ws (gained r) in
    state_of
      (fold_right (add A) (at_token (beside r) q) (map fst found))
      (fold_right (map2 (map2 (add A))) (map (fun i => repeat zero (snd i)) (b ++ [(q, 1)]))
         (map snd found)).

  (** Rivals that a bound in so many steps does not prove to be led, bound after bound. *)
  Definition doubtful (rounds : list nat) (views_of : table -> list view) (q : nat)
      (ws : list weighing) (rivals : list rival) : list rival :=
    fold_left (fun l steps =>
      filter (fun r => negb (less A zero (bound steps views_of q ws r))) l) rounds rivals.

  (** Are rivals led at an input, whose tokens but the last are t? It is a box, too. *)
  Definition right_at (attends : list table) (rivals : list rival) (q : nat) (t : list nat) :
    bool :=
    let views_of := fine_views (map (fun u => (u, 1)) t) q in
    match weigh_all (map views_of attends) with
    | None => false
    | Some ws => match doubtful [0] views_of q ws rivals with [] => true | _ => false end
    end.

  (** How many inputs of the box, which go on with q, are right: their label leads all rivals. *)
  Definition count_box (rounds : list nat) (more : nat) (most : Z) (pieces : list (nat * nat))
      (attends : list table) (rivals : list rival) (q : nat) (b : box) : Z :=
    let views_of := coarse_views (map (mask_of pieces) b) q in
    match weigh_all (map views_of attends) with
    | None => 0%Z
    | Some ws =>
        match doubtful rounds views_of q ws rivals with
        | [] => size b
        | some =>
            match weigh_all (map (fine_views b q) attends) with
            | None => 0%Z
            | Some ws =>
                explore most (fun t open => right_at attends open q (removelast t))
                  (b ++ [(q, 1)]) (map (fun r => (fine_state more b q ws r, r)) some)
            end
        end
    end.
End Checker.
