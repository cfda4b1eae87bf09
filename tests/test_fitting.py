"""Checkpoints as programs really save them: the network's own weights are found, and what was done is said."""

import argparse
import json
import os
import pathlib

import numpy as np
import pytest
import torch
from near import alike
from safetensors.torch import save_file
from torch import nn
from torchvision import models

import explain
from explain.errors import BadFile, BadValue, Unknown
from explain.network.checkpoint import read_weights
from explain.network.fitting import fit

NAME = "torchvision:squeezenet1_1"


def build(name="squeezenet1_1", **options):
    torch.manual_seed(3)
    return models.get_model(name, weights=None, **options).eval()


def small(classes=4, channels=3):
    torch.manual_seed(3)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes)
    return nn.Sequential(nn.Conv2d(channels, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), *head).eval()


def prefixed(net, prefix):
    return {f"{prefix}{key}": value for key, value in net.state_dict().items()}


def loaded(file, net=None, **how):
    """A net of other weights with those of the file."""
    torch.manual_seed(8)
    own = small() if net is None else net
    for value in own.parameters():
        nn.init.normal_(value)
    return explain.load_model(file, architecture=own, preprocess=explain.Preprocess(32), **how)


def same(model, net):
    with model.exclusive() as mine:
        ours = mine.state_dict()
        return all(torch.equal(ours[key], value.to(ours[key].dtype)) for key, value in net.state_dict().items())


FILES = {
    "a state dict": lambda net: net.state_dict(),
    "beside an optimiser": lambda net: {
        "epoch": 3,
        "model": net.state_dict(),
        "optimizer": torch.optim.SGD(net.parameters(), 0.1, momentum=0.9).state_dict(),
    },
    "lightning": lambda net: {
        "state_dict": {**prefixed(net, "model."), "loss.weight": torch.ones(4)},
        "pytorch-lightning_version": "2.5.0",
        "hyper_parameters": {"lr": 1e-3, "data": pathlib.Path("x")},
        "callbacks": {},
        "loops": {},
    },
    "net.": lambda net: {"state_dict": prefixed(net, "net.")},
    "backbone.": lambda net: prefixed(net, "backbone."),
    "two deep": lambda net: {"state_dict": prefixed(net, "model.module.")},
    "compiled": lambda net: torch.compile(net).state_dict(),
    "compiled within": lambda net: prefixed(net, "model._orig_mod."),
    "averaged": lambda net: torch.optim.swa_utils.AveragedModel(net).state_dict(),
    "only an average": lambda net: {"epoch": 1, "state_dict_ema": net.state_dict()},
    "nested": lambda net: {"checkpoint": {"network": net.state_dict()}, "epoch": 1},
    "params": lambda net: {"params": net.state_dict()},
    "namespace": lambda net: {"model": net.state_dict(), "args": argparse.Namespace(lr=0.1)},
    "numpy scalars": lambda net: {"state_dict": net.state_dict(), "best": np.float64(0.9), "n": np.int64(3)},
    "counts that are floats": lambda net: {key: value.float() for key, value in net.state_dict().items()},
    "of a profiler": lambda net: {**net.state_dict(), "total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)},
    "half": lambda net: {key: _half(value) for key, value in net.state_dict().items()},
}


def _half(value):
    return value.half() if value.is_floating_point() else value


@pytest.mark.parametrize("kind", FILES)
def test_the_networks_own_weights_are_found(kind, tmp_path):
    net = small()
    if kind == "half":
        net = net.half().float()
    torch.save(FILES[kind](net), tmp_path / "w.pth")
    model = loaded(tmp_path / "w.pth", classes="abcd".replace("", " ").split())
    assert same(model, net)
    silent = ("a state dict", "beside an optimiser", "params", "namespace", "numpy scalars", "nested", "half")
    assert bool(model.about["notes"]) == (kind not in (*silent, "counts that are floats"))


def test_of_plain_and_averaged_weights_one_is_taken_and_the_other_offered(tmp_path):
    plain, averaged = small(), small()
    nn.init.normal_(averaged[0].weight)
    torch.save({"state_dict": plain.state_dict(), "state_dict_ema": averaged.state_dict()}, tmp_path / "w.pth")
    model = loaded(tmp_path / "w.pth")
    assert same(model, plain)
    assert "w.pth#state_dict_ema" in model.about["notes"][0]
    assert same(loaded(f"{tmp_path}/w.pth#state_dict_ema"), averaged)
    with pytest.raises(Unknown, match=r"'nope'.*Valid: state_dict, state_dict_ema"):
        loaded(f"{tmp_path}/w.pth#nope")


def test_a_prefix_that_is_no_networks_is_not_guessed(tmp_path):
    torch.save({**prefixed(small(), "model."), "model.more": torch.ones(3)}, tmp_path / "w.pth")
    with pytest.raises(BadFile, match=r"1 not the network's \(more\)"):
        loaded(tmp_path / "w.pth")
    torch.save(prefixed(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5)), "model."), tmp_path / "x.pth")
    with pytest.raises(BadFile, match="another architecture"):
        loaded(tmp_path / "x.pth")


def test_a_net_that_weights_do_not_fit_is_what_it_was(tmp_path):
    net, other = small(), small(classes=7)
    other[0] = nn.Conv2d(3, 5, 3)
    torch.save(other.state_dict(), tmp_path / "w.pth")
    before, parts = {key: value.clone() for key, value in net.state_dict().items()}, list(net.modules())
    with pytest.raises(BadFile, match="has shape"):
        fit(net, read_weights(tmp_path / "w.pth"), "w.pth")
    assert list(net.modules()) == parts
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@pytest.mark.parametrize("architecture", ["squeezenet1_1", "resnet18"])
def test_a_head_of_another_size_is_made_as_the_tensors_say(architecture, tmp_path):
    net = build(architecture, num_classes=3)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    model = explain.load_model(tmp_path / "w.pth", architecture=f"torchvision:{architecture}")
    assert model.classes == ("0", "1", "2")
    assert "3 outputs, not 1000" in " ".join(model.about["notes"])
    image = explain.open_picture("photos/0")
    with torch.no_grad():
        wanted = net(model.batch(image))
    assert alike(model.scores(image).numpy(), wanted.numpy())
    again = explain.load_model(explain.save_model(model, tmp_path / "saved"))
    assert again.digest == model.digest
    with pytest.raises(BadValue, match="3 outputs but 4 class names"):
        explain.load_model(tmp_path / "w.pth", architecture=f"torchvision:{architecture}", classes=list("abcd"))


def test_a_head_behind_dropout(tmp_path):
    net = build("resnet18")
    net.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, 3))
    torch.save(net.eval().state_dict(), tmp_path / "w.pth")
    model = explain.load_model(tmp_path / "w.pth", architecture="torchvision:resnet18", classes=list("abc"))
    image = explain.open_picture("photos/0")
    with torch.no_grad():
        assert alike(model.scores(image).numpy(), net(model.batch(image)).numpy())
    assert "taken for dropout" in " ".join(model.about["notes"])


def test_other_numbers_of_channels(tmp_path):
    net = build("resnet18", num_classes=3)
    net.conv1 = nn.Conv2d(4, 64, 7, 2, 3, bias=False)
    torch.save(net.eval().state_dict(), tmp_path / "w.pth")
    model = explain.load_model(tmp_path / "w.pth", architecture="torchvision:resnet18", classes=list("abc"))
    assert model.preprocess.channels == 4
    assert "not known" in " ".join(model.about["notes"])
    bands = np.random.default_rng(0).integers(0, 256, (230, 240, 4), np.uint8)
    with torch.no_grad():
        assert alike(model.scores(bands).numpy(), net(model.batch(bands)).numpy())


@pytest.mark.parametrize("there", [True, False])
def test_auxiliary_heads_are_only_for_training(there, tmp_path):
    net = build("googlenet", aux_logits=there, init_weights=False, num_classes=5)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    other = build("googlenet", aux_logits=not there, init_weights=False, num_classes=5)
    model = loaded(tmp_path / "w.pth", other)
    image = explain.open_picture("photos/0")
    with torch.no_grad():
        assert alike(model.scores(image).numpy(), net(model.batch(image)).numpy())
    assert "auxiliary heads" in " ".join(model.about["notes"])


def test_every_other_format_names_the_way_in(tmp_path):
    net = small()
    torch.jit.trace(net, torch.rand(1, 3, 32, 32)).save(tmp_path / "script.pt")
    torch.export.save(torch.export.export(net, (torch.rand(1, 3, 32, 32),)), tmp_path / "program.pt2")
    (tmp_path / "net.onnx").write_bytes(b"\x08\x08\x12\x07pytorch" + bytes(200))
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    torch.save(net, tmp_path / "whole.pth")
    ways = {"script.pt": "torch.jit.load", "program.pt2": "state dict", "net.onnx": "onnx2torch", "net.h5": "Keras"}
    for name, way in {**ways, "whole.pth": r"\(torch\.nn\.modules\.container\.Sequential\).*state_dict\(\)"}.items():
        with pytest.raises(BadFile, match=way) as caught:
            read_weights(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


def test_safetensors_are_read_as_well(tmp_path):
    net = small()
    save_file({key: value.contiguous() for key, value in prefixed(net, "model.").items()}, tmp_path / "w.safetensors")
    assert same(loaded(tmp_path / "w.safetensors"), net)


class Pickled(nn.Sequential):
    """A class of the user's own, which a pickle names."""


@pytest.mark.parametrize("nested", [False, True])
def test_a_pickle_that_is_trusted_becomes_safetensors(nested, tmp_path, run, monkeypatch):
    monkeypatch.chdir(pathlib.Path(__file__).parent)  # where the pickle finds the class
    net = build("squeezenet1_1", num_classes=3)
    whole = Pickled(net)
    torch.save({"epoch": 3, "model": whole} if nested else whole, tmp_path / "whole.pth")
    given = [tmp_path / "whole.pth", "photos/0", "--architecture", NAME, "--classes", "a", "b", "c", "--json"]
    status, _, said = run("predict", *given)
    assert status == 2
    assert "--trust-file" in said
    status, out, said = run("predict", *given, "--trust-file")
    assert status == 0, said
    assert "whole.safetensors" in said
    model = explain.load_model(tmp_path / "whole.safetensors", architecture=NAME, classes=list("abc"))
    image = explain.open_picture("photos/0")
    assert same(loaded(tmp_path / "whole.safetensors", build("squeezenet1_1", num_classes=3)), net)
    assert json.loads(out)["classes"][0][0] == model.predict(image, 1)[0][0][0]
    status, _, said = run("predict", *given, "--trust-file")
    assert (status, "is there already" in said) == (2, True)


class Kills:
    def __reduce__(self):
        return os._exit, (3,)


def test_what_a_trusted_pickle_does_stays_in_its_process(tmp_path, run):
    torch.save({"state_dict": Kills()}, tmp_path / "bad.pth")
    status, _, said = run("predict", tmp_path / "bad.pth", "photos/0", "--architecture", NAME, "--trust-file")
    assert status == 2
    assert "bad.pth" in said
    assert not (tmp_path / "bad.safetensors").exists()


@pytest.mark.parametrize("classes", [["defect"], None])
def test_a_head_of_one_output_has_a_sigmoid(classes, tmp_path):
    net = build("squeezenet1_1", num_classes=1)
    torch.save(net.state_dict(), tmp_path / "one.pth")
    model = explain.load_model(tmp_path / "one.pth", architecture=NAME, classes=classes)
    image = explain.open_picture("photos/0")
    with torch.no_grad():
        wanted = float(net(model.batch(image)).sigmoid())
    assert model.predict(image)[0][0][1] == pytest.approx(wanted, rel=1e-4)
    assert 0 < wanted < 1
