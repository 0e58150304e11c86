"""The additive certificate: one ratio rho[t, m] says how much a token t can harm the maximum m, and harms add up.

Fold the mean direct path into the values (attention sums to 1, so this is exact):

    EV'[t, x] = EVOU[t, x] + mean_q EUPU[q, x] + mean_i PVOU[i, x]
    delta_q = EUPU[q] - mean_q EUPU,    pi_i = PVOU[i] - mean_i PVOU

With weights w_i > 0 (unnormalised attention), output x loses to the maximum m if and only if:

    sum_i w_i ( EV'[t_i, x] - EV'[t_i, m] + delta_q[x] - delta_q[m] + pi_i[x] - pi_i[m] ) < 0

Let D[x] >= delta_q[x] - delta_q[m] + pi_i[x] - pi_i[m] for all queries of a group and all positions i, let
G[m, x] = EV'[m, m] - EV'[m, x] > D[x] for every x != m, and:

    rho[t, m] = max(0, max_{x != m} (EV'[t, x] - EV'[t, m] + D[x]) / (G[m, x] - D[x]))

Then **sum over t_i != m of w_i rho[t_i, m] < sum over t_i = m of w_i** proves the sequence right: for each x multiply by
G[m, x] - D[x] > 0; the left side is at least the sum of w_i (EV'[t_i, x] - EV'[t_i, m] + D[x]) over t_i != m, the right side minus
the sum of the same over t_i = m. The condition is additive over positions, so the sequences that satisfy it can be counted exactly.
Raising any rho or lowering any weight of m only shrinks that set.

Only a *window* of tokens just below m gets a rho of its own. All t < m - window share one: the largest weight among them times a
bound of their ratios.

    ratios      rho, for groups of queries
    readout     rho from a rank-one OV circuit, without a matrix over outputs
    positions   exact counting for each query and position
    grid        counting for groups of queries on a grid, any K
    strategy    the options
"""

from compact_proofs.tasks.max_of_k.additive.strategy import Additive

__all__ = ["Additive"]
