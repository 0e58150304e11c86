"""Networks that others trained: ``python -m benchmarks.public ARENA GROKKING``, results/public.md. Five minutes on one core.

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
from compact_proofs.automatic.strategy import usual
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
NONE = 10
"""Of the letters 0 to 9: none. It is also the token before them."""
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


def unique_character(folder: Path, letters: int) -> Transformer:
    """August 2023: which letter of those so far is the first that occurs once? At the last of some letters, after a "?"."""
    state = torch.load(
        folder / PROBLEMS / "august23_unique_char" / "first_unique_char_model.pt", map_location="cpu", weights_only=True
    )
    n = letters + 1
    state["pos_embed.W_pos"] = state["pos_embed.W_pos"][:n]
    for layer in range(2):
        state[f"blocks.{layer}.attn.mask"] = state[f"blocks.{layer}.attn.mask"][:n, :n]
    sizes = {"n_layers": 2, "n_heads": 3, "d_model": 42, "d_head": 14, "n_ctx": n, "d_vocab": 11, "d_vocab_out": 11}
    fields = sizes | {"attn_only": True, "normalization_type": "LN", "eps": 1e-5}
    return transformer_from_hooked_state(state, fields, "the first unique character")


def first_unique(x: Tensor) -> Tensor:
    """The first letter of x int64 [N, letters + 1] that occurs once, or `NONE`; what stands first is no letter."""
    letters = x[:, 1:]
    once = (letters[:, :, None] == letters[:, None]).sum(2) == 1
    found = letters.gather(1, once.to(torch.int64).argmax(1, keepdim=True))[:, 0]
    return torch.where(once.any(1), found, NONE)


def is_word(x: Tensor) -> Tensor:
    """A "?", and then letters only?"""
    return (x[:, 0] == NONE) & (x[:, 1:] < NONE).all(1)


def row(network: Transformer, task: FiniteTask, name: str, about: str) -> list[str]:
    """Search and prove, by the default proof."""
    program, strategy = program_of(network, task), usual(task)
    inputs = task.examples(64)
    with count() as counter:
        program(inputs)
    started = time.process_time()
    explanation = find_explanation(program, task, strategy)
    searched = time.process_time()
    found = prove(program, task, strategy, explanation=explanation)
    proved = time.process_time()
    share = found.length.total / (counter.length.total / len(inputs)) / task.size
    made = [f"{task.size:,}", decimal(found.bound), f"{found.length.total / 1e6:.1f}", f"{share:.2g}"]
    return [name, about, *made, f"{searched - started:.0f}", f"{proved - searched:.1f}"]


def arena_rows(folder: Path) -> list[list[str]]:
    """Two of ARENA's networks, on sequences as long as can be afforded."""
    rows = []
    for n in (4, 5):
        task = FiniteTask(n, 2 * LARGEST + 1, sign_of_sum)
        rows.append(row(cumulative_sum(folder, n), task, "cumulative sum", f"sign of the sum of {n}"))
    for n in (4, 5):
        task = FiniteTask(n + 1, NONE + 1, first_unique, valid=is_word)
        rows.append(row(unique_character(folder, n), task, "first unique character", f"the first of {n} letters that occurs once"))
    return rows


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
    runs = ("wd_10-1_mod_addition_loss_curve", "low_precision_mod_addition")
    strategies = [Directions(6, 2, rest, rank=12, label="bounded") for rest in (False, True)]
    grokked_table = markdown(GROKKED, [grokked_row(grokking, run, strategy) for run in runs for strategy in strategies])
    text = f"""# Networks that others trained

`python -m benchmarks.public ARENA GROKKING` ({commit()}), with checkouts of two repositories. Seconds are processor time of one
core.

**ARENA's monthly algorithmic problems**: November 2023, one layer, one head, an MLP of 8 ReLU neurons, no norm; and August 2023,
two layers of three heads with LayerNorm. Proofs by the default. *share*: operations over those of the module on every input.

{markdown(HEADER, arena_rows(arena))}

**Progress measures for grokking via mechanistic interpretability** (Nanda et al. 2023): networks that the paper saved, one layer
with four heads of learned attention and an MLP of 512 ReLU neurons, on a + b mod 113. *share*: operations over those of brute
force.

{grokked_table}
"""
    (RESULTS / "public.md").write_text(text)


if __name__ == "__main__":
    main()
