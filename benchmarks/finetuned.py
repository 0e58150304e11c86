"""Models made provable: ``python -m benchmarks.finetuned`` tunes models of the zoo and finds short proofs, results/finetuned.md.

Also trains a model with 512 tokens and 20 positions and times its proof. About fifteen minutes on one core.
"""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import torch

from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs import prove, zoo
from compact_proofs.core.certificate import Certificate
from compact_proofs.errors import BadInput
from compact_proofs.search.autopilot import best_within
from compact_proofs.tasks.max_of_k import KIT, Additive, MaxOfK
from compact_proofs.tasks.max_of_k.finetuning import config_for, distance, finetune
from compact_proofs.tasks.max_of_k.training import TrainingConfig, train

"""Time to look for a proof."""
LONG = {"steps": 12000, "hard_steps": 5000}
CASES: list[tuple[str, dict[str, Any], float]] = [
    *((f"max-of-4-seed-{seed}", {"rank": rank}, 0.9999) for rank in (5, 6) for seed in (50, 104, 123, 999)),
    ("max-of-10-seed-0", {}, 0.998),
    ("max-of-10-v128-seed-0", {"rank": 8, **LONG}, 0.998),
]


def tuned_row(name: str, options: dict[str, Any], wanted: float) -> list[str]:
    """Tune a model of the zoo, and find the shortest proof of at least the `wanted` bound."""
    model = zoo.load(name)
    result = finetune(model, config_for(model, **options))
    given = " ".join(f"{k}={v}" for k, v in options.items())
    row = [name, given, f"{distance(model, result.model):.3g}", f"{wanted}"]
    task, candidates = MaxOfK.of(result.model), KIT.candidates(result.model)
    try:
        found = best_within(result.model, task, candidates, min_bound=Fraction(wanted))
    except BadInput as e:
        return [*row, "not reached", str(e).split(";")[1], "", ""]
    return [*row, f"{float(found.bound):.7f}", strategy_text(found), f"{found.length.total / 1e6:.3f}", f"{result.seconds:.0f}"]


def strategy_text(c: Certificate) -> str:
    """The options that are not the default ones."""
    return " ".join(f"{k}={v}" for k, v in c.options.items() if v != Additive().options().get(k))


def large_rows() -> list[list[str]]:
    """Train at v = 512, K = 20 and time two proofs."""
    result = train(TrainingConfig(n_ctx=20, d_vocab=512))
    rows = []
    for strategy in (Additive(24, 1, "separate", "grid", 8, 12), Additive(32, 4, "separate", "grid", 16, 24)):
        started = time.perf_counter()
        c = prove(result.model, MaxOfK.of(result.model), strategy)
        rows.append(
            [
                strategy_text(c),
                f"{result.final.accuracy:.5f}",
                f"{float(c.bound):.5f}",
                f"{c.length.total / 1e6:.1f}",
                f"{time.perf_counter() - started:.1f}",
            ]
        )
    return rows


def main() -> None:
    torch.set_num_threads(1)
    header = ["model", "options", "distance", "wanted", "bound", "additive", "M operations", "seconds to tune"]
    rows = []
    for case in CASES:
        rows.append(tuned_row(*case))
        print(rows[-1], flush=True)
    large = large_rows()
    text = f"""# Models made provable

`compact-proofs finetune`, then the shortest proof found of the wanted bound (sound reading), by `python -m benchmarks.finetuned`. A
tuned model is another network: the distance is the root mean square difference of its centred logits from the first's.

{markdown(header, rows)}

## A model of 512 tokens and 20 positions, as trained

{markdown(["additive", "sampled accuracy", "bound", "M operations", "seconds to prove"], large)}
"""
    write_results("finetuned", text)


if __name__ == "__main__":
    main()
