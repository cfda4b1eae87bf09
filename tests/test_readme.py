"""README.md tells the truth: its commands parse, its names exist, its pictures and table of views are of now."""

import ast
import re
import shlex
import sys
from pathlib import Path

import pytest

import explain
from explain import cli
from explain.views import VIEWS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^(?:\.venv/bin/)?python -m explain (.+)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one(line):
    words = shlex.split(line.partition("  #")[0])
    given = cli.declared(words).parser.parse_args(words)
    assert callable(given.run)
    if words[0] in VIEWS:
        style = dict(pair.split("=") for pair in getattr(given, "style", []))
        assert VIEWS[words[0]].check_style(style).keys() == style.keys()


def test_commands_are_found():
    assert len(COMMANDS) > 25
    assert {line.split()[0] for line in COMMANDS} <= set(cli.declared().names)


def test_every_command_that_is_not_a_view_is_shown():
    told = set(re.findall(r"python -m explain (\w+)", TEXT)) | {"serve", "data"}
    assert set(cli.declared().names) - set(VIEWS) <= told


def test_names_of_the_library_exist():
    (code,) = (
        block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if block.startswith("import explain")
    )
    ast.parse(code)
    names = set(re.findall(r"explain\.(\w+)\(", code))
    assert len(names) > 15
    assert names <= set(explain.__all__)


def test_the_table_of_views_is_written_from_them():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import readme
    finally:
        sys.path.pop(0)
    assert readme.renewed(TEXT) == TEXT, "python scripts/readme.py writes it anew"


def test_every_page_is_shown_and_every_picture_used():
    pictures = {path.name for path in (ROOT / "docs/images").iterdir()}
    pages = {f"{path.stem}.png" for path in (ROOT / "explain/ui/pages").glob("*.py")}
    assert pictures == pages, "scripts/screenshots takes them"
    shown = set(re.findall(r"\(docs/images/([\w.-]+)\)", TEXT))
    assert shown <= pictures
    assert len(shown) >= 9
