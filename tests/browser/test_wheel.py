"""The wheel, installed elsewhere without the clone: the library, the command, and the app in an empty folder.

Its dependencies are those of this environment; that pip would install them is said by the wheel's metadata, which is
compared with what the package imports.
"""

import ast
import email
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

import explain
from explain.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"PIL": "pillow", "skimage": "scikit-image", "huggingface_hub": "huggingface-hub"}
NAMES |= {module: one.package for module, one in EXTRAS.items()}
OF_OTHERS = {"starlette": "streamlit", "IPython": "a notebook", "authlib": "streamlit's sign-in"}

MOST_WAIT = 180_000
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    clean = folder / "clone"  # what a wheel is made of, without what tests leave there
    clean.mkdir()
    for name in ("explain", "models", "data", ".streamlit"):
        shutil.copytree(ROOT / name, clean / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md"):
        shutil.copyfile(ROOT / name, clean / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(clean)]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = (folder / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an environment with the wheel, and this one's other packages."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    bin, site = folder / "bin", Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    command = [sys.executable, "-m", "pip", "--python", str(bin / "python"), "install", "--no-deps", "--quiet", wheel]
    subprocess.run(command, check=True)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return bin


def run(installed, folder, *command):
    told = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    told["EXPLAIN_WORKSPACE"] = str(folder / "workspace")
    return subprocess.run(
        [str(installed / command[0]), *command[1:]], cwd=folder, env=told, capture_output=True, text=True, timeout=300
    )


def test_it_holds_what_is_shipped_and_its_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = email.message_from_bytes(archive.read(next(name for name in names if name.endswith("/METADATA"))))
    for name in ("app.py", ".streamlit/config.toml", "models", "data"):
        place = ROOT / name
        files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
        assert files
        for file in files:
            assert f"explain/_shipped/{file.relative_to(ROOT).as_posix()}" in names
    assert {Path(name).name for name in names} >= {"LICENSE", "NOTICE", "py.typed", "entry_points.txt"}
    assert not [name for name in names if name.startswith("tests")]
    assert about["Version"] == explain.__version__
    assert about["License-Expression"] == "MIT"
    assert about.get_payload().startswith("# explain")


def test_it_requires_what_it_imports(wheel):
    """Each package that any module imports is required, by the core or by an extra; and nothing besides."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        about = email.message_from_bytes(archive.read(name))
        found = set()
        for name in archive.namelist():
            if name.endswith(".py"):
                for node in ast.walk(ast.parse(archive.read(name))):
                    if isinstance(node, ast.Import):
                        found |= {one.name.partition(".")[0] for one in node.names}
                    elif isinstance(node, ast.ImportFrom) and not node.level:
                        found.add(str(node.module).partition(".")[0])
                    elif isinstance(node, ast.Constant) and not name.endswith("/extras.py"):
                        found |= {str(node.value).partition(".")[0]} & set(EXTRAS)
    found -= {*sys.stdlib_module_names, "explain", *OF_OTHERS}
    required = {re.match(r"[\w.-]+", one)[0].lower() for one in about.get_all("Requires-Dist")}
    assert {NAMES.get(one, one).lower() for one in found} == required - {"explain-cnn"}


def test_the_library_and_the_command_work(installed, tmp_path):
    said = run(installed, tmp_path, "explain", "--version")
    assert (said.returncode, said.stdout) == (0, f"explain {explain.__version__}\n")
    script = """
import explain
assert "_shipped" not in explain.__file__
model = explain.load_model("lenet-fashion-mnist")
image = explain.load_images("fashion-mnist")[0]
explain.saliency(model, image).save("map.png")
print(model.predict(image)[0][0][0], explain.__file__, sep="\\n")
"""
    said = run(installed, tmp_path, "python", "-c", script)
    assert said.returncode == 0, said.stderr
    label, file = said.stdout.splitlines()
    assert label == "Ankle boot"
    assert str(installed.parent) in file
    assert (tmp_path / "map.png").stat().st_size > 1000
    command = ("explain", "saliency", "lenet-fashion-mnist", "fashion-mnist/0", "--out", "again.png")
    assert run(installed, tmp_path, *command).returncode == 0


@pytest.mark.browser
def test_the_app_opens_in_an_empty_folder(browser, installed, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    told["EXPLAIN_WORKSPACE"] = str(tmp_path / "workspace")
    folder = tmp_path / "empty"
    folder.mkdir()
    with (tmp_path / "log").open("wb") as log:
        command = [str(installed / "explain"), "serve", "--port", str(port)]
        server = subprocess.Popen(command, cwd=folder, env=told, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
        page = browser.new_page()
        page.set_default_timeout(MOST_WAIT)
        page.goto(f"http://127.0.0.1:{port}/saliency?model=lenet-fashion-mnist&picture=fashion-mnist/0")
        page.get_by_role("heading", name="Saliency").wait_for()
        page.get_by_role("heading", name="Can it be trusted?").wait_for()
        assert not page.get_by_test_id("stException").count()
        page.get_by_role("link", name="Layers and channels").click()  # a page that is found from where the package lies
        page.get_by_role("heading", name="Layers and channels", exact=True).wait_for()
        page.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    assert not list(folder.iterdir()), "nothing is written where it was started"
