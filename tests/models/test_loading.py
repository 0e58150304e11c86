"""Weights through every format and name, and a clear refusal of everything else."""

import hashlib
import io
import json
import math
import os
import pickle
import struct
import tracemalloc
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.models import files
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.loading import (
    attention_only_from_state,
    from_hooked_transformer,
    read_weights,
    save_model,
    weights_sha256,
)

V, K, D, H = 7, 3, 6, 4


@pytest.fixture
def model():
    model = AttentionOnlyTransformer(AttentionOnlyConfig(V, K, D, H))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model


@pytest.fixture
def state(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def hooked_state(state):
    """The state dict of TransformerLens for the same model: prefixes, head axes, zero biases and buffers."""
    heads = {f"blocks.0.attn.{name}": state[name][None] for name in ("W_Q", "W_K", "W_V", "W_O")}
    biases = {f"blocks.0.attn.b_{x}": torch.zeros(1, H) for x in "QKV"}
    return {
        "embed.W_E": state["W_E"],
        "pos_embed.W_pos": state["W_pos"],
        **heads,
        **biases,
        "blocks.0.attn.b_O": torch.zeros(D),
        "blocks.0.attn.mask": torch.ones(K, K, dtype=torch.bool).tril(),
        "blocks.0.attn.IGNORE": torch.tensor(-math.inf),
        "unembed.W_U": state["W_U"],
        "unembed.b_U": torch.zeros(V),
    }


def hooked_cfg(**changes):
    cfg = {
        "n_layers": 1,
        "n_heads": 1,
        "attn_only": True,
        "normalization_type": None,
        "positional_embedding_type": "standard",
        "use_attn_scale": True,
        "attn_scale": math.sqrt(H),
        "use_local_attn": False,
        "attention_dir": "causal",
    }
    return SimpleNamespace(**{**cfg, **changes})


def hooked(state, **changes):
    return SimpleNamespace(cfg=hooked_cfg(**changes), state_dict=lambda: hooked_state(state))


def write_npz(path, arrays):
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["ours", "with scale", "hooked"])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".pth"])
def test_every_format_gives_the_same_bits(tmp_path, model, state, names, suffix):
    path = tmp_path / f"model{suffix}"
    scale = {"attn_scale": torch.tensor(2.0, dtype=torch.float64)}
    content = {"ours": state, "with scale": state | scale, "hooked": hooked_state(state)}[names]
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


def test_save_and_read(tmp_path, model):
    path = tmp_path / "model.safetensors"
    metadata = {"seed": 3, "curves": {"loss": [0.5, 0.25]}, "name": "é"}
    save_model(model, path, metadata)
    weights, read = read_weights(path)
    assert read == metadata == json.loads((tmp_path / "model.json").read_text())
    assert weights_sha256(attention_only_from_state(weights, "x")) == weights_sha256(model)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_saving_is_atomic(tmp_path, model, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(model, path, {"good": True})

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BadInput, match=r"model\.safetensors: cannot be written \(No space left"):
        save_model(model, path, {"good": False})
    assert read_weights(path)[1] == {"good": True}
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
    safetensors.torch.save_file(state, path, {"compact_proofs": "{"})
    with pytest.raises(BadInput, match=r"model\.safetensors: the metadata in its header should be one JSON object"):
        read_weights(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_npz_of_either_byte_order_and_layout(tmp_path, model, state, order):
    arrays = {name: np.asfortranarray(tensor.numpy().astype(f"{order}f4")) for name, tensor in state.items()}
    write_npz(tmp_path / "model.npz", arrays)
    loaded = attention_only_from_state(read_weights(tmp_path / "model.npz")[0], "x")
    assert weights_sha256(loaded) == weights_sha256(model)


# --- dtypes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_widens_exactly(state, dtype):
    half = {name: tensor.to(dtype) for name, tensor in state.items()}
    model = attention_only_from_state(half, "x")
    assert model.W_E.dtype == torch.float32
    assert torch.equal(model.W_E, half["W_E"].float())


def test_float64_is_kept_and_mixtures_lose_nothing(state):
    fine = {name: tensor.double() / 3 for name, tensor in state.items()}
    assert torch.equal(attention_only_from_state(fine, "x").W_E, fine["W_E"])
    mixed = attention_only_from_state(state | {"W_U": fine["W_U"]}, "x")
    assert torch.equal(mixed.W_U, fine["W_U"])
    assert torch.equal(mixed.W_E, state["W_E"].double())


def test_the_model_owns_its_weights(state):
    model = attention_only_from_state(state, "x")
    state["W_E"].zero_()
    assert bool(model.W_E.any())


# --- what is not this architecture ------------------------------------------------------------------------------------


def expect_refusal(state, match):
    with pytest.raises(BadInput, match=match) as error:
        attention_only_from_state(state, "some/file.pt")
    assert str(error.value).startswith("some/file.pt: ")


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        ({"blocks.0.ln1.w": torch.ones(D)}, "blocks.0.ln1.w belongs to a LayerNorm"),
        ({"ln_final.b": torch.ones(D)}, "ln_final.b belongs to a LayerNorm"),
        ({"blocks.0.mlp.W_in": torch.ones(D, 4 * D)}, "blocks.0.mlp.W_in belongs to an MLP"),
        ({"blocks.1.attn.W_Q": torch.ones(1, D, H)}, "blocks.1.attn.W_Q belongs to several layers"),
        ({"blocks.0.attn.rotary_sin": torch.ones(K, H)}, "rotary_sin belongs to rotary position embeddings"),
        ({"blocks.0.attn.b_V": torch.full((1, H), 1e-30)}, "the bias b_V is not zero"),
        ({"unembed.b_U": torch.ones(V)}, "the bias b_U is not zero"),
        ({"blocks.0.attn.W_Q": torch.ones(2, D, H)}, "W_Q has 2 heads"),
        ({"router.weight": torch.ones(1)}, "unexpected router.weight"),
        ({"W_E": torch.ones(V, D)}, "unexpected W_E"),
    ],
)
def test_other_hooked_transformers_are_refused(state, extra, match):
    expect_refusal(hooked_state(state) | extra, match)


def test_folded_layer_norm_is_noticed(model, state):
    centred = {name: state[name] - state[name].mean(0) for name in ("W_Q", "W_K", "W_V", "W_U")}
    expect_refusal(hooked_state(state | centred), "after folding a LayerNorm into them")
    assert from_hooked_transformer(hooked(state | centred)).config == model.config


@pytest.mark.parametrize(
    ("name", "tensor", "match"),
    [
        ("W_E", torch.full((V, D), math.nan), r"W_E\[0, 0\] is nan; weights must be finite"),
        ("W_U", torch.full((D, V), math.inf), r"W_U\[0, 0\] is inf"),
        ("W_E", torch.ones(V, D, dtype=torch.int64), "W_E has dtype torch.int64; convert"),
        ("W_E", torch.ones(V, D, dtype=torch.complex64), "W_E has dtype torch.complex64; convert"),
        ("W_E", torch.ones(V, D, device="meta"), "W_E is on the meta device"),
        ("W_E", [[1.0]], "W_E is a list; it must be a torch.Tensor"),
        ("W_U", torch.ones(D, V + 1), r"W_U has shape \[6, 8\] and should have \[6, 7\]"),
        ("W_O", torch.ones(D, H), r"W_O has shape \[6, 4\] and should have \[4, 6\]"),
        ("W_E", torch.ones(V), r"W_E has shape \[7\] and must be a matrix"),
        ("W_pos", torch.ones(0, D), r"W_pos has shape \[0, 6\] and must be a matrix that is not empty"),
        ("attn_scale", torch.tensor(2.00001), r"attn_scale is 2\.0000\d* and must be sqrt"),
        ("attn_scale", torch.ones(2), r"attn_scale has shape \[2\] and must be one number"),
        ("attn_scale", torch.tensor(math.nan), "attn_scale is nan"),
        ("W_pos2", torch.ones(1), "unexpected W_pos2"),
    ],
)
def test_wrong_tensors_are_refused(state, name, tensor, match):
    expect_refusal(state | {name: tensor}, match)


def test_missing_weights_are_named(state):
    del state["W_Q"], state["W_O"]
    expect_refusal(state, "missing W_Q, W_O")
    expect_refusal({}, "missing W_E, W_pos")


def test_scale_within_rounding_is_the_real_root(state):
    model = attention_only_from_state(state | {"attn_scale": torch.tensor(2.0000001)}, "x")
    assert model.attn_scale().item() == 2.0


# --- a live HookedTransformer -----------------------------------------------------------------------------------------


def test_live_hooked_transformer(model, state):
    assert weights_sha256(from_hooked_transformer(hooked(state))) == weights_sha256(model)
    assert weights_sha256(from_hooked_transformer(hooked(state, attn_scale=-1.0))) == weights_sha256(model)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_layers", 2),
        ("n_heads", 4),
        ("attn_only", False),
        ("normalization_type", "LN"),
        ("normalization_type", "LNPre"),
        ("positional_embedding_type", "rotary"),
        ("positional_embedding_type", "shortformer"),
        ("use_attn_scale", False),
        ("use_local_attn", True),
        ("attn_scores_soft_cap", 50.0),
        ("clip_qkv", 8.0),
        ("attn_scale", 1.0),
    ],
)
def test_other_configurations_are_refused(state, name, value):
    with pytest.raises(BadInput, match=f"the HookedTransformer: cfg.{name} is {value!r}"):
        from_hooked_transformer(hooked(state, **{name: value}))


def test_what_is_no_hooked_transformer(state):
    with pytest.raises(BadInput, match="it is no HookedTransformer"):
        from_hooked_transformer(nn.Linear(2, 2))
    with pytest.raises(BadInput, match=r"cfg\.n_layers is missing"):
        from_hooked_transformer(SimpleNamespace(cfg=SimpleNamespace(), state_dict=lambda: hooked_state(state)))


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
