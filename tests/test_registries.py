"""Every registry of the package keeps one contract; what is registered is at once in library, app and shell.

A registry that is added to the package is found and held to it without a line here.
"""

import importlib
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import explain
from explain.errors import BadValue, Unknown
from explain.figure import read_facts
from explain.options import Choices, Range, options_of
from explain.projections.projection import PROJECTIONS, Projection
from explain.views import embedding

ROOT = Path(explain.__file__).parent


def registries():
    """By the lines that make them: (module, name)."""
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(("explain", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for name in re.findall(r"^(\w+)(?:: \w+)? = Registry\(", path.read_text(), re.MULTILINE):
            yield getattr(importlib.import_module(module), name)


ALL = list(registries())
ENTRIES = [pytest.param(entry, id=f"{one.kind}-{name}") for one in ALL for name, entry in one.items()]
OPTIONS = [
    pytest.param(entry, option, id=f"{one.kind}-{name}-{option.name}")
    for one in ALL
    for name, entry in one.items()
    for option in entry.options.values()
]


def test_all_are_found_and_none_is_empty():
    kinds = {one.kind for one in ALL}
    assert kinds >= {
        *("saliency method", "unit method", "projection", "architecture"),
        *("optimiser", "schedule", "augmentation"),
    }
    assert len(kinds) == len(ALL)
    assert all(len(one) > 1 for one in ALL)


@pytest.mark.parametrize("registry", ALL, ids=lambda one: one.kind)
def test_names_are_told_apart_and_an_unknown_one_is_answered_with_them(registry):
    labels = [entry.label for entry in registry.values()]
    assert len(set(labels)) == len(labels)
    with pytest.raises(Unknown, match=f"Unknown {registry.kind} 'nonesuch'") as caught:
        registry["nonesuch"]
    assert next(iter(registry)) in str(caught.value)


@pytest.mark.parametrize("registry", ALL, ids=lambda one: one.kind)
def test_a_name_is_taken_once(registry):
    before = dict(registry)
    for entry in before.values():
        with pytest.raises(ValueError, match=f"{registry.kind} '{entry.name}' is registered twice"):
            registry.register(entry.function)
    assert dict(registry) == before


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_what_it_is(entry):
    assert entry.name == entry.function.__name__
    assert re.fullmatch(r"[A-Z\d].{8,118}[.]", entry.summary), "one sentence on the docstring's first line"
    assert not entry.caveat or entry.caveat.endswith(".")
    assert entry.label == entry.label.strip() != ""
    assert entry.options == options_of(entry.function)
    assert entry.check({}) == {name: option.default for name, option in entry.options.items()}
    assert entry.check({name: str(value) for name, value in entry.check({}).items()}) == entry.check({})
    with pytest.raises(Unknown, match=f"Unknown option of {entry.name} 'nonesuch'") as caught:
        entry.check({"nonesuch": 1})
    assert (next(iter(entry.options), "It has none")) in str(caught.value)


@pytest.mark.parametrize(("entry", "option"), OPTIONS)
def test_an_option_has_a_type_bounds_and_a_default_within(entry, option):
    assert option.type in (int, float, bool, str)
    assert type(option.default) is option.type
    values = {option.default}
    if isinstance(option.bounds, Range):
        assert option.type in (int, float)
        assert option.bounds.low < option.bounds.high
        values |= {option.type(option.bounds.low), option.type(option.bounds.high)}
    elif isinstance(option.bounds, Choices):
        assert len(set(option.bounds.values)) == len(option.bounds.values) > 1
        values |= set(option.bounds.values)
    else:
        assert option.bounds is None
        assert option.type in (bool, str), "a number without bounds is a request for any amount of memory"
    for value in values:
        for given in (value, str(value)):
            checked = option.check(given)
            assert (checked, type(checked)) == (value, option.type)


def wrong(option):
    """Values that it may not take, each with what is said of it."""
    if option.type in (int, float):
        yield from (("much", "number"), ("nan", "number"), ("inf", "number"), (None, "number"), (True, "number"))
    if option.type is bool:
        yield from (("maybe", "true or false"), (None, "true or false"))
    if isinstance(option.bounds, Range):
        low, high = option.bounds.low, option.bounds.high
        yield from ((value, f"outside {low} to {high}") for value in (low - 1, high + 1, str(high + 1)))
    elif isinstance(option.bounds, Choices) and option.type is not bool:
        value = "nonesuch" if option.type is str else max(option.bounds.values) + 1
        yield value, str(option.bounds.values[0])


@pytest.mark.parametrize(("entry", "option"), OPTIONS)
def test_a_wrong_value_is_refused_with_the_right_ones(entry, option):
    for value, words in wrong(option):
        with pytest.raises((BadValue, Unknown)) as caught:
            entry.check({option.name: value})
        message = str(caught.value)
        assert option.name in message
        assert words in message
        assert "\n" not in message


# Something new -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(lenet, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        yield explain.build_index(lenet, "fashion-mnist", limit=50)


@pytest.fixture
def dial(monkeypatch):
    """A projection that nobody has heard of, registered and nothing else."""
    monkeypatch.setattr(PROJECTIONS, "_entries", dict(PROJECTIONS._entries))

    @PROJECTIONS.register(label="Dial", libraries=("packaging",))
    def dial(vectors, _times, progress, preview, *, radius: Annotated[float, Range(1, 9, help="of the dial")] = 2.0):
        """All pictures on a circle.

        Where a picture lies means nothing.
        """
        angles = 2 * np.pi * np.arange(len(vectors)) / len(vectors)
        points = radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        progress(1, 1)
        preview(points)
        return Projection(points, {"turns": 1})

    return dial


@pytest.fixture
def bare(monkeypatch):
    """Another, without options."""
    monkeypatch.setattr(PROJECTIONS, "_entries", dict(PROJECTIONS._entries))

    @PROJECTIONS.register
    def first_two(vectors, _times, progress, preview):
        """The first two numbers of each vector."""
        return Projection(vectors[:, :2], {})


def test_a_new_projection_is_in_the_library(index, dial, tmp_path):
    result = explain.embedding(index, "dial", radius="3")
    np.testing.assert_allclose(np.hypot(*result.points.T), 3, rtol=1e-6)
    assert result.caveat == "Where a picture lies means nothing."
    figure = result.figure()
    assert figure.title.startswith("Dial of 50 pictures")
    assert result.caveat in figure.note
    facts = read_facts(figure.encode("png"))
    assert (facts["method"], facts["options"], facts["turns"]) == ("dial", {"radius": 3.0}, 1)
    assert "packaging" in facts["versions"]
    assert all(figure.encode(name, width_mm=60, dpi=60) for name in figure.formats)
    again = embedding.unpack(index, embedding.pack(result))
    np.testing.assert_array_equal(again.points, result.points)
    assert embedding.project_point(result, explain.open_picture("fashion-mnist/777")).place.shape == (2,)
    with pytest.raises(Unknown, match="dial"):
        embedding.compute(index, "dail")


def test_a_new_projection_is_in_the_shell(index, dial, run, tmp_path):
    out = tmp_path / "map.csv"
    status, _, said = run("embedding", index.folder, "--method", "dial", "--option", "radius=4", "--out", out)
    assert (status, out.exists()) == (0, True), said
    status, _, said = run("embedding", index.folder, "--method", "dial", "--option", "radius=40")
    assert status == 2
    assert "outside 1 to 9" in said


@pytest.mark.parametrize(("name", "label"), [("dial", "Dial"), ("first_two", "First two")])
def test_a_new_projection_is_in_the_app(index, dial, bare, name, label):
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": "lenet-fashion-mnist", "embedding.method": name})
    app.switch_page("explain/ui/pages/pictures.py")
    app.run()
    for _ in range(100):
        if any("embed" in block.value for block in app.code):
            break
        app.run()
    assert not app.exception, app.exception
    assert not app.error, app.error
    assert app.query_params["embedding.method"] == name
    assert label in app.selectbox(key="_embedding.method").options
    assert any(one.label == f"Options of {label}" for one in app.expander)
    assert any(f"--method {name}" in block.value for block in app.code)
