"""Map-style torch datasets as image sets: of one size or several, in memory or asked again, indexed and reopened."""

import gzip
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from own_networks import plain
from PIL import Image

import explain
from explain.data import datasets
from explain.errors import BadFile, BadValue, ExplainError, Unknown

CLASSES = ("a", "b")


class Drawn:
    """Grey pictures of several sizes, drawn anew at each asking; more than one at a time is a mistake."""

    classes = CLASSES

    def __init__(self, count=24, sizes=3):
        self.count, self.sizes, self.asked, self.busy = count, sizes, 0, threading.Lock()

    def __len__(self):
        return self.count

    def __getitem__(self, k):
        assert self.busy.acquire(blocking=False), "two threads at once"
        self.asked += 1
        try:
            return self.picture(k), k % 2
        finally:
            self.busy.release()

    def picture(self, k):
        rng = np.random.default_rng(k)
        return Image.fromarray(rng.integers(0, 256, (30 + k % self.sizes, 28), np.uint8))


@pytest.fixture
def lenet():
    return explain.load_model("lenet-fashion-mnist")


def test_pictures_of_several_sizes_are_asked_for_when_they_are_needed():
    mine = Drawn()
    images = explain.load_images(mine)
    assert (len(images), images.classes, images.array) == (24, CLASSES, None)
    assert images.labels.tolist() == [0, 1] * 12
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda k: np.asarray(images[k]), range(24)))
    assert all(np.array_equal(one, np.asarray(mine.picture(k))) for k, one in enumerate(read))
    some = images[4:20:3]
    assert [np.asarray(one).tolist() for one in some] == [np.asarray(mine.picture(k)).tolist() for k in range(4, 20, 3)]
    assert images.digest == explain.load_images(Drawn()).digest
    assert images.digest != explain.load_images(Drawn(sizes=2)).digest
    assert len({images.identity(k) for k in range(24)}) == 24


def test_what_says_its_targets_is_not_read_for_them(monkeypatch):
    monkeypatch.setattr(datasets, "IN_MEMORY", 1000)
    mine = Drawn()
    mine.targets = [k % 2 for k in range(24)]
    images = explain.load_images(mine)
    assert (images.labels.tolist(), mine.asked) == ([0, 1] * 12, 1)
    mine.target_transform = lambda one: 1 - one  # then what it says is not what it gives
    assert explain.load_images(mine).labels.tolist() == [0, 1] * 12
    assert mine.asked == 26


@pytest.mark.parametrize("sizes", [1, 3])
def test_an_index_of_a_dataset_shows_its_pictures(lenet, tmp_path, sizes):
    mine = Drawn(sizes=sizes)
    index = explain.build_index(lenet, mine, out=tmp_path / "index")
    assert not index.skipped
    layer = index.layers[0]
    folder = tmp_path / "pictures"
    for k in range(24):
        (folder / CLASSES[k % 2]).mkdir(parents=True, exist_ok=True)
        mine.picture(k).save(folder / CLASSES[k % 2] / f"{k // 2:02}.png")
    files = explain.build_index(lenet, folder, out=tmp_path / "files")
    order = [*range(0, 24, 2), *range(1, 24, 2)]  # a folder's classes follow each other
    ours, theirs = (explain.patches(one, layer, [1, 4], count=5) for one in (index, files))
    assert ours.table["image"] == [order[k] for k in theirs.table["image"]]
    np.testing.assert_array_equal(ours.cuts.tiles, theirs.cuts.tiles)
    assert ours.cuts.missing == ()
    near = explain.neighbours(index, 3, k=4).features
    assert near.images.tolist() == [order[k] for k in explain.neighbours(files, order.index(3), k=4).features.images]
    again = explain.open_index(index.folder, lenet, images=mine)
    assert explain.neighbours(again, 3, k=4).features.images.tolist() == near.images.tolist()
    with pytest.raises(BadFile, match="other pictures than those of 'photos'"):
        explain.patches(explain.open_index(index.folder, lenet, images="photos"), layer, [1])
    alone = explain.open_index(index.folder, lenet)
    with pytest.raises(BadFile, match=r"open_index\(folder, images=dataset\), or name it in explain.toml"):
        explain.neighbours(alone, 3)
    assert len(explain.patches(alone, layer, [1], count=5).cuts.missing) == 5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 255])
def test_tensors_are_pictures_unless_they_are_normalised(channels, scale):
    grey = np.random.default_rng(0).integers(0, 256, (4, channels, 6, 5), np.uint8)
    given = torch.from_numpy(grey) if scale == 1 else torch.from_numpy(grey) / 255
    images = datasets.from_dataset([(one, 0) for one in given])
    for k in range(4):
        assert np.array_equal(np.asarray(images[k]).reshape(6, 5, channels), grey[k].transpose(1, 2, 0))
    with pytest.raises(BadValue, match="not from 0 to 1; give it without its normalisation"):
        datasets.from_dataset([((one.float() - 0.5) / 0.2, 0) for one in given])


@pytest.mark.parametrize(
    ("items", "error", "part"),
    [
        ([], BadValue, "is empty"),
        ([(np.zeros((3, 4), np.float32), 0)], BadValue, r"float32 \(3, 4\) for picture 0"),
        ([(np.zeros((2, 3, 4, 3), np.uint8), 0)], BadValue, "for picture 0"),
        ([(np.zeros((3, 4), np.uint8), 0), (None, 1)], BadValue, "for picture 1"),
    ],
)
def test_what_is_no_picture_is_named(items, error, part):
    with pytest.raises(error, match=part):
        datasets.from_dataset(items)


def test_a_dataset_that_fails_is_one_sentence():
    class Broken(Drawn):
        def __getitem__(self, k):
            return super().__getitem__(k) if k < 5 else 1 / 0

    with pytest.raises(BadFile, match=r"Picture 5 of the dataset 'Broken' cannot be read: .ZeroDivisionError"):
        explain.load_images(Broken())


def test_its_transform_is_left_out(tmp_path):
    for k in range(6):
        Drawn().picture(3 * k).save(tmp_path / f"{k}.png")

    class Mine:
        classes = ("a", "b")
        transform = staticmethod(lambda picture: 1 / 0)

        def __len__(self):
            return 6

        def __getitem__(self, k):
            picture = Image.open(tmp_path / f"{k}.png")
            return (self.transform(picture) if self.transform else picture), k % 2

    mine = Mine()
    images = explain.load_images(mine)
    assert (len(images), images.classes, images.labels.tolist()) == (6, ("a", "b"), [0, 1] * 3)
    assert np.array_equal(np.asarray(images[4]), np.asarray(Image.open(tmp_path / "4.png")))
    assert mine.transform is not None
    for wrong in ({"a": 1}, b"x", 3):
        with pytest.raises(ExplainError):
            explain.load_images(wrong)


def test_torchvisions_sets_by_name(tmp_path, monkeypatch):
    """CIFAR10's real format, with ten pictures a file, whose sums torchvision would not accept."""
    from torchvision.datasets import CIFAR10

    monkeypatch.setenv("EXPLAIN_DATA", str(tmp_path))
    base = tmp_path / CIFAR10.base_folder
    base.mkdir()
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (10, 3072), np.uint8)
    (base / "test_batch").write_bytes(pickle.dumps({"data": data, "labels": list(range(10))}))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (base / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    images = explain.load_images("torchvision:CIFAR10/test")
    assert (images.name, len(images), images.classes[3]) == ("CIFAR10-test", 10, "cat")
    assert np.array_equal(np.asarray(images[7]), data[7].reshape(3, 32, 32).transpose(1, 2, 0))
    net = explain.wrap(plain(10), classes=names, preprocess=explain.Preprocess(32, mean=(0.5,) * 3, std=(0.25,) * 3))
    index = explain.build_index(net, "torchvision:CIFAR10/test", out=tmp_path / "index")
    opened = explain.open_index(index.folder, net)
    assert np.array_equal(np.asarray(opened.images[7]), np.asarray(images[7])), "found again by its name"
    with pytest.raises(Unknown, match=r"CIFAR11.*Did you mean"):
        explain.load_images("torchvision:CIFAR11/test")
    with pytest.raises(Unknown, match="Valid: train, test"):
        explain.load_images("torchvision:CIFAR10/val")


def test_a_set_that_is_not_here_says_where_it_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_DATA", str(tmp_path))
    monkeypatch.setattr("torchvision.datasets.mnist.MNIST.download", lambda self: gzip.decompress(b"x"))
    with pytest.raises(BadFile, match="KMNIST/test is not here: put torchvision's files below"):
        explain.load_images("torchvision:KMNIST/test")
