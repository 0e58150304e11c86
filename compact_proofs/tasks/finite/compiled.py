"""Networks that are compiled from programs by tracr, for the zoo: ``python -m compact_proofs.tasks.finite.compiled [FOLDER]``.

tracr turns a program in the language RASP into the weights of a transformer that computes it, so that every part of the network is
known. It is needed to make the files again, and for nothing else: ``pip install tracr-pypi`` brings it, with jax.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.models.files import save_model, weights_sha256
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.finite.files import described, task_of

BEGINNING = "BOS"
"""The token that every sequence begins with."""
COMPARED = 256
"""Inputs on which a network is compared with what tracr makes of the program."""


def histogram() -> tuple[Transformer, dict[str, Any]]:
    """How often the last token occurs: one layer of attention, and an MLP that reads the count off the share 1 / (1 + count)."""
    from tracr.compiler import lib

    n = 6
    return _network(lib.make_hist(), "hist", [BEGINNING, *"abcdefg"], n, range(n + 1), "count-of-last")


def sort() -> tuple[Transformer, dict[str, Any]]:
    """The greatest token, which a program that sorts puts last: three layers that count how many tokens are below each one.

    Equal tokens are told apart by their positions, and each position then attends to the token whose count it is.
    """
    from tracr.compiler import lib
    from tracr.rasp import rasp

    n, tokens = 5, [BEGINNING, *range(1, 7)]
    program = lib.make_sort(rasp.tokens, rasp.tokens, max_seq_len=n, min_key=1)
    return _network(program, "sort", tokens, n, tokens, "maximum")


def dyck() -> tuple[Transformer, dict[str, Any]]:
    """Are brackets balanced? Six layers: shares of both up to each position, compared there and at the end."""
    from tracr.compiler import lib

    return _network(lib.make_shuffle_dyck(["()"]), "shuffle_dyck", [*"()a", BEGINNING], 7, [False, True], "balanced")


def _network(
    program: Any, name: str, tokens: list[Any], n: int, outputs: Sequence[Any], label: str
) -> tuple[Transformer, dict[str, Any]]:
    """Compile a program over sequences of n tokens that follow one for their beginning, and compare the network with it."""
    from tracr.compiler import compiling

    compiled = compiling.compile_rasp_to_model(program, set(tokens) - {BEGINNING}, max_seq_len=n, compiler_bos=BEGINNING)
    network = as_transformer(compiled, name, tokens, n, outputs)
    network.answers = {"name": label, "parameters": {}, "first": tokens.index(BEGINNING)}
    _compare(compiled, network, task_of(network), tokens, outputs)
    return network, {"source": f"compiled by tracr from the program '{name}', which is right on every input"}


def as_transformer(compiled: Any, program: str, tokens: list[Any], n: int, outputs: Sequence[Any]) -> Transformer:
    """Weights of a compiled model without LayerNorm and causal masks, under the names of `Transformer`.

    Parameters
    ----------
    compiled
        What tracr's `compile_rasp_to_model` returns.
    program
        Its name: its result's values are the entries ``program_...:value`` of the residual stream.
    tokens
        Token t of the network is ``tokens[t]`` of the program.
    n
        Positions of the program; the network has one more before them.
    outputs
        Output number k of the network is ``outputs[k]`` of the program; one that the program never has gets the logit 0.
    """
    sizes = compiled.model_config
    if sizes.layer_norm or sizes.causal:
        raise BadInput("tracr: only models without LayerNorm and causal masks are read")
    weights = {name: {key: _tensor(x) for key, x in part.items()} for name, part in compiled.params.items()}
    embed = weights["token_embed"]["embeddings"]
    d, heads, width = embed.shape[1], sizes.num_heads, sizes.key_size
    state: dict[str, Tensor] = {
        "W_E": embed[[compiled.input_encoder.encoding_map[t] for t in tokens]],
        "W_pos": weights["pos_embed"]["embeddings"][: n + 1],
    }
    for layer in range(sizes.num_layers):
        of = f"transformer/layer_{layer}/"
        for name, part in (("Q", "query"), ("K", "key"), ("V", "value")):
            state[f"blocks.{layer}.W_{name}"] = weights[f"{of}attn/{part}"]["w"].reshape(d, heads, width).movedim(1, 0)
            state[f"blocks.{layer}.b_{name}"] = weights[f"{of}attn/{part}"]["b"].reshape(heads, width)
        state[f"blocks.{layer}.W_O"] = weights[f"{of}attn/linear"]["w"].reshape(heads, width, d)
        state[f"blocks.{layer}.b_O"] = weights[f"{of}attn/linear"]["b"]
        for name, part in (("in", "linear_1"), ("out", "linear_2")):
            state[f"blocks.{layer}.W_{name}"] = weights[f"{of}mlp/{part}"]["w"]
            state[f"blocks.{layer}.b_{name}"] = weights[f"{of}mlp/{part}"]["b"]
    [result] = {
        of for of in (label.rpartition(":")[0] for label in compiled.residual_labels) if re.fullmatch(rf"{program}_\d+", of)
    }
    state["W_U"] = torch.zeros(d, len(outputs))
    for number, output in enumerate(outputs):
        if output in compiled.output_encoder.encoding_map:
            state["W_U"][compiled.residual_labels.index(f"{result}:{output}"), number] = 1.0
    state["b_U"] = torch.zeros(len(outputs))
    network = Transformer(
        TransformerConfig(
            d_vocab=len(tokens),
            n_ctx=n + 1,
            d_out=len(outputs),
            d_model=d,
            d_head=width,
            n_heads=heads,
            n_layers=sizes.num_layers,
            d_mlp=sizes.mlp_hidden_size,
            biases=True,
        )
    )
    network.load_state_dict(state)
    return network


def _tensor(x: Any) -> Tensor:
    return torch.from_numpy(np.array(x, dtype=np.float32))


def _compare(compiled: Any, network: Transformer, task: FiniteTask, tokens: list[Any], outputs: Sequence[Any]) -> None:
    """Raise `BadInput` if a network says anything else than the compiled model on some inputs."""
    inputs = task.examples(COMPARED)
    with torch.no_grad():
        said = network(inputs).argmax(1).tolist()
    for sequence, answer in zip(inputs.tolist(), said, strict=True):
        expected = compiled.apply([tokens[t] for t in sequence]).decoded[-1]
        if outputs[answer] != expected:
            raise BadInput(f"tracr says {expected} of {sequence}, and the network {outputs[answer]}")


COMPILED = {"finite-histogram": histogram, "finite-sort": sort, "finite-dyck": dyck}


def main() -> None:
    """Make the files."""
    from compact_proofs.tasks import KITS
    from compact_proofs.tasks.build_zoo import true_accuracy

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else zoo.FOLDER
    for name, make in COMPILED.items():
        network, said = make()
        said |= {"weights_sha256": weights_sha256(network), "true_accuracy": true_accuracy(network, KITS[FiniteTask.name])}
        save_model(network, folder / "finite" / f"{name}.safetensors", described(network) | said)


if __name__ == "__main__":
    main()
