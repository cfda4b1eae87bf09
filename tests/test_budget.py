"""budget: the workspace stays below its bytes; what can be made again gives way, what users made does not."""

import io
import os
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

import explain
from explain import store, workspace
from explain.errors import BadFile, BadValue, Unknown
from explain.workspace import budget, kept_models, model_names, picture_sets
from explain.workspace.folder import GRACE, within
from explain.workspace.kept import Kept

MB = 1 << 20


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(budget.LIMIT, "10 MB")
    return tmp_path / "home"


def noise(seed, side=600):
    """A picture of about a megabyte that no codec makes smaller."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


def age(path, seconds):
    for one in (*path.rglob("*"), path):
        os.utime(one, (0, time.time() - seconds))


def zipped(count, seed=0):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(count):
            archive.writestr(f"{'ab'[k % 2]}/{k}.png", noise(1000 * seed + k))
    file.seek(0)
    return file


def taken(home):
    """Bytes below the workspace, by a walk of our own."""
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())


def test_uploads_without_end_stay_below_the_limit(home):
    """The oldest that nobody uses go, each in its turn; the one just kept is always there."""
    references = []
    for k in range(20):
        references.append(workspace.keep_upload(noise(k), "a"))
        explain.open_picture(references[-1])
        assert taken(home) <= 10 * MB
        age(home / references[-1].replace("upload", "uploads"), GRACE + 1000 - k)
    here = [(home / one.replace("upload", "uploads")).exists() for one in references]
    assert here == sorted(here), "the oldest went first"
    assert 6 <= sum(here) <= 10


def test_what_is_in_use_stays(home):
    """Nobody's upload vanishes because of another's: what does not fit is refused instead, in one sentence."""
    with pytest.raises(budget.Full, match=r"workspace is full: it takes .* of 10 MB: uploaded pictures") as caught:
        for k in range(20):
            workspace.keep_upload(noise(k), "a")
    assert len(str(caught.value).splitlines()) == 1
    assert budget.LIMIT in str(caught.value)
    assert "Models and data" in str(caught.value)
    first = f"upload/{store.sha256(noise(0))}"
    assert explain.open_picture(first)
    assert taken(home) <= 10 * MB


def test_opening_renews(home):
    old, used = (workspace.keep_upload(noise(k), "a") for k in (0, 1))
    for one in (old, used):
        age(home / one.replace("upload", "uploads"), 2 * GRACE)
    explain.open_picture(used)
    for k in range(2, 10):
        workspace.keep_upload(noise(k), "a")
    assert explain.open_picture(used)
    with pytest.raises(BadFile, match="no longer kept"):
        explain.open_picture(old)


def test_what_users_made_is_not_removed(home, lenet):
    """Indexes, trainings, networks and picture sets fill the workspace: caches give way, they do not."""
    made = picture_sets.unpack(zipped(4), "mine.zip")
    index = workspace.build_index(lenet, "fashion-mnist", limit=20)
    store.write(home / "runs" / "r-1" / "run.json", "{}")
    store.write(home / "runs" / "r-1" / "checkpoint.pt", bytes(2 * MB))
    Kept().put("map", bytes(2 * MB))
    for path in (home / "zips", home / "indexes", home / "runs", home / "kept"):
        age(path, 2 * GRACE)
    with pytest.raises(budget.Full, match="checkpoint"):
        store.write(home / "runs" / "r-2" / "checkpoint.pt", bytes(6 * MB))
    assert "map" in Kept(), "nothing is removed for what does not fit anyway"
    age(home / "kept", 2 * GRACE)
    store.write(home / "runs" / "r-2" / "checkpoint.pt", bytes(3 * MB))
    assert "map" not in Kept()
    assert picture_sets.opened(made.reference).is_dir()
    assert len(explain.open_index(index.folder)) == 20
    assert (home / "runs" / "r-1" / "checkpoint.pt").stat().st_size == 2 * MB


def test_an_index_and_a_set_of_pictures_are_refused_too(home, lenet, monkeypatch):
    with pytest.raises(budget.Full):
        picture_sets.unpack(zipped(20), "large.zip")
    assert not picture_sets.found()
    assert taken(home) == 0, "what had been unpacked is gone"
    monkeypatch.setenv(budget.LIMIT, "50 KB")
    with pytest.raises(budget.Full):
        workspace.build_index(lenet, "fashion-mnist", limit=20)
    assert taken(home) < 100_000
    with pytest.raises(budget.Full):
        kept_models.keep_model(weights(lenet), "w.pt", "lenet?classes=10", "mine")
    assert not model_names.list_kept_models()
    assert not list((home / "models").glob("*")), "half a network is none"


def weights(model):
    import torch

    file = io.BytesIO()
    with model.exclusive() as net:
        torch.save(net.state_dict(), file)
    return file.getvalue()


def test_cards_have_room_where_nothing_else_has(home):
    """What became of a training that did not fit can still be written down; but not without end."""
    store.write(home / "runs" / "r" / "checkpoint.pt", bytes(10 * MB - 4096))
    store.write(home / "runs" / "r" / "run.json", "{}")
    with pytest.raises(budget.Full):
        store.write(home / "runs" / "r" / "weights", bytes(MB))
    store.write(home / "runs" / "r" / "run.json", '{"state": "failed"}')
    with pytest.raises(budget.Full):
        for k in range(10_000):
            workspace.keep_answers(f"visitor{k}", b"1,2\n")
    assert k < 100
    store.write(home / "runs" / "r" / "checkpoint.pt", bytes(MB))  # a smaller one in its place is welcome


def test_files_elsewhere_are_not_judged(home, tmp_path):
    store.write(tmp_path / "figure.png", bytes(20 * MB))
    store.write(home.parent / "home-of-mine" / "x", bytes(20 * MB))


def test_many_threads_do_not_pass_together(home):
    refused = []

    def put(k):
        try:
            Kept().put(f"one{k}", bytes(MB))
        except budget.Full as error:
            refused.append(error)

    threads = [threading.Thread(target=put, args=(k,)) for k in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken(home) <= 10 * MB
    assert len(refused) >= 20


def test_what_another_process_writes_is_seen(home, monkeypatch):
    monkeypatch.setattr(budget, "FRESH", 0.0)
    Kept().put("a", bytes(MB))
    (home / "runs" / "r").mkdir(parents=True)
    (home / "runs" / "r" / "checkpoint.pt").write_bytes(bytes(9 * MB))
    with pytest.raises(budget.Full):
        Kept().put("b", bytes(MB))


def test_the_limit(home, monkeypatch):
    for text, size in (
        ("20000", 20_000),
        ("500MB", 500 * MB),
        ("1.5 gb", 1536 * MB),
        ("2GiB", 2048 * MB),
        ("1K", 1024),
    ):
        monkeypatch.setenv(budget.LIMIT, text)
        assert budget.measure().limit == size
    for text in ("much", "-1", "1 PB", "1e9"):
        monkeypatch.setenv(budget.LIMIT, text)
        with pytest.raises(BadValue, match=budget.LIMIT) as caught:
            budget.measure()
        assert repr(text) in str(caught.value)
    monkeypatch.delenv(budget.LIMIT)
    monkeypatch.setattr(budget, "_free", lambda _: 6 * MB)
    Kept().put("a", bytes(2 * MB))
    assert budget.measure().limit == 4 * MB, "half of what it has and the disk could give"
    with pytest.raises(budget.Full):
        Kept().put("b", bytes(3 * MB))


def test_what_it_says_is_what_is_there(home, lenet):
    workspace.keep_upload(noise(0), "a")
    picture_sets.unpack(zipped(3), "mine.zip")
    Kept().put("map", bytes(MB))
    usage = budget.measure()
    assert sum(usage.by_kind.values()) == usage.bytes
    assert 0 <= usage.bytes - taken(home) <= 4096 * sum(path.is_file() for path in home.rglob("*"))
    assert {kind.folder for kind in usage.by_kind} == {"uploads", "zips", "kept"}
    assert [item.name for item in usage.named] == ["mine"]
    assert not usage.free_to_go, "all was used just now"
    for words in (budget.said(usage.bytes), "10 MB", "picture sets", "maps and galleries"):
        assert words in str(usage)


def test_tidied_and_removed_when_asked(home):
    made = picture_sets.unpack(zipped(3), "mine.zip")
    Kept().put("map", bytes(MB))
    Kept().put("new", bytes(MB))
    age(home / "kept" / "map", 2 * GRACE)
    assert budget.tidy() == MB
    assert "new" in Kept()
    assert "map" not in Kept()
    with pytest.raises(Unknown, match="zips"):
        budget.remove("zips", "../kept")
    budget.remove("zips", made.reference.partition("/")[2])
    assert not picture_sets.found()


def test_what_is_at_work_is_not_removed(home):
    folder = home / "indexes" / "one"
    with store.lock(folder), pytest.raises(BadValue, match="'one' is at work"):
        budget.remove("indexes", "one")
    budget.remove("indexes", "one")
    assert not folder.exists()


def test_leftovers_of_a_killed_writer_go_too(home):
    (home / "zips" / ".unpacking-x" / "deep").mkdir(parents=True)
    (home / "zips" / ".unpacking-x" / "deep" / "picture.png").write_bytes(bytes(9 * MB))
    with pytest.raises(budget.Full):
        Kept().put("a", bytes(2 * MB))
    age(home / "zips", 2 * GRACE)
    Kept().put("a", bytes(2 * MB))
    assert not list((home / "zips").iterdir())


@pytest.mark.parametrize(("size", "words"), [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (1_500_000, "1.4 MB"), (20 << 30, "20 GB"), (3 << 40, "3.0 TB"),
])  # fmt: skip
def test_words(size, words):
    assert budget.said(size) == words


def test_more_sets_or_networks_than_can_be_listed_remove_nobodys(monkeypatch, home, lenet):
    monkeypatch.setattr(picture_sets, "MOST_KEPT", 2)
    first = picture_sets.unpack(zipped(2, 1), "one.zip")
    picture_sets.unpack(zipped(2, 2), "two.zip")
    with pytest.raises(BadFile, match="2 sets of pictures already; remove one"):
        picture_sets.unpack(zipped(2, 3), "three.zip")
    assert picture_sets.opened(first.reference).is_dir()
    monkeypatch.setattr(kept_models, "MOST_KEPT", 1)
    kept_models.keep_model(weights(lenet), "w.pt", "lenet?classes=10", "mine")
    with pytest.raises(BadValue, match="1 networks already; remove one of them, such as 'mine'"):
        kept_models.keep_model(weights(lenet), "w.pt", "lenet?classes=10", "other")
    kept_models.keep_model(weights(lenet), "w.pt", "lenet?classes=10", "mine")
    assert list(model_names.list_kept_models()) == ["mine"]


def test_on_a_shared_server_all_count_and_each_removes_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("EXPLAIN_SHARED", "1")
    theirs, mine = (tmp_path / "visitors" / who for who in ("browser-a", "browser-b"))
    for place in (theirs, mine):
        for folder in ("models/net", "uploads"):
            (place / folder).mkdir(parents=True)
            (place / folder / "file").write_bytes(b"x" * 10_000)
            os.utime(place / folder / "file", (1, 1))
    with within(mine):
        usage = budget.measure()
        assert usage.bytes == 4 * 12_288
        assert [item.path for item in usage.named] == [mine / "models/net"]
        assert budget.tidy() == 12_288
        assert (theirs / "uploads/file").exists()
        assert not (mine / "uploads/file").exists()
        budget.remove("models", "net")
        with pytest.raises(Unknown):
            budget.remove("models", "net")
    assert (theirs / "models/net/file").exists()
    monkeypatch.setenv(budget.LIMIT, "30KB")
    with within(mine):
        store.write(mine / "models/other/file", bytes(4000))
        with pytest.raises(budget.Full), budget.admitted(mine / "models/big", 40_000):
            pass
