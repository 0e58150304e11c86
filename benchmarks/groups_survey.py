"""Which explanation is right for networks of many seeds and groups: ``python -m benchmarks.groups_survey [GROUP ...]``.

Trains what ``build/groups_survey`` does not hold (twenty minutes on one core), proves, and writes
``benchmarks/results/groups_survey.md``; of some groups only, ``groups_survey_part.md``. Training takes a fixed number of steps and
does not look at proofs.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import torch

import compact_proofs as cp
from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.strategy import Strategy
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.weights import in_double
from compact_proofs.tasks import load_model
from compact_proofs.tasks.groups import BruteForce, Cosets, Directions, Groups, GSets, GSetsLinear
from compact_proofs.tasks.groups.tables import circuits_text
from compact_proofs.tasks.groups.training import TrainingConfig, train

BUILD = Path(__file__).parents[1] / "build" / "groups_survey"
OTHERS = ("A4", "D6", "D8", "D12", "D16", "C31", "C2xS3", "C2xD4", "C4xC4", "C2xC2xS3", "S3xS3", "C2xC2xC2xC2")
RECIPES: dict[str, TrainingConfig] = {
    **{f"s4-seed-{s}": TrainingConfig(group="S4", seed=s, steps=3000, check_every=0) for s in range(16)},
    **{
        f"s5-seed-{s}": TrainingConfig(group="S5", d_embed=128, width=128, share=0.4, seed=s, steps=3000, check_every=0)
        for s in range(8)
    },
    **{
        f"a5-seed-{s}": TrainingConfig(
            group="A5", d_embed=256, width=256, share=0.6, weight_decay=1e-4, seed=s, steps=2000, check_every=0
        )
        for s in range(4)
    },
    **{f"{group.lower()}-seed-0": TrainingConfig(group=group, steps=4000, check_every=0) for group in OTHERS},
}
STRATEGIES: dict[str, Strategy] = {
    "linear, norms": GSetsLinear(exact=False),
    "linear, exact": GSetsLinear(),
    "every output": GSets(rest=False),
    "and the rest": GSets(),
    "cosets": Cosets(),
    "directions": Directions(12, rest=False),
    "and their rest": Directions(),
    "brute force": BruteForce(),
}
OTHER_STORIES = ("cosets", "directions")
STORIES = {
    "irreps": ("linear, norms", "linear, exact", "every output"),
    "cosets": ("cosets",),
    "few directions": ("directions", "and their rest"),
}


def model_file(name: str) -> Path:
    """The trained model, from an earlier run or a new one."""
    file = BUILD / f"{name}.safetensors"
    if not file.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        train(RECIPES[name]).save(file)
    return file


def shortest(found: dict[str, Certificate], story: str, brute: int) -> Certificate | None:
    """Of a story's proofs that are shorter than brute force and prove something: the shortest with the highest bound."""
    useful = [c for label in STORIES[story] if (c := found[label]).length.total < brute and c.bound > 0]
    return max(useful, key=lambda c: (c.bound, -c.length.total), default=None)


def right(found: dict[str, Certificate]) -> str:
    """The explanation that proves most in the fewest operations, if in fewer than brute force: one at a useful length."""
    brute = found["brute force"].length.total
    useful = {story: shorter for story in STORIES if (shorter := shortest(found, story, brute))}
    if not useful:
        return "none at a useful length"
    story = max(useful, key=lambda s: (useful[s].bound, -useful[s].length.total))
    share = "" if useful[story].bound == found["brute force"].bound else f" on {cp.decimal(useful[story].bound, 4)}"
    return f"{story}{share}, {brute / useful[story].length.total:.3g} x shorter"


def symmetric_part(model: PairMLP) -> tuple[float, float]:
    """Of the mean of f(x w y | x, y) over x and y, a function of w: its margin at w = e; and the largest spread of f less that.

    No explanation by the symmetry of both sides can be better than this one, whatever it says of neurons.
    """
    group = Groups.of(model).group
    n, table, e = group.order, group.table, group.identity
    with torch.no_grad():
        logits = in_double(model)(torch.cartesian_prod(torch.arange(n), torch.arange(n))).reshape(n, n, n)
    at = table[table[:, :, None].expand(n, n, n), torch.arange(n)].transpose(1, 2)  # [x, y, w]: x w y
    turned = logits.gather(2, at)
    mean = turned.mean((0, 1))
    others = torch.cat([mean[:e], mean[e + 1 :]])
    rest = turned - mean
    return float(mean[e] - others.max()), float((rest.amax(2) - rest.amin(2)).max())


def summary(rows: dict[str, list[dict[str, Certificate]]]) -> str:
    """For every group: how many models each strategy proves wholly, and how long the shortest such proof is."""
    table = []
    for group, models in rows.items():
        accuracy = [m["brute force"].bound for m in models]
        whole = [str(sum(m[s].bound == a for m, a in zip(models, accuracy, strict=True))) for s in list(STRATEGIES)[:3]]
        others = [str(sum(m[s].bound == a for m, a in zip(models, accuracy, strict=True))) for s in OTHER_STORIES]
        table.append([group, str(len(models)), *whole, *others])
    return markdown(["group", "models", *list(STRATEGIES)[:3], *OTHER_STORIES], table)


def main(only: list[str]) -> None:
    """Train, prove, print and write the report; on some groups only, if any are given."""
    if unknown := set(only) - {recipe.group for recipe in RECIPES.values()}:
        raise SystemExit(f"the survey has no {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    table, circuits = [], []
    groups: dict[str, list[dict[str, Certificate]]] = defaultdict(list)
    for name, recipe in RECIPES.items():
        if only and recipe.group not in only:
            continue
        loaded = load_model(str(model_file(name)))
        found = {label: cp.prove(loaded.model, loaded.task, strategy) for label, strategy in STRATEGIES.items()}
        groups[recipe.group].append(found)
        cells = [f"{cp.decimal(c.bound, 4).rstrip('.')} ({c.length.total / 1e6:.3g})" for c in found.values()]
        margin, away = symmetric_part(loaded.model)
        table.append([name, *cells, f"{margin:.1f}", f"{away:.1f}", right(found)])
        circuits.append([name, circuits_text(loaded.model)])
        print(table[-1], circuits[-1][1], flush=True)
    part = f", {', '.join(only)} only" if only else ""
    command = f"python -m benchmarks.groups_survey {' '.join(only)}" if only else "make bench-groups_survey"
    report = f"""# Group composition: a survey over seeds and groups{part}

Made by `{command}` (torch {torch.__version__}): the recipe of the zoo with a fixed number of steps (3000 on
S4 and S5, 2000 on A5, 4000 elsewhere), seeds in order, none left out. Cosets are joint; *directions*: 12 clusters of two each,
the bounds alone; *and their rest*: five clusters, pairs left over by brute force.

Models that are proven as right as they are, without brute force:

{summary(groups)}

## Bounds, and lengths in millions of operations

Symmetric: the margin of the mean of f(x w y | x, y) over x and y. Away: the largest spread over outputs of f less that mean; of a
network that is further away than the margin, its symmetry alone does not say that it is right.

{markdown(["model", *STRATEGIES, "symmetric", "away", "right, by proof"], table)}

## What the search found

{markdown(["model", "circuits"], circuits)}
"""
    write_results("groups_survey_part" if only else "groups_survey", report, command)


if __name__ == "__main__":
    main(sys.argv[1:])
