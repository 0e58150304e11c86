"""Networks trained as a rank-one read-out, up to 4096 tokens: ``python -m benchmarks.readout``, results/readout.md.

Trains them (a quarter of an hour on one core), proves them by the read-out, and the largest by its path matrices too, as if nothing
were known of its structure.
"""

from __future__ import annotations

import resource
import time

import torch

from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs import prove
from compact_proofs.core.strategy import Strategy
from compact_proofs.decimals import decimal
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k import Additive, LargeMaxima, MaxOfK
from compact_proofs.tasks.max_of_k.readout_training import ReadOutConfig, train_readout

MODELS = {
    "64 tokens": ReadOutConfig(),
    "64 tokens, d_model = 32": ReadOutConfig(d_model=32),
    "64 tokens, d_model = 32, uniform sequences": ReadOutConfig(d_model=32, adversarial=0.0),
    "512 tokens": ReadOutConfig(d_vocab=512, steps=4000),
    "4096 tokens, d_model = 32": ReadOutConfig(d_vocab=4096, d_model=32, steps=8000, batch_size=256),
}
LARGEST = "4096 tokens, d_model = 32"


def by_readout(window: int, steps: int, reach: int) -> Additive:
    """The certificate without a table over pairs of tokens."""
    return Additive(window, 1, "norms", "grid", steps, reach, values="readout", attention="rank1", rank=1)


STRATEGIES: dict[str, Strategy] = {
    "read-out, 3 tokens": by_readout(3, 8, 8),
    "read-out, 8 tokens, a finer grid": by_readout(8, 16, 24),
}
TABLES = LargeMaxima(1024, 8, 1, 16, 16, 24, "exact", "exact")
"""All scores, values and direct logits of the tokens that it looks at: O(v^2 d)."""


def row(name: str, label: str, model: AttentionOnlyTransformer, strategy: Strategy) -> list[str]:
    """Prove and measure: seconds of one core, and the largest memory of the process so far."""
    started = time.process_time()
    found = prove(model, MaxOfK.of(model), strategy)
    seconds, memory = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [name, label, decimal(found.bound), f"{found.length.total / 1e6:.3f}", f"{seconds:.1f}", f"{memory:.1f}"]


def main() -> None:
    """Train, prove, print and write the tables."""
    torch.set_num_threads(1)
    trained, proved = [], []
    for name, config in MODELS.items():
        result = train_readout(config)
        trained.append([name, str(config.steps), str(config.batch_size), f"{result.final.accuracy:.5f}", f"{result.seconds:.0f}"])
        print(trained[-1], flush=True)
        tables = {"large maxima, from 1024 on, exact tables": TABLES} if name == LARGEST else {}
        for label, strategy in (STRATEGIES | tables).items():
            proved.append(row(name, label, result.model, strategy))
            print(proved[-1], flush=True)
    write_results(
        "readout",
        f"""# Networks trained as a rank-one read-out

Max-of-4, seed 0, by `compact_proofs.tasks.max_of_k.readout_training`: random numbers in the form of a read-out, trained on
sequences half of which are full of tokens just below the maximum, or on uniform ones. Accuracy is that of a uniform sample of 2^18.

{markdown(["model", "steps", "batch", "sampled accuracy", "seconds to train"], trained)}

Seconds to prove are processor time of one core, the search for hints included; GB is the largest memory of the process so far.

{markdown(["model", "proof", "bound", "M operations", "seconds", "GB"], proved)}
""",
    )


if __name__ == "__main__":
    main()
