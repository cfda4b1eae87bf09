"""docs/lectures.md: no row of the lectures is missing; what it names exists, and its tests are run."""

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
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+(?:\[[^`\]]+\])?)`")
OF_ALL, OF_GPU = "with --all", "on a GPU"  # what a row says whose tests are not run everywhere
PROOF = re.compile(rf"{NAMED.pattern}(?:, {NAMED.pattern})*(?:; ({OF_ALL}|{OF_GPU}))?(?:; partly: .+)?")


def test_every_row_is_there_once():
    assert sorted(row for row, *_ in ROWS) == sorted(WANTED)


@pytest.fixture(scope="module")
def collected(request):
    """Every test of the files that the page names, by its address: this session's own where it has them, so that in a
    run of all they cost nothing. What has parameters stands there without them as well."""
    items, root = list(request.config.collected), request.config.rootpath
    files = {path for *_, proof in ROWS for path, _ in NAMED.findall(proof)}
    missing = sorted(files - {item.nodeid.partition("::")[0] for item in items})
    if missing:
        items += _collected(root, missing)
    found = {}
    for item in items:
        found.setdefault(item.nodeid.partition("[")[0], []).append(item)
        found[item.nodeid] = [item]
    return found


def _collected(root, files):
    class Kept:
        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_modifyitems(self, items):
            self.items = list(items)

    kept = Kept()
    asked = ["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={root}"]
    assert pytest.main([*asked, *(str(root / path) for path in files)], plugins=[kept]) == 0
    return kept.items


def left_out(items):
    """Why not one of these is run here."""
    late = [bool(item.get_closest_marker("exhaustive")) for item in items]
    if all(late):
        return OF_ALL
    reasons = [
        " ".join(
            mark.kwargs.get("reason", "skipped") for mark in item.iter_markers(kind) if kind == "skip" or mark.args[0]
        )
        for item in items
        for kind in ("skip", "skipif")
    ]
    skipped = [any(reasons[2 * k : 2 * k + 2]) for k in range(len(items))]
    return OF_GPU if all(skipped) and any("GPU" in one for one in reasons) else "" if not all(skipped) else "skipped"


@pytest.mark.parametrize(("row", "what", "where", "proof"), ROWS, ids=[row for row, *_ in ROWS])
def test_what_is_named_is_there_and_is_run(row, what, where, proof, collected):
    assert what
    if where in ("not software", "missing"):
        assert proof
        return
    assert where == "torch" or (ROOT / where.strip("`")).is_file()
    if proof.startswith("not software"):
        assert f"**{row}.**" in PAGE.read_text()
        return
    assert PROOF.fullmatch(proof), proof
    for path, name in NAMED.findall(proof):
        items = collected.get(f"{path}::{name}")
        assert items, f"no such test: {path}::{name}"
        why = left_out(items)
        assert not why or f"; {why}" in proof, f"{name} is {why}, and the row does not say so"


def test_the_errors_are_those_of_the_table():
    assert {one.row: one.about.lower() for one in CORRECTIONS} == {
        row: what.lower() for row, what, where, _ in ROWS if row[0] == "E" and where != "not software"
    }
