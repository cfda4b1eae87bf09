"""Pictures as cameras, scanners and phones write them: profiles, 12 bits in 16, several pictures in a file."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

import explain
from explain.data import load_images
from explain.errors import BadFile
from explain.images import as_image, bands_of, decode

ROCKET = next(Path(file) for file in load_images("set:photos").files if file.endswith("rocket.jpg"))  # Adobe RGB
DEEP = np.linspace(0, 4095, 48 * 48).reshape(48, 48).astype(np.uint16)
COLOURS = np.stack([DEEP, DEEP[::-1], DEEP // 2], -1)


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png(values, kind):
    """A PNG of 16 bits, which Pillow does not write in colours."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = values.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def tiff(values):
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="rgb" if values.ndim == 3 else "minisblack")
    return file.getvalue()


def said(picture):
    return " ".join(picture.info["notes"])


# ------------------------------------------------------------ profiles


def adobe_to_srgb(pixels):
    """By the primaries of both, as Adobe RGB (1998) and IEC 61966-2-1 say."""
    light = (pixels / 255) ** (563 / 256)
    to_xyz = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    to_rgb = np.array([[3.24063, -1.53721, -0.49863], [-0.96893, 1.87576, 0.04152], [0.05571, -0.20402, 1.05700]])
    light = np.clip(light @ to_xyz.T @ to_rgb.T, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_colours_of_another_profile_become_those_of_srgb():
    with Image.open(ROCKET) as given:
        plain, profile = np.asarray(given), given.info["icc_profile"]
    picture = decode(ROCKET)
    wanted = adobe_to_srgb(plain.astype(float))
    assert np.abs(np.asarray(picture) - wanted).max() < 2
    assert np.abs(plain - wanted).max() > 5
    assert "Adobe RGB (1998) to sRGB" in said(picture)
    with Image.open(ROCKET) as given:
        assert np.array_equal(np.asarray(as_image(given)), np.asarray(picture))
    see_through = Image.fromarray(np.concatenate([plain, plain[..., :1] // 2], -1))
    behind = bands_of(decode(saved(see_through, "PNG", icc_profile=profile)))
    assert np.abs(behind.values[..., :3] - wanted).max() < 2
    assert np.array_equal(behind.values[..., 3], plain[..., 0] // 2)


def test_the_facts_say_what_was_done_to_a_picture(lite):
    facts = explain.saliency(lite, explain.open_picture("set:photos/rocket.jpg"), method="gradient").facts
    assert any("to sRGB" in note for note in facts["image_notes"])
    assert "image_notes" not in explain.saliency(lite, explain.open_picture("set:photos/coffee.png")).facts


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA"])
def test_a_profile_of_srgb_changes_nothing(mode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)).convert(mode)
    with_one, without = decode(saved(image, "PNG", icc_profile=profile)), decode(saved(image, "PNG"))
    assert with_one.mode == without.mode
    assert np.array_equal(np.asarray(with_one), np.asarray(without))
    assert "sRGB" not in said(with_one)


@pytest.mark.parametrize("profile", [b"junk" * 60, bytes(5 << 20)])
def test_a_profile_that_cannot_be_used_is_said(profile):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8))
    picture = decode(saved(image, "TIFF", icc_profile=profile))
    assert np.array_equal(np.asarray(picture), np.asarray(image))
    assert "as if it had none" in said(picture)


# ------------------------------------------------------------ 12 bits in 16


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    ("values", "written"),
    [
        (DEEP, lambda values: saved(Image.fromarray(values), "PNG")),
        (DEEP, tiff),
        (COLOURS, tiff),
        (COLOURS, lambda values: png(values, 2)),
    ],
    ids=["grey PNG", "grey TIFF", "TIFF", "PNG"],
)
def test_white_is_white_whatever_the_bits_that_are_used(values, written, bits):
    most = 2**bits - 1
    picture = decode(written(np.round(values / 4095 * most).astype(np.uint16)))
    assert np.abs(np.asarray(picture) - values / 4095 * 255).max() <= 1.01
    assert f"{most:g} is white" in said(picture)


def test_transparency_of_12_bits():
    alpha = np.full_like(DEEP, 4095)
    alpha[:24] = 0
    picture = decode(png(np.concatenate([COLOURS, alpha[..., None]], -1), 6))
    assert (np.asarray(picture)[:24] == 255).all()
    assert np.abs(np.asarray(picture)[24:] - COLOURS[24:] / 4095 * 255).max() <= 1


def test_bands_of_12_bits_say_what_a_network_is_given(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([DEEP] * 5, -1))
    assert "none above 4095" in said(decode(tmp_path / "a.npy"))


# ------------------------------------------------------------ several pictures, other kinds


def test_a_second_picture_in_a_jpeg_is_said():
    red, blue = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")
    several = saved(red, "MPO", save_all=True, append_images=[blue])
    assert "first of 2 pictures" in said(decode(several))
    assert not decode(saved(red, "JPEG")).info["notes"]
    damaged = bytearray(several)
    at = damaged.index(b"MPF\0") + 4
    damaged[at : at + 20] = bytes(20)
    assert decode(bytes(damaged)).size == (32, 32)


def test_heic_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(BadFile, match="HEIC is read where pillow-heif is installed"):
        decode(b"\0\0\0\x18ftypheic" + bytes(200))


def test_heic_with_its_library():
    heif = pytest.importorskip("pillow_heif")
    values = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(values)).save(file, quality=-1)
    picture = decode(file.getvalue())
    assert np.abs(np.asarray(picture, int) - values).mean() < 6
