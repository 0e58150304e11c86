(** * Definitions evaluated row by row: soundness *)

From Coq Require Import Uint63 PArray Ring63 ZArith Reals List Lia Bool.
From CompactProofs Require Import Network Arrays Arithmetic Rows Evaluator Places EvaluatorSound
  RowEvaluator.
Import ListNotations.
Open Scope nat_scope.

(** ** Places that do not mention an axis, or the input *)

Lemma place_other t i j axes l : mentions 0 l = false ->
  place t (i :: axes) l = place t (j :: axes) l.
Proof.
  induction l as [r|l IH|n|a IHa b IHb|l IH n|l IH n|l IH n]; cbn [mentions place]; intros Not;
    try reflexivity; try (now rewrite IH).
  - destruct r; [discriminate|reflexivity].
  - apply orb_false_elim in Not. destruct Not. now rewrite IHa, IHb.
Qed.

Lemma place_input t t' axes l : constant_index l = true -> place t axes l = place t' axes l.
Proof.
  induction l as [r|l IH|n|a IHa b IHb|l IH n|l IH n|l IH n]; cbn; intros Constant;
    try reflexivity; try discriminate; try (now rewrite IH).
  apply andb_prop in Constant. destruct Constant. now rewrite IHa, IHb.
Qed.

Section Soundness.
  Context {A : arithmetic} {is : W A -> R -> Prop} {contains : T A -> R -> Prop}.
  Hypothesis Sd : sound A is contains.
  Notation zero := (fun _ : list nat => 0%R).
  Notation stored := (stored (is := is) (contains := contains)).
  Notation env_ok := (env_ok (is := is) (contains := contains)).
  Notation encl := (encloses (contains := contains)).

  Lemma strided_sound f n : forall i step g,
    (forall k, k < n -> contains (f (i + int_of k * step)%uint63) (g k)) ->
    encl (strided A f n i step) g (seq 0 n).
  Proof using.
    intros i step g Each.
    assert (From : forall n s i,
      (forall k, k < n -> contains (f (i + int_of k * step)%uint63) (g (s + k))) ->
      encl (strided A f n i step) g (seq s n)).
    { clear. induction n as [|n IH]; intros s i Each; [constructor|]. cbn [strided seq].
      constructor.
      - specialize (Each 0 ltac:(lia)). now rewrite stride_0, Nat.add_0_r in Each.
      - apply IH. intros k Below. specialize (Each (S k) ltac:(lia)).
        rewrite stride_S in Each. now rewrite Nat.add_succ_r in Each. }
    apply From. exact Each.
  Qed.

  (** What is known beforehand. *)
  Variables (first : list (store A)) (shapes0 : list (list nat)) (fs0 : list tensor).
  Hypothesis Known : env_ok first shapes0 fs0.

  Section Input.
    Variables (t tb : list nat) (env : list (store A)) (shapes : list (list nat)).
    Variables (fs more : list tensor).
    Hypothesis Env : env_ok env shapes fs.
    Hypothesis Tokens : in_range tb t.
    Hypothesis Before : fs = fs0 ++ more.
    Notation tp := (map point_of t).

    Lemma read_line_sound axes ab n x l : in_range ab axes ->
      safe shapes tb (ab ++ [n]) (Read x l) = true ->
      forallb (straight (length axes)) l = true ->
      encl (read_line A (map point_of axes) n x l env tp)
        (fun k => meaning t fs (axes ++ [k]) (Read x l)) (seq 0 n).
    Proof using Sd Env Tokens.
      intros Axes Safe Straight. unfold read_line. cbn [safe] in Safe.
      destruct (nth_error shapes x) as [ds|] eqn:Shape; [|discriminate].
      destruct (env_at _ _ _ Env x ds Shape) as [s [-> Stored]].
      rewrite map_length. destruct (line _ _ _ _ _) as [i step] eqn:Line.
      rewrite (stored_strides _ _ _ Stored) in Line.
      apply strided_sound. intros k Below. cbn [meaning].
      destruct s as [st a|st a]; destruct Stored as [_ Held]; cbn [entry];
        pose proof
          (held_line t tb Tokens _ a ds _ axes ab n l i step Held Axes Safe Straight Line k Below)
          as Here; [now apply (sound_of_W _ _ _ Sd)|exact Here].
    Qed.

    Lemma matrix_sound m n y k M : 0 < m -> matrix_at A first shapes0 m n y k = Some M ->
      exists rows, matrix_of A rows = Some M /\
        Forall2 (fun row i => encl row (fun j => meaning t fs [j; i] (Read y k)) (seq 0 m))
          rows (seq 0 n).
    Proof using Sd Known Before.
      intros Some_m Made. unfold matrix_at in Made.
      destruct (_ && _)%bool eqn:Checks; [|discriminate].
      rewrite !andb_true_iff in Checks. destruct Checks as [[Beyond Constant] Safe].
      apply Nat.ltb_lt in Beyond. eexists. split; [exact Made|].
      rewrite (points_seq n), map_map. apply tabulated_holds. intros i InI. apply in_seq in InI.
      rewrite (points_seq m), map_map. apply encloses_tabulate. intros j InJ. apply in_seq in InJ.
      assert (Same : meaning t fs [j; i] (Read y k) = meaning [] fs0 [j; i] (Read y k)).
      { cbn [meaning]. rewrite Before, app_nth1.
        - f_equal. apply map_ext_in. intros l In_l. apply place_input.
          rewrite forallb_forall in Constant. now apply Constant.
        - rewrite (meanings_length _ _ _ Known), <- (env_length _ _ _ Known). exact Beyond. }
      rewrite Same.
      change (eval A first [] [point_of j; point_of i] (Read y k))
        with (eval A first (map point_of []) (map point_of [j; i]) (Read y k)).
      apply (eval_sound Sd [] [] first shapes0 fs0 Known ltac:(constructor) _ _ [m; n]);
        [|exact Safe].
      constructor; [lia|]. constructor; [lia|constructor].
    Qed.

    Lemma one_by_one_sound m e : safe shapes tb [m] e = true ->
      encl (one_by_one A m e env tp) (fun j => meaning t fs [j] e) (seq 0 m).
    Proof using Sd Env Tokens.
      intros Safe. unfold one_by_one. rewrite points_seq, map_map. apply encloses_tabulate.
      intros j In. apply in_seq in In. change [point_of j] with (map point_of [j]).
      apply (eval_sound Sd t tb env shapes fs Env Tokens e [j] [m]); [|exact Safe].
      constructor; [lia|constructor].
    Qed.

    Lemma row_of_sound m e : safe shapes tb [m] e = true ->
      encl (row_of A first shapes0 m e env tp) (fun j => meaning t fs [j] e) (seq 0 m).
    Proof using Sd Known Env Tokens Before.
      induction e as [x l|n d| |n b IH|a IHa b IHb|a IHa b IHb|a IHa b IHb|a IHa b IHb
        |a IHa|a IHa|a IHa|a IHa]; intros Safe; cbn [row_of];
        try (now apply one_by_one_sound);
        try (pose proof Safe as Both; cbn [safe] in Both; apply andb_prop in Both;
             destruct Both as [SafeA SafeB]; specialize (IHa SafeA); specialize (IHb SafeB);
             apply encloses_map2; [|exact IHa|exact IHb]);
        try (specialize (IHa Safe); apply encloses_map; [|exact IHa]).
      - destruct (forallb (straight 0) l) eqn:Straight; [|now apply one_by_one_sound].
        apply (read_line_sound [] []); [constructor|exact Safe|exact Straight].
      - clear IH. pose proof (one_by_one_sound m (Sum n b) Safe) as Slow.
        destruct b as [| | | | | |a b| | | | |]; try exact Slow.
        destruct a as [x l| | | | | | | | | | |]; try exact Slow.
        destruct b as [y k| | | | | | | | | | |]; try exact Slow.
        destruct (_ && _)%bool eqn:Checks; [|exact Slow]. apply andb_prop in Checks.
        destruct Checks as [Some_m Straight]. apply Nat.ltb_lt in Some_m.
        destruct (matrix_at A first shapes0 m n y k) as [M|] eqn:Made; [|exact Slow]. clear Slow.
        destruct (matrix_sound m n y k M Some_m Made) as [rows [Made' Rows]].
        rewrite forallb_forall in Straight.
        cbn [safe] in Safe. apply andb_prop in Safe. destruct Safe as [SafeX _].
        apply (encloses_ext _ (fun j => sum n (fun i =>
          Rmult (meaning t fs [0; i] (Read x l)) (meaning t fs [j; i] (Read y k))))).
        { intros j _. cbn [meaning app]. apply sum_equal. intros i _. do 2 f_equal.
          apply map_ext_in. intros p In. apply place_other. specialize (Straight p In).
          apply andb_prop in Straight. destruct Straight as [_ Not].
          now apply negb_true_iff in Not. }
        apply (sound_apply _ _ _ Sd rows M _ n m
          (fun i => meaning t fs [0; i] (Read x l)) (fun i j => meaning t fs [j; i] (Read y k)));
          [exact Made'| |exact Rows].
        apply (read_line_sound [0] [m]); [constructor; [exact Some_m|constructor]|exact SafeX|].
        apply forallb_forall. intros i In. specialize (Straight i In).
        now apply andb_prop in Straight.
      - apply (sound_add _ _ _ Sd).
      - apply (sound_sub _ _ _ Sd).
      - apply (sound_mul _ _ _ Sd).
      - apply (sound_div _ _ _ Sd).
      - apply (sound_relu _ _ _ Sd).
      - apply (sound_exp _ _ _ Sd).
      - apply (sound_sqrt _ _ _ Sd).
      - apply (sound_erf _ _ _ Sd).
    Qed.

    (** ** Definitions *)

    Lemma row_stored m l f : fits [m] = true -> encl l (fun j => f [j]) (seq 0 m) ->
      stored (Enclosed A (strides [m]) (of_list (everything A) l)) [m] f.
    Proof using.
      intros Fits Row. split; [reflexivity|]. intros ix In.
      destruct ix as [|j [|]]; try (apply in_range_length in In; discriminate).
      assert (Below : j < m) by (inversion In; assumption).
      unfold fits in Fits. apply Z.leb_le in Fits.
      cbn [offset product fold_right] in *. rewrite Nat.mul_1_r, Nat.add_0_r in *.
      rewrite of_list_at; rewrite ?(encloses_length _ _ _ Row), ?seq_length; [|assumption..].
      exact (nth_holds (fun a j => contains a (f [j])) l m _ j Row Below).
    Qed.

    Lemma step_of_sound d : fits (shape d) = true -> safe shapes tb (shape d) (body d) = true ->
      stored (step_of A first shapes0 d env tp) (shape d) (fun axes => meaning t fs axes (body d)).
    Proof using Sd Known Env Tokens Before.
      intros Fits Safe.
      pose proof (define_sound Sd t tb env shapes fs Env Tokens d Fits Safe) as Slow.
      unfold step_of. destruct (shape d) as [|m [|]] eqn:Shape; try (destruct (body d); exact Slow).
      pose proof (row_stored m _ (fun axes => meaning t fs axes (body d)) Fits
        (row_of_sound m (body d) Safe)) as Fast.
      destruct (body d); try exact Fast. exact Slow.
    Qed.
  End Input.

  Lemma run_steps_sound t tb p : in_range tb t -> forall env shapes fs more,
    env_ok env shapes fs -> fs = fs0 ++ more -> safe_program shapes tb p = true ->
    env_ok (run_steps A (map point_of t) env (map (step_of A first shapes0) p))
      (shapes ++ map shape p) (run t fs p).
  Proof using Sd Known.
    intros Tokens. induction p as [|d p IH]; intros env shapes fs more Env Before Safe;
      cbn [map run_steps run]; [now rewrite app_nil_r|].
    cbn [safe_program] in Safe. apply andb_prop in Safe. destruct Safe as [Here Rest].
    apply andb_prop in Here. destruct Here as [Fits Safe].
    replace (shapes ++ shape d :: map shape p) with ((shapes ++ [shape d]) ++ map shape p)
      by now rewrite <- app_assoc.
    apply (IH _ _ _ (more ++ [fun axes => meaning t fs axes (body d)]));
      [|now rewrite Before, app_assoc|exact Rest].
    apply env_snoc; [exact Env|]. now apply (step_of_sound t tb env shapes fs more).
  Qed.
End Soundness.
