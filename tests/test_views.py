"""The contract of every view: library = command = figure drawn again = page restored, with nothing at its default.

A view's case gives every parameter that it has another value than its default, which is checked; styles are drawn by
hypothesis for what is quick, and moved off their defaults for the rest. A new view adds one case to view_cases.py.
"""

import io
import json
import shlex
import time
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from view_cases import CASES, asked, style_of

import explain
from explain import cli
from explain.figure import read_facts
from explain.options import Choices
from explain.ui import jobs
from explain.views import VIEWS
from explain.views.inputs import EntryOptions
from explain.views.signature import read_signature

pytestmark = pytest.mark.usefixtures("workspace")
DRAWN = {"png": {"width_mm": 60, "dpi": 60}, "svg": {}, "pdf": {"width_mm": 60}, "csv": {}}
# What another run has otherwise: seconds.
BY_THE_CLOCK = {"batch_costs": ("measured", "seconds", "pictures_a_second")}


def test_every_view_has_a_case_that_leaves_nothing_at_its_default(known):
    assert set(VIEWS) == {name.partition(":")[0] for name in CASES}
    for name, view in VIEWS.items():
        cases = [asked(case, known)[1] for case in CASES if case.partition(":")[0] == name]
        for parameter, one in view.parameters.items():
            if one.kind.hidden:
                continue
            values = [case[parameter] for case in cases if parameter in case]
            assert values, f"{name}: no case gives {parameter}"
            if isinstance(one.kind, EntryOptions):
                for case in cases:
                    options = one.kind.options(case)
                    for key, option in options.items():
                        assert case[parameter][key] != option.default, f"{name}: {key} is at its default"
            elif not one.required:
                assert any(
                    value is not None and value is not one.default and _differs(value, one.default) for value in values
                )


def _differs(value, default):
    return not isinstance(value, str | int | float | bool | list | tuple) or value != default


@pytest.mark.parametrize("name", VIEWS)
def test_the_static_signature_is_that_of_the_function(name):
    import inspect

    view = VIEWS[name]
    for function in ("compute", "render"):
        real = inspect.signature(inspect.unwrap(getattr(view, function))).parameters
        read = read_signature(view.module, function).parameters
        assert list(read) == [one for one in real if real[one].kind is not inspect.Parameter.VAR_POSITIONAL]
        for key, one in read.items():
            assert one.kind == real[key].kind
            assert one.default == real[key].default or callable(one.default)
    assert view.doc
    assert view.style.keys() == {
        k for k, v in read_signature(view.module, "render").parameters.items() if v.kind == v.KEYWORD_ONLY
    }


@pytest.mark.parametrize("name", CASES)
def test_a_figure_comes_out_of_its_own_facts(name, made, known):
    view, _ = asked(name, known)
    figure = made(name).figure(**style_of(view))
    written = plain(figure.facts)
    for format, how in DRAWN.items():
        if format in figure.formats:
            paper = {"paper": {**written["paper"], **how}}
            assert read_facts(figure.encode(format, **how)) == {**written, **paper}
    assert_same_figure(explain.redraw(written), figure)


@pytest.mark.parametrize("name", CASES)
def test_the_command_that_is_shown_does_the_same(name, made, known, capsys, tmp_path):
    view, values = asked(name, known)
    style, file = style_of(view), tmp_path / "figure.npz"
    line = shlex.split(view.shell(values, style, str(file)))
    assert line[:3] == ["python", "-m", "explain"]
    figure = made(name).figure(**style)
    if "npz" not in figure.formats:
        file = tmp_path / "figure.csv"
        line = shlex.split(view.shell(values, style, str(file)))
    assert cli.main([*line[3:], "--json"]) == 0
    out = capsys.readouterr().out
    said = json.loads(out)
    assert_alike(timeless(name, said["facts"]), timeless(name, plain(made(name).facts)))
    assert_alike(timeless(name, said["numbers"]), timeless(name, plain(made(name).measures)))
    assert_alike(timeless(name, read_facts(file)), timeless(name, plain(figure.facts)))


@pytest.mark.parametrize("name", CASES)
def test_the_python_that_is_shown_does_the_same(name, made, known, tmp_path):
    view, values = asked(name, known)
    style, file = style_of(view), tmp_path / "figure.svg"
    exec(view.python(values, style, str(file)), {})
    assert_alike(timeless(name, read_facts(file)), timeless(name, plain(made(name).figure(**style).facts)))


def timeless(name, values):
    gone = BY_THE_CLOCK.get(name, ())
    return {key: value for key, value in values.items() if key not in gone} if gone else values


@pytest.mark.parametrize("name", [name for name in CASES if VIEWS[name.partition(":")[0]].page])
def test_a_dropped_figure_is_the_page_again(name, made, known):
    view, _ = asked(name, known)
    content = made(name).figure(**style_of(view)).encode("svg")
    app = AppTest.from_file("../app.py", default_timeout=120)
    app.query_params["model"] = "edges-fashion-mnist"
    app.run()
    app.file_uploader[0].set_value(("figure.svg", content, "image/svg+xml")).run()
    assert not app.exception, app.exception
    assert [toast.value for toast in app.toast] == ["The view that the figure shows is open again."]
    finish_jobs(app)
    refused = [one.value for one in app.error if one.icon != ":material/dangerous:"]  # of a map that fails its check
    assert not refused, refused
    shown = [timeless(name, json.loads(code.value)) for code in app.code if code.language == "json"]
    wanted = timeless(name, read_facts(content))
    alike = [one for one in shown if one.get("view") == wanted["view"]]
    assert alike, f"the page shows no {wanted['view']}, but {[one.get('view') for one in shown]}"
    assert any(is_alike(one, wanted) for one in alike), differences(alike[0], wanted)


def finish_jobs(app):
    """Long work of the page is done before it is looked at."""
    deadline, begun = time.monotonic() + 120, bool(jobs._queue._jobs)
    while begun or any(job.active for job in list(jobs._queue._jobs.values())):
        begun = False  # what is done by now may not have been when the page was made
        while any(job.active for job in list(jobs._queue._jobs.values())):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        app.run()
        assert not app.exception, app.exception


QUICK = [
    "patches",
    "channel",
    "hierarchy",
    "neighbours",
    "confusion",
    "label_errors",
    "influence",
    "filters",
    "filters: one",
    "activations",
    "activations: one",
    "unit",
    "anatomy",
    "embedding: layer",
    "training_curves",
    "augmentations",
]


@pytest.mark.parametrize("name", QUICK)
def test_any_style_is_drawn_again(name, made, known):
    view, _ = asked(name, known)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(style=st.fixed_dictionaries({key: values_of(option) for key, option in view.style.items()}))
    def holds(style):
        try:
            figure = made(name).figure(**style)
        except explain.ExplainError:  # a page or a channel that is not there
            reject()
        assert_same_figure(explain.redraw(read_facts(figure.encode("svg"))), figure)

    holds()


def values_of(option):
    if option.type is bool:
        return st.booleans()
    if isinstance(option.bounds, Choices):
        return st.sampled_from(option.bounds.values)
    low, high = option.bounds.low, option.bounds.high
    found = st.integers(int(low), min(int(high), 20)) if option.type is int else st.floats(low, high)
    return st.none() | found if option.optional else found


# Alike: texts and whole numbers the same, other numbers to seven digits --------------------------------------------


def plain(value):
    from explain.figure.facts import facts_json

    return json.loads(facts_json({"value": value}))["value"]


def assert_alike(found, wanted):
    assert is_alike(found, wanted), differences(found, wanted)


def is_alike(found, wanted):
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return found.keys() == wanted.keys() and all(is_alike(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(is_alike, found, wanted))
    if isinstance(found, float) and isinstance(wanted, float):
        return found == pytest.approx(wanted, rel=1e-5, abs=1e-7, nan_ok=True)
    return found == wanted


def differences(found, wanted):
    if not isinstance(found, Mapping) or not isinstance(wanted, Mapping):
        return found, wanted
    return {
        key: (found.get(key, "missing"), wanted.get(key, "missing"))
        for key in {*found, *wanted}
        if not is_alike(found.get(key, "missing"), wanted.get(key, "missing"))
    }


def assert_same_figure(found, wanted):
    assert (found.title, found.note, found.paper) == (wanted.title, wanted.note, wanted.paper)
    assert_alike(plain(found.facts), plain(wanted.facts))
    assert_alike(plain(dict(found.table)), plain(dict(wanted.table)))
    if "npz" in wanted.formats:
        ours, theirs = (np.load(io.BytesIO(one.encode("npz"))) for one in (found, wanted))
        assert ours.files == theirs.files
        for key in set(ours.files) - {"facts"}:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-5, atol=1e-6)
