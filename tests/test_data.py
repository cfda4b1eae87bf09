"""data: image sets from folders, lists, wheels and Fashion-MNIST's files."""

import gzip
import hashlib
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from explain.data import ImageSet, image_sets, list_images, load_images, stamps
from explain.errors import BadFile, BadValue, Unknown
from explain.workspace.pictures import open_named

SHIPPED = Path(image_sets.__file__).parents[2] / "data" / "fashion-mnist"


def picture(path, value=0, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two classes of three and two pictures, with things between them that are none."""
    root = tmp_path / "pets"
    for k, name in enumerate(["dog/b.png", "dog/A.PNG", "cat/1.png", "cat/sub/2.png", "cat/10.jpg"]):
        picture(root / name, k * 10)
    for name in ("cat/.hidden.png", ".git/x.png", "cat/.thumbs/y.png"):
        picture(root / name)
    (root / "cat" / "notes.txt").write_text("no picture")
    (root / "empty").mkdir()
    return root


@pytest.fixture(scope="module")
def fashion():
    return load_images("fashion-mnist")


def names(images):
    return [Path(file).name for file in images.files]


# ------------------------------------------------------------ folders and lists


def test_folders_are_classes(folder):
    images = load_images(folder)
    assert images.name == "pets"
    assert images.classes == ("cat", "dog")
    assert names(images) == ["1.png", "10.jpg", "2.png", "A.PNG", "b.png"]
    assert images.labels.tolist() == [0, 0, 0, 1, 1]
    assert images.array is None
    assert images[1].size == (6, 4)
    assert np.asarray(images[2])[0, 0, 0] == 30
    assert load_images(str(folder)).digest == images.digest


def test_pictures_beside_classes_are_unlabelled(folder):
    picture(folder / "stray.png")
    images = load_images(folder)
    assert images.labels.tolist() == [-1, 0, 0, 0, 1, 1]
    assert names(images)[0] == "stray.png"


def test_flat_folder_has_no_labels(folder):
    images = load_images(folder / "dog")
    assert (images.labels, images.classes, names(images)) == (None, (), ["A.PNG", "b.png"])


def test_linked_class_folders_are_followed(folder, tmp_path):
    picture(tmp_path / "elsewhere" / "x.png")
    (folder / "fox").symlink_to(tmp_path / "elsewhere")
    assert load_images(folder).classes == ("cat", "dog", "fox")


def test_an_empty_folder_names_the_extensions(folder):
    with pytest.raises(BadFile, match=r"\.jpg.*\.tiff"):
        load_images(folder / "empty")


def test_it_is_a_sequence(folder):
    images = load_images(folder)
    assert len(images) == len(list(images)) == 5
    assert images[-1].getpixel((0, 0)) == images[np.int64(4)].getpixel((0, 0))
    for index in (5, -6):
        with pytest.raises(IndexError):
            images[index]
    with pytest.raises(TypeError):
        images["0"]
    part = images[1:4]
    assert isinstance(part, ImageSet)
    assert part.labels.tolist() == [0, 0, 1]
    assert names(part) == names(images)[1:4]
    assert names(images[::-1]) == names(images)[::-1]
    assert len(images.head(2)) == 2
    assert len(images.head(99)) == 5
    assert repr(images) == "<ImageSet 'pets': 5 images, 2 classes>"


def test_the_digest_changes_with_the_files_and_not_with_the_place(folder, tmp_path):
    digest = load_images(folder).digest
    moved = tmp_path / "elsewhere" / "animals"
    shutil.copytree(folder, moved)  # keeps times
    assert load_images(moved).digest == digest
    os.utime(moved / "dog" / "b.png", ns=(1, 1))
    assert load_images(moved).digest != digest
    (folder / "dog" / "b.png").rename(folder / "dog" / "c.png")
    renamed = load_images(folder).digest
    assert renamed != digest
    (folder / "dog").rename(folder / "wolf")
    assert load_images(folder).digest != renamed
    assert load_images(folder, 2).digest != load_images(folder, 3).digest
    (folder / "cat" / "1.png").unlink()
    kept = load_images(folder)
    (folder / "cat" / "10.jpg").unlink()
    assert kept.digest not in (digest, renamed)  # one that is gone is another, and refuses nothing


def test_lists_keep_their_order(folder):
    files = [folder / "dog" / "b.png", str(folder / "cat" / "1.png")]
    images = load_images(files)
    assert names(images) == ["b.png", "1.png"]
    assert images.labels is None
    assert load_images(tuple(files)).digest == images.digest
    assert load_images(files[::-1]).digest != images.digest
    assert names(load_images(files[0])) == ["b.png"]


def test_a_damaged_file_is_named_when_asked_for(folder):
    (folder / "dog" / "b.png").write_text("text")
    images = load_images(folder)
    assert images[3].size == (6, 4)
    with pytest.raises(BadFile, match=r"b\.png"):
        images[4]


@pytest.mark.parametrize("limit", [-1, 1.5, True, "3"])
def test_limits_are_whole_numbers(folder, limit):
    with pytest.raises(BadValue, match="limit"):
        load_images(folder, limit)


def test_limits(folder, fashion):
    assert len(load_images(folder, 2)) == 2
    assert len(load_images(folder, 0)) == 0
    assert len(load_images(folder, np.int64(99))) == 5
    assert load_images(fashion, 7).array.shape == (7, 28, 28)
    assert load_images(fashion) is fashion


def test_unknown_sources(tmp_path):
    with pytest.raises(Unknown, match=r"Did you mean 'fashion-mnist'.*folder"):
        load_images("fashion-mnst")
    for source in ("", "nul\0", "x" * 5000, tmp_path / "none"):
        with pytest.raises(Unknown, match="photos"):
            load_images(source)
    for source in (3, None, [], [3], {"a": 1}):
        with pytest.raises(BadValue):
            load_images(source)
    with pytest.raises(BadFile, match=r"none\.png"):
        load_images([tmp_path / "none.png"])


def test_threads_may_share_it_and_it_can_be_pickled(folder):
    images = load_images(folder)
    copy = pickle.loads(pickle.dumps(images))
    assert copy.digest == images.digest
    wanted = [image.tobytes() for image in copy]
    with ThreadPoolExecutor(8) as pool:
        order = [k % 5 for k in range(200)]
        got = list(pool.map(lambda k: images[k].tobytes(), order))
        digests = set(pool.map(lambda _: images.digest, range(16)))
    assert got == [wanted[k] for k in order]
    assert digests == {copy.digest}


# ------------------------------------------------------------ what is shipped


def test_photos():
    images = load_images("photos")
    assert names(images)[0] == "chelsea.png"
    assert len(images) >= 15
    assert {"china.jpg", "flower.jpg", "coffee.png"} <= set(names(images))
    assert images.labels is None
    assert {image.mode for image in images.head(7)} == {"RGB", "L"}
    assert len(images.digest) == 64
    assert images.head(2).digest == images[:2].digest != images.digest


def test_every_name_is_listed():
    assert list_images() == ["fashion-mnist", "fashion-mnist-train", "mnist", "mnist-train", "photos", "stamps"]


def test_fashion_mnist(fashion):
    assert fashion.array.shape == (10000, 28, 28)
    assert fashion.array.dtype == np.uint8
    assert np.bincount(fashion.labels).tolist() == [1000] * 10
    assert fashion.classes[fashion.labels[0]] == "Ankle boot"
    assert fashion[0].mode == "L"
    assert np.array_equal(fashion[-1], fashion.array[-1])
    assert len(set(fashion.files)) == 10000
    assert load_images("fashion-mnist").digest == fashion.digest
    assert pickle.loads(pickle.dumps(fashion[:3])).digest == fashion[:3].digest


def test_the_shipped_files_are_zalandos():
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in SHIPPED.glob("*.gz")}
    assert sums == {
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }


def test_damaged_fashion_files_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    monkeypatch.setattr(image_sets, "_places", lambda _: [folder])
    for content, why in ((b"no gzip", "damaged"), (gzip.compress(b"other"), "md5")):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"t10k-{kind}-ubyte.gz").write_bytes(content)
        with pytest.raises(BadFile, match=why):
            image_sets._arrays.__wrapped__("fashion-mnist", "t10k")


def test_missing_training_images_name_three_ways(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError("no\nnetwork")

    import torchvision

    monkeypatch.setattr(torchvision, "datasets", SimpleNamespace(FashionMNIST=offline))
    monkeypatch.setattr(image_sets, "_places", lambda _: [tmp_path])
    with pytest.raises(BadFile) as caught:
        image_sets._arrays.__wrapped__("fashion-mnist", "train")
    message = str(caught.value)
    assert all(word in message for word in ("apt-get install dataset-fashion-mnist", "EXPLAIN_DATA", "torchvision"))
    assert "\n" not in message


def test_the_users_own_folder_is_searched(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_DATA", str(tmp_path))
    assert tmp_path / "fashion-mnist" in image_sets._places(image_sets.FASHION)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert image_sets._places(image_sets.FASHION)[-1] == tmp_path / "cache" / "explain" / "FashionMNIST" / "raw"


@pytest.mark.skipif(
    not any((place / "train-images-idx3-ubyte.gz").is_file() for place in image_sets._places(image_sets.FASHION)),
    reason="no data",
)
def test_training_images():
    images = load_images("fashion-mnist-train", 100)
    assert images.array.shape == (100, 28, 28)
    assert len(image_sets._arrays("fashion-mnist", "train")[1]) == 60000


def test_mnist_is_read_as_fashion_is(tmp_path, monkeypatch):
    """D02, X01c: idx files of the user's own; whose header promises more than they hold are refused."""
    folder, chance = tmp_path / "mnist", np.random.default_rng(0)
    folder.mkdir()
    monkeypatch.setenv("EXPLAIN_DATA", str(tmp_path))
    monkeypatch.setattr(image_sets, "_arrays", image_sets._arrays.__wrapped__)
    pictures, labels = chance.integers(0, 256, (5, 28, 28), np.uint8), np.array([3, 1, 4, 1, 5], np.uint8)
    head = b"\0\0\x08\x03" + (5).to_bytes(4) + (28).to_bytes(4) * 2
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + pictures.tobytes()))
    label_file = folder / "t10k-labels-idx1-ubyte.gz"
    label_file.write_bytes(gzip.compress(b"\0\0\x08\x01" + (5).to_bytes(4) + labels.tobytes()))
    images = load_images("mnist")
    assert np.array_equal(images.array, pictures)
    assert (images.labels.tolist(), images.classes[4]) == ([3, 1, 4, 1, 5], "4")
    label_file.write_bytes(gzip.compress(b"\0\0\x08\x01" + (6).to_bytes(4) + labels.tobytes()))
    with pytest.raises(BadFile, match="does not hold what its header says"):
        load_images("mnist")


def test_stamps_are_labelled_by_kind_and_drawings_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "FOLDERS", (tmp_path / "none", tmp_path))
    with pytest.raises(BadFile, match=f"apt-get install {stamps.PACKAGE}"):
        load_images("stamps")
    wanted = {
        "animals/mammals/cats/lion.png": "mammals",
        "animals/birds/owl.png": "birds",
        "food/fruit/fig.png": "fruit",
    }
    others = ("animals/birds/cartoon/duck.png", "plants/flowers/plastic/rose.png", "town/flags/flag.png",
              "food/vegetables/fig.png", "animals/birds/owl.txt")  # fmt: skip
    for shade, name in enumerate((*wanted, *others)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA", (8, 8), (20 * shade, 0, 0, 0 if shade else 255)).save(tmp_path / name, "PNG")
    images = load_images("stamps")
    found = {
        Path(file).relative_to(tmp_path).as_posix(): images.classes[k]
        for file, k in zip(images.files, images.labels, strict=True)
    }
    assert found == wanted
    assert images[0].getpixel((0, 0)) == (0, 0, 0)
    assert images[1].getpixel((0, 0)) == (255, 255, 255)  # what is cut out stands on white
    assert open_named("stamps/owl.png").getpixel((0, 0)) == (255, 255, 255)
