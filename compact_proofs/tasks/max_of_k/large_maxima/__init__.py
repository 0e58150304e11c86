"""The additive certificate for large maxima only, from no more of the model than these need.

A sequence whose maximum is below `least` is given up: (least / d_vocab)^K of all. For the others, only tokens from
start = least - window on stand in the window of some maximum. Of these the values are exact; smaller ones are bounded together.
Queries are known by a centre for their group and the longest distance from it:

    W_E[q] = c_g + f_q,  |f_q| <= F_g,      so that  f_q . (z - z') <= F_g (|z - k| + |z' - k|)  for any vectors z, z', k

which bounds what they add to the outputs (z = a column of W_U) and to the scores of tokens beyond a part of rank one. All centres
are hints: any vectors will do, good ones make the distances short (`searches.smallest_ball`).

    tokens      tokens below a maximum, and the norms that everything else is bounded by
    attention   of each group of queries: by norms, or exactly
    values      the direct path, and rho
    strategy    the options
"""

from compact_proofs.tasks.max_of_k.large_maxima.strategy import LargeMaxima

__all__ = ["LargeMaxima"]
