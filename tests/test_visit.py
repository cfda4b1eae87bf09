"""visit: what one visit holds in memory and hands in to the disk is bounded, and it is told so."""

import gc
import io
import os
import time

import numpy as np
import pytest
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from explain import store
from explain.ui import visit
from explain.workspace import budget
from explain.workspace.folder import GRACE

MB = 1 << 20


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def managers(monkeypatch):
    """Those of the app's runs, of which AppTest has one each."""
    seen = []
    real = LocalScriptRunner.__init__

    def noted(self, *given, **more):
        real(self, *given, **more)
        seen.append(self._uploaded_file_mgr)

    monkeypatch.setattr(LocalScriptRunner, "__init__", noted)
    return seen


def png(seed):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (90, 90, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def open_app(page=""):
    app = AppTest.from_file("../app.py", default_timeout=90)
    app.query_params["model"] = "lenet-fashion-mnist"
    app.run()
    if page:
        app.switch_page(page).run()
    assert not app.exception, app.exception
    return app


def held(files):
    return sum(len(one.data) for visits in files.file_storage.values() for one in visits.values())


def test_memory_of_a_visit_is_bounded_whoever_sends(monkeypatch):
    """The latest stay; another visit loses nothing, and one file alone is always taken."""
    monkeypatch.setattr(visit, "MEMORY", 10 * MB)
    files = MemoryUploadedFileManager("/upload")
    door = files.add_file = visit._Bounded(files)
    files.add_file("other", UploadedFileRec("a", "a", "", bytes(4 * MB)))
    for k in range(60):
        files.add_file("greedy", UploadedFileRec(f"f{k}", "a", "", bytes(3 * MB)))
        assert held(files) <= 14 * MB
    assert list(files.file_storage["greedy"]) == ["f57", "f58", "f59"]
    assert len(files.file_storage["other"]) == 1
    assert door.dropped == {"greedy"}
    files.add_file("large", UploadedFileRec("l", "l", "", bytes(12 * MB)))
    assert list(files.file_storage["large"]) == ["l"]
    files.add_file("greedy", UploadedFileRec("f59", "a", "", bytes(3 * MB)))  # sent again: no other
    assert list(files.file_storage["greedy"]) == ["f57", "f58", "f59"]


def test_a_picture_on_the_disk_is_not_held_in_memory(home, managers):
    app = open_app()
    for k in range(3):
        app.sidebar.file_uploader[0].set_value((f"{k}.png", png(k), "image/png")).run()
        assert not app.exception
        assert not app.error
        assert held(managers[-1]) == 0
    assert len(list((home / "uploads").iterdir())) == 3


def test_a_visit_that_hands_in_too_much_is_told(home, monkeypatch):
    monkeypatch.setattr(visit, "DISK", len(png(0)) * 2 + 100)
    app = open_app()
    for k in range(4):
        app.sidebar.file_uploader[0].set_value((f"{k}.png", png(k), "image/png")).run()
    assert not app.exception
    assert len(list((home / "uploads").iterdir())) == 2
    (said,) = (one.value.replace("\\", "") for one in app.error)
    assert "This visit has kept 48 KB of pictures and networks, and may keep" in said
    other = open_app()
    other.sidebar.file_uploader[0].set_value(("x.png", png(9), "image/png")).run()
    assert not other.error, "another visit has its own"


def test_what_is_refused_does_not_count(home, monkeypatch):
    monkeypatch.setattr(visit, "DISK", 2 * len(png(0)))
    app = open_app()
    for _ in range(3):
        app.sidebar.file_uploader[0].set_value(("x.png", bytes(len(png(0))), "image/png")).run()
        assert "x.png" in app.error[0].value.replace("\\", "")
    app.sidebar.file_uploader[0].set_value(("0.png", png(0), "image/png")).run()
    assert not app.error


def test_an_upload_of_a_visitor_who_is_here_is_not_old(home):
    app = open_app()
    app.sidebar.file_uploader[0].set_value(("0.png", png(0), "image/png")).run()
    (file,) = (home / "uploads").iterdir()
    os.utime(file, (0, time.time() - 2 * GRACE))
    app.run()
    assert time.time() - file.stat().st_mtime < GRACE


def test_a_full_workspace_is_said_and_the_page_goes_on(home, monkeypatch):
    monkeypatch.setenv(budget.LIMIT, "1MB")
    (home / "runs" / "r").mkdir(parents=True)
    (home / "runs" / "r" / "checkpoint.pt").write_bytes(bytes(2 * MB))
    app = open_app()
    app.sidebar.file_uploader[0].set_value(("0.png", png(0), "image/png")).run()
    assert not app.exception
    (said,) = (one.value.replace("\\", "") for one in app.error)
    assert "The workspace is full: it takes 2.0 MB of 1.0 MB: trainings 2.0 MB." in said
    assert app.title


def test_the_page_says_what_is_taken_and_gives_room(home):
    store.write(home / "kept" / "map", bytes(3 * MB))
    os.utime(home / "kept" / "map", (0, time.time() - 2 * GRACE))
    store.write(home / "indexes" / "mine" / "rows", bytes(5 * MB))
    app = open_app("explain/ui/pages/models.py")
    words = " ".join(one.value for one in app.caption).replace("\\", "")
    assert "Indexes 5.0 MB, maps and galleries 3.0 MB" in words
    button = next(one for one in app.button if one.label.startswith("Remove what can be made again"))
    assert "3.0 MB" in button.label.replace("\\", "")
    button.click().run()
    assert not app.exception
    assert not (home / "kept" / "map").exists()
    assert "3.0 MB are free again." in app.success[0].value.replace("\\", "")
    assert next(one for one in app.button if one.label.startswith("Remove what can")).disabled
    box = next(one for one in app.selectbox if one.label == "What somebody made or named")
    assert [option.replace("\\", "") for option in box.options] == ["mine · indexes · 5.0 MB"]
    box.select_index(0).run()
    next(one for one in app.button if one.label == "Remove for good").click().run()
    assert not app.exception
    assert not (home / "indexes" / "mine").exists()
    assert "mine is removed." in app.success[0].value.replace("\\", "")


def test_a_visit_holds_so_many_bytes_of_its_report(monkeypatch, tmp_path):
    """Forty figures of fifty megabytes are two gigabytes of the server's memory: the facts are kept of all of them."""
    from explain.figure import Figure, Panel
    from explain.ui import report_items

    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(report_items.st, "session_state", state := {})
    large = Figure("large", (Panel(np.zeros((3000, 5000, 3), np.uint8), "x"),), {})
    for k in range(7):
        report_items.collect(large, f"f{k}")
    assert len(report_items.report().items) == 7
    assert len(state["report-figures"]) == 4
    for one in report_items.report().items[:3]:
        report_items.remove(one.key)
    report_items.collect(large, "new")
    assert len(state["report-figures"]) == 2, "those removed have made room"


def pages():
    import weakref

    import streamlit as st

    from explain.ui import selection

    class Figure:
        pass

    def collect(figure):
        st.session_state.collected = figure

    @st.fragment
    def part():
        st.button("Again", key="again")

    selection.start("page")
    figure, name = Figure(), selection.get("shown", "first")
    st.session_state.setdefault("figures", {})[name] = weakref.ref(figure)
    st.button("Collect", key=f"collect-{name}", on_click=collect, args=(figure,))
    part()
    selection.finish()


def test_a_visit_holds_no_figures_of_pages_that_it_left():
    """Streamlit kept each with the callback of its button, for as long as the visit lasted: 4 MB after 25 pages."""
    app = AppTest.from_function(pages, default_timeout=60).run()
    assert app.session_state.figures["first"]() is not None
    app.button(key="again").click().run()
    app.button(key="collect-first").click().run()
    assert app.session_state.collected is not None
    app.session_state.collected = None
    for name in ("second", "third", "fourth"):
        app.query_params["shown"] = name
        app.run()
    gc.collect()
    held = [name for name, figure in app.session_state.figures.items() if figure() is not None]
    assert held[-1] == "fourth"
    assert len(held) <= 2  # those that browsers still speak of go a page later
