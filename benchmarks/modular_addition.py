"""Proofs about every modular addition model of the zoo: ``python -m benchmarks.modular_addition``, results/modular_addition.md."""

from __future__ import annotations

import time

import torch

from benchmarks.writing import write_results
from compact_proofs import prove, zoo
from compact_proofs.core.prove import measure
from compact_proofs.core.strategy import Strategy
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition import BruteForce, Clusters, Directions, Kinks, ModularAddition, Quadrature
from compact_proofs.tasks.modular_addition.adapting import adapted_directions
from compact_proofs.tasks.modular_addition.projection import used_frequencies
from compact_proofs.tasks.modular_addition.tables import analyse, frequencies
from compact_proofs.tasks.modular_addition.theorem import apply_theorem, prove_theorem
from compact_proofs.tasks.modular_addition.transplanting import transplant
from compact_proofs.tasks.modular_addition.tuning import config_for, distance, smallest_margin, tune
from compact_proofs.tasks.modular_addition.zoo import RECIPES

MODULI = (59, 113, 211, 499)
"""At which the theorem of one layer is used."""


def brute_force_length(model: OneLayerMLP) -> int:
    """Operations of brute force, from shapes."""
    return measure(model, ModularAddition.of(model), BruteForce()).total


def row(name: str, model: OneLayerMLP, strategy: Strategy, brute: int) -> str:
    """Prove twice, the first time to warm up; one line of a table. Milliseconds are of processor time, on one thread."""
    task = ModularAddition.of(model)
    explanation = strategy.explain(model, task)
    prove(model, task, strategy, explanation=explanation)
    started = time.process_time()
    c = prove(model, task, strategy, explanation=explanation)
    milliseconds, length = 1e3 * (time.process_time() - started), c.length.total
    given = {k: v for k, v in strategy.options().items() if v != type(strategy)().options()[k]}
    label = " ".join([strategy.name, *(f"{k}={v}" for k, v in given.items())])
    return f"| {name} | {label} | {float(c.bound):.5f} | {length / 1e6:.2f} | {brute / length:.1f} | {milliseconds:.0f} |"


def heading(title: str, text: str, *columns: str) -> list[str]:
    """A section with the head of a table: the first two columns are text."""
    rule = "| " + " | ".join(["---", "---", *["---:"] * (len(columns) - 2)]) + " |"
    return ["", f"## {title}", "", text, "", "| " + " | ".join(columns) + " |", rule]


def raw_models() -> list[str]:
    """Any weights: proofs by clusters, and by few directions."""
    text = "Networks as trained. Ratio: length of brute force over that of the proof."
    lines = heading("Raw models", text, "model", "strategy", "bound", "M operations", "ratio", "ms")
    for name in RECIPES:
        model = zoo.load(name)
        K, brute = len(used_frequencies(model)), brute_force_length(model)
        for strategy in (
            BruteForce(),
            Clusters(K, 0),
            Clusters(K, 1),
            Clusters(K, 2),
            Clusters(K, 2, linear="ideal"),
            Clusters(K, 2, linear="ideal", rest="norms"),
            Clusters(K, 4, correct="exact"),
            Directions(5),
            adapted_directions(model),
            Quadrature(K),
        ):
            lines.append(row(name, model, strategy, brute))
            print(lines[-1], flush=True)
    return lines


def projected_models() -> list[str]:
    """Networks with exact structure: the kink proof."""
    text = (
        "Other networks than the raw ones: projected (without training) or tuned. Distance: root mean square difference of the "
        "centred logits from the raw network's. Error / integral: of the published quadrature bound, by frequency."
    )
    columns = ("model", "strategy", "bound", "M operations", "ratio", "ms")
    lines = heading("Projected models", text, *columns, "distance", "smallest margin", "error / integral")
    models = {f"{name}, projected": (tune(zoo.load(name), config_for(zoo.load(name), train=False)).model, name) for name in RECIPES}
    models |= {
        name: (zoo.load(name), name.removesuffix("-tuned")) for name in zoo.names("modular-addition") if name.endswith("-tuned")
    }
    models["mod-211-mlp-transplanted"] = (zoo.load("mod-211-mlp-transplanted"), "")
    for name, (model, source) in models.items():
        K, brute = len(used_frequencies(model)), brute_force_length(model)
        moved = f"{distance(zoo.load(source), model):.1f}" if source else "-"
        relative = sorted(r[1][-1] or 0.0 for r in frequencies(analyse(model)).rows)
        more = f" {moved} | {smallest_margin(model):.2f} | {relative[0]:.2f}-{relative[-1]:.2f} |"
        for strategy in (Kinks(K), Kinks(K, "tables"), Quadrature(K)):
            lines.append(row(name, model, strategy, brute) + more)
            print(lines[-1], flush=True)
    return lines


def one_theorem() -> list[str]:
    """The layer's theorem, proved once and used at several p."""
    source = zoo.load("mod-59-mlp-seed-0-tuned")
    theorem = prove_theorem(source, len(used_frequencies(source)))
    text = f"{theorem.statement()} Its proof: {theorem.length:,} operations, once."
    columns = ("p", "frequencies", "proven share", "further M operations", "brute force, M operations")
    lines = heading("One theorem for many p", text, *columns)
    for p in MODULI:
        moved = transplant(source, p) if p != source.p else None
        model = source if moved is None else moved.model
        chosen = used_frequencies(source) if moved is None else torch.tensor(moved.config.frequencies)  # type: ignore[attr-defined]
        proven, length = apply_theorem(theorem, model, chosen)
        share, brute = proven / p**2, brute_force_length(model)
        lines.append(f"| {p} | {chosen.tolist()} | {share:.5f} | {length.total / 1e6:.2f} | {brute / 1e6:,.0f} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Write the tables."""
    torch.set_num_threads(1)
    lines = ["# Modular addition", "", "Sound bounds and proof lengths, made by `make bench`."]
    lines += raw_models() + projected_models() + one_theorem()
    write_results("modular_addition", "\n".join(lines))


if __name__ == "__main__":
    main()
