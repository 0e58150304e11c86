(** * The one-layer transformer that compact checkers argue about

    Over the real numbers: a one-layer attention-only transformer, a task, and the accuracy of the one on the other. Checkers prove

        shaped params = true /\ accuracy params max_of_k >= 16769109 / 64 ^ 4

    and Bridge.v turns this into the same bound of the accuracy (Network.v) of the program that was traced from the module. A
    reader of a theorem need not trust this file.

    Reading guide: [nth i l x] is entry number i of the list l (x if there is none), [seq 0 n] is the list 0, 1, ..., n - 1,
    [IZR] and [INR] turn an integer and a natural number into the real number that they are. *)

From Coq Require Import Reals ZArith List.
Import ListNotations.
Open Scope R_scope.

(** ** Weights

    TransformerLens's names and shapes. A float is an integer over a power of two, so every weight is stored, exactly, as an
    integer: the weight is that integer over 2 ^ fraction_bits. *)

Record transformer := {
  d_vocab : nat;                 (* v: tokens are 0, ..., v - 1, of the input and of the output alike *)
  n_ctx : nat;                   (* K: tokens in a sequence *)
  d_model : nat;                 (* d: the residual stream's width *)
  d_head : nat;                  (* h: the head's width *)
  fraction_bits : nat;
  W_E : list (list Z);           (* v x d, one list for each row *)
  W_pos : list (list Z);         (* K x d *)
  W_Q : list (list Z);           (* d x h *)
  W_K : list (list Z);           (* d x h *)
  W_V : list (list Z);           (* d x h *)
  W_O : list (list Z);           (* h x d *)
  W_U : list (list Z)            (* d x v *)
}.

(** [shaped M]: every matrix has the shape that the four sizes say (an entry that is missing would be read as 0). Part of
    every theorem. *)
Definition has_shape (rows columns : nat) (W : list (list Z)) : bool :=
  (length W =? rows)%nat && forallb (fun row => length row =? columns)%nat W.
Definition shaped (M : transformer) : bool :=
  has_shape (d_vocab M) (d_model M) (W_E M) && has_shape (n_ctx M) (d_model M) (W_pos M) &&
  has_shape (d_model M) (d_head M) (W_Q M) && has_shape (d_model M) (d_head M) (W_K M) &&
  has_shape (d_model M) (d_head M) (W_V M) && has_shape (d_head M) (d_model M) (W_O M) &&
  has_shape (d_model M) (d_vocab M) (W_U M).

(** ** The forward pass

    No LayerNorm, no MLP, no biases; logits are read at the last position, whose query may attend to every position, so that
    no mask is needed. TransformerLens's order of operations. *)

Definition sum (n : nat) (f : nat -> R) : R := fold_right Rplus 0 (map f (seq 0 n)).

Section Forward.
  Variable M : transformer.
  Variable t : list nat.         (* the input: n_ctx tokens *)

  Definition entry (W : list (list Z)) (i j : nat) : R := IZR (nth j (nth i W []) 0%Z) / 2 ^ fraction_bits M.
  Definition token (i : nat) : nat := nth i t 0%nat.
  Definition last : nat := n_ctx M - 1.

  Definition resid_pre (i d : nat) : R := entry (W_E M) (token i) d + entry (W_pos M) i d.
  Definition q (h : nat) : R := sum (d_model M) (fun d => resid_pre last d * entry (W_Q M) d h).
  Definition k (i h : nat) : R := sum (d_model M) (fun d => resid_pre i d * entry (W_K M) d h).
  Definition v (i h : nat) : R := sum (d_model M) (fun d => resid_pre i d * entry (W_V M) d h).
  Definition attn_score (i : nat) : R := sum (d_head M) (fun h => q h * k i h) / sqrt (INR (d_head M)).
  Definition pattern (i : nat) : R := exp (attn_score i) / sum (n_ctx M) (fun j => exp (attn_score j)).
  Definition z (h : nat) : R := sum (n_ctx M) (fun i => pattern i * v i h).
  Definition attn_out (d : nat) : R := sum (d_head M) (fun h => z h * entry (W_O M) h d).
  Definition resid_post (d : nat) : R := resid_pre last d + attn_out d.
  Definition logit (x : nat) : R := sum (d_model M) (fun d => resid_post d * entry (W_U M) d x).
End Forward.

(** ** Tasks and accuracy

    A task says which output is right for a sequence. The model is right if it has that output, and the output's logit is
    strictly above every other: a tie is wrong. Accuracy is the share of all v ^ K sequences, each counted once, on which it is right. *)

Definition task := list nat -> nat.
Definition max_of_k : task := fold_right Nat.max 0%nat.

Definition right (M : transformer) (label : task) (t : list nat) : Prop :=
  (label t < d_vocab M)%nat /\
  forall x, (x < d_vocab M)%nat -> x <> label t -> logit M t x < logit M t (label t).

(** [right] as a truth value, so that it can be counted ([right_b_spec] in Counting.v: it is [true] exactly if [right]). *)
Definition right_b (M : transformer) (label : task) (t : list nat) : bool :=
  (label t <? d_vocab M)%nat &&
  forallb (fun x => if Nat.eq_dec x (label t) then true
                    else if Rlt_dec (logit M t x) (logit M t (label t)) then true else false)
          (seq 0 (d_vocab M)).

(** All sequences of length K over the tokens 0, ..., v - 1 ([sequences_spec] in Counting.v: each is there exactly once). *)
Fixpoint sequences (v K : nat) : list (list nat) :=
  match K with
  | O => [[]]
  | S K => flat_map (fun t => map (fun first => first :: t) (seq 0 v)) (sequences v K)
  end.

Definition accuracy (M : transformer) (label : task) : R :=
  let inputs := sequences (d_vocab M) (n_ctx M) in
  INR (length (filter (right_b M label) inputs)) / INR (length inputs).
