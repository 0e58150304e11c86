"""Sound arithmetic: `Enclosure`, the context `sound()`, and the question `provably(...)`.

rounding      outward rounding and the a-priori bound for sums: what is assumed of the machine
tensor        the Enclosure itself
arithmetic    + - * / sums, matrix products
elementary    exp, log, tanh, erf, sin, ... with proven bounds
functions     softmax, layer norm, GELU
constants     pi
table         aten operation -> rule; `rules` fills it from `arithmetic_rules` and `order_rules`
leaves        the tensors among arguments and results
reading       the sound reading of ordinary PyTorch code
"""

from compact_proofs.enclosure.constants import pi
from compact_proofs.enclosure.counting import count_below
from compact_proofs.enclosure.reading import sound
from compact_proofs.enclosure.tensor import Enclosure, enclose, lower, possibly, provably, upper

__all__ = ["Enclosure", "count_below", "enclose", "lower", "pi", "possibly", "provably", "sound", "upper"]
