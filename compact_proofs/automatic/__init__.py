"""Proofs of any small network over tokens: boxes of inputs, additive bounds on them, exact counting.

A proof is a list of disjoint boxes, products of sets of tokens. On each box, for its label y and every rival output z, an
*additive* function ``c + sum_i T_i[x_i]`` is proven to lie below a positive multiple of the margin M_y - M_z; the inputs of the
box on which all these functions are positive are certified, and they are counted, not bounded. Everything here serves to find such
functions that are high, for any program of tensor operations, and to share the work between boxes.

The statement, and what is trusted
    roots, diagram          boxes (`compact_proofs.sequences`) of constant label, from the task alone
    tree                    the split tree, which an explanation gives and a verifier expands
    strategy, proof         `Automatic`: from a program and an explanation to the certified set
    explanation, hints      four lists of numbers, read in the order in which they are asked for; any numbers will do
From a program to tables and symbols
    narrow                  rows that nothing reads are left out
    lifted                  one call of an operation for all tokens at once
    owners                  which positions an entry depends on
    values, reading         the types Table, Additive, Shares, Form, and the operations on them
    choices, definite       masks, and guards against NaN where no entry can be NaN
    norms, pruning          norms that are written out; blocks that nothing reads
    blocks                  symbols: averages (of a softmax), sums, functions, norms, intervals
From symbols to additive functions
    rows                    averages by the ratio rule; jobs: boxes that share their tables
    rivals                  networks of attention only: all rivals merged into one row
    lines, tangent          functions of one number between lines, norms between affine functions
    projection, relaxed     tables of rows; ranges forwards, rows backwards
    margins, undecided      rivals proven by ranges, and the rest; what is left to count (`compact_proofs.certified`)
    mixed               boxes whose inputs have several labels
    token_sets          what boxes that allow the same tokens share
Searches, which prove nothing
    search, prices      what is worth its operations: to bound, to list, to leave out
    merged_search, merged_hints     for merged rivals
    relaxed_search, judging, cutting, nodes, shares     for everything else: which boxes to divide
    evaluate            symbols on given inputs
Evaluation one by one, sharing what inputs have in common
    listing, listed_steps, listed_values, shared, refusals
    listed_sums, listed_averages, listed_norms, listed_products, listed_maps    averages of tables, and what is made of them
"""
