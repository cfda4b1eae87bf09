"""What macOS and Windows do otherwise, done here in their place: nothing of it ends in a traceback or a wrong answer.

The other systems are simulated where they are felt: an `os` of another name, paths as ntpath has them, files that
somebody holds, a file system without capitals, an encoding of few characters.
"""

import ast
import csv
import ctypes
import errno
import io
import itertools
import json
import ntpath
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
import types
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import explain
from explain import isolate, memory, store
from explain.data import folders
from explain.data.image_sets import ImageSet
from explain.data.tables import read_columns
from explain.errors import BadFile, BadValue, Unknown
from explain.figure import Figure, Panel
from explain.index import references
from explain.network import checkpoint
from explain.project import Project, project
from explain.training import fit, metrics, step, train
from explain.ui import server
from explain.workspace import batch, budget, folder, kept_models, picture_sets

HELD = PermissionError(errno.EACCES, "The process cannot access the file because it is being used by another process")
linux = pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="says what this process has mapped")


class Windows:
    """The module os, under another name."""

    name = "nt"

    def __getattr__(self, name):
        return getattr(os, name)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def png(value=0):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def raiser(error):
    def raising(*_, **__):
        raise error

    return raising


# ------------------------------------------------------------ processes and signals


def die(number, progress):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGRTMIN + 1])
def test_a_crash_is_told_by_whatever_signal_it_was(number, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    known = {int(one): one.name for one in signal.Signals}
    with pytest.raises(isolate.Crashed, match=known.get(int(number), f"signal {int(number)}")):
        isolate.isolate(f"{__name__}:die", int(number))


def test_a_crash_on_windows_is_told_as_it_is_looked_up():
    assert isolate._how(0xC0000005) == "exit 0xC0000005"  # an access violation
    assert isolate._how(3) == "exit 3"


def test_what_windows_ends_a_console_with_ends_the_server_in_order(monkeypatch):
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)}
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR2, raising=False)
    try:
        server._mind_signals()
        for number in before:
            with pytest.raises(SystemExit) as ended:
                signal.raise_signal(number)
            assert ended.value.code == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ------------------------------------------------------------ files that somebody holds


def test_a_file_that_is_read_just_now_is_replaced_when_it_is_free(tmp_path, monkeypatch):
    replace, refused = os.replace, []

    def busy(source, target):
        if len(refused) < 3:
            refused.append(target)
            raise HELD
        replace(source, target)

    monkeypatch.setattr(store, "os", Windows())
    monkeypatch.setattr(os, "replace", busy)
    store.write(tmp_path / "run.json", "new")
    assert (tmp_path / "run.json").read_text() == "new"
    assert len(refused) == 3
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    monkeypatch.setattr(os, "replace", raiser(HELD))
    with pytest.raises(BadFile, match="Cannot write"):
        store.write(tmp_path / "run.json", "newer")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_file_system_that_reserves_nothing_is_written_to(number, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", raiser(OSError(number, "no")))
    assert store.write(tmp_path / "x", "text").read_text() == "text"
    monkeypatch.setattr(os, "posix_fallocate", raiser(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(BadFile, match="No space left"):
        store.write(tmp_path / "y", "text")


def test_what_cannot_be_removed_while_it_is_read_stays_until_the_next_time(home, monkeypatch):
    kept = home / "workspace" / "kept"
    paths = [store.write(kept / name, "text") for name in ("a", "b")]
    for path in paths:
        os.utime(path, (1e9, 1e9))
    monkeypatch.setattr(Path, "unlink", raiser(HELD))
    folder.prune(kept, most=1)
    item = next(one for one in budget.measure().items if one.path == paths[0])
    assert not budget._gone(item)  # so that its bytes are not taken for free
    store.sweep(kept, re.compile("[ab]"), set())
    assert sorted(kept.iterdir()) == paths
    monkeypatch.undo()
    folder.prune(kept, most=1)
    assert len(list(kept.iterdir())) == 1


@linux
def test_no_weights_are_written_over_those_that_are_mapped(tmp_path, monkeypatch):
    """Nor is anything mapped of a folder that is about to be removed."""
    path, out = tmp_path / "given.safetensors", tmp_path / "plain.safetensors"
    save_file({"weight": torch.rand(300, 300)}, path)
    mapped = []
    write = save_file

    def watching(tensors, file, *rest):
        mapped.append({one for one in (path, Path(file)) if str(one) in Path("/proc/self/maps").read_text()})
        write(tensors, file, *rest)

    monkeypatch.setattr("safetensors.torch.save_file", watching)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)  # of this process, which has other work to do
    checkpoint.as_plain(str(path), str(out))
    assert mapped == [{path}]
    assert torch.equal(checkpoint.read_weights(out)["weight"], checkpoint.read_weights(path)["weight"])
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_a_table_is_closed_once_it_is_read(tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    opened = []

    class Watched(pq.ParquetFile):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            opened.append(self)

    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"path": ["a.png"] * 5}), path)
    monkeypatch.setattr(pq, "ParquetFile", Watched)
    assert read_columns(path) == {"path": ["a.png"] * 5}
    with pytest.raises(BadFile, match="rows"):
        read_columns(path, most_rows=2)
    assert [one.closed for one in opened] == [True, True]


# ------------------------------------------------------------ memory


def test_windows_is_asked_for_its_free_memory(tmp_path, monkeypatch):
    def answering(pointer):
        status = pointer._obj
        assert ctypes.sizeof(status) == status.length == 64  # as Windows' headers lay it out
        ctypes.memmove(ctypes.addressof(status) + 16, (5 << 30).to_bytes(8, "little"), 8)
        return 1

    library = types.SimpleNamespace(kernel32=types.SimpleNamespace(GlobalMemoryStatusEx=answering))
    monkeypatch.setattr(ctypes, "windll", library, raising=False)
    assert memory.free(tmp_path, tmp_path) == 5 << 30  # neither /proc nor control groups are there
    library.kernel32.GlobalMemoryStatusEx = lambda _: 0
    monkeypatch.delattr(os, "sysconf")
    assert memory.free(tmp_path, tmp_path) == memory.UNKNOWN


def test_a_limit_that_the_system_refuses_ends_nothing(tmp_path, monkeypatch):
    save_file({"weight": torch.rand(3)}, tmp_path / "w")
    monkeypatch.setattr(resource, "setrlimit", raiser(ValueError("current limit exceeds maximum limit")))
    assert checkpoint.as_plain(str(tmp_path / "w"), str(tmp_path / "out")) == []


# ------------------------------------------------------------ paths


@pytest.mark.parametrize("written", ["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"])
@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
def test_a_checkpoint_has_paths_of_any_system(written, module, tmp_path):
    """As Python 3.13 names them too."""

    class Stub:
        def __reduce__(self):
            return PureWindowsPath, ("C:", "runs")

    file = io.BytesIO()
    content = {"model": {"weight": torch.rand(2, 2)}, "folder": Stub()}
    torch.save(content, file, _use_new_zipfile_serialization=False)
    named, here = f"c{module}\n{written}\n".encode(), f"c{PureWindowsPath.__module__}\nPureWindowsPath\n".encode()
    assert file.getvalue().count(here) == 1
    path = tmp_path / "w.pt"
    path.write_bytes(file.getvalue().replace(here, named))
    assert torch.equal(checkpoint.read_weights(path)["weight"], content["model"]["weight"])


def test_no_path_in_a_checkpoint_is_of_a_system_that_is_not_here():
    """Windows makes no PosixPath."""
    assert {kind for kind, _ in checkpoint._paths()} == {PurePosixPath, PureWindowsPath}
    assert not any(isinstance(one, type) and issubclass(one, Path) for one in checkpoint._harmless())


def test_a_path_with_a_drive_is_a_path(home, monkeypatch):
    drive = home / "C:"
    (drive / "saved").mkdir(parents=True)
    (drive / "nets.py").write_text(
        "import torch\ndef build():\n    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1)\n"
        "    return torch.nn.Sequential(*layers, torch.nn.Flatten())\n"
    )
    (drive / "w.pt").write_bytes(b"weights")
    assert len(explain.load_model("C:/nets.py:build").classes) == 4
    with pytest.raises(BadValue, match="needs an architecture"):
        explain.load_model("C:/w.pt")
    with pytest.raises(BadFile, match=r"holds no model.json"):
        explain.load_model("C:/saved")
    for missing in ("C:\\work\\w.pt", "C:/gone"):
        with pytest.raises(Unknown) as raised:
            explain.load_model(missing)
        assert "source of models" not in str(raised.value)


def test_explain_toml_names_what_has_a_drive(home):
    (home / "C:" / "saved").mkdir(parents=True)
    (home / "C:" / "nets.py").write_text("")
    (home / "C:" / "w.pt").write_text("")
    (home / "explain.toml").write_text(
        '[models.a]\narchitecture = "hf:C:/saved"\n[models.b]\narchitecture = "timm:local-dir:C:/saved"\n'
        '[models.c]\nfactory = "C:/nets.py:build"\nweights = "C:/w.pt"\n[models.d]\narchitecture = "timm:resnet18"\n'
    )
    found = project()
    assert {name: one["name"] for name, one in found.models.items()} == {
        "a": f"hf:{home / 'C:/saved'}",
        "b": f"timm:local-dir:{home / 'C:/saved'}",
        "c": f"{home / 'C:/nets.py'}:build",
        "d": "timm:resnet18",
    }
    for file in ("w.pt", "nets.py"):  # relative, with the drive's colon, as every whole path on Windows
        mine = Project(models={"c": {"name": "C:/nets.py:build", "weights": "C:/w.pt"}})
        before = mine.written("c")
        os.utime(home / "C:" / file, (1e9, 1e9))
        assert mine.written("c") != before


def test_pictures_on_two_drives_have_names_and_a_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "relpath", ntpath.relpath)
    images = ImageSet("x", ("D:\\pictures\\a.png", "C:\\tables\\b.png"), root=PureWindowsPath("C:\\tables"))
    assert [images.called(k) for k in range(2)] == ["D:\\pictures\\a.png", "b.png"]
    assert len(images.digest) == 64
    assert references._below("D:\\pictures\\a.png", PureWindowsPath("C:\\tables")) == "D:\\pictures\\a.png"


def test_files_on_two_drives_are_a_set(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(folders, "os", types.SimpleNamespace(path=ntpath))
        assert folders.common_folder(["C:\\a\\x.png", "D:\\b\\y.png"]) is None
        assert folders.common_folder(["C:\\a\\x.png", "C:\\a\\b\\y.png"]) == Path("C:\\a")
    files = []
    for number, name in enumerate("ab"):
        files.append(tmp_path / name / "x.png")
        files[-1].parent.mkdir()
        files[-1].write_bytes(png(number))
    monkeypatch.setattr(os.path, "commonpath", raiser(ValueError("Paths don't have the same drive")))
    images = explain.load_images(files)
    assert (images.name, images.root, len(images)) == ("pictures", None, 2)
    before = images.digest
    files[0].write_bytes(png(9))
    assert explain.load_images(files).digest != before


def test_a_picture_by_its_address_is_called_by_it(tmp_path, monkeypatch):
    address = "https://example.org/b/c.png"
    images = ImageSet("x", (address, str(tmp_path / "a.png")), root=tmp_path)
    assert [images.called(k) for k in range(2)] == [address, "a.png"]


def test_a_picture_is_known_by_its_path_in_other_capitals_where_the_system_says_so(tmp_path, monkeypatch):
    (tmp_path / "Cat.png").write_bytes(png())
    index = types.SimpleNamespace(images=explain.load_images(tmp_path))
    other = str(tmp_path / "cat.PNG")
    assert references.index_of(index, other) is None
    monkeypatch.setattr(os.path, "normcase", str.lower)
    assert references.index_of(index, other) == 0


@pytest.mark.parametrize("named", ["img\\a.png", "img/a.png", ".\\img\\a.png"])
def test_a_table_from_windows_names_pictures_here(named, tmp_path):
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "a.png").write_bytes(png())
    (tmp_path / "t.csv").write_text(f"path,label\n{named},x\n")
    assert explain.load_images(tmp_path / "t.csv")[0].size == (8, 8)


def test_a_name_with_a_backslash_is_a_name_where_there_is_such_a_file(tmp_path):
    (tmp_path / "a\\b.png").write_bytes(png())
    (tmp_path / "t.csv").write_text("path\na\\b.png\n")
    assert explain.load_images(tmp_path / "t.csv")[0].size == (8, 8)


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file


def test_a_table_from_windows_in_a_zip_names_its_pictures(home):
    table = "path,kind\r\nx\\a.png,one\r\ny\\a.png,two\r\n"
    made = picture_sets.unpack(zipped({"x/a.png": png(1), "y/a.png": png(2), "t.csv": table}), "z.zip", label="kind")
    assert made.classes == {"one": 1, "two": 1}
    images = picture_sets.images_of(made.reference)
    assert [np.asarray(one)[0, 0, 0] for one in images] == [1, 2]
    with picture_sets.opened(made.reference).open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 3


# ------------------------------------------------------------ names of files


DEVICES = ["con.jpg", "NUL.x.png", "aux/com1.png", "lpt9.png", "prn.png/x.png"]


@pytest.mark.parametrize(
    "files",
    [["A.png", "a.png", "a.jpg"], ["x/É.png", "x/é.png", "X/e.png"], ["A.png", "a.PNG.png", "a.png"], DEVICES],
)
def test_what_becomes_of_pictures_is_called_apart_on_every_system(files):
    names = [
        f"{name}.png" for name in batch._names(ImageSet("x", tuple(f"/r/{one}" for one in files), root=Path("/r")))
    ]
    assert len({name.casefold() for name in names}) == len(files)
    assert not any(PureWindowsPath(name).is_reserved() for name in names)
    assert not any(set(name) & set('<>:"\\|?*') or name.endswith((".", " ")) for name in names)


def test_a_network_is_kept_by_a_name_that_every_system_has(home):
    weights = save(explain.load_model("lenet-fashion-mnist").renamed()._net.state_dict())
    for name in ("con", "NUL.pt", "net."):
        with pytest.raises(BadValue, match="Windows"):
            kept_models.keep_model(weights, "w.pt", "lenet?classes=10", name)
    kept_models.keep_model(weights, 'C:\\fakepath\\what "is" it?.pt', "lenet?classes=10", "Net")
    with pytest.raises(BadValue, match="'Net'"):
        kept_models.keep_model(weights, "w.pt", "lenet?classes=10", "net")
    kept_models.keep_model(weights, "w.pt", "lenet?classes=10", "Net")  # again, in its place


def test_an_upload_has_a_name_that_every_system_allows():
    for name in ("a:b?.pt", 'x<>"|*.pt', "w.pt. ", "con/../w.pt", "\x00.pt", ""):
        made = kept_models._file_name(name)
        assert made
        assert not set(made) & set('<>:"/\\|?*\x00')
        assert not made.endswith((".", " "))


def test_classes_that_the_file_system_takes_for_one_are_refused_and_not_mixed(home, monkeypatch):
    files = {"Cat/a.png": png(1), "cat/b.png": png(2), "dog/c.png": png(3)}
    assert picture_sets.unpack(zipped(files), "z.zip").classes == {"Cat": 1, "cat": 1, "dog": 1}
    mkdir, write = Path.mkdir, Path.write_bytes
    monkeypatch.setattr(Path, "mkdir", lambda self, *a, **k: mkdir(Path(str(self).replace("cat", "Cat")), *a, **k))
    monkeypatch.setattr(Path, "write_bytes", lambda self, data: write(Path(str(self).replace("cat", "Cat")), data))
    with pytest.raises(BadFile, match="'cat'"):
        picture_sets.unpack(zipped({**files, "dog/d.png": png(4)}), "z.zip")
    assert len(picture_sets.found()) == 1  # nothing is left of it


def test_a_zip_called_as_a_device_is_kept_by_another_name(home):
    assert picture_sets.unpack(zipped({"a.png": png(1), "b.png": png(2)}), "con.zip").name == "pictures"


# ------------------------------------------------------------ texts


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_texts_of_any_editor_are_read(mark, home):
    (home / "names.txt").write_text(f"{mark}cat\r\ndög\r\n", encoding="utf-8")
    (home / "w.json").write_text(f'{mark}{{"a": "ö"}}', encoding="utf-8")
    (home / "explain.toml").write_text(
        f'{mark}[models.m]\narchitecture = "timm:resnet18"\nclasses = "names.txt"\n', encoding="utf-8"
    )
    assert project().models["m"]["classes"] == ["cat", "dög"]
    assert checkpoint.read_json(home / "w.json") == {"a": "ö"}


def with_few_characters(code, **more):
    """A process whose texts are not UTF-8 unless it says so."""
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **more}
    return subprocess.run([sys.executable, *code], env=env, capture_output=True, check=False)


def test_what_is_said_of_a_network_is_read_as_utf_8_whatever_the_system_writes(tmp_path):
    path = tmp_path / "model.json"
    path.write_text('{"a": "ö类"}', encoding="utf-8")
    code = "import sys, pathlib; from explain.network import checkpoint as c; "
    code += "print(ascii(c.read_json(pathlib.Path(sys.argv[1]))))"
    ended = with_few_characters(["-c", code, str(path)])
    assert ended.stdout.decode().strip() == ascii({"a": "ö类"}), ended.stderr


def test_what_a_pipe_cannot_take_is_printed_by_its_number(tmp_path):
    file = Figure("Titel", (Panel(np.zeros((4, 4, 3), np.uint8), "x"),), {"class": "dög 类"}).save(tmp_path / "f.png")
    ended = with_few_characters(["-m", "explain", "show", str(file)], PYTHONIOENCODING="cp1252")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.decode("cp1252"))["class"] == "dög 类"


# ------------------------------------------------------------ lines for a shell


def taken_apart(line):
    """As Windows' programs take a line apart: quotes join, 2n backslashes before a quote are n, 2n + 1 are n and a
    quote."""
    words, word, quoted, slashes = [], None, False, 0
    for character in line + " ":
        if character == "\\":
            slashes, word = slashes + 1, word or ""
            continue
        if character == '"':
            word = (word or "") + "\\" * (slashes // 2) + '"' * (slashes % 2)
            quoted ^= not slashes % 2
        elif character == " " and not quoted:
            if word is not None:
                words.append(word + "\\" * slashes)
            word = None
        else:
            word = (word or "") + "\\" * slashes + character
        slashes = 0
    return words


def test_a_line_for_windows_gives_the_words_that_were_meant(monkeypatch):
    from explain import shell

    monkeypatch.setattr(shell, "os", Windows())
    parts = ["", "a", "\\", '"', " ", "&", "%", "'", "ö", "C:\\x y\\", "timm:a?b=1&c=2"]
    words = ["".join(some) for some in itertools.product(parts, repeat=3)]
    line = shell.line_of(words)
    assert taken_apart(line) == words
    for word in words:
        if " " in word:  # the standard library's own, which quotes for programs and not for cmd
            assert shell.line_of([word]) == subprocess.list2cmdline([word])
    assert shell.line_of(["explain", "timm:a?b=1&c=2", "--out", "x.png"]) == 'explain "timm:a?b=1&c=2" --out x.png'


# ------------------------------------------------------------ what is Linux's alone


def test_the_package_is_loaded_where_a_system_lacks_what_linux_has(tmp_path):
    """Neither signals nor functions of os that only some systems have are needed to import any module."""
    code = """
import os, pkgutil, importlib, signal, sys
import numpy, scipy.sparse, torch, torchvision, timm, streamlit, pandas, sklearn, matplotlib, filelock, skimage
for name in ("sched_getaffinity", "sysconf", "posix_fallocate", "getuid", "fork", "kill", "killpg", "setsid"):
    hasattr(os, name) and delattr(os, name)
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
import explain
for one in pkgutil.walk_packages(explain.__path__, "explain."):
    if not one.name.endswith("__main__"):
        importlib.import_module(one.name)
from explain import memory, store
assert memory.free() > 0
store.write(sys.argv[1], "x")
from explain.projections.projection import project
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_what_is_sent_to_another_process_can_be_pickled():
    """Where processes are not forked nothing else reaches them."""
    images = explain.load_images("fashion-mnist", 3)
    assert pickle.loads(pickle.dumps(images)).digest == images.digest


# ------------------------------------------------------------ Apple's GPUs, which have no float64


class NoDoubles(TorchDispatchMode):
    """As a device without float64 does it, whatever the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if any(isinstance(one, torch.Tensor) and one.dtype == torch.float64 for one in tree_leaves(made)):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return made


def test_a_training_needs_no_float64_of_its_device(monkeypatch):
    assert metrics.wide(torch.device("mps")) == torch.float32
    assert metrics.wide(torch.device("cpu")) == metrics.wide(torch.device("cuda")) == torch.float64
    for module in (metrics, fit, step):
        monkeypatch.setattr(module, "wide", lambda _: torch.float32)
    images, test = explain.load_images("fashion-mnist", 96), explain.load_images("fashion-mnist", 32)
    with NoDoubles():
        model = train("lenet-fashion-mnist", images, test=test, epochs=2, batch_size=32, device="cpu")
    assert len(model.about["history"]) == 2


def test_numbers_leave_their_device_before_they_are_widened():
    """A Mac has no float64 there, and others send half as much."""
    wrong = []
    for file in sorted(Path(explain.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("cpu", "numpy")
            ):
                before = [one.func.attr for one in called(node.func.value)]
                if "double" in before and "cpu" not in before[before.index("double") :]:
                    wrong.append(f"{file}:{node.lineno}")
    assert not wrong


def called(node):
    """The calls of a chain a.b().c(), the last first."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield node
        node = node.func.value
