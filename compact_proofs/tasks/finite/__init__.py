"""Any task on sequences of tokens: a label function that ships or your own, or a finite automaton.

automaton  `Automaton`, and `Language`: sequences of one length that it holds, counted and numbered
labels     label functions that ship, by name
task       `FiniteTask`
files      files of networks that say which function and which task they are
training   the general recipe; `zoo`: the networks that ship
"""

from compact_proofs.tasks.finite.automaton import Automaton, Language
from compact_proofs.tasks.finite.labels import LABELS, LabelFunction, label_function
from compact_proofs.tasks.finite.task import FiniteTask

__all__ = ["LABELS", "Automaton", "FiniteTask", "LabelFunction", "Language", "label_function"]
