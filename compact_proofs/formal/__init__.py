"""Theorems that Coq checks: the accuracy of a model over the real numbers, from the formal development in ``formal/``.

`formalize` writes a theorem about any network; `Formalization.check` lets Coq check it.

network     any network: its program in index notation, proved by running it on every input
goal        bounds on boxes of inputs, up to a goal about real numbers that any prover may close
compact     theorems by a compact checker: which strategies have one
groups      networks on groups, proved from a certificate's circuits
directions  networks on two tokens, proved from few directions of what neurons write
hints_text  hints to compact checkers, as text that Coq reads
checkers    which strategies for one-layer transformers have a verified checker, and how they and their hints are written
sources     theorems about one-layer transformers: weights, hints, statement and proof
theorem     a theorem in a folder, and its check
assumptions what a theorem rests on, in plain words
coq         the installed Coq: what is missing, building the development, running coqc
"""
