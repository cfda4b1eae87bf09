"""Who hears of work: who is given, or a bar on the terminal or in the notebook, once, or nobody where it is off."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

import explain
from explain import cli, progress
from explain.progress import heard, listening, notify, unheard
from explain.training.sweep import sweep


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard error, on which a bar appears at once and with each step."""
    monkeypatch.delenv("EXPLAIN_PROGRESS", raising=False)
    monkeypatch.setattr(progress, "DELAY", 1e-9)
    monkeypatch.setattr(progress, "OFTEN", 0)
    return errors_to(monkeypatch, Terminal())


def errors_to(monkeypatch, stream):
    """sys.stderr itself is pytest's."""
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    return stream


def steps(given=None, name="some work", count=6):
    with heard(given, name) as told:
        for k in range(count):
            told(k, count, f"step {k}")
    return told


def test_the_outermost_has_a_bar_with_its_name(terminal):
    steps()
    assert "some work" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")  # nothing is left of it


def test_one_within_another_has_none_of_its_own(terminal):
    with heard(None, "the whole") as told:
        steps(name="a part")
        told(1, 2)
    assert "a part" not in terminal.getvalue()
    steps(name="the next")
    assert "the next" in terminal.getvalue()


def test_who_is_given_hears_and_nobody_else(terminal):
    found = []

    def listener(*told):
        found.append(told)
        steps(name="a part")

    assert steps(listener) is listener
    assert found[-1] == (5, 6, "step 5")
    assert steps(unheard) is unheard
    assert terminal.getvalue() == ""


def test_who_listens_hears_of_what_is_given_nobody(terminal):
    found = []
    with listening(lambda *told: found.append(told)):
        assert steps() is notify
        with listening(notify):
            notify(1, 2, "once")
    assert found == [*((k, 6, f"step {k}") for k in range(6)), (1, 2, "once")]
    assert terminal.getvalue() == ""


def test_no_bar_before_two_seconds(terminal, monkeypatch):
    monkeypatch.undo()
    assert progress.DELAY == 2
    errors_to(monkeypatch, terminal)
    monkeypatch.delenv("EXPLAIN_PROGRESS", raising=False)
    steps()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("word", ["off", "0", "No"])
def test_it_can_be_switched_off(terminal, monkeypatch, word):
    monkeypatch.setenv("EXPLAIN_PROGRESS", word)
    assert steps() is unheard
    assert terminal.getvalue() == ""


def test_it_is_silent_where_standard_error_is_no_terminal(terminal, monkeypatch):
    stream = errors_to(monkeypatch, io.StringIO())
    assert steps() is unheard
    assert stream.getvalue() == ""


def test_a_notebook_has_one_although_it_is_no_terminal(terminal, monkeypatch, recwarn):
    stream = errors_to(monkeypatch, io.StringIO())
    shell = SimpleNamespace(kernel=object(), config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    steps()
    assert "some work" in stream.getvalue()  # of text: there are no widgets here
    assert not recwarn.list


def test_the_bar_is_gone_after_an_error(terminal):
    with pytest.raises(KeyboardInterrupt), heard(None, "some work") as told:
        told(1, 2)
        told(2, 2)
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("\r")
    steps(name="the next")
    assert "the next" in terminal.getvalue()


def test_the_views_have_one(terminal, lenet, clothes):
    explain.leaderboard(lenet, "fashion-mnist", ["grad_cam"], count=2, portions=2)
    assert "leaderboard" in terminal.getvalue()
    before = terminal.getvalue()
    index = explain.open_index(clothes.folder, lenet)
    explain.neighbours(index, 3)  # which reads all pictures, and takes no progress
    new = terminal.getvalue().removeprefix(before)
    assert "neighbours" in new
    assert "index" not in new


def test_a_view_without_progress_tells_who_listens(terminal, lenet, clothes):
    found = []
    with listening(lambda *told: found.append(told)):
        explain.neighbours(explain.open_index(clothes.folder, lenet), 3)
    assert (64, 300, "pixels") in found
    assert terminal.getvalue() == ""


def test_training_tells_of_its_steps(terminal):
    found = []
    images = explain.load_images("fashion-mnist", 64)
    asked = {"batch_size": 32, "epochs": 2}
    explain.train("lenet-fashion-mnist", images, progress=lambda *told: found.append(told), **asked)
    assert [told[:2] for told in found][-2:] == [(2, 4), (4, 4)]
    assert found[-1][2].startswith("epoch 2, loss ")
    assert terminal.getvalue() == ""
    rows = []
    explain.train("lenet-fashion-mnist", images, on_epoch=rows.append, **asked)  # who prints wants no bar
    assert (len(rows), terminal.getvalue()) == (2, "")
    found.clear()
    sweep("lenet-fashion-mnist", images, [{"epochs": 1}] * 2, progress=lambda *told: found.append(told), batch_size=32)
    assert [told[:2] for told in found] == [(1, 2), (2, 2)]
    explain.train("lenet-fashion-mnist", images, **asked)
    assert "train" in terminal.getvalue()


def test_a_listener_that_raises_ends_a_training_with_a_checkpoint(tmp_path):
    def stop(*_):
        raise RuntimeError("enough")

    images = explain.load_images("fashion-mnist", 64)
    asked = {"folder": tmp_path / "run", "batch_size": 32, "epochs": 2}
    with pytest.raises(RuntimeError, match="enough"):
        explain.train("lenet-fashion-mnist", images, progress=stop, **asked)
    seen = []
    explain.train("lenet-fashion-mnist", images, progress=lambda *told: seen.append(told[0]), **asked)
    assert seen == [4]  # the first epoch was not trained again


def test_indexes_tell_how_far_they_are(terminal, lenet, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    images = explain.load_images("fashion-mnist", 40)
    explain.build_index(lenet, images[:20], out=folders[0])
    assert "build_index" in terminal.getvalue()
    explain.build_index(lenet, images[20:], out=folders[1], progress=unheard)
    found = []
    whole = explain.merge_indexes(folders, tmp_path / "c", lenet, progress=lambda *told: found.append(told))
    assert len(whole) == 40
    assert len(found) == found[0][1] == found[-1][0] + 1


def test_a_command_about_many_pictures_has_its_bar_at_once(terminal, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(progress, "DELAY", 60)
    assert (
        cli.main(["index", "lenet-fashion-mnist", "fashion-mnist", "--limit", "3", "--out", str(tmp_path / "i")]) == 0
    )
    assert "3/3" in terminal.getvalue()
    terminal.truncate(0)
    monkeypatch.setenv("EXPLAIN_PROGRESS", "off")
    assert cli.main(["predict", "lenet-fashion-mnist", "fashion-mnist/0", "fashion-mnist/1"]) == 0
    assert not terminal.getvalue()


def test_the_app_shows_progress_itself(monkeypatch):
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("EXPLAIN_PROGRESS", "")  # put back afterwards
    monkeypatch.delenv("EXPLAIN_PROGRESS")
    AppTest.from_file("../app.py", default_timeout=60).run()
    assert os.environ["EXPLAIN_PROGRESS"] == "off"
