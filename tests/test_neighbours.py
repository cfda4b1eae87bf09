"""neighbours and agreement: exact against torch.cdist, the query left out by identity, and V13 to V15."""

import csv
import gc
import io
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from near import is_ranked
from PIL import Image, ImageOps

import explain
from explain import cli, workspace
from explain.errors import BadFile, BadValue, ExplainError, NotSupported, Unknown
from explain.figure import RIGHT, WRONG, read_facts
from explain.index import agreement, references
from explain.network import trace
from explain.network.features import head, vector
from explain.views import neighbours

COUNT = 300


@pytest.fixture(scope="module")
def index(clothes):
    return clothes


@pytest.fixture
def folder(lenet, tmp_path):
    """An index without labels over five pictures of a folder: the first twice, and one that is no picture."""
    for name, number in (("a", 10), ("b", 11), ("copy of a", 10), ("d", 12), ("e", 13)):
        explain.open_picture(f"fashion-mnist/{number}").save(tmp_path / f"{name}.png")
    (tmp_path / "f.png").write_bytes(b"no picture")
    return explain.build_index(lenet, tmp_path, out=tmp_path / "index")


def brute(vectors, query, metric):
    """Distances of a query to all vectors by torch, in float64."""
    rows, one = torch.from_numpy(vectors).double(), torch.from_numpy(np.asarray(query)).double()[None]
    if metric == "cosine":
        return (1 - torch.cosine_similarity(rows, one)).numpy()
    return torch.cdist(one, rows, compute_mode="donot_use_mm_for_euclid_dist")[0].numpy()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("number", [0, 7, COUNT - 1])
def test_an_images_neighbours_are_those_of_brute_force(index, number, metric):
    """V14, V15"""
    result = neighbours.compute(index, number, k=9, metric=metric)
    for space, vectors in (("features", index.features), ("pixels", index.pixels)):
        distances = brute(vectors, vectors[number], metric)
        distances[number] = np.inf
        ranking = result.ranking(space)
        assert is_ranked(ranking.images, -distances, 9, 1e-9)
        np.testing.assert_allclose(ranking.distances, np.sort(distances)[:9], rtol=1e-9, atol=1e-12)
        assert ranking.agreement == (index.labels[ranking.images] == index.labels[number]).sum()
        assert ranking.labels == tuple(index.classes[index.labels[n]] for n in ranking.images)
        assert ranking.predictions == tuple(index.prediction(n) for n in ranking.images)
    assert result.number == number
    assert result.label == index.label(number)


def test_the_spaces_are_what_they_are_called(index):
    crops = np.stack([np.asarray(index.images[n], np.float32).ravel() / 255 for n in range(5)])
    np.testing.assert_allclose(index.pixels[:5], crops, atol=1e-6)
    result = neighbours.compute(index, 0)
    assert result.features.images.tolist() != result.pixels.images.tolist()


def test_a_query_is_left_out_by_identity_not_by_distance(folder):
    for number, twin in ((0, 2), (2, 0)):
        result = neighbours.compute(folder, number, k=3)
        for space in ("features", "pixels"):
            assert result.ranking(space).images[0] == twin
            assert result.ranking(space).distances[0] == 0
            assert number not in result.ranking(space).images


def test_another_picture_finds_its_equal(index):
    picture = Image.fromarray(np.asarray(index.images[42]))
    result = neighbours.compute(index, picture, k=4)
    assert result.number is None
    for space in ("features", "pixels"):
        assert result.ranking(space).images[0] == 42
        assert result.ranking(space).distances[0] == pytest.approx(0, abs=1e-5)
        assert result.ranking(space).distances[1] > 0.01
    own = neighbours.compute(index, 42, k=3)
    assert result.features.images[1:].tolist() == own.features.images.tolist()
    assert np.array_equal(result.tile, own.tile)


def test_a_query_without_a_label_is_compared_by_prediction(index, folder):
    by_label, by_prediction = neighbours.compute(index, 42), neighbours.compute(index, index.images[42])
    assert (by_label.by, by_prediction.by) == ("label", "prediction")
    assert "the query's label" in by_label.agrees("features")
    assert "its predicted class" in by_prediction.agrees("features")
    assert by_prediction.prediction == index.prediction(42)
    ranking = by_prediction.features
    assert ranking.agreement == sum(name == index.prediction(42) for name in ranking.predictions)
    assert by_prediction.classes("features") == [f"{name}?" for name in ranking.predictions]
    assert neighbours.compute(folder, 0).by == "prediction"


def test_a_neighbour_without_a_label_agrees_with_nobody(lenet, tmp_path):
    for place, number in (("Bag/a", 10), ("Bag/b", 11), ("loose", 10)):
        path = tmp_path / f"{place}.png"
        path.parent.mkdir(exist_ok=True)
        explain.open_picture(f"fashion-mnist/{number}").save(path)
    index = explain.build_index(lenet, tmp_path, out=tmp_path / "index")
    bag = next(n for n in range(3) if index.images.files[n].endswith("a.png"))
    ranking = neighbours.compute(index, bag).features
    assert dict(zip(ranking.files, ranking.same, strict=True)) == {"Bag/b.png": True, "loose.png": None}
    assert ranking.agreement == 1


def test_more_neighbours_than_can_be_read_are_all_others(folder):
    result = neighbours.compute(folder, 1, k=5)
    assert sorted(result.features.images) == [0, 2, 3, 4], "without itself and what could not be read"
    assert np.isfinite(result.features.distances).all()
    assert result.figure().encode("png").startswith(b"\x89PNG")


def test_an_index_that_was_asked_goes_when_nobody_holds_it(lenet, tmp_path):
    """And its model with it, which may be large."""
    index = explain.build_index(lenet, "fashion-mnist", limit=3, out=tmp_path)
    neighbours.compute(index, 0)
    held = weakref.ref(index)
    del index
    gc.collect()
    assert held() is None


def test_an_image_all_alone_has_no_neighbours(lenet, tmp_path):
    index = explain.build_index(lenet, "fashion-mnist", limit=1, out=tmp_path)
    result = neighbours.compute(index, 0)
    assert len(result.features.images) == 0
    assert result.agrees("pixels").startswith("0 of 0")
    assert result.figure().encode("svg")


@pytest.mark.parametrize(
    ("image", "options", "kind", "message"),
    [
        (COUNT, {}, BadValue, f"0 to {COUNT - 1}"),
        (-1, {}, BadValue, f"0 to {COUNT - 1}"),
        ("9" * 30, {}, BadValue, f"0 to {COUNT - 1}"),
        ("no/such.png", {}, BadFile, "no/such.png"),
        (True, {}, ExplainError, "."),
        (None, {}, ExplainError, "."),
        (0, {"k": 0}, BadValue, "1 to 50"),
        (0, {"k": 51}, BadValue, "1 to 50"),
        (0, {"k": 2.5}, BadValue, "whole number"),
        (0, {"k": "many"}, BadValue, "many"),
        (0, {"metric": "manhattan"}, Unknown, "euclidean, cosine"),
    ],
)
def test_mistakes_are_named(index, image, options, kind, message):
    with pytest.raises(kind, match=message):
        neighbours.compute(index, image, **options)


def test_an_unreadable_image_is_no_query(folder):
    with pytest.raises(BadValue, match="Image 5 has no neighbours"):
        neighbours.compute(folder, 5)


def test_an_upload_of_a_file_of_the_index_is_that_file(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    content = Path(folder.images.files[3]).read_bytes()
    same = explain.open_picture(workspace.keep_upload(content, "other-name.png"))
    assert references.index_of(folder, same) == 3
    assert same.info["name"].startswith("upload/")
    edited = Image.new("L", (28, 28), 7)
    file = io.BytesIO()
    edited.save(file, "PNG")
    stranger = explain.open_picture(workspace.keep_upload(file.getvalue(), "new.png"))
    assert references.index_of(folder, stranger) is None


def test_a_vanished_neighbour_keeps_its_place(folder):
    before = neighbours.compute(folder, 0)
    _ = folder.pixels
    (folder.images.root / "copy of a.png").unlink()
    after = neighbours.compute(folder, 0)
    assert after.features.images.tolist() == before.features.images.tolist()
    assert len(np.unique(after.features.tiles[0])) == 1


# ------------------------------------------------------------ names


def test_an_image_has_one_number_by_whatever_name(index, folder, lite, tmp_path):
    for name in (17, "17", np.int64(17), "fashion-mnist/17", explain.open_picture("fashion-mnist/17")):
        assert references.index_of(index, name) == 17
    assert references.reference(index, 17) == "fashion-mnist/17"
    for other in ("photos/17", f"fashion-mnist/{COUNT}", index.images[17], np.zeros((28, 28), np.uint8), "upload/17"):
        assert references.index_of(index, other) is None
    assert references.index_of(folder, folder.images.root / "d.png") == 3
    assert references.index_of(folder, "fashion-mnist/0") is None
    assert references.reference(folder, 0) is None
    photos = explain.build_index(lite, "photos", limit=2, out=tmp_path / "photos")
    assert references.reference(photos, 1) == "photos/coffee.png"
    for name in ("photos/1", "photos/coffee.png", "photos/coffee", explain.open_picture("photos/coffee.png")):
        assert references.index_of(photos, name) == 1
    assert references.index_of(photos, "photos/astronaut.png") is None
    assert neighbours.compute(photos, 1).features.files == ("chelsea.png",)


# ------------------------------------------------------------ figure


def test_frames_tell_who_agrees_and_names_how_far(index):
    result = next(r for n in range(COUNT) if 0 < (r := neighbours.compute(index, n, k=6)).features.agreement < 6)
    figure = neighbours.render(result, frame=3)
    panel, ranking = figure.panels[0], result.features
    assert f"{ranking.agreement} of 6" in panel.title
    assert len(panel.tiles) == 7
    for (name, tile), distance, same in zip(panel.tiles[1:], ranking.distances, ranking.same, strict=True):
        assert name.startswith(neighbours.written(distance))
        assert tuple(tile[0, 0]) == tuple(tile[-1, -1]) == (RIGHT if same else WRONG)
    assert np.array_equal(panel.tiles[0][1][3:-3, 3:-3], result.tile)
    assert [float(name) for name in neighbours.render(result, names=False).panels[1].names[1:]] == pytest.approx(
        result.pixels.distances, rel=5e-3
    )


def test_what_is_saved_holds_the_facts_and_the_rows(index, tmp_path):
    result = explain.neighbours(index, 3, k=4, metric="cosine")
    facts = read_facts(result.save(tmp_path / "x.png"))
    assert {name: facts[name] for name in ("view", "number", "k", "metric", "by", "class")} == {
        "view": "neighbours",
        "number": 3,
        "k": 4,
        "metric": "cosine",
        "by": "label",
        "class": index.label(3),
    }
    assert facts["model_digest"] == index.model.digest
    assert facts["agreement"]["pixels"] == result.pixels.agreement
    lines = result.save(tmp_path / "x.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(io.StringIO("\n".join(line for line in lines if not line.startswith("#")))))
    assert [int(row["image"]) for row in rows] == [*result.features.images, *result.pixels.images]
    arrays = np.load(result.save(tmp_path / "x.npz"))
    assert np.array_equal(arrays["pixels_distances"], result.pixels.distances)


def test_the_command_line_says_the_same(index, tmp_path, capsys):
    line = ["neighbours", str(index.folder), "3", "--k", "2", "--out", str(tmp_path / "x.svg")]
    assert cli.main(line) == 0
    out, _ = capsys.readouterr()
    wanted = neighbours.compute(index, 3, k=2)
    assert [int(row.split()[2]) for row in out.splitlines()[:4]] == [*wanted.features.images, *wanted.pixels.images]
    assert out.splitlines()[-1] == f"pixels: {wanted.agrees('pixels')}"
    assert read_facts(tmp_path / "x.svg")["number"] == 3
    for wrong in (["--k", "0"], ["--metric", "x"]):
        assert cli.main([*line[:3], *wrong]) == 2
    assert cli.main(["neighbours", str(tmp_path), "3"]) == 2
    assert cli.main(["neighbours", str(index.folder), "300"]) == 2


# ------------------------------------------------------------ agreement


@pytest.mark.parametrize("space", ["features", "pixels"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_agreement_is_brute_forces(index, space, metric):
    vectors = index.features if space == "features" else index.pixels
    shares = []
    for number in range(COUNT):
        distances = brute(vectors, vectors[number], metric)
        distances[number] = np.inf
        nearest = np.argsort(distances, kind="stable")[:5]
        shares.append((index.labels[nearest] == index.labels[number]).mean())
    assert agreement.agreement(index, 5, space, metric) == pytest.approx(np.mean(shares))
    assert agreement.agreement(index, 5, space, metric, images=range(9, 60)) == pytest.approx(np.mean(shares[9:60]))
    drawn = agreement.agreement(index, 5, space, metric, images=50)
    assert drawn == agreement.agreement(index, 5, space, metric, images=50) != np.mean(shares)


def test_agreement_asks_labelled_images_only(index, folder):
    with pytest.raises(NotSupported, match="labelled"):
        agreement.agreement(folder)
    with pytest.raises(BadValue, match="999"):
        agreement.agreement(index, images=[0, 999])
    with pytest.raises(BadValue, match="at least one"):
        agreement.agreement(index, images=[])
    with pytest.raises(Unknown, match="features, pixels"):
        agreement.agreement(index, space="colours")


@pytest.mark.parametrize("space", ["features", "pixels"])
def test_mirror_ranks_count_those_truly_nearer(index, space):
    vectors = index.features if space == "features" else index.pixels
    ranks = agreement.mirror_ranks(index, 8, space, seed=3)
    for rank, number in zip(ranks, np.random.default_rng(3).permutation(COUNT)[:8], strict=True):
        copy = ImageOps.mirror(index.images[number])
        copy = index.embed(copy) if space == "features" else np.asarray(copy, np.float32).ravel() / 255
        distances = np.delete(brute(vectors, vectors[number], "euclidean"), number)
        own = brute(copy[None], vectors[number], "euclidean")[0]
        assert rank == 1 + (distances < own).sum()


def test_a_symmetric_picture_is_nearest_to_its_mirror_image(lenet, tmp_path):
    random_state = np.random.default_rng(0)
    for name in "abcd":
        half = random_state.integers(0, 255, (28, 14), dtype=np.uint8)
        Image.fromarray(np.concatenate([half, half[:, ::-1]], 1)).save(tmp_path / f"{name}.png")
    index = explain.build_index(lenet, tmp_path, out=tmp_path / "index")
    for space in ("features", "pixels"):
        assert agreement.mirror_ranks(index, 4, space).tolist() == [1, 1, 1, 1]
    with pytest.raises(BadValue, match="count=0"):
        agreement.mirror_ranks(index, 0)


def test_both_are_measured_in_both_spaces(index, folder):
    result = explain.agreement(index, k=3, metric="cosine", count=50, mirrored=7, seed=2)
    for space in ("features", "pixels"):
        assert result.shares[space] == agreement.agreement(index, 3, space, "cosine", 50, 2)
        assert result.ranks[space] == np.median(agreement.mirror_ranks(index, 7, space, "cosine", 2))
    assert (result.asked, result.mirrored) == (50, 7)
    assert result.table["space"] == ["features", "pixels"]
    assert len(result.figure().panels) == 2
    whole = explain.agreement(index, mirrored=1)
    assert whole.asked == COUNT
    assert whole.shares["pixels"] == agreement.agreement(index, 5, "pixels")
    bare = explain.agreement(folder, mirrored=9)
    assert bare.shares == {"features": None, "pixels": None}
    assert (bare.asked, bare.mirrored) == (0, 5), "all that could be read"
    assert "no labels" in bare.figure().note
    assert len(bare.figure().panels) == 1
    for wrong in ({"k": 0}, {"metric": "x"}, {"count": 0}, {"mirrored": 0}, {"seed": -1}):
        with pytest.raises(ExplainError):
            explain.agreement(index, **wrong)


def test_measuring_stops_when_it_is_told_to(index):
    def stop(done, total, message=""):
        assert total == 4
        if done == 2:
            raise KeyboardInterrupt(message)

    with pytest.raises(KeyboardInterrupt, match="labels in pixels"):
        explain.agreement(index, mirrored=1, progress=stop)


@pytest.mark.slow
def test_features_know_more_than_pixels(lenet, tmp_path):
    """V14, V15: over 4,000 test images, and over 100 queries drawn by the seed."""
    whole = explain.build_index(lenet, explain.load_images("fashion-mnist", limit=4000), out=tmp_path)
    features, pixels = (agreement.agreement(whole, 5, space) for space in ("features", "pixels"))
    assert features > pixels > 0.5
    features, pixels = (np.median(agreement.mirror_ranks(whole, 100, space)) for space in ("features", "pixels"))
    assert features < pixels


# ------------------------------------------------------------ V13


def test_the_head_makes_the_models_scores_of_an_embedding(index):
    name = index.manifest.head
    for number in (0, 5, 299):
        embedded = index.embed(index.images[number])
        assert embedded.dtype == np.float32
        assert embedded.shape == (84,)
        np.testing.assert_allclose(embedded, index.features[number], rtol=1e-4, atol=1e-5)
        with index.model.exclusive() as net, torch.no_grad():
            scores = net.get_submodule(name)(torch.from_numpy(embedded))
        assert torch.allclose(scores, index.model.scores(index.images[number])[0], rtol=1e-4, atol=1e-5)


SIZES = {
    "alexnet": 4096,
    "vgg11": 4096,
    "resnet18": 512,
    "densenet121": 1024,
    "googlenet": 1024,
    "mobilenet_v2": 1280,
}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_the_head_of_any_net_makes_its_scores_of_its_features(name, size):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    net = models.get_model(name, weights=None, **({"init_weights": False} if name == "googlenet" else {}))
    batch, taken = torch.randn(2, 3, 96, 96), []
    for module in net.modules():  # with random weights signals fade, unless each layer is normalised to what it gets
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net.train()(batch)
    net.eval()
    where = head(net, batch[:1])
    with torch.inference_mode(), trace.inputs(net, where, taken.append):
        scores = net(batch)
        features = vector(taken[-1])
        assert features.shape == (2, size)
        assert features.dtype == torch.float32
        assert torch.allclose(net.get_submodule(where)(features), scores, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(scores[0], scores[1], rtol=1e-4, atol=1e-5), "else the order would not matter"


# ------------------------------------------------------------ the page


@pytest.fixture
def visit(monkeypatch, tmp_path):
    """Open the page over an index; `app.clicks` holds the tiles that are clicked in the next run, one a row."""
    testing = pytest.importorskip("streamlit.testing.v1")
    from explain.ui import widgets

    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))
    clicks = []

    def show_gallery(panel, *_, **__):
        return clicks.pop(0) if clicks else None

    def visit(index, **query):
        monkeypatch.setattr(widgets, "index_of_set", lambda model: index)
        monkeypatch.setattr(widgets, "show_gallery", show_gallery)
        app = testing.AppTest.from_file("../app.py", default_timeout=60)
        app.query_params.update({"model": "lenet-fashion-mnist", "section": "neighbours", **query})
        app.switch_page("explain/ui/pages/pictures.py")
        app.clicks = clicks
        return app.run()

    return visit


def back(app):
    return next(button for button in app.button if button.label == "Back")


def shown(app):
    """The query by the page's first caption, which is Markdown."""
    assert not app.exception, app.exception
    assert not app.error, app.error
    return next(one.value for one in app.caption if one.value.startswith("Nearest to")).replace("\\", "")


def test_a_click_makes_a_neighbour_the_query_and_back_returns(index, visit):
    app = visit(index, **{"neighbours.k": "5"})
    assert "fashion-mnist/00001 (Pullover) among 300 images" in shown(app)
    assert back(app).disabled
    first = neighbours.compute(index, 1, k=5)
    app.clicks[:] = [None, 2]
    app.run()
    second = int(first.pixels.images[1])
    assert f"fashion-mnist/{second:05}" in shown(app)
    assert app.query_params["picture"] == f"fashion-mnist/{second}"
    app.clicks[:] = [5]
    app.run()
    third = int(neighbours.compute(index, second, k=5).features.images[4])
    assert f"fashion-mnist/{third:05}" in shown(app)
    back(app).click().run()
    assert f"fashion-mnist/{second:05}" in shown(app)
    back(app).click().run()
    assert "fashion-mnist/00001" in shown(app)
    assert back(app).disabled
    app.clicks[:] = [0]  # the query itself
    assert "fashion-mnist/00001" in shown(app.run())


def test_a_picture_chosen_in_the_sidebar_ends_the_way_back(index, visit):
    app = visit(index)
    app.clicks[:] = [1]
    app.run()
    assert not back(app).disabled
    app.selectbox(key="_picture").set_value("fashion-mnist/9").run()
    assert "fashion-mnist/00009" in shown(app)
    assert back(app).disabled


def test_over_another_index_the_query_is_a_number_of_its_own(folder, visit):
    app = visit(folder)
    assert "fashion-mnist/1 (" in shown(app), "the picture of the sidebar, which is not in the folder"
    app.clicks[:] = [1]
    app.run()
    chosen = app.query_params["query"]
    assert folder.images.files[int(chosen)].endswith(shown(app).split(" (")[0].removeprefix("Nearest to "))
    assert "picture" not in app.session_state.selection
    back(app).click().run()
    assert "query" not in app.query_params
    assert "b.png" in shown(visit(folder, query="1")), "and a permalink"
    app = visit(folder, query="77")
    assert "0 to 5" in app.error[0].value
    app.selectbox(key="_picture").set_value("fashion-mnist/9").run()
    assert "fashion-mnist/9 (" in shown(app)


def test_a_picture_of_no_class_is_compared_by_what_it_is_seen_as(index, visit):
    app = visit(index, picture="photos/coffee.png", **{"neighbours.k": "3", "neighbours.metric": "cosine"})
    assert "among 300 images" in shown(app)
    assert "its predicted class" in app.caption[1].value
    assert "cosine distance" in " ".join(caption.value for caption in app.caption)


def test_what_is_measured_is_of_as_many_neighbours_as_are_shown(index, folder, visit):
    app = visit(index, measure="true", **{"neighbours.k": "3", "neighbours.metric": "cosine", "agreement.count": "50"})
    deadline = time.monotonic() + 60
    while not app.metric and time.monotonic() < deadline:
        time.sleep(0.2)
        app.run()
    wanted = explain.agreement(index, k=3, metric="cosine", count=50)
    assert app.metric[0].label == "Same label among the 3 nearest in features"
    assert [one.value for one in app.metric] == [
        f"{wanted.shares['features']:.1%}",
        f"{wanted.ranks['features']:g}",
        f"{wanted.shares['pixels']:.1%}",
        f"{wanted.ranks['pixels']:g}",
    ]


def test_more_neighbours_than_there_are_pictures_are_refused(tmp_path):
    index = explain.build_index(explain.load_model("lenet-fashion-mnist"), "fashion-mnist", out=tmp_path, limit=6)
    assert len(explain.neighbours(index, 0).features.images) == 5  # by default as many as there are
    other = explain.open_picture("fashion-mnist/77")
    assert len(explain.neighbours(index, other).features.images) == 6
    with pytest.raises(BadValue, match="k=9 is more than the 5 other pictures"):
        explain.neighbours(index, 0, k=9)
