"""README.md and docs/ tell the truth: every line of theirs that is a command or Python is run, in a folder of its own.

A block whose first line is a comment with a file's name is that file; one in TOML is explain.toml.
"""

import ast
import json
import re
import shlex
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from markdown_it import MarkdownIt
from PIL import Image

import explain
from explain import cli
from explain.attribution import METHODS
from explain.views import VIEWS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = ("", "bash", "sh", "shell")
NOT_RUN = {  # a pattern of lines and blocks that are parsed alone -> why
    r"^@view": "a view is a file of the package and a line of its table",
    r"explain serve\b": "it serves until it is stopped; tests/test_server.py starts it",
    r"explain doctor": "tests/test_doctor.py runs it",
    r"explain train lenet-fashion-mnist --to my-lenet": "ten epochs of 60,000 pictures that are not on every machine",
}
NOT_OURS = {  # commands of others -> why they are not run
    "pip": "it changes the environment",
    "scripts/": "it installs what is missing, and some of them take minutes; that there is one is tested",
    ".venv/bin/python -m build": "tests/test_wheel.py builds the wheel",
    ".ci/run": "it runs this test",
}
NETS = """
from torch import nn

def build(width=8):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2)
    )
"""


class Block(NamedTuple):
    language: str
    text: str
    line: int  # of the page, of its first

    @property
    def file(self):
        """The name in its first line, where that is a comment and nothing else."""
        named = re.match(r"# ([\w./-]+\.\w+)\n", self.text)
        return named and named[1]


def blocks(page):
    tokens = MarkdownIt().parse(page.read_text())
    return [Block(one.info.strip(), one.content, one.map[0] + 2) for one in tokens if one.type == "fence"]


def commands(block):
    """The lines of a shell's block with their numbers, without comments; lines that end in a backslash go on."""
    text = re.sub(r"\\\n\s*", " ", block.text) if block.language in SHELL else ""
    lines = ((block.line + k, line.partition("  #")[0].strip()) for k, line in enumerate(text.splitlines()))
    return [(k, line) for k, line in lines if line and not line.startswith("#")]


def ours(line):
    """The words of a command of explain; None for another's."""
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:1] == ["explain"]:
        return words[1:]
    return words[3:] if words[1:3] == ["-m", "explain"] and words[0].endswith("python") else None


def is_not_run(text):
    return any(re.search(one, text) for one in NOT_RUN)


COMMANDS = [(page, k, line) for page in PAGES for block in blocks(page) for k, line in commands(block)]
OURS = [(page, k, line) for page, k, line in COMMANDS if ours(line) is not None]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(folder))
        patch.delenv("EXPLAIN_PROJECT", raising=False)
        yield folder


@pytest.fixture(scope="module")
def things(tmp_path_factory, workspace, lenet, lite):
    """What pages speak of as the reader's own: pictures, a table, checkpoints, a factory, indexes."""
    folder = tmp_path_factory.mktemp("things")
    images, clothes = explain.load_images("photos"), explain.load_images("fashion-mnist", 40)
    images[0].save(folder / "cat.jpg")
    (folder / "my-pictures").mkdir()
    for number in range(3):
        images[number].resize((300, 260)).convert("RGB").save(folder / f"my-pictures/{number}.jpg")
    for name in ("my-folder", "data"):
        for number in range(40):
            kind = folder / name / ("good" if number % 2 else "scratch")
            kind.mkdir(parents=True, exist_ok=True)
            clothes[number].convert("RGB").resize((64, 64)).save(kind / f"{number:04}.png")
    (folder / "parts").mkdir()
    rows = ["image,kind,shift"]
    for number, kind in enumerate(["good", "scratch", "dent"] * 2):
        noise = np.random.default_rng(number).integers(0, 255, (224, 224, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"parts/{number:04}.jpg")
        rows.append(f"parts/{number:04}.jpg,{kind},{'late' if number > 2 else 'early'}")
    (folder / "parts.csv").write_text("\n".join(rows))
    (folder / "nets.py").write_text(NETS)
    from torchvision.models import resnet18

    torch.save(resnet18(num_classes=3).state_dict(), folder / "last.ckpt")
    there = {}
    exec(NETS, there)
    torch.save(there["build"]().state_dict(), folder / "net.ckpt")
    explain.save_model(explain.load_model("torchvision:resnet18?weights=random"), folder / "net")
    (folder / "net/weights.safetensors").rename(folder / "net.safetensors")
    explain.build_index(lenet, "fashion-mnist", limit=60, out=folder / "my-index")
    explain.build_index(
        explain.load_model("small-resnet-fashion-mnist"), "fashion-mnist", limit=60, out=folder / "clothes"
    )
    return folder


@pytest.fixture
def beside(things, tmp_path, monkeypatch):
    """A folder with copies of them, as far as they can be written."""
    import shutil

    shutil.copytree(things, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS._entries))  # to which a page adds one
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name, module in list(sys.modules.items()):  # nets.py, of which each page may have another
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def names_of_ones_own(text):
    """What an explain.toml names can be loaded; other TOML is only read."""
    said = tomllib.loads(text)
    if said.keys() <= {"models", "images"}:
        Path("explain.toml").write_text(text)
        for name in said["models"]:
            assert list(explain.load_model(name).classes) == said["models"][name]["classes"]
        for name in said["images"]:
            assert len(explain.load_images(name))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_works_as_printed(page, beside, subtests, capsys):
    names = {"__name__": "__main__"}
    for block in blocks(page):
        with subtests.test(f"{page.name}:{block.line}"):
            if block.file:
                Path(block.file).write_text(block.text)
            elif block.language == "toml":
                names_of_ones_own(block.text)
            elif block.language == "python" and is_not_run(block.text):
                ast.parse(block.text)
            elif block.language == "python":
                exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
        for k, line in commands(block):
            if ours(line) is not None and not is_not_run(line):
                with subtests.test(f"{page.name}:{k}: {line}"):
                    status = cli.main(ours(line))
                    assert status == 0, capsys.readouterr().err


@pytest.mark.parametrize(("page", "k", "line"), OURS, ids=lambda value: None if isinstance(value, int) else str(value))
def test_a_command_is_one(page, k, line):
    words = ours(line)
    given = cli.declared(words).parser.parse_args(words)
    assert callable(given.run)
    if words[0] in VIEWS:
        style = dict(pair.split("=") for pair in getattr(given, "style", []))
        assert VIEWS[words[0]].check_style(style).keys() == style.keys()


def test_what_is_not_run_has_its_reason():
    others = {line for *_, line in COMMANDS if ours(line) is None}
    assert not [line for line in others if not any(line.startswith(one) for one in NOT_OURS)]
    texts = [line for *_, line in OURS] + [block.text for page in PAGES for block in blocks(page)]
    assert not [one for one in NOT_RUN if not any(re.search(one, text) for text in texts)], "no line is"
    for name in re.findall(r"(?<![\w/])(?:scripts|\.ci)/\w+(?:\.py)?", "\n".join(page.read_text() for page in PAGES)):
        assert (ROOT / name).exists(), name


def test_every_language_is_known():
    """Nothing is left out because of what its block is called."""
    known = {*SHELL, "python", "toml", "text", "nginx", "mermaid", "{toctree}"}
    assert {block.language for page in PAGES for block in blocks(page)} <= known


def test_every_command_is_shown():
    assert set(cli.declared().names) <= {ours(line)[0] for *_, line in OURS} | set(VIEWS)  # those are in the reference


def test_the_table_of_views_is_written_from_them(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import readme

    text = (ROOT / "README.md").read_text()
    assert readme.renewed(text) == text, "python scripts/readme.py writes it anew"


def test_every_page_is_shown_and_every_picture_used():
    pictures = {path.name for path in (ROOT / "docs/images").iterdir()}
    pages = {f"{path.stem}.png" for path in (ROOT / "explain/ui/pages").glob("*.py")}
    assert pictures == pages, "scripts/screenshots takes them"
    shown = set(re.findall(r"\(docs/images/([\w.-]+)\)", (ROOT / "README.md").read_text()))
    assert shown <= pictures
    assert len(shown) >= 9


def test_notebooks_are_kept_without_what_they_show():
    """The site's build runs them."""
    notebooks = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
    assert len(notebooks) >= 5
    for path in notebooks:
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        assert not [cell for cell in cells if cell["outputs"] or cell["execution_count"]], path.name


def test_the_site_has_a_place_for_every_name(monkeypatch):
    """Of the library, the views, the commands and the registries, as scripts/docs writes it."""
    monkeypatch.syspath_prepend(str(ROOT))
    from scripts import reference

    library = "\n".join(reference.library())
    views = "\n".join(reference.views())
    for name in explain.__all__:
        assert name in ("VIEWS", "__version__") or f"explain.{name}" in library or f"views/{name}.md" in views, name
    helps = "\n".join(reference.commands())
    assert all(f"## {name}\n" in helps for name in cli.declared().names)
    for _, (where, title, about) in reference.REGISTRIES.items():
        module, _, registry = where.partition(":")
        entries = getattr(import_module(f"explain.{module}"), registry)
        page = "\n".join(reference.registry_page(title, about, entries))
        for entry in entries.values():
            assert f"`{entry.name}`" in page
            assert entry.summary in page
            assert all(f"`{option}`" in page for option in entry.options)


def test_docstrings_become_markdown(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from scripts import reference

    doc = "What it does.\n\nfirst, second: what is given,\nand more of it.\nRaises BadValue."
    assert list(reference.markdown(doc)) == [
        "What it does.", "", "", "- `first`, `second`: what is given,", "and more of it.", "", "Raises BadValue."
    ]  # fmt: skip
    assert list(reference.table(("a",), [("x | y",)]))[-1] == r"| x \| y |"
