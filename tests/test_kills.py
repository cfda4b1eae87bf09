"""kill -9 of the server while it works for a visitor, at moments drawn by a seed, again and again on one workspace.

Each new server is asked as by a browser: what was finished is there and as it was, nothing half-written is shown, and
what was interrupted is begun anew or gone on with, until it equals what was made undisturbed.
EXPLAIN_KILLS says how many kills have to fall into each kind of work (by default 3); with -s it is said how many did.
"""

import asyncio
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlencode

import numpy as np
import pytest
from PIL import Image
from streamlit.proto.WidgetStates_pb2 import WidgetState

import explain
from explain import store
from explain.projections.projection import PROJECTIONS
from explain.training import read_run
from explain.views import VIEWS
from explain.views.embedding import kept_name
from explain.workspace import indexes, picture_sets, reports, root, runs, uploads
from explain.workspace.kept import Kept
from explain.workspace.report import Entry, Report

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))
from visitor import Visitor  # noqa: E402

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="servers are forked"),
]
VIEW = VIEWS["embedding"]
KILLS = int(os.environ.get("EXPLAIN_KILLS", "3"))
LOOK = 0.1  # seconds between looks at work
PATIENCE = 1200.0  # for a piece of it, on a machine that others use
# `explain serve` again and again, each in a process group of its own; what takes long to import is imported once.
SERVERS = """
import os, signal, sys
sys.path.insert(0, {root!r})
import explain, sklearn.manifold, streamlit.web.bootstrap, streamlit.web.server.starlette, timm, torch, torchvision
from explain.cli import main
from explain.views import VIEWS
list(map(VIEWS.__getitem__, VIEWS))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the killed are nobody's
print("ready", flush=True)
for port in sys.stdin:
    if (server := os.fork()) == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        sys.stdin = open(os.devnull)
        log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1), os.dup2(log, 2)
        os._exit(main(["serve", "--port", port.strip()]))
    print(server, flush=True)
"""


@pytest.fixture
def servers(tmp_path, monkeypatch):
    """Start a server on a workspace that all of them share; (process, port) once it is healthy."""
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    log, begun = tmp_path / "log", []
    script = SERVERS.format(root=str(ROOT), log=str(log))
    told = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1, "cwd": ROOT}
    with subprocess.Popen([sys.executable, "-c", script], **told) as parent:
        assert parent.stdout.readline() == "ready\n"

        def start() -> tuple[int, int]:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            parent.stdin.write(f"{port}\n")
            begun.append(int(parent.stdout.readline()))
            deadline = time.monotonic() + PATIENCE
            while not healthy(port):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            return begun[-1], port

        yield start
        for server in begun[-1:]:
            end(server)
        parent.stdin.close()


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
            return answer.read() == b"ok"
    except OSError:
        return False


def end(server: int) -> None:
    """The server and all that its jobs run in, at once."""
    try:
        os.killpg(server, signal.SIGKILL)
    except ProcessLookupError:
        return


class Work:
    """What a visitor asks for again and again, and what has come of it, by name."""

    def __init__(self) -> None:
        self.draw = random.Random(0)
        self.finished: dict[str, str] = {}  # a digest of all that there is of it
        self.said: dict[str, str] = {}  # what its page has said

    async def piece(self, visitor: Visitor) -> str:
        """Have the next piece done; its name, once the page has it."""
        raise NotImplementedError

    def is_at_work(self, visitor: Visitor) -> bool:
        """Whether the server has said last that it is at it."""
        return bool(visitor.shown("progress"))

    def known(self) -> set[str]:
        """What is on the disk as finished."""
        raise NotImplementedError

    def content(self, name: str) -> str:
        """Digest of all that there is of something finished; fails where it is not whole."""
        raise NotImplementedError

    async def look(self, visitor: Visitor, name: str) -> str:
        """Have something finished shown, as whoever comes back has it; words that are always the same."""
        raise NotImplementedError

    async def look_at_unfinished(self, visitor: Visitor) -> None:
        """See that the page of what was interrupted shows nothing of it."""

    def compare(self) -> None:
        """With what is made undisturbed."""


async def killed(work: Work, start) -> None:
    """Kill the server until so many kills have fallen into work; then let it finish."""
    draw, kills, fell, takes = random.Random(1), 0, 0, []
    while True:
        server, port = start()
        try:
            async with Visitor(port) as visitor:
                await asyncio.wait_for(looked(work, visitor), PATIENCE)
                if not takes or fell >= KILLS:  # the first shows what it takes; the last goes on with what was left
                    await asyncio.wait_for(done(work, visitor, takes), PATIENCE)
                if fell >= KILLS:
                    await asyncio.wait_for(looked(work, visitor, len(work.finished)), PATIENCE)
                    break
                goes_on = asyncio.create_task(again_and_again(work, visitor, takes))
                await asyncio.wait({goes_on}, timeout=draw.uniform(0, 1.5 * sum(takes) / len(takes)))
                at_work = work.is_at_work(visitor)
                end(server)
                if goes_on.done():
                    goes_on.result()  # raises
                goes_on.cancel()
                await asyncio.wait({goes_on})
                kills, fell = kills + 1, fell + (at_work and work.known() <= set(work.finished))
                print(f"\r{type(work).__name__}: {fell} of {kills} kills fell into work", end="", flush=True)
        finally:
            end(server)
    work.compare()
    print(f", {len(takes)} pieces took {sum(takes) / len(takes):.1f} s each")


async def done(work: Work, visitor: Visitor, takes: list[float]) -> None:
    begun = time.monotonic()
    name = await work.piece(visitor)
    takes.append(time.monotonic() - begun)
    assert not visitor.wrong
    work.finished[name] = work.content(name)


async def again_and_again(work: Work, visitor: Visitor, takes: list[float]) -> None:
    while True:
        await done(work, visitor, takes)


async def looked(work: Work, visitor: Visitor, count: int = 2) -> None:
    """At all that is on the disk, and so many pages."""
    found = work.known()
    assert set(work.finished) <= found, "what was finished is there"
    for name in found - set(work.finished):  # at the very end, when no page had it yet
        work.finished[name] = work.content(name)
    for name in work.draw.sample(sorted(work.finished), min(count, len(work.finished))):
        assert work.content(name) == work.finished[name], "and as it was"
        said = await work.look(visitor, name)
        assert not visitor.wrong
        assert work.said.setdefault(name, said) == said
    await work.look_at_unfinished(visitor)
    assert not visitor.wrong


async def begun(visitor: Visitor) -> None:
    """What the page offers to begin, to its end."""
    if visitor.offers("begin-"):  # as it does where it was opened by its address alone
        await visitor.click("begin-")
    while visitor.shown("progress"):
        await asyncio.sleep(LOOK)
        await visitor.look_again()


def digest(folder: Path) -> str:
    """Of the names and the content of all files, but for those that are being written, and locks."""
    files = {path.relative_to(folder).as_posix(): store.sha256(path) for path in folder.rglob("*") if path.is_file()}
    return store.sha256(repr(sorted(one for one in files.items() if not one[0].endswith(".lock"))).encode())


def pictures(count: int, seed: int) -> bytes:
    """A ZIP of two classes of noise."""
    packed, rng = io.BytesIO(), np.random.default_rng(seed)
    with zipfile.ZipFile(packed, "w") as archive:
        for k in range(count):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(file, "PNG", compress_level=1)
            archive.writestr(f"{'ab'[k % 2]}/{k}.png", file.getvalue())
    return packed.getvalue()


# ------------------------------------------------------------ indexes


class Indexes(Work):
    """Of three networks over sets that were handed in."""

    NETWORKS, SETS, COUNT = ("lenet-fashion-mnist", "edges-fashion-mnist", "small-resnet-fashion-mnist"), 8, 1200

    def __init__(self) -> None:
        super().__init__()
        self.models = {name: explain.load_model(name) for name in self.NETWORKS}
        self.sets = [picture_sets.unpack(io.BytesIO(pictures(self.COUNT, k)), f"set{k}") for k in range(self.SETS)]
        self.names = [f"{network} {one.name}" for one in self.sets for network in self.NETWORKS]

    def next(self) -> str:
        return next((name for name in self.names if name not in self.finished), "")

    def address(self, name: str) -> tuple[str, str]:
        model, index = name.split()
        return "layers", urlencode({"model": model, "index": index, "section": "patches"})

    async def piece(self, visitor: Visitor) -> str:
        name = self.next()
        if not name:  # all there are: the oldest is made again
            name = next(iter(self.finished))
            shutil.rmtree(self.folder(name))
            del self.finished[name], self.said[name]
        await visitor.ask(*self.address(name))
        await begun(visitor)
        return name

    def known(self) -> set[str]:
        return {f"{model} {name}" for model in self.NETWORKS for name in indexes.list_indexes(self.models[model])}

    def folder(self, name: str) -> Path:
        model, index = name.split()
        return indexes.list_indexes(self.models[model])[index]

    def content(self, name: str) -> str:
        assert len(explain.open_index(self.folder(name), self.models[name.split()[0]])) == self.COUNT
        return digest(self.folder(name))

    async def look(self, visitor: Visitor, name: str) -> str:
        await visitor.ask(*self.address(name))
        assert f"{self.COUNT:,} pictures" in visitor.said
        assert not visitor.offers("begin-")
        return visitor.said

    async def look_at_unfinished(self, visitor: Visitor) -> None:
        if name := self.next():
            await visitor.ask(*self.address(name))
            assert visitor.offers("begin-index")
            assert f"{self.COUNT:,} pictures" not in visitor.said

    def compare(self) -> None:
        for name in self.finished:
            model, index = self.models[name.split()[0]], explain.open_index(self.folder(name))
            whole = explain.build_index(model, index.images, out=root() / "whole")
            assert answers(index) == answers(whole), name
            shutil.rmtree(root() / "whole")


def answers(index):
    found = [index.features.tolist(), index.predictions.tolist(), index.labels.tolist(), list(index.images.files)]
    for layer in index.layers:
        summary = index.summary(layer)
        found += [[one.image.tolist(), one.row.tolist(), one.column.tolist()] for one in summary.ranked.values()]
        found.append([summary.counts.tolist(), summary.silent.tolist(), summary.members.tolist()])
    return found


def test_indexes(servers):
    asyncio.run(killed(Indexes(), servers))


# ------------------------------------------------------------ trainings


class Trainings(Work):
    """Of one recipe with one seed, so that all come out alike."""

    EPOCHS, COUNT = 3, 1000

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, int] = {}  # epochs that were said to be over

    def of_run(self, name: str) -> tuple[str, str]:
        return "train", urlencode({"trainings": "runs", VIEWS["training_curves"].key("runs"): name})

    async def piece(self, visitor: Visitor) -> str:
        left = sorted(set(self.all()) - self.known())
        assert len(left) < 2, "one at a time"
        if left:
            await visitor.ask(*self.of_run(left[0]))
            await visitor.click("resume")
        else:
            asked = {"recipe": "lenet-fashion-mnist", "trainings": "new"}
            asked |= {f"lenet-fashion-mnist.{key}": value for key, value in
                      {"epochs": self.EPOCHS, "data": "fashion-mnist", "limit": self.COUNT}.items()}  # fmt: skip
            await visitor.ask("train", urlencode(asked))
            await visitor.click("start")
            left = sorted(set(self.all()) - set(self.finished))
        while visitor.shown("progress"):
            await asyncio.sleep(LOOK)
            await visitor.look_again()
            self.told[left[0]] = max(self.told.get(left[0], 0), len(re.findall(r"^epoch \d+:", visitor.said, re.M)))
        assert not visitor.offers("resume")
        return left[0]

    def all(self) -> dict[str, Path]:
        return explain.workspace.list_runs()

    def known(self) -> set[str]:
        return {name for name, folder in self.all().items() if runs.state(folder) == "done"}

    def content(self, name: str) -> str:
        folder = self.all()[name]
        assert len(read_run(folder)["history"]) == self.EPOCHS
        assert explain.load_model(name).digest
        return digest(folder)

    async def look(self, visitor: Visitor, name: str) -> str:
        await visitor.ask(*self.of_run(name))
        assert not visitor.offers("resume")
        assert visitor.offers("use")
        return ""  # it lists all runs

    async def look_at_unfinished(self, visitor: Visitor) -> None:
        for name in set(self.all()) - self.known():
            assert len(read_run(self.all()[name])["history"]) >= self.told.get(name, 0), "no epoch is lost"
            await visitor.ask(*self.of_run(name))
            assert visitor.offers("resume")
            assert not visitor.offers("use")

    def compare(self) -> None:
        """The first was not disturbed."""
        assert len({explain.load_model(name).digest for name in self.finished}) == 1
        assert len(self.finished) > 1


def test_trainings(servers):
    asyncio.run(killed(Trainings(), servers))


# ------------------------------------------------------------ uploads


class Uploads(Work):
    """A picture, and a ZIP of pictures, in turn."""

    COUNT, SIZE = 600, (1500, 1200)

    def __init__(self) -> None:
        super().__init__()
        self.sending, self.turn = False, 0
        self.sent: dict[str, int] = {}
        file = io.BytesIO()
        noise = np.random.default_rng(0).integers(0, 256, (*self.SIZE[::-1], 3), np.uint8)
        Image.fromarray(noise).save(file, "PNG", compress_level=0)
        self.picture, self.zip = file.getvalue(), pictures(self.COUNT, 0)

    def given(self, turn: int) -> bytes:
        """Another file each time: what follows its end is no part of the picture, nor of the ZIP's pictures."""
        if turn % 2:
            return self.picture + turn.to_bytes(4, "big")
        return self.zip[:-2] + (4).to_bytes(2, "little") + turn.to_bytes(4, "big")  # its comment

    async def piece(self, visitor: Visitor) -> str:
        self.turn += 1
        content, told = self.given(self.turn), urlencode({"model": "lenet-fashion-mnist"})
        if self.turn % 2:
            name = f"upload/{store.sha256(content)}"
            self.sent[name] = self.turn
            await visitor.ask("", told)
            self.sending = True
            await visitor.again(await visitor.upload("upload", "noise.png", content))
            assert name in unquote(visitor.query)
        else:
            name = f"zip/{store.sha256(content)[:16]}"
            self.sent[name] = self.turn
            await visitor.ask("models", told)
            self.sending = True
            given = await visitor.upload("pictures", f"set{self.turn}.zip", content)
            (keep,) = (one for one in visitor.shown("button") if one.label == "Keep them")
            await visitor.again(given, WidgetState(id=keep.id, trigger_value=True))
            assert "are kept" in visitor.said
        self.sending = False
        return name

    def is_at_work(self, visitor: Visitor) -> bool:
        at_work, self.sending = self.sending, False
        return at_work

    def known(self) -> set[str]:
        files = [path.name for path in (root() / "uploads").glob("*")]
        kept = [f"upload/{name}" for name in files if not name.startswith(".") and not name.endswith(store.SUFFIX)]
        return {*kept, *picture_sets.found()}

    def content(self, name: str) -> str:
        if name.startswith("upload/"):
            assert (root() / "uploads" / name.partition("/")[2]).read_bytes() == self.given(self.sent[name])
            return name
        images = picture_sets.images_of(name)
        assert (len(images), picture_sets.found()[name].classes) == (self.COUNT, dict.fromkeys("ab", self.COUNT // 2))
        return digest(picture_sets.opened(name).parent)

    async def look(self, visitor: Visitor, name: str) -> str:
        told = {"model": "lenet-fashion-mnist"}
        if name.startswith("upload/"):
            await visitor.ask("", urlencode({**told, "picture": name}))
            assert visitor.shown("imgs")
            return visitor.said
        await visitor.ask("models", urlencode(told))
        assert f"set{self.sent[name]} ·" in visitor.said
        return ""  # what else is there changes

    async def look_at_unfinished(self, visitor: Visitor) -> None:
        """Whatever set the page offers is one of those that are whole."""
        await visitor.ask("models", urlencode({"model": "lenet-fashion-mnist"}))
        offered = {int(turn) for turn in re.findall(r"^Look through set(\d+) ", visitor.said, re.M)}
        assert offered <= {self.sent[name] for name in self.finished}
        for name in set(self.sent) - set(self.finished):
            if name.startswith("upload/"):
                async with Visitor(visitor.port) as other:
                    await other.ask("", urlencode({"model": "lenet-fashion-mnist", "picture": name}))
                    assert "is no longer kept" in " ".join(other.wrong)
                return

    def compare(self) -> None:
        with zipfile.ZipFile(io.BytesIO(self.zip)) as archive:
            sent = {store.sha256(archive.read(one)) for one in archive.namelist()}
        for name in self.finished:
            if name.startswith("upload/"):
                assert uploads.open_upload(name).size == self.SIZE
            else:
                images = picture_sets.images_of(name)
                assert {store.sha256(images.encoded(k)) for k in range(len(images))} == sent


def test_uploads(servers):
    asyncio.run(killed(Uploads(), servers))


# ------------------------------------------------------------ reports


class Reports(Work):
    """Three figures collected and downloaded, in a visit of its own each."""

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.collecting = 1, False
        self.told: dict[str, int] = {}  # how many figures the page had said to be in the report
        self.downloaded: dict[str, bytes] = {}

    def wanted(self, name: str) -> list[str]:
        """The pictures of its figures."""
        return [f"fashion-mnist/{10 * int(name) + k}" for k in range(3)]

    async def piece(self, _: Visitor) -> str:
        name = str(self.turn)
        async with Visitor(_.port) as visitor:
            await visitor.ask("report")
            self.collecting = True
            await self.at_work_with(visitor, name)
            told = self.told.get(name, 0)  # none where it was killed before the page had said the first
            assert len(visitor.shown("text_area")) >= told
            for picture in self.wanted(name)[len(visitor.shown("text_area")) :]:
                told = {"model": "lenet-fashion-mnist", "picture": picture, "saliency.method": "gradient"}
                await visitor.ask("saliency", urlencode(told))
                await visitor.click("collect-saliency")
                assert "The report has" in visitor.said
                self.told[name] = self.told.get(name, 0) + 1
            await visitor.ask("report")
            await self.drawn(visitor)
            self.downloaded[name] = await visitor.download("Download the report")
        self.collecting = False
        self.turn += 1
        return name

    async def at_work_with(self, visitor: Visitor, name: str) -> None:
        """Have this report on the page, which is the latest that was changed, or begin it."""
        kept = self.kept().get(name)
        if kept is None and visitor.shown("text_area"):
            await visitor.click("begin")
        elif kept is not None and visitor.offers(f"go-on-{kept}"):
            await visitor.click(f"go-on-{kept}")

    async def drawn(self, visitor: Visitor) -> None:
        """What another visit has collected is drawn for the download."""
        if visitor.offers("draw-all"):
            await visitor.click("draw-all")

    def is_at_work(self, _: Visitor) -> bool:
        at_work, self.collecting = self.collecting, False
        return at_work

    def kept(self) -> dict[str, str]:
        """What each is called on the disk; of two, the one with more figures."""
        found = sorted(reports.kept_reports().items(), key=lambda one: len(one[1].items))
        known = [(name, one.items[0].facts["image"]) for name, one in found if one.items]
        return {str(int(image.partition("/")[2]) // 10): name for name, image in known}

    def known(self) -> set[str]:
        return {name for name in self.kept() if name in self.downloaded}

    def content(self, name: str) -> str:
        kept = reports.kept_reports()[self.kept()[name]]
        assert [int(one.facts["image"].partition("/")[2]) for one in kept.items] == [
            int(picture.partition("/")[2]) for picture in self.wanted(name)
        ]
        return store.sha256(repr((kept.title, kept.items)).encode())

    async def look(self, visitor: Visitor, name: str) -> str:
        async with Visitor(visitor.port) as other:
            await other.ask("report")
            await self.at_work_with(other, name)
            assert not other.wrong
            await self.drawn(other)
            assert await other.download("Download the report") == self.downloaded[name]
            return "\n".join(one.default for one in other.shown("text_area"))

    async def look_at_unfinished(self, visitor: Visitor) -> None:
        await visitor.ask("report")
        if (name := str(self.turn)) in self.told:
            count = len(reports.kept_reports()[self.kept()[name]].items)
            assert count >= self.told[name], "what was collected is there"

    def compare(self) -> None:
        model = explain.load_model("lenet-fashion-mnist")
        for name in self.finished:
            figures = [
                explain.saliency(model, explain.open_picture(one), "gradient").figure() for one in self.wanted(name)
            ]
            with zipfile.ZipFile(io.BytesIO(self.downloaded[name])) as archive:
                assert archive.testzip() is None
                said = json.loads(archive.read("report.json"))
            entries = [
                Entry(figure, one["caption"], one["name"]) for figure, one in zip(figures, said["entries"], strict=True)
            ]
            assert Report(said["title"], entries).zipped() == self.downloaded[name]


def test_reports(servers):
    asyncio.run(killed(Reports(), servers))


# ------------------------------------------------------------ embeddings


class Embeddings(Work):
    """t-SNE of one index, with another seed each time."""

    def __init__(self) -> None:
        super().__init__()
        self.index = explain.build_index(explain.load_model("lenet-fashion-mnist"), "fashion-mnist", limit=400)
        self.seeds: dict[str, int] = {}
        self.name(0)

    def given(self, seed: int) -> dict:
        options = {**{name: one.default for name, one in PROJECTIONS["tsne"].options.items()}, "seed": seed}
        options |= {"iterations": 250, "perplexity": 5.0}
        given = {name: one.default for name, one in VIEW.parameters.items() if not one.required and name != "options"}
        return {**given, "index": self.index, "method": "tsne", "options": options}

    def name(self, seed: int) -> str:
        name = kept_name(self.given(seed))
        self.seeds[name] = seed
        return name

    def next(self) -> str:
        name = self.name(len(self.seeds) - 1)
        return self.name(len(self.seeds)) if name in self.finished else name

    def address(self, name: str) -> tuple[str, str]:
        keys = VIEW.keys(self.given(self.seeds[name]), {})
        asked = {"model": "lenet-fashion-mnist", "index": "fashion-mnist", **{key: one for key, one in keys.items() if
                 key.startswith(VIEW.key("method").partition(".")[0])}}  # fmt: skip
        return "pictures", urlencode(asked)

    async def piece(self, visitor: Visitor) -> str:
        name = self.next()
        await visitor.ask(*self.address(name))
        await begun(visitor)
        return name

    def known(self) -> set[str]:
        return {name for name in self.seeds if name in Kept()}

    def content(self, name: str) -> str:
        return store.sha256(Kept().get(name))

    async def look(self, visitor: Visitor, name: str) -> str:
        await visitor.ask(*self.address(name))
        assert not visitor.offers(f"begin-{name}")
        assert "rustworthiness" in visitor.said
        return visitor.said

    async def look_at_unfinished(self, visitor: Visitor) -> None:
        await visitor.ask(*self.address(self.next()))
        assert visitor.offers(f"begin-{self.next()}")

    def compare(self) -> None:
        for name in self.finished:
            given = self.given(self.seeds[name])
            made = VIEW(**VIEW.flat(given))
            kept = VIEW(**VIEW.flat(given), kept=Kept())
            assert np.array_equal(made.points, kept.points)


def test_embeddings(servers):
    asyncio.run(killed(Embeddings(), servers))
