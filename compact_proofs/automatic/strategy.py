"""`Automatic`: proofs of any small network over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.automatic import explanation as lists
from compact_proofs.automatic.boxes.roots import divided_by, valid_labels
from compact_proofs.automatic.boxes.tree import LIST, PROVE, REST, expand
from compact_proofs.automatic.listing.choice import Choice
from compact_proofs.automatic.mixed import proven_mixed
from compact_proofs.automatic.proof import proven
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.shared import inputs_of, listed
from compact_proofs.certified import Certified, disjoint
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.errors import BadInput, LengthUnknown
from compact_proofs.inputs.task import Task
from compact_proofs.options import Natural, Positive
from compact_proofs.program import Program
from compact_proofs.sequences.boxes import MIXED
from compact_proofs.sequences.task import FiniteTask, check_finite_form, finite_form

LARGEST = 1e100
"""Hints that overflowed are replaced by this."""
SOON = 2**34
"""Operations that the usual proof may spend on all inputs together, whatever one of them costs: a minute at most."""


@dataclass(frozen=True)
class Automatic(Strategy[Program]):
    """Split the inputs into boxes, bound the margins on each from below by additive functions of the tokens, and count.

    What the bounds do not prove is evaluated input by input, with everything shared that tables can share, where that is worth it.

    With the last token known, what depends on one other token is a table over tokens, exactly, and averages by a softmax of such
    tables are known exactly, too; other functions of several positions are bounded by sums of tables
    (`compact_proofs.automatic.reading`). Nothing about the architecture is assumed.
    """

    hard: Natural = 0
    """Rivals with rows of their own where the others are merged: at first, before labels that lose get more (search only)."""
    families: Positive = 1
    """Groups of labels, for each last token, that share the merged rivals, at first (search only)."""
    kept: Natural = 8
    """Rivals of a label that get hints of their own (networks with norms or MLPs)."""
    worth: Natural = 20_000
    """Operations that may be spent to certify one more input: by bounds, or by evaluating it, where that costs no more."""
    cuts: Natural = 6
    """Most often that a box is divided in search of a better bound."""
    most: Natural = 2**24
    """Inputs that are evaluated one by one, at most: they are kept in memory, and take time."""

    name: ClassVar[str] = "automatic"
    version: ClassVar[int] = 8
    summary: ClassVar[str] = "any small network over tokens: additive bounds on boxes, counted exactly, and a list of the rest"
    reads_program: ClassVar[bool] = True

    def applies_to(self, model: Program, task: Task) -> None:
        check_finite_form(task, finite(task))

    def specs(self, model: Program, task: Task) -> dict[str, Spec]:
        known = finite(task)
        return lists.specs(known.n_ctx, known.d_vocab)

    def explain(self, model: Program, task: Task) -> dict[str, Tensor]:
        """Search for boxes and hints: free, deterministic, bounded in evaluations."""
        from compact_proofs.automatic.search.find import search

        found = search(model, finite(task), self.hard, self.families, self.kept, self.cuts, float(self.worth), self.most)
        return {**found, "numbers": found["numbers"].nan_to_num(0.0, LARGEST, -LARGEST)}

    def verify(self, model: Program, task: Task, explanation: Explanation) -> Certified:
        if any(t.is_meta for t in model.tensors.values()):
            raise LengthUnknown("automatic: the length of a proof depends on what it finds, and is not known from shapes")
        known = finite(task)
        leaves = expand(divided_by(explanation, known), explanation["tree"])
        lists_ = (explanation["group"], explanation["choices"], explanation["numbers"])
        sets: list[Certified] = []
        rest = [inputs_of(leaves.of_kind(LIST), self.most)]
        choice = Choice(model, known.d_vocab)

        def make_tables() -> None:
            """The tables that a list needs, if it is known that there will be one: workers are at the boxes meanwhile."""
            if len(rest[0]):
                choice.prepare(rest[0])

        bounded = leaves.of_kind(PROVE, REST)
        if len(bounded):
            network = read(model, known.d_vocab, known.n_ctx - 1)
            group, choices, numbers = lists_
            if any(label != MIXED for label in bounded.labels.tolist()):
                found = proven(network, leaves, group, choices, numbers, self.kept, float(self.worth), make_tables)
            else:
                known_labels = partial(valid_labels, known)
                found = proven_mixed(network, bounded, leaves.rest, group, numbers, self.kept, known_labels, make_tables)
            for part, others in found:
                sets.append(part)
                rest.append(others)
        one_by_one = torch.cat(rest)[: self.most]
        if len(one_by_one):
            sets.append(listed(choice, known, one_by_one))
        return disjoint(sets)


def usual(task: Task) -> Automatic:
    """The proof to try first: where inputs are few, each may cost more than elsewhere, so that the bound is not 0 for thrift."""
    return Automatic(worth=max(Automatic.worth, SOON // task.size))


def finite(task: Task) -> FiniteTask:
    """A task as one over sequences of tokens.

    Raises
    ------
    BadInput
        If it is not one.
    """
    form = finite_form(task)
    if form is None:
        raise BadInput(f"automatic: the task {task.name} is not one over sequences of tokens; write it as a FiniteTask")
    return form


def is_over_tokens(task: Task) -> bool:
    """Whether `finite` knows a task."""
    try:
        finite(task)
    except BadInput:
        return False
    return True
