"""tables: pictures that a CSV or Parquet table names, torch datasets, and torchvision's sets by name."""

import http.server
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import explain
from explain.data.tables import from_table
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.figure import read_facts
from explain.network.trace import record


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "pics").mkdir()
    for k in range(6):
        Image.fromarray(rng.integers(0, 256, (9, 8, 3), np.uint8)).save(tmp_path / f"pics/{k}.png")
    return tmp_path


def write(folder, text, name="t.csv"):
    (folder / name).write_text(text)
    return folder / name


ROWS = [
    (f"pics/{k}.png", ("cat", "dog", "cat", "", "dog", "10")[k], ("train", "test")[k % 2], k * 1.5) for k in range(6)
]
TABLE = "path,label,split,age\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in ROWS)


def test_rows_are_pictures_labels_and_columns(folder):
    images = explain.load_images(write(folder, TABLE))
    assert (images.name, len(images), images.classes) == ("t", 6, ("10", "cat", "dog"))
    assert images.labels.tolist() == [1, 2, 1, -1, 2, 0]
    assert images.columns == {"split": ("train", "test") * 3, "age": tuple(str(k * 1.5) for k in range(6))}
    for k in range(6):
        assert np.array_equal(np.asarray(images[k]), np.asarray(Image.open(folder / f"pics/{k}.png")))
    assert images[2:4].columns["age"] == ("3.0", "4.5")


def test_a_split_and_columns_of_other_names(folder):
    text = TABLE.replace("path,label,split", "where,kind,part").replace("pics/", "")
    table = write(folder, text, "pics/t.csv")
    images = explain.load_images(table, image="where", label="kind", split="part=test")
    assert [file.rpartition("/")[2] for file in images.files] == ["1.png", "3.png", "5.png"]
    assert from_table(table).labels is None, "a column of paths is told by its values, labels by their name alone"
    assert len(explain.load_images(write(folder, TABLE), split="train")) == 3
    assert len(explain.load_images(write(folder, TABLE), 2)) == 2


def test_numbers_are_in_the_order_of_numbers(folder):
    text = "file,target\n" + "".join(f"pics/{k}.png,{10 - 2 * k}\n" for k in range(6))
    assert explain.load_images(write(folder, text)).classes == ("0", "2", "4", "6", "8", "10")


@pytest.mark.parametrize(("name", "between"), [("t.tsv", "\t"), ("t.csv", ";")])
def test_what_stands_between_cells(folder, name, between):
    images = explain.load_images(write(folder, TABLE.replace(",", between), name))
    assert images.labels.tolist() == [1, 2, 1, -1, 2, 0]


def test_parquet(folder):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    names = ("path", "label", "split", "age")
    columns = dict(zip(names, map(list, zip(*ROWS, strict=True)), strict=True))
    parquet.write_table(pyarrow.table(columns), folder / "t.parquet")
    images = explain.load_images(folder / "t.parquet")
    assert images.labels.tolist() == [1, 2, 1, -1, 2, 0]
    assert images.columns["age"] == (0.0, 1.5, 3.0, 4.5, 6.0, 7.5)


@pytest.mark.parametrize(
    ("text", "how", "error", "part"),
    [
        ("", {}, BadFile, "first row"),
        ("path\n", {}, BadFile, "rows below"),
        ("path,path\na,b\n", {}, BadFile, "different names"),
        ("path,label\na\n", {}, BadFile, "Row 2 .* has 1 cells"),
        ("path,label\nnope.png,a\n", {}, BadFile, "None of the 1 pictures .*'nope.png'"),
        ("a,b\n1,2\n", {}, BadValue, "no column of paths .* of a, b"),
        (TABLE, {"image": "nope"}, Unknown, "'nope'.*Valid: path, label"),
        (TABLE, {"label": "nope"}, Unknown, "'nope'"),
        (TABLE, {"split": "val"}, Unknown, "'val'.*Valid: test, train"),
        (TABLE, {"split": "colour=red"}, Unknown, "'colour'"),
        ("path\nftp://x.org/a.png\n", {}, BadValue, "addresses"),
    ],
)
def test_mistakes_in_a_table_are_one_sentence(folder, text, how, error, part):
    with pytest.raises(error, match=part) as caught:
        explain.load_images(write(folder, text), **how)
    assert len(str(caught.value).splitlines()) == 1


def test_columns_of_no_table_are_refused():
    with pytest.raises(BadValue, match="is none"):
        explain.load_images("photos", label="x")


# ------------------------------------------------------------ what else a table says


@pytest.fixture
def parts(tmp_path):
    """An index of the shipped LeNet over a table of pictures with two more columns."""
    shipped = explain.load_images("fashion-mnist")
    rows = ["path,label,shift,length"]
    for k in range(40):
        shipped[k].save(tmp_path / f"{k}.png")
        rows.append(f"{k}.png,{shipped.classes[shipped.labels[k]]},{('early', 'late')[k % 2]},{k * 1.5}")
    table = write(tmp_path, "\n".join(rows))
    model = explain.load_model("lenet-fashion-mnist")
    return table, explain.build_index(model, explain.load_images(table), out=tmp_path / "index")


def test_an_index_keeps_a_tables_columns_and_goes_over_rows_that_change(parts, tmp_path):
    table, index = parts
    again = explain.open_index(index.folder)
    assert again.columns == explain.load_images(table).columns
    assert again.images.digest == explain.load_images(table).digest
    table.write_text(table.read_text().replace("39.png,", "39.png,").replace("late,1.5", "night,1.5"))
    changed = explain.build_index(index.model, explain.load_images(table), out=index.folder)
    assert changed.columns["shift"][:4] == ("early", "night", "early", "late")


def test_lists_have_a_tables_columns(parts):
    _, index = parts
    near = explain.neighbours(index, 3, k=4).table
    assert near["shift"] == [("early", "late")[k % 2] for k in near["image"]]
    assert near["length"] == [str(k * 1.5) for k in near["image"]]
    found = explain.patches(index, index.layers[0], [0, 1]).table
    assert found["length"] == [str(k * 1.5) for k in found["image"]]
    made = explain.gallery(index.model, explain.load_images(parts[0]), method="gradient", count=3).table
    assert made["length"] == [str(k * 1.5) for k in made["picture"]]


def test_a_map_is_coloured_by_a_tables_columns(parts, run, tmp_path):
    _, index = parts
    result = explain.embedding(index, "pca", measure=False)
    assert result.table["shift"] == [("early", "late")[k % 2] for k in result.images.tolist()]
    plot = result.figure(colour="shift").panels[0]
    assert [(key.name, key.count) for key in plot.legend] == [("early", 20), ("late", 20)]
    order = {tuple(place): k for k, place in enumerate(result.points.tolist())}
    for place, colour in zip(plot.points.tolist(), plot.colours.tolist(), strict=True):
        name = ("early", "late")[result.images[order[tuple(place)]] % 2]
        assert tuple(colour) == next(key.colour for key in plot.legend if key.name == name)
    plot = result.figure(colour="length").panels[0]
    assert (plot.scale.low, plot.scale.high) == (0.0, 58.5)
    with pytest.raises(Unknown, match="shift, length"):
        result.figure(colour="nonesuch")
    out = tmp_path / "map.png"
    model = "lenet-fashion-mnist"
    said = run("embedding", index.folder, "--method", "pca", "--model", model, "--style", "colour=length", "--out", out)
    assert said[0] == 0, said
    assert read_facts(out.read_bytes())["style"]["colour"] == "length"
    page = result.figure().encode("html").decode()
    assert "shift" in page


def test_lists_of_some_pictures_only(parts, run):
    _, index = parts
    found = explain.neighbours(index, 3, k=4, where="shift=early")
    for space, vectors in (("features", index.features), ("pixels", index.pixels)):
        far = np.linalg.norm(vectors.astype(np.float64) - vectors[3], axis=1)
        wanted = sorted((k for k in range(0, 40, 2)), key=lambda k: far[k])[:4]
        assert found.ranking(space).images.tolist() == wanted
    late = explain.neighbours(index, 3, k=19, where="shift=late").features.images.tolist()
    assert sorted(late) == [k for k in range(1, 40, 2) if k != 3], "itself left out"
    with pytest.raises(BadValue, match="k=20 is more than the 19 other pictures with shift=late"):
        explain.neighbours(index, 3, k=20, where="shift=late")
    images = explain.load_images(parts[0])
    made = explain.gallery(index.model, images, method="gradient", count=3, which="spread", where="shift=late")
    assert [tile.number for tile in made.tiles] == [1, 21, 39]
    for where, part in (("shift", "COLUMN=VALUE"), ("shft=late", "shift"), ("shift=lat", "late")):
        with pytest.raises(ExplainError, match=part):
            explain.neighbours(index, 3, where=where)
    model = "lenet-fashion-mnist"
    status, out, _ = run("neighbours", index.folder, 3, "--model", model, "--where", "label=Bag", "--k", 2)
    assert status == 0
    bags = [k for k in range(40) if index.label(k) == "Bag"]
    assert {int(line.split()[2]) for line in out.splitlines()[:4]} <= set(bags)


@pytest.mark.parametrize("ranking", ["best", "lowest", "random"])
def test_patches_among_some_pictures_are_those_of_an_index_of_them(parts, tmp_path, ranking):
    _, index = parts
    layer, odd = index.layers[-1], list(range(1, 40, 2))
    found = explain.patches(index, layer, [0, 3, 7], ranking, 4, where="shift=late")
    images = index.images
    alone = replace(
        images,
        files=images.files[1::2],
        labels=images.labels[1::2],
        columns={name: values[1::2] for name, values in images.columns.items()},
    )
    whole = explain.build_index(index.model, alone, out=tmp_path / "odd")
    wanted = explain.patches(whole, layer, [0, 3, 7], ranking, 4)
    assert found.table["image"] == [odd[k] for k in wanted.table["image"]]
    assert found.table["score"] == pytest.approx(wanted.table["score"], rel=1e-5)
    assert found.cuts.table["position"] == wanted.cuts.table["position"]
    np.testing.assert_array_equal(found.cuts.tiles, wanted.cuts.tiles)
    one = explain.channel(index, layer, 3, images[2], where="shift=late")
    same = explain.channel(whole, layer, 3, images[2])
    assert one.numbers == pytest.approx(same.numbers, rel=1e-5)
    assert one.cuts.table["score"] == pytest.approx(same.cuts.table["score"], rel=1e-5)
    assert one.classes.means == pytest.approx(same.classes.means, rel=1e-5)
    np.testing.assert_array_equal(one.counts, same.counts)


def test_patches_among_some_pictures_by_brute_force(parts):
    _, index = parts
    layer = index.layers[0]
    found = explain.patches(index, layer, [2], count=5, where="shift=early")
    peaks = []
    for k in range(0, 40, 2):
        with index.model.exclusive() as net, torch.inference_mode():
            _, held = record(net, index.model.batch(index.images[k]), [layer])
        peaks.append(float(held[layer][0, 2].max()))
    wanted = sorted(peaks, reverse=True)[:5]
    assert found.table["score"] == pytest.approx(wanted, rel=1e-4)
    assert "of these only shift=early" in found.figure().note
    assert set(found.table["shift"]) == {"early"}
    with pytest.raises(ExplainError, match="late"):
        explain.patches(index, layer, [2], where="shift=lat")


def test_mistakes_of_some_pictures_only(parts):
    _, index = parts
    found = explain.confusion(index, where="shift=late")
    odd = np.arange(1, 40, 2)
    truth = np.array([index.model.classes.index(index.label(k)) for k in odd])
    assert found.images == 20
    assert found.top1 == pytest.approx((index.predictions[odd, 0] == truth).mean())
    assert {one.image for one in found.mistakes} == set(odd[index.predictions[odd, 0] != truth].tolist())
    table = found.figure(part="mistakes").table
    assert table["shift"] == ["late"] * len(found.mistakes)
    assert found.figure().title.endswith("of these only shift=late")


@pytest.fixture
def address(folder, monkeypatch):
    """A server of that folder; what it was asked for is counted."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given):
            super().__init__(*given, directory=str(folder))

        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_addresses_are_fetched_once(folder, address):
    place, asked = address
    rows = "".join(f"{place}/pics/{k}.png,{'ab'[k % 2]}\n" for k in range(6))
    images = explain.load_images(write(folder, f"url,label\n{rows}{place}/pics/none.png,a\n"))
    assert (len(images), asked, images.classes) == (7, [], ("a", "b"))
    for _ in range(2):
        for k in range(6):
            assert np.array_equal(np.asarray(images[k]), np.asarray(Image.open(folder / f"pics/{k}.png")))
    assert asked == [f"/pics/{k}.png" for k in range(6)]
    with pytest.raises(BadFile, match="cannot be fetched"):
        images[6]
    index = explain.build_index(explain.load_model("small-resnet-fashion-mnist"), images, out=folder / "index")
    assert list(index.skipped) == [f"{place}/pics/none.png"]
    assert len(asked) == 8
