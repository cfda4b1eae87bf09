"""Names of channels: planted ones are found, chance gives none; and notes on channels."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import explain
from explain.errors import BadValue, NotSupported, Unknown
from explain.naming import average_precisions, fits
from explain.workspace import notes


def drawn(seed=0, count=300, channels=4, groups=3):
    chance = np.random.default_rng(seed)
    labels = chance.integers(groups, size=count)
    return chance.normal(size=(count, channels)), labels[:, None] == np.arange(groups)


def test_average_precision_is_scikit_learns():
    from sklearn.metrics import average_precision_score

    responses, groups = drawn()
    wanted = [[average_precision_score(group, channel) for group in groups.T] for channel in responses.T]
    np.testing.assert_allclose(average_precisions(responses, groups), wanted, atol=1e-12)


def test_a_channel_that_is_silent_retrieves_nothing():
    """Ties are broken by chance: neither the first pictures nor the last are before others."""
    groups = np.arange(200)[:, None] < 50
    found = [average_precisions(np.zeros((200, 1)), groups, seed)[0, 0] for seed in range(200)]
    assert np.mean(found) == pytest.approx(0.25, abs=0.03)


def test_a_planted_channel_is_named_after_its_group():
    responses, groups = drawn(channels=50)
    for k in range(3):
        responses[groups[:, k], k] += 2
    found = fits(responses, groups, permutations=2000, seed=1)
    assert found.best[:3].tolist() == [0, 1, 2]
    assert (found.q[:3] <= 0.05).all()
    assert (found.average_precision[np.arange(3), np.arange(3)] > 2 * found.chance.max()).all()
    assert (found.q[3:] <= 0.05).sum() <= 2, "47 channels of noise"


def test_p_of_noise_is_uniform():
    """A share of as many channels of noise has p below a number as the number says, however many groups there are."""
    responses, groups = drawn(3, count=120, channels=2000, groups=6)
    found = fits(responses, groups, permutations=2000, seed=2)
    for level in (0.05, 0.2, 0.5):
        deviation = 4 * np.sqrt(level * (1 - level) / 2000) + 4 * np.sqrt(level * (1 - level) / 2000)
        assert (found.p <= level).mean() == pytest.approx(level, abs=deviation)


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """A wrapped network of two detectors, of upright and of level stripes, over pictures of both and of neither."""
    folder, chance = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    for k in range(60):
        pixels = chance.normal(128, 20, (24, 24))
        kind = ("level", "upright", "plain")[k % 3]
        if kind != "plain":
            waves = 70 * np.sin(np.arange(24) * np.pi / 2)
            pixels += waves[:, None] if kind == "level" else waves[None]
        (folder / kind).mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / kind / f"{k}.png")
    wave = torch.sin(torch.arange(4) * torch.pi / 2)
    conv = nn.Conv2d(1, 3, 4)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0], conv.weight[1, 0] = wave[:, None].expand(4, 4), wave[None].expand(4, 4)
        conv.bias.zero_()
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    model = explain.wrap(
        net, classes=["level", "upright", "plain"], preprocess=explain.Preprocess((24, 24), channels=1)
    )
    return explain.build_index(model, explain.load_images(folder), k=6)


def test_channels_of_a_wrapped_network_are_named(stripes):
    found = explain.channel_names(stripes, "0", permutations=1000)
    assert found.table["group"][:2] == ["label=level", "label=upright"]
    assert found.table["named"] == [True, True, False], "the third is constant"
    assert found.table["average_precision"][:2] == pytest.approx([1, 1], abs=1e-6)
    assert set(found.shown) == {0, 1}
    assert "no group better than chance" in found.words(2)
    assert "2 of 3 channels" in found.figure().note


def test_what_cannot_be_named_says_why(stripes):
    with pytest.raises(Unknown, match="colour"):
        explain.channel_names(stripes, "0", "colour")
    with pytest.raises(Unknown):
        explain.channel_names(stripes, "nope")


def test_groups_of_two_are_none(tmp_path):
    for k in range(4):
        (tmp_path / str(k // 2)).mkdir(exist_ok=True)
        Image.fromarray(np.full((24, 24), 60 * k, np.uint8)).save(tmp_path / str(k // 2) / f"{k}.png")
    model = explain.load_model("lenet-fashion-mnist")
    index = explain.build_index(model, explain.load_images(tmp_path), ["conv1"], k=2)
    with pytest.raises(NotSupported, match="No group"):
        explain.channel_names(index, "conv1")


def test_notes_are_kept_found_and_taken_away(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    model = explain.load_model("lenet-fashion-mnist")
    assert notes.notes_of(model) == {}
    notes.note(model, "conv2", 7, "  Soles of shoes ")
    notes.note(model, "conv1", 2, "Edges that rise")
    notes.note(model, "conv1", 2, "Edges that fall")
    assert notes.notes_of(model) == {("conv1", 2): "Edges that fall", ("conv2", 7): "Soles of shoes"}
    assert list(notes.notes_of(model, "soles SHOES")) == [("conv2", 7)]
    assert list(notes.notes_of(model, "conv1")) == [("conv1", 2)]
    assert notes.as_table(notes.notes_of(model))["note"] == ["Edges that fall", "Soles of shoes"]
    assert notes.notes_of(explain.load_model("edges-fashion-mnist")) == {}, "another network's"
    notes.note(model, "conv2", 7, " ")
    assert list(notes.notes_of(model)) == [("conv1", 2)]
    with pytest.raises(BadValue, match="2,000"):
        notes.note(model, "conv1", 1, "x" * 2001)


def test_a_damaged_file_of_notes_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    model = explain.load_model("lenet-fashion-mnist")
    notes.note(model, "conv1", 2, "Edges")
    (path,) = (tmp_path / "notes").rglob("*.json")
    for content in ('{"notes": [["conv1"]]}', "[", '{"notes": 3}', "[]"):
        path.write_text(content)
        assert notes.notes_of(model) == {}
