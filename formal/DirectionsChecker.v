(** * A compact checker for networks with one hidden layer that read two tokens

    A program over any arithmetic (Arithmetic.v) that bounds what neurons write by few directions
    of each cluster and by norms (Directions.v), for every pair of tokens. All numbers that it is
    given are hints, integers over 2 ^ bits: whatever they are, what is counted is right; bad ones
    prove less. That every neuron is in one cluster, once, is checked. *)

From Coq Require Import ZArith NArith List Bool.
From CompactProofs Require Import Arithmetic Rows.
Import ListNotations.

(** ** Hints *)

Record neuron := {
  index : nat;
  factor : Z;                      (* it is multiplied by this, and its outputs divided *)
  coordinates : list Z             (* of its outputs, in the directions of its cluster *)
}.

Record cluster := {
  neurons : list neuron;
  directions : list (list Z)       (* each a number for every output *)
}.

(** Each of m neurons once, with positive factors? *)
Definition once_each (m : nat) (clusters : list cluster) : bool :=
  let all := flat_map neurons clusters in
  let indices := map (fun v => N.of_nat (index v)) all in
  (length all =? m)%nat
  && forallb (fun i => existsb (N.eqb i) indices) (map N.of_nat (seq 0 m))
  && forallb (fun v => (0 <? factor v)%Z) all.

Section Checker.
  Variable A : arithmetic.
  Notation T := (T A).
  Notation zero := (of_Z A 0).

  (** ** Numbers of hints: exact ones, where there are such; products with these are fastest *)

  Definition hint : Type := W A + T.
  Definition hint_of (bits : nat) (z : Z) : hint :=
    match exact A z bits with
    | Some w => inl w
    | None => inr (div A (of_Z A z) (of_Z A (2 ^ Z.of_nat bits)))
    end.
  Definition times (k : hint) (a : T) : T :=
    match k with inl w => scale A w a | inr b => mul A b a end.
  Definition value (k : hint) : T := match k with inl w => of_W A w | inr b => b end.

  (** ** Sums *)

  Fixpoint sum_from (s : T) (l : list T) : T :=
    match l with a :: l => sum_from (add A s a) l | [] => s end.
  Fixpoint dot_from (s : T) (l l' : list T) : T :=
    match l, l' with a :: l, b :: l' => dot_from (add A s (mul A a b)) l l' | _, _ => s end.
  Fixpoint along_from (s : T) (ks : list hint) (l : list T) : T :=
    match ks, l with k :: ks, a :: l => along_from (add A s (times k a)) ks l | _, _ => s end.

  (** Numbers of all neurons, cluster after cluster. *)
  Definition row : Type := list (list T).
  Fixpoint dot_rows (s : T) (r r' : row) : T :=
    match r, r' with l :: r, l' :: r' => dot_rows (dot_from s l l') r r' | _, _ => s end.
  Definition each (f : T -> T -> T) (r r' : row) : row := map2 (map2 f) r r'.

  (** ** The network's tables *)

  Variables (p q m n bits : nat).    (* tokens of either place, neurons, outputs *)
  Variable clusters : list cluster.
  (** What neuron i reads of x and y; what it writes to z; what x and y write beside it. *)
  Variables (pre : nat -> nat -> nat -> T) (out : nat -> nat -> T) (direct : nat -> nat -> nat -> T).

  Definition row_of (f : neuron -> T) : row := map (fun c => map f (neurons c)) clusters.
  Definition times_factor (v : neuron) (a : T) : T := mul A (of_Z A (factor v)) a.

  (** What is read is a sum over both tokens: x and token 0, and by how much y differs from that. *)
  Definition left_row (x : nat) : row := row_of (fun v => times_factor v (pre x 0 (index v))).
  Definition right_row (y : nat) : row :=
    row_of (fun v => times_factor v (sub A (pre 0 y (index v)) (pre 0 0 (index v)))).
  Definition hidden : row -> row -> row := each (fun a b => trelu A (add A a b)).

  Definition mean (rs : list row) : row :=
    let k := of_Z A (Z.of_nat (length rs)) in
    let s := fold_right (each (add A)) (row_of (fun _ => zero)) rs in
    map (map (fun a => div A a k)) s.

  (** ** Outputs *)

  Definition out_row (z : nat) : row :=
    row_of (fun v => div A (out z (index v)) (of_Z A (factor v))).

  (** The directions of a cluster: coordinates of its neurons, and a number for every output. *)
  Definition way : Type := list hint * list hint.
  Definition number_at (l : list Z) (k : nat) : hint := hint_of bits (nth k l 0%Z).
  Definition numbers_of (c : cluster) : list nat := seq 0 (length (directions c)).
  Definition ways_of (c : cluster) : list way :=
    map (fun d => (map (fun v => number_at (coordinates v) d) (neurons c),
                   map (number_at (nth d (directions c) [])) (seq 0 n))) (numbers_of c).

  (** What a cluster's neurons write to z in its directions. *)
  Definition followed_cluster (c : cluster) (z : nat) (ways : list way) : list T :=
    fold_right (fun (w : way) l =>
      let v := value (nth z (snd w) (inr (everything A))) in
      map2 (fun k s => add A (times k v) s) (fst w) l)
      (map (fun _ => zero) (neurons c)) ways.
  Definition followed_row (ways : list (list way)) (z : nat) : row :=
    map2 (fun c w => followed_cluster c z w) clusters ways.

  Definition follow_cluster (acc : list T) (ways : list way) (l : list T) : list T :=
    fold_left (fun acc (w : way) =>
      let k := along_from zero (fst w) l in map2 (fun a v => add A a (times v k)) acc (snd w))
      ways acc.
  Fixpoint follow (acc : list T) (ways : list (list way)) (r : row) : list T :=
    match ways, r with
    | w :: ways, l :: r => follow (follow_cluster acc w l) ways r
    | _, _ => acc
    end.

  (** ** Pairs *)

  (** Of one token: what it adds to neurons, the mean of their answers, and for every output what
      is written beside neurons, and that with what the means write past the directions. *)
  Record side := { reads : row; answers : row; beside : list T; knows : list T }.

  Definition side_of (rests : list row) (reads answers : row) (beside : list T) : side := {|
    reads := reads;
    answers := answers;
    beside := beside;
    knows := map2 (fun a r => dot_rows a answers r) beside rests
  |}.

  Definition default : side := {| reads := []; answers := []; beside := []; knows := [] |}.

  (** Is the label of x and y provably above all other outputs? By the bounds; or, if [rest],
      by all logits. *)
  Definition proven (rest : bool) (label : nat -> nat -> nat) : nat -> nat -> bool :=
    let outs := map out_row (seq 0 n) in
    let centre := mean outs in
    let centred := map (fun o => each (sub A) o centre) outs in
    let ways := map ways_of clusters in
    let rests := map2 (each (sub A)) centred (map (followed_row ways) (seq 0 n)) in
    let sizes := map (fun r => tsqrt A (dot_rows zero r r)) rests in
    let lefts := map left_row (seq 0 p) in
    let rights := map right_row (seq 0 q) in
    let answers_left := map (fun l => mean (map (hidden l) rights)) lefts in
    let all := mean answers_left in
    let answers_right :=
      map (fun r => each (sub A) (mean (map (fun l => hidden l r) lefts)) all) rights in
    let beside_left := map (fun x => map (direct x 0) (seq 0 n)) (seq 0 p) in
    let beside_right :=
      map (fun y => map (fun z => sub A (direct 0 y z) (direct 0 0 z)) (seq 0 n)) (seq 0 q) in
    let sides reads answers beside :=
      map2 (fun ra b => side_of rests (fst ra) (snd ra) b) (map2 pair reads answers) beside in
    let left := sides lefts answers_left beside_left in
    let right := sides rights answers_right beside_right in
    fun x y =>
      let l := nth x left default in
      let r := nth y right default in
      let a := label x y in
      let h := hidden (reads l) (reads r) in
      let apart := each (sub A) (each (sub A) h (answers l)) (answers r) in
      let size := tsqrt A (dot_rows zero apart apart) in
      let above := map2 (fun a s => add A a (mul A size s))
                        (follow (map2 (add A) (knows l) (knows r)) ways h) sizes in
      let beside := map2 (add A) (beside l) (beside r) in
      let own := dot_rows (nth a beside (everything A)) h (nth a centred []) in
      let below l := forallb (fun b => less A b own) (omit a l) in
      if below above then true
      else if rest then below (map2 (fun s o => dot_rows s h o) beside centred)
      else false.
End Checker.
