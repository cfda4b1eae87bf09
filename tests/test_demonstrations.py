"""V31 and V32: response normalisation on numbers, and a filter set by hand on a drawn line."""

import numpy as np
import pytest
import torch
from torch import nn

from explain.errors import BadValue
from explain.views import hand_set_filter, response_normalisation


@pytest.mark.parametrize("size", [1, 2, 5, 8])
@pytest.mark.parametrize("seed", [0, 3])
def test_across_channels_it_is_the_formula(size, seed):
    """Channel by channel, with torch's neighbourhood; and torch's own module with n times alpha (E08)."""
    result = response_normalisation.compute(size, seed=seed)
    values = result.before[0]
    for i, value in enumerate(values):
        low, high = max(0, i - size // 2), i + (size - 1) // 2 + 1
        expected = value / (2 + 1e-4 * (values[low:high] ** 2).sum()) ** 0.75
        assert result.after[0, i] == pytest.approx(expected, abs=1e-5)
    theirs = nn.LocalResponseNorm(size, size * 1e-4, 0.75, 2.0)(torch.from_numpy(values)[None, :, None, None])
    np.testing.assert_allclose(result.after[0], theirs.numpy().ravel(), atol=1e-5)
    np.testing.assert_allclose(result.by_hand, result.after, atol=1e-5)


def test_an_even_number_of_maps_is_one_more_on_the_slide():
    result = response_normalisation.compute(2)
    assert result.around.sum() == 2
    values, i = result.before[0], result.place[1]
    slide = values[i] / (2 + 1e-4 * (values[i - 1 : i + 2] ** 2).sum()) ** 0.75
    assert result.slide[result.place] == pytest.approx(slide)
    assert np.abs(result.slide - result.after).max() > 0.1
    assert "spans 3 maps" in result.words
    odd = response_normalisation.compute(5)
    np.testing.assert_array_equal(odd.slide, odd.by_hand)


def test_within_a_channel_it_is_a_square():
    result = response_normalisation.compute(3, way="within", alpha=0.01, seed=2)
    padded = np.pad(result.before, 1)
    for i, j in [(0, 0), (3, 3), (6, 2)]:
        total = (padded[i : i + 3, j : j + 3] ** 2).sum()
        assert result.after[i, j] == pytest.approx(result.before[i, j] / (2 + 0.01 * total) ** 0.75, abs=1e-5)
    assert result.around.sum() == 9
    with pytest.raises(BadValue, match="size=4 is even"):
        response_normalisation.compute(4, way="within")


@pytest.mark.parametrize("side", [5, 8, 15])
def test_a_diagonal_filter_peaks_on_the_line_only(side):
    result = hand_set_filter.compute("falling", "falling", side=side)
    diagonal = np.eye(side, dtype=bool)
    np.testing.assert_array_equal(result.on_line, diagonal)
    assert result.response[diagonal][1:-1].min() > 0
    assert result.response[~diagonal].max() <= 0
    assert (result.peaks <= diagonal).all()
    assert result.peaks.sum() == side - 2
    padded = np.pad(result.picture, 1)
    for i, j in [(0, 0), (2, 2), (1, 3)]:
        assert result.response[i, j] == pytest.approx((padded[i : i + 3, j : j + 3] * result.weights).sum())


@pytest.mark.parametrize("line", hand_set_filter.LINES)
def test_each_filter_answers_its_own_line_most(line):
    tops = {name: hand_set_filter.compute(line, name).response.max() for name in hand_set_filter.LINES}
    assert max(tops, key=tops.get) == line
    assert sorted(tops.values())[-2] < tops[line]
    assert hand_set_filter.compute(line, line).weights.sum() == 0


def test_numbers_stand_in_their_cells(tmp_path):
    for result in (response_normalisation.compute(2), hand_set_filter.compute()):
        first = result.figure().panels[0]
        shown = result.before if hasattr(result, "before") else result.picture
        assert [text for _, _, text, _ in first.cells] == [f"{value:.3g}" for value in shown.ravel()]
        assert result.save(tmp_path / "x.png").stat().st_size > 0
