"""Sequences of tokens: tasks on them, given by a label function that ships, by your own, or by a finite automaton.

automaton  `Automaton`, and `Language`: sequences of one length that it holds, counted and numbered
boxes      `Boxes`: products of sets of tokens, each of one label or of mixed labels
labels     label functions that ship, by name
task       `FiniteTask`, and `OverTokens`: tasks that can be given as one
"""

from compact_proofs.sequences.automaton import Automaton, Language
from compact_proofs.sequences.labels import LABELS, LabelFunction, label_function
from compact_proofs.sequences.task import FiniteTask, OverTokens

__all__ = ["LABELS", "Automaton", "FiniteTask", "LabelFunction", "Language", "OverTokens", "label_function"]
