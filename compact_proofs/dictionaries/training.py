"""Training sparse autoencoders: for the mean squared error, or for what the verifier itself can prove."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from compact_proofs.dictionaries.autoencoder import Autoencoder
from compact_proofs.dictionaries.bound import Bound
from compact_proofs.dictionaries.coding import Coding
from compact_proofs.dictionaries.hints import sensitivity
from compact_proofs.dictionaries.metric import find_directions
from compact_proofs.models.component import Component
from compact_proofs.progress import track
from compact_proofs.train import make_generator

Objective = Literal["mse", "bound"]

BATCH = 512
"""Inputs in a step, at most."""
RATE, LATER, LAST = 3e-3, 6e-4, 0.7
"""Adam's learning rate, that of the last steps, and after which share of all steps those begin."""
SPARSITY_STEP = 0.02
"""By what share the weight of the l1 penalty is moved in a step."""
PENALTY = 1e-2
"""That weight at first."""


def train(
    component: Component,
    labels: Tensor,
    *,
    features: int,
    active: int,
    sparsity: Literal["topk", "l1"],
    objective: Objective,
    steps: int,
    seed: int,
    warmup: float = LAST,
) -> Autoencoder:
    """Train an autoencoder on a component's activations.

    **topk** keeps the `active` largest codes. **l1** penalises codes, by a weight that is steered so that on average `active` of
    them are not 0. The objective **mse** is the mean of ``|r|^2``; **bound** is, over the margins and residual terms of `Bound` in
    the float reading, the mean of ``10 softplus(-margin / 2) + 0.1 residual``: most is gained where an input is barely proven or
    barely missed.

    Far from any proof the bound says little of where to go. So both are trained for the error first, a share `warmup` of the steps;
    the last steps are at a lower rate. Decoder rows have norm 1; the offset is the mean. The same seed gives the same bits on the
    same machine.
    """
    c = _as_float32(component)
    generator = make_generator(seed, "dictionary")
    X = c.activations()
    mean = X.mean(0)
    bound = _training_bound(c) if objective == "bound" else None
    X = X - mean
    spread = float(X.square().mean().sqrt()) or 1.0
    D = torch.nn.functional.normalize(torch.randn(features, c.width, generator=generator), dim=1)
    W_enc, D = D.T.clone().requires_grad_(), D.requires_grad_()
    b_enc = torch.zeros(features, requires_grad=True)
    optimizer = torch.optim.Adam([W_enc, D, b_enc], lr=RATE)
    penalty = PENALTY
    for step in track(range(steps), f"training for {objective}"):
        late = step >= int(LAST * steps)
        optimizer.param_groups[0]["lr"] = LATER if late else RATE
        rows = torch.randperm(len(X), generator=generator)[:BATCH]
        x = X[rows] / spread
        Z = x @ W_enc + b_enc
        if sparsity == "topk":
            top = Z.topk(min(active, features), 1)
            Z = torch.zeros_like(Z).scatter(1, top.indices, top.values)
        Z = Z.relu()
        if bound is None or step < int(warmup * steps):
            loss = (x - Z @ D).square().sum(1).mean()
        else:
            batch = replace(bound, component=replace(c, places=[p[rows] for p in c.places]))
            terms = batch.terms(DenseCodes(batch, D, mean, Z * spread), slice(None), labels[rows])
            loss = (10 * torch.nn.functional.softplus(-terms.margin / 2) + 0.1 * terms.residual).mean()
        if sparsity == "l1":
            alive = float((Z.detach() > 0).sum(1).float().mean())
            penalty *= 1 + SPARSITY_STEP * (1 if alive > active else -1)
            loss = loss + penalty * Z.sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            norm = D.norm(dim=1, keepdim=True)
            D /= norm
            W_enc *= norm.T
            b_enc *= norm[:, 0]
    architecture: Literal["topk", "standard"] = "topk" if sparsity == "topk" else "standard"
    return Autoencoder(architecture, W_enc.detach(), b_enc.detach() * spread, D.detach(), mean, k=active)


class DenseCodes(Coding):
    """The codes of a batch as a matrix Z: the numbers of `InputCodes`, made for learning."""

    def __init__(self, bound: Bound, decoder: Tensor, offset: Tensor, Z: Tensor) -> None:
        self.features, self.Z = bound.features(decoder, offset), Z
        self.metric, self.r = bound.metric, bound.component.activations() - offset - Z @ decoder

    def neurons(self, rows: slice) -> Tensor:
        return self.features.start + self.Z @ self.features.reads

    def residual(self, rows: slice) -> tuple[Tensor, Tensor]:
        assert self.metric is not None
        return self.r @ self.metric.V.T, self.r.square().sum(1)

    def written(self, rows: slice) -> Tensor:
        assert self.features.constant is not None
        assert self.features.writes is not None
        return self.features.constant + self.Z @ self.features.writes

    def interaction(self, rows: slice) -> None:
        return None


def _training_bound(c: Component) -> Bound:
    """The bound with every read, every output direction and every direction of the residual followed."""
    hints = {
        "group": torch.zeros(c.neurons, dtype=torch.int64),
        "directions": torch.eye(c.outputs)[None],
        "level": torch.zeros(c.neurons),
    }
    if c.W is not None:
        hints["metric"] = find_directions(sensitivity(c)[1].double(), c.width).float()
    return Bound.of(c, hints)


def _as_float32(c: Component) -> Component:
    def single(t: Tensor | None) -> Tensor | None:
        return None if t is None else t.float()

    tables = [t.float() for t in c.tables]
    return Component(tables, c.places, single(c.W), single(c.b), c.G.float(), single(c.U), single(c.c))
