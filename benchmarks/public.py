"""Networks that others trained: ``python -m benchmarks.public FOLDER``, results/public.md. Two minutes on one core.

FOLDER is a checkout of github.com/callummcdougall/ARENA_2.0, whose monthly problems come with weights; none of them is kept here.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.timing import markdown
from benchmarks.writing import RESULTS
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.prove import find_explanation, prove
from compact_proofs.decimals import decimal
from compact_proofs.length import count
from compact_proofs.models.hooked.state import transformer_from_hooked_state
from compact_proofs.models.transformer import Transformer
from compact_proofs.program import program_of
from compact_proofs.sequences.task import FiniteTask

PROBLEMS = Path("chapter1_transformers/exercises/monthly_algorithmic_problems")
LARGEST = 5
"""Token t of the cumulative sum stands for the number t, or for t - 11 where t is above 5."""
HEADER = ["network", "task", "inputs", "bound", "operations, M", "share", "search, s", "proof, s"]


def cumulative_sum(folder: Path, n: int) -> Transformer:
    """November 2023: is the sum of the tokens so far negative, 0 or positive? It reads up to 20; here n, at the last of them."""
    state = torch.load(folder / PROBLEMS / "november23_cumsum" / "cumsum_model.pt", map_location="cpu", weights_only=True)
    state["pos_embed.W_pos"] = state["pos_embed.W_pos"][:n]
    sizes = {"n_layers": 1, "n_heads": 1, "d_model": 24, "d_head": 12, "d_mlp": 8, "n_ctx": n, "d_vocab": 11, "d_vocab_out": 3}
    fields = sizes | {"act_fn": "relu", "normalization_type": None}
    return transformer_from_hooked_state(state, fields, "the cumulative sum")


def sign_of_sum(x: Tensor) -> Tensor:
    """0, 1 or 2: the sum is negative, 0 or positive."""
    return 1 + torch.where(x > LARGEST, x - (2 * LARGEST + 1), x).sum(1).sign()


def row(folder: Path, n: int) -> list[str]:
    """Search and prove."""
    task = FiniteTask(n, 2 * LARGEST + 1, sign_of_sum)
    program = program_of(cumulative_sum(folder, n), task)
    inputs = task.examples(64)
    with count() as counter:
        program(inputs)
    started = time.process_time()
    explanation = find_explanation(program, task, Automatic())
    searched = time.process_time()
    found = prove(program, task, Automatic(), explanation=explanation)
    proved = time.process_time()
    share = found.length.total / (counter.length.total / len(inputs)) / task.size
    made = [f"{task.size:,}", decimal(found.bound), f"{found.length.total / 1e6:.1f}", f"{share:.2g}"]
    return ["cumulative sum", f"sign of the sum of {n}", *made, f"{searched - started:.0f}", f"{proved - searched:.1f}"]


def main() -> None:
    """Write the table."""
    [folder] = map(Path, sys.argv[1:])
    table = markdown(HEADER, [row(folder, n) for n in (4, 5)])
    text = f"""# Networks that others trained

`python -m benchmarks.public FOLDER`: automatic proofs, by the default options, about a network of ARENA's monthly algorithmic
problems (November 2023: one layer, one head, an MLP of 8 ReLU neurons, no norm), read from a checkout of their repository. *share*:
operations over those of the module on every input. Seconds are processor time of one core.

{table}
"""
    (RESULTS / "public.md").write_text(text)


if __name__ == "__main__":
    main()
