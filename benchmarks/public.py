"""Networks that others trained: ``python -m benchmarks.public ARENA GROKKING``, results/public.md. Two minutes on one core.

ARENA is a checkout of github.com/callummcdougall/ARENA_2.0, whose monthly problems come with weights; GROKKING one of
github.com/mechanistic-interpretability-grokking/progress-measures-paper, whose ``saved_runs`` do. None of them is kept here.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.timing import markdown
from benchmarks.writing import RESULTS, commit
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.prove import find_explanation, measure, prove
from compact_proofs.core.strategy import Strategy
from compact_proofs.decimals import decimal
from compact_proofs.length import count
from compact_proofs.models.hooked.state import transformer_from_hooked_state
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig
from compact_proofs.models.transformer import Transformer
from compact_proofs.program import program_of
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.modular_addition import BruteForce, Directions, ModularAddition

PROBLEMS = Path("chapter1_transformers/exercises/monthly_algorithmic_problems")
LARGEST = 5
"""Token t of the cumulative sum stands for the number t, or for t - 11 where t is above 5."""
GROKKED = ["saved run", "proof", "right", "bound", "operations, M", "share", "search, s", "proof, s"]
HEADER = ["network", "task", "inputs", "bound", "operations, M", "share", "search, s", "proof, s"]


def cumulative_sum(folder: Path, n: int) -> Transformer:
    """November 2023: is the sum of the tokens so far negative, 0 or positive? It reads up to 20; here n, at the last of them."""
    state = torch.load(folder / PROBLEMS / "november23_cumsum" / "cumsum_model.pt", map_location="cpu", weights_only=True)
    state["pos_embed.W_pos"] = state["pos_embed.W_pos"][:n]
    state["blocks.0.attn.mask"] = state["blocks.0.attn.mask"][:n, :n]
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


def grokked(folder: Path, run: str) -> OneLayerMLP:
    """A network of the paper on progress measures: a + b mod 113 after an "=" sign. Its logit of "=" itself is left out."""
    state = torch.load(folder / "saved_runs" / f"{run}.pth", map_location="cpu", weights_only=True)["model"]
    named = {name.removeprefix("blocks.0.").rpartition(".")[2]: tensor.float() for name, tensor in state.items()}
    model = OneLayerMLP(OneLayerMLPConfig(114, 113, 128, 512, "learned", 4, 32))
    turned = {name: named[name].mT for name in ("W_E", "W_Q", "W_K", "W_V", "W_in", "W_out")}
    turned |= {name: named[name] for name in ("W_pos", "b_in", "b_out")}
    model.load_state_dict(turned | {"W_O": named["W_O"].T.reshape(4, 32, 128), "W_U": named["W_U"][:, :113]})
    return model.requires_grad_(False)


def grokked_row(folder: Path, run: str, strategy: Strategy) -> list[str]:
    """Search and prove."""
    model = grokked(folder, run)
    task = ModularAddition.of(model)
    brute = measure(model, task, BruteForce()).total
    started = time.process_time()
    explanation = find_explanation(model, task, strategy)
    searched = time.process_time()
    found = prove(model, task, strategy, explanation=explanation)
    proved = time.process_time()
    made = [f"{found.claim.numerator:,} of {task.size:,}", decimal(found.bound), f"{found.length.total / 1e6:.0f}"]
    times = [f"{searched - started:.0f}", f"{proved - searched:.1f}"]
    return [run, str(strategy), *made, f"{found.length.total / brute:.2g}", *times]


def main() -> None:
    """Write the tables."""
    arena, grokking = map(Path, sys.argv[1:])
    sums = markdown(HEADER, [row(arena, n) for n in (4, 5)])
    runs = ("wd_10-1_mod_addition_loss_curve", "low_precision_mod_addition")
    strategies = [Directions(6, 2, rest, rank=12, label="bounded") for rest in (False, True)]
    grokked_table = markdown(GROKKED, [grokked_row(grokking, run, strategy) for run in runs for strategy in strategies])
    text = f"""# Networks that others trained

`python -m benchmarks.public ARENA GROKKING` ({commit()}), with checkouts of two repositories. Seconds are processor time of one
core.

**ARENA's monthly algorithmic problems**, November 2023: one layer, one head, an MLP of 8 ReLU neurons, no norm. Automatic proofs by
the default options. *share*: operations over those of the module on every input.

{sums}

**Progress measures for grokking via mechanistic interpretability** (Nanda et al. 2023): networks that the paper saved, one layer
with four heads of learned attention and an MLP of 512 ReLU neurons, on a + b mod 113. *share*: operations over those of brute
force.

{grokked_table}
"""
    (RESULTS / "public.md").write_text(text)


if __name__ == "__main__":
    main()
