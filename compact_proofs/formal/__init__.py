"""Theorems that Coq checks: the accuracy of a model over the real numbers, from the formal development in ``formal/``.

`sources.formalize` writes a theorem, `theorem.check_theorem` lets Coq check it.

coq         the installed Coq: what is missing, building the development, running coqc
checkers    which strategies have a verified checker, and how they and their hints are written
sources     theorems about one-layer transformers: weights, hints, statement and proof
theorem     a theorem in a folder, and its check
assumptions what a theorem rests on, in plain words
"""
