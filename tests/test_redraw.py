"""redraw: facts lead to what the figure was made of, or one sentence says why not. The views: test_views."""

import contextlib
import copy
import functools
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from view_cases import CASES, asked, picture, style_of

import explain
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.figure import read_facts
from explain.images import cover
from explain.workspace import opener
from explain.workspace.opener import Opener
from explain.workspace.redraw import figure_of, redraw

pytestmark = pytest.mark.usefixtures("workspace")
SLOW = ("embedding", "faithfulness", "leaderboard", "gallery")  # what each mangled option asks for would be computed


@functools.cache
def facts_of(figure):
    return read_facts(figure.encode("svg"))


@pytest.fixture(scope="module")
def drawn(made, known):
    """A case's figure, with nothing at its default."""
    return functools.cache(lambda name: made(name).figure(**style_of(asked(name, known)[0])))


def test_facts_name_no_place(drawn, tmp_path, lenet):
    file = tmp_path / "mine.png"
    picture().save(file)
    own = explain.saliency(lenet, explain.open_picture(str(file))).figure()
    assert own.facts["image"] == "mine.png"
    for figure in (own, *map(drawn, CASES)):
        text = json.dumps(facts_of(figure))
        assert "/tmp" not in text
        assert "/home" not in text
        assert len(text) < 4000


def test_a_local_picture_has_to_be_given(lenet, tmp_path):
    file, other = tmp_path / "mine.png", tmp_path / "other.png"
    picture().save(file)
    picture("fashion-mnist/9").save(other)
    figure = explain.saliency(lenet, explain.open_picture(str(file))).figure()
    facts = facts_of(figure)
    with pytest.raises(BadFile, match=r"'mine.png'.*not kept here"):
        redraw(facts)
    with pytest.raises(BadValue, match="other pixels"):
        redraw(facts, image=str(other))
    for image in (str(file), file, picture(), [str(other), str(file)]):
        assert redraw(facts, image=image).encode("npz") == figure.encode("npz")
    nameless = facts_of(explain.saliency(lenet, np.asarray(picture())).figure())
    assert redraw(nameless, image=file).title == figure.title


def test_a_local_picture_is_covered_again(lenet, tmp_path):
    file = tmp_path / "mine.png"
    picture().save(file)
    covered = cover(explain.open_picture(str(file)), [(2, 3, 9, 12)], "black")
    figure = explain.saliency(lenet, covered).figure()
    assert redraw(facts_of(figure), image=file).encode("npz") == figure.encode("npz")


def test_what_has_changed_is_said(drawn):
    facts = facts_of(drawn("patches"))
    with pytest.raises(BadValue, match="other weights"):
        redraw({**facts, "model_digest": "0" * 64})
    with pytest.raises(BadValue, match="other pictures"):
        redraw({**facts, "data_digest": "0" * 64})
    with pytest.raises(BadValue, match="other pictures"):
        redraw({**facts, "images": 61})
    with pytest.raises(BadValue, match=r"k=12, not 3.*python -m explain index lenet-fashion-mnist fashion-mnist"):
        redraw({**facts, "index": {"k": 3}})
    with pytest.raises(BadValue, match="another picture than 'fashion-mnist/7'"):
        redraw({**facts_of(drawn("saliency")), "pixels": "0" * 64})
    with pytest.raises(BadValue, match="another picture than number 7"):
        redraw({**facts_of(drawn("hierarchy")), "pixels": "0" * 64})
    with pytest.raises(BadFile, match="python -m explain index lenet-fashion-mnist FOLDER --limit 60 -k 12 --seed 3"):
        redraw({**facts, "data": "mine"})
    with pytest.raises(BadFile, match=r"python -m explain index .* --layers conv1"):
        redraw({**facts, "data": "mine", "index": {"k": 16, "layers": ["conv1"]}})


def test_an_index_elsewhere_is_given(drawn, known, tmp_path, monkeypatch):
    facts, index = facts_of(drawn("patches")), known["index"]
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    with pytest.raises(BadFile, match="no index"):
        redraw(facts)
    for place in ({"index": index}, {"index": str(index.folder)}, {"index": index.folder, "model": known["model"]}):
        assert redraw(facts, **place).encode("npz") == drawn("patches").encode("npz")
    with pytest.raises(BadValue, match="other pictures"):
        redraw({**facts, "images": 3}, index=index)


@pytest.mark.parametrize("name", ["/etc", "../lenet", "models/lenet-fashion-mnist", "torchvision:../x", "nope", ""])
def test_no_fact_is_a_path(drawn, name):
    facts = facts_of(drawn("saliency"))
    with pytest.raises(Unknown, match="Unknown model in the facts"):
        redraw({**facts, "model": name})
    with pytest.raises(BadFile, match="not kept here"):
        redraw({**facts, "image": f"{name}/etc/passwd"})
    with pytest.raises(ExplainError):
        redraw({**facts_of(drawn("training_curves")), "runs": [{"name": f"{name}/etc", "digest": "0"}]})
    with pytest.raises(BadFile, match="not kept here"):
        redraw({**facts_of(drawn("leaderboard")), "data": f"{name}/etc"})


@pytest.mark.parametrize("facts", [None, [], "x", 3, {}, {"view": "nope"}, {"view": 3}, {"view": ["saliency"]}])
def test_foreign_facts_are_refused(facts):
    with pytest.raises(ExplainError):
        redraw(facts)


MANGLED = [None, "", "x" * 9999, "²", -1, 10**9, 10**5000, 1.5, float("inf"), True]
MANGLED += [[], {}, [10**5000], [-1], ["x"], {"opacity": 10**5000}]


def places(facts, before=()):
    """Where the facts of parameters stand: numbers that came out are not read."""
    for key, value in facts.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from places(value, (*before, key))


def changed(facts, place, value=None, drop=False):
    new = copy.deepcopy(facts)
    inner = new
    for key in place[:-1]:
        inner = inner[key]
    if drop:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return new


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(SLOW)])
def test_a_lost_or_mangled_fact_is_one_sentence_at_worst(drawn, known, name):
    facts, opener = facts_of(drawn(name)), Opener(known["model"], known["index"])
    values, refused = itertools.cycle(MANGLED), 0
    for place in places({key: value for key, value in facts.items() if key != "versions"}):
        for value in ["drop", *itertools.islice(values, 3)]:
            try:
                figure_of(changed(facts, place, value, drop=value == "drop"), opener)
            except ExplainError as error:
                assert 10 < len(str(error)) < 1500
                refused += 1
    assert refused > 4


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json_in_the_place_of_a_fact(drawn, known, data):
    name = data.draw(st.sampled_from([name for name in CASES if not name.startswith(SLOW)]))
    facts = facts_of(drawn(name))
    place = data.draw(st.sampled_from(list(places(facts))))
    with contextlib.suppress(ExplainError):
        figure_of(changed(facts, place, data.draw(anything)), Opener(known["model"], known["index"]))


def test_the_command_line_redraws_in_another_format(run, drawn, tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.png"
    first.write_bytes(drawn("saliency").encode("svg"))
    status, out, err = run("redraw", first, "--out", second, "--json")
    assert (status, err) == (0, f"explain: wrote {second}\n")
    assert json.loads(out)["facts"] == read_facts(second)
    assert second.read_bytes() == drawn("saliency").encode("png")


def test_the_command_line_takes_the_picture(run, lenet, tmp_path):
    file = tmp_path / "pictures/mine.png"
    file.parent.mkdir()
    picture().save(file)
    first = explain.saliency(lenet, explain.open_picture(str(file))).save(tmp_path / "figures/first.png")
    assert run("redraw", first, "--out", tmp_path / "second.png")[0] == 2
    assert run("redraw", first, "--out", tmp_path / "second.png", "--image", file)[0] == 0
    assert (tmp_path / "second.png").read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        ["redraw"],
        ["redraw", "bogus.png"],
        ["redraw", "bogus.png", "--out", "x.png"],
        ["redraw", "/etc/passwd", "--out", "x.png"],
        ["redraw", "{first}", "--out", "x.bogus"],
        ["redraw", "{first}", "--out", "x.png", "--image", "bogus"],
        ["redraw", "{first}", "--out", "x.png", "--model", "bogus"],
        ["redraw", "{first}", "--out", "x.png", "--index", "bogus"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line(run, drawn, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    drawn("filters").save("first.png")
    status, out, err = run(*(part.format(first="first.png") for part in line))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["first.png"]


# Beside the figure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cat.png", "renamed.png"])
def test_the_picture_is_found_beside_the_figure_by_its_pixels(run, lenet, tmp_path, name):
    folder, elsewhere = tmp_path / "work", tmp_path / "else"
    folder.mkdir()
    picture().save(folder / "cat.png")
    explain.saliency(lenet, folder / "cat.png").save(folder / "map.png")
    (folder / "broken.png").write_bytes(b"no picture")
    explain.open_picture("fashion-mnist/9").save(folder / "a.png")  # of the right kind, and another
    (folder / "cat.png").rename(folder / name)
    assert redraw(folder / "map.png").facts["image"] == "cat.png"
    assert run("redraw", str(folder / "map.png"), "--out", str(folder / "again.svg"))[0] == 0
    assert run("report", str(tmp_path / "report"), str(folder / "map.png"))[0] == 0
    elsewhere.mkdir()
    (folder / "map.png").rename(elsewhere / "map.png")
    status, _, said = run("redraw", str(elsewhere / "map.png"), "--out", str(elsewhere / "again.svg"))
    assert (status, "--image" in said) == (2, True)
    explain.open_picture("fashion-mnist/9").save(elsewhere / "cat.png")  # called so, and another
    with pytest.raises(BadFile, match="not kept here"):
        redraw(elsewhere / "map.png")


def test_a_picture_is_not_looked_for_in_what_is_hidden_nor_in_a_python(tmp_path):
    for name in ("own/cat.png", ".git/cat.png", "own/venv/lib/cat.png", "own/venv/cat.png", "cat.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "own/venv/pyvenv.cfg").touch()
    found = {Path(folder, file).relative_to(tmp_path).as_posix() for folder, file in opener._files_below(tmp_path)}
    assert found == {"own/cat.png", "cat.png"}


def test_a_folder_of_pictures_and_an_index_are_found_beside_the_figure(lenet, tmp_path):
    (tmp_path / "mine").mkdir()
    for number in range(3):
        explain.open_picture(f"fashion-mnist/{number}").save(tmp_path / f"mine/{number}.png")
    explain.gallery(lenet, tmp_path / "mine").save(tmp_path / "sheet.png")
    index = explain.build_index(lenet, tmp_path / "mine", out=tmp_path / "mine-index")
    explain.patches(index, "conv1", [2]).save(tmp_path / "patches.png")
    for name in ("sheet.png", "patches.png"):
        facts = read_facts(tmp_path / name)
        assert redraw(tmp_path / name).facts == facts
        with pytest.raises(BadFile):
            redraw(facts)


def test_a_picture_is_found_below_this_folder_and_in_sets_of_explain_toml(run, lenet, tmp_path, monkeypatch):
    for folder in ("figures", "here/pictures/bag", "elsewhere/bag"):
        (tmp_path / folder).mkdir(parents=True)
    picture().save(tmp_path / "here/pictures/bag/03.png")
    made = explain.saliency(lenet, tmp_path / "here/pictures/bag/03.png").save(tmp_path / "figures/map.png")
    with pytest.raises(BadFile, match="--image FILE"):
        redraw(made)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("EXPLAIN_PROJECT", raising=False)
    assert run("redraw", made, "--out", tmp_path / "again.png", "--style", "mode=positive")[0] == 0
    assert read_facts(tmp_path / "again.png")["style"]["mode"] == "positive"
    (tmp_path / "here/pictures/bag/03.png").rename(tmp_path / "elsewhere/bag/03.png")
    (tmp_path / "here/explain.toml").write_text('[images.bags]\nfolder = "../elsewhere"\n')
    status, _, said = run("redraw", made, "--out", tmp_path / "again.png")
    assert status == 0, said
    status, _, said = run("redraw", made, "--out", tmp_path / "again.png", "--sytle", "mode=positive")
    assert (status, "redraw --help" in said) == (2, True)
