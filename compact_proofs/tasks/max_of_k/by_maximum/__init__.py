"""The additive certificate with groups of queries that each maximum has for itself.

Bounds that queries share are as bad as the worst of them, so groups should hold queries that are alike; and which are alike depends
on the maximum. A *row* is a maximum m and some of the queries q <= m, which share their bounds. Rows are given to the maxima that
gain most by them: of five tokens' maxima, 128 rows prove what 460 do where all maxima have the same twelve groups.

All that a row knows of its queries is the entrywise maximum of one table over pairs (q, m): scores, differences of logits on the
direct path, scores of positions. So the search merges rows by a maximum of two vectors, and counts what the merged row proves.

    rows        a maximum and its queries, and the classes that are counted
    paths       the values, the direct path, and what the hardest rivals do
    pairs       the table over pairs, and what a row can contribute
    search      hints: the hardest rivals of each maximum, and its groups of queries
    strategy    the options
"""

from compact_proofs.tasks.max_of_k.by_maximum.strategy import ByMaximum

__all__ = ["ByMaximum"]
