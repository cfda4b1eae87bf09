"""images: the guarded door for files, and pixel operations against slow or foreign oracles."""

import io
import random
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from explain import images
from explain.errors import BadFile, BadValue, ExplainError, Unknown

random_state = np.random.default_rng(0)
PHOTO = random_state.integers(0, 256, (12, 17, 3), dtype=np.uint8)


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data, name=""):
    return np.asarray(images.decode(data, name))


def notes(data):
    return " | ".join(images.decode(data).info["notes"])


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width, height):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def webp_claiming(width, height):
    body = b"WEBPVP8X" + struct.pack("<II", 10, 0x10) + (width - 1).to_bytes(3, "little")
    body += (height - 1).to_bytes(3, "little") + encode(Image.fromarray(PHOTO), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_claiming(width, height):
    """The canvas is small; the first frame says it is larger."""
    data = bytearray(encode(Image.fromarray(PHOTO).convert("P"), "GIF"))
    at = data.index(struct.pack("<cHHHH", b",", 0, 0, 17, 12))
    struct.pack_into("<HH", data, at + 5, width, height)
    return bytes(data)


def tiff_claiming(tile):
    """100 x 100 pixels in one compressed tile."""
    body = zlib.compress(bytes(1000))
    tags = [(256, 100), (257, 100), (258, 8), (259, 8), (262, 1), (277, 1), (322, tile), (323, tile), (324, 134)]
    tags.append((325, len(body)))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + body


# ------------------------------------------------------------ what may enter


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_formats_come_back_bit_for_bit(kind):
    data = encode(Image.fromarray(PHOTO), kind, **({"lossless": True} if kind == "WEBP" else {}))
    image = images.decode(data)
    assert type(image) is Image.Image
    assert image.mode == "RGB"
    assert image.info == {"notes": (), "format": kind, "orientation": 1}
    assert np.array_equal(image, PHOTO)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_each_mode_becomes_grey_or_rgb(mode):
    image = images.as_image(Image.new(mode, (3, 2)))
    assert image.mode == ("RGB" if mode in ("P", "RGB", "RGBA", "CMYK") else "L")
    assert image.size == (3, 2)


def test_path_and_bytes_agree(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(Image.fromarray(PHOTO), "PNG"))
    assert np.array_equal(images.decode(path), PHOTO)
    assert np.array_equal(images.decode(str(path)), PHOTO)
    assert np.array_equal(images.as_image(path), PHOTO)


def refusal(source, name="bad.png"):
    with pytest.raises(BadFile) as caught:
        images.decode(source, name)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    assert message.endswith(".")
    return message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"just some text", "not a picture"),
        (b"%PDF-1.4 ...", "JPEG, PNG, WEBP, GIF, BMP or TIFF"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"BMW is no bitmap", "damaged"),
        (b"RIFF\0\0\0\0WAVEfmt ", "damaged"),
        (png_claiming(11000, 8000), "25 million"),
        (png_claiming(60000, 60000), "25 million"),
        (webp_claiming(16000, 16000), "25 million"),
        (webp_claiming(10000, 10000), "25 million"),
        (gif_claiming(10000, 10000), "25 million"),
        (gif_claiming(60000, 60000), "25 million"),
        (tiff_claiming(16000), "25 million"),
        (png_claiming(1, 100000), "20 times"),
        (png_claiming(0, 5), "damaged"),
        (b"\xff\xd8\xff" + bytes(images.MAX_BYTES), "20 MB"),
        (encode(Image.fromarray(PHOTO), "JPEG")[:-60], "damaged"),
        (encode(Image.fromarray(PHOTO), "ICO"), "not a picture"),
    ],
)
def test_refusals_say_why_and_never_warn(data, why):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(data)
    assert why in message
    assert "'bad.png'" in message


def test_bombs_are_refused_before_memory_is_taken():
    start = time.perf_counter()
    for data in (png_claiming(50000, 50000), webp_claiming(16383, 16383), gif_claiming(65000, 65000)):
        refusal(data)
    assert time.perf_counter() - start < 2


def test_names_are_made_harmless():
    assert "\n" not in refusal(b"", "a\nb\x1b[31m" + "x" * 500)


def test_bad_paths(tmp_path):
    for path in (tmp_path, tmp_path / "none.png", "nul\0byte.png", "x" * 5000):
        refusal(path, "")


def test_pillow_keeps_its_own_settings():
    from PIL import ImageFile

    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert Image.MAX_IMAGE_PIXELS == 89478485


# ------------------------------------------------------------ what is put right


TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "TIFF-packed"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "TIFF-packed": {"compression": "tiff_lzw"}}.get(kind, {})
    image = images.decode(encode(Image.fromarray(PHOTO), kind.partition("-")[0], exif=exif, **options))
    assert np.array_equal(image, TURNED[orientation](PHOTO))
    assert image.info["orientation"] == orientation
    assert ("turned" in " ".join(image.info["notes"])) == (orientation > 1)


def marked(image):
    """The box of the bright pixels: y0, x0, y1, x1, half open."""
    pixels = np.asarray(image.convert("L"))
    rows, columns = (np.flatnonzero((pixels > 128).any(axis)) for axis in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_found_in_the_files_own_pixels(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for y0, x0, y1, x1 in ((8, 16, 24, 32), (0, 0, 8, 40), (16, 32, 32, 40), (0, 0, 32, 40)):
        lying = np.zeros((32, 40), np.uint8)
        lying[y0:y1, x0:x1] = 255
        data = encode(Image.fromarray(lying), kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))
        upright = images.decode(data)
        if kind != "TIFF":  # Pillow itself turns these
            assert marked(Image.open(io.BytesIO(data))) == (y0, x0, y1, x1)
        assert images.unturned(marked(upright), upright.size, upright.info["orientation"]) == (y0, x0, y1, x1)


@pytest.mark.parametrize("value", [0, 9, 77, 65535])
def test_a_senseless_orientation_is_ignored(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert np.array_equal(pixels(encode(Image.fromarray(PHOTO), "PNG", exif=exif)), PHOTO)


def test_sixteen_bit_grey_is_scaled_and_not_clipped():
    deep = np.array([[0, 30000, 65535]], np.uint16)
    for kind in ("PNG", "TIFF"):
        data = encode(Image.fromarray(deep), kind)
        assert pixels(data).tolist() == [[0, 117, 255]]
        assert "16-bit" in notes(data)


def test_sixteen_bit_big_endian_tiff():
    image = Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 30000, 65535))
    assert pixels(encode(image, "TIFF")).tolist() == [[117, 255]]


def test_sixteen_bit_hidden_value():
    data = encode(Image.fromarray(np.array([[0, 30000]], np.uint16)), "PNG")
    at = data.index(b"IDAT") - 4
    data = data[:at] + chunk(b"tRNS", struct.pack(">H", 30000)) + data[at:]
    assert pixels(data).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("values", "bytes_"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
        (np.array([[0, 30000, 65535]], np.int32), [0, 117, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 0.5, 255]], np.float32), [0, 1, 255]),
        (np.array([[-1, 0, 1]], np.float32), [0, 128, 255]),
        (np.array([[-3, -3, -3]], np.float32), [128, 128, 128]),
        (np.array([[-3e38, 0, 3e38]], np.float32), [0, 128, 255]),
    ],
)
def test_wide_grey(values, bytes_):
    assert pixels(encode(Image.fromarray(values), "TIFF")).tolist() == [bytes_]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_float_pictures_must_be_finite(bad):
    assert "NaN" in refusal(encode(Image.fromarray(np.array([[0, bad]], np.float32)), "TIFF"))


def test_hidden_pixels_do_not_reappear():
    hidden = np.dstack([PHOTO, np.zeros(PHOTO.shape[:2], np.uint8)])
    data = encode(Image.fromarray(hidden), "PNG")
    assert (pixels(data) == 255).all()
    assert "white" in notes(data)
    assert np.array_equal(images.from_array(hidden), pixels(data))


def test_half_transparent_pixels_are_mixed_with_white():
    half = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 128, np.uint8)])
    expected = PHOTO * (128 / 255) + 255 * (127 / 255)
    assert np.abs(pixels(encode(Image.fromarray(half), "PNG")) - expected).max() <= 1


def test_opaque_alpha_changes_nothing():
    opaque = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
    data = encode(Image.fromarray(opaque), "PNG")
    assert np.array_equal(pixels(data), PHOTO)
    assert notes(data) == ""


def test_grey_with_alpha_stays_grey():
    image = images.decode(encode(Image.fromarray(np.array([[[9, 255], [9, 0]]], np.uint8), "LA"), "PNG"))
    assert (image.mode, np.asarray(image).tolist()) == ("L", [[9, 255]])


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\xff"])
@pytest.mark.filterwarnings("error")
def test_palette_with_transparency(transparency):
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    got = pixels(encode(image, "PNG", transparency=transparency))
    assert got.tolist() == [[[10, 20, 30], [255, 255, 255], [70, 80, 90]]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_show_their_first_frame(kind):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (pixels(data) == (255, 0, 0)).all()
    assert "first" in notes(data)
    assert "first" not in notes(encode(frames[0], kind, **options))


def test_cmyk_jpeg():
    data = encode(Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK"), "JPEG", quality=100)
    assert np.abs(pixels(data).astype(int) - (200, 40, 90)).max() <= 3
    assert "CMYK" in notes(data)


def test_phone_photographs_of_several_pictures_are_jpeg():
    frame = Image.new("RGB", (16, 16), (200, 40, 90))
    data = encode(frame, "MPO", save_all=True, append_images=[frame])
    assert images.decode(data).info["format"] == "JPEG"


@pytest.mark.parametrize("kind", images.FORMATS)
def test_flipped_bytes_give_an_image_or_an_explain_error(kind):
    source = Image.fromarray(PHOTO)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    whole, dice = encode(source, kind, **options), random.Random(kind)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 2, 8))):
            data[dice.randrange(len(data) if dice.random() < 0.5 else min(len(data), 100))] = dice.randrange(256)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            try:
                image = images.decode(bytes(data[: dice.choice((len(data), dice.randrange(len(data))))]))
            except ExplainError as error:
                outcome = str(error).isprintable()
            else:
                known = image.mode in ("L", "RGB") or isinstance(image, images.Bands)  # as other tags may say
                outcome = known and image.size[0] * image.size[1] <= images.MAX_PIXELS
        assert outcome


# ------------------------------------------------------------ arrays and other sources


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_arrays(shape, dtype):
    image = images.from_array(np.ones(shape, dtype) * (255 if dtype == "uint8" else 1))
    assert image.size == (3, 2)
    assert image.mode == ("RGB" if shape[2:] in ((3,), (4,)) else "L")
    assert (np.asarray(image) == 255).all()


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((3,)), r"\(3,\)"),
        (np.zeros((3, 3, 2)), r"\(3, 3, 2\)"),
        (np.zeros((0, 3)), r"\(0, 3\)"),
        (np.zeros((3, 3), int), "int64"),
        (np.zeros((3, 3), bool), "bool"),
        (np.full((3, 3), np.nan), "nan"),
        (np.full((3, 3), 1.5), "1.5"),
    ],
)
def test_wrong_arrays_are_named(array, word):
    with pytest.raises(BadValue, match=word):
        images.from_array(array)


def test_as_image_is_idempotent_and_leaves_its_argument_alone():
    exif = Image.Exif()
    exif[0x0112] = 6
    source = Image.open(io.BytesIO(encode(Image.fromarray(PHOTO), "PNG", exif=exif)))
    image = images.as_image(source)
    assert np.array_equal(image, np.rot90(PHOTO, -1))
    assert images.as_image(image) is image
    assert source.size == (17, 12)
    with pytest.raises(BadValue, match="int"):
        images.as_image(3)


# ------------------------------------------------------------ values and colours


@given(arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(1, 5)), elements=st.floats(width=32)))
def test_unit_scale_is_always_within_zero_and_one(array):
    unit = images.unit_scale(array)
    assert ((unit >= 0) & (unit <= 1)).all()
    assert (unit[np.isnan(array)] == 0).all()


def test_unit_scale():
    assert images.unit_scale([2.0, 3, 4], 2, 4).tolist() == [0, 0.5, 1]
    assert images.unit_scale([7.0, 7, np.nan]).tolist() == [0.5, 0.5, 0]
    assert images.unit_scale([-5.0, 5], 0, 1).tolist() == [0, 1]
    assert images.unit_scale([-5.0, -6], low=0).tolist() == [0.5, 0.5]
    for low, high in ((2, 1), (np.nan, 1)):
        with pytest.raises(BadValue, match="range"):
            images.unit_scale([0.0], low, high)


def test_to_bytes_rounds_and_undoes_division():
    every = np.arange(256)
    assert np.array_equal(images.to_bytes(every / 255), every)
    assert images.to_bytes([-1, 0.5, 2, np.nan]).tolist() == [0, 128, 255, 0]


def lightness(table):
    """CIE L* of sRGB bytes."""
    share = table / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)


def test_sequential_maps_grow_ever_lighter():
    for name in ("grey", "inferno", "viridis"):
        light = lightness(images.COLORMAPS[name])
        assert np.diff(light).min() >= 0  # neighbours may round to one colour
        assert np.diff(light[::3]).min() > 0
        assert np.diff(light).max() < 4 * np.median(np.diff(light))


def test_the_diverging_map_is_neutral_at_the_middle_and_darkens_both_ways():
    table = images.COLORMAPS["red-blue"]
    assert len(set(images.colour([0.5], "red-blue")[0].tolist())) == 1
    assert np.array_equal(table[127], table[128])
    steps = np.diff(lightness(table))
    assert (steps[:127] > 0).all()
    assert (steps[128:] < 0).all()
    low, high = images.colour([0, 1], "red-blue").astype(int)
    assert low[2] > low[0]  # negative is blue
    assert high[0] > high[2]


def test_colour_looks_up():
    assert images.colour(np.zeros((2, 3)), "viridis").shape == (2, 3, 3)
    assert np.array_equal(images.colour(np.arange(256) / 255)[:, 0], np.arange(256))
    assert images.colour([np.nan, -1, 2])[:, 0].tolist() == [0, 0, 255]
    assert all(table.shape == (256, 3) and table.dtype == np.uint8 for table in images.COLORMAPS.values())
    with pytest.raises(Unknown, match="viridis"):
        images.colour([0.0], "viridi")


@given(st.floats(0, 1), arrays(np.uint8, (2, 3, 3)), arrays(np.uint8, (2, 3, 3)))
def test_overlays_stay_between_photo_and_colours(alpha, photo, colours):
    mix = images.overlay(photo, colours, alpha)
    assert (mix >= np.minimum(photo, colours)).all()
    assert (mix <= np.maximum(photo, colours)).all()
    assert np.abs(mix - (photo * (1 - alpha) + colours * alpha)).max() < 0.51
    assert np.array_equal(images.overlay(photo, colours, 0.0), photo)
    assert np.array_equal(images.overlay(photo, colours, 1.0), colours)
    assert np.array_equal(images.overlay(photo, colours, np.full((2, 3), alpha)), mix)


def test_overlay_refuses():
    for image, alpha in (
        (PHOTO, 1.5),
        (PHOTO, np.nan),
        (PHOTO, np.zeros((2, 2))),
        (PHOTO / 255, 0.5),
        (PHOTO[1:], 0.5),
    ):
        with pytest.raises(BadValue):
            images.overlay(image, PHOTO, alpha)


# ------------------------------------------------------------ size and layout


@settings(max_examples=60)
@given(*[st.integers(1, 12)] * 4)
def test_bilinear_is_torchs(h, w, height, width):
    heat = np.random.default_rng(h * w).normal(size=(h, w)).astype(np.float32)
    wanted = torch.nn.functional.interpolate(torch.from_numpy(heat)[None, None], (height, width), mode="bilinear")
    got = images.resize(heat, (height, width))
    assert got.dtype == np.float32
    assert np.abs(got - wanted[0, 0].numpy()).max() <= 1e-5


def test_resize_large_maps_and_stacks_as_torch_does():
    maps = random_state.normal(size=(3, 7, 13)).astype(np.float32)
    wanted = torch.nn.functional.interpolate(torch.from_numpy(maps)[None], (224, 191), mode="bilinear")[0].numpy()
    assert np.abs(images.resize(maps, (224, 191)) - wanted).max() <= 1e-5


def test_nearest():
    heat = random_state.normal(size=(3, 4))
    assert np.array_equal(images.resize(heat, (9, 8), "nearest"), heat.repeat(3, 0).repeat(2, 1))
    assert np.array_equal(images.resize(heat, (3, 2), "nearest"), heat[:, ::2])


def test_resize_refuses():
    with pytest.raises(Unknown, match="nearest"):
        images.resize(np.zeros((2, 2)), (2, 2), "nearer")
    for array, size in ((np.zeros((0, 2)), (2, 2)), (np.zeros(3), (2, 2)), (np.zeros((2, 2)), (0, 2))):
        with pytest.raises(BadValue):
            images.resize(array, size)


def test_enlarge():
    assert images.enlarge(np.array([[1, 2]]), 2).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert images.enlarge(PHOTO, 3).shape == (36, 51, 3)
    for factor in (0, 1.5, True):
        with pytest.raises(BadValue, match="factor"):
            images.enlarge(PHOTO, factor)


@settings(max_examples=60)
@given(*[st.integers(1, n) for n in (9, 4, 4, 5)], st.integers(0, 3), st.integers(1, 3))
def test_contact_sheet_against_a_loop(n, h, w, columns, gap, factor):
    tiles = np.random.default_rng(n).integers(0, 256, (n, h, w, 3), dtype=np.uint8)
    sheet = images.contact_sheet(tiles, columns, gap, factor, (1, 2, 3))
    assert sheet.shape[:2] == images.sheet_size(n, h, w, columns, gap, factor)
    slow = np.full_like(sheet, (1, 2, 3))
    for k, tile in enumerate(tiles):
        y, x = (k // columns) * (h * factor + gap) + gap, (k % columns) * (w * factor + gap) + gap
        slow[y : y + h * factor, x : x + w * factor] = images.enlarge(tile, factor)
    assert np.array_equal(sheet, slow)


def test_contact_sheets_of_512_tiles_are_quick():
    start = time.perf_counter()
    images.contact_sheet(np.zeros((512, 32, 32, 3), np.uint8), 32, factor=2)
    assert time.perf_counter() - start < 3


def test_contact_sheet_refuses():
    for tiles, columns in ((np.zeros((2, 3, 3, 3)), 2), (np.zeros((2, 3, 3), np.uint8), 2)):
        with pytest.raises(BadValue, match="tiles"):
            images.contact_sheet(tiles, columns)
    with pytest.raises(BadValue, match="columns"):
        images.sheet_size(3, 3, 3, 0)


@given(*[st.integers(-4, 24)] * 4, st.integers(1, 3))
def test_boxes_are_framed_outside_and_clipped(y0, y1, x0, x1, width):
    (y0, y1), (x0, x1) = sorted((y0, y1)), sorted((x0, x1))
    before = PHOTO.copy()
    drawn = images.draw_box(PHOTO, (y0, x0, y1, x1), (1, 2, 3), width)
    assert np.array_equal(PHOTO, before)
    y, x = np.mgrid[: PHOTO.shape[0], : PHOTO.shape[1]]
    inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
    near = (y >= y0 - width) & (y < y1 + width) & (x >= x0 - width) & (x < x1 + width)
    assert np.array_equal(drawn, np.where((near & ~inside)[..., None], (1, 2, 3), PHOTO))


def test_png_is_lossless_and_carries_text():
    alpha = random_state.integers(0, 256, (4, 5, 4), dtype=np.uint8)
    for picture in (PHOTO, PHOTO[..., 0], alpha, PHOTO[::-1]):
        assert np.array_equal(Image.open(io.BytesIO(images.png(picture))), picture)
    data = images.png(Image.fromarray(PHOTO), {"explain": '{"layer": "conv1"}', "title": "Katze 猫"})
    read = Image.open(io.BytesIO(data))
    assert read.text == {"explain": '{"layer": "conv1"}', "title": "Katze 猫"}
    assert np.array_equal(read, PHOTO)
    for bad in (PHOTO / 255, np.zeros((0, 3), np.uint8), np.zeros((3, 3, 2), np.uint8), np.zeros(3, np.uint8)):
        with pytest.raises(BadValue, match="PNG"):
            images.png(bad)


def test_decoding_in_threads():
    data = [encode(Image.fromarray(np.roll(PHOTO, k, 0)), kind) for k in range(4) for kind in ("PNG", "TIFF", "BMP")]
    wrong = []

    def work():
        for k, source in enumerate(data):
            if not np.array_equal(pixels(source), np.roll(PHOTO, k // 3, 0)):
                wrong.append(k)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_importing_stays_light():
    code = "import sys; from explain.data import load_images; load_images('photos')[0]; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "torchvision", "streamlit", "matplotlib", "skimage", "sklearn", "scipy"}
    assert not heavy & set(result.stdout.split())
