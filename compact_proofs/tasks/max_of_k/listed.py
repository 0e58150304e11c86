"""A list of further sequences on top of the additive certificate: up to the exact accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.indices import others
from compact_proofs.certified import Certified, with_list
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import provably
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.progress import track
from compact_proofs.tasks.max_of_k.additive import Additive
from compact_proofs.tasks.max_of_k.additive.positions import Symbols, additive_member
from compact_proofs.tasks.max_of_k.paths import LazyPaths, Paths, attention_weights

LONGEST = 2**22
"""Sequences in a list, at most."""
LARGEST_TASK = 2**30
"""Sequences that a list is looked for among, at most."""
CHUNK = 2**16
"""Sequences evaluated at once."""


@dataclass(frozen=True)
class Listed(Additive):
    """The additive certificate, and a list of sequences that it does not count, each evaluated and counted once.

    The list is the explanation's. An entry counts if it comes after all before it in lexicographic order, is certainly not counted
    by the certificate (`certified.with_list`), and is right: with weights w[q, t] r[q, i] every x != m loses,
    ``sum_i w_i (EVOU[t_i, x] + PVOU[i, x]) + (sum_i w_i) EUPU[q, x] < the same at m``. If the list holds every sequence that the
    certificate misses, the bound is the true accuracy.

    Cost: that of the certificate, and about (2K + 3) v for each sequence.
    """

    name: ClassVar[str] = "listed"
    summary: ClassVar[str] = "ours: the additive certificate, then the sequences it misses one by one: the exact accuracy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.counting != "positions":
            raise BadInput("listed: needs counting=positions")

    def applies_to(self, model: AttentionOnlyTransformer, task: Task) -> None:
        super().applies_to(model, task)
        if task.size > LARGEST_TASK:
            raise BadInput(f"listed: the list is found among all {task.size} sequences, which is affordable up to {LARGEST_TASK}")

    def search_operations(self, model: AttentionOnlyTransformer, task: Task, length: int) -> int:
        """Every sequence is looked at, for about v operations each."""
        return task.size * model.d_vocab

    def explain(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Tensor]:
        """Evaluate every sequence that the certificate misses, in float64; list the right ones."""
        found = super().explain(model, task)
        kept, room = [torch.zeros(0, model.n_ctx, dtype=torch.int64)], LONGEST
        with torch.no_grad():
            p = LazyPaths(in_double(model))
            symbols = self.symbols(p, found)
            for start in track(range(0, task.size, CHUNK), "sequences that the certificate misses"):
                sequences = task.inputs(start, min(start + CHUNK, task.size))
                missed = sequences[~additive_member(symbols, sequences)]
                kept.append(missed[is_right(p.all, missed)][:room])
                room -= len(kept[-1])
                if not room:
                    break
        return found | {"sequences": torch.cat(kept)}

    def specs(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Spec]:
        return super().specs(model, task) | {"sequences": Spec((LONGEST, model.n_ctx), (0, model.d_vocab - 1), fewer=True)}

    def symbols(self, p: LazyPaths, explanation: Explanation) -> Symbols:
        found = super().symbols(p, explanation)
        assert isinstance(found, Symbols)  # counting=positions
        return found

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> Certified:
        p, sequences = LazyPaths(model), explanation["sequences"].to(model.W_E.device)
        certified = self.certified(p, explanation)
        with stage("list"):
            return with_list(certified, sequences, task.numbers, lambda some: is_right(p.all, some))


def is_right(p: Paths, sequences: Tensor) -> Tensor:
    """Return bool [n]: the sequence is proven right, from the path matrices (CHUNK / 4 sequences at a time)."""
    w, r = attention_weights(p.EQKE, p.EQKP)
    written = p.EVOU + p.PVOU[:, None]  # [K, t, x]
    position = torch.arange(sequences.shape[1], device=sequences.device)
    off = others(p.EVOU.shape[0], device=sequences.device)
    result = []
    for t in sequences.split(CHUNK // 4):
        q, m = t[:, -1], t.amax(-1)
        weight = w[q[:, None], t] * r[q]  # [n, K]
        logits = (weight[:, None] @ written[position, t]).squeeze(1) + weight.sum(1, keepdim=True) * p.EUPU[q]
        own = logits.gather(1, m[:, None]).squeeze(1)
        result.append(provably(logits.gather(1, off[m]).amax(1) < own))
    return torch.cat(result) if result else torch.zeros(0, dtype=torch.bool)
