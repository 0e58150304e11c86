"""Proofs of any small network over tokens: boxes of inputs, additive bounds on them, exact counting.

A proof is a list of disjoint boxes, products of sets of tokens. On each box, for its label y and every rival output z, an
*additive* function ``c + sum_i T_i[x_i]`` is proven to lie below a positive multiple of the margin M_y - M_z; the inputs of the
box on which all these functions are positive are certified, and they are counted, not bounded. Everything here serves to find such
functions that are high, for any program of tensor operations, and to share the work between boxes.

boxes        boxes of constant label, from the task alone, and the split tree that divides them
reading      a program read by tokens: tables, exact as far as they go, and symbols for the rest
bounds       from symbols to additive functions below the margins
explanation, hints    lists of numbers, read in the order in which they are asked for: any numbers will do
proof, mixed          from a program, boxes and an explanation to the certified set (`compact_proofs.certified`)
listing      evaluation input by input, sharing what inputs have in common
search       searches, which prove nothing
strategy     `Automatic`
shared       `Shared`, the strategy that lists every input
estimates    guesses of the accuracy: samples by `listing`, of all inputs or of those that boxes leave
effort       what a search costs, which a proof does not pay for and an estimate does
report       the boxes in words and pictures
"""
