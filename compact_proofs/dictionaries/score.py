"""The score of a dictionary: the bound that it proves, the length of that proof, and the usual measures beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.core.strategy import explanation_size
from compact_proofs.dictionaries.bound import Terms
from compact_proofs.dictionaries.hints import Codebook, plain_component
from compact_proofs.dictionaries.strategy import Dictionary
from compact_proofs.inputs.task import Task
from compact_proofs.length import unseen
from compact_proofs.models.component import Component
from compact_proofs.models.weights import in_double


@dataclass(frozen=True)
class Score:
    """A dictionary's proof, and numbers about it. All but the certificate are informative.

    Attributes
    ----------
    name
        What the dictionary is called.
    certificate
        The proof.
    features
        Size of the dictionary.
    l0
        Features in a code, on average; those whose value is 0 do not count.
    relative_mse
        ``sum |r|^2 / sum |x - mean|^2`` over all inputs.
    size
        Numbers in the explanation.
    terms
        Medians of the terms of the bound (`Terms`), by name, and the smallest and the median margin, in the float reading.
    """

    name: str
    certificate: Certificate
    features: int
    l0: float
    relative_mse: float
    size: int
    terms: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Everything but the explanation."""
        return {
            "name": self.name,
            "features": self.features,
            "l0": self.l0,
            "relative_mse": self.relative_mse,
            "margins": self.terms,
            "proof": self.certificate.to_json(),
        }


def score(name: str, model: nn.Module, task: Task, strategy: Dictionary, explanation: dict[str, Tensor]) -> Score:
    """Prove what a dictionary proves, and measure it."""
    certificate = prove(model, task, strategy, explanation=explanation)
    component = plain_component(model, task)
    codebook = Codebook.of(explanation)
    codes = codebook.codes
    return Score(
        name,
        certificate,
        len(codebook.decoder),
        float((codes != 0).sum(1).double().mean()),
        relative_mse(component, codebook, tokens=strategy.codes == "tokens"),
        explanation_size(explanation),
        _summary(bound_terms(model, task, strategy, explanation)),
    )


def relative_mse(component: Component, codebook: Codebook, *, tokens: bool = False) -> float:
    """The squared error of all activations, relative to their variance, from codes of inputs or of tokens."""
    X = component.activations()
    explained = codebook.codes @ codebook.decoder
    if tokens:
        explained = component.gather(explained.split([len(table) for table in component.tables]))
    r = X - codebook.offset - explained
    return float(r.square().sum() / (X - X.mean(0)).square().sum().clamp(min=1e-300))


def bound_terms(model: nn.Module, task: Task, strategy: Dictionary, explanation: dict[str, Tensor]) -> Terms:
    """All terms of all margins in the float reading: to look at, not to believe."""
    with unseen("numbers to look at, not to believe"), torch.no_grad():
        return strategy.bound_terms(in_double(model), task, explanation)


def _summary(terms: Terms) -> dict[str, float]:
    found = {name: float(t.median()) for name, t in terms._asdict().items()}
    return found | {"smallest margin": float(terms.margin.min()), "median margin": float(terms.margin.median())}
