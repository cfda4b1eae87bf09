"""What functions of the library say of themselves: to people by help(), to type checkers and editors by the stub."""

import ast
import inspect
import pickle
import pydoc
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import get_args

import mypy
import numpy as np
import pytest
import torch

import explain
from explain import names
from explain.attribution import METHODS
from explain.errors import BadValue, Unknown
from explain.index.search import METRICS, MetricName
from explain.options import Choices
from explain.projections.projection import PROJECTIONS
from explain.training import RECIPES
from explain.trust import CHECKED
from explain.views import VIEWS
from explain.views.documentation import parameters
from scripts import stubs

ROOT = Path(explain.__file__).parents[1]
SCRIPTS = ROOT / "tests" / "typed"


def test_the_stub_and_the_names_are_as_the_views_and_registries_are():
    for path, text in stubs.files().items():
        assert path.read_text() == text, f"{path.name} is not as `python -m scripts.stubs` writes it"


def test_the_stub_has_every_name_of_the_library_and_no_other():
    tree = ast.parse((ROOT / "explain" / "__init__.pyi").read_text())
    told = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    told |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    told |= {one.asname for node in tree.body if isinstance(node, ast.ImportFrom) for one in node.names if one.asname}
    assert told == set(explain.__all__)
    assert all(hasattr(explain, name) for name in told)


def test_names_are_those_of_the_registries():
    assert get_args(names.SaliencyMethod) == tuple(METHODS)
    assert get_args(names.CheckedMethod) == tuple(CHECKED)
    assert get_args(names.Projection) == tuple(PROJECTIONS)
    assert get_args(names.RecipeName) == tuple(RECIPES)
    assert get_args(MetricName) == tuple(METRICS)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_called_by_its_name_and_documents_every_parameter(name):
    function, view = getattr(explain, name), VIEWS[name]
    assert (function.__module__, function.__name__, function.__qualname__) == ("explain", name, name)
    assert pickle.loads(pickle.dumps(function)) is function
    found, text = inspect.signature(function), inspect.getdoc(function)
    assert text.lower().startswith(f"{view.summary}.\n".lower())
    assert view.doc in text
    for key, one in view.parameters.items():
        options = getattr(one.kind, "entry", None)
        if one.is_options and key not in found.parameters:
            every = {key: option for entry in options.registry.values() for key, option in entry.options.items()}
            assert every.keys() <= found.parameters.keys()
            continue
        assert re.search(rf"^    {key}: .", text, re.MULTILINE), key
        told = found.parameters[key]
        assert one.is_options or told.default == one.default
        option = getattr(one.kind, "option", None)
        if option is not None and isinstance(option.bounds, Choices) and not option.bounds.more and option.type is str:
            assert get_args(told.annotation) == option.bounds.values
    for key, option in view.style.items():
        assert re.search(rf"^    {key}: .", text, re.MULTILINE), key
        assert option.said in " ".join(text.split())


def test_help_begins_with_the_names_and_has_each_method_with_its_options():
    text = pydoc.plain(pydoc.render_doc(explain.saliency))
    line = next(line for line in text.splitlines() if line.startswith("saliency("))
    image = "image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path"
    assert line.startswith(f'saliency(model: Model, {image}, method: Literal["gradient", "input_x_gradient", ')
    assert ' = "gradient", target: int | str | None = None, ' in line
    assert "samples: int = ..., " in line  # another default each
    assert line.endswith(" -> Saliency")
    flat = " ".join(text.split())
    for entry in CHECKED.values():
        assert f"{entry.name}: {entry.summary}" in flat
        assert all(f"{option.name}: {option.said}" in flat for option in entry.options.values())


def test_a_signature_of_several_methods_leaves_their_options_open():
    assert list(parameters(inspect.signature(explain.saliency_grid)))[-1] == "**options: Any"
    assert "**{'NAME.OPTION': value}" in explain.saliency_grid.__doc__


def test_a_registered_function_does_for_its_name_and_another_is_said(lenet):
    noise, mine = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8), METHODS["smooth_grad"].function
    found = explain.saliency(lenet, noise, mine, samples=2)
    assert found.facts["method"] == "smooth_grad"
    assert (found.heat == explain.saliency(lenet, noise, "smooth_grad", samples=2).heat).all()

    def smooth_grad(*_):
        return torch.zeros(1)

    with pytest.raises(BadValue, match="is not the function that is registered as 'smooth_grad'"):
        explain.saliency(lenet, noise, smooth_grad)
    with pytest.raises(Unknown, match="Unknown saliency method 'nobodys'"):
        explain.saliency(lenet, noise, type("nobodys", (), {}))


@pytest.fixture(scope="session")
def users(tmp_path_factory):
    """A user's Python, where the package is installed as setuptools does it."""
    folder = tmp_path_factory.mktemp("user")
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv").glob("lib/python3*/site-packages")
    (site / "others.pth").write_text(f"{Path(mypy.__file__).parents[1]}\n")
    source = folder / "source"
    shutil.copytree(ROOT / "explain", source / "explain", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, source)
    build = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, site, "zip")
    # Strict as by --strict, and which libraries have no types as ours says it: then torch, which takes a minute and a
    # half, is known from scripts/check.
    ours = (ROOT / "pyproject.toml").read_text().partition("[tool.mypy]\n")[2].partition("\n[tool.pytest")[0]
    (folder / "mypy.toml").write_text("[tool.mypy]\n" + ours.replace('packages = ["explain"]\n', ""))
    known, own = ROOT / ".mypy_cache", ROOT / ".mypy_cache" / "user"
    if known.exists() and not own.exists():
        shutil.copytree(known, own, ignore=shutil.ignore_patterns("user"), dirs_exist_ok=True)
    return python


def reported(python, script):
    """What mypy --strict says of a copy of a script, elsewhere: (line, kind)."""
    copy = python.parents[2] / script.name
    shutil.copy(script, copy)
    words = ["-m", "mypy", "--strict", f"--config-file={python.parents[2] / 'mypy.toml'}"]
    words += [f"--python-executable={python}", f"--cache-dir={ROOT / '.mypy_cache' / 'user'}"]
    words += ["--no-error-summary", "--no-color-output", copy.name]
    answer = subprocess.run([sys.executable, *words], cwd=copy.parent, capture_output=True, text=True)
    assert not answer.stderr, answer.stderr
    lines = [line for line in answer.stdout.splitlines() if ": note: " not in line]
    found = [re.fullmatch(rf"{copy.name}:(\d+): error: .*\[([\w-]+)\]", line) for line in lines]
    assert all(found), lines
    return {(int(one[1]), one[2]): line for one, line in zip(found, lines, strict=True)}


@pytest.mark.slow
def test_a_users_script_is_well_typed(users):
    assert not reported(users, SCRIPTS / "right.py")


@pytest.mark.slow
def test_mistakes_in_a_users_script_are_reported_where_they_are(users):
    wrong = SCRIPTS / "wrong.py"
    lines = enumerate(wrong.read_text().splitlines(), 1)
    wanted = {(number, line.partition("  # ")[2]) for number, line in lines if "  # " in line}
    found = reported(users, wrong)
    assert found.keys() == wanted
    (misspelt,) = (line for line in found.values() if "grad_cm" in line)
    assert "'grad_cam'" in misspelt


def test_the_script_uses_every_function_of_the_library():
    tree = ast.parse((SCRIPTS / "right.py").read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    assert {node.attr for node in found if node.value.id == "explain"} == set(explain.__all__)
