"""Pictures inside other files: WebDataset's shards, and rows of Parquet and Arrow as Hugging Face's datasets are."""

import io
import json
import pickle
import tarfile

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

import explain
from explain.errors import BadFile, BadValue, ExplainError, Unknown

N = 12
PICTURES = [np.random.default_rng(k).integers(0, 256, (20 + k, 24, 3), np.uint8) for k in range(N)]


def encoded(k):
    file = io.BytesIO()
    Image.fromarray(PICTURES[k]).save(file, "PNG")
    return file.getvalue()


def shard(path, numbers, told=lambda k: {"cls": str(k % 3).encode()}):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for k in numbers:
            for ending, content in {**told(k), "png": encoded(k)}.items():
                member = tarfile.TarInfo(f"part/{k:04}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def rows(path, numbers=range(N), names=("cat", "dog"), struct=True):
    """As `datasets` writes them: pictures as bytes and path, names of classes in the metadata."""
    held = [{"bytes": encoded(k), "path": f"{k}.png"} if struct else encoded(k) for k in numbers]
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = pa.table({"image": held, "label": [k % 2 for k in numbers], "age": [k * 10 for k in numbers]})
    if names:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=5)
    return path


def is_all(images, order=range(N)):
    assert len(images) == len(order)
    for place, k in enumerate(order):
        assert np.array_equal(np.asarray(images[place]), PICTURES[k])


def test_shards_of_webdataset(tmp_path):
    folder = tmp_path / "set"
    shard(folder / "a-000.tar", range(8))
    shard(folder / "a-001.tar", range(8, N))
    images = explain.load_images(folder)
    is_all(images)
    assert (images.name, images.classes) == ("set", ("0", "1", "2"))
    assert images.labels.tolist() == [k % 3 for k in range(N)]
    is_all(explain.load_images(folder / "a-001.tar"), range(8, N))
    is_all(pickle.loads(pickle.dumps(images)))


def test_what_json_says_are_label_and_columns(tmp_path):
    told = lambda k: {"json": json.dumps({"label": "cat" if k % 2 else "dog", "age": k}).encode(), "txt": b"a part"}  # noqa: E731
    images = explain.load_images(shard(tmp_path / "x.tar", range(6), told))
    assert images.classes == ("cat", "dog")
    assert images.columns == {"age": tuple(range(6)), "txt": ("a part",) * 6}


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("struct", [True, False])
def test_rows_that_hold_pictures(kind, struct, tmp_path):
    images = explain.load_images(rows(tmp_path / f"parts.{kind}", struct=struct))
    is_all(images)
    assert (images.name, images.classes) == ("parts", ("cat", "dog"))
    assert images.labels.tolist() == [k % 2 for k in range(N)]
    assert images.columns == {"age": tuple(10 * k for k in range(N))}


def test_splits_are_told_by_the_files_names(tmp_path):
    rows(tmp_path / "set/data/train-00000-of-00001.parquet", range(8))
    rows(tmp_path / "set/data/test-00000-of-00001.parquet", range(8, N))
    images = explain.load_images(tmp_path / "set", split="test")
    is_all(images, range(8, N))
    assert images.name == "set-test"
    with pytest.raises(BadValue, match="train, test"):
        explain.load_images(tmp_path / "set")
    with pytest.raises(Unknown, match="train, test"):
        explain.load_images(tmp_path / "set", split="val")


def test_a_dataset_of_the_hubs_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "datasets--someone--parts"
    rows(folder / "snapshots/0123/data/train-00000-of-00001.parquet")
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("0123")
    images = explain.load_images("hf:someone/parts")
    is_all(images)
    assert images.name == "parts"
    with pytest.raises(BadFile, match="hf download --repo-type dataset someone/other"):
        explain.load_images("hf:someone/other")


def test_an_index_over_a_shard_is_that_over_a_folder(tmp_path):
    model = explain.load_model("small-resnet-fashion-mnist")
    file = shard(tmp_path / "x.tar", range(N))
    inside = explain.build_index(model, explain.load_images(file), out=tmp_path / "a")
    (tmp_path / "loose").mkdir()
    for k in range(N):
        (tmp_path / f"loose/{k:04}.png").write_bytes(encoded(k))
    loose = explain.build_index(model, explain.load_images(tmp_path / "loose"), out=tmp_path / "b")
    again = explain.open_index(tmp_path / "a")
    assert np.allclose(again.features, loose.features, rtol=1e-5, atol=1e-6)
    for one, other in zip(again.top(again.layers[0], 0), loose.top(loose.layers[0], 0), strict=True):
        assert one.image == other.image
    is_all(again.images)
    assert again.images.digest == inside.images.digest == explain.load_images(file).digest
    shard(file, range(N - 1))
    assert explain.load_images(file).digest != again.images.digest


def test_a_folder_of_pictures_beside_a_tar_is_a_folder(tmp_path):
    shard(tmp_path / "old.tar", range(3))
    (tmp_path / "one.png").write_bytes(encoded(5))
    is_all(explain.load_images(tmp_path), [5])


def test_what_is_damaged_is_one_sentence(tmp_path):
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 400)
    (tmp_path / "empty.tar").write_bytes(bytes(10240))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + bytes(50))
    (tmp_path / "bad.arrow").write_bytes(b"ARROW1" + bytes(50))
    for name in ("bad.tar", "empty.tar", "bad.parquet", "bad.arrow"):
        with pytest.raises(ExplainError, match=name.partition(".")[0]) as caught:
            explain.load_images(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1
    file = shard(tmp_path / "x.tar", range(4))
    images = explain.load_images(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadFile):
        images[3]


@pytest.mark.parametrize(
    "said", ["{", "[1]", '{"info": 3}', '{"info": {"features": {"label": {"names": [1, 2]}}}}', "[" * 100_000]
)
def test_names_of_classes_that_cannot_be_read_cost_the_names_only(tmp_path, said):
    path = tmp_path / "set.parquet"
    parquet.write_table(parquet.read_table(rows(path)).replace_schema_metadata({"huggingface": said}), path)
    images = explain.load_images(path)
    is_all(images)
    assert images.classes == ("0", "1")
    assert images.labels.tolist() == [k % 2 for k in range(N)]
    assert ["names of classes" in reason for reason in images.skipped.values()] == [True]


@pytest.mark.parametrize("number", [2, -2, 1 << 40])
def test_a_class_beyond_the_names_is_refused(tmp_path, number):
    path = tmp_path / "set.parquet"
    table = parquet.read_table(rows(path))
    labels = pa.array([number] + [0] * (N - 1))
    parquet.write_table(table.set_column(table.schema.names.index("label"), "label", labels), path)
    with pytest.raises(ExplainError, match=f"class {number} of a picture, and names 2"):
        explain.load_images(path)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_names_of_columns_that_are_not_text_are_refused(tmp_path, ending):
    path = rows(tmp_path / f"set.{ending}")
    path.write_bytes(path.read_bytes().replace(b"age", b"\xa8\xff\xfe"))
    with pytest.raises(ExplainError, match="cannot be read"):
        explain.load_images(path)
