"""Files of weights: read without trust, written whole, hashed whatever their format.

Files come from anywhere, so nothing in them is trusted: no pickle is run, sizes are bounded before memory is taken, and
whatever is wrong is a `BadInput` that names the file and the cure.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import write_atomically
from compact_proofs.files.bits import bits_of
from compact_proofs.files.untrusted import parse_json
from compact_proofs.models.architectures import architecture_of

MAX_BYTES = 2**30
"""Files, and what they unpack to, are at most this large unless the caller says otherwise: 1 GiB."""

MOST_ENTRIES = 10_000
"""Tensors in an .npz or .pt file, at most."""

_ZIP_ENTRY = b"PK\x01\x02"
"""How each entry of a zip archive's directory begins."""

_METADATA_KEY = "compact_proofs"


def read_weights(path: str | Path, max_bytes: int = MAX_BYTES) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the metadata of a file.

    Parameters
    ----------
    path : str or Path
        A .safetensors, .npz, .pt or .pth file. The last two hold a state dict, saved by torch.save.
    max_bytes : int
        Largest size of the file, and of its tensors together.

    Returns
    -------
    weights : dict of str to Tensor
        On the CPU, in the stored dtypes.
    metadata : dict
        What `save_model` wrote into the header of a .safetensors file, else from the ``.json`` file of the same name, else
        another program's header, else empty.

    Raises
    ------
    BadInput
        If the file is missing, damaged, too large, or holds anything but arrays of numbers.
    """
    path = Path(path)
    readers: dict[str, Callable[[bytes, int], tuple[dict[str, Tensor], dict[str, Any]]]] = {
        ".safetensors": _read_safetensors,
        ".npz": _read_npz,
        ".pt": _read_torch,
        ".pth": _read_torch,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path}: weights are read from .safetensors, .npz, .pt and .pth files; rename or convert it")
    data = _read_bytes(path, max_bytes)
    try:
        weights, metadata = reader(data, max_bytes)
        _check_tensors(weights, max_bytes)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    except Exception as error:  # whatever a parser raises on hostile bytes
        detail = str(error).split("\n", 1)[0][:200]
        raise BadInput(
            f"{path}: it is damaged or not a {path.suffix} file ({type(error).__name__}: {detail}); "
            "copy it again from its source, or save the model again"
        ) from error
    own = metadata.pop(_METADATA_KEY, None)
    return weights, own if own is not None else _sibling_metadata(path) or metadata


def save_model(model: nn.Module, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write a model's weights as .safetensors, with metadata in its header and in a readable ``.json`` beside it.

    Each file is written whole or not at all; the header is the one that `read_weights` believes. The metadata of a model of one
    of the architectures that ship name it: ``architecture`` is its name and ``configuration`` its configuration
    (`compact_proofs.models.architectures`), from which `compact_proofs.models.loading.load_network` knows the function.

    Parameters
    ----------
    model : nn.Module
        Its state dict is saved.
    path : str or Path
        Must end in .safetensors.
    metadata : mapping
        Anything that JSON can hold; ``task`` is the name of the task that the model is for.

    Raises
    ------
    BadInput
        If the path or the metadata cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise BadInput(f"{path}: models are saved as .safetensors; change the file name's ending")
    try:
        data = model_bytes(model, metadata)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{path}: the metadata cannot be written as JSON: {error}") from error
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in _named(model, metadata).items())
    write_atomically(path, data)
    write_atomically(path.with_suffix(".json"), ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def model_bytes(model: nn.Module, metadata: Mapping[str, Any]) -> bytes:
    """Return the .safetensors file that `save_model` writes; `read_model_bytes` reads it."""
    header = json.dumps(_named(model, metadata), allow_nan=False)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    return safetensors.torch.save(tensors, {_METADATA_KEY: header})


def read_model_bytes(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of `model_bytes` with their metadata, or of another .safetensors file with none."""
    weights, header = _read_safetensors(data, len(data))
    return weights, header.get(_METADATA_KEY, {})


def _named(model: nn.Module, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata that begin with the model's architecture and configuration, if it is one of those that ship."""
    named = architecture_of(model)
    said = {} if named is None else {"architecture": named[0], "configuration": named[1]}
    return said | {key: value for key, value in metadata.items() if key not in said}


def weights_sha256(model: nn.Module) -> str:
    """Hash the parameters and buffers of a model: names, dtypes, shapes and bits, whatever file they came from.

    SHA-256 over one record per tensor, sorted by name: a line of JSON ``[name, dtype, [shape]]``, then the numbers in
    row-major order, little-endian.
    """
    digest = hashlib.sha256(b"compact-proofs weights 1\n")
    tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        header = [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
        digest.update(json.dumps(header).encode() + b"\n")
        digest.update(bits_of(tensor))
    return digest.hexdigest()


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    if not path.exists():
        raise BadInput(f"{path}: there is no such file; check the path")
    if not path.is_file():
        raise BadInput(f"{path}: it is not a file; give the path of a file with weights")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise BadInput(f"{path}: {size} bytes are more than the limit of {max_bytes}; is it the right file?")
            data = file.read(size)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not data:
        raise BadInput(f"{path}: the file is empty; copy it again from its source, or save the model again")
    return data


def _read_safetensors(data: bytes, max_bytes: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    weights = safetensors.torch.load(data)  # checks the header: every tensor lies inside the file
    header = parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
    if _METADATA_KEY in header:
        return weights, {_METADATA_KEY: _parse_metadata(header[_METADATA_KEY], "the metadata in its header")}
    return weights, header


def _read_npz(data: bytes, max_bytes: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    weights: dict[str, Tensor] = {}
    with _open_zip(data, max_bytes) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name == entry.filename or name in weights:
                raise BadInput(f"its entry {entry.filename!r} is not one array; save it by numpy.savez")
            weights[name] = _array_to_tensor(name, _unpack(archive, entry))
    return weights, {}


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read as much as the directory says that there is: asked for all, the decompressor would take memory for all there is."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadInput(f"its entry {entry.filename!r} is packed in a way that numpy does not use; save it again by numpy.savez")
    with archive.open(entry) as opened:
        return opened.read(entry.file_size)


def _array_to_tensor(name: str, data: bytes) -> Tensor:
    """Parse an .npy file, whose header is compared with the size of the data before memory is taken."""
    stream = io.BytesIO(data)
    versions = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = versions[np.lib.format.read_magic(stream)](stream)
    if dtype.kind not in "biufc":
        raise BadInput(f"{name} is an array of {dtype}, not of numbers; save plain numeric arrays by numpy.savez")
    declared, stored = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if declared != stored or min(shape, default=0) < 0:
        raise BadInput(f"{name} declares {declared} bytes and holds {stored}; save it again by numpy.savez")
    stream.seek(0)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    return torch.from_numpy(np.array(array, dtype=dtype.newbyteorder("="), order="C"))


def _read_torch(data: bytes, max_bytes: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    _open_zip(data, max_bytes).close()  # so that nothing large is unpacked; also, every torch since 1.6 writes a zip
    cure = "save the tensors alone: torch.save(model.state_dict(), path)"
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInput(f"it holds Python objects that are not tensors and could run code, or is damaged; {cure}") from error
    if not isinstance(state, Mapping):
        raise BadInput(f"it holds a {type(state).__name__} and not a state dict; {cure}")
    for name, value in state.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise BadInput(f"its entry {name!r} is a {type(value).__name__} and not a tensor; {cure}")
    return {name: tensor.detach() for name, tensor in state.items()}, {}


def _open_zip(data: bytes, max_bytes: int) -> zipfile.ZipFile:
    if data.count(_ZIP_ENTRY) > MOST_ENTRIES:  # each of which would become an object, of more bytes than it has in the file
        raise BadInput(f"it is a zip archive of more than {MOST_ENTRIES:,} entries; is it the right file?")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise BadInput(
            "it is not a complete zip archive, as .npz and .pt files are; "
            "copy it again, or save it again by numpy.savez or torch.save"
        ) from error
    declared = sum(entry.file_size for entry in archive.infolist())
    if declared > max_bytes:
        raise BadInput(f"it unpacks to {declared} bytes, more than the limit of {max_bytes}; is it the right file?")
    return archive


def _check_tensors(weights: Mapping[str, Tensor], max_bytes: int) -> None:
    for name, tensor in weights.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise BadInput(f"{name} is not a plain dense tensor; save dense tensors with their numbers")
    declared = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if declared > max_bytes:
        raise BadInput(f"its tensors declare {declared} bytes, more than the limit of {max_bytes}")


def read_json(path: str | Path, what: str = "it") -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises
    ------
    BadInput
        If the file is missing, too large (16 MiB), or holds anything else.
    """
    text = _read_bytes(Path(path), 2**24).decode(errors="replace")
    return _parse_metadata(text, f"{path}: {what}")


def _sibling_metadata(path: Path) -> dict[str, Any]:
    sibling = path.with_suffix(".json")
    return read_json(sibling, f"the metadata of {path.name}") if sibling.is_file() else {}


def _parse_metadata(text: Any, what: str) -> dict[str, Any]:
    try:
        metadata = parse_json(text)
    except (ValueError, TypeError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise BadInput(f"{what} should be one JSON object, with no key twice; correct or remove it")
    return metadata
