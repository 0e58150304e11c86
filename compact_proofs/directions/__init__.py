"""Few directions of output: what clusters of neurons write there is followed exactly, the rest is bounded. Any network on pairs.

network   what is asked of a network: one hidden layer of ReLUs that reads two operands
bound     the theorem
strategy  `Directions`, the strategy, which each task gives its networks to
search    finds clusters and directions
"""

from compact_proofs.directions.network import Doubt, OfPairs, PairNetwork
from compact_proofs.directions.strategy import Directions

__all__ = ["Directions", "Doubt", "OfPairs", "PairNetwork"]
