"""model: preprocessing is torchvision's to the bit, the lock leaves the net as it was, the digest sees every change."""

import dataclasses
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from near import alike
from PIL import Image
from torch import nn
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from explain.data import load_images
from explain.errors import BadValue, NotSupported, Unknown
from explain.network.model import Model, Preprocess, choose_device

GREY = Preprocess(size=(28, 28), resize=28, mean=(0.0,), std=(1.0,), channels=1)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box")
SUPPORT = {"nearest": 0, "box": 0, "bilinear": 1, "bicubic": 2, "lanczos": 3}


def noise(width, height, mode="RGB", seed=0):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def small(seed=0):
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(2 * 26 * 26, 4)
    return Model("small", nn.Sequential(*layers), GREY, ("a", "b", "c", "d"))


@pytest.fixture
def model():
    return small()


# ------------------------------------------------------------ preprocessing


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(
    ("resize", "size"),
    [
        (64, (56, 56)),
        (64, (56, 40)),
        (40, (56, 57)),
        (33, (64, 21)),
        ((48, 70), (48, 70)),
        ((48, 70), (31, 90)),
        (64, (64, 64)),
    ],
)
@pytest.mark.parametrize("picture", [(100, 80), (80, 101), (64, 64), (30, 200), (7, 5), (1, 1)])
def test_torchvision(interpolation, resize, size, picture):
    """Resize, CenterCrop (with its padding), ToTensor, Normalize: equal to the last bit."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    wanted = transforms.Compose(
        [
            transforms.Resize(resize if isinstance(resize, int) else list(resize), InterpolationMode(interpolation)),
            transforms.CenterCrop(list(size)),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    image = noise(*picture)
    preprocess = Preprocess(size, resize, mean, std, interpolation=interpolation)
    result = preprocess.tensor(image)
    assert result.dtype == torch.float32
    assert torch.equal(result, wanted(image))
    crop = preprocess.crop(image)
    assert crop.dtype == np.uint8
    assert np.array_equal(crop, np.asarray(transforms.Compose(wanted.transforms[:2])(image)))


def test_photos(lite):
    wanted = transforms.Compose(
        [
            transforms.Resize(lite.preprocess.size, InterpolationMode(lite.preprocess.interpolation)),
            transforms.ToTensor(),
            transforms.Normalize(lite.preprocess.mean, lite.preprocess.std),
        ]
    )
    images = load_images("photos", limit=3)
    assert torch.equal(lite.batch(images).cpu(), torch.stack([wanted(image.convert("RGB")) for image in images]))


def test_grey_into_grey():
    image = noise(50, 40, "L")
    preprocess = Preprocess((28, 28), 28, (0.5,), (0.25,), channels=1)
    compose = [
        transforms.Resize(28),
        transforms.CenterCrop(28),
        transforms.ToTensor(),
        transforms.Normalize((0.5,), (0.25,)),
    ]
    assert torch.equal(preprocess.tensor(image), transforms.Compose(compose)(image))
    assert torch.equal(preprocess.tensor(np.asarray(image)), preprocess.tensor(image)), "an array is a picture too"
    crop = preprocess.crop(image)
    assert crop.shape == (28, 28, 3)
    assert (crop == crop[..., :1]).all()


def test_grey_into_colour():
    image = noise(50, 40, "L")
    rgb = Preprocess((28, 28), 28, (0.5,) * 3, (0.25,) * 3)
    assert torch.equal(rgb.tensor(image), rgb.tensor(image.convert("RGB")))
    assert torch.equal(rgb.tensor(image)[0], rgb.tensor(image)[2])


def test_colour_into_grey():
    image = noise(50, 40)
    assert torch.equal(GREY.tensor(image), GREY.tensor(image.convert("L")))


@pytest.mark.parametrize("count", [2, 4, 5])
def test_other_numbers_of_channels(count):
    """An array with the net's own number of channels goes in channel by channel; a picture goes into each."""
    mean = (0.1, 0.2, 0.3, 0.4, 0.5)[:count]
    many = Preprocess((20, 20), 20, mean, (1.0,), channels=count)
    array = np.random.default_rng(0).integers(0, 256, (20, 30, count), np.uint8)
    result = many.tensor(array)
    for c in range(count):
        one = Preprocess((20, 20), 20, (mean[c],), (1.0,), channels=1)
        assert torch.equal(result[c : c + 1], one.tensor(array[..., c]))
    assert np.array_equal(many.crop(array), array[:, 5:25])
    picture = many.tensor(noise(30, 20))
    assert picture.shape == (count, 20, 20)
    assert torch.allclose(picture[0] + mean[0], picture[-1] + mean[-1])
    floats = torch.from_numpy(array[:, 5:25] / 255).permute(2, 0, 1).float()
    assert torch.allclose(many.tensor(array / 255), floats - torch.tensor(mean)[:, None, None], atol=1e-6)


@st.composite
def geometries(draw):
    side = st.integers(1, 40)
    resize = draw(st.one_of(side, st.tuples(side, side)))
    preprocess = Preprocess(
        (draw(side), draw(side)),
        resize,
        (0.0,),
        (1.0,),
        channels=1,
        interpolation=draw(st.sampled_from(INTERPOLATIONS)),
    )
    width, height = draw(side), draw(side)
    assume(max(width, height) <= 20 * min(width, height))
    y = sorted((draw(st.integers(0, preprocess.size[0])), draw(st.integers(0, preprocess.size[0]))))
    x = sorted((draw(st.integers(0, preprocess.size[1])), draw(st.integers(0, preprocess.size[1]))))
    return preprocess, (width, height), (y[0], x[0], y[1], x[1])


@given(geometries())
@settings(deadline=None, max_examples=150)
def test_upright_box(geometry):
    """The box lies in the picture, and outside it (with the filter's own reach) no pixel matters for the crop's box."""
    preprocess, (width, height), (y0, x0, y1, x1) = geometry
    top, left, bottom, right = preprocess.upright_box((y0, x0, y1, x1), (width, height))
    assert 0 <= top <= bottom <= height
    assert 0 <= left <= right <= width
    scaled = preprocess._scaled(width, height)
    reach = SUPPORT[preprocess.interpolation]
    dy, dx = (int(np.ceil(reach * max(a / b, 1))) for a, b in ((height, scaled[1]), (width, scaled[0])))
    if y0 == y1 or x0 == x1:
        return
    original = np.asarray(noise(width, height, "L"))
    changed = 255 - original
    inside = np.zeros(original.shape, bool)
    inside[max(top - dy, 0) : bottom + dy, max(left - dx, 0) : right + dx] = True
    mixed = np.where(inside, original, changed)
    seen, wanted = (preprocess.crop(Image.fromarray(array))[y0:y1, x0:x1] for array in (mixed, original))
    assert np.array_equal(seen, wanted)


@given(geometries())
@settings(deadline=None, max_examples=100)
def test_upright_box_is_small(geometry):
    """Never more than a pixel larger than the exact box, on each side; boxes of parts lie within the whole's."""
    preprocess, (width, height), box = geometry
    scaled = preprocess._scaled(width, height)
    top, left, bottom, right = preprocess.upright_box(box, (width, height))
    assert bottom - top <= (box[2] - box[0]) * height / scaled[1] + 2
    assert right - left <= (box[3] - box[1]) * width / scaled[0] + 2
    whole = preprocess.upright_box((0, 0, *preprocess.size), (width, height))
    assert whole[0] <= top
    assert whole[1] <= left
    assert bottom <= whole[2]
    assert right <= whole[3]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_source_box_lies_in_the_file_as_it_is(orientation, tmp_path):
    """What the box of the input shows, bright or dark, is what the file's own pixels there show."""
    lying = np.zeros((40, 64), np.uint8)
    lying[8:16, 24:32] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(lying).save(tmp_path / "lying.png", exif=exif)
    image = load_images(tmp_path / "lying.png")[0]
    preprocess = Preprocess((20, 20), 20, (0.0,), (1.0,), channels=1)  # half the size, with a crop
    rows, columns = np.nonzero(preprocess.crop(image)[..., 0] > 128)
    box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    for picture in (image, tmp_path / "lying.png", Image.open(tmp_path / "lying.png")):
        assert preprocess.source_box(box, picture) == (8, 24, 16, 32)


def test_source_box_of_an_array():
    array = np.zeros((40, 64, 5), np.uint8)
    assert Preprocess((20, 20), 20, (0.0,), (1.0,), channels=5).source_box((0, 0, 20, 20), array) == (0, 12, 40, 52)


def test_upright_box_by_hand():
    crop = Preprocess((224, 224), 256, (0.0,), (1.0,), channels=1)
    assert crop.upright_box((0, 0, 224, 224), (512, 512)) == (32, 32, 480, 480)
    assert crop.upright_box((0, 0, 1, 1), (256, 256)) == (16, 16, 17, 17)
    assert crop.upright_box((0, 0, 224, 224), (1024, 512)) == (32, 288, 480, 736)
    squeezed = Preprocess((10, 10), (10, 10), (0.0,), (1.0,), channels=1)
    assert squeezed.upright_box((0, 0, 5, 5), (40, 20)) == (0, 0, 10, 20)


@pytest.mark.parametrize(
    "change",
    [
        {"interpolation": "cubic"},
        {"mean": (0.0, 0.0)},
        {"mean": (float("nan"),)},
        {"std": (0.0,)},
        {"std": (float("inf"),)},
        {"size": (0, 5)},
        {"size": (5,)},
        {"size": (5, 5, 5)},
        {"size": (5.5, 5)},
        {"size": (10**6, 10**6)},
        {"resize": 0},
        {"resize": 10**9},
        {"resize": (5,)},
        {"resize": "28"},
        {"channels": 0},
        {"channels": 10**7},
        {"size": (8192, 8192), "channels": 2},
    ],
    ids=str,
)
def test_bad_preprocess(change):
    with pytest.raises((BadValue, Unknown)) as caught:
        dataclasses.replace(GREY, **change)
    assert len(str(caught.value).splitlines()) == 1


# ------------------------------------------------------------ predictions


def test_predict(lenet):
    images = load_images("fashion-mnist", limit=7)
    every = lenet.predict(images, k=10)
    scores = lenet.scores(images)
    assert scores.shape == (7, 10)
    for rows, row in zip(every, scores, strict=True):
        assert sorted(name for name, _ in rows) == sorted(lenet.classes)
        values = [p for _, p in rows]
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-5)
        wanted = row.double().softmax(0)
        assert values == pytest.approx([float(wanted[lenet.classes.index(name)]) for name, _ in rows], abs=1e-6)
    assert [rows[:3] for rows in every] == lenet.predict(images, k=3)
    assert [name for name, _ in lenet.predict(images[0])[0]] == [name for name, _ in every[0][:5]]


@pytest.mark.parametrize("k", [0, -1, 1.5, "3", True, 11])
def test_bad_k(lenet, k):
    with pytest.raises(BadValue, match="k="):
        lenet.predict(load_images("fashion-mnist")[0], k=k)


def test_no_pictures(lenet):
    for images in ([], (), load_images("fashion-mnist", limit=0)):
        with pytest.raises(BadValue, match="no pictures"):
            lenet.predict(images)


def test_target(lenet):
    image = load_images("fashion-mnist")[0]
    best = int(lenet.scores(image).argmax())
    assert lenet.target(None, image) == lenet.target("", image) == best
    for number, name in enumerate(lenet.classes):
        assert lenet.target(name, image) == lenet.target(number, image) == lenet.target(str(number), image) == number


@pytest.mark.parametrize(
    "target", ["bag", "10", 10, -1, "-1", 1.5, float("nan"), float("inf"), [], {}, "9" * 5000, "1.0"]
)
def test_bad_target(lenet, target):
    with pytest.raises(Unknown, match="0 to 9") as caught:
        lenet.target(target, load_images("fashion-mnist")[0])
    assert len(str(caught.value)) < 500


def test_bfloat16():
    """Scores leave as float32 whatever the net computes in."""

    class Half(nn.Module):
        def forward(self, batch):
            return batch.flatten(1)[:, :4].bfloat16()

    half = Model("half", Half(), GREY, ("a", "b", "c", "d"))
    assert half.scores(noise(28, 28)).dtype == torch.float32
    assert sum(p for _, p in half.predict(noise(28, 28))[0]) == pytest.approx(1, abs=1e-5)


def test_not_scores():
    for net in (nn.Conv2d(1, 5, 3), nn.Unflatten(1, (1, 1, 1)), nn.Flatten(1, 2)):
        with pytest.raises(NotSupported, match="'odd': The network gives"):
            Model("odd", net, GREY, ("a", "b", "c", "d")).predict(noise(28, 28))
    with pytest.raises(BadValue, match="say which has the scores"):
        recurrent = nn.Sequential(nn.Flatten(1, 2), nn.LSTM(28, 4, batch_first=True))
        Model("odd", recurrent, GREY, ("a", "b", "c", "d")).predict(noise(28, 28))


def test_inference_mode(lenet):
    image = load_images("fashion-mnist")[0]
    with torch.inference_mode():
        inside = lenet.predict(image)
    assert inside == lenet.predict(image)


# ------------------------------------------------------------ layers


def test_layer_names(lenet):
    names = [layer.name for layer in lenet.layers]
    assert names == ["conv1", "act1", "pool1", "conv2", "act2", "pool2", "flatten", "fc1", "act3", "fc2", "act4", "fc3"]
    assert all(lenet.layer(name).name == name for name in names)
    with pytest.raises(Unknown, match="Did you mean 'conv1'"):
        lenet.layer("conv_1")
    assert lenet.last_maps.name == "act2"


def test_called_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.relu = nn.Linear(784, 784), nn.ReLU()

        def forward(self, batch):
            return self.relu(self.fc(self.relu(batch.flatten(1))))

    twice = Model("twice", Twice(), GREY, tuple(map(str, range(784))))
    assert [layer.name for layer in twice.layers] == ["relu:0", "fc", "relu:1"]
    with pytest.raises(Unknown, match=r"relu:0, relu:1.*called 2 times"):
        twice.layer("relu")
    with pytest.raises(NotSupported, match="no convolution"):
        _ = twice.last_maps


# ------------------------------------------------------------ the lock


def snapshot(net):
    hooks = [
        (name, list(table))
        for module in net.modules()
        for name, table in vars(module).items()
        if name.endswith("_hooks") and hasattr(table, "keys")
    ]
    return (
        [m.training for m in net.modules()],
        [(p.requires_grad, id(p.grad), p.grad is None) for p in net.parameters()],
        hooks,
    )


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_left_as_found(model, error):
    net = model._net
    net.train()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    net[5].weight.grad = torch.ones_like(net[5].weight)
    assert model.head.kind == "softmax"  # found by some passes, before anybody counts them
    seen = []
    net[0].register_forward_hook(lambda *_: seen.append("own"))
    before = snapshot(net)
    gradient = net[5].weight.grad

    def meddle():
        with model.exclusive() as inside:
            assert inside is net
            assert not any(module.training for module in net.modules())
            assert not any(parameter.requires_grad for parameter in net.parameters())
            net.train()
            for parameter in net.parameters():
                parameter.requires_grad_(True)
            net[5].weight.grad = None
            net[0].weight.grad = torch.ones_like(net[0].weight)
            net[0]._forward_hooks.clear()
            net[0].register_forward_hook(lambda *_: seen.append("leaked"))
            net[2].register_forward_pre_hook(lambda *_: seen.append("leaked"))
            net[5].register_full_backward_hook(lambda *_: seen.append("leaked"))
            if error:
                raise error

    if error:
        with pytest.raises(error):
            meddle()
    else:
        meddle()
    assert snapshot(net) == before
    assert net[5].weight.grad is gradient
    assert torch.equal(gradient, torch.ones_like(gradient))
    model.scores(noise(28, 28))
    assert seen == ["own"]


def test_nested(model):
    with model.exclusive() as outer:
        with model.exclusive() as inner:
            assert inner is outer
        assert not outer.training
        model.scores(noise(28, 28))


def test_one_thread_at_a_time(model):
    inside, most, order = [], [], []

    def enter(k):
        for _ in range(5):
            with model.exclusive():
                inside.append(k)
                most.append(len(inside))
                time.sleep(0.002)
                inside.pop()
            order.append(k)

    threads = [threading.Thread(target=enter, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 30
    assert set(most) == {1}


def test_threads_get_their_own_answer(model):
    """Each thread hooks the shared net and must see its own picture's activation, as alone."""
    pictures = [noise(28, 28, "L", seed=k) for k in range(4)]
    batches = [model.batch(picture) for picture in pictures]
    with model.exclusive() as net, torch.no_grad():
        alone = [net[0](batch) for batch in batches]
    wrong, asked = [], []

    def ask(k):
        for _ in range(20):
            held = []
            with model.exclusive() as net, torch.no_grad():
                net[0].register_forward_hook(lambda _m, _a, output: held.append(output.clone()))
                net(batches[k])
            asked.append(k)
            if len(held) != 1 or not alike(held[0], alone[k]):
                wrong.append(k)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 80
    assert wrong == []


# ------------------------------------------------------------ the digest


def test_digest_same():
    first, second = small(), small()
    assert first._net is not second._net
    assert first.digest == second.digest
    assert len(first.digest) == 64
    renamed = Model("other", second._net, GREY, second.classes, {"note": "x"})
    assert renamed.digest == first.digest


def test_digest_changes():
    digests = [small().digest, small(seed=1).digest]
    for parameter in (0, -1):
        model = small()
        with torch.no_grad():
            values = list(model._net.parameters())[parameter].view(-1)
            values[-1] = torch.nextafter(values[-1], torch.tensor(9.0))
        digests.append(model.digest)
    buffer, kind, setting, half = small(), small(), small(), small()
    buffer._net[1].running_mean[0] += 1
    kind._net[2] = nn.Tanh()
    setting._net[1].eps = 1e-3
    half._net.half()
    digests += [model.digest for model in (buffer, kind, setting, half)]
    net, names = small()._net, ("a", "b", "c", "d")
    for change in (
        {"mean": (0.1,)},
        {"std": (0.5,)},
        {"resize": 32},
        {"interpolation": "bicubic"},
        {"resize": (28, 27)},
    ):
        digests.append(Model("small", net, dataclasses.replace(GREY, **change), names).digest)
    for classes in (("a", "b", "d", "c"), ("a", "b", "c", "D"), ("a", "b, c", "d", "")):
        digests.append(Model("small", net, GREY, classes).digest)
    assert len(set(digests)) == len(digests) == 16


def test_digest_in_another_process(lenet):
    code = "from explain.network.zoo import load_model; print(load_model('lenet-fashion-mnist').digest)"
    root = Path(__file__).parent.parent
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=120)
    assert answer.stdout.strip() == lenet.digest


def test_device():
    assert choose_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert choose_device("auto") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


def test_the_device_is_the_gpu_where_there_is_one(monkeypatch):
    """M36: "auto", by what torch says is there."""
    for cuda, mps, wanted in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert choose_device("auto").type == wanted


def test_facts(lenet):
    facts = lenet.facts(view="x", layer="y")
    assert (facts["model"], facts["model_digest"], facts["view"], facts["layer"]) == (
        lenet.name,
        lenet.digest,
        "x",
        "y",
    )
    assert facts["versions"]["torch"] == version("torch")
