"""checkpoint: what does not fit the network exactly is refused with the reason, and no code from a file runs."""

import os
import pickle
import resource
import struct
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from explain.errors import BadFile
from explain.network import checkpoint
from explain.network.checkpoint import read_json, read_weights
from explain.network.fitting import apply_weights


@pytest.fixture
def net():
    layers = OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2), fc=nn.Linear(2, 3))
    return nn.Sequential(layers)


@pytest.fixture
def good():
    """Weights for `net` that are not its own."""
    generator = torch.Generator().manual_seed(1)
    shapes = {
        "conv.weight": (2, 1, 3, 3),
        "conv.bias": (2,),
        "norm.weight": (2,),
        "norm.bias": (2,),
        "norm.running_mean": (2,),
        "norm.running_var": (2,),
        "fc.weight": (3, 2),
        "fc.bias": (3,),
    }
    weights = {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    return weights | {"norm.num_batches_tracked": torch.tensor(7)}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.bin"


def refused(call, *parts):
    """The call raises BadFile with one line that holds all parts."""
    with pytest.raises(BadFile) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message
    return message


def holds(net, weights):
    own = net.state_dict()
    return own.keys() == weights.keys() and all(torch.equal(own[key], weights[key]) for key in own)


def copied(net):
    return {key: tensor.clone() for key, tensor in net.state_dict().items()}


@pytest.mark.parametrize(
    "save",
    [
        lambda weights, file: save_file(weights, file),
        lambda weights, file: torch.save(weights, file),
        lambda weights, file: torch.save(weights, file, _use_new_zipfile_serialization=False),
        lambda weights, file: torch.save({"state_dict": weights, "epoch": 3}, file),
        lambda weights, file: torch.save({"model": OrderedDict(weights)}, file),
        lambda weights, file: torch.save({f"module.{key}": tensor for key, tensor in weights.items()}, file),
        lambda weights, file: torch.save({"net": {f"module.{key}": tensor for key, tensor in weights.items()}}, file),
    ],
    ids=["safetensors", "zip", "legacy", "wrapped", "ordered", "parallel", "both"],
)
def test_round_trip(net, good, file, save):
    save(good, file)
    apply_weights(net, read_weights(file), file.name)
    assert holds(net, good)


def test_counters_may_lack(net, good):
    """Weights saved before torch counted batches still fit; the net's own count stays."""
    del good["norm.num_batches_tracked"]
    apply_weights(net, good, "w")
    assert net.norm.num_batches_tracked == 0
    assert torch.equal(net.fc.weight, good["fc.weight"])


def test_prefix_only_when_on_all(net, good, file):
    torch.save({("module." if key.startswith("fc") else "") + key: t for key, t in good.items()}, file)
    refused(lambda: apply_weights(net, read_weights(file), "w"), "module.fc.bias", "fc.weight")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_floats(net, good, file, dtype):
    short = {key: t.to(dtype) if t.is_floating_point() else t for key, t in good.items()}
    save_file(short, file)
    apply_weights(net, read_weights(file), "w")
    assert net.fc.weight.dtype == torch.float32
    assert torch.equal(net.fc.weight, short["fc.weight"].float())


class Bomb:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    "wrap", [lambda bomb: bomb, lambda bomb: {"fc.weight": bomb}, lambda bomb: {"state_dict": [bomb]}]
)
@pytest.mark.parametrize(
    "save",
    [
        torch.save,
        lambda content, file: torch.save(content, file, _use_new_zipfile_serialization=False),
        lambda content, file: file.write_bytes(pickle.dumps(content, protocol=2)),
    ],
    ids=["zip", "legacy", "pickle"],
)
def test_code_is_not_run(tmp_path, file, save, wrap):
    save(wrap(Bomb(tmp_path / "ran")), file)
    refused(lambda: read_weights(file), repr(file.name), "run code", "state_dict()")
    assert not (tmp_path / "ran").exists()
    torch.load(file, weights_only=False) if save is torch.save else pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").exists(), "the bomb works, so the test can fail"


@pytest.mark.parametrize("legacy", [True, False])
def test_whole_module(net, file, legacy):
    torch.save(net, file, _use_new_zipfile_serialization=not legacy)
    refused(lambda: read_weights(file), repr(file.name), "pickled object", "state_dict()")


def test_other_architecture(net, good):
    before = copied(net)
    del good["fc.bias"]
    good["head.weight"] = torch.ones(1)
    refused(lambda: apply_weights(net, good, "w"), "'w'", "1 missing (fc.bias)", "1 not the network's (head.weight)")
    refused(lambda: apply_weights(net, {"x": torch.ones(1)}, "w"), "8 missing", "and 5 more")
    assert holds(net, before)


@pytest.mark.parametrize(
    ("key", "tensor", "part"),
    [
        ("fc.weight", torch.ones(2, 3), "shape (2, 3), the network's is (3, 2)"),
        ("fc.weight", torch.ones(6), "shape (6,)"),
        ("fc.bias", torch.ones(()), "shape ()"),
        ("fc.weight", torch.tensor([[1.0, float("nan")]] * 3), "finite"),
        ("norm.running_var", torch.tensor([1.0, float("inf")]), "finite"),
        ("fc.weight", torch.ones(3, 2, dtype=torch.int32), "int32"),
        ("fc.weight", torch.ones(3, 2, dtype=torch.bool), "bool"),
        ("fc.weight", torch.ones(3, 2, dtype=torch.complex64), "complex64"),
        ("norm.num_batches_tracked", torch.tensor(1j), "complex64"),
        ("fc.weight", torch.ones(3, 2).to_sparse(), "claims more"),
        ("fc.weight", torch.ones(3, 2, device="meta"), "claims more"),
        ("fc.weight", torch.ones(1, 1).expand(3, 2), "claims more"),
    ],
)
def test_misfits(net, good, file, key, tensor, part):
    """Each is refused by name, and nothing of the rest has been copied."""
    before = copied(net)
    torch.save(good | {key: tensor}, file)
    refused(lambda: apply_weights(net, read_weights(file), file.name), repr(file.name), repr(key), part)
    assert holds(net, before)


def test_giant(net, good, file):
    """1.5 KB that claim 160 GB: refused by the shape, and by the storage where the shape is the network's."""
    torch.save(good | {"fc.weight": torch.ones(1).expand(200_000, 200_000)}, file)
    assert file.stat().st_size < 8_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: apply_weights(net, read_weights(file), "w"), "(200000, 200000)")
    with torch.device("meta"):
        vast = nn.Sequential(OrderedDict(fc=nn.Linear(200_000, 200_000, bias=False)))
    torch.save({"fc.weight": torch.ones(1).expand(200_000, 200_000)}, file)
    refused(lambda: apply_weights(vast, read_weights(file), "w"), "claims more numbers than the file holds")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10, "kilobytes"


def truncated(content):
    return content[: len(content) // 2]


def safetensors_of(weights, file):
    save_file(weights, file)
    return file.read_bytes()


def zip_of(weights, file):
    torch.save(weights, file)
    return file.read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w, f: b"these are no weights\n" * 40,
        lambda w, f: b"{}",
        lambda w, f: b'{"a": 1}',
        lambda w, f: b"\0" * 4096,
        lambda w, f: b"\x80",
        lambda w, f: np.random.default_rng(0).bytes(5000),
        lambda w, f: b"\x80\x02" + np.random.default_rng(1).bytes(5000),
        lambda w, f: b"PK\x03\x04" + np.random.default_rng(2).bytes(5000),
        lambda w, f: truncated(safetensors_of(w, f)),
        lambda w, f: safetensors_of(w, f)[:-1],
        lambda w, f: safetensors_of(w, f) + b"x",
        lambda w, f: struct.pack("<Q", 1 << 60) + b"{" + b" " * 100,
        lambda w, f: struct.pack("<Q", 2**64 - 1) + b'{"a"',
        lambda w, f: struct.pack("<Q", 2) + b"{}x",
        lambda w, f: struct.pack("<Q", 5) + b"{bad}" + b"x" * 9,
        lambda w, f: truncated(zip_of(w, f)),
        lambda w, f: zip_of(w, f)[:30],
    ],
    ids=[
        "text",
        "braces",
        "json",
        "zeros",
        "stub",
        "random",
        "pickle",
        "zip",
        "half",
        "short",
        "long",
        "header",
        "largest",
        "nothing",
        "garbled",
        "halfzip",
        "stubzip",
    ],
)
def test_no_weights(good, file, spoil):
    content = spoil(good, file)
    file.write_bytes(content)
    message = refused(lambda: read_weights(file), repr(file.name))
    assert "run code" not in message, "a damaged file is not called a pickled object"


def test_any_header_length(good, file):
    """Each wrong first byte of the header's length is noticed: safetensors files leave no gaps."""
    content = safetensors_of(good, file)
    for first in range(0, 256, 5):
        if first != content[0]:
            file.write_bytes(bytes([first]) + content[1:])
            refused(lambda: read_weights(file), repr(file.name))


def test_missing_or_empty(tmp_path, file):
    refused(lambda: read_weights(file), "Cannot read", file.name)
    refused(lambda: read_weights(tmp_path), "no file")
    file.touch()
    refused(lambda: read_weights(file), "empty")


@pytest.mark.parametrize(
    "content", [[torch.ones(2)], torch.ones(2), {}, 3, None, {"epoch": 3}, {1: torch.ones(1)}, {"a": "b"}]
)
def test_no_state_dict(file, content):
    torch.save(content, file)
    refused(lambda: read_weights(file), repr(file.name))


def test_limits(good, file, monkeypatch):
    torch.save(good, file)
    monkeypatch.setattr(checkpoint, "MOST_TENSORS", 8)
    refused(lambda: read_weights(file), "9 tensors", "at most 8")
    monkeypatch.setattr(checkpoint, "LARGEST_FILE", 100)
    refused(lambda: read_weights(file), "MiB")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, "\xff".encode("latin-1"), '{"a": \n 1,,}'])
def test_json(file, text):
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(lambda: read_json(file), file.name)
    refused(lambda: read_json(file.parent / "none"), "none")
