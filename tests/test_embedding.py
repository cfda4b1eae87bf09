"""embedding: point i is picture i in every format, maps are kept and refused, and strange names stay harmless."""

import csv
import io
import json
import re
import zipfile
from base64 import b64decode
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageOps

import explain
from explain import workspace
from explain.data import ImageSet
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.explorer import Thumbs
from explain.figure import FORMATS, read_facts
from explain.figure.palette import MOST
from explain.figure.palette import OTHER as GREY
from explain.index import Index
from explain.index.search import nearest
from explain.index.thumbnails import thumbnails
from explain.projections import representation
from explain.projections.projection import project
from explain.projections.representation import represent
from explain.views import activations, embedding
from explain.views.parts import map_explorer, map_plot, tensorboard
from explain.workspace import kept

COUNT = 120
OTHER = "fashion-mnist/777"  # not among the pictures of the index
QUICK = {"iterations": 50, "perplexity": 10}


@pytest.fixture(scope="module", autouse=True)
def own_workspace(tmp_path_factory):
    """A workspace for all tests here, so that a map is computed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        yield workspace.root()


@pytest.fixture(scope="module")
def index(own_workspace, lenet):
    return explain.build_index(lenet, "fashion-mnist", limit=COUNT)


@pytest.fixture(scope="module")
def photos(own_workspace, lite):
    return explain.build_index(lite, "photos", limit=4)


@pytest.fixture(scope="module")
def folder(lenet, tmp_path_factory):
    """Six pictures without labels, the third of which is none."""
    place = tmp_path_factory.mktemp("folder")
    for number in range(6):
        explain.open_picture(f"fashion-mnist/{number}").save(place / f"{number}.png")
    (place / "2.png").write_bytes(b"no picture")
    return explain.build_index(lenet, place, out=tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def pca(index):
    return embedding.compute(index, "pca")


@pytest.fixture(scope="module")
def tsne(index):
    return embedding.compute(index, "tsne", **QUICK, kept=kept.Kept())


@pytest.fixture(scope="module")
def files(tsne):
    """The figure in every format."""
    figure = tsne.figure()
    assert set(figure.formats) == set(FORMATS)
    return {name: figure.encode(name, width_mm=100, dpi=100) for name in figure.formats}


# ------------------------------------------------------------ points


def test_point_i_is_picture_i(index, pca):
    assert pca.images.tolist() == list(range(COUNT))
    centred = index.features.astype(np.float64) - index.features.mean(0, np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    found = centred @ axes[:2].T
    np.testing.assert_allclose(pca.points, found * np.sign((found * pca.points).sum(0)), rtol=1e-3, atol=1e-3)
    assert pca.labels == [index.classes[number] for number in index.labels]
    assert pca.predictions == [index.model.classes[number] for number in index.predictions[:, 0]]
    np.testing.assert_array_equal(pca.confidence, index.probabilities[:, 0])
    assert pca.right == [a == b for a, b in zip(pca.labels, pca.predictions, strict=True)]
    assert len({len(column) for column in pca.table.values()}) == 1
    assert pca.table["y"][7] == pca.points[7, 1]


def test_what_could_not_be_read_is_left_out_and_no_label_is_none(folder):
    result = embedding.compute(folder, "pca")
    names = [name.rpartition("/")[2] for name in result.files]
    assert result.images.tolist() == [0, 1, 3, 4, 5]
    assert names == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    assert set(result.labels) == set(result.right) == {None}
    centred = folder.features[result.images] - folder.features[result.images].mean(0)
    np.testing.assert_allclose(np.abs(centred @ result.axes), np.abs(result.points), rtol=1e-3, atol=1e-3)
    for colour in ("class", "label", "right", "confidence"):
        assert b"<text" in result.figure(colour=colour).encode("svg")
    assert map_plot.coloured_by(result, "class") == "prediction"


def test_three_dimensions_are_drawn_and_turn(index):
    result = embedding.compute(index, "pca", dimensions=3)
    assert result.points.shape == (COUNT, 3)
    assert list(result.table)[-5:] == ["x", "y", "z", "trust", "kept"]
    assert result.figure().encode("png", dpi=60) != result.figure(turn=90).encode("png", dpi=60)
    np.testing.assert_allclose(map_plot.flat(result.points, 0, 0), result.points[:, [0, 2]], atol=1e-5)
    placed = embedding.project_point(result, index.images[3])
    np.testing.assert_allclose(placed.place, result.points[3], atol=1e-4)


@pytest.mark.parametrize(("colour", "column"), [("trust", "trust"), ("kept", "kept")])
def test_a_colour_that_was_not_measured_is_refused(index, pca, colour, column):
    assert pca.figure(colour=colour).panels[0].scale
    bare = embedding.compute(index, "pca", measure=False)
    assert column not in bare.table
    for thumbs in (False, True):
        with pytest.raises(BadValue, match=f"coloured by {colour}: it was not measured"):
            bare.figure(colour=colour, thumbnails=thumbs)


# ------------------------------------------------------------ files


def test_facts_are_the_same_in_every_format(tsne, files):
    facts = [read_facts(content) for content in files.values()]
    assert all(one == facts[0] for one in facts)
    assert facts[0]["options"]["perplexity"] == 10
    assert facts[0]["trustworthiness"] == pytest.approx(tsne.trust.mean())


def test_csv_parquet_and_npz_hold_exactly_the_points(tsne, files):
    lines = files["csv"].decode().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    written = np.array([[float(row["x"]), float(row["y"])] for row in rows], np.float32)
    np.testing.assert_array_equal(written, tsne.points)
    assert [int(row["image"]) for row in rows] == tsne.images.tolist()
    assert [(row["label"], row["file"], row["prediction"]) for row in rows] == list(
        zip(tsne.labels, tsne.files, tsne.predictions, strict=True)
    )
    parquet = pytest.importorskip("pyarrow.parquet").read_table(io.BytesIO(files["parquet"])).to_pydict()
    assert parquet == tsne.table
    arrays = np.load(io.BytesIO(files["npz"]))
    for name in ("points", "images", "trust", "kept"):
        np.testing.assert_array_equal(arrays[name], getattr(tsne, name))


def test_pictures_and_pages_open(tsne, files):
    root = ElementTree.fromstring(files["svg"])
    texts = {"".join(one.itertext()).strip() for one in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(tsne.labels) <= texts, "class names are live text"
    assert files["pdf"].startswith(b"%PDF")
    assert files["pdf"].rstrip().endswith(b"%%EOF")
    image = Image.open(io.BytesIO(files["png"]))
    image.load()
    assert image.width == round(100 / 25.4 * 100)
    page = files["html"].decode()
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?https?:""", page)
    words = json.loads(b64decode(re.search(r'"words":"data:application/json;base64,([^"]*)"', page)[1]))
    assert set(tsne.labels) <= set(words["classes"])


def test_tensorboards_files_line_up(index, tsne, files):
    archive = zipfile.ZipFile(io.BytesIO(files["zip"]))
    vectors = np.loadtxt(io.BytesIO(archive.read("vectors.tsv")), delimiter="\t")
    np.testing.assert_allclose(vectors, index.features, rtol=1e-6)
    np.testing.assert_allclose(np.loadtxt(io.BytesIO(archive.read("points.tsv"))), tsne.points, rtol=1e-6)
    lines = archive.read("metadata.tsv").decode().splitlines()
    assert len(lines) == COUNT + 1
    assert {line.count("\t") for line in lines} == {3}
    assert [line.split("\t")[1] for line in lines[1:]] == tsne.labels
    config = archive.read("projector_config.pbtxt").decode()
    assert set(re.findall(r'_path: "(.*)"', config)) <= set(archive.namelist())
    assert re.findall(r"single_image_dim: (\d+)", config) == ["48", "48"]
    sprite = Image.open(io.BytesIO(archive.read("sprite.png")))
    assert sprite.size == (11 * 48, 11 * 48)
    cut = np.asarray(sprite.convert("L"))[48:96, 48:96]
    own = np.asarray(index.images[12].convert("L").resize((48, 48), Image.Resampling.BOX))
    np.testing.assert_array_equal(cut, own)


@pytest.mark.parametrize(("layer", "pooling"), [("conv2", "mean"), ("conv1", "flat"), ("fc1", "mean")])
def test_tensorboards_vectors_are_those_of_the_maps_layer(index, layer, pooling):
    result = embedding.compute(index, "pca", layer=layer, pooling=pooling, count=20)
    archive = zipfile.ZipFile(io.BytesIO(result.figure().encode("zip")))
    vectors = np.loadtxt(io.BytesIO(archive.read("vectors.tsv")), delimiter="\t")
    for row, number in zip(vectors, result.images.tolist(), strict=True):
        maps = activations.compute(index.model, index.images[number], layer).maps
        wanted = maps.reshape(len(maps), -1).mean(1) if pooling == "mean" else maps.ravel()
        np.testing.assert_allclose(row, wanted, rtol=1e-3, atol=1e-4)
    assert f'tensor_name: "{layer}"' in archive.read("projector_config.pbtxt").decode()


def test_only_the_pictures_drawn_go_through_a_layer(index):
    seen = []
    some = embedding.compute(index, "pca", layer="conv1", count=20, progress=lambda *told: seen.append(told))
    assert ("pictures", 20) in {(words, total) for _, total, words in seen}
    assert {total for _, total, words in seen if words == "pictures"} == {20}
    assert len(some.images) == 20


def test_what_was_done_otherwise_than_asked_for_is_said(index, tsne):
    fewer = embedding.compute(index, "tsne", count=31, iterations=50)
    assert fewer.facts["perplexity_used"] == 10
    for told in (fewer.figure().note, fewer.summary):
        assert "Perplexity 10 instead of 30: no more than a third of 30 others." in told
    near = embedding.compute(index, "umap", count=9)
    assert "8 neighbours instead of 15" in near.figure().note
    assert "instead of" not in tsne.figure().note


@pytest.mark.parametrize("count", [1, 2, 10_000, 70_000, 10**6])
def test_a_sprite_is_never_larger_than_a_browser_takes(count):
    side = tensorboard._sprite_side(count)
    columns = int(np.ceil(np.sqrt(count)))
    assert 1 <= side <= 48
    assert side * columns <= 8192


# ------------------------------------------------------------ another picture's place


def test_a_picture_of_the_index_lies_at_its_own_point(index, pca):
    for number in (0, 41, COUNT - 1):
        placed = embedding.project_point(pca, index.images[number])
        np.testing.assert_allclose(placed.place, pca.points[number], atol=1e-4)
        assert placed.nearest[0] == number


COPIES = [3, 9, 15, 20, 25, 29]


@pytest.fixture(scope="module")
def copies(lenet, tmp_path_factory):
    """Thirty pictures, six of which are one."""
    place = tmp_path_factory.mktemp("copies")
    for number in range(30):
        explain.open_picture(f"fashion-mnist/{3 if number in COPIES else number}").save(place / f"{number:02}.png")
    return explain.build_index(lenet, place, out=tmp_path_factory.mktemp("index"))


@pytest.mark.parametrize(
    ("method", "options"),
    [("pca", {}), ("tsne", {"iterations": 50}), ("tsne", {"iterations": 50, "metric": "cosine"}), ("umap", {})],
)
def test_equal_pictures_share_one_spot_and_are_placed_there(copies, method, options, monkeypatch):
    noise = 1 + 1e-7 * np.random.default_rng(0).normal(size=copies.features.shape)  # of other batches
    noisy = (copies.features * noise).astype(np.float32)
    monkeypatch.setattr(type(copies), "features", property(lambda _: noisy))
    result = embedding.compute(copies, method, **options)
    np.testing.assert_array_equal(result.points[COPIES], np.tile(result.points[3], (6, 1)))
    assert len(np.unique(result.points, axis=0)) == 25
    assert result.facts["distinct"] == 25
    assert "5 of 30 pictures are equal to another one" in result.figure().note
    np.testing.assert_array_equal(result.trust[COPIES], np.tile(result.trust[3], 6))
    assert (result.kept[COPIES] == 1).all(), "the five nearest of each are its equals"
    for number in (9, 29, 11):
        placed = embedding.project_point(result, copies.images[number])
        np.testing.assert_allclose(placed.place, result.points[number], atol=1e-4)


def test_only_the_picture_itself_is_taken_for_it(index, monkeypatch):
    """By the cosine one at a small angle is another, and one without any feature has no angle."""
    result = embedding.compute(index, "tsne", **QUICK, metric="cosine", pca_first=False)
    away = []
    for number in range(0, COUNT, 9):
        near = index.features[number].astype(np.float64)
        near[np.argsort(-near)[:9]] *= 1 + 1e-3 * np.arange(9)
        monkeypatch.setattr(type(index), "embed", lambda *_, near=near: near.astype(np.float32))
        placed = embedding.project_point(result, index.images[number])
        assert placed.nearest[0] == number
        np.testing.assert_array_equal(placed.place, np.median(result.points[placed.nearest], axis=0))
        away.append(np.abs(placed.place - result.points[number]).max())
    assert max(away) > 1e-3


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_picture_without_features_lies_with_its_like(stub, metric, monkeypatch):
    features = np.random.default_rng(1).normal(size=(40, 6))
    features[17] = 0
    result = stub(["a", "b"] * 20, features=features, method="tsne", iterations=50, metric=metric)
    monkeypatch.setattr(Stub, "embed", lambda *_: np.zeros(6, np.float32), raising=False)
    monkeypatch.setattr(embedding, "prepare", lambda *_: SimpleNamespace(crop=np.zeros((4, 4, 3), np.uint8), facts={}))
    np.testing.assert_array_equal(embedding.project_point(result, None).place, result.points[17])


def test_without_axes_a_place_is_amid_the_nearest(index, tsne):
    picture = explain.open_picture(OTHER)
    marked = embedding.compute(index, "tsne", **QUICK, kept=kept.Kept(), place=[picture])
    (placed,) = marked.placed
    near, _ = nearest(index.features, index.embed(picture), 5)
    np.testing.assert_array_equal(placed.nearest, near)
    np.testing.assert_array_equal(placed.place, np.median(tsne.points[near], axis=0))
    assert placed.facts["image"] == OTHER
    figure = marked.figure()
    assert figure.panels[0].marks[0][2] == placed.name
    assert read_facts(figure.encode("svg"))["place"] == [placed.facts]
    with pytest.raises(BadValue, match="not of layer 'conv1'"):
        embedding.compute(index, "pca", layer="conv1", place=[picture])
    with pytest.raises(BadValue, match="not of layer 'conv1'"):
        embedding.project_point(embedding.compute(index, "pca", layer="conv1"), picture)
    with pytest.raises(BadValue, match="0 to 20"):
        embedding.compute(index, "pca", place=[picture] * 21)


# ------------------------------------------------------------ layers, counts and conditions


@pytest.mark.parametrize("right", [True, False])
def test_a_map_of_some_pictures_is_one_of_their_features_alone(index, right):
    found = embedding.compute(index, "pca", where=f"right={right}")
    meant = [
        k for k in range(len(index)) if index.label(k) is not None and (index.label(k) == index.prediction(k)) == right
    ]
    assert found.images.tolist() == meant
    alone = np.linalg.svd(index.features[meant] - index.features[meant].mean(0), full_matrices=False)
    wanted = alone[0][:, :2] * alone[1][:2]
    assert np.abs(found.points) == pytest.approx(np.abs(wanted), abs=1e-3)
    assert f"{len(meant)} pictures of fashion-mnist with right={right}" in found.figure().title
    assert embedding.kept_name({"index": index, "where": f"right={right}"}) != embedding.kept_name({"index": index})


def test_a_condition_that_nothing_meets_is_one_sentence(index):
    with pytest.raises(explain.ExplainError, match="'Trousers'"):
        embedding.compute(index, "pca", where="label=Trousers")


@pytest.mark.parametrize("pooling", ["mean", "flat"])
@pytest.mark.parametrize("which", ["lenet", "lite"])
def test_a_layers_vectors_are_the_maps_that_activations_shows(index, photos, which, pooling, monkeypatch):
    chosen = index if which == "lenet" else photos
    monkeypatch.setattr(representation, "BATCH", 3)  # so that batches end amid the pictures
    layers = [layer.name for layer in chosen.model.layers]
    for layer in layers if which == "lenet" else layers[:: len(layers) // 3]:
        seen = []
        images, vectors = represent(chosen, layer, pooling, lambda *r: seen.append(r))
        assert images.tolist() == list(range(len(chosen)))
        assert seen[-1] == (len(chosen), len(chosen), "pictures")
        for number in (0, 3):
            maps = activations.compute(chosen.model, chosen.images[number], layer).maps
            wanted = maps.reshape(len(maps), -1).mean(1) if pooling == "mean" else maps.ravel()
            np.testing.assert_allclose(vectors[number], wanted, rtol=1e-3, atol=1e-4)


def test_a_layer_too_large_is_refused_with_its_size(index, monkeypatch):
    monkeypatch.setattr(representation, "MOST_BYTES", 1 << 10)
    size = int(np.prod(index.model.layer("conv1").shape))
    with pytest.raises(BadValue, match=f"{COUNT} pictures of {size:,} numbers each"):
        embedding.compute(index, "pca", layer="conv1", pooling="flat")
    for wrong in ({"layer": "conv9"}, {"pooling": "max"}):
        with pytest.raises(Unknown):
            embedding.compute(index, "pca", **wrong)


def test_some_pictures_are_drawn_by_the_seed(index, pca):
    assert embedding.compute(index, "pca", count=999).images.tolist() == pca.images.tolist()
    some = embedding.compute(index, "pca", count="30")
    assert some.facts["count"] == 30
    assert some.images.tolist() == sorted(set(some.images.tolist()))
    assert some.images.tolist() == embedding.compute(index, "pca", count=30).images.tolist()
    assert embedding._drawn(COUNT, 30, 1).tolist() != embedding._drawn(COUNT, 30, 0).tolist()
    np.testing.assert_allclose(some.points, project("pca", index.features[some.images]).points)


@pytest.mark.parametrize("count", [0, -3, True, "seven", 2.5])
def test_a_count_that_is_none_is_refused(index, count):
    with pytest.raises(BadValue, match="Option count="):
        embedding.compute(index, "pca", count=count)


# ------------------------------------------------------------ what cannot be mapped


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("magic", {}, "pca, tsne, umap"),
        ("tsne", {"perplexity": 1}, "outside 2 to 500"),
        ("pca", {"dimensions": 4}, "2, 3"),
        ("pca", {"perplexity": 9}, "dimensions"),
        ("umap", {"metric": "taxi"}, "euclidean"),
        ("pca", {"count": 2}, "at least 3"),
    ],
)
def test_mistakes_are_named(index, method, options, words):
    for store in (None, kept.Kept()):
        with pytest.raises(ExplainError, match=words):
            embedding.compute(index, method, **options, kept=store)


def test_a_figures_mistakes_are_named(pca):
    for wrong, words in (({"colour": "mood"}, "class, label"), ({"size": 21}, "0 to 20"), ({"turn": "x"}, "number")):
        with pytest.raises(BadValue if "colour" not in wrong else Unknown, match=words):
            pca.figure(**wrong)


class Stub:
    """An index over made-up pictures: labels and predictions (N,) are names or None."""

    truth, right = Index.truth, Index.right

    def __init__(self, features, labels, predictions, known=None):
        numbers = {name: k for k, name in enumerate(dict.fromkeys(predictions))}
        rng = np.random.default_rng(0)
        n, self.columns = len(features), {}
        self.features = np.asarray(features, np.float32)
        self.names, self.said = list(labels), list(predictions)
        self.classes = list(dict.fromkeys(filter(None, labels)))
        self.labels = np.array([self.classes.index(name) if name else -1 for name in labels])
        self.predictions = np.array([[numbers[name]] for name in predictions])
        self.probabilities = rng.random((n, 5)).astype(np.float32)
        self.facts = {"model": "stub", "model_digest": "0", "data": "made up", "data_digest": "0", "images": n}
        self.facts["versions"] = {}
        self.manifest = SimpleNamespace(k=16, seed=0)
        preprocess = SimpleNamespace(bands=None)
        self.model = SimpleNamespace(classes=known or list(numbers), preprocess=preprocess)
        self.layers = []
        pixels = rng.integers(0, 255, (n, 8, 8), dtype=np.uint8)
        self.images = ImageSet("made up", tuple(f"{name}-{k}" for k, name in enumerate(self.said)), array=pixels)

    def __len__(self):
        return len(self.features)

    def label(self, k):
        return self.names[k]

    def prediction(self, k):
        return self.said[k]


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr("explain.views.parts.result.index_facts", lambda index: index.facts)

    def stub(labels, predictions=None, features=None, known=None, method="pca", **options):
        features = np.random.default_rng(1).normal(size=(len(labels), 6)) if features is None else features
        return embedding.compute(Stub(features, labels, predictions or labels, known), method, **options)

    return stub


STRANGE = [
    "<script>alert(1)</script>",
    "a & b",
    "\"quoted'",
    "=1+1",
    "@SUM(A1)",
    "-2",
    "\tindented",
    "two\nlines\x0bthree\x85four",
    "null\x00 bell\x07 esc\x1b",
    r"$\frac$",
    "$x_1",
    "half \ud800",
    "‮turned",
    "日本語 😀",
    "-->]]>",
    "x" * 3000,
    " ",
]


def test_strange_names_stay_harmless_in_every_format(stub):
    names = STRANGE * 3
    result = stub(names)
    files = {}
    for style in ({}, {"colour": "right"}, {"thumbnails": True}):
        figure = result.figure(**style)
        files = {name: figure.encode(name, width_mm=100, dpi=60) for name in figure.formats}
        ElementTree.fromstring(files["svg"])
        facts = [read_facts(content) for content in files.values()]
        assert all(one == facts[0] for one in facts)
    rows = list(csv.reader(io.StringIO(files["csv"].decode(), newline="")))[2:]
    assert len(rows) == len(names)
    for row, name in zip(rows, names, strict=True):
        assert row[2] == row[3]
        if name[0] in "=@-\t":
            assert row[2] == f"'{name}"
    assert "<script>alert" not in files["html"].decode()
    lines = zipfile.ZipFile(io.BytesIO(files["zip"])).read("metadata.tsv").decode().splitlines()
    assert len(lines) == len(names) + 1
    assert {line.count("\t") for line in lines} == {3}


@pytest.mark.parametrize(("palette", "own"), [("nine", 9), ("many", MOST)])
@pytest.mark.parametrize("classes", [1, 10, 11, 27, 500])
def test_a_legend_says_what_every_colour_means(stub, classes, palette, own):
    """No two of its keys look the same, and it counts all pictures, whatever their classes and however many."""
    result = stub([f"class {k % classes}" if k < 680 else None for k in range(700)])
    figure = result.figure(palette=palette)
    assert all(figure.encode(name, width_mm=100, dpi=60) for name in figure.formats)
    keys = figure.panels[0].legend
    named = classes if classes <= 10 else min(own, classes)
    rest = classes - named
    wanted = [f"{rest} other classes"] * (rest > 0) + [map_plot.UNLABELLED]
    assert sorted(key.name for key in keys[named:]) == sorted(wanted)
    assert len({key.colour for key in keys}) == len(keys)
    assert sum(key.count for key in keys) == 700
    drawn = {tuple(colour) for colour in figure.panels[0].colours.tolist()}
    assert drawn == {key.colour for key in keys}


def test_the_explorer_and_the_figures_have_one_palette(stub):
    names = [f"class {k}" for k in range(15)] * 6 + [f"class {k}" for k in range(4, 13)] * 5
    result = stub(names, [names[(k * 7) % len(names)] for k in range(len(names))])
    for palette in ("nine", "many"):
        cloud = map_explorer.explore((result,), ("",), None, palette)
        by_class = {name: tuple(hue) for name, hue in zip(cloud.classes, cloud.colours.tolist(), strict=True)}
        if palette == "nine":
            assert {name for name, hue in by_class.items() if hue != GREY} == {f"class {k}" for k in range(4, 13)}
        for colour in ("label", "prediction"):
            for key in result.figure(palette=palette, colour=colour).panels[0].legend:
                assert by_class.get(key.name, GREY) == key.colour
            shown = result.figure(palette=palette, colour=colour, thumbnails=True)
            assert ("Light grey: 6 other classes." in shown.panels[0].caption) == (palette == "nine")
        page = result.figure(palette=palette).encode("html").decode()
        for hue in by_class.values():
            assert "#{:02x}{:02x}{:02x}".format(*hue) in page


def test_labels_that_the_model_does_not_know_are_neither_right_nor_wrong(stub):
    result = stub(["cat", "dog", None, "bird"] * 5, ["cat", "cat", "cat", "cat"] * 5, known=["cat", "dog"])
    assert result.right[:4] == [True, False, None, None]
    keys = {key.name: key.count for key in result.figure(colour="right").panels[0].legend}
    assert keys == {"right": 5, "wrong": 5, "cannot be judged": 10}
    keys = {key.name: key.count for key in result.figure().panels[0].legend}
    assert keys == {"cat": 5, "dog": 5, "bird": 5, map_plot.UNLABELLED: 5}


@pytest.mark.parametrize(
    ("features", "words"),
    [(np.ones((20, 4)), "all equal"), (np.where(np.arange(20)[:, None] == 3, np.nan, np.eye(20)), "1 of 20 pictures")],
)
def test_features_that_say_nothing_are_refused(stub, features, words):
    with pytest.raises(BadValue, match=words):
        stub(["a", "b"] * 10, features=features)


# ------------------------------------------------------------ kept maps


def same(first, second):
    for name in ("points", "images", "trust", "kept", "mean", "axes"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert json.loads(json.dumps(first.facts)) == json.loads(json.dumps(second.facts))


def test_a_map_is_kept_whole(index, tsne, pca, folder):
    for result in (tsne, pca):
        same(embedding.unpack(index, embedding.pack(result)), result)
    bare = embedding.unpack(index, embedding.pack(replace(pca, trust=None, kept=None)))
    assert bare.trust is bare.kept is None
    with pytest.raises(BadFile, match="another index"):
        embedding.unpack(folder, embedding.pack(pca))


def test_a_damaged_file_is_refused_and_never_raises_another_error(index, pca):
    content = embedding.pack(pca)
    for end in (0, 1, 100, len(content) // 2, len(content) - 1):
        with pytest.raises(BadFile):
            embedding.unpack(index, content[:end])
    rng, refused = np.random.default_rng(0), 0
    directory = range(content.rfind(b"PK\x01\x02", 0, -400), len(content))  # where names and sizes stand
    for place in [*rng.integers(0, len(content), 60).tolist(), *list(directory)]:
        broken = bytearray(content)
        broken[place] ^= 1 << int(rng.integers(8))
        try:
            same(embedding.unpack(index, bytes(broken)), pca)  # of no consequence, as a date is
        except BadFile:
            refused += 1
    assert refused > 60
    bad = {"points": pca.points, "images": pca.images - 1, "more": np.zeros(3), "facts": np.array("{}")}
    file = io.BytesIO()
    np.savez(file, **bad)
    with pytest.raises(BadFile):
        embedding.unpack(index, file.getvalue())


def test_a_map_is_computed_once_and_again_where_it_is_damaged(index, tsne, monkeypatch):
    calls = []
    real = embedding._mapped
    monkeypatch.setattr(embedding, "_mapped", lambda **given: calls.append(1) or real(**given))
    store = kept.Kept()
    same(embedding.compute(index, "tsne", **QUICK, kept=store), tsne)
    everything = embedding.PROJECTIONS["tsne"].check(QUICK)
    same(embedding.compute(index, "tsne", **everything, layer=None, kept=store), tsne)
    assert not calls, "options left out are their defaults"
    first = embedding.compute(index, "pca", count=50, kept=store)
    name = embedding.kept_name({"index": index, "method": "pca", "count": 50})
    assert name in store
    content = store.get(name)
    for damaged in (content[:-9], b"", content.replace(b"points", b"paints")):
        store.put(name, damaged)
        same(embedding.compute(index, "pca", count=50, kept=store), first)
        assert store.get(name) == content
    assert len(calls) == 4


def test_a_maps_name_says_all_it_depends_on_but_what_is_placed(index, folder):
    given = {"index": index, "method": "tsne"}
    changes = [{}, {"method": "pca"}, {"layer": "conv1"}, {"pooling": "flat"}, {"count": 7}, {"measure": False}]
    changes += [{"options": {"seed": 1}}, {"options": {"perplexity": 9}}, {"index": folder}]
    names = [embedding.kept_name({**given, **change}) for change in changes]
    assert len(set(names)) == len(names)
    assert embedding.kept_name({**given, "place": [explain.open_picture(OTHER)]}) == names[0]


def test_the_oldest_that_is_kept_makes_room(index, monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(kept, "MOST_KEPT", 3)
    for count in range(10, 15):
        embedding.compute(index, "pca", count=count, kept=kept.Kept())
    assert len(list((tmp_path / "kept").glob("*"))) == 3
    assert embedding.kept_name({"index": index, "method": "pca", "count": 14}) in kept.Kept()


def test_cancelled_work_leaves_nothing(index, monkeypatch, tmp_path):
    """The map is shown by PCA first and then as it settles."""
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    shown, told = [], []

    def progress(done, total, message):
        told.append(message)
        if message == "steps" and done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedding.compute(index, "tsne", progress=progress, preview=shown.append, kept=kept.Kept())
    assert not list(tmp_path.rglob("*.*"))
    assert list(dict.fromkeys(told)) == ["starting", "steps"]
    np.testing.assert_array_equal(shown[0], project("pca", index.features).points)
    assert len(shown) > 3
    assert all(points.shape == (COUNT, 2) for points in shown)


# ------------------------------------------------------------ thumbnails


def tile(thumbs, k):
    return map_plot._thumbnail(thumbs, k, {})


def test_small_pictures_are_kept_pixel_for_pixel(index):
    numbers = [5, 3, 90, 17, 40]
    thumbs = thumbnails(index.images, numbers, columns=2, rows=1)
    assert (thumbs.tile, thumbs.columns, thumbs.each, len(thumbs.sheets)) == (28, 2, 2, 3)
    for k, number in enumerate(numbers):
        np.testing.assert_array_equal(tile(thumbs, k), np.asarray(index.images[number].convert("RGB")))


def test_photographs_are_their_middle_square(photos):
    thumbs = thumbnails(photos.images, range(4))
    assert thumbs.sheets[0].startswith(b"\xff\xd8\xff")
    for k in range(4):
        own = ImageOps.fit(photos.images[k].convert("RGB"), (96, 96), Image.Resampling.BOX)
        assert np.abs(tile(thumbs, k).astype(float) - np.asarray(own)).mean() < 12


def test_what_cannot_be_read_is_grey(folder):
    thumbs = thumbnails(folder.images, range(6))
    assert np.abs(tile(thumbs, 2).astype(int) - 127).max() < 30
    assert np.abs(tile(thumbs, 1).astype(int) - 127).max() > 60


def test_thumbnails_are_kept_and_a_damaged_sheet_is_made_anew(photos, monkeypatch):
    first = workspace.thumbnails_of(photos, [0, 1, 2])
    calls = []
    monkeypatch.setattr(kept, "thumbnails", lambda *a, **o: calls.append(1) or thumbnails(*a, **o))
    assert workspace.thumbnails_of(photos, [0, 1, 2]).sheets == first.sheets
    assert not calls
    (card,) = (workspace.root() / "thumbnails").rglob("thumbnails.json")
    (sheet,) = (path for path in card.parent.iterdir() if path != card)
    for path, damaged in ((sheet, first.sheets[0][:-500]), (sheet, b""), (card, b"[]"), (card, b'{"sheets"')):
        path.write_bytes(damaged)
        again = workspace.thumbnails_of(photos, [0, 1, 2])
        assert isinstance(again, Thumbs)
        assert again.sheets == first.sheets
    assert len(calls) == 4


# ------------------------------------------------------------ the command line


def test_the_command_line_says_and_saves_the_same(run, index, tmp_path):
    line = ["embedding", index.folder, "--method", "pca", "--count", "40"]
    wanted = embedding.compute(index, "pca", count=40)
    status, out, _ = run(*line, "--json", "--option", "dimensions=2")
    assert status == 0
    assert json.loads(out)["numbers"] == json.loads(json.dumps(wanted.table))
    for name in ("x.csv", "x.html", "x.svg"):
        status, out, err = run(*line, "--place", OTHER, "--out", tmp_path / name, "--style", "colour=right")
        assert status == 0
        assert out.startswith("pca: 40 points\n")
        assert f"wrote {tmp_path / name}" in err
        facts = read_facts(tmp_path / name)
        assert (facts["count"], facts["style"]["colour"], facts["place"][0]["image"]) == (40, "right", OTHER)
    assert run(*line, "--layer", "conv2", "--pooling", "flat", "--out", tmp_path / "y.npz")[0] == 0
    assert read_facts(tmp_path / "y.npz")["pooling"] == "flat"


@pytest.mark.parametrize(
    "line",
    [
        ["--method", "magic"],
        ["--method", "pca", "--option", "dimensions=4"],
        ["--method", "pca", "--option", "depth"],
        ["--method", "pca", "--count", "0"],
        ["--method", "pca", "--count", "seven"],
        ["--method", "pca", "--layer", "conv9"],
        ["--method", "pca", "--pooling", "max"],
        ["--method", "pca", "--place", "no/such.png"],
        ["--method", "pca", "--layer", "conv1", "--place", OTHER],
        ["--method", "pca", "--style", "colour=mood"],
        ["--method", "pca", "--style", "mood=1"],
        ["--method", "pca", "--out", "x.bogus"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line(run, index, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("embedding", index.folder, *line)
    assert (status, out) == (2, "")
    assert len(err.strip().splitlines()) == 1, err
    assert err.startswith("explain: ")
    assert not list(tmp_path.iterdir())
