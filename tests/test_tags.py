"""Tags are names for pictures of a set; conditions say pictures one by one."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import explain
from explain.columns import condition_of, condition_said, rows_where
from explain.errors import BadValue
from explain.index import Index
from explain.workspace import tags


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    return tmp_path


@given(some.sets(some.integers(0, 99), min_size=1))
def test_a_condition_says_which_rows_and_no_other(rows: set[int]) -> None:
    condition = condition_of(rows)
    assert rows_where({}, condition, 100) == sorted(rows)
    assert rows_where({}, condition.replace(",", " , "), 100) == sorted(rows)
    counted = condition_said(condition)
    assert counted == condition or counted == f"{len(rows)} chosen pictures"


@pytest.mark.parametrize("value", ["", "3-", "-1", "7-3", "10", "3,,4", "two", "1-9999999999999", "²", "1e1"])
def test_a_number_that_no_picture_has_is_refused(value: str) -> None:
    with pytest.raises(BadValue, match="0 to 9"):
        rows_where({}, f"pictures={value}", 10)


def test_a_tables_own_column_comes_first() -> None:
    assert rows_where({"pictures": ["many", "few"]}, "pictures=few", 2) == [1]


def test_an_index_knows_its_pictures_by_number(clothes: Index) -> None:
    chosen = explain.neighbours(clothes, 0, k=2, where="pictures=3-5,8")
    assert set(chosen.features.images.tolist()) <= {3, 4, 5, 8}
    with pytest.raises(BadValue, match="pictures"):
        clothes.rows_where(f"pictures={len(clothes)}")


def test_tags_are_put_on_taken_off_and_found_again(clothes: Index, workspace: Path) -> None:
    tags.tag(clothes, "hard", [4, 2, 2])
    tags.tag(clothes, " hard ", [7])
    tags.tag(clothes, "dark", [2])
    assert tags.tags_of(clothes) == {"dark": [2], "hard": [2, 4, 7]}
    tags.untag(clothes, "hard", [2, 3])
    tags.untag(clothes, "dark", [2])
    assert tags.tags_of(clothes) == {"hard": [4, 7]}
    kept = [json.loads(path.read_text("utf-8")) for path in workspace.glob("tags/*.json")]
    assert [list(one["tags"]) for one in kept] == [["hard"]]


@pytest.mark.parametrize("name", ["", "/etc", "a" * 41, "_", "a\nb", "<b>"])
def test_a_name_that_is_none_is_refused(clothes: Index, workspace: Path, name: str) -> None:
    with pytest.raises(BadValue, match="no name for a tag"):
        tags.tag(clothes, name, [1])
    assert tags.tags_of(clothes) == {}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"tags": 3}', '{"tags": {"a": 3}}', "\x00"])
def test_a_damaged_file_is_as_none(clothes: Index, workspace: Path, content: str) -> None:
    tags.tag(clothes, "hard", [1])
    (path,) = workspace.glob("tags/*.json")
    path.write_text(content, "utf-8")
    assert tags.tags_of(clothes) == {}
    tags.tag(clothes, "soft", [3])
    assert tags.tags_of(clothes) == {"soft": [3]}
