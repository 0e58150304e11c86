"""Autoencoders in the files of SAELens: a folder with ``cfg.json`` and ``sae_weights.safetensors``. Nothing in them is trusted."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from compact_proofs.dictionaries.autoencoder import Autoencoder
from compact_proofs.dictionaries.saelens_config import OWN_TENSORS, SaeConfig
from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import made, write_atomically
from compact_proofs.files.untrusted import visible
from compact_proofs.models.files import read_json, read_weights

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"

_SHAPES = {
    "W_enc": ("d_in", "d_sae"),
    "W_dec": ("d_sae", "d_in"),
    "b_dec": ("d_in",),
    "b_enc": ("d_sae",),
    "threshold": ("d_sae",),
    "b_gate": ("d_sae",),
    "b_mag": ("d_sae",),
    "r_mag": ("d_sae",),
}
_COMMON = ("W_enc", "W_dec", "b_dec")


def load_saelens(folder: str | Path) -> Autoencoder:
    """Read an autoencoder; its numbers are kept as stored.

    Files of version 6 of SAELens and older ones are understood, as far as `SaeConfig` says.

    Raises
    ------
    BadInput
        Naming the file, what is wrong with it, and the cure.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder}: a dictionary of SAELens is a folder that holds {CONFIG} and {WEIGHTS}; give that folder")
    config = SaeConfig.read(folder / CONFIG, read_json(folder / CONFIG))
    weights, _ = read_weights(folder / WEIGHTS)
    named = _checked(folder / WEIGHTS, weights, config)
    return Autoencoder(
        config.architecture,  # type: ignore[arg-type]
        named["W_enc"],
        named.get("b_enc", named.get("b_gate", torch.zeros(0))),
        named["W_dec"],
        named["b_dec"],
        k=config.k,
        threshold=named.get("threshold"),
        r_mag=named.get("r_mag"),
        b_mag=named.get("b_mag"),
        apply_b_dec_to_input=config.apply_b_dec_to_input,
        rescale_acts_by_decoder_norm=config.rescale_acts_by_decoder_norm,
    )


def save_saelens(autoencoder: Autoencoder, folder: str | Path) -> Path:
    """Write an autoencoder, in float32, as SAELens 6 does; return the folder.

    Raises
    ------
    BadInput
        If nothing can be written there.
    """
    folder = made(folder)
    a = autoencoder
    config = {
        "architecture": a.architecture,
        "d_in": a.W_dec.shape[1],
        "d_sae": a.features,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": a.apply_b_dec_to_input,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.0.0", "made_by": f"compact-proofs {version('compact-proofs')}"},
    }
    if a.architecture == "topk":
        config |= {"k": a.k, "rescale_acts_by_decoder_norm": a.rescale_acts_by_decoder_norm}
    gated = a.architecture == "gated"
    named = {"W_enc": a.W_enc, "W_dec": a.W_dec, "b_dec": a.b_dec, "b_gate" if gated else "b_enc": a.b_enc}
    named |= {name: t for name in ("threshold", "r_mag", "b_mag") if (t := getattr(a, name)) is not None}
    tensors = {name: t.detach().float().contiguous().clone() for name, t in named.items()}
    write_atomically(folder / WEIGHTS, safetensors.torch.save(tensors))
    write_atomically(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())
    return folder


def _checked(path: Path, weights: dict[str, Tensor], config: SaeConfig) -> dict[str, Tensor]:
    """The tensors of the architecture, of the sizes that the configuration says, and no others."""
    if "log_threshold" in weights and "threshold" not in weights:
        weights["threshold"] = weights.pop("log_threshold").exp()
    scaling = weights.pop("scaling_factor", None)
    if (scaling is None) == config.finetuning_scaling_factor or (scaling is not None and bool((scaling != 1).any())):
        raise BadInput(f"{path}: scaling_factor is not 1, or missing; multiply it into W_dec, and save it again")
    needed = (*_COMMON, *OWN_TENSORS[config.architecture])
    missing = [name for name in needed if name not in weights]
    if missing:
        raise BadInput(f"{path}: missing {', '.join(missing)}, which an autoencoder of the architecture {config.architecture} has")
    others = sorted(visible(name) for name in set(weights) - set(needed))
    if others:
        raise BadInput(
            f"{path}: {', '.join(others)[:200]} is no tensor of the architecture {config.architecture}, and could "
            "change what it computes; correct the architecture, or leave it out if it is not used"
        )
    for name in needed:
        tensor, expected = weights[name], [getattr(config, axis) for axis in _SHAPES[name]]
        if list(tensor.shape) != expected:
            raise BadInput(f"{path}: {name} has shape {list(tensor.shape)}; {CONFIG} says {_SHAPES[name]} = {expected}")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise BadInput(f"{path}: {name} has entries that are not finite numbers; train or export it again")
    return {name: weights[name] for name in needed}
