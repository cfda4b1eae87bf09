"""workspace: references lead to pictures and nowhere else; uploads live under their digest until they expire."""

import io
import os
import time

import numpy as np
import pytest
from PIL import Image

from explain import store, workspace
from explain.data import load_images
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.workspace import keep_upload, open_picture, prune_uploads, root

DAY = 86400


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def png(seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue(), pixels


def uploads(home):
    return sorted(path.name for path in (home / "uploads").glob("*"))


def test_root(monkeypatch, tmp_path):
    assert root() == tmp_path / "home"
    monkeypatch.delenv("EXPLAIN_WORKSPACE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert root() == tmp_path / "cache" / "explain"


@pytest.mark.parametrize("reference", ["photos/0", "photos/chelsea.png", "photos/chelsea"])
def test_photo(reference):
    picture = open_picture(reference)
    assert np.array_equal(picture, load_images("photos")[0])
    assert picture.info["name"] == reference


def test_every_number():
    images = load_images("photos")
    for number in (0, 3, len(images) - 1):
        assert np.array_equal(open_picture(f"photos/{number}"), images[number])
    assert np.array_equal(open_picture("fashion-mnist/9999"), load_images("fashion-mnist")[9999])
    assert np.array_equal(open_picture("fashion-mnist/00007"), load_images("fashion-mnist")[7])


def test_own_copy():
    """What one session writes on its picture another does not see."""
    first = open_picture("fashion-mnist/0")
    first.paste(77, (0, 0, *first.size))
    assert not np.array_equal(open_picture("fashion-mnist/0"), first)


def test_file(tmp_path):
    content, pixels = png()
    (tmp_path / "cat.png").write_bytes(content)
    for reference in ("cat.png", str(tmp_path / "cat.png")):
        picture = open_picture(reference)
        assert np.array_equal(picture, pixels)
        assert picture.info["name"] == reference


def test_upload(home):
    content, pixels = png()
    reference = keep_upload(content, "cat.png")
    assert reference == f"upload/{store.sha256(content)}"
    picture = open_picture(reference)
    assert np.array_equal(picture, pixels)
    assert picture.info["name"] == reference
    assert keep_upload(content, "other.png") == reference
    assert uploads(home) == [store.sha256(content)]
    assert keep_upload(png(1)[0], "cat.png") != reference
    assert len(uploads(home)) == 2


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"x" * 50, b"<svg/>", b"%PDF-1.4"])
def test_upload_of_no_picture(home, content):
    with pytest.raises(BadFile, match="bad"):
        keep_upload(content, "bad.png")
    assert uploads(home) == []


def test_use_renews(home):
    reference = keep_upload(png()[0], "a")
    path = home / "uploads" / reference.removeprefix("upload/")
    os.utime(path, (0, time.time() - 6 * DAY))
    open_picture(reference)
    assert time.time() - path.stat().st_mtime < DAY


def test_expiry(home):
    """A new upload sweeps away those not used for a week, and those only."""
    old, young = (keep_upload(png(k)[0], "a") for k in (0, 1))
    for reference, days in ((old, 7.01), (young, 6.9)):
        moment = time.time() - days * DAY
        os.utime(home / reference.replace("upload", "uploads"), (moment, moment))
    new = keep_upload(png(2)[0], "a")
    assert uploads(home) == sorted(reference.removeprefix("upload/") for reference in (young, new))
    open_picture(young)
    with pytest.raises(BadFile, match="expire after 7 days") as caught:
        open_picture(old)
    assert len(str(caught.value).splitlines()) == 1


def test_most(home, monkeypatch):
    """Beyond the limit the oldest go; stray temporary files of a killed writer age away too."""
    monkeypatch.setattr(workspace.uploads, "MOST_UPLOADS", 3)
    folder = home / "uploads"
    folder.mkdir(parents=True)
    for k in range(6):
        (folder / f"file{k}").touch()
        os.utime(folder / f"file{k}", (0, time.time() - 3600 * (k + 1)))
    stray = folder / ".file.x.tmp"
    stray.touch()
    os.utime(stray, (0, time.time() - 8 * DAY))
    prune_uploads(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["file0", "file1", "file2"]
    prune_uploads(folder / "none")


@pytest.mark.parametrize(("reference", "kind"), [
    ("upload/../../etc/passwd", Unknown),
    ("upload/../uploads/x", Unknown),
    ("upload/", Unknown),
    ("upload/" + "g" * 64, Unknown),
    ("upload/" + "A" * 64, Unknown),
    ("upload/" + "0" * 63, Unknown),
    ("upload/" + "0" * 64 + "\n", Unknown),
    ("upload/" + "0" * 64, BadFile),
    ("photos/../../etc/passwd", Unknown),
    ("photos//etc/passwd", Unknown),
    ("photos", BadValue),
    ("photos/", BadValue),
    ("photos/-1", Unknown),
    ("photos/1.5", Unknown),
    ("photos/chelse", Unknown),
    ("photos/19", BadValue),
    ("fashion-mnist/10000", BadValue),
    ("photos/" + "9" * 5000, ExplainError),
    ("photo/0", Unknown),
    ("", Unknown),
    ("/", Unknown),
    ("a\0b", Unknown),
    ("a\nb", Unknown),
    ("x" * 5000, Unknown),
    ("/etc/passwd", BadFile),
    ("/dev/zero", Unknown),
], ids=lambda value: str(value)[:24])  # fmt: skip
def test_refused(reference, kind):
    with pytest.raises(kind) as caught:
        open_picture(reference)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 2000
    assert "root:" not in message


def test_upload_cannot_leave(home, tmp_path):
    """Even a picture outside the uploads is not reached through them."""
    home.mkdir()
    (home / "secret.png").write_bytes(png()[0])
    for reference in ("upload/../secret.png", "upload/../../home/secret.png"):
        with pytest.raises(Unknown, match="picture"):
            open_picture(reference)
    assert open_picture(str(home / "secret.png")).size == (9, 6)
