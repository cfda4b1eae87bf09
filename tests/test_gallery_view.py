"""gallery: maps of many pictures are those one by one; work that was interrupted goes on where it was."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

import explain
from explain.data import ImageSet
from explain.errors import BadFile, BadValue, NotSupported, Unknown
from explain.views import gallery, saliency


class Memory(dict):
    """What is kept, and what was asked for in vain."""

    def put(self, name, content):
        self[name] = content


@pytest.fixture
def passes(lenet):
    """How many pictures went through the net, in a list of one number."""
    count = [0]
    handle = lenet._net.register_forward_hook(lambda _n, _g, output: count.__setitem__(0, count[0] + len(output)))
    yield count
    handle.remove()


@pytest.fixture
def folder(tmp_path):
    """Pictures of two classes in folders; one of the files is damaged."""
    images = explain.load_images("fashion-mnist")
    for k in range(6):
        file = tmp_path / images.classes[images.labels[k]].replace("/", "-") / f"{k}.png"
        file.parent.mkdir(exist_ok=True)
        images[k].save(file)
    (tmp_path / "Coat").mkdir(exist_ok=True)
    (tmp_path / "Coat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    return tmp_path


def test_each_map_is_the_one_that_saliency_makes(lenet):
    images = explain.load_images("fashion-mnist")
    for target in (None, "Bag"):
        found = gallery.compute(lenet, images, "grad_cam", count=3, target=target, positive=False)
        assert [one.number for one in found.tiles] == [0, 1, 2]
        for one in found.tiles:
            alone = saliency.compute(lenet, images[one.number], "grad_cam", target, positive=False)
            assert np.array_equal(one.map.heat, alone.heat)
            assert one.map.target == pytest.approx(alone.target)
            name, chance = lenet.predict(images[one.number], 1)[0][0]
            assert (one.said.name, one.said.probability) == (name, pytest.approx(chance))
            assert one.label == images.classes[images.labels[one.number]]


def test_the_surest_mistakes_come_first(lenet):
    images = explain.load_images("fashion-mnist", limit=700)  # more than are kept in one file
    scores = lenet.scores([images[k] for k in range(700)]).softmax(1).numpy()
    wrong = [k for k in range(700) if scores[k].argmax() != images.labels[k]]
    surest = sorted(wrong, key=lambda k: -scores[k].max())
    found = gallery.compute(lenet, images, "gradient", which="mistakes", count=7)
    assert [one.number for one in found.tiles] == surest[:7]
    assert all(one.wrong and f"({one.label})" in one.name for one in found.tiles)
    assert gallery.compute(lenet, images, "gradient", which="mistakes", count=1000).facts["pictures"] == surest


def test_mistakes_are_looked_for_only_among_the_pictures_meant(lenet, passes):
    images = explain.load_images("fashion-mnist", limit=200)
    every = gallery.compute(lenet, images, "gradient", which="mistakes", count=200).facts["pictures"]
    shirts = [k for k in every if images.classes[images.labels[k]] == "Shirt"]
    passes[0] = 0
    found = gallery.compute(lenet, images, "gradient", which="mistakes", count=1, where="label=Shirt")
    assert found.facts["pictures"] == shirts[:1]
    (number,) = (k for k, name in enumerate(images.classes) if name == "Shirt")
    assert passes[0] == (images.labels == number).sum() + 2, "each shirt once, and the one shown for its class and map"


def test_pictures_are_spread_over_the_set(lenet):
    images = explain.load_images("fashion-mnist", limit=10)
    spread = gallery.compute(lenet, images, "gradient", which="spread", count=4)
    assert spread.facts["pictures"] == [0, 3, 6, 9]
    assert len(gallery.compute(lenet, images, "gradient", which="spread", count=50).tiles) == 10


class Stop(Exception):
    pass


@pytest.mark.parametrize("which", ["first", "mistakes"])
def test_what_was_interrupted_goes_on_where_it_was(lenet, passes, which):
    images = explain.load_images("fashion-mnist", limit=600)
    asked = {"which": which, "count": 6}
    whole = gallery.compute(lenet, images, **asked)
    needed, kept, made = passes[0], Memory(), []

    def progress(done, total, message):
        made.append((done, total, message))
        if total == 6 and done == 4:
            raise Stop

    passes[0] = 0
    with pytest.raises(Stop):
        gallery.compute(lenet, images, **asked, kept=kept, progress=progress)
    first, passes[0] = passes[0], 0
    again = gallery.compute(lenet, images, **asked, kept=kept)
    assert passes[0] == 2 * 2, "two pictures were left: each asked for its class, and for its map"
    assert first + passes[0] == needed
    passes[0] = 0
    third = gallery.compute(lenet, images, **asked, kept=kept)
    assert passes[0] == 0
    for one, two, three in zip(whole.tiles, again.tiles, third.tiles, strict=True):
        assert np.array_equal(one.map.raw_map, two.map.raw_map)
        assert np.array_equal(one.map.raw_map, three.map.raw_map)
        assert one.name == two.name == three.name
    assert whole.facts == again.facts == third.facts


def test_the_search_for_mistakes_goes_on_where_it_was(lenet, passes):
    images, kept = explain.load_images("fashion-mnist", limit=1200), Memory()

    def progress(done, total, message):
        if total == 1200 and done > 1030:
            raise Stop

    with pytest.raises(Stop):
        gallery.compute(lenet, images, which="mistakes", count=1, kept=kept, progress=progress)
    passes[0] = 0
    gallery.compute(lenet, images, which="mistakes", count=1, kept=kept)
    assert passes[0] == 1200 - 2 * gallery.CHUNK + 2


def test_what_is_kept_is_of_what_was_asked(lenet, passes):
    images, kept = explain.load_images("fashion-mnist"), Memory()
    for asked in (
        {},
        {"method": "layer_cam"},
        {"target": 3},
        {"layer": "conv1"},
        {"positive": False},
        {"model": explain.load_model("edges-fashion-mnist")},
    ):
        found = gallery.compute(asked.pop("model", lenet), images, count=1, kept=kept, **asked)
        assert found.facts["pictures"] == [0]
    assert len(kept) == 6
    first = min(kept)
    for damaged in (b"", b"x", kept[first][:80]):
        kept[first] = damaged
        again = gallery.compute(lenet, images, count=1, kept=kept)
        assert np.array_equal(again.tiles[0].map.raw_map, gallery.compute(lenet, images, count=1).tiles[0].map.raw_map)


def test_files_that_cannot_be_read_are_left_out_and_said(lenet, folder):
    found = gallery.compute(lenet, folder, "gradient")
    assert (len(found.tiles), found.unreadable) == (6, ("Coat/broken.png",))
    assert "One file could not be read: 'Coat/broken.png'." in found.figure().note
    assert "Coat/broken.png: could not be read" in found.summary
    assert str(folder) not in str(found.table), "where files lie is nobody's business"
    assert str(folder) not in str(found.facts)
    assert {one.label for one in found.tiles} <= {path.name for path in folder.iterdir()}
    mistakes = (
        gallery.compute(lenet, folder, "gradient", which="mistakes") if any(o.wrong for o in found.tiles) else None
    )
    assert mistakes is None or mistakes.unreadable == ()
    with pytest.raises(BadFile, match=r"None of the pictures.*broken"):
        gallery.compute(lenet, [folder / "Coat" / "broken.png"], "gradient")


def test_what_cannot_be_is_said(lenet):
    plain = ImageSet("plain", ("a", "b"), array=np.zeros((2, 28, 28), np.uint8))
    with pytest.raises(BadValue, match="no labels that are classes"):
        gallery.compute(lenet, plain, which="mistakes")
    images = explain.load_images("fashion-mnist")
    right = [k for k in range(20) if lenet.scores(images[k]).argmax() == images.labels[k]][:3]
    some = ImageSet("some", tuple("abc"), images.labels[right], images.classes, images.array[right])
    with pytest.raises(NotSupported, match="makes no mistake on the 3 pictures of 'some'"):
        gallery.compute(lenet, some, which="mistakes")
    with pytest.raises(NotSupported, match="ReLU"):
        gallery.compute(lenet, images, "guided_backprop")
    with pytest.raises(Unknown, match="Hat"):
        gallery.compute(lenet, images, target="Hat")


def test_the_zip_has_each_map_as_a_picture_and_as_numbers(lenet):
    found = gallery.compute(lenet, explain.load_images("fashion-mnist"), count=3)
    for pair in (False, True):
        with zipfile.ZipFile(io.BytesIO(found.figure(opacity=0, pair=pair).encode("zip"))) as archive:
            names = archive.namelist()
            assert [name for name in names if name.endswith(".png")] == [f"000{k}-0000{k - 1}.png" for k in (1, 2, 3)]
            for k, one in enumerate(found.tiles, 1):
                drawn = np.asarray(Image.open(io.BytesIO(archive.read(f"000{k}-0000{k - 1}.png"))))
                assert np.array_equal(drawn, np.concatenate([one.map.crop] * (1 + pair), 1))
                raw = np.load(io.BytesIO(archive.read(f"000{k}-0000{k - 1}.npy")))
                assert np.array_equal(raw, one.map.heat)
            assert archive.read("maps.csv").count(b"\n") == 5, "facts, names, three rows"
    assert set(found.figure().formats) >= {"png", "svg", "pdf", "csv", "zip"}


def test_a_large_sheet_shrinks_its_tiles(lenet, monkeypatch):
    monkeypatch.setattr(gallery, "SHEET", 28 * 28)
    found = gallery.compute(lenet, explain.load_images("fashion-mnist"), "gradient", count=16)
    (panel,) = found.figure(columns=5).panels
    assert (panel.grid.tile_height, panel.grid.tile_width, panel.grid.columns) == (7, 7, 5)
    assert len(panel.tiles) == 16
    one = found.figure(scale="all").panels[0].scale
    assert one.high <= max(abs(tile.map.heat).max() for tile in found.tiles)
