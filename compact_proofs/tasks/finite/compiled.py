"""Networks that are compiled from programs by tracr, for the zoo: ``python -m compact_proofs.tasks.finite.compiled [FOLDER]``.

tracr turns a program in the language RASP into the weights of a transformer that computes it, so that every part of the network is
known. It is needed to make the files again, and for nothing else: ``pip install tracr-pypi`` brings it, with jax.
"""

from __future__ import annotations

import sys
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

LETTERS, LENGTH = "abcdefg", 6
"""Tokens of the histogram, and how many of them a sequence has after the one that it begins with."""
COMPARED = 256
"""Inputs on which a network is compared with what tracr makes of the program."""


def histogram() -> tuple[Transformer, dict[str, Any]]:
    """How often the last token occurs: one layer of attention, and an MLP that reads the count off the share 1 / (1 + count)."""
    from tracr.compiler import compiling, lib

    compiled = compiling.compile_rasp_to_model(lib.make_hist(), set(LETTERS), max_seq_len=LENGTH, compiler_bos="BOS")
    network = as_transformer(compiled, ["BOS", *LETTERS], LENGTH)
    network.answers = {"name": "count-of-last", "parameters": {}, "first": 0}
    task = task_of(network)
    _compare(compiled, network, task, ["BOS", *LETTERS])
    return network, {"source": "compiled by tracr from the program 'hist', which is right on every input"}


def as_transformer(compiled: Any, tokens: list[str], n: int) -> Transformer:
    """Weights of a compiled model without LayerNorm and causal masks, under the names of `Transformer`.

    Parameters
    ----------
    compiled
        What tracr's `compile_rasp_to_model` returns; its output is one number, of which a symbol of the residual stream tells.
    tokens
        Token t of the network is ``tokens[t]`` of the program.
    n
        Positions of the program; the network has one more before them.
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
    outputs = list(compiled.output_encoder.encoding_map)
    [name] = {label.rpartition(":")[0] for label in compiled.residual_labels} - {"tokens", "indices", ""}
    state["W_U"] = torch.zeros(d, len(outputs))
    for number, output in enumerate(outputs):
        state["W_U"][compiled.residual_labels.index(f"{name}:{output}"), number] = 1.0
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


def _compare(compiled: Any, network: Transformer, task: FiniteTask, tokens: list[str]) -> None:
    """Raise `BadInput` if a network says anything else than the compiled model on some inputs."""
    inputs = task.examples(COMPARED)
    with torch.no_grad():
        said = network(inputs).argmax(1).tolist()
    for sequence, answer in zip(inputs.tolist(), said, strict=True):
        expected = compiled.apply([tokens[t] for t in sequence]).decoded[-1]
        if answer != expected:
            raise BadInput(f"tracr says {expected} of {sequence}, and the network {answer}")


COMPILED = {"finite-histogram": histogram}


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
