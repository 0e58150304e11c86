"""Lemmas that proofs of different tasks share. Each function states its inequality, the proof and the cost.

All are ordinary PyTorch, for every reading: on plain tensors an estimate, on Enclosures a theorem. Hints may be any numbers: a bad
one makes a bound loose, never wrong.

ranges      how far entries of one row can be apart, alone or in groups of rows
norms       Euclidean norms, and distances from inner products
products    row differences of a product of matrices, without multiplying it out
splitting   a matrix as a low-rank part and a remainder, exactly
dominance   when what one term gains outweighs all that others harm
mean        weighted means with free terms, at a hinted value
relu        the two halves of a ReLU
positions   sums and ranges of positional factors
indices     tables of outputs, pairs and windows that depend on sizes alone
"""
