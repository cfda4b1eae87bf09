"""Corruptions: each against its published definition, by another way of computing it."""

import colorsys
import io
import itertools
import math

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from scipy.ndimage import map_coordinates

from explain.corruption import CORRUPTIONS, GROUPS, LEVELS, corrupt, numbers_of, reach_of, shifted
from explain.corruption.blur import disc, magnified, smeared
from explain.corruption.digital import _jittered
from explain.corruption.registry import Severity, scale_of
from explain.corruption.weather import FROST, frost_texture, plasma
from explain.errors import BadValue, NotSupported, Unknown
from explain.images import Bands

# As make_cifar_c.py, make_imagenet_64_c.py and make_imagenet_c.py of hendrycks/robustness have them.
SIGMA = {32: (0.04, 0.06, 0.08, 0.09, 0.10), 64: (0.04, 0.08, 0.12, 0.15, 0.18), 224: (0.08, 0.12, 0.18, 0.26, 0.38)}
PHOTONS = {32: (500, 250, 100, 75, 50), 64: (250, 100, 50, 30, 15), 224: (60, 25, 12, 5, 3)}
HIT = {32: (0.01, 0.02, 0.03, 0.05, 0.07), 64: (0.01, 0.02, 0.05, 0.08, 0.14), 224: (0.03, 0.06, 0.09, 0.17, 0.27)}
ADDED = {32: (0.05, 0.1, 0.15, 0.2, 0.3), 64: (0.1, 0.2, 0.3, 0.4, 0.5), 224: (0.1, 0.2, 0.3, 0.4, 0.5)}
KEPT = {32: (0.75, 0.5, 0.4, 0.3, 0.15), 64: (0.4, 0.3, 0.2, 0.1, 0.05), 224: (0.4, 0.3, 0.2, 0.1, 0.05)}
REDUCED = {32: (0.95, 0.9, 0.85, 0.75, 0.65), 64: (0.9, 0.8, 0.7, 0.6, 0.5), 224: (0.6, 0.5, 0.4, 0.3, 0.25)}
QUALITY = {32: (80, 65, 58, 50, 40), 64: (65, 58, 50, 40, 25), 224: (25, 18, 15, 10, 7)}
SHARE = {32: (0.95, 0.9, 0.9, 0.85, 0.8), 64: (0.8, 0.8, 0.7, 0.65, 0.6), 224: (0.8, 0.7, 0.7, 0.65, 0.55)}  # of snow
FOG = {32: (0.2, 0.5, 0.75, 1, 1.5), 64: (0.4, 0.7, 1, 1.5, 2)}
ICE = {32: ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
       64: ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
       224: ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))}  # fmt: skip
ENDS = list(itertools.product((32, 64, 224), (1, 3, 5)))
BY_CHANCE = {*GROUPS["noise"], "glass_blur", "motion_blur", "snow", "frost", "fog", "elastic_transform"}


def photo(side, mode="RGB"):
    """Smooth colours with edges and noise in them, of no symmetry."""
    y, x = np.mgrid[:side, :side] / side
    waves = np.stack([np.sin(7 * x + 3 * y), np.cos(5 * y * x), np.sin(9 * y - 2 * x)], 2) / 2 + 0.5
    waves[side // 4 : side // 2, side // 3 :] = (0.9, 0.2, 0.1)
    noisy = waves + 0.1 * np.random.default_rng(1).standard_normal(waves.shape)
    return Image.fromarray((255 * noisy.clip(0, 1)).astype(np.uint8)).convert(mode)


def flat(value, side, mode="L"):
    return Image.new(mode, (side, side), value if mode == "L" else (value,) * 3)


def values(picture):
    return np.asarray(picture, float) / 255


# The contract --------------------------------------------------------------------------------------------------------


def test_they_are_the_fifteen():
    assert [len(names) for names in GROUPS.values()] == [3, 4, 4, 4]
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(CORRUPTIONS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_size_and_mode_stay_and_nothing_at_severity_0(name):
    for mode, size in itertools.product(("L", "RGB"), ((28, 28), (37, 61), (5, 3), (1, 1))):
        picture = photo(64, mode).resize(size)
        before = picture.tobytes()
        found = [corrupt(picture, name, severity) for severity in (0, *LEVELS)]
        assert {(one.mode, one.size) for one in found} == {(mode, size)}
        assert found[0].tobytes() == before == picture.tobytes()
        assert found[0] is not picture


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_picture_has_its_own_chance(name):
    picture, state = photo(32), np.random.get_state()[1].tobytes()
    first = corrupt(picture, name, 3)
    assert corrupt(picture.copy(), name, 3).tobytes() == first.tobytes()
    assert (corrupt(picture, name, 3, seed=1).tobytes() != first.tobytes()) == (name in BY_CHANCE)
    assert np.random.get_state()[1].tobytes() == state
    if name in GROUPS["noise"]:  # no two of a set under the same noise
        one, other = flat(128, 64), flat(128, 64)
        other.putpixel((0, 0), 129)
        noise = [values(corrupt(each, "gaussian_noise", 3)) - 0.5 for each in (one, other)]
        assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_severest_changes_more_than_the_mildest(name):
    for side in (28, 224) if name != "elastic_transform" else ():  # which first turns and then stretches
        picture = photo(side)
        mild, severe = (np.abs(values(corrupt(picture, name, k)) - values(picture)).mean() for k in (1, 5))
        assert 0 < mild < severe


def test_numbers_are_those_of_the_nearest_size():
    wanted = {28: 0, 32: 0, 45: 0, 46: 1, 64: 1, 96: 1, 119: 1, 120: 2, 160: 2, 224: 2, 384: 2}
    assert {side: scale_of(side) for side in wanted} == wanted
    assert numbers_of((300, 30)) == "CIFAR-C"
    assert (reach_of((28, 28)), reach_of((64, 80)), reach_of((224, 224)), reach_of((3, 3))) == (7, 15, 20, 2)


def test_what_cannot_be_is_refused():
    picture = photo(32)
    with pytest.raises(Unknown, match="gaussian_noise"):
        corrupt(picture, "gausian_noise")
    for severity in (-1, 6, 2.5, True, "3"):
        with pytest.raises(BadValue, match="0 to 5"):
            corrupt(picture, "frost", severity)
    for other in (picture.convert("RGBA"), Bands(np.zeros((8, 8, 4), np.uint8)), "cat.png"):
        with pytest.raises(NotSupported, match="grey and RGB"):
            corrupt(other, "frost")


# Noise ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_gaussian_noise_has_the_published_deviation(side, level):
    """On mid grey, cut off at black and white as it is."""
    found = np.concatenate(
        [values(corrupt(flat(128, side), "gaussian_noise", level, seed=k)).ravel() for k in range(9)]
    )
    sigma = SIGMA[side][level - 1]
    x = np.linspace(-6, 6, 20001)
    cut = (128 / 255 + sigma * x).clip(0, 1)
    mean = np.trapezoid(cut * stats.norm.pdf(x), x)
    wanted = math.sqrt(np.trapezoid((cut - mean) ** 2 * stats.norm.pdf(x), x))
    assert found.mean() == pytest.approx(mean, abs=5 * wanted / len(found) ** 0.5 + 1e-3)
    assert found.std() == pytest.approx(wanted, rel=4 / len(found) ** 0.5)


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_shot_noise_counts_photons(side, level):
    found = np.concatenate([values(corrupt(flat(90, side), "shot_noise", level, seed=k)).ravel() for k in range(9)])
    white = PHOTONS[side][level - 1]
    counts = np.arange(0, 3 * white + 20)
    chances = stats.poisson.pmf(counts, 90 / 255 * white)
    seen = np.minimum(counts / white, 1)
    mean = chances @ seen
    wanted = math.sqrt(chances @ (seen - mean) ** 2)
    assert found.mean() == pytest.approx(mean, abs=5 * wanted / len(found) ** 0.5 + 1e-3)
    assert found.std() == pytest.approx(wanted, rel=6 / len(found) ** 0.5)
    levels = np.rint(255 * np.minimum(np.arange(white + 1) / white, 1)) / 255
    assert np.isin(found, levels).all()  # whole photons


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_impulse_noise_hits_so_many(side, level):
    found = np.stack([np.asarray(corrupt(flat(90, side, "RGB"), "impulse_noise", level, seed=k)) for k in range(4)])
    for value in (0, 255):
        share = HIT[side][level - 1] / 2
        assert (found == value).mean() == pytest.approx(share, abs=5 * math.sqrt(share / found.size))
    assert set(np.unique(found)) == {0, 90, 255}


# Blur ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("radius", "smoothing"), [(0.3, 0.4), (1.5, 0.1), (3, 0.1), (6, 0.5), (10, 0.5)])
def test_a_disc_is_counted_out(radius, smoothing):
    reach, taps = max(8, radius), 1 if radius <= 8 else 2
    at = range(-reach, reach + 1)
    inside = np.array([[float(x * x + y * y <= radius * radius) for x in at] for y in at])
    edge = np.array([math.exp(-k * k / (2 * smoothing**2)) for k in range(-taps, taps + 1)])
    wanted = np.zeros_like(inside)
    for y, x, dy, dx in itertools.product(
        range(len(at)), range(len(at)), range(-taps, taps + 1), range(-taps, taps + 1)
    ):
        mirrored = [k if 0 <= k < len(at) else -k if k < 0 else 2 * len(at) - 2 - k for k in (y + dy, x + dx)]
        wanted[y, x] += edge[dy + taps] * edge[dx + taps] * inside[tuple(mirrored)]
    np.testing.assert_allclose(disc(radius, smoothing), wanted / edge.sum() ** 2 / inside.sum(), atol=1e-12)


def test_defocus_blur_is_a_mean_over_the_disc():
    picture = photo(224, "L")
    found, kernel, padded = (
        values(corrupt(picture, "defocus_blur", 3)),
        disc(6, 0.5),
        np.pad(values(picture), 8, "reflect"),
    )
    for y, x in ((0, 0), (3, 220), (100, 57), (223, 223)):
        assert found[y, x] == pytest.approx((kernel * padded[y : y + 17, x : x + 17]).sum(), abs=0.51 / 255)


def test_glass_blur_is_the_slow_loop():
    """Every pixel in turn, from the last, takes the value of a near one."""
    from scipy.ndimage import gaussian_filter

    pixels, (sigma, reach, times) = values(photo(64)), (0.9, 2, 2)
    found = CORRUPTIONS["glass_blur"](pixels, Severity(5, 1), np.random.default_rng(3))
    smooth = np.stack([gaussian_filter(pixels[..., c], sigma, mode="nearest") for c in range(3)], 2)
    chance = np.random.default_rng(3)
    for _ in range(times):
        side = 64 - 2 * reach
        moves = iter(chance.integers(-reach, reach, (2, side * side)).T.tolist())
        for h, w in itertools.product(range(64 - reach, reach, -1), repeat=2):
            dy, dx = next(moves)
            smooth[h, w] = smooth[h + dy, w + dx]
    wanted = np.stack([gaussian_filter(smooth[..., c], sigma, mode="nearest") for c in range(3)], 2)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize(("radius", "sigma", "degrees"), [(6, 1.5, 30), (10, 3, -45), (4, 9, -90), (3, 1, 170)])
def test_motion_blur_is_imagemagicks(radius, sigma, degrees):
    """Half a Gaussian of 2 radius + 1 pixels along a line, the nearest pixel beyond the border."""
    pixels = values(photo(30))
    weights = [math.exp(-k * k / (2 * sigma**2)) for k in range(2 * radius + 1)]
    found = smeared(pixels, radius, sigma, degrees)
    for y, x in itertools.product((0, 7, 29), (0, 13, 29)):
        wanted = np.zeros(3)
        for k, weight in enumerate(weights):
            right = math.ceil(k * math.cos(math.radians(degrees)) - 0.5)
            down = math.ceil(k * math.sin(math.radians(degrees)) - 0.5)
            wanted += weight * pixels[min(max(y + down, 0), 29), min(max(x + right, 0), 29)]
        np.testing.assert_allclose(found[y, x], wanted / sum(weights), atol=1e-12)


def test_motion_goes_within_45_degrees_of_the_horizontal():
    """A single white pixel becomes a line."""
    lines = []
    for k in range(12):
        picture = flat(0, 224)
        picture.putpixel((112, 112), 255)
        found = values(corrupt(picture, "motion_blur", 5, seed=k))
        y, x = np.nonzero(found > 0.5 / 255)
        lines.append(math.degrees(math.atan2(y[x.argmin()] - 112, 112 - x.min())))
    assert all(abs(angle) <= 46 for angle in lines)
    assert np.ptp(lines) > 30


@pytest.mark.parametrize("factor", [1, 1.05, 1.3, 2.5, 4])
def test_an_enlargement_lies_between_pixels(factor):
    pixels = values(photo(41).resize((41, 26)))
    height, width = pixels.shape[:2]
    places = []
    for side in (height, width):
        kept = math.ceil(side / factor)
        large = round(kept * factor)
        first, cut = (side - kept) // 2, (large - side) // 2
        places.append(first + (np.arange(side) + cut) * ((kept - 1) / (large - 1)))
    y, x = np.meshgrid(*places, indexing="ij")
    wanted = np.stack([map_coordinates(pixels[..., c], [y, x], order=1) for c in range(3)], 2)
    np.testing.assert_allclose(magnified(pixels, factor), wanted, atol=1e-9)


def test_zoom_blur_is_the_mean_of_enlargements():
    picture = photo(32)
    factors = np.arange(1, 1.16, 0.01)
    wanted = (values(picture) + sum(magnified(values(picture), k) for k in factors)) / (len(factors) + 1)
    np.testing.assert_allclose(values(corrupt(picture, "zoom_blur", 3)), wanted, atol=0.51 / 255)


# Weather -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_snow_whitens_and_falls(side, level):
    """On black: half of what is not the picture's, and flakes, with their half turn."""
    found = values(corrupt(flat(0, side, "RGB"), "snow", level))
    ground = (1 - SHARE[side][level - 1]) / 2
    flakes = found[..., 0] - ground
    assert flakes.min() == pytest.approx(0, abs=0.51 / 255) or level > 2  # the denser ones leave no place free
    assert flakes.min() > -0.51 / 255
    assert (np.ptp(found, axis=2) == 0).all()
    np.testing.assert_allclose(found, np.rot90(found, 2), atol=1.01 / 255)
    assert flakes.max() > 0.1


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_frost_lies_over_a_share_of_the_picture(side, level):
    share, ice = ICE[side][level - 1]
    dark, bright = (CORRUPTIONS["frost"](np.full((side, side, 3), value), Severity(level, scale_of(side)),
                                         np.random.default_rng(2)) for value in (0.0, 0.6))  # fmt: skip
    np.testing.assert_allclose(bright - dark, share * 0.6, atol=1e-12)
    np.testing.assert_allclose(dark, ice * frost_texture(side, side, np.random.default_rng(2)), atol=1e-12)


def test_frost_is_as_bright_as_the_photographs():
    grey = np.array([0.299, 0.587, 0.114])
    found = [frost_texture(side, side, np.random.default_rng(k)) @ grey for side in (32, 224) for k in range(8)]
    for texture in found:
        near = [abs(texture.mean() - mean) + abs(texture.std() - deviation) for mean, deviation in FROST]
        assert min(near) < 0.03
    assert np.ptp([texture.mean() for texture in found]) > 0.1


@pytest.mark.parametrize("side", [32, 64])
def test_fog_takes_contrast(side):
    """On white it is 1 over 1 + density at the thinnest, and white at the thickest."""
    for level in LEVELS:
        found, density = values(corrupt(flat(255, side), "fog", level)), FOG[side][level - 1]
        assert found.min() == pytest.approx(1 / (1 + density), abs=0.51 / 255)
        assert found.max() == 1


def test_plasma_is_rougher_the_less_it_decays():
    maps = [np.stack([plasma(64, decay, np.random.default_rng(k)) for k in range(20)]) for decay in (3, 2, 1.5)]
    for each in maps:
        assert ((each.min((1, 2)) == 0) & (each.max((1, 2)) == 1)).all()
        assert np.abs(each.mean() - 0.5) < 0.1
    roughness = [np.abs(np.diff(each, axis=2)).mean() for each in maps]
    assert roughness == sorted(roughness)
    # Measured of the published code over 600 draws, for decays of 3 and 2.
    assert roughness[:2] == pytest.approx([0.0100, 0.0120], rel=0.15)


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_brightness_is_added_to_the_value_of_hsv(side, level):
    picture = photo(side)
    found = values(corrupt(picture, "brightness", level))
    for y, x in np.random.default_rng(0).integers(0, side, (60, 2)):
        h, s, v = colorsys.rgb_to_hsv(*values(picture)[y, x])
        wanted = colorsys.hsv_to_rgb(h, s, min(v + ADDED[side][level - 1], 1))
        np.testing.assert_allclose(found[y, x], wanted, atol=0.51 / 255)
    grey = values(corrupt(flat(100, side), "brightness", level))
    np.testing.assert_allclose(grey, min(100 / 255 + ADDED[side][level - 1], 1), atol=0.51 / 255)


# Digital -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_contrast_shrinks_to_the_mean_of_each_channel(side, level):
    picture = photo(side)
    wanted = np.empty((side, side, 3))
    for c in range(3):
        channel = values(picture)[..., c]
        wanted[..., c] = (channel - channel.mean()) * KEPT[side][level - 1] + channel.mean()
    np.testing.assert_allclose(values(corrupt(picture, "contrast", level)), wanted, atol=0.51 / 255)


def test_three_points_move_as_they_were_drawn():
    """On a ramp the value is the place it comes from."""
    rows, columns = np.mgrid[:60, :48].astype(float)
    found = _jittered(np.stack([rows, columns], 2), 3, np.random.default_rng(5))
    corners = np.array([30, 24]) + 16 * np.array([[1, 1], [-1, 1], [-1, -1]])
    moved = corners + np.random.default_rng(5).uniform(-3, 3, (3, 2))
    for (row, column), corner in zip(moved, corners, strict=True):
        at = [map_coordinates(found[..., c], [[row], [column]], order=1)[0] for c in range(2)]
        np.testing.assert_allclose(at, corner, atol=1e-6)


def test_elastic_fields_have_the_published_height():
    """Severity 5 of ImageNet-C: a field of 29.28 times uniform noise smoothed by 2.44 pixels, whose deviation is that
    of a mean of so many; beside it the turn by up to 4.88 pixels, which is a plane."""
    rows, columns = np.mgrid[:224, :224].astype(float)
    found = CORRUPTIONS["elastic_transform"](
        np.stack([rows, columns, rows], 2), Severity(5, 2), np.random.default_rng(0)
    )
    inner = (slice(60, 164), slice(60, 164))
    plane = np.stack([np.ones(104 * 104), rows[inner].ravel(), columns[inner].ravel()], 1)
    for c in range(2):
        moved = found[..., c][inner].ravel()
        rest = moved - plane @ np.linalg.lstsq(plane, moved, rcond=None)[0]
        wanted = 0.12 * 244 * (1 / math.sqrt(3)) / (2 * math.sqrt(math.pi) * 2.44)
        assert rest.std() == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize(("side", "level"), ENDS)
def test_pixelate_repeats_means(side, level):
    picture = photo(side)
    small = int(side * REDUCED[side][level - 1])
    found = np.asarray(corrupt(picture, "pixelate", level))
    if side % small == 0:  # whole blocks
        block = side // small
        means = values(picture).reshape(small, block, small, block, 3).mean((1, 3))
        np.testing.assert_allclose(
            found / 255, means.repeat(block, 0).repeat(block, 1), atol=1.01 / 255
        )  # Pillow rounds each way
    distinct = len(np.unique(found.reshape(-1, 3), axis=0))
    if side > 2 * small:
        assert distinct < side * side / 2


@pytest.mark.parametrize(("side", "level"), ENDS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_has_the_published_quality(side, level, mode):
    picture, file = photo(side, mode), io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY[side][level - 1])
    assert corrupt(picture, "jpeg_compression", level).tobytes() == Image.open(file).convert(mode).tobytes()


# Shifts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [-40, -3, 0, 5, 31])
def test_a_shift_moves_whole_pixels_onto_black(by):
    pixels = np.asarray(photo(32))
    wanted = np.zeros_like(pixels)
    for x in range(32):
        if 0 <= x - by < 32:
            wanted[:, x] = pixels[:, x - by]
    assert np.array_equal(np.asarray(shifted(photo(32), by)), wanted)
