(** * A compact checker for networks on groups

    A program over enclosures (Enclosure.v) that bounds, from a network's weights and from circuits
    (Circuits.v), how far the product of x and y leads every other output, by a term of x and a term
    of y. It evaluates the network on no input. All numbers of a circuit are hints, integers over
    2^bits: whatever they are, what is counted is right; bad ones prove less. Its points and how
    elements act on them are checked. *)

From Coq Require Import Reals ZArith List Bool.
From CompactProofs Require Import Enclosure.
From CompactProofs Require Arithmetic Tasks.
Import ListNotations.
Open Scope nat_scope.

(** ** Hints *)

(** A share of a neuron that sees x as the point p = x^-1 b, and y as the point q = y c: its input
    is about seen_left p + seen_right q, and its output about mean + rows p + columns q +
    slope * table p q. *)
Record reading := {
  neuron : nat;
  share : Z;
  seen_left : list Z;
  seen_right : list Z;
  rows : list Z;
  columns : list Z;
  mean : Z;
  slope : Z
}.

Record circuit := {
  left_points : nat;
  right_points : nat;
  left_image : list (list nat);    (* row x: x^-1 b for every b *)
  right_image : list (list nat);   (* row y: y c for every c *)
  gamma : list (list Z);           (* row b *)
  table : list (list Z);           (* row p; rows and columns sum to 0 *)
  cells : list (list (list reading))  (* the readings of b and c *)
}.

Definition at_Z (l : list (list Z)) (i j : nat) : Z := nth j (nth i l []) 0%Z.
Definition image (l : list (list nat)) (x b : nat) : nat := nth b (nth x l []) 0.
Definition cell {X} (l : list (list (list X))) (b k : nat) : list X := nth k (nth b l []) [].

Definition all_readings (c : circuit) : list reading :=
  flat_map (fun b => flat_map (cell (cells c) b) (seq 0 (right_points c))) (seq 0 (left_points c)).

(** ** What is checked of them, exactly *)

Definition permutes (k : nat) (l : list nat) : bool :=
  (length l =? k) && forallb (fun p => p <? k) l && Tasks.distinct l.

Definition sum_Z (l : list Z) : Z := fold_right Z.add 0%Z l.

Section Exact.
  Variables (n : nat) (multiply : list (list nat)).
  Notation product := (image multiply).

  (** Products are elements, e is neutral on the left, and every z is x u for some u, every u is
      w y for some w, as inverses show. *)
  Definition divides (e : nat) (inverse : list nat) : bool :=
    let inv x := nth x inverse 0 in
    let elements := seq 0 n in
    (e <? n)
    && forallb (fun x => inv x <? n) elements
    && forallb (fun x => forallb (fun y => product x y <? n) elements) elements
    && forallb (fun y => product e y =? y) elements
    && forallb (fun x => forallb (fun z => product x (product (inv x) z) =? z) elements) elements
    && forallb (fun y => forallb (fun u => product (product u (inv y)) y =? u) elements) elements.

  Definition acts (c : circuit) : bool :=
    let left := image (left_image c) in
    let right := image (right_image c) in
    let elements := seq 0 n in
    let bs := seq 0 (left_points c) in
    let ks := seq 0 (right_points c) in
    forallb (fun x => permutes (left_points c) (nth x (left_image c) [])
                      && permutes (right_points c) (nth x (right_image c) [])) elements
    && forallb (fun w => forallb (fun y =>
         let both := nth (product w y) (right_image c) [] in
         let once := nth w (right_image c) [] in
         forallb (fun k => nth k both 0 =? nth (right y k) once 0) ks) elements) elements
    && forallb (fun x => forallb (fun b => forallb (fun k =>
         Z.eqb (at_Z (gamma c) b (right x k)) (at_Z (gamma c) (left x b) k)) ks) bs) elements
    && forallb (fun b => (sum_Z (map (at_Z (table c) b) ks) =? 0)%Z) bs
    && forallb (fun k => (sum_Z (map (fun b => at_Z (table c) b k) bs) =? 0)%Z) ks.

  (** Do the shares of every neuron add up to 1, and are there such neurons? *)
  Definition shares_whole (bits m : nat) (circuits : list circuit) : bool :=
    let readings := flat_map all_readings circuits in
    forallb (fun r => neuron r <? m) readings
    && forallb (fun i =>
         (sum_Z (map (fun r => if Nat.eqb (neuron r) i then share r else 0%Z) readings)
          =? 2 ^ Z.of_nat bits)%Z) (seq 0 m).
End Exact.

Section Enclosed.
  Context {A : enclosures}.
  Notation zero := (of_Z A 0).
  Notation "a + b" := (add A a b).
  Notation "a - b" := (sub A a b).
  Notation "a * b" := (mul A a b).

  (** ** Tables of enclosures, by place; what is missing encloses everything *)

  Notation at1 := (entry_of (A := A)).
  Definition at2 (l : list (list (T A))) i j : T A := at1 (nth i l []) j.
  Definition at3 (l : list (list (list (T A)))) i j k : T A := at2 (nth i l []) j k.
  Definition tab {X} (n : nat) (f : nat -> X) : list X := map f (seq 0 n).
  Definition tab2 {X} n m (f : nat -> nat -> X) := tab n (fun i => tab m (f i)).
  Definition tab3 {X} n m k (f : nat -> nat -> nat -> X) := tab n (fun i => tab2 m k (f i)).

  Definition total {X} (l : list X) (f : X -> T A) : T A := fold_right (fun a s => f a + s) zero l.
  Definition total2 (P Q : nat) (f : nat -> nat -> T A) : T A :=
    total (seq 0 P) (fun b => total (seq 0 Q) (f b)).

  (** All differences between two of n numbers that are enclosed. *)
  Definition spread (n : nat) (f : nat -> T A) : T A := let h := hull_row (tab n f) in h - h.

  Variables (n m bits : nat).
  Definition number (z : Z) : T A := div A (of_Z A z) (of_Z A (2 ^ Z.of_nat bits)).

  Variables (l r U : list (list (T A))) (bias : list (T A)).

  (** ** Readings *)

  Record reading_t := {
    neuron_t : nat;
    writes : list (T A);           (* the share of the neuron's output weights *)
    swing : T A;                   (* their differences, times numbers from -1 to 1 *)
    seen_left_t : list (T A);
    seen_right_t : list (T A);
    rows_t : list (T A);
    columns_t : list (T A);
    mean_t : T A;
    slope_t : T A
  }.

  Definition reading_of (d : reading) : reading_t :=
    let s := number (share d) in
    let u := tab n (fun z => s * at2 U (neuron d) z) in {|
      neuron_t := neuron d;
      writes := u;
      swing := spread n (at1 u) * tunit A;
      seen_left_t := map number (seen_left d);
      seen_right_t := map number (seen_right d);
      rows_t := map number (rows d);
      columns_t := map number (columns d);
      mean_t := number (mean d);
      slope_t := number (slope d)
    |}.

  (** ** Parts of the difference between the logits of xy and x w y *)

  Record part := {
    constant : list (T A);         (* known for every output z *)
    of_left : list (list (T A));   (* for x and z *)
    of_right : list (list (T A));  (* for y and z *)
    gaps : list (T A);             (* for w *)
    error_left : list (T A);       (* for x *)
    error_right : list (T A);      (* for y *)
    fixed : T A
  }.

  Section Circuit.
    Variable c : circuit.
    Notation P := (left_points c).
    Notation Q := (right_points c).
    Notation left := (image (left_image c)).
    Notation right := (image (right_image c)).

    Definition gamma_t := tab2 P Q (fun b k => number (at_Z (gamma c) b k)).
    Definition table_t := tab2 P Q (fun b k => number (at_Z (table c) b k)).
    Definition cells_t := map (map (map reading_of)) (cells c).

    (** What follows is computed from these three. *)
    Variables (g v : list (list (T A))) (ds : list (list (list reading_t))).
    Definition over_cell (b k : nat) (f : reading_t -> T A) : T A := total (cell ds b k) f.

    (** Known sums over the readings of a point, for every point that it may see. *)
    Definition by_left_t := tab3 P P n (fun b p z => total (seq 0 Q) (fun k =>
      over_cell b k (fun d => at1 (rows_t d) p * at1 (writes d) z))).
    Definition by_right_t := tab3 Q Q n (fun k p z => total (seq 0 P) (fun b =>
      over_cell b k (fun d => at1 (columns_t d) p * at1 (writes d) z))).

    (** What b and k write in proportion to the table, less gamma. *)
    Definition apart_t := tab3 P Q n (fun b k z =>
      over_cell b k (fun d => slope_t d * at1 (writes d) z) - at2 g b (right z k)).

    (** The same, less its means over k, and then over b. *)
    Definition row_means_t (apart : list (list (list (T A)))) := tab2 P n (fun b z =>
      div A (total (seq 0 Q) (fun k => at3 apart b k z)) (of_Z A (Z.of_nat Q))).
    Definition column_means_t (apart : list (list (list (T A)))) row := tab2 Q n (fun k z =>
      div A (total (seq 0 P) (fun b => at3 apart b k z - at2 row b z)) (of_Z A (Z.of_nat P))).
    Definition rest_t :=
      let apart := apart_t in
      let row := row_means_t apart in
      let column := column_means_t apart row in
      tab3 P Q n (fun b k z => at3 apart b k z - at2 row b z - at2 column k z).

    (** What the rest writes to any output, on any input. *)
    Definition noise :=
      let rest := rest_t in
      let size := tsqrt A (total2 P Q (fun b k => at2 v b k * at2 v b k)) in
      tunit A * hull_row (tab n (fun z =>
        tsqrt A (total2 P Q (fun b k => at3 rest b k z * at3 rest b k z)) * size)).

    (** How far the neurons' outputs are from the readings, on points. *)
    Definition misread_at (d : reading_t) (p q : nat) : T A :=
      Arithmetic.relu_enclosure (at1 (seen_left_t d) p + at1 (seen_right_t d) q)
      - (mean_t d + at1 (rows_t d) p + at1 (columns_t d) q + slope_t d * at2 v p q).
    Definition misread_t := total2 P Q (fun b k => over_cell b k (fun d =>
      swing d * hull_row (flat_map (fun p => tab Q (misread_at d p)) (seq 0 P)))).

    Definition part_from : part :=
      let by_left := by_left_t in
      let by_right := by_right_t in {|
        constant := tab n (fun z => total2 P Q (fun b k =>
          over_cell b k (fun d => mean_t d * at1 (writes d) z)));
        of_left := tab2 n n (fun x z => total (seq 0 P) (fun b => at3 by_left b (left x b) z));
        of_right := tab2 n n (fun y z => total (seq 0 Q) (fun k => at3 by_right k (right y k) z));
        gaps := tab n (fun w => total2 P Q (fun b k =>
          (at2 g b k - at2 g b (right w k)) * at2 v b k));
        error_left := tab n (fun x => total2 P Q (fun b k => over_cell b k (fun d =>
          swing d * (at2 l x (neuron_t d) - at1 (seen_left_t d) (left x b)))));
        error_right := tab n (fun y => total2 P Q (fun b k => over_cell b k (fun d =>
          swing d * (at2 r y (neuron_t d) - at1 (seen_right_t d) (right y k)))));
        fixed := (let s := noise in s - s) + misread_t
      |}.
  End Circuit.

  Definition part_of (c : circuit) : part := part_from c (gamma_t c) (table_t c) (cells_t c).

  Definition bias_part : part := {|
    constant := bias;
    of_left := tab2 n n (fun _ _ => zero);
    of_right := tab2 n n (fun _ _ => zero);
    gaps := tab n (fun _ => zero);
    error_left := tab n (fun _ => zero);
    error_right := tab n (fun _ => zero);
    fixed := zero
  |}.

  Definition add_parts (p q : part) : part := {|
    constant := tab n (fun z => at1 (constant p) z + at1 (constant q) z);
    of_left := tab2 n n (fun x z => at2 (of_left p) x z + at2 (of_left q) x z);
    of_right := tab2 n n (fun y z => at2 (of_right p) y z + at2 (of_right q) y z);
    gaps := tab n (fun w => at1 (gaps p) w + at1 (gaps q) w);
    error_left := tab n (fun x => at1 (error_left p) x + at1 (error_left q) x);
    error_right := tab n (fun y => at1 (error_right p) y + at1 (error_right q) y);
    fixed := fixed p + fixed q
  |}.

  Definition whole (circuits : list circuit) : part :=
    fold_right add_parts bias_part (map part_of circuits).

  (** ** Counting *)

  (** Is the product of x and y provably above all other outputs? *)
  Definition proven (e : nat) (circuits : list circuit) : nat -> nat -> bool :=
    let p := whole circuits in
    let least := hull_row (map (at1 (gaps p)) (omit e (seq 0 n))) + spread n (at1 (constant p))
                 + fixed p in
    let side known error := tab n (fun x => spread n (at2 known x) + at1 error x) in
    let left := side (of_left p) (error_left p) in
    let own := side (of_right p) (error_right p) in
    let right := tab n (fun y => least + at1 own y) in
    fun x y => less A zero (at1 left x + at1 right y).
End Enclosed.
