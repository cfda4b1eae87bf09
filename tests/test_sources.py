"""Networks by name: published weights unless others are asked for, from caches and folders in their real formats."""

import json
import time

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision import models

import explain
from explain.errors import BadFile, BadValue, NotSupported, Unknown
from explain.network.sources import SOURCES, build, is_named

SMALL = "torchvision:squeezenet1_1"


@pytest.fixture
def image():
    return explain.open_picture("photos/0")


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """torch's cache with a file of weights, as torchvision's download leaves it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(3)
    net = models.squeezenet1_1(weights=None).eval()
    file = tmp_path / "hub/checkpoints" / models.SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(net.state_dict(), file)
    return net


def scores_of(net, model, image):
    with torch.no_grad():
        found = net(model.batch(image))
    return getattr(found, "logits", found)[0].tolist()


def test_published_is_what_a_name_means(cached, image):
    model = explain.load_model(SMALL)
    assert model.scores(image)[0].tolist() == pytest.approx(scores_of(cached, model, image), rel=1e-4, abs=1e-5)
    assert model.about["weights"] == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert explain.load_model(f"{SMALL}?weights=published").digest == model.digest
    assert explain.load_model(f"{SMALL}?weights=random").digest != model.digest


def test_published_weights_keep_their_classes(cached):
    with pytest.raises(BadValue, match=r"1,000 classes, and 3 names were given.*weights=random"):
        explain.load_model(SMALL, classes=list("abc"))
    assert explain.load_model(SMALL, classes=[f"class {k}" for k in range(1000)]).classes[7] == "class 7"


@pytest.mark.parametrize("name", [SMALL, "timm:resnet18.a1_in1k"])
def test_out_of_reach_is_said_soon_with_the_rest(name, tmp_path, monkeypatch):
    """timm's own way asks the hub for a minute; the addresses here answer to nobody."""
    from huggingface_hub import constants

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no way out")))
    begun = time.monotonic()
    with pytest.raises(NotSupported, match=r"weights=random"):
        explain.load_model(name)
    assert time.monotonic() - begun < 30
    assert explain.load_model(f"{name}?weights=random").about["weights"].startswith("random")


def hub_cache(root, name, files):
    """A hub cache as its library leaves it: a snapshot, and a reference to it."""
    folder = root / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("0123abcd")
    for file, content in files.items():
        if isinstance(content, dict) and file.endswith(".safetensors"):
            save_file(content, snapshot / file)
        else:
            (snapshot / file).write_text(json.dumps(content))
    return snapshot


def test_timms_published_weights_come_from_the_hubs_cache(tmp_path, monkeypatch, image):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    torch.manual_seed(4)
    net = timm.create_model("test_resnet", pretrained=False).eval()
    hub_cache(tmp_path, "timm/test_resnet.r160_in1k", {"model.safetensors": net.state_dict()})
    model = explain.load_model("timm:test_resnet.r160_in1k")
    assert model.scores(image)[0].tolist() == pytest.approx(scores_of(net, model, image), rel=1e-4, abs=1e-5)
    assert model.about["weights"] == "published"


def timm_saved(folder, **more):
    from timm.models import save_for_hf

    torch.manual_seed(5)
    net = timm.create_model("test_resnet", pretrained=False, num_classes=3).eval()
    save_for_hf(net, folder, safe_serialization=True, model_config={"label_names": ["cat", "dog", "owl"], **more})
    return net


def test_what_timm_saved(tmp_path, image):
    net = timm_saved(tmp_path / "mine")
    model = explain.load_model(tmp_path / "mine")
    assert (model.name, model.classes) == ("mine", ("cat", "dog", "owl"))
    assert model.scores(image)[0].tolist() == pytest.approx(scores_of(net, model, image), rel=1e-4, abs=1e-5)
    for name in (f"timm:local-dir:{tmp_path / 'mine'}", f"hf:{tmp_path / 'mine'}"):
        assert explain.load_model(name).digest == model.digest
    saved = explain.save_model(model, tmp_path / "saved")
    assert explain.load_model(saved).digest == model.digest


def test_what_timm_saved_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    timm_saved(tmp_path / "mine")
    there = hub_cache(tmp_path, "someone/test", {})
    for file in (tmp_path / "mine").iterdir():
        file.rename(there / file.name)
    model = explain.load_model("timm:hf-hub:someone/test")
    assert model.name == "someone-test"
    assert explain.load_model("hf:someone/test").digest == model.digest


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_timms_networks_for_other_pictures(channels):
    name = f"timm:test_resnet?weights=random&in_chans={channels}"
    model = explain.load_model(name)
    wanted = timm.create_model("test_resnet", in_chans=channels).conv1
    assert model.preprocess.channels == channels == wanted[0].in_channels
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (60, 60, channels) if channels > 1 else (60, 60), np.uint8)
    assert model.scores(picture).shape == (1, 1000)
    assert any(f"{channels} channels" in note for note in model.about["notes"])


@pytest.mark.parametrize(
    ("name", "kind", "part"),
    [
        ("timm:test_resnet?in_chans=-1", BadValue, "outside 0 to 64"),
        ("timm:test_resnet?in_chans=9000", BadValue, "outside 0 to 64"),
        ("timm:test_resnet?pretrained=1", Unknown, "weights, in_chans"),
        ("torchvision:resnet18?weights=IMAGENET", Unknown, "published, random"),
        ("timm:local-dir:/nonesuch", BadFile, "owner/name"),
        ("hf:/nonesuch", BadFile, "owner/name"),
        ("hf:", BadFile, "owner/name"),
        ("nonesuch:resnet18", Unknown, "torchvision, timm, hf"),
    ],
)
def test_what_is_no_name_is_refused(name, kind, part):
    with pytest.raises(kind, match=part):
        explain.load_model(name)


def test_names_are_told_from_code():
    for name in ("torchvision:resnet18", "timm:hf-hub:a/b", "hf:a/b", "lenet", "resnet?depth=50"):
        assert is_named(name), name
    for name in ("nets.py:build", "package.module:build", "lenet.py", "os:system"):
        assert not is_named(name), name
    assert [*SOURCES] == ["torchvision", "timm", "hf"]
    assert build("lenet").about["weights"] == "random, seed 0"


# ------------------------------------------------------------ transformers


LABELS = {0: "cat", 1: "dog", 2: "owl"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folders that transformers saved: a network by its configuration, and a processor."""
    theirs = pytest.importorskip("transformers")
    labels = {"id2label": LABELS, "num_labels": 3}
    small = {"size": {"height": 64, "width": 64}}
    offset = {"rescale_offset": True, "rescale_factor": 1 / 127.5, "resample": 2}
    resnet = theirs.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **labels)
    convnext = theirs.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, **labels)
    vit = theirs.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=64, **labels
    )
    made = {
        "resnet": (
            theirs.ResNetForImageClassification(resnet),
            theirs.ConvNextImageProcessor(size={"shortest_edge": 96}),
        ),
        "convnext": (
            theirs.ConvNextForImageClassification(convnext),
            theirs.ConvNextImageProcessor(size={"shortest_edge": 384}, resample=2),
        ),
        "vit": (
            theirs.ViTForImageClassification(vit),
            theirs.ViTImageProcessor(do_rescale=False, image_mean=[120] * 3, image_std=[60] * 3, **small),
        ),
        "cut": (
            theirs.ResNetForImageClassification(resnet),
            theirs.BitImageProcessor(size={"shortest_edge": 80}, crop_size={"height": 64, "width": 72}),
        ),
        "efficient": (
            theirs.ResNetForImageClassification(resnet),
            theirs.EfficientNetImageProcessor(**small, **offset),
        ),
    }  # fmt: skip
    root = tmp_path_factory.mktemp("hf")
    for name, parts in made.items():
        for part in parts:
            part.save_pretrained(root / name)
    return root


@pytest.mark.parametrize("name", ["resnet", "convnext", "vit", "cut", "efficient"])
def test_what_transformers_saved_gives_what_transformers_gives(saved, name, image):
    """Pictures, scores and classes as its own processor and network give them."""
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = explain.load_model(saved / name)
    assert model.classes == ("cat", "dog", "owl")
    processor = AutoImageProcessor.from_pretrained(saved / name)
    theirs = processor(image, return_tensors="pt")["pixel_values"][0]
    ours = model.preprocess.tensor(image)
    assert theirs.shape == ours.shape
    # Theirs rounds down where a cut begins, torchvision's and ours to the nearest: a pixel, at odd differences.
    moves = [theirs.roll((dy, dx), (1, 2)) for dy in (0, -1) for dx in (0, -1)]
    off = min(float((moved - ours)[:, :-1, :-1].abs().mean()) for moved in moves)
    assert off * max(model.preprocess.std) < 0.01
    net = AutoModelForImageClassification.from_pretrained(saved / name).eval()
    assert model.scores(image)[0].tolist() == pytest.approx(scores_of(net, model, image), rel=1e-3, abs=1e-5)
    assert not model.about.get("notes")
    assert explain.load_model(f"hf:{saved / name}").digest == model.digest


def test_views_look_into_one_of_transformers(saved, image):
    model = explain.load_model(saved / "resnet")
    heat = explain.saliency(model, image, method="grad_cam").heat
    assert np.isfinite(heat).all()
    assert heat.max() > 0
    kept = explain.save_model(model, saved / "kept")
    assert explain.load_model(kept).digest == model.digest


def copied(saved, folder, name="resnet"):
    import shutil

    return shutil.copytree(saved / name, folder / "net")


def change(file, **more):
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))


def test_what_cannot_be_followed_is_one_sentence(saved, tmp_path):
    folder = copied(saved, tmp_path)
    change(folder / "config.json", auto_map={"AutoModelForImageClassification": "mine.Net"})
    with pytest.raises(NotSupported, match="code of its own"):
        explain.load_model(folder)
    change(folder / "config.json", auto_map=None, architectures=["ResNetModel"])
    with pytest.raises(NotSupported, match="not an image classifier"):
        explain.load_model(folder)


def test_weights_that_lack_something_are_refused(saved, tmp_path):
    from safetensors.torch import load_file

    folder = copied(saved, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    head = next(key for key in tensors if key.startswith("classifier") and key.endswith("weight"))
    del tensors[head]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadFile, match=f"missing for {head}"):
        explain.load_model(folder)


def test_a_processor_that_does_something_else_is_said(saved, tmp_path):
    """MobileViT's turns red and blue: our pictures are off by it, and the model says so."""
    from transformers import MobileViTImageProcessor

    folder = copied(saved, tmp_path)
    processor = MobileViTImageProcessor(
        size={"shortest_edge": 96}, crop_size={"height": 96, "width": 96}, do_flip_channel_order=True, resample=2
    )
    processor.save_pretrained(folder)
    change(folder / "preprocessor_config.json", do_normalize=False)
    model = explain.load_model(folder)
    assert any("off what its own processor makes" in note for note in model.about["notes"])
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(BadFile, match="preprocessor_config"):
        explain.load_model(folder)
