"""What one visitor's file may cost the others: time in proportion to its size, memory within a bound (TRAPS 66, 67).

Sizes are such that a quadratic reader takes minutes, and an unbounded one hundreds of MB; nothing is timed closely.
"""

import io
import json
import pickle
import struct
import time
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from explain import archive
from explain.data.containers import content, load
from explain.data.tables import labels_of, read_columns
from explain.errors import BadFile, BadValue, Unknown
from explain.figure import Figure, read_facts
from explain.figure.facts import MOST_FACTS
from explain.images import decode
from explain.network.checkpoint import read_weights
from explain.project import project
from explain.workspace import kept_models, picture_sets

MB = 1 << 20
FACTS = {"view": "saliency", "model": "lenet"}


@contextmanager
def at_most(seconds, megabytes):
    tracemalloc.start()
    start = time.monotonic()
    try:
        yield
        assert time.monotonic() - start < seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * MB
    finally:
        tracemalloc.stop()


def zipped(members, way=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", way) as opened:
        for name, member in members.items():
            opened.writestr(name, member)
    return file.getvalue()


def figure(facts=FACTS):
    heat, table = {"heat": np.ones(2)}, {"x": [1], "y": ["a"]}
    return Figure("", (), facts, arrays=heat, table=table, bundle={"a.txt": b""})


# ------------------------------------------------------------ facts


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"<svg>", b"<rdf:li>{"),
        (b"<html>", b'<script type="application/json" id="explain-facts">{'),
        (b"# explain: ", b"{}}"),
        (b"%PDF", b"/Keywords ({"),
        (b"%PDF/Keywords ({", b"\\("),
        (b"\x89PNG\r\n\x1a\n", b"\0\0\0\0tEXt\0\0\0\0"),
    ],
    ids=["svg", "html", "csv", "pdf", "pdf escapes", "png"],
)
def test_unfinished_facts_are_given_up_at_once(start, again):
    with at_most(5, 60), pytest.raises(BadFile, match="No facts"):
        read_facts(start + again * (3 * MB // len(again)))


@pytest.mark.parametrize("way", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packed_facts_are_unpacked_to_their_bound(way):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": f"<U{50 * MB}", "fortran_order": False, "shape": ()})
    for member in ({"facts.json": bytes(200 * MB)}, {"facts.npy": header.getvalue() + bytes(200 * MB)}):
        bomb = zipped(member, way)
        assert len(bomb) < MB
        with at_most(20, 120), pytest.raises(BadFile, match="No facts"):
            read_facts(bomb)


def test_an_ending_says_which_facts_are_looked_for():
    for kind in figure().formats:
        file = figure().encode(kind)
        assert read_facts(file, f"x.{kind}") == read_facts(file) == FACTS
        assert read_facts(file, "x.dat") == FACTS
        for other in {"png", "pdf", "csv", "parquet"} - {kind}:
            with pytest.raises(BadFile, match="No facts"):
                read_facts(file, f"x.{other}")


def test_facts_that_would_not_be_read_are_not_saved():
    most = figure({"a": "x" * (MOST_FACTS - 9)})
    for kind in most.formats:
        assert read_facts(most.encode(kind)) == most.facts, kind
    with pytest.raises(BadValue, match="facts"):
        figure({"a": "x" * (MOST_FACTS - 8)}).encode("zip")


def test_facts_that_another_program_packed_are_read():
    text = json.dumps(FACTS).encode()
    for kind, body in ((b"tEXt", text), (b"zTXt", b"\0" + zlib.compress(text))):
        assert read_facts(png(chunk(kind, b"explain\0" + body))) == FACTS


def test_a_large_file_is_refused_unread(monkeypatch):
    from explain.ui import dropped

    class Large:
        name, size = "x.png", 21 * MB

        def getvalue(self):
            raise AssertionError("it was read")

    state = type("State", (dict,), {"__getattr__": dict.__getitem__, "__setattr__": dict.__setitem__})
    state = state(turn=0, upload0=Large())
    monkeypatch.setattr(dropped.st, "session_state", state)
    dropped._take_upload("upload0")
    assert "21 MB" in str(state["refused"])
    assert state["turn"] == 1
    state["upload0"] = None  # a run that another one overtakes hears of it twice, and it is let go of by then
    dropped._take_upload("upload0")
    assert state["turn"] == 1


# ------------------------------------------------------------ pictures


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(more=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(72)))
    return b"\x89PNG\r\n\x1a\n" + header + more + body + chunk(b"IEND", b"")


def scans(count):
    """A progressive JPEG whose last scan comes many times."""
    file = io.BytesIO()
    Image.new("L", (64, 64), 90).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * count + b"\xff\xd9"


def test_pictures_of_many_parts():
    gif = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0)
    bmp = b"BM" + struct.pack("<IHHI", 0, 0, 0, 1078) + struct.pack("<IiiHHIIiiII", 40, 9, 9, 1, 8, 1, 0, 0, 0, 256, 0)
    files = {
        "chunks": png(chunk(b"abCd", b"") * 30_000),
        "markers": b"\xff\xd8" + b"\xff\xfe\0\2" * 30_000,
        "filling": b"\xff\xd8" + b"\xff" * 30_000,
        "stray": b"\xff\xd8\xff\xfe\0\2" + b"a" * 30_000,
        "scans": scans(200),
        "blocks": gif + b"!\xfe\1a\0" * 500_000,
        "stray blocks": gif + b"\1" * 500_000,
        "runs": bmp + bytes(3 * MB),
    }
    for name, file in files.items():
        with at_most(10, 60), pytest.raises(BadFile, match=r"parts|in runs"):
            decode(file, name)


def test_pictures_of_some_parts_are_opened():
    file = io.BytesIO()
    Image.new("RGB", (3000, 2000)).save(file, "GIF")
    for one in (png(chunk(b"abCd", b"") * 100), scans(20), file.getvalue()):
        assert decode(one, "some").size[0] > 0


# ------------------------------------------------------------ ZIPs


def of_entries(count):
    """A ZIP whose one entry stands many times in its directory."""
    whole = zipped({"a.png": b""}, zipfile.ZIP_STORED)
    start, end = whole.rindex(b"PK\1\2"), whole.rindex(b"PK\5\6")
    record = bytearray(whole[end:])
    struct.pack_into("<HHI", record, 8, 0xFFFF, 0xFFFF, (end - start) * count)
    return whole[:start] + whole[start:end] * count + bytes(record)


def test_a_directory_is_read_up_to_a_bound():
    with archive.opened(of_entries(1000)) as opened:
        assert len(opened.infolist()) == 1000
    many = of_entries(400_000)
    with at_most(20, 120), pytest.raises(BadFile, match="list of files"):
        picture_sets.unpack(io.BytesIO(many), "many.zip")


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_packed_in_ways_without_a_bound_are_not_read(way, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    bomb = zipped({"a/1.png": bytes(200 * MB), "b/1.png": png()}, way)
    with at_most(20, 60), pytest.raises(BadFile, match="deflate"):
        picture_sets.unpack(io.BytesIO(bomb), "bomb.zip")


def test_a_table_in_a_zip_is_no_larger_than_a_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    rows = pyarrow.array([0] * 300_000)
    table = pyarrow.table({"path": pyarrow.array(["1.png" * 500]).take(rows), "label": pyarrow.array(["x"]).take(rows)})
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    few = io.BytesIO()
    parquet.write_table(table.slice(0, 150_000), few, compression="zstd")
    text = b"path,label\n" + b"1.png,x\n" * (4 * MB)
    tables = {"t.csv": text, "t.parquet": file.getvalue(), "u.parquet": few.getvalue()}
    for name, one in tables.items():
        bomb = zipped({"1.png": png(), name: one})
        assert len(bomb) < MB
        with at_most(20, 120), pytest.raises(BadFile, match=r"20 M|200,000 rows"):
            picture_sets.unpack(io.BytesIO(bomb), "bomb.zip")


def test_a_table_of_many_columns(tmp_path):
    for name, text in (("names.csv", ",".join(map(str, range(20_000)))), ("empty.csv", "," * MB)):
        (tmp_path / name).write_text(f"{text}\n{text}\n")
        with pytest.raises(BadFile, match="columns"):
            read_columns(tmp_path / name)


# ------------------------------------------------------------ checkpoints


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def test_a_checkpoint_that_is_compressed_is_not_loaded(tmp_path):
    whole = zipfile.ZipFile(io.BytesIO(saved({"weight": torch.zeros(4, 4)})))
    members = {one.filename: whole.read(one) for one in whole.infolist()}
    (tmp_path / "plain.pth").write_bytes(zipped(members, zipfile.ZIP_STORED))
    assert read_weights(tmp_path / "plain.pth")["weight"].shape == (4, 4)
    (tmp_path / "packed.pth").write_bytes(zipped(members))
    with pytest.raises(BadFile, match="compressed"):
        read_weights(tmp_path / "packed.pth")


@pytest.mark.timeout(60)
def test_dictionaries_within_each_other_are_looked_into_once(tmp_path):
    content = {"x": 1}
    for _ in range(4):
        content = {str(k): content for k in range(600)}
    (tmp_path / "deep.pth").write_bytes(saved(content))
    with pytest.raises(BadFile):
        read_weights(tmp_path / "deep.pth")


def test_a_header_of_safetensors_has_a_bound(tmp_path):
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps(dict.fromkeys(map(str, range(200_000)), empty)).encode()
    (tmp_path / "many.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(BadFile, match="header"):
        read_weights(tmp_path / "many.safetensors")


def endless():
    """A state dict whose key is a tuple of the same tuple twice, forty times over: its hash is never done."""
    key = b")" + b"".join(b"q%ch%c\x86" % (k, k) for k in range(1, 41))
    return zipped({"a/data.pkl": b"\x80\x02}" + key + b"K\1s.", "a/version": b"3\n"}, zipfile.ZIP_STORED)


@pytest.mark.timeout(120)
def test_a_pickle_without_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(kept_models, "SECONDS", 15)
    with pytest.raises(BadFile, match="longer than 15 seconds"):
        kept_models.keep_model(endless(), "w.pth", "lenet", "endless")
    assert not kept_models.list_kept_models()


@pytest.mark.timeout(120)
def test_a_pickle_that_asks_for_memory_gets_none_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))

    class Greedy:
        def __reduce__(self):
            return bytearray, (8 << 30,)

    greedy = zipped({"a/data.pkl": pickle.dumps({"w": Greedy()}, 2), "a/version": b"3\n"}, zipfile.ZIP_STORED)
    with pytest.raises(BadFile):
        kept_models.keep_model(greedy, "w.pth", "lenet", "greedy")


def test_a_checkpoint_that_is_handed_in_keeps_its_notes(tmp_path, monkeypatch, lenet):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    with lenet.exclusive() as net:
        state = {key: value.clone() for key, value in net.state_dict().items()}
    state = {f"module.{key}": value for key, value in state.items()}
    content = saved({"epoch": 1, "model": state, "model_ema": {key: value + 1 for key, value in state.items()}})
    model = kept_models.keep_model(content, "w.pth", "lenet", "mine")
    assert any("under 'model'" in note for note in model.about["notes"])
    with model.exclusive() as net:
        assert all(torch.equal(value, state[f"module.{key}"]) for key, value in net.state_dict().items())


# ------------------------------------------------------------ other files


@pytest.mark.timeout(60)
def test_an_unknown_name_of_any_length_is_told():
    names = ["ab" * 50_000 + str(k) for k in range(10)]
    with at_most(10, 60):
        assert len(str(Unknown("column", "ba" * 50_000, names))) < 4000


def test_labels_that_only_look_like_numbers():
    for texts in (["--5", "1"], ["1" * 5000, "2"]):
        assert labels_of(texts)[1] == tuple(sorted(texts))


@pytest.mark.parametrize("text", ["a." * 100_000 + "a = 1", "a = " + "[" * 100_000], ids=["dots", "lists"])
def test_a_project_file_of_any_depth(text, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_PROJECT", str(tmp_path))
    (tmp_path / "explain.toml").write_text(text)
    with pytest.raises(BadFile):
        project()
    (tmp_path / "explain.toml").rename(tmp_path / "pyproject.toml")  # somebody else's to read
    assert not project().models


def test_a_damaged_arrow_file_does_not_end_the_process(tmp_path):
    bodies = [png(), png()]
    file = io.BytesIO()
    with pyarrow.ipc.new_file(file, pyarrow.schema({"image": pyarrow.binary()})) as opened:
        opened.write_table(pyarrow.table({"image": bodies}))
    size = len(bodies[0])
    (tmp_path / "good.arrow").write_bytes(file.getvalue())
    assert content(load(tmp_path / "good.arrow").files[1]) == bodies[1]
    bad = file.getvalue().replace(struct.pack("<iii", 0, size, 2 * size), struct.pack("<iii", 0, 2**30, 2**30 + 9))
    assert bad != file.getvalue()
    (tmp_path / "bad.arrow").write_bytes(bad)
    with pytest.raises(BadFile):
        content(load(tmp_path / "bad.arrow").files[0])
