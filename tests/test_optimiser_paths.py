"""V33: paths of optimisers on surfaces, against torch's optimisers stepped by hand."""

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from explain.errors import BadValue, Unknown
from explain.training.descent import RULES, SURFACES
from explain.views import optimiser_paths as paths
from explain.views.parts.contours import contours

TORCH = {
    "gd": lambda p, rate: torch.optim.SGD(p, rate),
    "momentum": lambda p, rate: torch.optim.SGD(p, rate, momentum=0.9),
    "adagrad": lambda p, rate: torch.optim.Adagrad(p, rate),
    "rmsprop": lambda p, rate: torch.optim.RMSprop(p, rate),
    "adam": lambda p, rate: torch.optim.Adam(p, rate),
}
PLACES = {
    "bowl": lambda p: 0.5 * (10 * p[0] ** 2 + 0.5 * p[1] ** 2),  # condition number 20
    "saddle": lambda p: 5 * p[0] ** 2 - p[1] ** 2,
    "monkey saddle": lambda p: p[0] ** 3 - 3 * p[0] * p[1] ** 2,
    "two wells": SURFACES["two wells"],
}


@pytest.mark.parametrize("surface", PLACES)
@pytest.mark.parametrize("name", TORCH)
def test_a_path_is_torchs_steps(surface, name):
    result = paths.compute(surface, [name], steps=12, x=0.5, y=0.4)
    point = torch.tensor([0.5, 0.4], dtype=torch.double, requires_grad=True)
    optimiser, expected = TORCH[name]([point], RULES[name].rate), [point.tolist()]
    for _ in range(12):
        optimiser.zero_grad()
        PLACES[surface](point).backward()
        optimiser.step()
        expected.append(point.tolist())
    np.testing.assert_array_equal(result.descents[name].path, expected)
    at = torch.tensor(expected[-1], dtype=torch.double)
    assert result.values[name][-1] == pytest.approx(float(PLACES[surface](at)))


def test_momentum_leaves_the_shallow_well_where_gradient_descent_stays():
    result = paths.compute("two wells", ["gd", "momentum"], steps=400)
    shallow, deep = (0.9 - (0.81 + 4) ** 0.5) / 2, (0.9 + (0.81 + 4) ** 0.5) / 2
    assert result.descents["gd"].path[-1] == pytest.approx([shallow, 0], abs=1e-3)
    assert result.descents["momentum"].path[-1] == pytest.approx([deep, 0], abs=1e-3)
    assert result.words.index("momentum") < result.words.index("gradient descent"), "lowest first"


def test_adagrads_squares_exceed_rmsprops_after_500_steps():
    result = paths.compute("bowl", ["adagrad", "rmsprop"], rates=[0.02], steps=500)
    by_sum, by_mean = (result.descents[name].squares for name in ("adagrad", "rmsprop"))
    assert (by_sum > 2 * by_mean).all()
    gradients = result.descents["adagrad"].path[:-1] * [10, 0.5]
    np.testing.assert_allclose(by_sum, (gradients**2).sum(0), rtol=1e-9)


def test_on_the_ridge_only_noise_leads_away():
    result = paths.compute("saddle", ["gd", "sgd"], steps=200)
    ridge = result.descents["gd"].path
    assert (ridge[:, 1] == 0).all()
    assert abs(ridge[-1, 0]) < 1e-6
    assert abs(result.descents["sgd"].path[-1, 1]) > 100
    assert "Left for good: one picture a step" in result.words


def test_noise_is_seeded_and_a_quarter_for_mini_batches():
    ask = {"surface": "bowl", "optimisers": ["sgd", "mini_batch", "gd"], "steps": 1, "rates": [0.05]}
    first, again, other = (paths.compute(**ask, seed=seed).descents for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["sgd"].path, again["sgd"].path)
    assert (first["sgd"].path[-1] != other["sgd"].path[-1]).all()
    one, sixteen, none = (first[name].path[-1] for name in ("sgd", "mini_batch", "gd"))
    np.testing.assert_allclose(sixteen - none, (one - none) / 4)


def test_the_condition_number_is_the_bowls():
    narrow = paths.compute("bowl", ["gd"], steps=1, rates=[0.01], condition=100.0, x=1.0, y=1.0)
    np.testing.assert_allclose(1 - narrow.descents["gd"].path[1], [0.01 * 10, 0.01 * 0.1])


def test_lines_of_equal_height_are_of_equal_height():
    x, y = np.linspace(-2, 2, 81), np.linspace(-1, 1, 61)
    lines = contours(x, y, x[None] ** 2 + 4 * y[:, None] ** 2, 7)
    heights = [line.points[:, 0] ** 2 + 4 * line.points[:, 1] ** 2 for line in lines]
    assert max(np.ptp(one) for one in heights) < 0.02
    assert len({round(float(one.mean()), 2) for one in heights}) == 7
    order = np.argsort([one.mean() for one in heights])
    assert (np.diff([lines[k].colour[0] for k in order]) >= 0).all()


@pytest.mark.parametrize("surface", PLACES)
def test_what_is_drawn_stays_within_the_axes(surface, tmp_path):
    result = paths.compute(surface, list(RULES), steps=60)
    for until in (0, 3):
        for chart in result.figure(until=until).panels:
            points = np.concatenate([line.points for line in chart.lines])
            assert (points >= np.array([chart.x[0], chart.y[0]]) - 1e-9).all()
            assert (points <= np.array([chart.x[1], chart.y[1]]) + 1e-9).all()
            assert {key.name for key in chart.legend} >= {rule.label for rule in RULES.values()}
    assert "saddles" in result.figure().note  # C12
    assert "tuned" in result.figure().note  # C11
    drawn = next(line for line in result.figure(until=3).panels[1].lines if line.name == "momentum")
    assert len(drawn.points) == 4
    assert "momentum" in result.save(tmp_path / "x.svg").read_text()


def test_a_film_walks_the_paths():
    """U05: it moves, and ends as the figure of all steps."""
    result, told = paths.compute(steps=40), []
    film = Image.open(io.BytesIO(paths.film(result, 3, progress=lambda done, total, _="": told.append((done, total)))))
    assert film.n_frames == 3 == len(told)
    assert film.info["loop"] == 0, "again and again"
    frames = []
    for k in range(film.n_frames):
        film.seek(k)
        frames.append(np.asarray(film.convert("RGB"), float))
    assert all(np.abs(one - other).max() > 100 for one, other in itertools.pairwise(frames))
    whole = Image.open(io.BytesIO(result.figure().encode("png", width_mm=180, dpi=90))).convert("RGB")
    assert np.abs(frames[-1] - np.asarray(whole, float)).mean() < 2, "but for a GIF's 256 colours"


def test_one_rate_for_all_or_one_each():
    assert paths.compute("bowl", ["gd", "adam"], rates=[0.01], steps=1).rates == {"gd": 0.01, "adam": 0.01}
    assert paths.compute("bowl", ["gd", "adam"], steps=1).rates == {"gd": 0.05, "adam": 0.05}
    with pytest.raises(BadValue, match="2 rates for 3 optimisers"):
        paths.compute("bowl", ["gd", "adam", "sgd"], rates=[0.1, 0.2])
    with pytest.raises(Unknown, match="two wells"):
        paths.compute("hill")
    with pytest.raises(Unknown, match="momentum"):
        paths.compute("bowl", ["newton"])
