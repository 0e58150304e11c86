"""Where dictionaries come from: linear algebra, frequencies, tokens, chance, training. Free and untrusted."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from compact_proofs.core.strategy import finite
from compact_proofs.dictionaries.autoencoder import Autoencoder
from compact_proofs.dictionaries.hints import Codebook, metric_of
from compact_proofs.dictionaries.training import LAST, Objective, train
from compact_proofs.errors import BadInput
from compact_proofs.models.component import Component
from compact_proofs.train import make_generator

Kind = Literal["metric-pca", "pca", "fourier", "tokens", "random", "topk", "l1", "given"]


class Found(NamedTuple):
    """A dictionary with codes, and what computes codes of other activations, if anything was trained to."""

    codebook: Codebook
    autoencoder: Autoencoder | None


def find(
    component: Component,
    labels: Tensor,
    kind: Kind,
    *,
    features: int,
    active: int,
    codes: Literal["inputs", "tokens"] = "inputs",
    objective: Objective = "bound",
    refit: bool = False,
    steps: int = 1000,
    seed: int = 0,
    warmup: float = LAST,
) -> Found:
    """Find a dictionary of at most so many `features`, with `active` of them in a code.

    Codes of more features are cut to their largest contributions and fitted again. Codes of tokens are the best fit in the metric
    of the bound.

    Raises
    ------
    BadInput
        For "given", which is not to be found.
    """
    X = finite(component.activations())
    trained = None
    if kind in ("topk", "l1"):
        sparsity: Literal["topk", "l1"] = "topk" if kind == "topk" else "l1"
        trained = train(
            component,
            labels,
            features=features,
            active=active,
            sparsity=sparsity,
            objective=objective,
            steps=steps,
            seed=seed,
            warmup=warmup,
        )
        found = trained.codebook(X)
        refit = refit or kind == "l1"
    elif kind == "tokens":
        found = tokens(component)
    elif kind == "fourier":
        found = fourier(component, X, features // 2)
    elif kind == "random":
        found = _projected(torch.randn(features, X.shape[1], generator=make_generator(seed, "dictionary"), dtype=X.dtype), X)
    elif kind == "given":
        raise BadInput("dictionary: found=given needs an explanation; compact-proofs dictionary MODEL --load DIRECTORY makes one")
    else:
        found = pca(X, features, metric_of(component) if kind == "metric-pca" else None)
    if codes == "tokens":
        found = by_token(component, found, identity=kind == "tokens")
        X = token_rows(component) + found.offset
    cut = int((found.codes != 0).sum(1).max()) > active
    found = found.sparse(active)
    return Found(refitted(found, X, metric_of(component)) if refit or cut else found, trained)


def pca(X: Tensor, features: int, metric: Tensor | None = None) -> Codebook:
    """Principal components; in a metric M, of ``X M^(1/2)``: the best dictionary of that size for errors measured by M."""
    offset = X.mean(0)
    root = inverse = torch.eye(X.shape[1], dtype=X.dtype)
    if metric is not None:
        values, vectors = torch.linalg.eigh(finite(metric))
        values = values.clamp(min=1e-12 * float(values[-1])) if float(values[-1]) > 0 else torch.ones_like(values)
        root, inverse = (vectors * values.sqrt()) @ vectors.T, (vectors / values.sqrt()) @ vectors.T
    V = torch.linalg.svd(finite((X - offset) @ root), full_matrices=False).Vh[:features]
    return Codebook(V @ inverse, offset, (X - offset) @ root @ V.T)


def fourier(component: Component, X: Tensor, frequencies: int) -> Codebook:
    """Directions in which the tables' rows turn, by frequencies of the row's number; those of the largest power.

    Of each frequency the cosines' and sines' directions of all tables are merged to the two that hold most: in a network for
    modular addition the tokens share them. Codes are least squares.
    """
    size = max(len(table) for table in component.tables)
    power, planes = [], []
    for k in range(1, size // 2 + 1):
        waves = []
        for table in component.tables:
            angle = 2 * torch.pi * k * torch.arange(len(table), dtype=X.dtype) / len(table)
            waves += [angle.cos() @ table * (2 / len(table)), angle.sin() @ table * (2 / len(table))]
        _, values, rows = torch.linalg.svd(finite(torch.stack(waves)), full_matrices=False)
        power.append(float(values.square().sum()))
        planes.append(rows[:2])
    best = torch.tensor(power).argsort(descending=True)[: max(frequencies, 1)].tolist()
    return _projected(torch.cat([planes[i] for i in best]) if best else torch.zeros(1, X.shape[1], dtype=X.dtype), X)


def tokens(component: Component) -> Codebook:
    """A feature for each different row of the tables: exact, with one of each table in a code, and no insight."""
    starts, total = component.tokens()
    rows, decoder = token_rows(component), torch.zeros(total, component.width, dtype=component.tables[0].dtype)
    codes = torch.zeros(component.size, total, dtype=rows.dtype)
    inputs = torch.arange(component.size)
    for start, part, places in zip(starts, rows.split([len(t) for t in component.tables]), component.places, strict=True):
        decoder[start : start + len(part)] = part
        codes[inputs, start + places] += 1.0
    offset = torch.stack([table.mean(0) for table in component.tables]).sum(0)
    return Codebook(decoder, finite(offset), codes)


def token_rows(component: Component) -> Tensor:
    """The rows of all tables, one table after the other, less their means (which the offset holds)."""
    return finite(torch.cat([table - table.mean(0) for table in component.tables]))


def by_token(component: Component, found: Codebook, identity: bool) -> Codebook:
    """Codes of all tables' rows over the same dictionary, the best fit in the metric; or each row is a feature."""
    rows = token_rows(component)
    offset = finite(torch.stack([table.mean(0) for table in component.tables]).sum(0))
    if identity:
        starts, total = component.tokens()
        places = [start + torch.arange(len(t)) for start, t in zip(starts, component.tables, strict=True)]
        return Codebook(found.decoder, offset, torch.eye(total, dtype=rows.dtype)[torch.cat(places)])
    every = Codebook(found.decoder, offset, torch.ones(len(rows), len(found.decoder), dtype=rows.dtype))
    return refitted(every, rows + offset, metric_of(component))


def refitted(found: Codebook, X: Tensor, metric: Tensor) -> Codebook:
    """Solve for the codes again, on the features that each has, so that the residual is least in the metric."""
    index = found.codes.abs().argsort(1, descending=True)[:, : max(1, int((found.codes != 0).sum(1).max()))]
    D = found.decoder
    there = found.codes.gather(1, index) != 0
    gram, aim = finite(D @ metric @ D.T), finite((X - found.offset) @ metric @ D.T)
    blocks = gram[index[:, :, None], index[:, None, :]] * (there[:, :, None] & there[:, None, :])
    ridge = (1e-10 * blocks.diagonal(dim1=1, dim2=2).sum(1) + 1e-300)[:, None] + (~there).to(gram.dtype)
    solved = torch.linalg.solve_ex(blocks + torch.diag_embed(ridge), (aim.gather(1, index) * there)[:, :, None]).result
    return replace(found, codes=torch.zeros_like(found.codes).scatter(1, index, finite(solved.squeeze(2)) * there))


def _projected(decoder: Tensor, X: Tensor) -> Codebook:
    offset = X.mean(0)
    return Codebook(decoder, offset, (X - offset) @ torch.linalg.pinv(decoder))
