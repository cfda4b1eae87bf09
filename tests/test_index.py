"""The index against the network asked picture by picture; what survives changes, damage, kills and full disks."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from near import alike
from PIL import Image
from torch import nn
from torch.nn import functional

import explain
from explain.data import load_images
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.index import MANIFEST, RANKINGS, Index, merge_indexes, open_index, read_manifest
from explain.index.bins import NOBODY
from explain.network.model import Model, Preprocess
from explain.network.trace import record

build_module, files_module = (sys.modules[f"explain.index.{name}"] for name in ("build", "files"))
ROOT = Path(__file__).parent.parent


class Branches(nn.Module):
    """Layers whose execution order is not the alphabet's, one called twice, one dead, one overwritten in place."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.left = nn.Conv2d(6, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.below = nn.Conv2d(6, 4, 1, stride=2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = self.act(self.stem(x))
        x = x + self.left(x)
        x = self.act(x)
        return self.fc(self.below(x).mean((2, 3)))


def model_of(net, size=16, channels=3, classes=("a", "b", "c")):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())) / 3
            )
    mean = (0.5,) * channels
    return Model("tiny", net, Preprocess((size, size), (size, size), mean, mean, channels), classes)


@pytest.fixture(scope="module")
def tiny():
    return model_of(Branches())


def picture(number, folder, name=None):
    pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)
    path = folder / (name or f"{number:03}.png")
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three classes with 10 pictures each."""
    for number in range(30):
        place = tmp_path / "pictures" / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        picture(number, place)
    return tmp_path / "pictures"


def build(model, images, out, **options):
    return explain.build_index(model, images, out=out, **options)


def answers(index, without=()):
    """Everything the index says, to compare two of them."""
    said = {
        "features": index.features.tolist(),
        "predictions": index.predictions.tolist(),
        "labels": index.labels.tolist(),
        "files": [Path(file).name for file in index.images.files],
    }
    for layer in index.layers:
        summary = index.summary(layer)
        for kind in RANKINGS:
            ranked = summary.ranked[kind]
            said[layer, kind] = [ranked.image.tolist(), ranked.row.tolist(), ranked.column.tolist()]
        said[layer, "counts"] = [summary.counts.tolist(), summary.silent.tolist(), summary.members.tolist()]
    return {key: value for key, value in said.items() if key not in without}


def check(index, model, images):
    """Against one picture at a time, in the default layout: equal to rounding, and the ranking right up to rounding."""
    outputs = {layer: [] for layer in index.layers}
    features = []
    for image in images:
        with model.exclusive() as net:
            _, held = record(net, model.batch(image), index.layers)
        for layer, output in held.items():
            outputs[layer].append(output[0].cpu())
        features.append(index.embed(image))
    np.testing.assert_allclose(index.features, features, rtol=1e-4, atol=1e-5)
    scores = model.scores(list(images))
    best = scores.argmax(1).numpy()
    sure = (scores.topk(2).values.diff().abs() > 1e-4).numpy()[:, 0]
    assert (index.predictions[sure, 0] == best[sure]).all()
    for layer, maps in outputs.items():
        values = torch.stack(maps)
        values = values if values.dim() == 4 else values[:, :, None, None]
        peaks = values.amax((2, 3))
        scale = float(values.abs().max())
        close = 1e-5 * max(scale, 1)
        for channel in range(0, values.shape[1], max(1, values.shape[1] // 8)):
            for kind, sign in (("best", 1), ("lowest", -1)):
                rows = index.top(layer, channel, kind)
                expected = (sign * peaks[:, channel]).sort(descending=True).values[: index.k] * sign
                assert [row.score for row in rows] == pytest.approx(expected.tolist(), abs=close), (layer, channel)
                assert len({row.image for row in rows}) == len(rows)
                for row in rows:
                    assert values[row.image, channel][row.position] == pytest.approx(row.score, abs=close)
                    assert peaks[row.image, channel] == pytest.approx(row.score, abs=close)
        flat = values.double().transpose(0, 1).flatten(1)
        told = index.statistics(layer)
        np.testing.assert_allclose(told["mean"], flat.mean(1), atol=10 * close)
        np.testing.assert_allclose(told["std"], flat.std(1, correction=0), atol=100 * close)
        np.testing.assert_allclose(told["max"], flat.amax(1), atol=close)
        np.testing.assert_allclose(told["min"], flat.amin(1), atol=close)


@pytest.mark.parametrize(("batch", "shard"), [(1, 512), (7, 512), (16, 4), (5, 11)])
def test_equals_the_network_asked_one_by_one(tiny, folder, tmp_path, monkeypatch, batch, shard):
    monkeypatch.setattr(build_module, "SHARD", shard)
    images = load_images(folder)
    layers = ["stem", "left", "below", "act:0", "act:1", "fc"]
    index = build(tiny, images, tmp_path / "index", layers=layers, k=4, batch=batch)
    assert len(index) == 30
    check(index, tiny, images)
    assert index.labels.tolist() == images.labels.tolist()
    names, members, _ = index.class_means("left")
    assert (names, members.tolist()) == (["a", "b", "c"], [[10] * 6] * 3)
    loss = functional.cross_entropy(tiny.scores(list(images)), torch.from_numpy(images.labels), reduction="none")
    np.testing.assert_allclose(index.loss, loss, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["lenet-fashion-mnist", "torchvision:resnet18?weights=random", "efficientnet-lite0"])
def test_equals_real_networks(name, tmp_path):
    model = explain.load_model(name)
    images = load_images("fashion-mnist" if model.preprocess.channels == 1 else "photos", 12)
    check(build(model, images, tmp_path / "index", k=3, batch=5), model, images)


def test_shards_and_their_order_do_not_matter(tiny, folder, tmp_path, monkeypatch):
    whole = answers(build(tiny, folder, tmp_path / "one", batch=1))
    monkeypatch.setattr(build_module, "SHARD", 4)
    assert answers(build(tiny, folder, tmp_path / "many", batch=1)) == whole
    images = load_images(folder)
    parts = [build(tiny, images[a:b], tmp_path / f"part{a}", batch=1).folder for a, b in ((0, 7), (7, 8), (8, 30))]
    assert answers(merge_indexes(parts, tmp_path / "merged", tiny)) == whole
    left = merge_indexes([merge_indexes(parts[:2], tmp_path / "left", tiny).folder, parts[2]], tmp_path / "again", tiny)
    assert answers(left) == whole


def test_rows_name_boxes_labels_and_files(tiny, folder, tmp_path):
    index = build(tiny, folder, tmp_path / "index", k=2)
    row = index.top("stem", 0)[0]
    (i, j), (y0, x0, y1, x1) = row.position, row.box
    assert (y0, x0, y1, x1) == (max(i - 1, 0), max(j - 1, 0), min(i + 2, 16), min(j + 2, 16))
    assert row.label in "abc"
    assert row.prediction in ("a", "b", "c")
    height, width = 20, 24
    a, b, c, d = row.source_box
    assert 0 <= a <= y0 * height / 16 < y1 * height / 16 <= c <= height
    assert 0 <= b <= x0 * width / 16 < x1 * width / 16 <= d <= width
    assert index.label(row.image) == row.label
    assert Path(index.images.files[row.image]).parent.name == row.label


def test_a_second_call_does_nothing(tiny, folder, tmp_path):
    before = build(tiny, folder, tmp_path / "index")
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "index").iterdir() if path.suffix}
    seen = []
    build(tiny, folder, tmp_path / "index", progress=lambda *report: seen.append(report))
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "index").iterdir() if path.suffix} == files
    assert seen == [(30, 30, "complete")]
    assert answers(open_index(tmp_path / "index", tiny)) == answers(before)


class Stop(BaseException):
    pass


def stopping(after):
    def progress(done, total, message):
        if done >= after:
            raise Stop

    return progress


@pytest.mark.parametrize("after", [4, 13, 29])
def test_what_is_done_when_interrupted_is_an_index_and_the_rest_follows(tiny, folder, tmp_path, monkeypatch, after):
    monkeypatch.setattr(build_module, "SHARD", 4)
    whole = answers(build(tiny, folder, tmp_path / "whole", batch=2))
    with pytest.raises(Stop):
        build(tiny, folder, tmp_path / "index", batch=2, progress=stopping(after))
    if after > 4:
        part = open_index(tmp_path / "index", tiny)
        assert after - 6 <= len(part) <= after
        check(part, tiny, load_images(folder).head(len(part)))
    done = []
    index = build(tiny, folder, tmp_path / "index", batch=2, progress=lambda done_, *_: done.append(done_))
    assert done[0] >= after - 4, "at most one shard is redone"
    assert answers(index) == whole


def test_an_interrupted_extension_opens(tiny, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(build_module, "SHARD", 4)
    images = load_images(folder)
    build(tiny, images.head(10), tmp_path / "index", batch=2)
    with pytest.raises(Stop):
        build(tiny, images, tmp_path / "index", batch=2, progress=stopping(20))
    part = open_index(tmp_path / "index", tiny)
    assert 10 < len(part) <= 20
    check(part, tiny, images.head(len(part)))
    assert answers(build(tiny, images, tmp_path / "index", batch=2)) == answers(
        build(tiny, images, tmp_path / "whole", batch=2)
    )


def test_what_lies_in_the_folder_is_left_alone_and_the_old_index_stays_until_the_new_one_is_there(
    tiny, folder, tmp_path
):
    place = tmp_path / "index"
    before = answers(build(tiny, folder, place, batch=2))
    theirs = [place / "photo.png", place / "notes.safetensors", place / ".hidden.tmp"]
    for path in theirs:
        path.write_text("mine")
    (place / ".rows-0123456789abcdef.safetensors.x1_y.tmp").write_text("half written")
    with pytest.raises(Stop):
        build(tiny, folder, place, batch=2, k=5, resume=False, progress=stopping(4))
    assert answers(open_index(place, tiny)) == before
    assert len(build(tiny, folder, place, batch=2, k=5, resume=False)) == 30
    assert [path.read_text() for path in theirs] == ["mine"] * 3
    assert {path.name for path in place.iterdir()} == read_manifest(place).files | {".lock"} | {p.name for p in theirs}


def test_the_folder_grows_shrinks_and_changes(tiny, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(build_module, "SHARD", 4)
    place = tmp_path / "index"

    def brought_up_to_date():
        asked = []
        original = build_module._Loader._read
        monkeypatch.setattr(build_module._Loader, "_read", lambda self, at: asked.append(at) or original(self, at))
        index = build(tiny, folder, place, batch=1)
        monkeypatch.setattr(build_module._Loader, "_read", original)
        assert answers(index) == answers(build(tiny, folder, tmp_path / f"fresh{random.random()}", batch=1))
        return len(asked)

    assert brought_up_to_date() == 30
    assert brought_up_to_date() == 0
    picture(99, folder / "a", "000a.png")  # sorts among the others: all later positions shift
    picture(98, folder / "c", "zzz.png")
    assert brought_up_to_date() == 2
    picture(97, folder / "b", "001.png")  # other pixels
    assert brought_up_to_date() == 4, "only its shard"
    (folder / "a" / "003.png").unlink()
    assert brought_up_to_date() == 3
    shutil.rmtree(folder / "a")
    brought_up_to_date()
    assert len(list(place.iterdir())) <= 2 * len(read_manifest(place).shards) + 3, "nothing stale is kept"


def test_unreadable_pictures_are_skipped_counted_and_listed(tiny, folder, tmp_path):
    (folder / "a" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    (folder / "b" / "text.jpg").write_text("no picture")
    whole = load_images(folder)
    index = build(tiny, folder, tmp_path / "index", batch=4)
    assert sorted(Path(name).name for name in index.skipped) == ["broken.png", "text.jpg"]
    assert all(index.skipped.values())
    bad = [k for k, file in enumerate(whole.files) if Path(file).name in ("broken.png", "text.jpg")]
    assert np.isnan(index.features[bad]).all()
    assert np.isfinite(np.delete(index.features, bad, 0)).all()
    assert (index.predictions[bad] == -1).all()
    assert index.prediction(bad[0]) is None
    assert index.summary("stem").images == 30
    images = {row.image for kind in RANKINGS for row in index.top("stem", 1, kind)}
    assert not images & set(bad)
    assert {row.image for row in index.neighbours(0, k=31)} == set(range(1, 32)) - set(bad)


def test_a_folder_of_text_files_and_an_empty_one(tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFile, match="no pictures"):
        build(tiny, tmp_path / "empty", tmp_path / "index")
    (tmp_path / "texts").mkdir()
    for k in range(3):
        (tmp_path / "texts" / f"{k}.png").write_text("text")
    index = build(tiny, tmp_path / "texts", tmp_path / "index")
    assert len(index.skipped) == 3
    assert index.top("stem", 0) == []
    assert np.isnan(index.statistics("stem")["mean"]).all()


def test_fewer_pictures_than_k(tiny, folder, tmp_path):
    index = build(tiny, load_images(folder).head(3), tmp_path / "index", k=16)
    assert [len(index.top("stem", 0, kind)) for kind in RANKINGS] == [3, 3, 3]
    assert (index.summary("stem").ranked["best"].image[:, 3:] == NOBODY).all()


def test_random_pictures_are_spread_and_the_same_again(tiny, folder, tmp_path):
    rows = [
        [row.image for row in build(tiny, folder, tmp_path / f"{n}", k=8, seed=seed).top("left", 2, "random")]
        for n, seed in enumerate((0, 0, 1))
    ]
    assert rows[0] == rows[1] != rows[2]
    scores = [row.score for row in open_index(tmp_path / "0", tiny).top("left", 2, "random")]
    assert scores != sorted(scores)


def test_a_channel_with_nan_is_told(tmp_path, folder):
    net = Branches()
    model = model_of(net)
    with torch.no_grad():
        net.left.bias[1] = torch.nan
    index = build(model, folder, tmp_path / "index")
    assert index.statistics("left")["broken"].tolist() == [0, 30, 0, 0, 0, 0]
    assert np.isnan(index.top("left", 1)[0].score)


class Spoilt(nn.Module):
    """NaN in channel 2 for dark pictures, in all for black ones; and then the net has no answer."""

    def forward(self, x, shade):
        x = x.masked_fill(shade[:, None, None, None] < -0.9, torch.nan)
        return x.masked_fill(((shade[:, None] < -0.5) & (torch.arange(6) == 2))[:, :, None, None], torch.nan)


class Refuses(Branches):
    def __init__(self):
        super().__init__()
        self.spoilt = Spoilt()

    def forward(self, x):
        shade = x.mean((1, 2, 3))
        x = self.left(self.act(self.stem(x)))
        seen = self.spoilt(x - x.amax((2, 3), keepdim=True) + shade[:, None, None, None] + 0.1, shade)
        x = torch.where((shade < -0.9)[:, None, None, None], seen, x)
        return self.fc(self.below(self.act(x)).mean((2, 3)))


def test_what_is_not_a_number_is_in_no_share_and_no_mean(tmp_path, folder):
    files = sorted(folder.rglob("*.png"))
    for k, path in enumerate(files):
        pixels = np.asarray(Image.open(path)) * (0 if k % 5 == 0 else 0.2 if k % 3 == 0 else 1)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    model = model_of(Refuses())
    index = build(model, folder, tmp_path / "index", layers=["spoilt"])
    images = index.images
    with model.exclusive() as net:
        maps = torch.cat([record(net, model.batch(image), ["spoilt"])[1]["spoilt"] for image in images]).cpu().numpy()
    peaks = maps.max((2, 3))
    broken = np.isnan(peaks)
    assert broken.sum(0).tolist() == [6, 6, 14, 6, 6, 6], "black, and dark or black"
    told = index.statistics("spoilt")
    for c in range(6):
        own = peaks[~broken[:, c], c]
        assert told["silent"][c] == (own <= 0).mean(), c
    assert 0 < told["silent"][0] < 1
    names, counts, means = index.class_means("spoilt")
    for name, count, mean in zip(names, counts, means, strict=True):
        chosen = index.labels == "abc".index(name)
        assert count.tolist() == (chosen[:, None] & ~broken).sum(0).tolist()
        np.testing.assert_allclose(mean, np.nanmean(peaks[chosen], 0), rtol=1e-5)
    for c in range(6):
        shown = explain.channel(index, "spoilt", c).classes
        assert dict(zip(shown.names, shown.images, strict=True)) == dict(zip(names, counts[:, c].tolist(), strict=True))
    # What has no answer is no class's, right or wrong, and has no neighbours.
    black = np.isnan([model_scores(model, image) for image in images]).any(1)
    assert black.sum() == 6
    assert ((index.predictions[:, 0] == -1) == black).all()
    assert set(index.skipped) == {str(path) for path, one in zip(images.files, black, strict=True) if one}
    assert "is not a number" in next(iter(index.skipped.values()))
    assert explain.confusion(index).images == 24
    assert explain.embedding(index, "pca").images.tolist() == np.flatnonzero(~black).tolist()
    with pytest.raises(BadValue, match="not a number"):
        explain.neighbours(index, int(np.flatnonzero(black)[0]))


def model_scores(model, image):
    with model.exclusive() as net, torch.no_grad():
        return net(model.batch(image))[0].cpu().numpy()


def test_without_labels_what_has_no_answer_is_in_no_class(tmp_path, folder):
    """An index of before did not count what its means left out: then it says none."""
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(sorted(folder.rglob("*.png"))[0])
    files = [path.rename(tmp_path / path.name) for path in folder.rglob("*.png")]
    index = build(model_of(Refuses()), files, tmp_path / "index", layers=["spoilt"])
    assert index.summary("spoilt").members.sum() == 29
    arrays = files_module.summary_arrays({"spoilt": index.summary("spoilt")})
    missing = arrays.pop("0.missing")
    assert not missing.any(), "the picture is in no class"
    old = files_module.summaries_of(arrays, ["spoilt"])["spoilt"]
    assert (old.missing == old.members[:, None]).all()


def test_a_net_that_is_not_a_number_on_noise_is_indexed(tmp_path, folder):
    """Its convolutions pad one side more, which is tried on noise."""

    class Padded(nn.Conv2d):
        def forward(self, x):
            return super().forward(functional.pad(x, (0, 1, 0, 1)))

    class Rooted(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = Padded(3, 4, 3, stride=2), nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(self.conv((x + 1).sqrt()).mean((2, 3)))

    index = build(model_of(Rooted()), folder, tmp_path / "index")
    assert len(index) == 30
    assert not index.skipped


# ------------------------------------------------------------ mistakes


def test_mistakes_are_told(tiny, folder, tmp_path):
    index = build(tiny, folder, tmp_path / "index")
    for call, kind, words in [
        (lambda: index.top("nope", 0), Unknown, "nope"),
        (lambda: index.top("stem", 6), BadValue, "0 to 5"),
        (lambda: index.top("stem", -1), BadValue, "-1"),
        (lambda: index.top("stem", True), BadValue, "True"),
        (lambda: index.top("stem", 0, "worst"), Unknown, "lowest"),
        (lambda: index.neighbours(30), BadValue, "0 to 29"),
        (lambda: index.neighbours(0, space="colours"), Unknown, "pixels"),
        (lambda: build(tiny, folder, tmp_path / "x", layers=["nope"]), Unknown, "nope"),
        (lambda: build(tiny, folder, tmp_path / "x", k=0), BadValue, "k=0"),
        (lambda: build(tiny, folder, tmp_path / "x", batch=-3), BadValue, "batch=-3"),
        (lambda: build(tiny, load_images(folder).head(0), tmp_path / "x"), BadValue, "empty"),
        (lambda: build(tiny, folder, tmp_path / "index", k=5), BadValue, "other"),
        (lambda: build(model_of(Branches(), 20), folder, tmp_path / "index"), BadValue, "other"),
        (lambda: open_index(tmp_path / "nowhere"), BadFile, "nowhere"),
        (lambda: open_index(tmp_path / "index", model_of(Branches(), 20)), BadFile, "other weights"),
        (lambda: merge_indexes([tmp_path / "index"] * 2, tmp_path / "y"), BadValue, "share"),
        (lambda: merge_indexes([], tmp_path / "y"), BadValue, "no index"),
    ]:
        with pytest.raises(kind, match=words):
            call()
    assert build(tiny, folder, tmp_path / "index", k=5, resume=False).k == 5


# ------------------------------------------------------------ damage


def test_every_byte_of_the_manifest_counts(tiny, folder, tmp_path):
    build(tiny, folder, tmp_path / "index")
    path = tmp_path / "index" / MANIFEST
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        with pytest.raises(BadFile, match="damaged"):
            open_index(tmp_path / "index", tiny)
    for cut in (0, 1, 64, 65, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(BadFile):
            open_index(tmp_path / "index", tiny)
    path.write_bytes(content + b" ")
    with pytest.raises(BadFile):
        open_index(tmp_path / "index", tiny)


def test_damaged_shards_are_noticed_and_rebuilt(tiny, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(build_module, "SHARD", 16)
    place = tmp_path / "index"
    whole = answers(build(tiny, folder, place))
    files = sorted(path for path in place.iterdir() if path.suffix == ".safetensors")
    assert len(files) == 5
    draw = random.Random(0)
    for path in files:
        content = path.read_bytes()
        changes = [content[: len(content) // 2], b"", content + b"\0"]
        for _ in range(25):
            at = draw.randrange(len(content))
            changes.append(content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :])
        for changed in changes:
            path.write_bytes(changed)
            with pytest.raises(BadFile, match="damaged"):
                everything(open_index(place, tiny))
        path.write_bytes(content)
    for path in files:
        path.write_bytes(b"damaged")
        assert answers(build(tiny, folder, place)) == whole
        path.unlink(missing_ok=True)
        assert answers(build(tiny, folder, place)) == whole


def everything(index):
    """Read every file of an index, the shards' summaries too."""
    answers(index)
    for shard in index.manifest.shards:
        build_module.read_arrays(index.folder, shard.summary)


# ------------------------------------------------------------ kills, full disks, two builders

BUILDER = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import test_index
test_index.build_module.SHARD = 4
manifest = test_index.build_module._Pass.manifest

def ready(self):
    print("ready", flush=True)  # the network is prepared; from here on files are written
    return manifest(self)

test_index.build_module._Pass.manifest = ready
test_index.build(test_index.model_of(test_index.Branches()), sys.argv[1], sys.argv[2], batch=1)
"""


def builder(folder, place, **options):
    code = BUILDER.format(root=str(ROOT), tests=str(ROOT / "tests"))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(place)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def kill_and_resume(tiny, folder, place, times, seed):
    whole, draw, states = None, random.Random(seed), []
    for _ in range(times):
        with builder(folder, place) as process:
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.25))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        if (place / MANIFEST).exists():
            part = open_index(place, tiny)
            everything(part)
            states.append(len(part))
            if len(part) == 30:
                whole = whole or answers(part)
                assert answers(part) == whole
                shutil.rmtree(place)
    index = build(tiny, folder, place, batch=1)
    named = read_manifest(place).files | {".lock"}
    assert {path.name for path in place.iterdir()} == named, "no stray files after the next start"
    return index, states


KILLS = int(os.environ.get("EXPLAIN_KILLS", "20"))


@pytest.mark.exhaustive
def test_killed_builders_leave_a_whole_index_or_a_part(tiny, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(build_module, "SHARD", 4)
    whole = answers(build(tiny, folder, tmp_path / "whole", batch=1))
    index, states = kill_and_resume(tiny, folder, tmp_path / "index", KILLS, 1)
    assert answers(index) == whole
    assert set(states) - {30}, "the kills fell into the work"
    print(f"\nimages in the index after each kill: {states}")


def test_no_room_leaves_the_old_index_and_names_the_bytes(tiny, folder, tmp_path):
    build(tiny, load_images(folder).head(8), tmp_path / "index", batch=4)
    before = answers(open_index(tmp_path / "index", tiny))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(BadFile, match=r"index.*\d bytes are needed"):
            build(tiny, folder, tmp_path / "index", batch=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert answers(open_index(tmp_path / "index", tiny)) == before
    assert len(build(tiny, folder, tmp_path / "index", batch=4)) == 30


def test_two_builders_of_one_index(tiny, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(build_module, "SHARD", 4)
    whole = answers(build(tiny, folder, tmp_path / "whole", batch=1))
    with builder(folder, tmp_path / "index") as other:
        other.stdout.readline()  # it is about to write
        build(tiny, folder, tmp_path / "index", batch=1)
        _, errors = other.communicate(timeout=120)
        assert other.returncode == 0, errors.decode()
    assert answers(open_index(tmp_path / "index", tiny)) == whole
    waited = []
    started, release = threading.Event(), threading.Event()

    def slow(done, total, message):
        started.set()
        release.wait(20)

    def impatient(done, total, message):
        waited.append(message)
        release.set()
        if "waiting" not in message:
            return
        raise Stop

    thread = threading.Thread(target=lambda: build(tiny, folder, tmp_path / "third", batch=4, progress=slow))
    thread.start()
    assert started.wait(20)
    with pytest.raises(Stop):
        build(tiny, folder, tmp_path / "third", batch=4, progress=impatient)
    thread.join()
    assert "waiting" in waited[0]


def test_the_app_may_use_the_model_meanwhile(tiny, folder, tmp_path):
    before = tiny.scores(load_images(folder)[0])
    seen = []

    def progress(*_):
        done = threading.Thread(target=lambda: seen.append(tiny.scores(load_images(folder)[0])))
        done.start()
        done.join(5)

    build(tiny, folder, tmp_path / "index", batch=8, progress=progress)
    assert len(seen) >= 4
    assert all(alike(one, before) for one in seen)


def test_the_command_line(folder, tmp_path, run):
    command = ["index", "torchvision:squeezenet1_1?weights=random", folder, "--limit", "3"]
    status, told, progress = run(*command, "--layers", "features.0", "--out", tmp_path / "i", "--json")
    assert status == 0, progress
    assert json.loads(told)["numbers"] == {"images": 3, "skipped": 0, "layers": 1}
    assert not progress, "no bar where standard error is no terminal"
    assert len(open_index(tmp_path / "i")) == 3
    status, _, said = run(*command, "-k", "0")
    assert (status, "k=0" in said, "Traceback" in said) == (2, True, False)
    assert issubclass(BadFile, ExplainError)
    assert isinstance(open_index(tmp_path / "i"), Index)


def test_a_net_that_views_its_maps_is_indexed(tmp_path):
    """`view` refuses maps whose channels lie together in memory."""

    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 6, 5), nn.Linear(6 * 12 * 12, 10)

        def forward(self, x):
            x = functional.max_pool2d(torch.relu(self.conv(x)), 2)
            return self.head(x.view(x.size(0), -1))

    grey = Preprocess((28, 28), 28, (0.5,), (0.5,), channels=1)
    model = Model("viewing", Viewing(), grey, [str(k) for k in range(10)])
    images = load_images("fashion-mnist", 40)
    index = explain.build_index(model, images, out=tmp_path, batch=16)
    scores, features = [], []
    for k in range(40):
        scores.append(model.predict(images[k])[0][0][0])
        with model.exclusive() as net:
            _, found = record(net, model.batch(images[k]), ["conv"])
        features.append(functional.max_pool2d(torch.relu(found["conv"][0]), 2).reshape(-1))
    assert [index.prediction(k) for k in range(40)] == scores
    np.testing.assert_allclose(index.features, torch.stack(features).detach().numpy(), rtol=1e-4, atol=1e-5)
