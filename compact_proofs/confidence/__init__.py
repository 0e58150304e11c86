"""Statements with confidence: a proven part counted exactly, the rest sampled. Never mixed with proofs, which need no luck.

binomial     the Clopper-Pearson bound, in directed decimal arithmetic
others       drawing from the inputs that a proof leaves
nothing      the strategy that proves nothing: plain sampling
statement    `Confidence`: what is said, in one file
sampling     `sample` makes a statement, `check_confidence` draws again
"""

from compact_proofs.confidence.binomial import clopper_pearson
from compact_proofs.confidence.nothing import Nothing
from compact_proofs.confidence.sampling import NotExact, can_be_sampled, check_confidence, sample
from compact_proofs.confidence.statement import Confidence
from compact_proofs.draws import Draws

__all__ = [
    "Confidence",
    "Draws",
    "NotExact",
    "Nothing",
    "can_be_sampled",
    "check_confidence",
    "clopper_pearson",
    "sample",
]
