"""Learned attention, projected to planes: ``python -m benchmarks.planar [GROKKING]``, results/planar.md.

Networks of the recipe with four heads of learned attention, from ``build/modular_addition`` or trained now (ten minutes each on one
core); and one that others trained, if there is a checkout of its repository (`public`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.modular_addition_seeds import trained
from benchmarks.public import grokked
from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs import prove
from compact_proofs.core.prove import measure
from compact_proofs.decimals import decimal
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.tasks import load_model
from compact_proofs.tasks.modular_addition import KIT, BruteForce, ModularAddition, Planes
from compact_proofs.tasks.modular_addition.attending import attending
from compact_proofs.tasks.modular_addition.tuning import config_for, distance, smallest_margin, tune

SEEDS = (10, 12)
RUN = "wd_10-1_mod_addition_loss_curve"
HEADER = ["network", "proof", "right", "bound", "operations, M", "ratio", "smallest margin", "distance"]
SHARES = ["network", "head", "smallest", "mean", "largest", "not additive"]


@torch.no_grad()
def shares(name: str, model: OneLayerMLP) -> list[list[str]]:
    """How much attention the first of two tokens gets from each head: over all pairs; and the deviation of what is no sum."""
    rows = []
    for head, share in enumerate(attending(in_double(model))[0].share):
        rest = share - share.mean(0) - share.mean(1, keepdim=True) + share.mean()
        numbers = (share.min(), share.mean(), share.max(), rest.std())
        rows.append([name, str(head), *(f"{float(number):.2f}" for number in numbers)])
    return rows


def rows(name: str, raw: OneLayerMLP, planes: tuple[int, ...], steps: int) -> list[list[str]]:
    """Proofs of the network, and of what it is projected to and tuned to."""
    task = ModularAddition.of(raw)
    brute = measure(raw, task, BruteForce()).total
    networks = {"as trained": raw}
    for K in planes:
        networks[f"{K} planes, projected"] = tune(raw, config_for(raw, train=False, planes=K)).model
    if steps:
        networks[f"{planes[0]} planes, tuned"] = tune(raw, config_for(raw, planes=planes[0], steps=steps)).model
    found = []
    for form, model in networks.items():
        strategy = KIT.default(model)
        proof = prove(model, task, strategy)
        asked = f"{strategy.name}, planes = {strategy.planes}" if isinstance(strategy, Planes) else strategy.name
        found.append(
            [
                f"{name}, {form}",
                asked,
                f"{proof.claim.numerator:,} of {proof.claim.denominator:,}",
                decimal(proof.bound),
                f"{proof.length.total / 1e6:.1f}",
                f"{brute / proof.length.total:.0f}",
                f"{smallest_margin(in_double(model)):.2f}",
                "-" if model is raw else f"{distance(raw, model):.1f}",
            ]
        )
        print(found[-1], flush=True)
    return found


def main() -> None:
    """Train, project, tune, prove, and write the tables."""
    torch.set_num_threads(1)
    table, attention = [], []
    for seed in SEEDS:
        model = load_model(str(trained("learned", seed))).model
        table += rows(f"p = 59, seed {seed}", model, (8, 6, 12), 300)
        attention += shares(f"p = 59, seed {seed}", model)
    if sys.argv[1:]:
        table += rows("p = 113, public", grokked(Path(sys.argv[1]), RUN), (16, 12), 0)
    write_results(
        "planar",
        f"""# Learned attention, projected to planes

Made by `python -m benchmarks.planar GROKKING`; the last rows want a checkout of
github.com/mechanistic-interpretability-grokking/progress-measures-paper. Networks with four heads of learned attention and an MLP
of 512 neurons: as trained, and **other networks**, whose neurons read and write a few planes: projected to them without training,
or trained on under the projection. Proofs are those of
`compact-proofs prove`. *ratio*: operations of brute force over those of the proof. *distance*: root mean square difference of the
centred logits from the trained network's, whose margins are about 15.

{markdown(HEADER, table)}

How much attention the first of the two tokens gets, over all pairs; *not additive*: the deviation of what is left of it without a
function of each token.

{markdown(SHARES, attention)}
""",
        "python -m benchmarks.planar GROKKING",
    )


if __name__ == "__main__":
    main()
