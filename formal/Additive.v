(** * The additive certificate, for sequences of any length

    The strategy `additive` of the Python package with counting=grid and direct=joint; compact_proofs/tasks/max_of_k/additive
    has the theory. Fix the last token q, the maximum m and another output x. Let g > 0 be at most [gain q m x i m] at every
    position i; for every other token u let b u >= 0 be such that [exp (EQKE q u - EQKE q m) * gain q m x i u >= - g * b u]
    at every position. With r_i = exp (EQKP q i - c), the sequence's sum of [term]s, over g exp (EQKE q m - c'), is then at least

        sum over copies of m of r_i  -  sum over other tokens u of r_i * b u

    in which neither x nor g occurs. With numbers far >= b u for the tokens below a window, and h_i >= r_i, position i gives at least

        r_i + h_i * far               if it holds m
        - h_i * max (0, b u - far)    if it holds a token u of the window
        0                             if it holds a smaller one

    minus [h_i * far], which is the same for all. Gains are rounded down, and harms up, to a grid, and the sequences whose
    sum suffices are counted (Grid.v). The queries of a group share their bounds: everything is enclosed for all of them
    together. Groups and options are hints: any will do, and bad ones only lower the count. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From CompactProofs Require Import Statement Counting Sums Enclosure Paths Grid.
Import ListNotations.

Record options := {
  window : nat;                  (* tokens just below m that have a bound of their own *)
  steps : positive;              (* grid points in a unit *)
  reach : nat                    (* states of the grid are at most this far from the middle *)
}.

Section Checker.
  Context {A : enclosures}.
  Variables (M : transformer) (o : options) (P : tables (A := A)).
  Notation vocab := (seq 0 (d_vocab M)).
  Notation context := (seq 0 (n_ctx M)).
  Notation zero := (of_Z A 0).
  Notation one := (of_Z A 1).
  Notation sub := (sub A). Notation add := (add A). Notation mul := (mul A). Notation div := (div A).

  
  (** Entries minus entry number m, and entry number m minus the entries; for every number but m. *)
  Definition away (m : nat) (row : list (T A)) : list (T A) := let c := entry_of row m in map (fun a => sub a c) (omit m row).
  Definition toward (m : nat) (row : list (T A)) : list (T A) := let c := entry_of row m in map (fun a => sub c a) (omit m row).

  (** *** Values, with the mean direct path and the mean positional value folded in (attention sums to 1) *)

  Definition mean (rows : list (list (T A))) : list (T A) :=
    let n := of_Z A (Z.of_nat (length rows)) in
    map (fun s => div s n) (fold_right (map2 add) (map (fun _ => zero) vocab) rows).

  Record folded := { values : list (list (T A)); spans : list (T A); direct : list (list (T A)); positional : list (list (T A)) }.

  Definition fold_means : folded :=
    let e := mean (t_EUPU P) in let p := mean (t_PVOU P) in let b := map2 add e p in
    let values := map (fun row => map2 add row b) (t_EVOU P) in
    {| values := values;
       spans := map hull_row values;
       direct := map (fun row => map2 sub row e) (t_EUPU P);
       positional := map (fun row => map2 sub row p) (t_PVOU P) |}.

  (** *** What depends on the maximum alone *)

  Definition free (m : nat) : nat := m - window o.  (* tokens below the window: 0, ..., free m - 1 *)
  Definition near (m : nat) : list nat := seq (free m) (m - free m).

  Record column := { margin : list (T A); harms : list (list (T A)); far_harm : T A; position_spread : list (T A) }.

  Definition column_of (F : folded) (m : nat) : column := {|
    margin := toward m (nth m (values F) []);
    harms := map (fun u => away m (nth u (values F) [])) (near m);
    far_harm := hull_row (map (fun u => sub (entry_of (spans F) u) (entry_of (nth u (values F) []) m)) (seq 0 (free m)));
    position_spread := hull_rows (map (fun i => away m (nth i (positional F) [])) context) |}.

  (** *** What depends on the group of queries alone *)

  (** Positional scores of a query minus their mean. *)
  Definition centred (a : nat) : list (T A) :=
    let row := nth a (t_EQKP P) [] in
    let c := div (fold_right add zero row) (of_Z A (Z.of_nat (length row))) in
    map (fun s => sub s c) row.

  Fixpoint all_some {X} (l : list (option X)) : option (list X) :=
    match l with
    | [] => Some []
    | Some x :: l => match all_some l with Some l => Some (x :: l) | None => None end
    | None :: _ => None
    end.

  (** [factors]: enclosures of r_i for all queries of the group; [most]: the numbers h_i. *)
  Record group := { queries : list nat; factors : list (T A); most : list (T A) }.

  Definition group_of_queries (qs : list nat) : option group :=
    let factors := map (texp A) (hull_rows (map centred qs)) in
    match all_some (map (upper A) factors) with
    | Some most => Some {| queries := qs; factors := factors; most := most |}
    | None => None
    end.

  (** *** A row: a group and a maximum *)

  (** The hull of an enclosure and all (h + d) i. *)
  Fixpoint ratio (so_far : T A) (hs ds is : list (T A)) : T A :=
    match hs, ds, is with
    | h :: hs, d :: ds, i :: is => ratio (join A so_far (mul (add h d) i)) hs ds is
    | _, _, _ => so_far
    end.

  (** Enclosures of b u for the window tokens, and the number far. [weigh] encloses what attention
      from the queries gives a token, over what it gives m; [far_weight] all tokens below the window. *)
  Definition harm_by (weigh : nat -> T A) (far_weight : T A) (F : folded) (m : nat) (C : column)
      (qs : list nat) : option (list (T A) * T A) :=
    let D := map2 add (hull_rows (map (fun a => away m (nth a (direct F) [])) qs)) (position_spread C) in
    let gap := map2 sub (margin C) D in
    if forallb (less A zero) gap then
      let inverse := map (div one) gap in
      let ys := map2 (fun u h => mul (weigh u) (ratio zero h D inverse)) (near m) (harms C) in
      match free m with
      | O => Some (ys, zero)
      | S _ =>
          let far_ratio := join A zero (div (add (far_harm C) (hull_row D)) (hull_row gap)) in
          match upper A (mul far_weight far_ratio) with
          | Some far => if at_most A zero far then Some (ys, far) else None
          | None => None
          end
      end
    else None.

  (** Scores of token u minus those of m, for some queries; and of all tokens below the window. *)
  Definition score (m : nat) (qs : list nat) (u : nat) : T A :=
    hull_row (map (fun a => let row := nth a (t_EQKE P) [] in sub (entry_of row u) (entry_of row m)) qs).
  Definition far_score (m : nat) (qs : list nat) : T A :=
    hull_row (flat_map (fun a =>
      let row := nth a (t_EQKE P) [] in
      let c := entry_of row m in map (fun s => sub s c) (firstn (free m) row)) qs).

  Definition harm (F : folded) (m : nat) (C : column) (qs : list nat) : option (list (T A) * T A) :=
    harm_by (fun u => texp A (score m qs u)) (texp A (far_score m qs)) F m C qs.

  (** The largest sum of powers of two below 2 ^ bits that meets a test, if all smaller numbers meet it. *)
  Fixpoint climb (test : Z -> bool) (bits : nat) (z : Z) : Z :=
    match bits with
    | O => z
    | S bits => let next := (z + 2 ^ Z.of_nat bits)%Z in climb test bits (if test next then next else z)
    end.

  Definition bits (bound : nat) : nat := S (Nat.log2 bound).
  Definition scaled (y : T A) : T A := mul (of_Z A (Zpos (steps o))) y.

  (** The least number up to the bound that meets a test, if all larger ones meet it. *)
  Definition least (test : Z -> bool) (bound : nat) : option nat :=
    if test 0%Z then Some O else
      let z := (climb (fun z => negb (test z)) (bits bound) 0 + 1)%Z in
      if ((z <=? Z.of_nat bound)%Z && test z)%bool then Some (Z.to_nat z) else None.

  (** Rounding to the grid: a gain down, a harm up, and the state above a threshold. *)
  Definition gain_on_grid (y : T A) : nat :=
    let a := scaled y in
    let test := fun z => ((z <=? Z.of_nat (reach o))%Z && at_most A (of_Z A z) a)%bool in
    let z := climb test (bits (reach o)) 0 in if test z then Z.to_nat z else O.
  Definition harm_on_grid (y : T A) : option nat :=
    let a := scaled y in least (fun z => at_most A a (of_Z A z)) (reach o + reach o).
  Definition state_above (y : T A) : option nat :=
    let a := scaled y in least (fun z => less A a (of_Z A (z - Z.of_nat (reach o)))) (reach o + reach o + reach o).

  Definition position_of (G : group) (ys : list (T A)) (far : T A) (i : nat) : position :=
    let h := entry_of (most G) i in
    {| up := gain_on_grid (add (entry_of (factors G) i) (mul h far));
       downs := map (fun y => harm_on_grid (mul h (join A zero (sub y far)))) ys |}.

  (** The state that sequences ending in q must reach. *)
  Definition needed (m : nat) (G : group) (ys : list (T A)) (far : T A) (q : nat) : option nat :=
    let all_far := fold_right (fun i s => add (mul (entry_of (most G) i) far) s) zero (seq 0 (last M)) in
    let r := entry_of (factors G) (last M) in
    state_above (if (q =? m)%nat then sub all_far r
                 else add all_far (mul r (if (q <? free m)%nat then far else entry_of ys (q - free m)%nat))).

  Definition row_count (F : folded) (m : nat) (C : column) (G : group) : Z :=
    match filter (fun q => (q <=? m)%nat) (queries G) with
    | [] => 0%Z
    | q :: qs =>
        match harm F m C (q :: qs) with
        | Some (ys, far) =>
            match map (position_of G ys far) (rev (seq 0 (last M))) with
            | p :: ps =>
                let l := levels (reach o) (free m) ps in
                total (q :: qs) (fun q => match needed m G ys far q with Some w => reaching (free m) p l w | None => 0%Z end)
            | [] => 0%Z
            end
        | None => 0%Z
        end
    end.

  Definition groups (group_of : list nat) : list (option group) :=
    map (fun g => group_of_queries (filter (fun q => (nth q group_of O =? g)%nat) vocab)) (seq 0 (S (fold_right Nat.max O group_of))).

  Definition additive_count (group_of : list nat) : Z :=
    let F := fold_means in
    let Gs := groups group_of in
    total vocab (fun m => let C := column_of F m in
      total Gs (fun G => match G with Some G => row_count F m C G | None => 0%Z end)).
End Checker.
