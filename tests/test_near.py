"""near: rounding is forgiven, and nothing else."""

import numpy as np
import pytest
import torch
from near import alike, is_peak, is_ranked

VALUES = np.array([1.0, 5.0, 5.0 + 1e-6, -7.0, 3.0])


def test_rounding_is_forgiven():
    assert alike(VALUES, torch.from_numpy(VALUES) + 1e-6)
    assert is_peak(VALUES, 1)
    assert is_peak(VALUES.reshape(1, 5), (0, 2))
    assert is_ranked([1, 2, 4, 0, 3], VALUES)
    assert is_ranked([2, 1], VALUES, 2)


@pytest.mark.parametrize("other", [VALUES + 1e-3, -VALUES, VALUES[:4], VALUES[None], VALUES * np.nan])
def test_another_array_is_not_alike(other):
    assert not alike(other, VALUES)
    assert not alike(VALUES, other)


@pytest.mark.parametrize("place", [0, 3, 4])
def test_another_place_is_no_peak(place):
    assert not is_peak(VALUES, place)


@pytest.mark.parametrize(
    "order", [[1, 2, 0, 4, 3], [3, 0, 4, 1, 2], [1, 1, 4, 0, 3], [1, 2, 4, 0], [1, 2, 4, 0, 3, 3], []]
)
def test_another_order_is_no_ranking(order):
    assert not is_ranked(order, VALUES)
