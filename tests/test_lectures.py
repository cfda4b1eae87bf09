"""docs/lectures.md: no row of the lectures is missing, and what it names exists."""

import ast
import re
from pathlib import Path

import pytest

from explain.lectures.corrections import CORRECTIONS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "lectures.md"
COUNTS = {
    "V": 37,
    "U": 8,
    "C": 13,
    "E": 44,
    "M": 37,
    "L": 18,
    "N": 15,
    "O": 23,
    "R": 13,
    "G": 10,
    "T": 9,
    "X": 8,
    "D": 10,
}
PARTS = {"X01": "abcd", "X02": "abcde", "X03": "abcd", "X04": "abc", "X05": "abcde"}
WANTED = [f"{letter}{k:02}" for letter, count in COUNTS.items() for k in range(1, count + 1)]
WANTED += [f"{row}{part}" for row, parts in PARTS.items() for part in parts]
ROWS = re.findall(r"^\| ([A-Z]\d\d[a-e]?) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)


def test_every_row_is_there_once():
    assert sorted(row for row, *_ in ROWS) == sorted(WANTED)


@pytest.mark.parametrize(("row", "what", "where", "proof"), ROWS, ids=[row for row, *_ in ROWS])
def test_what_is_named_exists(row, what, where, proof):
    assert what
    if where in ("not software", "missing"):
        assert proof
        return
    assert where == "torch" or (ROOT / where.strip("`")).is_file()
    if proof.startswith("not software"):
        assert f"**{row}.**" in PAGE.read_text()
        return
    match = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)(?:\[(\w+)\])?`(?:; partly: .+)?", proof)
    assert match, proof
    source = (ROOT / match[1]).read_text()
    assert match[2] in {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    if match[3]:
        assert f'"{match[3]}": (' in source


def test_the_errors_are_those_of_the_table():
    assert {one.row: one.about.lower() for one in CORRECTIONS} == {
        row: what.lower() for row, what, where, _ in ROWS if row[0] == "E" and where != "not software"
    }
