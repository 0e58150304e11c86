"""Additive functions below the margins, on the boxes of a job.

jobs, token_sets     boxes that share their tables; what is read from tokens that several boxes allow
rows                 averages, by the ratio rule
rivals               networks of attention only: all rivals merged into one row
merged_hints         hints for both, fitted in ordinary arithmetic
tangent              norms, between affine functions
projection, relaxed  tables of rows; ranges of symbols forwards, rows backwards
margins, undecided   rivals proven by ranges, and the rest; what is left to count
"""
