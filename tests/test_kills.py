"""kill -9 at any moment: what was finished is there, what is there is whole, and the work is done anew.

EXPLAIN_KILLS says how many of each kind (by default 20); with -s the kills that fell into work are printed.
"""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import explain
from explain import store
from explain.index import open_index
from explain.views import VIEWS
from explain.views.embedding import kept_name
from explain.workspace import picture_sets, root, uploads
from explain.workspace.kept import Kept
from explain.workspace.report import Entry, Report, rebuild, write_report

pytestmark = pytest.mark.exhaustive
KILLS = int(os.environ.get("EXPLAIN_KILLS", "20"))
TESTS = Path(__file__).parent
WORKER = """
import sys
sys.path[:0] = [{tests!r}, {above!r}]
import test_kills
print("ready", flush=True)
sys.stdin.readline()
while True:
    test_kills.{work}(test_kills.Path({place!r}))
    print("done", flush=True)
"""


def killed(work, place: Path, check) -> None:
    """Kill a process that does this work again and again, at a moment drawn from what it takes; look at what is there
    in this one, and let a new one begin."""
    draw, fell, takes = random.Random(0), 0, 0.5
    for _ in range(KILLS):
        script = WORKER.format(tests=str(TESTS), above=str(TESTS.parent), work=work.__name__, place=str(place))
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert process.stdout.readline() == "ready\n"
        begun = time.monotonic()
        process.stdin.write("go\n")
        process.stdin.flush()
        os.set_blocking(process.stdout.fileno(), False)
        time.sleep(draw.uniform(0.02, 2 * takes))
        process.send_signal(signal.SIGKILL)
        process.wait()
        ended = (process.stdout.read() or "").count("done")
        takes = (takes + (time.monotonic() - begun) / (ended + 0.5)) / 2
        fell += 1  # it never rests between two pieces of work
        check(place)
        process.stdin.close()
        process.stdout.close()
    print(f"\n{work.__name__}: {fell} kills fell into work of about {takes:.2f} s")


def lenet():
    return explain.load_model("lenet-fashion-mnist")


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


# ------------------------------------------------------------ what is done


def upload(place: Path) -> None:
    rng = np.random.default_rng(int.from_bytes(os.urandom(4), "little"))
    pixels = rng.integers(0, 256, (400, 500, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    uploads.keep_upload(file.getvalue(), "noise.png")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for k in range(30):
            archive.writestr(f"{'ab'[k % 2]}/{k}.png", file.getvalue())
    picture_sets.unpack(io.BytesIO(packed.getvalue()), "set.zip")


def report(place: Path) -> None:
    """The same report twice: of one figure, then of three."""
    model = lenet()
    figures = [explain.saliency(model, explain.open_picture(f"fashion-mnist/{k}"), "gradient").figure() for k in (1, 2)]
    for count in (1, 3):
        entries = [Entry(figures[k % 2], f"{count} in all", f"map {k}") for k in range(count)]
        write_report(Report(f"{count} figures", entries), place / "report")
        write_report(Report(f"{count} figures", entries), place / "report.zip")


def embedding(place: Path) -> None:
    mapped(open_index(place / "index", lenet()), int.from_bytes(os.urandom(1), "little") % 4, Kept())


def mapped(index, seed, kept=None):
    return VIEWS["embedding"](index=index, method="tsne", iterations=60, perplexity=5, seed=seed, kept=kept)


# ------------------------------------------------------------ what is there afterwards


def test_uploads(workspace):
    def check(_):
        for path in (root() / "uploads").glob("*"):
            if not path.name.startswith(".") and not path.name.endswith(store.SUFFIX):
                assert store.sha256(path.read_bytes()) == path.name
                assert uploads.open_upload(f"upload/{path.name}").size == (500, 400)
        for reference, found in picture_sets.found().items():
            images = picture_sets.images_of(reference)
            assert (len(images), found.classes) == (30, {"a": 15, "b": 15})
            assert {images[k].size for k in range(30)} == {(500, 400)}

    killed(upload, workspace, check)
    assert list(picture_sets.found()), "some were finished"


def test_reports(workspace):
    def check(place):
        if (place / "report.zip").exists():
            with zipfile.ZipFile(place / "report.zip") as archive:
                assert archive.testzip() is None
                whole(archive.namelist(), archive.read)
        if (place / "report").exists():
            names = [path.relative_to(place / "report").as_posix() for path in (place / "report").rglob("*")]
            whole(names, lambda name: (place / "report" / name).read_bytes())

    def whole(names, read):
        said = json.loads(read("report.json"))
        assert len(said["entries"]) in (1, 3)
        page = read("index.html").decode()
        for name in page.split('src="')[1:]:
            assert name.partition('"')[0] in names, "every picture that a page names is there"

    killed(report, workspace, check)
    report(workspace)  # over what the last has left
    check(workspace)
    again = rebuild(workspace / "report" / "report.json")
    assert f"{len(again.entries)} figures" == again.title


def test_embeddings(workspace):
    index = explain.build_index(lenet(), explain.load_images("fashion-mnist", 300), out=workspace / "index")
    wanted = [mapped(index, seed) for seed in range(4)]
    seen = set()

    def check(_):
        files = {path.name for path in (root() / "kept").glob("*") if not path.name.endswith(store.SUFFIX)}
        before = {name: (root() / "kept" / name).stat().st_ino for name in files}
        for seed, one in enumerate(wanted):
            options = {"iterations": 60, "perplexity": 5, "seed": seed}
            name = kept_name({"index": index, "method": "tsne", "options": options})
            if name in files:
                seen.add(name)
                found = mapped(index, options["seed"], Kept())
                assert np.array_equal(found.points, one.points)
                assert (root() / "kept" / name).stat().st_ino == before[name], "it was read, and not made again"

    killed(embedding, workspace, check)
    assert seen, "some were finished"
