"""Automatic search for explanations and options: never for verifiers.

proposal    what may be proposed: data only
space       the options that a task's strategies are tried with
metric      Q, one number for a set of proofs
judge       proves a proposal in the sound reading, within limits
archive     every proposal and its result, append-only, resumable
proposers   random, evolution; bayes by optuna; text by any program that talks
loop        `search`: ask, judge, tell
"""

from compact_proofs.search.archive import Archive
from compact_proofs.search.judge import Judge
from compact_proofs.search.loop import search
from compact_proofs.search.metric import q_metric
from compact_proofs.search.proposal import Proposal, Result
from compact_proofs.search.proposers import Evolution, Proposer, Random
from compact_proofs.search.space import Space
from compact_proofs.search.state import State
from compact_proofs.search.text import Text

__all__ = [
    "Archive",
    "Evolution",
    "Judge",
    "Proposal",
    "Proposer",
    "Random",
    "Result",
    "Space",
    "State",
    "Text",
    "q_metric",
    "search",
]
