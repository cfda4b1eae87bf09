"""bands: .npy and TIFF pictures of any number of bands, 8 or 16 bits or floats, from the file to the views."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn

import explain
from explain.data import load_images
from explain.errors import BadFile, BadValue, ExplainError
from explain.images import Bands, as_image, bands_of, content, copied, cover, decode, mirrored, shown
from explain.images.bands import read_tags
from explain.index.agreement import mirror_ranks
from explain.index.thumbnails import thumbnails
from explain.network.zoo import load_model, save_model
from explain.workspace import open_picture
from explain.workspace.uploads import keep_upload

SCALE = {"uint8": 255, "uint16": 65535, "float32": 1}
COUNT, HEIGHT, WIDTH = 13, 20, 24


def values(dtype="uint16", seed=0, count=COUNT, height=HEIGHT, width=WIDTH):
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(300, 900, (height, width, count)).astype(np.float32)
    return rng.integers(0, SCALE[dtype] + 1, (height, width, count)).astype(dtype)


def npy(array, **how):
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def tiff(array, planar="contig", photometric="minisblack", **how):
    file = io.BytesIO()
    pixels = array if planar == "contig" else array.transpose(2, 0, 1)
    tifffile.imwrite(file, pixels, planarconfig=planar, photometric=photometric, **how)
    return file.getvalue()


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


class Net(nn.Module):
    def __init__(self, channels=COUNT, classes=3):
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, 3, padding=1)
        self.head = nn.Linear(6, classes)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def preprocess(channels=COUNT, size=(HEIGHT, WIDTH), **how):
    mean, std = tuple(0.1 * k for k in range(channels)), tuple(1 + 0.1 * k for k in range(channels))
    return explain.Preprocess(size, mean=mean, std=std, channels=channels, **how)


def model(channels=COUNT, **how):
    torch.manual_seed(0)
    return explain.wrap(Net(channels), ["a", "b", "c"], preprocess(channels, **how), name="sat")


@pytest.fixture(scope="module")
def sat():
    return model(bands=(3, 2, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    for k in range(6):
        (root / "ab"[k % 2]).mkdir(exist_ok=True)
        np.save(root / "ab"[k % 2] / f"{k}.npy", values(seed=k))
    return root


# ------------------------------------------------------------ what the network is given


@pytest.mark.parametrize("dtype", SCALE)
def test_the_input_is_the_values_scaled_and_normalised(dtype):
    array, how = values(dtype), preprocess()
    unit = torch.from_numpy(array.astype(np.float32) / np.float32(SCALE[dtype])).permute(2, 0, 1)
    wanted = (unit - torch.tensor(how.mean)[:, None, None]) / torch.tensor(how.std)[:, None, None]
    for given in (array, npy(array), npy(array.transpose(2, 0, 1)), tiff(array), tiff(array, "separate")):
        assert torch.equal(how.tensor(given), wanted)
    assert how.crop(array).dtype == dtype


def test_one_level_of_16_bits_is_another_input():
    one = values()
    two = one.copy()
    two[3, 4, 5] ^= 1
    difference = preprocess().tensor(one) != preprocess().tensor(two)
    assert difference.nonzero().tolist() == [[5, 3, 4]]


@pytest.mark.parametrize("dtype", SCALE)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_bands_are_resized_each_on_its_own_and_keep_their_precision(dtype, interpolation):
    array = values(dtype)
    found = explain.Preprocess((10, 10), 10, channels=COUNT, interpolation=interpolation).crop(array)
    for band in (0, 12):
        plane = Image.fromarray(np.ascontiguousarray(array[..., band], None if dtype == "uint8" else np.float32))
        wanted = np.asarray(plane.resize((12, 10), Image.Resampling[interpolation.upper()]))[:, 1:11]
        if dtype == "uint16":
            wanted = np.rint(np.clip(wanted, 0, 65535)).astype(dtype)
        assert np.array_equal(found[..., band], wanted)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    ("dtype", "count"), [("uint8", 2), ("uint8", 5), ("uint16", 4), ("uint16", 5), ("float32", 3), ("float32", 13)]
)
def test_a_tiff_is_the_npy(dtype, count, planar, compression):
    array = values(dtype, count=count)
    how = {"compression": compression, "predictor": compression == "zlib" and dtype != "float32"}
    assert np.array_equal(decode(npy(array)).values, array)
    for options in ({"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}, {"bigtiff": True}, {"tile": (16, 16)}):
        assert np.array_equal(decode(tiff(array, planar, **how, **options)).values, array)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_tiff_is_turned_upright_with_all_its_bands(turn):
    array = values("uint8", count=3)
    tag = [(274, "H", 1, turn, True)]
    deep = decode(tiff(array.astype(np.uint16) * 257, extratags=tag))
    upright = decode(tiff(array, photometric="rgb", extratags=tag))
    assert np.array_equal(deep.values // 257, np.asarray(upright))
    assert deep.info["orientation"] == upright.info["orientation"] == turn
    box, how = (1, 2, 7, 5), explain.Preprocess((8, 8))
    assert how.source_box(box, deep) == how.source_box(box, upright)


def test_rgb_of_16_bits_is_shown_as_before_and_seen_in_full():
    array = values("uint16", count=3)
    picture = decode(tiff(array, photometric="rgb"))
    assert isinstance(picture, Image.Image)
    assert np.array_equal(np.asarray(picture), array >> 8)
    seen = explain.Preprocess((HEIGHT, WIDTH)).tensor(picture)
    assert torch.equal(seen, torch.from_numpy(array.astype(np.float32) / 65535).permute(2, 0, 1))
    grey = explain.Preprocess((HEIGHT, WIDTH), channels=1)
    assert torch.equal(grey.tensor(picture), grey.tensor(Image.fromarray((array >> 8).astype(np.uint8))))


def test_grey_of_16_bits_goes_into_colour_networks_as_grey():
    array = values("uint16", count=1)
    seen = explain.Preprocess((HEIGHT, WIDTH)).tensor(npy(array[..., 0]))
    assert torch.equal(seen, torch.from_numpy(array.astype(np.float32) / 65535).permute(2, 0, 1).expand(3, -1, -1))
    assert explain.Preprocess((HEIGHT, WIDTH), channels=1).tensor(array).shape == (1, HEIGHT, WIDTH)


# ------------------------------------------------------------ plain pictures, and transparency


def test_plain_pictures_are_as_before():
    """Bit for bit: the pixels, the input, grey in each of other channels; and so are .npy of such pictures."""
    array = values("uint8", count=3)
    picture = decode(png(array))
    assert type(picture) is Image.Image
    assert bands_of(picture) is None
    grey = np.asarray(Image.fromarray(array).convert("L"))
    for channels, wanted in ((1, grey[..., None]), (3, array), (5, grey[..., None].repeat(5, -1))):
        how = preprocess(channels)
        mean, std = (torch.tensor(of)[:, None, None] for of in (how.mean, how.std))
        one = (torch.from_numpy(wanted.copy()).permute(2, 0, 1).float() / 255 - mean) / std
        for given in (picture, array, npy(array), npy(array.transpose(2, 0, 1)), tiff(array, photometric="rgb")):
            assert torch.equal(how.tensor(given), one)
            crop = how.crop(given)
            assert np.array_equal(crop, array if channels != 1 else grey[..., None].repeat(3, -1))
            assert how.shown(crop) is crop
    assert decode(npy(array)).info == {"notes": (), "format": "NPY", "orientation": 1}


def test_rgba_in_a_network_of_four_channels_is_its_four_bands(tmp_path):
    array = values("uint8", count=4)
    four, three = preprocess(4), explain.Preprocess((HEIGHT, WIDTH))
    picture = decode(png(array))
    assert picture.mode == "RGB"
    wanted = four.tensor(Bands(array.copy()))
    file, tif = tmp_path / "a.png", io.BytesIO()
    file.write_bytes(png(array))
    Image.fromarray(array).save(tif, "TIFF")
    pictures = picture, copied(picture), Image.fromarray(array), open_picture(str(file))
    for given in (*pictures, array, png(array), file, tif.getvalue()):
        assert torch.equal(four.tensor(given), wanted)
    assert np.array_equal(four.shown(four.crop(picture)), array[..., :3])
    white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), Image.fromarray(array)).convert("RGB")
    assert torch.equal(three.tensor(picture), three.tensor(white))
    assert torch.equal(four.tensor(mirrored(picture)), wanted.flip(2))
    opaque = array.copy()
    opaque[..., 3] = 255
    assert torch.equal(four.tensor(png(opaque)), four.tensor(Bands(opaque)))
    assert bands_of(picture.rotate(90)) is None, "what Pillow makes of it has other pixels: the bands are not its own"
    covered = cover(picture, [(0, 0, 5, 5)], "black")
    assert covered.getpixel((0, 0)) == (0, 0, 0)
    assert (four.crop(covered)[:5, :5] == 0).all()
    assert content(covered) != content(picture) != content(decode(png(opaque)))


def test_transparency_is_turned_as_the_picture_is():
    array, exif, file = values("uint8", count=4), Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(array).save(file, "PNG", exif=exif)
    assert np.array_equal(bands_of(decode(file.getvalue())).values, np.rot90(array, -1))


# ------------------------------------------------------------ what is refused, in one line


def huge(shape=(100_000, 100_000, 13)):
    head = repr({"descr": "<u2", "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + bytes(64)


def bomb():
    """A strip that unpacks to far more than the picture."""
    data = tiff(np.zeros((16, 16, 5), np.uint16), compression="zlib", rowsperstrip=16)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag, start = file.pages[0].tags["StripByteCounts"], file.pages[0].dataoffsets[0]
    packed = zlib.compress(bytes(1 << 23))
    data = bytearray(data[:start] + packed)
    struct.pack_into({3: "<H", 4: "<I"}[int(tag.dtype)], data, tag.valueoffset, len(packed))
    return bytes(data)


def with_nan():
    array = values("float32")
    array[1, 2, 3] = np.nan
    return array


REFUSED = {
    "objects": (npy(np.array([[{}, 1]], object), allow_pickle=True), "dtype object"),
    "records": (npy(np.zeros((9, 9), [("a", "u1")])), "dtype"),
    "integers": (npy(np.zeros((9, 9, 3), np.int32)), "int32; valid: uint8, uint16, float16"),
    "pixels": (huge(), "25 million"),
    "bytes": (huge((4000, 4000, 127)), "256 MB"),
    "bands": (huge((200, 210, 129)), "129 bands"),
    "few bytes": (huge((300, 200, 100)), "fewer values"),
    "dimensions": (huge((1, 2, 3, 4)), r"shape \(1, 2, 3, 4\)"),
    "cut": (npy(values())[:-1], "fewer values"),
    "cut head": (npy(values())[:40], "damaged"),
    "empty": (npy(np.zeros((0, 5), np.uint8)), "no pixels"),
    "narrow": (npy(np.zeros((2, 100, 1), np.uint16)), "20 times"),
    "ambiguous": (npy(np.zeros((13, 64, 13), np.uint16)), r"may be \(H, W, bands\) or"),
    "NaN": (npy(with_nan()), "NaN"),
    "infinite": (npy(np.full((9, 9, 4), 1e300)), "infinite"),
    "NaN in a TIFF": (tiff(with_nan()), "NaN"),
    "cut TIFF": (tiff(values())[:-9], "damaged"),
    "cut deflate": (tiff(values(), compression="zlib")[:-9], "damaged"),
    "cut tags": (tiff(values())[:60], "damaged"),
    "signed": (tiff(np.zeros((9, 9, 4), np.int16)), "int16"),
    "many bands": (tiff(np.zeros((9, 9, 140), np.uint8)), "140 bands"),
    "bomb": (bomb(), "unpacks to more"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_no_pictures(case):
    data, why = REFUSED[case]
    with pytest.raises(BadFile, match=why) as caught:
        decode(data)
    message = str(caught.value)
    assert message.startswith("The picture ")
    assert message.endswith(".")
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize("channels", [1, 3, 4, 12])
def test_another_number_of_bands_is_named(channels):
    with pytest.raises(BadFile, match=f"^A picture of 13 bands does not fit a network of {channels} channels.$"):
        preprocess(channels).tensor(npy(values()))
    with pytest.raises(BadFile, match=r"24 bands .* 13 channels; arrays are \(H, W, bands\)\.$"):
        preprocess().tensor(values().transpose(2, 0, 1))


def test_arrays():
    for wrong in (np.zeros((9, 9, 5), int), with_nan(), np.zeros((5, 9, 200), np.uint8)):
        with pytest.raises(BadFile):
            as_image(wrong)
    mine = values()
    picture = as_image(mine)
    mine[:] = 0
    assert picture.values.any(), "it is the array as it was given"
    assert as_image(picture) is picture
    with pytest.raises(ValueError, match="read-only"):
        picture.values[:] = 0


def test_damaged_tiffs_are_one_error_and_silent():
    code = (
        "import sys; from explain.images import decode\ntry: decode(sys.stdin.buffer.read())\n"
        "except Exception as e: print(type(e).__name__)"
    )
    data = tiff(values(), compression="zlib")
    done = subprocess.run([sys.executable, "-c", code], input=data[:-50], capture_output=True, check=True)
    assert (done.stdout.split(), done.stderr) == ([b"BadFile"], b"")


@pytest.mark.filterwarnings("ignore")  # Pillow's, of TIFFs whose tags say nothing of bands any more
def test_any_bytes_after_the_magic_are_a_picture_or_one_error():
    rng = np.random.default_rng(0)
    for data in (npy(values("uint8", count=5)), tiff(values(count=5)), tiff(values(count=5), compression="zlib")):
        for _ in range(60):
            changed = bytearray(data)
            for at in rng.integers(6, 300, 3):
                changed[at] = rng.integers(256)
            try:
                decode(bytes(changed))
            except ExplainError as error:
                assert "\n" not in str(error)


# ------------------------------------------------------------ what is shown


def test_the_bands_shown_are_those_chosen(sat):
    array = values()
    crop = sat.preprocess.crop(array)
    pixels = sat.preprocess.shown(crop)
    for place, band in enumerate((3, 2, 1)):
        low, high = np.percentile(array[..., band], (2, 98))
        wanted = np.clip((array[..., band] - low) / (high - low), 0, 1) * 255
        assert np.abs(pixels[..., place] - wanted).max() <= 0.51
    assert np.array_equal(explain.Preprocess((HEIGHT, WIDTH), channels=COUNT).shown(crop), shown(array, (0, 1, 2)))
    assert np.array_equal(shown(values("uint8"), (5, 5, 0)), values("uint8")[..., [5, 5, 0]])
    assert np.ptp(shown(values(count=2)), axis=-1).max() == 0
    assert (shown(np.full((3, 3, 3), 7, np.uint16)) == 128).all()
    few = np.zeros((30, 30, 1), np.float32)
    few[4, 5] = 9
    assert np.argwhere(shown(few)[..., 0]).tolist() == [[4, 5]]
    notes = decode(npy(array)).info["notes"]
    assert notes == ("13 bands of uint16; each is shown from its 2nd to its 98th percentile",)
    assert "taken as they are" in decode(npy(values("float32"))).info["notes"][0]


def test_preprocess_says_which_bands_are_shown():
    how = preprocess(bands=[3, 2, 1])
    assert how.bands == (3, 2, 1)
    assert "bands 3, 2 and 1 shown as red, green and blue" in how.summary
    assert "grey in each of 13 channels, but for pictures of 13 bands" in how.summary
    assert "bands=(3, 2, 1)" in repr(how)
    for wrong in ((0, 1), (0, 1, 13), (-1, 0, 1), 3, (0.5, 1, 2)):
        with pytest.raises(BadValue, match="from 0 to 12"):
            preprocess(bands=wrong)


def test_cards_and_digests(tmp_path):
    plain, chosen = model(), model(bands=(3, 2, 1))
    assert "bands" not in plain.preprocess.fields
    assert plain.digest != chosen.digest
    for one in (plain, chosen):
        again = load_model(save_model(one, tmp_path / "kept"), architecture=Net())
        assert again.preprocess == one.preprocess
    assert '"bands"' not in (save_model(plain, tmp_path / "old") / "model.json").read_text()


def test_explain_toml(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text("from test_bands import Net\n")
    (tmp_path / "explain.toml").write_text(
        f'[models.sat]\nfactory = "nets.py:Net"\nclasses = ["a", "b", "c"]\nsize = 20\nbands = [3, 2, 1]\n'
        f'[images.scenes]\nfolder = "{folder}"\n'
    )
    found = explain.load_model("sat")
    assert (found.preprocess.bands, found.preprocess.channels) == ((3, 2, 1), 13)
    assert open_picture("scenes/0").count == COUNT


# ------------------------------------------------------------ sets


def test_npy_are_pictures_where_there_are_no_others(folder, tmp_path):
    images = load_images(folder)
    assert images.classes == ("a", "b")
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(images[1].values, values(seed=2))
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "a" / "mask.npy", np.zeros((4, 4)))
    np.save(tmp_path / "features.npy", np.zeros((4, 4)))
    (tmp_path / "b.png").write_bytes(png(values("uint8", count=3)))
    assert [file[-5:] for file in load_images(tmp_path).files] == ["b.png"]
    assert load_images(tmp_path).classes == ()
    assert len(load_images([tmp_path / "a" / "mask.npy"])) == 1
    (tmp_path / "t.csv").write_text("features,where\na/mask.npy,b.png\n")
    assert [file[-5:] for file in load_images(tmp_path / "t.csv").files] == ["b.png"]
    (tmp_path / "u.csv").write_text("where\na/mask.npy\n")
    assert [file[-8:] for file in load_images(tmp_path / "u.csv").files] == ["mask.npy"]


def test_a_dataset_of_arrays():
    images = load_images(Arrays())
    assert np.array_equal(images[2].values, values("uint8", seed=2))
    assert preprocess().tensor(images[0]).shape == (COUNT, HEIGHT, WIDTH)


class Arrays:
    def __len__(self):
        return 3

    def __getitem__(self, k):
        if k >= 3:
            raise IndexError
        return values("uint8", seed=k), k % 2


def test_large_files_of_bands_are_read_and_others_are_not(tmp_path):
    file = tmp_path / "large.npy"
    np.save(file, np.zeros((1000, 900, 13), np.uint16))
    assert file.stat().st_size > 20 << 20
    assert decode(file).count == 13
    (tmp_path / "large.tif").write_bytes(tiff(np.zeros((3000, 3000, 3), np.uint8), photometric="rgb"))
    with pytest.raises(BadFile, match="20 MB"):
        decode(tmp_path / "large.tif")


# ------------------------------------------------------------ the views


def test_gradients_are_autograds(sat):
    array = values("float32")
    found = explain.saliency(sat, array, method="gradient")
    with sat.exclusive() as net:
        batch = sat.preprocess.tensor(array)[None].requires_grad_()
        scores = net(batch)
        (slope,) = torch.autograd.grad(scores[0, scores.argmax()], batch)
    assert np.allclose(found.raw_map, slope.abs().amax(1)[0].numpy(), rtol=1e-5, atol=1e-8)
    assert found.crop.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("occlusion", {"baseline": "black"}),
        ("rise", {"samples": 20}),
        ("feature_ablation", {}),
        ("grad_cam", {}),
        ("integrated_gradients", {"steps": 5}),
        ("kernel_shap", {"samples": 20}),
    ],
)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_methods(sat, method, options, dtype):
    found = explain.saliency(sat, values(dtype), method=method, **options)
    assert np.isfinite(found.raw_map).all()
    assert np.ptp(found.raw_map) > 0
    assert found.figure().encode("png")


def test_black_and_white(sat):
    for level, found in enumerate(sat.input_range):
        wanted = sat.preprocess.tensor(np.full((HEIGHT, WIDTH, COUNT), level, np.float32))
        assert torch.equal(found[0], wanted[:, :1, :1])


@pytest.fixture(scope="module")
def index(sat, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("index")
    return explain.build_index(sat, folder, ["conv", "head"], k=4, workers=4, batch=2, out=out)


def test_the_index_is_brute_force(index, sat, folder):
    images = load_images(folder)
    with sat.exclusive() as net, torch.no_grad():
        maps = torch.stack([net.conv(sat.preprocess.tensor(image)[None])[0] for image in images])
    best = maps.flatten(2).amax(2)
    for channel in range(6):
        top = index.top("conv", channel)[0]
        assert top.image == int(best[:, channel].argmax())
        assert top.score == pytest.approx(float(best[:, channel].max()), rel=1e-5)
        assert top.position == divmod(int(maps[top.image, channel].argmax()), WIDTH)
        assert top.source_box == top.box
    assert np.allclose(index.features, torch.relu(maps).mean((2, 3)).numpy(), rtol=1e-4, atol=1e-6)
    pixels = np.stack([image.values for image in images]).astype(np.float64) / 65535
    far = ((pixels[0] - pixels[1:]) ** 2).sum((1, 2, 3))
    assert index.neighbours(0, 1, "pixels")[0].image == 1 + int(far.argmin())
    assert index.neighbours(folder / "a" / "0.npy", 1)[0].distance == pytest.approx(0, abs=1e-5)
    assert (mirror_ranks(index, 3) >= 1).all()


def test_a_set_of_pictures_with_and_without_bands(tmp_path):
    """RGBA beside RGB in a network of four channels, and a file that does not fit."""
    for k in range(3):
        (tmp_path / f"{k}.png").write_bytes(png(values("uint8", seed=k, count=4)))
    (tmp_path / "rgb.png").write_bytes(png(values("uint8", count=3)))
    (tmp_path / "wrong.tif").write_bytes(tiff(values()))
    made = explain.build_index(model(4), tmp_path, out=tmp_path / "index")
    assert list(made.skipped.values()) == ["A picture of 13 bands does not fit a network of 4 channels."]
    assert made.pixels.shape == (5, 4 * HEIGHT * WIDTH)
    assert explain.patches(made, "conv", [0, 1]).figure().encode("png")


def test_views(index, sat, folder):
    scene = folder / "a" / "2.npy"
    patches = explain.patches(index, "conv", [0, 1])
    seen = sat.preprocess.crop(index.images[patches.cuts.table["image"][0]])
    assert np.array_equal(patches.cuts.pictures[0], sat.preprocess.shown(seen))
    results = [
        patches,
        explain.patches(index, "head", [0]),  # whose units see the whole, with the effective field
        explain.activations(sat, scene, layer="conv"),
        explain.neighbours(index, 0),
        explain.neighbours(index, str(scene)),
        explain.gallery(sat, load_images(folder), method="gradient", count=3),
        explain.saliency(sat, str(scene)),
        explain.channel(index, "conv", 1, image=0),
        explain.filters(sat, "conv"),
        explain.confusion(index),
        explain.hierarchy(index, 0),
        explain.unit(sat, scene, "conv", 2),
        explain.embedding(index),
    ]
    for result in results:
        assert result.figure().encode("png")
    tile = explain.neighbours(index, 0).tile
    assert np.ptp(tile.reshape(-1, 3), 0).min() > 200
    for bands, grey in (((5, 5, 5), True), (None, False)):
        (sheet,) = thumbnails(index.images, range(6), 24, bands=bands).sheets
        pixels = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB")).astype(int)
        assert (np.ptp(pixels, axis=-1).max() < 30) == grey


@pytest.mark.parametrize("dtype", SCALE)
@pytest.mark.parametrize("fill", ["average", "black", "white", "blur"])
def test_covered_parts(sat, dtype, fill):
    array = values(dtype)
    covered = cover(array, [(2, 3, 9, 11)], fill)
    outside = np.ones(array.shape[:2], bool)
    outside[2:9, 3:11] = False
    assert np.array_equal(covered.values[outside], array[outside])
    assert covered.values.dtype == dtype
    inside = covered.values[2:9, 3:11].reshape(-1, COUNT).astype(float)
    if fill == "blur":
        assert (inside.std(0) < array.reshape(-1, COUNT).std(0) / 2).all()
    else:
        wanted = {"black": 0, "white": SCALE[dtype]}.get(fill, array.mean((0, 1)))
        assert np.abs(inside - wanted).max() <= 0.5
    assert explain.saliency(sat, covered).facts["covered"]["fill"] == fill


def test_uploads_and_the_command_line(run, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "work"))
    for file in (npy(values()), tiff(values())):
        assert open_picture(keep_upload(file, "scene")).count == COUNT
    (tmp_path / "nets.py").write_text("from test_bands import Net\n")
    monkeypatch.chdir(tmp_path)
    own = ["nets.py:Net", str(folder / "a/0.npy"), "--classes", "a", "b", "c", "--size", "20"]
    status, _, err = run("saliency", *own, "--bands", "3", "2", "1", "--out", str(tmp_path / "x.png"))
    assert (status, (tmp_path / "x.png").is_file()) == (0, True), err
    status, _, err = run("saliency", *own[:1], "photos/0", *own[2:], "--bands", "3", "2", "14", "--out", "y.png")
    assert status == 2
    assert "from 0 to 12" in err


@pytest.mark.parametrize("place", [1 << 40, 1 << 63, (1 << 64) - 1])
def test_a_tiff_whose_first_page_lies_beyond_all_files_is_refused(place):
    data = struct.pack("<2sHHHQ", b"II", 43, 8, 0, place) + bytes(64)
    assert read_tags(data) == {}
    with pytest.raises(ExplainError):
        decode(data, "far.tif")
