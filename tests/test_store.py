"""store: a reader sees the old file or the new one, and nothing is left behind."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from explain import store
from explain.errors import BadFile


@pytest.fixture
def file(tmp_path):
    return store.write(tmp_path / "file", "old")


@pytest.mark.parametrize("content", [b"", b"\0\xff", "plain", "ünï", b"x" * (3 << 20)])
def test_round_trip(tmp_path, content):
    path = store.write(str(tmp_path / "new" / "deep" / "file"), content)
    raw = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == raw
    assert store.sha256(path) == store.sha256(str(path)) == store.sha256(raw) == hashlib.sha256(raw).hexdigest()
    assert os.listdir(path.parent) == ["file"]


def test_readable_by_others(file):
    assert file.stat().st_mode & 0o777 == 0o644


def test_replaced(file):
    store.write(file, "new")
    assert file.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ZeroDivisionError])
def test_exception_leaves_the_old(file, error):
    with pytest.raises(error), store.writing(file) as handle:
        handle.write(b"half")
        handle.flush()
        raise error
    assert file.read_text() == "old"
    assert os.listdir(file.parent) == ["file"]


def test_unseen_until_complete(file):
    with store.writing(file) as handle:
        handle.write(b"new")
        handle.flush()
        assert file.read_text() == "old"
    assert file.read_text() == "new"


def test_full_disk(file):
    with pytest.raises(BadFile, match=r"Cannot write .*No space left"), store.writing(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert file.read_text() == "old"
    assert os.listdir(file.parent) == ["file"]


def test_full_device():
    """A real full disk: what fails at flush or fsync is told as well."""
    with pytest.raises(BadFile, match="Cannot write"):
        store.write("/dev/full/file", b"x")


def test_unwritable(file, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (file / "below", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(BadFile, match="Cannot write") as caught:
            store.write(path, "new")
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_many_writers(file):
    """Whoever comes last, the file is one writer's whole content."""
    contents = {bytes([k]) * 100_000 for k in range(8)}
    seen = []
    done = threading.Event()

    def look():
        while not done.is_set():
            seen.append(file.read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    writers = [threading.Thread(target=store.write, args=(file, content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert file.read_bytes() in contents
    assert seen
    assert set(seen) <= contents | {b"old"}
    assert os.listdir(file.parent) == ["file"]


def test_kill(tmp_path):
    """kill -9 in the middle of writing leaves a whole file."""
    path = tmp_path / "file"
    code = (
        "import sys; from explain import store\n"
        "k = 0\n"
        "while True: k = (k + 1) % 256; store.write(sys.argv[1], bytes([k]) * 300_000)"
    )
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.03)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1
        path.unlink()
