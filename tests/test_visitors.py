"""A shared server: what one visitor hands in does not exist for another, by whatever name it is asked for."""

import io
import os
import time
import zipfile

import pytest
from PIL import Image

import explain
from explain import data
from explain.errors import ExplainError, NotSupported
from explain.network.zoo import save_model
from explain.store import sha256
from explain.workspace import folder, index_folder, kept, list_indexes, models, picture_sets, runs, uploads
from explain.workspace.opener import Opener
from explain.workspace.runs import RunRequest


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (28, 28), shade).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def visitor(tmp_path, monkeypatch):
    """Work as one or the other."""
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    monkeypatch.setenv(folder.SHARED, "1")
    return lambda name: folder.within(tmp_path / "visitors" / name)


def zipped() -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(6):
            archive.writestr(f"class{k % 2}/{k}.png", png(20 * k))
    file.seek(0)
    return file


def test_nobody_has_nothing(visitor, monkeypatch):
    """Work that was started without saying for whom finds no place, rather than everybody's."""
    monkeypatch.setattr(folder, "_asking", [])
    for ask in (folder.own, models.list_runs, picture_sets.found, lambda: explain.workspace.keep_upload(png(1), "a")):
        with pytest.raises(NotSupported):
            ask()


def test_a_picture_is_not_got_by_its_digest(visitor):
    with visitor("ann"):
        reference = uploads.keep_upload(png(7), "mine.png")
        assert explain.open_picture(reference).size == (28, 28)
    with visitor("bob"):
        assert reference == f"upload/{sha256(png(7))}"
        with pytest.raises(ExplainError, match="not yours"):
            explain.open_picture(reference)
        uploads.keep_upload(png(7), "also.png")
        assert explain.open_picture(reference).size == (28, 28)


def test_a_set_of_pictures_and_its_index_are_one_visitors(visitor, lenet, tmp_path):
    with visitor("ann"):
        made = picture_sets.unpack(zipped(), "secret.zip")
        index = explain.build_index(lenet, picture_sets.images_of(made.reference))
        assert index.folder.is_relative_to(tmp_path / "visitors" / "ann")
        assert list(list_indexes(lenet)) == [made.name]
        shared = explain.build_index(lenet, "fashion-mnist", limit=20)
    assert shared.folder.parent == tmp_path / "indexes"
    with visitor("bob"):
        assert not picture_sets.found()
        assert not picture_sets.named()
        assert list(list_indexes(lenet)) == ["fashion-mnist"]
        for ask in (
            lambda: picture_sets.images_of(made.reference),
            lambda: picture_sets.remove(made.reference),
            lambda: explain.open_picture(f"{made.name}/0"),
            lambda: runs.images_of(made.reference),
        ):
            with pytest.raises(ExplainError):
                ask()
        assert not Opener().knows_picture(f"{made.name}/0")
    with visitor("ann"):
        assert len(picture_sets.images_of(made.reference)) == 6


def test_a_training_and_its_model_are_one_visitors(visitor, lenet, tmp_path):
    with visitor("ann"):
        run = runs.reserve(RunRequest("lenet-fashion-mnist", {"epochs": 1}, "fashion-mnist"))
        save_model(lenet, run)
        name = run.name
        assert name in models.list_runs()
        assert models.model_folder(name) == run
        assert index_folder(models.load_model(name).renamed(name), data.load_images("fashion-mnist", 5)).is_relative_to(
            tmp_path / "visitors" / "ann"
        )
        kept.keep_answers("visit", b"answers")
    with visitor("bob"):
        assert not models.list_runs()
        assert name not in models.list_models()
        assert models.model_folder(name) is None
        assert not Opener().knows_model(name)
        assert not Opener().knows_run(name)
        with pytest.raises(ExplainError):
            models.load_model(name)
        with pytest.raises(ExplainError):
            runs.remove(run)
        other = runs.reserve(RunRequest("lenet-fashion-mnist", {"epochs": 1}, "fashion-mnist"))
        assert other.name == name
        assert other != run
    assert (run / "model.json").is_file()
    assert not (tmp_path / "studies").exists()


def test_what_the_one_person_had_is_no_visitors(visitor, tmp_path, monkeypatch, lenet):
    """A workspace that one person used before keeps their things theirs, also an index over a folder of theirs."""
    monkeypatch.delenv(folder.SHARED)
    reference = uploads.keep_upload(png(9), "a.png")
    place = tmp_path / "own-pictures"
    place.mkdir()
    for k in range(4):
        (place / f"{k}.png").write_bytes(png(k))
    explain.build_index(lenet, place)
    assert list(list_indexes(lenet))
    monkeypatch.setenv(folder.SHARED, "1")
    with visitor("ann"):
        assert not list(list_indexes(lenet))
        with pytest.raises(ExplainError):
            explain.open_picture(reference)


def test_only_what_browsers_left_behind_expires(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    from explain.ui import visitor

    long_ago = time.time() - (visitor.DAYS + 1) * 86400
    for name, old in (("browser-old", True), ("browser-new", False), ("user-old", True)):
        (tmp_path / "visitors" / name).mkdir(parents=True)
        if old:
            os.utime(tmp_path / "visitors" / name, (long_ago, long_ago))
    visitor._forget_gone()
    assert {path.name for path in (tmp_path / "visitors").iterdir()} == {"browser-new", "user-old"}


def test_what_is_kept_in_memory_is_kept_by_whose_it_is(visitor):
    """Opened for one, a picture must not be found among what is open for all."""
    from explain.ui.caches import SessionOpener

    with visitor("ann"):
        reference = uploads.keep_upload(png(11), "mine.png")
        assert SessionOpener().picture(reference).size == (28, 28)
    with visitor("bob"), pytest.raises(ExplainError, match="not yours"):
        SessionOpener().picture(reference)


def test_work_in_the_background_is_for_whoever_asked(visitor, tmp_path):
    """Also where both ask by one key; neither sees the other's."""
    from explain.ui import jobs

    found = {}
    for name in ("ann", "bob"):
        with visitor(name):
            found[name] = jobs.start("work", lambda progress: folder.own())
            assert jobs.find("work") is found[name]
    with visitor("eve"):
        assert jobs.find("work") is None
    deadline = time.monotonic() + 60
    while any(job.active for job in found.values()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert {name: job.result for name, job in found.items()} == {
        name: tmp_path / "visitors" / name for name in ("ann", "bob")
    }
