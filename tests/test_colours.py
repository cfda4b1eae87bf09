import numpy as np
import pytest
from skimage.color import rgb2lab

from explain.errors import BadValue, Unknown
from explain.images import VISIONS, seen_as

rng = np.random.default_rng(0)


def apart(a, b, vision):
    lab = rgb2lab(seen_as(np.array([[a, b]], np.uint8), vision) / 255)[0]
    return float(np.linalg.norm(lab[0] - lab[1]))


@pytest.mark.parametrize("vision", VISIONS)
def test_every_vision_keeps_shape_and_dtype_and_leaves_greys_alone(vision):
    picture = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    before = picture.copy()
    seen = seen_as(picture, vision)
    assert (seen.shape, seen.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(picture, before)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.array_equal(seen_as(greys, vision), greys)


def test_all_colours_is_the_picture_itself():
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    assert np.array_equal(seen_as(every, "all colours"), every)


def test_greyscale_is_lightness():
    picture = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    seen = seen_as(picture, "greyscale")
    assert (seen == seen[..., :1]).all()
    assert np.abs(rgb2lab(seen / 255)[..., 0] - rgb2lab(picture / 255)[..., 0]).max() < 0.5
    order = np.argsort(rgb2lab(picture / 255)[..., 0], axis=None)
    assert (np.diff(seen[..., 0].ravel()[order].astype(int)) >= -1).all()


def test_each_dichromacy_confuses_its_own_pair():
    red, green, blue, teal = (180, 60, 40), (110, 105, 30), (60, 110, 200), (30, 130, 120)
    for vision in ("protanopia", "deuteranopia"):
        assert apart(red, green, vision) < 0.5 * apart(red, green, "all colours"), vision
        assert apart(red, blue, vision) > 40, vision
    assert apart(blue, teal, "tritanopia") < 0.5 * apart(blue, teal, "all colours")
    assert apart(red, green, "tritanopia") > 0.7 * apart(red, green, "all colours")


def test_mistakes_name_the_valid_ones():
    with pytest.raises(Unknown, match=r"'sepia'.*all colours, greyscale, protanopia, deuteranopia, tritanopia"):
        seen_as(np.zeros((1, 1, 3), np.uint8), "sepia")
    for wrong in (np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8)):
        with pytest.raises(BadValue, match="uint8"):
            seen_as(wrong, "greyscale")
