"""A program read by tokens: from tensor operations to tables, exact as far as they go, and symbols for the rest.

narrow               rows that nothing reads are left out
lifted               one call of an operation for all tokens at once
owners               which positions an entry depends on
values               the types Table, Additive, Shares, Form
operations           `read`: which rule each of the program's operations has; the result is a `Network`
tables, forms        operations on one position's tokens, and linear ones on sums of several positions
attention            softmaxes, their averages, layer norms
choices, definite    masks, and guards against NaN where no entry can be NaN
norms                norms that are written out, operation by operation
lines                functions of one number, between linear functions
blocks, pruning      symbols: averages (of a softmax), sums, functions, norms, intervals; those that nothing reads are dropped
evaluate             the symbols on given inputs, in ordinary arithmetic
refusals             what cannot be read
"""
