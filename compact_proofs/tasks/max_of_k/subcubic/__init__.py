"""The published subcubic proofs of Max-of-K, sound: one strategy made of three choices.

direct          five ways to bound the direct path EUPU
attention       two ways to use the attention to the maximum
residual        ten ways to bound the attention scores EQKE
peeling         EQKE = low rank + remainder, exactly
cases           what is known about each (query, maximum, number of other tokens)
gap_search      the untrusted search for gaps
strategy        the proof
table           the bounds of the remainder's row differences, side by side
"""

from compact_proofs.tasks.max_of_k.subcubic.strategy import COMBINATIONS, Subcubic
from compact_proofs.tasks.max_of_k.subcubic.table import RemainderBound, residual_table

__all__ = ["COMBINATIONS", "RemainderBound", "Subcubic", "residual_table"]
