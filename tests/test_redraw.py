"""redrawing: each view's figure comes out of its own facts byte for byte, and bad facts are refused in one sentence."""

import contextlib
import copy
import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import explain
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.figure import read_facts
from explain.images import cover
from explain.views import (
    activations,
    anatomy,
    augmentations,
    channel,
    channel_health,
    compare,
    confusion,
    embedding,
    filters,
    hierarchy,
    lectures,
    neighbours,
    output_size,
    patches,
    saliency,
    training_curves,
    trust,
    unit,
)
from explain.workspace.redraw import VIEWS, Opener, redraw

PICTURE = "fashion-mnist/7"


@pytest.fixture(scope="module", autouse=True)
def workspace(tmp_path_factory, lenet):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        explain.build_index(lenet, "fashion-mnist", limit=60, k=12, seed=3)
        card = {"state": "done", "recipe": {"name": "small", "epochs": 2}, "data": {"name": "fashion-mnist"}}
        rows = [{"epoch": k, "loss": 1 / k, "train_accuracy": 0.5, "seconds": 1.5} for k in (1, 2)]
        explain.store.write(explain.workspace.root() / "runs/small-1/run.json", json.dumps({**card, "history": rows}))
        yield


@pytest.fixture(scope="module")
def index(workspace, lenet):
    (folder,) = explain.workspace.list_indexes(lenet).values()
    return explain.open_index(folder, lenet)


def picture(reference=PICTURE):
    return explain.open_picture(reference)


def map_of(index, method="pca", *placed, **options):
    """A map with other pictures on it, which is kept: t-SNE on several threads may differ in the last bits."""
    result = explain.workspace.embed(index, method, **options)
    return dataclasses.replace(result, placed=tuple(embedding.project_point(result, picture(name)) for name in placed))


# Each view with a style, and options, that are not the defaults.
MADE = {
    "anatomy": lambda m, i: anatomy.compute(m).figure(),
    "anatomy shares": lambda m, i: anatomy.compute(m).figure(part="shares"),
    "anatomy field": lambda m, i: anatomy.compute(m).figure(part="field"),
    "compare": lambda m, i: compare.compute(m, explain.load_model("lenet?conv1=3")).figure(),
    "output_size": lambda m, i: output_size.compute(size=9, stride=3, dilation=2, padding=1, bias=False).figure(),
    "lectures": lambda m, i: lectures.compute("alexnet").figure(),
    "augmentations": lambda m, i: augmentations.compute(
        "fashion-mnist", [("crop", {"fill": "reflect"}), "flip", "cutmix"], count=3, draws=2, seed=5
    ).figure(mixtures=False),
    "augmentations of photographs": lambda m, i: augmentations.compute(
        [picture("photos/chelsea"), picture("photos/coffee.png")], ["jitter"], draws=2, size=40
    ).figure(),
    "filters": lambda m, i: filters.compute(m, "conv2").figure(scale="layer", polarity="dark", sort="norm", factor=2),
    "filters pair": lambda m, i: filters.render_pair(filters.compute(m, "conv1"), filters.compute(m, "conv2")),
    "activations": lambda m, i: activations.compute(m, picture(), "conv2").figure(sort="max", scale="channel"),
    "activations channel": lambda m, i: activations.compute(m, picture(), "conv2").figure(3, opacity=0.3, smooth=True),
    "activations pair": lambda m, i: activations.render_pair(
        *(activations.compute(m, picture(name), "conv1") for name in (PICTURE, "fashion-mnist/8")), count=4
    ),
    "saliency": lambda m, i: saliency.compute(m, picture(), "grad_cam", "Coat", "conv1").figure(mode="signed", clip=90),
    "saliency without a layer": lambda m, i: saliency.compute(m, picture()).figure(opacity=0.25),
    "saliency grid": lambda m, i: saliency.render_grid(
        [[saliency.compute(m, picture(), method, name) for name in ("Coat", 8)] for method in ("grad_cam", "gradient")],
        mode="positive",
        scale="all",
    ),
    "saliency of two": lambda m, i: saliency.render_grid(
        [[saliency.compute(m, picture(name)) for name in (PICTURE, "fashion-mnist/8")]]
    ),
    "saliency of a channel": lambda m, i: saliency.compute(m, picture(), target=3, unit="conv2").figure(colours="grey"),
    "saliency of a covered picture": lambda m, i: saliency.compute(
        m, cover(picture(), [(2, 3, 9, 12)], "black")
    ).figure(),
    "training_curves": lambda m, i: training_curves.compute(m).figure(),
    "training_curves of two": lambda m, i: training_curves.compute(explain.workspace.list_runs()["small-1"], m).figure(
        part="differences"
    ),
    "trust": lambda m, i: trust.compute(
        m, picture(), "integrated_gradients", "Coat", portions=3, check_seed=5, steps=3, baseline="mean"
    ).figure(part="curves"),
    "trust of a channel": lambda m, i: trust.compute(
        m, picture(), "grad_cam", 3, "conv1", "conv2", portions=2, stages="independent"
    ).figure(opacity=0.2),
    "unit": lambda m, i: unit.compute(m, picture(), "conv1", 2, (3, 5), "gradient").figure(clip=80),
    "unit of a vector": lambda m, i: unit.compute(m, picture(), "fc2", 2, method="gradient").figure(),
    "patches": lambda m, i: patches.compute(i, "conv2", [3, 1], "random", 5).figure(whole=True),
    "channel": lambda m, i: channel.compute(i, "conv2", 3, picture(), "zero").figure(opacity=0.2),
    "channel on its best": lambda m, i: channel.compute(i, "conv1", 1).figure(),
    "confusion": lambda m, i: confusion.compute(i, count=3).figure(numbers="shares"),
    "confusion of some": lambda m, i: confusion.compute(i, range(20, 40)).figure(part="mistakes"),
    "channel_health": lambda m, i: channel_health.compute(i, "conv1").figure(),
    "hierarchy": lambda m, i: hierarchy.compute(i, picture(), 2).figure(opacity=0.4),
    "hierarchy by number": lambda m, i: hierarchy.compute(i, 5).figure(),
    "neighbours": lambda m, i: neighbours.compute(i, 5, k=3, metric="cosine").figure(frame=2, names=False),
    "neighbours of another": lambda m, i: neighbours.compute(i, picture("fashion-mnist/777"), k=3).figure(),
    "embedding": lambda m, i: map_of(i, "pca", "fashion-mnist/777", PICTURE, dimensions=3).figure(turn=70, size=4),
    "embedding by tsne": lambda m, i: map_of(
        i, "tsne", "fashion-mnist/777", iterations=50, perplexity=7, metric="cosine"
    ).figure(colour="trust", names=False),
    "embedding of some by a layer": lambda m, i: map_of(i, layer="conv2", pooling="flat", count=30).figure(
        colour="right", legend=False, thumbnails=True
    ),
}


def facts_of(figure):
    return read_facts(figure.encode("png", width_mm=80, dpi=60))


@pytest.fixture(scope="module")
def made(lenet, index):
    return {name: make(lenet, index) for name, make in MADE.items()}


def test_every_view_is_made():
    assert set(VIEWS) == {name.partition(" ")[0] for name in MADE}


@pytest.mark.parametrize("name", MADE)
def test_a_figure_comes_out_of_its_facts_byte_for_byte(made, name):
    first = made[name].encode("png", width_mm=80, dpi=60)
    facts = read_facts(first)
    assert facts["view"] == name.partition(" ")[0]
    assert isinstance(facts["style"], dict)
    again = explain.redraw(facts)
    assert again.encode("png", width_mm=80, dpi=60) == first
    for format in ("csv", "npz", "svg"):
        if format in made[name].formats:
            assert again.encode(format) == made[name].encode(format)
            assert read_facts(again.encode(format)) == facts


def test_facts_name_no_place(made, tmp_path, lenet):
    file = tmp_path / "mine.png"
    picture().save(file)
    own = saliency.compute(lenet, explain.open_picture(str(file))).figure()
    assert own.facts["image"] == "mine.png"
    for figure in (own, *made.values()):
        text = json.dumps(facts_of(figure))
        assert "/tmp" not in text
        assert "/home" not in text
        assert len(text) < 2500


def test_a_local_picture_has_to_be_given(lenet, tmp_path):
    file, other = tmp_path / "mine.png", tmp_path / "other.png"
    picture().save(file)
    picture("fashion-mnist/9").save(other)
    figure = saliency.compute(lenet, explain.open_picture(str(file))).figure()
    facts = facts_of(figure)
    with pytest.raises(BadFile, match=r"'mine.png'.*not kept here"):
        redraw(facts)
    with pytest.raises(BadValue, match="other pixels"):
        redraw(facts, image=str(other))
    for image in (str(file), file, picture(), [str(other), str(file)]):
        assert redraw(facts, image=image).encode("npz") == figure.encode("npz")
    assert redraw(facts_of(saliency.compute(lenet, np.asarray(picture())).figure()), image=file).title == figure.title


def test_a_local_picture_is_covered_again(lenet, tmp_path):
    file = tmp_path / "mine.png"
    picture().save(file)
    covered = cover(explain.open_picture(str(file)), [(2, 3, 9, 12)], "black")
    figure = saliency.compute(lenet, covered).figure()
    assert redraw(facts_of(figure), image=file).encode("npz") == figure.encode("npz")


def test_what_has_changed_is_said(made, lenet, index, tmp_path):
    facts = facts_of(made["patches"])
    with pytest.raises(BadValue, match="other weights"):
        redraw({**facts, "model_digest": "0" * 64})
    with pytest.raises(BadValue, match="other pictures"):
        redraw({**facts, "data_digest": "0" * 64})
    with pytest.raises(BadValue, match="other pictures"):
        redraw({**facts, "images": 61})
    with pytest.raises(BadValue, match=r"k=12, not 3.*python -m explain index lenet-fashion-mnist fashion-mnist"):
        redraw({**facts, "index": {"k": 3}})
    with pytest.raises(BadValue, match="another picture than 'fashion-mnist/7'"):
        redraw({**facts_of(made["saliency"]), "pixels": "0" * 64})
    with pytest.raises(BadValue, match="another picture than number 5"):
        redraw({**facts_of(made["hierarchy by number"]), "pixels": "0" * 64})
    with pytest.raises(BadFile, match="python -m explain index lenet-fashion-mnist FOLDER --limit 60 -k 12 --seed 3"):
        redraw({**facts, "data": "mine"})
    with pytest.raises(BadFile, match=r"python -m explain index .* --layers conv1"):
        redraw({**facts, "data": "mine", "index": {"k": 16, "layers": ["conv1"]}})


def test_an_index_elsewhere_is_given(made, index, lenet, tmp_path, monkeypatch):
    facts = facts_of(made["patches"])
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    with pytest.raises(BadFile, match="no index"):
        redraw(facts)
    for known in ({"index": index}, {"index": str(index.folder)}, {"index": index.folder, "model": lenet}):
        assert redraw(facts, **known).encode("npz") == made["patches"].encode("npz")
    with pytest.raises(BadValue, match="other pictures"):
        redraw({**facts, "images": 3}, index=index)


@pytest.mark.parametrize("name", ["/etc", "../lenet", "models/lenet-fashion-mnist", "torchvision:../x", "nope", ""])
def test_no_fact_is_a_path(made, name):
    facts = facts_of(made["saliency"])
    with pytest.raises(Unknown, match="Unknown model in the facts"):
        redraw({**facts, "model": name})
    with pytest.raises(BadFile, match="not kept here"):
        redraw({**facts, "image": f"{name}/etc/passwd"})


@pytest.mark.parametrize("facts", [None, [], "x", 3, {}, {"view": "nope"}, {"view": 3}, {"view": ["saliency"]}])
def test_foreign_facts_are_refused(facts):
    with pytest.raises(ExplainError):
        redraw(facts)


MANGLED = [None, "", "x" * 9999, "²", -1, 10**9, 10**5000, 1.5, float("inf"), True]
MANGLED += [[], {}, [10**5000], [-1], ["x"], {"opacity": 10**5000}]
UNREAD = {"explained_variance", "trustworthiness", "neighbours_kept", "divergence", "perplexity_used"}
UNREAD |= {"versions", "parameters", "macs", "compared", "value", "box", "by", "class", "agreement", "input_channels"}


def places(facts, before=()):
    for key, value in facts.items():
        if key not in UNREAD:
            yield (*before, key)
        if isinstance(value, dict) and key not in UNREAD:
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


# What each mangled option of t-SNE asks for would be computed; the other maps are read in the same way.
@pytest.mark.parametrize("name", [name for name in MADE if "tsne" not in name])
def test_a_lost_or_mangled_fact_is_one_sentence_at_worst(made, index, lenet, name):
    facts, opener = facts_of(made[name]), Opener(lenet, index)
    values, refused = itertools.cycle(MANGLED), 0
    for place in places(facts):
        for value in ["drop", *itertools.islice(values, 3)]:
            try:
                opener.redraw(changed(facts, place, value, drop=value == "drop"))
            except ExplainError as error:
                assert 10 < len(str(error)) < 1500
                refused += 1
    assert refused > 5


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json_in_the_place_of_a_fact(made, index, lenet, data):
    facts = facts_of(
        made[data.draw(st.sampled_from(["saliency", "unit", "patches", "neighbours", "channel", "embedding"]))]
    )
    place = data.draw(st.sampled_from(list(places(facts))))
    with contextlib.suppress(ExplainError):
        Opener(lenet, index).redraw(changed(facts, place, data.draw(anything)))


def test_the_command_line_redraws_in_another_format(run, made, tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.png"
    first.write_bytes(made["saliency"].encode("svg"))
    status, out, err = run("redraw", first, "--out", second, "--json")
    assert (status, err) == (0, f"explain: wrote {second}\n")
    assert json.loads(out)["facts"] == read_facts(second)
    assert second.read_bytes() == made["saliency"].encode("png")


def test_the_command_line_takes_the_picture(run, lenet, tmp_path):
    file = tmp_path / "mine.png"
    picture().save(file)
    first = saliency.compute(lenet, explain.open_picture(str(file))).save(tmp_path / "first.png")
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
def test_a_mistake_is_one_line(run, made, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    made["filters"].save("first.png")
    status, out, err = run(*(part.format(first="first.png") for part in line))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["first.png"]
