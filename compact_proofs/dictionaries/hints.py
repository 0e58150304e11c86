"""From a dictionary with its codes to the explanation of a proof. Free and untrusted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from compact_proofs.core.strategy import Explanation, finite
from compact_proofs.dictionaries.codes import as_dense, as_lists
from compact_proofs.dictionaries.metric import find_directions
from compact_proofs.dictionaries.subspaces import subspaces
from compact_proofs.inputs.task import Task
from compact_proofs.length import unseen
from compact_proofs.models.component import Component, HasComponent
from compact_proofs.models.weights import in_double

RIDGE = 1e-3
"""Of the metric, relative to its mean eigenvalue: so that every direction counts."""


@dataclass(frozen=True)
class Codebook:
    """A dictionary and codes over it.

    Attributes
    ----------
    decoder : [L, d]
        D, a row for each feature.
    offset : [d]
        What every input has.
    codes : [N, L]
        Z, dense and mostly zeros, such that ``X ~ offset + Z D``: of all inputs; or of all rows of the component's tables, one
        table after the other, an input's code then being the sum of those at its places.
    """

    decoder: Tensor
    offset: Tensor
    codes: Tensor

    @classmethod
    def of(cls, explanation: Explanation) -> Codebook:
        """The dictionary and the codes that an explanation holds."""
        decoder = explanation["decoder"]
        codes = as_dense(explanation["index"], explanation["value"], len(decoder))
        return cls(decoder, explanation["offset"], codes)

    def sparse(self, active: int) -> Codebook:
        """Keep of each code the `active` largest contributions."""
        index, value = as_lists(self.codes, self.decoder, active)
        return replace(self, codes=as_dense(index, value, len(self.decoder)))


def plain_component(model: nn.Module, task: Task) -> Component:
    """The component of a float64 copy on all inputs of a task: plain numbers, to search with; nothing is counted."""
    assert isinstance(model, HasComponent)
    with unseen("numbers to search with"), torch.no_grad():
        return in_double(model).requires_grad_(False).component(task.inputs(0, task.size))


def sensitivity(component: Component) -> tuple[Tensor, Tensor]:
    """The range of what each neuron writes [n], and ``S = W diag(range) W^T`` [d, d]: the metric of the bound."""
    G = finite(component.G)
    weight = G.amax(1) - G.amin(1)
    if component.W is None:
        return weight, torch.diag_embed(weight)
    W = finite(component.W)
    return weight, finite((W * weight) @ W.T)


def metric_of(component: Component) -> Tensor:
    """S, with a ridge: what an error of the activations costs in the bound, squared."""
    _, S = sensitivity(component)
    return S + torch.eye(len(S), dtype=S.dtype) * (RIDGE * float(S.diagonal().mean()))


def output_hints(component: Component, groups: int, rank: int) -> dict[str, Tensor]:
    """Groups of neurons that write alike, the directions of each group, and the median size of each neuron's input."""
    h = finite(component.read(component.activations()))
    size = (h if component.b is None else finite(h + component.b)).abs()
    level = size.median(0).values
    G = finite(component.G - component.G.mean(1, keepdim=True))
    group, directions = subspaces(finite(G * (size - level).square().mean(0).sqrt()[:, None]), groups, rank)
    return {"group": group, "directions": directions, "level": level}


def explanation_of(
    component: Component, found: Codebook, *, features: int, active: int, groups: int, rank: int, metric: int, drop: float
) -> dict[str, Tensor]:
    """Write a codebook as the explanation of `compact_proofs.dictionaries.strategy.Dictionary` with these options.

    Of the reads, those of the least influence are dropped: a feature's mean size times its read times what the neuron writes.
    """
    index, value = as_lists(found.codes, found.decoder, active)
    missing = features - len(found.decoder)
    decoder = finite(torch.cat([found.decoder, found.decoder.new_zeros(missing, component.width)]))
    explanation = {"decoder": decoder, "offset": finite(found.offset), "index": index, "value": finite(value)}
    explanation |= output_hints(component, groups, rank)
    weight, S = sensitivity(component)
    if drop > 0:
        size = finite(as_dense(index, value, features)).square().mean(0).sqrt()
        influence = finite(size[:, None] * finite(component.read(decoder)).abs() * weight)
        kept = torch.ones(features * component.neurons, dtype=torch.int64)
        kept[influence.flatten().argsort()[: int(drop * influence.numel())]] = 0
        explanation["kept"] = kept.reshape(features, -1)
    if component.W is not None:
        explanation["metric"] = find_directions(S, metric)
    return explanation
