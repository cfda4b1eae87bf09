"""Section B2: every error of the slides is there with what is right, and its numbers are torch's and torchvision's."""

import re
import string

import pytest
import torch
from torch import nn
from torchvision import models

from explain.lectures import slides
from explain.lectures.corrections import CORRECTIONS
from explain.views import lecture_tables as lectures

ROWS = {one.row: one for one in CORRECTIONS}
# What B2 says is right, as far as it is numbers.
RIGHT = {
    "E01": ["96", "64"],
    "E02": ["54.25", "55", "227"],
    "E03": ["conv, ReLU, LRN, pool"],
    "E04": ["290,400", "659,272"],
    "E05": ["256 × 13 × 13", "128"],
    "E06": ["3.75M", "1077M", "2.47M", "655.6M"],
    "E07": ["724.4M", "714.2M"],
    "E09": ["20.93"],
    "E11": ["138,357,544", "15.470G"],
    "E12": ["9.62"],
    "E13": ["271,351,808", "854M"],
    "E14": ["1.583G", "1.5816G", "1.498G"],
    "E15": ["13.38M", "26.7"],
    "E19": ["0.0001", "110"],
    "E20": ["7 × 7", "5 × 5", "1 × 7", "7 × 1"],
    "E21": ["18, 34, 50, 101, 152", "265"],
    "E22": ["7.93", "6.43"],
    "E26": ["31.6"],
    "E31": ["rank 2", "rank 1"],
    "E34": ["235"],
    "E36": ["4096", "512", "2048", "1024", "84"],
    "E41": ["233.1 MiB", "244.4 MB"],
    "E42": ["43,093,322", "96 × 96"],
}


@pytest.fixture(scope="module")
def table():
    return lectures.compute("corrections")


def test_every_error_is_there_once(table):
    assert list(ROWS) == [f"E{k:02}" for k in range(1, 43)]
    assert [row.what[:3] for row in table.rows] == list(ROWS)
    assert all(row.slide and row.ours and row.why and re.match(r"S[0-4]:\d", row.cite) for row in table.rows)
    assert not re.search(r"[{}]", " ".join(row.ours for row in table.rows))
    assert all(one in table.summary for row in table.rows for one in row.what.split(" ", 1))


def test_what_is_found_is_shown():
    """A number that nobody prints is dead code, and a name in braces that nobody finds is a mistake."""
    for one in CORRECTIONS:
        named = {name for _, name, _, _ in string.Formatter().parse(one.right) if name}
        assert bool(named) == bool(one.found), one.row


@pytest.mark.parametrize("row", RIGHT)
def test_the_right_numbers_are_b2s(table, row):
    shown = next(found.ours for found in table.rows if found.what.startswith(row))
    assert [part for part in RIGHT[row] if part not in shown] == []


def test_torchs_response_normalisation():
    """E08: with the alpha shown torch's module is the formula; a map two away does not count for n = 2."""
    found, a = ROWS["E08"].counted(), torch.rand(1, 8, 3, 3, generator=torch.Generator().manual_seed(0)) * 20
    theirs = nn.LocalResponseNorm(5, found["alpha"], 0.75, 2.0)(a)[0, 4]
    torch.testing.assert_close(theirs, a[0, 4] / (2 + 1e-4 * (a[0, 2:7] ** 2).sum(0)) ** 0.75)
    other = a.clone()
    other[0, 5] += 1  # the formula looks one map to each side, torch one to the left only
    pair = nn.LocalResponseNorm(2, 2e-4, 0.75, 2.0)
    assert torch.equal(pair(a)[0, 4], pair(other)[0, 4])
    assert (found["maps"], found["spanned"]) == (2, 3)


def test_networks_are_torchvisions():
    with torch.device("meta"):
        google = models.googlenet(weights=None, aux_logits=False, init_weights=False)
        alexnet, dense = models.alexnet(), models.densenet121()
    found = ROWS["E16"].counted()
    assert found["batch_norms"] == sum(isinstance(one, nn.BatchNorm2d) for one in google.modules())
    assert google.inception3a.branch3[1].conv.kernel_size == (found["library_largest"],) * 2
    assert found["largest"] == 5
    assert ROWS["E01"].counted()["torchvision"] == alexnet.features[0].out_channels
    assert ROWS["E36"].counted()["densenet"] == dense.classifier.in_features
    assert ROWS["E20"].counted()["densenet"] == dense.features.conv0.kernel_size[0]
    parameters = sum(p.numel() for p in alexnet.parameters())
    assert ROWS["E41"].counted()["mb"] == pytest.approx(parameters * 4 / 1e6)


def test_leaving_gradients_are_bounded():
    """E33: no gradient of a chain of as many sigmoids is larger than what is shown."""
    found = ROWS["E33"].counted()
    x = torch.linspace(-4, 4, 200, requires_grad=True)
    y = x
    for _ in range(found["sigmoids"]):
        y = torch.sigmoid(y)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert 0 < slope.max() <= found["share"]


def test_first_steps_by_hand():
    """E25 to E30 with the formulas written out."""
    adam = ROWS["E26"].counted()
    mean, square = 0.1, 0.001  # of one gradient of 1
    assert adam["torch"] == pytest.approx((mean / 0.1) / ((square / 0.001) ** 0.5 + 1e-8))
    assert adam["printed"] == pytest.approx(1 / square**0.5, rel=1e-4)
    assert ROWS["E27"].counted()["raw"] == pytest.approx(mean / square**0.5, rel=1e-4)
    assert ROWS["E25"].counted()["slide"] == 0
    assert ROWS["E28"].counted()["torch"] == pytest.approx(1e-4 / (0.1 * 1e-4 + 1e-8))
    found = ROWS["E29"].counted()
    assert (found["first"], found["second"]) == pytest.approx((1, 1))
    assert ROWS["E30"].counted()["steps"] == pytest.approx(sum(0.9**k for k in range(300)))
    saddle = ROWS["E32"].counted()
    assert (saddle["low"], saddle["high"]) == pytest.approx((-2, 10))


def test_what_tables_have_to_say_with_their_numbers():
    """C09, C10."""
    assert "reads all maps before it" in slides.NOTES["memory"]
    assert "drops information" in lectures.compute("blocks").words
