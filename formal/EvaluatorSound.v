(** * The evaluator is sound: what it stores for a definition encloses what the definition means *)

From Coq Require Import Uint63 PArray Ring63 ZArith Reals List Lia Bool.
From CompactProofs Require Import Network Arrays Arithmetic Evaluator Places.
Import ListNotations.
Open Scope nat_scope.

(** ** Lines: what is read along one axis *)

Lemma place_snoc t axes k i :
  mentions (length axes) i = false -> place t (axes ++ [k]) i = place t axes i.
Proof.
  induction i as [i|i IH|n|i IHi j IHj|i IH n|i IH n|i IH n]; cbn [mentions place]; intros Not;
    try (rewrite IH by exact Not; reflexivity); try reflexivity.
  - apply Nat.eqb_neq in Not. destruct (Nat.lt_ge_cases i (length axes)); [now apply app_nth1|].
    rewrite !nth_overflow; [reflexivity|lia|rewrite app_length; cbn; lia].
  - apply orb_false_elim in Not. destruct Not. now rewrite IHi, IHj.
Qed.

Lemma small_fits n : small n = true -> (Z.of_nat n < wB)%Z.
Proof.
  unfold small. intros Small. apply Z.leb_le in Small.
  assert (Fits : (to_Z max_length < wB)%Z) by apply to_Z_bounded. lia.
Qed.

Section Places.
  Variables (t tb ab axes : list nat).
  Hypothesis Tokens : in_range tb t.
  Hypothesis Axes : in_range ab axes.

  Lemma place_i_of i b : bound tb ab i = Some b ->
    place_i (map point_of t) (map point_of axes) i = int_of (place t axes i).
  Proof using Tokens Axes.
    revert b. induction i as [i|i IH|n|i IHi j IHj|i IH n|i IH n|i IH n]; intros b Found;
      cbn [place_i place]; rewrite ?fst_point_of, ?nth_point_of; try reflexivity.
    - destruct i; rewrite ?fst_point_of, ?nth_point_of; reflexivity.
    - cbn [bound] in Found. destruct (bound tb ab i) as [c|]; [|discriminate].
      destruct (bound tb ab j) as [d|]; [|discriminate].
      now rewrite (IHi c), (IHj d), int_of_add.
    - cbn [bound] in Found. destruct (bound tb ab i) as [c|]; [|discriminate].
      now rewrite (IH c), int_of_mul.
    - cbn [bound] in Found. destruct (bound tb ab i) as [c|] eqn:Bound; [|discriminate].
      destruct (small c && small n)%bool eqn:Fits; [|discriminate].
      apply andb_prop in Fits. destruct Fits as [FitsC FitsN].
      apply small_fits in FitsC, FitsN.
      pose proof (bound_sound t tb ab axes Tokens Axes i c Bound).
      rewrite (IH c), int_of_div; [reflexivity|lia|exact FitsN|reflexivity].
    - cbn [bound] in Found. destruct (bound tb ab i) as [c|] eqn:Bound; [|discriminate].
      destruct (small c && small n)%bool eqn:Fits; [|discriminate].
      apply andb_prop in Fits. destruct Fits as [FitsC FitsN].
      apply small_fits in FitsC, FitsN.
      pose proof (bound_sound t tb ab axes Tokens Axes i c Bound).
      rewrite (IH c), int_of_mod; [reflexivity|lia|exact FitsN|reflexivity].
  Qed.

  Lemma places_i_of ds l : all_within tb ab ds l = true ->
    map (place_i (map point_of t) (map point_of axes)) l = map int_of (map (place t axes) l).
  Proof using Tokens Axes.
    revert l. induction ds as [|d ds IH]; intros [|i l] Within; try discriminate; [reflexivity|].
    cbn [all_within] in Within. apply andb_prop in Within. destruct Within as [Here Rest].
    unfold within in Here. destruct (bound tb ab i) as [b|] eqn:Bound; [|discriminate].
    cbn [map]. now rewrite (place_i_of i b Bound), IH.
  Qed.
End Places.

Lemma int_product_of ds : int_product ds = int_of (product ds).
Proof.
  induction ds as [|d ds IH]; [reflexivity|]. cbn. fold (product ds). fold (int_product ds).
  now rewrite IH, int_of_mul.
Qed.

Lemma position_offset ds ix :
  length ix = length ds -> position (strides ds) (map int_of ix) = int_of (offset ds ix).
Proof.
  revert ix. induction ds as [|d ds IH]; intros [|i ix] Long; try discriminate; [reflexivity|].
  cbn [strides map position offset].
  rewrite int_of_add, int_of_mul, int_product_of, IH by now injection Long. reflexivity.
Qed.

(** The places do not mention the axis that is added. *)
Lemma place_i_snoc t axes k i : mentions (length axes) i = false ->
  place_i (map point_of t) (map point_of (axes ++ [k])) i =
  place_i (map point_of t) (map point_of axes) i.
Proof.
  intros Not. induction i as [i|i IH|n|i IHi j IHj|i IH n|i IH n|i IH n];
    cbn [mentions place_i] in *; try reflexivity; try (now rewrite IH by exact Not).
  - rewrite !nth_point_of. f_equal. exact (f_equal point_of (place_snoc t axes k (Axis i) Not)).
  - destruct i as [i| | | | | |]; rewrite ?fst_point_of, ?nth_point_of; try reflexivity.
    + f_equal. cbn [fst point_of]. f_equal.
      exact (f_equal (fun a => nth a t 0) (place_snoc t axes k (Axis i) Not)).
    + f_equal. exact (place_snoc t axes k (Token (Token _)) Not).
    + f_equal. exact (place_snoc t axes k (Token (Shifted _ _)) Not).
    + f_equal. exact (place_snoc t axes k (Token (Scaled _ _)) Not).
    + f_equal. exact (place_snoc t axes k (Token (Quotient _ _)) Not).
    + f_equal. exact (place_snoc t axes k (Token (Remainder _ _)) Not).
  - apply orb_false_elim in Not. destruct Not. now rewrite IHi, IHj.
Qed.

Lemma line_sound t tb ab axes n k ds : in_range tb t -> in_range ab axes -> k < n ->
  forall l st start step, all_within tb (ab ++ [n]) ds l = true ->
  forallb (straight (length axes)) l = true ->
  line (map point_of t) (map point_of axes) (length axes) st l = (start, step) ->
  position st (map int_of (map (place t (axes ++ [k])) l)) = (start + int_of k * step)%uint63.
Proof.
  intros Tokens Axes Before. induction ds as [|d ds IH];
    intros [|i l] [|s st] start step Within Straight Line; try discriminate;
    cbn [line] in Line; try (injection Line as <- <-; cbn; ring).
  cbn [all_within] in Within. apply andb_prop in Within. destruct Within as [Bound Within].
  cbn [forallb] in Straight. apply andb_prop in Straight. destruct Straight as [Here Rest].
  destruct (line _ _ _ st l) as [start' step'] eqn:Line'.
  specialize (IH l st start' step' Within Rest Line'). cbn [map position]. rewrite IH.
  destruct (is_axis (length axes) i) eqn:Is; injection Line as <- <-.
  - destruct i as [i| | | | | |]; try discriminate. apply Nat.eqb_eq in Is. subst i. cbn [place].
    rewrite app_nth2, Nat.sub_diag by lia. cbn [nth]. ring.
  - unfold within in Bound. destruct (bound tb (ab ++ [n]) i) as [b|] eqn:Found; [|discriminate].
    assert (Not : mentions (length axes) i = false)
      by (destruct i; try exact Is; cbn [straight] in Here; now apply negb_true_iff in Here).
    rewrite <- (place_i_snoc t axes k i Not).
    rewrite (place_i_of t tb (ab ++ [n]) (axes ++ [k]) Tokens
      ltac:(now apply in_range_snoc) i b Found).
    ring.
Qed.

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.
  Notation zero := (fun _ : list nat => 0%R).

  (** ** Stores *)

  (** Entry by entry, an array holds what [P] allows of a tensor. *)
  Definition held {X} (P : X -> R -> Prop) (a : array X) (ds : list nat) (f : tensor) : Prop :=
    forall ix, in_range ds ix -> P a.[int_of (offset ds ix)] (f ix).

  Definition stored (s : store A) (ds : list nat) (f : tensor) : Prop :=
    match s with
    | Exact st a => st = strides ds /\ held is a ds f
    | Enclosed st a => st = strides ds /\ held contains a ds f
    end.

  Lemma stored_strides s ds f : stored s ds f -> strides_of A s = strides ds.
  Proof using. destruct s; intros []; assumption. Qed.

  (** Stores, shapes and meanings, one for each tensor. *)
  Record env_ok (env : list (store A)) (shapes : list (list nat)) (fs : list tensor) : Prop := {
    env_length : length env = length shapes;
    meanings_length : length fs = length shapes;
    env_at : forall x ds, nth_error shapes x = Some ds ->
      exists s, nth_error env x = Some s /\ stored s ds (nth x fs zero)
  }.

  Lemma env_nil : env_ok [] [] [].
  Proof using. constructor; try reflexivity. intros [|x] ds Found; discriminate. Qed.

  Lemma env_cons s env ds shapes f fs :
    stored s ds f -> env_ok env shapes fs -> env_ok (s :: env) (ds :: shapes) (f :: fs).
  Proof using.
    intros Here [Length Length' At]. constructor; cbn; [now rewrite Length|now rewrite Length'|].
    intros [|x] d Found; cbn in Found |- *; [injection Found as <-; now exists s|now apply At].
  Qed.

  Lemma env_snoc env shapes fs s ds f :
    env_ok env shapes fs -> stored s ds f -> env_ok (env ++ [s]) (shapes ++ [ds]) (fs ++ [f]).
  Proof using.
    intros [Length Length' At] Here.
    constructor; [rewrite !app_length; cbn; lia|rewrite !app_length; cbn; lia|].
    intros x d Found. destruct (Nat.lt_ge_cases x (length shapes)) as [Before|After].
    - rewrite nth_error_app1 in Found by exact Before. destruct (At x d Found) as [s' [Found' Hs]].
      exists s'. rewrite nth_error_app1, app_nth1 by lia. now split.
    - rewrite nth_error_app2 in Found by exact After.
      destruct (x - length shapes) as [|k] eqn:Last; [|now destruct k]. injection Found as <-.
      exists s. rewrite nth_error_app2, app_nth2 by lia.
      replace (x - length env) with 0 by lia. replace (x - length fs) with 0 by lia. now split.
  Qed.

  Section Input.
    Variables (t tb : list nat) (env : list (store A)) (shapes : list (list nat)).
    Variable fs : list tensor.
    Hypothesis Env : env_ok env shapes fs.
    Hypothesis Tokens : in_range tb t.
    Notation tp := (map point_of t).

    (** ** Entries *)

    Lemma fetch_sound s ds f ix :
      stored s ds f -> in_range ds ix -> contains (fetch A s (map int_of ix)) (f ix).
    Proof using Sd.
      intros Stored In. assert (Long : length ix = length ds) by now apply in_range_length.
      destruct s as [st a|st a]; destruct Stored as [-> Holds]; cbn;
        rewrite position_offset by exact Long; specialize (Holds ix In);
        [now apply (sound_of_W _ _ _ Sd)|exact Holds].
    Qed.

    Lemma total_of_sound n f g :
      (forall k, k < n -> contains (f (point_of k)) (g k)) -> contains (total_of A n f) (sum n g).
    Proof using Sd.
      intros Terms. unfold total_of, sum. rewrite points_seq.
      assert (All : forall k, In k (seq 0 n) -> contains (f (point_of k)) (g k))
        by (intros k In; apply Terms; apply in_seq in In; lia).
      clear Terms. induction (seq 0 n) as [|k l IH]; [apply (sound_of_Z _ _ _ Sd)|]. cbn.
      apply (sound_add _ _ _ Sd); [apply All; now left|]. apply IH. intros. apply All. now right.
    Qed.

    (** What a store holds along a line is what the tensor is there. *)
    Lemma line_offset ds axes ab n l start step :
      in_range ab axes -> all_within tb (ab ++ [n]) ds l = true ->
      forallb (straight (length axes)) l = true ->
      line tp (map point_of axes) (length axes) (strides ds) l = (start, step) ->
      forall k, k < n ->
        in_range ds (map (place t (axes ++ [k])) l) /\
        (start + int_of k * step)%uint63 = int_of (offset ds (map (place t (axes ++ [k])) l)).
    Proof using Tokens.
      intros Axes Within Straight Line k Before.
      assert (In : in_range ds (map (place t (axes ++ [k])) l))
        by (apply (all_within_sound t tb (ab ++ [n])); [exact Tokens| |exact Within];
            now apply in_range_snoc).
      split; [exact In|].
      rewrite <- (line_sound t tb ab axes n k ds Tokens Axes Before _ _ _ _ Within Straight Line).
      apply position_offset. now apply in_range_length.
    Qed.

    Lemma held_line {X} (P : X -> R -> Prop) a ds f axes ab n l start step :
      held P a ds f -> in_range ab axes -> all_within tb (ab ++ [n]) ds l = true ->
      forallb (straight (length axes)) l = true ->
      line tp (map point_of axes) (length axes) (strides ds) l = (start, step) ->
      forall k, k < n ->
        P a.[(start + int_of k * step)%uint63] (f (map (place t (axes ++ [k])) l)).
    Proof using Tokens.
      intros Holds Axes Within Straight Line k Before.
      destruct (line_offset ds axes ab n l start step Axes Within Straight Line k Before)
        as [In ->].
      now apply Holds.
    Qed.

    (** ** Sums of products *)

    Section Product.
      Variables (axes ab : list nat) (n x y : nat) (l k : list index).
      Hypothesis Axes : in_range ab axes.
      Hypothesis Safe : safe shapes tb (ab ++ [n]) (Times (Read x l) (Read y k)) = true.
      Notation r := (length axes).
      Notation factor z m := (fun i => nth z fs zero (map (place t (axes ++ [i])) m)).

      Lemma product_sound (slow : unit -> T A) :
        contains (slow tt) (sum n (fun i => factor x l i * factor y k i)%R) ->
        contains
          (if forallb (straight r) l && forallb (straight r) k then
             match nth_error env x, nth_error env y with
             | Some s, Some s' =>
                 let (i, si) := line tp (map point_of axes) r (strides_of A s) l in
                 let (j, sj) := line tp (map point_of axes) r (strides_of A s') k in
                 total A n (factors A s s') i si j sj
             | _, _ => slow tt
             end
           else slow tt)
          (sum n (fun i => factor x l i * factor y k i)%R).
      Proof using Sd Env Tokens Axes Safe.
        intros Slow. destruct (_ && _)%bool eqn:Straight; [|exact Slow].
        apply andb_prop in Straight. destruct Straight as [Straight Straight'].
        cbn [safe] in Safe. apply andb_prop in Safe. destruct Safe as [Within Within'].
        destruct (nth_error shapes x) as [ds|] eqn:ShapeX; [|discriminate].
        destruct (nth_error shapes y) as [ds'|] eqn:ShapeY; [|discriminate].
        destruct (env_at _ _ _ Env x ds ShapeX) as [s [-> Stored]].
        destruct (env_at _ _ _ Env y ds' ShapeY) as [s' [-> Stored']].
        rewrite (stored_strides _ _ _ Stored), (stored_strides _ _ _ Stored').
        destruct (line _ _ _ (strides ds) l) as [i si] eqn:Line.
        destruct (line _ _ _ (strides ds') k) as [j sj] eqn:Line'.
        apply (sound_total _ _ _ Sd). intros m Before.
        destruct s as [st a|st a], s' as [st' a'|st' a'];
          destruct Stored as [_ Held], Stored' as [_ Held']; cbn [factors];
          pose proof (held_line _ a ds _ axes ab n l i si Held Axes Within Straight Line m Before)
            as Left;
          pose proof
            (held_line _ a' ds' _ axes ab n k j sj Held' Axes Within' Straight' Line' m Before)
            as Right.
        - now apply (sound_multiply _ _ _ Sd).
        - now apply (sound_scale _ _ _ Sd).
        - rewrite Rmult_comm. now apply (sound_scale _ _ _ Sd).
        - now apply (sound_mul _ _ _ Sd).
      Qed.
    End Product.

    Lemma eval_sound e : forall axes ab,
      in_range ab axes -> safe shapes tb ab e = true ->
      contains (eval A env tp (map point_of axes) e) (meaning t fs axes e).
    Proof using Sd Env Tokens.
      induction e as [x l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
        |a IHa|a IHa|a IHa|a IHa];
        intros axes ab Axes Safe;
        try (pose proof Safe as Both; cbn [safe] in Both; apply andb_prop in Both;
             destruct Both as [SafeA SafeB];
             specialize (IHa axes ab Axes SafeA); specialize (IHb axes ab Axes SafeB));
        try specialize (IHa axes ab Axes Safe).
      - cbn [eval meaning safe] in *.
        destruct (nth_error shapes x) as [ds|] eqn:Shape; [|discriminate].
        destruct (env_at _ _ _ Env x ds Shape) as [s [-> Stored]].
        rewrite (places_i_of t tb ab axes Tokens Axes ds l Safe).
        apply (fetch_sound s ds); [exact Stored|]. now apply (all_within_sound t tb ab).
      - cbn. apply (sound_div _ _ _ Sd); apply (sound_of_Z _ _ _ Sd).
      - apply (sound_pi _ _ _ Sd).
      - cbn [safe] in Safe.
        assert (Slow : contains
          (total_of A n (fun p => eval A env tp (map point_of axes ++ [p]) b))
          (sum n (fun i => meaning t fs (axes ++ [i]) b))).
        { apply total_of_sound. intros k Before. change [point_of k] with (map point_of [k]).
          rewrite <- map_app. apply (IH _ (ab ++ [n])); [now apply in_range_snoc|exact Safe]. }
        clear IH. cbn [eval meaning]. destruct b as [| | | | | |a b| | | | |]; try exact Slow.
        destruct a as [x l| | | | | | | | | | |]; try exact Slow.
        destruct b as [y k| | | | | | | | | | |]; try exact Slow. rewrite map_length.
        exact (product_sound axes ab n x y l k Axes Safe
          (fun _ => total_of A n (fun p => eval A env tp (map point_of axes ++ [p]) _)) Slow).
      - now apply (sound_add _ _ _ Sd).
      - now apply (sound_sub _ _ _ Sd).
      - now apply (sound_mul _ _ _ Sd).
      - now apply (sound_div _ _ _ Sd).
      - now apply (sound_relu _ _ _ Sd).
      - now apply (sound_exp _ _ _ Sd).
      - now apply (sound_sqrt _ _ _ Sd).
      - now apply (sound_erf _ _ _ Sd).
    Qed.

    (** ** Definitions *)

    (** Entry by entry, a list made from all places is what the function made of each place. *)
    Lemma nth_places {X} (F : list point -> X) ds ix default :
      in_range ds ix -> fits ds = true ->
      (of_list default (map F (places ds))).[int_of (offset ds ix)] = F (map point_of ix).
    Proof using.
      intros In Fits. pose proof (offset_lt _ _ In) as Within. unfold fits in Fits.
      apply Z.leb_le in Fits. rewrite places_inputs, map_map.
      rewrite of_list_at by (rewrite map_length, length_inputs; assumption).
      rewrite (nth_indep _ default (F (map point_of [])))
        by (rewrite map_length, length_inputs; exact Within).
      rewrite (map_nth (fun ix => F (map point_of ix)) (inputs ds) []). now rewrite nth_inputs.
    Qed.

    Lemma enclosed_sound d :
      fits (shape d) = true -> safe shapes tb (shape d) (body d) = true ->
      stored (enclosed A env tp d) (shape d) (fun axes => meaning t fs axes (body d)).
    Proof using Sd Env Tokens.
      intros Fits Safe. split; [reflexivity|]. intros ix In.
      rewrite (nth_places (fun axes => eval A env tp axes (body d))) by assumption.
      now apply (eval_sound (body d) ix (shape d)).
    Qed.

    Lemma define_sound d :
      fits (shape d) = true -> safe shapes tb (shape d) (body d) = true ->
      stored (define A env tp d) (shape d) (fun axes => meaning t fs axes (body d)).
    Proof using Sd Env Tokens.
      intros Fits Safe. pose proof (enclosed_sound d Fits Safe) as Slow. unfold define.
      destruct (body d) as [x l| | | | | | | | | | |] eqn:Body; try exact Slow.
      destruct (nth_error env x) as [[st a|st a]|] eqn:Found; try exact Slow.
      destruct (exact A 0 0) as [z|]; [|exact Slow].
      destruct (forallb constant_index l); [|exact Slow]. clear Slow.
      split; [reflexivity|]. intros ix In. cbn [safe meaning] in *.
      destruct (nth_error shapes x) as [ds|] eqn:Shape; [|discriminate].
      destruct (env_at _ _ _ Env x ds Shape) as [s [Same Stored]]. rewrite Found in Same.
      injection Same as <-. destruct Stored as [-> Holds].
      assert (In' : in_range ds (map (place t ix) l))
        by now apply (all_within_sound t tb (shape d)).
      rewrite (nth_places (fun axes => a.[position (strides ds) (map (place_i tp axes) l)]))
        by assumption.
      rewrite (places_i_of t tb (shape d) ix Tokens In ds l Safe).
      rewrite position_offset by now apply in_range_length. now apply Holds.
    Qed.
  End Input.

  Lemma evaluate_sound t tb p : in_range tb t -> forall env shapes fs,
    env_ok env shapes fs -> safe_program shapes tb p = true ->
    env_ok (evaluate A (map point_of t) env p) (shapes ++ map shape p) (run t fs p).
  Proof using Sd.
    intros Tokens. induction p as [|d p IH]; intros env shapes fs Env Safe;
      cbn [evaluate run map]; [now rewrite app_nil_r|].
    cbn [safe_program] in Safe. apply andb_prop in Safe. destruct Safe as [Here Rest].
    apply andb_prop in Here. destruct Here as [Fits Safe].
    replace (shapes ++ shape d :: map shape p) with ((shapes ++ [shape d]) ++ map shape p)
      by now rewrite <- app_assoc.
    apply IH; [|exact Rest]. apply env_snoc; [exact Env|].
    now apply (define_sound t tb env shapes fs).
  Qed.
End Soundness.
