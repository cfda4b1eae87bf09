"""Folders as people have them: one bad file spoils nothing, and nothing is left out or stale in silence."""

import io
import json
import os
import re
import sys
import tarfile
import unicodedata
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import explain
from explain.data import ImageSet, from_arrays, load_images
from explain.data.folders import BESIDE, class_name, printable
from explain.errors import BadFile, BadValue, ExplainError
from explain.images.formats import kind_of
from explain.index import merge_indexes, open_index, read_manifest
from explain.index.agreement import agreement, mirror_ranks
from explain.index.references import left_out
from explain.workspace import list_indexes, picture_sets
from explain.workspace.pictures import open_named, open_picture
from explain.workspace.uploads import keep_upload

HEIC = b"\0\0\0\x18ftypheic" + bytes(200)
CAFE = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]


@pytest.fixture(autouse=True)
def without_heif(monkeypatch):
    """As most machines are, wherever these tests run."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


def content(seed, format="PNG"):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (28, 28, 3), np.uint8)
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def put(path, seed=0, format="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(seed, format))
    return path


@pytest.fixture
def folder(tmp_path):
    for k in range(12):
        put(tmp_path / "mine" / f"{k:02}.png", k)
    return tmp_path / "mine"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.fixture
def build(lenet, tmp_path):
    name = lenet.layers[0].name

    def of_first(images, out=tmp_path / "index", **options):
        return explain.build_index(lenet, images, layers=[name], out=out, **options)

    return of_first


def names(files):
    return [Path(file).name for file in files]


# ------------------------------------------------------------ one bad file


def test_a_shard_of_unreadable_pictures_only(build, folder):
    build(folder)
    before = build(folder).features
    (folder / "bad.png").write_bytes(b"no picture")  # comes into a shard of its own
    index = build(folder)
    assert len(index.manifest.shards) == 2
    assert names(index.skipped) == ["bad.png"]
    assert np.array_equal(index.features[:12], before)
    assert np.isnan(index.features[12]).all()
    assert explain.neighbours(index, 0, k=11).features.images.tolist()
    assert len(explain.embedding(index, method="pca").points) == 12
    assert left_out(read_manifest(index.folder)) == left_out(index.manifest, index.skipped)
    assert list(left_out(index.manifest)) == ["bad.png"]
    assert str(folder) not in str(left_out(index.manifest))


def test_a_file_overwritten_while_the_pass_reads(build, folder):
    written = []

    def progress(done, total, _):
        if 0 < done < total and not written:
            written.append(put(folder / "00.png", 99))

    index = build(folder, batch=4, workers=1, progress=progress)
    assert written
    old = index.features[0]
    index = build(folder)
    assert not np.allclose(index.features[0], old)
    assert np.allclose(index.features[0], index.embed(str(folder / "00.png")), atol=1e-5)


def test_a_file_that_changes_at_each_reading(build, folder, monkeypatch):
    times, identity = iter(range(1, 10**6)), ImageSet.identity

    def busy(images, at):
        if images.files[at].endswith("03.png"):
            os.utime(images.files[at], ns=(0, next(times)))
        return identity(images, at)

    with monkeypatch.context() as patched:
        patched.setattr(ImageSet, "identity", busy)
        index = build(folder)
    assert names(index.skipped) == ["03.png"]
    assert "while it was read" in next(iter(index.skipped.values()))
    assert np.isnan(index.features[3]).all()
    assert not build(folder).skipped


def test_links_to_nothing_pipes_and_files_that_vanish_refuse_nothing(build, folder):
    (folder / "one").mkdir()
    put(folder / "one" / "a.png", 20)
    (folder / "one" / "gone.png").symlink_to("/nowhere/a.png")
    (folder / "two").symlink_to("/nowhere")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.png")
    images = load_images(folder)
    (folder / "05.png").unlink()
    index = build(images)
    assert len(index) == 13
    reasons = {Path(file).name: why for file, why in index.skipped.items()}
    assert {name for name, why in reasons.items() if "link to nothing" in why} == {"gone.png", "two", "loop.png"}
    assert "regular" in reasons["pipe.png"]
    assert "05.png" in reasons["05.png"]
    assert np.isfinite(np.delete(index.features, 5, 0)).all()


def test_a_picture_that_nobody_thought_of(build, folder, lenet, monkeypatch):
    tensor = type(lenet.preprocess).tensor

    def odd(self, picture):
        if picture.size == (3, 3):
            raise ZeroDivisionError("of this one")
        return tensor(self, picture)

    Image.new("RGB", (3, 3)).save(folder / "odd.png")
    monkeypatch.setattr(type(lenet.preprocess), "tensor", odd)
    index = build(folder)
    assert names(index.skipped) == ["odd.png"]
    assert "of this one" in next(iter(index.skipped.values()))


# ------------------------------------------------------------ gone since


def test_pictures_removed_or_changed_since_cost_the_others_nothing(build, folder):
    for k in range(12):
        put(folder / "ab"[k % 2] / f"{k:02}.png", k + 50)
    build(folder)
    (folder / "a" / "04.png").unlink()
    put(folder / "b" / "05.png", 999)
    index = open_index(folder.parent / "index")
    gone = [k for k, name in enumerate(names(index.images.files)) if k > 11 and name in ("04.png", "05.png")]
    result = explain.neighbours(index, 0, k=20)
    assert result.facts["gone"] == 2
    assert "Make the index again" in result.figure().note
    assert "Make the index again" in result.summary
    assert not set(result.pixels.images.tolist()) & set(gone)
    assert len(result.pixels.images) == 20
    assert len(set(index.gone)) == 2
    for number, what in zip(gone, ("removed", "changed"), strict=True):
        with pytest.raises(BadFile, match=rf"{what}.*index again"):
            index.images[number]
        with pytest.raises(BadFile, match="index again"):
            explain.neighbours(index, number)
    for space in ("features", "pixels"):
        assert 0 <= agreement(index, 3, space) <= 1
        assert len(mirror_ranks(index, 40, space)) == 22
    again = build(folder)
    assert len(again) == 23
    assert not explain.neighbours(again, 0).facts.get("gone")


def test_nothing_is_gone_of_an_index_that_is_as_it_was(build, folder, tmp_path, clothes):
    one = build(load_images(folder).head(6), tmp_path / "one")
    other = build(load_images(folder)[6:], tmp_path / "other")
    merged = merge_indexes([one.folder, other.folder], tmp_path / "both", one.model)
    assert not merged.gone
    assert not clothes.gone
    assert merged.images[11].size == (28, 28)


# ------------------------------------------------------------ what is left out


@pytest.mark.parametrize("name", ["a.jfif", "b.jpe", "c.JPG", "d.mpo", "f00d"])
def test_pictures_by_any_of_their_endings_are_taken(folder, name):
    put(folder / name, 30, "JPEG")
    images = load_images(folder)
    assert name in names(images.files)
    assert images[names(images.files).index(name)].size == (28, 28)
    assert not images.skipped


@pytest.mark.parametrize(
    ("name", "holds", "reason"),
    [
        ("a.heic", HEIC, "pillow-heif"),
        ("a.HEIC", b"damaged", "pillow-heif"),
        ("a.avif", b"\0\0\0\x1cftypavif" + bytes(50), "AVIF is not read"),
        ("a.jxl", b"\xff\x0a" + bytes(50), "JPEG XL"),
        ("a.ppm", b"P6\n2 2\n255\n" + bytes(12), "PNM"),
        ("a.psd", b"8BPS\0\1" + bytes(50), "Photoshop"),
        ("a.svg", b"<svg/>", "SVG"),
        ("a.cr2", b"II*\0\x10\0\0\0CR" + bytes(50), "camera's raw"),
        ("cat.jpg.bak", content(1, "JPEG"), r"JPEG.*'\.bak'"),
        ("cat.dat", content(1), r"PNG.*'\.dat'"),
        ("scan", b"\0" * 128 + b"DICM" + bytes(50), "DICOM"),
    ],
)
def test_other_pictures_are_counted_and_listed_with_what_to_do(build, folder, name, holds, reason):
    (folder / name).write_bytes(holds)
    index = build(folder)
    assert len(index) == 12
    assert names(index.skipped) == [name]
    assert re.search(reason, index.skipped[str(folder / name)])
    assert "save it as" in index.skipped[str(folder / name)] or "end it in" in index.skipped[str(folder / name)]
    (folder / name).unlink()
    assert not build(folder).skipped, "what is no more is not said"


def test_what_is_no_picture_is_not_listed(folder):
    files = {"README": b"text", "a.txt": content(1), "b.ogg": b"OggS", "c.bin": b"BM, a text", ".x.png": b""}
    for name, holds in files.items():
        (folder / name).write_bytes(holds)
    assert not load_images(folder).skipped
    assert kind_of(b"BM of letters, which are no bitmap") == ""


def test_arrays_beside_pictures_are_listed(folder):
    np.save(folder / "mask.npy", np.zeros((4, 4)))
    assert load_images(folder).skipped == {str(folder / "mask.npy"): BESIDE}


def test_a_folder_of_nothing_that_is_read_says_why(tmp_path):
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "a.heic").write_bytes(HEIC)
    with pytest.raises(BadFile, match=r"a\.heic.*HEIC"):
        load_images(tmp_path / "phone")


def test_pictures_named_wrongly_say_what_they_are(build, folder):
    (folder / "phone.jpg").write_bytes(HEIC)
    assert "pillow-heif" in build(folder).skipped[str(folder / "phone.jpg")]


def test_the_command_says_how_many_and_which(folder, workspace, run):
    for k in range(25):
        (folder / f"{k}.heic").write_bytes(HEIC)
    status, told, said = run("index", "lenet-fashion-mnist", folder)
    assert status == 0, said
    assert "12 images, 25 skipped" in told
    assert said.count("HEIC is read") == 20
    assert "5 more" in said
    status, told, _ = run("index", "lenet-fashion-mnist", folder, "--json")
    told = json.loads(told)
    assert (told["numbers"]["skipped"], len(told["skipped"])) == (25, 25)


def test_the_app_says_it_where_the_index_is_chosen(folder, workspace, lenet):
    from streamlit.testing.v1 import AppTest

    (folder / "a.heic").write_bytes(HEIC)
    (folder / "bad.png").write_bytes(b"no")
    index = explain.build_index(lenet, folder)
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60)
    app.query_params["model"], app.query_params["index"] = lenet.name, index.folder.name
    app.run()
    app.query_params["section"] = "neighbours"
    app.switch_page("explain/ui/pages/pictures.py").run()
    assert not app.exception, app.exception
    table = next(one.value for one in app.dataframe if "why" in one.value)
    assert set(table["file"]) == {"a.heic", "bad.png"}
    assert str(folder) not in str(table.to_dict())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for k in range(3):
            made.writestr(f"{k}.png", content(k))
        made.writestr("b.heic", HEIC)
    picture_sets.unpack(archive, "handed.zip")
    app.switch_page("explain/ui/pages/models.py").run()
    assert not app.exception, app.exception
    assert any(set(one.value["file"]) == {"b.heic"} for one in app.dataframe if "why" in one.value)


# ------------------------------------------------------------ names


def test_a_folder_with_the_name_of_a_set_is_never_taken_for_it(tmp_path, lenet, workspace, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "photos" / "mine.png")
    put(tmp_path / "fashion-mnist" / "mine.png")
    for name in ("photos", "fashion-mnist"):
        with pytest.raises(BadValue, match=rf"'\./{name}'.*'set:{name}'"):
            load_images(name)
        assert len(load_images(f"set:{name}")) > 1
        mine = load_images(f"./{name}")
        assert (len(mine), mine.name == name) == (1, False)
        with pytest.raises(BadValue, match=rf"\./{name}/mine\.png"):
            open_picture(f"{name}/mine.png")
        assert open_picture(f"./{name}/mine.png").size == (28, 28)
        assert open_picture(f"set:{name}/0").size == open_named(f"{name}/0").size != (1, 1)
        with pytest.raises(ExplainError):  # a name from an address leads to no file
            open_named(f"{name}/mine.png")
    shipped = explain.build_index(lenet, load_images("set:fashion-mnist", 5))
    own = explain.build_index(lenet, "./fashion-mnist")
    found = list_indexes(lenet)
    assert found["fashion-mnist"] == shipped.folder
    assert own.folder in found.values()
    assert len(open_index(shipped.folder, lenet).images) == 5


def test_an_index_made_before_of_such_a_folder_does_not_replace_the_set(tmp_path, lenet, workspace):
    put(tmp_path / "fashion-mnist" / "mine.png")
    index = explain.build_index(lenet, tmp_path / "fashion-mnist")
    replace(index.manifest, data="fashion-mnist").write(index.folder)
    assert "fashion-mnist" not in list_indexes(lenet)
    assert index.folder in list_indexes(lenet).values()


def test_a_set_of_explain_toml_may_have_the_name_of_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "parts" / "a.png")
    put(tmp_path / "other" / "a.png")
    (tmp_path / "explain.toml").write_text('[images.parts]\nfolder = "parts"\n[images.other]\nfolder = "parts"\n')
    assert load_images("parts").name == "parts"
    assert load_images("other").files == load_images("parts").files, "what a user has named, the user means"
    assert load_images("./other").files != load_images("parts").files
    put(tmp_path / "parts" / "sub" / "b.png")
    for reference in ("parts/0", "parts/a.png", "parts/a", "parts/sub/b.png", "other/a.png"):
        assert open_picture(reference).info["name"] == reference


def test_links_to_folders_are_followed_once_and_not_to_where_they_are(tmp_path):
    put(tmp_path / "elsewhere" / "deep" / "a.png")
    root = tmp_path / "root"
    put(root / "one" / "a.png")
    (root / "two").mkdir()
    (root / "two" / "link").symlink_to(tmp_path / "elsewhere")
    (root / "two" / "again").symlink_to(tmp_path / "elsewhere")
    (root / "two" / "loop").symlink_to(root)
    (root / "two" / "all").symlink_to("/")
    (root / "three").symlink_to(tmp_path / "elsewhere")
    (root / "self").symlink_to(root)
    images = load_images(root)
    assert images.classes == ("one", "three", "two")
    assert sorted(images.labels.tolist()) == [0, 1, 2]
    left = {Path(file).relative_to(root).as_posix(): why for file, why in images.skipped.items()}
    assert {name for name, why in left.items() if "already" in why} == {"two/loop", "two/all", "self", "two/link"}


def test_a_class_without_pictures_is_said(tmp_path):
    put(tmp_path / "r" / "one" / "a.png")
    (tmp_path / "r" / "two").mkdir()
    assert load_images(tmp_path / "r").skipped == {str(tmp_path / "r" / "two"): "The folder has no pictures."}


def test_one_name_in_two_forms_of_unicode_is_one_class(tmp_path):
    for k, name in enumerate(CAFE):
        put(tmp_path / "root" / name / f"{k}.png", k)
    images = load_images(tmp_path / "root")
    assert (images.classes, images.labels.tolist()) == (("café",), [0, 0])
    assert load_images(tmp_path / "root")[1].size == (28, 28)
    table = tmp_path / "root" / "t.csv"
    table.write_text("file,label\n" + "".join(f"{name}/{k}.png,{name}\n" for k, name in enumerate(CAFE)), "utf-8")
    assert load_images(table).classes == ("café",)
    assert from_arrays(np.zeros((2, 4, 4), np.uint8), CAFE).classes == ("café",)


def test_names_that_are_not_utf8_can_be_read_and_written(build, tmp_path):
    root = os.fsencode(tmp_path / "root")
    for name in (b"cl\xe9", b"other"):
        os.makedirs(root + b"/" + name)
        for k in range(6):
            with open(root + b"/" + name + b"/\xff%d.png" % k, "wb") as file:
                file.write(content(k + len(name)))
    index = build(tmp_path / "root")
    assert index.classes == ["cl\\xe9", "other"]
    result = explain.embedding(index, method="pca")
    near = explain.neighbours(index, 0, k=3)
    for text in (*result.labels, *result.files, near.summary, *near.table["file"], near.facts["image"]):
        text.encode()
        assert "cl" not in text or "cl\\xe9" in text
    assert printable("caf\udce9") == "caf\\xe9"
    assert class_name(CAFE[1]) == CAFE[0]


# ------------------------------------------------------------ a ZIP, a tar, a workspace


def zipped(files):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for name, holds in files.items():
            made.writestr(name, holds)
    return archive


def test_a_zip_of_decomposed_names_and_of_scripts_with_marks(workspace):
    files = {f"{name}/{k}{n}.png": content(k) for n, name in enumerate((*CAFE, "हिन्दी")) for k in range(2)}
    made = picture_sets.unpack(zipped(files), "words.zip", classes=True)
    assert made.classes == {"café": 4, "हिन्दी": 2}
    assert picture_sets.images_of(made.reference).classes == ("café", "हिन्दी")


def test_of_a_zip_too_what_is_left_out_is_listed(workspace):
    files = {"a/1.png": content(1), "a/2.jfif": content(2, "JPEG"), "b/3.png": content(3), "b/4.heic": HEIC}
    archive = zipped({**files, "b/5.png": content(5), "b/6.dat": content(6), "b/notes.txt": b"text"})
    damaged = bytearray(archive.getvalue())
    at = damaged.index(content(5)[40:80])
    damaged[at : at + 8] = bytes(8)
    made = picture_sets.unpack(io.BytesIO(bytes(damaged)), "parts.zip")
    assert made.classes == {"a": 2, "b": 1}
    assert sorted(made.skipped) == ["b/4.heic", "b/5.png", "b/6.dat"]


def test_one_bad_shard_or_sidecar_spoils_no_other(tmp_path):
    for k in range(2):
        with tarfile.open(tmp_path / f"{k}.tar", "w") as archive:
            for name, holds in {
                "a.png": content(k),
                "a.json": b'{"size": 3}' if k else b"{broken",
                "a.mask.png": content(5),
                "b.jfif": content(6, "JPEG"),
                "c.heic": HEIC,
            }.items():
                info = tarfile.TarInfo(name)
                info.size = len(holds)
                archive.addfile(info, io.BytesIO(holds))
    (tmp_path / "2.tar").write_bytes(b"no tar at all" * 100)
    images = load_images(tmp_path)
    assert len(images) == 4
    assert images[1].size == (28, 28)
    left = sorted(Path(file).name for file in images.skipped)
    assert left == ["0.tar!a.json", "0.tar!a.mask.png", "0.tar!c.heic", "1.tar!a.mask.png", "1.tar!c.heic", "2.tar"]


def test_one_bad_table_of_pictures_spoils_no_other(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"image": [content(1)], "label": [CAFE[1]]}), tmp_path / "0.parquet")
    (tmp_path / "1.parquet").write_bytes(b"PAR1 but not really")
    images = load_images(tmp_path)
    assert (len(images), images.classes) == (1, ("café",))
    assert names(images.skipped) == ["1.parquet"]
    with pytest.raises(BadFile, match=r"1\.parquet"):
        load_images(tmp_path / "1.parquet")


def test_a_workspace_that_cannot_be_written_to(workspace, monkeypatch):
    reference = keep_upload(content(1), "mine.png")

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    assert open_picture(reference).size == (28, 28)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(BadFile, match=r"Cannot write .*Read-only"):
        picture_sets.unpack(zipped({"a.png": content(1)}), "a.zip")
    monkeypatch.undo()
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(workspace))
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(BadFile, match=r"Cannot write .*Read-only"):
        picture_sets.unpack(zipped({"a.png": content(1)}), "a.zip")
