"""The MLP's part of a kink proof as a theorem of its own: proved once, reused for every p.

Its exact statement: let L be the layer with the hashed weights (all but W_E and W_U), C and D the hashed coefficients, K rows of
two each. For every p >= 2, all integers k_1 ... k_K, and all W_E, W_U such that for every n < p

    |W_E[n] - sum_k cos(2 pi k n / p) C_k0 + sin(2 pi k n / p) C_k1|  <=  e_E,
    |W_U[:, n] - sum_k cos(2 pi k n / p) D_k0 + sin(2 pi k n / p) D_k1|  <=  e_U,

the network's margins are at least what `layer.Layer` says, with the theorem's numbers u, v, side and error. (The proof is in the
docstrings of `layer.neurons` and `response.kink_range`; p enters none of it.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from compact_proofs.certified import whole
from compact_proofs.core.prove import find_explanation
from compact_proofs.core.strategy import explanation_size
from compact_proofs.enclosure import enclose, lower, provably, sound, upper
from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import write_atomically
from compact_proofs.files.untrusted import parse_json
from compact_proofs.length import ProofLength, charge_integers, count, stage
from compact_proofs.models.files import read_weights
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.kinks import Kinks, certain_classes, wave_rest
from compact_proofs.tasks.modular_addition.layer import Layer, bound_layer, layer_specs
from compact_proofs.tasks.modular_addition.response import kink_range
from compact_proofs.tasks.modular_addition.task import ModularAddition
from compact_proofs.tasks.modular_addition.waves import class_size, waves

TOLERANCE = 1e-5
"""By how much embeddings may differ from their waves, unless told: more than rounding to float32 takes."""
_KIND = "compact-proofs layer theorem 1"


@dataclass(frozen=True)
class LayerTheorem:
    """A layer's theorem.

    Attributes
    ----------
    layer_sha256
        Of the weights that it is about and of C and D (`layer_sha256`).
    hints
        What the proof reads: C and D (``embedding``, ``unembedding``) are a part of the statement, the rest guides the proof.
    e_E, e_U
        How far the embeddings may be from the waves.
    u, v, side
        K numbers each.
    error
        One number.
    length
        Operations of its proof.
    """

    layer_sha256: str
    hints: Mapping[str, Tensor]
    e_E: float
    e_U: float
    u: tuple[float, ...]
    v: tuple[float, ...]
    side: tuple[float, ...]
    error: float
    length: int

    def statement(self) -> str:
        """The theorem in words."""
        return (
            f"For every p, all {len(self.u)} integer frequencies, and all embeddings within {self.e_E:g} and unembeddings within "
            f"{self.e_U:g} of their waves, the network with the layer {self.layer_sha256[:16]}... has for all a, b, e the margin "
            "logit(a+b) - logit(a+b+e) >= 2 sum_k (|cos(pi k (a-b)/p)| (u_k S_k^2 - v_k T_k) - side_k S_k) - error, "
            f"S_k = |sin(pi k e/p)|, T_k = S_k |cos(pi k e/p)|, u = {_short(self.u)}, v = {_short(self.v)}, "
            f"side = {_short(self.side)}, error = {self.error:.3g}."
        )

    def save(self, path: str | Path) -> Path:
        """Write the theorem as one .safetensors file."""
        numbers = {name: getattr(self, name) for name in ("layer_sha256", "e_E", "e_U", "u", "v", "side", "error", "length")}
        header = json.dumps({"kind": _KIND, **numbers})
        tensors = {name: t.contiguous().clone() for name, t in self.hints.items()}
        write_atomically(Path(path), safetensors.torch.save(tensors, {"theorem": header}))
        return Path(path)


def load_theorem(path: str | Path) -> LayerTheorem:
    """Read a theorem. Nothing in the file is believed: `check_theorem` proves it again.

    Raises
    ------
    BadInput
        If the file is not one.
    """
    hints, metadata = read_weights(Path(path))
    try:
        numbers = parse_json(metadata["theorem"])
        if numbers.pop("kind") != _KIND:
            raise KeyError("kind")
        u, v, side = (tuple(float(x) for x in numbers[name]) for name in ("u", "v", "side"))
        e_E, e_U, error = (float(numbers[name]) for name in ("e_E", "e_U", "error"))
        return LayerTheorem(str(numbers["layer_sha256"]), hints, e_E, e_U, u, v, side, error, int(numbers["length"]))
    except (KeyError, TypeError, ValueError) as problem:
        raise BadInput(f"{path}: this is no layer theorem; write one by prove_theorem(...).save(path)") from problem


def prove_theorem(model: OneLayerMLP, frequencies: int, e_E: float = TOLERANCE, e_U: float = TOLERANCE) -> LayerTheorem:
    """Prove the theorem of a model's layer, C and D being its own coefficients at its main frequencies.

    Raises
    ------
    BadInput
        If the strategy `Kinks` does not apply to the model, or it reads an "=" sign (which is a row of W_E).
    """
    strategy = Kinks(frequencies)
    hints = find_explanation(model, _task(model), strategy)
    del hints["frequencies"]
    return _prove(model, hints, e_E, e_U)


def check_theorem(theorem: LayerTheorem, model: OneLayerMLP) -> None:
    """Prove a theorem again from the layer of a model that has it.

    Raises
    ------
    BadInput
        If the model has another layer, or the theorem claims more than its proof gives.
    """
    _task(model)
    again = _prove(model, theorem.hints, theorem.e_E, theorem.e_U)
    if again.layer_sha256 != theorem.layer_sha256:
        raise BadInput("the theorem is about another layer than this model's")
    claimed = [*theorem.u, *(-x for x in (*theorem.v, *theorem.side, theorem.error))]
    proven = [*again.u, *(-x for x in (*again.v, *again.side, again.error))]
    if len(claimed) != len(proven) or not all(c <= p for c, p in zip(claimed, proven, strict=True)):
        raise BadInput("the theorem claims more than its proof gives")


def apply_theorem(theorem: LayerTheorem, model: OneLayerMLP, frequencies: Tensor) -> tuple[int, ProofLength]:
    """Count the pairs that a (checked) theorem proves right for a model at its p.

    Parameters
    ----------
    theorem
        As `prove_theorem` returned it, or checked.
    model
        With the theorem's layer; W_E and W_U are compared with the waves here.
    frequencies : int64 [K]
        Which frequency each row of C and D has at this p.

    Returns
    -------
    count, length
        The pairs, and the operations that it took beyond the theorem: no term of it grows with the MLP.

    Raises
    ------
    BadInput
        If the model has another layer, or its embeddings are farther from the waves than the theorem allows.
    """
    p = _task(model).p
    if layer_sha256(model, theorem.hints) != theorem.layer_sha256:
        raise BadInput("the theorem is about another layer than this model's")
    if tuple(frequencies.shape) != (len(theorem.u),):
        raise BadInput(f"the theorem is about {len(theorem.u)} frequencies, and {list(frequencies.shape)} were given")
    with sound(), count() as counter:
        charge_integers(len(frequencies) + 3 * len(theorem.u) + 1 + 2 * theorem.hints["embedding"].numel())
        with stage("embeddings"):
            table = waves(frequencies, p)
            e_E = wave_rest(model.W_E, table, theorem.hints["embedding"])
            e_U = wave_rest(model.W_U.T, table, theorem.hints["unembedding"])
        near = bool(provably(e_E <= theorem.e_E) & provably(e_U <= theorem.e_U))
        with stage("margins"):
            numbers = (torch.tensor(x, dtype=torch.float64) for x in (theorem.u, theorem.v, theorem.side, theorem.error))
            classes = certain_classes(Layer(*numbers), table)
            proven = whole((classes * class_size(p)).sum())
    if not near:
        raise BadInput(
            f"the embeddings are up to {float(upper(e_E)):.3g} and {float(upper(e_U)):.3g} from the waves; the theorem allows "
            f"{theorem.e_E:g} and {theorem.e_U:g}"
        )
    return proven, counter.length


def layer_sha256(model: OneLayerMLP, hints: Mapping[str, Tensor]) -> str:
    """Hash what a theorem is about: every weight but W_E and W_U, in float64, the architecture, and C and D."""
    c = model.config
    digest = hashlib.sha256(f"{_KIND} {c.attention} {c.n_ctx} {c.n_heads}\n".encode())
    weights = {name: w for name, w in model.state_dict().items() if name not in ("W_E", "W_U")}
    for name, tensor in sorted((weights | {name: hints[name] for name in ("embedding", "unembedding")}).items()):
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().double().contiguous().numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def _prove(model: OneLayerMLP, hints: Mapping[str, Tensor], e_E: float, e_U: float) -> LayerTheorem:
    K, c = len(hints.get("embedding", ())), model.config
    specs = layer_specs(K, c.d_model, c.d_mlp)
    problems = [f"{name}: {problem}" for name, s in specs.items() if name not in hints or (problem := s.problem(hints[name]))]
    if problems or set(hints) != set(specs) or not K:
        raise BadInput(f"the theorem's hints do not fit this model: {', '.join(problems) or ', '.join(sorted(hints))}")
    if not (e_E >= 0 and e_U >= 0):
        raise BadInput(f"tolerances must not be negative: {e_E}, {e_U}")
    with sound(), count() as counter:
        charge_integers(explanation_size(hints))
        tolerance_E, tolerance_U = (torch.tensor(e, dtype=torch.float64) for e in (e_E, e_U))
        layer, _ = bound_layer(model, hints, tolerance_E, tolerance_U, kink_range)
        u, (v, side, error) = lower(enclose(layer.u)), (upper(enclose(x)) for x in layer[1:])
    return LayerTheorem(
        layer_sha256(model, hints),
        dict(hints),
        e_E,
        e_U,
        tuple(u.tolist()),
        tuple(v.tolist()),
        tuple(side.tolist()),
        float(error),
        counter.length.total,
    )


def _task(model: OneLayerMLP) -> ModularAddition:
    task = ModularAddition.of(model)
    Kinks(1).applies_to(model, task)
    if model.config.n_ctx == 3:
        raise BadInput("this model reads an '=' sign, which is a row of W_E, so its layer has no theorem of its own")
    return task


def _short(numbers: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{x:.4g}" for x in numbers) + ")"
