"""Weights through every file format, hostile files, and the hash of weights."""

import hashlib
import io
import json
import math
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from small_networks import NETWORKS, attention_only, state_of
from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.models import files
from compact_proofs.models.files import model_bytes, read_model_bytes, read_weights, save_model, weights_sha256
from compact_proofs.models.own_names import attention_only_from_state

SCALE = {"attn_scale": torch.tensor(2.0, dtype=torch.float64)}


@pytest.fixture
def model():
    return attention_only()


@pytest.fixture
def state(model):
    return state_of(model)


def write_npz(path, arrays):
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [{}, SCALE])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".pth"])
def test_every_format_gives_the_same_bits(tmp_path, model, state, extra, suffix):
    path = tmp_path / f"model{suffix}"
    content = state | extra
    if suffix == ".npz":
        write_npz(path, content)
    elif suffix == ".safetensors":
        safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in content.items()}, path)
    else:
        torch.save(content, path)
    weights, metadata = read_weights(path)
    assert metadata == {}
    loaded = attention_only_from_state(weights, str(path))
    assert loaded.config == model.config
    assert weights_sha256(loaded) == weights_sha256(model)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_save_and_read(tmp_path, make):
    model, path = make(), tmp_path / "model.safetensors"
    metadata = {"seed": 3, "curves": {"loss": [0.5, 0.25]}, "name": "é"}
    save_model(model, path, metadata | {"architecture": "another"})
    weights, read = read_weights(path)
    said = {"architecture": model.architecture, "configuration": model.configuration()}
    assert read == said | metadata == json.loads((tmp_path / "model.json").read_text())
    assert read_model_bytes(model_bytes(model, metadata))[1] == read
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_other_modules_are_saved_without_a_name(tmp_path):
    save_model(nn.Linear(2, 3), tmp_path / "model.safetensors", {"seed": 3})
    assert read_weights(tmp_path / "model.safetensors")[1] == {"seed": 3}


def test_saving_is_atomic(tmp_path, model, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(model, path, {"good": True})

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BadInput, match=r"model\.safetensors: cannot be written \(No space left"):
        save_model(model, path, {"good": False})
    assert read_weights(path)[1]["good"] is True
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_what_cannot_be_saved(tmp_path, model):
    with pytest.raises(BadInput, match=r"change the file name's ending"):
        save_model(model, tmp_path / "model.pt", {})
    with pytest.raises(BadInput, match="metadata cannot be written as JSON"):
        save_model(model, tmp_path / "model.safetensors", {"x": object()})
    with pytest.raises(BadInput, match="metadata cannot be written as JSON"):
        save_model(model, tmp_path / "model.safetensors", {"x": math.nan})
    with pytest.raises(BadInput, match="check that the folder exists"):
        save_model(model, tmp_path / "absent" / "model.safetensors", {})
    assert not list(tmp_path.iterdir())


def test_metadata_beside_the_file(tmp_path, state):
    write_npz(tmp_path / "model.npz", state)
    (tmp_path / "model.json").write_text('{"seed": 123}')
    assert read_weights(tmp_path / "model.npz")[1] == {"seed": 123}


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, "\x00", '{"task": "groups", "task": "max-of-k"}'])
def test_broken_metadata(tmp_path, state, text):
    write_npz(tmp_path / "model.npz", state)
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(BadInput, match=r"model\.json: the metadata of model\.npz should be one JSON object"):
        read_weights(tmp_path / "model.npz")


def test_foreign_and_broken_headers(tmp_path, state):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(state, path, {"format": "pt"})
    assert read_weights(path)[1] == {"format": "pt"}
    (tmp_path / "model.json").write_text('{"seed": 123}')
    assert read_weights(path)[1] == {"seed": 123}
    safetensors.torch.save_file(state, path, {"compact_proofs": "{}"})
    assert read_weights(path)[1] == {}
    safetensors.torch.save_file(state, path, {"compact_proofs": "{"})
    with pytest.raises(BadInput, match=r"model\.safetensors: the metadata in its header should be one JSON object"):
        read_weights(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_npz_of_either_byte_order_and_layout(tmp_path, model, state, order):
    arrays = {name: np.asfortranarray(tensor.numpy().astype(f"{order}f4")) for name, tensor in state.items()}
    write_npz(tmp_path / "model.npz", arrays)
    loaded = attention_only_from_state(read_weights(tmp_path / "model.npz")[0], "x")
    assert weights_sha256(loaded) == weights_sha256(model)


# --- broken and hostile files -----------------------------------------------------------------------------------------


class Code:
    """Unpickling this would create a file."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def npy(shape, descr="<f4", data=b""):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + data


def write_zip(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def expect_bad_file(path, match, **options):
    with pytest.raises(BadInput, match=match) as error:
        read_weights(path, **options)
    assert str(error.value).startswith(f"{path}: ")


def test_paths(tmp_path):
    expect_bad_file(tmp_path / "absent.npz", "there is no such file")
    (tmp_path / "folder.npz").mkdir()
    expect_bad_file(tmp_path / "folder.npz", "it is not a file")
    (tmp_path / "model.bin").write_bytes(b"x")
    expect_bad_file(tmp_path / "model.bin", "weights are read from .safetensors, .npz, .pt and .pth")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".pth"])
def test_broken_bytes(tmp_path, state, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"")
    expect_bad_file(path, "the file is empty")
    path.write_bytes(b"not weights at all")
    expect_bad_file(path, "not a complete zip archive" if suffix != ".safetensors" else "damaged or not a .safetensors")
    if suffix == ".npz":
        write_npz(path, state)
    elif suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    whole = path.read_bytes()
    expect_bad_file(path, f"{len(whole)} bytes are more than the limit of 100", max_bytes=100)
    for kept in (1, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        expect_bad_file(path, "damaged|complete zip archive")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt"])
def test_flipped_bits_never_escape_as_other_errors(tmp_path, state, suffix):
    path = tmp_path / f"model{suffix}"
    if suffix == ".npz":
        write_npz(path, state)
    elif suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for position in generator.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        try:
            attention_only_from_state(read_weights(path)[0], str(path))
        except BadInput as error:
            assert str(error).startswith(str(path))  # noqa: PT017  (surviving the damage is allowed too)


def test_pickles_are_not_run(tmp_path, state):
    target = tmp_path / "created"
    torch.save({"W_E": Code(target)}, tmp_path / "code.pt")
    expect_bad_file(tmp_path / "code.pt", r"could run code.*torch\.save\(model\.state_dict\(\), path\)")
    np.savez(tmp_path / "objects.npz", W_E=np.array([Code(target)], dtype=object))
    expect_bad_file(tmp_path / "objects.npz", "W_E is an array of object, not of numbers")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Code(target)))
    expect_bad_file(tmp_path / "bare.pt", "not a complete zip archive")
    assert not target.exists()


def test_torch_files_that_hold_something_else(tmp_path, model, state):
    path = tmp_path / "model.pt"
    torch.save(model, path)
    expect_bad_file(path, "could run code")
    torch.save([1.0], path)
    expect_bad_file(path, "holds a list and not a state dict")
    torch.save({"state_dict": state, "epoch": 3}, path)
    expect_bad_file(path, "its entry 'state_dict' is a dict and not a tensor")
    torch.save({"W_E": torch.eye(3).to_sparse()}, path)
    expect_bad_file(path, "W_E is not a plain dense tensor")
    torch.save({"W_E": torch.ones(3, device="meta")}, path)
    expect_bad_file(path, "W_E is not a plain dense tensor")


def test_large_declarations_take_no_memory(tmp_path):
    huge = 2**50
    write_zip(tmp_path / "shape.npz", {"W_E.npy": npy((huge, 4), data=bytes(16))})
    expect_bad_file(tmp_path / "shape.npz", f"W_E declares {huge * 16} bytes and holds 16")
    write_zip(tmp_path / "negative.npz", {"W_E.npy": npy((-2, -2), data=bytes(16))})
    expect_bad_file(tmp_path / "negative.npz", "W_E declares 16 bytes and holds 16")
    write_zip(tmp_path / "bomb.npz", {"W_E.npy": npy((2**22,), data=bytes(2**24))}, zipfile.ZIP_DEFLATED)
    expect_bad_file(tmp_path / "bomb.npz", r"unpacks to \d+ bytes, more than the limit", max_bytes=2**20)
    write_zip(tmp_path / "bomb.pt", {"a/data.pkl": bytes(2**24)}, zipfile.ZIP_DEFLATED)
    expect_bad_file(tmp_path / "bomb.pt", r"unpacks to \d+ bytes, more than the limit", max_bytes=2**20)
    torch.save({"W_E": torch.zeros(1).expand(2**40)}, tmp_path / "stride.pt")
    expect_bad_file(tmp_path / "stride.pt", "its tensors declare 4398046511104 bytes")
    header = json.dumps({"W_E": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (tmp_path / "big.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    expect_bad_file(tmp_path / "big.safetensors", "damaged or not a .safetensors file")


def test_archives_that_are_not_npz(tmp_path):
    write_zip(tmp_path / "text.npz", {"readme.txt": b"hello"})
    expect_bad_file(tmp_path / "text.npz", r"its entry 'readme.txt' is not one array")
    write_zip(tmp_path / "twice.npz", {"a.npy": npy((1,), data=bytes(4))})
    with zipfile.ZipFile(tmp_path / "twice.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.npy", npy((1,), data=bytes(4)))
    expect_bad_file(tmp_path / "twice.npz", "its entry 'a.npy' is not one array")
    write_zip(tmp_path / "text_array.npz", {"a.npy": npy((1,), "<U1", bytes(4))})
    expect_bad_file(tmp_path / "text_array.npz", "a is an array of <U1, not of numbers")


# --- the hash ---------------------------------------------------------------------------------------------------------


def test_one_bit_changes_the_hash(model):
    before = weights_sha256(model)
    with torch.no_grad():
        model.W_V.view(torch.int32)[2, 1] ^= 1
    assert weights_sha256(model) != before
    with torch.no_grad():
        model.W_V.view(torch.int32)[2, 1] ^= 1
    assert weights_sha256(model) == before


def test_hash_sees_names_dtypes_shapes_and_buffers():
    def module(name="a", value=None, buffer=False):
        result = nn.Module()
        value = torch.zeros(2, 3) if value is None else value
        if buffer:
            result.register_buffer(name, value, persistent=False)
        else:
            result.register_parameter(name, nn.Parameter(value, requires_grad=False))
        return result

    variants = [
        module(),
        module(name="b"),
        module(value=torch.zeros(3, 2)),
        module(value=torch.zeros(2, 3, dtype=torch.bfloat16)),
        module(value=-torch.zeros(2, 3)),
        module(value=torch.zeros(2, 3, dtype=torch.complex64)),
        module(value=torch.zeros(())),
        module(value=torch.zeros(0)),
    ]
    assert len({weights_sha256(variant) for variant in variants}) == len(variants)
    assert weights_sha256(module(buffer=True)) == weights_sha256(module())


def test_hash_of_a_view_is_that_of_its_numbers():
    a, b = nn.Module(), nn.Module()
    matrix = torch.arange(6.0).reshape(2, 3)
    a.weight, b.weight = nn.Parameter(matrix.T), nn.Parameter(matrix.T.contiguous())
    assert weights_sha256(a) == weights_sha256(b)


def test_hash_is_pinned():
    """The hash goes into certificates, so its format is spelled out once more; it changes only with its version."""
    module = nn.Module()
    module.weight = nn.Parameter(torch.tensor([[1.0, -2.5]]))
    module.register_buffer("count", torch.tensor(3))
    records = [
        b"compact-proofs weights 1\n",
        b'["count", "int64", []]\n' + struct.pack("<q", 3),
        b'["weight", "float32", [1, 2]]\n' + struct.pack("<2f", 1.0, -2.5),
    ]
    assert weights_sha256(module) == hashlib.sha256(b"".join(records)).hexdigest()


def test_a_directory_that_lies_takes_no_memory(tmp_path):
    """It says 16 bytes and unpacks to 64 MiB: as much is read as it says."""
    path = tmp_path / "lie.npz"
    content = npy((4,), data=bytes(2**26))
    write_zip(path, {"W_E.npy": content}, zipfile.ZIP_DEFLATED)
    told = len(npy((4,), data=bytes(16)))
    data = bytearray(path.read_bytes())
    at = data.rindex(struct.pack("<I", len(content)))
    data[at : at + 4] = struct.pack("<I", told)
    path.write_bytes(data)
    tracemalloc.start()
    expect_bad_file(path, "damaged or not a .npz file .BadZipFile")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(tmp_path, compression):
    """Their decompressors cannot be told to stop."""
    write_zip(tmp_path / "odd.npz", {"W_E.npy": npy((4,), data=bytes(16))}, compression)
    expect_bad_file(tmp_path / "odd.npz", r"'W_E\.npy' is packed in a way that numpy does not use")


def test_a_directory_of_too_many_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_ENTRIES", 3)
    for suffix, name in ((".npz", "{}.npy"), (".pt", "a/{}")):
        write_zip(tmp_path / f"many{suffix}", {name.format(i): npy((1,), data=bytes(4)) for i in range(4)})
        expect_bad_file(tmp_path / f"many{suffix}", "a zip archive of more than 3 entries")
